// Items as text in tests: DynamoDB JSON with single quotes for double ones.
#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "item/errors.h"
#include "item/json.h"

namespace varve::item {

inline std::string WithDoubleQuotes(std::string_view text) {
  std::string json(text);
  std::replace(json.begin(), json.end(), '\'', '"');
  return json;
}

inline StatusOr<Item> TryItem(std::string_view text,
                              ValueWording wording = ValueWording::kCurrent) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  const auto error = parser.parse(WithDoubleQuotes(text)).get(element);
  if (error != simdjson::SUCCESS) return InvalidArgument("not JSON: {}", text);
  return ItemFromJson(element, wording);
}

inline Item ItemOf(std::string_view text) {
  StatusOr<Item> item = TryItem(text);
  EXPECT_TRUE(item.ok()) << text << ": " << item.status();
  return item.ok() ? *std::move(item) : Item();
}

inline std::string TextOf(const ItemView& item) {
  std::string json;
  AppendJson(item, json);
  std::replace(json.begin(), json.end(), '"', '\'');
  return json;
}

// "ValidationException: message".
inline std::string ErrorText(const Status& status) {
  if (status.ok()) return "OK";
  return fmt::format("{}: {}", ErrorTypeName(TypeOfError(status)), Message(status));
}

}  // namespace varve::item
