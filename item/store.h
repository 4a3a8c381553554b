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
// not at all, and so is a transaction, which has the locks of all its items. A write of one item
// that meets a transaction there is refused (TransactionConflictException). Reads take no lock and
// always see the newest state. A table that is created is ACTIVE when CreateTable returns, and gone
// when DeleteTable returns, unless StoreOptions::transition_ms says otherwise.
//
// Errors are those of item/errors.h. A request must stay alive and unchanged until its task is
// done.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "io/task.h"
#include "item/background.h"
#include "item/catalogue.h"
#include "item/change.h"
#include "item/errors.h"
#include "item/expression/cache.h"
#include "item/expression/expression.h"
#include "item/item_collections.h"
#include "item/key_locks.h"
#include "item/keys.h"
#include "item/partiql/requests.h"
#include "item/requests.h"
#include "item/rule.h"
#include "item/stream_requests.h"
#include "item/streams.h"
#include "item/table_size.h"
#include "item/transaction.h"
#include "item/transaction_tokens.h"

namespace varve::item {

// Whether requests beyond the capacity of a table are refused, or capacity is only reported.
enum class CapacityMode : uint8_t { kReport, kEnforce };
namespace partiql {
struct Statement;
}

struct StoreOptions {
  // They appear in the ARNs of tables.
  std::string region = "us-east-1";
  std::string account_id = "123456789012";
  CapacityMode capacity = CapacityMode::kReport;
  // A page of Query or Scan ends when this much has been read.
  size_t page_bytes_max = size_t{1} << 20;
  // BatchGetItem leaves the rest unprocessed after this much.
  size_t batch_get_bytes_max = size_t{16} << 20;
  // ConsistentRead is taken for global secondary indexes, too, which the service refuses.
  bool consistent_gsi_reads = false;
  // Of a table with local indexes: items and entries under one partition key.
  uint64_t item_collection_bytes_max = uint64_t{10} << 30;
  // How long DescribeTable waits for the items of a large table to be counted.
  uint64_t count_wait_ms = 250;
  // How long a table is said to be CREATING, UPDATING or DELETING, a stream or a time to live to be
  // ENABLING or DISABLING, though all takes effect at once; as long, a new table is not found by
  // what reads and writes items. 0: no such states, but for what does take its time.
  uint64_t transition_ms = 0;
  // With a relaxed log: writes are answered when they would survive a power cut, those included
  // that change nothing because what they ask for is there already.
  bool sync_writes = false;
  // For tests of tests.
  Rule skipped_rule = Rule::kNone;
  // For tests: sees every commit of items before the engine does, and may add to it.
  std::function<void(engine::WriteBatch*)> before_commit;
};

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

  io::Task<StatusOr<ListStreamsResponse>> ListStreams(const ListStreamsRequest& request);
  io::Task<StatusOr<DescribeStreamResponse>> DescribeStream(const DescribeStreamRequest& request);
  io::Task<StatusOr<GetShardIteratorResponse>> GetShardIterator(
      const GetShardIteratorRequest& request);
  io::Task<StatusOr<GetRecordsResponse>> GetRecords(const GetRecordsRequest& request);

  io::Task<StatusOr<UpdateTimeToLiveResponse>> UpdateTimeToLive(
      const UpdateTimeToLiveRequest& request);
  io::Task<StatusOr<DescribeTimeToLiveResponse>> DescribeTimeToLive(
      const DescribeTimeToLiveRequest& request);

  // How long the item that expired first has been waiting to be deleted, and how many items have
  // been deleted since the store was opened because they had expired.
  uint64_t time_to_live_lag_s() const { return time_to_live_lag_s_.load(); }
  uint64_t time_to_live_deleted() const { return time_to_live_deleted_.load(); }

  io::Task<StatusOr<TagResourceResponse>> TagResource(const TagResourceRequest& request);
  io::Task<StatusOr<UntagResourceResponse>> UntagResource(const UntagResourceRequest& request);
  io::Task<StatusOr<ListTagsOfResourceResponse>> ListTagsOfResource(
      const ListTagsOfResourceRequest& request);

  // Whether there is a table of this name or ARN.
  bool HasTable(std::string_view name) const { return catalogue_->Find(name) != nullptr; }

  // What tells that table from any other there was or will be (TableDescription::table_id); empty
  // if there is none.
  std::string TableIdOf(std::string_view name) const {
    const TablePointer table = catalogue_->Find(name);
    return table == nullptr ? std::string() : table->description.table_id;
  }
  // Whether the table of this name has this id.
  bool HasTable(std::string_view name, std::string_view table_id) const {
    const TablePointer table = catalogue_->Find(name);
    return table != nullptr && table->description.table_id == table_id;
  }

  const StoreOptions& options() const { return options_; }

  // GetItem whose item stays where it lies: in the block cache, if that is where it was found.
  struct ItemRead {
    // Where to read.
    TablePointer table;
    std::string key;  // the engine's
    std::optional<expression::Projection> projection;

    // What was read.
    bool found = false;
    engine::PinnedValue bytes;      // the item's
    std::optional<Item> projected;  // instead of them, if the request has a projection
    std::optional<ConsumedCapacity> consumed_capacity;

    // If found.
    std::string_view encoded() const {
      return projected ? std::string_view(projected->encoded()) : bytes.view();
    }
  };
  io::Task<StatusOr<ItemRead>> ReadItem(const GetItemRequest& request);

  // The same in three steps, without a task, for who reads several items that may be in memory:
  // BeginRead checks a request, TryRead looks all of them up together, and FinishRead completes
  // each that TryRead was `done` with. The others are ReadItem's, from the beginning; so are
  // errors.
  struct ItemTry {
    ItemRead read;
    bool done = false;
  };
  Status BeginRead(const GetItemRequest& request, ItemRead* read);
  void TryRead(std::span<ItemTry* const> tries);
  void FinishRead(const GetItemRequest& request, ItemRead* read);

  io::Task<StatusOr<GetItemResponse>> GetItem(const GetItemRequest& request);
  io::Task<StatusOr<PutItemResponse>> PutItem(const PutItemRequest& request);
  io::Task<StatusOr<DeleteItemResponse>> DeleteItem(const DeleteItemRequest& request);
  io::Task<StatusOr<UpdateItemResponse>> UpdateItem(const UpdateItemRequest& request);

  // Makes a write that is sent again within ten minutes take effect once: the second time nothing
  // is done, `repeated` is set, and the answer is empty. IdempotentParameterMismatchException if
  // the token was that of another write. A write that fails leaves no token behind, nor does a
  // batch of which something is left unprocessed.
  struct Once {
    TransactionToken token;  // of Operation::kWrite
    bool repeated = false;
  };
  // `once` may be null.
  io::Task<StatusOr<PutItemResponse>> PutItem(const PutItemRequest& request, Once* once);
  io::Task<StatusOr<DeleteItemResponse>> DeleteItem(const DeleteItemRequest& request, Once* once);
  io::Task<StatusOr<UpdateItemResponse>> UpdateItem(const UpdateItemRequest& request, Once* once);

  io::Task<StatusOr<QueryResponse>> Query(const QueryRequest& request);
  io::Task<StatusOr<ScanResponse>> Scan(const ScanRequest& request);
  // The same, with pages that end when `page_bytes_max` have been read.
  io::Task<StatusOr<QueryResponse>> QueryPage(const QueryRequest& request, size_t page_bytes_max);
  io::Task<StatusOr<ScanResponse>> ScanPage(const ScanRequest& request, size_t page_bytes_max);

  io::Task<StatusOr<BatchGetItemResponse>> BatchGetItem(const BatchGetItemRequest& request);
  io::Task<StatusOr<BatchWriteItemResponse>> BatchWriteItem(const BatchWriteItemRequest& request);
  io::Task<StatusOr<BatchWriteItemResponse>> BatchWriteItem(const BatchWriteItemRequest& request,
                                                            Once* once);

  io::Task<StatusOr<TransactWriteItemsResponse>> TransactWriteItems(
      const TransactWriteItemsRequest& request);
  io::Task<StatusOr<TransactGetItemsResponse>> TransactGetItems(
      const TransactGetItemsRequest& request);

  io::Task<StatusOr<ExecuteStatementResponse>> ExecuteStatement(
      const ExecuteStatementRequest& request);
  io::Task<StatusOr<BatchExecuteStatementResponse>> BatchExecuteStatement(
      const BatchExecuteStatementRequest& request);
  io::Task<StatusOr<ExecuteTransactionResponse>> ExecuteTransaction(
      const ExecuteTransactionRequest& request);

 private:
  Store(io::Io& io, engine::Db& db, StoreOptions options, std::unique_ptr<Streams> streams,
        std::unique_ptr<Catalogue> catalogue);

  // What Query and Scan have in common once they know where to read.
  struct PageScan {
    TablePointer table;
    const Index* index = nullptr;  // of the table; null: the table itself is read
    bool fetch = false;            // items are read from the table where the index says
    KeyBounds bounds;
    bool forward = true;
    bool fill_cache = true;
    std::optional<int64_t> limit;
    std::optional<size_t> bytes_max;  // StoreOptions::page_bytes_max unless given
    const expression::Condition* filter = nullptr;
    const expression::Projection* projection = nullptr;
    bool count_only = false;
    bool consistent_read = false;
    ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
  };
  io::Task<StatusOr<ItemPage>> ReadPage(PageScan scan);

  // What PutItem and DeleteItem have in common once their parameters are checked.
  struct SingleWrite {
    TablePointer table;
    std::string key;                   // the engine's
    ItemView keyed;                    // has the key's attributes
    std::optional<ItemView> new_item;  // none: delete
    const expression::Condition* condition = nullptr;
    bool return_old = false;  // as Attributes
    bool return_old_on_condition_check_failure = false;
    ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
    bool return_item_collection_metrics = false;
    Once* once = nullptr;
  };
  struct WriteResult {
    std::optional<Item> attributes;
    std::optional<ConsumedCapacity> consumed_capacity;
    std::optional<ItemCollectionMetrics> item_collection_metrics;
  };
  io::Task<StatusOr<WriteResult>> WriteItem(SingleWrite write);
  // Looks whether `once`, which may be null, has been, and takes the lock of its token. With the
  // locks of the write's items held: the token's is always the last.
  io::Task<Status> LookUp(Once* once, KeyLocks::Guard* lock);

  // Does all that `transaction` says, or nothing: TransactionCanceled, with the reason of each
  // part; TransactionInProgressException or IdempotentParameterMismatchException, if its token is
  // that of another. It does not wait for another transaction, which is a reason, too.
  io::Task<StatusOr<TransactionResult>> CommitTransaction(const Transaction& transaction);
  // By table, doubled.
  io::Task<StatusOr<std::vector<ConsumedCapacity>>> CapacityOf(const Transaction& transaction,
                                                               const TransactionResult& result,
                                                               ReturnConsumedCapacity asked);
  io::Task<Status> LockForTransaction(const Transaction& transaction,
                                      std::vector<KeyLocks::Guard>* locks);

  // What one PartiQL statement answers.
  struct StatementResult {
    std::string table_name;    // once the statement has got as far as its item
    std::optional<Item> item;  // read, or asked for by RETURNING
    std::optional<ConsumedCapacity> consumed_capacity;
  };
  io::Task<StatusOr<ExecuteStatementResponse>> ExecuteSelect(const ExecuteStatementRequest& request,
                                                             partiql::Statement statement);
  // A statement of BatchExecuteStatement: a SELECT of one item by its key, or a write.
  io::Task<Status> RunStatement(partiql::Statement statement, const ParameterizedStatement& request,
                                ReturnConsumedCapacity asked, StatementResult* result);
  io::Task<Status> LookUpStatement(partiql::Statement statement,
                                   const ParameterizedStatement& request,
                                   ReturnConsumedCapacity asked, StatementResult* result);
  io::Task<Status> WriteStatement(partiql::Statement statement,
                                  const ParameterizedStatement& request,
                                  ReturnConsumedCapacity asked, StatementResult* result);
  io::Task<StatusOr<ExecuteTransactionResponse>> SelectInTransaction(
      const ExecuteTransactionRequest& request, std::vector<partiql::Statement> statements);

  // The table of a data operation: ResourceNotFoundException if there is none.
  StatusOr<TablePointer> TableOf(std::string_view name) const;

  // Reads an item into *value; false if it is not there.
  io::Task<StatusOr<bool>> Read(const std::string& key, engine::PinnedValue* value);

  // Commits, as durably as the options ask.
  io::Task<Status> Write(const engine::WriteBatch& batch);
  // `batch` but for what options_.skipped_rule would have in it.
  engine::WriteBatch WithoutRule(const engine::WriteBatch& batch) const;

  // Background task: gives a new index its entries. (item/backfill.cc)
  io::Task<void> FillIndex(std::string table_name, std::string index_name);
  // The next few items behind *position, or behind the one that was noted if there is none yet.
  // True if these were the last.
  io::Task<StatusOr<bool>> FillIndexStep(const Table& table, const Index& index,
                                         std::optional<std::string>* position);

  // What has been on or off since then, at first on its way.
  SwitchStatus SwitchStatusAt(bool on, uint64_t since_ms) const;
  // Background task: deletes a table that is DELETING.
  io::Task<void> FinishDeletion(std::string table_name, uint64_t wait_ms);

  // The name of the table that a ResourceArn names; whether it exists is another question.
  StatusOr<std::string> TableOfArn(std::string_view arn, std::string_view operation) const;

  // Fills the members of a description that are measured or made up of options. Waits for items to
  // be counted only if it may.
  io::Task<Status> Complete(const Table& table, bool may_wait, TableDescription* description);
  // Capacity (item/meter.h); all of it does nothing unless it is enforced. A write's cost is
  // right only if the old item is known.
  bool enforces_capacity() const { return options_.capacity == CapacityMode::kEnforce; }
  Status AdmitRead(const Table& table, const Index* index);
  void ChargeRead(const Table& table, const Index* index, double units, double table_units = 0);
  Status AdmitWrite(const Table& table, const ChangeCost& cost);
  // Admits and charges in one.
  Status ChargeWrite(const Table& table, const ChangeCost& cost);
  // What a write answers that ends with `failed`. If that is a condition which does not hold, the
  // table is charged all the same, for the larger of the item that is there and the one to be.
  Status ChargeFailedWrite(const Change& change, Status failed);

  // The same of all parts of a transaction, whose costs count twice. (item/transact_operations.cc)
  Status ChargeTransaction(const Transaction& transaction, std::vector<ChangeCost> costs);

  std::string ArnOf(std::string_view table_name) const;
  std::string StreamArn(std::string_view table_name, RecordNumber stream) const;
  // ValidationException if `arn` is no stream's, ResourceNotFoundException if there is no such one.
  StatusOr<Streams::Place> PlaceOfStreamArn(std::string_view arn) const;
  StatusOr<StreamPointer> StreamOfArn(std::string_view arn) const;
  StreamSummary SummaryOf(const Stream& stream) const;

  // Starts MaintainStreams if there is a stream and it does not run yet.
  void CareForStreams();
  // Background task: trims streams, and lets their shards follow the partitions of their tables.
  io::Task<void> MaintainStreams();
  io::Task<Status> FollowPartitions();

  // Starts what the table's time to live needs, and does not run yet.
  void CareForTimeToLive(const Table& table);
  // Background task: gives the items that were there before their entries.
  io::Task<void> FillTimeToLive(std::string table_name);
  // The next few items from *position on. True if these were the last.
  io::Task<StatusOr<bool>> FillTimeToLiveStep(const Table& table, TimeToLive& index,
                                              std::string* position);
  // Background task: deletes what has expired, of all tables.
  io::Task<void> ExpireItems();
  // A few items of one table. Returns when the next one expires.
  io::Task<StatusOr<uint64_t>> ExpireStep(const Table& table, TimeToLive& index, uint64_t now_s);

  void AddArns(TableDescription* description) const;
  std::string KmsKeyArn(const SseSpecification& sse) const;

  io::Io& io_;
  engine::Db& db_;
  const StoreOptions options_;
  const std::unique_ptr<Streams> streams_;
  const std::unique_ptr<Catalogue> catalogue_;
  expression::Cache expression_cache_;
  KeyLocks locks_;
  TransactionTokens tokens_;
  ItemCollections collections_;
  TableSizes sizes_;
  std::atomic<bool> maintains_streams_{false};
  std::atomic<bool> expires_items_{false};
  // Figures for people: relaxed.
  std::atomic<uint64_t> time_to_live_lag_s_{0};
  std::atomic<uint64_t> time_to_live_deleted_{0};
  Background background_;  // last: its tasks use the others
};

}  // namespace varve::item
