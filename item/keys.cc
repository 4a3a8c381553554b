#include "item/keys.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "item/errors.h"

namespace varve::item {
namespace {

Status SchemaMismatch() {
  return ValidationError("The provided key element does not match the schema");
}

// What holds of any key attribute's value once its type fits.
Status CheckKeyValue(const TableKey::Part& part, bool is_partition, ValueView value) {
  if (value.Is(ValueType::kNumber)) return absl::OkStatus();
  const size_t bytes = value.text().size();
  if (bytes == 0) {
    return ValidationError(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty {} value. Key: {}",
        value.Is(ValueType::kString) ? "string" : "binary", part.name);
  }
  return CheckKeyBytes(bytes, is_partition);
}

Status CheckItemKeyPart(const TableKey::Part& part, bool is_partition, const ItemView& item) {
  const std::optional<ValueView> value = item.Find(part.name);
  if (!value) {
    return ValidationError(
        "One or more parameter values were invalid: Missing the key {} in the item", part.name);
  }
  if (!value->Is(part.type)) {
    return ValidationError(
        "One or more parameter values were invalid: Type mismatch for key {} expected: {} actual: "
        "{}",
        part.name, TypeName(part.type), TypeName(value->type()));
  }
  return CheckKeyValue(part, is_partition, *value);
}

void AppendBigU32(std::string& to, uint32_t value) { AppendFixed(to, __builtin_bswap32(value)); }

void AppendKeySpace(std::string& to, uint32_t key_space) {
  to.push_back(kItemKeySpace);
  AppendBigU32(to, key_space);
}

std::string KeySpacePrefix(uint32_t key_space) {
  std::string prefix;
  AppendKeySpace(prefix, key_space);
  return prefix;
}

// A scalar's bytes behind its type.
std::string_view Payload(ValueView value) { return value.encoded().substr(1); }

void AppendPartitionKey(std::string& to, ValueView value) {
  AppendBigU32(to, static_cast<uint32_t>(Hash(Payload(value)) >> 32));
  if (!value.Is(ValueType::kNumber)) AppendVarint(to, Payload(value).size());
  to.append(Payload(value));
}

}  // namespace

Status CheckKeyBytes(size_t bytes, bool is_partition) {
  if (is_partition && bytes > kPartitionKeyBytesMax) {
    return ValidationError(  // "of2048": so says the service
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size "
        "limit of{} bytes",
        kPartitionKeyBytesMax);
  }
  if (!is_partition && bytes > kSortKeyBytesMax) {
    return ValidationError(
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded "
        "the size limit of {} bytes",
        kSortKeyBytesMax);
  }
  return absl::OkStatus();
}

expression::KeySchema TableKey::schema() const {
  expression::KeySchema schema;
  schema.partition.push_back({partition.name, partition.type});
  if (sort) schema.sort.push_back({sort->name, sort->type});
  return schema;
}

Status CheckKeyPart(const TableKey::Part& part, bool is_partition, const ItemView& key) {
  const std::optional<ValueView> value = key.Find(part.name);
  if (!value || !value->Is(part.type)) return SchemaMismatch();
  return CheckKeyValue(part, is_partition, *value);
}

Status CheckKey(const TableKey& table_key, const ItemView& key) {
  if (key.count() != (table_key.sort ? 2u : 1u)) return SchemaMismatch();
  VARVE_RETURN_IF_ERROR(CheckKeyPart(table_key.partition, true, key));
  if (table_key.sort) VARVE_RETURN_IF_ERROR(CheckKeyPart(*table_key.sort, false, key));
  return absl::OkStatus();
}

Status CheckItemKey(const TableKey& table_key, const ItemView& item) {
  VARVE_RETURN_IF_ERROR(CheckItemKeyPart(table_key.partition, true, item));
  if (table_key.sort) VARVE_RETURN_IF_ERROR(CheckItemKeyPart(*table_key.sort, false, item));
  return absl::OkStatus();
}

Item KeyOfItem(const TableKey& table_key, const ItemView& item) {
  ValueBuilder builder;
  builder.BeginMap();
  const auto add = [&](const std::string& name) {
    if (const std::optional<ValueView> value = item.Find(name)) builder.Name(name).Copy(*value);
  };
  add(table_key.partition.name);
  if (table_key.sort) add(table_key.sort->name);
  builder.EndMap();
  return Item(builder.Finish());
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

KeyBounds KeySpaceBounds(uint32_t key_space) {
  const std::string prefix = KeySpacePrefix(key_space);
  return {prefix, PrefixEnd(prefix)};
}

KeyBounds SegmentBounds(uint32_t key_space, uint64_t segment, uint64_t segments) {
  KeyBounds bounds = KeySpaceBounds(key_space);
  // The first hash of a segment: its share of 2^32, rounded up.
  const auto first = [segments](uint64_t i) { return ((i << 32) + segments - 1) / segments; };
  if (segment + 1 < segments) {
    bounds.end = bounds.begin;
    AppendBigU32(bounds.end, static_cast<uint32_t>(first(segment + 1)));
  }
  if (segment > 0) AppendBigU32(bounds.begin, static_cast<uint32_t>(first(segment)));
  return bounds;
}

std::string EngineKey(uint32_t key_space, const TableKey& table_key, const ItemView& item) {
  const ValueView partition = item.Find(table_key.partition.name).value_or(ValueView());
  std::string_view sort;
  if (table_key.sort) sort = Payload(item.Find(table_key.sort->name).value_or(ValueView()));
  constexpr size_t kHeadBytesMax = 1 + 4 + 4 + 2;  // key space, hash, length
  std::string key;
  key.reserve(kHeadBytesMax + Payload(partition).size() + sort.size());
  AppendKeySpace(key, key_space);
  AppendPartitionKey(key, partition);
  key.append(sort);
  return key;
}

uint32_t HashOfEngineKey(std::string_view key) {
  constexpr size_t kHashOffset = 1 + 4;
  return __builtin_bswap32(LoadU32(key.data() + kHashOffset));
}

KeyBounds BoundsOf(uint32_t key_space, const expression::KeyRange& range) {
  using Sort = expression::KeyRange::Sort;
  std::string prefix = KeySpacePrefix(key_space);
  AppendPartitionKey(prefix, range.partition.front());
  KeyBounds bounds{prefix, PrefixEnd(prefix)};
  if (range.sort == Sort::kAny) return bounds;

  const std::string low = prefix + std::string(Payload(range.low));
  const std::string behind_low = low + '\0';
  switch (range.sort) {
    case Sort::kAny:
      break;
    case Sort::kEqual:
      return {low, behind_low};
    case Sort::kLess:
      bounds.end = low;
      break;
    case Sort::kLessOrEqual:
      bounds.end = behind_low;
      break;
    case Sort::kGreater:
      bounds.begin = behind_low;
      break;
    case Sort::kGreaterOrEqual:
      bounds.begin = low;
      break;
    case Sort::kBetween:
      return {low, prefix + std::string(Payload(range.high)) + '\0'};
    case Sort::kBeginsWith:
      return {low, PrefixEnd(low)};
  }
  return bounds;
}

}  // namespace varve::item
