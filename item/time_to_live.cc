#include "item/time_to_live.h"

#include <charconv>

#include "base/coding.h"

namespace varve::item {
namespace {

constexpr size_t kPrefixBytes = 1 + 4;  // of the keys of a key space
constexpr size_t kExpiryBytes = 8;
// The service's limit is unknown; what is beyond has no date.
constexpr uint64_t kExpiryMax = uint64_t{1} << 43;

}  // namespace

std::optional<uint64_t> TimeToLive::ExpiryOf(const ItemView& item) const {
  const std::optional<ValueView> value = item.Find(attribute_);
  if (!value || !value->Is(ValueType::kNumber)) return std::nullopt;
  const Number number = value->number();
  if (number.negative() || number.is_zero()) return std::nullopt;
  const std::string text = number.ToString();
  uint64_t expiry = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, expiry);
  if (error != std::errc() || (stop != end && *stop != '.') || expiry > kExpiryMax) {
    return std::nullopt;
  }
  return expiry;
}

std::string TimeToLive::EntriesFrom(uint64_t expiry) const {
  std::string key = KeySpaceBounds(key_space_).begin;
  AppendBigU64(key, expiry);
  return key;
}

std::string TimeToLive::EntryKey(uint64_t expiry, std::string_view item_key) const {
  std::string key = EntriesFrom(expiry);
  key.append(item_key.substr(kPrefixBytes));
  return key;
}

std::optional<TimeToLive::Entry> TimeToLive::ReadEntry(std::string_view key,
                                                       uint32_t table_key_space) const {
  if (key.size() <= kPrefixBytes + kExpiryBytes) return std::nullopt;
  Entry entry;
  entry.expiry = LoadBigU64(key.data() + kPrefixBytes);
  entry.item_key = KeySpaceBounds(table_key_space).begin;
  entry.item_key.append(key.substr(kPrefixBytes + kExpiryBytes));
  return entry;
}

}  // namespace varve::item
