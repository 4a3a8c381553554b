// UpdateTimeToLive, DescribeTimeToLive, and the tasks behind them: giving the items that were there
// before their entries, and deleting what has expired.
#include <absl/container/flat_hash_set.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "item/change.h"
#include "item/store.h"
#include "item/time_to_live.h"
#include "item/update_table.h"

namespace varve::item {
namespace {

// How soon after a change of a table's setting there may be another.
constexpr uint64_t kChangeIntervalMs = uint64_t{30} * 60 * 1000;

// Of one commit, while which the items are locked.
constexpr size_t kExpiryItemsMax = 25;
// Of one table, before it is the next one's turn.
constexpr int kExpiryStepsMax = 40;
constexpr uint64_t kExpiryPauseMs = 1000;

constexpr size_t kBackfillItemsMax = 500;
constexpr size_t kBackfillBytesMax = size_t{1} << 20;
constexpr uint64_t kRetryMs = 1000;
constexpr uint64_t kVersionsPollMs = 1;

}  // namespace

io::Task<StatusOr<UpdateTimeToLiveResponse>> Store::UpdateTimeToLive(
    const UpdateTimeToLiveRequest& request) {
  const TimeToLiveSpecification& wanted = request.specification;
  const uint64_t now_ms = io_.WallMs();
  Catalogue::Change change = [&wanted, now_ms](TableDescription& table) -> Status {
    // An update is no hindrance.
    if (StatusAt(table, now_ms) != TableStatus::kUpdating) {
      VARVE_RETURN_IF_ERROR(CheckTableAtRest(table, now_ms));
    }
    const bool is_enabled = !table.ttl_attribute.empty();
    if (is_enabled && table.ttl_attribute != wanted.attribute_name) {
      return ValidationError(
          "TimeToLive is active on a different AttributeName: current AttributeName is {}",
          table.ttl_attribute);
    }
    if (is_enabled == wanted.enabled) {
      return ValidationError("TimeToLive is already {}", is_enabled ? "enabled" : "disabled");
    }
    if (table.ttl_changed_ms != 0 && now_ms < table.ttl_changed_ms + kChangeIntervalMs) {
      return ValidationError(
          "Time to live has been modified multiple times within a fixed interval");
    }
    table.ttl_attribute = wanted.enabled ? wanted.attribute_name : "";
    table.ttl_indexed = false;
    table.ttl_changed_ms = now_ms;
    return absl::OkStatus();
  };
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table,
                            co_await catalogue_->Update(request.table_name, std::move(change)));
  CareForTimeToLive(*table);
  UpdateTimeToLiveResponse response;
  response.specification = wanted;
  co_return response;
}

io::Task<StatusOr<DescribeTimeToLiveResponse>> Store::DescribeTimeToLive(
    const DescribeTimeToLiveRequest& request) {
  const TablePointer table = catalogue_->Find(request.table_name);
  if (table == nullptr) co_return TableNotFound(request.table_name);
  DescribeTimeToLiveResponse response;
  const TableDescription& description = table->description;
  response.status = SwitchStatusAt(!description.ttl_attribute.empty(), description.ttl_changed_ms);
  response.attribute_name = description.ttl_attribute;
  co_return response;
}

void Store::CareForTimeToLive(const Table& table) {
  if (table.description.ttl_attribute.empty()) return;
  if (!table.description.ttl_indexed) {
    background_.Start(FillTimeToLive(table.description.table_name));
  }
  if (!expires_items_.exchange(true)) background_.Start(ExpireItems());
}

// ---- Items that were there before

io::Task<void> Store::FillTimeToLive(std::string table_name) {
  std::shared_ptr<TimeToLive> index;
  std::vector<std::weak_ptr<const Table>> former;
  {
    const TablePointer table = catalogue_->Find(table_name);
    if (table == nullptr) co_return;
    index = table->time_to_live->Get();
    former = table->former;
  }
  if (index == nullptr) co_return;
  // A write that has not seen the index yet is not seen by the pass over the items either.
  for (const std::weak_ptr<const Table>& version : former) {
    while (!version.expired() && !background_.stopping()) {
      co_await background_.Sleep(kVersionsPollMs);
    }
  }
  std::string position;
  bool filled = false;
  while (!background_.stopping()) {
    Status status;
    {
      const TablePointer table = catalogue_->Find(table_name);
      if (table == nullptr || table->time_to_live->Get() != index) co_return;
      if (!filled) {
        StatusOr<bool> done = co_await FillTimeToLiveStep(*table, *index, &position);
        status = done.status();
        filled = done.ok() && *done;
      }
    }
    if (filled) {
      Catalogue::Change change = [&](TableDescription& description) -> Status {
        // It may have been switched off meanwhile, and on again.
        description.ttl_indexed = description.ttl_attribute == index->attribute();
        return absl::OkStatus();
      };
      auto changed = co_await catalogue_->Update(table_name, std::move(change));
      status = changed.status();
      if (status.ok()) co_return;
    }
    if (status.ok()) {
      co_await io::Yield();
    } else {
      co_await background_.Sleep(kRetryMs);
    }
  }
}

io::Task<StatusOr<bool>> Store::FillTimeToLiveStep(const Table& table, TimeToLive& index,
                                                   std::string* position) {
  std::vector<std::string> keys;
  std::string next = *position;
  bool done = false;
  {
    const KeyBounds bounds = KeySpaceBounds(table.key_space);
    engine::IteratorOptions options;
    options.lower_bound = std::max(bounds.begin, *position);
    options.upper_bound = bounds.end;
    options.fill_cache = false;
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    co_await iterator->SeekToFirstAsync();
    size_t bytes = 0;
    while (iterator->Valid() && keys.size() < kBackfillItemsMax && bytes < kBackfillBytesMax) {
      bytes += iterator->value().size();
      if (index.ExpiryOf(ItemView(iterator->value()))) keys.emplace_back(iterator->key());
      next = std::string(iterator->key()) + '\0';
      if (!iterator->StartNext()) co_await iterator->SettleAsync();
    }
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
    done = !iterator->Valid();
  }
  for (const std::string& key : keys) {
    const KeyLocks::Guard lock = co_await locks_.Lock(KeyLocks::HashOf(key));
    engine::PinnedValue value;
    VARVE_ASSIGN_OR_CO_RETURN(const bool found, co_await Read(key, &value));
    if (!found) continue;
    const std::optional<uint64_t> expiry = index.ExpiryOf(ItemView(value.view()));
    if (!expiry) continue;
    engine::WriteBatch batch;
    batch.Put(index.EntryKey(*expiry, key), "");
    VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
    index.NoteExpiry(*expiry);
  }
  // Only now: a step that fails is done again.
  *position = std::move(next);
  co_return done;
}

// ---- Expiry

io::Task<void> Store::ExpireItems() {
  Status known;
  while (!background_.stopping()) {
    const uint64_t now_s = io_.WallMs() / 1000;
    uint64_t lag_s = 0;
    bool more = false;
    for (const TablePointer& table : catalogue_->Tables()) {
      const std::shared_ptr<TimeToLive> index = table->time_to_live->Get();
      if (index == nullptr || background_.stopping()) continue;
      if (index->next_expiry() > now_s) continue;
      uint64_t due = TimeToLive::kNever;
      Status status;
      for (int step = 0; step < kExpiryStepsMax && !background_.stopping(); ++step) {
        StatusOr<uint64_t> next = co_await ExpireStep(*table, *index, now_s);
        status = next.status();
        due = next.ok() ? *next : TimeToLive::kNever;
        if (due > now_s) break;
        co_await io::Yield();
      }
      if (due <= now_s) {
        lag_s = std::max(lag_s, now_s - due);
        more = true;
      }
      if (!status.ok() && status != known && !background_.stopping()) {
        spdlog::error("time to live of table {}: {}; trying again", table->description.table_name,
                      Message(status));
      }
      if (!status.ok()) index->NoteExpiry(0);
      known = std::move(status);
    }
    time_to_live_lag_s_.store(lag_s, std::memory_order_relaxed);
    if (more) {
      co_await io::Yield();
    } else {
      co_await background_.Sleep(kExpiryPauseMs);
    }
  }
}

io::Task<StatusOr<uint64_t>> Store::ExpireStep(const Table& table, TimeToLive& index,
                                               uint64_t now_s) {
  std::vector<TimeToLive::Entry> entries;
  uint64_t next = TimeToLive::kNever;
  index.ForgetExpiry();
  {
    engine::IteratorOptions options;
    options.lower_bound = index.EntriesFrom(now_s - std::min(now_s, kExpiryAgeSecondsMax));
    options.upper_bound = KeySpaceBounds(index.key_space()).end;
    options.keys_only = true;
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    co_await iterator->SeekToFirstAsync();
    while (iterator->Valid()) {
      std::optional<TimeToLive::Entry> entry = index.ReadEntry(iterator->key(), table.key_space);
      if (!entry) {
        co_return Corruption("table {}: malformed entry of its time to live index",
                             table.description.table_name);
      }
      next = entry->expiry;
      if (entry->expiry > now_s || entries.size() == kExpiryItemsMax) break;
      entries.push_back(*std::move(entry));
      if (!iterator->StartNext()) co_await iterator->SettleAsync();
    }
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
    if (!iterator->Valid()) next = TimeToLive::kNever;
  }
  index.NoteExpiry(next);
  if (entries.empty()) co_return next;

  std::vector<uint64_t> hashes;
  for (const TimeToLive::Entry& entry : entries) {
    hashes.push_back(KeyLocks::HashOf(entry.item_key));
  }
  std::vector<KeyLocks::Guard> locks;
  if (options_.skipped_rule != Rule::kExpiryRecheck) {
    locks = co_await locks_.LockAll(std::move(hashes));
  }
  std::vector<std::string_view> keys;
  for (const TimeToLive::Entry& entry : entries) keys.push_back(entry.item_key);
  std::vector<std::optional<engine::PinnedValue>> items;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(keys, &items));

  engine::WriteBatch batch;
  std::vector<Change> changes;
  changes.reserve(entries.size());
  absl::flat_hash_set<std::string_view> seen;
  for (size_t i = 0; i < entries.size(); ++i) {
    // The item may have changed since its entry was read. An entry that is not its own any more is
    // of no use to anybody.
    const bool still =
        items[i].has_value() && (index.ExpiryOf(ItemView(items[i]->view())) == entries[i].expiry ||
                                 options_.skipped_rule == Rule::kExpiryRecheck);
    batch.Delete(index.EntryKey(entries[i].expiry, entries[i].item_key));
    if (!still || !seen.insert(entries[i].item_key).second) continue;
    Change& change = changes.emplace_back();
    change.table = &table;
    change.key = entries[i].item_key;
    change.old_is_known = true;
    change.old_item.emplace(items[i]->view());
    change.by_time_to_live = true;
    AppendChange(change, batch);
  }
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
  time_to_live_deleted_.fetch_add(changes.size(), std::memory_order_relaxed);
  co_return next;
}

}  // namespace varve::item
