// Indexes of tables: their definition, UpdateTable's GlobalSecondaryIndexUpdates, and how a new
// index is filled.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <set>

#include "item/index_entry.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreIndexUpdates : public StoreTest {
 protected:
  TableDescription Describe(std::string_view name) {
    DescribeTableRequest request;
    request.table_name = name;
    auto response = Run(store_->DescribeTable(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? std::move(response->table) : TableDescription();
  }

  // "name:HASH,other:RANGE"
  static std::vector<KeySchemaElement> Keys(std::string_view text) {
    std::vector<KeySchemaElement> keys;
    while (!text.empty()) {
      const std::string_view part = text.substr(0, text.find(','));
      text.remove_prefix(std::min(text.size(), part.size() + 1));
      const size_t colon = part.find(':');
      keys.push_back({std::string(part.substr(0, colon)),
                      part.substr(colon + 1) == "HASH" ? KeyType::kHash : KeyType::kRange});
    }
    return keys;
  }
  static SecondaryIndex Index(std::string_view name, std::string_view keys,
                              ProjectionType type = ProjectionType::kAll) {
    SecondaryIndex index;
    index.index_name = name;
    index.key_schema = Keys(keys);
    index.projection.type = type;
    return index;
  }

  UpdateTableRequest& CreateIndex(std::string_view table, SecondaryIndex index) {
    update_ = {};
    update_.table_name = table;
    for (const KeySchemaElement& key : index.key_schema) {
      update_.attribute_definitions.push_back({key.attribute_name, ValueType::kString});
    }
    update_.global_secondary_index_updates.emplace().emplace_back().create = std::move(index);
    return update_;
  }
  UpdateTableRequest& DeleteIndex(std::string_view table, std::string_view index) {
    update_ = {};
    update_.table_name = table;
    update_.global_secondary_index_updates.emplace().emplace_back().delete_index_name = index;
    return update_;
  }
  std::string Update(const UpdateTableRequest& request) {
    auto response = Run(store_->UpdateTable(request));
    if (response.ok()) answer_ = std::move(response->table_description);
    return ErrorText(response.status());
  }

  static io::Task<void> Sleep() { co_await io::SleepFor(1'000'000); }

  // Lets the world go on until no index of the table is under construction.
  void WaitForIndexes(std::string_view table) {
    for (int i = 0; i < 100'000; ++i) {
      const TableDescription description = Describe(table);
      if (std::all_of(description.indexes.begin(), description.indexes.end(),
                      [](const auto& index) { return index.status == IndexStatus::kActive; })) {
        return;
      }
      io::BlockOn(io_, Sleep());
    }
    FAIL() << "an index of " << table << " is never active";
  }

  // The values of attribute `p` of everything in a key space.
  std::multiset<std::string> Entries(uint32_t key_space) {
    std::multiset<std::string> entries;
    const KeyBounds bounds = KeySpaceBounds(key_space);
    engine::IteratorOptions options;
    options.lower_bound = bounds.begin;
    options.upper_bound = bounds.end;
    const auto iterator = db_->NewIterator(options);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      entries.emplace(ItemView(iterator->value()).Find("p")->text());
    }
    return entries;
  }

  io::Task<void> PutAgain(std::string_view item) {
    PutItemRequest request;
    request.table_name = "T";
    request.item = ItemOf(item);
    for (int i = 0; i < 30; ++i) {
      const auto response = co_await store_->PutItem(request);
      EXPECT_TRUE(response.ok()) << response.status();
    }
  }
  io::Task<void> DeleteAfter(uint64_t ns) {
    co_await io::SleepFor(ns);
    const auto response = co_await store_->UpdateTable(DeleteIndex("T", "first"));
    EXPECT_TRUE(response.ok()) << response.status();
  }

  io::Task<void> PutOnce(std::string_view item) {
    PutItemRequest request;
    request.table_name = "T";
    request.item = ItemOf(item);
    const auto response = co_await store_->PutItem(request);
    EXPECT_TRUE(response.ok()) << response.status();
  }
  io::Task<void> WriteBoth(std::string_view one, std::string_view other) {
    BatchWriteItemRequest request;
    std::vector<WriteRequest> writes(2);
    writes[0].put_item = ItemOf(one);
    writes[1].put_item = ItemOf(other);
    request.request_items.emplace_back("T", std::move(writes));
    const auto response = co_await store_->BatchWriteItem(request);
    EXPECT_TRUE(response.ok()) << response.status();
  }
  io::Task<void> CreateIndexAndPut(std::string_view item) {
    const auto updated = co_await store_->UpdateTable(CreateIndex("T", Index("one", "a:HASH")));
    EXPECT_TRUE(updated.ok()) << updated.status();
    PutItemRequest request;
    request.table_name = "T";
    request.item = ItemOf(item);
    const auto response = co_await store_->PutItem(request);
    EXPECT_TRUE(response.ok()) << response.status();
  }
  // Deletes the index "first" that long after it was made, while an item is written again and
  // again.
  io::Task<void> DeleteWhileItIsFilled(uint64_t after_ns) {
    io::TaskGroup group;
    for (int i = 0; i < 3; ++i) group.Add(PutAgain("{'p':{'S':'007'},'a':{'S':'x'}}"));
    group.Add(DeleteAfter(after_ns));
    co_await group.Wait();
  }
  // A batch waits for the lock of one item, and has none of the other's yet if that comes behind in
  // the order of locks. Meanwhile the other is written by one who knows the new index.
  io::Task<void> OvertakeABatch(std::string_view early, std::string_view late) {
    const std::string_view busy = "{'p':{'S':'busy'}}";
    io::TaskGroup group;
    for (int i = 0; i < 40; ++i) group.Add(PutOnce(busy));
    group.Add(WriteBoth(busy, late));
    group.Add(CreateIndexAndPut(early));
    co_await group.Wait();
  }

  UpdateTableRequest update_;
  TableDescription answer_;
};

TEST_F(StoreIndexUpdates, AreCheckedAtCreation) {
  struct Case {
    std::string_view what;
    std::vector<SecondaryIndex> local, global;
    std::string_view definitions;  // names of strings
    std::string_view error;
  };
  const auto many = [](size_t n) {
    std::vector<SecondaryIndex> indexes;
    for (size_t i = 0; i < n; ++i)
      indexes.push_back(Index(fmt::format("index{}", i), "p:HASH,s:RANGE"));
    return indexes;
  };
  SecondaryIndex include = Index("one", "a:HASH", ProjectionType::kInclude);
  SecondaryIndex all_with_names = Index("one", "a:HASH");
  all_with_names.projection.non_key_attributes = {"x"};
  SecondaryIndex twice = include;
  twice.projection.non_key_attributes = {"x", "y", "x"};
  SecondaryIndex no_type = Index("one", "a:HASH");
  no_type.projection.type.reset();
  SecondaryIndex provisioned = Index("one", "a:HASH");
  provisioned.provisioned_throughput = ProvisionedThroughput{1, 1};
  const std::vector<Case> cases = {
      {"hash only", {}, {Index("one", "a:HASH")}, "p,s,a", "OK"},
      {"another hash key",
       {Index("one", "a:HASH,b:RANGE")},
       {},
       "p,s,a,b",
       "ValidationException: One or more parameter values were invalid: Index KeySchema does not "
       "have the same leading hash key as table KeySchema for index: one. index hash key: a, table "
       "hash key: p"},
      {"no range key",
       {Index("one", "p:HASH")},
       {},
       "p,s",
       "ValidationException: One or more parameter values were invalid: Index KeySchema does not "
       "have a range key for index: one"},
      {"six local ones",
       many(6),
       {},
       "p,s",
       "ValidationException: One or more parameter values were invalid: Number of "
       "LocalSecondaryIndexes exceeds per-table limit of 5"},
      {"twenty-one global ones",
       {},
       many(21),
       "p,s",
       "ValidationException: One or more parameter values were invalid: GlobalSecondaryIndex count "
       "exceeds the per-table limit of 20"},
      {"the same name",
       {Index("one", "p:HASH,a:RANGE")},
       {Index("one", "a:HASH")},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: Duplicate index name: one"},
      {"undefined key",
       {},
       {Index("one", "a:HASH,b:RANGE")},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: Some index key attributes "
       "are not defined in AttributeDefinitions. Keys: [a, b], AttributeDefinitions: [p, s, a]"},
      {"unused definition",
       {},
       {Index("one", "a:HASH")},
       "p,s,a,b",
       "ValidationException: One or more parameter values were invalid: Some AttributeDefinitions "
       "are not used. AttributeDefinitions: [a, b, p, s], keys used: [a, p, s]"},
      {"no projection type",
       {},
       {no_type},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: Unknown ProjectionType: "
       "null"},
      {"include without names",
       {},
       {include},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: ProjectionType is INCLUDE, "
       "but NonKeyAttributes is not specified"},
      {"all with names",
       {},
       {all_with_names},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: ProjectionType is ALL, but "
       "NonKeyAttributes is specified"},
      {"a name twice",
       {},
       {twice},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: Duplicate element in "
       "NonKeyAttributes: x"},
      {"throughput on demand",
       {},
       {provisioned},
       "p,s,a",
       "ValidationException: One or more parameter values were invalid: ProvisionedThroughput "
       "should not be specified for index: one when BillingMode is PAY_PER_REQUEST"},
      {"four and four keys",
       {},
       {Index("one", "a:HASH,b:HASH,c:HASH,d:HASH,e:RANGE,f:RANGE,g:RANGE,h:RANGE")},
       "p,s,a,b,c,d,e,f,g,h",
       "OK"},
      {"five hash keys",
       {},
       {Index("one", "a:HASH,b:HASH,c:HASH,d:HASH,e:HASH")},
       "p,s,a,b,c,d,e",
       "ValidationException: One or more parameter values were invalid: The KeySchema exceeds the "
       "maximum allowed number of HASH key attributes"},
      {"range before hash",
       {},
       {Index("one", "a:HASH,b:RANGE,c:HASH")},
       "p,s,a,b,c",
       "ValidationException: One or more parameter values were invalid: All HASH key attributes "
       "must precede RANGE key attributes in the KeySchema"},
      {"a key twice",
       {},
       {Index("one", "a:HASH,b:HASH,a:RANGE")},
       "p,s,a,b",
       "ValidationException: The KeySchema contains multiple key attributes with the same name"},
      {"none", {}, {}, "p,s", "OK"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& each = cases[i];
    CreateTableRequest request;
    request.table_name = fmt::format("Table{}", i);
    request.billing_mode = BillingMode::kPayPerRequest;
    request.key_schema = Keys("p:HASH,s:RANGE");
    for (const KeySchemaElement& key : Keys(each.definitions)) {
      request.attribute_definitions.push_back({key.attribute_name, ValueType::kString});
    }
    if (!each.local.empty()) request.local_secondary_indexes = each.local;
    if (!each.global.empty()) request.global_secondary_indexes = each.global;
    EXPECT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), each.error) << each.what;
  }
}

TEST_F(StoreIndexUpdates, SurviveAReopening) {
  CreateTableRequest request = TableRequest("T", ValueType::kNumber);
  request.attribute_definitions.push_back({"a", ValueType::kBinary});
  request.local_secondary_indexes = {Index("local", "p:HASH,a:RANGE", ProjectionType::kKeysOnly)};
  SecondaryIndex global = Index("global", "a:HASH", ProjectionType::kInclude);
  global.projection.non_key_attributes = {"x", "y"};
  global.on_demand_throughput = OnDemandThroughput{7, std::nullopt};
  request.global_secondary_indexes = {global};
  request.tags = {{"b", "2"}, {"a", "1"}};
  ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");
  for (int i = 0; i < 2; ++i) {
    const TableDescription table = Describe("T");
    ASSERT_EQ(table.indexes.size(), 2u);
    EXPECT_EQ(table.indexes[0].index_name, "local");
    EXPECT_FALSE(table.indexes[0].global);
    EXPECT_EQ(table.indexes[0].projection.type, ProjectionType::kKeysOnly);
    EXPECT_TRUE(table.indexes[1].global);
    EXPECT_EQ(table.indexes[1].projection.non_key_attributes, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(table.indexes[1].on_demand_throughput->max_read_request_units, 7);
    EXPECT_FALSE(table.indexes[1].on_demand_throughput->max_write_request_units);
    EXPECT_EQ(table.indexes[1].index_arn,
              "arn:aws:dynamodb:us-east-1:123456789012:table/T/index/global");
    ASSERT_EQ(table.tags.size(), 2u);
    EXPECT_EQ(table.tags[0].key, "a");
    Reopen();
  }
}

TEST_F(StoreIndexUpdates, ANewOneGetsTheItemsThatWereThere) {
  ASSERT_EQ(MakeTable("T"), "OK");
  std::multiset<std::string> expected;
  for (int i = 0; i < 350; ++i) {
    // A third has the attribute, a third has it with the wrong type, a third lacks it.
    const std::string_view attribute = i % 3 == 0   ? ",'a':{'S':'x'}"
                                       : i % 3 == 1 ? ",'a':{'N':'1'}"
                                                    : "";
    ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'{:03}'}}{}}}", i, attribute)), "OK");
    if (i % 3 == 0) expected.insert(fmt::format("{:03}", i));
  }
  ASSERT_EQ(Update(CreateIndex("T", Index("late", "a:HASH"))), "OK");
  EXPECT_EQ(answer_.table_status, TableStatus::kUpdating);
  ASSERT_EQ(answer_.indexes.size(), 1u);
  EXPECT_EQ(answer_.indexes[0].status, IndexStatus::kCreating);
  // What is written meanwhile is right, too.
  EXPECT_EQ(Put("T", "{'p':{'S':'new'},'a':{'S':'x'}}"), "OK");
  EXPECT_EQ(Delete("T", "{'p':{'S':'000'}}"), "OK");
  EXPECT_EQ(Put("T", "{'p':{'S':'003'}}"), "OK");
  EXPECT_EQ(Put("T", "{'p':{'S':'001'},'a':{'S':'y'}}"), "OK");
  expected.erase("000");
  expected.erase("003");
  expected.insert("new");
  expected.insert("001");
  WaitForIndexes("T");
  EXPECT_EQ(Entries(2), expected);
  const TableDescription table = Describe("T");
  EXPECT_EQ(table.table_status, TableStatus::kActive);
  EXPECT_EQ(table.indexes[0].item_count, expected.size());
  EXPECT_EQ(table.attribute_definitions.size(), 2u);
}

TEST_F(StoreIndexUpdates, FillingGoesOnAfterACrash) {
  spdlog::set_level(spdlog::level::off);  // the engine tells of every crash
  ASSERT_EQ(MakeTable("T"), "OK");
  std::multiset<std::string> expected;
  for (int i = 0; i < 450; ++i) {
    ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'{:03}'}},'a':{{'S':'x'}}}}", i)), "OK");
    expected.insert(fmt::format("{:03}", i));
  }
  int interrupted = 0;
  for (uint64_t step = 1; step <= 60; step += 3) {
    const std::string name = fmt::format("index{}", step);
    io_.ArmCrash(io::SimCrash::kPower, step);
    Update(CreateIndex("T", Index(name, "a:HASH")));
    for (int i = 0; i < 200 && !io_.crashed(); ++i) io::BlockOn(io_, Sleep());
    io_.DisarmCrash();
    if (io_.crashed()) {
      Close();
      io_.Restart();
      Open();
    }
    if (Describe("T").indexes.empty()) continue;  // the crash came before the index
    interrupted += Describe("T").indexes[0].status == IndexStatus::kCreating;
    WaitForIndexes("T");
    const TableDescription table = Describe("T");
    EXPECT_EQ(table.table_status, TableStatus::kActive);
    EXPECT_EQ(table.indexes[0].item_count, expected.size()) << step;
    ASSERT_EQ(Update(DeleteIndex("T", name)), "OK");
    EXPECT_TRUE(Describe("T").indexes.empty());
    EXPECT_EQ(Describe("T").attribute_definitions.size(), 1u);
  }
  EXPECT_GT(interrupted, 0);
  spdlog::set_level(spdlog::level::info);
}

// A step of filling may wait for an item that is being written, and then be the last to write to
// the key space of an index that has been deleted.
TEST_F(StoreIndexUpdates, OneThatIsDeletedWhileItIsFilledLeavesNothingToTheNext) {
  ASSERT_EQ(MakeTable("T"), "OK");
  std::multiset<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'{:03}'}},'a':{{'S':'x'}}}}", i)), "OK");
    expected.insert(fmt::format("{:03}", i));
  }
  for (uint64_t round = 0; round < 40; ++round) {
    ASSERT_EQ(Update(CreateIndex("T", Index("first", "a:HASH"))), "OK");
    io::BlockOn(io_, DeleteWhileItIsFilled(round * 100'000));
    ASSERT_EQ(Update(CreateIndex("T", Index("next", "a:HASH"))), "OK");
    WaitForIndexes("T");
    ASSERT_EQ(Describe("T").indexes[0].item_count, expected.size()) << round;
    ASSERT_EQ(Update(DeleteIndex("T", "next")), "OK");
  }
}

// A write that began before the index was made may come after one that knows the index already, and
// must not leave the entry that the other has made.
TEST_F(StoreIndexUpdates, WritesThatDoNotKnowItYetLeaveNothingBehind) {
  ASSERT_EQ(MakeTable("T"), "OK");
  for (int i = 0; i < 12; ++i) {
    const std::string item = fmt::format("{{'p':{{'S':'{:02}'}},'a':{{'S':'", i);
    const std::string early = item + "early'}}";
    const std::string late = item + "late'}}";
    io::BlockOn(io_, OvertakeABatch(early, late));
    WaitForIndexes("T");
    EXPECT_EQ(Describe("T").indexes[0].item_count, static_cast<uint64_t>(i + 1)) << i;
    ASSERT_EQ(Update(DeleteIndex("T", "one")), "OK");
  }
}

TEST_F(StoreIndexUpdates, AreRefusedInTheServicesWords) {
  CreateTableRequest request = TableRequest("T", std::nullopt);
  request.attribute_definitions.push_back({"a", ValueType::kString});
  request.global_secondary_indexes = {Index("there", "a:HASH")};
  ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");

  EXPECT_EQ(Update(CreateIndex("T", Index("there", "a:HASH"))),
            "ValidationException: Attempting to create an index which already exists");
  UpdateTableRequest undefined = CreateIndex("T", Index("other", "b:HASH"));
  undefined.attribute_definitions.clear();
  EXPECT_EQ(Update(undefined),
            "ValidationException: One or more parameter values were invalid: AttributeDefinitions "
            "is not specified for index: other");
  EXPECT_EQ(Update(DeleteIndex("T", "absent")),
            "ResourceNotFoundException: Requested resource not found: Index absent for table T");
  UpdateTableRequest two = CreateIndex("T", Index("one", "b:HASH"));
  two.global_secondary_index_updates->emplace_back().delete_index_name = "there";
  EXPECT_EQ(Update(two),
            "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be created "
            "or deleted simultaneously per table");
  UpdateTableRequest nothing = DeleteIndex("T", "there");
  nothing.global_secondary_index_updates->at(0).delete_index_name.reset();
  EXPECT_EQ(Update(nothing),
            "ValidationException: One or more parameter values were invalid: One of "
            "GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
            "GlobalSecondaryIndexUpdate.Delete must not be null");
  UpdateTableRequest with_class = DeleteIndex("T", "there");
  with_class.table_class = TableClass::kStandard;
  EXPECT_EQ(Update(with_class),
            "ValidationException: One or more parameter values were invalid: TableClass "
            "modification must be the only operation in the request");

  // While one is made, the table is busy: at first as a whole, then as far as indexes go.
  ASSERT_EQ(Update(CreateIndex("T", Index("one", "b:HASH"))), "OK");
  const std::string refused = Update(CreateIndex("T", Index("two", "c:HASH")));
  EXPECT_TRUE(refused ==
                  "ResourceInUseException: Attempt to change a resource which is still in use: "
                  "Table: T is in the process of being updated." ||
              refused ==
                  "LimitExceededException: Subscriber limit exceeded: Only 1 online index can be "
                  "created or deleted simultaneously per table")
      << refused;
  WaitForIndexes("T");
  EXPECT_EQ(Update(DeleteIndex("T", "there")), "OK");
  EXPECT_EQ(answer_.indexes[0].status, IndexStatus::kDeleting);
  EXPECT_EQ(Describe("T").indexes.size(), 1u);
}

TEST_F(StoreIndexUpdates, TagsComeAndGo) {
  ASSERT_EQ(MakeTable("T"), "OK");
  const std::string arn = "arn:aws:dynamodb:us-east-1:123456789012:table/T";
  const auto tag = [&](std::string_view of, std::vector<Tag> tags) {
    TagResourceRequest request{std::string(of), std::move(tags)};
    return ErrorText(Run(store_->TagResource(request)).status());
  };
  const auto list = [&](std::string_view of) {
    ListTagsOfResourceRequest request{std::string(of)};
    const auto response = Run(store_->ListTagsOfResource(request));
    if (!response.ok()) return ErrorText(response.status());
    std::string text;
    for (const Tag& each : response->tags) text += each.key + "=" + each.value + " ";
    return text;
  };
  EXPECT_EQ(tag(arn, {{"b", "1"}, {"a", "2"}}), "OK");
  EXPECT_EQ(tag(arn, {{"b", "3"}}), "OK");
  EXPECT_EQ(list(arn), "a=2 b=3 ");
  Reopen();
  UntagResourceRequest untag{arn, {"a", "absent"}};
  EXPECT_EQ(ErrorText(Run(store_->UntagResource(untag)).status()), "OK");
  EXPECT_EQ(list(arn), "b=3 ");
  EXPECT_EQ(tag(arn, {}), "ValidationException: Atleast one Tag needs to be provided as Input.");
  EXPECT_EQ(tag(arn, {{"", "x"}}), "ValidationException: The Tag Key provided is invalid, Key: ");
  EXPECT_EQ(tag(arn, {{"aws:x", ""}}),
            "ValidationException: Tag Key cannot be prefixed with aws:, Key: aws:x");
  std::vector<Tag> many;
  for (int i = 0; i < 50; ++i) many.push_back({fmt::format("k{}", i), ""});
  EXPECT_EQ(tag(arn, many),
            "ValidationException: Number of Tags exceed the current limit for the provided "
            "ResourceArn");
  EXPECT_EQ(list("T"),
            "ValidationException: One or more parameter values were invalid: ARNs must start with "
            "'arn:': T");
  EXPECT_EQ(list("arn:aws:dynamodb:us-east-1:123456789012:table/Absent"),
            "ResourceNotFoundException: Requested resource not found: ResourceArn: "
            "arn:aws:dynamodb:us-east-1:123456789012:table/Absent not found");
  EXPECT_TRUE(list("arn:aws:dynamodb:us-east-1:000000000000:table/T")
                  .starts_with("AccessDeniedException: "));
}

TEST_F(StoreIndexUpdates, AnArnIsAsGoodAsAName) {
  ASSERT_EQ(MakeTable("T"), "OK");
  const std::string arn = "arn:aws:dynamodb:us-east-1:123456789012:table/T";
  EXPECT_EQ(Put(arn, "{'p':{'S':'a'}}"), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "{'p':{'S':'a'}}");
  EXPECT_EQ(Describe(arn).table_name, "T");
  EXPECT_EQ(Get("arn:aws:dynamodb:eu-west-1:123456789012:table/T", "{'p':{'S':'a'}}"),
            "ResourceNotFoundException: Requested resource not found");
}

}  // namespace
}  // namespace varve::item
