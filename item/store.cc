#include "item/store.h"

namespace varve::item {

Store::Store(io::Io& io, engine::Db& db, StoreOptions options, std::unique_ptr<Catalogue> catalogue)
    : io_(io),
      db_(db),
      options_(std::move(options)),
      catalogue_(std::move(catalogue)),
      tokens_(io, db) {}

Store::~Store() = default;

io::Task<StatusOr<std::unique_ptr<Store>>> Store::Open(io::Io& io, engine::Db& db,
                                                       StoreOptions options) {
  std::string arn_prefix =
      fmt::format("arn:aws:dynamodb:{}:{}:table/", options.region, options.account_id);
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Catalogue> catalogue,
                            co_await Catalogue::Open(db, std::move(arn_prefix)));
  co_return std::unique_ptr<Store>(new Store(io, db, std::move(options), std::move(catalogue)));
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

}  // namespace varve::item
