// Writing JSON by hand, piece by piece, into a string.
#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/json.h"
#include "item/requests.h"
#include "item/value.h"

namespace varve::server {

// Writes a JSON object member by member.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& to) : to_(to) { to_.push_back('{'); }

  // Begins a member. `name` needs no escaping.
  std::string& Member(std::string_view name) {
    if (!first_) to_.push_back(',');
    first_ = false;
    to_.push_back('"');
    to_.append(name);
    to_.append("\":");
    return to_;
  }
  std::string& MemberToEscape(std::string_view name) {
    if (!first_) to_.push_back(',');
    first_ = false;
    item::AppendJsonString(name, to_);
    to_.push_back(':');
    return to_;
  }
  void Text(std::string_view name, std::string_view text) {
    item::AppendJsonString(text, Member(name));
  }
  void Integer(std::string_view name, int64_t value) {
    fmt::format_to(std::back_inserter(Member(name)), "{}", value);
  }
  void Boolean(std::string_view name, bool value) { Member(name).append(value ? "true" : "false"); }
  // As the service prints capacities: always with a fraction.
  void Decimal(std::string_view name, double value) {
    std::string& to = Member(name);
    if (value == std::floor(value) && std::abs(value) < 1e15) {
      fmt::format_to(std::back_inserter(to), "{:.1f}", value);
    } else {
      fmt::format_to(std::back_inserter(to), "{}", value);
    }
  }
  // Seconds since 1970 with milliseconds.
  void Time(std::string_view name, uint64_t ms) {
    fmt::format_to(std::back_inserter(Member(name)), "{}.{:03}", ms / 1000, ms % 1000);
  }
  void Item(std::string_view name, const item::ItemView& item) {
    item::AppendJson(item, Member(name));
  }
  void End() { to_.push_back('}'); }

 private:
  std::string& to_;
  bool first_ = true;
};

// `append(element)` for each, between brackets.
template <typename Range, typename Append>
void AppendArray(std::string& to, const Range& range, Append append) {
  to.push_back('[');
  bool first = true;
  for (const auto& element : range) {
    if (!first) to.push_back(',');
    first = false;
    append(element);
  }
  to.push_back(']');
}

inline void AppendKeySchema(ObjectWriter& object,
                            const std::vector<item::KeySchemaElement>& key_schema) {
  std::string& keys = object.Member("KeySchema");
  AppendArray(keys, key_schema, [&](const item::KeySchemaElement& each) {
    ObjectWriter key(keys);
    key.Text("AttributeName", each.attribute_name);
    key.Text("KeyType", item::ToString(each.key_type));
    key.End();
  });
}

}  // namespace varve::server
