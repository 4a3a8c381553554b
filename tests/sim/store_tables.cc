// What is done to tables: made, dropped, indexes and streams and time to live added.
#include <algorithm>

#include "tests/sim/store_run.h"

namespace varve::sim {

using item::ErrorType;
using item::KeyType;
using item::ProjectionType;

namespace {

constexpr std::string_view kNames[] = {"Alpha", "Beta", "Gamma"};

item::SecondaryIndex IndexOf(std::string_view name, std::vector<std::string> partition,
                             std::vector<std::string> sort, item::Projection projection) {
  item::SecondaryIndex index;
  index.index_name = name;
  for (std::string& attribute : partition) {
    index.key_schema.push_back({std::move(attribute), KeyType::kHash});
  }
  for (std::string& attribute : sort) {
    index.key_schema.push_back({std::move(attribute), KeyType::kRange});
  }
  index.projection = std::move(projection);
  return index;
}

std::vector<item::SecondaryIndex> LocalIndexes() {
  return {IndexOf("LocalText", {"p"}, {"t"}, {ProjectionType::kAll, {}}),
          IndexOf("LocalNumber", {"p"}, {"l"}, {ProjectionType::kKeysOnly, {}})};
}
std::vector<item::SecondaryIndex> GlobalIndexes() {
  return {IndexOf("One", {"g"}, {}, {ProjectionType::kInclude, {"w"}}),
          IndexOf("Two", {"g"}, {"l"}, {ProjectionType::kAll, {}}),
          IndexOf("Keys", {"t"}, {"g"}, {ProjectionType::kKeysOnly, {}}),
          IndexOf("Many", {"g", "t"}, {"l"}, {ProjectionType::kInclude, {"v", "w"}})};
}

void Define(const std::vector<item::KeySchemaElement>& schema,
            std::vector<item::AttributeDefinition>* definitions) {
  for (const item::KeySchemaElement& element : schema) {
    const auto is_defined = [&](const item::AttributeDefinition& definition) {
      return definition.attribute_name == element.attribute_name;
    };
    if (std::any_of(definitions->begin(), definitions->end(), is_defined)) continue;
    definitions->push_back({element.attribute_name, TypeOfAttribute(element.attribute_name)});
  }
}

item::StreamViewType RandomViewType(Random& random) {
  return random.OneIn(3) ? static_cast<item::StreamViewType>(random.Below(4))
                         : item::StreamViewType::kNewAndOldImages;
}

bool IsBusy(const Status& status) {
  const ErrorType type = item::TypeOfError(status);
  return type == ErrorType::kResourceInUseException || type == ErrorType::kLimitExceededException;
}

}  // namespace

io::Task<void> StoreRun::ChangeTables() {
  TableModel* const table = RandomTable();
  if (table == nullptr || random_.OneIn(6)) {
    co_await CreateTable();
    co_return;
  }
  if (table->changing || table->may_be_gone || table->stream_change_failed) co_return;
  table->changing = true;
  phase_ = "change of a table";
  if (random_.OneIn(6) && !io_.crashed()) ArmCrash(1 + random_.Below(40));
  const uint64_t dice = random_.Below(20);
  std::vector<std::string> droppable;
  for (const auto& [name, index] : table->indexes) {
    if (!index.local && !index.may_be_missing) droppable.push_back(name);
  }
  if (dice < 2) {
    co_await DeleteTable(table);
  } else if (dice < 9) {
    co_await AddIndex(table);
  } else if (dice < 13 && !droppable.empty()) {
    const std::string name = droppable[random_.Below(droppable.size())];
    co_await DropIndex(table, name);
  } else if (dice < 18) {
    co_await SwitchStream(table);
  } else if (!table->expires) {
    co_await EnableExpiry(table);
  }
  table->changing = false;
}

item::CreateTableRequest StoreRun::RandomTableRequest(TableModel* table, Tick begun) {
  table->has_sort_key = random_.OneIn(2);
  item::CreateTableRequest request;
  request.table_name = table->name;
  request.billing_mode = item::BillingMode::kPayPerRequest;
  request.key_schema.push_back({"p", KeyType::kHash});
  if (table->has_sort_key) request.key_schema.push_back({"s", KeyType::kRange});
  Define(request.key_schema, &request.attribute_definitions);
  const auto add = [&](std::vector<item::SecondaryIndex> from, bool local,
                       std::optional<std::vector<item::SecondaryIndex>>& to) {
    for (item::SecondaryIndex& index : from) {
      if (random_.OneIn(2)) continue;
      if (!to) to.emplace();
      Define(index.key_schema, &request.attribute_definitions);
      IndexModel& model = table->indexes[index.index_name];
      model.definition = index;
      model.local = local;
      model.made = begun;
      to->push_back(std::move(index));
    }
  };
  if (table->has_sort_key) add(LocalIndexes(), true, request.local_secondary_indexes);
  add(GlobalIndexes(), false, request.global_secondary_indexes);
  if (random_.OneIn(2)) {
    table->view_type_wanted = RandomViewType(random_);
    request.stream_specification = item::StreamSpecification{true, table->view_type_wanted};
    table->stream_change_failed = {true, begun};  // unless it succeeds
  }
  return request;
}

io::Task<void> StoreRun::CreateTable() {
  const std::string name(kNames[random_.Below(std::size(kNames))]);
  const auto is_it = [&](const std::unique_ptr<TableModel>& table) {
    return table->name == name && !table->gone;
  };
  if (creating_.contains(name) || std::any_of(tables_.begin(), tables_.end(), is_it)) co_return;
  phase_ = "making a table";
  if (random_.OneIn(6) && !io_.crashed()) ArmCrash(1 + random_.Below(40));
  creating_[name] = std::make_unique<TableModel>();
  TableModel* const made = creating_[name].get();
  made->name = name;
  made->number = ++tables_made_;
  const Tick begun = ++tick_;
  const item::CreateTableRequest request = RandomTableRequest(made, begun);
  const auto response = co_await store_->CreateTable(request);
  const Status status = response.status();
  Note(fmt::format("create {}: {}", name, status.ok() ? "ok" : Message(status)));
  ++tick_;
  if (io_.crashed() || IsExcused(status)) co_return;
  if (!status.ok()) {
    Complain(fmt::format("creating a table: {}", Message(status)));
    co_return;
  }
  Count("table made");
  made->made = tick_;
  tables_.push_back(std::move(creating_[name]));
  creating_.erase(name);
  made->id = response->table_description.table_id;
  if (request.stream_specification) {
    StreamModel& stream = made->streams.emplace_back();
    stream.arn = response->table_description.latest_stream_arn;
    stream.view_type = made->view_type_wanted;
    stream.enable_begun = begun;
    stream.enable_ended = tick_;
    made->stream_change_failed.reset();
  }
  if (random_.OneIn(2)) {
    made->changing = true;
    co_await EnableExpiry(made);
    made->changing = false;
  }
}

io::Task<void> StoreRun::EnableExpiry(TableModel* table) {
  item::UpdateTimeToLiveRequest request;
  request.table_name = table->name;
  request.specification.enabled = true;
  request.specification.attribute_name = kExpiry;
  const auto response = co_await store_->UpdateTimeToLive(request);
  Note(fmt::format("time to live of {}: {}", table->name,
                   response.ok() ? "ok" : Message(response.status())));
  if (io_.crashed()) co_return;
  if (response.ok()) {
    table->expires = true;
    Count("time to live enabled");
  } else if (!IsBusy(response.status()) &&
             // Done by one that failed, perhaps.
             item::TypeOfError(response.status()) != ErrorType::kValidationException) {
    Expect(response.status(), table, "time to live");
  }
}

io::Task<void> StoreRun::DeleteTable(TableModel* table) {
  item::DeleteTableRequest request;
  request.table_name = table->name;
  table->may_be_gone = true;
  const Tick begun = ++tick_;
  const auto response = co_await store_->DeleteTable(request);
  const Status status = response.status();
  Note(fmt::format("delete {}: {}", table->name, status.ok() ? "ok" : Message(status)));
  ++tick_;
  if (io_.crashed() || IsExcused(status)) co_return;
  if (status.ok()) {
    table->gone = true;
    StreamEnded(table, begun, tick_);
    Count("table dropped");
  } else {
    table->may_be_gone = false;
    if (!IsBusy(status)) Complain(fmt::format("dropping a table: {}", Message(status)));
  }
}

void StoreRun::StreamEnded(TableModel* table, Tick begun, Tick ended) {
  if (table->streams.empty() || table->streams.back().disable_begun != kNever) return;
  table->streams.back().disable_begun = begun;
  table->streams.back().disable_ended = ended;
}

io::Task<void> StoreRun::AddIndex(TableModel* table) {
  std::vector<item::SecondaryIndex> free;
  for (item::SecondaryIndex& index : GlobalIndexes()) {
    if (!table->indexes.contains(index.index_name)) free.push_back(std::move(index));
  }
  if (free.empty()) co_return;
  const item::SecondaryIndex index = free[random_.Below(free.size())];
  IndexModel model;
  model.definition = index;
  model.may_be_missing = true;
  model.readable = false;
  model.made = ++tick_;
  table->indexes[index.index_name] = model;
  item::UpdateTableRequest request;
  request.table_name = table->name;
  Define(index.key_schema, &request.attribute_definitions);
  auto& updates = request.global_secondary_index_updates.emplace();
  updates.emplace_back().create = index;
  const auto response = co_await store_->UpdateTable(request);
  const Status status = response.status();
  Note(fmt::format("add {} to {}: {}", index.index_name, table->name,
                   status.ok() ? "ok" : Message(status)));
  ++tick_;
  if (io_.crashed() || IsExcused(status)) co_return;
  if (status.ok()) {
    table->indexes[index.index_name].may_be_missing = false;
    Count("index added");
    co_return;
  }
  table->indexes.erase(index.index_name);
  if (!IsBusy(status)) Expect(status, table, "adding an index");
}

io::Task<void> StoreRun::DropIndex(TableModel* table, const std::string& name) {
  table->indexes[name].may_be_missing = true;
  item::UpdateTableRequest request;
  request.table_name = table->name;
  auto& updates = request.global_secondary_index_updates.emplace();
  updates.emplace_back().delete_index_name = name;
  const auto response = co_await store_->UpdateTable(request);
  const Status status = response.status();
  Note(fmt::format("drop {} of {}: {}", name, table->name, status.ok() ? "ok" : Message(status)));
  if (io_.crashed() || IsExcused(status)) co_return;
  if (status.ok()) {
    table->indexes.erase(name);
    Count("index dropped");
    co_return;
  }
  table->indexes[name].may_be_missing = false;
  if (!IsBusy(status)) Expect(status, table, "dropping an index");
}

io::Task<void> StoreRun::SwitchStream(TableModel* table) {
  const bool is_enabled = !table->streams.empty() && table->streams.back().disable_begun == kNever;
  item::UpdateTableRequest request;
  request.table_name = table->name;
  request.stream_specification.emplace();
  request.stream_specification->stream_enabled = !is_enabled;
  table->view_type_wanted = RandomViewType(random_);
  if (!is_enabled) request.stream_specification->stream_view_type = table->view_type_wanted;
  const Tick begun = ++tick_;
  const auto response = co_await store_->UpdateTable(request);
  const Status status = response.status();
  Note(fmt::format("stream of {} {}: {}", table->name, is_enabled ? "off" : "on",
                   status.ok() ? "ok" : Message(status)));
  ++tick_;
  if (io_.crashed() || IsExcused(status)) {
    table->stream_change_failed.emplace(!is_enabled, begun);
  } else if (!status.ok()) {
    if (!IsBusy(status)) Expect(status, table, "switching a stream");
  } else if (is_enabled) {
    StreamEnded(table, begun, tick_);
    Count("stream disabled");
  } else {
    StreamModel& stream = table->streams.emplace_back();
    stream.arn = response->table_description.latest_stream_arn;
    stream.view_type = table->view_type_wanted;
    stream.enable_begun = begun;
    stream.enable_ended = tick_;
    Count("stream enabled");
  }
}

}  // namespace varve::sim
