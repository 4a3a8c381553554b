// The relaxed medium: records are copied into a mapped segment and are safe from the death of the
// process at once. Whoever asks for durability syncs the files, one sync at a time: those who wait
// meanwhile are served by the next one together.
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "wal/log_base.h"

namespace varve::wal {
namespace {

class RelaxedLog final : public LogBase {
 public:
  RelaxedLog(io::Io& io, LogOptions options) : LogBase(io, std::move(options)) {}

  AppendResult Append(SequenceNumber sequence, std::span<const std::string_view> payload) override;
  AppendResult Roll() override;
  io::Task<Status> Room(size_t payload_bytes) override;
  io::Task<Status> WaitDurable(Lsn lsn) override;
  Status WaitDurableNow(Lsn lsn) override { return io::BlockOn(io_, WaitDurable(lsn)); }
  LogStats Stats() const override;

 protected:
  io::Task<void> Drain() override;
  void BeginSegment() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeAll() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseLeftSegments() override;

 private:
  using Segments = absl::InlinedVector<std::shared_ptr<Segment>, 4>;

  AppendResult Leave(size_t record_bytes);
  uint64_t LackingSegmentBytes(size_t payload_bytes) const;
  // nullopt: must sync.
  std::optional<Status> Settled(Lsn lsn) const;
  Segments UnsyncedSegments() const;
  void Advance(Lsn durable, const Segment* current);
  Status NoteFailure(const Status& status);

  // The appender's own: everything that an append touches but the counters.
  char* data_ = nullptr;
  uint64_t at_ = 0;  // file offset of the next byte
  uint64_t end_ = 0;
  std::optional<RecordContext> context_;
  std::atomic<uint64_t> records_{0};
  std::atomic<uint64_t> record_bytes_{0};
  // Set with failed_, read without the lock.
  std::atomic<bool> refuse_{false};

  io::Mutex sync_mutex_;
  // Segments left with records that are not durable yet, in order.
  Segments left_ ABSL_GUARDED_BY(mutex_);
  Lsn acknowledged_lsn_ ABSL_GUARDED_BY(mutex_) = 0;  // on_durable has been told
};

void RelaxedLog::BeginSegment() {
  data_ = segment_->mapping->bytes().data();
  at_ = kSegmentHeaderBytes;
  end_ = segment_->header.bytes - kEndMarkBytes;
  context_.emplace(segment_->context);
  // After a failure.
  if (failed_.ok()) refuse_.store(false, std::memory_order_relaxed);
  left_.clear();
  acknowledged_lsn_ = segment_->header.first_record_lsn();
}

void RelaxedLog::WakeAll() {
  if (!failed_.ok()) refuse_.store(true, std::memory_order_relaxed);
}

AppendResult RelaxedLog::Append(SequenceNumber sequence,
                                std::span<const std::string_view> payload) {
  size_t payload_bytes = 0;
  for (const std::string_view part : payload) payload_bytes += part.size();
  const size_t record_bytes = RecordBytes(payload_bytes);
  if (refuse_.load(std::memory_order_relaxed)) return {AppendResult::State::kFailed};
  size_t skip = SkipBytes(at_);
  if (at_ + skip + record_bytes > end_) {
    const AppendResult left = Leave(record_bytes);
    if (left.state != AppendResult::State::kAppended) return left;
    skip = 0;
  }
  if (skip != 0) {
    std::memset(data_ + at_, 0, skip);
    at_ += skip;
  }
  const Lsn lsn = context_->start_lsn + at_;
  WriteBatchRecord(data_ + at_, *context_, lsn, sequence,
                   durable_lsn_.load(std::memory_order_relaxed), payload, payload_bytes);
  at_ += record_bytes;
  records_.store(records_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  record_bytes_.store(record_bytes_.load(std::memory_order_relaxed) + record_bytes,
                      std::memory_order_relaxed);
  appended_lsn_.store(lsn + record_bytes, std::memory_order_release);
  NoteAppend();
  return {AppendResult::State::kAppended, lsn, lsn + record_bytes};
}

// Marks the end of the segment and enters the next one.
AppendResult RelaxedLog::Leave(size_t record_bytes) {
  absl::MutexLock lock(&mutex_);
  if (!failed_.ok()) return {AppendResult::State::kFailed};
  if (!HasPrepared(SegmentBytesFor(record_bytes))) return {AppendResult::State::kWait};
  const size_t skip = SkipBytes(at_);
  std::memset(data_ + at_, 0, skip);
  at_ += skip;
  const size_t zeros = io::PageCeiling(at_ + 1) - at_ - kRecordHeaderBytes;
  char* mark = data_ + at_;
  std::memset(mark + kRecordHeaderBytes, 0, zeros);
  internal::SealRecord(mark, *context_, RecordType::kSegmentEnd, context_->start_lsn + at_, 0,
                       durable_lsn_.load(std::memory_order_relaxed), zeros);
  appended_lsn_.store(context_->start_lsn + io::PageCeiling(at_ + 1), std::memory_order_release);
  const AppendResult result = {AppendResult::State::kAppended, PreparedFirstLsn(), appended_lsn()};
  left_.push_back(segment_);
  EnterPreparedSegment();
  data_ = segment_->mapping->bytes().data();
  at_ = kSegmentHeaderBytes;
  end_ = segment_->header.bytes - kEndMarkBytes;
  context_.emplace(segment_->context);
  return result;
}

AppendResult RelaxedLog::Roll() { return Leave(0); }

uint64_t RelaxedLog::LackingSegmentBytes(size_t payload_bytes) const {
  const bool roll = payload_bytes == kRoll;
  const size_t record_bytes = roll ? 0 : RecordBytes(payload_bytes);
  absl::MutexLock lock(&mutex_);
  const Lsn appended = std::max(appended_lsn(), segment_->header.first_record_lsn());
  const Lsn at = appended + SkipBytes(appended);
  if (!roll && at + record_bytes <= segment_->header.batch_end_lsn()) return 0;
  const uint64_t bytes_min = SegmentBytesFor(record_bytes);
  return HasPrepared(bytes_min) ? 0 : bytes_min;
}

io::Task<Status> RelaxedLog::Room(size_t payload_bytes) {
  const Status failed = failure();
  if (!failed.ok()) co_return failed;
  const uint64_t bytes_min = LackingSegmentBytes(payload_bytes);
  if (bytes_min == 0) co_return absl::OkStatus();
  Status status = co_await PrepareSegmentOf(bytes_min);
  co_return status;
}

// ---- Durability

std::optional<Status> RelaxedLog::Settled(Lsn lsn) const {
  absl::MutexLock lock(&mutex_);
  Status lost = LostStatus(lsn);
  if (!lost.ok()) return lost;
  if (lsn <= acknowledged_lsn_) return absl::OkStatus();
  if (!failed_.ok()) return failed_;
  return std::nullopt;
}

RelaxedLog::Segments RelaxedLog::UnsyncedSegments() const {
  absl::MutexLock lock(&mutex_);
  Segments segments = left_;
  segments.push_back(segment_);
  return segments;
}

void RelaxedLog::Advance(Lsn durable, const Segment* current) {
  {
    absl::MutexLock lock(&mutex_);
    ++stats_.groups;
    durable_lsn_.store(durable, std::memory_order_release);
    while (!left_.empty() && left_.front().get() != current &&
           left_.front()->header.end_lsn() <= current->header.start_lsn) {
      left_.erase(left_.begin());
    }
  }
  if (options_.on_durable) options_.on_durable(durable);
  absl::MutexLock lock(&mutex_);
  acknowledged_lsn_ = durable;
}

Status RelaxedLog::NoteFailure(const Status& status) {
  absl::MutexLock lock(&mutex_);
  Fail(Unavailable("the log failed: {}", Message(status)));
  WakeAll();
  return failed_;
}

io::Task<Status> RelaxedLog::WaitDurable(Lsn lsn) {
  if (const auto settled = Settled(lsn)) co_return *settled;
  auto guard = co_await sync_mutex_.Lock();
  if (const auto settled = Settled(lsn)) co_return *settled;
  // The order matters: every record before `target` lies in one of the segments listed after it was
  // read.
  const Lsn target = appended_lsn();
  const Segments segments = UnsyncedSegments();
  for (const auto& segment : segments) {
    Status status = co_await segment->file->Sync();
    if (!status.ok()) co_return NoteFailure(status);
  }
  Advance(target, segments.back().get());
  co_return absl::OkStatus();
}

io::Task<void> RelaxedLog::Drain() { auto guard = co_await sync_mutex_.Lock(); }

// A left segment needs its file, to be synced, but not its mapping.
void RelaxedLog::ReleaseLeftSegments() {
  std::vector<std::unique_ptr<io::Mapping>> unmapped;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& segment : left_) unmapped.push_back(std::move(segment->mapping));
  }
}

LogStats RelaxedLog::Stats() const {
  LogStats stats = LogBase::Stats();
  stats.records = records_.load(std::memory_order_relaxed);
  stats.record_bytes = record_bytes_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace

std::unique_ptr<LogBase> NewRelaxedLog(io::Io& io, LogOptions options) {
  return std::make_unique<RelaxedLog>(io, std::move(options));
}

}  // namespace varve::wal
