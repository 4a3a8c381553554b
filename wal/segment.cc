#include "wal/segment.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace varve::wal {
namespace {

// Zeros are written one such piece at a time: durable commits go to the same disk meanwhile, and
// what stands before them in its queue they wait for. The relaxed medium writes to the page cache.
constexpr size_t kZeroBytesDurable = size_t{256} << 10;
// A large segment takes its time, if it has it: about 100 MB/s, of a disk that gives ten times
// that.
constexpr uint64_t kPacedBytesMin = uint64_t{16} << 20;
constexpr uint64_t kZeroPauseNs = 2'000'000;
constexpr size_t kZeroBytesRelaxed = size_t{8} << 20;
// A log begins with a small segment, so that opening takes no time; the next are this much larger.
constexpr uint64_t kSegmentGrowth = 4;

std::string NumberedPath(const std::string& directory, SegmentNumber number,
                         std::string_view ending) {
  return fmt::format("{}/{:010}{}", directory, number, ending);
}

// Writes zeros to [next, bytes), together with others that share `next`.
// Over all of a segment but its header.
io::Task<Status> WriteZeros(io::File& file, size_t piece_bytes, uint64_t end,
                            const std::function<bool()>& hurry) {
  const io::BufferRegion zeros(static_cast<size_t>(std::min<uint64_t>(piece_bytes, end)));
  for (uint64_t at = kSegmentHeaderBytes; at < end; at += zeros.size()) {
    const size_t length = static_cast<size_t>(std::min<uint64_t>(zeros.size(), end - at));
    Status written = co_await file.Write(at, {zeros.data(), length}, nullptr);
    if (!written.ok()) co_return written;
    if (hurry && end >= kPacedBytesMin && !hurry()) co_await io::SleepFor(kZeroPauseNs);
  }
  co_return absl::OkStatus();
}

// Stores to every page of a mapping, so that no append takes the fault.
void TouchPages(std::span<char> bytes) {
  for (size_t at = 0; at < bytes.size(); at += io::kPageBytes) {
    volatile char* p = bytes.data() + at;
    *p = *p;
  }
}

}  // namespace

std::string SegmentPath(const std::string& directory, SegmentNumber number) {
  return NumberedPath(directory, number, ".log");
}

std::optional<SegmentNumber> SegmentNumberOf(std::string_view name, std::string_view ending) {
  if (name.size() != 10 + ending.size() || !name.ends_with(ending)) return std::nullopt;
  SegmentNumber number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 10, number);
  if (error != std::errc() || end != name.data() + 10) return std::nullopt;
  if (number == 0 || number > kSegmentNumberMax) return std::nullopt;
  return number;
}

StatusOr<SegmentHeader> ReadSegmentHeader(io::File& file, SegmentNumber number,
                                          uint64_t database_id) {
  const io::BufferRegion page(kSegmentHeaderBytes);
  VARVE_ASSIGN_OR_RETURN(const size_t read, file.ReadNow(0, {page.data(), page.size()}));
  VARVE_ASSIGN_OR_RETURN(const SegmentHeader header,
                         DecodeSegmentHeader({page.data(), read}, file.path()));
  if (header.database_id != database_id) {
    return FailedPrecondition("{}: log segment belongs to another database ({:016x}, not {:016x})",
                              file.path(), header.database_id, database_id);
  }
  if (header.number != number) {
    return Corruption("{}:0: log segment header says it is segment {}", file.path(), header.number);
  }
  VARVE_ASSIGN_OR_RETURN(const uint64_t bytes, file.Size());
  if (bytes < header.bytes) {
    return Corruption("{}:{}: log segment is cut short, {} bytes are missing", file.path(), bytes,
                      header.bytes - bytes);
  }
  return header;
}

SegmentFiles::SegmentFiles(io::Io& io, const LogOptions& options)
    : io_(io), options_(options), next_bytes_(options.segment_bytes_first) {}

std::string SegmentFiles::SparePath(SegmentNumber number) const {
  return NumberedPath(options_.directory, number, ".spare");
}

void SegmentFiles::Delete(const std::string& path) {
  if (io_.Remove(path).ok()) ++deleted_;
}

Status SegmentFiles::Recover(const LogStart& start) {
  VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, io_.List(options_.directory));
  const SegmentNumber first_live = start.live.empty() ? start.segment : start.live.front().number;
  for (const std::string& name : names) {
    const std::string path = options_.directory + "/" + name;
    if (SegmentNumberOf(name, ".segment")) {
      Delete(path);
    } else if (const auto log = SegmentNumberOf(name, ".log")) {
      const bool live = std::any_of(start.live.begin(), start.live.end(),
                                    [&](const SegmentInfo& info) { return info.number == *log; });
      if (live) continue;
      if (*log < first_live) {
        Discard({*log, 0, 0});
      } else {
        // Not recycled: a write of the process that died may still be on its way to this file.
        Delete(path);
      }
    } else if (const auto spare = SegmentNumberOf(name, ".spare")) {
      const std::optional<uint64_t> bytes = Reusable(path, *spare);
      if (bytes && spares_.size() < options_.spare_segments_max) {
        spares_.push_back({*spare, *bytes});
      } else {
        Delete(path);
      }
    }
  }
  return absl::OkStatus();
}

// A file with a second name belongs to a checkpoint as well. One of the other medium is not taken:
// pages of its mapping may still be dirty, and would be written over direct writes. A spare one may
// carry the header of the segment it was about to become.
std::optional<uint64_t> SegmentFiles::Reusable(const std::string& path, SegmentNumber number) {
  const auto links = io_.LinkCount(path);
  if (!links.ok() || *links != 1) return std::nullopt;
  const bool direct = options_.medium == Medium::kDurable;
  auto file = io_.Open(path, {.mode = io::OpenOptions::Mode::kRead, .direct = direct});
  if (!file.ok()) return std::nullopt;
  const auto header = ReadSegmentHeader(**file, number, options_.database_id);
  if (!header.ok() || header->medium != options_.medium) return std::nullopt;
  if (header->bytes > options_.segment_bytes_max) return std::nullopt;
  return header->bytes;
}

void SegmentFiles::Discard(const SegmentInfo& segment) {
  const std::string path = SegmentPath(options_.directory, segment.number);
  if (spares_.size() >= options_.spare_segments_max) return Delete(path);
  const std::optional<uint64_t> bytes = Reusable(path, segment.number);
  if (!bytes || *bytes < next_bytes_) return Delete(path);
  if (!io_.Rename(path, SparePath(segment.number)).ok()) return;
  spares_.push_back({segment.number, *bytes});
}

io::Task<StatusOr<std::shared_ptr<Segment>>> SegmentFiles::Make(
    SegmentNumber number, Lsn start_lsn, uint64_t bytes_min, bool fresh,
    const std::function<bool()>& hurry) {
  if (number > kSegmentNumberMax) {
    co_return ResourceExhausted("{}: the log is out of segment numbers", options_.directory);
  }
  SegmentHeader header;
  header.medium = options_.medium;
  header.database_id = options_.database_id;
  header.number = number;
  header.start_lsn = start_lsn;
  header.bytes = std::max(next_bytes_, io::PageCeiling(bytes_min));
  bool made = false;
  if (!fresh) {
    auto recycled = co_await MakeFromSpare(header);
    if (!recycled.ok()) co_return recycled.status();
    made = *recycled;
  }
  if (!made) VARVE_CO_RETURN_IF_ERROR(co_await MakeNew(header, hurry));
  VARVE_CO_RETURN_IF_ERROR(io_.SyncDirectory(options_.directory));
  auto segment = OpenForWriting(header);
  if (!segment.ok()) co_return segment.status();
  next_bytes_ =
      std::min(std::max(next_bytes_, header.bytes) * kSegmentGrowth, options_.segment_bytes_max);
  ++(made ? recycled_ : created_);
  co_return std::move(*segment);
}

// The new header is durable before the new name, so that no name ever shows an old life's header.
io::Task<StatusOr<bool>> SegmentFiles::MakeFromSpare(SegmentHeader& header) {
  while (true) {
    const auto spare = std::find_if(spares_.begin(), spares_.end(), [&](const Spare& candidate) {
      return candidate.bytes >= header.bytes;
    });
    if (spare == spares_.end()) co_return false;
    const std::string path = SparePath(spare->number);
    const uint64_t bytes = spare->bytes;
    spares_.erase(spare);
    const auto links = io_.LinkCount(path);
    if (!links.ok() || *links != 1) {
      Delete(path);
      continue;
    }
    header.bytes = bytes;
    const bool direct = options_.medium == Medium::kDurable;
    auto file = io_.Open(path, {.mode = io::OpenOptions::Mode::kReadWrite, .direct = direct});
    if (!file.ok()) co_return file.status();
    const io::BufferRegion page(kSegmentHeaderBytes);
    EncodeSegmentHeader(header, page.data());
    Status status = co_await (*file)->Write(0, {page.data(), page.size()}, nullptr);
    if (status.ok()) status = co_await (*file)->Sync();
    if (status.ok()) status = io_.Rename(path, SegmentPath(options_.directory, header.number));
    if (!status.ok()) {
      Delete(path);
      co_return status;
    }
    co_return true;
  }
}

io::Task<Status> SegmentFiles::MakeNew(const SegmentHeader& header,
                                       const std::function<bool()>& hurry) {
  const std::string path = NumberedPath(options_.directory, header.number, ".segment");
  const bool direct = options_.medium == Medium::kDurable;
  auto file = io_.Open(path, {.mode = io::OpenOptions::Mode::kReplace, .direct = direct});
  if (!file.ok()) co_return file.status();
  Status status = (*file)->Preallocate(header.bytes);
  if (status.ok()) {
    status = co_await WriteZeros(**file, direct ? kZeroBytesDurable : kZeroBytesRelaxed,
                                 header.bytes, direct ? hurry : nullptr);
  }
  if (status.ok()) {
    const io::BufferRegion page(kSegmentHeaderBytes);
    EncodeSegmentHeader(header, page.data());
    status = co_await (*file)->Write(0, {page.data(), page.size()}, nullptr);
  }
  if (status.ok()) status = co_await (*file)->Sync();
  if (status.ok()) status = io_.Rename(path, SegmentPath(options_.directory, header.number));
  if (!status.ok()) Delete(path);
  co_return status;
}

StatusOr<std::shared_ptr<Segment>> SegmentFiles::OpenForWriting(const SegmentHeader& header) {
  auto segment = std::make_shared<Segment>(header);
  const bool durable = options_.medium == Medium::kDurable;
  io::OpenOptions open;
  open.mode = io::OpenOptions::Mode::kReadWrite;
  open.direct = durable;
  open.durable_writes = durable;
  VARVE_ASSIGN_OR_RETURN(segment->file,
                         io_.Open(SegmentPath(options_.directory, header.number), open));
  if (!durable) {
    VARVE_ASSIGN_OR_RETURN(segment->mapping, segment->file->Map(header.bytes));
    TouchPages(segment->mapping->bytes());
  }
  return segment;
}

}  // namespace varve::wal
