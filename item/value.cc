#include "item/value.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "base/coding.h"

namespace varve::item {
namespace {

constexpr std::string_view kTypeNames[] = {"NULL", "BOOL", "N",  "S", "B",
                                           "SS",   "NS",   "BS", "L", "M"};
constexpr uint8_t kTypeMask = 0x0f;
constexpr uint8_t kTypeLast = static_cast<uint8_t>(ValueType::kMap);

uint32_t LoadWidth(const char* p, uint8_t width) {
  switch (width) {
    case 1:
      return static_cast<uint8_t>(*p);
    case 2:
      return LoadU16(p);
    default:
      return LoadU32(p);
  }
}

void StoreWidth(char* p, uint8_t width, uint32_t value) {
  switch (width) {
    case 1:
      *p = static_cast<char>(value);
      return;
    case 2:
      StoreFixed(p, static_cast<uint16_t>(value));
      return;
    default:
      StoreFixed(p, value);
  }
}

uint8_t FlagOf(std::string_view encoded) { return static_cast<uint8_t>(encoded[0]) >> 4; }

// Splits a map's element; an element that is malformed is a null without a name.
NamedValue SplitNamed(std::string_view element) {
  NamedValue named;
  if (TakeLengthPrefixed(element, &named.name) && !element.empty()) {
    named.value = ValueView(element);
  }
  return named;
}

std::string_view NameOf(std::string_view element) {
  std::string_view name;
  TakeLengthPrefixed(element, &name);
  return name;
}

}  // namespace

std::string_view TypeName(ValueType type) {
  const auto i = static_cast<uint8_t>(type);
  return i <= kTypeLast ? kTypeNames[i] : "?";
}

bool IsSet(ValueType type) {
  return type == ValueType::kStringSet || type == ValueType::kNumberSet ||
         type == ValueType::kBinarySet;
}

ValueType ElementType(ValueType set_type) {
  switch (set_type) {
    case ValueType::kNumberSet:
      return ValueType::kNumber;
    case ValueType::kBinarySet:
      return ValueType::kBinary;
    default:
      return ValueType::kString;
  }
}

std::optional<int> CompareScalars(ValueView a, ValueView b) {
  if (a.type() != b.type()) return std::nullopt;
  switch (a.type()) {
    case ValueType::kNumber:
    case ValueType::kString:
    case ValueType::kBinary:
      return a.encoded().substr(1).compare(b.encoded().substr(1));
    default:
      return std::nullopt;
  }
}

size_t ValueView::size_bytes() const {
  switch (type()) {
    case ValueType::kNumber:
      return NumberSizeBytes(encoded_number());
    case ValueType::kString:
    case ValueType::kBinary:
      return text().size();
    case ValueType::kStringSet:
    case ValueType::kBinarySet: {
      size_t bytes = 0;
      for (const std::string_view element : set()) bytes += element.size();
      return bytes;
    }
    case ValueType::kNumberSet: {
      size_t bytes = 0;
      for (const std::string_view element : set()) bytes += NumberSizeBytes(element);
      return bytes;
    }
    case ValueType::kList: {
      size_t bytes = 3;
      for (const ValueView element : list()) bytes += 1 + element.size_bytes();
      return bytes;
    }
    case ValueType::kMap:
      return 3 + map().count() + map().size_bytes();
    default:
      return 1;
  }
}

int ValueView::depth() const {
  int deepest = 0;
  if (type() == ValueType::kList) {
    for (const ValueView element : list()) deepest = std::max(deepest, element.depth());
    return 1 + deepest;
  }
  if (type() == ValueType::kMap) {
    for (const NamedValue element : map()) deepest = std::max(deepest, element.value.depth());
    return 1 + deepest;
  }
  return 0;
}

namespace internal {

Container::Container(std::string_view encoded) : encoded_(encoded) {
  if (encoded.empty()) return;
  const uint8_t flag = FlagOf(encoded);
  width_ = static_cast<uint8_t>(1u << (flag < 2 ? flag : 2));
  if (encoded.size() < 1u + width_) return;
  const uint64_t count = LoadWidth(encoded.data() + 1, width_);
  const uint64_t body = 1 + width_ * (1 + count);
  if (body > encoded.size()) return;
  count_ = static_cast<uint32_t>(count);
  body_ = static_cast<uint32_t>(body);
}

uint32_t Container::End(size_t i) const {
  return LoadWidth(encoded_.data() + 1 + width_ * (1 + i), width_);
}

std::string_view Container::slice(size_t i) const {
  assert(i < count_);
  const uint64_t begin = body_ + (i == 0 ? 0 : uint64_t{End(i - 1)});
  const uint64_t end = body_ + uint64_t{End(i)};
  // A malformed slice is a null: one byte that every view can take.
  if (begin > end || end > encoded_.size()) return {"\0", 1};
  return encoded_.substr(begin, end - begin);
}

}  // namespace internal

bool SetView::Contains(std::string_view element) const {
  size_t low = 0, high = count();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const int order = at(middle).compare(element);
    if (order == 0) return true;
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return false;
}

NamedValue MapView::at(size_t i) const { return SplitNamed(slice(i)); }

// at(), and a comparison, for a width that the compiler knows.
template <uint8_t kWidth>
std::optional<ValueView> MapView::FindWithWidth(std::string_view name) const {
  const char* const ends = encoded().data() + 1 + kWidth;
  const std::string_view elements = this->elements();
  size_t low = 0, high = count();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const size_t begin = middle == 0 ? 0 : LoadWidth(ends + kWidth * (middle - 1), kWidth);
    const size_t end = LoadWidth(ends + kWidth * middle, kWidth);
    const NamedValue named = begin <= end && end <= elements.size()
                                 ? SplitNamed(elements.substr(begin, end - begin))
                                 : NamedValue();
    const int order = named.name.compare(name);
    if (order == 0) return named.value;
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

std::optional<ValueView> MapView::Find(std::string_view name) const {
  switch (width()) {
    case 1:
      return FindWithWidth<1>(name);
    case 2:
      return FindWithWidth<2>(name);
    default:
      return FindWithWidth<4>(name);
  }
}

size_t MapView::size_bytes() const {
  size_t bytes = 0;
  for (const NamedValue named : *this) bytes += named.name.size() + named.value.size_bytes();
  return bytes;
}

Value Value::Bool(bool value) { return Value(ValueBuilder().Bool(value).Finish()); }
Value Value::OfNumber(const Number& value) { return Value(ValueBuilder().Number(value).Finish()); }
Value Value::String(std::string_view text) { return Value(ValueBuilder().String(text).Finish()); }
Value Value::Binary(std::string_view bytes) { return Value(ValueBuilder().Binary(bytes).Finish()); }

bool ValueBuilder::InSet() const { return !frames_.empty() && IsSet(frames_.back().type); }

ValueBuilder& ValueBuilder::Name(std::string_view name) {
  assert(!frames_.empty() && frames_.back().type == ValueType::kMap);
  AppendLengthPrefixed(buffer_, name);
  return *this;
}

ValueBuilder& ValueBuilder::Scalar(ValueType type, std::string_view payload) {
  if (InSet()) {
    assert(type == ElementType(frames_.back().type));
  } else {
    AppendU8(buffer_, static_cast<uint8_t>(type));
  }
  buffer_.append(payload);
  ValueDone();
  return *this;
}

ValueBuilder& ValueBuilder::Null() { return Scalar(ValueType::kNull, {}); }

ValueBuilder& ValueBuilder::Bool(bool value) {
  assert(!InSet());
  AppendU8(buffer_, static_cast<uint8_t>(ValueType::kBool) | (value ? 0x10 : 0));
  ValueDone();
  return *this;
}

ValueBuilder& ValueBuilder::String(std::string_view text) {
  return Scalar(ValueType::kString, text);
}

ValueBuilder& ValueBuilder::Binary(std::string_view bytes) {
  return Scalar(ValueType::kBinary, bytes);
}

ValueBuilder& ValueBuilder::Number(const item::Number& number) {
  if (!InSet()) AppendU8(buffer_, static_cast<uint8_t>(ValueType::kNumber));
  number.AppendTo(buffer_);
  ValueDone();
  return *this;
}

ValueBuilder& ValueBuilder::EncodedNumber(std::string_view encoded) {
  return Scalar(ValueType::kNumber, encoded);
}

ValueBuilder& ValueBuilder::Copy(ValueView value) {
  assert(!InSet());
  buffer_.append(value.encoded());
  ValueDone();
  return *this;
}

ValueBuilder& ValueBuilder::Element(ValueType type, std::string_view element) {
  return Scalar(type, element);
}

ValueBuilder& ValueBuilder::Begin(ValueType type) {
  if (frames_.empty()) buffer_.reserve(kFirstBytes);
  frames_.push_back(
      {type, static_cast<uint32_t>(buffer_.size()), static_cast<uint32_t>(ends_.size())});
  return *this;
}

void ValueBuilder::ValueDone() {
  if (frames_.empty()) return;
  ends_.push_back(static_cast<uint32_t>(buffer_.size() - frames_.back().body));
}

// Brings the elements of a map or set into order and drops repetitions (the last of a name stays);
// false if there were any.
bool ValueBuilder::SortElements(const Frame& frame) {
  struct Element {
    std::string_view key;
    std::string_view bytes;
  };
  // Sorting so many by insertion takes less than making room for a merge.
  constexpr size_t kFew = 16;
  absl::InlinedVector<Element, kFew> elements;
  const std::string_view body = std::string_view(buffer_).substr(frame.body);
  const bool is_map = frame.type == ValueType::kMap;
  bool sorted = true;
  uint32_t begin = 0;
  for (size_t i = frame.first_end; i < ends_.size(); ++i) {
    const std::string_view bytes = body.substr(begin, ends_[i] - begin);
    elements.push_back({is_map ? NameOf(bytes) : bytes, bytes});
    begin = ends_[i];
    const size_t last = elements.size() - 1;
    if (sorted && last > 0) sorted = elements[last - 1].key < elements[last].key;
  }
  if (sorted) return true;

  const size_t count = elements.size();
  const auto less = [](const Element& a, const Element& b) { return a.key < b.key; };
  if (count > kFew) {
    std::stable_sort(elements.begin(), elements.end(), less);
  } else {
    for (size_t i = 1; i < count; ++i) {
      const Element element = elements[i];
      size_t to = i;
      for (; to > 0 && less(element, elements[to - 1]); --to) elements[to] = elements[to - 1];
      elements[to] = element;
    }
  }
  scratch_.clear();
  ends_.resize(frame.first_end);
  for (size_t i = 0; i < count; ++i) {
    if (i + 1 < count && elements[i].key == elements[i + 1].key) continue;
    scratch_.append(elements[i].bytes);
    ends_.push_back(static_cast<uint32_t>(scratch_.size()));
  }
  buffer_.replace(frame.body, std::string::npos, scratch_);
  return ends_.size() - frame.first_end == count;
}

bool ValueBuilder::Close() {
  const Frame frame = frames_.back();
  const bool unique = frame.type == ValueType::kList || SortElements(frame);
  const size_t body_bytes = buffer_.size() - frame.body;
  const size_t count = ends_.size() - frame.first_end;
  const uint8_t flag = body_bytes < 0x100 ? 0 : body_bytes < 0x10000 ? 1 : 2;
  const uint8_t width = static_cast<uint8_t>(1u << flag);

  buffer_.insert(frame.body, 1 + width * (1 + count), '\0');
  char* p = buffer_.data() + frame.body;
  *p++ = static_cast<char>(static_cast<uint8_t>(frame.type) | flag << 4);
  StoreWidth(p, width, static_cast<uint32_t>(count));
  for (size_t i = 0; i < count; ++i) {
    p += width;
    StoreWidth(p, width, ends_[frame.first_end + i]);
  }
  ends_.resize(frame.first_end);
  frames_.pop_back();
  ValueDone();
  return unique;
}

ValueBuilder& ValueBuilder::EndMap() {
  assert(!frames_.empty() && frames_.back().type == ValueType::kMap);
  Close();
  return *this;
}

ValueBuilder& ValueBuilder::EndList() {
  assert(!frames_.empty() && frames_.back().type == ValueType::kList);
  Close();
  return *this;
}

bool ValueBuilder::EndSet() {
  assert(InSet());
  return Close();
}

std::string ValueBuilder::Finish() {
  assert(frames_.empty() && !buffer_.empty());
  std::string encoded = buffer_;
  Clear();
  return encoded;
}

void ValueBuilder::Clear() {
  buffer_.clear();
  ends_.clear();
  frames_.clear();
}

}  // namespace varve::item
