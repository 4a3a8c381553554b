// Store: DynamoDB's operations on tables and items, over one engine::Db.
//
//   VARVE_ASSIGN_OR_CO_RETURN(auto store, co_await Store::Open(io, db, {}));
//   PutItemRequest request;
//   request.table_name = "Packages";
//   request.item = ...;
//   auto response = co_await store->PutItem(request);
//   if (!response.ok()) Answer(TypeOfError(response.status()), Message(response.status()));
//
// Every operation is a task for a coroutine on an executor of the Db's Io, and may run on any
// number of executors side by side. Writes of one item are serialised by a lock on its key, so a
// condition holds when its write takes effect; a write is in the engine as one batch, seen whole or
// not at all. Reads take no lock and always see the newest state. A table that is created is ACTIVE
// when CreateTable returns, and gone when DeleteTable returns.
//
// Errors are those of item/errors.h. A request must stay alive and unchanged until its task is
// done.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "io/task.h"
#include "item/errors.h"
#include "item/requests.h"

namespace varve::item {

struct StoreOptions {
  // They appear in the ARNs of tables.
  std::string region = "us-east-1";
  std::string account_id = "000000000000";
  // A page of Query or Scan ends when this much has been read.
  size_t page_bytes_max = size_t{1} << 20;
  // BatchGetItem leaves the rest unprocessed after this much.
  size_t batch_get_bytes_max = size_t{16} << 20;
  // With a relaxed log: writes are answered when they would survive a power cut.
  bool sync_writes = false;
};

class StoreImpl;

class Store {
 public:
  // Reads the catalogue. `io` and `db` must outlive the store.
  static io::Task<StatusOr<std::unique_ptr<Store>>> Open(io::Io& io, engine::Db& db,
                                                         StoreOptions options);
  // No operation may be under way.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  io::Task<StatusOr<CreateTableResponse>> CreateTable(const CreateTableRequest& request);
  io::Task<StatusOr<DescribeTableResponse>> DescribeTable(const DescribeTableRequest& request);
  io::Task<StatusOr<ListTablesResponse>> ListTables(const ListTablesRequest& request);
  io::Task<StatusOr<UpdateTableResponse>> UpdateTable(const UpdateTableRequest& request);
  io::Task<StatusOr<DeleteTableResponse>> DeleteTable(const DeleteTableRequest& request);

  io::Task<StatusOr<GetItemResponse>> GetItem(const GetItemRequest& request);
  io::Task<StatusOr<PutItemResponse>> PutItem(const PutItemRequest& request);
  io::Task<StatusOr<DeleteItemResponse>> DeleteItem(const DeleteItemRequest& request);
  io::Task<StatusOr<UpdateItemResponse>> UpdateItem(const UpdateItemRequest& request);

  io::Task<StatusOr<QueryResponse>> Query(const QueryRequest& request);
  io::Task<StatusOr<ScanResponse>> Scan(const ScanRequest& request);

  io::Task<StatusOr<BatchGetItemResponse>> BatchGetItem(const BatchGetItemRequest& request);
  io::Task<StatusOr<BatchWriteItemResponse>> BatchWriteItem(const BatchWriteItemRequest& request);

 private:
  explicit Store(std::unique_ptr<StoreImpl> impl);
  std::unique_ptr<StoreImpl> impl_;
};

}  // namespace varve::item
