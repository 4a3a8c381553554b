#include "item/table.h"

#include <algorithm>

namespace varve::item {
namespace {

constexpr int64_t kRecordVersion = 1;

// Reads a record's attributes; remembers the first that is missing or of the wrong type.
class Reader {
 public:
  explicit Reader(const ItemView& record) : record_(record) {}

  std::string_view Text(std::string_view name) {
    const auto value = Get(name, ValueType::kString);
    return value ? value->text() : std::string_view();
  }
  int64_t Integer(std::string_view name) {
    const auto value = Get(name, ValueType::kNumber);
    int64_t integer = 0;
    if (value && !value->number().ToInt64(&integer)) Fail(name);
    return integer;
  }
  bool Boolean(std::string_view name) {
    const auto value = Get(name, ValueType::kBool);
    return value && value->boolean();
  }
  std::optional<ListView> List(std::string_view name) {
    const auto value = Get(name, ValueType::kList);
    if (!value) return std::nullopt;
    return value->list();
  }
  bool Has(std::string_view name) const { return record_.Find(name).has_value(); }

  Status status() const {
    if (bad_.empty()) return absl::OkStatus();
    return Corruption("catalogue: record of a table without a proper {}", bad_);
  }

 private:
  std::optional<ValueView> Get(std::string_view name, ValueType type) {
    const auto value = record_.Find(name);
    if (value && value->Is(type)) return value;
    Fail(name);
    return std::nullopt;
  }
  void Fail(std::string_view name) {
    if (bad_.empty()) bad_ = name;
  }

  ItemView record_;
  std::string_view bad_;
};

void AddInteger(ValueBuilder& builder, std::string_view name, int64_t value) {
  builder.Name(name).Number(Number::FromInt(value));
}

ValueType TypeNamed(std::string_view name) {
  return name == "N" ? ValueType::kNumber : name == "B" ? ValueType::kBinary : ValueType::kString;
}

TableKey::Part KeyPart(const TableDescription& description, const KeySchemaElement& element) {
  TableKey::Part part{element.attribute_name, ValueType::kString};
  for (const AttributeDefinition& definition : description.attribute_definitions) {
    if (definition.attribute_name == part.name) part.type = definition.attribute_type;
  }
  return part;
}

bool HasPart(const std::vector<TableKey::Part>& parts, std::string_view name) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const TableKey::Part& part) { return part.name == name; });
}

}  // namespace

TableKey KeyOfDescription(const TableDescription& description) {
  TableKey key;
  for (const KeySchemaElement& element : description.key_schema) {
    if (element.key_type == KeyType::kHash) {
      key.partition = KeyPart(description, element);
    } else {
      key.sort = KeyPart(description, element);
    }
  }
  return key;
}

Index IndexOfDescription(const TableDescription& description, const IndexDescription& from,
                         uint32_t key_space) {
  Index index;
  index.key_space = key_space;
  index.name = from.index_name;
  index.global = from.global;
  index.projection = from.projection;
  index.readable = !from.backfilling;
  for (const KeySchemaElement& element : from.key_schema) {
    auto& parts = element.key_type == KeyType::kHash ? index.key.partition : index.key.sort;
    parts.push_back(KeyPart(description, element));
  }
  for (const KeySchemaElement& element : description.key_schema) {
    if (HasPart(index.key.partition, element.attribute_name)) continue;
    if (HasPart(index.key.sort, element.attribute_name)) continue;
    index.table_key.push_back(KeyPart(description, element));
  }
  const auto project = [&index](const std::vector<TableKey::Part>& parts) {
    for (const TableKey::Part& part : parts) index.projected.push_back(part.name);
  };
  project(index.key.partition);
  project(index.key.sort);
  project(index.table_key);
  if (from.projection.type == ProjectionType::kInclude) {
    const auto& names = from.projection.non_key_attributes;
    index.projected.insert(index.projected.end(), names.begin(), names.end());
  }
  std::sort(index.projected.begin(), index.projected.end());
  index.projected.erase(std::unique(index.projected.begin(), index.projected.end()),
                        index.projected.end());
  return index;
}

Item RecordOfTable(const Table& table) {
  const TableDescription& description = table.description;
  ValueBuilder builder;
  builder.BeginMap();
  AddInteger(builder, "Version", kRecordVersion);
  AddInteger(builder, "KeySpace", table.key_space);
  builder.Name("TableName").String(description.table_name);
  builder.Name("TableId").String(description.table_id);
  AddInteger(builder, "CreationTimeMs", static_cast<int64_t>(description.creation_time_ms));
  builder.Name("AttributeDefinitions").BeginList();
  for (const AttributeDefinition& definition : description.attribute_definitions) {
    builder.BeginMap();
    builder.Name("Name").String(definition.attribute_name);
    builder.Name("Type").String(TypeName(definition.attribute_type));
    builder.EndMap();
  }
  builder.EndList();
  builder.Name("KeySchema").BeginList();
  for (const KeySchemaElement& element : description.key_schema) {
    builder.BeginMap();
    builder.Name("Name").String(element.attribute_name);
    builder.Name("Type").String(ToString(element.key_type));
    builder.EndMap();
  }
  builder.EndList();
  builder.Name("BillingMode").String(ToString(description.billing_mode));
  builder.Name("HasBillingModeSummary").Bool(description.has_billing_mode_summary);
  AddInteger(builder, "LastUpdateToPayPerRequestMs",
             static_cast<int64_t>(description.last_update_to_pay_per_request_ms));
  AddInteger(builder, "ReadCapacityUnits", description.provisioned_throughput.read_capacity_units);
  AddInteger(builder, "WriteCapacityUnits",
             description.provisioned_throughput.write_capacity_units);
  AddInteger(builder, "NumberOfDecreases", description.number_of_decreases_today);
  AddInteger(builder, "LastIncreaseMs", static_cast<int64_t>(description.last_increase_ms));
  AddInteger(builder, "LastDecreaseMs", static_cast<int64_t>(description.last_decrease_ms));
  builder.Name("DeletionProtection").Bool(description.deletion_protection_enabled);
  if (description.table_class) {
    builder.Name("TableClass").String(ToString(*description.table_class));
  }
  builder.EndMap();
  return Item(builder.Finish());
}

StatusOr<Table> TableOfRecord(const ItemView& record) {
  Reader reader(record);
  const int64_t version = reader.Integer("Version");
  if (reader.status().ok() && version != kRecordVersion) {
    return FailedPrecondition("catalogue: record of a table has version {}, this program knows {}",
                              version, kRecordVersion);
  }
  Table table;
  TableDescription& description = table.description;
  table.key_space = static_cast<uint32_t>(reader.Integer("KeySpace"));
  description.table_name = reader.Text("TableName");
  description.table_id = reader.Text("TableId");
  description.creation_time_ms = static_cast<uint64_t>(reader.Integer("CreationTimeMs"));
  const auto each_map = [](const std::optional<ListView>& list, auto&& use) {
    if (!list) return;
    for (const ValueView element : *list) {
      if (!element.Is(ValueType::kMap)) continue;
      Reader fields(element.map());
      use(std::string(fields.Text("Name")), fields.Text("Type"));
    }
  };
  each_map(reader.List("AttributeDefinitions"), [&](std::string name, std::string_view type) {
    description.attribute_definitions.push_back({std::move(name), TypeNamed(type)});
  });
  each_map(reader.List("KeySchema"), [&](std::string name, std::string_view type) {
    description.key_schema.push_back(
        {std::move(name), type == "RANGE" ? KeyType::kRange : KeyType::kHash});
  });
  description.billing_mode = reader.Text("BillingMode") == "PAY_PER_REQUEST"
                                 ? BillingMode::kPayPerRequest
                                 : BillingMode::kProvisioned;
  description.has_billing_mode_summary = reader.Boolean("HasBillingModeSummary");
  description.last_update_to_pay_per_request_ms =
      static_cast<uint64_t>(reader.Integer("LastUpdateToPayPerRequestMs"));
  description.provisioned_throughput.read_capacity_units = reader.Integer("ReadCapacityUnits");
  description.provisioned_throughput.write_capacity_units = reader.Integer("WriteCapacityUnits");
  description.number_of_decreases_today = reader.Integer("NumberOfDecreases");
  description.last_increase_ms = static_cast<uint64_t>(reader.Integer("LastIncreaseMs"));
  description.last_decrease_ms = static_cast<uint64_t>(reader.Integer("LastDecreaseMs"));
  description.deletion_protection_enabled = reader.Boolean("DeletionProtection");
  if (reader.Has("TableClass")) {
    description.table_class = reader.Text("TableClass") == "STANDARD"
                                  ? TableClass::kStandard
                                  : TableClass::kStandardInfrequentAccess;
  }
  VARVE_RETURN_IF_ERROR(reader.status());
  if (description.key_schema.empty()) {
    return Corruption("catalogue: table {} has no key schema", description.table_name);
  }
  table.key = KeyOfDescription(description);
  return table;
}

}  // namespace varve::item
