// Query and Scan, on the engine over a simulated disk.
#include <gtest/gtest.h>

#include <set>

#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreQuery : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_EQ(MakeTable("T", ValueType::kNumber), "OK");
    for (const char* p : {"a", "b"}) {
      for (int s = 1; s <= 9; ++s) {
        ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'{}'}},'s':{{'N':'{}'}},'odd':{{'BOOL':{}}}}}",
                                       p, s, s % 2 == 1)),
                  "OK");
      }
    }
  }

  static QueryRequest QueryOf(std::string_view condition) {
    QueryRequest request;
    request.table_name = "T";
    request.key_condition_expression = condition;
    request.expression_parameters = Values({{":p", "{'S':'a'}"}});
    return request;
  }
  static void Add(QueryRequest& request, std::string_view name, std::string_view value) {
    auto more = Values({{name, value}});
    request.expression_parameters.values->push_back(more.values->front());
  }

  // "a1 a2 / a2" is two items and the last evaluated key; or the error.
  static std::string TextOfPage(const StatusOr<ItemPage>& page) {
    if (!page.ok()) return ErrorText(page.status());
    std::string text;
    for (const ItemView item : page->items) text += NameOf(item) + " ";
    if (page->last_evaluated_key) text += "/ " + NameOf(*page->last_evaluated_key);
    return text;
  }
  static std::string NameOf(const ItemView& item) {
    const auto part = [&](std::string_view name) -> std::string {
      const auto value = item.Find(name);
      if (!value) return "";
      return value->Is(ValueType::kNumber) ? value->number().ToString()
                                           : std::string(value->text());
    };
    return part("p") + part("s");
  }
  std::string Run(const QueryRequest& request) {
    return TextOfPage(StoreTest::Run(store_->Query(request)));
  }
  using StoreTest::Run;
};

TEST_F(StoreQuery, SelectsByKeyInOrder) {
  EXPECT_EQ(Run(QueryOf("p = :p")), "a1 a2 a3 a4 a5 a6 a7 a8 a9 ");
  const auto with = [&](std::string_view condition) {
    QueryRequest request = QueryOf(condition);
    Add(request, ":x", "{'N':'4'}");
    if (condition.find(":y") != std::string_view::npos) Add(request, ":y", "{'N':'6'}");
    return Run(request);
  };
  EXPECT_EQ(with("p = :p AND s = :x"), "a4 ");
  EXPECT_EQ(with("p = :p AND s < :x"), "a1 a2 a3 ");
  EXPECT_EQ(with("p = :p AND s <= :x"), "a1 a2 a3 a4 ");
  EXPECT_EQ(with("p = :p AND s > :x"), "a5 a6 a7 a8 a9 ");
  EXPECT_EQ(with("p = :p AND s >= :x"), "a4 a5 a6 a7 a8 a9 ");
  EXPECT_EQ(with("p = :p AND s BETWEEN :x AND :y"), "a4 a5 a6 ");
}

TEST_F(StoreQuery, GoesBackward) {
  QueryRequest request = QueryOf("p = :p");
  request.scan_index_forward = false;
  request.limit = 3;
  EXPECT_EQ(Run(request), "a9 a8 a7 / a7");
  request.exclusive_start_key = ItemOf("{'p':{'S':'a'},'s':{'N':'7'}}");
  EXPECT_EQ(Run(request), "a6 a5 a4 / a4");
}

TEST_F(StoreQuery, PagesByLimit) {
  QueryRequest request = QueryOf("p = :p");
  request.limit = 4;
  EXPECT_EQ(Run(request), "a1 a2 a3 a4 / a4");
  request.exclusive_start_key = ItemOf("{'p':{'S':'a'},'s':{'N':'4'}}");
  EXPECT_EQ(Run(request), "a5 a6 a7 a8 / a8");
  request.exclusive_start_key = ItemOf("{'p':{'S':'a'},'s':{'N':'8'}}");
  EXPECT_EQ(Run(request), "a9 ");
  request.limit = 9;
  request.exclusive_start_key.reset();
  EXPECT_EQ(Run(request), "a1 a2 a3 a4 a5 a6 a7 a8 a9 / a9")
      << "the limit was met, though nothing follows";
  request.exclusive_start_key = ItemOf("{'p':{'S':'a'},'s':{'N':'9'}}");
  EXPECT_EQ(Run(request), "");
  // The item at the start key need not exist.
  request.exclusive_start_key = ItemOf("{'p':{'S':'a'},'s':{'N':'6.5'}}");
  EXPECT_EQ(Run(request), "a7 a8 a9 ");
}

TEST_F(StoreQuery, PagesBySize) {
  store_options_.page_bytes_max = 30;
  Reopen();
  // An item is 10 bytes: names 1 + 1 + 3, values 1 + 2 + 1... so the page ends with the fourth.
  const size_t item_bytes =
      ItemOf("{'p':{'S':'a'},'s':{'N':'1'},'odd':{'BOOL':true}}").view().size_bytes();
  EXPECT_EQ(item_bytes, 9u);
  EXPECT_EQ(Run(QueryOf("p = :p")), "a1 a2 a3 a4 / a4");
}

TEST_F(StoreQuery, FiltersAfterCounting) {
  QueryRequest request = QueryOf("p = :p");
  request.filter_expression = "odd = :t";
  Add(request, ":t", "{'BOOL':true}");
  request.limit = 4;
  const auto page = StoreTest::Run(store_->Query(request));
  EXPECT_EQ(TextOfPage(page), "a1 a3 / a4");
  EXPECT_EQ(page->count, 2u);
  EXPECT_EQ(page->scanned_count, 4u);
}

TEST_F(StoreQuery, CountsAndProjects) {
  QueryRequest request = QueryOf("p = :p");
  request.select = Select::kCount;
  const auto page = StoreTest::Run(store_->Query(request));
  EXPECT_FALSE(page->has_items);
  EXPECT_TRUE(page->items.empty());
  EXPECT_EQ(page->count, 9u);

  request.select = Select::kSpecificAttributes;
  request.projection_expression = "s";
  request.limit = 2;
  EXPECT_EQ(Run(request), "1 2 / a2");
  request.select = Select::kAllAttributes;
  EXPECT_EQ(Run(request),
            "ValidationException: Cannot specify the ProjectionExpression when choosing to get "
            "ALL_ATTRIBUTES");
  request.projection_expression.reset();
  request.select = Select::kSpecificAttributes;
  EXPECT_EQ(Run(request),
            "ValidationException: One or more parameter values were invalid: Must specify the "
            "AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
}

TEST_F(StoreQuery, ChecksItsParameters) {
  QueryRequest request = QueryOf("p = :p");
  request.key_condition_expression.reset();
  request.expression_parameters = {};
  EXPECT_EQ(
      Run(request),
      "ValidationException: Either the KeyConditions or KeyConditionExpression parameter must be "
      "specified in the request.");
  EXPECT_EQ(Run(QueryOf("s = :p")),
            "ValidationException: Query condition missed key schema element: p");

  request = QueryOf("p = :p");
  request.index_name = "none";
  EXPECT_EQ(Run(request), "ValidationException: The table does not have the specified index: none");
  request = QueryOf("p = :p");
  request.table_name = "Absent";
  EXPECT_EQ(Run(request), "ResourceNotFoundException: Requested resource not found");

  request = QueryOf("p = :p");
  request.filter_expression = "s > :p";
  EXPECT_EQ(
      Run(request),
      "ValidationException: Filter Expression can only contain non-primary key attributes: Primary "
      "key attribute: s");

  const auto start = [&](std::string_view condition, std::string_view key) {
    QueryRequest request = QueryOf(condition);
    if (condition.find(":x") != std::string_view::npos) Add(request, ":x", "{'N':'4'}");
    request.exclusive_start_key = ItemOf(key);
    return Run(request);
  };
  EXPECT_EQ(start("p = :p", "{'p':{'S':'a'}}"),
            "ValidationException: The provided starting key is invalid");
  EXPECT_EQ(start("p = :p", "{'p':{'S':'a'},'q':{'N':'1'}}"),
            "ValidationException: The provided starting key is invalid");
  EXPECT_EQ(start("p = :p", "{'p':{'S':'b'},'s':{'N':'1'}}"),
            "ValidationException: The provided starting key is outside query boundaries based on "
            "provided "
            "conditions");
  EXPECT_EQ(
      start("p = :p AND s > :x", "{'p':{'S':'a'},'s':{'N':'1'}}"),
      "ValidationException: The provided starting key does not match the range key predicate");
}

TEST_F(StoreQuery, ScansEverythingInPages) {
  ScanRequest scan;
  scan.table_name = "T";
  scan.limit = 5;
  std::multiset<std::string> seen;
  int pages = 0;
  do {
    const auto page = StoreTest::Run(store_->Scan(scan));
    ASSERT_TRUE(page.ok()) << page.status();
    for (const ItemView item : page->items) seen.insert(NameOf(item));
    scan.exclusive_start_key = page->last_evaluated_key;
    ++pages;
  } while (scan.exclusive_start_key);
  EXPECT_EQ(pages, 4);
  EXPECT_EQ(seen.size(), 18u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 18u);
}

TEST_F(StoreQuery, SegmentsPartitionAScan) {
  ASSERT_EQ(MakeTable("Wide"), "OK");
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(Put("Wide", fmt::format("{{'p':{{'S':'{}'}}}}", i)), "OK");
  std::multiset<std::string> seen;
  int used_segments = 0;
  ScanRequest scan;
  scan.table_name = "Wide";
  scan.total_segments = 4;
  Item last;
  for (int segment = 0; segment < 4; ++segment) {
    scan.segment = segment;
    const auto page = StoreTest::Run(store_->Scan(scan));
    ASSERT_TRUE(page.ok()) << page.status();
    used_segments += !page->items.empty();
    for (const ItemView item : page->items) {
      seen.insert(NameOf(item));
      last = Item(item);
    }
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(used_segments, 4);

  scan.segment = 0;
  scan.exclusive_start_key = last;  // of segment 3
  EXPECT_EQ(ErrorText(StoreTest::Run(store_->Scan(scan)).status()),
            "ValidationException: The provided starting key is invalid: Invalid ExclusiveStartKey. "
            "Please "
            "use ExclusiveStartKey with correct Segment. TotalSegments: 4 Segment: 0");
}

TEST_F(StoreQuery, ScanChecksItsParameters) {
  ScanRequest scan;
  scan.table_name = "T";
  const auto run = [&] { return ErrorText(StoreTest::Run(store_->Scan(scan)).status()); };
  scan.segment = 0;
  EXPECT_EQ(
      run(),
      "ValidationException: The TotalSegments parameter is required but was not present in the "
      "request when Segment parameter is present");
  scan.total_segments = 5;
  scan.segment = 5;
  EXPECT_EQ(
      run(),
      "ValidationException: The Segment parameter is zero-based and must be less than parameter "
      "TotalSegments: Segment: 5 is not less than TotalSegments: 5");
  scan.segment.reset();
  EXPECT_EQ(
      run(),
      "ValidationException: The Segment parameter is required but was not present in the request "
      "when parameter TotalSegments is present");
  scan.total_segments.reset();
  scan.exclusive_start_key = ItemOf("{'p':{'S':'a'}}");
  EXPECT_EQ(run(),
            "ValidationException: The provided starting key is invalid: The provided key element "
            "does not "
            "match the schema");
  scan.exclusive_start_key.reset();
  scan.filter_expression = "s > :x AND begins_with(p, :a)";
  scan.expression_parameters = Values({{":x", "{'N':'7'}"}, {":a", "{'S':'b'}"}});
  EXPECT_EQ(TextOfPage(StoreTest::Run(store_->Scan(scan))), "b8 b9 ") << "a scan may filter by key";
}

TEST_F(StoreQuery, ConsumesCapacityByWhatItReads) {
  QueryRequest request = QueryOf("p = :p");
  request.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  EXPECT_EQ(StoreTest::Run(store_->Query(request))->consumed_capacity->capacity_units, 0.5);
  for (int s = 1; s <= 9; ++s) {
    ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'a'}},'s':{{'N':'{}'}},'v':{{'S':'{}'}}}}", s,
                                   std::string(1000, 'x'))),
              "OK");
  }
  request.projection_expression = "s";
  EXPECT_EQ(StoreTest::Run(store_->Query(request))->consumed_capacity->capacity_units, 1.5);
  request.consistent_read = true;
  EXPECT_EQ(StoreTest::Run(store_->Query(request))->consumed_capacity->capacity_units, 3);
}

}  // namespace
}  // namespace varve::item
