#include "server/operation_schemas.h"

namespace varve::server {
namespace {

// ---- Scalars
constexpr Schema kString{};
constexpr Schema kBoolean{.type = JsonType::kBoolean};
constexpr Schema kUnchecked{.type = JsonType::kUnchecked};
constexpr Schema kUnsupported{.type = JsonType::kUnchecked, .unsupported = true};
constexpr Schema kRequiredString{.not_null = true};
constexpr Schema kRequiredBoolean{.type = JsonType::kBoolean, .not_null = true};

// ---- Names
constexpr Schema kTableName{
    .not_null = true, .name_pattern = true, .or_arn = true, .length_min = 1, .length_max = 255};
constexpr Schema kTableNameOfWrite{.not_null = true,
                                   .name_pattern = true,
                                   .or_arn = true,
                                   .length_min = 1,
                                   .length_max = 255,
                                   .empty_first = true};
constexpr Schema kControlTableName{
    .required = true, .name_pattern = true, .or_arn = true, .length_min = 1, .length_max = 255};
constexpr Schema kNewTableName{
    .required = true, .name_pattern = true, .or_arn = true, .length_min = 3, .length_max = 255};
constexpr Schema kIndexName{
    .not_null = true, .name_pattern = true, .length_min = 3, .length_max = 255};
constexpr Schema kOptionalName{.name_pattern = true, .length_min = 3, .length_max = 255};

// ---- Enumerations
constexpr std::string_view kReturnConsumedCapacityValues[] = {"INDEXES", "TOTAL", "NONE"};
constexpr Schema kReturnConsumedCapacity{.values = kReturnConsumedCapacityValues};
constexpr std::string_view kReturnItemCollectionMetricsValues[] = {"SIZE", "NONE"};
constexpr Schema kReturnItemCollectionMetrics{.values = kReturnItemCollectionMetricsValues};
constexpr std::string_view kReturnValuesValues[] = {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE",
                                                    "UPDATED_NEW"};
constexpr std::string_view kReturnValuesText =
    "ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE";  // sic
constexpr Schema kReturnValues{.values = kReturnValuesValues,
                               .newer_values_text = kReturnValuesText};
constexpr Schema kReturnValuesOfUpdate{
    .values = kReturnValuesValues, .newer_values_text = kReturnValuesText, .values_first = true};
constexpr std::string_view kOnCheckFailureValues[] = {"ALL_OLD", "NONE"};
constexpr Schema kOnCheckFailure{.values = kOnCheckFailureValues};
constexpr std::string_view kSelectValues[] = {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES",
                                              "ALL_PROJECTED_ATTRIBUTES"};
constexpr Schema kSelect{.values = kSelectValues};
constexpr std::string_view kBillingModeValues[] = {"PROVISIONED", "PAY_PER_REQUEST"};
constexpr std::string_view kTableClassValues[] = {"STANDARD", "STANDARD_INFREQUENT_ACCESS"};
constexpr Schema kTableClass{
    .values = kTableClassValues,
    .other_value_message =
        "Invalid table-class parameter provided. Please try again with a valid "
        "table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS]."};
constexpr Schema kBillingMode{.values = kBillingModeValues};

// ---- Numbers
constexpr Schema kListLimit{.type = JsonType::kInteger, .value_min = 1, .value_max = 100};
constexpr Schema kLimit{.type = JsonType::kInteger, .value_min = 1};
constexpr Schema kQueryLimit{.type = JsonType::kInteger, .value_min = 1, .newer_place = true};
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

// ---- Legacy parameters
constexpr std::string_view kConditionalOperatorValues[] = {"OR", "AND"};
constexpr Schema kConditionalOperator{.values = kConditionalOperatorValues};
constexpr Schema kConditionalOperatorOfWrite{.values = kConditionalOperatorValues,
                                             .newer_values_text = "ALL, OR"};  // sic
constexpr Schema kConditionalOperatorOfQuery{.values = kConditionalOperatorValues,
                                             .newer_values_text = "ALL, OR",
                                             .values_first = true,
                                             .bare_first = true};
constexpr std::string_view kComparisonOperatorValues[] = {
    "IN",       "NULL", "BETWEEN", "LT",          "NOT_CONTAINS", "EQ",      "GT",
    "NOT_NULL", "NE",   "LE",      "BEGINS_WITH", "GE",           "CONTAINS"};
constexpr Schema kComparisonOperator{.values = kComparisonOperatorValues};
constexpr Schema kRequiredComparisonOperator{.not_null = true, .values = kComparisonOperatorValues};
constexpr Schema kAttributeValueList{.type = JsonType::kList, .element = &kAttributeValue};
constexpr Member kExpectedAttributeValueMembers[] = {
    {"AttributeValueList", &kAttributeValueList},
    {"ComparisonOperator", &kComparisonOperator},
    {"Exists", &kBoolean},
    {"Value", &kAttributeValue},
};
constexpr Schema kExpectedAttributeValue{.type = JsonType::kStructure,
                                         .java_class = "ExpectedAttributeValue",
                                         .members = kExpectedAttributeValueMembers};
constexpr Schema kExpected{.type = JsonType::kMap,
                           .java_class = "ExpectedAttributeValue",
                           .element = &kExpectedAttributeValue};
constexpr Member kConditionMembers[] = {
    {"AttributeValueList", &kAttributeValueList},
    {"ComparisonOperator", &kRequiredComparisonOperator},
};
constexpr Schema kCondition{
    .type = JsonType::kStructure, .java_class = "Condition", .members = kConditionMembers};
constexpr Schema kConditions{
    .type = JsonType::kMap, .java_class = "Condition", .element = &kCondition};
constexpr std::string_view kAttributeActionValues[] = {"ADD", "PUT", "DELETE"};
constexpr Schema kAttributeAction{.values = kAttributeActionValues};
constexpr Member kAttributeValueUpdateMembers[] = {
    {"Action", &kAttributeAction},
    {"Value", &kAttributeValue},
};
constexpr Schema kAttributeValueUpdate{.type = JsonType::kStructure,
                                       .java_class = "AttributeValueUpdate",
                                       .members = kAttributeValueUpdateMembers};
constexpr Schema kAttributeUpdates{.type = JsonType::kMap,
                                   .java_class = "AttributeValueUpdate",
                                   .element = &kAttributeValueUpdate};
constexpr Schema kAttributesToGet{
    .type = JsonType::kList, .element = &kString, .length_min = 1, .length_max = 255};

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

// ---- Indexes
// Up to four HASH and four RANGE keys; the operation counts them.
constexpr Schema kIndexKeySchema{
    .type = JsonType::kList, .element = &kKeySchemaElement, .not_null = true, .length_min = 1};
constexpr std::string_view kProjectionTypeValues[] = {"ALL", "INCLUDE", "KEYS_ONLY"};
constexpr Schema kProjectionType{.values = kProjectionTypeValues};
constexpr Schema kAttributeNameInProjection{.length_min = 1, .length_max = 255};
constexpr Schema kNonKeyAttributes{.type = JsonType::kList,
                                   .element = &kAttributeNameInProjection,
                                   .length_min = 1,
                                   .length_max = 20};
constexpr Member kProjectionMembers[] = {
    {"ProjectionType", &kProjectionType},
    {"NonKeyAttributes", &kNonKeyAttributes},
};
constexpr Schema kProjection{.type = JsonType::kStructure,
                             .java_class = "Projection",
                             .members = kProjectionMembers,
                             .not_null = true};
constexpr Schema kLong{.type = JsonType::kLong};
constexpr Member kOnDemandThroughputMembers[] = {
    {"MaxReadRequestUnits", &kLong},
    {"MaxWriteRequestUnits", &kLong},
};
constexpr Schema kOnDemandThroughput{.type = JsonType::kStructure,
                                     .java_class = "OnDemandThroughput",
                                     .members = kOnDemandThroughputMembers};
constexpr Schema kWarmUnits{.type = JsonType::kLong, .value_min = 1};
constexpr Member kWarmThroughputMembers[] = {
    {"ReadUnitsPerSecond", &kWarmUnits},
    {"WriteUnitsPerSecond", &kWarmUnits},
};
constexpr Schema kWarmThroughput{.type = JsonType::kStructure,
                                 .java_class = "WarmThroughput",
                                 .members = kWarmThroughputMembers};

constexpr Member kLocalIndexMembers[] = {
    {"IndexName", &kIndexName},
    {"KeySchema", &kIndexKeySchema},
    {"Projection", &kProjection},
};
constexpr Schema kLocalIndex{.type = JsonType::kStructure,
                             .java_class = "LocalSecondaryIndex",
                             .members = kLocalIndexMembers};
constexpr Schema kLocalIndexes{.type = JsonType::kList, .element = &kLocalIndex};
constexpr Member kGlobalIndexMembers[] = {
    {"IndexName", &kIndexName},
    {"KeySchema", &kIndexKeySchema},
    {"Projection", &kProjection},
    {"ProvisionedThroughput", &kThroughput},
    {"OnDemandThroughput", &kOnDemandThroughput},
    {"WarmThroughput", &kWarmThroughput},
};
constexpr Schema kGlobalIndex{.type = JsonType::kStructure,
                              .java_class = "GlobalSecondaryIndex",
                              .members = kGlobalIndexMembers};
constexpr Schema kGlobalIndexes{.type = JsonType::kList, .element = &kGlobalIndex};

constexpr Member kUpdateIndexMembers[] = {
    {"IndexName", &kIndexName},
    {"ProvisionedThroughput", &kThroughput},
    {"OnDemandThroughput", &kOnDemandThroughput},
    {"WarmThroughput", &kWarmThroughput},
};
constexpr Schema kUpdateIndex{.type = JsonType::kStructure,
                              .java_class = "UpdateGlobalSecondaryIndexAction",
                              .members = kUpdateIndexMembers};
constexpr Schema kCreateIndex{.type = JsonType::kStructure,
                              .java_class = "CreateGlobalSecondaryIndexAction",
                              .members = kGlobalIndexMembers};
constexpr Member kDeleteIndexMembers[] = {{"IndexName", &kIndexName}};
constexpr Schema kDeleteIndex{.type = JsonType::kStructure,
                              .java_class = "DeleteGlobalSecondaryIndexAction",
                              .members = kDeleteIndexMembers};
constexpr Member kIndexUpdateMembers[] = {
    {"Update", &kUpdateIndex},
    {"Create", &kCreateIndex},
    {"Delete", &kDeleteIndex},
};
constexpr Schema kIndexUpdate{.type = JsonType::kStructure,
                              .java_class = "GlobalSecondaryIndexUpdate",
                              .members = kIndexUpdateMembers};
constexpr Schema kIndexUpdates{.type = JsonType::kList, .element = &kIndexUpdate};

// ---- Settings of tables
constexpr std::string_view kSseTypeValues[] = {"AES256", "KMS"};
constexpr Schema kSseType{.values = kSseTypeValues};
constexpr Member kSseMembers[] = {
    {"Enabled", &kBoolean},
    {"SSEType", &kSseType},
    {"KMSMasterKeyId", &kString},
};
constexpr Schema kSse{
    .type = JsonType::kStructure, .java_class = "SSESpecification", .members = kSseMembers};
constexpr Member kTagMembers[] = {
    {"Key", &kString},
    {"Value", &kString},
};
constexpr Schema kTag{.type = JsonType::kStructure, .java_class = "Tag", .members = kTagMembers};
constexpr Schema kTags{.type = JsonType::kList, .element = &kTag};

constexpr std::string_view kStreamViewTypeValues[] = {"NEW_IMAGE", "OLD_IMAGE",
                                                      "NEW_AND_OLD_IMAGES", "KEYS_ONLY"};
constexpr Schema kStreamViewType{.values = kStreamViewTypeValues};
constexpr Member kStreamMembers[] = {
    {"StreamViewType", &kStreamViewType},
    {"StreamEnabled", &kRequiredBoolean},
};
constexpr Schema kStream{
    .type = JsonType::kStructure, .java_class = "StreamSpecification", .members = kStreamMembers};

constexpr Member kCreateTableMembers[] = {
    {"AttributeDefinitions", &kAttributeDefinitions},
    {"TableName", &kNewTableName},
    {"BillingMode", &kBillingMode},
    {"ProvisionedThroughput", &kThroughput},
    {"KeySchema", &kKeySchema},
    {"LocalSecondaryIndexes", &kLocalIndexes},
    {"GlobalSecondaryIndexes", &kGlobalIndexes},
    {"StreamSpecification", &kStream},
    {"SSESpecification", &kSse},
    {"Tags", &kTags},
    {"TableClass", &kTableClass},
    {"DeletionProtectionEnabled", &kBoolean},
    {"OnDemandThroughput", &kOnDemandThroughput},
    {"ResourcePolicy", &kUnsupported},
    {"WarmThroughput", &kWarmThroughput},
};
constexpr Member kUpdateTableMembers[] = {
    {"TableName", &kControlTableName},
    {"ProvisionedThroughput", &kThroughput},
    {"BillingMode", &kBillingMode},
    {"AttributeDefinitions", &kOptionalAttributeDefinitions},
    {"GlobalSecondaryIndexUpdates", &kIndexUpdates},
    {"StreamSpecification", &kStream},
    {"SSESpecification", &kSse},
    {"ReplicaUpdates", &kUnsupported},
    {"TableClass", &kTableClass},
    {"DeletionProtectionEnabled", &kBoolean},
    {"MultiRegionConsistency", &kUnsupported},
    {"GlobalTableWitnessUpdates", &kUnsupported},
    {"OnDemandThroughput", &kOnDemandThroughput},
    {"WarmThroughput", &kWarmThroughput},
};
constexpr Member kTableNameMembers[] = {
    {"TableName", &kControlTableName},
};
constexpr Member kListTablesMembers[] = {
    {"Limit", &kListLimit},
    {"ExclusiveStartTableName", &kOptionalName},
};

// ---- Tags
constexpr Schema kResourceArn{.not_null = true, .length_min = 1, .length_max = 1283};
constexpr Schema kRequiredTags{.type = JsonType::kList, .element = &kTag, .not_null = true};
constexpr Schema kTagKeys{.type = JsonType::kList, .element = &kString, .not_null = true};
constexpr Member kTagResourceMembers[] = {
    {"ResourceArn", &kResourceArn},
    {"Tags", &kRequiredTags},
};
constexpr Member kUntagResourceMembers[] = {
    {"ResourceArn", &kResourceArn},
    {"TagKeys", &kTagKeys},
};
constexpr Member kListTagsOfResourceMembers[] = {
    {"ResourceArn", &kResourceArn},
    {"NextToken", &kString},
};

// ---- Single items
constexpr Member kGetItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"AttributesToGet", &kAttributesToGet},
    {"TableName", &kTableName},
    {"Key", &kRequiredItem},
    {"ConsistentRead", &kBoolean},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kPutItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableNameOfWrite},
    {"Item", &kRequiredItem},
    {"ConditionalOperator", &kConditionalOperatorOfWrite},
    {"Expected", &kExpected},
    {"ReturnValues", &kReturnValues},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kDeleteItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableNameOfWrite},
    {"ReturnValues", &kReturnValues},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"Key", &kRequiredItem},
    {"ConditionalOperator", &kConditionalOperatorOfWrite},
    {"Expected", &kExpected},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeValues", &kItem},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Member kUpdateItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"TableName", &kTableNameOfWrite},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ReturnValues", &kReturnValuesOfUpdate},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
    {"Key", &kRequiredItem},
    {"ConditionalOperator", &kConditionalOperatorOfWrite},
    {"Expected", &kExpected},
    {"AttributeUpdates", &kAttributeUpdates},
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
    {"QueryFilter", &kConditions},
    {"TableName", &kTableName},
    {"ConditionalOperator", &kConditionalOperatorOfQuery},
    {"AttributesToGet", &kAttributesToGet},
    {"Limit", &kQueryLimit},
    {"KeyConditions", &kConditions},
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
    {"ConditionalOperator", &kConditionalOperator},
    {"ScanFilter", &kConditions},
    {"Segment", &kSegment},
    {"Limit", &kLimit},
    {"AttributesToGet", &kAttributesToGet},
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
                       .length_max = 100,
                       .newer_place = true};
constexpr Member kKeysAndAttributesMembers[] = {
    {"Keys", &kKeys},
    {"AttributesToGet", &kAttributesToGet},
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
    .keys_are_table_names = true,
    .value_length_max = 25};
constexpr Member kBatchWriteItemMembers[] = {
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"RequestItems", &kWriteRequestItems},
};

// ---- Transactions
constexpr Schema kRequiredExpression{.not_null = true};
constexpr Member kConditionCheckMembers[] = {
    {"Key", &kRequiredItem},
    {"TableName", &kTableName},
    {"ConditionExpression", &kRequiredExpression},
    {"ExpressionAttributeNames", &kNames},
    {"ExpressionAttributeValues", &kItem},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kConditionCheck{.type = JsonType::kStructure,
                                 .java_class = "ConditionCheck",
                                 .members = kConditionCheckMembers};
constexpr Member kTransactPutMembers[] = {
    {"Item", &kRequiredItem},
    {"TableName", &kTableName},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
    {"ExpressionAttributeValues", &kItem},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kTransactPut{
    .type = JsonType::kStructure, .java_class = "Put", .members = kTransactPutMembers};
constexpr Member kTransactDeleteMembers[] = {
    {"Key", &kRequiredItem},
    {"TableName", &kTableName},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
    {"ExpressionAttributeValues", &kItem},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kTransactDelete{
    .type = JsonType::kStructure, .java_class = "Delete", .members = kTransactDeleteMembers};
constexpr Member kTransactUpdateMembers[] = {
    {"Key", &kRequiredItem},
    {"UpdateExpression", &kRequiredExpression},
    {"TableName", &kTableName},
    {"ConditionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
    {"ExpressionAttributeValues", &kItem},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kTransactUpdate{
    .type = JsonType::kStructure, .java_class = "Update", .members = kTransactUpdateMembers};
constexpr Member kTransactWriteItemMembers[] = {
    {"ConditionCheck", &kConditionCheck},
    {"Put", &kTransactPut},
    {"Delete", &kTransactDelete},
    {"Update", &kTransactUpdate},
};
constexpr Schema kTransactWriteItem{.type = JsonType::kStructure,
                                    .java_class = "TransactWriteItem",
                                    .members = kTransactWriteItemMembers};
constexpr Schema kTransactWriteItemList{.type = JsonType::kList,
                                        .element = &kTransactWriteItem,
                                        .not_null = true,
                                        .length_min = 1,
                                        .length_max = 100};
constexpr Schema kClientRequestToken{.length_min = 1, .length_max = 36};
constexpr Member kTransactWriteItemsMembers[] = {
    {"TransactItems", &kTransactWriteItemList},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"ReturnItemCollectionMetrics", &kReturnItemCollectionMetrics},
    {"ClientRequestToken", &kClientRequestToken},
};

constexpr Member kTransactGetMembers[] = {
    {"Key", &kRequiredItem},
    {"TableName", &kTableName},
    {"ProjectionExpression", &kString},
    {"ExpressionAttributeNames", &kNames},
};
constexpr Schema kTransactGet{.type = JsonType::kStructure,
                              .java_class = "Get",
                              .members = kTransactGetMembers,
                              .not_null = true};
constexpr Member kTransactGetItemMembers[] = {{"Get", &kTransactGet}};
constexpr Schema kTransactGetItem{.type = JsonType::kStructure,
                                  .java_class = "TransactGetItem",
                                  .members = kTransactGetItemMembers};
constexpr Schema kTransactGetItemList{.type = JsonType::kList,
                                      .element = &kTransactGetItem,
                                      .not_null = true,
                                      .length_min = 1,
                                      .length_max = 100};
constexpr Member kTransactGetItemsMembers[] = {
    {"TransactItems", &kTransactGetItemList},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
};

// ---- Streams
constexpr Schema kStreamArn{.not_null = true, .length_min = 37, .length_max = 1024};
constexpr Schema kOptionalStreamArn{.length_min = 37, .length_max = 1024};
constexpr Schema kShardId{.not_null = true, .length_min = 28, .length_max = 65};
constexpr Schema kOptionalShardId{.length_min = 28, .length_max = 65};
constexpr Schema kSequenceNumber{.length_min = 21, .length_max = 40};
constexpr Schema kShardIterator{.not_null = true, .length_min = 1, .length_max = 2048};
constexpr Schema kRecordsLimit{.type = JsonType::kInteger, .value_min = 1, .value_max = 1000};
constexpr std::string_view kShardIteratorTypeValues[] = {"AFTER_SEQUENCE_NUMBER", "LATEST",
                                                         "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"};
constexpr Schema kShardIteratorType{.not_null = true, .values = kShardIteratorTypeValues};
constexpr std::string_view kShardFilterTypeValues[] = {"CHILD_SHARDS"};
constexpr Schema kShardFilterType{.values = kShardFilterTypeValues};
constexpr Member kShardFilterMembers[] = {
    {"Type", &kShardFilterType},
    {"ShardId", &kOptionalShardId},
};
constexpr Schema kShardFilter{
    .type = JsonType::kStructure, .java_class = "ShardFilter", .members = kShardFilterMembers};
constexpr Member kListStreamsMembers[] = {
    {"TableName", &kOptionalName},
    {"Limit", &kListLimit},
    {"ExclusiveStartStreamArn", &kOptionalStreamArn},
};
constexpr Member kDescribeStreamMembers[] = {
    {"StreamArn", &kStreamArn},
    {"Limit", &kListLimit},
    {"ExclusiveStartShardId", &kOptionalShardId},
    {"ShardFilter", &kShardFilter},
};
constexpr Member kGetShardIteratorMembers[] = {
    {"StreamArn", &kStreamArn},
    {"ShardId", &kShardId},
    {"ShardIteratorType", &kShardIteratorType},
    {"SequenceNumber", &kSequenceNumber},
};
constexpr Member kGetRecordsMembers[] = {
    {"ShardIterator", &kShardIterator},
    {"Limit", &kRecordsLimit},
};

// ---- Time to live
constexpr Schema kTimeToLiveAttribute{.not_null = true, .length_min = 1, .length_max = 255};
constexpr Member kTimeToLiveMembers[] = {
    {"AttributeName", &kTimeToLiveAttribute},
    {"Enabled", &kRequiredBoolean},
};
constexpr Schema kTimeToLive{.type = JsonType::kStructure,
                             .java_class = "TimeToLiveSpecification",
                             .members = kTimeToLiveMembers,
                             .not_null = true};
constexpr Member kUpdateTimeToLiveMembers[] = {
    {"TimeToLiveSpecification", &kTimeToLive},
    {"TableName", &kControlTableName},
};

// ---- PartiQL
constexpr Schema kStatement{.not_null = true, .length_min = 1, .length_max = 8192};
constexpr Schema kParameters{.type = JsonType::kList, .element = &kAttributeValue, .length_min = 1};
constexpr Schema kNextToken{.length_min = 1, .length_max = 32768};
constexpr Member kExecuteStatementMembers[] = {
    {"Statement", &kStatement},
    {"Parameters", &kParameters},
    {"ConsistentRead", &kBoolean},
    {"NextToken", &kNextToken},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
    {"Limit", &kLimit},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Member kBatchStatementRequestMembers[] = {
    {"Statement", &kStatement},
    {"Parameters", &kParameters},
    {"ConsistentRead", &kBoolean},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kBatchStatementRequest{.type = JsonType::kStructure,
                                        .java_class = "BatchStatementRequest",
                                        .members = kBatchStatementRequestMembers};
constexpr Schema kBatchStatements{.type = JsonType::kList,
                                  .element = &kBatchStatementRequest,
                                  .not_null = true,
                                  .length_min = 1,
                                  .length_max = 25};
constexpr Member kBatchExecuteStatementMembers[] = {
    {"Statements", &kBatchStatements},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
};
constexpr Member kParameterizedStatementMembers[] = {
    {"Statement", &kStatement},
    {"Parameters", &kParameters},
    {"ReturnValuesOnConditionCheckFailure", &kOnCheckFailure},
};
constexpr Schema kParameterizedStatement{.type = JsonType::kStructure,
                                         .java_class = "ParameterizedStatement",
                                         .members = kParameterizedStatementMembers};
constexpr Schema kTransactStatements{.type = JsonType::kList,
                                     .element = &kParameterizedStatement,
                                     .not_null = true,
                                     .length_min = 1,
                                     .length_max = 100};
constexpr Member kExecuteTransactionMembers[] = {
    {"TransactStatements", &kTransactStatements},
    {"ClientRequestToken", &kClientRequestToken},
    {"ReturnConsumedCapacity", &kReturnConsumedCapacity},
};

constexpr Schema Request(std::string_view java_class, std::span<const Member> members) {
  return {.type = JsonType::kStructure, .java_class = java_class, .members = members};
}

}  // namespace

constinit const Schema kBatchExecuteStatementSchema =
    Request("BatchExecuteStatementInput", kBatchExecuteStatementMembers);
constinit const Schema kBatchGetItemSchema = Request("BatchGetItemInput", kBatchGetItemMembers);
constinit const Schema kBatchWriteItemSchema =
    Request("BatchWriteItemInput", kBatchWriteItemMembers);
constinit const Schema kCreateTableSchema = Request("CreateTableInput", kCreateTableMembers);
constinit const Schema kDeleteItemSchema = Request("DeleteItemInput", kDeleteItemMembers);
constinit const Schema kDeleteTableSchema = Request("DeleteTableInput", kTableNameMembers);
constinit const Schema kDescribeStreamSchema =
    Request("DescribeStreamInput", kDescribeStreamMembers);
constinit const Schema kDescribeTableSchema = Request("DescribeTableInput", kTableNameMembers);
constinit const Schema kDescribeTimeToLiveSchema =
    Request("DescribeTimeToLiveInput", kTableNameMembers);
constinit const Schema kGetRecordsSchema = Request("GetRecordsInput", kGetRecordsMembers);
constinit const Schema kGetShardIteratorSchema =
    Request("GetShardIteratorInput", kGetShardIteratorMembers);
constinit const Schema kListStreamsSchema = Request("ListStreamsInput", kListStreamsMembers);
constinit const Schema kUpdateTimeToLiveSchema =
    Request("UpdateTimeToLiveInput", kUpdateTimeToLiveMembers);
constinit const Schema kExecuteStatementSchema =
    Request("ExecuteStatementInput", kExecuteStatementMembers);
constinit const Schema kExecuteTransactionSchema =
    Request("ExecuteTransactionInput", kExecuteTransactionMembers);
constinit const Schema kGetItemSchema = Request("GetItemInput", kGetItemMembers);
constinit const Schema kListTablesSchema = Request("ListTablesInput", kListTablesMembers);
constinit const Schema kListTagsOfResourceSchema =
    Request("ListTagsOfResourceInput", kListTagsOfResourceMembers);
constinit const Schema kTagResourceSchema = Request("TagResourceInput", kTagResourceMembers);
constinit const Schema kUntagResourceSchema = Request("UntagResourceInput", kUntagResourceMembers);
constinit const Schema kPutItemSchema = Request("PutItemInput", kPutItemMembers);
constinit const Schema kQuerySchema = Request("QueryInput", kQueryMembers);
constinit const Schema kScanSchema = Request("ScanInput", kScanMembers);
constinit const Schema kTransactGetItemsSchema =
    Request("TransactGetItemsInput", kTransactGetItemsMembers);
constinit const Schema kTransactWriteItemsSchema =
    Request("TransactWriteItemsInput", kTransactWriteItemsMembers);
constinit const Schema kUpdateItemSchema = Request("UpdateItemInput", kUpdateItemMembers);
constinit const Schema kUpdateTableSchema = Request("UpdateTableInput", kUpdateTableMembers);

}  // namespace varve::server
