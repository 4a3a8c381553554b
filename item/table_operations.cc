// CreateTable, DescribeTable, ListTables, DeleteTable. (UpdateTable: item/update_table.cc)
#include <algorithm>

#include "item/store.h"
#include "item/table_rules.h"
#include "item/update_table.h"

namespace varve::item {
namespace {

constexpr int64_t kListTablesLimit = 100;
// After a failure: the disk may be full, say.
constexpr uint64_t kRetryMs = 1000;

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
  description.transition = TableStatus::kCreating;
  description.transition_end_ms = description.creation_time_ms + options_.transition_ms;
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
  VARVE_CO_RETURN_IF_ERROR(co_await Complete(*table, /*may_wait=*/true, &response.table));
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
  const uint64_t now_ms = io_.WallMs();
  Catalogue::Check check = [now_ms](const TableDescription& description) -> Status {
    VARVE_RETURN_IF_ERROR(CheckTableAtRest(description, now_ms));
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
  TablePointer table;
  if (options_.transition_ms == 0) {
    VARVE_ASSIGN_OR_CO_RETURN(table,
                              co_await catalogue_->Delete(request.table_name, std::move(check)));
  } else {
    bool begins = false;
    Catalogue::Change change = [&](TableDescription& description) -> Status {
      if (description.table_status == TableStatus::kDeleting) return absl::OkStatus();
      VARVE_RETURN_IF_ERROR(check(description));
      description.table_status = TableStatus::kDeleting;
      begins = true;
      return absl::OkStatus();
    };
    VARVE_ASSIGN_OR_CO_RETURN(table,
                              co_await catalogue_->Update(request.table_name, std::move(change)));
    if (begins) {
      background_.Start(FinishDeletion(table->description.table_name, options_.transition_ms));
    }
  }
  DeleteTableResponse response;
  response.table_description = table->description;
  AddArns(&response.table_description);
  response.table_description.table_status = TableStatus::kDeleting;
  co_return response;
}

io::Task<void> Store::FinishDeletion(std::string table_name, uint64_t wait_ms) {
  co_await background_.Sleep(wait_ms);
  const Catalogue::Check check = [](const TableDescription& description) -> Status {
    return description.table_status == TableStatus::kDeleting
               ? absl::OkStatus()
               : absl::FailedPreconditionError("another table by now");
  };
  while (!background_.stopping()) {
    const auto deleted = co_await catalogue_->Delete(table_name, check);
    if (deleted.ok() || catalogue_->Find(table_name) == nullptr ||
        absl::IsFailedPrecondition(deleted.status())) {
      co_return;
    }
    co_await background_.Sleep(kRetryMs);
  }
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

io::Task<Status> Store::Complete(const Table& table, bool may_wait, TableDescription* description) {
  *description = table.description;
  AddArns(description);
  const uint64_t now_ms = io_.WallMs();
  ForgetOldDecreases(now_ms, description);
  description->table_status = StatusAt(*description, now_ms);
  if (description->table_status == TableStatus::kCreating) {
    for (IndexDescription& index : description->indexes) index.status = IndexStatus::kCreating;
  }
  co_return co_await sizes_.Describe(table, may_wait, description);
}

}  // namespace varve::item
