#include "wal/format.h"

#include <cstring>

namespace varve::wal {

void EncodeSegmentHeader(const SegmentHeader& header, char* to) {
  std::memset(to, 0, kSegmentHeaderBytes);
  std::memcpy(to, kSegmentMagic, 8);
  StoreFixed(to + 8, kFormatVersion);
  StoreFixed(to + 12, static_cast<uint32_t>(header.medium));
  StoreFixed(to + 16, header.database_id);
  StoreFixed(to + 24, header.number);
  StoreFixed(to + 32, header.start_lsn);
  StoreFixed(to + 40, header.bytes);
  constexpr size_t kChecked = kSegmentHeaderBytes - 8;
  StoreFixed(to + kChecked, Checksum({to, kChecked}));
}

StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view page, const std::string& path) {
  constexpr size_t kChecked = kSegmentHeaderBytes - 8;
  if (page.size() < kSegmentHeaderBytes) {
    return Corruption("{}:0: log segment is shorter than its header", path);
  }
  const char* p = page.data();
  if (std::memcmp(p, kSegmentMagic, 8) != 0) {
    return Corruption("{}:0: not a log segment", path);
  }
  if (Checksum({p, kChecked}) != LoadU64(p + kChecked)) {
    return Corruption("{}:0: log segment header checksum mismatch", path);
  }
  if (const uint32_t version = LoadU32(p + 8); version != kFormatVersion) {
    return FailedPrecondition("{}: log format version {} is not known here (known: {})", path,
                              version, kFormatVersion);
  }
  SegmentHeader header;
  header.medium = static_cast<Medium>(LoadU32(p + 12));
  header.database_id = LoadU64(p + 16);
  header.number = LoadU64(p + 24);
  header.start_lsn = LoadU64(p + 32);
  header.bytes = LoadU64(p + 40);
  if ((header.medium != Medium::kDurable && header.medium != Medium::kRelaxed) ||
      header.number == 0 || header.number > kSegmentNumberMax ||
      header.bytes < SegmentBytesFor(1) || header.bytes % io::kPageBytes != 0 ||
      header.start_lsn % io::kPageBytes != 0) {
    return Corruption("{}:0: log segment header makes no sense", path);
  }
  return header;
}

}  // namespace varve::wal
