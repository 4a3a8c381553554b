// IteratorImpl: what a user's Iterator does, with the waiting left to its caller.
//
// A merge over everything that one partition's view holds, reduced to the newest visible version of
// each key, and carried from partition to partition. It stands on a snapshot of its own (or its
// user's), so every partition may be looked up afresh when it is reached: whatever was flushed,
// compacted or cut meanwhile, the partition that now holds a key shows the same at that snapshot.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compaction/level_iterator.h"
#include "compaction/merging_iterator.h"
#include "engine/db.h"
#include "engine/partition.h"
#include "sstable/entry_iterator.h"
#include "sstable/value_file.h"

namespace varve::engine {

class DbImpl;

// The sequence numbers of Seek and SeekBefore are ignored: Seek goes to the first key at or after
// `key`, SeekBefore to the last key before it. entry() is a put with the value itself.
//
// Its windows are the parts of the merge's windows in which every entry is to be shown: visible,
// the newest such version of its key, a put with its value beside it, and within the bounds.
class IteratorImpl final : public sstable::EntryIterator {
 public:
  IteratorImpl(DbImpl& db, IteratorOptions options);
  ~IteratorImpl() override;

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key, SequenceNumber sequence) override;
  void SeekBefore(std::string_view key, SequenceNumber sequence) override;
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override;
  void Resume() override;

  io::Io& io();

 protected:
  void NextWindow() override;
  void PrevWindow() override;

 private:
  enum class Direction : uint8_t { kForward, kBackward };
  enum class Found : uint8_t { kNothing, kPut, kTombstone };

  // Makes the iterators of the partition that holds `key` (forward), or keys before it (backward;
  // an empty key is the end of the key space), unless they are those that are there.
  void EnterPartition(std::string_view key, Direction direction);
  // A level of view_, as LevelIterator wants it.
  class Level final : public compaction::LevelIterator::Tables {
   public:
    size_t size() const override { return tables->size(); }
    compaction::KeyInterval keys(size_t i) const override { return (*tables)[i].keys; }
    std::unique_ptr<sstable::EntryIterator> Open(size_t i) const override {
      return owner->TableIterator((*tables)[i]);
    }
    const IteratorImpl* owner = nullptr;
    const std::vector<LevelTable>* tables = nullptr;
  };

  std::unique_ptr<sstable::EntryIterator> TableIterator(const LevelTable& table) const;
  void Fail(Status status);
  void End() { state_ = State::kEnd; }

  // Continue in the current direction until there is something to show, to wait for, or the end.
  void Continue();
  void ContinueForward();
  void ContinueBackward();
  // Look for something to show in the merge's window, from where it stands on in the current
  // direction. True if that is settled; false: the merge stands on the last entry of the window
  // that was looked at, and has to leave it.
  bool ShowForward();
  bool ShowBackward();
  bool Visible(const Entry& entry) const { return entry.sequence <= sequence_; }
  // Whether the entry, with `before` in front of it, is what its key shows; puts only.
  bool Shows(const Entry& before, const Entry& entry) const {
    return Visible(entry) && entry.kind == EntryKind::kPut &&
           (!Visible(before) || before.key != entry.key);
  }
  // Makes the entry, which is visible, what is known of its key.
  void TakeCandidate(const Entry& entry);
  bool ShowCandidate();
  // Shows the put alone, or begins to wait for its value.
  void Show(const Entry& entry);
  void StepValue();
  const ValueFileHandle* FindValueFile(uint64_t number) const;

  bool BelowLower(std::string_view key) const { return key < options_.lower_bound; }
  bool AtUpper(std::string_view key) const {
    return !options_.upper_bound.empty() && key >= options_.upper_bound;
  }

  DbImpl& db_;
  const IteratorOptions options_;
  const SequenceNumber sequence_;  // of a snapshot

  // The partition being walked.
  std::shared_ptr<Partition> partition_;
  std::shared_ptr<const ReadView> view_;
  std::array<Level, kLevels> levels_;
  std::unique_ptr<sstable::EntryIterator> merge_;

  Direction direction_ = Direction::kForward;
  // Forward: versions of this key are passed over. Backward: the key of the candidate.
  std::string key_;
  bool has_key_ = false;
  // Backward: the newest visible version of key_ seen so far, when the merge has gone past it.
  Found candidate_ = Found::kNothing;
  Entry candidate_entry_;  // its value in candidate_value_
  std::string candidate_value_;
  // What is shown if it is not a window of the merge.
  Entry shown_;
  // The value of entry() while it has to be read from a value file.
  std::optional<sstable::ValueGet> value_get_;
};

}  // namespace varve::engine
