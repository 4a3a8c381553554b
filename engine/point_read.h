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
  State Step();

  const Status& status() const { return status_; }
  sstable::BlockFetch& fetch();
  // In kFound, once: copies a small value, pins a large one.
  void TakeValue(PinnedValue* value);

 private:
  // Values up to this size are copied.
  static constexpr size_t kCopyBytesMax = 4096;

  bool SearchMemtables();
  bool SearchMemtable(const std::shared_ptr<PartitionMemtable>& memtable);
  // Makes get_ look at the next table that may hold the key; false if there is none.
  bool NextTable();
  State StepTable();
  State StepValue();
  State Fail(Status status);

  const ReadView& view_;
  const std::string_view key_;
  const SequenceNumber sequence_;
  uint64_t hash_ = 0;
  bool memtables_done_ = false;
  int level_ = 0;
  size_t next_in_level0_ = 0;
  const LevelTable* table_ = nullptr;
  std::optional<sstable::TableGet> get_;
  std::optional<sstable::ValueGet> value_get_;

  std::string_view value_;
  bool found_ = false;
  const std::shared_ptr<PartitionMemtable>* value_memtable_ = nullptr;  // which holds value_
  Status status_;
};

}  // namespace varve::engine
