// Secondary indexes as requests see them: what is refused in which words, projections, cursors,
// fetched attributes, capacity, item collections.
#include <gtest/gtest.h>

#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreIndex : public StoreTest {
 protected:
  // Table T, key p (S) and s (N). Local index ByAge on age (N), keys only; global indexes ByCity on
  // city (S), name (S), with mail, and All on city (S) with everything.
  void SetUp() override {
    StoreTest::SetUp();
    CreateTableRequest create = TableRequest("T", ValueType::kNumber);
    create.attribute_definitions.push_back({"age", ValueType::kNumber});
    create.attribute_definitions.push_back({"city", ValueType::kString});
    create.attribute_definitions.push_back({"name", ValueType::kString});
    SecondaryIndex by_age, by_city, all;
    by_age.index_name = "ByAge";
    by_age.key_schema = {{"p", KeyType::kHash}, {"age", KeyType::kRange}};
    by_age.projection.type = ProjectionType::kKeysOnly;
    by_city.index_name = "ByCity";
    by_city.key_schema = {{"city", KeyType::kHash}, {"name", KeyType::kRange}};
    by_city.projection = {ProjectionType::kInclude, {"mail"}};
    all.index_name = "All";
    all.key_schema = {{"city", KeyType::kHash}};
    all.projection.type = ProjectionType::kAll;
    create.local_secondary_indexes = {by_age};
    create.global_secondary_indexes = {by_city, all};
    ASSERT_EQ(ErrorText(StoreTest::Run(store_->CreateTable(create)).status()), "OK");
    Put("T",
        "{'p':{'S':'a'},'s':{'N':'1'},'age':{'N':'30'},'city':{'S':'Ulm'},'name':{'S':'Ann'},"
        "'mail':{'S':'ann@'},'x':{'S':'long'}}");
    Put("T",
        "{'p':{'S':'a'},'s':{'N':'2'},'age':{'N':'20'},'city':{'S':'Ulm'},'name':{'S':'Bob'}}");
    Put("T", "{'p':{'S':'a'},'s':{'N':'3'},'name':{'S':'Nowhere'}}");
  }

  static QueryRequest ByAge() {
    QueryRequest request;
    request.table_name = "T";
    request.index_name = "ByAge";
    request.key_condition_expression = "p = :p";
    request.expression_parameters = Values({{":p", "{'S':'a'}"}});
    return request;
  }
  static QueryRequest ByCity(std::string_view index = "ByCity") {
    QueryRequest request;
    request.table_name = "T";
    request.index_name = index;
    request.key_condition_expression = "city = :c";
    request.expression_parameters = Values({{":c", "{'S':'Ulm'}"}});
    return request;
  }
  // Items line by line, "/" and the last evaluated key; or the error.
  std::string Run(const QueryRequest& request) {
    return TextOfPage(StoreTest::Run(store_->Query(request)));
  }
  std::string Run(const ScanRequest& request) {
    return TextOfPage(StoreTest::Run(store_->Scan(request)));
  }
  static std::string TextOfPage(const StatusOr<ItemPage>& page) {
    if (!page.ok()) return ErrorText(page.status());
    std::string text;
    for (const ItemView item : page->items) text += TextOf(item) + "\n";
    if (page->last_evaluated_key) text += "/ " + TextOf(*page->last_evaluated_key);
    return text;
  }
  std::string Update(std::string_view expression, std::string_view value) {
    UpdateItemRequest request;
    request.table_name = "T";
    request.key = ItemOf("{'p':{'S':'a'},'s':{'N':'1'}}");
    request.update_expression = expression;
    if (!value.empty()) request.expression_parameters = Values({{":v", value}});
    return ErrorText(StoreTest::Run(store_->UpdateItem(request)).status());
  }
};

constexpr std::string_view kInvalid = "ValidationException: ";

TEST_F(StoreIndex, GivesWhatItProjectsInItsOrder) {
  EXPECT_EQ(Run(ByAge()),
            "{'age':{'N':'20'},'p':{'S':'a'},'s':{'N':'2'}}\n"
            "{'age':{'N':'30'},'p':{'S':'a'},'s':{'N':'1'}}\n");
  EXPECT_EQ(Run(ByCity()),
            "{'city':{'S':'Ulm'},'mail':{'S':'ann@'},'name':{'S':'Ann'},'p':{'S':'a'},'s':{'N':'1'}"
            "}\n{'city':{'S':'Ulm'},'name':{'S':'Bob'},'p':{'S':'a'},'s':{'N':'2'}}\n");
}

TEST_F(StoreIndex, FetchesWhatALocalIndexDoesNotProject) {
  QueryRequest request = ByAge();
  request.projection_expression = "x, s";
  EXPECT_EQ(Run(request), "{'s':{'N':'2'}}\n{'s':{'N':'1'},'x':{'S':'long'}}\n");
  request = ByAge();
  request.select = Select::kAllAttributes;
  request.scan_index_forward = false;
  request.limit = 1;
  EXPECT_EQ(Run(request),
            "{'age':{'N':'30'},'city':{'S':'Ulm'},'mail':{'S':'ann@'},'name':{'S':'Ann'},'p':{'S':'"
            "a'},'s':{'N':'1'},'x':{'S':'long'}}\n"
            "/ {'age':{'N':'30'},'p':{'S':'a'},'s':{'N':'1'}}");
}

TEST_F(StoreIndex, FetchesPageByPageInBothDirections) {
  // Ages are in no order of the sort key; sizes differ, so that pages end within what is read
  // together.
  constexpr int kItems = 150;
  for (int i = 0; i < kItems; ++i) {
    Put("T",
        fmt::format("{{'p':{{'S':'many'}},'s':{{'N':'{}'}},'age':{{'N':'{}'}},"
                    "'x':{{'S':'{}'}}}}",
                    i, i * 7919 % 1009, std::string(static_cast<size_t>(i * 997 % 30011), 'x')));
  }
  for (const bool forward : {true, false}) {
    std::vector<std::optional<int64_t>> limits = {std::nullopt, 1, 7, 64, 149, 150, 151};
    std::string first_answer;
    for (const std::optional<int64_t> limit : limits) {
      QueryRequest request = ByAge();
      request.expression_parameters = Values({{":p", "{'S':'many'}"}});
      request.select = Select::kAllAttributes;
      request.scan_index_forward = forward;
      request.limit = limit;
      std::string answer;
      int items = 0;
      double last_age = forward ? -1 : 2000;
      while (true) {
        const auto page = StoreTest::Run(store_->Query(request));
        ASSERT_TRUE(page.ok());
        EXPECT_LE(page->items.size(), static_cast<size_t>(limit.value_or(kItems)));
        EXPECT_EQ(page->scanned_count, page->items.size());
        for (const ItemView item : page->items) {
          answer += TextOf(item);
          ++items;
          const double age = std::stod(item.Find("age")->number().ToString());
          EXPECT_TRUE(forward ? age > last_age : age < last_age);
          last_age = age;
        }
        if (!page->last_evaluated_key) break;
        request.exclusive_start_key = page->last_evaluated_key;
      }
      EXPECT_EQ(items, kItems);
      if (first_answer.empty()) first_answer = answer;
      EXPECT_EQ(answer, first_answer);
    }
  }
}

TEST_F(StoreIndex, AGlobalIndexHasNothingElse) {
  QueryRequest request = ByCity();
  request.select = Select::kAllAttributes;
  EXPECT_EQ(Run(request), std::string(kInvalid) +
                              "One or more parameter values were invalid: Select type "
                              "ALL_ATTRIBUTES is not supported for global secondary index ByCity "
                              "because its projection type is not ALL");
  request = ByCity();
  request.projection_expression = "x, mail";
  EXPECT_EQ(Run(request), std::string(kInvalid) +
                              "One or more parameter values were invalid: Global secondary index "
                              "ByCity does not project [x]");
  request = ByCity("All");
  request.projection_expression = "x, mail";
  EXPECT_EQ(Run(request), "{'mail':{'S':'ann@'},'x':{'S':'long'}}\n{}\n");
}

TEST_F(StoreIndex, ConsistentReadsAreForLocalIndexes) {
  QueryRequest request = ByAge();
  request.consistent_read = true;
  EXPECT_NE(Run(request), "");
  request = ByCity();
  request.consistent_read = true;
  EXPECT_EQ(Run(request), std::string(kInvalid) +
                              "Consistent reads are not supported on global secondary indexes");
  store_options_.consistent_gsi_reads = true;
  Reopen();
  EXPECT_TRUE(Run(request).starts_with("{"));
}

TEST_F(StoreIndex, UnknownIndexesAreRefused) {
  EXPECT_EQ(Run(ByCity("ByTown")),
            std::string(kInvalid) + "The table does not have the specified index: ByTown");
}

TEST_F(StoreIndex, StartKeysHaveTheKeysOfIndexAndTable) {
  const auto start = [this](std::string_view key) {
    QueryRequest request = ByCity();
    request.exclusive_start_key = ItemOf(key);
    return Run(request);
  };
  EXPECT_EQ(start("{'city':{'S':'Ulm'},'name':{'S':'Ann'},'p':{'S':'a'},'s':{'N':'1'}}"),
            "{'city':{'S':'Ulm'},'name':{'S':'Bob'},'p':{'S':'a'},'s':{'N':'2'}}\n");
  const std::string invalid = std::string(kInvalid) + "The provided starting key is invalid";
  EXPECT_EQ(start("{'city':{'S':'Ulm'},'name':{'S':'Ann'},'p':{'S':'a'}}"), invalid);
  EXPECT_EQ(start("{'city':{'S':'Ulm'},'x':{'S':'Ann'},'p':{'S':'a'},'s':{'N':'1'}}"), invalid);
  EXPECT_EQ(start("{'city':{'S':'Ulm'},'name':{'N':'1'},'p':{'S':'a'},'s':{'N':'1'}}"),
            std::string(kInvalid) + "The provided key element does not match the schema");
  EXPECT_EQ(start("{'city':{'S':'Ulm'},'name':{'S':'Ann'},'p':{'S':'a'},'s':{'S':'1'}}"),
            invalid + ": The provided key element does not match the schema");
  EXPECT_EQ(start("{'city':{'S':'Rom'},'name':{'S':'Ann'},'p':{'S':'a'},'s':{'N':'1'}}"),
            std::string(kInvalid) +
                "The provided starting key is outside query boundaries based on provided "
                "conditions");
  ScanRequest scan;
  scan.table_name = "T";
  scan.index_name = "All";
  scan.exclusive_start_key = ItemOf("{'city':{'S':'Ulm'},'p':{'S':'a'}}");
  EXPECT_EQ(Run(scan), invalid);
}

TEST_F(StoreIndex, KeysOfIndexesAreCheckedBeforeAnItemIsWritten) {
  EXPECT_EQ(Put("T", "{'p':{'S':'b'},'s':{'N':'1'},'city':{'N':'1'}}"),
            std::string(kInvalid) +
                "One or more parameter values were invalid: Type mismatch for Index Key city "
                "Expected: S Actual: N IndexName: ByCity");
  EXPECT_EQ(Update("SET age = :v", "{'S':'old'}"),
            std::string(kInvalid) +
                "One or more parameter values were invalid: Type mismatch for Index Key age "
                "Expected: N Actual: S IndexName: ByAge");
  EXPECT_EQ(Update("SET age = mail", ""),
            std::string(kInvalid) +
                "The update expression attempted to update the secondary index key to unsupported "
                "type");
  EXPECT_EQ(Update("SET city = :v", "{'S':''}"),
            std::string(kInvalid) +
                "One or more parameter values are not valid. A value specified for a secondary "
                "index key is not supported. The AttributeValue for a key attribute cannot contain "
                "an empty string value. IndexName: ByCity, IndexKey: city");
  EXPECT_EQ(Update("SET age = age + :v", "{'N':'1'}"), "OK");
  EXPECT_EQ(Update("REMOVE city", ""), "OK");
  EXPECT_EQ(Run(ByCity()), "{'city':{'S':'Ulm'},'name':{'S':'Bob'},'p':{'S':'a'},'s':{'N':'2'}}\n");
}

TEST_F(StoreIndex, EachIndexIsChargedForWhatItSees) {
  PutItemRequest put;
  put.table_name = "T";
  put.item =
      ItemOf(fmt::format("{{'p':{{'S':'c'}},'s':{{'N':'1'}},'age':{{'N':'1'}},'city':{{'S':'Bonn'}}"
                         ",'x':{{'S':'{}'}}}}",
                         std::string(3000, 'x')));
  put.return_consumed_capacity = ReturnConsumedCapacity::kIndexes;
  const auto response = StoreTest::Run(store_->PutItem(put));
  ASSERT_TRUE(response.ok()) << response.status();
  const ConsumedCapacity& capacity = *response->consumed_capacity;
  EXPECT_EQ(capacity.capacity_units, 7);
  EXPECT_EQ(capacity.table_capacity_units, 3);
  using Units = std::vector<std::pair<std::string, double>>;
  EXPECT_EQ(capacity.local_index_units, (Units{{"ByAge", 1}}));
  EXPECT_EQ(capacity.global_index_units, (Units{{"All", 3}}));

  QueryRequest query = ByAge();
  query.expression_parameters = Values({{":p", "{'S':'c'}"}});
  query.return_consumed_capacity = ReturnConsumedCapacity::kIndexes;
  query.consistent_read = true;
  query.projection_expression = "x";
  const auto page = StoreTest::Run(store_->Query(query));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->consumed_capacity->capacity_units, 2);
  EXPECT_EQ(page->consumed_capacity->table_capacity_units, 1);
  EXPECT_EQ(page->consumed_capacity->local_index_units, (Units{{"ByAge", 1}}));
}

TEST_F(StoreIndex, AnItemCollectionTellsItsSizeAndStopsAtItsLimit) {
  PutItemRequest put;
  put.table_name = "T";
  put.item = ItemOf("{'p':{'S':'a'},'s':{'N':'9'}}");
  put.return_item_collection_metrics = true;
  const auto response = StoreTest::Run(store_->PutItem(put));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_TRUE(response->item_collection_metrics.has_value());
  EXPECT_EQ(TextOf(response->item_collection_metrics->item_collection_key), "{'p':{'S':'a'}}");
  EXPECT_EQ(response->item_collection_metrics->size_gb_min, 0);
  EXPECT_EQ(response->item_collection_metrics->size_gb_max, 1);

  store_options_.item_collection_bytes_max = 200'000;
  Reopen();
  const std::string text(1000, 'x');
  std::string answer = "OK";
  int written = 0;
  for (; written < 2000 && answer == "OK"; ++written) {
    answer = Put(
        "T", fmt::format("{{'p':{{'S':'a'}},'s':{{'N':'{}'}},'x':{{'S':'{}'}}}}", written, text));
  }
  EXPECT_EQ(answer, "ItemCollectionSizeLimitExceededException: Collection size exceeded.");
  EXPECT_GT(written, 64);
  EXPECT_LT(written, 300);
  // What does not grow it is taken.
  EXPECT_EQ(Put("T", "{'p':{'S':'a'},'s':{'N':'1'}}"), "OK");
  EXPECT_EQ(Delete("T", "{'p':{'S':'a'},'s':{'N':'2'}}"), "OK");
}

}  // namespace
}  // namespace varve::item
