// Record: an entry in the arena, and the list of versions of one key. Internal to memtable/.
//
//   [u32 older, u32 jump, u32 depth]   only if there is an older version of the key
//   u64  sequence number
//   u32  bits 0-24 length of the value, 25-26 kind, 27 bit 16 of the length of the key,
//        28 whether the first three fields are there
//   u16  bits 0-15 of the length of the key
//   key, value
//
// An offset of a record refers to its sequence number. Records never change once published.
//
// The versions of a key form a list from the newest to the oldest, in which each version also has a
// jump to one far behind it, so that the version at a given sequence number is found in a
// logarithmic number of steps, however often a key is overwritten: the jumps are those of Myers,
// "An applicative random-access stack", Information Processing Letters 17 (1983). Depth counts the
// versions behind one; the oldest jumps to itself.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/coding.h"
#include "base/entry.h"
#include "memtable/arena.h"

namespace varve::memtable {

class Record {
 public:
  static constexpr size_t kLinksBytes = 12;
  static constexpr size_t kHeaderBytes = 14;

  Record(const Arena& arena, Arena::Offset offset)
      : arena_(&arena), offset_(offset), bytes_(arena.At(offset)) {}

  Arena::Offset offset() const { return offset_; }
  SequenceNumber sequence() const { return LoadU64(bytes_); }

  std::string_view key() const {
    return {bytes_ + kHeaderBytes, LoadU16(bytes_ + 12) | (Lengths() >> 27 & 1) << 16};
  }

  Entry Decode() const {
    const std::string_view key = this->key();
    return {.key = key,
            .sequence = sequence(),
            .kind = static_cast<EntryKind>(Lengths() >> 25 & 3),
            .value = {key.data() + key.size(), Lengths() & ((1u << 25) - 1)}};
  }

  // ---- The list of versions
  bool HasOlder() const { return (Lengths() >> 28 & 1) != 0; }
  // If HasOlder().
  Record Older() const { return {*arena_, LoadU32(bytes_ - 12)}; }
  Record Jump() const { return HasOlder() ? Record(*arena_, LoadU32(bytes_ - 8)) : *this; }
  uint32_t depth() const { return HasOlder() ? LoadU32(bytes_ - 4) : 0; }

  // The newest version at or behind this one whose sequence is at most `sequence`; 0 if there is
  // none.
  Arena::Offset FindAtMost(SequenceNumber sequence) const {
    Record version = *this;
    while (version.sequence() > sequence) {
      if (!version.HasOlder()) return 0;
      const Record jump = version.Jump();
      version = jump.sequence() > sequence ? jump : version.Older();
    }
    return version.offset();
  }

  // The oldest version at or behind this one whose sequence is more than `sequence`, as this one's
  // is.
  Arena::Offset FindAbove(SequenceNumber sequence) const {
    Record version = *this;
    while (version.HasOlder()) {
      const Record jump = version.Jump();
      if (jump.sequence() > sequence) {
        version = jump;
        continue;
      }
      const Record older = version.Older();
      if (older.sequence() <= sequence) break;
      version = older;
    }
    return version.offset();
  }

  Arena::Offset Oldest() const {
    Record version = *this;
    while (version.HasOlder()) version = version.Jump();
    return version.offset();
  }

  // Writes `entry`, in front of the version `older` if that is not 0.
  static Arena::Offset New(Arena& arena, const Entry& entry, Arena::Offset older) {
    const size_t links_bytes = older == 0 ? 0 : kLinksBytes;
    const size_t bytes = links_bytes + kHeaderBytes + entry.key.size() + entry.value.size();
    const Arena::Offset start = arena.Allocate(bytes);
    const Arena::Offset offset =
        start + static_cast<Arena::Offset>(links_bytes / Arena::kUnitBytes);
    char* const to = arena.At(start) + links_bytes;
    if (older != 0) {
      const Record behind(arena, older);
      const Record jump = behind.Jump();
      const Record jump_of_jump = jump.Jump();
      const bool equal_spans = behind.depth() - jump.depth() == jump.depth() - jump_of_jump.depth();
      StoreFixed<uint32_t>(to - 12, older);
      StoreFixed<uint32_t>(to - 8, equal_spans ? jump_of_jump.offset() : older);
      StoreFixed<uint32_t>(to - 4, behind.depth() + 1);
    }
    StoreFixed<uint64_t>(to, entry.sequence);
    StoreFixed<uint32_t>(
        to + 8,
        static_cast<uint32_t>(entry.value.size() | static_cast<size_t>(entry.kind) << 25 |
                              (entry.key.size() >> 16 & 1) << 27 | (older == 0 ? 0u : 1u << 28)));
    StoreFixed<uint16_t>(to + 12, static_cast<uint16_t>(entry.key.size()));
    // An empty view may have no address.
    char* const key = to + kHeaderBytes;
    if (!entry.key.empty()) std::memcpy(key, entry.key.data(), entry.key.size());
    if (!entry.value.empty()) {
      std::memcpy(key + entry.key.size(), entry.value.data(), entry.value.size());
    }
    return offset;
  }

 private:
  uint32_t Lengths() const { return LoadU32(bytes_ + 8); }

  const Arena* arena_;
  Arena::Offset offset_;
  const char* bytes_;
};

}  // namespace varve::memtable
