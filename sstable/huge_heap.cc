#include "sstable/huge_heap.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace varve::sstable {
namespace {

constexpr size_t kLineBytes = 64;
constexpr uint32_t kRuns = HugeHeap::kChunkBytes / HugeHeap::kRunBytes;
constexpr uint32_t kWords = kRuns / 64;
// Of a chunk, taken by its header: no memory handed out begins where a chunk does.
constexpr uint32_t kHeaderRuns = 2;
constexpr uint32_t kAskedRunsMax = kRuns / 2;
// Threads that fill the cache at the same time should rarely meet.
constexpr size_t kHeaps = 4;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kAllFromAllocator = true;
#else
constexpr bool kAllFromAllocator = false;
#endif

class Heap;

// The first runs of a chunk. Guarded by the heap's mutex, but for the owner.
struct Chunk {
  Heap* owner;
  uint32_t place;  // in the heap's list
  uint32_t used;   // runs, the header not counted
  std::array<uint64_t, kWords> taken;

  // The first run at or behind `from` that is (not) taken; kRuns if there is none.
  template <bool kTaken>
  uint32_t Next(uint32_t from) const {
    uint32_t i = from / 64;
    if (i >= kWords) return kRuns;
    uint64_t word = (kTaken ? taken[i] : ~taken[i]) & ~uint64_t{0} << from % 64;
    while (word == 0) {
      if (++i == kWords) return kRuns;
      word = kTaken ? taken[i] : ~taken[i];
    }
    return i * 64 + static_cast<uint32_t>(std::countr_zero(word));
  }
  // Behind the last taken run before `at`.
  uint32_t FreeFrom(uint32_t at) const {
    uint32_t i = at / 64;
    uint64_t word = at % 64 == 0 ? 0 : taken[i] & ((uint64_t{1} << at % 64) - 1);
    while (word == 0) word = taken[--i];  // the header is taken
    return i * 64 + 64 - static_cast<uint32_t>(std::countl_zero(word));
  }
  void Mark(uint32_t from, uint32_t runs, bool value) {
    for (uint32_t i = from, past = from + runs; i < past;) {
      const uint32_t count = std::min(64 - i % 64, past - i);
      const uint64_t mask = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << i % 64;
      taken[i / 64] = value ? taken[i / 64] | mask : taken[i / 64] & ~mask;
      i += count;
    }
  }
};
static_assert(sizeof(Chunk) <= kHeaderRuns * HugeHeap::kRunBytes);

std::atomic<size_t> chunk_bytes{0};

class Heap {
 public:
  char* Allocate(uint32_t runs) {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (free_runs_max_[i] < runs) continue;
      if (char* const memory = AllocateIn(i, runs); memory != nullptr) return memory;
    }
    AddChunk();
    return AllocateIn(chunks_.size() - 1, runs);
  }

  void Free(Chunk& chunk, char* memory, uint32_t runs) {
    absl::MutexLock lock(&mutex_);
    const auto at =
        static_cast<uint32_t>((memory - reinterpret_cast<char*>(&chunk)) / HugeHeap::kRunBytes);
    chunk.Mark(at, runs, false);
    chunk.used -= runs;
    const uint32_t around = chunk.Next<true>(at + runs) - chunk.FreeFrom(at);
    uint16_t& free_runs_max = free_runs_max_[chunk.place];
    free_runs_max = std::max(free_runs_max, static_cast<uint16_t>(around));
    if (chunk.used == 0 && ++empty_ > 1) RemoveChunk(chunk);
  }

 private:
  char* AllocateIn(size_t place, uint32_t runs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Chunk& chunk = *chunks_[place];
    uint32_t longest = 0;
    for (uint32_t from = chunk.Next<false>(0); from < kRuns;) {
      const uint32_t past = chunk.Next<true>(from);
      if (past - from >= runs) {
        if (chunk.used == 0) --empty_;
        chunk.Mark(from, runs, true);
        chunk.used += runs;
        return reinterpret_cast<char*>(&chunk) + from * HugeHeap::kRunBytes;
      }
      longest = std::max(longest, past - from);
      from = chunk.Next<false>(past);
    }
    free_runs_max_[place] = static_cast<uint16_t>(longest);
    return nullptr;
  }

  void AddChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto* const chunk = reinterpret_cast<Chunk*>(HugeHeap::Map(HugeHeap::kChunkBytes));
    chunk->owner = this;
    chunk->place = static_cast<uint32_t>(chunks_.size());
    chunk->Mark(0, kHeaderRuns, true);
    chunks_.push_back(chunk);
    free_runs_max_.push_back(kRuns - kHeaderRuns);
    ++empty_;
    chunk_bytes.fetch_add(HugeHeap::kChunkBytes, std::memory_order_relaxed);
  }

  void RemoveChunk(Chunk& chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint32_t place = chunk.place;
    chunks_[place] = chunks_.back();
    chunks_[place]->place = place;
    free_runs_max_[place] = free_runs_max_.back();
    chunks_.pop_back();
    free_runs_max_.pop_back();
    --empty_;
    HugeHeap::Unmap(reinterpret_cast<char*>(&chunk), HugeHeap::kChunkBytes);
    chunk_bytes.fetch_sub(HugeHeap::kChunkBytes, std::memory_order_relaxed);
  }

  absl::Mutex mutex_;
  std::vector<Chunk*> chunks_ ABSL_GUARDED_BY(mutex_);
  // Of each chunk, a bound of its free runs that follow each other.
  std::vector<uint16_t> free_runs_max_ ABSL_GUARDED_BY(mutex_);
  size_t empty_ ABSL_GUARDED_BY(mutex_) = 0;
};

Heap& ThisThreadsHeap() {
  static auto* const heaps = new std::array<Heap, kHeaps>();
  static std::atomic<size_t> next{0};
  thread_local const size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kHeaps;
  return (*heaps)[mine];
}

uint32_t RunsOf(size_t bytes) {
  return static_cast<uint32_t>((bytes + HugeHeap::kRunBytes - 1) / HugeHeap::kRunBytes);
}

enum class Source { kAllocator, kRuns, kMapped };

Source SourceOf(size_t bytes) {
  if (kAllFromAllocator || bytes < HugeHeap::kRunBytes) return Source::kAllocator;
  return bytes <= kAskedRunsMax * HugeHeap::kRunBytes ? Source::kRuns : Source::kMapped;
}

size_t LineCeiling(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kLineBytes - 1) / kLineBytes * kLineBytes;
}

size_t PageCeiling(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

}  // namespace

char* HugeHeap::Allocate(size_t bytes) {
  switch (SourceOf(bytes)) {
    case Source::kRuns:
      return ThisThreadsHeap().Allocate(RunsOf(bytes));
    case Source::kMapped:
      return Map(bytes);
    default:
      break;
  }
  char* const memory = static_cast<char*>(std::aligned_alloc(kLineBytes, LineCeiling(bytes)));
  if (memory == nullptr) std::abort();
  return memory;
}

void HugeHeap::Free(char* memory, size_t bytes) {
  switch (SourceOf(bytes)) {
    case Source::kRuns: {
      auto& chunk = *reinterpret_cast<Chunk*>(reinterpret_cast<uintptr_t>(memory) &
                                              ~uintptr_t{kChunkBytes - 1});
      chunk.owner->Free(chunk, memory, RunsOf(bytes));
      break;
    }
    case Source::kMapped:
      Unmap(memory, bytes);
      break;
    default:
      std::free(memory);
  }
}

size_t HugeHeap::UsedBytes(size_t bytes) {
  if (bytes < kRunBytes) return LineCeiling(bytes);
  return bytes <= kAskedRunsMax * kRunBytes ? RunsOf(bytes) * kRunBytes : PageCeiling(bytes);
}

char* HugeHeap::Map(size_t bytes) {
  const size_t wanted = PageCeiling(bytes);
  const size_t mapped_bytes = wanted + kChunkBytes;
  void* const mapped = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) std::abort();
  char* const start = static_cast<char*>(mapped);
  const size_t head = -reinterpret_cast<uintptr_t>(start) & (kChunkBytes - 1);
  char* const aligned = start + head;
  if (head != 0) munmap(start, head);
  if (head != kChunkBytes) munmap(aligned + wanted, kChunkBytes - head);
  madvise(aligned, wanted, MADV_HUGEPAGE);  // advice: small pages do as well
  return aligned;
}

void HugeHeap::Unmap(char* memory, size_t bytes) { munmap(memory, PageCeiling(bytes)); }

size_t HugeHeap::ChunkBytes() { return chunk_bytes.load(std::memory_order_relaxed); }

}  // namespace varve::sstable
