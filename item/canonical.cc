#include "item/canonical.h"

#include <string_view>
#include <utility>

#include "base/coding.h"
#include "item/errors.h"
#include "item/number.h"
#include "item/utf8.h"
#include "item/value.h"

namespace varve::item {
namespace {

Status Malformed(std::string_view what) {
  return ValidationError("One or more parameter values were invalid: malformed encoding: {}", what);
}

// A number with leading or trailing zeros: its digits are read by their places.
StatusOr<Number> ReadNumber(std::string_view encoded) {
  if (encoded.size() < 2 || encoded.size() > 2 * kNumberBytesMax) return Malformed("number");
  const bool negative = (encoded[0] & 0x80) == 0;
  const uint8_t flip = negative ? 0xff : 0x00;
  const int first_exponent = (static_cast<uint8_t>(encoded[0]) ^ flip) - 0x80 - 65;
  std::string digits;
  for (size_t i = 1; i < encoded.size(); ++i) {
    const unsigned byte = static_cast<uint8_t>(encoded[i]) ^ flip;
    const bool is_last = i + 1 == encoded.size();
    if (byte >= 200 || ((byte & 1) == 0) != is_last) return Malformed("number");
    digits += static_cast<char>('0' + byte / 2 / 10);
    digits += static_cast<char>('0' + byte / 2 % 10);
  }
  const int pairs = static_cast<int>(encoded.size()) - 1;
  return Number::Parse(
      fmt::format("{}{}E{}", negative ? "-" : "", digits, 2 * (first_exponent - (pairs - 1))));
}

class Reader {
 public:
  // `depth` is that of a list or map, if `encoded` is one.
  Status Value(std::string_view encoded, int depth) {
    if (encoded.empty()) return Malformed("a value without a first byte");
    const int flag = static_cast<uint8_t>(encoded[0]) >> 4;
    const auto type = static_cast<ValueType>(encoded[0] & 0x0f);
    switch (type) {
      case ValueType::kNull:
        if (encoded.size() != 1 || flag != 0) return Malformed("null");
        to_.Null();
        return {};
      case ValueType::kBool:
        if (encoded.size() != 1 || flag > 1) return Malformed("bool");
        to_.Bool(flag == 1);
        return {};
      case ValueType::kNumber:
      case ValueType::kString:
      case ValueType::kBinary:
        if (flag != 0) return Malformed("an unknown flag");
        return Scalar(type, encoded.substr(1));
      case ValueType::kStringSet:
      case ValueType::kNumberSet:
      case ValueType::kBinarySet:
      case ValueType::kList:
      case ValueType::kMap:
        return Container(type, flag, encoded, depth);
    }
    return Malformed("an unknown type");
  }

  std::string Finish() { return to_.Finish(); }

 private:
  Status Scalar(ValueType type, std::string_view payload) {
    if (type == ValueType::kNumber) {
      VARVE_ASSIGN_OR_RETURN(const Number number, ReadNumber(payload));
      to_.Number(number);
      return {};
    }
    if (type == ValueType::kString && !IsUtf8(payload)) return Malformed("a string not UTF-8");
    to_.Element(type, payload);
    return {};
  }

  Status Container(ValueType type, int flag, std::string_view encoded, int depth) {
    if (flag > 2) return Malformed("an unknown width");
    if (!IsSet(type) && depth > kNestingDepthMax) return NestedTooDeep();
    const size_t width = size_t{1} << flag;
    const auto load = [&](size_t i) -> uint64_t {
      const char* p = encoded.data() + 1 + width * i;
      return width == 1 ? static_cast<uint8_t>(*p) : width == 2 ? LoadU16(p) : LoadU32(p);
    };
    if (encoded.size() < 1 + width) return Malformed("a container cut short");
    const uint64_t count = load(0);
    const uint64_t body = 1 + width * (1 + count);
    if (body > encoded.size()) return Malformed("a container cut short");
    if (count == 0 && IsSet(type)) {
      return ValidationError(
          "One or more parameter values were invalid: An {} set  may not be empty",
          type == ValueType::kNumberSet   ? "number"
          : type == ValueType::kStringSet ? "string"
                                          : "binary");
    }
    const uint64_t body_bytes = encoded.size() - body;
    if (type == ValueType::kMap) {
      to_.BeginMap();
    } else if (type == ValueType::kList) {
      to_.BeginList();
    } else {
      to_.BeginSet(type);
    }
    uint64_t begin = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t end = load(1 + i);
      if (end < begin || end > body_bytes) return Malformed("an element outside its container");
      std::string_view element = encoded.substr(body + begin, end - begin);
      begin = end;
      if (IsSet(type)) {
        VARVE_RETURN_IF_ERROR(Scalar(ElementType(type), element));
        continue;
      }
      if (type == ValueType::kMap) {
        std::string_view name;
        if (!TakeLengthPrefixed(element, &name)) return Malformed("a name cut short");
        if (name.empty()) return ValidationError("Empty attribute name");
        if (name.size() > kAttributeNameBytesMax) return AttributeNameTooLarge();
        if (!IsUtf8(name)) return Malformed("a name not UTF-8");
        to_.Name(name);
      }
      VARVE_RETURN_IF_ERROR(Value(element, depth + 1));
    }
    if (begin != body_bytes) return Malformed("bytes behind the last element");
    if (type == ValueType::kMap) {
      to_.EndMap();
    } else if (type == ValueType::kList) {
      to_.EndList();
    } else if (!to_.EndSet()) {
      return ValidationError(
          "One or more parameter values were invalid: Input collection contains duplicates.");
    }
    return {};
  }

  ValueBuilder to_;
};

Status MakeCanonical(std::string* encoded, int depth) {
  Reader reader;
  VARVE_RETURN_IF_ERROR(reader.Value(*encoded, depth));
  *encoded = reader.Finish();
  return {};
}

}  // namespace

Status NestedTooDeep() {
  return ValidationError(
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
      "beyond supported limit");
}

Status AttributeNameTooLarge() {
  return ValidationError(
      "One or more parameter values were invalid: Attribute name is too large, must be less than "
      "{} bytes",
      kAttributeNameBytesMax + 1);
}

Status MakeItemCanonical(std::string* encoded) {
  if (ValidateItem(*encoded).ok()) return {};
  if (encoded->empty() || (encoded->front() & 0x0f) != static_cast<int>(ValueType::kMap)) {
    return Malformed("an item that is no map");
  }
  return MakeCanonical(encoded, 1);
}

Status MakeValueCanonical(std::string* encoded) {
  if (ValidateValue(*encoded).ok()) return {};
  return MakeCanonical(encoded, 2);
}

}  // namespace varve::item
