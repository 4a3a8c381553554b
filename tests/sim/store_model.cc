#include "tests/sim/store_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "item/keys.h"

namespace varve::sim {

using item::KeyType;
using item::Number;
using item::Value;
using item::ValueType;
using item::ValueView;

item::Item ItemOf(const Attributes& attributes) {
  item::ValueBuilder builder;
  builder.BeginMap();
  for (const auto& [name, value] : attributes) builder.Name(name).Copy(ValueView(value));
  builder.EndMap();
  return item::Item(builder.Finish());
}

Attributes AttributesOf(const item::ItemView& item) {
  Attributes attributes;
  for (size_t i = 0; i < item.count(); ++i) {
    const item::NamedValue attribute = item.at(i);
    attributes.emplace(attribute.name, attribute.value.encoded());
  }
  return attributes;
}

std::string Text(std::string_view text) { return Value::String(text).encoded(); }
std::string Integer(int64_t integer) { return Value::OfNumber(Number::FromInt(integer)).encoded(); }

std::string Show(const State& state) {
  if (!state) return "nothing";
  std::string text;
  for (const auto& [name, encoded] : *state) {
    const ValueView value(encoded);
    std::string shown = "?";
    if (value.Is(ValueType::kNumber)) shown = value.number().ToString();
    if (value.Is(ValueType::kString)) shown = std::string(value.text().substr(0, 8));
    text += fmt::format("{}{}={}", text.empty() ? "{" : " ", name, shown);
  }
  return text + "}";
}

std::optional<uint64_t> ExpiryOf(const State& state) {
  if (!state) return std::nullopt;
  const auto found = state->find(std::string(kExpiry));
  if (found == state->end()) return std::nullopt;
  int64_t seconds = 0;
  if (!ValueView(found->second).number().ToInt64(&seconds)) return std::nullopt;
  return static_cast<uint64_t>(seconds);
}

bool Condition::Holds(const State& state) const {
  const auto attribute = [&](std::string_view name) -> const std::string* {
    if (!state) return nullptr;
    const auto found = state->find(std::string(name));
    return found == state->end() ? nullptr : &found->second;
  };
  switch (kind) {
    case Kind::kNone:
      return true;
    case Kind::kAbsent:
      return !state;
    case Kind::kPresent:
      return state.has_value();
    case Kind::kWriter: {
      const std::string* const writer = attribute(kWriter);
      return writer != nullptr && *writer == operand;
    }
    case Kind::kCounterBelow: {
      const std::string* const counter = attribute(kCounter);
      return counter != nullptr &&
             *item::CompareScalars(ValueView(*counter), ValueView(operand)) < 0;
    }
  }
  return false;
}

State Part::Apply(const State& old) const {
  switch (kind) {
    case Kind::kPut:
      return set;
    case Kind::kDelete:
      return std::nullopt;
    case Kind::kCheck:
      return old;
    case Kind::kUpdate:
      break;
  }
  Attributes attributes = old.value_or(key);
  for (const auto& [name, value] : set) attributes[name] = value;
  if (!remove.empty()) attributes.erase(remove);
  if (add) {
    std::string& counter = attributes[std::string(kCounter)];
    const Number before = counter.empty() ? Number() : ValueView(counter).number();
    counter = Value::OfNumber(*Number::Add(before, Number::FromInt(1))).encoded();
  }
  return attributes;
}

// ---- Histories

bool History::Truncate(SequenceNumber sequence) {
  const size_t before = versions_.size();
  while (versions_.back().sequence >= sequence) versions_.pop_back();
  return versions_.size() < before;
}

// ---- Tables

item::TableKey TableModel::key() const {
  item::TableKey key;
  key.partition = {"p", ValueType::kString};
  if (has_sort_key) key.sort = item::TableKey::Part{"s", ValueType::kNumber};
  return key;
}

Attributes TableModel::KeyOf(const Attributes& item) const {
  Attributes key = {{"p", item.at("p")}};
  if (has_sort_key) key["s"] = item.at("s");
  return key;
}

History& TableModel::ItemAt(const Attributes& item_key) {
  const auto found = items.find(item_key);
  if (found != items.end()) return found->second;
  const item::Item encoded = ItemOf(item_key);
  const std::string engine_key = item::EngineKey(0, key(), encoded);
  const auto added = items.emplace(item_key, History(engine_key)).first;
  keys.emplace(engine_key.substr(item::KeySpaceBounds(0).begin.size()), &added->first);
  return added->second;
}

item::ValueType TypeOfAttribute(std::string_view name) {
  return name == "s" || name == "l" || name == kCounter || name == kExpiry ? ValueType::kNumber
                                                                           : ValueType::kString;
}

State EntryOf(const TableModel& table, const IndexModel& index, const State& state) {
  if (!state) return std::nullopt;
  Attributes entry;
  for (const item::KeySchemaElement& element : index.definition.key_schema) {
    const auto found = state->find(element.attribute_name);
    if (found == state->end() ||
        !ValueView(found->second).Is(TypeOfAttribute(element.attribute_name))) {
      return std::nullopt;
    }
    entry.insert(*found);
  }
  const item::Projection& projection = index.definition.projection;
  if (projection.type == item::ProjectionType::kAll) return state;
  for (const auto& attribute : table.KeyOf(*state)) entry.insert(attribute);
  for (const std::string& name : projection.non_key_attributes) {
    const auto found = state->find(name);
    if (found != state->end()) entry.insert(*found);
  }
  return entry;
}

std::vector<std::string> PlaceOf(const TableModel& table, const IndexModel& index,
                                 const Attributes& entry) {
  std::vector<std::string> place;
  for (const item::KeySchemaElement& element : index.definition.key_schema) {
    place.push_back(entry.at(element.attribute_name));
  }
  for (const auto& [name, value] : table.KeyOf(entry)) {
    const auto is_this = [&name = name](const item::KeySchemaElement& element) {
      return element.attribute_name == name;
    };
    const auto& schema = index.definition.key_schema;
    if (std::none_of(schema.begin(), schema.end(), is_this)) place.push_back(value);
  }
  return place;
}

}  // namespace varve::sim
