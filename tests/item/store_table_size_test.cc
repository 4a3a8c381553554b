// ItemCount and TableSizeBytes, of tables that are too large to be counted on the spot.
#include <spdlog/spdlog.h>

#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr int kItems = 5000;

class StoreTableSize : public StoreTest {
 protected:
  // A table of partition key `p` with an index on `a`, which is sparse.
  void MakeIndexedTable() {
    CreateTableRequest request = TableRequest("T", std::nullopt);
    request.attribute_definitions.push_back({"a", ValueType::kString});
    request.global_secondary_indexes.emplace().push_back(IndexOn("a"));
    const auto response = Run(store_->CreateTable(request));
    ASSERT_TRUE(response.ok()) << response.status();
  }
  static SecondaryIndex IndexOn(std::string_view attribute) {
    SecondaryIndex index;
    index.index_name = fmt::format("by-{}", attribute);
    index.key_schema.push_back({std::string(attribute), KeyType::kHash});
    index.projection.type = ProjectionType::kKeysOnly;
    return index;
  }

  static std::string KeyOf(int i) { return fmt::format("{{'p':{{'S':'{:06}'}}}}", i); }
  // 13 bytes, or 16 for each third, which is in the index with 10.
  static std::string ItemText(int i) {
    return fmt::format("{{'p':{{'S':'{:06}'}},'v':{{'S':'value'}}{}}}", i,
                       i % 3 == 0 ? ",'a':{'S':'xy'}" : "");
  }

  // Puts or deletes the items from `begin` on, up to `end`.
  void Write(int begin, int end, bool put) {
    for (int i = begin; i < end; i += 25) {
      BatchWriteItemRequest batch;
      batch.request_items.emplace_back("T", std::vector<WriteRequest>());
      for (int k = i; k < std::min(end, i + 25); ++k) {
        WriteRequest& write = batch.request_items[0].second.emplace_back();
        if (put) {
          write.put_item = ItemOf(ItemText(k));
        } else {
          write.delete_key = ItemOf(KeyOf(k));
        }
      }
      ASSERT_TRUE(Run(store_->BatchWriteItem(batch)).ok());
    }
  }

  TableDescription Describe(std::string_view name = "T") {
    DescribeTableRequest request;
    request.table_name = name;
    auto response = Run(store_->DescribeTable(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->table : TableDescription();
  }
  // "5000 items, 70001 bytes; by-a 1667 items, 15003 bytes"
  static std::string SizeText(const TableDescription& table) {
    std::string text = fmt::format("{} items, {} bytes", table.item_count, table.table_size_bytes);
    for (const IndexDescription& index : table.indexes) {
      text += fmt::format("; {} {} items, {} bytes", index.index_name, index.item_count,
                          index.index_size_bytes);
    }
    return text;
  }
  // What SizeText is when the items of [begin, end) are there.
  static std::string Expected(int begin, int end) {
    uint64_t items = 0, bytes = 0, entries = 0;
    for (int i = begin; i < end; ++i) {
      ++items;
      entries += i % 3 == 0;
      bytes += i % 3 == 0 ? 16 : 13;
    }
    return fmt::format("{} items, {} bytes; by-a {} items, {} bytes", items, bytes, entries,
                       entries * 10);
  }

  // Lets a second pass in which nobody asks.
  void Wait(uint64_t ms = 1000) {
    const auto sleep = [](uint64_t ns) -> io::Task<void> { co_await io::SleepFor(ns); };
    io::BlockOn(io_, sleep(ms * 1'000'000));
  }
};

TEST_F(StoreTableSize, IsExactAtOnce) {
  MakeIndexedTable();
  Write(0, kItems, true);
  EXPECT_EQ(SizeText(Describe()), Expected(0, kItems));
  Wait();
  Write(1000, 2000, true);  // as they are
  Write(0, 700, false);
  EXPECT_EQ(SizeText(Describe()), Expected(700, kItems));
  Wait();
  ASSERT_TRUE(db_->Flush().ok());
  ASSERT_TRUE(db_->Compact("", "").ok());
  EXPECT_EQ(SizeText(Describe()), Expected(700, kItems));
  Wait();
  Write(700, kItems, false);
  EXPECT_EQ(SizeText(Describe()), Expected(0, 0));
}

TEST_F(StoreTableSize, IsExactAfterARestartASplitAndACrash) {
  spdlog::set_level(spdlog::level::off);  // the engine tells of crashes
  MakeIndexedTable();
  Write(0, kItems, true);
  Reopen();
  EXPECT_EQ(SizeText(Describe()), Expected(0, kItems));
  const KeyBounds bounds = KeySpaceBounds(1);
  const std::vector<std::string> cuts = {bounds.begin + '\x40', bounds.begin + '\xc0'};
  ASSERT_TRUE(db_->Split(cuts).ok());
  Wait();
  Write(0, 100, false);
  EXPECT_EQ(SizeText(Describe()), Expected(100, kItems));
  io_.Crash(io::SimCrash::kPower);
  Close();
  io_.Restart();
  Open();
  EXPECT_EQ(SizeText(Describe()), Expected(100, kItems));
  spdlog::set_level(spdlog::level::info);
}

TEST_F(StoreTableSize, IsOfOneMomentWhileItemsAreWritten) {
  MakeIndexedTable();
  Write(0, kItems, true);
  const auto write = [](Store& store, bool& stop) -> io::Task<void> {
    for (int i = 0; !stop; ++i) {
      TransactWriteItemsRequest transaction;
      for (const int k : {i % kItems, kItems + i % kItems}) {
        TransactWriteItem& item = transaction.transact_items.emplace_back();
        if ((k < kItems) == (i / kItems % 2 == 0)) {
          item.remove.emplace().table_name = "T";
          item.remove->item = ItemOf(KeyOf(k));
        } else {
          item.put.emplace().table_name = "T";
          item.put->item = ItemOf(KeyOf(k));
        }
      }
      const auto response = co_await store.TransactWriteItems(transaction);
      EXPECT_TRUE(response.ok()) << response.status();
    }
  };
  bool stop = false;
  const std::unique_ptr<io::Worker> worker = io_.StartWorker({.name = "writer"});
  worker->executor().Spawn(write(*store_, stop));
  // Each transaction moves an item, so that there are as many at every moment.
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Describe().item_count, static_cast<uint64_t>(kItems));
    Wait(20);
  }
  stop = true;
}

// With nobody waiting for a count, only the next one who asks knows it.
class StoreTableSizeLater : public StoreTableSize {
 protected:
  void SetUp() override {
    store_options_.count_wait_ms = 0;
    StoreTest::SetUp();
    MakeIndexedTable();
    Write(0, kItems, true);
  }
};

TEST_F(StoreTableSizeLater, AnEstimateComesFirst) {
  const TableDescription table = Describe();
  EXPECT_NE(SizeText(table), Expected(0, kItems));
  EXPECT_GT(table.item_count, kItems * 2 / 3);
  EXPECT_LT(table.item_count, kItems * 3 / 2);
  EXPECT_NEAR(static_cast<double>(table.table_size_bytes), table.item_count * 14.0, 1000);
  Wait();
  EXPECT_EQ(SizeText(Describe()), Expected(0, kItems));
}

TEST_F(StoreTableSizeLater, ACountIsKeptAcrossRestartsForSixHours) {
  Describe();
  Wait();
  Write(0, 600, false);
  EXPECT_EQ(SizeText(Describe()), Expected(0, kItems)) << "as of the last count";
  Reopen();
  EXPECT_EQ(SizeText(Describe()), Expected(0, kItems));
  Wait();
  EXPECT_EQ(SizeText(Describe()), Expected(600, kItems));
  Write(600, 1200, false);
  Wait(TableSizes::kAgeMsMax + 1);
  EXPECT_NE(SizeText(Describe()), Expected(600, kItems));
}

TEST_F(StoreTableSizeLater, ATableOfTheSameNameBeginsAnew) {
  Describe();
  Wait();
  DeleteTableRequest request;
  request.table_name = "T";
  ASSERT_TRUE(Run(store_->DeleteTable(request)).ok());
  MakeIndexedTable();
  EXPECT_EQ(SizeText(Describe()), Expected(0, 0));
  Write(0, 3000, true);
  const std::string estimate = SizeText(Describe());
  EXPECT_NE(estimate, Expected(0, kItems));
  Reopen();
  EXPECT_EQ(SizeText(Describe()), estimate);
}

TEST_F(StoreTableSizeLater, ANewIndexIsCountedOnceItIsFilled) {
  Describe();
  Wait();
  UpdateTableRequest request;
  request.table_name = "T";
  request.attribute_definitions.push_back({"v", ValueType::kString});
  request.global_secondary_index_updates.emplace().emplace_back().create = IndexOn("v");
  ASSERT_TRUE(Run(store_->UpdateTable(request)).ok());
  // What is known of the others still is.
  EXPECT_TRUE(SizeText(Describe()).starts_with(Expected(0, kItems) + "; by-v "));
  while (Describe().indexes.back().status != IndexStatus::kActive) Wait(10);
  Describe();
  Wait();
  EXPECT_EQ(SizeText(Describe()),
            fmt::format("{}; by-v {} items, {} bytes", Expected(0, kItems), kItems, 13 * kItems));

  request = {};
  request.table_name = "T";
  request.global_secondary_index_updates.emplace().emplace_back().delete_index_name = "by-a";
  ASSERT_TRUE(Run(store_->UpdateTable(request)).ok());
  Reopen();
  EXPECT_TRUE(
      SizeText(Describe()).ends_with(fmt::format("by-v {} items, {} bytes", kItems, 13 * kItems)));
}

TEST_F(StoreTableSizeLater, NobodyCountsATableThatIsGone) {
  Describe();
  DeleteTableRequest request;
  request.table_name = "T";
  ASSERT_TRUE(Run(store_->DeleteTable(request)).ok());
  Wait();
  MakeIndexedTable();
  EXPECT_EQ(SizeText(Describe()), Expected(0, 0));
}

TEST(TableSizeRecord, IsReadAsItWasWritten) {
  TableSize size;
  size.as_of_ms = 1'700'000'000'123;
  size.duration_ns = 5'000'000'000;
  size.key_spaces = {{7, 10, 1000}, {9, uint64_t{1} << 40, uint64_t{1} << 50}};
  const auto read = SizeOfRecord(RecordOfSize(size));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->as_of_ms, size.as_of_ms);
  EXPECT_EQ(read->duration_ns, size.duration_ns);
  EXPECT_EQ(read->ended_ns, 0u);
  ASSERT_EQ(read->key_spaces.size(), 2u);
  EXPECT_EQ(read->Find(9)->items, uint64_t{1} << 40);
  EXPECT_EQ(read->Find(9)->bytes, uint64_t{1} << 50);
  EXPECT_EQ(read->Find(8), nullptr);
  for (const size_t bytes : {size_t{0}, size_t{15}, size_t{17}}) {
    EXPECT_FALSE(SizeOfRecord(std::string(bytes, 'x')).ok()) << bytes;
  }
}

}  // namespace
}  // namespace varve::item
