#include "item/update_table.h"

#include <algorithm>

#include "item/errors.h"
#include "item/store.h"
#include "item/table.h"
#include "item/table_rules.h"

namespace varve::item {
namespace {

constexpr uint64_t kDayMs = uint64_t{24} * 60 * 60 * 1000;

template <typename... Args>
Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return ValidationError("One or more parameter values were invalid: {}",
                         fmt::format(format, std::forward<Args>(args)...));
}

Status InUse(std::string_view what) {
  return MakeError(ErrorType::kResourceInUseException,
                   fmt::format("Attempt to change a resource which is still in use: {}", what));
}

bool IsOnDemand(const TableDescription& table) {
  return table.billing_mode == BillingMode::kPayPerRequest;
}

// Of a table or an index. `what`: "the table" or "the index NAME".
template <typename Description>
Status ChangeThroughput(const ProvisionedThroughput& wanted, std::string_view what,
                        std::string_view kind, bool mode_changes, uint64_t now_ms,
                        Description& description) {
  ProvisionedThroughput& current = description.provisioned_throughput;
  const bool more = wanted.read_capacity_units > current.read_capacity_units ||
                    wanted.write_capacity_units > current.write_capacity_units;
  const bool less = wanted.read_capacity_units < current.read_capacity_units ||
                    wanted.write_capacity_units < current.write_capacity_units;
  if (!more && !less && !mode_changes) {
    return ValidationError(
        "The provisioned throughput for the {} will not change. The requested value equals the "
        "current value. Current ReadCapacityUnits provisioned for the {}: {}. Requested "
        "ReadCapacityUnits: {}. Current WriteCapacityUnits provisioned for the {}: {}. Requested "
        "WriteCapacityUnits: {}. Refer to the Amazon DynamoDB Developer Guide for current limits "
        "and how to request higher limits.",
        what, kind, current.read_capacity_units, wanted.read_capacity_units, kind,
        current.write_capacity_units, wanted.write_capacity_units);
  }
  if (more) description.last_increase_ms = now_ms;
  if (less) {
    if (description.last_decrease_ms / kDayMs != now_ms / kDayMs) {
      description.number_of_decreases_today = 0;
    }
    description.last_decrease_ms = now_ms;
    ++description.number_of_decreases_today;
  }
  current = wanted;
  return absl::OkStatus();
}

// `index_name` is empty for the table itself.
Status CheckOnDemandChange(const OnDemandThroughput& wanted, const TableDescription& table,
                           std::string_view index_name, bool may_clear) {
  if (!IsOnDemand(table)) {
    return Invalid(
        "{} for OnDemandThroughput cannot be specified {}when the table BillingMode is PROVISIONED",
        wanted.max_read_request_units ? "MaxReadRequestUnits" : "MaxWriteRequestUnits",
        index_name.empty() ? "" : fmt::format("for index : {} ", index_name));
  }
  return CheckOnDemandThroughput(wanted, index_name, may_clear);
}

// -1 takes a maximum away.
void ChangeOnDemandThroughput(const OnDemandThroughput& wanted,
                              std::optional<OnDemandThroughput>& current) {
  OnDemandThroughput changed = current.value_or(OnDemandThroughput());
  if (wanted.max_read_request_units) {
    changed.max_read_request_units = wanted.max_read_request_units;
  }
  if (wanted.max_write_request_units) {
    changed.max_write_request_units = wanted.max_write_request_units;
  }
  if (changed.max_read_request_units == -1) changed.max_read_request_units.reset();
  if (changed.max_write_request_units == -1) changed.max_write_request_units.reset();
  current.reset();
  if (changed.max_read_request_units || changed.max_write_request_units) current = changed;
}

Status ChangeWarmThroughput(const WarmThroughput& wanted, const ProvisionedThroughput& provisioned,
                            bool on_demand, std::string_view of,
                            std::optional<WarmThroughput>& current) {
  WarmThroughput changed = current.value_or(WarmThroughput());
  const auto change = [&](std::optional<int64_t> units, std::optional<int64_t>& now,
                          int64_t at_least, std::string_view name) -> Status {
    if (!units) return absl::OkStatus();
    if (*units < std::max(now.value_or(0), at_least)) {
      return Invalid(
          "Requested {} for WarmThroughput for {} is lower than current WarmThroughput, "
          "decreasing WarmThroughput is not supported",
          name, of);
    }
    now = units;
    return absl::OkStatus();
  };
  VARVE_RETURN_IF_ERROR(change(wanted.read_units_per_second, changed.read_units_per_second,
                               on_demand ? kInitialReadUnits : provisioned.read_capacity_units,
                               "ReadUnitsPerSecond"));
  VARVE_RETURN_IF_ERROR(change(wanted.write_units_per_second, changed.write_units_per_second,
                               on_demand ? kInitialWriteUnits : provisioned.write_capacity_units,
                               "WriteUnitsPerSecond"));
  current = changed;
  return absl::OkStatus();
}

Status ChangeCapacityMode(const UpdateTableRequest& request, uint64_t now_ms,
                          TableDescription& table) {
  const BillingMode mode = request.billing_mode.value_or(table.billing_mode);
  const bool changes = mode != table.billing_mode;
  if (request.provisioned_throughput && mode == BillingMode::kPayPerRequest) {
    return Invalid(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST");
  }
  if (request.provisioned_throughput) {
    VARVE_RETURN_IF_ERROR(ChangeThroughput(*request.provisioned_throughput, "table", "table",
                                           changes, now_ms, table));
  }
  if (!changes) return absl::OkStatus();
  table.billing_mode = mode;
  table.has_billing_mode_summary = true;
  if (mode == BillingMode::kPayPerRequest) {
    table.provisioned_throughput = {};
    table.last_update_to_pay_per_request_ms = now_ms;
    for (IndexDescription& index : table.indexes) index.provisioned_throughput = {};
    return absl::OkStatus();
  }
  table.on_demand_throughput.reset();
  std::vector<std::string_view> left_out;
  for (IndexDescription& index : table.indexes) {
    if (!index.global) continue;
    index.on_demand_throughput.reset();
    const bool given =
        request.global_secondary_index_updates &&
        std::any_of(request.global_secondary_index_updates->begin(),
                    request.global_secondary_index_updates->end(), [&](const auto& update) {
                      return update.update && update.update->index_name == index.index_name &&
                             update.update->provisioned_throughput;
                    });
    if (!given) left_out.push_back(index.index_name);
  }
  if (left_out.empty()) return absl::OkStatus();
  return Invalid("ProvisionedThroughput must be specified for index: {}", fmt::join(left_out, ","));
}

// ---- Indexes

// The global index that an update or deletion means.
StatusOr<IndexDescription*> IndexToChange(std::string_view name, std::string_view verb,
                                          TableDescription& table) {
  IndexDescription* index = FindIndex(table, name);
  if (index == nullptr) {
    return MakeError(
        ErrorType::kResourceNotFoundException,
        fmt::format("Requested resource not found: Index {} for table {}", name, table.table_name));
  }
  if (!index->global) {
    return ValidationError("Cannot {} an index that is not a GlobalSecondaryIndex: {}", verb, name);
  }
  return index;
}

Status CreateIndex(const SecondaryIndex& wanted, const UpdateTableRequest& request,
                   TableDescription& table) {
  const std::string& name = wanted.index_name;
  if (request.attribute_definitions.empty()) {
    return Invalid("AttributeDefinitions is not specified for index: {}", name);
  }
  VARVE_RETURN_IF_ERROR(CheckGlobalIndex(wanted, request.attribute_definitions));
  if (FindIndex(table, name) != nullptr) {
    return ValidationError("Attempting to create an index which already exists");
  }
  size_t global_indexes = 0;
  size_t projected_names = wanted.projection.non_key_attributes.size();
  for (const IndexDescription& index : table.indexes) {
    if (index.status == IndexStatus::kCreating) return OneIndexAtATime();
    global_indexes += index.global;
    projected_names += index.projection.non_key_attributes.size();
  }
  if (global_indexes >= kGlobalIndexesMax) {
    return MakeError(ErrorType::kLimitExceededException,
                     fmt::format("Subscriber limit exceeded: Number of global secondary indexes "
                                 "exceeds per-table limit of {}",
                                 kGlobalIndexesMax));
  }
  if (projected_names > kProjectedNamesMax) {
    return Invalid("Number of NonKeyAttributes across all indexes exceeds per-table limit of {}",
                   kProjectedNamesMax);
  }
  if (IsOnDemand(table) && wanted.provisioned_throughput) {
    return Invalid(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {} when "
        "BillingMode is PAY_PER_REQUEST",
        name);
  }
  if (!IsOnDemand(table) && !wanted.provisioned_throughput) {
    return Invalid("Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {}",
                   name);
  }
  if (wanted.provisioned_throughput) {
    VARVE_RETURN_IF_ERROR(CheckThroughput(*wanted.provisioned_throughput));
  }
  if (wanted.on_demand_throughput) {
    VARVE_RETURN_IF_ERROR(CheckOnDemandChange(*wanted.on_demand_throughput, table, name,
                                              /*may_clear=*/false));
  }
  for (const KeySchemaElement& key : wanted.key_schema) {
    const auto is_key = [&](const AttributeDefinition& d) {
      return d.attribute_name == key.attribute_name;
    };
    const auto given = std::find_if(request.attribute_definitions.begin(),
                                    request.attribute_definitions.end(), is_key);
    auto& definitions = table.attribute_definitions;
    const auto known = std::find_if(definitions.begin(), definitions.end(), is_key);
    if (known == definitions.end()) {
      definitions.push_back(*given);
    } else if (known->attribute_type != given->attribute_type) {
      return Invalid("Attribute {} of index {} is defined with another type in the table",
                     key.attribute_name, name);
    }
  }
  IndexDescription description = DescriptionOfIndex(wanted, /*global=*/true);
  description.status = IndexStatus::kCreating;
  table.indexes.push_back(std::move(description));
  table.table_status = TableStatus::kUpdating;
  return absl::OkStatus();
}

Status UpdateIndex(const GlobalSecondaryIndexUpdate::Update& wanted, bool mode_changes,
                   uint64_t now_ms, TableDescription& table) {
  VARVE_ASSIGN_OR_RETURN(IndexDescription* const index,
                         IndexToChange(wanted.index_name, "update", table));
  const std::string& name = wanted.index_name;
  if (index->status == IndexStatus::kCreating) {
    return InUse(
        fmt::format("Index is being created. Table: {} Index: {}", table.table_name, name));
  }
  if (IsOnDemand(table) && wanted.provisioned_throughput) {
    return Invalid(
        "The only Updates for index: {} when TableThroughputMode is PAY_PER_REQUEST can be to "
        "OnDemandThroughput, WarmThroughput",
        name);
  }
  if (wanted.provisioned_throughput) {
    VARVE_RETURN_IF_ERROR(CheckThroughput(*wanted.provisioned_throughput));
    VARVE_RETURN_IF_ERROR(ChangeThroughput(*wanted.provisioned_throughput,
                                           fmt::format("index {}", name), "index", mode_changes,
                                           now_ms, *index));
  }
  if (wanted.on_demand_throughput) {
    VARVE_RETURN_IF_ERROR(CheckOnDemandChange(*wanted.on_demand_throughput, table, name,
                                              /*may_clear=*/true));
    ChangeOnDemandThroughput(*wanted.on_demand_throughput, index->on_demand_throughput);
  }
  if (wanted.warm_throughput) {
    return ChangeWarmThroughput(*wanted.warm_throughput, index->provisioned_throughput,
                                IsOnDemand(table), fmt::format("index {}", name),
                                index->warm_throughput);
  }
  return absl::OkStatus();
}

// Definitions that no key needs go with the index that needed them.
void PruneDefinitions(TableDescription& table) {
  const auto uses = [](const std::vector<KeySchemaElement>& keys, std::string_view name) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const KeySchemaElement& key) { return key.attribute_name == name; });
  };
  std::erase_if(table.attribute_definitions, [&](const AttributeDefinition& definition) {
    const std::string& name = definition.attribute_name;
    return !uses(table.key_schema, name) &&
           std::none_of(table.indexes.begin(), table.indexes.end(),
                        [&](const auto& index) { return uses(index.key_schema, name); });
  });
}

Status DeleteIndex(std::string_view name, TableDescription& table) {
  VARVE_ASSIGN_OR_RETURN(IndexDescription* const index, IndexToChange(name, "delete", table));
  if (index->status == IndexStatus::kCreating && !index->backfilling) {
    return InUse(
        fmt::format("Index creation is in resource allocation phase. Retry deletion during "
                    "backfilling phase or when the index is active. Table: {} Index: {}",
                    table.table_name, name));
  }
  for (const IndexDescription& other : table.indexes) {
    if (&other != index && other.status == IndexStatus::kCreating) return OneIndexAtATime();
  }
  table.indexes.erase(table.indexes.begin() + (index - table.indexes.data()));
  PruneDefinitions(table);
  return absl::OkStatus();
}

Status ChangeStream(const StreamSpecification& wanted, TableDescription& table) {
  if (wanted.stream_enabled && table.stream_view_type) {
    return ValidationError("Table already has an enabled stream: TableName: {}", table.table_name);
  }
  if (!wanted.stream_enabled && !table.stream_view_type) {
    return ValidationError("Table has no stream to disable: TableName: {}", table.table_name);
  }
  table.stream_view_type = wanted.stream_view_type;
  return absl::OkStatus();
}

Status ChangeSse(const SseSpecification& sse, std::string_view kms_key_arn,
                 TableDescription& table) {
  const bool enabled = sse.enabled.value_or(false);
  if (!enabled && !table.sse_enabled) return Invalid("Table is already encrypted by default");
  if (enabled && table.sse_enabled && table.kms_master_key_arn == kms_key_arn) {
    return Invalid(
        "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you "
        "want to change Master Key");
  }
  table.sse_enabled = enabled;
  table.kms_master_key_arn = enabled ? kms_key_arn : std::string_view();
  return absl::OkStatus();
}

}  // namespace

IndexDescription DescriptionOfIndex(const SecondaryIndex& index, bool global) {
  IndexDescription description;
  description.index_name = index.index_name;
  description.global = global;
  description.key_schema = index.key_schema;
  description.projection = index.projection;
  description.provisioned_throughput =
      index.provisioned_throughput.value_or(ProvisionedThroughput());
  description.on_demand_throughput = index.on_demand_throughput;
  description.warm_throughput = index.warm_throughput;
  return description;
}

TableStatus StatusAt(const TableDescription& table, uint64_t now_ms) {
  if (table.table_status == TableStatus::kActive && now_ms < table.transition_end_ms) {
    return table.transition;
  }
  return table.table_status;
}

Status CheckTableAtRest(const TableDescription& table, uint64_t now_ms) {
  switch (StatusAt(table, now_ms)) {
    case TableStatus::kActive:
      return absl::OkStatus();
    case TableStatus::kCreating:
      return InUse(fmt::format("Table is being created: {}", table.table_name));
    case TableStatus::kDeleting:
      return InUse(fmt::format("Table is being deleted: {}", table.table_name));
    case TableStatus::kUpdating:
      return InUse(fmt::format("Table: {} is in the process of being updated.", table.table_name));
  }
  return absl::OkStatus();
}

Status ApplyUpdate(const UpdateTableRequest& request, uint64_t now_ms, std::string_view kms_key_arn,
                   TableDescription& table) {
  VARVE_RETURN_IF_ERROR(CheckTableAtRest(table, now_ms));
  const BillingMode old_mode = table.billing_mode;
  VARVE_RETURN_IF_ERROR(ChangeCapacityMode(request, now_ms, table));
  const bool mode_changes = table.billing_mode != old_mode;
  if (request.on_demand_throughput) {
    VARVE_RETURN_IF_ERROR(CheckOnDemandChange(*request.on_demand_throughput, table, "",
                                              /*may_clear=*/true));
    ChangeOnDemandThroughput(*request.on_demand_throughput, table.on_demand_throughput);
  }
  if (request.warm_throughput) {
    VARVE_RETURN_IF_ERROR(ChangeWarmThroughput(*request.warm_throughput,
                                               table.provisioned_throughput, IsOnDemand(table),
                                               "table", table.warm_throughput));
  }
  if (request.global_secondary_index_updates) {
    for (const auto& update : *request.global_secondary_index_updates) {
      if (update.create) {
        VARVE_RETURN_IF_ERROR(CreateIndex(*update.create, request, table));
      } else if (update.update) {
        VARVE_RETURN_IF_ERROR(UpdateIndex(*update.update, mode_changes, now_ms, table));
      } else {
        VARVE_RETURN_IF_ERROR(DeleteIndex(*update.delete_index_name, table));
      }
    }
  }
  if (request.stream_specification) {
    VARVE_RETURN_IF_ERROR(ChangeStream(*request.stream_specification, table));
  }
  if (request.sse_specification) {
    VARVE_RETURN_IF_ERROR(ChangeSse(*request.sse_specification, kms_key_arn, table));
  }
  if (request.table_class) table.table_class = request.table_class;
  if (request.deletion_protection_enabled) {
    table.deletion_protection_enabled = *request.deletion_protection_enabled;
  }
  return absl::OkStatus();
}

TableDescription DescriptionDuringUpdate(const UpdateTableRequest& request,
                                         const TableDescription& before,
                                         const TableDescription& after) {
  TableDescription answer = after;
  const bool mode_changes = before.billing_mode != after.billing_mode;
  if (mode_changes || request.provisioned_throughput || request.table_class ||
      request.sse_specification || request.stream_specification) {
    answer.table_status = TableStatus::kUpdating;
  }
  // The throughput of before is in force until the update is done.
  const auto keep_throughput = [](const auto& from, auto& to) {
    to.provisioned_throughput = from.provisioned_throughput;
    to.number_of_decreases_today = from.number_of_decreases_today;
    to.last_increase_ms = from.last_increase_ms;
    to.last_decrease_ms = from.last_decrease_ms;
  };
  if (request.provisioned_throughput && !mode_changes) keep_throughput(before, answer);
  if (!request.global_secondary_index_updates) return answer;
  for (const auto& update : *request.global_secondary_index_updates) {
    if (update.update) {
      IndexDescription* index = FindIndex(answer, update.update->index_name);
      const IndexDescription* old_index = FindIndex(before, update.update->index_name);
      if (index == nullptr || old_index == nullptr) continue;
      index->status = IndexStatus::kUpdating;
      if (!mode_changes) keep_throughput(*old_index, *index);
    } else if (update.delete_index_name) {
      answer.table_status = TableStatus::kUpdating;
      answer.attribute_definitions = before.attribute_definitions;
      answer.indexes = before.indexes;
      FindIndex(answer, *update.delete_index_name)->status = IndexStatus::kDeleting;
    }
  }
  return answer;
}

void ForgetOldDecreases(uint64_t now_ms, TableDescription* table) {
  const auto forget = [now_ms](auto& description) {
    if (description.last_decrease_ms / kDayMs != now_ms / kDayMs) {
      description.number_of_decreases_today = 0;
    }
  };
  forget(*table);
  for (IndexDescription& index : table->indexes) forget(index);
}

io::Task<StatusOr<UpdateTableResponse>> Store::UpdateTable(const UpdateTableRequest& request) {
  VARVE_CO_RETURN_IF_ERROR(CheckUpdateTable(request));
  const uint64_t now_ms = io_.WallMs();
  std::string kms_key_arn;
  if (request.sse_specification) kms_key_arn = KmsKeyArn(*request.sse_specification);
  TableDescription before;
  Catalogue::Change change = [&](TableDescription& description) -> Status {
    before = description;
    VARVE_RETURN_IF_ERROR(ApplyUpdate(request, now_ms, kms_key_arn, description));
    const TableDescription during = DescriptionDuringUpdate(request, before, description);
    if (during.table_status == TableStatus::kUpdating) {
      description.transition = TableStatus::kUpdating;
      description.transition_end_ms = now_ms + options_.transition_ms;
    }
    return absl::OkStatus();
  };
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table,
                            co_await catalogue_->Update(request.table_name, std::move(change)));
  CareForStreams();
  for (const Index& index : table->indexes) {
    if (index.readable || FindIndex(before, index.name) != nullptr) continue;
    background_.Start(FillIndex(table->description.table_name, index.name));
  }
  TableDescription measured;
  VARVE_CO_RETURN_IF_ERROR(co_await Complete(*table, /*may_wait=*/false, &measured));
  UpdateTableResponse response;
  response.table_description = DescriptionDuringUpdate(request, before, measured);
  AddArns(&response.table_description);
  co_return response;
}

}  // namespace varve::item
