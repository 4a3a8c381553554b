// ExecuteStatement, BatchExecuteStatement, ExecuteTransaction.
#include <algorithm>
#include <deque>

#include "item/capacity.h"
#include "item/index_entry.h"
#include "item/partiql/plan.h"
#include "item/partiql/statement.h"
#include "item/partiql/token.h"
#include "item/store.h"
#include "item/transaction.h"

namespace varve::item {
namespace {

using expression::Node;
using expression::NodeKind;
using partiql::Returning;
using partiql::Statement;
using Kind = TransactionPart::Kind;
using Presence = TransactionPart::Presence;

partiql::Key KeyOf(const TableKey& table_key) {
  partiql::Key key;
  key.partition = {table_key.partition.name, table_key.partition.type};
  if (table_key.sort) key.sort = {table_key.sort->name, table_key.sort->type};
  return key;
}

// ---- What a SELECT reads

// A table or one of its indexes.
struct Source {
  TablePointer table;
  const Index* index = nullptr;  // of the table; null: the table itself
  partiql::Key key;

  uint32_t key_space() const { return index == nullptr ? table->key_space : index->key_space; }
};

StatusOr<Source> FindSource(const Statement& statement, TablePointer table) {
  Source source;
  source.table = std::move(table);
  if (!statement.index) {
    source.key = KeyOf(source.table->key);
    return source;
  }
  for (const Index& index : source.table->indexes) {
    if (index.name == *statement.index) source.index = &index;
  }
  if (source.index == nullptr) {
    return ValidationError("The table does not have the specified index");
  }
  const IndexKey& key = source.index->key;
  if (key.partition.size() > 1 || key.sort.size() > 1) {
    return ValidationError(
        "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or "
        "multi-attribute RANGE keys.");
  }
  source.key.partition = {key.partition[0].name, key.partition[0].type};
  if (!key.sort.empty()) source.key.sort = {key.sort[0].name, key.sort[0].type};
  return source;
}

Status CheckReadable(const Source& source, bool consistent_read, const StoreOptions& options) {
  if (source.index == nullptr) return absl::OkStatus();
  if (source.index->global && consistent_read && !options.consistent_gsi_reads) {
    return ValidationError("Strongly consistent read is not supported on Global Secondary Indexes");
  }
  if (!source.index->readable) {
    return ValidationError("Cannot read from backfilling global secondary index: {}",
                           source.index->name);
  }
  return absl::OkStatus();
}

// Those of `names` that the index lacks, in their order.
std::vector<std::string> Unprojected(const Index& index, const std::vector<std::string>& names) {
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    if (std::binary_search(index.projected.begin(), index.projected.end(), name)) continue;
    if (std::find(missing.begin(), missing.end(), name) == missing.end()) missing.push_back(name);
  }
  return missing;
}

// Whether an index that lacks attributes can answer. *fetch: the items themselves must be read.
Status CheckProjected(const Source& source, const Statement& statement,
                      const partiql::ReadPlan& plan, bool* fetch) {
  *fetch = false;
  const Index* const index = source.index;
  if (index == nullptr || index->projects_all()) return absl::OkStatus();
  std::vector<std::string> columns;
  for (const partiql::Column& column : statement.columns) columns.push_back(column.path[0].name);
  columns = Unprojected(*index, columns);
  if (!columns.empty() && index->global) {
    return ValidationError(
        "One or more parameter values were invalid: Global secondary index {} does not project "
        "[{}]",
        index->name, fmt::join(columns, ", "));
  }
  *fetch = !columns.empty();
  // Of several reads, the service looks at the first one's filter; a scan's finds nothing there.
  if (plan.is_scan() || plan.reads[0].filter == nullptr) return absl::OkStatus();
  const std::vector<std::string> attributes =
      Unprojected(*index, partiql::AttributesOf(*plan.reads[0].filter));
  if (attributes.empty()) return absl::OkStatus();
  return ValidationError(
      "One or more parameter values were invalid: Secondary index {} does not project one or more "
      "filter attributes: [{}]",
      index->name, fmt::join(attributes, ", "));
}

KeyBounds BoundsOfRead(const Source& source, const partiql::Range& range) {
  if (range.sort == expression::KeyRange::Sort::kBetween &&
      CompareScalars(range.low, range.high).value_or(0) > 0) {
    return {};
  }
  expression::KeyRange key_range;
  key_range.partition = {range.partition};
  key_range.sort = range.sort;
  key_range.low = range.low;
  key_range.high = range.high;
  return source.index == nullptr ? BoundsOf(source.table->key_space, key_range)
                                 : BoundsOf(*source.index, key_range);
}

// Makes `bounds` begin behind the item that a page ended with.
Status Resume(const Source& source, const ItemView& cursor, bool forward, KeyBounds* bounds) {
  std::string position;
  const TableKey& table_key = source.table->key;
  bool valid = CheckKey(table_key, KeyOfItem(table_key, cursor)).ok();
  if (valid && source.index != nullptr) valid = AppendEntryKey(*source.index, cursor, position);
  if (!valid) return partiql::InvalidToken();
  if (source.index == nullptr) {
    position = EngineKey(source.table->key_space, table_key, cursor);
  }
  if (forward) {
    bounds->begin = std::max(bounds->begin, position + '\0');
  } else {
    bounds->end = std::min(bounds->end, position);
  }
  return absl::OkStatus();
}

// ---- Capacity

void AddUnits(const std::vector<std::pair<std::string, double>>& from,
              std::vector<std::pair<std::string, double>>& to) {
  for (const auto& [name, units] : from) {
    const auto found =
        std::find_if(to.begin(), to.end(), [&](const auto& entry) { return entry.first == name; });
    if (found == to.end()) {
      to.emplace_back(name, units);
    } else {
      found->second += units;
    }
  }
}

void AddCapacity(const ConsumedCapacity& from, ConsumedCapacity& to) {
  to.capacity_units += from.capacity_units;
  if (from.table_capacity_units) {
    to.table_capacity_units = to.table_capacity_units.value_or(0) + *from.table_capacity_units;
  }
  AddUnits(from.local_index_units, to.local_index_units);
  AddUnits(from.global_index_units, to.global_index_units);
}

void AddCapacity(const std::optional<ConsumedCapacity>& from, std::optional<ConsumedCapacity>& to) {
  if (!from) return;
  if (to) {
    AddCapacity(*from, *to);
  } else {
    to = from;
  }
}

// By table.
void AddCapacity(const std::optional<ConsumedCapacity>& from, std::vector<ConsumedCapacity>& to) {
  if (!from) return;
  for (ConsumedCapacity& capacity : to) {
    if (capacity.table_name == from->table_name) return AddCapacity(*from, capacity);
  }
  to.push_back(*from);
}

// ---- Writes

// DELETE asks for its condition only of an item that is there.
std::unique_ptr<Node> UnlessAbsent(std::unique_ptr<Node> condition, std::string_view key) {
  auto path = std::make_unique<Node>(NodeKind::kPath);
  path->path.push_back({std::string(key), 0, false});
  auto absent = std::make_unique<Node>(NodeKind::kFunction);
  absent->function = expression::Function::kAttributeNotExists;
  absent->operands.push_back(std::move(path));
  auto either = std::make_unique<Node>(NodeKind::kOr);
  either->operands.push_back(std::move(absent));
  either->operands.push_back(std::move(condition));
  return either;
}

// A statement that writes, or checks, one item; what its part refers to is here.
struct StatementWrite {
  Statement statement;
  Item key;
  std::optional<expression::Condition> condition;
  std::optional<expression::Update> update;
  TransactionPart part;

  Status PrepareInsert(const Table& table) {
    part.kind = Kind::kPut;
    part.item = statement.item.view();
    part.presence = Presence::kAbsent;
    if (part.item.size_bytes() > kItemSizeBytesMax) {
      return ValidationError("Item size has exceeded the maximum allowed size");
    }
    VARVE_RETURN_IF_ERROR(CheckItemKey(table.key, part.item));
    return CheckIndexKeys(table, part.item);
  }

  Status PrepareChange(const Table& table, partiql::ItemPlan plan) {
    key = std::move(plan.key);
    part.item = key.view();
    VARVE_RETURN_IF_ERROR(CheckKey(table.key, part.item));
    if (statement.kind == Statement::Kind::kDelete) {
      part.kind = Kind::kDelete;
      if (plan.condition) {
        plan.condition = UnlessAbsent(std::move(plan.condition), table.key.partition.name);
      }
    } else {
      part.presence = Presence::kPresent;
    }
    if (statement.kind == Statement::Kind::kUpdate) {
      part.kind = Kind::kUpdate;
      part.update = &update.emplace(std::move(statement.actions));
      VARVE_RETURN_IF_ERROR(update->CheckKeys(table.key.schema()));
    }
    if (plan.condition) part.condition = &condition.emplace(std::move(plan.condition));
    return absl::OkStatus();
  }

  // Of ExecuteStatement and BatchExecuteStatement.
  Status Prepare(TablePointer table) {
    part.table = std::move(table);
    if (statement.kind == Statement::Kind::kInsert) {
      VARVE_RETURN_IF_ERROR(PrepareInsert(*part.table));
    } else {
      VARVE_ASSIGN_OR_RETURN(partiql::ItemPlan plan,
                             partiql::PlanWrite(statement, KeyOf(part.table->key)));
      VARVE_RETURN_IF_ERROR(PrepareChange(*part.table, std::move(plan)));
    }
    part.key = EngineKey(part.table->key_space, part.table->key, part.item);
    return absl::OkStatus();
  }

  // What RETURNING answers.
  std::optional<Item> Returned(const std::optional<ItemView>& old_item,
                               const std::optional<ItemView>& new_item) const {
    const bool wants_old =
        statement.returning == Returning::kAllOld || statement.returning == Returning::kModifiedOld;
    const std::optional<ItemView>& item = wants_old ? old_item : new_item;
    if (statement.returning == Returning::kNothing || !item) return std::nullopt;
    if (statement.returning == Returning::kAllOld || statement.returning == Returning::kAllNew) {
      return Item(*item);
    }
    std::optional<Item> touched = update->Touched(*item);
    if (touched->view().empty()) touched.reset();
    return touched;
  }
};

// Of ExecuteTransaction: an error of the statement is returned, what is wrong with its item becomes
// the part's.
Status PrepareInTransaction(StatementWrite& write) {
  Statement& statement = write.statement;
  const Table& table = *write.part.table;
  if (statement.returning != Returning::kNothing) {
    return ValidationError("RETURNING clause is not supported in ExecuteTransaction.");
  }
  Status& error = write.part.error;
  if (statement.kind == Statement::Kind::kInsert) {
    error = write.PrepareInsert(table);
  } else if (statement.kind == Statement::Kind::kExists) {
    if (statement.index) {
      return ValidationError("Reads on indices are not supported within transactions.");
    }
    VARVE_RETURN_IF_ERROR(statement.column_error);
    std::optional<partiql::ItemPlan> plan = partiql::PlanExists(statement, KeyOf(table.key));
    if (!plan) {
      return ValidationError("EXISTS() must contain a single item read with additional condition");
    }
    error = write.PrepareChange(table, *std::move(plan));
  } else {
    StatusOr<partiql::ItemPlan> plan = partiql::PlanWrite(statement, KeyOf(table.key));
    error = plan.ok() ? write.PrepareChange(table, *std::move(plan))
                      : ValidationError("The provided key element does not match the schema");
  }
  if (error.ok()) write.part.key = EngineKey(table.key_space, table.key, write.part.item);
  return absl::OkStatus();
}

// The key that a SELECT of ExecuteTransaction names.
StatusOr<Item> LookUpInTransaction(Statement& statement, const Table& table) {
  if (statement.index) {
    return ValidationError("Reads on indices are not supported within transactions.");
  }
  VARVE_RETURN_IF_ERROR(statement.column_error);
  VARVE_ASSIGN_OR_RETURN(std::optional<Item> key, partiql::PlanLookup(statement, KeyOf(table.key)));
  if (key) return *std::move(key);
  return ValidationError(
      "Select statements within ExecuteTransaction must specify the primary key in the where "
      "clause.");
}

// Errors of single statements of a transaction, found before it begins.
class Cancellation {
 public:
  explicit Cancellation(size_t count) : reasons_(count) {}

  // Returns what is the error of the whole request.
  Status Add(size_t i, const Status& error) {
    if (error.ok()) return error;
    if (IsErrorOfRequest(error)) return error;
    reasons_[i] = ReasonOf(error);
    cancelled_ = true;
    return absl::OkStatus();
  }
  Status status() const { return cancelled_ ? TransactionCanceled(reasons_) : absl::OkStatus(); }

 private:
  std::vector<CancellationReason> reasons_;
  bool cancelled_ = false;
};

// What PartiQL says of an update that leaves an item nested too deep, UpdateItem says at length.
Status InShort(const Status& error) {
  constexpr std::string_view kTooDeep = "Nesting Levels have exceeded supported limits";
  return Message(error).starts_with(kTooDeep) ? ValidationError("{}", kTooDeep) : error;
}

Status MixedStatements(std::string_view operation) {
  return ValidationError(
      "{} API does not support both read and write operations in the same request.", operation);
}

Status ValidationFailed(size_t i, const Status& reason) {
  return ValidationError("Validation failed in TransactStatements[{}]: {}", i, Message(reason));
}

Item ProjectedColumns(const Statement& statement, const ItemView& item) {
  return statement.all_columns ? Item(item) : partiql::Project(statement.columns, item);
}

}  // namespace

// ---- SELECT

io::Task<StatusOr<ExecuteStatementResponse>> Store::ExecuteSelect(
    const ExecuteStatementRequest& request, partiql::Statement statement) {
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(statement.table));
  VARVE_ASSIGN_OR_CO_RETURN(const Source source, FindSource(statement, table));
  VARVE_CO_RETURN_IF_ERROR(statement.column_error);
  const bool consistent_read = request.statement.consistent_read;
  VARVE_CO_RETURN_IF_ERROR(CheckReadable(source, consistent_read, options_));
  VARVE_ASSIGN_OR_CO_RETURN(partiql::ReadPlan plan, partiql::PlanReads(statement, source.key));
  bool fetch = false;
  VARVE_CO_RETURN_IF_ERROR(CheckProjected(source, statement, plan, &fetch));

  const std::string fingerprint =
      partiql::FingerprintOf(request.statement.statement, request.statement.parameters);
  std::optional<partiql::PageToken> token;
  if (request.next_token) {
    VARVE_ASSIGN_OR_CO_RETURN(token, partiql::DecodeToken(*request.next_token, fingerprint));
    if (token->read >= std::max<size_t>(plan.reads.size(), 1)) co_return partiql::InvalidToken();
  }

  // A scan is one read of everything.
  const bool is_scan = plan.is_scan();
  const size_t reads = is_scan ? 1 : plan.reads.size();
  ExecuteStatementResponse response;
  int64_t left = request.limit.value_or(0);
  size_t bytes_left = options_.page_bytes_max;
  for (size_t i = token ? token->read : 0; i < reads; ++i) {
    PageScan scan;
    scan.table = table;
    scan.index = source.index;
    scan.fetch = fetch;
    scan.bounds =
        is_scan ? KeySpaceBounds(source.key_space()) : BoundsOfRead(source, plan.reads[i].range);
    scan.forward = plan.forward;
    if (token && token->read == i) {
      VARVE_CO_RETURN_IF_ERROR(Resume(source, token->cursor, scan.forward, &scan.bounds));
    }
    scan.fill_cache = !is_scan;
    if (request.limit) scan.limit = left;
    scan.bytes_max = bytes_left;
    std::unique_ptr<Node> filter_tree =
        is_scan ? std::move(plan.filter) : std::move(plan.reads[i].filter);
    std::optional<expression::Condition> filter;
    if (filter_tree != nullptr) scan.filter = &filter.emplace(std::move(filter_tree));
    scan.consistent_read = consistent_read;
    scan.return_consumed_capacity = request.return_consumed_capacity;
    VARVE_ASSIGN_OR_CO_RETURN(ItemPage page, co_await ReadPage(std::move(scan)));

    for (const ItemView item : page.items) {
      if (statement.all_columns) {
        response.items.Append(item);
      } else {
        response.items.Append(partiql::Project(statement.columns, item));
      }
    }
    AddCapacity(page.consumed_capacity, response.consumed_capacity);
    if (page.last_evaluated_key) {
      response.next_token = partiql::EncodeToken({i, *page.last_evaluated_key}, fingerprint);
      response.last_evaluated_key = std::move(page.last_evaluated_key);
      break;
    }
    left -= static_cast<int64_t>(page.scanned_count);
    bytes_left -= std::min(bytes_left, page.scanned_bytes);
  }
  co_return response;
}

// ---- Single writes

io::Task<Status> Store::WriteStatement(partiql::Statement statement,
                                       const ParameterizedStatement& request,
                                       ReturnConsumedCapacity asked, StatementResult* result) {
  StatementWrite write;
  write.statement = std::move(statement);
  TransactionPart& part = write.part;
  VARVE_ASSIGN_OR_CO_RETURN(TablePointer table, TableOf(write.statement.table));
  VARVE_CO_RETURN_IF_ERROR(write.Prepare(std::move(table)));
  part.return_old_on_condition_check_failure = request.return_old_on_condition_check_failure;

  result->table_name = part.table->description.table_name;
  const KeyLocks::Guard lock = co_await locks_.LockUnlessTransaction(KeyLocks::HashOf(part.key));
  if (!lock.held()) co_return TransactionConflict();
  engine::PinnedValue old_bytes;
  VARVE_ASSIGN_OR_CO_RETURN(const bool found, co_await Read(part.key, &old_bytes));
  std::optional<ItemView> old_item;
  if (found) old_item.emplace(old_bytes.view());
  Item new_item;
  StatusOr<Change> change = EvaluatePart(part, old_item, &new_item);
  if (!change.ok()) {
    Change failed;
    failed.table = part.table.get();
    failed.old_item = old_item;
    if (part.kind == TransactionPart::Kind::kPut) failed.new_item = part.item;
    co_return InShort(ChargeFailedWrite(failed, change.status()));
  }
  VARVE_CO_RETURN_IF_ERROR(collections_.CheckGrowth(*change));
  ChangeCost cost;
  if (enforces_capacity() || asked != ReturnConsumedCapacity::kNone) {
    cost = CostOfChange(*change);
    VARVE_CO_RETURN_IF_ERROR(ChargeWrite(*part.table, cost));
  }
  engine::WriteBatch batch;
  AppendChange(*change, batch);
  VARVE_CO_RETURN_IF_ERROR(co_await Write(batch));
  result->item = write.Returned(old_item, change->new_item);
  if (asked != ReturnConsumedCapacity::kNone) {
    result->consumed_capacity = Capacity(asked, *part.table, cost);
  }
  co_return absl::OkStatus();
}

io::Task<StatusOr<ExecuteStatementResponse>> Store::ExecuteStatement(
    const ExecuteStatementRequest& request) {
  VARVE_CO_RETURN_IF_ERROR(request.statement.invalid_parameter);
  VARVE_ASSIGN_OR_CO_RETURN(Statement statement, partiql::Compile(request.statement.statement,
                                                                  request.statement.parameters));
  if (statement.kind == Statement::Kind::kExists) {
    co_return ValidationError("EXISTS can only be used in ExecuteTransaction write requests.");
  }
  if (statement.is_read()) co_return co_await ExecuteSelect(request, std::move(statement));

  StatementResult result;
  VARVE_CO_RETURN_IF_ERROR(co_await WriteStatement(std::move(statement), request.statement,
                                                   request.return_consumed_capacity, &result));
  ExecuteStatementResponse response;
  if (result.item) response.items.Append(*result.item);
  response.consumed_capacity = std::move(result.consumed_capacity);
  co_return response;
}

// ---- BatchExecuteStatement

io::Task<Status> Store::LookUpStatement(partiql::Statement statement,
                                        const ParameterizedStatement& request,
                                        ReturnConsumedCapacity asked, StatementResult* result) {
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(statement.table));
  VARVE_ASSIGN_OR_CO_RETURN(const Source source, FindSource(statement, table));
  VARVE_CO_RETURN_IF_ERROR(statement.column_error);
  std::optional<Item> key;
  if (source.index == nullptr) {
    VARVE_ASSIGN_OR_CO_RETURN(key, partiql::PlanLookup(statement, source.key));
  }
  if (!key) {
    co_return ValidationError(
        "Select statements within BatchExecuteStatement must specify the primary key in the where "
        "clause.");
  }
  VARVE_CO_RETURN_IF_ERROR(CheckKey(table->key, *key));

  result->table_name = table->description.table_name;
  const std::string engine_key = EngineKey(table->key_space, table->key, *key);
  engine::PinnedValue value;
  VARVE_ASSIGN_OR_CO_RETURN(const bool found, co_await Read(engine_key, &value));
  size_t item_bytes = 0;
  if (found) {
    const ItemView item(value.view());
    item_bytes = item.size_bytes();
    result->item = ProjectedColumns(statement, item);
  }
  result->consumed_capacity =
      Capacity(asked, result->table_name, ReadUnits(item_bytes, request.consistent_read));
  co_return absl::OkStatus();
}

io::Task<Status> Store::RunStatement(partiql::Statement statement,
                                     const ParameterizedStatement& request,
                                     ReturnConsumedCapacity asked, StatementResult* result) {
  if (statement.is_read()) {
    co_return co_await LookUpStatement(std::move(statement), request, asked, result);
  }
  co_return co_await WriteStatement(std::move(statement), request, asked, result);
}

io::Task<StatusOr<BatchExecuteStatementResponse>> Store::BatchExecuteStatement(
    const BatchExecuteStatementRequest& request) {
  const size_t count = request.statements.size();
  std::vector<StatusOr<Statement>> statements;
  size_t reads = 0;
  size_t writes = 0;
  for (const ParameterizedStatement& each : request.statements) {
    if (!each.invalid_parameter.ok()) {
      statements.emplace_back(each.invalid_parameter);
      continue;
    }
    StatusOr<Statement> statement = partiql::Compile(each.statement, each.parameters);
    if (statement.ok() && statement->kind == Statement::Kind::kExists) {
      statement = ValidationError("EXISTS can only be used in ExecuteTransaction write requests.");
    }
    if (statement.ok()) ++(statement->is_read() ? reads : writes);
    statements.push_back(std::move(statement));
  }
  if (reads > 0 && writes > 0) co_return MixedStatements("BatchExecuteStatement");

  BatchExecuteStatementResponse response;
  for (size_t i = 0; i < count; ++i) {
    BatchStatementResponse& answer = response.responses.emplace_back();
    Status error = statements[i].status();
    if (error.ok()) {
      StatementResult result;
      error = co_await RunStatement(*std::move(statements[i]), request.statements[i],
                                    request.return_consumed_capacity, &result);
      answer.item = std::move(result.item);
      if (!result.table_name.empty()) answer.table_name = std::move(result.table_name);
      AddCapacity(result.consumed_capacity, response.consumed_capacity);
      if (error.ok()) continue;
    }
    // A disk that fails is no matter of one statement.
    if (TypeOfError(error) == ErrorType::kInternalServerError) co_return error;
    CancellationReason reason = ReasonOf(error);
    answer.error = BatchStatementError{std::move(reason.code), std::move(reason.message),
                                       std::move(reason.item)};
  }
  co_return response;
}

// ---- ExecuteTransaction

io::Task<StatusOr<ExecuteTransactionResponse>> Store::ExecuteTransaction(
    const ExecuteTransactionRequest& request) {
  const std::vector<ParameterizedStatement>& asked = request.transact_statements;
  for (const ParameterizedStatement& each : asked) {
    VARVE_CO_RETURN_IF_ERROR(each.invalid_parameter);
  }
  std::vector<Statement> statements;
  size_t reads = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    StatusOr<Statement> statement = partiql::Compile(asked[i].statement, asked[i].parameters);
    if (!statement.ok()) co_return ValidationFailed(i, statement.status());
    if (statement->is_read()) ++reads;
    statements.push_back(*std::move(statement));
  }
  if (reads > 0 && reads < asked.size()) co_return MixedStatements("ExecuteTransaction");
  if (reads > 0) co_return co_await SelectInTransaction(request, std::move(statements));

  Transaction transaction;
  std::deque<StatementWrite> writes;  // which the transaction's parts refer to
  Cancellation cancellation(asked.size());
  std::string said;
  for (size_t i = 0; i < asked.size(); ++i) {
    StatementWrite& write = writes.emplace_back();
    write.statement = std::move(statements[i]);
    write.part.return_old_on_condition_check_failure =
        asked[i].return_old_on_condition_check_failure;
    said += partiql::FingerprintOf(asked[i].statement, asked[i].parameters);
    StatusOr<TablePointer> table = TableOf(write.statement.table);
    if (table.ok()) {
      write.part.table = *std::move(table);
      const Status valid = PrepareInTransaction(write);
      if (!valid.ok()) co_return ValidationFailed(i, valid);
    } else {
      write.part.error = table.status();
    }
    VARVE_CO_RETURN_IF_ERROR(cancellation.Add(i, write.part.error));
    transaction.parts.push_back(write.part);
  }
  VARVE_CO_RETURN_IF_ERROR(cancellation.status());
  VARVE_CO_RETURN_IF_ERROR(CheckKeysDiffer(transaction.parts));

  if (request.client_request_token) {
    TransactionToken& token = transaction.token.emplace();
    token.operation = TransactionToken::Operation::kExecuteTransaction;
    token.token = *request.client_request_token;
    token.fingerprint = FingerprintOf(said);
  }
  transaction.metered = request.return_consumed_capacity != ReturnConsumedCapacity::kNone;
  VARVE_ASSIGN_OR_CO_RETURN(const TransactionResult result,
                            co_await CommitTransaction(transaction));
  ExecuteTransactionResponse response;
  VARVE_ASSIGN_OR_CO_RETURN(
      response.consumed_capacity,
      co_await CapacityOf(transaction, result, request.return_consumed_capacity));
  co_return response;
}

io::Task<StatusOr<ExecuteTransactionResponse>> Store::SelectInTransaction(
    const ExecuteTransactionRequest& request, std::vector<partiql::Statement> statements) {
  TransactGetItemsRequest gets;
  gets.return_consumed_capacity = request.return_consumed_capacity;
  Cancellation cancellation(statements.size());
  for (size_t i = 0; i < statements.size(); ++i) {
    Statement& statement = statements[i];
    TransactGetItem& get = gets.transact_items.emplace_back();
    get.table_name = statement.table;
    const StatusOr<TablePointer> table = TableOf(statement.table);
    if (!table.ok()) {
      VARVE_CO_RETURN_IF_ERROR(cancellation.Add(i, table.status()));
      continue;
    }
    StatusOr<Item> key = LookUpInTransaction(statement, **table);
    if (!key.ok()) co_return ValidationFailed(i, key.status());
    get.key = *std::move(key);
    VARVE_CO_RETURN_IF_ERROR(cancellation.Add(i, CheckKey((*table)->key, get.key)));
  }
  VARVE_CO_RETURN_IF_ERROR(cancellation.status());

  VARVE_ASSIGN_OR_CO_RETURN(TransactGetItemsResponse items, co_await TransactGetItems(gets));
  ExecuteTransactionResponse response;
  for (size_t i = 0; i < statements.size(); ++i) {
    std::optional<Item>& item = response.responses.emplace_back(std::move(items.responses[i]));
    if (item) item = ProjectedColumns(statements[i], *item);
  }
  response.consumed_capacity = std::move(items.consumed_capacity);
  co_return response;
}

}  // namespace varve::item
