// Values of a parsed JSON document whose types are known (schema.h checked them), by value:
// simdjson's own accessors hand out references into their result, which a range-for does not keep
// alive.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>
#include <simdjson.h>

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace varve::server {

simdjson::dom::array EmptyArray();
simdjson::dom::object EmptyObject();

// Each is for an element of that type only: asking one of another is a mistake of the program,
// which takes it for an empty one.
inline simdjson::dom::array ArrayOf(const simdjson::dom::element& value) {
  simdjson::dom::array array;
  if (value.get_array().get(array) == simdjson::SUCCESS) return array;
  assert(false);
  return EmptyArray();
}
inline simdjson::dom::object ObjectOf(const simdjson::dom::element& value) {
  simdjson::dom::object object;
  if (value.get_object().get(object) == simdjson::SUCCESS) return object;
  assert(false);
  return EmptyObject();
}
inline std::string_view TextOf(const simdjson::dom::element& value) {
  std::string_view text;
  [[maybe_unused]] const auto error = value.get_string().get(text);
  assert(error == simdjson::SUCCESS);
  return text;
}

// The members of a JSON object that are not null, read off the document once to be looked up by
// name many times.
class Members {
 public:
  Members(const simdjson::dom::object& object) {  // wherever members are asked for
    for (const simdjson::dom::key_value_pair& field : object) {
      if (!field.value.is_null()) members_.emplace_back(field.key, field.value);
    }
  }

  // The last of that name wins, as for the service.
  std::optional<simdjson::dom::element> Find(std::string_view name) const {
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
      if (member->first == name) return member->second;
    }
    return std::nullopt;
  }

 private:
  // More than most requests have.
  absl::InlinedVector<std::pair<std::string_view, simdjson::dom::element>, 12> members_;
};

// The member `name`, unless it is absent or null.
inline std::optional<simdjson::dom::element> FindMember(const Members& members,
                                                        std::string_view name) {
  return members.Find(name);
}

// Calls `add(key, value)` for each member of a JSON object that is not null; of members with the
// same key only for the last.
template <typename Add>
Status ForEachMember(const simdjson::dom::object& json, Add add) {
  // A map is only worth its cost where there are many; few are compared with each other.
  constexpr size_t kFew = 8;
  absl::flat_hash_map<std::string, size_t> last;
  const bool many = json.size() > kFew;
  if (many) {
    size_t i = 0;
    for (const simdjson::dom::key_value_pair& field : json) last[std::string(field.key)] = i++;
  }
  size_t i = 0;
  for (const simdjson::dom::key_value_pair& field : json) {
    bool repeated = false;
    if (many) {
      repeated = last[std::string(field.key)] != i;
    } else {
      size_t j = 0;
      for (const simdjson::dom::key_value_pair& other : json)
        repeated |= j++ > i && other.key == field.key;
    }
    ++i;
    if (repeated || field.value.is_null()) continue;
    VARVE_RETURN_IF_ERROR(add(std::string_view(field.key), field.value));
  }
  return {};
}

// An integer as the service reads numbers: fractions are cut off downwards, and what does not fit
// becomes the nearest that does.
int64_t IntegerOf(const simdjson::dom::element& value);

// A boolean, or one of the words the service takes for one.
bool BooleanOf(const simdjson::dom::element& value);

}  // namespace varve::server
