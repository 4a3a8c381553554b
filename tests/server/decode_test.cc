// What a request becomes when it says more than its operation knows. The schema does not look at
// members that an operation does not have, so nothing may depend on them, whatever they are.
#include "server/decode.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "protocol/messages.h"
#include "server/operation_schemas.h"
#include "server/stream_codec.h"
#include "tests/server/decoded_operations.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;

using Names = std::set<std::string_view>;

void CollectNames(const Schema& schema, Names* names) {
  if (schema.element != nullptr) CollectNames(*schema.element, names);
  for (const Member& member : schema.members) {
    names->insert(member.name);
    CollectNames(*member.schema, names);
  }
}

// JSON that fits `schema` and has every member of every structure. Structures have besides each
// of `others` that is no member of theirs, as `other_value`.
std::string JsonOf(const Schema& schema, const Names& others, std::string_view other_value) {
  switch (schema.type) {
    case JsonType::kBoolean:
      return "true";
    case JsonType::kInteger:
    case JsonType::kLong:
      return "1";
    case JsonType::kString:
      return '"' + std::string(schema.values.empty() ? "text" : schema.values[0]) + '"';
    case JsonType::kList:
      return '[' + JsonOf(*schema.element, others, other_value) + ']';
    case JsonType::kMap:
      return R"({"key":)" + JsonOf(*schema.element, others, other_value) + '}';
    case JsonType::kStructure:
      break;
    case JsonType::kAttributeValue:
      return R"({"S":"text"})";
    case JsonType::kUnchecked:
      return "null";
  }
  std::string json;
  Names absent = others;
  for (const Member& member : schema.members) {
    json += json.empty() ? '{' : ',';
    json += '"' + std::string(member.name) + "\":" + JsonOf(*member.schema, others, other_value);
    absent.erase(member.name);
  }
  for (const std::string_view name : absent) {
    json += ",\"" + std::string(name) + "\":" + std::string(other_value);
  }
  return json + '}';
}

// The request that `json` is decoded to, as bytes that can be compared; or why it is none.
template <typename Request>
std::string Decoded(const std::string& json) {
  dom::parser parser;
  dom::element document;
  if (parser.parse(json).get(document) != simdjson::SUCCESS) return "not JSON: " + json;
  Request request;
  if (const Status status = Decode(dom::object(document), &request); !status.ok()) {
    return std::string(Message(status));
  }
  std::string bytes;
  protocol::EncodeRequest(request, {}, bytes);
  return bytes;
}

struct Operation {
  std::string_view name;
  const Schema& schema;
  std::string (*decoded)(const std::string& json);
};

#define VARVE_OPERATION(name) Operation{#name, k##name##Schema, Decoded<item::name##Request>},
const Operation kOperations[] = {VARVE_FOR_DECODED_OPERATIONS(VARVE_OPERATION)};
#undef VARVE_OPERATION

TEST(DecodeTest, MembersThatAnOperationDoesNotHaveMeanNothing) {
  Names names;
  for (const Operation& operation : kOperations) CollectNames(operation.schema, &names);
  for (const Operation& operation : kOperations) {
    const std::string plain = operation.decoded(JsonOf(operation.schema, {}, ""));
    for (const std::string_view value : {R"("SIZE")", "1", "true", R"({"x":{"S":"y"}})", "[[1]]"}) {
      EXPECT_EQ(operation.decoded(JsonOf(operation.schema, names, value)), plain)
          << operation.name << " with other members that are " << value;
    }
  }
}

}  // namespace
}  // namespace varve::server
