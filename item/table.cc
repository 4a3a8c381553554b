#include "item/table.h"

#include <algorithm>

#include "item/meter.h"

namespace varve::item {
namespace {

// Version 1 had no indexes and none of the attributes that Reader::Optional… reads.
constexpr int64_t kRecordVersion = 2;

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
  std::optional<MapView> Map(std::string_view name) {
    const auto value = Get(name, ValueType::kMap);
    if (!value) return std::nullopt;
    return value->map();
  }
  std::optional<int64_t> OptionalInteger(std::string_view name) {
    if (!Has(name)) return std::nullopt;
    return Integer(name);
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

// `use(fields)` for each map in `list`.
template <typename Use>
void ForEachMap(const std::optional<ListView>& list, Use use) {
  if (!list) return;
  for (const ValueView element : *list) {
    if (!element.Is(ValueType::kMap)) continue;
    Reader fields(element.map());
    use(fields);
  }
}

void AddKeySchema(ValueBuilder& builder, const std::vector<KeySchemaElement>& key_schema) {
  builder.Name("KeySchema").BeginList();
  for (const KeySchemaElement& element : key_schema) {
    builder.BeginMap();
    builder.Name("Name").String(element.attribute_name);
    builder.Name("Type").String(ToString(element.key_type));
    builder.EndMap();
  }
  builder.EndList();
}

std::vector<KeySchemaElement> ReadKeySchema(Reader& reader) {
  std::vector<KeySchemaElement> key_schema;
  ForEachMap(reader.List("KeySchema"), [&](Reader& fields) {
    key_schema.push_back({std::string(fields.Text("Name")),
                          fields.Text("Type") == "RANGE" ? KeyType::kRange : KeyType::kHash});
  });
  return key_schema;
}

void AddOptional(ValueBuilder& builder, std::string_view name, std::optional<int64_t> value) {
  if (value) AddInteger(builder, name, *value);
}

// What tables and global indexes have in common.
template <typename Description>
void AddThroughput(ValueBuilder& builder, const Description& description) {
  AddInteger(builder, "ReadCapacityUnits", description.provisioned_throughput.read_capacity_units);
  AddInteger(builder, "WriteCapacityUnits",
             description.provisioned_throughput.write_capacity_units);
  AddInteger(builder, "NumberOfDecreases", description.number_of_decreases_today);
  AddInteger(builder, "LastIncreaseMs", static_cast<int64_t>(description.last_increase_ms));
  AddInteger(builder, "LastDecreaseMs", static_cast<int64_t>(description.last_decrease_ms));
  if (const auto& on_demand = description.on_demand_throughput) {
    AddOptional(builder, "MaxReadRequestUnits", on_demand->max_read_request_units);
    AddOptional(builder, "MaxWriteRequestUnits", on_demand->max_write_request_units);
  }
  if (const auto& warm = description.warm_throughput) {
    AddOptional(builder, "WarmReadUnits", warm->read_units_per_second);
    AddOptional(builder, "WarmWriteUnits", warm->write_units_per_second);
  }
}

template <typename Description>
void ReadThroughput(Reader& reader, Description* description) {
  description->provisioned_throughput.read_capacity_units = reader.Integer("ReadCapacityUnits");
  description->provisioned_throughput.write_capacity_units = reader.Integer("WriteCapacityUnits");
  description->number_of_decreases_today = reader.Integer("NumberOfDecreases");
  description->last_increase_ms = static_cast<uint64_t>(reader.Integer("LastIncreaseMs"));
  description->last_decrease_ms = static_cast<uint64_t>(reader.Integer("LastDecreaseMs"));
  OnDemandThroughput on_demand;
  on_demand.max_read_request_units = reader.OptionalInteger("MaxReadRequestUnits");
  on_demand.max_write_request_units = reader.OptionalInteger("MaxWriteRequestUnits");
  if (on_demand.max_read_request_units || on_demand.max_write_request_units) {
    description->on_demand_throughput = on_demand;
  }
  WarmThroughput warm;
  warm.read_units_per_second = reader.OptionalInteger("WarmReadUnits");
  warm.write_units_per_second = reader.OptionalInteger("WarmWriteUnits");
  if (warm.read_units_per_second || warm.write_units_per_second) {
    description->warm_throughput = warm;
  }
}

void AddIndex(ValueBuilder& builder, const IndexDescription& index, uint32_t key_space) {
  builder.BeginMap();
  builder.Name("Name").String(index.index_name);
  AddInteger(builder, "KeySpace", key_space);
  builder.Name("Global").Bool(index.global);
  AddKeySchema(builder, index.key_schema);
  builder.Name("Projection").String(ToString(index.projection.type.value_or(ProjectionType::kAll)));
  if (!index.projection.non_key_attributes.empty()) {
    builder.Name("NonKeyAttributes").BeginList();
    for (const std::string& name : index.projection.non_key_attributes) builder.String(name);
    builder.EndList();
  }
  builder.Name("Status").String(ToString(index.status));
  builder.Name("Backfilling").Bool(index.backfilling);
  AddThroughput(builder, index);
  builder.EndMap();
}

IndexDescription ReadIndex(Reader& reader, uint32_t* key_space) {
  IndexDescription index;
  index.index_name = reader.Text("Name");
  *key_space = static_cast<uint32_t>(reader.Integer("KeySpace"));
  index.global = reader.Boolean("Global");
  index.key_schema = ReadKeySchema(reader);
  const std::string_view projection = reader.Text("Projection");
  for (const auto type :
       {ProjectionType::kKeysOnly, ProjectionType::kInclude, ProjectionType::kAll}) {
    if (ToString(type) == projection) index.projection.type = type;
  }
  if (reader.Has("NonKeyAttributes")) {
    if (const auto names = reader.List("NonKeyAttributes")) {
      for (const ValueView name : *names) {
        index.projection.non_key_attributes.emplace_back(name.text());
      }
    }
  }
  const std::string_view status = reader.Text("Status");
  for (const auto each : {IndexStatus::kCreating, IndexStatus::kUpdating, IndexStatus::kDeleting}) {
    if (ToString(each) == status) index.status = each;
  }
  index.backfilling = reader.Boolean("Backfilling");
  ReadThroughput(reader, &index);
  return index;
}

}  // namespace

std::shared_ptr<Meter> NewMeter() { return std::make_shared<Meter>(); }

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
  index.readable = from.status != IndexStatus::kCreating;
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
  if (description.table_status != TableStatus::kActive) {
    builder.Name("Status").String(ToString(description.table_status));
  }
  AddInteger(builder, "CreationTimeMs", static_cast<int64_t>(description.creation_time_ms));
  builder.Name("AttributeDefinitions").BeginList();
  for (const AttributeDefinition& definition : description.attribute_definitions) {
    builder.BeginMap();
    builder.Name("Name").String(definition.attribute_name);
    builder.Name("Type").String(TypeName(definition.attribute_type));
    builder.EndMap();
  }
  builder.EndList();
  AddKeySchema(builder, description.key_schema);
  builder.Name("BillingMode").String(ToString(description.billing_mode));
  builder.Name("HasBillingModeSummary").Bool(description.has_billing_mode_summary);
  AddInteger(builder, "LastUpdateToPayPerRequestMs",
             static_cast<int64_t>(description.last_update_to_pay_per_request_ms));
  AddThroughput(builder, description);
  builder.Name("DeletionProtection").Bool(description.deletion_protection_enabled);
  if (description.table_class) {
    builder.Name("TableClass").String(ToString(*description.table_class));
  }
  if (description.sse_enabled) {
    builder.Name("KmsMasterKeyArn").String(description.kms_master_key_arn);
  }
  if (!description.tags.empty()) {
    builder.Name("Tags").BeginMap();
    for (const Tag& tag : description.tags) builder.Name(tag.key).String(tag.value);
    builder.EndMap();
  }
  if (description.latest_stream_id != 0) {
    AddInteger(builder, "LatestStreamId", static_cast<int64_t>(description.latest_stream_id));
  }
  if (description.stream_view_type) {
    builder.Name("StreamViewType").String(ToString(*description.stream_view_type));
  }
  if (!description.ttl_attribute.empty()) {
    builder.Name("TtlAttribute").String(description.ttl_attribute);
    AddInteger(builder, "TtlKeySpace", table.ttl_key_space);
    builder.Name("TtlIndexed").Bool(description.ttl_indexed);
  }
  if (description.ttl_changed_ms != 0) {
    AddInteger(builder, "TtlChangedMs", static_cast<int64_t>(description.ttl_changed_ms));
  }
  if (!table.indexes.empty()) {
    builder.Name("Indexes").BeginList();
    for (size_t i = 0; i < table.indexes.size(); ++i) {
      AddIndex(builder, description.indexes[i], table.indexes[i].key_space);
    }
    builder.EndList();
  }
  builder.EndMap();
  return Item(builder.Finish());
}

StatusOr<Table> TableOfRecord(const ItemView& record) {
  Reader reader(record);
  const int64_t version = reader.Integer("Version");
  if (reader.status().ok() && (version < 1 || version > kRecordVersion)) {
    return FailedPrecondition("catalogue: record of a table has version {}, this program knows {}",
                              version, kRecordVersion);
  }
  Table table;
  TableDescription& description = table.description;
  table.key_space = static_cast<uint32_t>(reader.Integer("KeySpace"));
  description.table_name = reader.Text("TableName");
  description.table_id = reader.Text("TableId");
  if (reader.Has("Status")) {
    const std::string_view status = reader.Text("Status");
    for (const auto each :
         {TableStatus::kCreating, TableStatus::kUpdating, TableStatus::kDeleting}) {
      if (ToString(each) == status) description.table_status = each;
    }
  }
  description.creation_time_ms = static_cast<uint64_t>(reader.Integer("CreationTimeMs"));
  ForEachMap(reader.List("AttributeDefinitions"), [&](Reader& fields) {
    description.attribute_definitions.push_back(
        {std::string(fields.Text("Name")), TypeNamed(fields.Text("Type"))});
  });
  description.key_schema = ReadKeySchema(reader);
  description.billing_mode = reader.Text("BillingMode") == "PAY_PER_REQUEST"
                                 ? BillingMode::kPayPerRequest
                                 : BillingMode::kProvisioned;
  description.has_billing_mode_summary = reader.Boolean("HasBillingModeSummary");
  description.last_update_to_pay_per_request_ms =
      static_cast<uint64_t>(reader.Integer("LastUpdateToPayPerRequestMs"));
  ReadThroughput(reader, &description);
  description.deletion_protection_enabled = reader.Boolean("DeletionProtection");
  if (reader.Has("TableClass")) {
    description.table_class = reader.Text("TableClass") == "STANDARD"
                                  ? TableClass::kStandard
                                  : TableClass::kStandardInfrequentAccess;
  }
  if (reader.Has("KmsMasterKeyArn")) {
    description.sse_enabled = true;
    description.kms_master_key_arn = reader.Text("KmsMasterKeyArn");
  }
  if (reader.Has("Tags")) {
    if (const auto tags = reader.Map("Tags")) {
      for (const auto& [key, value] : *tags) {
        description.tags.push_back({std::string(key), std::string(value.text())});
      }
    }
  }
  if (reader.Has("LatestStreamId")) {
    description.latest_stream_id = static_cast<uint64_t>(reader.Integer("LatestStreamId"));
  }
  if (reader.Has("StreamViewType")) {
    description.stream_view_type = StreamViewTypeNamed(reader.Text("StreamViewType"));
  }
  if (reader.Has("TtlAttribute")) {
    description.ttl_attribute = reader.Text("TtlAttribute");
    table.ttl_key_space = static_cast<uint32_t>(reader.Integer("TtlKeySpace"));
    description.ttl_indexed = reader.Boolean("TtlIndexed");
  }
  if (reader.Has("TtlChangedMs")) {
    description.ttl_changed_ms = static_cast<uint64_t>(reader.Integer("TtlChangedMs"));
  }
  std::vector<uint32_t> index_key_spaces;
  Status index_status;
  if (reader.Has("Indexes")) {
    ForEachMap(reader.List("Indexes"), [&](Reader& fields) {
      uint32_t key_space = 0;
      description.indexes.push_back(ReadIndex(fields, &key_space));
      index_key_spaces.push_back(key_space);
      if (index_status.ok()) index_status = fields.status();
    });
  }
  VARVE_RETURN_IF_ERROR(reader.status());
  VARVE_RETURN_IF_ERROR(index_status);
  if (description.key_schema.empty()) {
    return Corruption("catalogue: table {} has no key schema", description.table_name);
  }
  table.key = KeyOfDescription(description);
  for (size_t i = 0; i < description.indexes.size(); ++i) {
    table.indexes.push_back(
        IndexOfDescription(description, description.indexes[i], index_key_spaces[i]));
  }
  return table;
}

std::vector<std::shared_ptr<const void>> LeasesOf(const Table& table) {
  std::vector<std::shared_ptr<const void>> leases = {table.lease};
  for (const Index& index : table.indexes) leases.push_back(index.lease);
  return leases;
}

const Index* FindIndex(const Table& table, std::string_view name) {
  for (const Index& index : table.indexes) {
    if (index.name == name) return &index;
  }
  return nullptr;
}

const IndexDescription* FindIndex(const TableDescription& description, std::string_view name) {
  for (const IndexDescription& index : description.indexes) {
    if (index.index_name == name) return &index;
  }
  return nullptr;
}

IndexDescription* FindIndex(TableDescription& description, std::string_view name) {
  return const_cast<IndexDescription*>(
      FindIndex(static_cast<const TableDescription&>(description), name));
}

}  // namespace varve::item
