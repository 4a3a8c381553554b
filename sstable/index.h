// The index of a table: for each data block, where it is and a lower bound of its entries.
//
// The bound of block i lies after the last entry of block i-1 and not after the first entry of
// block i. It is a position in entry order: a key prefix with the greatest sequence number if the
// two keys differ (the shortest prefix that still separates them), or else, when versions of one
// key span the blocks, the key with the sequence number below the last one before the cut. The
// bound of block 0 is before everything. So every (key, sequence) belongs to exactly one block, and
// a point read never needs two.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "sstable/format.h"
#include "sstable/huge_heap.h"

namespace varve::sstable {

// Encodes the index:
//
//   varint block count
//   for each block, in file order:
//     varint gap            bytes of padding between the end of the previous block and this one
//     varint stored bytes   with the trailer
//     varint shared         bytes of the bound's key that are the same as the previous bound's
//     varint unshared * 2 + 1 if a sequence number follows, + 0 if it is the greatest
//     key bytes
//     u64 sequence          if said so
class IndexBuilder {
 public:
  // Appends a block. `last` is the entry before its first (nullptr for block 0). Returns the key of
  // its lower bound, valid until the next call.
  std::string_view Add(const BlockPlace& place, const Entry* last, const Entry& first);

  uint64_t blocks() const { return blocks_; }
  std::string Finish() const;
  size_t EstimatedBytes() const { return entries_.size() + 10; }

 private:
  uint64_t blocks_ = 0;
  uint64_t past_previous_ = 0;
  std::string bound_;
  std::string entries_;
};

// The index in memory, laid out for searching: of each bound, the 8 bytes that follow what all
// bounds have in common are kept as a number. Sixteen blocks make a group, with all that a search
// for one of them reads side by side; above the groups stand arrays of every 16th number of the
// array below. The arrays stay in the processor's caches, so a search waits once, for its group.
// Immutable, but for the hints.
class TableIndex {
 public:
  // `contents` is the section without its checksum; `footer` has been checked. Errors name
  // `path` and the section's offset.
  static StatusOr<TableIndex> Parse(std::string_view contents, const Footer& footer,
                                    const std::string& path);

  uint32_t blocks() const { return blocks_; }
  BlockPlace place(uint32_t i) const {
    const uint64_t place = groups_[i / kFan].places[i % kFan];
    return {place >> kStoredBits, static_cast<uint32_t>(place & ((1 << kStoredBits) - 1))};
  }
  std::string_view bound_key(uint32_t i) const {
    return std::string_view(keys_).substr(key_starts_[i], key_starts_[i + 1] - key_starts_[i]);
  }
  SequenceNumber bound_sequence(uint32_t i) const;

  // The only block that may hold the newest version of `key` at or below `sequence`: the last whose
  // bound is not after (key, sequence).
  uint32_t Find(std::string_view key, SequenceNumber sequence) const {
    return Finish(Begin(key), key, sequence);
  }

  // The same in two steps: Begin asks for the memory that Finish reads.
  struct Search {
    uint64_t head = 0;
    uint32_t group = 0;
    int order = 0;  // of the key and what all bounds begin with
  };
  Search Begin(std::string_view key) const;
  uint32_t Finish(const Search& search, std::string_view key, SequenceNumber sequence) const;

  // Where block `i` lay in memory when somebody last found it: to ask for that memory before the
  // cache has said where it is. Never to be read through; nullptr if nobody knows.
  const char* hint(uint32_t i) const {
    return groups_[i / kFan].hints[i % kFan].load(std::memory_order_relaxed);
  }
  void SetHint(uint32_t i, const char* memory) const {
    std::atomic<const char*>& hint = groups_[i / kFan].hints[i % kFan];
    // Most know it already, and leave the line to be shared.
    if (hint.load(std::memory_order_relaxed) != memory) {
      hint.store(memory, std::memory_order_relaxed);
    }
  }

  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kFan = 16;
  static constexpr uint32_t kLevelsMax = 8;  // of 16^7 groups
  // How many bits of a place are the stored bytes; the others are the offset.
  static constexpr uint32_t kStoredBits = 26;
  static_assert(kBlockBytesMax + kBlockTrailerBytes < size_t{1} << kStoredBits);

  struct alignas(64) Group {
    uint64_t heads[kFan];   // of the bounds; the first block's is 0, missing ones are the greatest
    uint64_t places[kFan];  // offset << kStoredBits | stored bytes
    std::atomic<const char*> hints[kFan];
  };

  int CompareBound(uint32_t i, std::string_view key, SequenceNumber sequence) const {
    return CompareEntries(bound_key(i), bound_sequence(i), key, sequence);
  }
  uint32_t FindGroup(uint64_t head) const;
  // The last block of the group whose head is at or below `head`.
  uint32_t FindInGroup(uint32_t group, uint64_t head) const;
  void BuildLevels();

  uint32_t blocks_ = 0;
  uint32_t levels_ = 0;
  // What all bounds but the first start with.
  std::string common_;
  HugeArray<Group> groups_;
  // The arrays above the groups, the lowest first, each filled up to a multiple of kFan with the
  // greatest number.
  HugeArray<uint64_t> heads_;
  uint32_t level_begins_[kLevelsMax] = {};
  std::vector<uint32_t> key_starts_;  // one more than blocks
  std::string keys_;
  // Of the bounds whose sequence number is not the greatest, ascending by block: rare.
  std::vector<std::pair<uint32_t, SequenceNumber>> sequences_;
};

}  // namespace varve::sstable
