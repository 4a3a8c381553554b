// The loops that run behind the foreground, and what they look after.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/db_impl.h"
#include "engine/epoch.h"

namespace varve::engine {
namespace {

constexpr uint64_t kRetryNs = 50'000'000;

}  // namespace

void DbImpl::StartBackground() {
  int count = options_.background_workers;
  if (count <= 0) count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
  for (int i = 0; i < count; ++i) {
    workers_.push_back(
        io_.StartWorker({.name = fmt::format("varve-bg-{}", i), .background = true}));
  }
  loops_.store(count + 3);
  for (int i = 0; i < count; ++i) {
    workers_[static_cast<size_t>(i)]->executor().Spawn(CountLoop(CompactionLoop(i)));
  }
  workers_.front()->executor().Spawn(CountLoop(FlushLoop()));
  // The next log segment must not wait until a merge yields: writers would wait with it.
  workers_.push_back(io_.StartWorker({.name = "varve-upkeep"}));
  workers_.back()->executor().Spawn(CountLoop(MaintenanceLoop()));
  workers_.front()->executor().Spawn(CountLoop(IdleLoop()));
}

io::Task<void> DbImpl::CountLoop(io::Task<void> loop) {
  co_await loop;
  loops_.fetch_sub(1);
  progress_.Beat();
}

// ---- Errors

io::Task<void> DbImpl::RetryPause(std::string_view what, const Status& status) {
  const std::string text = fmt::format("{}: {}", what, Message(status));
  // Maintenance looks from then on whether there is room again.
  if (status.code() == absl::StatusCode::kResourceExhausted && !disk_full_.exchange(true)) Wake();
  bool news = false;
  {
    absl::MutexLock lock(&background_mutex_);
    auto& known = background_errors_[std::string(what)];
    news = known != status;
    known = status;
  }
  if (news && !stopping()) spdlog::error("{}: {}; trying again", directory_path_, text);
  progress_.Beat();
  if (!stopping()) co_await io::SleepFor(kRetryNs);
}

void DbImpl::ClearError(std::string_view what) {
  absl::MutexLock lock(&background_mutex_);
  if (background_errors_.erase(std::string(what)) > 0) {
    spdlog::info("{}: {} works again", directory_path_, what);
  }
}

Status DbImpl::BackgroundError() const {
  absl::MutexLock lock(&background_mutex_);
  return background_errors_.empty() ? absl::OkStatus() : background_errors_.begin()->second;
}

Status DbImpl::CheckGoingOn() const {
  if (stopping()) return Unavailable("{}: is closing", directory_path_);
  return absl::OkStatus();
}

// ---- Flush

io::Task<void> DbImpl::FlushLoop() {
  while (!stopping()) {
    const uint64_t seen = work_.count();
    FreezeForBudget();
    FreezeForLog();
    if (!anything_frozen_.load()) {
      // What failed may have been done by another: the log's restart flushes, too.
      ClearError("flush");
      co_await work_.After(seen);
      continue;
    }
    const auto flushed = co_await FlushOnce(std::nullopt);
    if (flushed.ok()) {
      ClearError("flush");
    } else {
      co_await RetryPause("flush", flushed.status());
    }
    progress_.Beat();
  }
}

// ---- Everything else

io::Task<void> DbImpl::MaintenanceLoop() {
  while (!stopping()) {
    const uint64_t seen = work_.count();
    const Status maintained = co_await Maintain();
    if (!maintained.ok()) {
      co_await RetryPause("maintenance", maintained);
      continue;
    }
    ClearError("maintenance");
    if (disk_full_.load()) {
      // Nobody tells us when there is room again.
      co_await io::SleepFor(kRetryNs);
      continue;
    }
    co_await work_.After(seen);
  }
}

io::Task<Status> DbImpl::Maintain() {
  // First the views that nobody reads, with which files become obsolete.
  Reclaim();
  DeleteObsolete();
  CheckDisk();
  // Before the log's restart, which may fail for long: who waits for the ceiling must hear of it.
  if (ceiling_wanted_.load()) VARVE_CO_RETURN_IF_ERROR(co_await RaiseCeiling());
  if (!log_->failure().ok()) VARVE_CO_RETURN_IF_ERROR(co_await RestartLog());
  if (log_->NeedsSegment()) VARVE_CO_RETURN_IF_ERROR(co_await log_->PrepareSegment());
  VARVE_CO_RETURN_IF_ERROR(co_await ForgetLog());
  VARVE_CO_RETURN_IF_ERROR(co_await SettleManifest());
  if (loads_.load(std::memory_order_relaxed) >= kLoadsPerTrim) {
    loads_.store(0, std::memory_order_relaxed);
    tables_.Trim(options_.open_tables_max);
  }
  Reclaim();
  co_return absl::OkStatus();
}

void DbImpl::DeleteObsolete() {
  // Whoever returns has seen to it, even if another had begun.
  absl::MutexLock lock(&delete_mutex_);
  for (const std::string& path : tables_.TakeObsolete()) {
    const Status removed = io_.Remove(path);
    if (!removed.ok() && removed.code() != absl::StatusCode::kNotFound && !stopping()) {
      spdlog::warn("file stays until the next start: {}", Message(removed));
    }
  }
}

void DbImpl::CheckDisk() {
  const auto free_bytes = io_.FreeBytes(directory_path_);
  if (!free_bytes.ok()) return;  // what needs the disk will say so
  const bool full = *free_bytes < options_.reserved_disk_bytes;
  if (disk_full_.exchange(full) == full) return;
  if (full) {
    spdlog::error("{}: disk full: {} bytes left; writes are refused", directory_path_, *free_bytes);
  } else {
    spdlog::info("{}: there is room on the disk again", directory_path_);
  }
  progress_.Beat();
}

Status DbImpl::CheckSpaceFor(uint64_t bytes) const {
  VARVE_ASSIGN_OR_RETURN(const uint64_t free_bytes, io_.FreeBytes(directory_path_));
  if (free_bytes >= bytes) return absl::OkStatus();
  return ResourceExhausted("{}: {} bytes needed, {} left on the disk", directory_path_, bytes,
                           free_bytes);
}

// ---- The sequence ceiling

io::Task<Status> DbImpl::RaiseCeiling() {
  auto manifest_lock = co_await manifest_mutex_.Lock();
  Edit edit;
  {
    absl::MutexLock lock(&commit_mutex_);
    edit.sequence_ceiling = clock_->last() + kCeilingAhead;
  }
  const SequenceNumber ceiling = *edit.sequence_ceiling;
  Status raised;
  if (options_.skipped_rule != Rule::kSequenceCeiling)
    raised = co_await CommitEdit(std::move(edit));
  {
    absl::MutexLock lock(&commit_mutex_);
    ceiling_status_ = raised;
    if (raised.ok()) {
      ceiling_ = ceiling;
      ceiling_wanted_.store(false);
    }
  }
  progress_.Beat();
  co_return raised;
}

io::Task<Status> DbImpl::SettleManifest() {
  auto manifest_lock = co_await manifest_mutex_.Lock();
  if (manifest_->uncertain()) co_return co_await CommitEdit({});
  co_return absl::OkStatus();
}

// ---- The log

wal::Lsn DbImpl::OldestNeededLsn() const {
  absl::MutexLock apply(&apply_mutex_);
  wal::Lsn oldest;
  {
    absl::MutexLock lock(&commit_mutex_);
    oldest = queue_.empty() ? log_->appended_lsn() : queue_.front()->lsn;
  }
  for (const auto& partition : directory_owner_->partitions()) {
    const ReadView& view = *partition->owned_view();
    if (view.active != nullptr) oldest = std::min(oldest, view.active->first_lsn);
    if (!view.frozen.empty()) oldest = std::min(oldest, view.frozen.back()->first_lsn);
  }
  return oldest;
}

uint64_t DbImpl::MeasureLog() {
  const wal::Lsn oldest = OldestNeededLsn();
  const uint64_t bytes = log_->appended_lsn() - std::min(oldest, log_->appended_lsn());
  log_unflushed_bytes_.store(bytes, std::memory_order_relaxed);
  return bytes;
}

io::Task<Status> DbImpl::ForgetLog() {
  MeasureLog();
  if (log_->Segments().size() < 2) co_return absl::OkStatus();
  auto manifest_lock = co_await manifest_mutex_.Lock();
  const wal::SegmentNumber segment = log_->SegmentOf(OldestNeededLsn());
  if (segment <= manifest_->state().log_start()) co_return absl::OkStatus();
  if (options_.skipped_rule == Rule::kForgetBeforeRecycle) {
    VARVE_CO_RETURN_IF_ERROR(co_await log_->ForgetBefore(segment));
  }
  Edit edit;
  edit.log_start = segment;
  VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));
  VARVE_CO_RETURN_IF_ERROR(co_await log_->ForgetBefore(segment));
  progress_.Beat();
  co_return absl::OkStatus();
}

io::Task<Status> DbImpl::RestartLog() {
  if (!std::exchange(log_failure_told_, true)) {
    spdlog::error("{}: the log failed: {}", directory_path_, Message(log_->failure()));
  }
  auto seal = co_await log_->Seal();
  if (!seal.ok()) co_return seal.status();
  if (options_.durability == Durability::kRelaxed) {
    // The log may have lost what was applied from it, so tables take its place.
    ApplyDue();
    FreezeAll();
    const auto flushed = co_await FlushOnce(*seal);
    if (!flushed.ok()) co_return flushed.status();
    ClearError("flush");
  } else {
    auto manifest_lock = co_await manifest_mutex_.Lock();
    Edit edit;
    edit.seals.push_back(*seal);
    VARVE_CO_RETURN_IF_ERROR(co_await CommitEdit(std::move(edit)));
  }
  {
    absl::MutexLock apply(&apply_mutex_);
    absl::MutexLock lock(&commit_mutex_);
    // What was on its way and never became durable; its writers are told by the log.
    for (Commit* commit : queue_) commit->queued = false;
    queue_.clear();
    log_->Restart();
  }
  log_failure_told_ = false;
  spdlog::info("{}: the log goes on in segment {}", directory_path_, seal->next_segment);
  progress_.Beat();
  co_return absl::OkStatus();
}

// ---- Statistics

DbStats DbImpl::Stats() const {
  DbStats stats;
  std::set<uint64_t> tables;
  std::set<uint64_t> value_files;
  stats.levels.resize(kLevels);
  {
    absl::MutexLock lock(&apply_mutex_);
    stats.partitions = directory_owner_->partitions().size();
    for (const auto& partition : directory_owner_->partitions()) {
      const Levels& levels = *partition->owned_view()->levels;
      for (int level = 0; level < kLevels; ++level) {
        for (const LevelTable& table : levels[level]) {
          const sstable::TableInfo& info = table.handle->info();
          for (const auto& use : info.value_files) value_files.insert(use.file_number);
          if (!tables.insert(info.file_number).second) continue;
          ++stats.levels[level].tables;
          stats.levels[level].bytes += info.file_bytes;
          stats.table_bytes += info.file_bytes;
        }
      }
    }
  }
  stats.table_files = tables.size();
  {
    absl::MutexLock lock(&value_usage_mutex_);
    for (const auto& [number, usage] : value_usage_) {
      ++stats.value_files;
      stats.value_file_bytes += usage.bytes;
    }
  }
  {
    absl::MutexLock lock(&snapshot_mutex_);
    stats.snapshots = snapshots_.size();
  }
  stats.log_segments = log_->Segments().size();
  stats.log_bytes = log_->LiveBytes();
  stats.log_bytes_written = log_->Stats().record_bytes;
  stats.memtable_bytes = static_cast<uint64_t>(memtable_bytes_.load());
  const sstable::BlockCacheStats cache = cache_.stats();
  stats.block_cache_bytes = cache.block_bytes + cache.charged_bytes;
  stats.block_cache_pinned_bytes = cache.pinned_bytes + cache.outside_bytes;
  stats.block_cache_misses = cache.inserted;
  stats.open_tables = tables_.loaded_tables();
  stats.user_bytes_written = counters_.user_bytes.load();
  stats.batches_written = counters_.batches.load();
  stats.flushes = counters_.flushes.load();
  stats.flush_bytes_written = counters_.flush_bytes.load();
  stats.compactions = counters_.compactions.load();
  stats.compaction_bytes_read = counters_.compaction_bytes_read.load();
  stats.compaction_bytes_written = counters_.compaction_bytes_written.load();
  stats.compaction_debt_bytes = CompactionDebtBytes();
  stats.reads_waited = counters_.reads_waited.load();
  stats.slowed_writes = counters_.slowed_writes.load();
  stats.slowed_write_ns = counters_.slowed_write_ns.load();
  const Status error = BackgroundError();
  if (!error.ok()) stats.background_error = std::string(Message(error));
  return stats;
}

}  // namespace varve::engine
