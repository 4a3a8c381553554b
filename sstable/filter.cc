#include "sstable/filter.h"

#include <algorithm>
#include <cstring>

namespace varve::sstable {

uint32_t FilterProbes(uint32_t bits_per_key) {
  // ln 2 of the bits is best for a plain filter; crowding in the lines shifts the best down a
  // little.
  return std::clamp<uint32_t>(static_cast<uint32_t>(bits_per_key * 0.62), 1, 24);
}

std::string BuildFilter(const std::vector<uint64_t>& hashes, uint32_t bits_per_key) {
  const uint64_t line_bits = kFilterLineBytes * 8;
  const uint64_t lines =
      std::max<uint64_t>(1, (hashes.size() * bits_per_key + line_bits - 1) / line_bits);
  const uint32_t probes = FilterProbes(bits_per_key);
  std::string bytes(lines * kFilterLineBytes, '\0');
  for (const uint64_t hash : hashes) {
    char* line = bytes.data() + ((hash >> 32) * lines >> 32) * kFilterLineBytes;
    uint32_t x = static_cast<uint32_t>(hash);
    for (uint32_t i = 0; i < probes; ++i) {
      const uint32_t bit = x >> 23;
      line[bit / 8] = static_cast<char>(line[bit / 8] | 1 << (bit % 8));
      x *= 0x9e3779b9;
    }
  }
  return bytes;
}

Filter::Filter(std::string_view bytes, uint32_t probes)
    : data_(bytes.size() / sizeof(uint64_t)),
      lines_(bytes.size() / kFilterLineBytes),
      probes_(probes) {
  std::memcpy(data_.data(), bytes.data(), bytes.size());
}

}  // namespace varve::sstable
