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
  // Tables in key order that do not overlap.
  class Tables {
   public:
    virtual ~Tables() = default;
    virtual size_t size() const = 0;
    // Must outlive the iterator, as views.
    virtual KeyInterval keys(size_t i) const = 0;
    // Makes the iterator of a table. A table whose iterator shows keys outside its range must be
    // clipped here.
    virtual std::unique_ptr<sstable::EntryIterator> Open(size_t i) const = 0;
  };
  using Opener = std::function<std::unique_ptr<sstable::EntryIterator>(size_t)>;

  // `tables` must outlive the iterator.
  explicit LevelIterator(const Tables& tables) : tables_(&tables) {}
  // The same of a list of key ranges and a function that is Tables::Open.
  LevelIterator(std::vector<KeyInterval> tables, Opener opener);

  bool from_cache() const override { return table_->from_cache(); }
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
  // Makes table `index` the current one; false, and the end, if there is none.
  bool Open(size_t index);
  // Takes over the current table's state, going on to its neighbour when it is exhausted.
  void Follow();

  // The table that a seek begins in; past the last one (which wraps around) if there is none.
  size_t Find(Target target, std::string_view key) const;

  const std::unique_ptr<const Tables> own_tables_;
  const Tables* const tables_;
  bool forward_ = true;
  bool announced_ = false;  // to table_, which is the one that the seek begins in
  size_t current_ = 0;      // meaningful if table_ is there
  std::unique_ptr<sstable::EntryIterator> table_;
};

}  // namespace varve::compaction
