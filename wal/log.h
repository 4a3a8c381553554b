// Log: the one write-ahead log of a database, in one of two media.
//
//   durable   Records gather in a group in memory. Whoever waits for durability leads: it closes
//             the group and writes it, direct and synchronous, while others fill the next. A few
//             groups may be in flight; they are acknowledged in order.
//   relaxed   Append copies the record into a mapped file: it survives the process at once, and a
//             power cut after WaitDurable.
//
// A commit:
//
//   // Under the commit lock:
//   AppendResult result = log.Append(sequence, parts);
//   // kWait: leave the lock, `co_await log.Room(payload_bytes)`, try again. kFailed:
//   log.failure().
//   // kAppended: durable medium: queue the batch to be applied by on_durable. Relaxed: apply it.
//   // Outside the lock:
//   co_await log.WaitDurable(result.end);
//
// Life of a log: LogReader (reader.h) reads what the last life left and says where it ends and
// where the next one starts; Log::Open makes a fresh segment there; the owner records the seal of
// what was found and the new start durably in its manifest; only then it appends. Nothing is ever
// appended behind a tail that was found on disk.
//
// Failure: after a failed write (or sync) the log takes no records, and nothing that was in flight
// is retried. durable_lsn() stands where the failure left it. To go on: Seal, record the seal
// durably, Restart.
//
// Thread-safety: Append and Roll are called by one thread at a time (the commit lock). Everything
// else may be called from any thread, and the tasks awaited on any executor of the Io.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "wal/format.h"

namespace varve::wal {

struct LogOptions {
  Medium medium = Medium::kDurable;
  std::string directory;  // exists; holds nothing but this log's files, or at least no other *.log,
                          // *.spare and *.segment
  uint64_t database_id = 0;

  // The first segment after Open has this size (or that of a spare one), each later one twice its
  // predecessor's up to the maximum. A record that needs more gets a segment of its own size.
  // Multiples of 4096, at least 12288.
  uint64_t segment_bytes_first = uint64_t{1} << 20;
  uint64_t segment_bytes_max = uint64_t{64} << 20;
  // Forgotten segments kept for reuse; more are deleted.
  uint64_t spare_segments_max = 4;

  // Durable medium: the size of a group, a multiple of 4096 (a larger record is a group by itself,
  // one at a time), and how many full ones may be under way. Memory: (groups_in_flight_max + 2) *
  // group_bytes_max.
  size_t group_bytes_max = size_t{256} << 10;
  uint32_t groups_in_flight_max = 4;

  // Called with rising LSNs, one call at a time, by whoever completes a write or sync, on its
  // thread, without a lock of the log held: everything before the LSN is durable. Returns before
  // those who wait for that LSN go on. May call the const functions of the log. It must not suspend
  // or block.
  std::function<void(Lsn durable_lsn)> on_durable;

  // Called from Append and Roll (under the commit lock) when NeedsSegment() has become true: wake
  // the one who runs PrepareSegment. Must not call back.
  std::function<void()> on_segment_needed;
};

// One segment of the chain.
struct SegmentInfo {
  SegmentNumber number = 0;
  Lsn start_lsn = 0;
  uint64_t bytes = 0;

  Lsn end_lsn() const { return start_lsn + bytes; }
};

// The chain leaves `segment` at `end` and goes on at the beginning of `next_segment`. What lies
// behind `end` in the segment, and in segments between the two, is not part of the log.
struct LogSeal {
  SegmentNumber segment = 0;
  Lsn end = 0;
  SegmentNumber next_segment = 0;
};

// Where a log begins a life.
struct LogStart {
  SegmentNumber segment = 1;      // the fresh segment's number: above every one in the directory
  Lsn lsn = 0;                    // its start_lsn
  std::vector<SegmentInfo> live;  // older segments that are still needed, in order
};

struct AppendResult {
  enum class State : uint8_t {
    kAppended,
    kWait,    // nothing happened: await Room, try again
    kFailed,  // nothing happened: failure() says why
  };
  State state = State::kFailed;
  Lsn lsn = 0;  // of the record
  Lsn end = 0;  // what to give to WaitDurable
};

struct LogStats {
  uint64_t records = 0;
  uint64_t record_bytes = 0;   // with headers and padding to 8
  uint64_t groups = 0;         // durable: writes; relaxed: syncs
  uint64_t written_bytes = 0;  // durable: bytes of the writes
  uint64_t segments_created = 0;
  uint64_t segments_recycled = 0;
  uint64_t segments_deleted = 0;
  uint64_t failures = 0;
};

class Log {
 public:
  // Makes the fresh segment start.segment (durably, directory included) and a log that appends to
  // it. Every other segment file in the directory that `start.live` does not name is taken as
  // spare, or deleted. Reads and writes nothing in the live ones.
  static io::Task<StatusOr<std::unique_ptr<Log>>> Open(io::Io& io, LogOptions options,
                                                       LogStart start);

  // Close first.
  virtual ~Log() = default;

  // Appends one record whose payload is the parts, one after the other. Never waits for I/O.
  // InvalidArgument is not checked: the payload is at most kPayloadBytesMax.
  virtual AppendResult Append(SequenceNumber sequence,
                              std::span<const std::string_view> payload) = 0;

  // Leaves the rest of the current segment unused, so that nothing will be written to it any more:
  // for checkpoints that link segments. `lsn` of the result is where the next record goes, in the
  // next segment; `end` is the end of what has been left, for WaitDurable and for a seal.
  virtual AppendResult Roll() = 0;

  // Waits until Append of a payload of so many bytes may succeed (another may still come first).
  // Writes groups or prepares a segment itself if nobody else does. Fails as the log has failed, or
  // when there is no room on the disk for a segment (the log is then still good).
  virtual io::Task<Status> Room(size_t payload_bytes) = 0;
  static constexpr size_t kRoll = ~size_t{0};

  // Waits until everything before `lsn` (at most appended_lsn()) is durable and on_durable has been
  // told. Fails if that did not come to pass because the log failed.
  virtual io::Task<Status> WaitDurable(Lsn lsn) = 0;

  // The same for a thread of no executor, which sleeps meanwhile. Not in the simulation.
  virtual Status WaitDurableNow(Lsn lsn) = 0;

  io::Task<Status> Sync() { return WaitDurable(appended_lsn()); }

  // The end of the last record.
  virtual Lsn appended_lsn() const = 0;
  // Everything before it is durable.
  virtual Lsn durable_lsn() const = 0;
  // OK, or why the log takes no records.
  virtual Status failure() const = 0;

  // ---- Segments. For a background worker: these use blocking calls.

  // True when records are being appended and no next segment stands ready.
  virtual bool NeedsSegment() const = 0;
  // Makes the next segment ready: a spare one recycled, or a new one reserved, zeroed and synced.
  // On return relaxed segments that have been left are unmapped, too. Does nothing if one is ready.
  virtual io::Task<Status> PrepareSegment() = 0;
  // The caller has durably recorded that no segment below `segment` is needed: they become spare or
  // are deleted. Never touches the current segment or later ones.
  virtual io::Task<Status> ForgetBefore(SegmentNumber segment) = 0;

  // The chain as it stands: live segments up to the current one, in order.
  virtual std::vector<SegmentInfo> Segments() const = 0;
  // The live segment that holds `lsn`, or the first one if it lies before. Not beyond the one that
  // holds durable_lsn(): a seal may name that, so a chain must not begin behind it.
  virtual SegmentNumber SegmentOf(Lsn lsn) const = 0;
  // Bytes from the start of the first live segment to the last record, gaps included.
  virtual uint64_t LiveBytes() const = 0;

  // ---- Failure

  // Refuses further records (if the log has not failed already), waits until nothing is under way,
  // makes a fresh segment and says how the chain must continue: {current segment, durable_lsn(),
  // fresh segment}. May be repeated if it fails (no room for the segment). In the relaxed medium
  // records behind durable_lsn() may have been applied; flush them to tables before recording the
  // seal, for the log will not replay them.
  virtual io::Task<StatusOr<LogSeal>> Seal() = 0;
  // The seal has been recorded durably: appends go to the fresh segment from now on. Records that
  // were not durable at Seal are gone, and WaitDurable for them keeps failing. Called under the
  // commit lock.
  virtual void Restart() = 0;

  // Makes everything appended durable, if the log is good, and waits until nothing is under way. No
  // calls may follow, except the const ones. If OK, the result may be recorded as the log's end
  // (its next_segment is 0), so that the next life needs not search for it.
  io::Task<StatusOr<LogSeal>> Close();

  virtual LogStats Stats() const = 0;

 protected:
  // Waits until no write or sync is under way, given that no new one begins.
  virtual io::Task<void> Drain() = 0;
};

}  // namespace varve::wal
