// BlockBuilder: collects entries and encodes runs of them as data blocks.
//
// A block, before compression:
//
//   u16 restart count
//   u16 common             bytes that all keys of the block have in common; 0 if there is one entry
//   u32 values             where the values begin, from the start of the block
//   u64 base sequence      the first entry's
//   restart *              one for each restart interval:
//     u16 entry            where its first entry begins, from the first entry of the block
//     u16 value            where that one's value begins, from the first value of the block
//     u32 head             the 4 bytes of its key after the common ones, as a big-endian number;
//     what is
//                          missing counts as zeros
//   entry *
//   value *                the bytes of the values, in the order of the entries
//
// and an entry:
//
//   varint shared          bytes of the key that are the same as the previous entry's; 0 at a
//   restart varint unshared        bytes of the key that follow varint value bytes * 4 + kind
//   varint zigzag(sequence - base sequence)
//   key bytes
//
// The layout is made for a search in memory that is not in the processor's caches: the heads lie
// together at the front, the keys of an interval in two or three lines, and values are not touched
// before the right one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"

namespace varve::sstable {

inline constexpr size_t kBlockHeaderBytes = 16;
inline constexpr size_t kRestartBytes = 8;

inline uint64_t ZigZag(uint64_t delta) {
  return (delta << 1) ^ static_cast<uint64_t>(static_cast<int64_t>(delta) >> 63);
}
inline uint64_t UnZigZag(uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

// Entries wait here until it is decided how many of them make the next block: that depends on what
// they compress to.
class BlockBuilder {
 public:
  explicit BlockBuilder(uint32_t restart_interval) : restart_interval_(restart_interval) {}

  size_t count() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // Bytes of a block of all entries.
  size_t EncodedBytes() const { return encoded_bytes_; }
  // The same with one more entry.
  size_t EncodedBytesWith(const Entry& entry) const;

  void Add(const Entry& entry);

  Entry entry(size_t i) const;
  Entry last() const { return entry(entries_.size() - 1); }

  // Replaces `to` by a block of the first `count` entries.
  void Encode(size_t count, std::string& to) const;
  // Drops the first `count` entries.
  void Drop(size_t count);

 private:
  struct Pending {
    size_t offset;  // of the key, then the value, in bytes_
    uint32_t key_bytes;
    uint32_t value_bytes;
    uint32_t shared;  // with the previous entry, restarts not regarded
    EntryKind kind;
    SequenceNumber sequence;
  };

  size_t CostOf(size_t position, uint32_t shared, size_t key_bytes, size_t value_bytes,
                EntryKind kind, SequenceNumber sequence) const;

  const uint32_t restart_interval_;
  std::string bytes_;
  std::vector<Pending> entries_;
  size_t encoded_bytes_ = kBlockHeaderBytes;
};

// How many leading bytes two keys share.
size_t SharedBytes(std::string_view a, std::string_view b);

// The head of a key: its 4 bytes from `common` on as a number that orders as they do.
uint32_t HeadAfter(std::string_view key, size_t common);

}  // namespace varve::sstable
