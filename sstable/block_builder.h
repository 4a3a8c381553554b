// BlockBuilder: collects entries and encodes runs of them as data blocks.
//
// A block, before compression:
//
//   u16 restart count
//   u16 common           bytes that all keys of the block have in common; 0 for a single entry
//   u24 values           where the values begin, from the start of the block
//   u8  sequence bytes   0 to 8
//   u64 base sequence    the smallest of the block
//   restart *            one for each restart interval:
//     u16 entry            where its first entry begins, from the first entry of the block
//     u16 value            where that one's value begins, from `values`
//     u32 head             the 4 bytes of its key after the common ones, as a big-endian
//                          number; what is missing counts as zeros
//   entry *              in order:
//     varint shared        bytes of the key that are the previous entry's too; 0 at a restart
//     varint unshared      bytes of the key that follow
//     varint value bytes * 4 + kind
//     sequence - base sequence, in as many bytes as the header says
//     key bytes
//   value *              the bytes of the values, in the order of the entries
//
// The layout is made for a search in memory that is not in the processor's caches: the heads lie
// together at the front, the keys of an interval in two or three lines, and values are not touched
// before the right one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/entry.h"

namespace varve::sstable {

inline constexpr size_t kBlockHeaderBytes = 16;
inline constexpr size_t kRestartBytes = 8;

// Bytes that hold the numbers up to `number`.
inline uint32_t BytesFor(uint64_t number) {
  return number == 0 ? 0 : 8 - static_cast<uint32_t>(__builtin_clzll(number)) / 8;
}

// How many leading bytes two keys share.
inline size_t SharedBytes(std::string_view a, std::string_view b) {
  const size_t bound = std::min(a.size(), b.size());
  size_t i = 0;
  for (; i + 8 <= bound; i += 8) {
    const uint64_t difference = LoadU64(a.data() + i) ^ LoadU64(b.data() + i);
    if (difference != 0) return i + static_cast<size_t>(__builtin_ctzll(difference)) / 8;
  }
  while (i < bound && a[i] == b[i]) ++i;
  return i;
}

// Entries wait here until it is decided how many of them make the next block: that depends on what
// they compress to.
class BlockBuilder {
 public:
  explicit BlockBuilder(uint32_t restart_interval) : restart_interval_(restart_interval) {}

  size_t count() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }

  // Bytes of a block of all entries.
  size_t EncodedBytes() const {
    return kBlockHeaderBytes + entry_bytes_ +
           (empty() ? 0 : count() * BytesFor(sequence_max_ - sequence_min_));
  }
  // The same with one more entry. `shared`: the bytes that its key has in common with the last
  // one's; anything if the builder is empty.
  size_t EncodedBytesWith(const Entry& entry, size_t shared) const;
  size_t EncodedBytesWith(const Entry& entry) const {
    return EncodedBytesWith(entry, SharedWithLast(entry));
  }

  void Add(const Entry& entry, size_t shared);
  void Add(const Entry& entry) { Add(entry, SharedWithLast(entry)); }

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

  size_t SharedWithLast(const Entry& entry) const {
    return empty() ? 0 : SharedBytes(last().key, entry.key);
  }
  // Of an entry with its value and restart, the sequence number not counted.
  static size_t BytesOf(bool restart, size_t shared, size_t key_bytes, size_t value_bytes);

  const uint32_t restart_interval_;
  std::string bytes_;
  std::vector<Pending> entries_;
  size_t entry_bytes_ = 0;
  size_t next_restart_ = 0;  // the position of the next entry that is stored in full
  SequenceNumber sequence_min_ = kSequenceMax;
  SequenceNumber sequence_max_ = 0;
};

// The head of a key: its 4 bytes from `common` on as a number that orders as they do.
inline uint32_t HeadAfter(std::string_view key, size_t common) {
  if (key.size() >= common + 4) return __builtin_bswap32(LoadU32(key.data() + common));
  uint32_t head = 0;
  for (size_t i = common; i < key.size(); ++i) {
    head |= uint32_t{static_cast<uint8_t>(key[i])} << (24 - 8 * (i - common));
  }
  return head;
}

}  // namespace varve::sstable
