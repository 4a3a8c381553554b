// ConsumedCapacity: what an operation costs in DynamoDB's units.
//
// A write costs a unit for every started kilobyte of the larger of the item before and after. A
// read costs one for every started 4 KB of what was read, half of that if it need not be
// consistent. What is not there costs as much as the smallest item.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include "item/requests.h"

namespace varve::item {

inline double WriteUnits(size_t item_bytes) {
  return static_cast<double>(std::max<size_t>(1, (item_bytes + 1023) / 1024));
}

inline double ReadUnits(size_t item_bytes, bool consistent) {
  const size_t units = std::max<size_t>(1, (item_bytes + 4095) / 4096);
  return static_cast<double>(units) / (consistent ? 1 : 2);
}

// In the form that the request asked for; nothing if it didn't.
inline std::optional<ConsumedCapacity> Capacity(ReturnConsumedCapacity asked,
                                                std::string_view table_name, double units) {
  if (asked == ReturnConsumedCapacity::kNone) return std::nullopt;
  ConsumedCapacity capacity;
  capacity.table_name = table_name;
  capacity.capacity_units = units;
  if (asked == ReturnConsumedCapacity::kIndexes) capacity.table_capacity_units = units;
  return capacity;
}

}  // namespace varve::item
