#include <sys/mman.h>

#include <atomic>
#include <new>

#include "io/file.h"

namespace varve::io {

BufferRegion::BufferRegion(size_t bytes) : size_(PageCeiling(bytes)) {
  // Relaxed: the number only has to be unique.
  static std::atomic<uint64_t> next_id{1};
  id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  void* const memory =
      mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // As with operator new: out of memory ends the process.
  if (memory == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<char*>(memory);
}

BufferRegion::~BufferRegion() { munmap(data_, size_); }

}  // namespace varve::io
