// MergingIterator: the entries of several iterators as one, in entry order. It is what iterators of
// the engine stand on, and what the compaction job reads from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sstable/entry_iterator.h"

namespace varve::compaction {

// All versions of all keys come out, tombstones too. Where two children hold the same key and
// sequence number, the one that stands earlier among the children comes first.
//
// A binary heap over the children. A movement costs one or two comparisons while the same child
// stays in front, as it does in most data. Whatever several children wait for is collected side by
// side. A child that fails makes the merge fail, with the child's status, until the next seek.
class MergingIterator final : public sstable::EntryIterator {
 public:
  using Children = std::vector<std::unique_ptr<sstable::EntryIterator>>;

  // `children` from the newest source to the oldest. Starts at the end, as they do.
  explicit MergingIterator(Children children);

  bool from_cache() const override { return children_[heap_.front()]->from_cache(); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekBefore(std::string_view key, SequenceNumber sequence) override;
  // After a movement in the other direction this seeks the other children, which may wait.
  void Next() override;
  void Prev() override;
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override;
  void Resume() override;

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  // Whether child `a` comes before child `b` in the current direction.
  bool Before(uint32_t a, uint32_t b) const;
  // Moves the heap's element at `hole` down to where it belongs.
  void SiftDown(size_t hole);
  // After all children were moved: waits for them, fails, or builds the heap.
  void Rebuild();
  // After only the front child was moved.
  void Replace();
  // Takes state and entry from the front of the heap.
  void Expose();
  void Fail(const sstable::EntryIterator& child);
  // After a change of direction at entry_: moves every child but `front` to the first entry that
  // lies ahead in the new direction.
  void SeekOthers(uint32_t front);
  void Place(sstable::EntryIterator& child, std::string_view key, SequenceNumber sequence);

  const Children children_;
  Direction direction_ = Direction::kForward;
  // Whether what is waited for is the front child alone, or every child.
  bool replacing_ = false;
  std::vector<uint32_t> heap_;  // indexes of children that stand on an entry; the front comes next
  std::string place_key_;       // where the direction changed
  std::string after_key_;       // the smallest key after that
};

}  // namespace varve::compaction
