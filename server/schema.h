// What the JSON of each operation must look like: types and constraints, checked before anything is
// decoded, with the service's own words for what is wrong.
//
// The service checks in two passes. The first refuses JSON whose types do not fit, with a
// SerializationException for the first mistake in the order of the operation's members; the second
// collects constraints that do not hold (presence, lengths, ranges, patterns, enumerations), at
// most ten, into one ValidationException. What an operation means by its parameters is item/'s to
// check, after both.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "base/status.h"

namespace varve::server {

enum class JsonType : uint8_t {
  kBoolean,
  kInteger,
  kLong,
  kString,
  kList,            // of `element`
  kMap,             // of `element`
  kStructure,       // of `members`
  kAttributeValue,  // {"S": ...} and so on, to any depth
  kUnchecked,       // anything: a parameter that is accepted and means nothing here
};

struct Schema;

struct Member {
  std::string_view name;
  const Schema* schema;
};

struct Schema {
  static constexpr size_t kUnbounded = std::numeric_limits<size_t>::max();

  JsonType type = JsonType::kString;
  // Of a structure, and of a map's values, as the service's messages name it.
  std::string_view java_class = {};
  const Schema* element = nullptr;
  std::span<const Member> members = {};

  // Lists in maps and maps in lists give a message of their own when they are something else.
  bool parameterized = false;

  // Absent, the request is refused before any other constraint is looked at.
  bool required = false;

  bool not_null = false;
  bool name_pattern = false;  // [a-zA-Z0-9_.-]+
  // An ARN (arn:...) of up to 1,024 characters will do as well as a name.
  bool or_arn = false;
  std::span<const std::string_view> values = {};
  // How the newer words of the service list them, which say neither what was given nor where:
  // those of the parameters that PutItem, UpdateItem and DeleteItem check in its newer way.
  std::string_view newer_values_text = {};
  // What to say of a value that is not one of them, instead of a constraint.
  std::string_view other_value_message = {};
  int64_t value_min = std::numeric_limits<int64_t>::min();
  int64_t value_max = std::numeric_limits<int64_t>::max();
  size_t length_min = 0;
  size_t length_max = kUnbounded;
  // Ranges and lengths in the newer words, which don't say the value and name the place as the
  // request does: Value at 'Limit' failed ... Of members at the top, or of structures in maps
  // there.
  bool newer_place = false;
  bool keys_are_table_names = false;     // a map's keys
  size_t value_length_max = kUnbounded;  // a map's values have 1 to this many elements

  // Looked at before anything else, and reported alone: whether a text is empty, and whether it is
  // one of the values.
  bool empty_first = false;
  bool values_first = false;
  bool bare_first = false;  // ... without "1 validation error detected: "

  // Set on parameters that are known and not supported: giving one is a ValidationException.
  bool unsupported = false;
};

// Checks one operation's `request`, the whole body, against its `schema`, a structure.
Status CheckRequest(const simdjson::dom::element& request, const Schema& schema);

}  // namespace varve::server
