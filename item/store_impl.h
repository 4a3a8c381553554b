// StoreImpl: what the operations of a Store share. The operations are spread over
// table_operations.cc, item_operations.cc, query_operations.cc and batch_operations.cc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/db.h"
#include "io/io.h"
#include "item/catalogue.h"
#include "item/expression/expression.h"
#include "item/key_locks.h"
#include "item/requests.h"
#include "item/store.h"

namespace varve::item {

class StoreImpl {
 public:
  StoreImpl(io::Io& io, engine::Db& db, StoreOptions options, std::unique_ptr<Catalogue> catalogue)
      : io_(io), db_(db), options_(std::move(options)), catalogue_(std::move(catalogue)) {}

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
  // What Query and Scan have in common once they know where to read.
  struct PageScan {
    TablePointer table;
    KeyBounds bounds;
    bool forward = true;
    bool fill_cache = true;
    std::optional<int64_t> limit;
    const expression::Condition* filter = nullptr;
    const expression::Projection* projection = nullptr;
    bool count_only = false;
    bool consistent_read = false;
    ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  };
  io::Task<StatusOr<ItemPage>> ReadPage(PageScan scan);

  // The table of a data operation: ResourceNotFoundException if there is none.
  StatusOr<TablePointer> TableOf(std::string_view name) const;

  // Reads an item into *value; false if it is not there.
  io::Task<StatusOr<bool>> Read(const std::string& key, engine::PinnedValue* value);

  // Commits, as durably as the options ask.
  io::Task<Status> Write(const engine::WriteBatch& batch);

  // Fills the members of a description that are measured or made up of options.
  io::Task<Status> Complete(const Table& table, TableDescription* description);

  std::string ArnOf(std::string_view table_name) const;

  io::Io& io_;
  engine::Db& db_;
  const StoreOptions options_;
  const std::unique_ptr<Catalogue> catalogue_;
  KeyLocks locks_;
};

}  // namespace varve::item
