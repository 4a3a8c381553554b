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

namespace {

Path Extended(const Path& path, Version version) {
  Path longer = path;
  longer.state = version.state;
  longer.tail.push_back(std::move(version));
  return longer;
}

bool SameVersion(const Version& a, const Version& b) {
  return a.operation == b.operation && a.state == b.state;
}

bool HasVersion(const std::vector<Version>& versions, const Version& version) {
  return std::any_of(versions.begin(), versions.end(),
                     [&](const Version& other) { return SameVersion(other, version); });
}

void AddExpired(uint64_t now_s, Tick tick, std::vector<Path>* paths) {
  const size_t count = paths->size();
  for (size_t i = 0; i < count; ++i) {
    const std::optional<uint64_t> expiry = ExpiryOf((*paths)[i].state);
    if (!expiry || *expiry > now_s) continue;
    const Path& path = (*paths)[i];
    Version version;
    version.begun = path.tail.empty() ? 0 : path.tail.back().begun;
    version.ended = tick;
    version.unheard = true;
    paths->push_back(Extended(path, std::move(version)));
  }
  Join(paths);
}

}  // namespace

bool Has(const Path& path, const Operation* operation) {
  return std::any_of(path.tail.begin(), path.tail.end(),
                     [&](const Version& version) { return version.operation == operation; });
}

void Join(std::vector<Path>* paths) {
  std::vector<Path> joined;
  for (Path& path : *paths) {
    const auto same = std::find_if(joined.begin(), joined.end(),
                                   [&](const Path& other) { return other.state == path.state; });
    if (same == joined.end()) {
      joined.push_back(std::move(path));
      continue;
    }
    std::vector<Version>& into = same->tail;
    for (Version& version : into) {
      if (!HasVersion(path.tail, version)) version.maybe = true;
    }
    // Behind the last version that both have stands what only the other has.
    auto place = into.begin();
    for (Version& version : path.tail) {
      const auto found = std::find_if(
          place, into.end(), [&](const Version& other) { return SameVersion(other, version); });
      if (found != into.end()) {
        found->maybe = found->maybe || version.maybe;
        found->begun = std::min(found->begun, version.begun);
        found->ended = std::max(found->ended, version.ended);
        place = found + 1;
        continue;
      }
      version.maybe = true;
      place = into.insert(place, std::move(version)) + 1;
    }
  }
  *paths = std::move(joined);
}

std::vector<Path> History::Possible(uint64_t now_s, Tick tick) const {
  std::vector<Path> paths = paths_;
  AddExpired(now_s, tick, &paths);
  for (const auto& [operation, part] : failed_) {
    if (operation->outcome == Operation::Outcome::kNotDone) continue;
    std::vector<Path> next;
    for (const Path& path : paths) {
      const bool has = Has(path, operation);
      const bool applies = !has && part->condition.Holds(path.state);
      if (has || operation->outcome == Operation::Outcome::kOpen) next.push_back(path);
      if (!applies) continue;
      State state = part->Apply(path.state);
      if (state == path.state) {
        if (operation->outcome == Operation::Outcome::kDone) next.push_back(path);
        continue;
      }
      next.push_back(
          Extended(path, {operation, std::move(state), false, operation->begun, tick, true}));
    }
    paths = std::move(next);
    Join(&paths);
    AddExpired(now_s, tick, &paths);
  }
  return paths;
}

void History::Keep(std::vector<Path> paths, Tick tick) {
  paths_ = std::move(paths);
  if (paths_.size() != 1) return;
  Path& path = paths_.front();
  std::erase_if(failed_, [&](const auto& failed) { return Has(path, failed.first); });
  for (Version& version : path.tail) {
    if (version.unheard) version.ended = tick;
    versions_.push_back(std::move(version));
  }
  path.tail.clear();
}

void History::Doubt(size_t first) {
  for (size_t i = first; i < versions_.size(); ++i) versions_[i].maybe = true;
  for (Path& path : paths_) {
    for (Version& version : path.tail) version.maybe = true;
  }
}

std::vector<Version> History::Versions() const {
  std::vector<Version> versions = versions_;
  versions.insert(versions.end(), paths_.front().tail.begin(), paths_.front().tail.end());
  return versions;
}

std::vector<Version> History::Truncate(size_t count) {
  std::vector<Version> lost(versions_.begin() + static_cast<long>(count), versions_.end());
  versions_.resize(count);
  paths_ = {Path{versions_.back().state, {}}};
  return lost;
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
  return items.emplace(item_key, History(item::EngineKey(0, key(), encoded))).first->second;
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
