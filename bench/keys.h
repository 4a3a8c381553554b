// Keys and values made before the clock starts.
//
// Keys lie one behind the other in the order of their use, on huge pages, so that taking the next
// one costs neither generation nor a cache miss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve::bench {

inline constexpr size_t kKeyBytes = 16;

// A list of keys of kKeyBytes each.
class Keys {
 public:
  // The keys numbered [first, first + count), hashed, that is in random order and all different.
  static Keys Hashed(uint64_t first, uint64_t count);
  // The same numbers as digits, that is in ascending order.
  static Keys Ascending(uint64_t first, uint64_t count);
  // `count` hashed keys chosen uniformly from those numbered [first, first + range).
  static Keys Chosen(uint64_t count, uint64_t first, uint64_t range, uint64_t seed);

  Keys(Keys&& other) noexcept;
  Keys& operator=(Keys&&) = delete;
  ~Keys();

  // Memory that all lists hold together.
  static uint64_t AllocatedBytes();

  uint64_t size() const { return count_; }
  std::string_view operator[](uint64_t i) const { return {data_ + i * kKeyBytes, kKeyBytes}; }

 private:
  explicit Keys(uint64_t count);
  char* At(uint64_t i) { return data_ + i * kKeyBytes; }

  char* data_ = nullptr;
  size_t mapped_bytes_ = 0;
  uint64_t count_ = 0;
};

// Values of one size, cut from a pool of random bytes that fits the second-level cache.
class Values {
 public:
  // `compressible` is the share of a value that repeats what stands before it.
  Values(uint64_t value_bytes, double compressible);
  std::string_view operator[](uint64_t i) const {
    return std::string_view(pool_).substr((i * kStride) % kPoolBytes, value_bytes_);
  }

 private:
  static constexpr size_t kPoolBytes = size_t{256} << 10;
  static constexpr size_t kStride = 113;

  uint64_t value_bytes_;
  std::string pool_;
};

}  // namespace varve::bench
