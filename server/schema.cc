#include "server/schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "item/errors.h"
#include "server/json.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kConstraintErrorsMax = 10;
constexpr size_t kValueTextBytesMax = 1024;
constexpr size_t kArnLengthMax = 1024;
constexpr std::string_view kNamePattern = "[a-zA-Z0-9_.-]+";
constexpr std::string_view kModelPackage = "com.amazonaws.dynamodb.v20120810.";

template <typename... Args>
Status SerializationError(fmt::format_string<Args...> format, Args&&... args) {
  return item::MakeError(item::ErrorType::kSerializationException,
                         fmt::format(format, std::forward<Args>(args)...));
}

// A JSON null is an absent member.
bool IsNull(const dom::element& value) { return value.is_null(); }

// ---- First pass: types

std::string_view ScalarTokenName(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
      return "NUMBER_VALUE";
    case dom::element_type::DOUBLE: {
      const double number = value.get_double().value_unsafe();
      return number == std::floor(number) ? "NUMBER_VALUE" : "DECIMAL_VALUE";
    }
    case dom::element_type::BOOL:
      return value.get_bool().value_unsafe() ? "TRUE_VALUE" : "FALSE_VALUE";
    default:
      return "STRING_VALUE";
  }
}

Status CheckScalar(const dom::element& value, JsonType type) {
  const std::string_view name = type == JsonType::kBoolean   ? "Boolean"
                                : type == JsonType::kInteger ? "Integer"
                                : type == JsonType::kLong    ? "Long"
                                                             : "String";
  if (value.is_array())
    return SerializationError("Unrecognized collection type class java.lang.{}", name);
  if (value.is_object())
    return SerializationError("Start of structure or map found where not expected");
  if (type == JsonType::kString) {
    if (value.is_string()) return {};
  } else if (type == JsonType::kBoolean) {
    if (value.is_bool()) return {};
    if (value.is_string()) {
      const std::string_view text = TextOf(value);
      for (const std::string_view word : {"true", "false", "1", "0", "yes", "no"}) {
        if (text.size() == word.size() &&
            std::equal(text.begin(), text.end(), word.begin(),
                       [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; })) {
          return {};
        }
      }
      return SerializationError("Unexpected token received from parser");
    }
  } else if (value.is_number()) {
    return {};
  }
  return SerializationError("{} cannot be converted to {}", ScalarTokenName(value), name);
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Base64 with padding and without spare bits (RFC 4648, 4 and 3.5).
bool IsCanonicalBase64(std::string_view text) {
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  for (size_t i = 0; i < digits; ++i) {
    if (Base64Digit(text[i]) < 0) return false;
  }
  const size_t padding = text.size() - digits;
  if (padding == 0) return true;
  const int last = digits == 0 ? -1 : Base64Digit(text[digits - 1]);
  return last >= 0 && (last & (padding == 1 ? 0x3 : 0xf)) == 0;
}

Status CheckBlob(const dom::element& value) {
  if (value.is_array())
    return SerializationError("Unrecognized collection type class java.nio.ByteBuffer");
  if (value.is_object())
    return SerializationError("Start of structure or map found where not expected");
  if (!value.is_string()) {
    return SerializationError("only base-64-encoded strings are convertible to bytes");
  }
  const std::string_view text = TextOf(value);
  if (text.size() % 4 != 0) {
    return SerializationError(
        "Base64 encoded length is expected a multiple of 4 bytes but found: {}", text.size());
  }
  if (!IsCanonicalBase64(text)) {
    return SerializationError("Invalid last non-pad Base64 character dectected");  // sic
  }
  return {};
}

Status CheckListShape(const dom::element& value) {
  if (value.is_array()) return {};
  if (value.is_object())
    return SerializationError("Start of structure or map found where not expected");
  return SerializationError("Unexpected field type");
}

Status CheckMapShape(const dom::element& value, std::string_view value_class) {
  if (value.is_object()) return {};
  if (!value.is_array()) return SerializationError("Unexpected field type");
  return SerializationError("Unrecognized collection type java.util.Map<java.lang.String, {}{}>",
                            value_class.find('.') == std::string_view::npos ? kModelPackage : "",
                            value_class);
}

// `in_collection`: an element of a list or map rather than a member.
Status CheckStructureShape(const dom::element& value, std::string_view java_class,
                           bool in_collection) {
  if (value.is_object()) return {};
  if (value.is_array()) {
    return SerializationError("Unrecognized collection type class {}{}", kModelPackage, java_class);
  }
  if (in_collection) return SerializationError("Unexpected value type in payload");
  return SerializationError("Unexpected field type");
}

// Depth is bounded by the JSON parser, which refuses anything deeper than its stack allows.
Status CheckAttributeValue(const dom::element& value, bool in_collection) {
  VARVE_RETURN_IF_ERROR(CheckStructureShape(value, "AttributeValue", in_collection));
  for (const dom::key_value_pair& field : ObjectOf(value)) {
    if (IsNull(field.value)) continue;
    const std::string_view type = field.key;
    if (type == "S" || type == "N") {
      VARVE_RETURN_IF_ERROR(CheckScalar(field.value, JsonType::kString));
    } else if (type == "B") {
      VARVE_RETURN_IF_ERROR(CheckBlob(field.value));
    } else if (type == "BOOL" || type == "NULL") {
      VARVE_RETURN_IF_ERROR(CheckScalar(field.value, JsonType::kBoolean));
    } else if (type == "SS" || type == "NS" || type == "BS" || type == "L") {
      VARVE_RETURN_IF_ERROR(CheckListShape(field.value));
      for (const dom::element& element : ArrayOf(field.value)) {
        if (type == "L") {
          VARVE_RETURN_IF_ERROR(CheckAttributeValue(element, true));
        } else if (IsNull(element)) {
          continue;
        } else if (type == "BS") {
          VARVE_RETURN_IF_ERROR(CheckBlob(element));
        } else {
          VARVE_RETURN_IF_ERROR(CheckScalar(element, JsonType::kString));
        }
      }
    } else if (type == "M") {
      VARVE_RETURN_IF_ERROR(CheckMapShape(field.value, "AttributeValue"));
      for (const dom::key_value_pair& entry : ObjectOf(field.value)) {
        VARVE_RETURN_IF_ERROR(CheckAttributeValue(entry.value, true));
      }
    }
  }
  return {};
}

Status CheckParameterized(const dom::element& value, bool is_list) {
  if (!value.is_array() && !value.is_object()) {
    return SerializationError(
        "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to "
        "class "
        "java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and "
        "java.lang.Class are in module java.base of loader 'bootstrap')");
  }
  return is_list ? CheckListShape(value) : CheckMapShape(value, "AttributeValue");
}

Status CheckTypes(const dom::element& value, const Schema& schema, bool in_collection) {
  if (IsNull(value)) return {};
  if (schema.parameterized) {
    VARVE_RETURN_IF_ERROR(CheckParameterized(value, schema.type == JsonType::kList));
  }
  switch (schema.type) {
    case JsonType::kBoolean:
    case JsonType::kInteger:
    case JsonType::kLong:
    case JsonType::kString:
      return CheckScalar(value, schema.type);
    case JsonType::kList:
      VARVE_RETURN_IF_ERROR(CheckListShape(value));
      for (const dom::element& element : ArrayOf(value)) {
        VARVE_RETURN_IF_ERROR(CheckTypes(element, *schema.element, true));
      }
      return {};
    case JsonType::kMap:
      VARVE_RETURN_IF_ERROR(CheckMapShape(value, schema.java_class));
      for (const dom::key_value_pair& entry : ObjectOf(value)) {
        VARVE_RETURN_IF_ERROR(CheckTypes(entry.value, *schema.element, true));
      }
      return {};
    case JsonType::kStructure: {
      VARVE_RETURN_IF_ERROR(CheckStructureShape(value, schema.java_class, in_collection));
      const Members object(ObjectOf(value));
      for (const Member& member : schema.members) {
        if (const auto found = FindMember(object, member.name)) {
          VARVE_RETURN_IF_ERROR(CheckTypes(*found, *member.schema, false));
        }
      }
      return {};
    }
    case JsonType::kAttributeValue:
      return CheckAttributeValue(value, in_collection);
    case JsonType::kUnchecked:
      return {};
  }
  return {};
}

// ---- Second pass: constraints

std::string LowerFirst(std::string_view name) {
  std::string text(name);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

// At most kValueTextBytesMax of `utf8`, ending where a character does.
std::string_view Beginning(std::string_view utf8) {
  if (utf8.size() <= kValueTextBytesMax) return utf8;
  size_t end = kValueTextBytesMax;
  while (end > 0 && (static_cast<uint8_t>(utf8[end]) & 0xc0) == 0x80) --end;
  return utf8.substr(0, end);
}

// As the service prints values, nearly: lists and maps as Java does, scalars bare. Cut where it
// gets long, since a refused value may be megabytes.
void AppendValueText(const dom::element& value, std::string* text) {
  if (text->size() > kValueTextBytesMax) return;
  switch (value.type()) {
    case dom::element_type::ARRAY: {
      text->push_back('[');
      bool first = true;
      for (const dom::element& element : ArrayOf(value)) {
        if (text->size() > kValueTextBytesMax) break;
        if (!first) text->append(", ");
        first = false;
        AppendValueText(element, text);
      }
      text->push_back(']');
      return;
    }
    case dom::element_type::OBJECT: {
      text->push_back('{');
      bool first = true;
      for (const dom::key_value_pair& field : ObjectOf(value)) {
        if (text->size() > kValueTextBytesMax) break;
        if (!first) text->append(", ");
        first = false;
        text->append(Beginning(field.key)).push_back('=');
        AppendValueText(field.value, text);
      }
      text->push_back('}');
      return;
    }
    case dom::element_type::STRING:
      text->append(Beginning(TextOf(value)));
      return;
    case dom::element_type::INT64:
      text->append(fmt::format("{}", value.get_int64().value_unsafe()));
      return;
    case dom::element_type::UINT64:
      text->append(fmt::format("{}", value.get_uint64().value_unsafe()));
      return;
    case dom::element_type::DOUBLE:
      text->append(fmt::format("{:.0f}", std::floor(value.get_double().value_unsafe())));
      return;
    case dom::element_type::BOOL:
      text->append(value.get_bool().value_unsafe() ? "true" : "false");
      return;
    case dom::element_type::NULL_VALUE:
      text->append("null");
      return;
  }
}

// The same with structures as the service prints them: KeySchemaElement(attributeName=id, ...),
// without the members that are not given.
void AppendValueText(const dom::element& value, const Schema& schema, std::string* text) {
  if (schema.type == JsonType::kList && value.is_array()) {
    text->push_back('[');
    bool first = true;
    for (const dom::element& element : ArrayOf(value)) {
      if (text->size() > kValueTextBytesMax) break;
      if (!first) text->append(", ");
      first = false;
      AppendValueText(element, *schema.element, text);
    }
    text->push_back(']');
  } else if (schema.type == JsonType::kStructure && value.is_object()) {
    text->append(schema.java_class).push_back('(');
    bool first = true;
    for (const Member& member : schema.members) {
      const auto found = FindMember(ObjectOf(value), member.name);
      if (!found || text->size() > kValueTextBytesMax) continue;
      if (!first) text->append(", ");
      first = false;
      text->append(LowerFirst(member.name)).push_back('=');
      AppendValueText(*found, *member.schema, text);
    }
    text->push_back(')');
  } else {
    AppendValueText(value, text);
  }
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

// UTF-16 units, which is what the service counts.
size_t JavaLength(std::string_view utf8) {
  size_t length = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if ((byte & 0xc0) != 0x80) length += byte >= 0xf0 ? 2 : 1;
  }
  return length;
}

size_t LengthOf(const dom::element& value) {
  if (value.is_string()) return JavaLength(TextOf(value));
  // array::size() saturates at 2^24 - 1, more than any limit.
  if (value.is_array()) return ArrayOf(value).size();
  if (value.is_object()) return ObjectOf(value).size();
  return 0;
}

bool IsOneOf(std::string_view text, std::span<const std::string_view> values) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

std::string NewerValuesText(const Schema& schema) {
  return fmt::format("Failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                     schema.newer_values_text);
}

// What is reported alone.
Status CheckFirst(const Members& object, const Schema& schema) {
  for (const Member& member : schema.members) {
    if (!member.schema->empty_first && !member.schema->values_first) continue;
    const auto value = FindMember(object, member.name);
    if (!value) continue;
    const std::string_view text = TextOf(*value);
    if (member.schema->empty_first && text.empty()) {
      return item::ValidationError(
          "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must "
          "have length greater than or equal to 1",
          member.name);
    }
    if (member.schema->values_first && !IsOneOf(text, member.schema->values)) {
      return item::ValidationError("{}{}",
                                   member.schema->bare_first ? "" : "1 validation error detected: ",
                                   NewerValuesText(*member.schema));
    }
  }
  return {};
}

class ConstraintChecker {
 public:
  void CheckMembers(const Members& object, const Schema& schema, const std::string& parent) {
    for (const Member& member : schema.members) {
      Check(FindMember(object, member.name), *member.schema, parent, member.name);
    }
  }

  Status status() const {
    if (errors_.empty()) return {};
    return item::ValidationError("{} validation error{} detected: {}", errors_.size(),
                                 errors_.size() > 1 ? "s" : "", fmt::join(errors_, "; "));
  }

 private:
  static std::string Path(const std::string& parent, std::string_view name) {
    const std::string lower = LowerFirst(name);
    return parent.empty() ? lower : fmt::format("{}.{}", parent, lower);
  }

  void Add(const std::optional<dom::element>& value, const Schema& schema,
           const std::string& parent, std::string_view name, std::string_view constraint) {
    if (errors_.size() >= kConstraintErrorsMax) return;
    if (value && schema.newer_place) {
      std::string place = parent.empty() ? std::string() : parent + ".";
      place += name;
      if (place[0] >= 'a' && place[0] <= 'z') place[0] = static_cast<char>(place[0] - 32);
      errors_.push_back(
          fmt::format("Value at '{}' failed to satisfy constraint: {}", place, constraint));
      return;
    }
    std::string text = "null";
    if (value) {
      text = "'";
      AppendValueText(*value, schema, &text);
      text += "'";
    }
    errors_.push_back(fmt::format("Value {} at '{}' failed to satisfy constraint: {}", text,
                                  Path(parent, name), constraint));
  }

  void Check(const std::optional<dom::element>& value, const Schema& schema,
             const std::string& parent, std::string_view name) {
    if (errors_.size() >= kConstraintErrorsMax) return;
    if (!value) {
      if (schema.not_null) Add(value, schema, parent, name, "Member must not be null");
      return;
    }
    if (schema.or_arn && TextOf(*value).starts_with("arn:")) {
      if (LengthOf(*value) > kArnLengthMax) {
        Add(value, schema, parent, name,
            fmt::format("Member must have length less than or equal to {}", kArnLengthMax));
      }
      return;
    }
    // An empty name is only too short, in the service's eyes, where ARNs are allowed.
    const bool only_short = schema.or_arn && TextOf(*value).empty();
    if (schema.name_pattern && !only_short && !IsName(TextOf(*value))) {
      Add(value, schema, parent, name,
          fmt::format("Member must satisfy regular expression pattern: {}", kNamePattern));
    }
    if (!schema.values.empty() && schema.other_value_message.empty() &&
        !IsOneOf(TextOf(*value), schema.values)) {
      if (schema.newer_values_text.empty()) {
        Add(value, schema, parent, name,
            fmt::format("Member must satisfy enum value set: [{}]",
                        fmt::join(schema.values, ", ")));
      } else {
        errors_.push_back(NewerValuesText(schema));
      }
    }
    CheckRange(*value, schema, parent, name);
    CheckLength(*value, schema, parent, name);
    if (schema.type == JsonType::kMap) CheckMapEntries(*value, schema, parent, name);
    CheckChildren(*value, schema, parent, name);
  }

  void CheckRange(const dom::element& value, const Schema& schema, const std::string& parent,
                  std::string_view name) {
    if (schema.type != JsonType::kInteger && schema.type != JsonType::kLong) return;
    const int64_t integer = IntegerOf(value);
    if (integer < schema.value_min) {
      Add(value, schema, parent, name,
          fmt::format("Member must have value greater than or equal to {}", schema.value_min));
    }
    if (integer > schema.value_max) {
      Add(value, schema, parent, name,
          fmt::format("Member must have value less than or equal to {}", schema.value_max));
    }
  }

  void CheckLength(const dom::element& value, const Schema& schema, const std::string& parent,
                   std::string_view name) {
    if (schema.length_min == 0 && schema.length_max == Schema::kUnbounded) return;
    const size_t length = LengthOf(value);
    if (length < schema.length_min) {
      Add(value, schema, parent, name,
          fmt::format("Member must have length greater than or equal to {}", schema.length_min));
    }
    if (length > schema.length_max) {
      Add(value, schema, parent, name,
          fmt::format("Member must have length less than or equal to {}", schema.length_max));
    }
  }

  void CheckMapEntries(const dom::element& value, const Schema& schema, const std::string& parent,
                       std::string_view name) {
    if (!schema.keys_are_table_names && schema.value_length_max == Schema::kUnbounded) return;
    for (const dom::key_value_pair& entry : ObjectOf(value)) {
      const size_t key_length = JavaLength(entry.key);
      if (schema.keys_are_table_names && !entry.key.starts_with("arn:") &&
          (key_length < 3 || key_length > 255 || !IsName(entry.key))) {
        Add(value, schema, parent, name,
            fmt::format("Map keys must satisfy constraint: [Member must have length less than or "
                        "equal to 255, Member must have length greater than or equal to 3, Member "
                        "must satisfy regular expression pattern: {}]",
                        kNamePattern));
      }
    }
    if (schema.value_length_max == Schema::kUnbounded) return;
    for (const dom::key_value_pair& entry : ObjectOf(value)) {
      const size_t length = LengthOf(entry.value);
      if (length < 1 || length > schema.value_length_max) {
        Add(value, schema, parent, name,
            fmt::format("Map value must satisfy constraint: [Member must have length less than or "
                        "equal to {}, Member must have length greater than or equal to 1]",
                        schema.value_length_max));
      }
    }
  }

  void CheckChildren(const dom::element& value, const Schema& schema, const std::string& parent,
                     std::string_view name) {
    if (schema.type == JsonType::kStructure) {
      CheckMembers(ObjectOf(value), schema, Path(parent, name));
      return;
    }
    if (schema.element == nullptr || schema.element->type == JsonType::kAttributeValue) return;
    if (schema.type == JsonType::kList) {
      size_t i = 0;
      for (const dom::element& element : ArrayOf(value)) {
        CheckElement(element, *schema.element, fmt::format("{}.{}", Path(parent, name), ++i));
      }
    } else if (schema.type == JsonType::kMap) {
      for (const dom::key_value_pair& entry : ObjectOf(value)) {
        CheckElement(entry.value, *schema.element,
                     fmt::format("{}.{}", Path(parent, name), Beginning(entry.key)));
      }
    }
  }

  void CheckElement(const dom::element& element, const Schema& schema, const std::string& parent) {
    if (errors_.size() >= kConstraintErrorsMax) return;
    Check(IsNull(element) ? std::nullopt : std::optional(element), schema, parent, "member");
  }

  std::vector<std::string> errors_;
};

}  // namespace

Status CheckRequest(const dom::element& request, const Schema& schema) {
  VARVE_RETURN_IF_ERROR(CheckTypes(request, schema, false));
  if (!request.is_object()) return SerializationError("Unexpected field type");
  const Members object(ObjectOf(request));
  for (const Member& member : schema.members) {
    const auto value = FindMember(object, member.name);
    if (member.schema->required && !value) {
      return item::ValidationError(
          "The parameter '{}' is required but was not present in the request", member.name);
    }
  }
  VARVE_RETURN_IF_ERROR(CheckFirst(object, schema));
  ConstraintChecker constraints;
  constraints.CheckMembers(object, schema, "");
  VARVE_RETURN_IF_ERROR(constraints.status());
  for (const Member& member : schema.members) {
    if (member.schema->other_value_message.empty()) continue;
    const auto value = FindMember(object, member.name);
    if (value && !IsOneOf(TextOf(*value), member.schema->values)) {
      return item::ValidationError("{}", member.schema->other_value_message);
    }
  }
  for (const Member& member : schema.members) {
    if (member.schema->unsupported && FindMember(object, member.name)) {
      return item::ValidationError("The parameter '{}' is not supported", member.name);
    }
  }
  return {};
}

}  // namespace varve::server
