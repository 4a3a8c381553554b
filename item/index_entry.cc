#include "item/index_entry.h"

#include "base/checksum.h"
#include "base/coding.h"
#include "item/errors.h"
#include "item/keys.h"

namespace varve::item {
namespace {

// Most keys of entries don't exceed it.
constexpr size_t kUsualKeyBytes = 96;

// A scalar's bytes behind its type.
std::string_view Payload(ValueView value) { return value.encoded().substr(1); }

void AppendPartitionAttribute(ValueView value, std::string& to) {
  if (!value.Is(ValueType::kNumber)) AppendVarint(to, Payload(value).size());
  to.append(Payload(value));
}

// Of a string or binary; what follows is greater the greater its bytes are.
void AppendEscaped(std::string_view bytes, std::string& to) {
  size_t plain = 0;  // what is copied as it is begins here
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<uint8_t>(bytes[i]) > 1) continue;
    to.append(bytes, plain, i - plain);
    plain = i + 1;
    to.push_back('\1');
    to.push_back(static_cast<char>(bytes[i] + 1));
  }
  to.append(bytes, plain);
}

void AppendOrdered(ValueView value, std::string& to) {
  if (value.Is(ValueType::kNumber)) {
    to.append(Payload(value));
    return;
  }
  AppendEscaped(Payload(value), to);
  to.push_back('\0');
}

// Where an entry's key begins; its partition attributes follow.
void BeginKey(const Index& index, std::string& to) {
  to.push_back(kItemKeySpace);
  AppendFixed(to, __builtin_bswap32(index.key_space));
  to.append(4, '\0');
}

// Puts the hash of the partition attributes, which end the key so far, into the key that began at
// `begin`.
void SetHash(size_t begin, std::string& to) {
  const size_t hash_at = begin + 5;
  const uint64_t hash = Hash(std::string_view(to).substr(hash_at + 4));
  for (size_t i = 0; i < 4; ++i) to[hash_at + i] = static_cast<char>(hash >> (56 - 8 * i));
}

// The attribute's value, if it can be one of a key.
std::optional<ValueView> KeyValue(const TableKey::Part& part, const ItemView& item) {
  const std::optional<ValueView> value = item.Find(part.name);
  if (!value || !value->Is(part.type)) return std::nullopt;
  if (!value->Is(ValueType::kNumber) && value->text().empty()) return std::nullopt;
  return value;
}

Status CheckType(const Index& index, const TableKey::Part& part, ValueView value) {
  if (value.Is(part.type)) return absl::OkStatus();
  return ValidationError(
      "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} "
      "Actual: {} IndexName: {}",
      part.name, TypeName(part.type), TypeName(value.type()), index.name);
}

Status CheckNotEmpty(const Index& index, const TableKey::Part& part, ValueView value) {
  if (value.Is(ValueType::kNumber) || !value.text().empty()) return absl::OkStatus();
  return ValidationError(
      "One or more parameter values are not valid. A value specified for a secondary index key is "
      "not supported. The AttributeValue for a key attribute cannot contain an empty {} value. "
      "IndexName: {}, IndexKey: {}",
      value.Is(ValueType::kString) ? "string" : "binary", index.name, part.name);
}

// What a value adds to the size of a key.
size_t KeyBytes(ValueView value) { return value.Is(ValueType::kNumber) ? 0 : value.text().size(); }

// The aggregated size of the attributes that are strings or binaries.
Status CheckBytes(const std::vector<TableKey::Part>& parts, bool is_partition,
                  const ItemView& item) {
  size_t bytes = 0;
  for (const TableKey::Part& part : parts) {
    const std::optional<ValueView> value = item.Find(part.name);
    if (value && value->Is(part.type)) bytes += KeyBytes(*value);
  }
  return CheckKeyBytes(bytes, is_partition);
}

// The attributes of an item that the index has, one after the other.
class ProjectedAttributes {
 public:
  ProjectedAttributes(const Index& index, const ItemView& item)
      : name_(index.projected.begin()), last_name_(index.projected.end()), item_(item) {}

  std::optional<NamedValue> Next() {
    // Both ascend.
    while (next_ < item_.count()) {
      const NamedValue attribute = item_.at(next_++);
      while (name_ != last_name_ && *name_ < attribute.name) ++name_;
      if (name_ == last_name_) return std::nullopt;
      if (*name_ == attribute.name) return attribute;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::string>::const_iterator name_;
  const std::vector<std::string>::const_iterator last_name_;
  const ItemView item_;
  size_t next_ = 0;
};

bool SameProjection(const Index& index, const ItemView& a, const ItemView& b) {
  if (index.projects_all()) return a == b;
  ProjectedAttributes of_a(index, a);
  ProjectedAttributes of_b(index, b);
  while (true) {
    const std::optional<NamedValue> from_a = of_a.Next();
    const std::optional<NamedValue> from_b = of_b.Next();
    if (!from_a || !from_b) return !from_a && !from_b;
    if (from_a->name != from_b->name || !(from_a->value == from_b->value)) return false;
  }
}

// Calls `check(index, parts, is_partition)` for the key attributes of each index, in the service's
// order: global indexes first.
template <typename Check>
Status ForEachKey(const Table& table, Check check) {
  for (const bool global : {true, false}) {
    for (const Index& index : table.indexes) {
      if (index.global != global) continue;
      VARVE_RETURN_IF_ERROR(check(index, index.key.partition, true));
      VARVE_RETURN_IF_ERROR(check(index, index.key.sort, false));
    }
  }
  return absl::OkStatus();
}

}  // namespace

expression::KeySchema SchemaOf(const IndexKey& key) {
  expression::KeySchema schema;
  for (const TableKey::Part& part : key.partition)
    schema.partition.push_back({part.name, part.type});
  for (const TableKey::Part& part : key.sort) schema.sort.push_back({part.name, part.type});
  return schema;
}

bool AppendEntryKey(const Index& index, const ItemView& item, std::string& to) {
  const size_t begin = to.size();
  to.reserve(begin + kUsualKeyBytes);
  BeginKey(index, to);
  for (const TableKey::Part& part : index.key.partition) {
    const std::optional<ValueView> value = KeyValue(part, item);
    if (!value) return false;
    AppendPartitionAttribute(*value, to);
  }
  SetHash(begin, to);
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
  ProjectedAttributes attributes(index, item);
  while (const std::optional<NamedValue> attribute = attributes.Next()) {
    builder.Name(attribute->name).Copy(attribute->value);
  }
  builder.EndMap();
  return Item(builder.Finish());
}

size_t ProjectedSize(const Index& index, const ItemView& item) {
  if (index.projects_all()) return item.size_bytes();
  size_t bytes = 0;
  ProjectedAttributes attributes(index, item);
  while (const std::optional<NamedValue> attribute = attributes.Next()) {
    bytes += attribute->name.size() + attribute->value.size_bytes();
  }
  return bytes;
}

EntryChange CompareEntries(const Index& index, const std::optional<ItemView>& before,
                           const std::optional<ItemView>& after) {
  EntryChange change;
  change.before = before.has_value();
  change.after = after.has_value();
  change.same_key = before && after;
  for (const auto* parts : {&index.key.partition, &index.key.sort}) {
    for (const TableKey::Part& part : *parts) {
      std::optional<ValueView> old_value, new_value;
      if (change.before) old_value = KeyValue(part, *before);
      if (change.after) new_value = KeyValue(part, *after);
      change.before = old_value.has_value();
      change.after = new_value.has_value();
      change.same_key = change.same_key && old_value && new_value && *old_value == *new_value;
    }
  }
  change.same_value = change.same_key && SameProjection(index, *before, *after);
  return change;
}

KeyBounds BoundsOf(const Index& index, const expression::KeyRange& range) {
  using Sort = expression::KeyRange::Sort;
  std::string prefix;
  BeginKey(index, prefix);
  for (const ValueView value : range.partition) AppendPartitionAttribute(value, prefix);
  SetHash(0, prefix);
  for (const ValueView value : range.sort_equal) AppendOrdered(value, prefix);
  KeyBounds bounds{prefix, PrefixEnd(prefix)};
  if (range.sort == Sort::kAny) return bounds;

  // Entries with the value itself begin with `low`, since the attribute delimits itself.
  std::string low = prefix;
  if (range.sort == Sort::kBeginsWith) {
    AppendEscaped(Payload(range.low), low);
    return {low, PrefixEnd(low)};
  }
  AppendOrdered(range.low, low);
  switch (range.sort) {
    case Sort::kAny:
    case Sort::kBeginsWith:
      break;
    case Sort::kEqual:
      return {low, PrefixEnd(low)};
    case Sort::kLess:
      bounds.end = low;
      break;
    case Sort::kLessOrEqual:
      bounds.end = PrefixEnd(low);
      break;
    case Sort::kGreater:
      bounds.begin = PrefixEnd(low);
      break;
    case Sort::kGreaterOrEqual:
      bounds.begin = low;
      break;
    case Sort::kBetween: {
      std::string high = prefix;
      AppendOrdered(range.high, high);
      return {low, PrefixEnd(high)};
    }
  }
  return bounds;
}

Item CursorOf(const Index& index, const ItemView& item) {
  ValueBuilder builder;
  builder.BeginMap();
  for (const auto* parts : {&index.key.partition, &index.key.sort, &index.table_key}) {
    for (const TableKey::Part& part : *parts) {
      if (const auto value = item.Find(part.name)) builder.Name(part.name).Copy(*value);
    }
  }
  builder.EndMap();
  return Item(builder.Finish());
}

Status CheckIndexKeys(const Table& table, const ItemView& item) {
  return ForEachKey(table,
                    [&](const Index& index, const std::vector<TableKey::Part>& parts,
                        bool is_partition) -> Status {
                      size_t bytes = 0;
                      for (const TableKey::Part& part : parts) {
                        const std::optional<ValueView> value = item.Find(part.name);
                        if (!value) continue;
                        VARVE_RETURN_IF_ERROR(CheckType(index, part, *value));
                        VARVE_RETURN_IF_ERROR(CheckNotEmpty(index, part, *value));
                        bytes += KeyBytes(*value);
                      }
                      return CheckKeyBytes(bytes, is_partition);
                    });
}

Status CheckIndexKeys(const Table& table, const expression::Update& update) {
  return ForEachKey(
      table, [&](const Index& index, const std::vector<TableKey::Part>& parts, bool) -> Status {
        for (const TableKey::Part& part : parts) {
          const std::optional<ValueView> value = update.LiteralOf(part.name);
          if (value) VARVE_RETURN_IF_ERROR(CheckType(index, part, *value));
        }
        return absl::OkStatus();
      });
}

Status CheckUpdatedIndexKeys(const Table& table, const expression::Update& update,
                             const ItemView& new_item) {
  return ForEachKey(
      table,
      [&](const Index& index, const std::vector<TableKey::Part>& parts,
          bool is_partition) -> Status {
        bool changed = false;
        for (const TableKey::Part& part : parts) {
          if (!update.Changes(part.name)) continue;
          changed = true;
          const std::optional<ValueView> value = new_item.Find(part.name);
          if (!value) continue;
          if (!value->Is(part.type)) {
            return ValidationError(
                "The update expression attempted to update the secondary index key to unsupported "
                "type");
          }
          VARVE_RETURN_IF_ERROR(CheckNotEmpty(index, part, *value));
        }
        return changed ? CheckBytes(parts, is_partition, new_item) : absl::OkStatus();
      });
}

}  // namespace varve::item
