// DynamoDB JSON and encoded values: {"S": "text"}, {"N": "1.5"}, {"M": {...}} and so on.
//
// Errors of the reading functions are ValidationExceptions in the service's words, such as that a
// set is empty, has duplicates, or that a number is out of range, and SerializationExceptions where
// the JSON's types don't fit. Reading is bounded in depth (kNestingDepthMax). Thread-safe.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "item/requests.h"
#include "item/value.h"

namespace varve::item {

// The service words what is wrong with a value in one of two ways, by operation: the older words
// are those of Scan, BatchWriteItem and the transactions.
enum class ValueWording : uint8_t { kCurrent, kOlder };

// Reads one attribute value.
StatusOr<Value> ValueFromJson(const simdjson::dom::element& json,
                              ValueWording wording = ValueWording::kCurrent);

// Reads {"name": attribute value, ...}: an item or a key.
StatusOr<Item> ItemFromJson(const simdjson::dom::element& json,
                            ValueWording wording = ValueWording::kCurrent);

// Reads ExpressionAttributeValues into `parameters`: its values, or its invalid_value where one of
// them is invalid. Only a SerializationException is returned.
Status ExpressionValuesFromJson(const simdjson::dom::element& json,
                                ExpressionParameters* parameters,
                                ValueWording wording = ValueWording::kCurrent);

// Appends the value or item as JSON.
void AppendJson(ValueView value, std::string& to);
void AppendJson(const ItemView& item, std::string& to);

// Appends `text`, UTF-8, as a JSON string with its quotes.
void AppendJsonString(std::string_view text, std::string& to);

}  // namespace varve::item
