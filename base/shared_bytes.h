// How many leading bytes two keys share.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/coding.h"

namespace varve {

inline size_t SharedBytes(std::string_view a, std::string_view b) {
  const size_t bound = std::min(a.size(), b.size());
  size_t i = 0;
  for (; i + 8 <= bound; i += 8) {
    const uint64_t difference = LoadU64(a.data() + i) ^ LoadU64(b.data() + i);
    if (difference != 0) return i + static_cast<size_t>(std::countr_zero(difference)) / 8;
  }
  while (i < bound && a[i] == b[i]) ++i;
  return i;
}

}  // namespace varve
