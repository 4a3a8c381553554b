// Filling a new index with the entries of the items that were there before it.
//
// An operation knows the version of the table that it began with, and several versions are known at
// a time. So an index comes in steps, each taken once nobody is left who knows the version before
// the last, as in Rae et al., "Online, Asynchronous Schema Change in F1", VLDB 2013:
//
//   1. UpdateTable adds it to the table, with IndexStatus CREATING: writes take its entries away,
//      and add none, since others, who do not know the index, would leave them behind.
//   2. Once those are gone it is `backfilling`: writes maintain it.
//   3. Once nobody is left who adds no entries, one pass over the items gives each its entry: an
//      item is locked, read again, and its entry is written, so that a write of the same item comes
//      wholly before or wholly after. How far the pass has come is written in the same batch
//      (BackfillKey), and after a restart it goes on from there.
#include <algorithm>
#include <utility>

#include "item/index_entry.h"
#include "item/store.h"

namespace varve::item {
namespace {

// Of one step, in which the items are locked.
constexpr size_t kStepItemsMax = 100;
constexpr size_t kStepBytesMax = size_t{256} << 10;
// After a failure: the disk may be full, say.
constexpr uint64_t kRetryMs = 1000;
constexpr uint64_t kVersionsPollMs = 1;

bool Has(const TablePointer& table, const std::shared_ptr<const void>& index_lease) {
  return table != nullptr &&
         std::any_of(table->indexes.begin(), table->indexes.end(),
                     [&](const Index& index) { return index.lease == index_lease; });
}

// Until nobody knows any of these versions of a table any more.
io::Task<void> WaitUntilGone(std::vector<std::weak_ptr<const Table>> versions,
                             Background* background) {
  for (const std::weak_ptr<const Table>& version : versions) {
    while (!version.expired() && !background->stopping()) {
      co_await background->Sleep(kVersionsPollMs);
    }
  }
}

}  // namespace

io::Task<void> Store::FillIndex(std::string table_name, std::string index_name) {
  std::vector<std::weak_ptr<const Table>> former;
  std::shared_ptr<const void> lease;
  {
    const TablePointer table = catalogue_->Find(table_name);
    const Index* index = table == nullptr ? nullptr : FindIndex(*table, index_name);
    if (index == nullptr || index->readable) co_return;
    former = table->former;
    lease = index->lease;
  }
  Catalogue::Change begin = [&](TableDescription& description) -> Status {
    description.table_status = TableStatus::kActive;
    if (IndexDescription* index = FindIndex(description, index_name)) index->backfilling = true;
    return absl::OkStatus();
  };
  Catalogue::Change end = [&](TableDescription& description) -> Status {
    if (IndexDescription* index = FindIndex(description, index_name)) {
      index->status = IndexStatus::kActive;
      index->backfilling = false;
    }
    return absl::OkStatus();
  };
  bool begun = false;
  std::optional<std::string> position;
  while (!background_.stopping()) {
    co_await WaitUntilGone(std::exchange(former, {}), &background_);
    const TablePointer table = catalogue_->Find(table_name);
    if (!Has(table, lease)) co_return;
    StatusOr<bool> done(false);
    if (!begun) {
      auto changed = co_await catalogue_->Update(table_name, begin);
      begun = changed.ok();
      if (begun) {
        former = (*changed)->former;
      } else {
        done = changed.status();
      }
    } else {
      done = co_await FillIndexStep(*table, *FindIndex(*table, index_name), &position);
    }
    if (done.ok() && *done) {
      auto changed = co_await catalogue_->Update(table_name, end);
      if (changed.ok()) co_return;
      done = changed.status();
    }
    if (done.ok()) {
      co_await io::Yield();
    } else {
      co_await background_.Sleep(kRetryMs);
    }
  }
}

io::Task<StatusOr<bool>> Store::FillIndexStep(const Table& table, const Index& index,
                                              std::optional<std::string>* position) {
  const std::string position_key = BackfillKey(index.key_space);
  if (!*position) {
    engine::PinnedValue noted;
    VARVE_ASSIGN_OR_CO_RETURN(const bool found, co_await Read(position_key, &noted));
    position->emplace(found ? noted.view() : std::string_view());
  }
  const KeyBounds bounds = KeySpaceBounds(table.key_space);
  std::vector<std::string> keys;
  bool done = false;
  {
    engine::IteratorOptions options;
    options.lower_bound = (*position)->empty() ? bounds.begin : **position + '\0';
    options.upper_bound = bounds.end;
    options.fill_cache = false;
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    co_await iterator->SeekToFirstAsync();
    size_t bytes = 0;
    while (iterator->Valid() && keys.size() < kStepItemsMax && bytes < kStepBytesMax) {
      keys.emplace_back(iterator->key());
      bytes += iterator->value().size();
      if (!iterator->StartNext()) co_await iterator->SettleAsync();
    }
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
    done = !iterator->Valid();
  }
  if (keys.empty()) co_return true;

  std::vector<uint64_t> hashes;
  for (const std::string& key : keys) hashes.push_back(KeyLocks::HashOf(key));
  std::vector<KeyLocks::Guard> locks;
  if (options_.skipped_rule != Rule::kBackfillLock) {
    locks = co_await locks_.LockAll(std::move(hashes));
  }
  const std::vector<std::string_view> to_read(keys.begin(), keys.end());
  std::vector<std::optional<engine::PinnedValue>> items;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(to_read, &items));
  engine::WriteBatch batch;
  for (const std::optional<engine::PinnedValue>& value : items) {
    if (!value) continue;
    const ItemView item(value->view());
    std::string entry_key;
    if (!AppendEntryKey(index, item, entry_key)) continue;
    if (index.projects_all()) {
      batch.Put(entry_key, item.encoded());
    } else {
      batch.Put(entry_key, ProjectedItem(index, item).encoded());
    }
  }
  batch.Put(position_key, keys.back());
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
  *position = std::move(keys.back());
  co_return done;
}

}  // namespace varve::item
