// One record in memory: written into a buffer or a mapping, and recognised in a segment's bytes.
#pragma once

#include <cstring>
#include <span>
#include <string_view>

#include "wal/format.h"

namespace varve::wal {

// What the records of one segment have in common.
struct RecordContext {
  explicit RecordContext(const SegmentHeader& header)
      : segment(static_cast<uint32_t>(header.number)),
        start_lsn(header.start_lsn),
        bytes(header.bytes),
        seed(RecordSeed(header.database_id, header.number)) {}

  uint32_t segment;
  Lsn start_lsn;
  uint64_t bytes;
  uint64_t seed;
};

namespace internal {

// Fills in the header in front of a payload, and the padding behind it, that stand at `to` already.
inline void SealRecord(char* to, const RecordContext& context, RecordType type, Lsn lsn,
                       SequenceNumber sequence, Lsn durable_lsn, size_t payload_bytes) {
  const size_t record_bytes = RecordBytes(payload_bytes);
  StoreFixed(to + 8, lsn);
  StoreFixed(to + 16, sequence);
  StoreFixed(to + 24, durable_lsn);
  StoreFixed(to + 32, static_cast<uint32_t>(payload_bytes | static_cast<uint32_t>(type) << 28));
  StoreFixed(to + 36, context.segment);
  StoreFixed(to, Checksum({to + 8, record_bytes - 8}, context.seed));
}

}  // namespace internal

// Writes a batch record at `to`, which has room for RecordBytes(payload_bytes) bytes.
inline void WriteBatchRecord(char* to, const RecordContext& context, Lsn lsn,
                             SequenceNumber sequence, Lsn durable_lsn,
                             std::span<const std::string_view> payload, size_t payload_bytes) {
  char* p = to + kRecordHeaderBytes;
  for (const std::string_view part : payload) {
    if (part.empty()) continue;
    std::memcpy(p, part.data(), part.size());
    p += part.size();
  }
  std::memset(p, 0, static_cast<size_t>(to + RecordBytes(payload_bytes) - p));
  internal::SealRecord(to, context, RecordType::kBatch, lsn, sequence, durable_lsn, payload_bytes);
}

// Writes a record of zeros at `to`, which lies at `lsn`, up to the end of the page; only zeros if
// there is no room for a header. Nothing if a page begins here.
inline void FillPage(char* to, const RecordContext& context, RecordType type, Lsn lsn,
                     Lsn durable_lsn) {
  const size_t left = static_cast<size_t>(io::PageCeiling(lsn) - lsn);
  if (left == 0) return;
  std::memset(to, 0, left);
  if (left < kRecordHeaderBytes) return;
  internal::SealRecord(to, context, type, lsn, 0, durable_lsn, left - kRecordHeaderBytes);
}

struct ParsedRecord {
  RecordHeader header;
  std::string_view payload;
  size_t bytes = 0;  // with header and padding
};

enum class ParseResult : uint8_t {
  kRecord,
  kIncomplete,  // `bytes` ends within what may be a record: more of the segment is needed
  kBad,
};

// Whether `offset` could begin a record, by its LSN and segment number alone. There are at least
// kRecordHeaderBytes at `p`.
inline bool LooksLikeRecord(const char* p, const RecordContext& context, uint64_t offset) {
  return LoadU64(p + 8) == context.start_lsn + offset && LoadU32(p + 36) == context.segment;
}

// Parses the record at `offset` of a segment whose first bytes.size() bytes are `bytes`. `offset`
// is a multiple of 8, and SkipBytes(offset) is 0.
ParseResult ParseRecord(std::string_view bytes, uint64_t offset, const RecordContext& context,
                        ParsedRecord* record);

}  // namespace varve::wal
