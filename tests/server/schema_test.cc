#include "server/schema.h"

#include <gtest/gtest.h>

#include <string>

#include "item/errors.h"
#include "server/operation_schemas.h"

namespace varve::server {
namespace {

// "" if the request passes, otherwise "type: message".
std::string Check(const Schema& schema, std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS) return "no JSON";
  const Status status = CheckRequest(document, schema);
  if (status.ok()) return "";
  return fmt::format("{}: {}", item::ErrorTypeName(item::TypeOfError(status)), Message(status));
}

struct Case {
  const Schema& schema;
  std::string_view json;
  std::string_view error;
};

void CheckAll(std::initializer_list<Case> cases) {
  for (const Case& each : cases) EXPECT_EQ(Check(each.schema, each.json), each.error) << each.json;
}

TEST(RequestTypes, AreRefusedInTheServicesWords) {
  CheckAll({
      {kGetItemSchema, R"({"TableName":23})",
       "SerializationException: NUMBER_VALUE cannot be converted to String"},
      {kGetItemSchema, R"({"TableName":34.56})",
       "SerializationException: DECIMAL_VALUE cannot be converted to String"},
      {kGetItemSchema, R"({"TableName":true})",
       "SerializationException: TRUE_VALUE cannot be converted to String"},
      {kGetItemSchema, R"({"TableName":[]})",
       "SerializationException: Unrecognized collection type class java.lang.String"},
      {kGetItemSchema, R"({"TableName":{}})",
       "SerializationException: Start of structure or map found where not expected"},
      {kGetItemSchema, R"({"ConsistentRead":"23"})",
       "SerializationException: Unexpected token received from parser"},
      {kGetItemSchema, R"({"ConsistentRead":1})",
       "SerializationException: NUMBER_VALUE cannot be converted to Boolean"},
      {kGetItemSchema, R"({"Key":"23"})", "SerializationException: Unexpected field type"},
      {kGetItemSchema, R"({"Key":[]})",
       "SerializationException: Unrecognized collection type java.util.Map<java.lang.String, "
       "com.amazonaws.dynamodb.v20120810.AttributeValue>"},
      {kGetItemSchema, R"({"ExpressionAttributeNames":[]})",
       "SerializationException: Unrecognized collection type java.util.Map<java.lang.String, "
       "java.lang.String>"},
      {kGetItemSchema, R"({"Key":{"a":"23"}})",
       "SerializationException: Unexpected value type in payload"},
      {kGetItemSchema, R"({"Key":{"a":[]}})",
       "SerializationException: Unrecognized collection type class "
       "com.amazonaws.dynamodb.v20120810.AttributeValue"},
      {kGetItemSchema, R"({"Key":{"a":{"S":1}}})",
       "SerializationException: NUMBER_VALUE cannot be converted to String"},
      {kGetItemSchema, R"({"Key":{"a":{"B":1}}})",
       "SerializationException: only base-64-encoded strings are convertible to bytes"},
      {kGetItemSchema, R"({"Key":{"a":{"B":"23456"}}})",
       "SerializationException: Base64 encoded length is expected a multiple of 4 bytes but found: "
       "5"},
      {kGetItemSchema, R"({"Key":{"a":{"B":"=+/="}}})",
       "SerializationException: Invalid last non-pad Base64 character dectected"},
      {kGetItemSchema, R"({"Key":{"a":{"B":"+/+="}}})",
       "SerializationException: Invalid last non-pad Base64 character dectected"},
      {kGetItemSchema, R"({"Key":{"a":{"SS":"a"}}})",
       "SerializationException: Unexpected field type"},
      {kGetItemSchema, R"({"Key":{"a":{"L":{}}}})",
       "SerializationException: Start of structure or map found where not expected"},
      {kGetItemSchema, R"({"Key":{"a":{"L":[1]}}})",
       "SerializationException: Unexpected value type in payload"},
      {kGetItemSchema, R"({"Key":{"a":{"M":{"b":{"NS":[1]}}}}})",
       "SerializationException: NUMBER_VALUE cannot be converted to String"},
      {kListTablesSchema, R"({"Limit":"23"})",
       "SerializationException: STRING_VALUE cannot be converted to Integer"},
      {kCreateTableSchema, R"({"ProvisionedThroughput":"a"})",
       "SerializationException: Unexpected field type"},
      {kCreateTableSchema, R"({"ProvisionedThroughput":[]})",
       "SerializationException: Unrecognized collection type class "
       "com.amazonaws.dynamodb.v20120810.ProvisionedThroughput"},
      {kCreateTableSchema, R"({"ProvisionedThroughput":{"ReadCapacityUnits":false}})",
       "SerializationException: FALSE_VALUE cannot be converted to Long"},
      {kCreateTableSchema, R"({"KeySchema":["a"]})",
       "SerializationException: Unexpected value type in payload"},
      {kBatchWriteItemSchema, R"({"RequestItems":{"a":{}}})",
       "SerializationException: Start of structure or map found where not expected"},
      {kBatchWriteItemSchema, R"({"RequestItems":{"a":1}})",
       "SerializationException: class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl "
       "cannot be cast to class java.lang.Class "
       "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in "
       "module java.base of loader 'bootstrap')"},
      {kBatchWriteItemSchema, R"({"RequestItems":{"a":[{"PutRequest":1}]}})",
       "SerializationException: Unexpected field type"},
  });
}

TEST(RequestTypes, NullIsAbsentAndUnknownMembersAreIgnored) {
  CheckAll({
      {kListTablesSchema, R"({"Limit":null,"Nonsense":[1,{}]})", ""},
      {kGetItemSchema, R"({"TableName":"abc","Key":{"a":{"S":"b"}},"ConsistentRead":"TRUE"})", ""},
      {kListTablesSchema, R"({"Limit":1.9})", ""},
  });
}

TEST(RequestTypes, ABodyMustBeAnObject) {
  EXPECT_EQ(Check(kListTablesSchema, "[]"),
            "SerializationException: Unrecognized collection type class "
            "com.amazonaws.dynamodb.v20120810.ListTablesInput");
  EXPECT_EQ(Check(kListTablesSchema, "23"), "SerializationException: Unexpected field type");
  EXPECT_EQ(Check(kListTablesSchema, "null"), "SerializationException: Unexpected field type");
}

TEST(RequestConstraints, AreCollectedInTheServicesWords) {
  CheckAll({
      {kGetItemSchema, "{}",
       "ValidationException: 2 validation errors detected: "
       "Value null at 'tableName' failed to satisfy constraint: Member must not be null; "
       "Value null at 'key' failed to satisfy constraint: Member must not be null"},
      {kGetItemSchema, R"({"TableName":"a;","Key":{},"ReturnConsumedCapacity":"hi"})",
       "ValidationException: 2 validation errors detected: "
       "Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: "
       "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; "
       "Value 'a;' at 'tableName' failed to satisfy constraint: "
       "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
      {kListTablesSchema, R"({"Limit":0})",
       "ValidationException: 1 validation error detected: "
       "Value '0' at 'limit' failed to satisfy constraint: "
       "Member must have value greater than or equal to 1"},
      {kListTablesSchema, R"({"Limit":101})",
       "ValidationException: 1 validation error detected: "
       "Value '101' at 'limit' failed to satisfy constraint: "
       "Member must have value less than or equal to 100"},
      {kCreateTableSchema, "{}",
       "ValidationException: The parameter 'TableName' is required but was not present in the "
       "request"},
      {kCreateTableSchema, R"({"TableName":"ab"})",
       "ValidationException: 3 validation errors detected: "
       "Value null at 'attributeDefinitions' failed to satisfy constraint: Member must not be "
       "null; "
       "Value 'ab' at 'tableName' failed to satisfy constraint: "
       "Member must have length greater than or equal to 3; "
       "Value null at 'keySchema' failed to satisfy constraint: Member must not be null"},
      {kCreateTableSchema, R"({"TableName":"abc;"})",
       "ValidationException: 3 validation errors detected: "
       "Value null at 'attributeDefinitions' failed to satisfy constraint: Member must not be "
       "null; "
       "Value 'abc;' at 'tableName' failed to satisfy constraint: "
       "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; "
       "Value null at 'keySchema' failed to satisfy constraint: Member must not be null"},
      {kCreateTableSchema,
       R"({"TableName":"abc","AttributeDefinitions":[{}],"KeySchema":[{"KeyType":"Woop","AttributeName":"a"}],
           "ProvisionedThroughput":{"ReadCapacityUnits":-1}})",
       "ValidationException: 5 validation errors detected: "
       "Value null at 'attributeDefinitions.1.member.attributeName' failed to satisfy constraint: "
       "Member must not be null; "
       "Value null at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
       "Member must not be null; "
       "Value null at 'provisionedThroughput.writeCapacityUnits' failed to satisfy constraint: "
       "Member must not be null; "
       "Value '-1' at 'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: "
       "Member must have value greater than or equal to 1; "
       "Value 'Woop' at 'keySchema.1.member.keyType' failed to satisfy constraint: "
       "Member must satisfy enum value set: [HASH, RANGE]"},
      {kBatchWriteItemSchema, R"({"RequestItems":{"abc":[]}})",
       "ValidationException: 1 validation error detected: "
       "Value '{abc=[]}' at 'requestItems' failed to satisfy constraint: "
       "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
       "Member must have length greater than or equal to 1]"},
      {kBatchWriteItemSchema, R"({"RequestItems":{"abc":[{"PutRequest":{}}]}})",
       "ValidationException: 1 validation error detected: "
       "Value null at 'requestItems.abc.member.1.member.putRequest.item' failed to satisfy "
       "constraint: Member must not be null"},
      {kQuerySchema, R"({"TableName":"abc","Limit":0})",
       "ValidationException: 1 validation error detected: Value at 'Limit' failed to satisfy "
       "constraint: Member must have value greater than or equal to 1"},
      {kBatchGetItemSchema, R"({"RequestItems":{"a":{"Keys":[]}}})",
       "ValidationException: 2 validation errors detected: "
       "Value '{a={Keys=[]}}' at 'requestItems' failed to satisfy constraint: "
       "Map keys must satisfy constraint: [Member must have length less than or equal to 255, "
       "Member must have length greater than or equal to 3, "
       "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]; "
       "Value at 'RequestItems.a.member.Keys' failed to satisfy constraint: "
       "Member must have length greater than or equal to 1"},
  });
}

TEST(RequestConstraints, AtMostTenAreReported) {
  std::string definitions;
  for (int i = 0; i < 50; ++i) definitions += i == 0 ? "{}" : ",{}";
  const std::string error =
      Check(kCreateTableSchema,
            fmt::format(R"({{"TableName":"abc","AttributeDefinitions":[{}]}})", definitions));
  EXPECT_TRUE(error.starts_with("ValidationException: 10 validation errors detected: ")) << error;
}

TEST(RequestConstraints, AHugeValueIsCutInItsMessage) {
  const std::string error = Check(
      kGetItemSchema, fmt::format(R"({{"Key":{{}},"TableName":"{}"}})", std::string(1 << 20, 'x')));
  EXPECT_LT(error.size(), 4096u);
}

TEST(RequestConstraints, ACutEndsWithAWholeCharacter) {
  for (size_t offset = 0; offset < 4; ++offset) {
    std::string name(offset, 'x');
    while (name.size() < 4096) name += "\u65e5";
    const std::string error =
        Check(kGetItemSchema, fmt::format(R"({{"Key":{{}},"TableName":"{}"}})", name));
    EXPECT_TRUE(simdjson::validate_utf8(error.data(), error.size())) << offset;
  }
}

TEST(RequestConstraints, UnsupportedParametersAreNotSilentlyIgnored) {
  EXPECT_EQ(
      Check(kCreateTableSchema,
            R"({"TableName":"abc","AttributeDefinitions":[],"KeySchema":[{"AttributeName":"a",)"
            R"("KeyType":"HASH"}],"ResourcePolicy":"x"})"),
      "ValidationException: The parameter 'ResourcePolicy' is not supported");
}

}  // namespace
}  // namespace varve::server
