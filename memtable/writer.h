// Writer: one insertion into a memtable's tree. Internal to memtable/.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/entry.h"
#include "memtable/arena.h"
#include "memtable/node.h"

namespace varve::memtable {

class Writer {
 public:
  Writer(Arena& arena, std::atomic<Child>& root) : arena_(arena), root_(root) {}

  // Adds `entry`. Returns the record it replaced, 0 if there was none with its key and sequence.
  Arena::Offset Add(const Entry& entry);

 private:
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
  std::atomic<Child>& root_;
};

}  // namespace varve::memtable
