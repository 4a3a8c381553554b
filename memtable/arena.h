// Arena: memory that grows and is never given back before its end, addressed by 32-bit offsets.
//
// Chunk 0 is 4 KiB; every further chunk is as large as all the offsets before it (4 KiB, 8 KiB, 16
// KiB,
// ...), so that the chunk of an offset is the position of its highest bit and a table of a few
// pointers serves any size. Nothing is allocated before the first use. A request that does not fit
// into the rest of a chunk moves on to the next chunk that can hold it; chunks in between are never
// allocated. Chunks of 2 MiB and more lie on huge pages, come from a ChunkPool and go back there,
// and cost only what has been used of them; smaller ones come from the allocator.
//
// One thread allocates at a time. An offset may be resolved by any thread that received it through
// an acquire load of what the allocating thread released.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "memtable/chunk_pool.h"

namespace varve::memtable {

class Arena {
 public:
  // Offsets count units of this many bytes. Offset 0 is never handed out.
  static constexpr size_t kUnitBytes = 4;
  using Offset = uint32_t;

  static constexpr size_t kFirstChunkBytes = 4096;
  static constexpr size_t kHugePageBytes = size_t{2} << 20;
  // The end of the last chunk: offsets have 31 bits.
  static constexpr uint64_t kBytesMax = uint64_t{8} << 30;

  // Takes large chunks from `pool`, which outlives the arena, or without one from the system.
  explicit Arena(ChunkPool* pool = nullptr) : pool_(pool) { chunks_.fill(nullptr); }
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Reserves `bytes` (not 0) aligned to `alignment`, a power of two from kUnitBytes to 64. The
  // memory is not zeroed. Ends the process when kBytesMax is passed: who fills an arena keeps it
  // far below.
  Offset Allocate(size_t bytes, size_t alignment = kUnitBytes);

  char* At(Offset offset) const {
    const uint64_t position = uint64_t{offset} * kUnitBytes;
    const int chunk = std::bit_width(position / kFirstChunkBytes);
    return chunks_[static_cast<size_t>(chunk)] + (position - ChunkStart(chunk));
  }

  // What the arena holds of the machine's memory: chunks from the allocator in full, mapped ones as
  // far as they have been used, in whole huge pages. Any thread.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kChunks = std::bit_width(kBytesMax / kFirstChunkBytes);

  static uint64_t ChunkStart(int chunk) {
    return chunk == 0 ? 0 : uint64_t{kFirstChunkBytes} << (chunk - 1);
  }
  static uint64_t ChunkBytes(int chunk) {
    return chunk == 0 ? uint64_t{kFirstChunkBytes} : ChunkStart(chunk);
  }

  void AllocateChunk(int chunk);
  void NoteResident();
  void AddBytes(uint64_t bytes) {
    bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }

  ChunkPool* const pool_;
  std::array<char*, kChunks> chunks_;
  // Of mapped chunks, but that the current one may have come to more.
  std::array<uint64_t, kChunks> resident_bytes_{};
  uint64_t position_ = 64;    // the next byte to hand out; the first 64 keep offset 0 unused
  uint64_t chunk_end_ = 0;    // where the current chunk ends
  uint64_t counted_end_ = 0;  // up to where bytes_ counts the current chunk
  std::atomic<size_t> bytes_{0};
};

}  // namespace varve::memtable
