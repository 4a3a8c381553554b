#include "io/sim_bytes.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "io/file.h"

namespace varve::io {
namespace {

constexpr uint64_t kBytesMin = 64 << 10;
constexpr char kZeros[kPageBytes] = {};

}  // namespace

SparseBytes::~SparseBytes() {
  if (data_ != nullptr) munmap(data_, capacity_);
}

SparseBytes::SparseBytes(SparseBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      pins_(std::exchange(other.pins_, 0)) {}

SparseBytes& SparseBytes::operator=(SparseBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  std::swap(pins_, other.pins_);
  return *this;
}

void SparseBytes::Reserve(uint64_t bytes) {
  if (bytes <= capacity_) return;
  if (pinned()) {
    std::fprintf(stderr, "simulation: a file grows while it is mapped\n");
    std::abort();
  }
  const uint64_t capacity = std::max({PageCeiling(bytes), capacity_ * 2, kBytesMin});
  void* data = data_ == nullptr ? mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                : mremap(data_, capacity_, capacity, MREMAP_MAYMOVE);
  if (data == MAP_FAILED) std::abort();
  data_ = static_cast<char*>(data);
  capacity_ = capacity;
}

void SparseBytes::Write(uint64_t offset, const char* from, uint64_t size) {
  if (size == 0) return;
  Reserve(offset + size);
  std::memcpy(data_ + offset, from, size);
}

void SparseBytes::ZeroFrom(uint64_t offset) {
  if (offset >= capacity_) return;
  const uint64_t page = PageCeiling(offset);
  std::memset(data_ + offset, 0, page - offset);
  if (page < capacity_) madvise(data_ + page, capacity_ - page, MADV_DONTNEED);
}

void SparseBytes::CopyFrom(const SparseBytes& other, uint64_t size) {
  ZeroFrom(0);
  size = std::min(size, other.capacity_);
  for (uint64_t offset = 0; offset < size; offset += kPageBytes) {
    const uint64_t count = std::min<uint64_t>(kPageBytes, size - offset);
    if (std::memcmp(other.data_ + offset, kZeros, count) != 0) {
      Write(offset, other.data_ + offset, count);
    }
  }
}

}  // namespace varve::io
