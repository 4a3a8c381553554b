#include "server/json.h"

#include <cmath>
#include <limits>

namespace varve::server {

simdjson::dom::array EmptyArray() {
  static simdjson::dom::parser parser;
  static const simdjson::dom::array array = parser.parse(std::string_view("[]"));
  return array;
}

simdjson::dom::object EmptyObject() {
  static simdjson::dom::parser parser;
  static const simdjson::dom::object object = parser.parse(std::string_view("{}"));
  return object;
}

int64_t IntegerOf(const simdjson::dom::element& value) {
  int64_t integer;
  if (value.get_int64().get(integer) == simdjson::SUCCESS) return integer;
  if (value.is_uint64()) return std::numeric_limits<int64_t>::max();
  double number;
  if (value.get_double().get(number) != simdjson::SUCCESS) return 0;
  number = std::floor(number);
  // Beyond these a double does not fit an int64_t.
  if (number >= 9.2e18) return std::numeric_limits<int64_t>::max();
  if (number <= -9.2e18) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(number);
}

bool BooleanOf(const simdjson::dom::element& value) {
  bool boolean;
  if (value.get_bool().get(boolean) == simdjson::SUCCESS) return boolean;
  // "true", "1" or "yes" in any case; the schema lets only these and their opposites through.
  const std::string_view text = TextOf(value);
  return !text.empty() && std::string_view("tT1yY").find(text[0]) != std::string_view::npos;
}

}  // namespace varve::server
