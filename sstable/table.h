// Table: a finished, immutable table, open for reading.
//
// A table that nobody has read yet holds nothing but its TableInfo: neither a file descriptor nor
// memory. The first use opens the file and loads its index and Bloom filter, which stay (and are
// charged to the block cache) until Unload. After that, finding an entry in a cached block costs no
// lock, no allocation and no suspension, and any other entry costs exactly one read of the pages
// that its block lies on: one page of 4 KiB, unless a single entry is larger than that.
//
//   // a point read
//   TableGet get(table, key, Hash(key), snapshot);
//   while (get.Step() == TableGet::State::kWaiting) co_await get.Run();
//   if (get.state() == TableGet::State::kFound) Use(get.entry());
//
//   // a scan
//   auto iterator = table.NewIterator({});
//   iterator->SeekToFirst();
//   ...  // see sstable/entry_iterator.h
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/checksum.h"
#include "base/entry.h"
#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/entry_iterator.h"
#include "sstable/format.h"
#include "sstable/index.h"
#include "sstable/table_info.h"

namespace varve::sstable {

struct LoadedTable;  // sstable/loaded_table.h

struct IteratorOptions {
  enum class Reading : uint8_t {
    // For users. Blocks come from the cache and go there. Once it moves through blocks that are not
    // cached, in either direction, it reads ahead, in growing steps.
    kCached,
    // For compactions. Reads ahead from the start, in large steps with several in flight, on the
    // executor that it is used on (forward; backward as above), and puts nothing into the cache;
    // blocks that are cached anyway are taken from there. Reads under way own what they need, so
    // the iterator may be destroyed at
    // any time; the executor (a Worker's) must go on running until they are done.
    kScan,
  };
  Reading reading = Reading::kCached;

  // Bounds of the reading ahead. Memory of one iterator: about read_bytes_max * reads_in_flight_max
  // (in kCached, one read of at most 256 KiB).
  size_t read_bytes_max = 512 << 10;
  uint32_t reads_in_flight_max = 4;

  // No need to read ahead before the first of these keys, or at or beyond the second (empty: to the
  // end of the table). A hint: the iterator does not stop there.
  std::string_view read_from = {};
  std::string_view read_until = {};
};

// Thread-safe. Must outlive its iterators and lookups.
class Table {
 public:
  // `info` is what TableBuilder::Finish returned, or ReadInfo. `path` is where the file is. No I/O.
  Table(io::Io& io, std::string path, TableInfo info, BlockCache& cache);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  const TableInfo& info() const { return info_; }
  const std::string& path() const { return path_; }

  // Reads the info that a table file carries itself: for tools, and for tables that no manifest
  // knows.
  static io::Task<StatusOr<TableInfo>> ReadInfo(io::Io& io, std::string path);

  // Opens the file and loads index and filter, if that is not done yet. Reads do it by themselves.
  io::Task<Status> Load() const;
  Status LoadNow() const;
  bool loaded() const { return loaded_.load(std::memory_order_acquire) != nullptr; }

  // Lets go of the file descriptor, the index and the filter, for when too many tables are open or
  // their indexes take too much of the cache. The caller keeps what is returned until no
  // TableGet::Step that was running at the time can still be running (an epoch later); then
  // dropping it frees the memory and closes the file, unless an iterator or a read under way still
  // uses it.
  std::shared_ptr<const LoadedTable> Unload() const;

  // What is loaded, nullptr if nothing is; valid under the same condition as TableGet::Step.
  // Acquire: pairs with Install.
  const LoadedTable* TryLoaded() const { return loaded_.load(std::memory_order_acquire); }

  // Whether the table was read since the last call: to choose which to unload.
  bool TestAndClearUsed() const { return used_.exchange(false, std::memory_order_relaxed); }

  // Memory that is charged to the cache at the moment.
  size_t LoadedBytes() const;

  // Starts at the end. Not to be used by several executors at a time.
  std::unique_ptr<EntryIterator> NewIterator(const IteratorOptions& options = {}) const;

  // About how many bytes of the file hold the entries with begin <= key < end (empty: no end).
  // Exact to a block when the index is loaded, from the samples of the info otherwise. Never does
  // I/O.
  uint64_t ApproximateBytes(std::string_view begin, std::string_view end) const;

  // Takes this table's blocks out of the cache (as far as they are not pinned), once nothing refers
  // to the table any more. Does nothing when the index is not loaded.
  void EvictBlocks() const;

 private:
  friend class TableGet;
  friend class BlockSource;

  // A counted reference to what is loaded; null if nothing is.
  std::shared_ptr<const LoadedTable> Hold() const;
  void Install(std::shared_ptr<const LoadedTable> loaded) const;

  io::Io& io_;
  const std::string path_;
  const TableInfo info_;
  BlockCache& cache_;

  // What owner_ points to, for readers that hold no reference: acquire pairs with Install's
  // release.
  mutable std::atomic<const LoadedTable*> loaded_{nullptr};
  mutable std::atomic<bool> used_{false};
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const LoadedTable> owner_ ABSL_GUARDED_BY(mutex_);
  // Set while a Load is under way, so that others wait for it instead of reading the same.
  mutable std::shared_ptr<io::Event> loading_ ABSL_GUARDED_BY(mutex_);
};

// One lookup in one table. Lives on the caller's stack or coroutine frame; allocates nothing as
// long as what it needs is in memory. Not thread-safe, not copyable.
class TableGet final : public BlockFetch {
 public:
  enum class State : uint8_t {
    kStart,  // not begun
    kMore,   // from Advance: call it again, best after having advanced others
    kFound,  // entry() is the newest version of the key at or below the sequence: maybe a tombstone
    kAbsent,   // the table has no such version
    kWaiting,  // call Run or RunNow, then Step again
    kFailed,   // status() says why
  };

  // Looks for the newest version of `key` not newer than `sequence`. `hash` is Hash(key), computed
  // once for all tables. `key` must stay valid.
  TableGet(const Table& table, std::string_view key, uint64_t hash, SequenceNumber sequence)
      : table_(&table), key_(key), hash_(hash), sequence_(sequence) {}

  // Goes as far as it can without waiting. Must run where Table::Unload's caller can tell that it
  // is over (under an epoch guard, or while the tables are never unloaded); between calls nothing
  // of that kind is needed. A lookup that waits needs at most two rounds: index and filter, then
  // the block.
  State Step() {
    stage_ = Stage::kFilter;
    while (Advance() == State::kMore) {
    }
    return state_;
  }

  // Goes one memory access far: what it would have to wait for next, it asks the memory for, and
  // returns kMore. So who advances several lookups in turn waits for all of them at the same time.
  // From the first call after construction, or after Run, to the end under one guard.
  State Advance();

  State state() const { return state_; }
  const Status& status() const { return status_; }

  // While kWaiting: the offset of the block that Run would read, ~0 for the index.
  uint64_t wanted_offset() const { return wants_block_ ? block_offset_ : ~uint64_t{0}; }

  // In kFound only. The key is the caller's; the value lies in the block, which stays pinned until
  // this object or the taken pin is destroyed.
  const Entry& entry() const { return entry_; }
  BlockPin TakePin() { return std::move(pin_); }

  io::Task<void> Run() override;
  void RunNow() override;

 private:
  // What Advance does next.
  enum class Stage : uint8_t { kFilter, kIndex, kBlock };

  State Finish(State state) {
    stage_ = Stage::kFilter;
    return state_ = state;
  }
  State Search(std::string_view block);
  State Fail(Status status);
  void Keep(const LoadedTable& loaded, BlockPlace place, std::string_view pages,
            uint64_t pages_offset);

  const Table* table_;
  std::string_view key_;
  uint64_t hash_;
  SequenceNumber sequence_;
  State state_ = State::kStart;
  Stage stage_ = Stage::kFilter;
  uint32_t block_ = 0;
  const LoadedTable* loaded_ = nullptr;  // from kIndex on
  TableIndex::Search search_;
  bool wants_block_ = false;  // Run shall read the block, not the index
  bool fetched_ = false;      // pin_ is the block
  uint64_t block_offset_ = 0;
  BlockPin pin_;
  Entry entry_;
  Status status_;
};

}  // namespace varve::sstable
