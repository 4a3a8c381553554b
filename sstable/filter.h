// A Bloom filter whose probes for one key all lie in one cache line (Putze, Sanders and Singler,
// "Cache-, Hash- and Space-Efficient Bloom Filters", 2007): one memory access a lookup.
//
// A key's hash h = Hash(key) is used so: line = (h >> 32) * lines >> 32; then x = low 32 bits of h,
// and for each probe: bit = x >> 23 (of the line's 512, counted from the lowest bit of its first
// byte), x = x * 0x9e3779b9 mod 2^32.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sstable/huge_heap.h"

namespace varve::sstable {

inline constexpr size_t kFilterLineBytes = 64;

// The probes a key that serve `bits_per_key` best.
uint32_t FilterProbes(uint32_t bits_per_key);

// The filter of all keys with these hashes: a whole number of lines, at least one.
std::string BuildFilter(const std::vector<uint64_t>& hashes, uint32_t bits_per_key);

// A filter in memory. An empty one lets everything through.
class Filter {
 public:
  Filter() = default;
  // Copies `bytes`, a whole number of lines.
  Filter(std::string_view bytes, uint32_t probes);

  bool MayContain(uint64_t hash) const {
    if (lines_ == 0) return true;
    const uint64_t* line =
        data_.data() + ((hash >> 32) * lines_ >> 32) * (kFilterLineBytes / sizeof(uint64_t));
    uint32_t x = static_cast<uint32_t>(hash);
    for (uint32_t i = 0; i < probes_; ++i) {
      const uint32_t bit = x >> 23;
      if ((line[bit / 64] >> (bit % 64) & 1) == 0) return false;
      x *= 0x9e3779b9;
    }
    return true;
  }

  // Asks for the memory that MayContain will look at.
  void Prefetch(uint64_t hash) const {
    if (lines_ == 0) return;
    __builtin_prefetch(data_.data() +
                       ((hash >> 32) * lines_ >> 32) * (kFilterLineBytes / sizeof(uint64_t)));
    // GCC takes a function that only prefetches for one without effects, and drops the call.
    asm volatile("");
  }

  size_t memory_bytes() const { return data_.memory_bytes(); }

 private:
  HugeArray<uint64_t> data_;
  uint64_t lines_ = 0;
  uint32_t probes_ = 0;
};

}  // namespace varve::sstable
