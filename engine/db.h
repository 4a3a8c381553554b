// Db: an ordered map of bytes on disk, in partitions, with atomic batches and snapshots.
//
//   auto io = io::NewIo();
//   VARVE_ASSIGN_OR_RETURN(auto db, engine::Db::Open(*io, "/var/lib/data", {}));
//   VARVE_RETURN_IF_ERROR(db->Put("key", "value"));
//   engine::PinnedValue value;
//   VARVE_ASSIGN_OR_RETURN(bool found, db->Get("key", &value));
//
// Every function may be called from any thread at any time between Open and the destructor. The
// plain functions wait on the calling thread, which must not be an executor's (in the simulation it
// may be the only thread there is); their Async twins are tasks for coroutines on an executor of
// the same Io, and take views that must stay valid until the task is done.
//
// Errors. InvalidArgument: the call is wrong. DataLoss: bytes on disk are not what was written; the
// message names file and offset, and only what needs those bytes fails. ResourceExhausted: the disk
// is full; reads go on, and writes succeed again when there is room. Unavailable: the system
// refused an operation; a write that got this is either there whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "engine/options.h"
#include "engine/pinned_value.h"
#include "engine/stats.h"
#include "engine/write_batch.h"
#include "io/io.h"
#include "sstable/entry_iterator.h"

namespace varve::engine {

class DbImpl;
class IteratorImpl;

// A moment in the order of commits. Reads through it see exactly the batches up to it, whatever is
// written, flushed, compacted or split meanwhile; a dropped range is gone for snapshots too. It
// holds back the removal of old versions: release it. It must not outlive its Db.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  SequenceNumber sequence() const { return sequence_; }

 private:
  friend class DbImpl;
  Snapshot(DbImpl* db, SequenceNumber sequence) : db_(db), sequence_(sequence) {}
  DbImpl* const db_;
  const SequenceNumber sequence_;
};

struct IteratorOptions : ReadOptions {
  // Keys in [lower_bound, upper_bound); empty is unbounded. Copied.
  std::string lower_bound;
  std::string upper_bound;
  // value() is not loaded.
  bool keys_only = false;
};

// Walks keys in order, forward and backward, as of one moment. Starts invalid: seek first. Not
// thread-safe. Must not outlive its Db.
class Iterator {
 public:
  explicit Iterator(std::unique_ptr<IteratorImpl> impl);
  ~Iterator();

  // Whether the iterator stands on an entry. If not: it is past an end, or status() is an error.
  bool Valid() const { return entries_->state() == sstable::EntryIterator::State::kEntry; }
  Status status() const { return entries_->status(); }
  // Only if Valid. Views hold until the next movement.
  std::string_view key() const { return entries_->entry().key; }
  std::string_view value() const { return entries_->entry().value; }
  // Of the batch that wrote the entry.
  SequenceNumber sequence() const { return entries_->entry().sequence; }

  void SeekToFirst();
  void SeekToLast();
  void Seek(std::string_view key);         // first key >= `key`
  void SeekForPrev(std::string_view key);  // last key <= `key`
  void Next() {                            // only if Valid
    entries_->Next();
    if (entries_->state() == sstable::EntryIterator::State::kWaiting) Settle();
  }
  void Prev() {  // only if Valid
    entries_->Prev();
    if (entries_->state() == sstable::EntryIterator::State::kWaiting) Settle();
  }

  // The same for coroutines. Ready at once, without suspending, when all that is needed is in
  // memory. Where a call for every entry counts: move with StartNext or StartPrev, and await
  // SettleAsync only if they return false.
  io::Task<void> SeekToFirstAsync();
  io::Task<void> SeekToLastAsync();
  io::Task<void> SeekAsync(std::string_view key);
  io::Task<void> SeekForPrevAsync(std::string_view key);
  io::Task<void> NextAsync();
  io::Task<void> PrevAsync();

  // Like Next and Prev, but false if the movement waits for blocks. Then SettleAsync completes it,
  // before anything else is called.
  bool StartNext() {
    entries_->Next();
    return entries_->state() != sstable::EntryIterator::State::kWaiting;
  }
  bool StartPrev() {
    entries_->Prev();
    return entries_->state() != sstable::EntryIterator::State::kWaiting;
  }
  io::Task<void> SettleAsync();

 private:
  void Settle();

  std::unique_ptr<IteratorImpl> impl_;
  sstable::EntryIterator* const entries_;  // the same
};

// What Partitions() tells of each partition.
struct PartitionInfo {
  uint64_t id = 0;
  std::string begin;  // first key; empty is the beginning of the key space
  std::string end;    // past the last key; empty is the end of the key space
  uint64_t memtable_bytes = 0;
  uint64_t table_bytes = 0;  // the estimated share of its tables that lies in its range
  std::vector<uint64_t> tables_per_level;
};

class Db {
 public:
  // Opens the database in `directory`, making both if options allow. FailedPrecondition if another
  // process, or this one, has it open. `io` must outlive the Db.
  static StatusOr<std::unique_ptr<Db>> Open(io::Io& io, const std::string& directory,
                                            const Options& options);
  static io::Task<StatusOr<std::unique_ptr<Db>>> OpenAsync(io::Io& io, std::string directory,
                                                           Options options);
  // Closes without flushing: what is in memtables is in the log.
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // Stops background work, makes the log durable and closes. Everything else returns
  // FailedPrecondition afterwards. Iterators, snapshots and pinned values must be gone.
  Status Close();
  io::Task<Status> CloseAsync();

  // ---- Writes. They return when visible to every later read. Write returns the batch's sequence
  // number. An empty batch gets none (0) and writes nothing; with WriteOptions::sync all that
  // was visible before would survive a power cut when it returns, though its own write failed.
  Status Put(std::string_view key, std::string_view value, const WriteOptions& options = {});
  Status Delete(std::string_view key, const WriteOptions& options = {});
  StatusOr<SequenceNumber> Write(const WriteBatch& batch, const WriteOptions& options = {});
  io::Task<StatusOr<SequenceNumber>> WriteAsync(const WriteBatch& batch, WriteOptions options = {});

  // ---- Reads. True if the key is there; then `value` holds it.
  StatusOr<bool> Get(std::string_view key, PinnedValue* value, const ReadOptions& options = {});
  io::Task<StatusOr<bool>> GetAsync(std::string_view key, PinnedValue* value,
                                    ReadOptions options = {});
  // Like GetAsync, for what is in memory: nullopt if a block would have to be read.
  std::optional<StatusOr<bool>> TryGet(std::string_view key, PinnedValue* value,
                                       const ReadOptions& options = {});
  // TryGet of many keys, in less time: what the memory is asked for is on its way for many of them
  // at once. Each as of a moment of this call.
  struct Lookup {
    std::string_view key;
    PinnedValue* value;
    std::optional<StatusOr<bool>> found;  // what TryGet would have returned
  };
  void TryGet(std::span<Lookup> lookups);
  // All keys as of one moment. `values` gets one element a key, nullopt where the key is absent.
  Status MultiGet(std::span<const std::string_view> keys,
                  std::vector<std::optional<PinnedValue>>* values, const ReadOptions& options = {});
  io::Task<Status> MultiGetAsync(std::span<const std::string_view> keys,
                                 std::vector<std::optional<PinnedValue>>* values,
                                 ReadOptions options = {});
  // Sees the database as of options.snapshot, or of this call.
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options = {});
  std::unique_ptr<Snapshot> GetSnapshot();
  // The newest visible sequence number.
  SequenceNumber LastSequence() const;
  // A number for who keeps an order of their own in step with that of the batches: above all that
  // have been drawn or given to a batch, in this life or one before, and below that of every batch
  // written from now on. (After a restart that holds for drawn numbers that a batch came after, and
  // for others up to `ceiling`.)
  struct DrawnSequence {
    SequenceNumber number = 0;
    SequenceNumber ceiling = 0;  // a restart counts on from here, or later; so do batches
    // False while it is open whether batches that failed will be there after a restart.
    bool settled = true;
  };
  DrawnSequence DrawSequence();

  // ---- Partitions
  // Cuts partitions at each of `keys` that is not a boundary yet, without rewriting data.
  Status Split(std::span<const std::string> keys);
  io::Task<Status> SplitAsync(std::vector<std::string> keys);
  // Drops every key in [begin, end); an empty `end` is the end of the key space. Takes no time in
  // the amount of data. Writes into the range wait meanwhile; those that began earlier are dropped.
  // Returns the sequence number of the drop: batches below it have left nothing in the range.
  StatusOr<SequenceNumber> DropRange(std::string_view begin, std::string_view end);
  io::Task<StatusOr<SequenceNumber>> DropRangeAsync(std::string begin, std::string end);
  std::vector<PartitionInfo> Partitions() const;
  // How many bytes of tables and memtables lie in [begin, end), roughly.
  uint64_t ApproximateBytes(std::string_view begin, std::string_view end) const;

  // ---- Maintenance
  // Writes all memtables to tables.
  Status Flush();
  io::Task<Status> FlushAsync();
  // Flushes, then merges everything in [begin, end) down to the last level.
  Status Compact(std::string_view begin, std::string_view end);
  io::Task<Status> CompactAsync(std::string begin, std::string end);
  // Waits until no flush or compaction is due.
  io::Task<Status> SettleAsync();
  Status Settle();
  // Makes `directory`, which must not exist, a database with everything committed so far. Tables
  // are hard-linked: it must be on the same file system.
  Status Checkpoint(const std::string& directory);
  io::Task<Status> CheckpointAsync(std::string directory);
  DbStats Stats() const;

 private:
  explicit Db(std::unique_ptr<DbImpl> impl);
  std::unique_ptr<DbImpl> impl_;
};

}  // namespace varve::engine
