// The write path. db_impl.h says what states a commit passes through.
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <array>

#include "engine/db_impl.h"
#include "engine/epoch.h"

namespace varve::engine {
namespace {

// Where back-pressure begins, as a share of the memtable budget.
constexpr double kSlowdownShare = 0.75;
// At half pressure a byte costs this much time; at full pressure writes wait.
constexpr double kDelayNsPerByte = 8;
// Delays are slept off in portions of at least this.
constexpr int64_t kSleepNsMin = 1'000'000;

// How many entries of a batch a memtable is given at a time.
constexpr size_t kAppliedTogether = 64;

double Excess(double value, double from, double to) { return (value - from) / (to - from); }

}  // namespace

Status DbImpl::CheckOpen() const {
  if (stopping() || !open_) return FailedPrecondition("{}: is closed", directory_path_);
  return absl::OkStatus();
}

Status DbImpl::CheckWritable() const {
  VARVE_RETURN_IF_ERROR(CheckOpen());
  if (disk_full_.load(std::memory_order_relaxed)) {
    return ResourceExhausted("{}: less than {} bytes left on the disk", directory_path_,
                             options_.reserved_disk_bytes);
  }
  return absl::OkStatus();
}

double DbImpl::Pressure() const {
  const double memtables = static_cast<double>(memtable_bytes_.load(std::memory_order_relaxed)) /
                           static_cast<double>(options_.memtable_budget_bytes);
  const double level0 =
      static_cast<double>(level0_max_.load(std::memory_order_relaxed)) / options_.level0_tables_max;
  const double log = static_cast<double>(log_unflushed_bytes_.load(std::memory_order_relaxed)) /
                     static_cast<double>(options_.log_bytes_max);
  return std::max({Excess(memtables, kSlowdownShare, 1), Excess(level0, 3, 6), Excess(log, 1.25, 2),
                   space_pressure_.load(std::memory_order_relaxed)});
}

io::Task<Status> DbImpl::Throttle(size_t bytes) {
  double pressure = Pressure();
  if (pressure <= 0) co_return absl::OkStatus();
  counters_.slowed_writes.fetch_add(1, std::memory_order_relaxed);
  const uint64_t start_ns = io_.MonotonicNs();
  while (pressure >= 1) {
    const uint64_t seen = progress_.count();
    Wake();
    if (Pressure() >= 1) {
      // Nobody can say how long: what would relieve the pressure is failing.
      VARVE_CO_RETURN_IF_ERROR(BackgroundError());
      VARVE_CO_RETURN_IF_ERROR(CheckWritable());
      co_await progress_.After(seen);
    }
    pressure = Pressure();
  }
  if (pressure > 0) {
    const double delay_ns =
        kDelayNsPerByte * static_cast<double>(bytes) * pressure / (1 - pressure);
    const int64_t debt_ns =
        throttle_debt_ns_.fetch_add(static_cast<int64_t>(std::min(delay_ns, 1e8))) +
        static_cast<int64_t>(std::min(delay_ns, 1e8));
    if (debt_ns >= kSleepNsMin) {
      throttle_debt_ns_.fetch_sub(debt_ns);
      co_await io::SleepFor(static_cast<uint64_t>(debt_ns));
    }
  }
  counters_.slowed_write_ns.fetch_add(io_.MonotonicNs() - start_ns, std::memory_order_relaxed);
  co_return absl::OkStatus();
}

bool DbImpl::TouchesDroppingRange(std::string_view payload) const {
  BatchReader reader(payload);
  Entry entry;
  while (reader.Next(&entry)) {
    for (const auto& [begin, end] : dropping_) {
      if (entry.key >= begin && (end.empty() || entry.key < end)) return true;
    }
  }
  return false;
}

Db::DrawnSequence DbImpl::DrawSequence() {
  absl::MutexLock lock(&commit_mutex_);
  Db::DrawnSequence drawn;
  drawn.number = clock_->Next();
  drawn.ceiling = ceiling_;
  drawn.settled = log_ == nullptr || log_->failure().ok();
  if (drawn.number + kCeilingAhead / 2 > ceiling_ && !ceiling_wanted_.exchange(true)) Wake();
  return drawn;
}

DbImpl::Admission DbImpl::Append(Commit& commit, Status* refusal) {
  absl::MutexLock lock(&commit_mutex_);
  *refusal = CheckWritable();
  if (!refusal->ok()) return Admission::kRefused;
  if (!dropping_.empty() && TouchesDroppingRange(commit.payload)) return Admission::kWaitForDrop;
  const SequenceNumber sequence = clock_->Next();
  if (sequence + kCeilingAhead / 2 > ceiling_ && !ceiling_wanted_.exchange(true)) Wake();
  if (sequence > ceiling_) {
    *refusal = ceiling_status_;
    return refusal->ok() ? Admission::kWaitForCeiling : Admission::kRefused;
  }
  const wal::AppendResult result = log_->Append(sequence, {&commit.payload, 1});
  if (result.state == wal::AppendResult::State::kWait) return Admission::kWaitForLog;
  if (result.state == wal::AppendResult::State::kFailed) {
    *refusal = log_->failure();
    Wake();
    return Admission::kRefused;
  }
  commit.sequence = sequence;
  commit.lsn = result.lsn;
  commit.end = result.end;
  commit.queued = true;
  queue_.push_back(&commit);
  return Admission::kAppended;
}

bool DbImpl::IsDue(const Commit& commit) const {
  if (options_.durability == Durability::kDurable) return log_->durable_lsn() >= commit.end;
  // A sync that failed leaves the record in the log, which replay would find: it counts.
  return !commit.wants_sync || log_->durable_lsn() >= commit.end || !log_->failure().ok();
}

void DbImpl::ApplyDue() {
  absl::MutexLock apply(&apply_mutex_);
  // Taken together, so that those who append meanwhile find the commit lock free.
  absl::InlinedVector<Commit*, 64> due;
  for (;;) {
    {
      absl::MutexLock lock(&commit_mutex_);
      while (!queue_.empty() && IsDue(*queue_.front())) {
        due.push_back(queue_.front());
        queue_.front()->queued = false;
        queue_.pop_front();
      }
    }
    if (due.empty()) return;
    for (Commit* const commit : due) {
      // The batch was validated when it was written.
      const Status applied =
          ApplyPayload(commit->payload, commit->sequence, commit->lsn, commit->end);
      (void)applied;
      visible_.store(commit->sequence, std::memory_order_release);
      commit->applied.Set();
    }
    due.clear();
  }
}

Status DbImpl::ApplyPayload(std::string_view payload, SequenceNumber sequence, wal::Lsn lsn,
                            wal::Lsn end, bool replay) {
  BatchReader reader(payload);
  Entry entry;
  entry.sequence = sequence;
  last_applied_ = sequence;
  last_applied_end_ = end;
  Partition* partition = nullptr;
  PartitionMemtable* memtable = nullptr;
  // Entries for `memtable`, which takes several together faster.
  std::array<Entry, kAppliedTogether> group;
  size_t grouped = 0;
  const auto add_group = [&]() {
    if (grouped > 0) memtable->table.Add({group.data(), grouped});
    grouped = 0;
  };
  // Frozen when the batch is complete: a flush claims all of it for a partition, or nothing.
  absl::InlinedVector<Partition*, 4> full;
  const auto leave_partition = [&]() {
    if (memtable == nullptr) return;
    add_group();
    memtable->Charge();
    if (memtable->table.bytes() >= options_.memtable_bytes_max) full.push_back(partition);
    memtable = nullptr;
  };
  while (reader.Next(&entry)) {
    if (partition == nullptr || !partition->keys().Contains(entry.key)) {
      leave_partition();
      partition = directory_owner_->Find(entry.key).get();
    }
    if (sequence < partition->live_from) continue;
    if (replay && sequence <= FlushedTo(*partition)) continue;
    if (memtable == nullptr) memtable = &ActiveMemtable(*partition, lsn);
    if (grouped == group.size()) add_group();
    group[grouped++] = entry;
  }
  leave_partition();
  for (Partition* const p : full) Freeze(*p);
  const auto flush_at = static_cast<int64_t>(options_.memtable_budget_bytes / 2);
  if (memtable_bytes_.load(std::memory_order_relaxed) > flush_at &&
      !flush_signalled_.exchange(true)) {
    Wake();
  }
  if (!reader.ok()) return Corruption("malformed batch");
  return absl::OkStatus();
}

bool DbImpl::Withdraw(Commit& commit) {
  absl::MutexLock lock(&commit_mutex_);
  if (commit.queued) std::erase(queue_, &commit);
  commit.queued = false;
  return !commit.applied.IsSet();
}

void DbImpl::CountWrite(const WriteBatch& batch) {
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  counters_.user_bytes.fetch_add(batch.payload().size(), std::memory_order_relaxed);
}

io::Task<StatusOr<SequenceNumber>> DbImpl::SyncBefore(WriteOptions options) {
  const bool wanted = options.sync && options_.durability == Durability::kRelaxed;
  if (!wanted) co_return 0;
  VARVE_CO_RETURN_IF_ERROR(CheckOpen());
  const Status durable = co_await log_->Sync();
  if (!durable.ok()) {
    Wake();
    co_return durable;
  }
  co_return 0;
}

io::Task<StatusOr<SequenceNumber>> DbImpl::Write(const WriteBatch& batch, WriteOptions options) {
  if (batch.empty()) co_return co_await SyncBefore(options);
  VARVE_CO_RETURN_IF_ERROR(batch.Validate());
  VARVE_CO_RETURN_IF_ERROR(CheckWritable());
  VARVE_CO_RETURN_IF_ERROR(co_await Throttle(batch.payload().size()));
  Commit commit;
  commit.payload = batch.payload();
  const bool relaxed = options_.durability == Durability::kRelaxed;
  commit.wants_sync = relaxed && options.sync;
  for (;;) {
    const uint64_t seen = progress_.count();
    Status refusal;
    const Admission admission = Append(commit, &refusal);
    if (admission == Admission::kAppended) break;
    if (admission == Admission::kRefused) co_return refusal;
    if (admission == Admission::kWaitForLog) {
      VARVE_CO_RETURN_IF_ERROR(co_await log_->Room(batch.payload().size()));
    } else {
      co_await progress_.After(seen);
    }
  }
  CountWrite(batch);
  if (relaxed) ApplyDue();
  if (!relaxed || commit.wants_sync) {
    const Status durable = co_await log_->WaitDurable(commit.end);
    if (!durable.ok()) {
      Wake();
      if (relaxed) {
        ApplyDue();
        co_await commit.applied.Wait();
        co_return durable;
      }
      if (Withdraw(commit)) co_return durable;
    }
  }
  co_await commit.applied.Wait();
  co_return commit.sequence;
}

StatusOr<SequenceNumber> DbImpl::WriteNow(const WriteBatch& batch, const WriteOptions& options) {
  const bool durable = options_.durability == Durability::kDurable;
  const bool needs_task =
      (durable ? !io_.has_threads() : options.sync) || Pressure() > 0 || batch.empty();
  if (!needs_task) {
    VARVE_RETURN_IF_ERROR(batch.Validate());
    Commit commit;
    commit.payload = batch.payload();
    Status refusal;
    const Admission admission = Append(commit, &refusal);
    if (admission == Admission::kRefused) return refusal;
    if (admission == Admission::kAppended) {
      CountWrite(batch);
      if (durable) {
        const Status status = log_->WaitDurableNow(commit.end);
        if (!status.ok()) {
          Wake();
          if (Withdraw(commit)) return status;
        }
      } else {
        ApplyDue();
      }
      if (!commit.applied.IsSet()) io::BlockOn(io_, WaitFor(commit.applied));
      return commit.sequence;
    }
  }
  return io::BlockOn(io_, Write(batch, options));
}

io::Task<void> DbImpl::WaitFor(io::Event& event) { co_await event.Wait(); }

}  // namespace varve::engine
