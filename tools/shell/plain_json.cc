#include "tools/shell/plain_json.h"

#include <simdjson.h>

#include <optional>
#include <utility>

#include "item/base64.h"
#include "item/json.h"
#include "item/number.h"

namespace varve::tools {
namespace {

namespace dom = simdjson::dom;
using item::ValueBuilder;
using item::ValueType;

constexpr char kStringMark = 's';
constexpr char kNumberMark = 'n';

// The parser reads numbers as binary ones, which have fewer digits than ours. So they go through it
// as strings: every string gets a mark in front, and every number becomes a string with another.
std::string MarkTokens(std::string_view json) {
  std::string marked;
  marked.reserve(json.size() + json.size() / 4);
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      marked += {c, kStringMark};
      for (++i; i < json.size() && json[i] != '"'; ++i) {
        marked += json[i];
        if (json[i] == '\\' && i + 1 < json.size()) marked += json[++i];
      }
      if (i < json.size()) marked += '"';
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      const size_t end = std::min(json.find_first_not_of("+-.0123456789eE", i), json.size());
      marked += {'"', kNumberMark};
      marked += json.substr(i, end - i);
      marked += '"';
      i = end - 1;
    } else {
      marked += c;
    }
  }
  return marked;
}

std::optional<ValueType> TypeNamed(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ValueType::kMap); ++i) {
    const auto type = static_cast<ValueType>(i);
    if (item::TypeName(type) == name) return type;
  }
  return std::nullopt;
}

bool IsString(const dom::element& json) {
  return json.is_string() && json.get_string().value_unsafe()[0] == kStringMark;
}
std::string_view TextOf(const dom::element& json) {
  return json.get_string().value_unsafe().substr(1);
}
dom::object ObjectOf(const dom::element& json) { return json.get_object().value_unsafe(); }
dom::array ArrayOf(const dom::element& json) { return json.get_array().value_unsafe(); }

bool IsListOfStrings(const dom::element& json) {
  if (!json.is_array()) return false;
  for (const dom::element& element : ArrayOf(json)) {
    if (!IsString(element)) return false;
  }
  return true;
}

class Reader {
 public:
  Status Read(const dom::element& json, int depth) {
    if (json.is_null()) {
      builder_.Null();
    } else if (json.is_bool()) {
      builder_.Bool(json.get_bool().value_unsafe());
    } else if (IsString(json)) {
      builder_.String(TextOf(json));
    } else if (json.is_string()) {
      return ReadNumber(TextOf(json));
    } else if (json.is_array()) {
      return ReadList(ArrayOf(json), depth);
    } else {
      const dom::object object = ObjectOf(json);
      if (object.size() == 1) {
        const dom::key_value_pair member = *object.begin();
        const std::optional<ValueType> type = TypeNamed(member.key.substr(1));
        if (type && Fits(*type, member.value)) return ReadTyped(*type, member.value, depth);
      }
      return ReadMap(object, depth);
    }
    return absl::OkStatus();
  }

  Status ReadMap(const dom::object& object, int depth) {
    if (depth > item::kNestingDepthMax) return TooDeep();
    builder_.BeginMap();
    for (const dom::key_value_pair& member : object) {
      builder_.Name(member.key.substr(1));
      VARVE_RETURN_IF_ERROR(Read(member.value, depth + 1));
    }
    builder_.EndMap();
    return absl::OkStatus();
  }

  std::string Finish() { return builder_.Finish(); }

 private:
  static Status TooDeep() {
    return InvalidArgument("nested deeper than {} levels", item::kNestingDepthMax);
  }

  // Whether {"<type>": json} is DynamoDB's form of a value.
  static bool Fits(ValueType type, const dom::element& json) {
    switch (type) {
      case ValueType::kNull:
        return json.is_bool() && json.get_bool().value_unsafe();
      case ValueType::kBool:
        return json.is_bool();
      case ValueType::kNumber:
      case ValueType::kString:
      case ValueType::kBinary:
        return IsString(json);
      case ValueType::kStringSet:
      case ValueType::kNumberSet:
      case ValueType::kBinarySet:
        return IsListOfStrings(json) && ArrayOf(json).size() > 0;
      case ValueType::kList:
        return json.is_array();
      case ValueType::kMap:
        return json.is_object();
    }
    return false;
  }

  Status ReadTyped(ValueType type, const dom::element& json, int depth) {
    switch (type) {
      case ValueType::kNull:
        builder_.Null();
        return absl::OkStatus();
      case ValueType::kBool:
        builder_.Bool(json.get_bool().value_unsafe());
        return absl::OkStatus();
      case ValueType::kList:
        return ReadList(ArrayOf(json), depth);
      case ValueType::kMap:
        return ReadMap(ObjectOf(json), depth);
      case ValueType::kNumber:
      case ValueType::kString:
      case ValueType::kBinary:
        return ReadScalar(type, TextOf(json));
      default:
        builder_.BeginSet(type);
        for (const dom::element& element : ArrayOf(json)) {
          VARVE_RETURN_IF_ERROR(ReadScalar(item::ElementType(type), TextOf(element)));
        }
        if (!builder_.EndSet()) return InvalidArgument("an element of a set comes twice");
        return absl::OkStatus();
    }
  }

  Status ReadScalar(ValueType type, std::string_view text) {
    if (type == ValueType::kNumber) return ReadNumber(text);
    if (type == ValueType::kString) {
      builder_.String(text);
      return absl::OkStatus();
    }
    std::string bytes;
    if (!item::DecodeBase64(text, &bytes)) return InvalidArgument("not base64: {}", text);
    builder_.Binary(bytes);
    return absl::OkStatus();
  }

  Status ReadNumber(std::string_view text) {
    const StatusOr<item::Number> number = item::Number::Parse(text);
    if (!number.ok()) return InvalidArgument("{}: {}", text, Message(number.status()));
    builder_.Number(*number);
    return absl::OkStatus();
  }

  Status ReadList(const dom::array& array, int depth) {
    if (depth > item::kNestingDepthMax) return TooDeep();
    builder_.BeginList();
    for (const dom::element& element : array) VARVE_RETURN_IF_ERROR(Read(element, depth + 1));
    builder_.EndList();
    return absl::OkStatus();
  }

  ValueBuilder builder_;
};

// `document` refers to `parser`.
Status Parse(std::string_view text, dom::parser* parser, dom::element* document) {
  const simdjson::padded_string marked(MarkTokens(text));
  if (const auto error = parser->parse(marked).get(*document)) {
    return InvalidArgument("not JSON ({}): {}", simdjson::error_message(error), text);
  }
  return absl::OkStatus();
}

void AppendMap(const item::MapView& map, std::string& to) {
  to += '{';
  bool first = true;
  for (const item::NamedValue& member : map) {
    if (!first) to += ", ";
    first = false;
    item::AppendJsonString(member.name, to);
    to += ": ";
    AppendPlain(member.value, to);
  }
  to += '}';
}

}  // namespace

StatusOr<item::Value> ParsePlainValue(std::string_view text) {
  dom::parser parser;
  dom::element document;
  VARVE_RETURN_IF_ERROR(Parse(text, &parser, &document));
  Reader reader;
  // An attribute's value is one level below the item.
  VARVE_RETURN_IF_ERROR(reader.Read(document, 2));
  return item::Value(reader.Finish());
}

StatusOr<item::Item> ParsePlainItem(std::string_view text) {
  dom::parser parser;
  dom::element document;
  VARVE_RETURN_IF_ERROR(Parse(text, &parser, &document));
  if (!document.is_object()) return InvalidArgument("should be a JSON object: {}", text);
  Reader reader;
  VARVE_RETURN_IF_ERROR(reader.ReadMap(ObjectOf(document), 1));
  return item::Item(reader.Finish());
}

void AppendPlain(item::ValueView value, std::string& to) {
  switch (value.type()) {
    case ValueType::kNull:
      to += "null";
      return;
    case ValueType::kBool:
      to += value.boolean() ? "true" : "false";
      return;
    case ValueType::kNumber:
      to += value.number().ToString();
      return;
    case ValueType::kString:
      item::AppendJsonString(value.text(), to);
      return;
    case ValueType::kList: {
      to += '[';
      bool first = true;
      for (const item::ValueView element : value.list()) {
        if (!first) to += ", ";
        first = false;
        AppendPlain(element, to);
      }
      to += ']';
      return;
    }
    case ValueType::kMap: {
      const item::MapView map = value.map();
      const bool looks_typed = map.count() == 1 && TypeNamed(map.at(0).name).has_value();
      if (looks_typed) to += "{\"M\": ";
      AppendMap(map, to);
      if (looks_typed) to += '}';
      return;
    }
    default:
      item::AppendJson(value, to);
  }
}

void AppendPlain(const item::ItemView& item, std::string& to) { AppendMap(item, to); }

}  // namespace varve::tools
