// ChunkPool: large chunks of freed memtables, kept for the next ones. The kernel clears every huge
// page it hands out, which takes a writer 0.1 to 0.2 ms at a time; a chunk from here costs nothing.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace varve::memtable {

// Memory mapped in huge pages, `resident_bytes` of which, from the start, the kernel has filled in.
struct Chunk {
  char* start = nullptr;
  uint64_t bytes = 0;
  uint64_t resident_bytes = 0;
};

// A new one; ends the process if the system has no memory.
Chunk MapChunk(uint64_t bytes);
void UnmapChunk(const Chunk& chunk);

// Thread-safe. Outlives the memtables that use it.
class ChunkPool {
 public:
  // Keeps chunks of so many resident bytes together at most, each wholly or not at all.
  explicit ChunkPool(uint64_t bytes_max) : bytes_max_(bytes_max) {}
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // A chunk of exactly `bytes`: one that was given back, or else a new one. Its content is
  // arbitrary.
  Chunk Take(uint64_t bytes);
  void Give(const Chunk& chunk);

  // Resident bytes kept.
  uint64_t bytes() const;

 private:
  const uint64_t bytes_max_;
  mutable absl::Mutex mutex_;
  std::vector<Chunk> chunks_ ABSL_GUARDED_BY(mutex_);
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve::memtable
