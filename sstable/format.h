// The parts of the table format that builder and reader share. docs/sstable.md draws the whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/entry.h"
#include "base/status.h"

namespace varve::sstable {

inline constexpr uint64_t kTableMagic = 0x5453535645565241;      // "ARVEVSST"
inline constexpr uint64_t kValueFileMagic = 0x4c41565645565241;  // "ARVEVVAL"
inline constexpr uint32_t kTableVersion = 1;
inline constexpr uint32_t kValueFileVersion = 1;

// The seed of every checksum in a file: what lies at one place of one file is never valid at
// another.
inline uint64_t PlaceSeed(uint64_t file_number, uint64_t offset) {
  return file_number * 0x9e3779b97f4a7c15 ^ offset;
}

// ---- Data blocks as stored: payload, then this trailer:
//   u8  type        0 the block itself, 1 a Zstandard frame of it
//   u32 raw bytes   of the block itself
//   u64 checksum    XXH3 of payload, type and raw bytes, seeded with the payload's place
inline constexpr size_t kBlockTrailerBytes = 13;
enum class BlockType : uint8_t { kRaw = 0, kZstd = 1 };

inline constexpr size_t kBlockRawBytesMax = 32 << 10;  // of a block with more than one entry
inline constexpr size_t kBlockBytesMax = kKeyBytesMax + kValueBytesMax + 4096;  // of any block

struct BlockPlace {
  uint64_t offset = 0;
  uint32_t stored_bytes = 0;  // with the trailer

  bool operator==(const BlockPlace&) const = default;
};

// A stored block whose checksum is right.
struct StoredBlock {
  std::string_view payload;
  BlockType type = BlockType::kRaw;
  uint32_t raw_bytes = 0;
};

// Checks `stored`, a block with its trailer, found at `offset` of file `file_number`; `path` is for
// the error.
StatusOr<StoredBlock> OpenStoredBlock(std::string_view stored, uint64_t file_number,
                                      uint64_t offset, const std::string& path);

// Writes the block itself to `to`, which has room for block.raw_bytes.
Status UnpackBlock(const StoredBlock& block, char* to, uint64_t offset, const std::string& path);

// ---- Filter, index and properties: each a section of bytes, the last 8 of which are the XXH3 of
// the others, seeded with PlaceSeed(file, offset of the section).
inline constexpr size_t kSectionTrailerBytes = 8;

struct Section {
  uint64_t offset = 0;
  uint64_t bytes = 0;  // with the checksum; 0: there is no such section

  bool operator==(const Section&) const = default;
};

// The contents of a section without its checksum, which is verified. `what` names it in the error.
StatusOr<std::string_view> OpenSection(std::string_view stored, uint64_t file_number,
                                       uint64_t offset, const std::string& path,
                                       std::string_view what);

// ---- The footer: the last kFooterBytes of the file.
inline constexpr size_t kFooterBytes = 128;

struct Footer {
  uint32_t version = kTableVersion;
  uint32_t filter_probes = 0;
  uint64_t file_number = 0;
  uint64_t file_bytes = 0;
  uint64_t data_bytes = 0;
  uint64_t blocks = 0;
  Section filter;
  Section index;
  Section properties;

  std::string Encode() const;
  // Parses the last kFooterBytes of a file of `file_bytes`, and checks that the sections lie inside
  // of it in their order.
  static StatusOr<Footer> Decode(std::string_view bytes, uint64_t file_bytes,
                                 const std::string& path);
};

}  // namespace varve::sstable
