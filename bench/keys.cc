#include "bench/keys.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "base/coding.h"
#include "base/random.h"

namespace varve::bench {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

// A bijection on 64 bits (the finalizer of splitmix64), so that hashed keys are all different.
uint64_t Scramble(uint64_t i) {
  i += 0x9e3779b97f4a7c15;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9;
  i = (i ^ (i >> 27)) * 0x94d049bb133111eb;
  return i ^ (i >> 31);
}

// `number` in decimal, with leading zeros and without the digits that do not fit.
void WriteDigits(uint64_t number, char* to, size_t digits) {
  for (size_t i = digits; i-- > 0; number /= 10) to[i] = static_cast<char>('0' + number % 10);
}

void WriteHashed(uint64_t number, char* to) {
  StoreBigU64(to, Scramble(number));
  WriteDigits(number, to + 8, kKeyBytes - 8);
}

std::atomic<uint64_t> allocated_bytes{0};

}  // namespace

uint64_t Keys::AllocatedBytes() { return allocated_bytes.load(); }

Keys::Keys(uint64_t count) : count_(count) {
  mapped_bytes_ = (std::max<size_t>(count * kKeyBytes, 1) + kHugePageBytes - 1) / kHugePageBytes *
                  kHugePageBytes;
  void* const memory =
      mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();  // As an allocation would.
  madvise(memory, mapped_bytes_, MADV_HUGEPAGE);
  data_ = static_cast<char*>(memory);
  allocated_bytes += mapped_bytes_;
}

Keys::Keys(Keys&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      count_(std::exchange(other.count_, 0)) {}

Keys::~Keys() {
  if (data_ == nullptr) return;
  munmap(data_, mapped_bytes_);
  allocated_bytes -= mapped_bytes_;
}

Keys Keys::Hashed(uint64_t first, uint64_t count) {
  Keys keys(count);
  for (uint64_t i = 0; i < count; ++i) WriteHashed(first + i, keys.At(i));
  return keys;
}

Keys Keys::Ascending(uint64_t first, uint64_t count) {
  Keys keys(count);
  for (uint64_t i = 0; i < count; ++i) WriteDigits(first + i, keys.At(i), kKeyBytes);
  return keys;
}

Keys Keys::Chosen(uint64_t count, uint64_t first, uint64_t range, uint64_t seed) {
  Keys keys(count);
  Random random(seed);
  for (uint64_t i = 0; i < count; ++i) WriteHashed(first + random.Below(range), keys.At(i));
  return keys;
}

Values::Values(uint64_t value_bytes, double compressible) : value_bytes_(value_bytes) {
  // Pieces of 64 bytes: random ones, of which the last part repeats one byte.
  constexpr size_t kPiece = 64;
  const size_t fresh = kPiece - static_cast<size_t>(static_cast<double>(kPiece) * compressible);
  Random random(42);
  while (pool_.size() < kPoolBytes + value_bytes) {
    std::string piece(kPiece, 'x');
    for (size_t i = 0; i < fresh; ++i) piece[i] = static_cast<char>(random.Next());
    pool_ += piece;
  }
}

}  // namespace varve::bench
