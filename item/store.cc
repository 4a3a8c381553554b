#include "item/store.h"

#include "item/meter.h"

namespace varve::item {

Store::Store(io::Io& io, engine::Db& db, StoreOptions options, std::unique_ptr<Streams> streams,
             std::unique_ptr<Catalogue> catalogue)
    : io_(io),
      db_(db),
      options_(std::move(options)),
      streams_(std::move(streams)),
      catalogue_(std::move(catalogue)),
      tokens_(io, db),
      collections_(db, options_.item_collection_bytes_max),
      background_(io_) {}

Store::~Store() { background_.Stop(); }

io::Task<StatusOr<std::unique_ptr<Store>>> Store::Open(io::Io& io, engine::Db& db,
                                                       StoreOptions options) {
  std::string arn_prefix =
      fmt::format("arn:aws:dynamodb:{}:{}:table/", options.region, options.account_id);
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Streams> streams, co_await Streams::Open(io, db));
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Catalogue> catalogue,
                            co_await Catalogue::Open(db, *streams, std::move(arn_prefix)));
  std::unique_ptr<Store> store(
      new Store(io, db, std::move(options), std::move(streams), std::move(catalogue)));
  store->CareForStreams();
  for (const TablePointer& table : store->catalogue_->Tables()) {
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
  return table;
}

io::Task<StatusOr<bool>> Store::Read(const std::string& key, engine::PinnedValue* value) {
  if (std::optional<StatusOr<bool>> found = db_.TryGet(key, value)) co_return *std::move(found);
  co_return co_await db_.GetAsync(key, value);
}

io::Task<Status> Store::Write(const engine::WriteBatch& batch) {
  engine::WriteOptions options;
  options.sync = options_.sync_writes;
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, options);
  co_return written.status();
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

}  // namespace varve::item
