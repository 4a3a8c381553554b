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

#include "item/change.h"
#include "item/requests.h"
#include "item/table.h"

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

// Of a page that took `units`; from an index (null: from the table), with items fetched from the
// table for another `table_units`.
inline std::optional<ConsumedCapacity> Capacity(ReturnConsumedCapacity asked, const Table& table,
                                                const Index* index, double units,
                                                double table_units) {
  if (index == nullptr) return Capacity(asked, table.description.table_name, units);
  std::optional<ConsumedCapacity> capacity =
      Capacity(asked, table.description.table_name, units + table_units);
  if (asked != ReturnConsumedCapacity::kIndexes) return capacity;
  capacity->table_capacity_units = table_units;
  auto& of_indexes = index->global ? capacity->global_index_units : capacity->local_index_units;
  of_indexes.emplace_back(index->name, units);
  return capacity;
}

// Of writes to one table.
inline std::optional<ConsumedCapacity> Capacity(ReturnConsumedCapacity asked, const Table& table,
                                                const ChangeCost& cost) {
  std::optional<ConsumedCapacity> capacity =
      Capacity(asked, table.description.table_name, cost.total());
  if (asked != ReturnConsumedCapacity::kIndexes) return capacity;
  capacity->table_capacity_units = cost.table_units;
  for (size_t i = 0; i < cost.index_units.size(); ++i) {
    if (cost.index_units[i] == 0) continue;
    const Index& index = table.indexes[i];
    auto& units = index.global ? capacity->global_index_units : capacity->local_index_units;
    units.emplace_back(index.name, cost.index_units[i]);
  }
  return capacity;
}

}  // namespace varve::item
