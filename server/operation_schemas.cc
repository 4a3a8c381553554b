#include "server/operation_schemas.h"

namespace varve::server {
namespace {

// ---- Scalars
constexpr Schema kString{};
constexpr Schema kBoolean{.type = JsonType::kBoolean};
constexpr Schema kUnchecked{.type = JsonType::kUnchecked};
constexpr Schema kUnsupported{.type = JsonType::kUnchecked, .unsupported = true};
constexpr Schema kRequiredString{.not_null = true};

// ---- Names
constexpr Schema kTableName{
    .not_null = true, .name_pattern = true, .length_min = 3, .length_max = 255};
constexpr Schema kControlTableName{.required = true, .table_name = true, .name_pattern = true};
constexpr Schema kOptionalName{.name_pattern = true, .length_min = 3, .length_max = 255};

// ---- Enumerations
constexpr std::string_view kReturnConsumedCapacityValues[] = {"INDEXES", "TOTAL", "NONE"};
constexpr Schema kReturnConsumedCapacity{.values = kReturnConsumedCapacityValues};
constexpr std::string_view kReturnItemCollectionMetricsValues[] = {"SIZE", "NONE"};
constexpr Schema kReturnItemCollectionMetrics{.values = kReturnItemCollectionMetricsValues};
constexpr std::string_view kReturnValuesValues[] = {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE",
                                                    "UPDATED_NEW"};
constexpr Schema kReturnValues{.values = kReturnValuesValues};
constexpr std::string_view kOnCheckFailureValues[] = {"ALL_OLD", "NONE"};
constexpr Schema kOnCheckFailure{.values = kOnCheckFailureValues};
constexpr std::string_view kSelectValues[] = {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES",
                                              "ALL_PROJECTED_ATTRIBUTES"};
constexpr Schema kSelect{.values = kSelectValues};
constexpr std::string_view kBillingModeValues[] = {"PROVISIONED", "PAY_PER_REQUEST"};
constexpr std::string_view kTableClassValues[] = {"STANDARD", "STANDARD_INFREQUENT_ACCESS"};
constexpr Schema kTableClass{.values = kTableClassValues};
constexpr Schema kBillingMode{.values = kBillingModeValues};

// ---- Numbers
constexpr Schema kListLimit{.type = JsonType::kInteger, .value_min = 1, .value_max = 100};
constexpr Schema kLimit{.type = JsonType::kInteger, .value_min = 1};
constexpr Schema kSegment{.type = JsonType::kInteger, .value_min = 0, .value_max = 999999};
constexpr Schema kTotalSegments{.type = JsonType::kInteger, .value_min = 1, .value_max = 1000000};
constexpr Schema kCapacityUnits{.type = JsonType::kLong, .not_null = true, .value_min = 1};

// ---- Items and expressions
constexpr Schema kAttributeValue{.type = JsonType::kAttributeValue};
constexpr Schema kItem{
    .type = JsonType::kMap, .java_class = "AttributeValue", .element = &kAttributeValue};
constexpr Schema kRequiredItem{.type = JsonType::kMap,
                               .java_class = "AttributeValue",
                               .element = &kAttributeValue,
                               .not_null = true};
constexpr Schema kKeyInList{.type = JsonType::kMap,
                            .java_class = "AttributeValue",
                            .element = &kAttributeValue,
                            .parameterized = true};
constexpr Schema kNames{
    .type = JsonType::kMap, .java_class = "java.lang.String", .element = &kString};

// ---- Tables
constexpr std::string_view kAttributeTypeValues[] = {"B", "N", "S"};
constexpr Schema kAttributeType{.not_null = true, .values = kAttributeTypeValues};
constexpr Member kAttributeDefinitionMembers[] = {
    {"AttributeName", &kRequiredString},
    {"AttributeType", &kAttributeType},
};
constexpr Schema kAttributeDefinition{.type = JsonType::kStructure,
                                      .java_class = "AttributeDefinition",
                                      .members = kAttributeDefinitionMembers};
constexpr Schema kAttributeDefinitions{
    .type = JsonType::kList, .element = &kAttributeDefinition, .not_null = true};
constexpr Schema kOptionalAttributeDefinitions{.type = JsonType::kList,
                                               .element = &kAttributeDefinition};

constexpr std::string_view kKeyTypeValues[] = {"HASH", "RANGE"};
constexpr Schema kKeyType{.not_null = true, .values = kKeyTypeValues};
constexpr Member kKeySchemaElementMembers[] = {
    {"AttributeName", &kRequiredString},
    {"KeyType", &kKeyType},
};
constexpr Schema kKeySchemaElement{.type = JsonType::kStructure,
                                   .java_class = "KeySchemaElement",
                                   .members = kKeySchemaElementMembers};
constexpr Schema kKeySchema{.type = JsonType::kList,
                            .element = &kKeySchemaElement,
                            .not_null = true,
                            .length_min = 1,
                            .length_max = 2};

constexpr Member kThroughputMembers[] = {
    {"WriteCapacityUnits", &kCapacityUnits},
    {"ReadCapacityUnits", &kCapacityUnits},
};
constexpr Schema kThroughput{.type = JsonType::kStructure,
                             .java_class = "ProvisionedThroughput",
                             .members = kThroughputMembers};

constexpr Member kCreateTableMembers[] = {
    {"AttributeDefinitions", &kAttributeDefinitions},
    {"TableName", &kControlTableName},
    {"BillingMode", &kBillingMode},
    {"ProvisionedThroughput", &kThroughput},
    {"KeySchema", &kKeySchema},
    {"LocalSecondaryIndexes", &kUnsupported},
    {"GlobalSecondaryIndexes", &kUnsupported},
    {"StreamSpecification", &kUnsupported},
    {"SSESpecification", &kUnsupported},
    {"Tags", &kUnsupported},
    {"TableClass", &kTableClass},
    {"DeletionProtectionEnabled", &kBoolean},
    {"OnDemandThroughput", &kUnsupported},
    {"ResourcePolicy", &kUnsupported},
    {"WarmThroughput", &kUnchecked},
};
constexpr Member kUpdateTableMembers[] = {
    {"TableName", &kControlTableName},
    {"ProvisionedThroughput", &kThroughput},
    {"BillingMode", &kBillingMode},
    {"AttributeDefinitions", &kOptionalAttributeDefinitions},
    {"GlobalSecondaryIndexUpdates", &kUnsupported},
    {"StreamSpecification", &kUnsupported},
    {"SSESpecification", &kUnsupported},
    {"ReplicaUpdates", &kUnsupported},
    {"TableClass", &kTableClass},
    {"DeletionProtectionEnabled", &kBoolean},
    {"OnDemandThroughput", &kUnsupported},
    {"WarmThroughput", &kUnchecked},
};
constexpr Member kTableNameMembers[] = {
    {"TableName", &kControlTableName},
};
constexpr Member kListTablesMembers[] = {
    {"Limit", &kListLimit},
    {"ExclusiveStartTableName", &kOptionalName},
};

// ---- Single items
constexpr Member kGetItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"AttributesToGet", &kUnsupported},
    {"TableName", &kTableName},
    {"Key", &kRequiredItem},
    {"ConsistentRead", &kBoolean},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kPutItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableName},
    {"Item", &kRequiredItem},
    {"ConditionalOperator", &kUnsupported},
    {"Expected", &kUnsupported},
    {"ReturnValues", &kReturnValues},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kDeleteItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableName},
    {"ReturnValues", &kReturnValues},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"Key", &kRequiredItem},
    {"ConditionalOperator", &kUnsupported},
    {"Expected", &kUnsupported},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kUpdateItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableName},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValues", &kReturnValues},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"Key", &kRequiredItem},
    {"ConditionalOperator", &kUnsupported},
    {"Expected", &kUnsupported},
    {"AttributeUpdates", &kUnsupported},
    {"ConditionExpression", &kString},
    {"UpdateExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};

// ---- Many items
constexpr Member kQueryMembers[] = {
    {"Select", &kSelect},
    {"IndexName", &kOptionalName},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"QueryFilter", &kUnsupported},
    {"TableName", &kTableName},
    {"ConditionalOperator", &kUnsupported},
    {"AttributesToGet", &kUnsupported},
    {"Limit", &kLimit},
    {"KeyConditions", &kUnsupported},
    {"ExclusiveStartKey", &kItem},
    {"ConsistentRead", &kBoolean},
    {"ScanIndexForward", &kBoolean},
    {"KeyConditionExpression", &kString},
    {"FilterExpression", &kString},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kScanMembers[] = {
    {"Select", &kSelect},
    {"IndexName", &kOptionalName},
    {"TotalSegments", &kTotalSegments},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableName},
    {"ConditionalOperator", &kUnsupported},
    {"ScanFilter", &kUnsupported},
    {"Segment", &kSegment},
    {"Limit", &kLimit},
    {"AttributesToGet", &kUnsupported},
    {"ExclusiveStartKey", &kItem},
    {"ConsistentRead", &kBoolean},
    {"FilterExpression", &kString},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};

// ---- Batches
constexpr Schema kKeys{.type = JsonType::kList,
                       .element = &kKeyInList,
                       .not_null = true,
                       .length_min = 1,
                       .length_max = 100};
constexpr Member kKeysAndAttributesMembers[] = {
    {"Keys", &kKeys},
    {"AttributesToGet", &kUnsupported},
    {"ConsistentRead", &kBoolean},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Schema kKeysAndAttributes{.type = JsonType::kStructure,
                                    .java_class = "KeysAndAttributes",
                                    .members = kKeysAndAttributesMembers};
constexpr Schema kGetRequestItems{.type = JsonType::kMap,
                                  .java_class = "KeysAndAttributes",
                                  .element = &kKeysAndAttributes,
                                  .not_null = true,
                                  .length_min = 1,
                                  .keys_are_table_names = true};
constexpr Member kBatchGetItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"RequestItems", &kGetRequestItems},
};

constexpr Member kDeleteRequestMembers[] = {{"Key", &kRequiredItem}};
constexpr Schema kDeleteRequest{
    .type = JsonType::kStructure, .java_class = "DeleteRequest", .members = kDeleteRequestMembers};
constexpr Member kPutRequestMembers[] = {{"Item", &kRequiredItem}};
constexpr Schema kPutRequest{
    .type = JsonType::kStructure, .java_class = "PutRequest", .members = kPutRequestMembers};
constexpr Member kWriteRequestMembers[] = {
    {"DeleteRequest", &kDeleteRequest},
    {"PutRequest", &kPutRequest},
};
constexpr Schema kWriteRequest{
    .type = JsonType::kStructure, .java_class = "WriteRequest", .members = kWriteRequestMembers};
constexpr Schema kWriteRequests{
    .type = JsonType::kList, .element = &kWriteRequest, .parameterized = true};
constexpr Schema kWriteRequestItems{
    .type = JsonType::kMap,
    .java_class = "java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>",
    .element = &kWriteRequests,
    .not_null = true,
    .length_min = 1,
    .keys_are_table_names = true,
    .value_length_max = 25};
constexpr Member kBatchWriteItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"RequestItems", &kWriteRequestItems},
};

constexpr Schema Request(std::string_view java_class, std::span<const Member> members) {
  return {.type = JsonType::kStructure, .java_class = java_class, .members = members};
}

}  // namespace

constinit const Schema kBatchGetItemSchema = Request("BatchGetItemInput", kBatchGetItemMembers);
constinit const Schema kBatchWriteItemSchema =
    Request("BatchWriteItemInput", kBatchWriteItemMembers);
constinit const Schema kCreateTableSchema = Request("CreateTableInput", kCreateTableMembers);
constinit const Schema kDeleteItemSchema = Request("DeleteItemInput", kDeleteItemMembers);
constinit const Schema kDeleteTableSchema = Request("DeleteTableInput", kTableNameMembers);
constinit const Schema kDescribeTableSchema = Request("DescribeTableInput", kTableNameMembers);
constinit const Schema kGetItemSchema = Request("GetItemInput", kGetItemMembers);
constinit const Schema kListTablesSchema = Request("ListTablesInput", kListTablesMembers);
constinit const Schema kPutItemSchema = Request("PutItemInput", kPutItemMembers);
constinit const Schema kQuerySchema = Request("QueryInput", kQueryMembers);
constinit const Schema kScanSchema = Request("ScanInput", kScanMembers);
constinit const Schema kUpdateItemSchema = Request("UpdateItemInput", kUpdateItemMembers);
constinit const Schema kUpdateTableSchema = Request("UpdateTableInput", kUpdateTableMembers);

}  // namespace varve::server
