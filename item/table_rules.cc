#include "item/table_rules.h"

#include <algorithm>
#include <set>

#include "item/errors.h"

namespace varve::item {
namespace {

// What most messages begin with.
template <typename... Args>
Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return ValidationError("One or more parameter values were invalid: {}",
                         fmt::format(format, std::forward<Args>(args)...));
}

template <typename Range, typename Name>
std::string Joined(const Range& range, Name name) {
  std::string joined;
  for (const auto& element : range) {
    if (!joined.empty()) joined += ", ";
    joined += name(element);
  }
  return joined;
}

constexpr auto kAttributeName = [](const auto& element) { return element.attribute_name; };

Status CheckCapacityMode(const CreateTableRequest& request) {
  if (request.billing_mode == BillingMode::kPayPerRequest) {
    if (!request.provisioned_throughput) return absl::OkStatus();
    return Invalid(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST");
  }
  if (!request.provisioned_throughput) {
    return Invalid(
        "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
        "PROVISIONED");
  }
  return CheckThroughput(*request.provisioned_throughput);
}

bool IsDefined(const std::vector<AttributeDefinition>& definitions, std::string_view name) {
  return std::any_of(definitions.begin(), definitions.end(),
                     [&](const AttributeDefinition& d) { return d.attribute_name == name; });
}

Status CheckDefined(const std::vector<KeySchemaElement>& keys,
                    const std::vector<AttributeDefinition>& definitions) {
  for (const KeySchemaElement& key : keys) {
    if (IsDefined(definitions, key.attribute_name)) continue;
    return Invalid(
        "Some index key attributes are not defined in AttributeDefinitions. Keys: [{}], "
        "AttributeDefinitions: [{}]",
        Joined(keys, kAttributeName), Joined(definitions, kAttributeName));
  }
  return absl::OkStatus();
}

// A HASH key and perhaps a RANGE key: of tables and local indexes.
Status CheckSimpleKeys(const std::vector<KeySchemaElement>& keys) {
  if (keys.size() == 2 && keys[0].attribute_name == keys[1].attribute_name) {
    return ValidationError(
        "Both the Hash Key and the Range Key element in the KeySchema have the same name");
  }
  if (keys[0].key_type != KeyType::kHash) {
    return ValidationError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  }
  if (keys.size() == 2 && keys[1].key_type != KeyType::kRange) {
    return ValidationError(
        "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
  }
  return absl::OkStatus();
}

// Up to four HASH keys, then up to four RANGE keys: of global indexes.
Status CheckCompositeKeys(const std::vector<KeySchemaElement>& keys) {
  std::set<std::string_view> names;
  for (const KeySchemaElement& key : keys) {
    if (names.insert(key.attribute_name).second) continue;
    if (keys.size() == 2 && keys[0].key_type != keys[1].key_type) {
      return ValidationError(
          "Both the Hash Key and the Range Key element in the KeySchema have the same name");
    }
    return ValidationError("The KeySchema contains multiple key attributes with the same name");
  }
  if (keys.empty() || keys[0].key_type != KeyType::kHash) {
    return ValidationError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
  }
  size_t hashes = 0, ranges = 0;
  for (const KeySchemaElement& key : keys) {
    if (key.key_type == KeyType::kHash && ranges > 0) {
      return Invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema");
    }
    ++(key.key_type == KeyType::kHash ? hashes : ranges);
  }
  for (const auto& [count, kind] : {std::pair(hashes, "HASH"), std::pair(ranges, "RANGE")}) {
    if (count > kIndexKeyPartsMax) {
      return Invalid("The KeySchema exceeds the maximum allowed number of {} key attributes", kind);
    }
  }
  return absl::OkStatus();
}

Status CheckTableKeys(const CreateTableRequest& request) {
  const std::vector<KeySchemaElement>& keys = request.key_schema;
  const std::vector<AttributeDefinition>& definitions = request.attribute_definitions;
  if (keys.empty() || keys.size() > 2) {
    return ValidationError("Invalid KeySchema: it must have 1 or 2 elements");
  }
  if (keys.size() > definitions.size()) {
    return ValidationError("Invalid KeySchema: Some index key attribute have no definition");
  }
  VARVE_RETURN_IF_ERROR(CheckDefined(keys, definitions));
  VARVE_RETURN_IF_ERROR(CheckSimpleKeys(keys));
  const bool has_indexes = request.local_secondary_indexes || request.global_secondary_indexes;
  if (!has_indexes && keys.size() != definitions.size()) {
    return Invalid(
        "Number of attributes in KeySchema does not exactly match number of attributes defined in "
        "AttributeDefinitions");
  }
  std::set<std::string_view> names;
  for (const AttributeDefinition& definition : definitions) {
    if (names.insert(definition.attribute_name).second) continue;
    return ValidationError("Attribute Name is duplicated: {}", definition.attribute_name);
  }
  return absl::OkStatus();
}

Status CheckProjection(const Projection& projection) {
  if (!projection.type) return Invalid("Unknown ProjectionType: null");
  const bool has_names = !projection.non_key_attributes.empty();
  if (has_names != (*projection.type == ProjectionType::kInclude)) {
    return Invalid("ProjectionType is {}, but NonKeyAttributes is {}specified",
                   ToString(*projection.type), has_names ? "" : "not ");
  }
  std::set<std::string_view> names;
  for (const std::string& name : projection.non_key_attributes) {
    if (!names.insert(name).second) {
      return Invalid("Duplicate element in NonKeyAttributes: {}", name);
    }
  }
  return absl::OkStatus();
}

Status CheckLocalIndex(const SecondaryIndex& index, const CreateTableRequest& request) {
  VARVE_RETURN_IF_ERROR(CheckDefined(index.key_schema, request.attribute_definitions));
  VARVE_RETURN_IF_ERROR(CheckSimpleKeys(index.key_schema));
  if (index.key_schema.size() != 2) {
    return Invalid("Index KeySchema does not have a range key for index: {}", index.index_name);
  }
  const std::string& hash = index.key_schema[0].attribute_name;
  const std::string& table_hash = request.key_schema[0].attribute_name;
  if (hash != table_hash) {
    return Invalid(
        "Index KeySchema does not have the same leading hash key as table KeySchema for index: {}. "
        "index hash key: {}, table hash key: {}",
        index.index_name, hash, table_hash);
  }
  return CheckProjection(index.projection);
}

Status CheckIndexCapacity(const SecondaryIndex& index, const CreateTableRequest& request) {
  const bool on_demand = request.billing_mode == BillingMode::kPayPerRequest;
  if (on_demand && index.provisioned_throughput) {
    return Invalid(
        "ProvisionedThroughput should not be specified for index: {} when BillingMode is "
        "PAY_PER_REQUEST",
        index.index_name);
  }
  if (!on_demand && !index.provisioned_throughput) {
    return Invalid("ProvisionedThroughput is not specified for index: {}", index.index_name);
  }
  if (index.provisioned_throughput) {
    VARVE_RETURN_IF_ERROR(CheckThroughput(*index.provisioned_throughput));
  }
  if (index.on_demand_throughput) {
    if (!on_demand) {
      return Invalid(
          "{} for OnDemandThroughput cannot be specified for index : {} when the table BillingMode "
          "is PROVISIONED",
          index.on_demand_throughput->max_read_request_units ? "MaxReadRequestUnits"
                                                             : "MaxWriteRequestUnits",
          index.index_name);
    }
    return CheckOnDemandThroughput(*index.on_demand_throughput, index.index_name, false);
  }
  return absl::OkStatus();
}

Status CheckIndexes(const CreateTableRequest& request) {
  std::set<std::string_view> names;
  size_t projected_names = 0;
  const auto count = [&](const SecondaryIndex& index) -> Status {
    if (!names.insert(index.index_name).second) {
      return Invalid("Duplicate index name: {}", index.index_name);
    }
    projected_names += index.projection.non_key_attributes.size();
    return absl::OkStatus();
  };
  if (const auto& indexes = request.local_secondary_indexes) {
    if (indexes->empty()) return Invalid("List of LocalSecondaryIndexes is empty");
    if (request.key_schema.size() != 2) {
      return Invalid(
          "Table KeySchema does not have a range key, which is required when specifying a "
          "LocalSecondaryIndex");
    }
    for (const SecondaryIndex& index : *indexes) {
      VARVE_RETURN_IF_ERROR(CheckLocalIndex(index, request));
      VARVE_RETURN_IF_ERROR(count(index));
    }
    if (indexes->size() > kLocalIndexesMax) {
      return Invalid("Number of LocalSecondaryIndexes exceeds per-table limit of {}",
                     kLocalIndexesMax);
    }
  }
  if (const auto& indexes = request.global_secondary_indexes) {
    if (indexes->empty()) return Invalid("List of GlobalSecondaryIndexes is empty");
    for (const SecondaryIndex& index : *indexes) {
      VARVE_RETURN_IF_ERROR(CheckGlobalIndex(index, request.attribute_definitions));
      VARVE_RETURN_IF_ERROR(CheckIndexCapacity(index, request));
      VARVE_RETURN_IF_ERROR(count(index));
    }
    if (indexes->size() > kGlobalIndexesMax) {
      return Invalid("GlobalSecondaryIndex count exceeds the per-table limit of {}",
                     kGlobalIndexesMax);
    }
  }
  if (projected_names > kProjectedNamesMax) {
    return Invalid("Number of NonKeyAttributes across all indexes exceeds per-table limit of {}",
                   kProjectedNamesMax);
  }
  return absl::OkStatus();
}

// With indexes, every definition must be of use to some key.
Status CheckDefinitionsUsed(const CreateTableRequest& request) {
  std::set<std::string_view> used;
  const auto use = [&](const std::vector<KeySchemaElement>& keys) {
    for (const KeySchemaElement& key : keys) used.insert(key.attribute_name);
  };
  use(request.key_schema);
  for (const auto* indexes :
       {&request.local_secondary_indexes, &request.global_secondary_indexes}) {
    if (!*indexes) continue;
    for (const SecondaryIndex& index : **indexes) use(index.key_schema);
  }
  if (used.size() == request.attribute_definitions.size()) return absl::OkStatus();
  std::vector<std::string> defined;
  for (const AttributeDefinition& definition : request.attribute_definitions) {
    defined.push_back(definition.attribute_name);
  }
  std::sort(defined.begin(), defined.end());
  return Invalid(
      "Some AttributeDefinitions are not used. AttributeDefinitions: [{}], keys used: [{}]",
      fmt::join(defined, ", "), fmt::join(used, ", "));
}

Status CheckWarmThroughput(const WarmThroughput& warm, const CreateTableRequest& request) {
  const bool on_demand = request.billing_mode == BillingMode::kPayPerRequest;
  const auto check = [&](std::optional<int64_t> units, std::string_view name, int64_t at_least,
                         std::string_view what) -> Status {
    if (!units || *units >= at_least) return absl::OkStatus();
    return Invalid("Requested {} for WarmThroughput for table is lower than {}", name, what);
  };
  if (on_demand) {
    constexpr std::string_view kInitial = "initial throughput for OnDemand";
    VARVE_RETURN_IF_ERROR(
        check(warm.read_units_per_second, "ReadUnitsPerSecond", kInitialReadUnits, kInitial));
    return check(warm.write_units_per_second, "WriteUnitsPerSecond", kInitialWriteUnits, kInitial);
  }
  const ProvisionedThroughput& throughput = *request.provisioned_throughput;
  VARVE_RETURN_IF_ERROR(check(warm.read_units_per_second, "ReadUnitsPerSecond",
                              throughput.read_capacity_units,
                              "ReadCapacityUnits of ProvisionedThroughput"));
  return check(warm.write_units_per_second, "WriteUnitsPerSecond", throughput.write_capacity_units,
               "WriteCapacityUnits of ProvisionedThroughput");
}

size_t Characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Status OneIndexAtATime() {
  return MakeError(ErrorType::kLimitExceededException,
                   "Subscriber limit exceeded: Only 1 online index can be created or deleted "
                   "simultaneously per table");
}

Status CheckThroughput(const ProvisionedThroughput& throughput) {
  if (throughput.read_capacity_units > kThroughputMax) {
    return ValidationError("Given value {} for ReadCapacityUnits is out of bounds",
                           throughput.read_capacity_units);
  }
  if (throughput.write_capacity_units > kThroughputMax) {
    return ValidationError("Given value {} for WriteCapacityUnits is out of bounds",
                           throughput.write_capacity_units);
  }
  return absl::OkStatus();
}

Status CheckOnDemandThroughput(const OnDemandThroughput& throughput, std::string_view index_name,
                               bool may_clear) {
  const auto check = [&](std::optional<int64_t> units, std::string_view name) -> Status {
    if (!units || *units >= 1 || (may_clear && *units == -1)) return absl::OkStatus();
    return Invalid("Requested {} for OnDemandThroughput for {} is outside of valid range", name,
                   index_name.empty() ? "table" : fmt::format("index : {}", index_name));
  };
  VARVE_RETURN_IF_ERROR(check(throughput.max_read_request_units, "MaxReadRequestUnits"));
  return check(throughput.max_write_request_units, "MaxWriteRequestUnits");
}

Status CheckSse(const SseSpecification& sse) {
  if (!sse.enabled.value_or(false)) {
    if (sse.sse_type) return Invalid("SSEType can not be specified if Enabled is false");
    if (sse.kms_master_key_id) {
      return Invalid("KMSMasterKeyId can not be specified if Enabled is false");
    }
    return absl::OkStatus();
  }
  if (sse.sse_type == "AES256") return Invalid("SSEType AES256 is not supported");
  if (sse.kms_master_key_id && !sse.sse_type) {
    return Invalid("SSEType KMS is required if KMSMasterKeyId is specified");
  }
  return absl::OkStatus();
}

Status CheckTags(const std::vector<Tag>& tags) {
  std::set<std::string_view> keys;
  for (const Tag& tag : tags) {
    if (tag.key.empty() || Characters(tag.key) > kTagKeyLengthMax) {
      return ValidationError("The Tag Key provided is invalid, Key: {}", tag.key);
    }
    if (Characters(tag.value) > kTagValueLengthMax) {
      return ValidationError("The Tag Value provided is invalid, Value: {}", tag.value);
    }
    if (tag.key.starts_with("aws:")) {
      return ValidationError("Tag Key cannot be prefixed with aws:, Key: {}", tag.key);
    }
    if (!keys.insert(tag.key).second) {
      return ValidationError("Duplicate Tag Keys provided as input: Duplicate Tag Key found {}",
                             tag.key);
    }
  }
  return absl::OkStatus();
}

Status CheckGlobalIndex(const SecondaryIndex& index,
                        const std::vector<AttributeDefinition>& definitions) {
  VARVE_RETURN_IF_ERROR(CheckDefined(index.key_schema, definitions));
  VARVE_RETURN_IF_ERROR(CheckCompositeKeys(index.key_schema));
  return CheckProjection(index.projection);
}

Status CheckStreamChange(const UpdateTableRequest& request) {
  const StreamSpecification& stream = *request.stream_specification;
  if (stream.stream_enabled && !stream.stream_view_type) {
    return Invalid("If stream is being enabled then UpdateViewType is required");
  }
  if (!stream.stream_enabled && stream.stream_view_type) {
    return Invalid("If stream is being disabled, then UpdateViewType must not be specified");
  }
  if (request.provisioned_throughput || request.billing_mode == BillingMode::kProvisioned) {
    return Invalid("You cannot modify stream status while updating table IOPS");
  }
  if (request.global_secondary_index_updates) {
    return Invalid("You cannot create or delete index while changing stream status");
  }
  return absl::OkStatus();
}

Status CheckCreateTable(const CreateTableRequest& request) {
  VARVE_RETURN_IF_ERROR(CheckCapacityMode(request));
  VARVE_RETURN_IF_ERROR(CheckTableKeys(request));
  VARVE_RETURN_IF_ERROR(CheckIndexes(request));
  VARVE_RETURN_IF_ERROR(CheckDefinitionsUsed(request));
  if (request.stream_specification) {
    const StreamSpecification& stream = *request.stream_specification;
    if (stream.stream_enabled && !stream.stream_view_type) {
      return Invalid("Table is being created with a stream enabled, UpdateViewType is required");
    }
    if (!stream.stream_enabled && stream.stream_view_type) {
      return Invalid(
          "Table is being created with a stream disabled, UpdateViewType should not be specified");
    }
  }
  if (request.on_demand_throughput) {
    if (request.billing_mode != BillingMode::kPayPerRequest) {
      return Invalid(
          "{} for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED",
          request.on_demand_throughput->max_read_request_units ? "MaxReadRequestUnits"
                                                               : "MaxWriteRequestUnits");
    }
    VARVE_RETURN_IF_ERROR(CheckOnDemandThroughput(*request.on_demand_throughput, "", false));
  }
  if (request.warm_throughput) {
    VARVE_RETURN_IF_ERROR(CheckWarmThroughput(*request.warm_throughput, request));
  }
  if (request.sse_specification) VARVE_RETURN_IF_ERROR(CheckSse(*request.sse_specification));
  if (request.tags) {
    VARVE_RETURN_IF_ERROR(CheckTags(*request.tags));
    if (request.tags->size() > kTagsMax) {
      return ValidationError(
          "Number of Tags exceed the current limit for the provided ResourceArn");
    }
  }
  return absl::OkStatus();
}

namespace {

Status CheckIndexUpdates(const std::vector<GlobalSecondaryIndexUpdate>& updates) {
  if (updates.empty()) return Invalid("List of GlobalSecondaryIndexUpdates is empty");
  std::set<std::string_view> names;
  size_t created_or_deleted = 0;
  for (const GlobalSecondaryIndexUpdate& update : updates) {
    const int actions =
        (update.create ? 1 : 0) + (update.update ? 1 : 0) + (update.delete_index_name ? 1 : 0);
    if (actions == 0) {
      return Invalid(
          "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
          "GlobalSecondaryIndexUpdate.Delete must not be null");
    }
    if (actions > 1) {
      return Invalid(
          "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate "
          "object");
    }
    const std::string& name = update.create   ? update.create->index_name
                              : update.update ? update.update->index_name
                                              : *update.delete_index_name;
    if (!names.insert(name).second) {
      return Invalid(
          "Only one global secondary index update per index is allowed simultaneously. Index: {}",
          name);
    }
    created_or_deleted += !update.update;
  }
  if (created_or_deleted > 1) return OneIndexAtATime();
  return absl::OkStatus();
}

}  // namespace

Status CheckUpdateTable(const UpdateTableRequest& request) {
  const auto& updates = request.global_secondary_index_updates;
  // What of the request must stand alone.
  const bool throughput = request.billing_mode || request.provisioned_throughput;
  const int others = (throughput ? 1 : 0) + (updates ? 1 : 0) +
                     (request.on_demand_throughput ? 1 : 0) + (request.table_class ? 1 : 0) +
                     (request.deletion_protection_enabled ? 1 : 0) +
                     (request.warm_throughput ? 1 : 0) + (request.sse_specification ? 1 : 0) +
                     (request.stream_specification ? 1 : 0);
  if (others == 0) {
    return ValidationError(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
        "GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, "
        "ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
        "OnDemandThroughput, WarmThroughput or TableClass is required");
  }
  if (request.billing_mode == BillingMode::kProvisioned && !request.provisioned_throughput) {
    return Invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
  }
  if (request.billing_mode == BillingMode::kPayPerRequest && request.provisioned_throughput) {
    return Invalid(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST");
  }
  if (request.provisioned_throughput) {
    VARVE_RETURN_IF_ERROR(CheckThroughput(*request.provisioned_throughput));
  }
  if (updates) VARVE_RETURN_IF_ERROR(CheckIndexUpdates(*updates));
  const bool creates = updates && std::any_of(updates->begin(), updates->end(),
                                              [](const auto& u) { return u.create.has_value(); });
  const bool deletes = updates && std::any_of(updates->begin(), updates->end(), [](const auto& u) {
                         return u.delete_index_name.has_value();
                       });
  if (others > 1) {
    constexpr std::string_view kAlone = "must be the only operation in the request";
    if (request.sse_specification) {
      return Invalid("Server-Side Encryption modification {}", kAlone);
    }
    if (request.table_class) return Invalid("TableClass modification {}", kAlone);
    if (request.deletion_protection_enabled) {
      return Invalid("DeletionProtection modification {}", kAlone);
    }
    if (request.warm_throughput && creates) {
      return Invalid(
          "Create global secondary index cannot be specified when updating WarmThroughput");
    }
    if (request.warm_throughput) return Invalid("WarmThroughput {}", kAlone);
    if (request.on_demand_throughput && (updates || request.provisioned_throughput)) {
      return Invalid(
          "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
    }
  }
  if (request.provisioned_throughput && !request.billing_mode && (creates || deletes)) {
    return Invalid("You cannot create or delete index while updating table IOPS");
  }
  if (request.stream_specification) {
    VARVE_RETURN_IF_ERROR(CheckStreamChange(request));
  }
  if (request.on_demand_throughput) {
    VARVE_RETURN_IF_ERROR(CheckOnDemandThroughput(*request.on_demand_throughput, "", true));
  }
  if (request.sse_specification) return CheckSse(*request.sse_specification);
  return absl::OkStatus();
}

}  // namespace varve::item
