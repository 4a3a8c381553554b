// Writer: one insertion into a memtable's tree. Internal to memtable/.
#pragma once

#include <array>
#include <span>

#include "memtable/memtable.h"
#include "memtable/node.h"

namespace varve::memtable {

class Writer {
 public:
  explicit Writer(Memtable& memtable) : memtable_(memtable), arena_(memtable.arena_) {}

  // Adds `entry`. Returns the entry it replaced, if there was one with its key and sequence.
  const char* Add(const Entry& entry);

 private:
  using Offset = Arena::Offset;

  static constexpr int kLevelsMax = 24;
  // So many insertions behind each other in one node are a pattern: what comes next goes there,
  // too.
  static constexpr uint8_t kRunMin = 8;

  // An inner node that was passed on the way down, and the slot of the child that was taken.
  struct Step {
    Offset offset;
    uint32_t slot;
  };

  // What a new node is made of: its bounds, whether there is one on either side, and two entries
  // that stand for the keys it will hold where its bounds don't say.
  struct Range {
    Offset low;
    Offset high;
    Offset first;
    Offset last;
  };

  Node& At(Offset offset) { return Node::At(arena_, offset); }
  std::string_view Key(Offset entry) const { return KeyOf(arena_.At(entry)); }

  Offset NewEntry(const Entry& entry);
  Offset NewNode(int level, const Range& range);
  // Appends to a node that no reader knows.
  void Fill(Node& node, std::span<const Offset> offsets);
  // What a slot for `offset`, an entry or a child, says in `node`.
  uint64_t WordFor(const Node& node, Offset offset) const;

  Offset FindLeaf(const Target& target);
  void InsertWord(Node& node, uint32_t slot, uint64_t word);

  void GrowLeaf(Offset leaf, uint32_t slot, Offset entry);
  void Link(Offset old_leaf, Offset first, Offset last);
  // In the inner node `level` (or as a new root): the child taken becomes `left`, and `right` is
  // inserted behind it. `range` is what the old child held.
  void InsertChild(int level, Offset left, Offset right, const Range& range);
  void ReplaceChild(int level, Offset child);
  // The entry that bounds the inner node `level` of the path from above; 0 if none does.
  Offset HighOf(int level);

  Memtable& memtable_;
  Arena& arena_;
  int levels_ = 0;
  std::array<Step, kLevelsMax> path_;  // [1, levels_): the inner nodes by level
};

}  // namespace varve::memtable
