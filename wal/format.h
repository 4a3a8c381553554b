// The bytes of the log. docs/wal.md draws them; this header is the same in code.
//
// A log is a chain of segment files. Position in it is an LSN: bytes since the log's first life
// began, across segments. A segment covers [start_lsn, start_lsn + bytes) and the byte at file
// offset o has LSN start_lsn + o, so that an LSN names a place in a file at once. The next segment
// starts at the LSN where this one's space ends, whether or not it was filled: LSNs grow, with
// gaps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/entry.h"
#include "base/status.h"
#include "io/file.h"

namespace varve::wal {

using Lsn = uint64_t;
using SegmentNumber = uint64_t;  // from 1; below 2^32

enum class Medium : uint32_t { kDurable = 1, kRelaxed = 2 };

// ---- Segment header: the first page of the file.
//
//   offset  bytes
//        0      8  "VARVELOG"
//        8      4  format version, 1
//       12      4  medium
//       16      8  database id
//       24      8  segment number
//       32      8  start LSN
//       40      8  bytes of the segment, this page included; a multiple of 4096
//       48   4040  zeros
//     4088      8  XXH3 of the bytes before it
inline constexpr size_t kSegmentHeaderBytes = io::kPageBytes;
inline constexpr char kSegmentMagic[9] = "VARVELOG";
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr SegmentNumber kSegmentNumberMax = 0xffffffff;

struct SegmentHeader {
  Medium medium = Medium::kDurable;
  uint64_t database_id = 0;
  SegmentNumber number = 0;
  Lsn start_lsn = 0;
  uint64_t bytes = 0;

  Lsn end_lsn() const { return start_lsn + bytes; }
  // Records other than the end mark end here or before.
  Lsn batch_end_lsn() const { return end_lsn() - io::kPageBytes; }
  Lsn first_record_lsn() const { return start_lsn + kSegmentHeaderBytes; }
};

// Writes kSegmentHeaderBytes at `to`.
void EncodeSegmentHeader(const SegmentHeader& header, char* to);
// `page` is the first page of `path`, which errors name. kDataLoss unless it is a header.
StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view page, const std::string& path);

// ---- Record: 8-byte aligned; its header never crosses a page boundary. Where fewer than
// kRecordHeaderBytes are left of a page they are zeros, and the next record begins the next page.
//
//   offset  bytes
//        0      8  XXH3 of everything behind this field up to the end of the padding, seeded by
//                  RecordSeed(database id, segment number)
//        8      8  LSN of this record
//       16      8  sequence number
//       24      8  durable LSN: everything before it was durable when this record was written
//       32      4  bits 0-27 payload bytes, bits 28-31 type
//       36      4  segment number
//       40      n  payload
//     40+n    0-7  zeros, up to a multiple of 8
inline constexpr size_t kRecordHeaderBytes = 40;
inline constexpr size_t kPayloadBytesMax = (size_t{1} << 28) - 4096;

// The last page of a segment is kept for its end mark: other records end before it.
inline constexpr size_t kEndMarkBytes = io::kPageBytes;

enum class RecordType : uint8_t {
  kBatch = 1,       // what Append was given
  kPad = 2,         // zeros up to the end of the page, behind the last record of a group
  kSegmentEnd = 3,  // zeros up to the end of the page; the log goes on in the next segment
};

struct RecordHeader {
  uint64_t checksum;
  Lsn lsn;
  SequenceNumber sequence;
  Lsn durable_lsn;
  uint32_t type_and_bytes;
  uint32_t segment;

  RecordType type() const { return static_cast<RecordType>(type_and_bytes >> 28); }
  size_t payload_bytes() const { return type_and_bytes & 0x0fffffff; }
};
static_assert(sizeof(RecordHeader) == kRecordHeaderBytes);

// Bytes that a record of this payload takes in the log.
inline constexpr size_t RecordBytes(size_t payload_bytes) {
  return (kRecordHeaderBytes + payload_bytes + 7) & ~size_t{7};
}

// Bytes to leave zero at file offset (or LSN) `at` so that a record header fits into the page.
inline constexpr size_t SkipBytes(uint64_t at) {
  const size_t left = io::kPageBytes - at % io::kPageBytes;
  return left < kRecordHeaderBytes ? left : 0;
}

// Bytes of a segment that has room for one record of so many bytes.
inline constexpr uint64_t SegmentBytesFor(size_t record_bytes) {
  return kSegmentHeaderBytes + io::PageCeiling(record_bytes) + kEndMarkBytes;
}

// What an earlier life of a segment, or another database, left behind has another seed.
inline uint64_t RecordSeed(uint64_t database_id, SegmentNumber segment) {
  char bytes[16];
  StoreFixed(bytes, database_id);
  StoreFixed(bytes + 8, segment);
  return Checksum({bytes, sizeof bytes});
}

}  // namespace varve::wal
