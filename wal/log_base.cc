#include "wal/log_base.h"

#include <algorithm>

namespace varve::wal {

io::Task<StatusOr<std::unique_ptr<Log>>> Log::Open(io::Io& io, LogOptions options, LogStart start) {
  for (const uint64_t bytes : {options.segment_bytes_first, options.segment_bytes_max,
                               uint64_t{options.group_bytes_max}}) {
    if (bytes % io::kPageBytes != 0 || bytes < SegmentBytesFor(1)) {
      co_return InvalidArgument("log: {} bytes is no size for a segment or a group", bytes);
    }
  }
  if (options.segment_bytes_first > options.segment_bytes_max ||
      options.groups_in_flight_max == 0) {
    co_return InvalidArgument("log: sizes of segments or groups contradict each other");
  }
  std::unique_ptr<LogBase> log = options.medium == Medium::kDurable
                                     ? NewDurableLog(io, std::move(options))
                                     : NewRelaxedLog(io, std::move(options));
  Status status = co_await log->Begin(std::move(start));
  if (!status.ok()) co_return status;
  co_return std::unique_ptr<Log>(std::move(log));
}

// Where one segment ends to the byte and the next begins, the end belongs to the first.
io::Task<StatusOr<LogSeal>> Log::Close() {
  Status status = co_await WaitDurable(appended_lsn());
  co_await Drain();
  if (!status.ok()) co_return status;
  const Lsn end = durable_lsn();
  co_return LogSeal{SegmentOf(end - 1), end, 0};
}

LogBase::LogBase(io::Io& io, LogOptions options)
    : io_(io), options_(std::move(options)), files_(io, options_) {}

io::Task<Status> LogBase::Begin(LogStart start) {
  VARVE_CO_RETURN_IF_ERROR(files_.Recover(start));
  auto made = co_await files_.Make(start.segment, start.lsn, 0, /*fresh=*/true, nullptr);
  if (!made.ok()) co_return made.status();
  SetFirst(std::move(*made), std::move(start.live));
  co_return absl::OkStatus();
}

void LogBase::SetFirst(std::shared_ptr<Segment> segment, std::vector<SegmentInfo> live) {
  absl::MutexLock lock(&mutex_);
  const Lsn first = segment->header.first_record_lsn();
  segment_ = std::move(segment);
  live_ = std::move(live);
  live_.push_back(segment_->info());
  appended_lsn_.store(first, std::memory_order_release);
  durable_lsn_.store(first, std::memory_order_release);
  BeginSegment();
}

Status LogBase::failure() const {
  absl::MutexLock lock(&mutex_);
  return failed_;
}

void LogBase::Fail(Status status) {
  if (!failed_.ok()) return;
  failed_ = std::move(status);
  ++stats_.failures;
}

Status LogBase::LostStatus(Lsn lsn) const {
  for (const Loss& loss : losses_) {
    if (lsn > loss.from && lsn < loss.to) return loss.why;
  }
  return absl::OkStatus();
}

// ---- Segments

bool LogBase::NeedsSegment() const {
  if (!segment_used_.load(std::memory_order_relaxed)) return false;
  absl::MutexLock lock(&mutex_);
  return prepared_ == nullptr && failed_.ok();
}

void LogBase::EnterPreparedSegment() {
  segment_ = std::move(prepared_);
  prepared_ = nullptr;
  live_.push_back(segment_->info());
  segment_used_.store(false, std::memory_order_relaxed);
}

LogBase::Wanted LogBase::TakeWanted(uint64_t bytes_min) {
  absl::MutexLock lock(&mutex_);
  if (HasPrepared(bytes_min)) return {false, 0, 0};
  // One that is too small must not be entered while another file of its number is made.
  prepared_ = nullptr;
  return {true, segment_->header.number + 1, segment_->header.end_lsn()};
}

void LogBase::SetPrepared(std::shared_ptr<Segment> segment) {
  absl::MutexLock lock(&mutex_);
  prepared_ = std::move(segment);
  stats_.segments_created = files_.created();
  stats_.segments_recycled = files_.recycled();
  stats_.segments_deleted = files_.deleted();
  WakeAll();
}

io::Task<Status> LogBase::PrepareSegment() { return PrepareSegmentOf(0); }

io::Task<Status> LogBase::PrepareSegmentOf(uint64_t bytes_min) {
  auto guard = co_await files_mutex_.Lock();
  ReleaseLeftSegments();
  std::vector<SegmentInfo> abandoned = TakeForgotten(0);
  for (const SegmentInfo& segment : abandoned) files_.Discard(segment);
  const Wanted wanted = TakeWanted(bytes_min);
  if (!wanted.needed) co_return absl::OkStatus();
  // Somebody may be waiting for a segment of that size, or be about to.
  const std::function<bool()> hurry = [this, bytes_min]() {
    absl::MutexLock lock(&mutex_);
    const SegmentInfo current = segment_->info();
    return bytes_min > 0 || !failed_.ok() || appended_lsn() > current.start_lsn + current.bytes / 2;
  };
  auto made =
      co_await files_.Make(wanted.number, wanted.start_lsn, bytes_min, /*fresh=*/false, hurry);
  if (!made.ok()) co_return made.status();
  SetPrepared(std::move(*made));
  co_return absl::OkStatus();
}

std::vector<SegmentInfo> LogBase::TakeForgotten(SegmentNumber before) {
  absl::MutexLock lock(&mutex_);
  std::vector<SegmentInfo> forgotten = std::move(abandoned_);
  abandoned_.clear();
  while (live_.size() > 1 && live_.front().number < before) {
    forgotten.push_back(live_.front());
    live_.erase(live_.begin());
  }
  return forgotten;
}

io::Task<Status> LogBase::ForgetBefore(SegmentNumber segment) {
  auto guard = co_await files_mutex_.Lock();
  ReleaseLeftSegments();
  const std::vector<SegmentInfo> forgotten = TakeForgotten(segment);
  for (const SegmentInfo& info : forgotten) files_.Discard(info);
  co_return absl::OkStatus();
}

std::vector<SegmentInfo> LogBase::Segments() const {
  absl::MutexLock lock(&mutex_);
  return live_;
}

SegmentNumber LogBase::SegmentOfLocked(Lsn lsn) const {
  SegmentNumber number = live_.front().number;
  for (const SegmentInfo& info : live_) {
    if (info.start_lsn <= lsn) number = info.number;
  }
  return number;
}

SegmentNumber LogBase::SegmentOf(Lsn lsn) const {
  absl::MutexLock lock(&mutex_);
  return SegmentOfLocked(std::min(lsn, durable_lsn() - 1));
}

uint64_t LogBase::LiveBytes() const {
  absl::MutexLock lock(&mutex_);
  return appended_lsn() - live_.front().start_lsn;
}

LogStats LogBase::Stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

// ---- Failure

void LogBase::FailForSeal() {
  absl::MutexLock lock(&mutex_);
  Fail(Unavailable("{}: the log is being sealed", options_.directory));
  WakeAll();
}

LogSeal LogBase::MakeSeal() {
  absl::MutexLock lock(&mutex_);
  sealed_ = true;
  const Lsn end = durable_lsn();
  return {SegmentOfLocked(end - 1), end, prepared_->header.number};
}

io::Task<StatusOr<LogSeal>> LogBase::Seal() {
  FailForSeal();
  co_await Drain();
  Status status = co_await PrepareSegment();
  if (!status.ok()) co_return status;
  co_return MakeSeal();
}

void LogBase::Restart() {
  absl::MutexLock lock(&mutex_);
  if (!sealed_) return;
  sealed_ = false;
  const Lsn durable = durable_lsn();
  // What lies wholly behind the seal is not part of the chain any more.
  while (live_.size() > 1 && live_.back().start_lsn >= durable) {
    abandoned_.push_back(live_.back());
    live_.pop_back();
  }
  EnterPreparedSegment();
  const Lsn first = segment_->header.first_record_lsn();
  losses_.push_back({durable, first, failed_});
  failed_ = absl::OkStatus();
  appended_lsn_.store(first, std::memory_order_release);
  durable_lsn_.store(first, std::memory_order_release);
  BeginSegment();
}

}  // namespace varve::wal
