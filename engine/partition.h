// Partition: a range of keys with an LSM tree of its own, and what readers see of it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "compaction/key_interval.h"
#include "engine/level_fences.h"
#include "engine/manifest_state.h"
#include "engine/table_set.h"
#include "memtable/memtable.h"
#include "wal/format.h"

namespace varve::engine {

// A memtable with what the engine must know to flush it. After a split both halves share the
// memtables of before.
struct PartitionMemtable {
  PartitionMemtable(std::atomic<int64_t>& budget, memtable::ChunkPool& pool)
      : table(&pool), budget(budget) {}
  ~PartitionMemtable() { Discharge(); }

  // Brings the budget up to date with what the table holds.
  void Charge() {
    const auto bytes = static_cast<int64_t>(table.bytes());
    budget.fetch_add(bytes - charged_bytes, std::memory_order_relaxed);
    charged_bytes = bytes;
  }
  // It is flushed: what readers still hold of it does not keep writers waiting.
  void Discharge() {
    budget.fetch_sub(charged_bytes, std::memory_order_relaxed);
    charged_bytes = 0;
  }

  memtable::Memtable table;
  // Where its oldest entry is in the log: what lies before is of no use to it.
  wal::Lsn first_lsn = 0;
  // Set when it is frozen: every batch up to here that touches the partition is in this memtable or
  // older ones, and the log reached `frozen_lsn` then.
  SequenceNumber frozen_at = 0;
  wal::Lsn frozen_lsn = 0;
  // May hold keys outside the partition that refers to it.
  std::atomic<bool> shared{false};
  // Bytes of all memtables that are to be flushed, and what this one counts for.
  std::atomic<int64_t>& budget;
  int64_t charged_bytes = 0;
};

// A table as one partition sees it.
struct LevelTable {
  std::shared_ptr<TableHandle> handle;
  TableReference reference;
  uint64_t referenced_bytes = 0;  // over all partitions
  compaction::KeyInterval keys;   // what the reference shows; views of the two above
  bool clipped = false;           // whether the table holds keys that this reference must not show
};

// Level 0 newest first, deeper levels in key order.
struct Levels : std::array<std::vector<LevelTable>, kLevels> {
  // The same for point reads.
  std::array<LevelFences, kLevels> fences;

  // Sets the fences, when the tables are there.
  void Fence() {
    for (int level = 0; level < kLevels; ++level) {
      std::vector<compaction::KeyInterval> keys;
      for (const LevelTable& table : (*this)[level]) keys.push_back(table.keys);
      fences[level] = LevelFences(std::move(keys));
    }
  }
};

// Everything a reader of a partition needs: immutable, but for the active memtable's content. Found
// through Partition::view under an epoch guard; who must wait takes a reference.
class ReadView : public std::enable_shared_from_this<ReadView> {
 public:
  ReadView(std::shared_ptr<PartitionMemtable> active,
           std::vector<std::shared_ptr<PartitionMemtable>> frozen,
           std::shared_ptr<const Levels> levels)
      : active(std::move(active)), frozen(std::move(frozen)), levels(std::move(levels)) {}

  const std::shared_ptr<PartitionMemtable> active;               // nullptr if nothing was written
  const std::vector<std::shared_ptr<PartitionMemtable>> frozen;  // newest first
  const std::shared_ptr<const Levels> levels;
};

class Partition {
 public:
  Partition(PartitionRecord record, std::shared_ptr<ReadView> view)
      : id(record.id),
        begin(std::move(record.begin)),
        end(std::move(record.end)),
        live_from(record.live_from),
        owner_(std::move(view)) {
    view_.store(owner_.get(), std::memory_order_relaxed);
  }

  const uint64_t id;
  const std::string begin;
  const std::string end;  // empty: the end of the key space
  const SequenceNumber live_from;

  // What the policy says compactions have to write here, and how much too much space that takes;
  // DbImpl keeps the sum and the greatest.
  std::atomic<double> debt_bytes{0};
  std::atomic<double> space_pressure{0};

  compaction::KeyInterval keys() const { return {begin, end, false}; }

  // Under an epoch guard, valid while it lasts. Acquire pairs with Publish.
  const ReadView* view() const { return view_.load(std::memory_order_acquire); }

  // The rest under the apply lock (DbImpl).
  const std::shared_ptr<ReadView>& owned_view() const { return owner_; }
  // Replaces the view; the caller retires what is returned.
  [[nodiscard]] std::shared_ptr<ReadView> Publish(std::shared_ptr<ReadView> view) {
    view_.store(view.get(), std::memory_order_release);
    return std::exchange(owner_, std::move(view));
  }

 private:
  std::atomic<const ReadView*> view_;
  std::shared_ptr<ReadView> owner_;
};

// The partitions in key order, without gaps. Immutable; found under an epoch guard.
class Directory {
 public:
  explicit Directory(std::vector<std::shared_ptr<Partition>> partitions)
      : partitions_(std::move(partitions)) {
    begins_.reserve(partitions_.size());
    for (const auto& partition : partitions_) begins_.push_back(partition->begin);
  }

  const std::vector<std::shared_ptr<Partition>>& partitions() const { return partitions_; }
  // The index of the partition that holds `key`.
  size_t IndexOf(std::string_view key) const {
    const auto after = std::upper_bound(begins_.begin(), begins_.end(), key);
    return static_cast<size_t>(after - begins_.begin()) - 1;
  }
  const std::shared_ptr<Partition>& Find(std::string_view key) const {
    return partitions_[IndexOf(key)];
  }

 private:
  std::vector<std::shared_ptr<Partition>> partitions_;
  std::vector<std::string_view> begins_;
};

}  // namespace varve::engine
