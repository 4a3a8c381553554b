// Entry: one version of one key, the unit that memtables, tables and merges hand to each other.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/coding.h"

namespace varve {

// Hybrid logical time: 48 bits of milliseconds since 1970, 16 bits of counter. 0 is before
// everything.
using SequenceNumber = uint64_t;
inline constexpr SequenceNumber kSequenceMax = ~uint64_t{0};

// Values are part of the log's and the tables' formats.
enum class EntryKind : uint8_t {
  kDelete = 0,        // a tombstone; no value
  kPut = 1,           // the value itself
  kPutReference = 2,  // a reference to the value in a value file
};

// Views into whatever holds the entry.
struct Entry {
  std::string_view key;
  SequenceNumber sequence = 0;
  EntryKind kind = EntryKind::kPut;
  std::string_view value;
};

// The order of entries everywhere: keys as unsigned bytes ascending, then newer before older.
inline int CompareEntries(std::string_view key_a, SequenceNumber sequence_a, std::string_view key_b,
                          SequenceNumber sequence_b) {
  if (const int order = key_a.compare(key_b); order != 0) return order;
  return sequence_a > sequence_b ? -1 : sequence_a < sequence_b ? 1 : 0;
}

// The first 8 bytes of a key as a number; what is missing counts as zeros. Keys with different
// heads stand in the order of their heads.
inline uint64_t KeyHead(std::string_view key) {
  if (key.size() >= 8) return LoadBigU64(key.data());
  uint64_t head = 0;
  for (size_t i = 0; i < key.size(); ++i) {
    head |= uint64_t{static_cast<uint8_t>(key[i])} << (56 - 8 * i);
  }
  return head;
}

inline constexpr size_t kKeyBytesMax = size_t{64} << 10;
inline constexpr size_t kValueBytesMax = size_t{16} << 20;
inline constexpr size_t kBatchBytesMax = size_t{64} << 20;

}  // namespace varve
