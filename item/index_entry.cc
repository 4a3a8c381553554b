#include "item/index_entry.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "item/errors.h"
#include "item/keys.h"

namespace varve::item {
namespace {

// A scalar's bytes behind its type.
std::string_view Payload(ValueView value) { return value.encoded().substr(1); }

void AppendPartitionAttribute(ValueView value, std::string& to) {
  if (!value.Is(ValueType::kNumber)) AppendVarint(to, Payload(value).size());
  to.append(Payload(value));
}

void AppendOrdered(ValueView value, std::string& to) {
  const std::string_view bytes = Payload(value);
  if (value.Is(ValueType::kNumber)) {
    to.append(bytes);
    return;
  }
  for (const char byte : bytes) {
    if (byte == '\0' || byte == '\1') {
      to.push_back('\1');
      to.push_back(static_cast<char>(byte + 1));
    } else {
      to.push_back(byte);
    }
  }
  to.push_back('\0');
}

// The attribute's value, if it can be one of a key.
std::optional<ValueView> KeyValue(const TableKey::Part& part, const ItemView& item) {
  const std::optional<ValueView> value = item.Find(part.name);
  if (!value || !value->Is(part.type)) return std::nullopt;
  if (!value->Is(ValueType::kNumber) && value->text().empty()) return std::nullopt;
  return value;
}

// How many bytes the service counts for a key attribute.
size_t KeyBytes(ValueView value) { return value.Is(ValueType::kNumber) ? 0 : value.text().size(); }

Status CheckParts(const Index& index, const std::vector<TableKey::Part>& parts, size_t bytes_max,
                  std::string_view too_long, const ItemView& item) {
  size_t bytes = 0;
  for (const TableKey::Part& part : parts) {
    const std::optional<ValueView> value = item.Find(part.name);
    if (!value) continue;
    if (!value->Is(part.type)) {
      return ValidationError(
          "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} "
          "Actual: {} IndexName: {}",
          part.name, TypeName(part.type), TypeName(value->type()), index.name);
    }
    if (!value->Is(ValueType::kNumber) && value->text().empty()) {
      return ValidationError(
          "One or more parameter values are not valid. A value specified for a secondary index key "
          "is not supported. The AttributeValue for a key attribute cannot contain an empty {} "
          "value. IndexName: {}, IndexKey: {}",
          value->Is(ValueType::kString) ? "string" : "binary", index.name, part.name);
    }
    bytes += KeyBytes(*value);
  }
  if (bytes <= bytes_max) return absl::OkStatus();
  return ValidationError("One or more parameter values were invalid: {}", too_long);
}

}  // namespace

bool AppendEntryKey(const Index& index, const ItemView& item, std::string& to) {
  to.push_back(kItemKeySpace);
  AppendFixed(to, __builtin_bswap32(index.key_space));
  const size_t hash_at = to.size();
  to.append(4, '\0');
  for (const TableKey::Part& part : index.key.partition) {
    const std::optional<ValueView> value = KeyValue(part, item);
    if (!value) return false;
    AppendPartitionAttribute(*value, to);
  }
  const uint64_t hash = Hash(std::string_view(to).substr(hash_at + 4));
  for (size_t i = 0; i < 4; ++i) to[hash_at + i] = static_cast<char>(hash >> (56 - 8 * i));
  for (const TableKey::Part& part : index.key.sort) {
    const std::optional<ValueView> value = KeyValue(part, item);
    if (!value) return false;
    AppendOrdered(*value, to);
  }
  for (const TableKey::Part& part : index.table_key) {
    AppendOrdered(item.Find(part.name).value_or(ValueView()), to);
  }
  return true;
}

Item ProjectedItem(const Index& index, const ItemView& item) {
  if (index.projects_all()) return Item(item);
  ValueBuilder builder;
  builder.BeginMap();
  // Both ascend.
  auto name = index.projected.begin();
  for (const NamedValue attribute : item) {
    while (name != index.projected.end() && *name < attribute.name) ++name;
    if (name == index.projected.end()) break;
    if (*name == attribute.name) builder.Name(attribute.name).Copy(attribute.value);
  }
  builder.EndMap();
  return Item(builder.Finish());
}

Status CheckIndexKeys(const Table& table, const ItemView& item) {
  for (const Index& index : table.indexes) {
    VARVE_RETURN_IF_ERROR(CheckParts(index, index.key.partition, kPartitionKeyBytesMax,
                                     "Size of hashkey has exceeded the maximum size limit of2048 "
                                     "bytes",
                                     item));
    VARVE_RETURN_IF_ERROR(CheckParts(index, index.key.sort, kSortKeyBytesMax,
                                     "Aggregated size of all range keys has exceeded the size "
                                     "limit of 1024 bytes",
                                     item));
  }
  return absl::OkStatus();
}

}  // namespace varve::item
