// Writer: insertions into a memtable's tree. Internal to memtable/.
//
// Remembers the way to the last key's place, so that a key that begins like it starts from where
// the two part: keys in order cost a step or two.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/entry.h"
#include "memtable/arena.h"
#include "memtable/node.h"

namespace varve::memtable {

class Writer {
 public:
  Writer(Arena& arena, std::atomic<Child>& root) : arena_(arena) { path_[0] = {&root, 0}; }

  // Adds `entry`, whose key has its first `shared_bytes` in common with the key of the entry added
  // before (0 if there was none, or if that is not known). Returns the record it replaced, 0 if
  // there was none with its key and sequence.
  Arena::Offset Add(const Entry& entry, size_t shared_bytes);

  // How many bytes of the last key led to the place where it went.
  size_t depth() const { return path_[path_end_ - 1].depth; }

 private:
  // A place on the way to the last key's, and how many bytes of the key led there. What stands in
  // it changes, it does not: only the node in the last place is ever replaced, and that ends the
  // path.
  struct Step {
    std::atomic<Child>* place;
    size_t depth;
  };
  static constexpr size_t kPathMax = 32;

  // Puts `entry` among the versions of the same key whose newest is in `place`.
  Arena::Offset AddVersion(std::atomic<Child>& place, const Entry& entry);
  // In the place of the leaf there: a node with that leaf and `entry`, whose keys differ and agree
  // on `depth` bytes.
  void Branch(std::atomic<Child>& place, size_t depth, const Entry& entry);
  // In the place of the node there: one with the first `shared_bytes` of its prefix, which holds
  // it, with a shorter prefix, and `entry`.
  void CutPrefix(std::atomic<Child>& place, size_t depth, size_t shared_bytes, const Entry& entry);
  // Adds a child to the node in `place`, which grows if it is full.
  void AddChild(std::atomic<Child>& place, uint8_t byte, Child child);
  // Hangs a leaf into a node that no reader knows yet.
  void Hang(Node& node, std::string_view key, size_t depth, Child leaf);

  template <typename T>
  Child NewNode() {
    const Arena::Offset offset = arena_.Allocate(sizeof(T), alignof(T));
    new (arena_.At(offset)) T;
    return offset;
  }
  // A copy of `from` with room for more children if `larger`; its prefix is to be set.
  Child CopyNode(Node& from, bool larger);
  template <typename To, typename From>
  Child CopyAs(From& from);

  Arena& arena_;
  std::array<Step, kPathMax> path_;
  size_t path_end_ = 1;
};

}  // namespace varve::memtable
