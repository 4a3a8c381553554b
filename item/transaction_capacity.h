// What transactions cost.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "item/capacity.h"
#include "item/change.h"
#include "item/requests.h"
#include "item/table.h"

namespace varve::item {

// The service does everything twice: once to prepare, once to commit.
inline constexpr double kTransactionUnitsFactor = 2;

// Capacity of the tables of a transaction, in the order in which they come first.
class CapacityOfTables {
 public:
  CapacityOfTables(ReturnConsumedCapacity asked, ConsumedCapacity::Purpose purpose)
      : asked_(asked), purpose_(purpose) {}

  void Add(const TablePointer& table, const ChangeCost& cost) {
    if (asked_ == ReturnConsumedCapacity::kNone) return;
    for (auto& [known, sum] : costs_) {
      if (known->key_space != table->key_space) continue;
      sum += cost;
      return;
    }
    costs_.emplace_back(table, cost);
  }

  std::vector<ConsumedCapacity> Finish() const {
    std::vector<ConsumedCapacity> capacities;
    for (const auto& [table, cost] : costs_) {
      ConsumedCapacity capacity = *Capacity(asked_, *table, cost);
      capacity.purpose = purpose_;
      capacity.capacity_units *= kTransactionUnitsFactor;
      if (capacity.table_capacity_units) *capacity.table_capacity_units *= kTransactionUnitsFactor;
      for (auto& index : capacity.local_index_units) index.second *= kTransactionUnitsFactor;
      for (auto& index : capacity.global_index_units) index.second *= kTransactionUnitsFactor;
      capacities.push_back(std::move(capacity));
    }
    return capacities;
  }

 private:
  const ReturnConsumedCapacity asked_;
  const ConsumedCapacity::Purpose purpose_;
  std::vector<std::pair<TablePointer, ChangeCost>> costs_;
};

inline ChangeCost ReadCost(const std::optional<ItemView>& item) {
  ChangeCost cost;
  cost.table_units = ReadUnits(item ? item->size_bytes() : 0, /*consistent=*/true);
  return cost;
}

}  // namespace varve::item
