// Items in one expression, and their attributes as C++ values.
//
//   item::Item item = MakeItem({
//       {"id", 7},
//       {"name", "varve"},
//       {"price", *item::Number::Parse("9.99")},
//       {"tags", StringSet({"db", "lsm"})},
//       {"size", Map({{"width", 3}, {"height", 4}})},
//       {"history", List({1, "two", nullptr, true})},
//       {"picture", Binary(bytes)},
//   });
//   int64_t id = IntegerOf(item, "id").value_or(0);
//   std::string_view name = TextOf(item, "name").value_or("");
//
// For everything else there are item::ValueBuilder and item::ItemView (item/value.h), and
// item/json.h for items in DynamoDB's JSON. Arguments are copied.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "item/expression/expression.h"
#include "item/value.h"

namespace varve::client {

// A value of whatever type its C++ type says.
class AttributeValue {
 public:
  AttributeValue(std::nullptr_t) {}
  AttributeValue(std::same_as<bool> auto value) : value_(item::Value::Bool(value)) {}
  // Of at most 64 bits, unsigned ones up to the largest int64_t.
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>)
      AttributeValue(Integer value)
      : value_(item::Value::OfNumber(item::Number::FromInt(static_cast<int64_t>(value)))) {}
  AttributeValue(const item::Number& value) : value_(item::Value::OfNumber(value)) {}
  AttributeValue(const char* text) : value_(item::Value::String(text)) {}
  AttributeValue(std::string_view text) : value_(item::Value::String(text)) {}
  AttributeValue(const std::string& text) : value_(item::Value::String(text)) {}
  AttributeValue(item::Value value) : value_(std::move(value)) {}
  AttributeValue(item::ValueView value) : value_(value) {}

  item::ValueView view() const { return value_; }

 private:
  item::Value value_;
};

struct Attribute {
  std::string_view name;
  AttributeValue value;
};

// If a name comes twice, its last value counts.
item::Item MakeItem(std::initializer_list<Attribute> attributes);

item::Value Map(std::initializer_list<Attribute> attributes);
item::Value List(std::initializer_list<AttributeValue> elements);
item::Value Binary(std::string_view bytes);
// Elements that come twice stand once.
item::Value StringSet(std::initializer_list<std::string_view> elements);
item::Value BinarySet(std::initializer_list<std::string_view> elements);
item::Value NumberSet(std::initializer_list<item::Number> elements);
item::Value NumberSet(std::initializer_list<int64_t> elements);

// The values of an expression's placeholders:
//   request.expression_parameters.values = Placeholders({{":id", 7}});
item::expression::AttributeValues Placeholders(std::initializer_list<Attribute> values);

// The attribute's value, if it is there and of that type: a string, or a binary; a number that is
// an integer of 64 bits; a boolean. Text is a view into the item.
std::optional<std::string_view> TextOf(item::ItemView item, std::string_view name);
std::optional<std::string_view> BytesOf(item::ItemView item, std::string_view name);
std::optional<int64_t> IntegerOf(item::ItemView item, std::string_view name);
std::optional<bool> BooleanOf(item::ItemView item, std::string_view name);

}  // namespace varve::client
