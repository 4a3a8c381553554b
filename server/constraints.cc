#include "server/constraints.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "item/json.h"
#include "protocol/message_fields.h"
#include "server/http_request.h"

namespace varve::server {
namespace {

// ---- Names of enumerators, as the API writes them

std::string_view EnumText(item::ValueType type) { return item::TypeName(type); }
std::string_view EnumText(item::KeyType type) { return item::ToString(type); }
std::string_view EnumText(item::BillingMode mode) { return item::ToString(mode); }
std::string_view EnumText(item::TableClass table_class) { return item::ToString(table_class); }
std::string_view EnumText(item::ProjectionType type) { return item::ToString(type); }
std::string_view EnumText(item::StreamViewType type) { return item::ToString(type); }
std::string_view EnumText(item::ReturnValues values) {
  constexpr std::string_view kTexts[] = {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW",
                                         "UPDATED_NEW"};
  return kTexts[static_cast<size_t>(values)];
}
std::string_view EnumText(item::ReturnConsumedCapacity asked) {
  constexpr std::string_view kTexts[] = {"NONE", "TOTAL", "INDEXES"};
  return kTexts[static_cast<size_t>(asked)];
}
std::string_view EnumText(item::Select select) {
  constexpr std::string_view kTexts[] = {"ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES",
                                         "SPECIFIC_ATTRIBUTES", "COUNT"};
  return kTexts[static_cast<size_t>(select)];
}
std::string_view EnumText(item::ShardIteratorType type) {
  constexpr std::string_view kTexts[] = {"TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER",
                                         "AFTER_SEQUENCE_NUMBER"};
  return kTexts[static_cast<size_t>(type)];
}

// ---- Both visitors

template <typename T>
inline constexpr bool kIsOptional = protocol::internal::kIsOptional<T>;
template <typename T>
inline constexpr bool kIsVector = protocol::internal::kIsVector<T>;
template <typename T>
inline constexpr bool kIsPair = protocol::internal::kIsPair<T>;
template <typename T>
inline constexpr bool kIsMap = false;
template <typename T>
inline constexpr bool kIsMap<std::vector<std::pair<std::string, T>>> = true;
template <typename T>
inline constexpr bool kIsItem = std::is_same_v<T, item::Item> || std::is_same_v<T, item::Value>;

// A field whose own fields stand beside its siblings in the API. (In a list of the same they do
// not: there it is no field.)
template <typename T>
inline constexpr bool kIsFlat = std::is_same_v<T, item::ParameterizedStatement>;

// A structure that the API wraps in another of one member: a transaction's Get.
template <typename T>
inline constexpr bool kIsWrapped = std::is_same_v<T, item::TransactGetItem>;

template <typename T>
bool IsAbsent(const T& value) {
  if constexpr (kIsOptional<T>) {
    return !value.has_value();
  } else if constexpr (kIsVector<T> || std::is_same_v<T, std::string>) {
    return value.empty();
  } else if constexpr (std::is_same_v<T, item::Item>) {
    return value.view().empty();
  } else if constexpr (std::is_same_v<T, item::Projection>) {
    return !value.type && value.non_key_attributes.empty();
  } else {
    return false;
  }
}

// The index of the member; nothing if the API has no such parameter there. The item of a
// transaction's action is its Key where it is none to put.
std::optional<size_t> FindIn(const Schema& schema, std::string_view name) {
  for (size_t i = 0; i < schema.members.size(); ++i) {
    if (schema.members[i].name == name) return i;
  }
  if (name == "Item") return FindIn(schema, "Key");
  return std::nullopt;
}

// ---- Whether everything is surely in order

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

bool IsGoodText(std::string_view text, const Schema& schema) {
  if (!schema.values.empty()) {
    return std::find(schema.values.begin(), schema.values.end(), text) != schema.values.end();
  }
  if (schema.name_pattern &&
      (text.empty() || !std::all_of(text.begin(), text.end(), IsNameCharacter))) {
    return false;
  }
  // Lengths count UTF-16 units, of which a character has fewer than it has bytes.
  const bool one_unit_a_byte = schema.name_pattern || schema.length_min <= 1;
  const size_t bytes_min = one_unit_a_byte ? schema.length_min : schema.length_min * 3;
  return text.size() >= bytes_min && text.size() <= schema.length_max;
}

template <typename T>
bool IsGood(const T& value, const Schema& schema);

class Checker {
 public:
  explicit Checker(const Schema& schema) : schema_(schema) {}

  template <typename T>
  void operator()(uint32_t, std::string_view name, const T& value, const T& = {}) {
    if (!good_ || IsAbsent(value)) return;
    if constexpr (kIsFlat<T>) return protocol::Fields(*this, value);
    const std::optional<size_t> member = FindIn(schema_, name);
    if (!member) return;
    present_ |= uint64_t{1} << *member;
    good_ = IsGood(value, *schema_.members[*member].schema);
  }

  bool good() const {
    for (size_t i = 0; i < schema_.members.size(); ++i) {
      const Schema& member = *schema_.members[i].schema;
      if ((member.not_null || member.required) && (present_ >> i & 1) == 0) return false;
    }
    return good_;
  }

 private:
  const Schema& schema_;
  uint64_t present_ = 0;
  bool good_ = true;
};

template <typename T>
bool IsGood(const T& value, const Schema& schema) {
  if constexpr (kIsOptional<T>) {
    return !value || IsGood(*value, schema);
  } else if constexpr (kIsItem<T> || std::is_same_v<T, bool>) {
    return true;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (schema.type == JsonType::kStructure) return IsGood(value, *schema.members[0].schema);
    return IsGoodText(value, schema);
  } else if constexpr (std::is_enum_v<T>) {
    return schema.values.empty() || IsGoodText(EnumText(value), schema);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<int64_t>(value) >= schema.value_min &&
           static_cast<int64_t>(value) <= schema.value_max;
  } else if constexpr (kIsMap<T>) {
    if (value.size() < schema.length_min || value.size() > schema.length_max) return false;
    for (const auto& [key, element] : value) {
      if (schema.keys_are_table_names && (key.size() < 3 || key.size() > 255 ||
                                          !std::all_of(key.begin(), key.end(), IsNameCharacter))) {
        return false;
      }
      if (schema.value_length_max != Schema::kUnbounded) {
        if constexpr (kIsVector<std::decay_t<decltype(element)>>) {
          if (element.empty() || element.size() > schema.value_length_max) return false;
        } else {
          return false;
        }
      }
      if (schema.element != nullptr && !IsGood(element, *schema.element)) return false;
    }
    return true;
  } else if constexpr (kIsVector<T>) {
    if (value.size() < schema.length_min || value.size() > schema.length_max) return false;
    return std::all_of(value.begin(), value.end(), [&](const auto& element) {
      return schema.element == nullptr || IsGood(element, *schema.element);
    });
  } else {
    Checker checker(kIsWrapped<T> ? *schema.members[0].schema : schema);
    protocol::Fields(checker, value);
    return checker.good();
  }
}

// ---- The request as JSON

template <typename T>
void AppendAsJson(const T& value, const Schema& schema, std::string& to);

class JsonFields {
 public:
  JsonFields(const Schema& schema, std::string* to) : schema_(schema), to_(*to) {}

  template <typename T>
  void operator()(uint32_t, std::string_view name, const T& value, const T& = {}) {
    if (IsAbsent(value)) return;
    if constexpr (kIsFlat<T>) return protocol::Fields(*this, value);
    const std::optional<size_t> member = FindIn(schema_, name);
    if (!member) return;
    const Schema& schema = *schema_.members[*member].schema;
    // Booleans here that are enumerations there.
    if constexpr (std::is_same_v<T, bool>) {
      if (schema.type == JsonType::kString && !value) return;
    }
    to_ += first_ ? "" : ",";
    first_ = false;
    item::AppendJsonString(schema_.members[*member].name, to_);
    to_ += ':';
    AppendAsJson(value, schema, to_);
  }

 private:
  const Schema& schema_;
  std::string& to_;
  bool first_ = true;
};

template <typename T>
void AppendAsJson(const T& value, const Schema& schema, std::string& to) {
  if constexpr (kIsOptional<T>) {
    if (value) {
      AppendAsJson(*value, schema, to);
    } else {
      to += "null";
    }
  } else if constexpr (kIsItem<T>) {
    item::AppendJson(value.view(), to);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (schema.type == JsonType::kString) {
      const bool known = !schema.values.empty();
      item::AppendJsonString(known ? schema.values[0] : std::string_view("true"), to);
    } else {
      to += value ? "true" : "false";
    }
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (schema.type == JsonType::kStructure) {
      to += '{';
      item::AppendJsonString(schema.members[0].name, to);
      to += ':';
      item::AppendJsonString(value, to);
      to += '}';
    } else {
      item::AppendJsonString(value, to);
    }
  } else if constexpr (std::is_enum_v<T>) {
    item::AppendJsonString(EnumText(value), to);
  } else if constexpr (std::is_integral_v<T>) {
    to += std::to_string(value);
  } else if constexpr (kIsMap<T>) {
    to += '{';
    bool first = true;
    for (const auto& [key, element] : value) {
      to += first ? "" : ",";
      first = false;
      item::AppendJsonString(key, to);
      to += ':';
      AppendAsJson(element, *schema.element, to);
    }
    to += '}';
  } else if constexpr (kIsVector<T>) {
    to += '[';
    bool first = true;
    for (const auto& element : value) {
      to += first ? "" : ",";
      first = false;
      AppendAsJson(element, *schema.element, to);
    }
    to += ']';
  } else {
    to += '{';
    if constexpr (kIsWrapped<T>) {
      item::AppendJsonString(schema.members[0].name, to);
      to += ":{";
    }
    JsonFields fields(kIsWrapped<T> ? *schema.members[0].schema : schema, &to);
    protocol::Fields(fields, value);
    to += kIsWrapped<T> ? "}}" : "}";
  }
}

Status CheckAsJson(std::string json, const Schema& schema) {
  json.reserve(json.size() + kBodyPaddingBytes);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(json.data(), json.size(), /*realloc_if_needed=*/true).get(document) !=
      simdjson::SUCCESS) {
    return InvalidArgument("text that is no UTF-8");
  }
  return CheckRequest(document, schema);
}

}  // namespace

template <typename Request>
Status CheckConstraints(const Request& request, const Schema& schema) {
  if (IsGood(request, schema)) return {};
  std::string json;
  AppendAsJson(request, schema, json);
  return CheckAsJson(std::move(json), schema);
}

#define VARVE_REQUEST(name) \
  template Status CheckConstraints(const item::name##Request& request, const Schema& schema);
VARVE_REQUEST(BatchExecuteStatement)
VARVE_REQUEST(BatchGetItem)
VARVE_REQUEST(BatchWriteItem)
VARVE_REQUEST(CreateTable)
VARVE_REQUEST(DeleteItem)
VARVE_REQUEST(DeleteTable)
VARVE_REQUEST(DescribeStream)
VARVE_REQUEST(DescribeTable)
VARVE_REQUEST(DescribeTimeToLive)
VARVE_REQUEST(ExecuteStatement)
VARVE_REQUEST(ExecuteTransaction)
VARVE_REQUEST(GetItem)
VARVE_REQUEST(GetRecords)
VARVE_REQUEST(GetShardIterator)
VARVE_REQUEST(ListStreams)
VARVE_REQUEST(ListTables)
VARVE_REQUEST(ListTagsOfResource)
VARVE_REQUEST(PutItem)
VARVE_REQUEST(Query)
VARVE_REQUEST(Scan)
VARVE_REQUEST(TagResource)
VARVE_REQUEST(TransactGetItems)
VARVE_REQUEST(TransactWriteItems)
VARVE_REQUEST(UntagResource)
VARVE_REQUEST(UpdateItem)
VARVE_REQUEST(UpdateTable)
VARVE_REQUEST(UpdateTimeToLive)
#undef VARVE_REQUEST

}  // namespace varve::server
