// Flush: frozen memtables, of one partition or of thousands, become tables of level 0.
#include <algorithm>
#include <unordered_set>

#include "compaction/clip_iterator.h"
#include "compaction/level_iterator.h"
#include "compaction/memtable_iterator.h"
#include "compaction/merging_iterator.h"
#include "engine/db_impl.h"
#include "engine/job_host.h"

namespace varve::engine {

using compaction::KeyInterval;

// What one flush writes: all memtables that were frozen when it began.
struct DbImpl::FlushWork {
  struct Part {
    std::shared_ptr<Partition> partition;
    std::vector<std::shared_ptr<PartitionMemtable>> memtables;  // newest first
    std::shared_ptr<const Levels> levels;
    uint64_t bytes = 0;
  };
  std::vector<Part> parts;  // in key order
  std::unordered_set<const PartitionMemtable*> memtables;
  wal::Lsn lsn = 0;  // the log must be durable up to here before the tables are installed
  uint64_t bytes = 0;
};

DbImpl::FlushWork DbImpl::CollectFrozen(bool freeze_all) {
  FlushWork work;
  anything_frozen_.store(false);
  absl::MutexLock lock(&apply_mutex_);
  if (freeze_all) {
    for (const auto& partition : directory_owner_->partitions()) Freeze(*partition);
  }
  for (const auto& partition : directory_owner_->partitions()) {
    const ReadView& view = *partition->owned_view();
    if (view.frozen.empty()) continue;
    FlushWork::Part& part = work.parts.emplace_back();
    part.partition = partition;
    part.memtables = view.frozen;
    part.levels = view.levels;
    for (const auto& memtable : part.memtables) {
      part.bytes += memtable->table.data_bytes();
      work.lsn = std::max(work.lsn, memtable->frozen_lsn);
      if (work.memtables.insert(memtable.get()).second) {
        work.bytes += memtable->table.data_bytes();
      }
    }
  }
  return work;
}

void DbImpl::FreezeForBudget() {
  flush_signalled_.store(false);
  const auto budget = static_cast<int64_t>(options_.memtable_budget_bytes);
  if (memtable_bytes_.load(std::memory_order_relaxed) <= budget / 2) return;
  absl::MutexLock lock(&apply_mutex_);
  std::vector<std::pair<size_t, Partition*>> active;
  int64_t active_bytes = 0;
  for (const auto& partition : directory_owner_->partitions()) {
    const auto& memtable = partition->owned_view()->active;
    if (memtable == nullptr) continue;
    active.emplace_back(memtable->table.bytes(), partition.get());
    active_bytes += static_cast<int64_t>(memtable->table.bytes());
  }
  if (active_bytes <= budget / 2) return;
  std::stable_sort(active.begin(), active.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [bytes, partition] : active) {
    if (active_bytes <= budget / 4) break;
    Freeze(*partition);
    active_bytes -= static_cast<int64_t>(bytes);
  }
}

void DbImpl::FreezeForLog() {
  if (MeasureLog() <= options_.log_bytes_max) return;
  // Far enough to make room for a while.
  const wal::Lsn keep_from = log_->appended_lsn() - options_.log_bytes_max / 2;
  absl::MutexLock lock(&apply_mutex_);
  for (const auto& partition : directory_owner_->partitions()) {
    const auto& memtable = partition->owned_view()->active;
    if (memtable != nullptr && memtable->first_lsn < keep_from) Freeze(*partition);
  }
}

std::unique_ptr<sstable::EntryIterator> DbImpl::FlushInput(const FlushWork& work) {
  std::vector<KeyInterval> ranges;
  for (const FlushWork::Part& part : work.parts) ranges.push_back(part.partition->keys());
  return std::make_unique<compaction::LevelIterator>(
      std::move(ranges), [&work](size_t i) -> std::unique_ptr<sstable::EntryIterator> {
        const FlushWork::Part& part = work.parts[i];
        compaction::MergingIterator::Children children;
        for (const auto& memtable : part.memtables) {
          std::unique_ptr<sstable::EntryIterator> child =
              std::make_unique<compaction::FrozenIterator>(memtable->table, memtable);
          if (memtable->shared) {
            child = std::make_unique<compaction::ClipIterator>(
                std::move(child), part.partition->begin, part.partition->end);
          }
          children.push_back(std::move(child));
        }
        if (children.size() == 1) return std::move(children.front());
        return std::make_unique<compaction::MergingIterator>(std::move(children));
      });
}

compaction::DeeperKeys DbImpl::TablesBelow(const FlushWork& work) {
  // The partitions' tables, level by level; partitions stand in key order, so levels stay ordered.
  std::vector<std::vector<KeyInterval>> below;
  for (const FlushWork::Part& part : work.parts) {
    const auto intervals = compaction::AllIntervals(MakePartitionView(*part.levels, {}));
    if (intervals.size() > below.size()) below.resize(intervals.size());
    for (size_t level = 0; level < intervals.size(); ++level) {
      below[level].insert(below[level].end(), intervals[level].begin(), intervals[level].end());
    }
  }
  return compaction::DeeperKeys(std::move(below));
}

io::Task<StatusOr<bool>> DbImpl::FlushOnce(std::optional<wal::LogSeal> seal) {
  auto flush_lock = co_await flush_mutex_.Lock();
  flushes_running_.fetch_add(1);
  const FlushWork work = CollectFrozen(false);
  const bool due = !work.parts.empty() || seal;
  Status flushed;
  if (due) flushed = co_await FlushCollected(work, seal);
  if (!flushed.ok()) FlushLater();
  flushes_running_.fetch_sub(1);
  if (!flushed.ok()) co_return flushed;
  co_return due;
}

void DbImpl::FlushLater() {
  anything_frozen_.store(true);
  Wake();
}

io::Task<Status> DbImpl::FlushToOneMoment() {
  // Merging is for the background's threads. The loop that is counted here keeps them running.
  io::Executor& caller = *io::Executor::Current();
  loops_.fetch_add(1);
  co_await io::SwitchTo(workers_.front()->executor());
  flushes_running_.fetch_add(1);
  const FlushWork work = CollectFrozen(true);
  Status flushed;
  if (!work.parts.empty()) flushed = co_await FlushCollected(work, std::nullopt);
  if (!flushed.ok()) FlushLater();
  flushes_running_.fetch_sub(1);
  co_await io::SwitchTo(caller);
  loops_.fetch_sub(1);
  progress_.Beat();
  co_return flushed;
}

io::Task<Status> DbImpl::FlushCollected(const FlushWork& work, std::optional<wal::LogSeal> seal) {
  JobHost host(
      io_, directory_path_, [this]() { return next_file_number_.fetch_add(1); },
      [this]() { return CheckGoingOn(); });
  compaction::JobResult result;
  Status status;
  if (!work.parts.empty()) VARVE_CO_RETURN_IF_ERROR(CheckSpaceFor(work.bytes));
  // The log's sync takes the device, the tables' making a core: side by side.
  Status log_status;
  io::TaskGroup syncing;
  const bool sync_log = !seal && log_ != nullptr && options_.skipped_rule != Rule::kLogBeforeTable;
  if (sync_log) syncing.Add(SyncLogTo(work.lsn, &log_status));
  if (!work.parts.empty()) {
    auto finished = co_await compaction::RunJob(host, FlushRequest(work));
    status = finished.status();
    if (finished.ok()) result = *std::move(finished);
  }
  co_await syncing.Wait();
  if (status.ok()) status = log_status;
  if (status.ok()) status = SyncNewFiles(host.paths());
  auto manifest_lock = co_await manifest_mutex_.Lock();
  if (status.ok()) status = co_await InstallFlush(work, std::move(result), seal);
  if (!status.ok()) Discard(host.paths());
  co_return status;
}

io::Task<void> DbImpl::SyncLogTo(wal::Lsn lsn, Status* status) {
  *status = co_await log_->WaitDurable(lsn);
}

compaction::JobRequest DbImpl::FlushRequest(const FlushWork& work) {
  compaction::JobRequest request;
  request.input = FlushInput(work);
  request.boundaries = Boundaries();
  request.deeper = TablesBelow(work);
  request.table_options = MakeTableOptions();
  request.table_bytes_target = options_.table_bytes_target;
  // A partition with much data gets tables of its own; the small ones share.
  for (size_t i = 0; i < work.parts.size(); ++i) {
    const bool large = work.parts[i].bytes > kOwnTableBytesMin;
    const bool after_large = i > 0 && work.parts[i - 1].bytes > kOwnTableBytesMin;
    if (large || after_large) request.cuts.push_back(work.parts[i].partition->begin);
    if (!large) continue;
    const compaction::PartitionView view = MakePartitionView(*work.parts[i].levels, {});
    compaction::FlushShape shape = policy_->ShapeFlush(view, work.parts[i].bytes);
    for (std::string& cut : shape.cuts) request.cuts.push_back(std::move(cut));
    if (shape.table_bytes_target > 0) {
      request.table_bytes_target = std::min(request.table_bytes_target, shape.table_bytes_target);
    }
  }
  request.value_separation_bytes = options_.value_separation_bytes;
  return request;
}

io::Task<Status> DbImpl::InstallFlush(const FlushWork& work, compaction::JobResult result,
                                      std::optional<wal::LogSeal> seal) {
  // Partitions may have been cut and dropped meanwhile. Who still has one of the memtables gets the
  // tables instead. Nobody freezes or publishes views but under the manifest lock or the apply
  // lock, and what is frozen from here on is not part of this.
  struct Receiver {
    std::shared_ptr<Partition> partition;
    SequenceNumber flushed_to = 0;
  };
  std::vector<Receiver> receivers;
  {
    absl::MutexLock lock(&apply_mutex_);
    for (const auto& partition : directory_owner_->partitions()) {
      SequenceNumber flushed_to = 0;
      for (const auto& memtable : partition->owned_view()->frozen) {
        if (work.memtables.contains(memtable.get())) {
          flushed_to = std::max(flushed_to, memtable->frozen_at);
        }
      }
      if (flushed_to > 0) receivers.push_back({partition, flushed_to});
    }
  }
  Edit edit;
  uint64_t bytes = 0;
  for (const sstable::ValueFileInfo& file : result.value_files) {
    edit.added_value_files.push_back({file.file_number, file.file_bytes});
    bytes += file.file_bytes;
  }
  for (const sstable::TableInfo& table : result.tables) bytes += table.file_bytes;
  for (const Receiver& receiver : receivers) {
    const Partition& partition = *receiver.partition;
    for (const sstable::TableInfo& table : result.tables) {
      AddTableReference(table, partition, 0, edit);
    }
    const SequenceNumber before =
        manifest_->state().partitions().at(partition.id).record.flushed_to;
    edit.flushed.push_back({partition.id, std::max(before, receiver.flushed_to)});
  }
  edit.added_tables = std::move(result.tables);
  if (seal) edit.seals.push_back(*seal);
  VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));

  std::vector<uint64_t> touched;
  {
    absl::MutexLock lock(&apply_mutex_);
    for (const Receiver& receiver : receivers) {
      Partition& partition = *receiver.partition;
      const std::shared_ptr<ReadView> view = partition.owned_view();
      std::vector<std::shared_ptr<PartitionMemtable>> frozen = view->frozen;
      std::erase_if(frozen,
                    [&](const auto& memtable) { return work.memtables.contains(memtable.get()); });
      PublishView(partition, view->active, std::move(frozen), BuildLevels(partition.id));
      touched.push_back(partition.id);
    }
    for (const FlushWork::Part& part : work.parts) {
      for (const auto& memtable : part.memtables) memtable->Discharge();
    }
    UpdateLevel0Max();
  }
  idle_.store(false);
  for (const Receiver& receiver : receivers) UpdateDebt(*receiver.partition);
  AddCandidates(touched);
  counters_.flushes.fetch_add(1, std::memory_order_relaxed);
  counters_.flush_bytes.fetch_add(bytes, std::memory_order_relaxed);
  progress_.Beat();
  Wake();
  co_return absl::OkStatus();
}

void DbImpl::AddTableReference(const sstable::TableInfo& table, const Partition& partition,
                               int level, Edit& edit) const {
  const KeyInterval keys = compaction::ClippedInterval(table.smallest_key, table.largest_key,
                                                       partition.begin, partition.end);
  if (keys.empty()) return;
  const bool whole =
      partition.keys().Contains(table.smallest_key) && partition.keys().Contains(table.largest_key);
  TableReference reference{.table = table.file_number,
                           .clip_begin = partition.begin,
                           .clip_end = partition.end,
                           .live_bytes = table.file_bytes};
  if (!whole) {
    reference.live_bytes =
        std::min(table.file_bytes, table.EstimateBytes(partition.begin, partition.end));
  }
  edit.added_references.push_back({partition.id, level, std::move(reference)});
}

Status DbImpl::SyncNewFiles(const std::vector<std::string>& paths) {
  if (paths.empty()) return absl::OkStatus();
  return io_.SyncDirectory(directory_path_);
}

io::Task<Status> DbImpl::Flush() {
  VARVE_CO_RETURN_IF_ERROR(CheckReadable());
  SequenceNumber target;
  {
    absl::MutexLock lock(&apply_mutex_);
    target = last_applied_;
    for (const auto& partition : directory_owner_->partitions()) Freeze(*partition);
  }
  for (;;) {
    const uint64_t seen = progress_.count();
    if (!AnythingFrozenUpTo(target)) co_return absl::OkStatus();
    VARVE_CO_RETURN_IF_ERROR(BackgroundError());
    VARVE_CO_RETURN_IF_ERROR(CheckGoingOn());
    Wake();
    co_await progress_.After(seen);
  }
}

bool DbImpl::AnythingFrozenUpTo(SequenceNumber sequence) const {
  absl::MutexLock lock(&apply_mutex_);
  for (const auto& partition : directory_owner_->partitions()) {
    for (const auto& memtable : partition->owned_view()->frozen) {
      if (memtable->frozen_at <= sequence) return true;
    }
  }
  return false;
}

}  // namespace varve::engine
