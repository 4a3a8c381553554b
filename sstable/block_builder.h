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
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/entry.h"
#include "base/shared_bytes.h"

namespace varve::sstable {

inline constexpr size_t kBlockHeaderBytes = 16;
inline constexpr size_t kRestartBytes = 8;

// Bytes that hold the numbers up to `number`.
inline uint32_t BytesFor(uint64_t number) {
  return number == 0 ? 0 : 8 - static_cast<uint32_t>(__builtin_clzll(number)) / 8;
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
  // What one more entry makes of that.
  struct Growth {
    size_t entry_bytes = 0;    // of the entry alone, without its sequence number
    size_t encoded_bytes = 0;  // of a block of all entries and this one
  };
  // `shared`: the bytes that its key has in common with the last one's; anything if the builder is
  // empty.
  Growth GrowthBy(const Entry& entry, size_t shared) const {
    Growth growth;
    growth.entry_bytes =
        BytesOf(count() == next_restart_, shared, entry.key.size(), entry.value.size());
    const SequenceNumber low = std::min(sequence_min_, entry.sequence);
    const SequenceNumber high = std::max(sequence_max_, entry.sequence);
    growth.encoded_bytes = kBlockHeaderBytes + entry_bytes_ + growth.entry_bytes +
                           (count() + 1) * BytesFor(high - low);
    return growth;
  }
  size_t EncodedBytesWith(const Entry& entry) const {
    return GrowthBy(entry, SharedWithLast(entry)).encoded_bytes;
  }

  // `growth`: by this entry, as it would be now.
  void Add(const Entry& entry, size_t shared, const Growth& growth) {
    if (count() == next_restart_) next_restart_ += restart_interval_;
    entry_bytes_ += growth.entry_bytes;
    sequence_min_ = std::min(sequence_min_, entry.sequence);
    sequence_max_ = std::max(sequence_max_, entry.sequence);
    const size_t key_bytes = entry.key.size();
    const size_t value_bytes = entry.value.size();
    if (bytes_.size() - used_ < key_bytes + value_bytes) [[unlikely]] {
      bytes_.resize(2 * bytes_.size() + key_bytes + value_bytes);
    }
    entries_.push_back({used_, static_cast<uint32_t>(key_bytes), static_cast<uint32_t>(value_bytes),
                        static_cast<uint32_t>(shared), entry.kind, entry.sequence});
    char* const to = bytes_.data() + used_;
    // An empty view may have no address.
    if (key_bytes != 0) std::memcpy(to, entry.key.data(), key_bytes);
    if (value_bytes != 0) std::memcpy(to + key_bytes, entry.value.data(), value_bytes);
    used_ += key_bytes + value_bytes;
  }
  void Add(const Entry& entry) {
    const size_t shared = SharedWithLast(entry);
    Add(entry, shared, GrowthBy(entry, shared));
  }

  Entry entry(size_t i) const {
    const Pending& pending = entries_[i];
    const char* key = bytes_.data() + pending.offset;
    return {{key, pending.key_bytes},
            pending.sequence,
            pending.kind,
            {key + pending.key_bytes, pending.value_bytes}};
  }
  Entry last() const { return entry(entries_.size() - 1); }

  // Replaces `to` by a block of the first `count` entries.
  void Encode(size_t count, std::string& to) const;
  // Writes a block of all entries at `to`, which has room for EncodedBytes() and kEncodeSlackBytes
  // more; these are left in any state.
  static constexpr size_t kEncodeSlackBytes = 8;
  void EncodeAll(char* to) const { EncodeAt(count(), to); }
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

  // Returns the end.
  char* EncodeAt(size_t count, char* to) const;

  size_t SharedWithLast(const Entry& entry) const {
    return empty() ? 0 : SharedBytes(last().key, entry.key);
  }
  // Of an entry with its value and restart, the sequence number not counted.
  static size_t BytesOf(bool restart, size_t shared, size_t key_bytes, size_t value_bytes) {
    if (restart) shared = 0;
    // The kind takes the two lowest bits and does not change how many bytes the number has.
    return VarintBytes(shared) + VarintBytes(key_bytes - shared) + VarintBytes(value_bytes * 4) +
           (key_bytes - shared) + value_bytes + (restart ? kRestartBytes : 0);
  }

  const uint32_t restart_interval_;
  std::string bytes_;  // room; the first used_ are keys and values
  size_t used_ = 0;
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
