#include "wal/record.h"

namespace varve::wal {

ParseResult ParseRecord(std::string_view bytes, uint64_t offset, const RecordContext& context,
                        ParsedRecord* record) {
  const bool whole_segment = bytes.size() >= context.bytes;
  if (bytes.size() < offset + kRecordHeaderBytes) {
    return whole_segment ? ParseResult::kBad : ParseResult::kIncomplete;
  }
  const char* p = bytes.data() + offset;
  if (!LooksLikeRecord(p, context, offset)) return ParseResult::kBad;
  std::memcpy(&record->header, p, kRecordHeaderBytes);
  const RecordType type = record->header.type();
  const size_t record_bytes = RecordBytes(record->header.payload_bytes());
  if (type != RecordType::kBatch && type != RecordType::kPad && type != RecordType::kSegmentEnd) {
    return ParseResult::kBad;
  }
  if (type != RecordType::kBatch && (offset + record_bytes != io::PageCeiling(offset + 1))) {
    return ParseResult::kBad;
  }
  if (offset + record_bytes > context.bytes) return ParseResult::kBad;
  if (offset + record_bytes > bytes.size()) {
    return whole_segment ? ParseResult::kBad : ParseResult::kIncomplete;
  }
  if (Checksum({p + 8, record_bytes - 8}, context.seed) != record->header.checksum) {
    return ParseResult::kBad;
  }
  record->payload = {p + kRecordHeaderBytes, record->header.payload_bytes()};
  record->bytes = record_bytes;
  return ParseResult::kRecord;
}

}  // namespace varve::wal
