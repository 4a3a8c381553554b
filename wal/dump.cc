#include "wal/dump.h"

#include <algorithm>
#include <span>

#include "wal/record.h"

namespace varve::wal {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

// Where the next record of this life could begin, at or behind `offset`; the end if nowhere.
uint64_t NextCandidate(std::string_view bytes, uint64_t offset, const RecordContext& context) {
  for (; offset + kRecordHeaderBytes <= bytes.size(); offset += 8) {
    if (SkipBytes(offset) == 0 && LooksLikeRecord(bytes.data() + offset, context, offset)) {
      return offset;
    }
  }
  return bytes.size();
}

void DumpRecords(std::string_view bytes, const SegmentHeader& header,
                 const std::function<void(const DumpedRecord&)>& on_record) {
  const RecordContext context(header);
  bool gap = false;
  uint64_t at = kSegmentHeaderBytes;
  while (at < bytes.size()) {
    DumpedRecord dumped;
    dumped.file_offset = at + SkipBytes(at);
    ParsedRecord parsed;
    if (dumped.file_offset < bytes.size() &&
        ParseRecord(bytes, dumped.file_offset, context, &parsed) == ParseResult::kRecord) {
      dumped.bytes = parsed.bytes;
      dumped.type = parsed.header.type();
      dumped.lsn = parsed.header.lsn;
      dumped.sequence = parsed.header.sequence;
      dumped.durable_lsn = parsed.header.durable_lsn;
      dumped.payload = parsed.payload;
      dumped.behind_gap = gap;
      at = dumped.file_offset + dumped.bytes;
    } else {
      gap = true;
      dumped.file_offset = at;
      const bool damaged = SkipBytes(at) == 0 && NextCandidate(bytes, at, context) == at;
      dumped.state = damaged ? DumpedRecord::State::kDamaged : DumpedRecord::State::kLeftover;
      const uint64_t next = NextCandidate(bytes, at + 8, context);
      dumped.bytes = next - at;
      at = next;
    }
    on_record(dumped);
  }
}

}  // namespace

io::Task<Status> DumpSegment(io::Io& io, std::string path,
                             std::function<void(const SegmentHeader&)> on_header,
                             std::function<void(const DumpedRecord&)> on_record) {
  auto file = io.Open(path, {.mode = io::OpenOptions::Mode::kRead});
  if (!file.ok()) co_return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) co_return size.status();
  if (*size < kSegmentHeaderBytes) {
    co_return Corruption("{}:0: log segment is shorter than its header", path);
  }
  const io::BufferRegion buffer(io::PageCeiling(*size));
  size_t filled = 0;
  while (filled < *size) {
    const size_t length = std::min<size_t>(kReadBytes, *size - filled);
    const auto read = co_await (*file)->Read(filled, {buffer.data() + filled, length});
    if (!read.ok()) co_return read.status();
    if (*read == 0) break;
    filled += *read;
  }
  const std::string_view bytes(buffer.data(), filled);
  const auto header = DecodeSegmentHeader(bytes, path);
  if (!header.ok()) co_return header.status();
  on_header(*header);
  DumpRecords(bytes.substr(0, std::min<uint64_t>(filled, header->bytes)), *header, on_record);
  co_return absl::OkStatus();
}

}  // namespace varve::wal
