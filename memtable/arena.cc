#include "memtable/arena.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace varve::memtable {
namespace {

[[noreturn]] void Die(std::string_view what, uint64_t bytes) {
  fmt::print(stderr, "memtable arena: {} ({} bytes)\n", what, bytes);
  std::abort();
}

}  // namespace

Arena::~Arena() {
  NoteResident();
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    char* const start = chunks_[static_cast<size_t>(chunk)];
    if (start == nullptr) continue;
    const Chunk mapped = {start, ChunkBytes(chunk), resident_bytes_[static_cast<size_t>(chunk)]};
    if (mapped.bytes < kHugePageBytes) {
      std::free(start);
    } else if (pool_ != nullptr) {
      pool_->Give(mapped);
    } else {
      UnmapChunk(mapped);
    }
  }
}

Arena::Offset Arena::Allocate(size_t bytes, size_t alignment) {
  assert(bytes > 0 && alignment >= kUnitBytes && alignment <= 64);
  uint64_t start = (position_ + alignment - 1) & ~uint64_t{alignment - 1};
  if (start + bytes > chunk_end_) [[unlikely]] {
    int chunk = chunk_end_ == 0 ? 0 : std::bit_width((chunk_end_ - 1) / kFirstChunkBytes) + 1;
    const uint64_t reserved_bytes = chunk == 0 ? position_ : 0;
    while (chunk < kChunks && ChunkBytes(chunk) < bytes + reserved_bytes) ++chunk;
    if (chunk >= kChunks) Die("a memtable is over its bound", kBytesMax);
    AllocateChunk(chunk);
    start = chunk == 0 ? (position_ + alignment - 1) & ~uint64_t{alignment - 1} : ChunkStart(chunk);
  }
  position_ = (start + bytes + kUnitBytes - 1) & ~uint64_t{kUnitBytes - 1};
  if (position_ > counted_end_) [[unlikely]] {
    const uint64_t end = (position_ + kHugePageBytes - 1) & ~uint64_t{kHugePageBytes - 1};
    AddBytes(end - counted_end_);
    counted_end_ = end;
  }
  return static_cast<Offset>(start / kUnitBytes);
}

void Arena::NoteResident() {
  if (chunk_end_ == 0) return;
  const int current = std::bit_width((chunk_end_ - 1) / kFirstChunkBytes);
  uint64_t& resident_bytes = resident_bytes_[static_cast<size_t>(current)];
  resident_bytes = std::max(resident_bytes, counted_end_ - ChunkStart(current));
}

void Arena::AllocateChunk(int chunk) {
  NoteResident();
  const uint64_t bytes = ChunkBytes(chunk);
  char* start;
  if (bytes >= kHugePageBytes) {
    const Chunk taken = pool_ != nullptr ? pool_->Take(bytes) : MapChunk(bytes);
    start = taken.start;
    resident_bytes_[static_cast<size_t>(chunk)] = taken.resident_bytes;
    counted_end_ = ChunkStart(chunk);
  } else {
    start = static_cast<char*>(std::aligned_alloc(64, bytes));
    if (start == nullptr) Die("out of memory", bytes);
    AddBytes(bytes);
    counted_end_ = ChunkStart(chunk) + bytes;
  }
  chunks_[static_cast<size_t>(chunk)] = start;
  chunk_end_ = ChunkStart(chunk) + bytes;
}

}  // namespace varve::memtable
