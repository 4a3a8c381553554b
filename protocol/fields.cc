#include "protocol/fields.h"

#include <fmt/format.h>

#include "item/canonical.h"
#include "item/utf8.h"

namespace varve::protocol {

using internal::WireType;

bool FieldReader::ReadKey() {
  uint64_t key = 0;
  const char* const after = LoadVarint(p_, end_, &key);
  if (after == nullptr || key >> 32 != 0 || key >> 3 == 0) {
    Fail("", "has a malformed key");
    return false;
  }
  const auto number = static_cast<uint32_t>(key >> 3);
  if (number < key_number_) {
    Fail("", fmt::format("stands behind field {}", key_number_));
    return false;
  }
  p_ = after;
  has_key_ = true;
  key_number_ = number;
  key_type_ = static_cast<WireType>(key & 7);
  return true;
}

void FieldReader::Skip() {
  switch (key_type_) {
    case WireType::kVarint:
      ReadVarint("");
      return;
    case WireType::kFixed64:
      ReadDouble("");
      return;
    case WireType::kBytes:
      ReadBytes("");
      return;
    case WireType::kFixed32:
      if (end_ - p_ < 4) return Fail("", "is cut short");
      p_ += 4;
      return;
  }
  Fail("", "has an unknown wire type");
}

uint64_t FieldReader::ReadVarint(std::string_view name) {
  uint64_t value = 0;
  if (key_type_ != WireType::kVarint) {
    Fail(name, "should be a varint");
    return 0;
  }
  const char* const after = LoadVarint(p_, end_, &value);
  if (after == nullptr) {
    Fail(name, "is cut short");
    return 0;
  }
  p_ = after;
  return value;
}

double FieldReader::ReadDouble(std::string_view name) {
  if (key_type_ != WireType::kFixed64 || end_ - p_ < 8) {
    Fail(name, "should be eight bytes");
    return 0;
  }
  const uint64_t bits = LoadU64(p_);
  p_ += 8;
  return std::bit_cast<double>(bits);
}

std::string_view FieldReader::ReadBytes(std::string_view name) {
  if (key_type_ != WireType::kBytes) {
    Fail(name, "should be a length and bytes");
    return {};
  }
  uint64_t length = 0;
  const char* const after = LoadVarint(p_, end_, &length);
  if (after == nullptr || length > static_cast<uint64_t>(end_ - after)) {
    Fail(name, "is cut short");
    return {};
  }
  p_ = after + length;
  return {after, static_cast<size_t>(length)};
}

void FieldReader::Fail(std::string_view name, std::string_view what) {
  if (!status_.ok()) return;
  status_ = InvalidArgument("message: field {}{}{}, at byte {}: {}", key_number_,
                            name.empty() ? "" : ", ", name, p_ - begin_, what);
}

void FieldReader::CheckText(std::string_view name, std::string_view text) {
  if (trust_ == Trust::kTrusted || !status_.ok()) return;
  if (!item::IsUtf8(text)) Fail(name, "is not UTF-8");
}

void FieldReader::CheckItem(std::string_view name, std::string* bytes) {
  if (trust_ == Trust::kTrusted || !status_.ok()) return;
  status_ = item::MakeItemCanonical(bytes);
}

void FieldReader::CheckValue(std::string_view name, std::string* bytes) {
  if (trust_ == Trust::kTrusted || !status_.ok()) return;
  status_ = item::MakeValueCanonical(bytes);
}

Status FieldReader::Finish() {
  while (status_.ok() && (has_key_ || p_ < end_)) {
    if (!has_key_ && !ReadKey()) break;
    has_key_ = false;
    Skip();
  }
  return status_;
}

}  // namespace varve::protocol
