#include "server/decode.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "item/errors.h"
#include "item/json.h"
#include "server/decode_legacy.h"
#include "server/json.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;

void Read(const Members& json, std::string_view name, std::string* to) {
  if (const auto value = FindMember(json, name)) to->assign(TextOf(*value));
}
void Read(const Members& json, std::string_view name, std::optional<std::string>* to) {
  if (const auto value = FindMember(json, name)) to->emplace(TextOf(*value));
}
void Read(const Members& json, std::string_view name, std::optional<int64_t>* to) {
  if (const auto value = FindMember(json, name)) *to = IntegerOf(*value);
}
void Read(const Members& json, std::string_view name, int64_t* to) {
  if (const auto value = FindMember(json, name)) *to = IntegerOf(*value);
}
void Read(const Members& json, std::string_view name, bool* to) {
  if (const auto value = FindMember(json, name)) *to = BooleanOf(*value);
}
void Read(const Members& json, std::string_view name, std::optional<bool>* to) {
  if (const auto value = FindMember(json, name)) *to = BooleanOf(*value);
}

// An item or key of which the operation is to say what is wrong, in its turn: *invalid. Only a
// SerializationException is returned.
template <typename ItemOrNone>
Status Read(const Members& json, std::string_view name, item::ValueWording wording, ItemOrNone* to,
            Status* invalid) {
  const auto value = FindMember(json, name);
  if (!value) return {};
  StatusOr<item::Item> item = item::ItemFromJson(*value, wording);
  if (item.ok()) {
    *to = *std::move(item);
    return {};
  }
  if (item::TypeOfError(item.status()) != item::ErrorType::kValidationException) {
    return item.status();
  }
  *invalid = item.status();
  return {};
}

// ---- Enumerations: the schema has let their values through only.

void Read(const Members& json, item::ReturnConsumedCapacity* to) {
  const auto value = FindMember(json, "ReturnConsumedCapacity");
  if (!value) return;
  const std::string_view text = TextOf(*value);
  *to = text == "TOTAL"     ? item::ReturnConsumedCapacity::kTotal
        : text == "INDEXES" ? item::ReturnConsumedCapacity::kIndexes
                            : item::ReturnConsumedCapacity::kNone;
}

void Read(const Members& json, item::ReturnValues* to) {
  const auto value = FindMember(json, "ReturnValues");
  if (!value) return;
  const std::string_view text = TextOf(*value);
  *to = text == "ALL_OLD"       ? item::ReturnValues::kAllOld
        : text == "UPDATED_OLD" ? item::ReturnValues::kUpdatedOld
        : text == "ALL_NEW"     ? item::ReturnValues::kAllNew
        : text == "UPDATED_NEW" ? item::ReturnValues::kUpdatedNew
                                : item::ReturnValues::kNone;
}

void Read(const Members& json, std::optional<item::Select>* to) {
  const auto value = FindMember(json, "Select");
  if (!value) return;
  const std::string_view text = TextOf(*value);
  *to = text == "COUNT"                      ? item::Select::kCount
        : text == "SPECIFIC_ATTRIBUTES"      ? item::Select::kSpecificAttributes
        : text == "ALL_PROJECTED_ATTRIBUTES" ? item::Select::kAllProjectedAttributes
                                             : item::Select::kAllAttributes;
}

void Read(const Members& json, std::optional<item::BillingMode>* to) {
  const auto value = FindMember(json, "BillingMode");
  if (!value) return;
  *to = TextOf(*value) == "PAY_PER_REQUEST" ? item::BillingMode::kPayPerRequest
                                            : item::BillingMode::kProvisioned;
}

void Read(const Members& json, std::optional<item::TableClass>* to) {
  const auto value = FindMember(json, "TableClass");
  if (!value) return;
  *to = TextOf(*value) == "STANDARD" ? item::TableClass::kStandard
                                     : item::TableClass::kStandardInfrequentAccess;
}

bool WantsCollectionMetrics(const Members& json) {
  const auto value = FindMember(json, "ReturnItemCollectionMetrics");
  return value && TextOf(*value) == "SIZE";
}

bool WantsOldOnCheckFailure(const Members& json) {
  const auto value = FindMember(json, "ReturnValuesOnConditionCheckFailure");
  return value && TextOf(*value) == "ALL_OLD";
}

// ---- Parts

Status Read(const Members& json, std::optional<item::expression::AttributeNames>* to) {
  const auto value = FindMember(json, "ExpressionAttributeNames");
  if (!value) return {};
  item::expression::AttributeNames& names = to->emplace();
  return ForEachMember(ObjectOf(*value), [&](std::string_view key, const dom::element& name) {
    names.emplace_back(key, TextOf(name));
    return Status();
  });
}

Status Read(const Members& json, item::ExpressionParameters* to,
            item::ValueWording wording = item::ValueWording::kCurrent) {
  VARVE_RETURN_IF_ERROR(Read(json, &to->names));
  if (const auto values = FindMember(json, "ExpressionAttributeValues")) {
    return item::ExpressionValuesFromJson(*values, to, wording);
  }
  return {};
}

void Read(const Members& json, std::vector<item::AttributeDefinition>* to) {
  const auto value = FindMember(json, "AttributeDefinitions");
  if (!value) return;
  for (const dom::element& element : ArrayOf(*value)) {
    if (element.is_null()) continue;
    const Members definition_json = ObjectOf(element);
    item::AttributeDefinition& definition = to->emplace_back();
    Read(definition_json, "AttributeName", &definition.attribute_name);
    std::string type;
    Read(definition_json, "AttributeType", &type);
    definition.attribute_type = type == "N"   ? item::ValueType::kNumber
                                : type == "B" ? item::ValueType::kBinary
                                              : item::ValueType::kString;
  }
}

void Read(const Members& json, std::vector<item::KeySchemaElement>* to) {
  const auto value = FindMember(json, "KeySchema");
  if (!value) return;
  for (const dom::element& element : ArrayOf(*value)) {
    if (element.is_null()) continue;
    const Members key_json = ObjectOf(element);
    item::KeySchemaElement& key = to->emplace_back();
    Read(key_json, "AttributeName", &key.attribute_name);
    std::string type;
    Read(key_json, "KeyType", &type);
    key.key_type = type == "RANGE" ? item::KeyType::kRange : item::KeyType::kHash;
  }
}

void Read(const Members& json, std::optional<item::ProvisionedThroughput>* to) {
  const auto value = FindMember(json, "ProvisionedThroughput");
  if (!value) return;
  const Members throughput_json = ObjectOf(*value);
  item::ProvisionedThroughput& throughput = to->emplace();
  Read(throughput_json, "ReadCapacityUnits", &throughput.read_capacity_units);
  Read(throughput_json, "WriteCapacityUnits", &throughput.write_capacity_units);
}

void Read(const Members& json, std::optional<item::OnDemandThroughput>* to) {
  const auto value = FindMember(json, "OnDemandThroughput");
  if (!value) return;
  item::OnDemandThroughput& throughput = to->emplace();
  Read(ObjectOf(*value), "MaxReadRequestUnits", &throughput.max_read_request_units);
  Read(ObjectOf(*value), "MaxWriteRequestUnits", &throughput.max_write_request_units);
}

void Read(const Members& json, std::optional<item::WarmThroughput>* to) {
  const auto value = FindMember(json, "WarmThroughput");
  if (!value) return;
  item::WarmThroughput& throughput = to->emplace();
  Read(ObjectOf(*value), "ReadUnitsPerSecond", &throughput.read_units_per_second);
  Read(ObjectOf(*value), "WriteUnitsPerSecond", &throughput.write_units_per_second);
}

void Read(const Members& json, std::optional<item::StreamSpecification>* to) {
  const auto value = FindMember(json, "StreamSpecification");
  if (!value) return;
  const Members object = ObjectOf(*value);
  item::StreamSpecification& stream = to->emplace();
  Read(object, "StreamEnabled", &stream.stream_enabled);
  if (const auto type = FindMember(object, "StreamViewType")) {
    stream.stream_view_type = item::StreamViewTypeNamed(TextOf(*type));
  }
}

void Read(const Members& json, std::optional<item::SseSpecification>* to) {
  const auto value = FindMember(json, "SSESpecification");
  if (!value) return;
  item::SseSpecification& sse = to->emplace();
  Read(ObjectOf(*value), "Enabled", &sse.enabled);
  Read(ObjectOf(*value), "SSEType", &sse.sse_type);
  Read(ObjectOf(*value), "KMSMasterKeyId", &sse.kms_master_key_id);
}

void Read(const Members& json, std::vector<item::Tag>* to) {
  const auto value = FindMember(json, "Tags");
  if (!value) return;
  std::vector<item::Tag>& tags = *to;
  for (const dom::element& element : ArrayOf(*value)) {
    if (element.is_null()) continue;
    item::Tag& tag = tags.emplace_back();
    Read(ObjectOf(element), "Key", &tag.key);
    Read(ObjectOf(element), "Value", &tag.value);
  }
}

void Read(const Members& json, std::optional<std::vector<item::Tag>>* to) {
  if (FindMember(json, "Tags")) Read(json, &to->emplace());
}

void Read(const Members& json, item::Projection* to) {
  const auto value = FindMember(json, "Projection");
  if (!value) return;
  const Members projection_json = ObjectOf(*value);
  if (const auto type = FindMember(projection_json, "ProjectionType")) {
    const std::string_view text = TextOf(*type);
    to->type = text == "KEYS_ONLY" ? item::ProjectionType::kKeysOnly
               : text == "INCLUDE" ? item::ProjectionType::kInclude
                                   : item::ProjectionType::kAll;
  }
  if (const auto names = FindMember(projection_json, "NonKeyAttributes")) {
    for (const dom::element& name : ArrayOf(*names)) {
      if (!name.is_null()) to->non_key_attributes.emplace_back(TextOf(name));
    }
  }
}

// What local and global indexes have.
void ReadIndex(const Members& json, item::SecondaryIndex* to) {
  Read(json, "IndexName", &to->index_name);
  Read(json, &to->key_schema);
  Read(json, &to->projection);
}

void ReadGlobalIndex(const Members& json, item::SecondaryIndex* to) {
  ReadIndex(json, to);
  Read(json, &to->provisioned_throughput);
  Read(json, &to->on_demand_throughput);
  Read(json, &to->warm_throughput);
}

void Read(const Members& json, std::string_view name,
          void (*read_index)(const Members& json, item::SecondaryIndex* to),
          std::optional<std::vector<item::SecondaryIndex>>* to) {
  const auto value = FindMember(json, name);
  if (!value) return;
  std::vector<item::SecondaryIndex>& indexes = to->emplace();
  for (const dom::element& element : ArrayOf(*value)) {
    if (!element.is_null()) read_index(ObjectOf(element), &indexes.emplace_back());
  }
}

void Read(const Members& json, item::GlobalSecondaryIndexUpdate* to) {
  if (const auto create = FindMember(json, "Create")) {
    ReadGlobalIndex(ObjectOf(*create), &to->create.emplace());
  }
  if (const auto update = FindMember(json, "Update")) {
    auto& index = to->update.emplace();
    Read(ObjectOf(*update), "IndexName", &index.index_name);
    Read(ObjectOf(*update), &index.provisioned_throughput);
    Read(ObjectOf(*update), &index.on_demand_throughput);
    Read(ObjectOf(*update), &index.warm_throughput);
  }
  if (const auto remove = FindMember(json, "Delete")) {
    Read(ObjectOf(*remove), "IndexName", &to->delete_index_name);
  }
}

Status Read(const Members& json, item::KeysAndAttributes* to) {
  if (const auto keys = FindMember(json, "Keys")) {
    for (const dom::element& key_json : ArrayOf(*keys)) {
      if (key_json.is_null()) continue;
      VARVE_ASSIGN_OR_RETURN(item::Item key, item::ItemFromJson(key_json));
      to->keys.push_back(std::move(key));
    }
  }
  Read(json, "ConsistentRead", &to->consistent_read);
  Read(json, "ProjectionExpression", &to->projection_expression);
  VARVE_RETURN_IF_ERROR(
      DecodeLegacy(json, {.attributes_to_get = true}, item::ValueWording::kCurrent, &to->legacy));
  return Read(json, &to->expression_attribute_names);
}

Status Read(const Members& json, item::WriteRequest* to) {
  const auto read = [](const Members& request, std::string_view name,
                       std::optional<item::Item>* item) -> Status {
    if (const auto value = FindMember(request, name)) {
      VARVE_ASSIGN_OR_RETURN(*item, item::ItemFromJson(*value, item::ValueWording::kOlder));
    }
    return {};
  };
  if (const auto put = FindMember(json, "PutRequest")) {
    VARVE_RETURN_IF_ERROR(read(ObjectOf(*put), "Item", &to->put_item));
  }
  if (const auto remove = FindMember(json, "DeleteRequest")) {
    VARVE_RETURN_IF_ERROR(read(ObjectOf(*remove), "Key", &to->delete_key));
  }
  return {};
}

// An action of TransactWriteItems; its item or key is under `item_name`.
Status Read(const Members& json, std::string_view name, std::string_view item_name,
            std::optional<item::TransactWriteAction>* to) {
  const auto value = FindMember(json, name);
  if (!value) return {};
  const Members action_json = ObjectOf(*value);
  item::TransactWriteAction& action = to->emplace();
  Read(action_json, "TableName", &action.table_name);
  if (const auto item = FindMember(action_json, item_name)) {
    VARVE_ASSIGN_OR_RETURN(action.item, item::ItemFromJson(*item, item::ValueWording::kOlder));
  }
  if (name == "Update") Read(action_json, "UpdateExpression", &action.update_expression);
  Read(action_json, "ConditionExpression", &action.condition_expression);
  VARVE_RETURN_IF_ERROR(
      Read(action_json, &action.expression_parameters, item::ValueWording::kOlder));
  action.return_old_on_condition_check_failure = WantsOldOnCheckFailure(action_json);
  return {};
}

// Statement and what belongs to it. Those of transactions have no ConsistentRead.
Status Read(const Members& json, bool has_consistent_read, item::ParameterizedStatement* to) {
  Read(json, "Statement", &to->statement);
  if (has_consistent_read) Read(json, "ConsistentRead", &to->consistent_read);
  to->return_old_on_condition_check_failure = WantsOldOnCheckFailure(json);
  const auto parameters = FindMember(json, "Parameters");
  if (!parameters) return {};
  for (const dom::element& element : ArrayOf(*parameters)) {
    if (element.is_null()) continue;
    StatusOr<item::Value> value = item::ValueFromJson(element, item::ValueWording::kOlder);
    if (value.ok()) {
      to->parameters.push_back(*std::move(value));
    } else if (item::TypeOfError(value.status()) == item::ErrorType::kSerializationException) {
      return value.status();
    } else {
      to->invalid_parameter = value.status();
      return {};
    }
  }
  return {};
}

Status Read(const Members& json, std::string_view name, bool have_consistent_read,
            std::vector<item::ParameterizedStatement>* to) {
  const auto statements = FindMember(json, name);
  if (!statements) return {};
  for (const dom::element& element : ArrayOf(*statements)) {
    item::ParameterizedStatement& statement = to->emplace_back();
    if (element.is_null()) continue;
    VARVE_RETURN_IF_ERROR(Read(ObjectOf(element), have_consistent_read, &statement));
  }
  return {};
}

}  // namespace

Status Decode(const Members& json, item::BatchExecuteStatementRequest* request) {
  Read(json, &request->return_consumed_capacity);
  return Read(json, "Statements", /*have_consistent_read=*/true, &request->statements);
}

Status Decode(const Members& json, item::ExecuteStatementRequest* request) {
  Read(json, "NextToken", &request->next_token);
  Read(json, "Limit", &request->limit);
  Read(json, &request->return_consumed_capacity);
  return Read(json, /*has_consistent_read=*/true, &request->statement);
}

Status Decode(const Members& json, item::ExecuteTransactionRequest* request) {
  Read(json, "ClientRequestToken", &request->client_request_token);
  Read(json, &request->return_consumed_capacity);
  return Read(json, "TransactStatements", /*have_consistent_read=*/false,
              &request->transact_statements);
}

Status Decode(const Members& json, item::BatchGetItemRequest* request) {
  Read(json, &request->return_consumed_capacity);
  const auto tables = FindMember(json, "RequestItems");
  if (!tables) return {};
  return ForEachMember(ObjectOf(*tables), [&](std::string_view table, const dom::element& keys) {
    auto& entry = request->request_items.emplace_back();
    entry.first = table;
    return Read(ObjectOf(keys), &entry.second);
  });
}

Status Decode(const Members& json, item::BatchWriteItemRequest* request) {
  Read(json, &request->return_consumed_capacity);
  request->return_item_collection_metrics = WantsCollectionMetrics(json);
  const auto tables = FindMember(json, "RequestItems");
  if (!tables) return {};
  return ForEachMember(ObjectOf(*tables), [&](std::string_view table, const dom::element& writes) {
    auto& entry = request->request_items.emplace_back();
    entry.first = table;
    for (const dom::element& write : ArrayOf(writes)) {
      item::WriteRequest& decoded = entry.second.emplace_back();
      if (write.is_null()) continue;
      VARVE_RETURN_IF_ERROR(Read(ObjectOf(write), &decoded));
    }
    return Status();
  });
}

Status Decode(const Members& json, item::CreateTableRequest* request) {
  Read(json, "TableName", &request->table_name);
  Read(json, &request->attribute_definitions);
  Read(json, &request->key_schema);
  Read(json, &request->billing_mode);
  Read(json, &request->provisioned_throughput);
  Read(json, "LocalSecondaryIndexes", ReadIndex, &request->local_secondary_indexes);
  Read(json, "GlobalSecondaryIndexes", ReadGlobalIndex, &request->global_secondary_indexes);
  Read(json, &request->table_class);
  Read(json, "DeletionProtectionEnabled", &request->deletion_protection_enabled);
  Read(json, &request->on_demand_throughput);
  Read(json, &request->warm_throughput);
  Read(json, &request->stream_specification);
  Read(json, &request->sse_specification);
  Read(json, &request->tags);
  return {};
}

Status Decode(const Members& json, item::DeleteItemRequest* request) {
  Read(json, "TableName", &request->table_name);
  VARVE_RETURN_IF_ERROR(
      Read(json, "Key", item::ValueWording::kCurrent, &request->key, &request->invalid_key));
  Read(json, "ConditionExpression", &request->condition_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(json, {.conditions = "Expected"}, item::ValueWording::kCurrent,
                                     &request->legacy));
  Read(json, &request->return_values);
  request->return_old_on_condition_check_failure = WantsOldOnCheckFailure(json);
  request->return_item_collection_metrics = WantsCollectionMetrics(json);
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::DeleteTableRequest* request) {
  Read(json, "TableName", &request->table_name);
  return {};
}

Status Decode(const Members& json, item::DescribeTableRequest* request) {
  Read(json, "TableName", &request->table_name);
  return {};
}

Status Decode(const Members& json, item::GetItemRequest* request) {
  Read(json, "TableName", &request->table_name);
  VARVE_RETURN_IF_ERROR(
      Read(json, "Key", item::ValueWording::kCurrent, &request->key, &request->invalid_key));
  Read(json, "ConsistentRead", &request->consistent_read);
  Read(json, "ProjectionExpression", &request->projection_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters.names));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(json, {.attributes_to_get = true},
                                     item::ValueWording::kCurrent, &request->legacy));
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::ListTablesRequest* request) {
  Read(json, "ExclusiveStartTableName", &request->exclusive_start_table_name);
  Read(json, "Limit", &request->limit);
  return {};
}

Status Decode(const Members& json, item::ListTagsOfResourceRequest* request) {
  Read(json, "ResourceArn", &request->resource_arn);
  return {};
}

Status Decode(const Members& json, item::PutItemRequest* request) {
  Read(json, "TableName", &request->table_name);
  VARVE_RETURN_IF_ERROR(
      Read(json, "Item", item::ValueWording::kCurrent, &request->item, &request->invalid_item));
  Read(json, "ConditionExpression", &request->condition_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(json, {.conditions = "Expected"}, item::ValueWording::kCurrent,
                                     &request->legacy));
  Read(json, &request->return_values);
  request->return_old_on_condition_check_failure = WantsOldOnCheckFailure(json);
  request->return_item_collection_metrics = WantsCollectionMetrics(json);
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::QueryRequest* request) {
  Read(json, "TableName", &request->table_name);
  Read(json, "IndexName", &request->index_name);
  Read(json, "KeyConditionExpression", &request->key_condition_expression);
  Read(json, "FilterExpression", &request->filter_expression);
  Read(json, "ProjectionExpression", &request->projection_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(
      json, {.conditions = "QueryFilter", .key_conditions = true, .attributes_to_get = true},
      item::ValueWording::kCurrent, &request->legacy));
  Read(json, &request->select);
  Read(json, "Limit", &request->limit);
  VARVE_RETURN_IF_ERROR(Read(json, "ExclusiveStartKey", item::ValueWording::kCurrent,
                             &request->exclusive_start_key, &request->invalid_start_key));
  Read(json, "ScanIndexForward", &request->scan_index_forward);
  Read(json, "ConsistentRead", &request->consistent_read);
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::ScanRequest* request) {
  Read(json, "TableName", &request->table_name);
  Read(json, "IndexName", &request->index_name);
  Read(json, "FilterExpression", &request->filter_expression);
  Read(json, "ProjectionExpression", &request->projection_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters, item::ValueWording::kOlder));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(json, {.conditions = "ScanFilter", .attributes_to_get = true},
                                     item::ValueWording::kOlder, &request->legacy));
  Read(json, &request->select);
  Read(json, "Limit", &request->limit);
  Read(json, "Segment", &request->segment);
  Read(json, "TotalSegments", &request->total_segments);
  VARVE_RETURN_IF_ERROR(Read(json, "ExclusiveStartKey", item::ValueWording::kOlder,
                             &request->exclusive_start_key, &request->invalid_start_key));
  Read(json, "ConsistentRead", &request->consistent_read);
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::TransactGetItemsRequest* request) {
  if (const auto items = FindMember(json, "TransactItems")) {
    for (const dom::element& element : ArrayOf(*items)) {
      item::TransactGetItem& decoded = request->transact_items.emplace_back();
      const auto get = element.is_null() ? std::nullopt : FindMember(ObjectOf(element), "Get");
      if (!get) continue;
      const Members get_json = ObjectOf(*get);
      Read(get_json, "TableName", &decoded.table_name);
      if (const auto key = FindMember(get_json, "Key")) {
        VARVE_ASSIGN_OR_RETURN(decoded.key, item::ItemFromJson(*key, item::ValueWording::kOlder));
      }
      Read(get_json, "ProjectionExpression", &decoded.projection_expression);
      VARVE_RETURN_IF_ERROR(Read(get_json, &decoded.expression_parameters.names));
    }
  }
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::TransactWriteItemsRequest* request) {
  if (const auto items = FindMember(json, "TransactItems")) {
    for (const dom::element& element : ArrayOf(*items)) {
      item::TransactWriteItem& decoded = request->transact_items.emplace_back();
      if (element.is_null()) continue;
      const Members item_json = ObjectOf(element);
      VARVE_RETURN_IF_ERROR(Read(item_json, "ConditionCheck", "Key", &decoded.condition_check));
      VARVE_RETURN_IF_ERROR(Read(item_json, "Put", "Item", &decoded.put));
      VARVE_RETURN_IF_ERROR(Read(item_json, "Update", "Key", &decoded.update));
      VARVE_RETURN_IF_ERROR(Read(item_json, "Delete", "Key", &decoded.remove));
    }
  }
  Read(json, "ClientRequestToken", &request->client_request_token);
  Read(json, &request->return_consumed_capacity);
  request->return_item_collection_metrics = WantsCollectionMetrics(json);
  return {};
}

Status Decode(const Members& json, item::TagResourceRequest* request) {
  Read(json, "ResourceArn", &request->resource_arn);
  Read(json, &request->tags);
  return {};
}

Status Decode(const Members& json, item::UntagResourceRequest* request) {
  Read(json, "ResourceArn", &request->resource_arn);
  if (const auto keys = FindMember(json, "TagKeys")) {
    for (const dom::element& key : ArrayOf(*keys)) {
      if (!key.is_null()) request->tag_keys.emplace_back(TextOf(key));
    }
  }
  return {};
}

Status Decode(const Members& json, item::UpdateItemRequest* request) {
  Read(json, "TableName", &request->table_name);
  VARVE_RETURN_IF_ERROR(
      Read(json, "Key", item::ValueWording::kCurrent, &request->key, &request->invalid_key));
  Read(json, "UpdateExpression", &request->update_expression);
  Read(json, "ConditionExpression", &request->condition_expression);
  VARVE_RETURN_IF_ERROR(Read(json, &request->expression_parameters));
  VARVE_RETURN_IF_ERROR(DecodeLegacy(json, {.conditions = "Expected", .attribute_updates = true},
                                     item::ValueWording::kCurrent, &request->legacy));
  Read(json, &request->return_values);
  request->return_old_on_condition_check_failure = WantsOldOnCheckFailure(json);
  request->return_item_collection_metrics = WantsCollectionMetrics(json);
  Read(json, &request->return_consumed_capacity);
  return {};
}

Status Decode(const Members& json, item::UpdateTableRequest* request) {
  Read(json, "TableName", &request->table_name);
  Read(json, &request->attribute_definitions);
  Read(json, &request->billing_mode);
  Read(json, &request->provisioned_throughput);
  if (const auto value = FindMember(json, "GlobalSecondaryIndexUpdates")) {
    auto& updates = request->global_secondary_index_updates.emplace();
    for (const dom::element& element : ArrayOf(*value)) {
      if (!element.is_null()) Read(ObjectOf(element), &updates.emplace_back());
    }
  }
  Read(json, &request->table_class);
  Read(json, "DeletionProtectionEnabled", &request->deletion_protection_enabled);
  Read(json, &request->on_demand_throughput);
  Read(json, &request->warm_throughput);
  Read(json, &request->stream_specification);
  Read(json, &request->sse_specification);
  return {};
}

}  // namespace varve::server
