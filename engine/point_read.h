// PointRead: one lookup of one key in one partition, as far as memory goes, and what it waits for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/checksum.h"
#include "base/entry.h"
#include "base/status.h"
#include "engine/partition.h"
#include "engine/pinned_value.h"
#include "sstable/table.h"
#include "sstable/value_file.h"

namespace varve::engine {

// Looks through the active memtable, the frozen ones, and the levels, newest first, and stops at
// the first version it finds. Lives on a stack or in a coroutine frame; allocates nothing while
// what it needs is in memory. Not thread-safe, neither copied nor moved. The view and the key must
// outlive it.
class PointRead {
 public:
  enum class State : uint8_t {
    kMore,     // from Advance: call it again, best after having advanced others
    kFound,    // TakeValue has it
    kAbsent,   // no version, or a tombstone
    kWaiting,  // run fetch(), then Step again
    kFailed,   // status() says why
  };

  PointRead(const ReadView& view, std::string_view key, SequenceNumber sequence)
      : view_(view), key_(key), sequence_(sequence) {}
  PointRead(const PointRead&) = delete;
  PointRead& operator=(const PointRead&) = delete;

  // Goes as far as it can without waiting. Under an epoch guard.
  State Step() {
    State state;
    while ((state = Advance()) == State::kMore) {
    }
    return state;
  }
  // Goes one memory access far: what it would have to wait for next, it asks the memory for. So who
  // advances several lookups in turn waits for all of them at the same time. From the first call
  // after construction, or after fetch() has run, to the end under one epoch guard.
  State Advance();

  const Status& status() const { return status_; }
  sstable::BlockFetch& fetch();
  // What fetch() reads, by file and place: lookups that want the same need one fetch.
  std::pair<const void*, uint64_t> wanted() const;
  // In kFound, once: copies a small value, pins a large one.
  void TakeValue(PinnedValue* value);

 private:
  // Values up to this size are copied.
  static constexpr size_t kCopyBytesMax = 4096;

  // Tables are looked up in portions of so many: the filters of a portion are asked for together.
  static constexpr size_t kCandidatesMax = 8;

  enum class Stage : uint8_t { kMemtables, kTables, kTable, kValue };

  State AdvanceMemtables();
  // The memtable behind memtable_, newest first; null if that was the last.
  const std::shared_ptr<PartitionMemtable>* NextMemtable() const;
  // The next tables, newest first, that may hold the key, as far as their ranges tell.
  void CollectCandidates();
  void AddCandidate(const LevelTable& table);
  State AdvanceTable();
  State StepValue();
  State Fail(Status status);

  const ReadView& view_;
  const std::string_view key_;
  const SequenceNumber sequence_;
  const std::shared_ptr<PartitionMemtable>* memtable_ = nullptr;  // that lookup_ is in
  std::optional<memtable::Memtable::Lookup> lookup_;
  uint64_t hash_ = 0;
  Stage stage_ = Stage::kMemtables;
  uint8_t level_ = 0;  // the next to look for candidates in
  uint8_t candidates_ = 0;
  uint8_t next_candidate_ = 0;
  uint32_t next_in_level0_ = 0;
  const LevelTable* candidate_[kCandidatesMax];
  const LevelTable* table_ = nullptr;
  std::optional<sstable::TableGet> get_;
  std::optional<sstable::ValueGet> value_get_;

  std::string_view value_;
  Status status_;
};

}  // namespace varve::engine
