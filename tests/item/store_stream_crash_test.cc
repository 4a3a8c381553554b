// Crashes of every kind under writers of a table with a stream, an index and time to live: what is
// there afterwards agrees, whatever was cut off.
#include <map>
#include <set>

#include "base/random.h"
#include "item/stream_record.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr int kKeys = 6;
constexpr int kClients = 5;
constexpr int kLives = 3;
constexpr uint32_t kTtlKeySpace = 3;  // behind the table's and its index's

// One client, until the disk is gone: puts and deletes, single and in batches.
io::Task<void> WriteUntilCrash(io::SimIo* io, Store* store, uint64_t seed) {
  Random random(seed);
  int failures = 0;
  for (int n = 0; n < 1000 && failures < 3 && !io->crashed(); ++n) {
    const auto item = [&](uint64_t key) {
      const uint64_t ttl = io->WallMs() / 1000 + random.Between(1, 5000);
      return ItemOf(fmt::format("{{'p':{{'S':'{}'}},'g':{{'S':'{}'}},'n':{{'S':'{}-{}'}}{}}}", key,
                                random.Between(0, 3), seed, n,
                                random.OneIn(2) ? fmt::format(",'ttl':{{'N':'{}'}}", ttl) : ""));
    };
    const uint64_t key = random.Between(0, kKeys - 1);
    Status status;
    if (random.OneIn(3)) {
      BatchWriteItemRequest batch;
      batch.request_items.emplace_back("Tab", std::vector<WriteRequest>());
      for (uint64_t k = 0; k < kKeys; ++k) {
        batch.request_items[0].second.emplace_back().put_item = item(k);
      }
      const auto response = co_await store->BatchWriteItem(batch);
      status = response.status();
    } else if (random.OneIn(3)) {
      DeleteItemRequest request;
      request.table_name = "Tab";
      request.key = ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", key));
      const auto response = co_await store->DeleteItem(request);
      status = response.status();
    } else {
      PutItemRequest request;
      request.table_name = "Tab";
      request.item = item(key);
      const auto response = co_await store->PutItem(request);
      status = response.status();
    }
    if (!status.ok()) ++failures;
  }
}

io::Task<void> WriteAll(io::SimIo* io, Store* store, uint64_t seed) {
  io::TaskGroup group;
  for (uint64_t client = 0; client < kClients; ++client) {
    group.Add(WriteUntilCrash(io, store, seed * kClients + client));
  }
  co_await group.Wait();
}

class StreamCrashTest : public StoreTest {
 protected:
  void SetUp() override {}

  // In the world of this seed; the fixture's stands still.
  template <typename T>
  T Run(io::Task<T> task) {
    return io::BlockOn(*world_, std::move(task));
  }
  void OpenStore() {
    auto db = engine::Db::Open(*world_, "/db", db_options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    auto store = Run(Store::Open(*world_, *db_, store_options_));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::vector<StreamRecordDescription> ReadStream() {
    std::vector<StreamRecordDescription> records;
    DescribeStreamRequest describe;
    describe.stream_arn = arn_;
    const auto stream = Run(store_->DescribeStream(describe));
    EXPECT_TRUE(stream.ok()) << stream.status();
    if (!stream.ok()) return records;
    for (const ShardDescription& shard : stream->shards) {
      GetShardIteratorRequest start;
      start.stream_arn = arn_;
      start.shard_id = shard.shard_id;
      GetRecordsRequest get;
      get.shard_iterator = Run(store_->GetShardIterator(start))->shard_iterator;
      while (true) {
        auto page = Run(store_->GetRecords(get));
        EXPECT_TRUE(page.ok()) << page.status();
        if (!page.ok()) break;
        for (auto& record : page->records) records.push_back(std::move(record));
        if (page->records.empty() || !page->next_shard_iterator) break;
        get.shard_iterator = *page->next_shard_iterator;
      }
    }
    return records;
  }

  // Stream, table, index and entries of expiries agree.
  void Check() {
    std::map<std::string, std::string> replayed;
    std::string last;
    for (const StreamRecordDescription& record : ReadStream()) {
      EXPECT_LT(last, record.sequence_number);
      last = record.sequence_number;
      std::string& item = replayed[TextOf(record.keys)];
      EXPECT_EQ(record.old_image ? TextOf(*record.old_image) : "", item);
      item = record.new_image ? TextOf(*record.new_image) : "";
    }
    std::erase_if(replayed, [](const auto& entry) { return entry.second.empty(); });
    const auto table = Run(store_->Scan(scan_));
    ASSERT_TRUE(table.ok()) << table.status();
    std::map<std::string, std::string> items;
    size_t expiring = 0;
    for (const ItemView& item : table->items) {
      items[fmt::format("{{'p':{{'S':'{}'}}}}", item.Find("p")->text())] = TextOf(item);
      expiring += item.Find("ttl").has_value();
    }
    EXPECT_EQ(replayed, items);
    ScanRequest index = scan_;
    index.index_name = "Idx";
    const auto entries = Run(store_->Scan(index));
    ASSERT_TRUE(entries.ok()) << entries.status();
    EXPECT_EQ(entries->count, items.size());
    engine::IteratorOptions options;
    options.lower_bound = KeySpaceBounds(kTtlKeySpace).begin;
    options.upper_bound = KeySpaceBounds(kTtlKeySpace).end;
    const auto iterator = db_->NewIterator(options);
    size_t expiries = 0;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++expiries;
    EXPECT_EQ(expiries, expiring);
  }

  std::unique_ptr<io::SimIo> world_;
  std::string arn_;
  ScanRequest scan_;
};

TEST_F(StreamCrashTest, StreamTableAndIndexesAgree) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    world_ = std::make_unique<io::SimIo>(io::SimOptions{.seed = seed});
    io::SimIo& io = *world_;
    Random random(seed);
    OpenStore();
    CreateTableRequest create = TableRequest("Tab", std::nullopt);
    create.stream_specification = StreamSpecification{true, StreamViewType::kNewAndOldImages};
    create.attribute_definitions.push_back({"g", ValueType::kString});
    SecondaryIndex index;
    index.index_name = "Idx";
    index.key_schema = {{"g", KeyType::kHash}};
    index.projection.type = ProjectionType::kKeysOnly;
    create.global_secondary_indexes.emplace().push_back(index);
    const auto created = Run(store_->CreateTable(create));
    ASSERT_TRUE(created.ok()) << created.status();
    arn_ = created->table_description.latest_stream_arn;
    scan_.table_name = "Tab";
    UpdateTimeToLiveRequest ttl;
    ttl.table_name = "Tab";
    ttl.specification = {true, "ttl"};
    ASSERT_TRUE(Run(store_->UpdateTimeToLive(ttl)).ok());
    for (int life = 0; life < kLives; ++life) {
      io.ArmCrash(random.OneIn(2) ? io::SimCrash::kPower : io::SimCrash::kProcess,
                  random.Between(5, 400));
      io::BlockOn(io, WriteAll(&io, store_.get(), seed * kLives + static_cast<uint64_t>(life)));
      if (!io.crashed()) io.Crash(io::SimCrash::kPower);
      Close();
      io.Restart();
      OpenStore();
      Check();
      // Some expire now.
      io.RunFor(2'000'000'000'000);
      Check();
    }
    Close();
  }
}

}  // namespace
}  // namespace varve::item
