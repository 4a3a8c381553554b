#include "wal/reader.h"

#include <algorithm>
#include <span>
#include <utility>

#include "wal/record.h"
#include "wal/segment.h"

namespace varve::wal {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;
constexpr size_t kReadsInFlight = 8;

// A segment being read: its header, and its first `filled` bytes.
struct OpenSegment {
  SegmentHeader header;
  std::optional<RecordContext> context;
  std::unique_ptr<io::File> file;
  uint64_t filled = 0;
};

io::Task<void> ReadPiece(io::File& file, std::span<char> into, uint64_t offset, Status& status) {
  const auto read = co_await file.Read(offset, into);
  if (!status.ok()) co_return;
  if (!read.ok()) {
    status = read.status();
  } else if (*read != into.size()) {
    status = Corruption("{}:{}: log segment is cut short", file.path(), offset + *read);
  }
}

bool AllZero(const char* p, size_t bytes) {
  return std::all_of(p, p + bytes, [](char c) { return c == 0; });
}

}  // namespace

struct LogReader::State {
  State(io::Io& io, std::string directory, uint64_t database_id, LogChain chain, ReadMode mode)
      : io(io),
        directory(std::move(directory)),
        database_id(database_id),
        chain(std::move(chain)),
        mode(mode) {}

  // Why Next gave no record.
  enum class Stop : uint8_t {
    kNone,        // it was not asked yet
    kMore,        // more of the segment must be read
    kSegmentEnd,  // the segment's end mark was read
    kSealed,      // the seal was reached
    kBad,         // no record follows
    kEnd,         // the tail is known
  };

  io::Io& io;
  const std::string directory;
  const uint64_t database_id;
  const LogChain chain;
  const ReadMode mode;

  std::vector<SegmentNumber> present;  // *.log, ascending
  std::vector<SegmentInfo> read;       // the chain so far

  OpenSegment current;
  std::unique_ptr<io::BufferRegion> buffer;
  uint64_t at = 0;          // file offset of the next record
  uint64_t read_limit = 0;  // read no further than this
  const LogSeal* seal = nullptr;
  Stop stop = Stop::kNone;
  LogTail tail;
  Status failed;  // what Fetch returned; it stays so

  std::string_view bytes() const { return {buffer->data(), current.filled}; }
  Lsn LsnAt(uint64_t offset) const { return current.header.start_lsn + offset; }
  const std::string& path() const { return current.file->path(); }

  Status Start();
  Status Open(SegmentNumber number);
  bool MustPersist() const;
  io::Task<Status> ReadOn();
  io::Task<Status> Persist(uint64_t from, uint64_t to);
  Status Continue();
  io::Task<Status> Classify();
  std::optional<uint64_t> FindProof(Lsn bad_lsn);
  void EndHere(bool torn);
};

LogReader::LogReader(io::Io& io, std::string directory, uint64_t database_id, LogChain chain,
                     ReadMode mode)
    : state_(
          std::make_unique<State>(io, std::move(directory), database_id, std::move(chain), mode)) {}

LogReader::~LogReader() = default;

Status LogReader::State::Start() {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, io.List(directory));
  for (const std::string& name : names) {
    if (const auto number = SegmentNumberOf(name, ".log")) present.push_back(*number);
  }
  std::sort(present.begin(), present.end());
  return Open(chain.first_segment);
}

Status LogReader::State::Open(SegmentNumber number) {
  if (!std::binary_search(present.begin(), present.end(), number)) {
    return Corruption("{}:0: log segment is missing", SegmentPath(directory, number));
  }
  current = OpenSegment();
  // Direct reads see what the page cache holds of a relaxed segment: the system writes it back
  // first. Ordinary ones do not need to.
  const std::string path = SegmentPath(directory, number);
  io::OpenOptions options;
  options.mode =
      mode == ReadMode::kRecover ? io::OpenOptions::Mode::kReadWrite : io::OpenOptions::Mode::kRead;
  VARVE_ASSIGN_OR_RETURN(current.file, io.Open(path, options));
  VARVE_ASSIGN_OR_RETURN(current.header, ReadSegmentHeader(*current.file, number, database_id));
  if (current.header.medium == Medium::kDurable) {
    options.direct = true;
    VARVE_ASSIGN_OR_RETURN(current.file, io.Open(path, options));
  }
  current.context.emplace(current.header);
  if (buffer == nullptr || buffer->size() < current.header.bytes) {
    buffer = nullptr;
    buffer = io.AllocateBuffers(current.header.bytes);
  }
  at = kSegmentHeaderBytes;
  seal = nullptr;
  for (const LogSeal& candidate : chain.seals) {
    if (candidate.segment == number) seal = &candidate;
  }
  read_limit = current.header.bytes;
  if (seal != nullptr) {
    if (seal->end < current.header.first_record_lsn() || seal->end > current.header.end_lsn()) {
      return Corruption("{}: the log's seal at {} lies outside the segment [{}, {})", path,
                        seal->end, current.header.start_lsn, current.header.end_lsn());
    }
    read_limit = io::PageCeiling(seal->end - current.header.start_lsn);
  }
  return absl::OkStatus();
}

// Whether nothing on disk says yet that the current segment is durable.
bool LogReader::State::MustPersist() const {
  return mode == ReadMode::kRecover &&
         (chain.seals.empty() || chain.seals.back().segment < current.header.number);
}

// Reads the next pieces of the current segment.
io::Task<Status> LogReader::State::ReadOn() {
  const uint64_t from = current.filled;
  Status status;
  io::TaskGroup group;
  uint64_t to = current.filled;
  for (size_t i = 0; i < kReadsInFlight && to < read_limit; ++i) {
    const size_t length = static_cast<size_t>(std::min<uint64_t>(kReadBytes, read_limit - to));
    group.Add(ReadPiece(*current.file, {buffer->data() + to, length}, to, status));
    to += length;
  }
  co_await group.Wait();
  if (status.ok() && MustPersist()) status = co_await Persist(from, to);
  if (status.ok()) current.filled = to;
  co_return status;
}

// Makes the bytes read from [from, to) of the current segment durable. Those of the page cache are
// written again, as they are: if an earlier sync failed, the system calls pages clean that never
// reached the disk, and a sync alone would succeed and do nothing.
io::Task<Status> LogReader::State::Persist(uint64_t from, uint64_t to) {
  if (current.header.medium == Medium::kRelaxed) {
    for (uint64_t offset = from; offset < to; offset += kReadBytes) {
      const size_t bytes = static_cast<size_t>(std::min<uint64_t>(kReadBytes, to - offset));
      Status written =
          co_await current.file->Write(offset, {buffer->data() + offset, bytes}, nullptr);
      if (!written.ok()) co_return written;
    }
  }
  co_return co_await current.file->Sync();
}

bool LogReader::Next(LogRecord* record) {
  State& s = *state_;
  if (s.stop != State::Stop::kNone) return false;
  if (s.current.file == nullptr) {
    s.stop = State::Stop::kMore;
    return false;
  }
  while (true) {
    if (s.seal != nullptr && s.LsnAt(s.at) >= s.seal->end) {
      s.stop = State::Stop::kSealed;
      return false;
    }
    const size_t skip = SkipBytes(s.at);
    const uint64_t offset = s.at + skip;
    if (offset > s.current.filled && s.current.filled < s.read_limit) {
      s.stop = State::Stop::kMore;
      return false;
    }
    if (skip != 0 && !AllZero(s.bytes().data() + s.at, skip)) {
      s.stop = State::Stop::kBad;
      return false;
    }
    if (s.seal != nullptr && s.LsnAt(offset) >= s.seal->end) {
      s.stop = State::Stop::kSealed;
      return false;
    }
    ParsedRecord parsed;
    ParseResult result = ParseRecord(s.bytes(), offset, *s.current.context, &parsed);
    if (result == ParseResult::kIncomplete) {
      s.stop = s.current.filled < s.read_limit ? State::Stop::kMore : State::Stop::kBad;
      return false;
    }
    const bool behind_seal = result == ParseResult::kRecord && s.seal != nullptr &&
                             s.LsnAt(offset + parsed.bytes) > s.seal->end;
    if (result == ParseResult::kBad || behind_seal) {
      s.stop = State::Stop::kBad;
      return false;
    }
    s.at = offset + parsed.bytes;
    switch (parsed.header.type()) {
      case RecordType::kPad:
        continue;
      case RecordType::kSegmentEnd:
        s.stop = s.seal != nullptr && s.LsnAt(s.at) >= s.seal->end ? State::Stop::kSealed
                                                                   : State::Stop::kSegmentEnd;
        return false;
      case RecordType::kBatch:
        record->sequence = parsed.header.sequence;
        record->lsn = s.LsnAt(offset);
        record->end = s.LsnAt(s.at);
        record->payload = parsed.payload;
        return true;
    }
  }
}

// The current segment has been read to its end: opens what follows it.
Status LogReader::State::Continue() {
  const SegmentInfo info = {current.header.number, current.header.start_lsn, current.header.bytes};
  if (stop != Stop::kSealed && seal != nullptr) {
    return Corruption("{}:{}: log segment ends before its seal at LSN {}", path(), at, seal->end);
  }
  if (stop == Stop::kSealed && seal->next_segment == 0) {
    EndHere(false);
    return absl::OkStatus();
  }
  const SegmentNumber next = stop == Stop::kSealed ? seal->next_segment : info.number + 1;
  const bool sealed = stop == Stop::kSealed;
  read.push_back(info);
  VARVE_RETURN_IF_ERROR(Open(next));
  if (sealed ? current.header.start_lsn < info.end_lsn()
             : current.header.start_lsn != info.end_lsn()) {
    return Corruption("{}:0: log segment starts at LSN {}, but its predecessor ends at {}", path(),
                      current.header.start_lsn, info.end_lsn());
  }
  stop = Stop::kNone;
  return absl::OkStatus();
}

void LogReader::State::EndHere(bool torn) {
  const SegmentHeader& header = current.header;
  read.push_back({header.number, header.start_lsn, header.bytes});
  tail.segment = header.number;
  tail.end = seal == nullptr ? LsnAt(at) : seal->end;
  tail.torn = torn;
  tail.start.segment = present.back() + 1;
  tail.start.lsn = std::max(tail.start.lsn, header.end_lsn());
  tail.start.live = read;
  stop = Stop::kEnd;
}

// The offset of a whole record in the current segment, behind `at`, that was written when `bad_lsn`
// was durable. Notes whether any whole record is there.
std::optional<uint64_t> LogReader::State::FindProof(Lsn bad_lsn) {
  const std::string_view all = bytes();
  for (uint64_t offset = at; offset + kRecordHeaderBytes <= all.size(); offset += 8) {
    const char* p = all.data() + offset;
    if (!LooksLikeRecord(p, *current.context, offset) || SkipBytes(offset) != 0) continue;
    tail.torn = true;
    // Before the checksum is spent on it.
    if (LoadU64(p + 24) <= bad_lsn) continue;
    ParsedRecord parsed;
    if (ParseRecord(all, offset, *current.context, &parsed) == ParseResult::kRecord) return offset;
  }
  return std::nullopt;
}

// No record stands at `at`: is that the torn end of the log, or damage to what had been durable?
io::Task<Status> LogReader::State::Classify() {
  const std::string bad_path = path();
  const uint64_t skip = SkipBytes(at);
  const bool skip_damaged = skip != 0 && !AllZero(buffer->data() + at, skip);
  const uint64_t bad_offset = skip_damaged ? at : at + skip;
  const Lsn bad_lsn = LsnAt(bad_offset);
  if (seal != nullptr) {
    co_return Corruption("{}:{}: log record is damaged (LSN {}; the log is sealed at {})", bad_path,
                         bad_offset, bad_lsn, seal->end);
  }
  for (const LogSeal& later : chain.seals) {
    if (later.end <= bad_lsn) continue;
    co_return Corruption(
        "{}:{}: log record is damaged (LSN {}; the log is sealed behind it, at {})", bad_path,
        bad_offset, bad_lsn, later.end);
  }
  const auto corruption = [&](uint64_t proof_offset) {
    return Corruption(
        "{}:{}: log record is damaged (LSN {}; the record at {}:{} says it had been durable)",
        bad_path, bad_offset, bad_lsn, path(), proof_offset);
  };
  while (current.filled < current.header.bytes) {
    VARVE_CO_RETURN_IF_ERROR(co_await ReadOn());
  }
  if (const auto proof = FindProof(bad_lsn)) co_return corruption(*proof);
  const uint64_t end = at;
  const SegmentHeader header = current.header;
  std::unique_ptr<io::File> file = std::move(current.file);
  for (const SegmentNumber number : present) {
    if (number <= header.number) continue;
    VARVE_CO_RETURN_IF_ERROR(Open(number));
    read_limit = current.header.bytes;
    while (current.filled < current.header.bytes) {
      VARVE_CO_RETURN_IF_ERROR(co_await ReadOn());
    }
    if (const auto proof = FindProof(bad_lsn)) co_return corruption(*proof);
    tail.start.lsn = std::max(tail.start.lsn, current.header.end_lsn());
  }
  current.header = header;
  current.file = std::move(file);
  at = end;
  EndHere(tail.torn);
  co_return absl::OkStatus();
}

io::Task<StatusOr<bool>> LogReader::Fetch() {
  State& s = *state_;
  Status status = s.failed;
  if (!status.ok()) co_return status;
  switch (s.stop) {
    case State::Stop::kNone:
      if (s.current.file == nullptr) status = s.Start();
      break;
    case State::Stop::kMore:
      if (s.current.file == nullptr) {
        status = s.Start();
      } else {
        status = co_await s.ReadOn();
      }
      if (status.ok()) s.stop = State::Stop::kNone;
      break;
    case State::Stop::kSegmentEnd:
    case State::Stop::kSealed:
      status = s.Continue();
      break;
    case State::Stop::kBad:
      status = co_await s.Classify();
      break;
    case State::Stop::kEnd:
      break;
  }
  if (!status.ok()) {
    s.failed = status;
    co_return status;
  }
  co_return s.stop != State::Stop::kEnd;
}

StatusOr<LogTail> LogReader::Finish() {
  State& s = *state_;
  if (s.stop != State::Stop::kEnd) {
    return FailedPrecondition("{}: the log has not been read to its end", s.directory);
  }
  s.buffer = nullptr;
  s.current.file = nullptr;
  return s.tail;
}

io::Task<StatusOr<LogTail>> ReplayLog(io::Io& io, std::string directory, uint64_t database_id,
                                      LogChain chain,
                                      std::function<Status(const LogRecord&)> callback) {
  LogReader reader(io, std::move(directory), database_id, std::move(chain), ReadMode::kRecover);
  LogRecord record;
  while (true) {
    const auto more = co_await reader.Fetch();
    if (!more.ok()) co_return more.status();
    while (reader.Next(&record)) VARVE_CO_RETURN_IF_ERROR(callback(record));
    if (!*more) break;
  }
  co_return reader.Finish();
}

}  // namespace varve::wal
