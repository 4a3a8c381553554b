// LevelIterator: the entries of tables that do not overlap, one after another, as one iterator.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compaction/key_interval.h"
#include "sstable/entry_iterator.h"

namespace varve::compaction {

// One level from 1 on, the outputs of one compaction, or the memtables of neighbouring partitions:
// a merge over many levels then has one child a level rather than one a table. The iterator of a
// table is made when a movement reaches it, and only one exists at a time.
class LevelIterator final : public sstable::EntryIterator {
 public:
  // Makes the iterator of the i-th table.
  using Opener = std::function<std::unique_ptr<sstable::EntryIterator>(size_t)>;

  // `tables` are the key ranges in key order; they do not overlap. Their keys must outlive the
  // iterator. A table whose iterator shows keys outside its range must be clipped by the opener.
  LevelIterator(std::vector<KeyInterval> tables, Opener opener);

  bool from_cache() const override { return table_->from_cache(); }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekBefore(std::string_view key, SequenceNumber sequence) override;
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override;
  void Resume() override;

 protected:
  void NextWindow() override;
  void PrevWindow() override;

 private:
  // Makes table `index` the current one; false, and the end, if there is none.
  bool Open(size_t index);
  // Takes over the current table's state, going on to its neighbour when it is exhausted.
  void Follow();

  const std::vector<KeyInterval> tables_;
  const Opener opener_;
  bool forward_ = true;
  size_t current_ = 0;  // meaningful if table_ is there
  std::unique_ptr<sstable::EntryIterator> table_;
};

}  // namespace varve::compaction
