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
// The children stand sorted by their current entries, which are told apart by the first 8 bytes of
// their keys where these differ. The merge shows the front child's window, cut where the second
// one's entry comes: so an entry costs one comparison with that, and none where the whole window
// lies before it; only where a run of entries of one child ends does it move back among the
// others. Whatever several children wait for is collected side by side. A child that fails makes
// the merge fail, with the child's status, until the next seek.
class MergingIterator final : public sstable::EntryIterator {
 public:
  using Children = std::vector<std::unique_ptr<sstable::EntryIterator>>;

  // `children` from the newest source to the oldest. Starts at the end, as they do.
  explicit MergingIterator(Children children);

  bool from_cache() const override { return sorted_.front().child->from_cache(); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekBefore(std::string_view key, SequenceNumber sequence) override;
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override;
  void Resume() override;

 protected:
  // After a movement in the other direction these seek the other children, which may wait.
  void NextWindow() override;
  void PrevWindow() override;

 private:
  enum class Direction : uint8_t { kForward, kBackward };

  // A child that stands on an entry.
  struct Place {
    // The first 8 bytes of the entry's key as a number, complemented when going backward: the
    // smaller comes first in either direction.
    uint64_t head;
    sstable::EntryIterator* child;
    uint32_t index;  // among children_
  };

  uint64_t HeadOf(const Entry& entry) const;
  // Whether the entry `a` of child `index_a` comes before place `b` in the current direction.
  bool Before(uint64_t head_a, const Entry& a, uint32_t index_a, const Place& b) const;
  // Puts `place` where it belongs among sorted_[from..], which is sorted.
  void Insert(const Place& place, size_t from);
  // After all children were moved: waits for them, fails, or sorts them.
  void Rebuild();
  // After only the front child was moved.
  void Replace();
  // Shows what the front child has before all others.
  void Expose();
  void Fail(const sstable::EntryIterator& child);
  // After a change of direction at entry(): moves every child but `front` to the first entry that
  // lies ahead in the new direction.
  void SeekOthers(uint32_t front);
  void AnnounceToAll(Target target, std::string_view key, SequenceNumber sequence);
  void Put(sstable::EntryIterator& child, std::string_view key, SequenceNumber sequence);

  const Children children_;
  Direction direction_ = Direction::kForward;
  // Whether what is waited for is the front child alone, or every child.
  bool replacing_ = false;
  std::vector<Place> sorted_;  // the children that stand on an entry; the front comes next
  std::string place_key_;      // where the direction changed
  std::string after_key_;      // the smallest key after that
};

}  // namespace varve::compaction
