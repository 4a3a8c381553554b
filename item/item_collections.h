// Item collections: of a table with local secondary indexes, everything under one partition key, in
// the table and in those indexes. The service tells their size with a write that asks for it, and
// refuses to let one grow beyond 10 GB.
//
// Sizes are the engine's estimate of the bytes in the collection's ranges, memtables counted whole.
// Since an estimate costs about as much as a write, only some writes look at the size of their
// collection; those that come close to the limit are remembered, and looked at with every write.
// Thread-safe.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/status.h"
#include "engine/db.h"
#include "item/change.h"
#include "item/requests.h"
#include "item/table.h"

namespace varve::item {

class ItemCollections {
 public:
  // `db` must outlive this. No collection may grow beyond `bytes_max`.
  ItemCollections(const engine::Db& db, uint64_t bytes_max) : db_(db), bytes_max_(bytes_max) {}

  // Of the collection of `item`, which has at least the table's key. Nothing if the table has no
  // local indexes.
  std::optional<ItemCollectionMetrics> Metrics(const Table& table, const ItemView& item) const;
  // Of each collection that one of `items` is in, once.
  std::vector<ItemCollectionMetrics> MetricsOfAll(const Table& table,
                                                  const std::vector<ItemView>& items) const;

  // ItemCollectionSizeLimitExceededException if the change, whose old item is known if the table
  // has indexes, would make a collection grow that is full.
  Status CheckGrowth(const Change& change);

 private:
  // Every so many writes one looks at the size of its collection.
  static constexpr uint64_t kWritesBetweenLooks = 64;
  // How many collections near the limit are remembered; beyond it they are only seen by chance.
  static constexpr size_t kNearLimitMax = 4096;

  uint64_t Bytes(const Table& table, const ItemView& item) const;

  const engine::Db& db_;
  const uint64_t bytes_max_;
  // Both are only hints, so their order among other accesses doesn't matter (relaxed).
  std::atomic<uint64_t> writes_{0};
  std::atomic<size_t> near_limit_count_{0};
  absl::Mutex mutex_;
  absl::flat_hash_set<uint64_t> near_limit_ ABSL_GUARDED_BY(mutex_);  // hashes of ranges
};

}  // namespace varve::item
