// The body of a request: JSON, checked against its operation's schema and decoded. The first line
// names the operation, the rest is the body.
#include <simdjson.h>

#include <cstring>
#include <string>
#include <vector>

#include "item/json.h"
#include "item/value.h"
#include "server/decode.h"
#include "server/operation_schemas.h"
#include "server/schema.h"
#include "server/stream_codec.h"
#include "tests/fuzz/fuzz.h"
#include "tests/server/decoded_operations.h"

namespace varve::server {
namespace {

using fuzz::Require;
namespace dom = simdjson::dom;

void CheckItem(const item::Item& item) {
  Require(item::ValidateItem(item.encoded()).ok(), "what is decoded is an item");
  // What the server says it must understand itself.
  std::string json;
  AppendJson(item.view(), json);
  dom::parser parser;
  dom::element document;
  Require(parser.parse(json).get(document) == simdjson::SUCCESS, "an item's JSON is JSON");
  const StatusOr<item::Item> again = item::ItemFromJson(document);
  Require(again.ok() && *again == item, "an item is the same after a way through JSON");
}

template <typename Request>
void CheckDecoded(const Request&) {}
void CheckDecoded(const item::PutItemRequest& request) { CheckItem(request.item); }
void CheckDecoded(const item::GetItemRequest& request) { CheckItem(request.key); }
void CheckDecoded(const item::DeleteItemRequest& request) { CheckItem(request.key); }
void CheckDecoded(const item::UpdateItemRequest& request) { CheckItem(request.key); }

template <typename Request>
void RunDecode(const dom::object& json) {
  Request request;
  if (Decode(json, &request).ok()) CheckDecoded(request);
}

struct Operation {
  std::string_view name;
  const Schema* schema;
  void (*decode)(const dom::object&);
};

#define VARVE_OPERATION(name) Operation{#name, &k##name##Schema, RunDecode<item::name##Request>},
const Operation kOperations[] = {VARVE_FOR_DECODED_OPERATIONS(VARVE_OPERATION)};
#undef VARVE_OPERATION

void Run(std::string_view bytes) {
  const std::string_view name = fuzz::TakeUntil(bytes, '\n');
  static dom::parser parser;
  dom::element document;
  if (parser.parse(simdjson::padded_string(bytes)).get(document) != simdjson::SUCCESS) return;
  for (const Operation& operation : kOperations) {
    if (operation.name != name) continue;
    if (CheckRequest(document, *operation.schema).ok()) {
      operation.decode(document.get_object().value_unsafe());
    }
    return;
  }
}

}  // namespace
}  // namespace varve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::server::Run(varve::fuzz::BytesOf(data, size));
  return 0;
}
