// DbImpl: how a Db works inside. The parts are in files of their own:
//
//   open.cc         opening, recovery, closing
//   commit.cc       the write path
//   read.cc         point reads; iterator.cc has the scans
//   partitions.cc   views, freezing, split and drop
//   background.cc   the loops that flush, compact and look after the log, and what wakes them
//   flush.cc, compact.cc, checkpoint.cc
//
// Locks, in the order in which they may be taken together; none is held across a suspension but the
// first:
//
//   manifest_mutex_   (io::Mutex) one edit at a time: commit it, then change the views to match
//   apply_mutex_      who writes into memtables, and who publishes views and the directory
//   commit_mutex_     the order of commits: sequence number and log position in one step
//   snapshot_mutex_   the list of snapshots
//
// A commit passes through three states: appended (it has its sequence number and log position, and
// stands in queue_), applied (its entries are in the memtables), visible (visible_ has reached it).
// It is applied when its record is as durable as it asked for, in log order, so that what readers
// see is a prefix of the log without gaps, and nothing that was not durable enough is ever in a
// memtable.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compaction/job.h"
#include "compaction/policy.h"
#include "engine/db.h"
#include "engine/hybrid_clock.h"
#include "engine/manifest.h"
#include "engine/options.h"
#include "engine/partition.h"
#include "engine/point_read.h"
#include "engine/table_set.h"
#include "io/io.h"
#include "wal/log.h"
#include "wal/reader.h"

namespace varve::engine {

// What a reader that must wait holds on to.
using ViewReference = std::shared_ptr<const ReadView>;

class DbImpl {
 public:
  DbImpl(io::Io& io, std::string directory, Options options);
  ~DbImpl();

  // open.cc
  io::Task<Status> Open();
  io::Task<Status> Close();
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  // commit.cc
  // On a foreign thread: without a task where nothing has to be waited for.
  StatusOr<SequenceNumber> WriteNow(const WriteBatch& batch, const WriteOptions& options);
  io::Task<StatusOr<SequenceNumber>> Write(const WriteBatch& batch, WriteOptions options);
  Db::DrawnSequence DrawSequence();
  SequenceNumber visible() const { return visible_.load(std::memory_order_acquire); }

  // read.cc
  std::optional<StatusOr<bool>> TryGet(std::string_view key, PinnedValue* value,
                                       const ReadOptions& options);
  void TryGet(std::span<Db::Lookup> lookups);
  io::Task<StatusOr<bool>> Get(std::string_view key, PinnedValue* value, ReadOptions options);
  // What a foreign thread does instead: one miss is one blocking read.
  StatusOr<bool> GetNow(std::string_view key, PinnedValue* value, const ReadOptions& options);
  io::Task<Status> MultiGet(std::span<const std::string_view> keys,
                            std::vector<std::optional<PinnedValue>>* values, ReadOptions options);
  // On a foreign thread: without an executor where all is in memory.
  Status MultiGetNow(std::span<const std::string_view> keys,
                     std::vector<std::optional<PinnedValue>>* values, const ReadOptions& options);
  std::unique_ptr<Snapshot> NewSnapshot();
  // A snapshot without an object.
  SequenceNumber AddSnapshot();
  void RemoveSnapshot(SequenceNumber sequence);

  // partitions.cc
  // The partition that holds `key` and what is to be seen of it.
  std::pair<std::shared_ptr<Partition>, ViewReference> ViewOf(std::string_view key) const;
  // The partition that ends at or behind `key`, but begins before it; for walking backward.
  std::pair<std::shared_ptr<Partition>, ViewReference> ViewBefore(std::string_view key) const;
  io::Task<Status> Split(std::vector<std::string> keys);
  io::Task<StatusOr<SequenceNumber>> DropRange(std::string begin, std::string end);
  std::vector<PartitionInfo> Partitions() const;
  uint64_t ApproximateBytes(std::string_view begin, std::string_view end) const;

  // background.cc, flush.cc, compact.cc, checkpoint.cc
  io::Task<Status> Flush();
  io::Task<Status> Compact(std::string begin, std::string end);
  io::Task<Status> Settle();
  io::Task<Status> Checkpoint(std::string directory);
  // The second half of it; false, and nothing done, if there were more than `drops` drops.
  io::Task<StatusOr<bool>> LinkCheckpoint(std::string directory, uint64_t drops);
  DbStats Stats() const;

  io::Io& io() { return io_; }
  const Options& options() const { return options_; }

 private:
  // ---- Writing

  // A batch between Append and its end. Lives in the writer's frame.
  struct Commit {
    SequenceNumber sequence = 0;
    wal::Lsn lsn = 0;
    wal::Lsn end = 0;
    std::string_view payload;
    bool wants_sync = false;  // relaxed medium: not before it is durable
    bool queued = false;      // guarded by commit_mutex_
    io::Event applied;
  };
  enum class Admission : uint8_t {
    kAppended,
    kWaitForLog,
    kWaitForCeiling,
    kWaitForDrop,
    kRefused
  };

  // How far the durable ceiling of sequence numbers is kept ahead of them.
  static constexpr SequenceNumber kCeilingAhead = SequenceAt(10'000);

  Status CheckOpen() const;
  Status CheckWritable() const;
  Status CheckReadable() const;
  bool TouchesDroppingRange(std::string_view payload) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  void CountWrite(const WriteBatch& batch);
  // What an empty batch waits for.
  io::Task<StatusOr<SequenceNumber>> SyncBefore(WriteOptions options);
  static io::Task<void> WaitFor(io::Event& event);
  Admission Append(Commit& commit, Status* refusal) ABSL_LOCKS_EXCLUDED(commit_mutex_);
  // Applies what is due at the head of the queue.
  void ApplyDue() ABSL_LOCKS_EXCLUDED(apply_mutex_, commit_mutex_);
  bool IsDue(const Commit& commit) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mutex_);
  // Puts entries into memtables; replay uses it, too.
  Status ApplyPayload(std::string_view payload, SequenceNumber sequence, wal::Lsn lsn, wal::Lsn end,
                      bool replay = false) ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  // Takes a commit that can't be applied out of the queue; false if it has been applied.
  bool Withdraw(Commit& commit);

  // Back-pressure: 0 is none, 1 is a full stop; how near memtables, level 0 and the log are to
  // their bounds.
  double Pressure() const;
  io::Task<Status> Throttle(size_t bytes);

  // ---- Reading (read.cc)
  static constexpr uint64_t kLoadsPerTrim = 64;
  SequenceNumber ReadSequence(const ReadOptions& options) const;
  static PointRead::State Step(PointRead& read);
  // A lookup of a MultiGet that memory did not answer.
  struct WaitingRead;
  // What `keys` are to be looked up in, and up to which sequence number, so that all are seen as of
  // one moment. Under an epoch guard.
  SequenceNumber ViewsOfOneMoment(std::span<const std::string_view> keys,
                                  const ReadOptions& options,
                                  std::vector<const ReadView*>* views) const;
  // As far as memory goes; the rest is `waiting`, for FinishMultiGet.
  Status TryMultiGet(std::span<const std::string_view> keys,
                     std::vector<std::optional<PinnedValue>>* values, const ReadOptions& options,
                     std::vector<std::unique_ptr<WaitingRead>>* waiting);
  io::Task<Status> FinishMultiGet(const std::vector<std::unique_ptr<WaitingRead>>& reads,
                                  std::vector<std::optional<PinnedValue>>* values);
  // Now and then the tables that are open are counted.
  void NoticeLoads();

  // ---- Partitions (partitions.cc)
  std::shared_ptr<const Levels> BuildLevels(uint64_t partition) const;
  void PublishView(Partition& partition, std::shared_ptr<PartitionMemtable> active,
                   std::vector<std::shared_ptr<PartitionMemtable>> frozen,
                   std::shared_ptr<const Levels> levels)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  void PublishDirectory(std::vector<std::shared_ptr<Partition>> partitions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  PartitionMemtable& ActiveMemtable(Partition& partition, wal::Lsn lsn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  void Freeze(Partition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  void FreezeAll() ABSL_LOCKS_EXCLUDED(apply_mutex_);
  // Frees what readers can't see any more, not before they are gone.
  void RetireLater(std::shared_ptr<const void> what);
  std::shared_ptr<const Directory> CurrentDirectory() const;
  bool IsVacant(const Partition& partition) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);

  // The rest of this part under manifest_mutex_.
  // Adds a piece [begin, end) of `source`, with its share of the tables, to `edit`.
  void AddPiece(const PartitionState& source, std::string begin, std::string end, Edit& edit);
  // Adds what makes `cuts` boundaries.
  void AddCuts(const std::set<std::string>& cuts, Edit& edit);
  // Makes the directory what the manifest says, after an edit that added or removed partitions.
  void FollowManifest() ABSL_LOCKS_EXCLUDED(apply_mutex_);
  // Keeps writes out of the range, which may grow by neighbours without data, and returns the
  // sequence number of the drop.
  SequenceNumber BlockRange(std::string& begin, std::string& end);
  io::Task<Status> DropBlockedRange(std::string begin, std::string end, SequenceNumber sequence);
  void AddTableReference(const sstable::TableInfo& table, const Partition& partition, int level,
                         Edit& edit) const;
  io::Task<Status> CommitEdit(Edit edit);
  // Breaks Rule::kForgetBeforeDelete.
  void DeletePrematurely(const Edit& edit);
  // Deletes the files of a job that came to nothing, or keeps them until the manifest is certain.
  void Discard(std::vector<std::string> paths);
  void UpdateValueUsage();
  void UpdateLevel0Max() ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);

  // ---- Opening and closing (open.cc)
  sstable::TableOptions MakeTableOptions() const;
  wal::LogOptions MakeLogOptions();
  io::Task<Status> CreateNew();
  io::Task<Status> Recover();
  Status RemoveLeftovers();
  void BuildDirectory();
  SequenceNumber FlushedTo(const Partition& partition) const;
  SequenceNumber ManifestFloor() const;
  Status ReplayFetched(wal::LogReader& reader, SequenceNumber* floor);
  io::Task<Status> FlushReplayed();
  // After a clean stop the next life finds the log's end and the last sequence number.
  io::Task<Status> RecordEnd(wal::LogSeal end);
  void WaitForRetired();

  // ---- Background (background.cc)
  void StartBackground();
  // Runs a loop and counts it until it ends.
  io::Task<void> CountLoop(io::Task<void> loop);
  void Wake() { work_.Beat(); }
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  Status CheckGoingOn() const;
  io::Task<void> FlushLoop();
  io::Task<void> CompactionLoop(int worker);
  io::Task<void> IdleLoop();
  bool NothingToCompact() const;
  io::Task<void> MaintenanceLoop();
  io::Task<Status> Maintain();
  // After a failure of `what`: tells who waits, and gives it a moment.
  io::Task<void> RetryPause(std::string_view what, const Status& status);
  void ClearError(std::string_view what);
  // Why something in the background is failing.
  Status BackgroundError() const;
  void DeleteObsolete();
  void CheckDisk();
  Status CheckSpaceFor(uint64_t bytes) const;
  io::Task<Status> RaiseCeiling();
  io::Task<Status> SettleManifest();
  io::Task<Status> ForgetLog();
  io::Task<Status> RestartLog();
  // The oldest log position that some memtable, or a commit on its way, needs.
  wal::Lsn OldestNeededLsn() const;
  // Looks how much of the log memtables need, for Pressure.
  uint64_t MeasureLog();
  // Snapshots, and what is visible now: where readers read.
  std::vector<SequenceNumber> Boundaries() const;

  // ---- Flush (flush.cc)
  struct FlushWork;
  // A partition with more data than this in a flush gets tables of its own.
  static constexpr uint64_t kOwnTableBytesMin = uint64_t{1} << 20;
  // All that is frozen, or with `freeze_all` all there is, as of one moment.
  FlushWork CollectFrozen(bool freeze_all);
  // After a flush that failed: the loop tries again.
  void FlushLater();
  void FreezeForBudget();
  void FreezeForLog();
  // Flushes what is frozen; false if nothing was. With `seal`, the log may have lost records behind
  // its end: all memtables, which the caller has frozen, and the seal become durable in one edit.
  io::Task<StatusOr<bool>> FlushOnce(std::optional<wal::LogSeal> seal);
  // Flushes all memtables as they are at one moment. The caller holds flush_mutex_; until it gives
  // it back, writes move no partition's tables on from that moment.
  io::Task<Status> FlushToOneMoment();
  io::Task<Status> FlushCollected(const FlushWork& work, std::optional<wal::LogSeal> seal);
  io::Task<void> SyncLogTo(wal::Lsn lsn, Status* status);
  std::unique_ptr<sstable::EntryIterator> FlushInput(const FlushWork& work);
  compaction::DeeperKeys TablesBelow(const FlushWork& work);
  compaction::JobRequest FlushRequest(const FlushWork& work);
  io::Task<Status> InstallFlush(const FlushWork& work, compaction::JobResult result,
                                std::optional<wal::LogSeal> seal);
  Status SyncNewFiles(const std::vector<std::string>& paths);
  bool AnythingFrozenUpTo(SequenceNumber sequence) const;

  // ---- Compaction (compact.cc)
  struct CompactionWork;
  struct RangeRequest;
  compaction::PartitionView MakePartitionView(const Levels& levels,
                                              const std::set<uint64_t>& busy) const;
  void AddValueFileViews(const Levels& levels, compaction::PartitionView& view) const;
  // Partitions whose shape has changed, for the policy to look at.
  void AddCandidates(const std::vector<uint64_t>& partitions);
  void AddAllCandidates();
  // Compaction has less to spare for shape while much is written: between a flush and a while
  // without many writes, unless somebody waits for Settle.
  bool Idle() const { return idle_.load() || settling_.load() > 0; }
  // Asks the policy what compactions have to write in this partition.
  void UpdateDebt(Partition& partition) const;
  uint64_t CompactionDebtBytes() const;
  // Remembers that a look at the partition found tombstones that a snapshot needs.
  void NoteHeldBySnapshots(uint64_t partition, const compaction::PartitionView& view);
  void CompactWhatSnapshotsHeld();
  // Other partitions that refer to the same tables see that these have become garbage, partly.
  void TellOtherReferences(const CompactionWork& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(apply_mutex_);
  std::optional<CompactionWork> WorkFor(std::shared_ptr<Partition> partition) const;
  std::optional<CompactionWork> PickWork();
  std::optional<CompactionWork> PickCompaction();
  std::optional<CompactionWork> PickRange();
  std::vector<const LevelTable*> Inputs(const CompactionWork& work,
                                        const compaction::Plan::Input& input) const;
  io::Task<Status> RunCompaction(CompactionWork& work);
  io::Task<Status> InstallCompaction(const CompactionWork& work,
                                     const compaction::JobResult* result);
  // Where the output of a compaction may lie.
  struct KeySpan {
    uint64_t partition = 0;
    int level = 0;
    compaction::KeyInterval keys;

    bool operator==(const KeySpan&) const = default;
  };
  KeySpan SpanOf(const CompactionWork& work) const;
  bool CollidesWithRunning(const CompactionWork& work) const ABSL_LOCKS_EXCLUDED(background_mutex_);
  void SetBusy(const CompactionWork& work, bool busy)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(background_mutex_);
  // Where to cut a partition that has grown too big; empty if it need not or must not be cut.
  std::string MiddleKey(const Partition& partition, const Levels& levels) const;
  io::Task<bool> SplitOnce();

  io::Io& io_;
  const std::string directory_path_;
  Options options_;
  std::atomic<bool> open_{false};
  std::unique_ptr<io::File> lock_file_;

  memtable::ChunkPool chunk_pool_;  // of memtables that were flushed: half the budget at most
  sstable::BlockCache cache_;
  TableSet tables_;
  std::shared_ptr<const compaction::Policy> policy_;

  io::Mutex manifest_mutex_;
  std::unique_ptr<Manifest> manifest_;        // used by the holder of manifest_mutex_
  std::vector<std::string> uncertain_files_;  // to delete when the manifest is certain; likewise
  uint64_t database_id_ = 0;                  // of a new database, until the manifest has it
  std::atomic<uint64_t> next_file_number_{1};
  std::atomic<uint64_t> next_partition_id_{1};

  std::unique_ptr<wal::Log> log_;
  bool log_failure_told_ = false;  // the maintenance loop's

  mutable absl::Mutex apply_mutex_;
  std::shared_ptr<const Directory> directory_owner_ ABSL_GUARDED_BY(apply_mutex_);
  std::atomic<const Directory*> directory_{nullptr};
  SequenceNumber last_applied_ ABSL_GUARDED_BY(apply_mutex_) = 0;
  wal::Lsn last_applied_end_ ABSL_GUARDED_BY(apply_mutex_) = 0;
  std::atomic<SequenceNumber> visible_{0};
  std::atomic<int64_t> memtable_bytes_{0};
  std::atomic<uint64_t> level0_max_{0};
  std::atomic<uint64_t> log_unflushed_bytes_{0};  // as of the last look
  std::atomic<bool> anything_frozen_{false};
  std::atomic<bool> flush_signalled_{false};

  mutable absl::Mutex commit_mutex_ ABSL_ACQUIRED_AFTER(apply_mutex_);
  std::optional<HybridClock> clock_ ABSL_GUARDED_BY(commit_mutex_);
  SequenceNumber ceiling_ ABSL_GUARDED_BY(commit_mutex_) = 0;
  Status ceiling_status_ ABSL_GUARDED_BY(commit_mutex_);  // of the last attempt to raise it
  std::deque<Commit*> queue_ ABSL_GUARDED_BY(commit_mutex_);
  std::vector<std::pair<std::string, std::string>> dropping_ ABSL_GUARDED_BY(commit_mutex_);
  std::atomic<bool> ceiling_wanted_{false};

  mutable absl::Mutex snapshot_mutex_;
  std::vector<SequenceNumber> snapshots_ ABSL_GUARDED_BY(snapshot_mutex_);  // ascending

  // ---- Background
  std::vector<std::unique_ptr<io::Worker>> workers_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> closed_{false};
  std::atomic<int> loops_{0};
  std::atomic<uint64_t> drops_{0};  // changes under manifest_mutex_
  io::Pulse work_;                  // something may be due
  io::Pulse progress_;              // something was done, or failed
  io::Mutex flush_mutex_;
  std::atomic<int> flushes_running_{0};
  std::atomic<bool> disk_full_{false};
  std::atomic<int64_t> throttle_debt_ns_{0};
  std::atomic<int64_t> retired_{0};
  std::atomic<uint64_t> loads_{0};
  std::atomic<bool> split_check_{true};

  absl::Mutex pick_mutex_;    // before all the others
  absl::Mutex delete_mutex_;  // of files; after all the others
  mutable absl::Mutex background_mutex_ ABSL_ACQUIRED_AFTER(commit_mutex_);
  std::map<std::string, Status> background_errors_ ABSL_GUARDED_BY(background_mutex_);
  // (partition, table) of compactions under way.
  std::set<std::pair<uint64_t, uint64_t>> busy_ ABSL_GUARDED_BY(background_mutex_);
  std::vector<KeySpan> running_ ABSL_GUARDED_BY(background_mutex_);  // one each
  int compactions_running_ ABSL_GUARDED_BY(background_mutex_) = 0;
  // Partitions for the policy to look at, and how often that was asked for since the last look.
  std::map<uint64_t, uint64_t> candidates_ ABSL_GUARDED_BY(background_mutex_);
  std::set<uint64_t> held_partitions_ ABSL_GUARDED_BY(background_mutex_);
  std::atomic<bool> held_by_snapshots_{false};  // whether there are any
  std::atomic<bool> idle_{true};
  std::atomic<int> settling_{0};
  mutable std::atomic<double> debt_bytes_{0};
  mutable std::atomic<double> space_pressure_{0};
  std::vector<std::shared_ptr<RangeRequest>> ranges_ ABSL_GUARDED_BY(background_mutex_);

  struct ValueUsage {
    uint64_t bytes = 0;
    uint64_t referenced_bytes = 0;
  };
  mutable absl::Mutex value_usage_mutex_;
  std::map<uint64_t, ValueUsage> value_usage_ ABSL_GUARDED_BY(value_usage_mutex_);

  // ---- Counters
  struct Counters {
    std::atomic<uint64_t> user_bytes{0}, batches{0}, flushes{0}, flush_bytes{0}, compactions{0},
        compaction_bytes_read{0}, compaction_bytes_written{0}, slowed_writes{0}, slowed_write_ns{0},
        reads_waited{0};
  };
  Counters counters_;

  friend class IteratorImpl;
};

}  // namespace varve::engine
