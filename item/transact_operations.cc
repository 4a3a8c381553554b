// TransactWriteItems and TransactGetItems.
#include <algorithm>

#include "base/coding.h"
#include "item/capacity.h"
#include "item/index_entry.h"
#include "item/meter.h"
#include "item/store.h"
#include "item/transaction.h"
#include "item/transaction_capacity.h"

namespace varve::item {
namespace {

using expression::Expressions;
using Kind = TransactionPart::Kind;

// ---- What a request says

struct KindOfAction {
  std::optional<TransactWriteAction> TransactWriteItem::*member;
  Kind kind;
  expression::Operation operation;  // whose expressions it has
};
constexpr KindOfAction kKindsOfActions[] = {
    {&TransactWriteItem::condition_check, Kind::kCheck, expression::Operation::kDeleteItem},
    {&TransactWriteItem::put, Kind::kPut, expression::Operation::kPutItem},
    {&TransactWriteItem::update, Kind::kUpdate, expression::Operation::kUpdateItem},
    {&TransactWriteItem::remove, Kind::kDelete, expression::Operation::kDeleteItem},
};

// The one that `item` has.
StatusOr<const KindOfAction*> ActionOf(const TransactWriteItem& item) {
  const KindOfAction* found = nullptr;
  for (const KindOfAction& each : kKindsOfActions) {
    if (!(item.*each.member)) continue;
    if (found != nullptr) {
      return ValidationError("TransactItems can only contain one of Check, Put, Update or Delete");
    }
    found = &each;
  }
  if (found == nullptr) {
    return ValidationError(
        "1 validation error detected: Value '' at 'transactItems' failed to satisfy constraint: "
        "TransactWriteRequest should contain Delete or Put or Update or ConditionCheck");
  }
  return found;
}

StatusOr<Expressions> ParseExpressions(const TransactWriteAction& action,
                                       expression::Operation operation, expression::Cache* cache) {
  const ExpressionParameters& parameters = action.expression_parameters;
  expression::Source source;
  source.operation = operation;
  source.update = action.update_expression;
  source.condition = action.condition_expression;
  // Without expressions, placeholders are ignored here.
  if (source.update || source.condition) {
    source.names = parameters.names ? &*parameters.names : nullptr;
    source.values = parameters.values ? &*parameters.values : nullptr;
    source.invalid_value = parameters.invalid_value;
  }
  return expression::Parse(source, cache);
}

// What can be wrong with an action on its table, without looking at the item there.
Status CheckAction(const TransactWriteAction& action, Kind kind, const Expressions& expressions,
                   const Table& table) {
  if (kind == Kind::kPut) {
    VARVE_RETURN_IF_ERROR(CheckItemKey(table.key, action.item));
    VARVE_RETURN_IF_ERROR(CheckIndexKeys(table, action.item));
  } else {
    VARVE_RETURN_IF_ERROR(CheckKey(table.key, action.item));
  }
  const expression::KeySchema schema = table.key.schema();
  if (expressions.update) {
    VARVE_RETURN_IF_ERROR(expressions.update->CheckKeys(schema));
    VARVE_RETURN_IF_ERROR(CheckIndexKeys(table, *expressions.update));
  }
  if (expressions.condition) VARVE_RETURN_IF_ERROR(expressions.condition->CheckKeyPaths(schema));
  return absl::OkStatus();
}

void AppendOptional(const std::optional<std::string>& text, std::string& to) {
  to.push_back(text ? 1 : 0);
  if (text) AppendLengthPrefixed(to, *text);
}

// In an order of their own: a client may send the same map in another one.
template <typename Pairs, typename BytesOf>
void AppendSorted(const std::optional<Pairs>& pairs, BytesOf bytes_of, std::string& to) {
  to.push_back(pairs ? 1 : 0);
  if (!pairs) return;
  std::vector<std::pair<std::string_view, std::string_view>> sorted;
  for (const auto& [name, value] : *pairs) sorted.emplace_back(name, bytes_of(value));
  std::sort(sorted.begin(), sorted.end());
  AppendVarint(to, sorted.size());
  for (const auto& [name, value] : sorted) {
    AppendLengthPrefixed(to, name);
    AppendLengthPrefixed(to, value);
  }
}

// All that a token stands for: what is written, not how it is answered.
void AppendForFingerprint(const TransactWriteAction& action, Kind kind, std::string& to) {
  to.push_back(static_cast<char>(kind));
  AppendLengthPrefixed(to, action.table_name);
  AppendLengthPrefixed(to, action.item.encoded());
  AppendOptional(action.update_expression, to);
  AppendOptional(action.condition_expression, to);
  AppendSorted(
      action.expression_parameters.names,
      [](const std::string& name) { return std::string_view(name); }, to);
  AppendSorted(
      action.expression_parameters.values,
      [](const Value& value) { return std::string_view(value.encoded()); }, to);
}

// Of the collections that are written to, by table in the order of the parts.
std::vector<std::pair<std::string, std::vector<ItemCollectionMetrics>>> MetricsOf(
    const ItemCollections& collections, const std::vector<TransactionPart>& parts) {
  std::vector<std::pair<std::string, std::vector<ItemCollectionMetrics>>> metrics;
  std::vector<uint32_t> seen;  // key spaces of tables
  for (size_t i = 0; i < parts.size(); ++i) {
    const Table& table = *parts[i].table;
    if (parts[i].kind == Kind::kCheck) continue;
    if (std::find(seen.begin(), seen.end(), table.key_space) != seen.end()) continue;
    seen.push_back(table.key_space);
    std::vector<ItemView> items;
    for (const TransactionPart& part : parts) {
      if (part.kind != Kind::kCheck && part.table->key_space == table.key_space) {
        items.push_back(part.item);
      }
    }
    std::vector<ItemCollectionMetrics> of_table = collections.MetricsOfAll(table, items);
    if (of_table.empty()) continue;
    metrics.emplace_back(table.description.table_name, std::move(of_table));
  }
  return metrics;
}

std::optional<ItemView> ViewOf(const std::optional<engine::PinnedValue>& value) {
  if (!value) return std::nullopt;
  return ItemView(value->view());
}

}  // namespace

// ---- Any transaction

io::Task<Status> Store::LockForTransaction(const Transaction& transaction,
                                           std::vector<KeyLocks::Guard>* locks) {
  std::vector<uint64_t> hashes;
  for (const TransactionPart& part : transaction.parts) {
    if (part.error.ok()) hashes.push_back(KeyLocks::HashOf(part.key));
  }
  KeyLocks::SortForLocking(hashes);
  locks->reserve(hashes.size());
  for (const uint64_t hash : hashes) {
    KeyLocks::Guard lock = co_await locks_.LockForTransaction(hash);
    if (lock.held()) {
      locks->push_back(std::move(lock));
      continue;
    }
    locks->clear();
    std::vector<CancellationReason> reasons(transaction.parts.size());
    for (size_t i = 0; i < reasons.size(); ++i) {
      const TransactionPart& part = transaction.parts[i];
      const uint64_t part_hash = KeyLocks::HashOf(part.key);
      if (!part.error.ok()) {
        reasons[i] = ReasonOf(part.error);
      } else if (part_hash == hash || locks_.IsInTransaction(part_hash)) {
        reasons[i] = ReasonOf(TransactionConflict());
      }
    }
    co_return TransactionCanceled(reasons);
  }
  co_return absl::OkStatus();
}

io::Task<StatusOr<TransactionResult>> Store::CommitTransaction(const Transaction& transaction) {
  TransactionResult result;
  KeyLocks::Guard token_lock;
  if (transaction.token) {
    const std::string lock_name = TransactionTokens::LockName(*transaction.token);
    token_lock = locks_.TryLock(KeyLocks::HashOf(lock_name));
    if (!token_lock.held()) {
      co_return MakeError(ErrorType::kTransactionInProgressException,
                          "The transaction with the given request token is already in progress.");
    }
    VARVE_ASSIGN_OR_CO_RETURN(const std::optional<std::string> fingerprint,
                              co_await tokens_.Find(*transaction.token));
    if (fingerprint) {
      if (*fingerprint != transaction.token->fingerprint) {
        co_return MakeError(ErrorType::kIdempotentParameterMismatchException,
                            "DynamoDB rejected the request because you retried a request with a "
                            "different payload but with an idempotent token that was already "
                            "used.");
      }
      // Its commit may be visible though making it durable failed.
      VARVE_CO_RETURN_IF_ERROR(co_await Write({}));
      result.repeated = true;
      co_return result;
    }
  }

  std::vector<KeyLocks::Guard> locks;
  VARVE_CO_RETURN_IF_ERROR(co_await LockForTransaction(transaction, &locks));
  const size_t count = transaction.parts.size();
  std::vector<std::string_view> keys;
  std::vector<size_t> parts_of_keys;
  for (size_t i = 0; i < count; ++i) {
    const TransactionPart& part = transaction.parts[i];
    if (!part.error.ok()) continue;
    keys.push_back(part.key);
    parts_of_keys.push_back(i);
  }
  std::vector<std::optional<engine::PinnedValue>> values;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(keys, &values));
  std::vector<std::optional<ItemView>> old_items(count);
  for (size_t i = 0; i < keys.size(); ++i) old_items[parts_of_keys[i]] = ViewOf(values[i]);

  TransactionEvaluation evaluation(transaction, old_items, collections_);
  if (!evaluation.status().ok()) {
    if (TypeOfError(evaluation.status()) == ErrorType::kTransactionCanceledException &&
        enforces_capacity()) {
      VARVE_CO_RETURN_IF_ERROR(ChargeTransaction(transaction, evaluation.CostsOfFailure()));
    }
    co_return evaluation.status();
  }
  if (enforces_capacity()) {
    VARVE_CO_RETURN_IF_ERROR(ChargeTransaction(transaction, evaluation.Costs()));
  }
  engine::WriteBatch batch;
  // First, since it may have to wait, and nothing may once stream records have their numbers.
  if (transaction.token) {
    VARVE_CO_RETURN_IF_ERROR(co_await tokens_.Append(*transaction.token, &batch));
  }
  for (Change& change : evaluation.changes()) {
    AppendChange(change, batch);
    if (options_.skipped_rule != Rule::kTransactionCommit) continue;
    VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
    batch.Clear();
  }
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
  if (transaction.metered) result.costs = evaluation.Costs();
  co_return result;
}

Status Store::ChargeTransaction(const Transaction& transaction, std::vector<ChangeCost> costs) {
  std::vector<CancellationReason> reasons(costs.size());
  bool refused = false;
  for (size_t i = 0; i < costs.size(); ++i) {
    const ChangeCost once = costs[i];
    costs[i] += once;
    const Status admitted = AdmitWrite(*transaction.parts[i].table, costs[i]);
    if (admitted.ok()) continue;
    refused = true;
    reasons[i] = ReasonOf(admitted);
  }
  if (refused) return TransactionCanceled(reasons);
  for (size_t i = 0; i < costs.size(); ++i) {
    item::ChargeWrite(*transaction.parts[i].table, costs[i]);
  }
  return absl::OkStatus();
}

// ---- TransactWriteItems

io::Task<StatusOr<TransactWriteItemsResponse>> Store::TransactWriteItems(
    const TransactWriteItemsRequest& request) {
  const auto& items = request.transact_items;
  std::vector<const KindOfAction*> kinds;
  for (const TransactWriteItem& item : items) {
    VARVE_ASSIGN_OR_CO_RETURN(const KindOfAction* const kind, ActionOf(item));
    kinds.push_back(kind);
  }
  std::vector<Expressions> expressions;
  size_t put_bytes = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const TransactWriteAction& action = *(items[i].*kinds[i]->member);
    const size_t item_bytes = action.item.view().size_bytes();
    if (kinds[i]->kind == Kind::kPut && item_bytes > kItemSizeBytesMax) {
      co_return ValidationError("Item size has exceeded the maximum allowed size");
    }
    put_bytes += item_bytes;
    VARVE_ASSIGN_OR_CO_RETURN(Expressions parsed,
                              ParseExpressions(action, kinds[i]->operation, &expression_cache_));
    expressions.push_back(std::move(parsed));
  }

  Transaction transaction;
  std::string said;
  for (size_t i = 0; i < items.size(); ++i) {
    const TransactWriteAction& action = *(items[i].*kinds[i]->member);
    TransactionPart& part = transaction.parts.emplace_back();
    part.kind = kinds[i]->kind;
    VARVE_ASSIGN_OR_CO_RETURN(part.table, TableOf(action.table_name));
    part.item = action.item;
    part.update = expressions[i].update ? &*expressions[i].update : nullptr;
    part.condition = expressions[i].condition ? &*expressions[i].condition : nullptr;
    part.return_old_on_condition_check_failure = action.return_old_on_condition_check_failure;
    if (request.client_request_token) AppendForFingerprint(action, part.kind, said);
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const TransactWriteAction& action = *(items[i].*kinds[i]->member);
    TransactionPart& part = transaction.parts[i];
    part.error = CheckAction(action, part.kind, expressions[i], *part.table);
    if (part.error.ok()) {
      part.key = EngineKey(part.table->key_space, part.table->key, part.item);
    } else if (IsErrorOfRequest(part.error)) {
      co_return part.error;
    }
  }
  VARVE_CO_RETURN_IF_ERROR(CheckKeysDiffer(transaction.parts));
  if (put_bytes > kTransactionBytesMax) co_return TransactionTooLarge();

  if (request.client_request_token) {
    TransactionToken& token = transaction.token.emplace();
    token.token = *request.client_request_token;
    token.fingerprint = FingerprintOf(said);
  }
  transaction.metered = request.return_consumed_capacity != ReturnConsumedCapacity::kNone;
  VARVE_ASSIGN_OR_CO_RETURN(const TransactionResult result,
                            co_await CommitTransaction(transaction));

  TransactWriteItemsResponse response;
  VARVE_ASSIGN_OR_CO_RETURN(
      response.consumed_capacity,
      co_await CapacityOf(transaction, result, request.return_consumed_capacity));
  if (request.return_item_collection_metrics) {
    response.item_collection_metrics = MetricsOf(collections_, transaction.parts);
  }
  co_return response;
}

io::Task<StatusOr<std::vector<ConsumedCapacity>>> Store::CapacityOf(const Transaction& transaction,
                                                                    const TransactionResult& result,
                                                                    ReturnConsumedCapacity asked) {
  if (asked == ReturnConsumedCapacity::kNone) co_return std::vector<ConsumedCapacity>();
  const std::vector<TransactionPart>& parts = transaction.parts;
  if (!result.repeated) {
    CapacityOfTables capacity(asked, ConsumedCapacity::Purpose::kWrite);
    for (size_t i = 0; i < parts.size(); ++i) capacity.Add(parts[i].table, result.costs[i]);
    co_return capacity.Finish();
  }
  // One that had been done before costs what reading its items does.
  std::vector<std::string_view> keys;
  for (const TransactionPart& part : parts) keys.push_back(part.key);
  std::vector<std::optional<engine::PinnedValue>> values;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(keys, &values));
  CapacityOfTables capacity(asked, ConsumedCapacity::Purpose::kRead);
  for (size_t i = 0; i < parts.size(); ++i) {
    capacity.Add(parts[i].table, ReadCost(ViewOf(values[i])));
  }
  co_return capacity.Finish();
}

// ---- TransactGetItems

io::Task<StatusOr<TransactGetItemsResponse>> Store::TransactGetItems(
    const TransactGetItemsRequest& request) {
  const auto& items = request.transact_items;
  std::vector<Expressions> expressions;
  for (const TransactGetItem& get : items) {
    expression::Source source;
    source.operation = expression::Operation::kGetItem;
    source.projection = get.projection_expression;
    if (source.projection && get.expression_parameters.names) {
      source.names = &*get.expression_parameters.names;
    }
    VARVE_ASSIGN_OR_CO_RETURN(Expressions parsed, expression::Parse(source, &expression_cache_));
    expressions.push_back(std::move(parsed));
  }
  std::vector<TransactionPart> parts;
  for (const TransactGetItem& get : items) {
    TransactionPart& part = parts.emplace_back();
    VARVE_ASSIGN_OR_CO_RETURN(part.table, TableOf(get.table_name));
  }
  std::vector<CancellationReason> reasons(items.size());
  bool cancelled = false;
  for (size_t i = 0; i < items.size(); ++i) {
    TransactionPart& part = parts[i];
    part.error = CheckKey(part.table->key, items[i].key);
    if (part.error.ok() && expressions[i].projection) {
      part.error = expressions[i].projection->CheckKeyPaths(part.table->key.schema());
    }
    if (part.error.ok()) {
      part.key = EngineKey(part.table->key_space, part.table->key, items[i].key);
      continue;
    }
    if (IsErrorOfRequest(part.error)) co_return part.error;
    cancelled = true;
    reasons[i] = ReasonOf(part.error);
  }
  VARVE_CO_RETURN_IF_ERROR(CheckKeysDiffer(parts));
  for (size_t i = 0; i < items.size() && !cancelled; ++i) {
    const Status admitted = AdmitRead(*parts[i].table, nullptr);
    if (admitted.ok()) continue;
    cancelled = true;
    reasons[i] = ReasonOf(admitted);
  }
  if (cancelled) co_return TransactionCanceled(reasons);

  std::vector<std::string_view> keys;
  for (const TransactionPart& part : parts) keys.push_back(part.key);
  std::vector<std::optional<engine::PinnedValue>> values;
  VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(keys, &values));

  TransactGetItemsResponse response;
  CapacityOfTables capacity(request.return_consumed_capacity, ConsumedCapacity::Purpose::kRead);
  size_t bytes = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::optional<ItemView> item = ViewOf(values[i]);
    const ChangeCost cost = ReadCost(item);
    ChargeRead(*parts[i].table, nullptr, kTransactionUnitsFactor * cost.table_units);
    capacity.Add(parts[i].table, cost);
    std::optional<Item>& answer = response.responses.emplace_back();
    if (!item) continue;
    bytes += item->size_bytes();
    if (bytes > kTransactionBytesMax) co_return TransactionTooLarge();
    if (expressions[i].projection) {
      answer = expressions[i].projection->Apply(*item);
    } else {
      answer.emplace(*item);
    }
  }
  response.consumed_capacity = capacity.Finish();
  co_return response;
}

}  // namespace varve::item
