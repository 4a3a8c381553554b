#include "item/store.h"

#include <algorithm>

#include "item/capacity.h"
#include "item/meter.h"
#include "item/update_table.h"

namespace varve::item {

Store::Store(io::Io& io, engine::Db& db, StoreOptions options, std::unique_ptr<Streams> streams,
             std::unique_ptr<Catalogue> catalogue)
    : io_(io),
      db_(db),
      options_(std::move(options)),
      streams_(std::move(streams)),
      catalogue_(std::move(catalogue)),
      tokens_(db),
      collections_(db, options_.item_collection_bytes_max),
      sizes_(io, db, *catalogue_, background_, options_.count_wait_ms),
      background_(io_) {}

Store::~Store() { background_.Stop(); }

io::Task<StatusOr<std::unique_ptr<Store>>> Store::Open(io::Io& io, engine::Db& db,
                                                       StoreOptions options) {
  std::string arn_prefix =
      fmt::format("arn:aws:dynamodb:{}:{}:table/", options.region, options.account_id);
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Streams> streams, co_await Streams::Open(db));
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Catalogue> catalogue,
                            co_await Catalogue::Open(db, *streams, std::move(arn_prefix)));
  std::unique_ptr<Store> store(
      new Store(io, db, std::move(options), std::move(streams), std::move(catalogue)));
  store->CareForStreams();
  for (const TablePointer& table : store->catalogue_->Tables()) {
    if (table->description.table_status == TableStatus::kDeleting) {
      store->background_.Start(store->FinishDeletion(table->description.table_name, /*wait_ms=*/0));
      continue;
    }
    store->CareForTimeToLive(*table);
    for (const Index& index : table->indexes) {
      if (index.readable) continue;
      store->background_.Start(store->FillIndex(table->description.table_name, index.name));
    }
  }
  co_return store;
}

StatusOr<TablePointer> Store::TableOf(std::string_view name) const {
  TablePointer table = catalogue_->Find(name);
  if (table == nullptr) return TableNotFound();
  if (options_.transition_ms > 0 &&
      StatusAt(table->description, io_.WallMs()) == TableStatus::kCreating) {
    return TableNotFound();
  }
  return table;
}

io::Task<StatusOr<bool>> Store::Read(const std::string& key, engine::PinnedValue* value) {
  if (std::optional<StatusOr<bool>> found = db_.TryGet(key, value)) co_return *std::move(found);
  co_return co_await db_.GetAsync(key, value);
}

io::Task<Status> Store::Write(const engine::WriteBatch& batch) {
  engine::WriteOptions options;
  options.sync = options_.sync_writes;
  if (options_.skipped_rule != Rule::kNone || options_.before_commit) [[unlikely]] {
    engine::WriteBatch seen = WithoutRule(batch);
    if (options_.before_commit) options_.before_commit(&seen);
    const StatusOr<SequenceNumber> written = co_await db_.WriteAsync(seen, options);
    co_return written.status();
  }
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, options);
  co_return written.status();
}

SwitchStatus Store::SwitchStatusAt(bool on, uint64_t since_ms) const {
  if (options_.transition_ms > 0 && io_.WallMs() < since_ms + options_.transition_ms) {
    return on ? SwitchStatus::kEnabling : SwitchStatus::kDisabling;
  }
  return on ? SwitchStatus::kEnabled : SwitchStatus::kDisabled;
}

std::string Store::ArnOf(std::string_view table_name) const {
  return fmt::format("arn:aws:dynamodb:{}:{}:table/{}", options_.region, options_.account_id,
                     table_name);
}

Status Store::AdmitRead(const Table& table, const Index* index) {
  if (!enforces_capacity()) return absl::OkStatus();
  return item::AdmitRead(table, index, ArnOf(table.description.table_name), io_.MonotonicNs());
}

void Store::ChargeRead(const Table& table, const Index* index, double units, double table_units) {
  if (enforces_capacity()) item::ChargeRead(table, index, units, table_units);
}

Status Store::AdmitWrite(const Table& table, const ChangeCost& cost) {
  if (!enforces_capacity()) return absl::OkStatus();
  return item::AdmitWrite(table, cost, ArnOf(table.description.table_name), io_.MonotonicNs());
}

Status Store::ChargeWrite(const Table& table, const ChangeCost& cost) {
  VARVE_RETURN_IF_ERROR(AdmitWrite(table, cost));
  if (enforces_capacity()) item::ChargeWrite(table, cost);
  return absl::OkStatus();
}

Status Store::ChargeFailedWrite(const Change& change, Status failed) {
  const ErrorType type = TypeOfError(failed);
  if (!enforces_capacity() || (type != ErrorType::kConditionalCheckFailedException &&
                               type != ErrorType::kDuplicateItemException)) {
    return failed;
  }
  const auto bytes = [](const std::optional<ItemView>& item) {
    return item ? item->size_bytes() : 0;
  };
  ChangeCost cost;  // nothing of the indexes, which it doesn't reach
  cost.table_units = WriteUnits(std::max(bytes(change.old_item), bytes(change.new_item)));
  VARVE_RETURN_IF_ERROR(ChargeWrite(*change.table, cost));
  return failed;
}

}  // namespace varve::item
