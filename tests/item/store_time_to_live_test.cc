// Time to live, through the store.
#include <algorithm>
#include <map>

#include "item/time_to_live.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr uint64_t kMinuteMs = 60'000;

class TimeToLiveTest : public StoreTest {
 protected:
  void Advance(uint64_t ms) { io_.RunFor(ms * 1'000'000); }
  int64_t NowS() { return static_cast<int64_t>(io_.WallMs() / 1000); }

  std::string SetTimeToLive(std::string_view table, bool enabled,
                            std::string_view attribute = "ttl") {
    UpdateTimeToLiveRequest request;
    request.table_name = table;
    request.specification = {enabled, std::string(attribute)};
    const auto response = Run(store_->UpdateTimeToLive(request));
    if (response.ok()) {
      EXPECT_EQ(response->specification.enabled, enabled);
      EXPECT_EQ(response->specification.attribute_name, attribute);
    }
    return ErrorText(response.status());
  }
  // The attribute, "-" if it is disabled, or the error.
  std::string Describe(std::string_view table) {
    DescribeTimeToLiveRequest request;
    request.table_name = table;
    const auto response = Run(store_->DescribeTimeToLive(request));
    if (!response.ok()) return ErrorText(response.status());
    return response->status == SwitchStatus::kEnabled ? response->attribute_name : "-";
  }
  std::string PutExpiring(std::string_view table, std::string_view p, int64_t expiry) {
    return Put(table, fmt::format("{{'p':{{'S':'{}'}},'ttl':{{'N':'{}'}}}}", p, expiry));
  }
  bool Has(std::string_view table, std::string_view p) {
    return Get(table, fmt::format("{{'p':{{'S':'{}'}}}}", p)) != "none";
  }
  // Entries in all key spaces of tables and indexes.
  size_t Entries() {
    engine::IteratorOptions options;
    options.lower_bound = std::string(1, kItemKeySpace);
    options.upper_bound = std::string(1, kItemKeySpace + 1);
    const auto iterator = db_->NewIterator(options);
    size_t count = 0;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++count;
    return count;
  }
};

TEST_F(TimeToLiveTest, OnlyNumbersOfSecondsAreExpiries) {
  const TimeToLive index("ttl", 7);
  const auto expiry = [&](std::string_view value) {
    return index.ExpiryOf(ItemOf(fmt::format("{{'p':{{'S':'a'}},'ttl':{}}}", value)));
  };
  EXPECT_EQ(expiry("{'N':'1700000000'}"), 1700000000u);
  EXPECT_EQ(expiry("{'N':'1700000000.9'}"), 1700000000u);
  for (const std::string_view none : {"{'N':'0'}", "{'N':'-1'}", "{'N':'1E30'}", "{'N':'1E18'}",
                                      "{'S':'1700000000'}", "{'NULL':true}", "{'L':[]}"}) {
    EXPECT_EQ(expiry(none), std::nullopt) << none;
  }
  EXPECT_EQ(index.ExpiryOf(ItemOf("{'p':{'S':'a'}}")), std::nullopt);
  // Entries order by time.
  EXPECT_LT(index.EntryKey(255, KeySpaceBounds(3).begin + "zz"),
            index.EntryKey(256, KeySpaceBounds(3).begin + "aa"));
  const std::string item_key = KeySpaceBounds(3).begin + "rest";
  const auto entry = index.ReadEntry(index.EntryKey(99, item_key), 3);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->expiry, 99u);
  EXPECT_EQ(entry->item_key, item_key);
}

TEST_F(TimeToLiveTest, SettingsAreCheckedAsTheServiceDoes) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  const std::string validation = "ValidationException: ";
  EXPECT_EQ(Describe("Tab"), "-");
  EXPECT_EQ(Describe("Nix"),
            "ResourceNotFoundException: Requested resource not found: Table: Nix not found");
  EXPECT_EQ(SetTimeToLive("Nix", true),
            "ResourceNotFoundException: Requested resource not found: Table: Nix not found");
  EXPECT_EQ(SetTimeToLive("Tab", false), validation + "TimeToLive is already disabled");
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  EXPECT_EQ(Describe("Tab"), "ttl");
  EXPECT_EQ(SetTimeToLive("Tab", true), validation + "TimeToLive is already enabled");
  for (const bool enabled : {true, false}) {
    EXPECT_EQ(SetTimeToLive("Tab", enabled, "other"),
              validation +
                  "TimeToLive is active on a different AttributeName: current AttributeName is "
                  "ttl");
  }
  const std::string too_soon =
      validation + "Time to live has been modified multiple times within a fixed interval";
  EXPECT_EQ(SetTimeToLive("Tab", false), too_soon);
  Reopen();
  EXPECT_EQ(Describe("Tab"), "ttl");
  EXPECT_EQ(SetTimeToLive("Tab", false), too_soon);
  Advance(31 * kMinuteMs);
  EXPECT_EQ(SetTimeToLive("Tab", false), "OK");
  EXPECT_EQ(Describe("Tab"), "-");
  EXPECT_EQ(SetTimeToLive("Tab", true, "other"), too_soon);
  Advance(31 * kMinuteMs);
  EXPECT_EQ(SetTimeToLive("Tab", true, "other"), "OK");
  EXPECT_EQ(Describe("Tab"), "other");
}

TEST_F(TimeToLiveTest, ItemsAreDeletedOnceTheyHaveExpired) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  EXPECT_EQ(PutExpiring("Tab", "past", NowS() - 10), "OK");
  EXPECT_EQ(PutExpiring("Tab", "soon", NowS() + 60), "OK");
  EXPECT_EQ(PutExpiring("Tab", "later", NowS() + 3600), "OK");
  EXPECT_EQ(PutExpiring("Tab", "ancient", NowS() - int64_t{6} * 365 * 24 * 3600), "OK");
  EXPECT_EQ(Put("Tab", "{'p':{'S':'text'},'ttl':{'S':'1'}}"), "OK");
  EXPECT_EQ(Put("Tab", "{'p':{'S':'never'}}"), "OK");
  Advance(5000);
  EXPECT_FALSE(Has("Tab", "past"));
  EXPECT_TRUE(Has("Tab", "soon"));
  Advance(60'000);
  EXPECT_FALSE(Has("Tab", "soon"));
  EXPECT_TRUE(Has("Tab", "later"));
  Reopen();
  Advance(3600'000);
  EXPECT_FALSE(Has("Tab", "later"));
  for (const std::string_view p : {"ancient", "text", "never"}) EXPECT_TRUE(Has("Tab", p)) << p;
  // Three items, and the entry of the ancient one.
  EXPECT_EQ(Entries(), 4u);
  EXPECT_EQ(store_->time_to_live_deleted(), 1u);
  EXPECT_EQ(store_->time_to_live_lag_s(), 0u);
}

TEST_F(TimeToLiveTest, TheLatestExpiryOfAnItemCounts) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  for (const std::string_view p : {"postponed", "freed", "replaced", "advanced", "deleted"}) {
    EXPECT_EQ(PutExpiring("Tab", p, NowS() + 600), "OK");
  }
  UpdateItemRequest update;
  update.table_name = "Tab";
  update.key = ItemOf("{'p':{'S':'postponed'}}");
  update.update_expression = "SET #t = #t + :n";
  update.expression_parameters = Values({{":n", "{'N':'3600'}"}});
  update.expression_parameters.names.emplace().emplace_back("#t", "ttl");
  ASSERT_TRUE(Run(store_->UpdateItem(update)).ok());
  update.key = ItemOf("{'p':{'S':'freed'}}");
  update.update_expression = "REMOVE #t";
  update.expression_parameters.values.reset();
  ASSERT_TRUE(Run(store_->UpdateItem(update)).ok());
  EXPECT_EQ(Put("Tab", "{'p':{'S':'replaced'}}"), "OK");
  EXPECT_EQ(PutExpiring("Tab", "advanced", NowS() + 60), "OK");
  EXPECT_EQ(Delete("Tab", "{'p':{'S':'deleted'}}"), "OK");
  Advance(70'000);
  EXPECT_FALSE(Has("Tab", "advanced"));
  Advance(700'000);
  for (const std::string_view p : {"postponed", "freed", "replaced"}) {
    EXPECT_TRUE(Has("Tab", p)) << p;
  }
  // Three items and one entry.
  EXPECT_EQ(Entries(), 4u);
}

TEST_F(TimeToLiveTest, ItemsThatWereThereBeforeExpireToo) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  constexpr int kItems = 1200;
  for (int i = 0; i < kItems; ++i) {
    EXPECT_EQ(PutExpiring("Tab", std::to_string(i), NowS() + (i % 2 == 0 ? 30 : 7200)), "OK");
  }
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  // Before the pass over the items can have ended: it starts again.
  Reopen();
  Advance(60'000);
  int left = 0;
  for (int i = 0; i < kItems; ++i) left += Has("Tab", std::to_string(i));
  EXPECT_EQ(left, kItems / 2);
  EXPECT_EQ(Entries(), static_cast<size_t>(kItems));  // an entry for each item that is left
  Advance(7200'000);
  EXPECT_EQ(Entries(), 0u);
  EXPECT_EQ(store_->time_to_live_deleted(), static_cast<uint64_t>(kItems));
}

TEST_F(TimeToLiveTest,
       ItemsThatWereThereBeforeExpireAlsoIfTheirEntriesAreWrittenAtTheSecondAttempt) {
  EXPECT_EQ(MakeTable("T"), "OK");
  for (int i = 0; i < 20; ++i) PutExpiring("T", fmt::format("{}", i), NowS() + 60);
  EXPECT_EQ(SetTimeToLive("T", true), "OK");
  // The log fails while the entries are written.
  int writes = 0;
  io_.set_fail([&](const io::SimAccess& access) {
    const bool is_log = access.path.find("/log") != std::string_view::npos &&
                        access.kind != io::SimAccess::Kind::kRead;
    return is_log && ++writes == 3;
  });
  Advance(30'000);
  EXPECT_GE(writes, 3);
  Advance(60'000);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Has("T", fmt::format("{}", i))) << i;
}

TEST_F(TimeToLiveTest, StreamsSayThatItWasTheService) {
  CreateTableRequest request = TableRequest("Tab", std::nullopt);
  request.stream_specification = StreamSpecification{true, StreamViewType::kOldImage};
  const auto created = Run(store_->CreateTable(request));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  EXPECT_EQ(PutExpiring("Tab", "expires", NowS() + 10), "OK");
  EXPECT_EQ(PutExpiring("Tab", "deleted", NowS() + 10), "OK");
  EXPECT_EQ(Delete("Tab", "{'p':{'S':'deleted'}}"), "OK");
  Advance(20'000);
  DescribeStreamRequest describe;
  describe.stream_arn = created->table_description.latest_stream_arn;
  const auto stream = Run(store_->DescribeStream(describe));
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::string log;
  for (const ShardDescription& shard : stream->shards) {
    GetShardIteratorRequest iterator;
    iterator.stream_arn = describe.stream_arn;
    iterator.shard_id = shard.shard_id;
    GetRecordsRequest get;
    get.shard_iterator = Run(store_->GetShardIterator(iterator))->shard_iterator;
    const auto page = Run(store_->GetRecords(get));
    ASSERT_TRUE(page.ok()) << page.status();
    for (const StreamRecordDescription& record : page->records) {
      log += fmt::format("{} {}{}; ", ToString(record.event), record.keys.view().Find("p")->text(),
                         record.by_time_to_live ? " by the service" : "");
    }
  }
  EXPECT_EQ(log, "INSERT expires; INSERT deleted; REMOVE deleted; REMOVE expires by the service; ");
}

TEST_F(TimeToLiveTest, IndexEntriesGoWithTheItem) {
  CreateTableRequest request = TableRequest("Tab", std::nullopt);
  request.attribute_definitions.push_back({"g", ValueType::kString});
  SecondaryIndex index;
  index.index_name = "Idx";
  index.key_schema = {{"g", KeyType::kHash}};
  index.projection.type = ProjectionType::kAll;
  request.global_secondary_indexes.emplace().push_back(index);
  const auto created = Run(store_->CreateTable(request));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  EXPECT_EQ(Put("Tab",
                fmt::format("{{'p':{{'S':'a'}},'g':{{'S':'x'}},'ttl':{{'N':'{}'}}}}", NowS() + 10)),
            "OK");
  EXPECT_EQ(Entries(), 3u);
  Advance(20'000);
  EXPECT_EQ(Entries(), 0u);
}

TEST_F(TimeToLiveTest, NothingExpiresOnceItIsDisabledOrTheTableIsGone) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  EXPECT_EQ(MakeTable("Gone"), "OK");
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  EXPECT_EQ(SetTimeToLive("Gone", true), "OK");
  EXPECT_EQ(PutExpiring("Tab", "a", NowS() + 3600), "OK");
  EXPECT_EQ(PutExpiring("Gone", "a", NowS() + 3600), "OK");
  EXPECT_EQ(Entries(), 4u);
  DeleteTableRequest request;
  request.table_name = "Gone";
  ASSERT_TRUE(Run(store_->DeleteTable(request)).ok());
  EXPECT_EQ(MakeTable("Gone"), "OK");
  EXPECT_EQ(PutExpiring("Gone", "a", NowS() + 3600), "OK");
  EXPECT_EQ(Entries(), 3u);
  Advance(31 * kMinuteMs);
  EXPECT_EQ(SetTimeToLive("Tab", false), "OK");
  EXPECT_EQ(Entries(), 2u);
  Advance(60 * kMinuteMs);
  EXPECT_TRUE(Has("Tab", "a"));
  EXPECT_TRUE(Has("Gone", "a"));
  // Enabled again, it finds them.
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  Advance(kMinuteMs);
  EXPECT_FALSE(Has("Tab", "a"));
}

// Clients postpone what is about to expire, while it does: an item is deleted only if its expiry,
// as it stands, has come.
TEST_F(TimeToLiveTest, PostponingRacesWithExpiry) {
  EXPECT_EQ(MakeTable("Tab"), "OK");
  EXPECT_EQ(SetTimeToLive("Tab", true), "OK");
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(PutExpiring("Tab", std::to_string(i), NowS() + 1), "OK");
    Advance(1000 + static_cast<uint64_t>(round) * 13);
    std::map<int, bool> postponed;
    for (int i = 0; i < 10; ++i) {
      UpdateItemRequest update;
      update.table_name = "Tab";
      update.key = ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", i));
      update.update_expression = "SET #t = :n";
      update.condition_expression = "attribute_exists(p)";
      update.expression_parameters = Values({{":n", fmt::format("{{'N':'{}'}}", NowS() + 3600)}});
      update.expression_parameters.names.emplace().emplace_back("#t", "ttl");
      postponed[i] = Run(store_->UpdateItem(update)).ok();
    }
    Advance(5000);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(Has("Tab", std::to_string(i)), postponed[i]) << round << " " << i;
      Delete("Tab", fmt::format("{{'p':{{'S':'{}'}}}}", i));
    }
    EXPECT_EQ(Entries(), 0u);
  }
}

}  // namespace
}  // namespace varve::item
