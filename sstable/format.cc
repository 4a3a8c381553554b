#include "sstable/format.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "io/file.h"
#include "sstable/compression.h"

namespace varve::sstable {

StatusOr<StoredBlock> OpenStoredBlock(std::string_view stored, uint64_t file_number,
                                      uint64_t offset, const std::string& path) {
  if (stored.size() <= kBlockTrailerBytes) {
    return Corruption("{}:{}: block of {} bytes is too short", path, offset, stored.size());
  }
  const std::string_view guarded = stored.substr(0, stored.size() - 8);
  const uint64_t expected = LoadU64(stored.data() + guarded.size());
  if (Checksum(guarded, PlaceSeed(file_number, offset)) != expected) {
    return Corruption("{}:{}: block checksum mismatch ({} bytes)", path, offset, stored.size());
  }
  StoredBlock block;
  block.payload = guarded.substr(0, guarded.size() - 5);
  const char* trailer = stored.data() + block.payload.size();
  block.type = static_cast<BlockType>(trailer[0]);
  block.raw_bytes = LoadU32(trailer + 1);
  const bool sound = block.raw_bytes <= kBlockBytesMax &&
                     (block.type == BlockType::kZstd ||
                      (block.type == BlockType::kRaw && block.raw_bytes == block.payload.size()));
  if (!sound) {
    return Corruption("{}:{}: block of unknown type {} or size {}", path, offset,
                      static_cast<int>(block.type), block.raw_bytes);
  }
  return block;
}

Status UnpackBlock(const StoredBlock& block, char* to, uint64_t offset, const std::string& path) {
  if (block.type == BlockType::kRaw) {
    std::memcpy(to, block.payload.data(), block.raw_bytes);
    return absl::OkStatus();
  }
  if (!Decompress(block.payload, to, block.raw_bytes)) {
    return Corruption("{}:{}: block does not decompress to its {} bytes", path, offset,
                      block.raw_bytes);
  }
  return absl::OkStatus();
}

StatusOr<std::string_view> OpenSection(std::string_view stored, uint64_t file_number,
                                       uint64_t offset, const std::string& path,
                                       std::string_view what) {
  if (stored.size() < kSectionTrailerBytes) {
    return Corruption("{}:{}: {} is cut short", path, offset, what);
  }
  const std::string_view contents = stored.substr(0, stored.size() - kSectionTrailerBytes);
  const uint64_t expected = LoadU64(stored.data() + contents.size());
  if (Checksum(contents, PlaceSeed(file_number, offset)) != expected) {
    return Corruption("{}:{}: {} checksum mismatch ({} bytes)", path, offset, what, stored.size());
  }
  return contents;
}

std::string Footer::Encode() const {
  std::string bytes;
  AppendU64(bytes, kTableMagic);
  AppendU32(bytes, version);
  AppendU32(bytes, filter_probes);
  AppendU64(bytes, file_number);
  AppendU64(bytes, file_bytes);
  AppendU64(bytes, data_bytes);
  AppendU64(bytes, blocks);
  for (const Section* section : {&filter, &index, &properties}) {
    AppendU64(bytes, section->offset);
    AppendU64(bytes, section->bytes);
  }
  bytes.resize(kFooterBytes - 8);
  AppendU64(bytes, Checksum(bytes));
  return bytes;
}

StatusOr<Footer> Footer::Decode(std::string_view bytes, uint64_t file_bytes,
                                const std::string& path) {
  const uint64_t offset = file_bytes - bytes.size();
  if (bytes.size() != kFooterBytes || file_bytes < io::kPageBytes ||
      file_bytes % io::kPageBytes != 0) {
    return Corruption("{}:0: {} bytes are no table file", path, file_bytes);
  }
  const char* p = bytes.data();
  if (LoadU64(p) != kTableMagic) {
    return Corruption("{}:{}: no table footer (wrong magic number)", path, offset);
  }
  if (Checksum(bytes.substr(0, kFooterBytes - 8)) != LoadU64(p + kFooterBytes - 8)) {
    return Corruption("{}:{}: footer checksum mismatch", path, offset);
  }
  Footer footer;
  footer.version = LoadU32(p + 8);
  if (footer.version != kTableVersion) {
    return Corruption("{}:{}: table version {} is not known; this is {}", path, offset,
                      footer.version, kTableVersion);
  }
  footer.filter_probes = LoadU32(p + 12);
  footer.file_number = LoadU64(p + 16);
  footer.file_bytes = LoadU64(p + 24);
  footer.data_bytes = LoadU64(p + 32);
  footer.blocks = LoadU64(p + 40);
  footer.filter = {LoadU64(p + 48), LoadU64(p + 56)};
  footer.index = {LoadU64(p + 64), LoadU64(p + 72)};
  footer.properties = {LoadU64(p + 80), LoadU64(p + 88)};

  uint64_t past = footer.data_bytes;
  bool sound = footer.file_bytes == file_bytes && past <= offset && footer.blocks > 0;
  for (const Section* section : {&footer.filter, &footer.index, &footer.properties}) {
    sound = sound && section->offset >= past && section->offset <= offset &&
            section->bytes <= offset - section->offset;
    past = section->offset + section->bytes;
  }
  if (!sound || footer.index.bytes == 0 || footer.properties.bytes == 0) {
    return Corruption("{}:{}: footer does not fit a file of {} bytes", path, offset, file_bytes);
  }
  return footer;
}

}  // namespace varve::sstable
