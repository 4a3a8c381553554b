#include "item/store.h"

#include "item/store_impl.h"

namespace varve::item {

Store::Store(std::unique_ptr<StoreImpl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

io::Task<StatusOr<std::unique_ptr<Store>>> Store::Open(io::Io& io, engine::Db& db,
                                                       StoreOptions options) {
  VARVE_ASSIGN_OR_CO_RETURN(std::unique_ptr<Catalogue> catalogue, co_await Catalogue::Open(db));
  auto impl = std::make_unique<StoreImpl>(io, db, std::move(options), std::move(catalogue));
  co_return std::unique_ptr<Store>(new Store(std::move(impl)));
}

io::Task<StatusOr<CreateTableResponse>> Store::CreateTable(const CreateTableRequest& request) {
  return impl_->CreateTable(request);
}
io::Task<StatusOr<DescribeTableResponse>> Store::DescribeTable(
    const DescribeTableRequest& request) {
  return impl_->DescribeTable(request);
}
io::Task<StatusOr<ListTablesResponse>> Store::ListTables(const ListTablesRequest& request) {
  return impl_->ListTables(request);
}
io::Task<StatusOr<UpdateTableResponse>> Store::UpdateTable(const UpdateTableRequest& request) {
  return impl_->UpdateTable(request);
}
io::Task<StatusOr<DeleteTableResponse>> Store::DeleteTable(const DeleteTableRequest& request) {
  return impl_->DeleteTable(request);
}
io::Task<StatusOr<GetItemResponse>> Store::GetItem(const GetItemRequest& request) {
  return impl_->GetItem(request);
}
io::Task<StatusOr<PutItemResponse>> Store::PutItem(const PutItemRequest& request) {
  return impl_->PutItem(request);
}
io::Task<StatusOr<DeleteItemResponse>> Store::DeleteItem(const DeleteItemRequest& request) {
  return impl_->DeleteItem(request);
}
io::Task<StatusOr<UpdateItemResponse>> Store::UpdateItem(const UpdateItemRequest& request) {
  return impl_->UpdateItem(request);
}
io::Task<StatusOr<QueryResponse>> Store::Query(const QueryRequest& request) {
  return impl_->Query(request);
}
io::Task<StatusOr<ScanResponse>> Store::Scan(const ScanRequest& request) {
  return impl_->Scan(request);
}
io::Task<StatusOr<BatchGetItemResponse>> Store::BatchGetItem(const BatchGetItemRequest& request) {
  return impl_->BatchGetItem(request);
}
io::Task<StatusOr<BatchWriteItemResponse>> Store::BatchWriteItem(
    const BatchWriteItemRequest& request) {
  return impl_->BatchWriteItem(request);
}

// ---- What operations share

StatusOr<TablePointer> StoreImpl::TableOf(std::string_view name) const {
  TablePointer table = catalogue_->Find(name);
  if (table == nullptr) return TableNotFound();
  return table;
}

io::Task<StatusOr<bool>> StoreImpl::Read(const std::string& key, engine::PinnedValue* value) {
  if (std::optional<StatusOr<bool>> found = db_.TryGet(key, value)) co_return *std::move(found);
  co_return co_await db_.GetAsync(key, value);
}

io::Task<Status> StoreImpl::Write(const engine::WriteBatch& batch) {
  engine::WriteOptions options;
  options.sync = options_.sync_writes;
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, options);
  co_return written.status();
}

std::string StoreImpl::ArnOf(std::string_view table_name) const {
  return fmt::format("arn:aws:dynamodb:{}:{}:table/{}", options_.region, options_.account_id,
                     table_name);
}

}  // namespace varve::item
