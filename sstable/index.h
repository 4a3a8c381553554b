// The index of a table: for each data block, where it is and a lower bound of its entries.
//
// The bound of block i lies after the last entry of block i-1 and not after the first entry of
// block i. It is a position in entry order: a key prefix with the greatest sequence number if the
// two keys differ (the shortest prefix that still separates them), or else, when versions of one
// key span the blocks, the key with the sequence number below the last one before the cut. The
// bound of block 0 is before everything. So every (key, sequence) belongs to exactly one block, and
// a point read never needs two.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "sstable/format.h"

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
// bounds have in common are kept in arrays of numbers, with every 16th again in the array above. A
// search touches two cache lines an array, and few keys. Immutable.
class TableIndex {
 public:
  // `contents` is the section without its checksum; `footer` has been checked. Errors name
  // `path` and the section's offset.
  static StatusOr<TableIndex> Parse(std::string_view contents, const Footer& footer,
                                    const std::string& path);

  uint32_t blocks() const { return static_cast<uint32_t>(offsets_.size()); }
  BlockPlace place(uint32_t i) const { return {offsets_[i], stored_bytes_[i]}; }
  std::string_view bound_key(uint32_t i) const {
    return std::string_view(keys_).substr(key_starts_[i], key_starts_[i + 1] - key_starts_[i]);
  }
  SequenceNumber bound_sequence(uint32_t i) const;

  // The only block that may hold the newest version of `key` at or below `sequence`: the last whose
  // bound is not after (key, sequence).
  uint32_t Find(std::string_view key, SequenceNumber sequence) const;

  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kFan = 16;

  int CompareBound(uint32_t i, std::string_view key, SequenceNumber sequence) const {
    return CompareEntries(bound_key(i), bound_sequence(i), key, sequence);
  }
  // How many of heads 1.. are at or below `head`.
  uint32_t CountHeads(uint64_t head) const;

  std::vector<uint64_t> offsets_;
  std::vector<uint32_t> stored_bytes_;
  std::vector<uint32_t> key_starts_;  // one more than blocks
  std::string keys_;
  // Of the bounds whose sequence number is not the greatest, ascending by block: rare.
  std::vector<std::pair<uint32_t, SequenceNumber>> sequences_;
  // What all bounds but the first start with.
  std::string common_;
  // levels_[0] holds the heads of bounds 1.., levels_[n + 1] every kFan-th of levels_[n].
  std::vector<std::vector<uint64_t>> levels_;
};

}  // namespace varve::sstable
