// HugeHeap: memory for what stays long and is read at random places: cached blocks and the slots
// that find them, indexes and filters. It lies on huge pages (madvise) as far as the host gives
// any: a read of a place that no processor cache holds then waits for that place alone, and not for
// the page tables too.
//
// Process-wide, thread-safe. Memory is handed out in runs of 512 bytes from chunks of 2 MiB, first
// fit; a chunk that is empty goes back to the system, but for one a heap. Requests of more than
// half a chunk are mapped on their own, those of less than a run come from the allocator. Under the
// address sanitizer all do.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace varve::sstable {

class HugeHeap {
 public:
  static constexpr size_t kRunBytes = 512;
  static constexpr size_t kChunkBytes = size_t{2} << 20;

  // Memory for `bytes`, aligned to a cache line, with unset contents. Ends the process if there is
  // none.
  static char* Allocate(size_t bytes);
  // Gives back what Allocate(bytes) returned.
  static void Free(char* memory, size_t bytes);
  // What Allocate(bytes) takes.
  static size_t UsedBytes(size_t bytes);

  // Zeroed address space on huge pages, which takes memory where it is touched.
  static char* Map(size_t bytes);
  static void Unmap(char* memory, size_t bytes);

  // Held from the system for runs at the moment, in use or not.
  static size_t ChunkBytes();
};

// An array in a HugeHeap. Elements are trivial to destroy, and constructed as T().
template <typename T>
class HugeArray {
 public:
  HugeArray() = default;
  explicit HugeArray(size_t size)
      : data_(size == 0 ? nullptr : reinterpret_cast<T*>(HugeHeap::Allocate(size * sizeof(T)))),
        size_(size) {
    static_assert(alignof(T) <= 64);
    std::uninitialized_value_construct_n(data_, size);
  }
  HugeArray(HugeArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  HugeArray& operator=(HugeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~HugeArray() {
    if (data_ != nullptr) HugeHeap::Free(reinterpret_cast<char*>(data_), size_ * sizeof(T));
  }

  T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) const { return data_[i]; }
  size_t memory_bytes() const { return size_ == 0 ? 0 : HugeHeap::UsedBytes(size_ * sizeof(T)); }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace varve::sstable
