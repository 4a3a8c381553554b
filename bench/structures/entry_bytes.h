// How the structures measured here lay out an entry in an arena, and a place in the order of
// entries.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/coding.h"
#include "base/entry.h"

namespace varve::bench {

inline constexpr size_t kEntryHeaderBytes = 14;

inline std::string_view KeyOf(const char* entry) {
  const uint32_t lengths = LoadU32(entry + 8);
  const size_t key_bytes = LoadU16(entry + 12) | (lengths >> 27 & 1) << 16;
  return {entry + kEntryHeaderBytes, key_bytes};
}
inline SequenceNumber SequenceOf(const char* entry) { return LoadU64(entry); }

inline Entry DecodeEntry(const char* entry) {
  const uint32_t lengths = LoadU32(entry + 8);
  const std::string_view key = KeyOf(entry);
  return {.key = key,
          .sequence = SequenceOf(entry),
          .kind = static_cast<EntryKind>(lengths >> 25 & 3),
          .value = {key.data() + key.size(), lengths & ((1u << 25) - 1)}};
}

// `bytes` holds kEntryHeaderBytes + key + value.
inline void EncodeEntry(const Entry& entry, char* bytes) {
  StoreFixed<uint64_t>(bytes, entry.sequence);
  StoreFixed<uint32_t>(
      bytes + 8, static_cast<uint32_t>(entry.value.size() | static_cast<size_t>(entry.kind) << 25 |
                                       (entry.key.size() >> 16 & 1) << 27));
  StoreFixed<uint16_t>(bytes + 12, static_cast<uint16_t>(entry.key.size()));
  char* const key = bytes + kEntryHeaderBytes;
  std::memcpy(key, entry.key.data(), entry.key.size());
  // An empty view may have no address.
  if (!entry.value.empty()) {
    std::memcpy(key + entry.key.size(), entry.value.data(), entry.value.size());
  }
}

// A place in the order of entries.
struct Target {
  std::string_view key;
  SequenceNumber sequence;

  // < 0 if `entry` comes before this place, 0 if it is this place.
  int OrderOf(const char* entry) const {
    return CompareEntries(KeyOf(entry), SequenceOf(entry), key, sequence);
  }
};

}  // namespace varve::bench
