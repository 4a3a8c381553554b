#include "memtable/chunk_pool.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "memtable/arena.h"

namespace varve::memtable {

Chunk MapChunk(uint64_t bytes) {
  constexpr uint64_t kAlignment = Arena::kHugePageBytes;
  void* mapped = mmap(nullptr, bytes + kAlignment, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    fmt::print(stderr, "memtable: cannot map memory ({} bytes)\n", bytes);
    std::abort();
  }
  char* const start = static_cast<char*>(mapped);
  const uint64_t head_bytes = -reinterpret_cast<uintptr_t>(start) & (kAlignment - 1);
  char* const aligned = start + head_bytes;
  if (head_bytes != 0) munmap(start, head_bytes);
  if (head_bytes != kAlignment) munmap(aligned + bytes, kAlignment - head_bytes);
  madvise(aligned, bytes, MADV_HUGEPAGE);  // Advice: small pages do as well.
  return {aligned, bytes, 0};
}

void UnmapChunk(const Chunk& chunk) { munmap(chunk.start, chunk.bytes); }

ChunkPool::~ChunkPool() {
  absl::MutexLock lock(&mutex_);
  for (const Chunk& chunk : chunks_) UnmapChunk(chunk);
}

Chunk ChunkPool::Take(uint64_t bytes) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = std::find_if(chunks_.begin(), chunks_.end(),
                                    [&](const Chunk& chunk) { return chunk.bytes == bytes; });
    if (found != chunks_.end()) {
      const Chunk chunk = *found;
      chunks_.erase(found);
      bytes_ -= chunk.resident_bytes;
      return chunk;
    }
  }
  return MapChunk(bytes);
}

void ChunkPool::Give(const Chunk& chunk) {
  {
    absl::MutexLock lock(&mutex_);
    if (bytes_ + chunk.resident_bytes <= bytes_max_) {
      chunks_.push_back(chunk);
      bytes_ += chunk.resident_bytes;
      return;
    }
  }
  UnmapChunk(chunk);
}

uint64_t ChunkPool::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace varve::memtable
