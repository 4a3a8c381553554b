// LogBase: what the two media have in common: the chain of segments, the next one standing ready,
// failure and restart.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "io/sync.h"
#include "wal/log.h"
#include "wal/segment.h"

namespace varve::wal {

// What an append would need that is not there.
struct Lack {
  bool nothing = true;
  bool buffer = false;         // a group buffer
  uint64_t segment_bytes = 0;  // a next segment of at least this size
};

class LogBase : public Log {
 public:
  LogBase(io::Io& io, LogOptions options);

  // Makes the first segment. Once, before anything else.
  io::Task<Status> Begin(LogStart start);

  Lsn appended_lsn() const final { return appended_lsn_.load(std::memory_order_acquire); }
  Lsn durable_lsn() const final { return durable_lsn_.load(std::memory_order_acquire); }
  Status failure() const final;
  bool NeedsSegment() const final;
  io::Task<Status> PrepareSegment() final;
  io::Task<Status> ForgetBefore(SegmentNumber segment) final;
  std::vector<SegmentInfo> Segments() const final;
  SegmentNumber SegmentOf(Lsn lsn) const final;
  uint64_t LiveBytes() const final;
  io::Task<StatusOr<LogSeal>> Seal() final;
  void Restart() final;
  LogStats Stats() const override;

 protected:
  // The current segment has become `segment_`, at its beginning, after a failure. Under mutex_.
  virtual void BeginSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // After the failure has been noted. Under mutex_.
  virtual void WakeAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Lets go of what left segments no longer need.
  virtual void ReleaseLeftSegments() {}

  // Notes the first failure.
  void Fail(Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the prepared segment the current one.
  void EnterPreparedSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // OK, or that what ended at `lsn` was lost in a failure that the log has recovered from.
  Status LostStatus(Lsn lsn) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The append of a segment's first record makes the next one wanted.
  void NoteAppend() {
    if (!segment_used_.load(std::memory_order_relaxed)) {
      segment_used_.store(true, std::memory_order_relaxed);
      if (options_.on_segment_needed) options_.on_segment_needed();
    }
  }
  bool HasPrepared(uint64_t bytes_min) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return prepared_ != nullptr && prepared_->header.bytes >= bytes_min;
  }
  // Where the first record of the prepared segment goes.
  Lsn PreparedFirstLsn() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return prepared_->header.first_record_lsn();
  }
  // Room of the next segment is awaited through this: makes a segment of at least so many bytes
  // ready.
  io::Task<Status> PrepareSegmentOf(uint64_t bytes_min);

  // File offset of an LSN within a segment.
  static uint64_t OffsetOf(const Segment& segment, Lsn lsn) {
    return lsn - segment.header.start_lsn;
  }

  io::Io& io_;
  const LogOptions options_;
  // Written by the appender only; released after the record is complete.
  std::atomic<Lsn> appended_lsn_{0};
  // Released after what it promises is so.
  std::atomic<Lsn> durable_lsn_{0};

  mutable absl::Mutex mutex_;
  std::shared_ptr<Segment> segment_ ABSL_GUARDED_BY(mutex_);
  Status failed_ ABSL_GUARDED_BY(mutex_);
  LogStats stats_ ABSL_GUARDED_BY(mutex_);

 private:
  struct Loss {
    Lsn from;  // durable
    Lsn to;    // where the log restarted
    Status why;
  };

  // Serialises what touches files_.
  io::Mutex files_mutex_;
  SegmentFiles files_;
  std::atomic<bool> segment_used_{false};
  std::shared_ptr<Segment> prepared_ ABSL_GUARDED_BY(mutex_);
  std::vector<SegmentInfo> live_ ABSL_GUARDED_BY(mutex_);  // the current one last
  std::vector<SegmentInfo> abandoned_ ABSL_GUARDED_BY(mutex_);
  std::vector<Loss> losses_ ABSL_GUARDED_BY(mutex_);
  bool sealed_ ABSL_GUARDED_BY(mutex_) = false;

  struct Wanted {
    bool needed;
    SegmentNumber number;
    Lsn start_lsn;
  };
  Wanted TakeWanted(uint64_t bytes_min);
  void SetPrepared(std::shared_ptr<Segment> segment);
  void SetFirst(std::shared_ptr<Segment> segment, std::vector<SegmentInfo> live);
  std::vector<SegmentInfo> TakeForgotten(SegmentNumber before);
  void FailForSeal();
  LogSeal MakeSeal();
  SegmentNumber SegmentOfLocked(Lsn lsn) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
};

std::unique_ptr<LogBase> NewDurableLog(io::Io& io, LogOptions options);
std::unique_ptr<LogBase> NewRelaxedLog(io::Io& io, LogOptions options);

}  // namespace varve::wal
