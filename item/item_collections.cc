#include "item/item_collections.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cmath>

#include "base/checksum.h"
#include "item/errors.h"
#include "item/index_entry.h"
#include "item/keys.h"

namespace varve::item {
namespace {

bool HasLocalIndexes(const Table& table) {
  return std::any_of(table.indexes.begin(), table.indexes.end(),
                     [](const Index& index) { return !index.global; });
}

expression::KeyRange PartitionOf(const Table& table, const ItemView& item) {
  expression::KeyRange range;
  range.partition.push_back(item.Find(table.key.partition.name).value_or(ValueView()));
  return range;
}

}  // namespace

uint64_t ItemCollections::Bytes(const Table& table, const ItemView& item) const {
  const expression::KeyRange partition = PartitionOf(table, item);
  const KeyBounds items = BoundsOf(table.key_space, partition);
  uint64_t bytes = db_.ApproximateBytes(items.begin, items.end);
  for (const Index& index : table.indexes) {
    if (index.global) continue;
    const KeyBounds entries = BoundsOf(index, partition);
    bytes += db_.ApproximateBytes(entries.begin, entries.end);
  }
  return bytes;
}

std::optional<ItemCollectionMetrics> ItemCollections::Metrics(const Table& table,
                                                              const ItemView& item) const {
  if (!HasLocalIndexes(table)) return std::nullopt;
  ItemCollectionMetrics metrics;
  ValueBuilder key;
  key.BeginMap();
  const std::string& name = table.key.partition.name;
  key.Name(name).Copy(item.Find(name).value_or(ValueView()));
  key.EndMap();
  metrics.item_collection_key = Item(key.Finish());
  constexpr double kGigabyte = 1 << 30;
  metrics.size_gb_min = std::floor(static_cast<double>(Bytes(table, item)) / kGigabyte);
  metrics.size_gb_max = metrics.size_gb_min + 1;
  return metrics;
}

std::vector<ItemCollectionMetrics> ItemCollections::MetricsOfAll(
    const Table& table, const std::vector<ItemView>& items) const {
  std::vector<ItemCollectionMetrics> all;
  absl::flat_hash_set<std::string> seen;
  for (const ItemView& item : items) {
    std::optional<ItemCollectionMetrics> metrics = Metrics(table, item);
    if (!metrics) return all;
    if (seen.insert(metrics->item_collection_key.encoded()).second) {
      all.push_back(*std::move(metrics));
    }
  }
  return all;
}

Status ItemCollections::CheckGrowth(const Change& change) {
  if (!change.new_item || !HasLocalIndexes(*change.table)) return absl::OkStatus();
  const uint64_t write = writes_.fetch_add(1, std::memory_order_relaxed);
  const bool any_near = near_limit_count_.load(std::memory_order_relaxed) > 0;
  if (!any_near && write % kWritesBetweenLooks != 0) return absl::OkStatus();

  const KeyBounds range =
      BoundsOf(change.table->key_space, PartitionOf(*change.table, *change.new_item));
  const uint64_t hash = Hash(range.begin);
  if (write % kWritesBetweenLooks != 0) {
    absl::ReaderMutexLock lock(&mutex_);
    if (!near_limit_.contains(hash)) return absl::OkStatus();
  }
  const uint64_t bytes = Bytes(*change.table, *change.new_item);
  {
    absl::MutexLock lock(&mutex_);
    if (bytes < bytes_max_ - bytes_max_ / 8) {
      near_limit_.erase(hash);
    } else if (near_limit_.size() < kNearLimitMax) {
      near_limit_.insert(hash);
    }
    near_limit_count_.store(near_limit_.size(), std::memory_order_relaxed);
  }
  if (bytes < bytes_max_) return absl::OkStatus();
  const size_t old_bytes = change.old_item ? change.old_item->size_bytes() : 0;
  if (change.new_item->size_bytes() <= old_bytes) return absl::OkStatus();
  return MakeError(ErrorType::kItemCollectionSizeLimitExceededException,
                   "Collection size exceeded.");
}

}  // namespace varve::item
