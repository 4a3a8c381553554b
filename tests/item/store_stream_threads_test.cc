// Streams under real threads: writers of few keys, and a reader that follows them.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>

#include "engine/db.h"
#include "item/store.h"
#include "text.h"

namespace varve::item {
namespace {

constexpr int kKeys = 7;
constexpr int kWriters = 9;
constexpr int kWritesEach = 120;

struct Work {
  Store* store;
  std::atomic<int> writers{kWriters};
  std::atomic<int> failures{0};
  io::Event done;
};

Item KeyOf(int key) { return ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", key)); }

// Single writes and batches over all keys. What a writer puts is its own, so that every put of a
// key changes it.
io::Task<void> WriteAll(Work* work, int writer) {
  for (int i = 0; i < kWritesEach; ++i) {
    const auto item = [&](int key) {
      return ItemOf(fmt::format("{{'p':{{'S':'{}'}},'by':{{'S':'{}-{}'}}}}", key, writer, i));
    };
    const int key = (writer + i) % kKeys;
    bool ok = true;
    if (i % 3 == 0) {
      BatchWriteItemRequest batch;
      batch.request_items.emplace_back("Tab", std::vector<WriteRequest>());
      for (int k = 0; k < kKeys; ++k) {
        batch.request_items[0].second.emplace_back().put_item = item(k);
      }
      const auto response = co_await work->store->BatchWriteItem(batch);
      ok = response.ok();
    } else if (i % 3 == 1) {
      PutItemRequest put;
      put.table_name = "Tab";
      put.item = item(key);
      const auto response = co_await work->store->PutItem(put);
      ok = response.ok();
    } else {
      DeleteItemRequest remove;
      remove.table_name = "Tab";
      remove.key = KeyOf(key);
      const auto response = co_await work->store->DeleteItem(remove);
      ok = response.ok();
    }
    if (!ok) ++work->failures;
  }
  if (--work->writers == 0) work->done.Set();
}

// Follows the only shard from its beginning until the writers are done and all is read.
io::Task<void> Follow(Work* work, std::string arn, std::vector<StreamRecordDescription>* records) {
  DescribeStreamRequest describe;
  describe.stream_arn = arn;
  const auto stream = co_await work->store->DescribeStream(describe);
  if (!stream.ok()) co_return;
  GetShardIteratorRequest start;
  start.stream_arn = arn;
  start.shard_id = stream->shards[0].shard_id;
  const auto iterator = co_await work->store->GetShardIterator(start);
  if (!iterator.ok()) co_return;
  GetRecordsRequest get;
  get.shard_iterator = iterator->shard_iterator;
  while (true) {
    const bool last = work->writers.load() == 0;
    auto page = co_await work->store->GetRecords(get);
    if (!page.ok()) {
      ADD_FAILURE() << page.status();
      co_return;
    }
    for (StreamRecordDescription& record : page->records) records->push_back(std::move(record));
    if (last && page->records.empty()) co_return;
    if (!page->next_shard_iterator) co_return;  // the epoch has ended meanwhile
    get.shard_iterator = *page->next_shard_iterator;
    co_await io::Yield();
  }
}

io::Task<void> WaitFor(Work* work) { co_await work->done.Wait(); }

TEST(StoreStreamThreads, AReaderSkipsNothingAndItsRecordsReplayToTheTable) {
  const std::string directory = testing::TempDir() + "/varve-stream-threads";
  std::filesystem::remove_all(directory);
  const std::unique_ptr<io::Io> io = io::NewIo();
  for (const engine::Durability durability :
       {engine::Durability::kRelaxed, engine::Durability::kDurable}) {
    engine::Options options;
    options.durability = durability;
    auto db = engine::Db::Open(*io, directory, options);
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = io::BlockOn(*io, Store::Open(*io, **db, {}));
    ASSERT_TRUE(store.ok()) << store.status();
    CreateTableRequest create;
    create.table_name = "Tab";
    create.billing_mode = BillingMode::kPayPerRequest;
    create.attribute_definitions = {{"p", ValueType::kString}};
    create.key_schema = {{"p", KeyType::kHash}};
    create.stream_specification = StreamSpecification{true, StreamViewType::kNewAndOldImages};
    const auto created = io::BlockOn(*io, (*store)->CreateTable(create));
    ASSERT_TRUE(created.ok()) << created.status();

    Work work{store->get()};
    std::vector<StreamRecordDescription> records;
    {
      std::vector<std::unique_ptr<io::Worker>> workers;
      for (int i = 0; i < 4; ++i) workers.push_back(io->StartWorker({.name = "stream-test"}));
      for (int i = 0; i < kWriters; ++i) workers[i % 3]->executor().Spawn(WriteAll(&work, i));
      workers[3]->executor().Spawn(
          Follow(&work, created->table_description.latest_stream_arn, &records));
      io::BlockOn(*io, WaitFor(&work));
    }
    EXPECT_EQ(work.failures, 0);

    // Each record takes up where the one before of the same key ended; the last leave the table.
    std::map<std::string, std::string> replayed;
    std::string last_number;
    for (const StreamRecordDescription& record : records) {
      EXPECT_LT(last_number, record.sequence_number);
      last_number = record.sequence_number;
      const std::string key = TextOf(record.keys);
      EXPECT_EQ(record.old_image ? TextOf(*record.old_image) : "", replayed[key]);
      replayed[key] = record.new_image ? TextOf(*record.new_image) : "";
    }
    for (int key = 0; key < kKeys; ++key) {
      GetItemRequest get;
      get.table_name = "Tab";
      get.key = KeyOf(key);
      const auto item = io::BlockOn(*io, (*store)->GetItem(get));
      ASSERT_TRUE(item.ok());
      EXPECT_EQ(item->item ? TextOf(*item->item) : "", replayed[TextOf(KeyOf(key))]);
    }
    store->reset();
    db->reset();
    std::filesystem::remove_all(directory);
  }
}

}  // namespace
}  // namespace varve::item
