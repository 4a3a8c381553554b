// Reading data blocks (drawn in block_builder.h). Nothing here trusts the bytes: a block that does
// not parse is told apart from one that lacks the key, whatever its checksum said.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/coding.h"
#include "base/entry.h"

namespace varve::sstable {

// The parts of a block. Views of the block's bytes.
struct BlockParts {
  const char* restarts = nullptr;
  const char* entries = nullptr;
  const char* values = nullptr;  // where the entries end
  const char* end = nullptr;
  uint32_t restart_count = 0;
  uint32_t common = 0;
  uint32_t sequence_bytes = 0;
  SequenceNumber base = 0;

  // False if `block` is malformed.
  bool Parse(std::string_view block);

  // Where restart `i`'s entry and value are. May lie behind the block's end if that is malformed.
  const char* restart_entry(uint32_t i) const { return entries + LoadU16(restarts + 8 * i); }
  const char* restart_value(uint32_t i) const { return values + LoadU16(restarts + 8 * i + 2); }
  uint32_t restart_head(uint32_t i) const { return LoadU32(restarts + 8 * i + 4); }

  // The sequence number whose bytes begin at `p`, in an entry that was decoded.
  SequenceNumber SequenceAt(const char* p) const {
    uint64_t delta = 0;
    if (end - p >= 8) {
      if (sequence_bytes > 0) delta = LoadU64(p) & ~uint64_t{0} >> (64 - 8 * sequence_bytes);
    } else {
      std::memcpy(&delta, p, sequence_bytes);
    }
    return base + delta;
  }
  // Whether `bytes` bytes of a value lie at `p`.
  bool HoldsValue(const char* p, uint32_t bytes) const {
    return p <= end && bytes <= static_cast<size_t>(end - p);
  }
};

namespace internal {

struct DecodedEntry {
  uint32_t shared;
  uint32_t unshared;
  uint32_t value_bytes;
  EntryKind kind;
  const char* sequence;  // see BlockParts::SequenceAt
  const char* suffix;    // `unshared` bytes of the key
};

// Decodes the entry at `p`, which is not behind the entries. Returns where the next one starts, or
// nullptr if it runs past the entries or has an unknown kind.
[[gnu::always_inline]] inline const char* DecodeEntry(const BlockParts& parts, const char* p,
                                                      DecodedEntry* entry) {
  const char* const end = parts.values;
  uint64_t shared, unshared, value_bytes;
  // What is usual: two numbers of one byte, and one of one or two.
  if (end - p >= 4 && (LoadU16(p) & 0x8080) == 0 && ((p[2] & p[3]) & 0x80) == 0) [[likely]] {
    shared = static_cast<uint8_t>(p[0]);
    unshared = static_cast<uint8_t>(p[1]);
    const uint64_t low = static_cast<uint8_t>(p[2]);
    const bool two = (low & 0x80) != 0;
    value_bytes = two ? (low & 0x7f) | uint64_t{static_cast<uint8_t>(p[3])} << 7 : low;
    p += two ? 4 : 3;
  } else if ((p = LoadVarint(p, end, &shared)) == nullptr ||
             (p = LoadVarint(p, end, &unshared)) == nullptr ||
             (p = LoadVarint(p, end, &value_bytes)) == nullptr) {
    return nullptr;
  }
  const uint64_t kind = value_bytes & 3;
  value_bytes >>= 2;
  const uint64_t left = static_cast<uint64_t>(end - p);
  if (kind > 2 || shared > kKeyBytesMax || parts.sequence_bytes > left ||
      unshared > left - parts.sequence_bytes || value_bytes > kValueBytesMax) {
    return nullptr;
  }
  entry->shared = static_cast<uint32_t>(shared);
  entry->unshared = static_cast<uint32_t>(unshared);
  entry->value_bytes = static_cast<uint32_t>(value_bytes);
  entry->kind = static_cast<EntryKind>(kind);
  entry->sequence = p;
  entry->suffix = p + parts.sequence_bytes;
  return entry->suffix + unshared;
}

}  // namespace internal

enum class BlockSearch : uint8_t { kFound, kAbsent, kMalformed };

// Finds the newest version of `key` not newer than `sequence`. The found entry's value lies in the
// block; its key is `key`. Allocates nothing.
BlockSearch FindInBlock(std::string_view block, std::string_view key, SequenceNumber sequence,
                        Entry* entry);

// A position in a block. The block must stay where it is. Malformed entries end the movement, with
// malformed() true.
//
// Entries are decoded in batches, forward from where the last batch ended or else from a restart,
// so that a step in either direction costs about the same: backward, a restart interval is decoded
// once, not once an entry.
class BlockCursor {
 public:
  BlockCursor() = default;
  BlockCursor(const BlockCursor&) = delete;
  BlockCursor& operator=(const BlockCursor&) = delete;

  // Returns false if the block is malformed. The cursor is not valid before a movement.
  bool Reset(std::string_view block);

  bool valid() const { return valid_; }
  bool malformed() const { return malformed_; }
  // The key may be the cursor's own; it holds until a movement leaves the batch.
  const Entry& entry() const { return batch_[at_]; }
  // The entries around entry() that are decoded: consecutive ones, and at least that one.
  const Entry* batch_begin() const { return batch_; }
  const Entry* batch_end() const { return batch_ + count_; }

  void SeekToFirst();
  void SeekToLast();
  // The first entry at or after (key, sequence).
  void Seek(std::string_view key, SequenceNumber sequence);
  void Next() {
    if (++at_ == count_) NextBatch();
  }
  void Prev() {
    if (at_ == 0) {
      PrevBatch();
    } else {
      --at_;
    }
  }
  // To the first entry behind the batch, and the last one before it.
  void NextBatch();
  void PrevBatch();

 private:
  static constexpr uint32_t kBatchMax = 16;
  static constexpr size_t kKeyBytesInline = 512;
  // Room behind the last key, so that short ones can be copied as 16 bytes.
  static constexpr size_t kKeySlack = 16;

  // Makes restart `i` the place where the next batch begins.
  bool GoToRestart(uint32_t i);
  // Decodes a batch from next_ on, as far as `limit` at most: the entries that fit. False, and
  // malformed, if there is none.
  bool Decode(const char* limit);
  // Decodes all up to `limit`, where an entry begins or the entries end; the batch holds the last.
  void DecodeUpTo(const char* limit);
  // Decodes the entry at next_ into batch_[count_].
  enum class Decoded : uint8_t { kEntry, kNoRoom, kMalformed };
  Decoded DecodeOne();
  void GrowKeys(size_t bytes);
  // Brings restart_ up to `entry`, which lies behind it.
  void FollowRestarts(const char* entry);
  void Malformed();

  BlockParts parts_;
  bool valid_ = false;
  bool malformed_ = false;
  bool short_intervals_ = false;  // two restart intervals fit a batch
  uint32_t at_ = 0;
  uint32_t count_ = 0;
  uint32_t restart_ = 0;         // the batch begins at or behind this restart, and before the next
  const char* begin_ = nullptr;  // the batch's first entry
  const char* next_ = nullptr;   // the entry behind the batch
  const char* next_value_ = nullptr;  // and its value

  // The keys of the batch, one behind the other. The last one, at last_key_, is what the next is
  // decoded from.
  char* keys_ = inline_keys_;
  size_t keys_capacity_ = kKeyBytesInline;
  size_t keys_used_ = 0;
  size_t last_key_ = 0;
  size_t last_key_bytes_ = 0;
  std::unique_ptr<char[]> large_keys_;
  Entry batch_[kBatchMax];
  char inline_keys_[kKeyBytesInline + kKeySlack];
};

}  // namespace varve::sstable
