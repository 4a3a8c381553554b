// What the fields of each message are: number, the API's name, member. One function a struct, for
// whoever visits them: FieldWriter and FieldReader (protocol/fields.h), or a writer of JSON.
//
// Numbers are part of the format: they are never used again for something else. docs/protocol.md
// has them in a table; tests/protocol/ holds the two together.
#pragma once

#include "item/partiql/requests.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "protocol/fields.h"
#include "protocol/messages.h"

namespace varve::protocol {

// The numbers of enumerators are part of the format, too.
template <>
inline constexpr uint64_t kEnumMax<item::ValueType> = 9;
template <>
inline constexpr uint64_t kEnumMax<item::KeyType> = 1;
template <>
inline constexpr uint64_t kEnumMax<item::BillingMode> = 1;
template <>
inline constexpr uint64_t kEnumMax<item::TableStatus> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::TableClass> = 1;
template <>
inline constexpr uint64_t kEnumMax<item::ProjectionType> = 2;
template <>
inline constexpr uint64_t kEnumMax<item::IndexStatus> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::StreamViewType> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::SwitchStatus> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::ReturnValues> = 4;
template <>
inline constexpr uint64_t kEnumMax<item::ReturnConsumedCapacity> = 2;
template <>
inline constexpr uint64_t kEnumMax<item::Select> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::ConsumedCapacity::Purpose> = 2;
template <>
inline constexpr uint64_t kEnumMax<item::ShardIteratorType> = 3;
template <>
inline constexpr uint64_t kEnumMax<item::StreamEvent> = 2;
static_assert(static_cast<int>(item::ValueType::kMap) == 9);
static_assert(static_cast<int>(item::TableStatus::kActive) == 3);
static_assert(static_cast<int>(item::IndexStatus::kActive) == 3);
static_assert(static_cast<int>(item::StreamViewType::kNewAndOldImages) == 3);
static_assert(static_cast<int>(item::SwitchStatus::kDisabling) == 3);
static_assert(static_cast<int>(item::ReturnValues::kUpdatedNew) == 4);
static_assert(static_cast<int>(item::Select::kCount) == 3);
static_assert(static_cast<int>(item::ShardIteratorType::kAfterSequenceNumber) == 3);

// ---- Parts

template <typename Visitor, Like<item::AttributeDefinition> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "AttributeName", m.attribute_name);
  visit(2, "AttributeType", m.attribute_type, item::ValueType::kString);
}

template <typename Visitor, Like<item::KeySchemaElement> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "AttributeName", m.attribute_name);
  visit(2, "KeyType", m.key_type);
}

template <typename Visitor, Like<item::ProvisionedThroughput> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ReadCapacityUnits", m.read_capacity_units);
  visit(2, "WriteCapacityUnits", m.write_capacity_units);
}

template <typename Visitor, Like<item::OnDemandThroughput> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "MaxReadRequestUnits", m.max_read_request_units);
  visit(2, "MaxWriteRequestUnits", m.max_write_request_units);
}

template <typename Visitor, Like<item::WarmThroughput> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ReadUnitsPerSecond", m.read_units_per_second);
  visit(2, "WriteUnitsPerSecond", m.write_units_per_second);
}

template <typename Visitor, Like<item::SseSpecification> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Enabled", m.enabled);
  visit(2, "SSEType", m.sse_type);
  visit(3, "KMSMasterKeyId", m.kms_master_key_id);
}

template <typename Visitor, Like<item::Tag> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Key", m.key);
  visit(2, "Value", m.value);
}

template <typename Visitor, Like<item::Projection> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ProjectionType", m.type);
  visit(2, "NonKeyAttributes", m.non_key_attributes);
}

template <typename Visitor, Like<item::SecondaryIndex> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "IndexName", m.index_name);
  visit(2, "KeySchema", m.key_schema);
  visit(3, "Projection", m.projection);
  visit(4, "ProvisionedThroughput", m.provisioned_throughput);
  visit(5, "OnDemandThroughput", m.on_demand_throughput);
  visit(6, "WarmThroughput", m.warm_throughput);
}

template <typename Visitor, Like<item::IndexDescription> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "IndexName", m.index_name);
  visit(2, "Global", m.global);
  visit(3, "KeySchema", m.key_schema);
  visit(4, "Projection", m.projection);
  visit(5, "IndexArn", m.index_arn);
  visit(6, "IndexSizeBytes", m.index_size_bytes);
  visit(7, "ItemCount", m.item_count);
  visit(8, "IndexStatus", m.status, item::IndexStatus::kActive);
  visit(9, "Backfilling", m.backfilling);
  visit(10, "ProvisionedThroughput", m.provisioned_throughput);
  visit(11, "NumberOfDecreasesToday", m.number_of_decreases_today);
  visit(12, "LastIncreaseMs", m.last_increase_ms);
  visit(13, "LastDecreaseMs", m.last_decrease_ms);
  visit(14, "OnDemandThroughput", m.on_demand_throughput);
  visit(15, "WarmThroughput", m.warm_throughput);
}

template <typename Visitor, Like<item::StreamSpecification> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "StreamEnabled", m.stream_enabled);
  visit(2, "StreamViewType", m.stream_view_type);
}

template <typename Visitor, Like<item::TableDescription> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "TableId", m.table_id);
  visit(3, "TableArn", m.table_arn);
  visit(4, "TableStatus", m.table_status, item::TableStatus::kActive);
  visit(5, "AttributeDefinitions", m.attribute_definitions);
  visit(6, "KeySchema", m.key_schema);
  visit(7, "CreationTimeMs", m.creation_time_ms);
  visit(8, "BillingMode", m.billing_mode);
  visit(9, "HasBillingModeSummary", m.has_billing_mode_summary);
  visit(10, "LastUpdateToPayPerRequestMs", m.last_update_to_pay_per_request_ms);
  visit(11, "ProvisionedThroughput", m.provisioned_throughput);
  visit(12, "NumberOfDecreasesToday", m.number_of_decreases_today);
  visit(13, "LastIncreaseMs", m.last_increase_ms);
  visit(14, "LastDecreaseMs", m.last_decrease_ms);
  visit(15, "OnDemandThroughput", m.on_demand_throughput);
  visit(16, "WarmThroughput", m.warm_throughput);
  visit(17, "TableSizeBytes", m.table_size_bytes);
  visit(18, "ItemCount", m.item_count);
  visit(19, "DeletionProtectionEnabled", m.deletion_protection_enabled);
  visit(20, "TableClass", m.table_class);
  visit(21, "SSEEnabled", m.sse_enabled);
  visit(22, "KMSMasterKeyArn", m.kms_master_key_arn);
  visit(23, "Indexes", m.indexes);
  visit(24, "StreamViewType", m.stream_view_type);
  visit(25, "LatestStreamLabel", m.latest_stream_label);
  visit(26, "LatestStreamArn", m.latest_stream_arn);
  visit(27, "TimeToLiveAttribute", m.ttl_attribute);
}

template <typename Visitor, Like<item::ConsumedCapacity> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "CapacityUnits", m.capacity_units);
  visit(3, "TableCapacityUnits", m.table_capacity_units);
  visit(4, "Purpose", m.purpose);
  visit(5, "LocalSecondaryIndexes", m.local_index_units);
  visit(6, "GlobalSecondaryIndexes", m.global_index_units);
}

template <typename Visitor, Like<item::ItemCollectionMetrics> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ItemCollectionKey", m.item_collection_key);
  visit(2, "SizeEstimateRangeGBMin", m.size_gb_min);
  visit(3, "SizeEstimateRangeGBMax", m.size_gb_max);
}

// ---- Tables

template <typename Visitor, Like<item::CreateTableRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "AttributeDefinitions", m.attribute_definitions);
  visit(3, "KeySchema", m.key_schema);
  visit(4, "BillingMode", m.billing_mode);
  visit(5, "ProvisionedThroughput", m.provisioned_throughput);
  visit(6, "LocalSecondaryIndexes", m.local_secondary_indexes);
  visit(7, "GlobalSecondaryIndexes", m.global_secondary_indexes);
  visit(8, "TableClass", m.table_class);
  visit(9, "DeletionProtectionEnabled", m.deletion_protection_enabled);
  visit(10, "OnDemandThroughput", m.on_demand_throughput);
  visit(11, "WarmThroughput", m.warm_throughput);
  visit(12, "StreamSpecification", m.stream_specification);
  visit(13, "SSESpecification", m.sse_specification);
  visit(14, "Tags", m.tags);
}
template <typename Visitor, Like<item::CreateTableResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableDescription", m.table_description);
}

template <typename Visitor, Like<item::DescribeTableRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
}
template <typename Visitor, Like<item::DescribeTableResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Table", m.table);
}

template <typename Visitor, Like<item::ListTablesRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ExclusiveStartTableName", m.exclusive_start_table_name);
  visit(2, "Limit", m.limit);
}
template <typename Visitor, Like<item::ListTablesResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableNames", m.table_names);
  visit(2, "LastEvaluatedTableName", m.last_evaluated_table_name);
}

template <typename Visitor, Like<item::GlobalSecondaryIndexUpdate::Update> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "IndexName", m.index_name);
  visit(2, "ProvisionedThroughput", m.provisioned_throughput);
  visit(3, "OnDemandThroughput", m.on_demand_throughput);
  visit(4, "WarmThroughput", m.warm_throughput);
}
template <typename Visitor, Like<item::GlobalSecondaryIndexUpdate> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Create", m.create);
  visit(2, "Update", m.update);
  visit(3, "Delete", m.delete_index_name);
}

template <typename Visitor, Like<item::UpdateTableRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "AttributeDefinitions", m.attribute_definitions);
  visit(3, "BillingMode", m.billing_mode);
  visit(4, "ProvisionedThroughput", m.provisioned_throughput);
  visit(5, "TableClass", m.table_class);
  visit(6, "DeletionProtectionEnabled", m.deletion_protection_enabled);
  visit(7, "GlobalSecondaryIndexUpdates", m.global_secondary_index_updates);
  visit(8, "OnDemandThroughput", m.on_demand_throughput);
  visit(9, "WarmThroughput", m.warm_throughput);
  visit(10, "StreamSpecification", m.stream_specification);
  visit(11, "SSESpecification", m.sse_specification);
}
template <typename Visitor, Like<item::UpdateTableResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableDescription", m.table_description);
}

template <typename Visitor, Like<item::DeleteTableRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
}
template <typename Visitor, Like<item::DeleteTableResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableDescription", m.table_description);
}

// ---- Time to live, tags

template <typename Visitor, Like<item::TimeToLiveSpecification> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Enabled", m.enabled);
  visit(2, "AttributeName", m.attribute_name);
}
template <typename Visitor, Like<item::UpdateTimeToLiveRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "TimeToLiveSpecification", m.specification);
}
template <typename Visitor, Like<item::UpdateTimeToLiveResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TimeToLiveSpecification", m.specification);
}
template <typename Visitor, Like<item::DescribeTimeToLiveRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
}
template <typename Visitor, Like<item::DescribeTimeToLiveResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TimeToLiveStatus", m.status);
  visit(2, "AttributeName", m.attribute_name);
}

template <typename Visitor, Like<item::TagResourceRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ResourceArn", m.resource_arn);
  visit(2, "Tags", m.tags);
}
template <typename Visitor, Like<item::TagResourceResponse> T>
void Fields(Visitor&, T&) {}
template <typename Visitor, Like<item::UntagResourceRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ResourceArn", m.resource_arn);
  visit(2, "TagKeys", m.tag_keys);
}
template <typename Visitor, Like<item::UntagResourceResponse> T>
void Fields(Visitor&, T&) {}
template <typename Visitor, Like<item::ListTagsOfResourceRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ResourceArn", m.resource_arn);
}
template <typename Visitor, Like<item::ListTagsOfResourceResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Tags", m.tags);
}

// ---- Single items
//
// The same numbers stand for the same thing in every operation on items: 1 to 9 what it is about,
// 10 to 15 expressions, 16 and 17 their names and values, 20 and up what is to be answered.

template <typename Visitor, Like<item::GetItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Key", m.key);
  visit(3, "ConsistentRead", m.consistent_read);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::GetItemResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Item", m.item);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
}

template <typename Visitor, Like<item::PutItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Item", m.item);
  visit(10, "ConditionExpression", m.condition_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(21, "ReturnValues", m.return_values);
  visit(22, "ReturnValuesOnConditionCheckFailure", m.return_old_on_condition_check_failure);
  visit(23, "ReturnItemCollectionMetrics", m.return_item_collection_metrics);
}
template <typename Visitor, Like<item::DeleteItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Key", m.key);
  visit(10, "ConditionExpression", m.condition_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(21, "ReturnValues", m.return_values);
  visit(22, "ReturnValuesOnConditionCheckFailure", m.return_old_on_condition_check_failure);
  visit(23, "ReturnItemCollectionMetrics", m.return_item_collection_metrics);
}
template <typename Visitor, Like<item::UpdateItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Key", m.key);
  visit(10, "ConditionExpression", m.condition_expression);
  visit(11, "UpdateExpression", m.update_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(21, "ReturnValues", m.return_values);
  visit(22, "ReturnValuesOnConditionCheckFailure", m.return_old_on_condition_check_failure);
  visit(23, "ReturnItemCollectionMetrics", m.return_item_collection_metrics);
}
namespace internal {
// PutItem, DeleteItem and UpdateItem answer alike.
template <typename Visitor, typename T>
void WriteResponseFields(Visitor& visit, T& m) {
  visit(1, "Attributes", m.attributes);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "ItemCollectionMetrics", m.item_collection_metrics);
}
}  // namespace internal
template <typename Visitor, Like<item::PutItemResponse> T>
void Fields(Visitor& visit, T& m) {
  internal::WriteResponseFields(visit, m);
}
template <typename Visitor, Like<item::DeleteItemResponse> T>
void Fields(Visitor& visit, T& m) {
  internal::WriteResponseFields(visit, m);
}
template <typename Visitor, Like<item::UpdateItemResponse> T>
void Fields(Visitor& visit, T& m) {
  internal::WriteResponseFields(visit, m);
}

// ---- Many items

template <typename Visitor, Like<item::QueryRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(3, "ConsistentRead", m.consistent_read);
  visit(4, "IndexName", m.index_name);
  visit(5, "Limit", m.limit);
  visit(6, "ExclusiveStartKey", m.exclusive_start_key);
  visit(7, "ScanIndexForward", m.scan_index_forward, true);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(13, "FilterExpression", m.filter_expression);
  visit(14, "KeyConditionExpression", m.key_condition_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(24, "Select", m.select);
}
template <typename Visitor, Like<item::ScanRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(3, "ConsistentRead", m.consistent_read);
  visit(4, "IndexName", m.index_name);
  visit(5, "Limit", m.limit);
  visit(6, "ExclusiveStartKey", m.exclusive_start_key);
  visit(8, "Segment", m.segment);
  visit(9, "TotalSegments", m.total_segments);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(13, "FilterExpression", m.filter_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(24, "Select", m.select);
}
template <typename Visitor, Like<item::ItemPage> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Items", m.items);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "HasItems", m.has_items, true);
  visit(4, "Count", m.count);
  visit(5, "ScannedCount", m.scanned_count);
  visit(6, "LastEvaluatedKey", m.last_evaluated_key);
}

// ---- Batches

template <typename Visitor, Like<item::KeysAndAttributes> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Keys", m.keys);
  visit(3, "ConsistentRead", m.consistent_read);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(16, "ExpressionAttributeNames", m.expression_attribute_names);
}
template <typename Visitor, Like<item::BatchGetItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "RequestItems", m.request_items);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::BatchGetItemResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Responses", m.responses);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "UnprocessedKeys", m.unprocessed_keys);
}

template <typename Visitor, Like<item::WriteRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "PutRequest", m.put_item);
  visit(2, "DeleteRequest", m.delete_key);
}
template <typename Visitor, Like<item::BatchWriteItemRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "RequestItems", m.request_items);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(23, "ReturnItemCollectionMetrics", m.return_item_collection_metrics);
}
template <typename Visitor, Like<item::BatchWriteItemResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "UnprocessedItems", m.unprocessed_items);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "ItemCollectionMetrics", m.item_collection_metrics);
}

// ---- Transactions

template <typename Visitor, Like<item::TransactWriteAction> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Item", m.item);
  visit(10, "ConditionExpression", m.condition_expression);
  visit(11, "UpdateExpression", m.update_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
  visit(17, "ExpressionAttributeValues", m.expression_parameters.values);
  visit(22, "ReturnValuesOnConditionCheckFailure", m.return_old_on_condition_check_failure);
}
template <typename Visitor, Like<item::TransactWriteItem> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ConditionCheck", m.condition_check);
  visit(2, "Put", m.put);
  visit(3, "Update", m.update);
  visit(4, "Delete", m.remove);
}
template <typename Visitor, Like<item::TransactWriteItemsRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TransactItems", m.transact_items);
  visit(2, "ClientRequestToken", m.client_request_token);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
  visit(23, "ReturnItemCollectionMetrics", m.return_item_collection_metrics);
}
template <typename Visitor, Like<item::TransactWriteItemsResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "ItemCollectionMetrics", m.item_collection_metrics);
}

template <typename Visitor, Like<item::TransactGetItem> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Key", m.key);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(16, "ExpressionAttributeNames", m.expression_parameters.names);
}
template <typename Visitor, Like<item::TransactGetItemsRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TransactItems", m.transact_items);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::TransactGetItemsResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Responses", m.responses);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
}

// ---- PartiQL

template <typename Visitor, Like<item::ParameterizedStatement> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Statement", m.statement);
  visit(2, "Parameters", m.parameters);
  visit(3, "ConsistentRead", m.consistent_read);
  visit(22, "ReturnValuesOnConditionCheckFailure", m.return_old_on_condition_check_failure);
}
template <typename Visitor, Like<item::ExecuteStatementRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Statement", m.statement);
  visit(2, "NextToken", m.next_token);
  visit(5, "Limit", m.limit);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::ExecuteStatementResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Items", m.items);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
  visit(3, "NextToken", m.next_token);
  visit(6, "LastEvaluatedKey", m.last_evaluated_key);
}
template <typename Visitor, Like<item::BatchExecuteStatementRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Statements", m.statements);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::BatchStatementError> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Code", m.code);
  visit(2, "Message", m.message);
  visit(3, "Item", m.item);
}
template <typename Visitor, Like<item::BatchStatementResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Error", m.error);
  visit(2, "TableName", m.table_name);
  visit(3, "Item", m.item);
}
template <typename Visitor, Like<item::BatchExecuteStatementResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Responses", m.responses);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
}
template <typename Visitor, Like<item::ExecuteTransactionRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TransactStatements", m.transact_statements);
  visit(2, "ClientRequestToken", m.client_request_token);
  visit(20, "ReturnConsumedCapacity", m.return_consumed_capacity);
}
template <typename Visitor, Like<item::ExecuteTransactionResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Responses", m.responses);
  visit(2, "ConsumedCapacity", m.consumed_capacity);
}

// ---- Streams

template <typename Visitor, Like<item::StreamSummary> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "StreamArn", m.stream_arn);
  visit(2, "TableName", m.table_name);
  visit(3, "StreamLabel", m.stream_label);
}
template <typename Visitor, Like<item::ListStreamsRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Limit", m.limit);
  visit(3, "ExclusiveStartStreamArn", m.exclusive_start_stream_arn);
}
template <typename Visitor, Like<item::ListStreamsResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Streams", m.streams);
  visit(2, "LastEvaluatedStreamArn", m.last_evaluated_stream_arn);
}
template <typename Visitor, Like<item::DescribeStreamRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "StreamArn", m.stream_arn);
  visit(2, "Limit", m.limit);
  visit(3, "ExclusiveStartShardId", m.exclusive_start_shard_id);
  visit(4, "ChildShardsOf", m.child_shards_of);
}
template <typename Visitor, Like<item::ShardDescription> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ShardId", m.shard_id);
  visit(2, "StartingSequenceNumber", m.starting_sequence_number);
  visit(3, "EndingSequenceNumber", m.ending_sequence_number);
  visit(4, "ParentShardId", m.parent_shard_id);
}
template <typename Visitor, Like<item::DescribeStreamResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Stream", m.stream);
  visit(2, "StreamStatus", m.status);
  visit(3, "StreamViewType", m.stream_view_type);
  visit(4, "CreationTimeMs", m.creation_time_ms);
  visit(5, "KeySchema", m.key_schema);
  visit(6, "Shards", m.shards);
  visit(7, "LastEvaluatedShardId", m.last_evaluated_shard_id);
}
template <typename Visitor, Like<item::GetShardIteratorRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "StreamArn", m.stream_arn);
  visit(2, "ShardId", m.shard_id);
  visit(3, "ShardIteratorType", m.shard_iterator_type);
  visit(4, "SequenceNumber", m.sequence_number);
}
template <typename Visitor, Like<item::GetShardIteratorResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ShardIterator", m.shard_iterator);
}
template <typename Visitor, Like<item::GetRecordsRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "ShardIterator", m.shard_iterator);
  visit(2, "Limit", m.limit);
}
template <typename Visitor, Like<item::StreamRecordDescription> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "EventId", m.event_id);
  visit(2, "EventName", m.event);
  visit(3, "CreationTimeMs", m.creation_time_ms);
  visit(4, "Keys", m.keys);
  visit(5, "NewImage", m.new_image);
  visit(6, "OldImage", m.old_image);
  visit(7, "SequenceNumber", m.sequence_number);
  visit(8, "SizeBytes", m.size_bytes);
  visit(9, "StreamViewType", m.stream_view_type);
  visit(10, "ByTimeToLive", m.by_time_to_live);
  visit(11, "AwsRegion", m.aws_region);
}
template <typename Visitor, Like<item::GetRecordsResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Records", m.records);
  visit(2, "NextShardIterator", m.next_shard_iterator);
}

// ---- The connection's own

template <typename Visitor, Like<Hello> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Magic", m.magic);
  visit(2, "VersionMin", m.version_min);
  visit(3, "VersionMax", m.version_max);
  visit(4, "Features", m.features);
  visit(5, "ItemEncodingMin", m.item_encoding_min);
  visit(6, "ItemEncodingMax", m.item_encoding_max);
  visit(7, "ClientName", m.client_name);
  visit(8, "CreditBytes", m.credit_bytes);
}
template <typename Visitor, Like<Welcome> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Version", m.version);
  visit(2, "Features", m.features);
  visit(3, "ItemEncoding", m.item_encoding);
  visit(4, "ServerName", m.server_name);
  visit(5, "RequestBytesMax", m.request_bytes_max);
  visit(6, "RequestsMax", m.requests_max);
  visit(7, "PreparedMax", m.prepared_max);
  visit(8, "CreditBytesMax", m.credit_bytes_max);
  visit(9, "Authentication", m.authentication);
  visit(10, "IdleTimeoutMs", m.idle_timeout_ms);
}
template <typename Visitor, Like<Authenticate> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Method", m.method);
  visit(2, "Step", m.step);
  visit(3, "Data", m.data);
  visit(4, "Done", m.done);
}
template <typename Visitor, Like<Credit> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Bytes", m.bytes);
}
template <typename Visitor, Like<Goodbye> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Reason", m.reason);
}
template <typename Visitor, Like<PrepareRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "TableName", m.table_name);
  visit(2, "Operation", m.operation);
  visit(4, "IndexName", m.index_name);
  visit(10, "ConditionExpression", m.condition_expression);
  visit(11, "UpdateExpression", m.update_expression);
  visit(12, "ProjectionExpression", m.projection_expression);
  visit(13, "FilterExpression", m.filter_expression);
  visit(14, "KeyConditionExpression", m.key_condition_expression);
  visit(16, "ExpressionAttributeNames", m.names);
}
template <typename Visitor, Like<PrepareResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Prepared", m.prepared);
}
template <typename Visitor, Like<ForgetRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Prepared", m.prepared);
}
template <typename Visitor, Like<JsonRequest> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Operation", m.operation);
  visit(2, "Body", m.body);
}
template <typename Visitor, Like<JsonResponse> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "HttpStatus", m.http_status);
  visit(2, "Body", m.body);
}
template <typename Visitor, Like<RequestExtras> T>
void Fields(Visitor& visit, T& m) {
  visit(100, "Prepared", m.prepared);
  visit(101, "RequestToken", m.request_token);
}
template <typename Visitor, Like<AnswerExtras> T>
void Fields(Visitor& visit, T& m) {
  visit(100, "Repeated", m.repeated);
}

}  // namespace varve::protocol
