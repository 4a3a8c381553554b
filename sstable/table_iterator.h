// The iterator of one table: a block source and a cursor in its current block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sstable/block.h"
#include "sstable/block_source.h"
#include "sstable/entry_iterator.h"
#include "sstable/table.h"

namespace varve::sstable {

class TableIterator final : public EntryIterator {
 public:
  TableIterator(const Table& table, const IteratorOptions& options)
      : table_(table), source_(table, options) {}

  void SeekToFirst() override { Begin(Motion::kFirst, {}, 0); }
  void SeekToLast() override { Begin(Motion::kLast, {}, 0); }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    Begin(Motion::kSeek, key, sequence);
  }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override {
    Begin(Motion::kSeekBefore, key, sequence);
  }
  void AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) override;
  void PreloadSeek() override {
    if (announced_) source_.Preload(block_);
  }
  bool from_cache() const override { return source_.from_cache(); }

  void CollectFetches(std::vector<BlockFetch*>& fetches) override { fetches.push_back(&source_); }
  void Resume() override;

 protected:
  void NextWindow() override;
  void PrevWindow() override;

 private:
  // Where to go in the block that is entered next.
  enum class Motion : uint8_t { kFirst, kLast, kSeek, kSeekBefore };

  // Sets the target, and forgets where the iterator was.
  void Aim(Motion motion, std::string_view key, SequenceNumber sequence);
  void Begin(Motion motion, std::string_view key, SequenceNumber sequence);
  // Finds the block that the motion begins in, once the index is there.
  void ChooseBlock();
  // Enters block_ and moves there, and on to its neighbours as needed.
  void Proceed();
  void AnnounceNeighbour();
  // Moves in the block; false if it holds no entry to stop at.
  bool MoveInBlock();
  void Stop(State state) { state_ = state; }
  void ShowBatch() { ShowWindow(cursor_.batch_begin(), &cursor_.entry(), cursor_.batch_end()); }
  void Fail(Status status);
  void FailMalformed();

  const Table& table_;
  BlockSource source_;
  BlockCursor cursor_;
  uint32_t block_ = 0;
  Motion motion_ = Motion::kFirst;
  bool chosen_ = false;     // block_ is the motion's
  bool announced_ = false;  // the motion has not begun yet
  std::string target_key_;
  SequenceNumber target_sequence_ = 0;
};

}  // namespace varve::sstable
