#include "item/json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "item/base64.h"
#include "item/canonical.h"
#include "item/errors.h"

namespace varve::item {
namespace {

namespace dom = simdjson::dom;

Status TypesDoNotFit() {
  return MakeError(ErrorType::kSerializationException, "Unexpected value type in payload");
}

// Reads attribute values into one builder.
class Reader {
 public:
  Reader(ValueBuilder& builder, ValueWording wording) : builder_(builder), wording_(wording) {}

  // {"S": ...}. `depth` is how many lists and maps of the same attribute are open.
  Status Value(const dom::element& json, int depth) {
    dom::object object;
    if (json.get_object().get(object) != simdjson::SUCCESS) return TypesDoNotFit();
    std::string_view type;
    dom::element content;
    size_t types = 0;
    for (const dom::key_value_pair field : object) {
      if (field.value.is_null() || !IsTypeName(field.key)) continue;
      if (types > 0 && field.key != type) ++types;
      if (types == 0) types = 1;
      type = field.key;
      content = field.value;
    }
    if (types == 0) {
      return ValidationError(
          "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    }
    if (types > 1) {
      return ValidationError(
          "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
          "the supported datatypes");
    }
    return Content(type, content, depth);
  }

  // {"name": {"S": ...}, ...} as a map.
  Status Attributes(const dom::element& json, int depth) {
    dom::object object;
    if (json.get_object().get(object) != simdjson::SUCCESS) return TypesDoNotFit();
    builder_.BeginMap();
    for (const dom::key_value_pair field : object) {
      if (field.value.is_null()) continue;
      if (field.key.empty()) return ValidationError("Empty attribute name");
      if (field.key.size() > kAttributeNameBytesMax) {
        return AttributeNameTooLarge();
      }
      builder_.Name(field.key);
      VARVE_RETURN_IF_ERROR(Value(field.value, depth));
    }
    builder_.EndMap();
    return absl::OkStatus();
  }

 private:
  static bool IsTypeName(std::string_view name) {
    for (const std::string_view type :
         {"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}) {
      if (name == type) return true;
    }
    return false;
  }

  Status Content(std::string_view type, const dom::element& json, int depth) {
    if (type == "S") {
      VARVE_ASSIGN_OR_RETURN(const std::string_view text, Text(json));
      builder_.String(text);
    } else if (type == "N") {
      VARVE_ASSIGN_OR_RETURN(const Number number, NumberOf(json));
      builder_.Number(number);
    } else if (type == "B") {
      VARVE_RETURN_IF_ERROR(Bytes(json));
      builder_.Binary(bytes_);
    } else if (type == "BOOL") {
      VARVE_ASSIGN_OR_RETURN(const bool value, Boolean(json));
      builder_.Bool(value);
    } else if (type == "NULL") {
      VARVE_ASSIGN_OR_RETURN(const bool value, Boolean(json));
      if (!value) {
        return ValidationError(
            "One or more parameter values were invalid: Null attribute value types must have the "
            "value of true");
      }
      builder_.Null();
    } else if (type == "M") {
      if (depth >= kValueDepthMax) return NestedTooDeep();
      return Attributes(json, depth + 1);
    } else if (type == "L") {
      if (depth >= kValueDepthMax) return NestedTooDeep();
      dom::array array;
      if (json.get_array().get(array) != simdjson::SUCCESS) return TypesDoNotFit();
      builder_.BeginList();
      for (const dom::element element : array) VARVE_RETURN_IF_ERROR(Value(element, depth + 1));
      builder_.EndList();
    } else {
      return Set(type, json);
    }
    return absl::OkStatus();
  }

  Status Set(std::string_view type, const dom::element& json) {
    dom::array array;
    if (json.get_array().get(array) != simdjson::SUCCESS) return TypesDoNotFit();
    if (array.size() == 0) {
      if (type == "BS") {
        return ValidationError(
            "One or more parameter values were invalid: Binary sets should not be empty");
      }
      return ValidationError(
          "One or more parameter values were invalid: An {} set  may not be empty",
          type == "SS" ? "string" : "number");
    }
    builder_.BeginSet(type == "SS"   ? ValueType::kStringSet
                      : type == "NS" ? ValueType::kNumberSet
                                     : ValueType::kBinarySet);
    for (const dom::element element : array) {
      if (type == "SS") {
        VARVE_ASSIGN_OR_RETURN(const std::string_view text, Text(element));
        builder_.String(text);
      } else if (type == "NS") {
        VARVE_ASSIGN_OR_RETURN(const Number number, NumberOf(element));
        builder_.Number(number);
      } else {
        VARVE_RETURN_IF_ERROR(Bytes(element));
        builder_.Binary(bytes_);
      }
    }
    if (builder_.EndSet()) return absl::OkStatus();
    return Duplicates(type, array);
  }

  // Elements have been read, so they are strings.
  Status Duplicates(std::string_view type, const dom::array& array) const {
    const bool older = wording_ == ValueWording::kOlder;
    if (type == "NS") {
      return older ? ValidationError("Input collection contains duplicates")
                   : ValidationError(
                         "One or more parameter values were invalid: Input collection contains "
                         "duplicates.");
    }
    std::vector<std::string_view> elements;
    for (const dom::element element : array) {
      elements.push_back(element.get_string().value_unsafe());
    }
    std::string text = "[";
    if (older) {
      text += fmt::format("{}", fmt::join(elements, ", "));
    } else {
      SortToFirstRepeated(type == "BS", elements);
      for (size_t i = 0; i < elements.size(); ++i) {
        if (i > 0) text += type == "BS" ? "," : ", ";
        text += fmt::format("\"{}\"", elements[i]);
      }
    }
    return ValidationError(
        "One or more parameter values were invalid: Input collection {}]{} contains duplicates.",
        text, type == "BS" ? "of type BS" : "");
  }

  // The service prints a set's elements as far as it has put them in order when it meets one again.
  static void SortToFirstRepeated(bool base64, std::vector<std::string_view>& elements) {
    const auto bytes = [base64](std::string_view element) {
      std::string decoded(element);
      if (base64) DecodeBase64(element, &decoded);
      return decoded;
    };
    std::set<std::string> seen;
    auto end = elements.begin();
    while (end != elements.end() && seen.insert(bytes(*end)).second) ++end;
    std::sort(elements.begin(), end,
              [&](std::string_view a, std::string_view b) { return bytes(a) < bytes(b); });
  }

  static StatusOr<std::string_view> Text(const dom::element& json) {
    std::string_view text;
    if (json.get_string().get(text) != simdjson::SUCCESS) return TypesDoNotFit();
    return text;
  }

  StatusOr<Number> NumberOf(const dom::element& json) const {
    VARVE_ASSIGN_OR_RETURN(const std::string_view text, Text(json));
    StatusOr<Number> number = Number::Parse(text);
    if (number.ok() || wording_ == ValueWording::kCurrent) return number;
    return OlderNumberError(text, number.status());
  }

  // The older words are those of a decimal whose exponent has 32 bits: one that doesn't fit is no
  // number, and the magnitude of one that nearly doesn't wraps around.
  static Status OlderNumberError(std::string_view text, const Status& error) {
    if (text.empty()) {
      return ValidationError("The parameter cannot be converted to a numeric value");
    }
    const size_t e = text.find_first_of("eE");
    if (e == std::string_view::npos) return error;
    const char* begin = text.data() + e + 1;
    if (begin < text.data() + text.size() && *begin == '+') ++begin;
    int32_t exponent = 0;
    const auto result = std::from_chars(begin, text.data() + text.size(), exponent);
    if (result.ec == std::errc::result_out_of_range) {
      return ValidationError("The parameter cannot be converted to a numeric value: {}", text);
    }
    if (result.ec == std::errc() && exponent == INT32_MAX) {
      return ValidationError(
          "Number underflow. Attempting to store a number with magnitude smaller than supported "
          "range");
    }
    return error;
  }

  static StatusOr<bool> Boolean(const dom::element& json) {
    bool value;
    if (json.get_bool().get(value) == simdjson::SUCCESS) return value;
    VARVE_ASSIGN_OR_RETURN(const std::string_view text, Text(json));
    // As lenient as the service's parser.
    std::string lower(text);
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (lower == "true" || lower == "1" || lower == "yes") return true;
    if (lower == "false" || lower == "0" || lower == "no") return false;
    return MakeError(ErrorType::kSerializationException, "Unexpected token received from parser");
  }

  // Into bytes_.
  Status Bytes(const dom::element& json) {
    VARVE_ASSIGN_OR_RETURN(const std::string_view text, Text(json));
    if (DecodeBase64(text, &bytes_)) return absl::OkStatus();
    if (text.size() % 4 != 0) {
      return MakeError(
          ErrorType::kSerializationException,
          fmt::format("Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                      text.size()));
    }
    return MakeError(ErrorType::kSerializationException,
                     "Invalid last non-pad Base64 character dectected");
  }

  ValueBuilder& builder_;
  const ValueWording wording_;
  std::string bytes_;
};

void AppendSet(const SetView& set, std::string& to) {
  to.push_back('[');
  bool first = true;
  for (const std::string_view element : set) {
    if (!first) to.push_back(',');
    first = false;
    switch (set.element_type()) {
      case ValueType::kNumber:
        to.append("\"").append(Number::Decode(element).ToString()).append("\"");
        break;
      case ValueType::kBinary:
        to.push_back('"');
        AppendBase64(element, to);
        to.push_back('"');
        break;
      default:
        AppendJsonString(element, to);
    }
  }
  to.push_back(']');
}

}  // namespace

StatusOr<Value> ValueFromJson(const dom::element& json, ValueWording wording) {
  ValueBuilder builder;
  VARVE_RETURN_IF_ERROR(Reader(builder, wording).Value(json, 0));
  return Value(builder.Finish());
}

StatusOr<Item> ItemFromJson(const dom::element& json, ValueWording wording) {
  ValueBuilder builder;
  VARVE_RETURN_IF_ERROR(Reader(builder, wording).Attributes(json, 0));
  return Item(builder.Finish());
}

Status ExpressionValuesFromJson(const dom::element& json, ExpressionParameters* parameters,
                                ValueWording wording) {
  dom::object object;
  if (json.get_object().get(object) != simdjson::SUCCESS) return TypesDoNotFit();
  expression::AttributeValues& values = parameters->values.emplace();
  for (const dom::key_value_pair field : object) {
    if (field.value.is_null()) continue;
    StatusOr<Value> value = ValueFromJson(field.value, wording);
    if (value.ok()) {
      values.emplace_back(field.key, *std::move(value));
      continue;
    }
    if (TypeOfError(value.status()) != ErrorType::kValidationException) return value.status();
    values.emplace_back(field.key, Value());
    if (!parameters->invalid_value.ok()) continue;
    parameters->invalid_value = value.status();
    if (wording == ValueWording::kOlder) {
      parameters->invalid_value =
          ValidationError("ExpressionAttributeValues contains invalid value: {} for key {}",
                          Message(value.status()), field.key);
    }
  }
  return absl::OkStatus();
}

void AppendJsonString(std::string_view text, std::string& to) {
  to.push_back('"');
  size_t plain = 0;  // what is copied as it is begins here
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t c = static_cast<uint8_t>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    to.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"':
        to.append("\\\"");
        break;
      case '\\':
        to.append("\\\\");
        break;
      case '\n':
        to.append("\\n");
        break;
      case '\r':
        to.append("\\r");
        break;
      case '\t':
        to.append("\\t");
        break;
      default:
        fmt::format_to(std::back_inserter(to), "\\u{:04x}", c);
    }
  }
  to.append(text, plain);
  to.push_back('"');
}

void AppendJson(ValueView value, std::string& to) {
  to.append("{\"").append(TypeName(value.type())).append("\":");
  switch (value.type()) {
    case ValueType::kNull:
      to.append("true");
      break;
    case ValueType::kBool:
      to.append(value.boolean() ? "true" : "false");
      break;
    case ValueType::kNumber:
      to.append("\"").append(value.number().ToString()).append("\"");
      break;
    case ValueType::kString:
      AppendJsonString(value.text(), to);
      break;
    case ValueType::kBinary:
      to.push_back('"');
      AppendBase64(value.text(), to);
      to.push_back('"');
      break;
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet:
      AppendSet(value.set(), to);
      break;
    case ValueType::kList: {
      to.push_back('[');
      bool first = true;
      for (const ValueView element : value.list()) {
        if (!first) to.push_back(',');
        first = false;
        AppendJson(element, to);
      }
      to.push_back(']');
      break;
    }
    case ValueType::kMap:
      AppendJson(value.map(), to);
      break;
    default:  // bytes that are no value
      to.append("null");
  }
  to.push_back('}');
}

void AppendJson(const ItemView& item, std::string& to) {
  to.push_back('{');
  bool first = true;
  for (const NamedValue attribute : item) {
    if (!first) to.push_back(',');
    first = false;
    AppendJsonString(attribute.name, to);
    to.push_back(':');
    AppendJson(attribute.value, to);
  }
  to.push_back('}');
}

}  // namespace varve::item
