// Messages as fields: what stands in a frame's payload, in the encoding of Protocol Buffers
// (https://protobuf.dev/programming-guides/encoding/), with one rule more: the numbers of fields
// ascend, and elements of a repeated field follow one another. So a reader goes through a message
// once, in the order of its own fields, and skips what it does not know.
//
// FieldWriter and FieldReader are two visitors with one interface. A message says once what its
// fields are,
//
//   template <typename Visitor, Like<Point> T>
//   void Fields(Visitor& visit, T& point) {
//     visit(1, "X", point.x);
//     visit(2, "Label", point.label);
//   }
//
// and Encode and Decode follow. Absent fields keep the value that the struct begins with; one that
// equals it is not written. In order of C++ types:
//
//   bool, enumerations, unsigned    varint
//   signed integers                 varint, zigzag
//   double                          eight bytes
//   std::string, Item, Value        length and bytes; items and values in their own encoding
//   a struct with Fields, pairs     length and fields; a pair has the fields 1 and 2
//   std::vector, ItemList           a field for each element
//   std::optional                   the field, even if it has the default value, or none
//   optional vectors                length and fields: each element is field 1
//   vectors of optionals            each element length and fields: field 1 or nothing
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/status.h"
#include "item/item_list.h"
#include "item/value.h"

namespace varve::protocol {

// T or const T.
template <typename T, typename Struct>
concept Like = std::same_as<std::remove_const_t<T>, Struct>;

// Whether items and values come from somebody who may send anything: they are validated then.
enum class Trust : uint8_t { kTrusted, kUntrusted };

// The largest enumerator; specialised for each enumeration that travels.
template <typename Enum>
inline constexpr uint64_t kEnumMax = 0;

namespace internal {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Fields stand in one another at most this deep.
inline constexpr int kDepthMax = 16;

template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
inline constexpr bool kIsPair = false;
template <typename A, typename B>
inline constexpr bool kIsPair<std::pair<A, B>> = true;
template <typename T>
inline constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// In this order: a mistake in a number would be silent otherwise.
inline uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
inline int64_t UnZigZag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

}  // namespace internal

// Appends the fields of a message.
class FieldWriter {
 public:
  explicit FieldWriter(std::string* to) : to_(to) {}

  // `standard` is what the field is where it is absent.
  template <typename T>
  void operator()(uint32_t number, std::string_view name, const T& value, const T& standard = {}) {
    if constexpr (internal::kIsScalar<T>) {
      if (value == standard) return;
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (value.empty()) return;
    }
    Write(number, value);
  }

  // A field of bytes, as operator() writes a string's or an item's.
  void Bytes(uint32_t number, std::string_view bytes) {
    Key(number, internal::WireType::kBytes);
    AppendLengthPrefixed(*to_, bytes);
  }

 private:
  void Key(uint32_t number, internal::WireType type) {
    AppendVarint(*to_, uint64_t{number} << 3 | static_cast<uint64_t>(type));
  }

  template <typename T>
  void Write(uint32_t number, const T& value) {
    if constexpr (std::is_same_v<T, double>) {
      Key(number, internal::WireType::kFixed64);
      AppendU64(*to_, std::bit_cast<uint64_t>(value));
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      Key(number, internal::WireType::kVarint);
      AppendVarint(*to_, static_cast<uint64_t>(value));
    } else if constexpr (std::is_integral_v<T>) {
      Key(number, internal::WireType::kVarint);
      AppendVarint(*to_,
                   std::is_signed_v<T> ? internal::ZigZag(value) : static_cast<uint64_t>(value));
    } else if constexpr (std::is_same_v<T, std::string>) {
      Bytes(number, value);
    } else if constexpr (std::is_same_v<T, item::Item> || std::is_same_v<T, item::Value>) {
      Bytes(number, value.encoded());
    } else if constexpr (std::is_same_v<T, item::ItemList>) {
      for (const item::ItemView& item : value) Bytes(number, item.encoded());
    } else if constexpr (internal::kIsOptional<T>) {
      if (!value) return;
      if constexpr (internal::kIsVector<typename T::value_type>) {
        Nested(number, [&](FieldWriter& list) { list.Write(1, *value); });
      } else {
        Write(number, *value);
      }
    } else if constexpr (internal::kIsVector<T>) {
      for (const auto& element : value) {
        if constexpr (internal::kIsOptional<typename T::value_type>) {
          Nested(number, [&](FieldWriter& optional) { optional.Write(1, element); });
        } else {
          Write(number, element);
        }
      }
    } else if constexpr (internal::kIsPair<T>) {
      Nested(number, [&](FieldWriter& pair) {
        pair.Write(1, value.first);
        pair.Write(2, value.second);
      });
    } else {
      Nested(number, [&](FieldWriter& message) { Fields(message, value); });
    }
  }

  template <typename Body>
  void Nested(uint32_t number, Body body) {
    Key(number, internal::WireType::kBytes);
    // Most are short: one byte for the length, and room made where that turns out too little.
    const size_t length_at = to_->size();
    to_->push_back(0);
    FieldWriter inner(to_);
    body(inner);
    const size_t length = to_->size() - length_at - 1;
    const size_t width = VarintBytes(length);
    if (width > 1) to_->insert(length_at, width - 1, '\0');
    StoreVarint(to_->data() + length_at, length);
  }

  std::string* const to_;
};

// Reads the fields of a message, in their order. What is wrong is kept in status(); after a mistake
// nothing more is read.
class FieldReader {
 public:
  FieldReader(std::string_view bytes, Trust trust, int depth = 0)
      : begin_(bytes.data()),
        p_(bytes.data()),
        end_(bytes.data() + bytes.size()),
        trust_(trust),
        depth_(depth) {}

  template <typename T>
  void operator()(uint32_t number, std::string_view name, T& value, const T& standard = {}) {
    if (!SeekTo(number)) return;
    if constexpr (internal::kIsVector<T> || std::is_same_v<T, item::ItemList>) {
      value = T();
      do {
        ReadElement(name, value);
      } while (status_.ok() && SeekTo(number));
    } else {
      Read(name, value);
      if (status_.ok() && SeekTo(number)) Fail(name, "is there twice");
    }
  }

  // The bytes of field `number`; nothing if it is absent. As operator() for what is kept elsewhere.
  std::optional<std::string_view> Bytes(uint32_t number, std::string_view name) {
    if (!SeekTo(number)) return std::nullopt;
    const std::string_view bytes = ReadBytes(name);
    if (!status_.ok()) return std::nullopt;
    return bytes;
  }

  // Goes over what is left: fields with numbers that this reader does not know. Returns status().
  Status Finish();

  const Status& status() const { return status_; }

 private:
  // Skips fields below `number`. Whether a field `number` is next; its key is read then.
  bool SeekTo(uint32_t number) {
    while (status_.ok() && (has_key_ || p_ < end_)) {
      if (!has_key_ && !ReadKey()) return false;
      if (key_number_ > number) return false;
      has_key_ = false;
      if (key_number_ == number) return true;
      Skip();
    }
    return false;
  }

  bool ReadKey();
  void Skip();
  uint64_t ReadVarint(std::string_view name);
  double ReadDouble(std::string_view name);
  std::string_view ReadBytes(std::string_view name);
  void Fail(std::string_view name, std::string_view what);
  // Refuses what is not UTF-8 and not to be trusted: names and texts end up in items.
  void CheckText(std::string_view name, std::string_view text);
  // Validates an item or value that is not to be trusted; `bytes` may be made canonical.
  void CheckItem(std::string_view name, std::string* bytes);
  void CheckValue(std::string_view name, std::string* bytes);

  template <typename T>
  void Read(std::string_view name, T& value) {
    if constexpr (std::is_same_v<T, double>) {
      value = ReadDouble(name);
    } else if constexpr (std::is_same_v<T, bool>) {
      value = ReadVarint(name) != 0;
    } else if constexpr (std::is_enum_v<T>) {
      const uint64_t number = ReadVarint(name);
      if (number > kEnumMax<T>) return Fail(name, "has a value that has no meaning");
      value = static_cast<T>(number);
    } else if constexpr (std::is_integral_v<T>) {
      const uint64_t number = ReadVarint(name);
      if constexpr (std::is_signed_v<T>) {
        static_assert(sizeof(T) == sizeof(int64_t));
        value = internal::UnZigZag(number);
      } else {
        value = static_cast<T>(number);
        if (value != number) Fail(name, "is too large");
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = ReadBytes(name);
      CheckText(name, value);
    } else if constexpr (std::is_same_v<T, item::Item>) {
      std::string bytes(ReadBytes(name));
      CheckItem(name, &bytes);
      if (status_.ok()) value = item::Item(std::move(bytes));
    } else if constexpr (std::is_same_v<T, item::Value>) {
      std::string bytes(ReadBytes(name));
      CheckValue(name, &bytes);
      if (status_.ok()) value = item::Value(std::move(bytes));
    } else if constexpr (internal::kIsOptional<T>) {
      typename T::value_type& inner = value.emplace();
      if constexpr (internal::kIsVector<typename T::value_type>) {
        ReadNested(name, [&](FieldReader& list) { list(1, name, inner); });
      } else {
        Read(name, inner);
      }
    } else if constexpr (internal::kIsPair<T>) {
      ReadNested(name, [&](FieldReader& pair) {
        pair(1, name, value.first);
        pair(2, name, value.second);
      });
    } else {
      ReadNested(name, [&](FieldReader& message) { Fields(message, value); });
    }
  }

  template <typename T>
  void ReadElement(std::string_view name, std::vector<T>& values) {
    T& value = values.emplace_back();
    if constexpr (internal::kIsOptional<T>) {
      ReadNested(name, [&](FieldReader& optional) { optional(1, name, value); });
    } else {
      Read(name, value);
    }
  }
  void ReadElement(std::string_view name, item::ItemList& items) {
    std::string bytes(ReadBytes(name));
    CheckItem(name, &bytes);
    if (status_.ok()) items.Append(item::ItemView(bytes));
  }

  template <typename Body>
  void ReadNested(std::string_view name, Body body) {
    const std::string_view bytes = ReadBytes(name);
    if (!status_.ok()) return;
    if (depth_ >= internal::kDepthMax) return Fail(name, "is nested too deep");
    FieldReader inner(bytes, trust_, depth_ + 1);
    body(inner);
    status_ = inner.Finish();
  }

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const Trust trust_;
  const int depth_;
  bool has_key_ = false;
  uint32_t key_number_ = 0;
  internal::WireType key_type_ = internal::WireType::kVarint;
  Status status_;
};

// Appends the fields of `message`.
template <typename Message>
void EncodeFields(const Message& message, std::string& to) {
  FieldWriter writer(&to);
  Fields(writer, message);
}

// Reads them into `message`, which is new. InvalidArgument says what is wrong with which field.
template <typename Message>
Status DecodeFields(std::string_view bytes, Trust trust, Message* message) {
  FieldReader reader(bytes, trust);
  Fields(reader, *message);
  return reader.Finish();
}

}  // namespace varve::protocol
