// Attribute values and items as bytes: views that read them in place and a builder that writes
// them.
//
// An item is stored, logged and sent as one encoded map. Any attribute is found by a binary search
// over its names without decoding the others, and nothing is ever copied out to be read.
//
//   ItemView item(bytes);
//   if (std::optional<ValueView> size = item.Find("Size"); size && size->type() ==
//   ValueType::kNumber)
//     Use(size->number());
//
//   ValueBuilder builder;
//   builder.BeginMap();
//   builder.Name("Name").String("varve");
//   builder.Name("Tags").BeginSet(ValueType::kStringSet);
//   builder.String("db").String("lsm");
//   if (!builder.EndSet()) ... an element came twice;
//   builder.EndMap();
//   Item item(builder.Finish());
//
// Encoding (docs/item.md draws it). The first byte's low four bits are the type, its high four a
// flag:
//
//   null, bool           nothing more; a bool's flag is its value
//   number               item/number.h
//   string, binary       the bytes
//   sets, list, map      flag: width w of the integers that follow, 0: 1 byte, 1: 2 bytes, 2: 4
//   bytes
//                        count (w), the end of each element relative to the first one's start (w
//                        each), then the elements:
//     list               encoded values
//     map                name length (varint), name, encoded value; ascending by the names' bytes
//     sets               bytes of strings or binaries, or encoded numbers, without a first byte;
//                        ascending by those bytes, no two the same
//
// w is the smallest width that holds the elements' total length. So a value has exactly one
// encoding, and two values are equal if and only if their bytes are. Integers are little-endian.
// Lengths come from outside: from the enclosing container, or from the engine's entry.
//
// Views refer to memory that somebody else keeps alive; they are cheap to copy and thread-safe.
// They trust their bytes to the extent that a malformed encoding gives wrong values but no access
// outside the bytes; bytes from outside are checked once by ValidateItem.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "item/number.h"

namespace varve::item {

// Part of the format.
enum class ValueType : uint8_t {
  kNull = 0,
  kBool = 1,
  kNumber = 2,
  kString = 3,
  kBinary = 4,
  kStringSet = 5,
  kNumberSet = 6,
  kBinarySet = 7,
  kList = 8,
  kMap = 9,
};

// "NULL", "BOOL", "N", "S", "B", "SS", "NS", "BS", "L", "M".
std::string_view TypeName(ValueType type);
// The type of a set's elements: string, number or binary.
ValueType ElementType(ValueType set_type);
bool IsSet(ValueType type);

// An item's lists and maps may stand in one another to this depth, the item itself being the first,
// so that an attribute's value may have a depth() of 31.
inline constexpr int kNestingDepthMax = 32;
inline constexpr int kValueDepthMax = kNestingDepthMax - 1;
// DynamoDB's 400 KB, by its own way of counting (ItemView::size_bytes).
inline constexpr size_t kItemSizeBytesMax = 400 * 1024;

class ListView;
class MapView;
class SetView;

class ValueView {
 public:
  // Null.
  ValueView() : encoded_("\0", 1) {}
  // `encoded` is one whole encoded value, at least one byte.
  explicit ValueView(std::string_view encoded) : encoded_(encoded) {}

  std::string_view encoded() const { return encoded_; }
  ValueType type() const { return static_cast<ValueType>(encoded_[0] & 0x0f); }
  bool Is(ValueType type) const { return this->type() == type; }

  // Each is for its type only.
  bool boolean() const { return (encoded_[0] & 0xf0) != 0; }
  std::string_view text() const { return encoded_.substr(1); }  // of a string or a binary
  Number number() const { return Number::Decode(encoded_number()); }
  std::string_view encoded_number() const { return encoded_.substr(1); }  // compares as numbers do
  SetView set() const;
  ListView list() const;
  MapView map() const;

  // DynamoDB's size of the value: bytes of strings and binaries, NumberSizeBytes of numbers, 1 for
  // null and bool, the sum of a set's elements, 3 for a list or map plus for each element 1, its
  // name and its value.
  size_t size_bytes() const;

  // How many lists and maps stand in one another: 0 for scalars and sets.
  int depth() const;

  friend bool operator==(ValueView a, ValueView b) { return a.encoded_ == b.encoded_; }

 private:
  std::string_view encoded_;
};

// The order of two values of one scalar type (number, string, binary): negative, 0 or positive;
// nothing if the types differ or have no order.
std::optional<int> CompareScalars(ValueView a, ValueView b);

namespace internal {

// The slices of a set, list or map.
class Container {
 public:
  explicit Container(std::string_view encoded);

  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::string_view encoded() const { return encoded_; }
  // i < count().
  std::string_view slice(size_t i) const;

 protected:
  // Of the integers before the elements.
  uint8_t width() const { return width_; }
  // All of them; only if there are any.
  std::string_view elements() const { return encoded_.substr(body_); }

 private:
  uint32_t End(size_t i) const;  // of slice i

  std::string_view encoded_;
  uint32_t count_ = 0;
  uint32_t body_ = 0;  // where the elements begin
  uint8_t width_ = 1;
};

// Iterates a view by index; its `View` has `at(i)`.
template <typename View>
struct IndexIterator {
  const View* view;
  size_t i;
  auto operator*() const { return view->at(i); }
  IndexIterator& operator++() {
    ++i;
    return *this;
  }
  friend bool operator==(IndexIterator a, IndexIterator b) { return a.i == b.i; }
};

}  // namespace internal

// Elements ascending by their bytes.
class SetView : public internal::Container {
 public:
  using Container::Container;

  ValueType type() const { return static_cast<ValueType>(encoded()[0] & 0x0f); }
  ValueType element_type() const { return ElementType(type()); }

  // The bytes of a string or binary, or an encoded number. (To hand on an element as a value, give
  // it to ValueBuilder::Element.)
  std::string_view at(size_t i) const { return slice(i); }
  // `element` in the same form.
  bool Contains(std::string_view element) const;

  internal::IndexIterator<SetView> begin() const { return {this, 0}; }
  internal::IndexIterator<SetView> end() const { return {this, count()}; }
};

class ListView : public internal::Container {
 public:
  using Container::Container;

  ValueView at(size_t i) const {
    const std::string_view element = slice(i);
    return element.empty() ? ValueView() : ValueView(element);
  }

  internal::IndexIterator<ListView> begin() const { return {this, 0}; }
  internal::IndexIterator<ListView> end() const { return {this, count()}; }
};

// One attribute.
struct NamedValue {
  std::string_view name;
  ValueView value;
};

// Attributes ascending by name.
class MapView : public internal::Container {
 public:
  // The empty map.
  MapView() : Container(std::string_view("\x09\0", 2)) {}
  using Container::Container;

  NamedValue at(size_t i) const;
  std::optional<ValueView> Find(std::string_view name) const;

  ValueView value() const { return ValueView(encoded()); }

  // DynamoDB's size of an item: the sum of its names and values, without the 3 bytes of a nested
  // map.
  size_t size_bytes() const;

  friend bool operator==(const MapView& a, const MapView& b) { return a.encoded() == b.encoded(); }

  internal::IndexIterator<MapView> begin() const { return {this, 0}; }
  internal::IndexIterator<MapView> end() const { return {this, count()}; }

 private:
  template <uint8_t kWidth>
  std::optional<ValueView> FindWithWidth(std::string_view name) const;
};

// A whole item is a map.
using ItemView = MapView;

inline SetView ValueView::set() const { return SetView(encoded_); }
inline ListView ValueView::list() const { return ListView(encoded_); }
inline MapView ValueView::map() const { return MapView(encoded_); }

// An encoded value that owns its bytes.
class Value {
 public:
  // Null.
  Value() : encoded_(1, '\0') {}
  explicit Value(std::string encoded) : encoded_(std::move(encoded)) {}
  explicit Value(ValueView view) : encoded_(view.encoded()) {}

  static Value Null() { return {}; }
  static Value Bool(bool value);
  static Value OfNumber(const Number& value);
  static Value String(std::string_view text);
  static Value Binary(std::string_view bytes);

  ValueView view() const { return ValueView(encoded_); }
  operator ValueView() const { return view(); }  // a Value stands wherever a view is asked for
  ValueType type() const { return view().type(); }
  const std::string& encoded() const { return encoded_; }

  friend bool operator==(const Value& a, const Value& b) = default;

 private:
  std::string encoded_;
};

// An encoded item that owns its bytes. Moves leave the source empty of bytes: assign before reuse.
class Item {
 public:
  // No attributes.
  Item() : encoded_("\x09\0", 2) {}
  explicit Item(std::string encoded) : encoded_(std::move(encoded)) {}
  explicit Item(ItemView view) : encoded_(view.encoded()) {}

  ItemView view() const { return ItemView(encoded_); }
  operator ItemView() const { return view(); }
  const std::string& encoded() const { return encoded_; }

  friend bool operator==(const Item& a, const Item& b) = default;

 private:
  std::string encoded_;
};

// Writes one value front to back. Containers are opened and closed; in a map each value is preceded
// by Name. Maps' and sets' elements may come in any order and are sorted when the container closes.
// Not thread-safe; may be reused after Finish, keeping its buffers. Calls out of order are bugs
// (asserted).
class ValueBuilder {
 public:
  ValueBuilder() = default;

  // Of the next value, in a map. A name that comes again replaces the earlier value.
  ValueBuilder& Name(std::string_view name);

  ValueBuilder& Null();
  ValueBuilder& Bool(bool value);
  ValueBuilder& String(std::string_view text);       // also an element of an open string set
  ValueBuilder& Binary(std::string_view bytes);      // also an element of an open binary set
  ValueBuilder& Number(const item::Number& number);  // also an element of an open number set
  ValueBuilder& EncodedNumber(std::string_view encoded);
  // Copies an encoded value as it is, with all it contains.
  ValueBuilder& Copy(ValueView value);
  // An element of an open set, in the form of SetView::at; outside a set, a scalar of `type`.
  ValueBuilder& Element(ValueType type, std::string_view element);

  ValueBuilder& BeginMap() { return Begin(ValueType::kMap); }
  ValueBuilder& EndMap();
  ValueBuilder& BeginList() { return Begin(ValueType::kList); }
  ValueBuilder& EndList();
  ValueBuilder& BeginSet(ValueType set_type) { return Begin(set_type); }
  // False if an element came twice; it stands once. An empty set is encoded as it is, though no
  // item may hold one: that is the caller's to refuse.
  [[nodiscard]] bool EndSet();

  // Open lists, maps and sets.
  int depth() const { return static_cast<int>(frames_.size()); }
  // How much is written so far.
  size_t encoded_bytes() const { return buffer_.size(); }

  // The value; every container must be closed. The builder is empty again.
  std::string Finish();
  // Forgets what was written.
  void Clear();

 private:
  struct Frame {
    ValueType type;
    uint32_t body;       // where its elements begin in buffer_
    uint32_t first_end;  // its first element's end in ends_
  };

  ValueBuilder& Begin(ValueType type);
  bool InSet() const;
  ValueBuilder& Scalar(ValueType type, std::string_view payload);
  void ValueDone();
  bool SortElements(const Frame& frame);
  bool Close();

  // Room that is made at once for a container, which most items don't exceed.
  static constexpr size_t kFirstBytes = 256;

  std::string buffer_;
  // Of the elements of all open containers, from the frame's body.
  absl::InlinedVector<uint32_t, 16> ends_;
  absl::InlinedVector<Frame, 4> frames_;
  std::string scratch_;
};

// Whether `encoded` is a well-formed item: canonical throughout, nested at most kNestingDepthMax
// deep, no empty set. For bytes that come from outside or are being verified; everything else may
// be viewed at once. Corruption says what is wrong at which byte.
Status ValidateItem(std::string_view encoded);
// The same of an attribute's value.
Status ValidateValue(std::string_view encoded);

}  // namespace varve::item
