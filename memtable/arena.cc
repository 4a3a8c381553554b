#include "memtable/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace varve::memtable {
namespace {

[[noreturn]] void Die(std::string_view what, uint64_t bytes) {
  fmt::print(stderr, "memtable arena: {} ({} bytes)\n", what, bytes);
  std::abort();
}

// Address space aligned to huge pages, not yet backed by memory.
char* MapHuge(uint64_t bytes) {
  constexpr uint64_t kAlignment = Arena::kHugePageBytes;
  void* mapped = mmap(nullptr, bytes + kAlignment, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) Die("cannot map memory", bytes);
  char* const start = static_cast<char*>(mapped);
  const uint64_t head_bytes = -reinterpret_cast<uintptr_t>(start) & (kAlignment - 1);
  char* const aligned = start + head_bytes;
  if (head_bytes != 0) munmap(start, head_bytes);
  if (head_bytes != kAlignment) munmap(aligned + bytes, kAlignment - head_bytes);
  madvise(aligned, bytes, MADV_HUGEPAGE);  // Advice: small pages do as well.
  return aligned;
}

}  // namespace

Arena::~Arena() {
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    char* const start = chunks_[static_cast<size_t>(chunk)];
    if (start == nullptr) continue;
    if (ChunkBytes(chunk) >= kHugePageBytes) {
      munmap(start, ChunkBytes(chunk));
    } else {
      std::free(start);
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
    bytes_.store(bytes_.load(std::memory_order_relaxed) + (end - counted_end_),
                 std::memory_order_relaxed);
    counted_end_ = end;
  }
  return static_cast<Offset>(start / kUnitBytes);
}

void Arena::AllocateChunk(int chunk) {
  const uint64_t bytes = ChunkBytes(chunk);
  char* start;
  if (bytes >= kHugePageBytes) {
    start = MapHuge(bytes);
    counted_end_ = ChunkStart(chunk);
  } else {
    start = static_cast<char*>(std::aligned_alloc(64, bytes));
    if (start == nullptr) Die("out of memory", bytes);
    bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
    counted_end_ = ChunkStart(chunk) + bytes;
  }
  chunks_[static_cast<size_t>(chunk)] = start;
  chunk_end_ = ChunkStart(chunk) + bytes;
}

}  // namespace varve::memtable
