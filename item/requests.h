// What the operations of item/store.h take and give: DynamoDB's requests and responses as structs.
//
// Members are named as in the DynamoDB API reference, which says what they mean; comments here say
// what is particular. An absent optional is a parameter that was not given. Requests come with the
// types and simple constraints (presence, lengths, patterns, enumerations) of the API checked; what
// parameters mean together, and for a table, is checked by the operation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "item/expression/expression.h"
#include "item/item_list.h"
#include "item/value.h"

namespace varve::item {

// ---- Parts

enum class KeyType : uint8_t { kHash, kRange };
enum class BillingMode : uint8_t { kProvisioned, kPayPerRequest };
enum class TableStatus : uint8_t { kCreating, kUpdating, kDeleting, kActive };
enum class TableClass : uint8_t { kStandard, kStandardInfrequentAccess };
enum class ProjectionType : uint8_t { kKeysOnly, kInclude, kAll };
enum class IndexStatus : uint8_t { kCreating, kUpdating, kDeleting, kActive };
enum class StreamViewType : uint8_t { kKeysOnly, kNewImage, kOldImage, kNewAndOldImages };

std::string_view ToString(KeyType type);            // "HASH"
std::string_view ToString(BillingMode mode);        // "PAY_PER_REQUEST"
std::string_view ToString(TableStatus status);      // "ACTIVE"
std::string_view ToString(TableClass table_class);  // "STANDARD"
std::string_view ToString(ProjectionType type);     // "KEYS_ONLY"
std::string_view ToString(StreamViewType type);     // "NEW_IMAGE"
std::string_view ToString(IndexStatus status);      // "ACTIVE"
// Nothing if there is none of that name.
std::optional<StreamViewType> StreamViewTypeNamed(std::string_view name);

enum class ReturnValues : uint8_t { kNone, kAllOld, kUpdatedOld, kAllNew, kUpdatedNew };
enum class ReturnConsumedCapacity : uint8_t { kNone, kTotal, kIndexes };
enum class Select : uint8_t {
  kAllAttributes,
  kAllProjectedAttributes,
  kSpecificAttributes,
  kCount,
};

struct AttributeDefinition {
  std::string attribute_name;
  ValueType attribute_type = ValueType::kString;  // string, number or binary
};

struct KeySchemaElement {
  std::string attribute_name;
  KeyType key_type = KeyType::kHash;
};

struct ProvisionedThroughput {
  int64_t read_capacity_units = 0;
  int64_t write_capacity_units = 0;
};

// Of an on-demand table or index; -1 takes a maximum away.
struct OnDemandThroughput {
  std::optional<int64_t> max_read_request_units;
  std::optional<int64_t> max_write_request_units;
};

struct WarmThroughput {
  std::optional<int64_t> read_units_per_second;
  std::optional<int64_t> write_units_per_second;
};

struct SseSpecification {
  std::optional<bool> enabled;
  std::optional<std::string> sse_type;  // "KMS" or "AES256"
  std::optional<std::string> kms_master_key_id;
};

struct Tag {
  std::string key;
  std::string value;
};

// Which attributes an index has besides keys. The keys of the table and of the index always are.
struct Projection {
  std::optional<ProjectionType> type;
  std::vector<std::string> non_key_attributes;
};

// A secondary index as CreateTable and UpdateTable define it. Of a local one only the first three.
struct SecondaryIndex {
  std::string index_name;
  std::vector<KeySchemaElement> key_schema;
  Projection projection;
  std::optional<ProvisionedThroughput> provisioned_throughput;
  std::optional<OnDemandThroughput> on_demand_throughput;
  std::optional<WarmThroughput> warm_throughput;
};

struct IndexDescription {
  std::string index_name;
  bool global = false;
  std::vector<KeySchemaElement> key_schema;
  Projection projection;
  std::string index_arn;
  uint64_t index_size_bytes = 0;
  uint64_t item_count = 0;

  // Of a global index:
  IndexStatus status = IndexStatus::kActive;
  bool backfilling = false;
  ProvisionedThroughput provisioned_throughput;  // 0 and 0 if on demand
  int64_t number_of_decreases_today = 0;
  uint64_t last_increase_ms = 0;  // 0: never
  uint64_t last_decrease_ms = 0;  // 0: never
  std::optional<OnDemandThroughput> on_demand_throughput;
  std::optional<WarmThroughput> warm_throughput;  // as asked for
};

// Sent with an operation's expressions.
struct ExpressionParameters {
  std::optional<expression::AttributeNames> names;    // ExpressionAttributeNames
  std::optional<expression::AttributeValues> values;  // ExpressionAttributeValues
  // What is wrong with a value that could not be decoded ("ExpressionAttributeValues contains
  // invalid value: ..."); the operation reports it when its turn comes.
  Status invalid_value;
};

struct StreamSpecification {
  bool stream_enabled = false;
  std::optional<StreamViewType> stream_view_type;
};

struct TableDescription {
  std::string table_name;
  std::string table_id;  // a UUID
  std::string table_arn;
  TableStatus table_status = TableStatus::kActive;
  // Until then (since 1970) an ACTIVE table is said to be in this state. A restart ends it.
  uint64_t transition_end_ms = 0;
  TableStatus transition = TableStatus::kActive;
  std::vector<AttributeDefinition> attribute_definitions;
  std::vector<KeySchemaElement> key_schema;
  uint64_t creation_time_ms = 0;  // since 1970

  BillingMode billing_mode = BillingMode::kProvisioned;
  // Whether BillingModeSummary is answered: not for a table that has always been provisioned.
  bool has_billing_mode_summary = false;
  uint64_t last_update_to_pay_per_request_ms = 0;  // 0: never

  ProvisionedThroughput provisioned_throughput;  // 0 and 0 if on demand
  int64_t number_of_decreases_today = 0;
  uint64_t last_increase_ms = 0;  // 0: never
  uint64_t last_decrease_ms = 0;  // 0: never

  std::optional<OnDemandThroughput> on_demand_throughput;
  std::optional<WarmThroughput> warm_throughput;  // as asked for

  uint64_t table_size_bytes = 0;  // both as counted (item/table_size.h)
  uint64_t item_count = 0;
  bool deletion_protection_enabled = false;
  std::optional<TableClass> table_class;  // as given
  bool sse_enabled = false;
  std::string kms_master_key_arn;  // empty unless sse_enabled

  // Local indexes first, each kind in the order of its creation.
  std::vector<IndexDescription> indexes;

  // Of the stream, if it is enabled.
  std::optional<StreamViewType> stream_view_type;
  // Of the stream that was enabled last (item/stream.h), which may be disabled; 0: there was none.
  uint64_t latest_stream_id = 0;
  std::string latest_stream_label;
  std::string latest_stream_arn;

  // The attribute by which items expire; empty if they don't.
  std::string ttl_attribute;
  bool ttl_indexed = false;     // whether all items that were there before have their entries
  uint64_t ttl_changed_ms = 0;  // 0: never

  // Not answered with the table but by ListTagsOfResource; ascending by key.
  std::vector<Tag> tags;
};

struct ConsumedCapacity {
  std::string table_name;
  double capacity_units = 0;
  // For INDEXES: the table's own share, ConsumedCapacity.Table.CapacityUnits, and the shares of
  // the indexes that have one, by name.
  std::optional<double> table_capacity_units;
  // Of transactions, which say of all units what they are for.
  enum class Purpose : uint8_t { kUnsaid, kRead, kWrite };
  Purpose purpose = Purpose::kUnsaid;
  std::vector<std::pair<std::string, double>> local_index_units;
  std::vector<std::pair<std::string, double>> global_index_units;
};

// Of a table with local secondary indexes: everything under one partition key.
struct ItemCollectionMetrics {
  Item item_collection_key;  // the partition key alone
  // The collection's size lies between the two, in gigabytes.
  double size_gb_min = 0;
  double size_gb_max = 0;
};

// ---- Tables

struct CreateTableRequest {
  std::string table_name;
  std::vector<AttributeDefinition> attribute_definitions;
  std::vector<KeySchemaElement> key_schema;
  std::optional<BillingMode> billing_mode;
  std::optional<ProvisionedThroughput> provisioned_throughput;
  std::optional<std::vector<SecondaryIndex>> local_secondary_indexes;
  std::optional<std::vector<SecondaryIndex>> global_secondary_indexes;
  std::optional<TableClass> table_class;
  bool deletion_protection_enabled = false;
  std::optional<OnDemandThroughput> on_demand_throughput;
  std::optional<WarmThroughput> warm_throughput;
  std::optional<StreamSpecification> stream_specification;
  std::optional<SseSpecification> sse_specification;
  std::optional<std::vector<Tag>> tags;
};
struct CreateTableResponse {
  TableDescription table_description;
};

struct DescribeTableRequest {
  std::string table_name;
};
struct DescribeTableResponse {
  TableDescription table;
};

struct ListTablesRequest {
  std::optional<std::string> exclusive_start_table_name;
  std::optional<int64_t> limit;  // 1 to 100; 100 unless given
};
struct ListTablesResponse {
  std::vector<std::string> table_names;  // ascending
  std::optional<std::string> last_evaluated_table_name;
};

// One of create, update and delete.
struct GlobalSecondaryIndexUpdate {
  struct Update {
    std::string index_name;
    std::optional<ProvisionedThroughput> provisioned_throughput;
    std::optional<OnDemandThroughput> on_demand_throughput;
    std::optional<WarmThroughput> warm_throughput;
  };
  std::optional<SecondaryIndex> create;
  std::optional<Update> update;
  std::optional<std::string> delete_index_name;
};

struct UpdateTableRequest {
  std::string table_name;
  std::vector<AttributeDefinition> attribute_definitions;  // those of new indexes, at least
  std::optional<BillingMode> billing_mode;
  std::optional<ProvisionedThroughput> provisioned_throughput;
  std::optional<TableClass> table_class;
  std::optional<bool> deletion_protection_enabled;
  std::optional<std::vector<GlobalSecondaryIndexUpdate>> global_secondary_index_updates;
  std::optional<OnDemandThroughput> on_demand_throughput;
  std::optional<WarmThroughput> warm_throughput;
  std::optional<StreamSpecification> stream_specification;
  std::optional<SseSpecification> sse_specification;
};
struct UpdateTableResponse {
  TableDescription table_description;
};

struct DeleteTableRequest {
  std::string table_name;
};
struct DeleteTableResponse {
  TableDescription table_description;
};

// ---- Tags

struct TagResourceRequest {
  std::string resource_arn;
  std::vector<Tag> tags;
};
struct TagResourceResponse {};

struct UntagResourceRequest {
  std::string resource_arn;
  std::vector<std::string> tag_keys;
};
struct UntagResourceResponse {};

struct ListTagsOfResourceRequest {
  std::string resource_arn;
};
struct ListTagsOfResourceResponse {
  std::vector<Tag> tags;  // all of them
};

// ---- Single items

struct GetItemRequest {
  std::string table_name;
  Item key;
  Status invalid_key;  // what is wrong with it, if it could not be decoded; reported in its turn
  bool consistent_read = false;  // every read is; this decides the capacity consumed
  std::optional<std::string> projection_expression;
  ExpressionParameters expression_parameters;          // names only
  std::optional<expression::LegacyParameters> legacy;  // AttributesToGet
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct GetItemResponse {
  std::optional<Item> item;
  std::optional<ConsumedCapacity> consumed_capacity;
};

struct PutItemRequest {
  std::string table_name;
  Item item;
  Status invalid_item;  // as invalid_key above
  std::optional<std::string> condition_expression;
  ExpressionParameters expression_parameters;
  std::optional<expression::LegacyParameters> legacy;  // Expected
  ReturnValues return_values = ReturnValues::kNone;
  // ReturnValuesOnConditionCheckFailure is ALL_OLD: ItemOfError has the item (item/errors.h).
  bool return_old_on_condition_check_failure = false;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  bool return_item_collection_metrics = false;
};
struct PutItemResponse {
  std::optional<Item> attributes;
  std::optional<ConsumedCapacity> consumed_capacity;
  std::optional<ItemCollectionMetrics> item_collection_metrics;
};

struct DeleteItemRequest {
  std::string table_name;
  Item key;
  Status invalid_key;
  std::optional<std::string> condition_expression;
  ExpressionParameters expression_parameters;
  std::optional<expression::LegacyParameters> legacy;  // Expected
  ReturnValues return_values = ReturnValues::kNone;
  bool return_old_on_condition_check_failure = false;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  bool return_item_collection_metrics = false;
};
struct DeleteItemResponse {
  std::optional<Item> attributes;
  std::optional<ConsumedCapacity> consumed_capacity;
  std::optional<ItemCollectionMetrics> item_collection_metrics;
};

struct UpdateItemRequest {
  std::string table_name;
  Item key;
  Status invalid_key;
  std::optional<std::string> update_expression;
  std::optional<std::string> condition_expression;
  ExpressionParameters expression_parameters;
  std::optional<expression::LegacyParameters> legacy;  // AttributeUpdates, Expected
  ReturnValues return_values = ReturnValues::kNone;
  bool return_old_on_condition_check_failure = false;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  bool return_item_collection_metrics = false;
};
struct UpdateItemResponse {
  std::optional<Item> attributes;
  std::optional<ConsumedCapacity> consumed_capacity;
  std::optional<ItemCollectionMetrics> item_collection_metrics;
};

// ---- Many items

struct QueryRequest {
  std::string table_name;
  std::optional<std::string> index_name;
  std::optional<std::string> key_condition_expression;
  std::optional<std::string> filter_expression;
  std::optional<std::string> projection_expression;
  ExpressionParameters expression_parameters;
  // KeyConditions, QueryFilter, AttributesToGet
  std::optional<expression::LegacyParameters> legacy;
  std::optional<Select> select;
  std::optional<int64_t> limit;  // at least 1
  std::optional<Item> exclusive_start_key;
  Status invalid_start_key;
  bool scan_index_forward = true;
  bool consistent_read = false;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};

struct ScanRequest {
  std::string table_name;
  std::optional<std::string> index_name;
  std::optional<std::string> filter_expression;
  std::optional<std::string> projection_expression;
  ExpressionParameters expression_parameters;
  std::optional<expression::LegacyParameters> legacy;  // ScanFilter, AttributesToGet
  std::optional<Select> select;
  std::optional<int64_t> limit;           // at least 1
  std::optional<int64_t> segment;         // at least 0
  std::optional<int64_t> total_segments;  // 1 to 1,000,000
  std::optional<Item> exclusive_start_key;
  Status invalid_start_key;
  bool consistent_read = false;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};

// Of Query and Scan.
struct ItemPage {
  // Items is answered unless the request's Select was COUNT.
  bool has_items = true;
  ItemList items;
  uint64_t count = 0;
  uint64_t scanned_count = 0;
  size_t scanned_bytes = 0;
  std::optional<Item> last_evaluated_key;
  std::optional<ConsumedCapacity> consumed_capacity;
};
using QueryResponse = ItemPage;
using ScanResponse = ItemPage;

// ---- Batches

struct KeysAndAttributes {
  std::vector<Item> keys;
  std::optional<bool> consistent_read;
  std::optional<std::string> projection_expression;
  std::optional<expression::LegacyParameters> legacy;  // AttributesToGet
  std::optional<expression::AttributeNames> expression_attribute_names;
};

struct BatchGetItemRequest {
  // By table, in the order of the request.
  std::vector<std::pair<std::string, KeysAndAttributes>> request_items;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct BatchGetItemResponse {
  std::vector<std::pair<std::string, ItemList>> responses;
  // What did not fit into 16 MB, to be asked for again.
  std::vector<std::pair<std::string, KeysAndAttributes>> unprocessed_keys;
  std::vector<ConsumedCapacity> consumed_capacity;  // empty unless asked for
};

// One of PutRequest and DeleteRequest.
struct WriteRequest {
  std::optional<Item> put_item;
  std::optional<Item> delete_key;
};

struct BatchWriteItemRequest {
  // By table, in the order of the request.
  std::vector<std::pair<std::string, std::vector<WriteRequest>>> request_items;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  bool return_item_collection_metrics = false;
};
struct BatchWriteItemResponse {
  std::vector<std::pair<std::string, std::vector<WriteRequest>>> unprocessed_items;
  std::vector<ConsumedCapacity> consumed_capacity;  // empty unless asked for
  // By table; empty unless asked for.
  std::vector<std::pair<std::string, std::vector<ItemCollectionMetrics>>> item_collection_metrics;
};

// ---- Transactions

// The parameters of ConditionCheck, Put, Update or Delete.
struct TransactWriteAction {
  std::string table_name;
  Item item;  // of Put: the item; otherwise its key
  std::optional<std::string> update_expression;
  std::optional<std::string> condition_expression;
  ExpressionParameters expression_parameters;
  bool return_old_on_condition_check_failure = false;
};

// One of them.
struct TransactWriteItem {
  std::optional<TransactWriteAction> condition_check;
  std::optional<TransactWriteAction> put;
  std::optional<TransactWriteAction> update;
  std::optional<TransactWriteAction> remove;
};

struct TransactWriteItemsRequest {
  std::vector<TransactWriteItem> transact_items;  // 1 to 100
  std::optional<std::string> client_request_token;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  bool return_item_collection_metrics = false;
};
struct TransactWriteItemsResponse {
  // By table, in the order of the request; empty unless asked for.
  std::vector<ConsumedCapacity> consumed_capacity;
  std::vector<std::pair<std::string, std::vector<ItemCollectionMetrics>>> item_collection_metrics;
};

struct TransactGetItem {
  std::string table_name;
  Item key;
  std::optional<std::string> projection_expression;
  ExpressionParameters expression_parameters;  // names only
};

struct TransactGetItemsRequest {
  std::vector<TransactGetItem> transact_items;  // 1 to 100
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct TransactGetItemsResponse {
  std::vector<std::optional<Item>> responses;
  std::vector<ConsumedCapacity> consumed_capacity;  // as above
};

}  // namespace varve::item
