// PageBuffer: page-aligned memory for direct I/O.
#pragma once

#include <cassert>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "io/file.h"

namespace varve::sstable {

class PageBuffer {
 public:
  PageBuffer() = default;
  // `bytes` is a multiple of io::kPageBytes, and not 0. Unset contents.
  explicit PageBuffer(size_t bytes)
      : data_(static_cast<char*>(std::aligned_alloc(io::kPageBytes, bytes))), size_(bytes) {
    assert(bytes > 0 && bytes % io::kPageBytes == 0);
    if (data_ == nullptr) std::abort();
  }
  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PageBuffer() { std::free(data_); }

  char* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<char> span() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace varve::sstable
