#include "server/encode.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "item/errors.h"
#include "item/json.h"
#include "item/table_rules.h"
#include "server/json_writer.h"

namespace varve::server {
namespace {

// Takes the items out of the list as it writes them, into a string whose room is made once: so a
// page is held about once, not as items and as text.
void AppendItems(std::string& to, item::ItemList& items) {
  // From so much on it is looked how much text the rest will become.
  constexpr size_t kSampleBytes = size_t{16} << 10;
  const size_t all = items.encoded_bytes();
  const size_t begin = to.size();
  size_t read = 0;
  bool sampled = false;
  to.push_back('[');
  items.Drain([&](const item::ItemView& item) {
    if (read > 0) to.push_back(',');
    item::AppendJson(item, to);
    read += item.encoded().size();
    if (sampled || read < kSampleBytes) return;
    sampled = true;
    const double text_per_byte = static_cast<double>(to.size() - begin) / static_cast<double>(read);
    const double rest = text_per_byte * static_cast<double>(all - read);
    to.reserve(to.size() + static_cast<size_t>(rest * 1.1));
  });
  to.push_back(']');
}

void AppendUnits(ObjectWriter& object, double units, item::ConsumedCapacity::Purpose purpose) {
  object.Decimal("CapacityUnits", units);
  if (purpose == item::ConsumedCapacity::Purpose::kRead) object.Decimal("ReadCapacityUnits", units);
  if (purpose == item::ConsumedCapacity::Purpose::kWrite) {
    object.Decimal("WriteCapacityUnits", units);
  }
}

void AppendIndexUnits(ObjectWriter& object, std::string_view member,
                      const std::vector<std::pair<std::string, double>>& units,
                      item::ConsumedCapacity::Purpose purpose) {
  if (units.empty()) return;
  ObjectWriter indexes(object.Member(member));
  for (const auto& [name, value] : units) {
    ObjectWriter index(indexes.MemberToEscape(name));
    AppendUnits(index, value, purpose);
    index.End();
  }
  indexes.End();
}

void AppendCapacity(std::string& to, const item::ConsumedCapacity& capacity) {
  ObjectWriter object(to);
  object.Text("TableName", capacity.table_name);
  AppendUnits(object, capacity.capacity_units, capacity.purpose);
  if (capacity.table_capacity_units) {
    ObjectWriter table(object.Member("Table"));
    AppendUnits(table, *capacity.table_capacity_units, capacity.purpose);
    table.End();
  }
  AppendIndexUnits(object, "LocalSecondaryIndexes", capacity.local_index_units, capacity.purpose);
  AppendIndexUnits(object, "GlobalSecondaryIndexes", capacity.global_index_units, capacity.purpose);
  object.End();
}

void AppendMetrics(std::string& to, const item::ItemCollectionMetrics& metrics) {
  ObjectWriter object(to);
  object.Item("ItemCollectionKey", metrics.item_collection_key);
  fmt::format_to(std::back_inserter(object.Member("SizeEstimateRangeGB")), "[{:.1f},{:.1f}]",
                 metrics.size_gb_min, metrics.size_gb_max);
  object.End();
}

void AppendCapacity(ObjectWriter& object, const std::optional<item::ConsumedCapacity>& capacity) {
  if (capacity) AppendCapacity(object.Member("ConsumedCapacity"), *capacity);
}

void AppendCapacity(ObjectWriter& object, const std::vector<item::ConsumedCapacity>& capacities) {
  if (capacities.empty()) return;
  std::string& to = object.Member("ConsumedCapacity");
  AppendArray(to, capacities,
              [&](const item::ConsumedCapacity& capacity) { AppendCapacity(to, capacity); });
}

// What tables and global indexes have in common.
template <typename Description>
void AppendThroughput(ObjectWriter& object, const Description& description, bool on_demand) {
  ObjectWriter throughput(object.Member("ProvisionedThroughput"));
  if (description.last_increase_ms != 0) {
    throughput.Time("LastIncreaseDateTime", description.last_increase_ms);
  }
  if (description.last_decrease_ms != 0) {
    throughput.Time("LastDecreaseDateTime", description.last_decrease_ms);
  }
  const item::ProvisionedThroughput& units = description.provisioned_throughput;
  throughput.Integer("NumberOfDecreasesToday", description.number_of_decreases_today);
  throughput.Integer("ReadCapacityUnits", units.read_capacity_units);
  throughput.Integer("WriteCapacityUnits", units.write_capacity_units);
  throughput.End();

  if (const auto& maximum = description.on_demand_throughput) {
    ObjectWriter writer(object.Member("OnDemandThroughput"));
    writer.Integer("MaxReadRequestUnits", maximum->max_read_request_units.value_or(-1));
    writer.Integer("MaxWriteRequestUnits", maximum->max_write_request_units.value_or(-1));
    writer.End();
  }
  const item::WarmThroughput asked = description.warm_throughput.value_or(item::WarmThroughput());
  const auto warm = [on_demand](std::optional<int64_t> wanted, int64_t initial,
                                int64_t provisioned) {
    return std::max(wanted.value_or(0), on_demand ? initial : provisioned);
  };
  ObjectWriter writer(object.Member("WarmThroughput"));
  writer.Integer("ReadUnitsPerSecond", warm(asked.read_units_per_second, item::kInitialReadUnits,
                                            units.read_capacity_units));
  writer.Integer("WriteUnitsPerSecond", warm(asked.write_units_per_second, item::kInitialWriteUnits,
                                             units.write_capacity_units));
  writer.Text("Status", "ACTIVE");
  writer.End();
}

void AppendIndex(std::string& to, const item::IndexDescription& index,
                 item::TableStatus table_status, bool on_demand) {
  ObjectWriter object(to);
  object.Text("IndexName", index.index_name);
  AppendKeySchema(object, index.key_schema);
  ObjectWriter projection(object.Member("Projection"));
  if (index.projection.type) {
    projection.Text("ProjectionType", item::ToString(*index.projection.type));
  }
  if (!index.projection.non_key_attributes.empty()) {
    std::string& names = projection.Member("NonKeyAttributes");
    AppendArray(names, index.projection.non_key_attributes,
                [&](const std::string& name) { item::AppendJsonString(name, names); });
  }
  projection.End();
  if (index.global) {
    object.Text("IndexStatus", item::ToString(index.status));
    if (index.status == item::IndexStatus::kCreating &&
        table_status != item::TableStatus::kCreating) {
      object.Boolean("Backfilling", index.backfilling);
    }
    AppendThroughput(object, index, on_demand);
  }
  object.Integer("IndexSizeBytes", static_cast<int64_t>(index.index_size_bytes));
  object.Integer("ItemCount", static_cast<int64_t>(index.item_count));
  object.Text("IndexArn", index.index_arn);
  object.End();
}

void AppendIndexes(ObjectWriter& object, const item::TableDescription& table, bool global) {
  std::vector<const item::IndexDescription*> indexes;
  for (const item::IndexDescription& index : table.indexes) {
    if (index.global == global) indexes.push_back(&index);
  }
  if (indexes.empty()) return;
  const bool on_demand = table.billing_mode == item::BillingMode::kPayPerRequest;
  std::string& to = object.Member(global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes");
  AppendArray(to, indexes, [&](const item::IndexDescription* index) {
    AppendIndex(to, *index, table.table_status, on_demand);
  });
}

void AppendTable(std::string& to, const item::TableDescription& table) {
  ObjectWriter object(to);
  std::string& definitions = object.Member("AttributeDefinitions");
  AppendArray(definitions, table.attribute_definitions, [&](const item::AttributeDefinition& each) {
    ObjectWriter definition(definitions);
    definition.Text("AttributeName", each.attribute_name);
    definition.Text("AttributeType", item::TypeName(each.attribute_type));
    definition.End();
  });
  object.Text("TableName", table.table_name);
  AppendKeySchema(object, table.key_schema);
  object.Text("TableStatus", item::ToString(table.table_status));
  object.Time("CreationDateTime", table.creation_time_ms);
  AppendThroughput(object, table, table.billing_mode == item::BillingMode::kPayPerRequest);
  object.Integer("TableSizeBytes", static_cast<int64_t>(table.table_size_bytes));
  object.Integer("ItemCount", static_cast<int64_t>(table.item_count));
  object.Text("TableArn", table.table_arn);
  object.Text("TableId", table.table_id);
  if (table.has_billing_mode_summary) {
    ObjectWriter billing(object.Member("BillingModeSummary"));
    billing.Text("BillingMode", item::ToString(table.billing_mode));
    if (table.last_update_to_pay_per_request_ms != 0) {
      billing.Time("LastUpdateToPayPerRequestDateTime", table.last_update_to_pay_per_request_ms);
    }
    billing.End();
  }
  AppendIndexes(object, table, /*global=*/false);
  AppendIndexes(object, table, /*global=*/true);
  if (table.stream_view_type) {
    ObjectWriter stream(object.Member("StreamSpecification"));
    stream.Boolean("StreamEnabled", true);
    stream.Text("StreamViewType", item::ToString(*table.stream_view_type));
    stream.End();
  }
  if (!table.latest_stream_arn.empty()) {
    object.Text("LatestStreamLabel", table.latest_stream_label);
    object.Text("LatestStreamArn", table.latest_stream_arn);
  }
  if (table.sse_enabled) {
    ObjectWriter sse(object.Member("SSEDescription"));
    sse.Text("Status", "ENABLED");
    sse.Text("SSEType", "KMS");
    sse.Text("KMSMasterKeyArn", table.kms_master_key_arn);
    sse.End();
  }
  if (table.table_class) {
    ObjectWriter table_class(object.Member("TableClassSummary"));
    table_class.Text("TableClass", item::ToString(*table.table_class));
    table_class.End();
  }
  object.Boolean("DeletionProtectionEnabled", table.deletion_protection_enabled);
  object.End();
}

void AppendKeysAndAttributes(std::string& to, const item::KeysAndAttributes& keys) {
  ObjectWriter object(to);
  std::string& list = object.Member("Keys");
  AppendArray(list, keys.keys, [&](const item::Item& key) { item::AppendJson(key.view(), list); });
  if (keys.consistent_read) object.Boolean("ConsistentRead", *keys.consistent_read);
  if (keys.projection_expression) object.Text("ProjectionExpression", *keys.projection_expression);
  if (keys.legacy && keys.legacy->attributes_to_get) {
    std::string& names = object.Member("AttributesToGet");
    AppendArray(names, *keys.legacy->attributes_to_get,
                [&](const std::string& name) { item::AppendJsonString(name, names); });
  }
  if (keys.expression_attribute_names) {
    ObjectWriter names(object.Member("ExpressionAttributeNames"));
    for (const auto& [placeholder, name] : *keys.expression_attribute_names) {
      item::AppendJsonString(name, names.MemberToEscape(placeholder));
    }
    names.End();
  }
  object.End();
}

void AppendWrite(std::string& to, const item::WriteRequest& write) {
  ObjectWriter object(to);
  if (write.put_item) {
    ObjectWriter put(object.Member("PutRequest"));
    put.Item("Item", *write.put_item);
    put.End();
  }
  if (write.delete_key) {
    ObjectWriter remove(object.Member("DeleteRequest"));
    remove.Item("Key", *write.delete_key);
    remove.End();
  }
  object.End();
}

// Of many tables.
void AppendMetrics(
    ObjectWriter& object,
    const std::vector<std::pair<std::string, std::vector<item::ItemCollectionMetrics>>>& tables) {
  if (tables.empty()) return;
  ObjectWriter metrics(object.Member("ItemCollectionMetrics"));
  for (const auto& [table, collections] : tables) {
    std::string& list = metrics.MemberToEscape(table);
    AppendArray(list, collections, [&](const item::ItemCollectionMetrics& collection) {
      AppendMetrics(list, collection);
    });
  }
  metrics.End();
}

void AppendReasons(ObjectWriter& object, const std::vector<item::CancellationReason>& reasons) {
  std::string& list = object.Member("CancellationReasons");
  AppendArray(list, reasons, [&](const item::CancellationReason& each) {
    ObjectWriter reason(list);
    reason.Text("Code", each.code);
    if (each.item) reason.Item("Item", *each.item);
    if (!each.message.empty()) reason.Text("Message", each.message);
    reason.End();
  });
}

// PutItem, DeleteItem and UpdateItem answer alike.
template <typename Response>
void EncodeWrite(const Response& response, std::string& to) {
  ObjectWriter object(to);
  if (response.attributes) object.Item("Attributes", *response.attributes);
  AppendCapacity(object, response.consumed_capacity);
  if (response.item_collection_metrics) {
    AppendMetrics(object.Member("ItemCollectionMetrics"), *response.item_collection_metrics);
  }
  object.End();
}

void EncodeTable(std::string_view name, const item::TableDescription& table, std::string& to) {
  ObjectWriter object(to);
  AppendTable(object.Member(name), table);
  object.End();
}

std::string_view Namespace(item::ErrorType type) {
  switch (type) {
    case item::ErrorType::kValidationException:
      return "com.amazon.coral.validate";
    case item::ErrorType::kSerializationException:
    case item::ErrorType::kAccessDeniedException:
      return "com.amazon.coral.service";
    case item::ErrorType::kThrottlingException:
      return "com.amazon.coral.availability";
    default:
      return "com.amazonaws.dynamodb.v20120810";
  }
}

// The model spells the member with a capital in some errors.
std::string_view MessageMember(item::ErrorType type) {
  switch (type) {
    case item::ErrorType::kSerializationException:
    case item::ErrorType::kAccessDeniedException:
    case item::ErrorType::kTransactionCanceledException:
    case item::ErrorType::kTransactionInProgressException:
    case item::ErrorType::kIdempotentParameterMismatchException:
      return "Message";
    default:
      return "message";
  }
}

int HttpStatusOf(item::ErrorType type) {
  switch (type) {
    case item::ErrorType::kInternalServerError:
      return 500;
    case item::ErrorType::kServiceUnavailable:
      return 503;
    default:
      return 400;
  }
}

// Of reads in transactions.
void EncodeResponses(const std::vector<std::optional<item::Item>>& items,
                     const std::vector<item::ConsumedCapacity>& capacity, std::string& to) {
  ObjectWriter object(to);
  std::string& responses = object.Member("Responses");
  AppendArray(responses, items, [&](const std::optional<item::Item>& item) {
    ObjectWriter each(responses);
    if (item) each.Item("Item", *item);
    each.End();
  });
  AppendCapacity(object, capacity);
  object.End();
}

void AppendStatementResponse(std::string& to, const item::BatchStatementResponse& response) {
  ObjectWriter object(to);
  if (response.error) {
    ObjectWriter error(object.Member("Error"));
    error.Text("Code", response.error->code);
    if (response.error->item) error.Item("Item", *response.error->item);
    error.Text("Message", response.error->message);
    error.End();
  }
  if (response.item) object.Item("Item", *response.item);
  if (response.table_name) object.Text("TableName", *response.table_name);
  object.End();
}

}  // namespace

void Encode(const item::BatchExecuteStatementResponse& response, std::string& to) {
  ObjectWriter object(to);
  AppendCapacity(object, response.consumed_capacity);
  std::string& responses = object.Member("Responses");
  AppendArray(responses, response.responses, [&](const item::BatchStatementResponse& each) {
    AppendStatementResponse(responses, each);
  });
  object.End();
}

void Encode(item::ExecuteStatementResponse& response, std::string& to) {
  ObjectWriter object(to);
  AppendCapacity(object, response.consumed_capacity);
  AppendItems(object.Member("Items"), response.items);
  if (response.last_evaluated_key) object.Item("LastEvaluatedKey", *response.last_evaluated_key);
  if (response.next_token) object.Text("NextToken", *response.next_token);
  object.End();
}

void Encode(const item::ExecuteTransactionResponse& response, std::string& to) {
  EncodeResponses(response.responses, response.consumed_capacity, to);
}

void Encode(item::BatchGetItemResponse& response, std::string& to) {
  ObjectWriter object(to);
  ObjectWriter responses(object.Member("Responses"));
  for (auto& [table, items] : response.responses) {
    AppendItems(responses.MemberToEscape(table), items);
  }
  responses.End();
  ObjectWriter unprocessed(object.Member("UnprocessedKeys"));
  for (const auto& [table, keys] : response.unprocessed_keys) {
    AppendKeysAndAttributes(unprocessed.MemberToEscape(table), keys);
  }
  unprocessed.End();
  AppendCapacity(object, response.consumed_capacity);
  object.End();
}

void Encode(const item::BatchWriteItemResponse& response, std::string& to) {
  ObjectWriter object(to);
  ObjectWriter unprocessed(object.Member("UnprocessedItems"));
  for (const auto& [table, writes] : response.unprocessed_items) {
    std::string& list = unprocessed.MemberToEscape(table);
    AppendArray(list, writes, [&](const item::WriteRequest& write) { AppendWrite(list, write); });
  }
  unprocessed.End();
  AppendCapacity(object, response.consumed_capacity);
  AppendMetrics(object, response.item_collection_metrics);
  object.End();
}

void Encode(const item::CreateTableResponse& response, std::string& to) {
  EncodeTable("TableDescription", response.table_description, to);
}

void Encode(const item::DeleteItemResponse& response, std::string& to) {
  EncodeWrite(response, to);
}

void Encode(const item::DeleteTableResponse& response, std::string& to) {
  EncodeTable("TableDescription", response.table_description, to);
}

void Encode(const item::DescribeTableResponse& response, std::string& to) {
  EncodeTable("Table", response.table, to);
}

void Encode(const item::GetItemResponse& response, std::string& to) {
  ObjectWriter object(to);
  if (response.item) object.Item("Item", *response.item);
  AppendCapacity(object, response.consumed_capacity);
  object.End();
}

void Encode(const item::ListTablesResponse& response, std::string& to) {
  ObjectWriter object(to);
  std::string& names = object.Member("TableNames");
  AppendArray(names, response.table_names,
              [&](const std::string& name) { item::AppendJsonString(name, names); });
  if (response.last_evaluated_table_name) {
    object.Text("LastEvaluatedTableName", *response.last_evaluated_table_name);
  }
  object.End();
}

void Encode(const item::ListTagsOfResourceResponse& response, std::string& to) {
  ObjectWriter object(to);
  std::string& tags = object.Member("Tags");
  AppendArray(tags, response.tags, [&](const item::Tag& each) {
    ObjectWriter tag(tags);
    tag.Text("Key", each.key);
    tag.Text("Value", each.value);
    tag.End();
  });
  object.End();
}

void Encode(const item::TagResourceResponse& /*response*/, std::string& /*to*/) {}

void Encode(const item::UntagResourceResponse& /*response*/, std::string& /*to*/) {}

void Encode(const item::PutItemResponse& response, std::string& to) { EncodeWrite(response, to); }

void Encode(item::ItemPage& response, std::string& to) {
  ObjectWriter object(to);
  if (response.has_items) AppendItems(object.Member("Items"), response.items);
  object.Integer("Count", static_cast<int64_t>(response.count));
  object.Integer("ScannedCount", static_cast<int64_t>(response.scanned_count));
  if (response.last_evaluated_key) object.Item("LastEvaluatedKey", *response.last_evaluated_key);
  AppendCapacity(object, response.consumed_capacity);
  object.End();
}

void Encode(const item::TransactGetItemsResponse& response, std::string& to) {
  EncodeResponses(response.responses, response.consumed_capacity, to);
}

void Encode(const item::TransactWriteItemsResponse& response, std::string& to) {
  ObjectWriter object(to);
  AppendCapacity(object, response.consumed_capacity);
  AppendMetrics(object, response.item_collection_metrics);
  object.End();
}

void Encode(const item::UpdateItemResponse& response, std::string& to) {
  EncodeWrite(response, to);
}

void Encode(const item::UpdateTableResponse& response, std::string& to) {
  EncodeTable("TableDescription", response.table_description, to);
}

int EncodeError(const Status& status, std::string& to) {
  const item::ErrorType type = item::TypeOfError(status);
  ObjectWriter object(to);
  object.Text("__type", fmt::format("{}#{}", Namespace(type), item::ErrorTypeName(type)));
  switch (type) {
    case item::ErrorType::kInternalServerError:
      object.Text("message", "The request processing has failed because of an unknown error");
      break;
    case item::ErrorType::kSerializationException:
      // A body that is no JSON gets no message at all.
      if (!Message(status).empty()) object.Text(MessageMember(type), Message(status));
      break;
    case item::ErrorType::kConditionalCheckFailedException:
      object.Text(MessageMember(type), Message(status));
      if (const auto item = item::ItemOfError(status)) object.Item("Item", *item);
      break;
    case item::ErrorType::kTransactionCanceledException:
      AppendReasons(object, item::ReasonsOfError(status));
      object.Text(MessageMember(type), Message(status));
      break;
    default:
      object.Text(MessageMember(type), Message(status));
  }
  if (const auto throttled = item::ThrottlingReasonOfError(status)) {
    std::string& reasons = object.Member("ThrottlingReasons");
    reasons.push_back('[');
    ObjectWriter reason(reasons);
    reason.Text("reason", throttled->reason);
    reason.Text("resource", throttled->resource);
    reason.End();
    reasons.push_back(']');
  }
  object.End();
  return HttpStatusOf(type);
}

}  // namespace varve::server
