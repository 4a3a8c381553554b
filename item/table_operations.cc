// CreateTable, DescribeTable, ListTables, DeleteTable. (UpdateTable: item/update_table.cc)
#include <algorithm>

#include "item/store.h"
#include "item/table_rules.h"
#include "item/update_table.h"

namespace varve::item {
namespace {

constexpr int64_t kListTablesLimit = 100;

// How much of a table DescribeTable looks at to tell its size; a larger one is estimated from that.
constexpr uint64_t kMeasuredItemsMax = 2000;
constexpr uint64_t kMeasuredBytesMax = uint64_t{1} << 20;

std::string MakeUuid(io::Io& io) {
  const uint64_t high = io.RandomU64(), low = io.RandomU64();
  // Version 4, variant 1 (RFC 4122).
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xfff, 0x8000 | ((low >> 48) & 0x3fff), low & 0xffffffffffff);
}

std::vector<Tag> SortedTags(std::vector<Tag> tags) {
  std::sort(tags.begin(), tags.end(), [](const Tag& a, const Tag& b) { return a.key < b.key; });
  return tags;
}

}  // namespace

io::Task<StatusOr<CreateTableResponse>> Store::CreateTable(const CreateTableRequest& request) {
  VARVE_CO_RETURN_IF_ERROR(CheckCreateTable(request));

  TableDescription description;
  description.table_name = catalogue_->NameOf(request.table_name);
  description.table_id = MakeUuid(io_);
  description.attribute_definitions = request.attribute_definitions;
  description.key_schema = request.key_schema;
  description.creation_time_ms = io_.WallMs();
  description.billing_mode = request.billing_mode.value_or(BillingMode::kProvisioned);
  if (description.billing_mode == BillingMode::kPayPerRequest) {
    description.has_billing_mode_summary = true;
    description.last_update_to_pay_per_request_ms = description.creation_time_ms;
  } else {
    description.provisioned_throughput = *request.provisioned_throughput;
  }
  description.deletion_protection_enabled = request.deletion_protection_enabled;
  description.table_class = request.table_class;
  description.on_demand_throughput = request.on_demand_throughput;
  description.warm_throughput = request.warm_throughput;
  if (request.sse_specification && request.sse_specification->enabled.value_or(false)) {
    description.sse_enabled = true;
    description.kms_master_key_arn = KmsKeyArn(*request.sse_specification);
  }
  if (request.stream_specification && request.stream_specification->stream_enabled) {
    description.stream_view_type = request.stream_specification->stream_view_type;
  }
  if (request.tags) description.tags = SortedTags(*request.tags);
  for (const auto& [indexes, global] : {std::pair(&request.local_secondary_indexes, false),
                                        std::pair(&request.global_secondary_indexes, true)}) {
    if (!*indexes) continue;
    for (const SecondaryIndex& index : **indexes) {
      description.indexes.push_back(DescriptionOfIndex(index, global));
    }
  }

  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table,
                            co_await catalogue_->Create(std::move(description)));
  CareForStreams();
  // The table is there by now, but clients know tables to begin like this.
  CreateTableResponse response;
  TableDescription& answer = response.table_description;
  answer = table->description;
  AddArns(&answer);
  answer.table_status = TableStatus::kCreating;
  answer.last_update_to_pay_per_request_ms = 0;
  for (IndexDescription& index : answer.indexes) index.status = IndexStatus::kCreating;
  co_return response;
}

io::Task<StatusOr<DescribeTableResponse>> Store::DescribeTable(
    const DescribeTableRequest& request) {
  const TablePointer table = catalogue_->Find(request.table_name);
  if (table == nullptr) co_return TableNotFound(request.table_name);
  DescribeTableResponse response;
  VARVE_CO_RETURN_IF_ERROR(co_await Complete(*table, &response.table));
  co_return response;
}

io::Task<StatusOr<ListTablesResponse>> Store::ListTables(const ListTablesRequest& request) {
  const size_t limit = static_cast<size_t>(request.limit.value_or(kListTablesLimit));
  ListTablesResponse response;
  response.table_names =
      catalogue_->NamesAfter(request.exclusive_start_table_name.value_or(""), limit + 1);
  if (response.table_names.size() > limit) {
    response.table_names.resize(limit);
    if (limit > 0) response.last_evaluated_table_name = response.table_names.back();
  }
  co_return response;
}

io::Task<StatusOr<DeleteTableResponse>> Store::DeleteTable(const DeleteTableRequest& request) {
  Catalogue::Check check = [](const TableDescription& description) -> Status {
    VARVE_RETURN_IF_ERROR(CheckTableAtRest(description));
    if (std::any_of(description.indexes.begin(), description.indexes.end(),
                    [](const auto& index) { return index.status != IndexStatus::kActive; })) {
      return MakeError(ErrorType::kResourceInUseException,
                       "Attempt to change a resource which is still in use: Cannot delete table "
                       "while indexes are being created, updated, or deleted.");
    }
    if (!description.deletion_protection_enabled) return absl::OkStatus();
    return ValidationError(
        "Resource cannot be deleted as it is currently protected against deletion. Disable "
        "deletion "
        "protection first.");
  };
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table,
                            co_await catalogue_->Delete(request.table_name, std::move(check)));
  DeleteTableResponse response;
  response.table_description = table->description;
  AddArns(&response.table_description);
  response.table_description.table_status = TableStatus::kDeleting;
  co_return response;
}

void Store::AddArns(TableDescription* description) const {
  description->table_arn = ArnOf(description->table_name);
  if (description->latest_stream_id != 0) {
    description->latest_stream_label = StreamLabel(description->latest_stream_id);
    description->latest_stream_arn =
        StreamArn(description->table_name, description->latest_stream_id);
  }
  for (IndexDescription& index : description->indexes) {
    index.index_arn = fmt::format("{}/index/{}", description->table_arn, index.index_name);
  }
}

std::string Store::KmsKeyArn(const SseSpecification& sse) const {
  // The service's own key unless another one is named. Nothing is encrypted with either.
  const std::string key = sse.kms_master_key_id.value_or("alias/aws/dynamodb");
  if (key.starts_with("arn:")) return key;
  return fmt::format("arn:aws:kms:{}:{}:{}{}", options_.region, options_.account_id,
                     key.starts_with("alias/") ? "" : "key/", key);
}

io::Task<Status> Store::Complete(const Table& table, TableDescription* description) {
  *description = table.description;
  AddArns(description);
  ForgetOldDecreases(io_.WallMs(), description);
  VARVE_CO_RETURN_IF_ERROR(
      co_await Measure(table.key_space, &description->item_count, &description->table_size_bytes));
  for (size_t i = 0; i < table.indexes.size(); ++i) {
    IndexDescription& index = description->indexes[i];
    VARVE_CO_RETURN_IF_ERROR(
        co_await Measure(table.indexes[i].key_space, &index.item_count, &index.index_size_bytes));
  }
  co_return absl::OkStatus();
}

io::Task<Status> Store::Measure(uint32_t key_space, uint64_t* item_count, uint64_t* size_bytes) {
  const KeyBounds bounds = KeySpaceBounds(key_space);
  engine::IteratorOptions options;
  options.lower_bound = bounds.begin;
  options.upper_bound = bounds.end;
  options.fill_cache = false;
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  uint64_t items = 0, item_bytes = 0, entry_bytes = 0;
  std::string last_key;
  while (iterator->Valid() && items < kMeasuredItemsMax && item_bytes < kMeasuredBytesMax) {
    ++items;
    item_bytes += ItemView(iterator->value()).size_bytes();
    entry_bytes += iterator->key().size() + iterator->value().size();
    last_key = iterator->key();
    if (!iterator->StartNext()) co_await iterator->SettleAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());
  *item_count = items;
  *size_bytes = item_bytes;
  if (!iterator->Valid()) co_return absl::OkStatus();

  // Items lie in the order of a hash, so the first ones are a fair sample of all. The engine counts
  // memtables as a whole, whatever the range, and tables by the range's share.
  const uint64_t memtables = db_.ApproximateBytes(bounds.begin, bounds.begin + '\0');
  const uint64_t sample = db_.ApproximateBytes(bounds.begin, last_key);
  const uint64_t whole = db_.ApproximateBytes(bounds.begin, bounds.end);
  double scale = static_cast<double>(whole) / static_cast<double>(entry_bytes);
  if (sample > memtables && whole > 2 * memtables) {
    scale = static_cast<double>(whole - memtables) / static_cast<double>(sample - memtables);
  }
  scale = std::max(1.0, scale);
  *item_count = static_cast<uint64_t>(static_cast<double>(items) * scale);
  *size_bytes = static_cast<uint64_t>(static_cast<double>(item_bytes) * scale);
  co_return absl::OkStatus();
}

}  // namespace varve::item
