#include "tests/stress/store_stress.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "engine/db.h"
#include "io/sync.h"
#include "item/store.h"

namespace varve::stress {
namespace {

using namespace item;

constexpr int kAccounts = 12;
constexpr int kOwners = 3;
constexpr int64_t kBalance = 1000;  // of each account at first
constexpr int kThreads = 3;
constexpr int kTasksOfEach = 4;
constexpr std::string_view kTable = "Accounts";

template <typename... Arguments>
[[noreturn]] void Complain(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print(stderr, "varve_stress: {}\n",
             fmt::format(format, std::forward<Arguments>(arguments)...));
  std::fflush(stderr);
  std::abort();
}

void Must(const Status& status, std::string_view what) {
  if (!status.ok())
    Complain("{}: {}: {}", what, ErrorTypeName(TypeOfError(status)), Message(status));
}

Item KeyOf(const std::string& name) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("p").String(name);
  builder.EndMap();
  return Item(builder.Finish());
}

std::string AccountName(uint64_t account) { return fmt::format("account-{}", account); }

Item AccountOf(int account) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("p").String(AccountName(static_cast<uint64_t>(account)));
  builder.Name("owner").String(fmt::format("owner-{}", account % kOwners));
  builder.Name("balance").Number(Number::FromInt(kBalance));
  builder.EndMap();
  return Item(builder.Finish());
}

// One that is about to expire, or never does.
Item NoteOf(Random& random, uint64_t now_s) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("p").String(fmt::format("note-{}", random.Below(40)));
  builder.Name("owner").String(fmt::format("owner-{}", random.Below(kOwners)));
  builder.Name("text").String(std::string(random.Below(500), 'n'));
  if (random.OneIn(2)) {
    builder.Name("ttl").Number(Number::FromInt(static_cast<int64_t>(now_s + random.Below(2))));
  }
  builder.EndMap();
  return Item(builder.Finish());
}

int64_t IntegerIn(const ItemView& item, std::string_view name) {
  int64_t integer = 0;
  const std::optional<ValueView> value = item.Find(name);
  if (value) (void)value->number().ToInt64(&integer);
  return integer;
}

void AddValue(ExpressionParameters* parameters, std::string name, int64_t value) {
  if (!parameters->values) parameters->values.emplace();
  parameters->values->emplace_back(std::move(name), Value::OfNumber(Number::FromInt(value)));
}

SecondaryIndex ByOwner(std::string_view name) {
  SecondaryIndex index;
  index.index_name = name;
  index.key_schema = {{"owner", KeyType::kHash}};
  index.projection.type = ProjectionType::kAll;
  return index;
}

CreateTableRequest TableRequest(std::string_view name) {
  CreateTableRequest create;
  create.table_name = name;
  create.attribute_definitions = {{"p", ValueType::kString}};
  create.key_schema = {{"p", KeyType::kHash}};
  return create;
}

class StoreRun {
 public:
  StoreRun(io::Io& io, const std::string& directory, const StressOptions& options)
      : io_(io), directory_(directory), options_(options) {}

  Tally Go() {
    engine::Options engine_options;
    engine_options.durability = options_.durability;
    engine_options.memtable_budget_bytes = 4 << 20;
    engine_options.memtable_bytes_max = 128 << 10;
    engine_options.table_bytes_target = 64 << 10;
    auto db = engine::Db::Open(io_, directory_, engine_options);
    Must(db.status(), "open");
    db_ = *std::move(db);
    // So that the meter is at work.
    StoreOptions store_options;
    store_options.capacity = CapacityMode::kEnforce;
    auto store = io::BlockOn(io_, Store::Open(io_, *db_, store_options));
    Must(store.status(), "open store");
    store_ = *std::move(store);
    io::BlockOn(io_, MakeTable());
    {
      std::vector<std::unique_ptr<io::Worker>> workers;
      for (int i = 0; i < kThreads; ++i) workers.push_back(io_.StartWorker({.name = "stress"}));
      running_ = kThreads * kTasksOfEach;
      for (int i = 0; i < kThreads * kTasksOfEach; ++i) {
        workers[static_cast<size_t>(i % kThreads)]->executor().Spawn(RunTask(i));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.milliseconds));
      stop_ = true;
      io::BlockOn(io_, WaitForTasks());
    }
    io::BlockOn(io_, CheckEnd());
    store_.reset();
    Must(db_->Close(), "close");
    db_.reset();
    return tally_;
  }

 private:
  io::Task<void> MakeTable() {
    CreateTableRequest create = TableRequest(kTable);
    DefineAccounts(&create);
    const auto created = co_await store_->CreateTable(create);
    Must(created.status(), "create table");
    stream_arn_ = created->table_description.latest_stream_arn;
    UpdateTimeToLiveRequest expiry;
    expiry.table_name = kTable;
    expiry.specification.enabled = true;
    expiry.specification.attribute_name = "ttl";
    const auto enabled = co_await store_->UpdateTimeToLive(expiry);
    Must(enabled.status(), "time to live");
    for (int i = 0; i < kAccounts; ++i) {
      PutItemRequest put;
      put.table_name = kTable;
      put.item = AccountOf(i);
      const auto response = co_await store_->PutItem(put);
      Must(response.status(), "put");
    }
  }
  static void DefineAccounts(CreateTableRequest* create) {
    create->provisioned_throughput = ProvisionedThroughput{40'000, 40'000};
    create->attribute_definitions.push_back({"owner", ValueType::kString});
    SecondaryIndex index = ByOwner("ByOwner");
    index.provisioned_throughput = ProvisionedThroughput{40'000, 40'000};
    create->global_secondary_indexes.emplace().push_back(std::move(index));
    create->stream_specification = StreamSpecification{true, StreamViewType::kNewAndOldImages};
  }

  io::Task<void> WaitForTasks() { co_await done_.Wait(); }

  // ---- Tasks

  io::Task<void> RunTask(int task) {
    Random random(options_.seed * 1000 + static_cast<uint64_t>(task));
    uint64_t rounds = 0;
    while (!stop_) {
      ++rounds;
      switch (task % 6) {
        case 0:
          co_await Transfer(&random, task, rounds);
          break;
        case 1:
          co_await Count(&random);
          break;
        case 2:
          co_await WriteNotes(&random);
          break;
        case 3:
          co_await Audit(&random);
          break;
        case 4:
          co_await FollowStream();
          break;
        case 5:
          co_await ChangeTables(task, rounds);
          break;
      }
      co_await io::Yield();
    }
    if (--running_ == 0) done_.Set();
  }

  // Whether what was refused may be: by a transaction that is under way, or for want of capacity.
  static bool MayBeRefused(const Status& status) {
    const ErrorType type = TypeOfError(status);
    return type == ErrorType::kTransactionCanceledException ||
           type == ErrorType::kTransactionConflictException ||
           type == ErrorType::kTransactionInProgressException ||
           type == ErrorType::kProvisionedThroughputExceededException;
  }
  // Counts it, and complains unless it may be.
  bool Done(const Status& status, const std::string& what) {
    if (!status.ok() && !MayBeRefused(status)) Must(status, what);
    const std::lock_guard<std::mutex> lock(tally_mutex_);
    ++tally_[status.ok() ? what : what + ", refused"];
    return status.ok();
  }

  static void AddChange(uint64_t account, int64_t change, TransactWriteItemsRequest* request) {
    TransactWriteAction& action = request->transact_items.emplace_back().update.emplace();
    action.table_name = kTable;
    action.item = KeyOf(AccountName(account));
    action.update_expression = "ADD balance :change";
    AddValue(&action.expression_parameters, ":change", change);
    if (change >= 0) return;
    action.condition_expression = "balance >= :amount";
    AddValue(&action.expression_parameters, ":amount", -change);
  }

  // From one account to another, and again with the same token.
  io::Task<void> Transfer(Random* random, int task, uint64_t round) {
    const uint64_t from = random->Below(kAccounts);
    const uint64_t to = (from + 1 + random->Below(kAccounts - 1)) % kAccounts;
    const auto amount = static_cast<int64_t>(random->Below(50));
    TransactWriteItemsRequest request;
    AddChange(from, -amount, &request);
    AddChange(to, amount, &request);
    request.client_request_token = fmt::format("{}-{}", task, round);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto response = co_await store_->TransactWriteItems(request);
      Done(response.status(), "transfer");
    }
  }

  // Of these all that are done are seen in the end. The texts of expressions differ, so that the
  // cache has something to do.
  io::Task<void> Count(Random* random) {
    UpdateItemRequest request;
    request.table_name = kTable;
    request.key = KeyOf(AccountName(random->Below(kAccounts)));
    request.update_expression = fmt::format("ADD n :one SET a{} = :one", random->Below(3000) % 50);
    request.condition_expression =
        fmt::format("attribute_exists(p) AND NOT b{} > :one", random->Below(3000));
    AddValue(&request.expression_parameters, ":one", 1);
    const auto response = co_await store_->UpdateItem(request);
    if (Done(response.status(), "count")) ++counted_;
  }

  io::Task<void> WriteNotes(Random* random) {
    const uint64_t now_s = io_.WallMs() / 1000;
    BatchWriteItemRequest request;
    std::map<std::string, Item> notes;
    for (int i = 0; i < 10; ++i) {
      Item note = NoteOf(*random, now_s);
      std::string name(note.view().Find("p")->text());
      notes.insert_or_assign(std::move(name), std::move(note));
    }
    auto& writes = request.request_items.emplace_back().second;
    request.request_items[0].first = kTable;
    for (auto& [name, note] : notes) {
      WriteRequest& write = writes.emplace_back();
      if (random->OneIn(4)) {
        write.delete_key = KeyOf(name);
      } else {
        write.put_item = std::move(note);
      }
    }
    const auto response = co_await store_->BatchWriteItem(request);
    Done(response.status(), "batch");
  }

  // No money comes or goes, whoever looks.
  io::Task<void> Audit(Random* random) {
    int64_t sum = 0;
    std::string what;
    if (random->OneIn(2)) {
      what = "transaction of reads";
      TransactGetItemsRequest request;
      for (uint64_t i = 0; i < kAccounts; ++i) {
        TransactGetItem& get = request.transact_items.emplace_back();
        get.table_name = kTable;
        get.key = KeyOf(AccountName(i));
      }
      const auto response = co_await store_->TransactGetItems(request);
      if (!Done(response.status(), what)) co_return;
      for (const std::optional<Item>& item : response->responses) {
        sum += IntegerIn(item->view(), "balance");
      }
    } else {
      ScanRequest request;
      request.table_name = kTable;
      what = "scan";
      if (random->OneIn(2)) {
        request.index_name = "ByOwner";
        what = "scan of the index";
      }
      const auto response = co_await store_->Scan(request);
      if (!Done(response.status(), what)) co_return;
      if (response->last_evaluated_key) co_return;
      for (size_t i = 0; i < response->items.size(); ++i) {
        sum += IntegerIn(response->items.at(i), "balance");
      }
    }
    if (sum != kAccounts * kBalance) {
      Complain("{}: {} in all accounts instead of {}", what, sum, kAccounts * kBalance);
    }
  }

  // All records from the beginning, in the order of their numbers.
  io::Task<void> ReadStream(std::map<std::string, StreamRecordDescription>* records,
                            size_t* shards) {
    DescribeStreamRequest describe;
    describe.stream_arn = stream_arn_;
    const auto stream = co_await store_->DescribeStream(describe);
    Must(stream.status(), "describe stream");
    *shards = stream->shards.size();
    for (const ShardDescription& shard : stream->shards) {
      GetShardIteratorRequest start;
      start.stream_arn = stream_arn_;
      start.shard_id = shard.shard_id;
      const auto iterator = co_await store_->GetShardIterator(start);
      Must(iterator.status(), "shard iterator");
      GetRecordsRequest get;
      get.shard_iterator = iterator->shard_iterator;
      std::string last;
      for (;;) {
        const auto page = co_await store_->GetRecords(get);
        Must(page.status(), "get records");
        for (const StreamRecordDescription& record : page->records) {
          if (record.sequence_number <= last) Complain("records of a shard are out of order");
          last = record.sequence_number;
          if (!records->emplace(last, record).second) Complain("a record came twice");
        }
        if (page->records.empty() || !page->next_shard_iterator) break;
        get.shard_iterator = *page->next_shard_iterator;
      }
    }
  }

  // Whoever reads on finds everything that he has read, and nothing before its end that is new.
  io::Task<void> FollowStream() {
    std::map<std::string, StreamRecordDescription> first, second;
    size_t shards = 0;
    co_await ReadStream(&first, &shards);
    co_await ReadStream(&second, &shards);
    for (const auto& [number, record] : first) {
      if (!second.contains(number)) Complain("record {} has gone", number);
    }
    for (const auto& [number, record] : second) {
      if (shards > 1 || first.empty() || number > first.rbegin()->first) break;
      if (!first.contains(number))
        Complain("record {} came after {}", number, first.rbegin()->first);
    }
    Done(absl::OkStatus(), "stream read");
  }

  io::Task<void> ChangeTables(int task, uint64_t round) {
    const std::string name = fmt::format("Temporary-{}", task);
    CreateTableRequest create = TableRequest(name);
    create.billing_mode = BillingMode::kPayPerRequest;
    const auto created = co_await store_->CreateTable(create);
    Must(created.status(), "create table");
    for (int i = 0; i < 5; ++i) {
      PutItemRequest put;
      put.table_name = name;
      put.item = AccountOf(i);
      const auto response = co_await store_->PutItem(put);
      Must(response.status(), "put");
    }
    UpdateTableRequest update;
    update.table_name = name;
    DefineOwner(&update);
    const auto updated = co_await store_->UpdateTable(update);
    Must(updated.status(), "update table");
    for (;;) {
      DescribeTableRequest describe;
      describe.table_name = name;
      const auto described = co_await store_->DescribeTable(describe);
      Must(described.status(), "describe table");
      if (described->table.indexes[0].status == IndexStatus::kActive) {
        if (described->table.indexes[0].item_count != 5) Complain("an index was not filled");
        break;
      }
      co_await io::SleepFor(1'000'000);
    }
    if (round % 4 == 0) {
      const Status flushed = co_await db_->FlushAsync();
      Must(flushed, "flush");
    }
    DeleteTableRequest remove;
    remove.table_name = name;
    const auto removed = co_await store_->DeleteTable(remove);
    Must(removed.status(), "delete table");
    Done(absl::OkStatus(), "table");
  }
  static void DefineOwner(UpdateTableRequest* update) {
    update->attribute_definitions.push_back({"owner", ValueType::kString});
    update->global_secondary_index_updates.emplace().emplace_back().create = ByOwner("Late");
  }

  // ---- The end

  io::Task<void> ReadAll(const std::optional<std::string>& index,
                         std::map<std::string, Item>* items) {
    ScanRequest request;
    request.table_name = kTable;
    request.index_name = index;
    do {
      const auto page = co_await store_->Scan(request);
      Must(page.status(), "scan");
      for (size_t i = 0; i < page->items.size(); ++i) {
        const ItemView item = page->items.at(i);
        items->insert_or_assign(std::string(item.Find("p")->text()), Item(item));
      }
      request.exclusive_start_key = page->last_evaluated_key;
    } while (request.exclusive_start_key);
  }

  // Items go on to expire: until nothing moves, the end is looked for again.
  io::Task<void> CheckEnd() {
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::map<std::string, Item> before, entries, after;
      std::map<std::string, StreamRecordDescription> records;
      const std::optional<std::string> table, index = "ByOwner";
      co_await ReadAll(table, &before);
      co_await ReadAll(index, &entries);
      size_t shards = 0;
      co_await ReadStream(&records, &shards);
      co_await ReadAll(table, &after);
      if (before != after) {
        co_await io::SleepFor(100'000'000);
        continue;
      }
      if (entries != after)
        Complain("the index has {} entries, the table {} items", entries.size(), after.size());
      std::map<std::string, Item> replayed;
      for (const auto& [number, record] : records) {
        const std::string name(record.keys.view().Find("p")->text());
        const auto found = replayed.find(name);
        if ((found != replayed.end()) != record.old_image.has_value() ||
            (found != replayed.end() && found->second != *record.old_image)) {
          Complain("record {} of {} does not go on from the one before", number, name);
        }
        if (record.new_image) {
          replayed.insert_or_assign(name, *record.new_image);
        } else {
          replayed.erase(name);
        }
      }
      if (replayed != after) Complain("the stream does not replay to the table");
      int64_t counted = 0;
      for (const auto& [name, item] : after) counted += IntegerIn(item.view(), "n");
      if (counted != counted_) Complain("counted {} instead of {}", counted, counted_.load());
      co_return;
    }
    Complain("the table does not come to rest");
  }

  io::Io& io_;
  const std::string directory_;
  const StressOptions options_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<Store> store_;
  std::string stream_arn_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> running_ = 0;
  std::atomic<int64_t> counted_ = 0;
  io::Event done_;
  std::mutex tally_mutex_;
  Tally tally_;
};

}  // namespace

Tally StressStore(io::Io& io, const std::string& directory, const StressOptions& options) {
  return StoreRun(io, directory, options).Go();
}

}  // namespace varve::stress
