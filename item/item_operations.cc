// GetItem, PutItem, DeleteItem, UpdateItem.
#include <type_traits>

#include "item/capacity.h"
#include "item/change.h"
#include "item/index_entry.h"
#include "item/source.h"
#include "item/store.h"

namespace varve::item {
namespace {

using expression::Expressions;

// Of PutItem and DeleteItem, which know the old item only.
Status CheckReturnValues(ReturnValues values) {
  if (values == ReturnValues::kNone || values == ReturnValues::kAllOld) return absl::OkStatus();
  return ValidationError("ReturnValues can only be ALL_OLD or NONE");
}

// ---- What can be wrong with a request before its table is looked for, in the service's order

StatusOr<Expressions> Check(const GetItemRequest& request, expression::Cache* cache) {
  expression::Source source = SourceOf(expression::Operation::kGetItem, request);
  source.projection = request.projection_expression;
  VARVE_RETURN_IF_ERROR(expression::CheckParameters(source));
  VARVE_RETURN_IF_ERROR(request.invalid_key);
  return expression::Parse(source, cache);
}

// Of the three that write.
template <typename Request>
StatusOr<Expressions> ParseWrite(const Request& request, expression::Cache* cache) {
  constexpr bool kPuts = std::is_same_v<Request, PutItemRequest>;
  constexpr bool kUpdates = std::is_same_v<Request, UpdateItemRequest>;
  expression::Source source = SourceOf(kPuts      ? expression::Operation::kPutItem
                                       : kUpdates ? expression::Operation::kUpdateItem
                                                  : expression::Operation::kDeleteItem,
                                       request);
  source.condition = request.condition_expression;
  if constexpr (kUpdates) source.update = request.update_expression;
  VARVE_RETURN_IF_ERROR(expression::CheckParameters(source));
  if constexpr (kPuts) {
    VARVE_RETURN_IF_ERROR(request.invalid_item);
  } else {
    VARVE_RETURN_IF_ERROR(request.invalid_key);
  }
  if constexpr (!kUpdates) VARVE_RETURN_IF_ERROR(CheckReturnValues(request.return_values));
  return expression::Parse(source, cache);
}

template <typename Request>
StatusOr<Expressions> CheckWrite(const Request& request, expression::Cache* cache) {
  StatusOr<Expressions> expressions = ParseWrite(request, cache);
  if (!expressions.ok()) return AsOneValidationError(expressions.status());
  return expressions;
}

// The item as it stands before a write: empty if there is none, as conditions want it.
struct OldItem {
  engine::PinnedValue bytes;
  bool exists = false;

  ItemView view() const { return exists ? ItemView(bytes.view()) : ItemView(); }

  // Into a change, for which this must stay where it is.
  void Describe(Change* change) const {
    change->old_is_known = true;
    if (exists) change->old_item = view();
  }
};

Status CheckCondition(const expression::Condition* condition, const OldItem& old, bool return_old) {
  if (condition == nullptr || condition->Matches(old.view())) return absl::OkStatus();
  if (return_old && old.exists) return ConditionalCheckFailed(old.view());
  return ConditionalCheckFailed();
}

}  // namespace

Status Store::BeginRead(const GetItemRequest& request, ItemRead* read) {
  VARVE_ASSIGN_OR_RETURN(Expressions expressions, Check(request, &expression_cache_));
  VARVE_ASSIGN_OR_RETURN(read->table, TableOf(request.table_name));
  const Table& table = *read->table;
  VARVE_RETURN_IF_ERROR(CheckKey(table.key, request.key));
  VARVE_RETURN_IF_ERROR(CheckKeyPaths(table, expressions.projection));
  VARVE_RETURN_IF_ERROR(AdmitRead(table, nullptr));
  read->key = EngineKey(table.key_space, table.key, request.key);
  read->projection = std::move(expressions.projection);
  return absl::OkStatus();
}

void Store::TryRead(std::span<ItemTry* const> tries) {
  std::vector<engine::Db::Lookup> lookups;
  lookups.reserve(tries.size());
  for (ItemTry* const t : tries) lookups.push_back({t->read.key, &t->read.bytes, std::nullopt});
  db_.TryGet(lookups);
  for (size_t i = 0; i < tries.size(); ++i) {
    const std::optional<StatusOr<bool>>& found = lookups[i].found;
    tries[i]->done = found && found->ok();
    tries[i]->read.found = tries[i]->done && **found;
  }
}

void Store::FinishRead(const GetItemRequest& request, ItemRead* read) {
  size_t item_bytes = 0;
  if (read->found) {
    const ItemView item(read->bytes.view());
    if (read->projection) read->projected = read->projection->Apply(item);
    if (request.return_consumed_capacity != ReturnConsumedCapacity::kNone || enforces_capacity()) {
      item_bytes = item.size_bytes();
    }
  }
  const double units = ReadUnits(item_bytes, request.consistent_read);
  ChargeRead(*read->table, nullptr, units);
  read->consumed_capacity = Capacity(request.return_consumed_capacity, request.table_name, units);
}

io::Task<StatusOr<Store::ItemRead>> Store::ReadItem(const GetItemRequest& request) {
  ItemRead read;
  VARVE_CO_RETURN_IF_ERROR(BeginRead(request, &read));
  VARVE_ASSIGN_OR_CO_RETURN(read.found, co_await Read(read.key, &read.bytes));
  FinishRead(request, &read);
  co_return read;
}

io::Task<StatusOr<GetItemResponse>> Store::GetItem(const GetItemRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(ItemRead read, co_await ReadItem(request));
  GetItemResponse response;
  if (read.projected) {
    response.item = std::move(read.projected);
  } else if (read.found) {
    response.item.emplace(ItemView(read.bytes.view()));
  }
  response.consumed_capacity = std::move(read.consumed_capacity);
  co_return response;
}

io::Task<StatusOr<PutItemResponse>> Store::PutItem(const PutItemRequest& request) {
  return PutItem(request, nullptr);
}

io::Task<StatusOr<PutItemResponse>> Store::PutItem(const PutItemRequest& request, Once* once) {
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions, CheckWrite(request, &expression_cache_));
  if (request.item.view().size_bytes() > kItemSizeBytesMax) {
    co_return ValidationError("Item size has exceeded the maximum allowed size");
  }
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  VARVE_CO_RETURN_IF_ERROR(CheckItemKey(table->key, request.item));
  VARVE_CO_RETURN_IF_ERROR(CheckIndexKeys(*table, request.item));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.condition));

  SingleWrite write;
  write.table = table;
  write.key = EngineKey(table->key_space, table->key, request.item);
  write.keyed = request.item.view();
  write.new_item = request.item.view();
  write.condition = expressions.condition ? &*expressions.condition : nullptr;
  write.return_old = request.return_values == ReturnValues::kAllOld;
  write.return_old_on_condition_check_failure = request.return_old_on_condition_check_failure;
  write.return_consumed_capacity = request.return_consumed_capacity;
  write.return_item_collection_metrics = request.return_item_collection_metrics;
  write.once = once;
  VARVE_ASSIGN_OR_CO_RETURN(WriteResult result, co_await WriteItem(std::move(write)));
  PutItemResponse response;
  response.attributes = std::move(result.attributes);
  response.consumed_capacity = std::move(result.consumed_capacity);
  response.item_collection_metrics = std::move(result.item_collection_metrics);
  co_return response;
}

io::Task<StatusOr<DeleteItemResponse>> Store::DeleteItem(const DeleteItemRequest& request) {
  return DeleteItem(request, nullptr);
}

io::Task<StatusOr<DeleteItemResponse>> Store::DeleteItem(const DeleteItemRequest& request,
                                                         Once* once) {
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions, CheckWrite(request, &expression_cache_));
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  VARVE_CO_RETURN_IF_ERROR(CheckKey(table->key, request.key));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.condition));

  SingleWrite write;
  write.table = table;
  write.key = EngineKey(table->key_space, table->key, request.key);
  write.keyed = request.key.view();
  write.condition = expressions.condition ? &*expressions.condition : nullptr;
  write.return_old = request.return_values == ReturnValues::kAllOld;
  write.return_old_on_condition_check_failure = request.return_old_on_condition_check_failure;
  write.return_consumed_capacity = request.return_consumed_capacity;
  write.return_item_collection_metrics = request.return_item_collection_metrics;
  write.once = once;
  VARVE_ASSIGN_OR_CO_RETURN(WriteResult result, co_await WriteItem(std::move(write)));
  DeleteItemResponse response;
  response.attributes = std::move(result.attributes);
  response.consumed_capacity = std::move(result.consumed_capacity);
  response.item_collection_metrics = std::move(result.item_collection_metrics);
  co_return response;
}

io::Task<Status> Store::LookUp(Once* once, KeyLocks::Guard* lock) {
  if (once == nullptr) co_return absl::OkStatus();
  // The same write may be under way: this one waits for what becomes of it.
  *lock = co_await locks_.Lock(KeyLocks::HashOf(TransactionTokens::LockName(once->token)));
  VARVE_ASSIGN_OR_CO_RETURN(const std::optional<std::string> fingerprint,
                            co_await tokens_.Find(once->token));
  if (!fingerprint) co_return absl::OkStatus();
  if (*fingerprint != once->token.fingerprint) {
    co_return MakeError(ErrorType::kIdempotentParameterMismatchException,
                        "The request token was that of another request");
  }
  // Its commit may be visible though making it durable failed.
  VARVE_CO_RETURN_IF_ERROR(co_await Write({}));
  once->repeated = true;
  co_return absl::OkStatus();
}

io::Task<StatusOr<Store::WriteResult>> Store::WriteItem(SingleWrite write) {
  const bool metered =
      write.return_consumed_capacity != ReturnConsumedCapacity::kNone || enforces_capacity();
  Change change;
  change.table = write.table.get();
  change.key = std::move(write.key);
  change.new_item = write.new_item;
  const KeyLocks::Guard lock = co_await locks_.LockUnlessTransaction(KeyLocks::HashOf(change.key));
  if (!lock.held()) co_return TransactionConflict();
  KeyLocks::Guard token_lock;
  VARVE_CO_RETURN_IF_ERROR(co_await LookUp(write.once, &token_lock));
  if (write.once != nullptr && write.once->repeated) co_return WriteResult{};
  OldItem old;
  if (NeedsOldItem(*write.table) || write.condition != nullptr || write.return_old || metered) {
    VARVE_ASSIGN_OR_CO_RETURN(old.exists, co_await Read(change.key, &old.bytes));
    old.Describe(&change);
  }
  if (Status failed =
          CheckCondition(write.condition, old, write.return_old_on_condition_check_failure);
      !failed.ok()) {
    co_return ChargeFailedWrite(change, std::move(failed));
  }
  VARVE_CO_RETURN_IF_ERROR(collections_.CheckGrowth(change));
  ChangeCost cost;
  if (metered) {
    cost = CostOfChange(change);
    VARVE_CO_RETURN_IF_ERROR(ChargeWrite(*write.table, cost));
  }
  engine::WriteBatch batch;
  // First, since it may have to wait, and nothing may once a stream record has its number.
  if (write.once != nullptr) {
    VARVE_CO_RETURN_IF_ERROR(co_await tokens_.Append(write.once->token, &batch));
  }
  AppendChange(change, batch);
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));

  WriteResult result;
  if (old.exists && write.return_old) result.attributes.emplace(old.view());
  if (metered) {
    result.consumed_capacity = Capacity(write.return_consumed_capacity, *write.table, cost);
  }
  if (write.return_item_collection_metrics) {
    result.item_collection_metrics = collections_.Metrics(*write.table, write.keyed);
  }
  co_return result;
}

namespace {

Status ItemToUpdateTooLarge() {
  return ValidationError("Item size to update has exceeded the maximum allowed size");
}

// Attributes of UpdateItem's response. An update that leaves nothing to return returns nothing.
std::optional<Item> ReturnedAttributes(const UpdateItemRequest& request,
                                       const std::optional<expression::Update>& update,
                                       const OldItem& old, const std::optional<Item>& new_item) {
  std::optional<Item> attributes;
  switch (request.return_values) {
    case ReturnValues::kNone:
      return std::nullopt;
    case ReturnValues::kAllOld:
      if (old.exists) attributes.emplace(old.view());
      return attributes;
    case ReturnValues::kAllNew:
      return new_item;
    case ReturnValues::kUpdatedOld:
      if (old.exists && update) attributes = update->Touched(old.view());
      break;
    case ReturnValues::kUpdatedNew:
      if (new_item && update) attributes = update->Touched(new_item->view());
      break;
  }
  if (attributes && attributes->view().empty()) attributes.reset();
  return attributes;
}

}  // namespace

io::Task<StatusOr<UpdateItemResponse>> Store::UpdateItem(const UpdateItemRequest& request) {
  return UpdateItem(request, nullptr);
}

io::Task<StatusOr<UpdateItemResponse>> Store::UpdateItem(const UpdateItemRequest& request,
                                                         Once* once) {
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions, CheckWrite(request, &expression_cache_));
  const std::optional<expression::Update>& update = expressions.update;
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  VARVE_CO_RETURN_IF_ERROR(CheckKey(table->key, request.key));
  if (update) VARVE_CO_RETURN_IF_ERROR(update->CheckKeys(table->key.schema()));
  if (update) VARVE_CO_RETURN_IF_ERROR(CheckIndexKeys(*table, *update));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, update));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.condition));

  Change change;
  change.table = table.get();
  change.key = EngineKey(table->key_space, table->key, request.key);
  const KeyLocks::Guard lock = co_await locks_.LockUnlessTransaction(KeyLocks::HashOf(change.key));
  if (!lock.held()) co_return TransactionConflict();
  KeyLocks::Guard token_lock;
  VARVE_CO_RETURN_IF_ERROR(co_await LookUp(once, &token_lock));
  if (once != nullptr && once->repeated) co_return UpdateItemResponse{};
  OldItem old;
  VARVE_ASSIGN_OR_CO_RETURN(old.exists, co_await Read(change.key, &old.bytes));
  old.Describe(&change);
  if (update && update->ChargedBytes(old.view()) > kItemSizeBytesMax)
    co_return ItemToUpdateTooLarge();
  if (Status failed = CheckCondition(expressions.condition ? &*expressions.condition : nullptr, old,
                                     request.return_old_on_condition_check_failure);
      !failed.ok()) {
    co_return ChargeFailedWrite(change, std::move(failed));
  }

  const ItemView base = old.exists ? old.view() : request.key.view();
  std::optional<Item> new_item;
  if (update) {
    VARVE_ASSIGN_OR_CO_RETURN(new_item, update->Apply(base));
  } else {
    new_item.emplace(base);
  }
  if (new_item->view().size_bytes() > kItemSizeBytesMax) {
    co_return ItemToUpdateTooLarge();
  }
  if (update) VARVE_CO_RETURN_IF_ERROR(CheckUpdatedIndexKeys(*table, *update, *new_item));
  // What only takes away from an item that is not there does not make one; an update of nothing
  // does.
  if (!old.exists && update && *new_item == request.key) new_item.reset();
  if (new_item) change.new_item = new_item->view();
  VARVE_CO_RETURN_IF_ERROR(collections_.CheckGrowth(change));
  ChangeCost cost;
  if (enforces_capacity() || request.return_consumed_capacity != ReturnConsumedCapacity::kNone) {
    cost = CostOfChange(change);
    VARVE_CO_RETURN_IF_ERROR(ChargeWrite(*table, cost));
  }
  engine::WriteBatch batch;
  if (once != nullptr) VARVE_CO_RETURN_IF_ERROR(co_await tokens_.Append(once->token, &batch));
  AppendChange(change, batch);
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));

  UpdateItemResponse response;
  response.attributes = ReturnedAttributes(request, update, old, new_item);
  response.consumed_capacity = Capacity(request.return_consumed_capacity, *table, cost);
  if (request.return_item_collection_metrics) {
    response.item_collection_metrics = collections_.Metrics(*table, request.key);
  }
  co_return response;
}

}  // namespace varve::item
