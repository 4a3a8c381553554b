// ClipIterator: what an iterator shows of the keys in [begin, end).
#pragma once

#include <memory>
#include <string>

#include "sstable/entry_iterator.h"

namespace varve::compaction {

// How a table is seen through a reference that is clipped to part of its keys, and how an iterator
// with bounds sees anything. An empty `end` is no bound.
class ClipIterator final : public sstable::EntryIterator {
 public:
  ClipIterator(std::unique_ptr<sstable::EntryIterator> child, std::string_view begin,
               std::string_view end);

  bool from_cache() const override { return child_->from_cache(); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekBefore(std::string_view key, SequenceNumber sequence) override;
  void AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) override;
  void PreloadSeek() override;
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override;
  void Resume() override;

 protected:
  void NextWindow() override;
  void PrevWindow() override;

 private:
  // Takes over the child's state; what lies outside the bounds is the end.
  void Follow();
  bool BelowBegin(const Entry& entry) const { return entry.key < begin_; }
  bool AtEnd(const Entry& entry) const { return !end_.empty() && entry.key >= end_; }

  const std::unique_ptr<sstable::EntryIterator> child_;
  const std::string begin_;
  const std::string end_;
  bool announced_ = false;  // to the child
};

}  // namespace varve::compaction
