// Clients: what is done to items, side by side.
#include <algorithm>
#include <set>

#include "tests/sim/store_run.h"

namespace varve::sim {

using item::ErrorType;

namespace {

constexpr uint64_t kPartitionKeys = 4, kSortKeys = 5;
constexpr uint64_t kLoneKeys = 12;  // of tables without a sort key
// Well within the ten minutes that a token counts, whatever the clocks have done.
constexpr uint64_t kTokenMsMax = 7 * 60 * 1000;
// Somewhat more than the store's pause between two looks for expired items.
constexpr uint64_t kPostponeNs = 1'200'000'000;
constexpr int kPostponeUpdatesMax = 500;

ErrorType TypeOf(const Status& status) { return item::TypeOfError(status); }

// ---- Requests

// The values of a request's expressions: ":0" and so on.
class Values {
 public:
  explicit Values(item::ExpressionParameters* to) : to_(*to) {}
  std::string Add(const std::string& encoded) {
    if (!to_.values) to_.values.emplace();
    std::string name = fmt::format(":{}", to_.values->size());
    to_.values->emplace_back(name, item::Value(encoded));
    return name;
  }

 private:
  item::ExpressionParameters& to_;
};

template <typename Request>
void SetCondition(const Condition& condition, Request* request) {
  Values values(&request->expression_parameters);
  switch (condition.kind) {
    case Condition::Kind::kNone:
      return;
    case Condition::Kind::kAbsent:
      request->condition_expression = "attribute_not_exists(p)";
      return;
    case Condition::Kind::kPresent:
      request->condition_expression = "attribute_exists(p)";
      return;
    case Condition::Kind::kWriter:
      request->condition_expression = "w = " + values.Add(condition.operand);
      return;
    case Condition::Kind::kCounterBelow:
      request->condition_expression = "n < " + values.Add(condition.operand);
      return;
  }
}

template <typename Request>
void SetUpdate(const Part& part, Request* request) {
  Values values(&request->expression_parameters);
  auto& names = request->expression_parameters.names.emplace();
  const auto name = [&](std::string_view attribute) {
    std::string placeholder = fmt::format("#{}", attribute);
    names.emplace_back(placeholder, attribute);
    return placeholder;
  };
  std::string update;
  for (const auto& [attribute, value] : part.set) {
    update +=
        fmt::format("{} {} = {}", update.empty() ? "SET" : ",", name(attribute), values.Add(value));
  }
  if (!part.remove.empty()) update += " REMOVE " + name(part.remove);
  if (part.add) update += fmt::format(" ADD {} {}", name(kCounter), values.Add(Integer(1)));
  request->update_expression = update;
}

State StateOf(const std::optional<item::Item>& item) {
  if (!item) return std::nullopt;
  return AttributesOf(item->view());
}

}  // namespace

io::Task<void> StoreRun::OneOperation() {
  phase_ = "operations";
  const uint64_t dice = random_.Below(100);
  if (dice < 2 || RandomTable() == nullptr) {
    co_await ChangeTables();
  } else if (random_.OneIn(700)) {
    co_await PostponeExpiries();
  } else if (dice < 22) {
    co_await Put();
  } else if (dice < 36) {
    co_await Update();
  } else if (dice < 43) {
    co_await Delete();
  } else if (dice < 49) {
    co_await BatchWrite();
  } else if (dice < 62) {
    co_await Transact();
  } else if (dice < 67) {
    co_await Retry();
  } else if (dice < 72) {
    co_await Get();
  } else if (dice < 77) {
    co_await GetMany();
  } else if (dice < 83) {
    co_await ReadPages();
  } else if (dice < 91) {
    co_await ReadIndex();
  } else if (dice < 94) {
    co_await Follow();
  } else if (dice < 99) {
    co_await Upkeep();
  } else {
    JumpClock();
  }
}

// ---- Choices

TableModel* StoreRun::RandomTable() {
  std::vector<TableModel*> alive;
  for (const auto& table : tables_) {
    if (!table->gone) alive.push_back(table.get());
  }
  return alive.empty() ? nullptr : alive[random_.Below(alive.size())];
}

Attributes StoreRun::RandomKey(const TableModel& table) {
  if (!table.has_sort_key) return {{"p", Text(fmt::format("k{}", random_.Below(kLoneKeys)))}};
  return {{"p", Text(fmt::format("k{}", random_.Below(kPartitionKeys)))},
          {"s", Integer(static_cast<int64_t>(random_.Below(kSortKeys)))}};
}

Condition StoreRun::RandomCondition(const TableModel& table, const Attributes& key) {
  Condition condition;
  const uint64_t dice = random_.Below(6);
  if (dice < 2) condition.kind = Condition::Kind::kAbsent;
  if (dice == 2 || dice == 3) condition.kind = Condition::Kind::kPresent;
  if (dice == 4) {
    condition.kind = Condition::Kind::kCounterBelow;
    condition.operand = Integer(static_cast<int64_t>(random_.Below(6)));
  }
  if (dice == 5) {
    // Who wrote it last, as far as is known.
    condition.kind = Condition::Kind::kWriter;
    condition.operand = Text("nobody");
    const auto writer = table.writers.find(key);
    if (writer != table.writers.end()) condition.operand = writer->second;
  }
  return condition;
}

Part StoreRun::RandomPart(TableModel* table, uint64_t operation_id, bool conditional) {
  Part part;
  part.table = table;
  part.key = RandomKey(*table);
  if (conditional && random_.OneIn(2)) part.condition = RandomCondition(*table, part.key);
  const uint64_t dice = random_.Below(10);
  part.kind = dice < 5 ? Part::Kind::kPut : dice < 8 ? Part::Kind::kUpdate : Part::Kind::kDelete;
  if (part.kind == Part::Kind::kDelete) return part;
  const auto maybe_set = [&](std::string_view name, uint64_t one_in, const std::string& value) {
    if (random_.OneIn(one_in)) part.set[std::string(name)] = value;
  };
  const bool put = part.kind == Part::Kind::kPut;
  if (put) part.set = part.key;
  part.set[std::string(kWriter)] = Text(fmt::format("{}", operation_id));
  const uint64_t often = put ? 1 : 3;
  if (!random_.OneIn(5)) maybe_set("g", often, Text(fmt::format("g{}", random_.Below(3))));
  if (!random_.OneIn(5)) maybe_set("t", often, Text(fmt::format("t{}", random_.Below(4))));
  if (!random_.OneIn(5)) maybe_set("l", often, Integer(static_cast<int64_t>(random_.Below(4)) - 1));
  if (put) maybe_set(kCounter, 2, Integer(static_cast<int64_t>(random_.Below(4))));
  if (random_.OneIn(3)) {
    const auto now = static_cast<int64_t>(io_.WallMs() / 1000);
    const auto in = random_.OneIn(3) ? int64_t{100'000} : static_cast<int64_t>(random_.Below(5));
    maybe_set(kExpiry, put ? 1 : 2, Integer(now + in));
  }
  size_t bytes = random_.Below(40);
  if (random_.OneIn(5)) bytes = random_.Below(1500);
  maybe_set(kPayload, 2, Text(std::string(bytes, static_cast<char>('a' + operation_id % 26))));
  if (!put) {
    part.add = !part.set.contains(std::string(kCounter)) && random_.OneIn(2);
    static constexpr std::string_view kRemovable[] = {"g", "t", "l", kExpiry, kPayload};
    const std::string_view remove = kRemovable[random_.Below(std::size(kRemovable))];
    if (random_.OneIn(3) && !part.set.contains(std::string(remove))) part.remove = remove;
  }
  return part;
}

// ---- Writes of one item

io::Task<void> StoreRun::Put() {
  Part part = RandomPart(RandomTable(), operations_.size() + 1, true);
  while (part.kind != Part::Kind::kPut) {
    part = RandomPart(part.table, operations_.size() + 1, true);
  }
  Operation& operation = Begin({std::move(part)});
  const Part& put = operation.parts[0];
  item::PutItemRequest request;
  request.table_name = put.table->name;
  request.item = ItemOf(put.set);
  SetCondition(put.condition, &request);
  const bool tell = random_.OneIn(2);
  if (tell) request.return_values = item::ReturnValues::kAllOld;
  request.return_old_on_condition_check_failure = tell;
  Attempt& attempt = Send(&operation);
  const auto response = co_await store_->PutItem(request);
  Note(fmt::format("{} put {} {}: {}", operation.id, put.table->name, Show(put.key),
                   response.ok() ? "ok" : Message(response.status())));
  std::optional<State> seen;
  if (response.ok() && tell) seen = StateOf(response->attributes);
  FinishSingle(&attempt, response.status(), std::move(seen), tell);
  if (response.ok()) Count("put");
}

void StoreRun::FinishSingle(Attempt* attempt, const Status& status, std::optional<State> seen,
                            bool tell) {
  const Part& part = attempt->operation->parts[0];
  if (io_.crashed() || IsExcused(status)) {
    Failed(attempt);
  } else if (status.ok()) {
    attempt->seen = {{0, true, std::move(seen)}};
    Done(attempt);
  } else if (TypeOf(status) == ErrorType::kConditionalCheckFailedException) {
    if (tell) seen = StateOf(item::ItemOfError(status));
    attempt->seen = {{0, false, std::move(seen)}};
    Refused(attempt);
    Count("condition failed");
  } else {
    if (TypeOf(status) != ErrorType::kTransactionConflictException) {
      Expect(status, part.table, "write");
    }
    Refused(attempt);
  }
}

io::Task<void> StoreRun::Delete() {
  Part part;
  part.kind = Part::Kind::kDelete;
  part.table = RandomTable();
  part.key = RandomKey(*part.table);
  if (random_.OneIn(3)) part.condition = RandomCondition(*part.table, part.key);
  Operation& operation = Begin({std::move(part)});
  const Part& remove = operation.parts[0];
  item::DeleteItemRequest request;
  request.table_name = remove.table->name;
  request.key = ItemOf(remove.key);
  SetCondition(remove.condition, &request);
  const bool tell = random_.OneIn(2);
  if (tell) request.return_values = item::ReturnValues::kAllOld;
  request.return_old_on_condition_check_failure = tell;
  Attempt& attempt = Send(&operation);
  const auto response = co_await store_->DeleteItem(request);
  Note(fmt::format("{} delete {} {}: {}", operation.id, remove.table->name, Show(remove.key),
                   response.ok() ? "ok" : Message(response.status())));
  std::optional<State> seen;
  if (response.ok() && tell) seen = StateOf(response->attributes);
  FinishSingle(&attempt, response.status(), std::move(seen), tell);
  if (response.ok()) Count("delete");
}

io::Task<void> StoreRun::Update() {
  Part part = RandomPart(RandomTable(), operations_.size() + 1, true);
  while (part.kind != Part::Kind::kUpdate) {
    part = RandomPart(part.table, operations_.size() + 1, true);
  }
  Operation& operation = Begin({std::move(part)});
  co_await SendUpdate(&operation);
}

io::Task<void> StoreRun::SendUpdate(Operation* sent) {
  Operation& operation = *sent;
  const Part& update = operation.parts[0];
  item::UpdateItemRequest request;
  request.table_name = update.table->name;
  request.key = ItemOf(update.key);
  SetUpdate(update, &request);
  SetCondition(update.condition, &request);
  const bool tell = random_.OneIn(2);
  if (tell) request.return_values = item::ReturnValues::kAllOld;
  request.return_old_on_condition_check_failure = tell;
  Attempt& attempt = Send(&operation);
  const auto response = co_await store_->UpdateItem(request);
  Note(fmt::format("{} update {} {}: {}", operation.id, update.table->name, Show(update.key),
                   response.ok() ? "ok" : Message(response.status())));
  std::optional<State> seen;
  if (response.ok() && tell) seen = StateOf(response->attributes);
  FinishSingle(&attempt, response.status(), std::move(seen), tell);
  if (response.ok()) Count("update");
}

// Gives a few items other expiries, again and again, while the store looks for expired ones.
io::Task<void> StoreRun::PostponeExpiries() {
  TableModel* const table = RandomTable();
  if (!table->expires) co_return;
  std::vector<Attributes> keys;
  for (int i = 0; i < 6; ++i) keys.push_back(RandomKey(*table));
  const uint64_t until_ns = io_.MonotonicNs() + kPostponeNs;
  for (int i = 0; i < kPostponeUpdatesMax && Alive(); ++i) {
    if (io_.MonotonicNs() > until_ns || table->gone || table->may_be_gone) co_return;
    Part part;
    part.kind = Part::Kind::kUpdate;
    part.table = table;
    part.key = keys[random_.Below(keys.size())];
    const auto now = static_cast<int64_t>(io_.WallMs() / 1000);
    part.set[std::string(kExpiry)] = Integer(random_.OneIn(2) ? now - 1 : now + 100'000);
    part.set[std::string(kWriter)] = Text(fmt::format("{}", operations_.size() + 1));
    Operation& operation = Begin({std::move(part)});
    co_await SendUpdate(&operation);
    if (random_.OneIn(10)) co_await io::SleepFor(random_.Below(20'000'000));
  }
  Count("expiries postponed");
}

// ---- Writes of several items

io::Task<void> StoreRun::BatchWrite() {
  std::vector<Part> parts;
  std::set<std::pair<TableModel*, Attributes>, InOrder> seen;
  for (uint64_t i = random_.Between(2, 8); i > 0; --i) {
    Part part = RandomPart(RandomTable(), operations_.size() + 1, false);
    if (part.kind == Part::Kind::kUpdate || !seen.emplace(part.table, part.key).second) continue;
    parts.push_back(std::move(part));
  }
  if (parts.empty()) co_return;
  Operation& operation = Begin(std::move(parts));
  std::map<std::string, std::vector<item::WriteRequest>> writes;
  for (const Part& part : operation.parts) {
    item::WriteRequest& write = writes[part.table->name].emplace_back();
    if (part.kind == Part::Kind::kPut) {
      write.put_item = ItemOf(part.set);
    } else {
      write.delete_key = ItemOf(part.key);
    }
  }
  item::BatchWriteItemRequest request;
  for (auto& [name, list] : writes) request.request_items.emplace_back(name, std::move(list));
  Attempt& attempt = Send(&operation);
  const auto response = co_await store_->BatchWriteItem(request);
  const Status status = response.status();
  Note(fmt::format("{} batch of {}: {}", operation.id, operation.parts.size(),
                   status.ok() ? "ok" : Message(status)));
  if (io_.crashed() || IsExcused(status)) {
    Failed(&attempt);
  } else if (status.ok()) {
    if (!response->unprocessed_items.empty()) Complain("a batch was not done wholly");
    for (size_t i = 0; i < operation.parts.size(); ++i) attempt.seen.push_back({i});
    Done(&attempt);
    Count("batch");
  } else {
    ExpectOfSeveral(status, operation, "batch");
    Refused(&attempt);
  }
}

void StoreRun::ExpectOfSeveral(const Status& status, const Operation& operation,
                               std::string_view what) {
  const TableModel* gone = nullptr;
  for (const Part& part : operation.parts) {
    if (part.table->may_be_gone || part.table->gone) gone = part.table;
  }
  Expect(status, gone, what);
}

io::Task<void> StoreRun::Transact() {
  std::vector<Part> parts;
  std::set<std::pair<TableModel*, Attributes>, InOrder> seen;
  for (uint64_t i = random_.Between(2, 5); i > 0; --i) {
    Part part = RandomPart(RandomTable(), operations_.size() + 1, random_.OneIn(3));
    if (random_.OneIn(6)) {
      Part check;
      check.kind = Part::Kind::kCheck;
      check.table = part.table;
      check.key = part.key;
      check.condition = RandomCondition(*part.table, part.key);
      part = std::move(check);
    }
    const bool is_new = seen.emplace(part.table, part.key).second;
    if (is_new) parts.push_back(std::move(part));
  }
  Operation& operation = Begin(std::move(parts));
  if (random_.OneIn(2)) {
    operation.token = fmt::format("token-{}", operation.id);
    tokens_.push_back(&operation);
  }
  co_await SendTransaction(&operation, false);
}

io::Task<void> StoreRun::Retry() {
  std::vector<Operation*> candidates;
  std::erase_if(tokens_, [&](const Operation* operation) {
    return operation->begun_ms + kTokenMsMax < LatestMs();
  });
  for (Operation* operation : tokens_) {
    const bool alive =
        std::all_of(operation->parts.begin(), operation->parts.end(),
                    [](const Part& part) { return !part.table->gone && !part.table->may_be_gone; });
    if (!operation->under_way && alive) candidates.push_back(operation);
  }
  if (candidates.empty()) co_return;
  // Rather the latest.
  const uint64_t back = random_.Below(std::min<uint64_t>(candidates.size(), 20));
  Operation* const operation = candidates[candidates.size() - 1 - back];
  co_await SendTransaction(operation, true);
}

io::Task<void> StoreRun::SendTransaction(Operation* operation, bool again) {
  item::TransactWriteItemsRequest request;
  if (!operation->token.empty()) request.client_request_token = operation->token;
  for (const Part& part : operation->parts) {
    item::TransactWriteAction action;
    action.table_name = part.table->name;
    action.item = ItemOf(part.kind == Part::Kind::kPut ? part.set : part.key);
    if (part.kind == Part::Kind::kUpdate) SetUpdate(part, &action);
    SetCondition(part.condition, &action);
    action.return_old_on_condition_check_failure = true;
    item::TransactWriteItem& item = request.transact_items.emplace_back();
    switch (part.kind) {
      case Part::Kind::kPut:
        item.put = std::move(action);
        break;
      case Part::Kind::kDelete:
        item.remove = std::move(action);
        break;
      case Part::Kind::kUpdate:
        item.update = std::move(action);
        break;
      case Part::Kind::kCheck:
        item.condition_check = std::move(action);
        break;
    }
  }
  Attempt& attempt = Send(operation);
  attempt.again = again;
  const auto response = co_await store_->TransactWriteItems(request);
  const Status status = response.status();
  Note(fmt::format("{} transaction of {}{}: {}", operation->id, operation->parts.size(),
                   again ? " again" : "", status.ok() ? "ok" : Message(status)));
  if (io_.crashed() || IsExcused(status)) {
    Failed(&attempt);
  } else if (status.ok()) {
    for (size_t i = 0; i < operation->parts.size(); ++i) attempt.seen.push_back({i});
    Done(&attempt);
    if (!again) Count("transaction");
  } else {
    TransactionRefused(&attempt, status);
  }
}

void StoreRun::TransactionRefused(Attempt* attempt, const Status& status) {
  const Operation& operation = *attempt->operation;
  if (TypeOf(status) != ErrorType::kTransactionCanceledException) {
    ExpectOfSeveral(status, operation, "transaction");
  } else {
    const std::vector<item::CancellationReason> reasons = item::ReasonsOfError(status);
    const bool conflict = std::any_of(reasons.begin(), reasons.end(), [](const auto& reason) {
      return reason.code == "TransactionConflict";
    });
    Count(conflict ? "transaction conflict" : "transaction cancelled");
    for (size_t i = 0; i < reasons.size() && !conflict; ++i) {
      Attempt::Seen& seen = attempt->seen.emplace_back();
      seen.part = i;
      seen.held = reasons[i].code == "None";
      if (!seen.held) seen.state = StateOf(reasons[i].item);
      if (!seen.held && reasons[i].code != "ConditionalCheckFailed") {
        Complain(fmt::format("transaction {}: reason {}", operation.id, reasons[i].code));
      }
    }
  }
  Refused(attempt);
}

// ---- Reads

io::Task<void> StoreRun::Get() {
  TableModel* const table = RandomTable();
  const Attributes key = RandomKey(*table);
  table->ItemAt(key);
  item::GetItemRequest request;
  request.table_name = table->name;
  request.key = ItemOf(key);
  request.consistent_read = random_.OneIn(2);
  Read read;
  read.what = "get";
  read.begun = ++tick_;
  const auto response = co_await store_->GetItem(request);
  read.ended = ++tick_;
  if (!response.ok()) {
    Expect(response.status(), table, "get");
    co_return;
  }
  if (io_.crashed()) co_return;
  read.Add(table, key, StateOf(response->item));
  Note(fmt::format("get {} {}: {}", table->name, Show(key), Show(read.seen[0].state)));
  reads_.push_back(std::move(read));
  Count("get");
}

io::Task<void> StoreRun::GetMany() {
  std::set<std::pair<TableModel*, Attributes>, InOrder> keys;
  for (uint64_t i = random_.Between(2, 8); i > 0; --i) {
    TableModel* const table = RandomTable();
    const Attributes key = RandomKey(*table);
    table->ItemAt(key);
    keys.emplace(table, key);
  }
  Read read;
  read.begun = ++tick_;
  std::map<std::pair<TableModel*, Attributes>, State, InOrder> seen;
  Status status;
  if (random_.OneIn(2)) {
    read.what = "transaction of reads";
    item::TransactGetItemsRequest request;
    for (const auto& [table, key] : keys) {
      item::TransactGetItem& get = request.transact_items.emplace_back();
      get.table_name = table->name;
      get.key = ItemOf(key);
    }
    const auto response = co_await store_->TransactGetItems(request);
    status = response.status();
    if (status.ok()) {
      size_t i = 0;
      for (const auto& key : keys) seen[key] = StateOf(response->responses[i++]);
    }
  } else {
    read.what = "batch of reads";
    item::BatchGetItemRequest request;
    std::map<TableModel*, item::KeysAndAttributes, InOrder> by_table;
    for (const auto& [table, key] : keys) by_table[table].keys.push_back(ItemOf(key));
    for (const auto& [table, asked] : by_table) {
      request.request_items.emplace_back(table->name, asked);
    }
    const auto response = co_await store_->BatchGetItem(request);
    status = response.status();
    if (status.ok()) {
      for (const auto& key : keys) seen[key] = std::nullopt;
      for (const auto& [name, items] : response->responses) {
        for (size_t i = 0; i < items.size(); ++i) {
          const Attributes item = AttributesOf(items.at(i));
          for (const auto& [table, asked] : by_table) {
            if (table->name != name) continue;
            const std::pair<TableModel*, Attributes> key(table, table->KeyOf(item));
            seen[key] = item;
          }
        }
      }
    }
  }
  read.ended = ++tick_;
  if (!status.ok()) {
    const TableModel* gone = nullptr;
    for (const auto& [table, key] : keys) {
      if (table->may_be_gone || table->gone) gone = table;
    }
    Expect(status, gone, read.what);
    co_return;
  }
  if (io_.crashed()) co_return;
  Note(fmt::format("{} of {}", read.what, keys.size()));
  Count(read.what);
  for (auto& [key, state] : seen) read.Add(key.first, key.second, std::move(state));
  reads_.push_back(std::move(read));
}

// ---- The rest

io::Task<void> StoreRun::Follow() {
  std::vector<std::pair<TableModel*, size_t>> streams;
  for (const auto& table : tables_) {
    for (size_t i = 0; i < table->streams.size(); ++i) streams.emplace_back(table.get(), i);
  }
  if (streams.empty()) co_return;
  const auto [table, index] = streams[random_.Below(streams.size())];
  co_await Poll(&table->streams[index], false);
}

io::Task<void> StoreRun::Upkeep() {
  const uint64_t dice = random_.Below(4);
  Status status;
  if (dice < 2) {
    phase_ = "flush";
    if (random_.OneIn(8) && !io_.crashed()) ArmCrash(1 + random_.Below(25));
    const Tick before = tick_;
    status = co_await db_->FlushAsync();
    if (status.ok() && !io_.crashed()) promised_ = std::max(promised_, before);
    Note("flush");
  } else if (dice < 3) {
    phase_ = "compaction";
    status = co_await db_->CompactAsync("", "");
    Note("compact");
  } else {
    phase_ = "split";
    std::vector<std::string> keys;
    const std::unique_ptr<engine::Iterator> iterator = db_->NewIterator({});
    // Anywhere among the items and entries.
    std::string at(1, item::kItemKeySpace);
    at.append(3, '\0');
    at += static_cast<char>(random_.Below(30));
    at += static_cast<char>(random_.Below(256));
    co_await iterator->SeekAsync(at);
    if (iterator->Valid()) keys.emplace_back(iterator->key());
    if (!keys.empty() && db_->Partitions().size() < 60) status = co_await db_->SplitAsync(keys);
    Note("split");
  }
  Expect(status, nullptr, "upkeep");
}

}  // namespace varve::sim
