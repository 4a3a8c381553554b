// BatchGetItem and BatchWriteItem.
#include <absl/container/flat_hash_set.h>

#include "item/capacity.h"
#include "item/change.h"
#include "item/index_entry.h"
#include "item/source.h"
#include "item/store.h"

namespace varve::item {
namespace {

constexpr size_t kBatchGetKeysMax = 100;
constexpr size_t kBatchWriteRequestsMax = 25;

Status DuplicateKeys() { return ValidationError("Provided list of item keys contains duplicates"); }

// One key of BatchGetItem, in the order of the request.
struct KeyToGet {
  size_t table;  // which of the request's tables
  size_t key;    // which of its keys
};

}  // namespace

io::Task<StatusOr<BatchGetItemResponse>> Store::BatchGetItem(const BatchGetItemRequest& request) {
  const auto& tables = request.request_items;
  if (tables.empty()) {
    co_return ValidationError("The requestItems parameter is required for BatchGetItem");
  }
  std::vector<expression::Expressions> expressions;
  size_t keys_total = 0;
  for (const auto& [name, wanted] : tables) {
    expression::Source source;
    source.projection = wanted.projection_expression;
    source.legacy = wanted.legacy ? &*wanted.legacy : nullptr;
    source.names =
        wanted.expression_attribute_names ? &*wanted.expression_attribute_names : nullptr;
    VARVE_ASSIGN_OR_CO_RETURN(expression::Expressions parsed,
                              expression::Parse(source, &expression_cache_));
    expressions.push_back(std::move(parsed));
    absl::flat_hash_set<std::string> seen;
    for (const Item& key : wanted.keys) {
      if (!seen.insert(key.encoded()).second) co_return DuplicateKeys();
    }
    keys_total += wanted.keys.size();
    if (keys_total > kBatchGetKeysMax) {
      co_return ValidationError("Too many items requested for the BatchGetItem call");
    }
  }

  std::vector<KeyToGet> gets;
  std::vector<std::string> engine_keys;
  std::vector<TablePointer> held;  // as long as they are read
  std::vector<Status> admitted;    // by table
  for (size_t t = 0; t < tables.size(); ++t) {
    VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(tables[t].first));
    VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions[t].projection));
    held.push_back(table);
    admitted.push_back(AdmitRead(*table, nullptr));
    const std::vector<Item>& keys = tables[t].second.keys;
    for (size_t k = 0; k < keys.size(); ++k) {
      VARVE_CO_RETURN_IF_ERROR(CheckKey(table->key, keys[k]));
      gets.push_back({t, k});
      engine_keys.push_back(EngineKey(table->key_space, table->key, keys[k]));
    }
  }
  if (std::none_of(admitted.begin(), admitted.end(), [](const Status& s) { return s.ok(); })) {
    co_return admitted.front();
  }
  const std::vector<std::string_view> key_views(engine_keys.begin(), engine_keys.end());
  std::vector<std::optional<engine::PinnedValue>> values;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(key_views, &values));

  BatchGetItemResponse response;
  std::vector<double> units(tables.size(), 0);
  std::vector<size_t> unprocessed(tables.size(), SIZE_MAX);  // place in unprocessed_keys
  for (const auto& table : tables) response.responses.emplace_back(table.first, ItemList());
  size_t bytes = 0;
  for (size_t i = 0; i < gets.size(); ++i) {
    const auto [t, k] = gets[i];
    const KeysAndAttributes& wanted = tables[t].second;
    const size_t item_bytes = values[i] ? ItemView(values[i]->view()).size_bytes() : 0;
    if (!admitted[t].ok() || bytes + item_bytes > options_.batch_get_bytes_max) {
      auto& left = response.unprocessed_keys;
      if (unprocessed[t] == SIZE_MAX) {
        unprocessed[t] = left.size();
        left.emplace_back(tables[t].first, wanted);
        left.back().second.keys.clear();
      }
      left[unprocessed[t]].second.keys.push_back(wanted.keys[k]);
      continue;
    }
    if (values[i]) {
      const ItemView item(values[i]->view());
      bytes += item_bytes;
      ItemList& items = response.responses[t].second;
      if (expressions[t].projection) {
        items.Append(expressions[t].projection->Apply(item));
      } else {
        items.Append(item);
      }
    }
    units[t] += ReadUnits(item_bytes, wanted.consistent_read.value_or(false));
  }
  for (size_t t = 0; t < tables.size(); ++t) {
    ChargeRead(*held[t], nullptr, units[t]);
    if (auto capacity = Capacity(request.return_consumed_capacity, tables[t].first, units[t])) {
      response.consumed_capacity.push_back(*std::move(capacity));
    }
  }
  co_return response;
}

namespace {

// In a batch, an item whose key attributes are missing or of another type is like a wrong key.
Status CheckBatchItemKey(const TableKey& table_key, const ItemView& item) {
  return CheckKey(table_key, KeyOfItem(table_key, item));
}

Status CheckWrites(const BatchWriteItemRequest& request) {
  if (request.request_items.empty()) {
    return ValidationError("The requestItems parameter is required for BatchWriteItem");
  }
  size_t writes_total = 0;
  for (const auto& [name, writes] : request.request_items) {
    for (const WriteRequest& write : writes) {
      if (write.put_item.has_value() == write.delete_key.has_value()) {
        return ValidationError(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes");
      }
      if (write.put_item && write.put_item->view().size_bytes() > kItemSizeBytesMax) {
        return ValidationError("Item size has exceeded the maximum allowed size");
      }
    }
    writes_total += writes.size();
    if (writes_total > kBatchWriteRequestsMax) {
      return ValidationError("Too many items requested for the BatchWriteItem call");
    }
  }
  return absl::OkStatus();
}

}  // namespace

io::Task<StatusOr<BatchWriteItemResponse>> Store::BatchWriteItem(
    const BatchWriteItemRequest& request) {
  return BatchWriteItem(request, nullptr);
}

io::Task<StatusOr<BatchWriteItemResponse>> Store::BatchWriteItem(
    const BatchWriteItemRequest& request, Once* once) {
  VARVE_CO_RETURN_IF_ERROR(CheckWrites(request));
  const auto& tables = request.request_items;
  std::vector<TablePointer> held;  // as long as the writes are under way
  std::vector<Change> changes;     // in the order of the request
  absl::flat_hash_set<std::string> seen;
  for (size_t t = 0; t < tables.size(); ++t) {
    VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(tables[t].first));
    held.push_back(table);
    for (const WriteRequest& write : tables[t].second) {
      if (write.put_item) {
        VARVE_CO_RETURN_IF_ERROR(CheckBatchItemKey(table->key, *write.put_item));
        VARVE_CO_RETURN_IF_ERROR(CheckIndexKeys(*table, *write.put_item));
      } else {
        VARVE_CO_RETURN_IF_ERROR(CheckKey(table->key, *write.delete_key));
      }
      Change& change = changes.emplace_back();
      change.table = table.get();
      if (write.put_item) change.new_item = write.put_item->view();
      const ItemView keyed = write.put_item ? write.put_item->view() : write.delete_key->view();
      change.key = EngineKey(table->key_space, table->key, keyed);
      if (!seen.insert(change.key).second) co_return DuplicateKeys();
    }
  }

  std::vector<uint64_t> hashes;
  for (const Change& change : changes) hashes.push_back(KeyLocks::HashOf(change.key));
  const std::vector<KeyLocks::Guard> locks = co_await locks_.LockAll(std::move(hashes));
  KeyLocks::Guard token_lock;
  VARVE_CO_RETURN_IF_ERROR(co_await LookUp(once, &token_lock));
  if (once != nullptr && once->repeated) co_return BatchWriteItemResponse{};

  const bool metered = request.return_consumed_capacity != ReturnConsumedCapacity::kNone;
  std::vector<std::string_view> keys_to_read;
  std::vector<Change*> changes_to_read;
  for (Change& change : changes) {
    if (!metered && !enforces_capacity() && !NeedsOldItem(*change.table)) continue;
    keys_to_read.push_back(change.key);
    changes_to_read.push_back(&change);
  }
  std::vector<std::optional<engine::PinnedValue>> old_items;
  if (!keys_to_read.empty()) {
    VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(keys_to_read, &old_items));
  }
  for (size_t i = 0; i < changes_to_read.size(); ++i) {
    changes_to_read[i]->old_is_known = true;
    if (old_items[i]) changes_to_read[i]->old_item.emplace(old_items[i]->view());
  }
  for (const Change& change : changes) {
    VARVE_CO_RETURN_IF_ERROR(collections_.CheckGrowth(change));
  }
  // What finds no capacity left is for the client to ask for again, unless that is everything.
  std::vector<bool> refused(changes.size(), false);
  Status refusal;
  size_t served = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (enforces_capacity()) {
      Status charged = ChargeWrite(*changes[i].table, CostOfChange(changes[i]));
      if (!charged.ok()) {
        refused[i] = true;
        refusal = std::move(charged);
        continue;
      }
    }
    ++served;
  }
  if (served == 0) co_return refusal;
  engine::WriteBatch batch;
  // First, since it may have to wait, and nothing may once stream records have their numbers.
  if (once != nullptr && served == changes.size()) {
    VARVE_CO_RETURN_IF_ERROR(co_await tokens_.Append(once->token, &batch));
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!refused[i]) AppendChange(changes[i], batch);
  }
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));

  BatchWriteItemResponse response;
  if (served < changes.size()) {
    size_t change = 0;
    for (const auto& [name, writes] : tables) {
      std::vector<WriteRequest> left;
      for (const WriteRequest& write : writes) {
        if (refused[change++]) left.push_back(write);
      }
      if (!left.empty()) response.unprocessed_items.emplace_back(name, std::move(left));
    }
  }
  if (metered) {
    size_t change = 0;
    for (size_t t = 0; t < tables.size(); ++t) {
      ChangeCost cost;
      for (size_t i = 0; i < tables[t].second.size(); ++i, ++change) {
        if (!refused[change]) cost += CostOfChange(changes[change]);
      }
      response.consumed_capacity.push_back(
          *Capacity(request.return_consumed_capacity, *held[t], cost));
    }
  }
  if (request.return_item_collection_metrics) {
    for (size_t t = 0; t < tables.size(); ++t) {
      std::vector<ItemView> items;
      for (const WriteRequest& write : tables[t].second) {
        items.push_back(write.put_item ? write.put_item->view() : write.delete_key->view());
      }
      std::vector<ItemCollectionMetrics> metrics = collections_.MetricsOfAll(*held[t], items);
      if (metrics.empty()) continue;
      response.item_collection_metrics.emplace_back(tables[t].first, std::move(metrics));
    }
  }
  co_return response;
}

}  // namespace varve::item
