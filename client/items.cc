#include "client/items.h"

namespace varve::client {
namespace {

using item::ValueBuilder;
using item::ValueType;

std::string EncodeMap(std::initializer_list<Attribute> attributes) {
  ValueBuilder builder;
  builder.BeginMap();
  for (const Attribute& attribute : attributes) {
    builder.Name(attribute.name).Copy(attribute.value.view());
  }
  builder.EndMap();
  return builder.Finish();
}

item::Value SetOf(ValueType type, std::initializer_list<std::string_view> elements) {
  ValueBuilder builder;
  builder.BeginSet(type);
  for (const std::string_view element : elements) {
    builder.Element(item::ElementType(type), element);
  }
  (void)builder.EndSet();
  return item::Value(builder.Finish());
}

std::optional<item::ValueView> Find(item::ItemView item, std::string_view name, ValueType type) {
  const std::optional<item::ValueView> value = item.Find(name);
  if (!value.has_value() || !value->Is(type)) return std::nullopt;
  return value;
}

}  // namespace

item::Item MakeItem(std::initializer_list<Attribute> attributes) {
  return item::Item(EncodeMap(attributes));
}

item::Value Map(std::initializer_list<Attribute> attributes) {
  return item::Value(EncodeMap(attributes));
}

item::Value List(std::initializer_list<AttributeValue> elements) {
  ValueBuilder builder;
  builder.BeginList();
  for (const AttributeValue& element : elements) builder.Copy(element.view());
  builder.EndList();
  return item::Value(builder.Finish());
}

item::Value Binary(std::string_view bytes) { return item::Value::Binary(bytes); }

item::Value StringSet(std::initializer_list<std::string_view> elements) {
  return SetOf(ValueType::kStringSet, elements);
}

item::Value BinarySet(std::initializer_list<std::string_view> elements) {
  return SetOf(ValueType::kBinarySet, elements);
}

item::Value NumberSet(std::initializer_list<item::Number> elements) {
  ValueBuilder builder;
  builder.BeginSet(ValueType::kNumberSet);
  for (const item::Number& element : elements) builder.Number(element);
  (void)builder.EndSet();
  return item::Value(builder.Finish());
}

item::Value NumberSet(std::initializer_list<int64_t> elements) {
  ValueBuilder builder;
  builder.BeginSet(ValueType::kNumberSet);
  for (const int64_t element : elements) builder.Number(item::Number::FromInt(element));
  (void)builder.EndSet();
  return item::Value(builder.Finish());
}

item::expression::AttributeValues Placeholders(std::initializer_list<Attribute> values) {
  item::expression::AttributeValues placeholders;
  for (const Attribute& value : values) {
    placeholders.emplace_back(value.name, item::Value(value.value.view()));
  }
  return placeholders;
}

std::optional<std::string_view> TextOf(item::ItemView item, std::string_view name) {
  const auto value = Find(item, name, ValueType::kString);
  if (!value.has_value()) return std::nullopt;
  return value->text();
}

std::optional<std::string_view> BytesOf(item::ItemView item, std::string_view name) {
  const auto value = Find(item, name, ValueType::kBinary);
  if (!value.has_value()) return std::nullopt;
  return value->text();
}

std::optional<int64_t> IntegerOf(item::ItemView item, std::string_view name) {
  const auto value = Find(item, name, ValueType::kNumber);
  int64_t integer = 0;
  if (!value.has_value() || !value->number().ToInt64(&integer)) return std::nullopt;
  return integer;
}

std::optional<bool> BooleanOf(item::ItemView item, std::string_view name) {
  const auto value = Find(item, name, ValueType::kBool);
  if (!value.has_value()) return std::nullopt;
  return value->boolean();
}

}  // namespace varve::client
