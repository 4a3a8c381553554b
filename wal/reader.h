// LogReader: replays the chain of segments that an earlier life of the log left on disk.
//
//   LogReader reader(io, directory, database_id, chain, ReadMode::kRecover);
//   LogRecord record;
//   for (;;) {
//     auto more = co_await reader.Fetch();
//     if (!more.ok()) co_return more.status();
//     while (reader.Next(&record)) Apply(record);
//     if (!*more) break;
//   }
//   auto tail = reader.Finish();
//
// The chain ends at the first place where no whole record follows. That is a torn end, unless the
// manifest's seal or the durable LSN in some later record proves that what stood there had been
// durable: then it is corruption, kDataLoss with file and offset. So recovery never loses a record
// silently that anything on disk shows to have been durable, and never returns a wrong one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/io.h"
#include "wal/log.h"

namespace varve::wal {

// What the manifest knows about the log.
struct LogChain {
  SegmentNumber first_segment = 1;
  // In order of segments. Each one's `segment` is reached by the chain or lies before first_segment
  // (and is then ignored).
  std::vector<LogSeal> seals;
};

struct LogRecord {
  SequenceNumber sequence = 0;
  Lsn lsn = 0;
  Lsn end = 0;
  std::string_view payload;  // valid until the next Fetch
};

// How a life of the log ended, and where the next one starts.
struct LogTail {
  SegmentNumber segment = 0;  // where the chain ends
  Lsn end = 0;                // behind the last record
  bool torn = false;          // something had been begun behind it
  // Seal {segment, end, start.segment} in the manifest, and open the log at `start` (start.live:
  // the chain that was read).
  LogStart start;
};

enum class ReadMode : uint8_t {
  kInspect,  // changes nothing on disk
  kRecover,  // what Fetch hands out is durable; needs space for nothing new
};

// Not thread-safe. Nothing may be under way when it is destroyed.
class LogReader {
 public:
  LogReader(io::Io& io, std::string directory, uint64_t database_id, LogChain chain, ReadMode mode);
  ~LogReader();

  // Reads ahead by some megabytes, and when recovering makes durable what it read behind the last
  // seal: what the page cache or a disk's cache kept over the death of a process might not outlive
  // the next power cut. True: call Next until it is false, then Fetch again (there may
  // be no record this time). False: the end was reached; there are no more records. The records
  // that Next has not given yet stay. kDataLoss: corruption. NotFound never: a missing segment is
  // corruption.
  io::Task<StatusOr<bool>> Fetch();

  // The next record that is in memory, in log order.
  bool Next(LogRecord* record);

  // After Fetch returned false.
  StatusOr<LogTail> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// All of it at once, recovering. `callback` may return an error, which ends the replay.
io::Task<StatusOr<LogTail>> ReplayLog(io::Io& io, std::string directory, uint64_t database_id,
                                      LogChain chain,
                                      std::function<Status(const LogRecord&)> callback);

}  // namespace varve::wal
