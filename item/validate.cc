// ValidateItem: whether bytes are an item's encoding, and the only one.
#include "base/coding.h"
#include "item/canonical.h"
#include "item/utf8.h"
#include "item/value.h"

namespace varve::item {
namespace {

// Checks values of one encoding; offsets in messages are from `start`.
class Validator {
 public:
  explicit Validator(std::string_view encoded) : start_(encoded.data()) {}

  // `depth` is that of a list or map, if `encoded` is one.
  Status Value(std::string_view encoded, int depth) const {
    if (encoded.empty()) return Bad(encoded, "value without a first byte");
    const uint8_t first = static_cast<uint8_t>(encoded[0]);
    const uint8_t flag = first >> 4;
    const auto type = static_cast<ValueType>(first & 0x0f);
    if (type > ValueType::kMap) return Bad(encoded, "unknown type");
    switch (type) {
      case ValueType::kNull:
      case ValueType::kBool:
        if (encoded.size() != 1 || flag > (type == ValueType::kBool)) {
          return Bad(encoded, "malformed null or bool");
        }
        return absl::OkStatus();
      case ValueType::kNumber:
      case ValueType::kString:
      case ValueType::kBinary:
        if (flag != 0) return Bad(encoded, "unknown flag");
        return Scalar(type, encoded.substr(1));
      default:
        return Container(type, flag, encoded, depth);
    }
  }

 private:
  Status Bad(std::string_view at, std::string_view what) const {
    return Corruption("item: {} at byte {}", what, at.data() - start_);
  }

  Status Scalar(ValueType type, std::string_view payload) const {
    if (type == ValueType::kNumber && EncodedNumberBytes(payload) != payload.size()) {
      return Bad(payload, "malformed number");
    }
    if (type == ValueType::kNumber && payload.empty()) return Bad(payload, "number without bytes");
    if (type == ValueType::kString && !IsUtf8(payload)) return Bad(payload, "string not UTF-8");
    return absl::OkStatus();
  }

  Status Container(ValueType type, uint8_t flag, std::string_view encoded, int depth) const {
    if (flag > 2) return Bad(encoded, "unknown width");
    if (!IsSet(type) && depth > kNestingDepthMax) return Bad(encoded, "nested too deep");
    const size_t width = size_t{1} << flag;
    const auto load = [&](size_t i) -> uint64_t {
      const char* p = encoded.data() + 1 + width * i;
      return width == 1 ? static_cast<uint8_t>(*p) : width == 2 ? LoadU16(p) : LoadU32(p);
    };
    if (encoded.size() < 1 + width) return Bad(encoded, "container cut short");
    const uint64_t count = load(0);
    const uint64_t body = 1 + width * (1 + count);
    if (body > encoded.size()) return Bad(encoded, "container cut short");
    const uint64_t body_bytes = encoded.size() - body;
    if (flag != (body_bytes < 0x100 ? 0 : body_bytes < 0x10000 ? 1 : 2)) {
      return Bad(encoded, "width not the smallest");
    }
    if (count == 0 && IsSet(type)) return Bad(encoded, "empty set");
    uint64_t begin = 0;
    std::string_view previous;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t end = load(1 + i);
      if (end < begin || end > body_bytes) return Bad(encoded, "element outside its container");
      std::string_view element = encoded.substr(body + begin, end - begin);
      std::string_view key = element;
      if (type == ValueType::kMap) {
        if (!TakeLengthPrefixed(element, &key) ||
            end - begin != VarintBytes(key.size()) + key.size() + element.size()) {
          return Bad(element, "malformed name");
        }
        if (key.empty() || key.size() > kAttributeNameBytesMax)
          return Bad(element, "length of a name");
        if (!IsUtf8(key)) return Bad(key, "name not UTF-8");
      }
      if (type != ValueType::kList && i > 0 && key <= previous) {
        return Bad(key, "elements out of order");
      }
      VARVE_RETURN_IF_ERROR(IsSet(type) ? Scalar(ElementType(type), element)
                                        : Value(element, depth + 1));
      previous = key;
      begin = end;
    }
    if (begin != body_bytes) return Bad(encoded, "bytes behind the last element");
    return absl::OkStatus();
  }

  const char* start_;
};

}  // namespace

Status ValidateItem(std::string_view encoded) {
  if (encoded.empty() || (encoded[0] & 0x0f) != static_cast<int>(ValueType::kMap)) {
    return Corruption("item: not a map");
  }
  return Validator(encoded).Value(encoded, 1);
}

Status ValidateValue(std::string_view encoded) { return Validator(encoded).Value(encoded, 2); }

}  // namespace varve::item
