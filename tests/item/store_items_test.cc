// GetItem, PutItem, DeleteItem, UpdateItem and the batches, on the engine over a simulated disk.
#include <gtest/gtest.h>

#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreItems : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_EQ(MakeTable("Simple"), "OK");
    ASSERT_EQ(MakeTable("Composite", ValueType::kNumber), "OK");
  }

  // Runs the request and gives Attributes as text, "none", or the error.
  std::string Update(UpdateItemRequest& request, std::string_view key, std::string_view expression,
                     ReturnValues values = ReturnValues::kNone) {
    request.table_name = "Simple";
    request.key = ItemOf(key);
    if (!expression.empty()) request.update_expression = expression;
    request.return_values = values;
    return AttributesOf(Run(store_->UpdateItem(request)));
  }
  std::string Update(std::string_view key, std::string_view expression,
                     ReturnValues values = ReturnValues::kNone) {
    UpdateItemRequest request;
    return Update(request, key, expression, values);
  }
  template <typename Response>
  static std::string AttributesOf(const StatusOr<Response>& response) {
    if (!response.ok()) return ErrorText(response.status());
    return response->attributes ? TextOf(*response->attributes) : "none";
  }
};

TEST_F(StoreItems, PutReplacesTheWholeItem) {
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "none");
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'x':{'N':'1'}}"), "OK");
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "{'p':{'S':'a'},'x':{'N':'1'}}");
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'y':{'L':[{'S':'z'}]}}"), "OK");
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "{'p':{'S':'a'},'y':{'L':[{'S':'z'}]}}");
  EXPECT_EQ(Delete("Simple", "{'p':{'S':'a'}}"), "OK");
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "none");
  EXPECT_EQ(Delete("Simple", "{'p':{'S':'a'}}"), "OK");
}

TEST_F(StoreItems, KnowsNumbersByValueNotByText) {
  EXPECT_EQ(Put("Composite", "{'p':{'S':'a'},'s':{'N':'1.0'}}"), "OK");
  EXPECT_EQ(Get("Composite", "{'p':{'S':'a'},'s':{'N':'10e-1'}}"), "{'p':{'S':'a'},'s':{'N':'1'}}");
}

TEST_F(StoreItems, ReportsMissingTablesAndWrongKeys) {
  EXPECT_EQ(Get("Absent", "{'p':{'S':'a'}}"),
            "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(Put("Absent", "{'p':{'S':'a'}}"),
            "ResourceNotFoundException: Requested resource not found");
  EXPECT_EQ(Get("Simple", "{'q':{'S':'a'}}"),
            "ValidationException: The provided key element does not match the schema");
  EXPECT_EQ(Put("Simple", "{'q':{'S':'a'}}"),
            "ValidationException: One or more parameter values were invalid: Missing the key p in "
            "the item");
  EXPECT_EQ(Delete("Composite", "{'p':{'S':'a'}}"),
            "ValidationException: The provided key element does not match the schema");
}

TEST_F(StoreItems, LimitsItemsTo400Kilobytes) {
  // The names are a byte each, the key's value too.
  const std::string fits(kItemSizeBytesMax - 3, 'x');
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'v':{'S':'" + fits + "'}}"), "OK");
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'v':{'S':'" + fits + "x'}}"),
            "ValidationException: Item size has exceeded the maximum allowed size");
  UpdateItemRequest request;
  request.expression_parameters = Values({{":v", "{'S':'y'}"}});
  EXPECT_EQ(Update(request, "{'p':{'S':'a'}}", "SET w = :v"),
            "ValidationException: Item size to update has exceeded the maximum allowed size");
}

TEST_F(StoreItems, PutAndDeleteCheckConditions) {
  PutItemRequest put;
  put.table_name = "Simple";
  put.item = ItemOf("{'p':{'S':'a'},'n':{'N':'1'}}");
  put.condition_expression = "attribute_not_exists(p)";
  EXPECT_TRUE(Run(store_->PutItem(put)).ok());
  const std::string failed = "ConditionalCheckFailedException: The conditional request failed";
  auto again = Run(store_->PutItem(put));
  EXPECT_EQ(ErrorText(again.status()), failed);
  EXPECT_FALSE(ItemOfError(again.status()).has_value());

  put.return_old_on_condition_check_failure = true;
  again = Run(store_->PutItem(put));
  EXPECT_EQ(TextOf(*ItemOfError(again.status())), "{'n':{'N':'1'},'p':{'S':'a'}}");

  DeleteItemRequest erase;
  erase.table_name = "Simple";
  erase.key = ItemOf("{'p':{'S':'a'}}");
  erase.condition_expression = "n = :n";
  erase.expression_parameters = Values({{":n", "{'N':'2'}"}});
  EXPECT_EQ(ErrorText(Run(store_->DeleteItem(erase)).status()), failed);
  erase.expression_parameters = Values({{":n", "{'N':'1'}"}});
  EXPECT_TRUE(Run(store_->DeleteItem(erase)).ok());
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "none");
  // On what is not there: fails, and has no item to return.
  erase.return_old_on_condition_check_failure = true;
  const auto absent = Run(store_->DeleteItem(erase));
  EXPECT_EQ(ErrorText(absent.status()), failed);
  EXPECT_FALSE(ItemOfError(absent.status()).has_value());
}

TEST_F(StoreItems, PutAndDeleteReturnOldValues) {
  PutItemRequest put;
  put.table_name = "Simple";
  put.item = ItemOf("{'p':{'S':'a'},'n':{'N':'1'}}");
  put.return_values = ReturnValues::kAllOld;
  EXPECT_EQ(AttributesOf(Run(store_->PutItem(put))), "none");
  put.item = ItemOf("{'p':{'S':'a'},'n':{'N':'2'}}");
  EXPECT_EQ(AttributesOf(Run(store_->PutItem(put))), "{'n':{'N':'1'},'p':{'S':'a'}}");
  put.return_values = ReturnValues::kAllNew;
  EXPECT_EQ(
      AttributesOf(Run(store_->PutItem(put))),
      "ValidationException: 1 validation error detected: ReturnValues can only be ALL_OLD or NONE");

  DeleteItemRequest erase;
  erase.table_name = "Simple";
  erase.key = ItemOf("{'p':{'S':'a'}}");
  erase.return_values = ReturnValues::kAllOld;
  EXPECT_EQ(AttributesOf(Run(store_->DeleteItem(erase))), "{'n':{'N':'2'},'p':{'S':'a'}}");
  EXPECT_EQ(AttributesOf(Run(store_->DeleteItem(erase))), "none");
}

TEST_F(StoreItems, GetProjects) {
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'x':{'N':'1'},'m':{'M':{'k':{'S':'v'},'l':{'S':'w'}}}}"),
            "OK");
  GetItemRequest get;
  get.table_name = "Simple";
  get.key = ItemOf("{'p':{'S':'a'}}");
  get.projection_expression = "m.k, p, absent";
  EXPECT_EQ(TextOf(*Run(store_->GetItem(get))->item), "{'m':{'M':{'k':{'S':'v'}}},'p':{'S':'a'}}");
  get.projection_expression = "absent";
  EXPECT_EQ(TextOf(*Run(store_->GetItem(get))->item), "{}")
      << "there, though nothing of it is asked for";
  get.projection_expression = "p.x";
  EXPECT_EQ(ErrorText(Run(store_->GetItem(get)).status()),
            "ValidationException: Key attributes must be scalars; list random access '[]' and map "
            "lookup '.' are not allowed: Key: p");
}

TEST_F(StoreItems, UpdateReturnsWhatItIsAskedFor) {
  const std::string key = "{'p':{'S':'a'}}";
  const auto update = [&](std::string_view expression, ReturnValues values) {
    UpdateItemRequest request;
    if (expression.find(":v") != std::string_view::npos) {
      request.expression_parameters = Values({{":v", "{'S':'new'}"}});
    }
    return Update(request, key, expression, values);
  };
  EXPECT_EQ(update("SET b = :v", ReturnValues::kAllOld), "none");
  EXPECT_EQ(update("SET b = :v", ReturnValues::kNone), "none");
  EXPECT_EQ(update("SET c = :v", ReturnValues::kAllNew),
            "{'b':{'S':'new'},'c':{'S':'new'},'p':{'S':'a'}}");
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'b':{'S':'old'}}"), "OK");
  EXPECT_EQ(update("SET b = :v, c = :v", ReturnValues::kUpdatedOld), "{'b':{'S':'old'}}");
  EXPECT_EQ(update("SET d = :v", ReturnValues::kUpdatedOld), "none");
  EXPECT_EQ(update("SET b = :v REMOVE c", ReturnValues::kUpdatedNew), "{'b':{'S':'new'}}");
  EXPECT_EQ(update("REMOVE b", ReturnValues::kUpdatedNew), "none");
  EXPECT_EQ(Get("Simple", key), "{'d':{'S':'new'},'p':{'S':'a'}}");
}

TEST_F(StoreItems, UpdateMakesAnItemUnlessItOnlyTakesAway) {
  EXPECT_EQ(Update("{'p':{'S':'a'}}", "REMOVE b", ReturnValues::kAllNew), "none");
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "none");
  EXPECT_EQ(Update("{'p':{'S':'a'}}", "", ReturnValues::kAllNew), "{'p':{'S':'a'}}");
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "{'p':{'S':'a'}}");
}

TEST_F(StoreItems, UpdateRefusesToTouchTheKey) {
  UpdateItemRequest request;
  request.expression_parameters = Values({{":v", "{'S':'b'}"}});
  EXPECT_EQ(
      Update(request, "{'p':{'S':'a'}}", "SET p = :v"),
      "ValidationException: One or more parameter values were invalid: Cannot update attribute "
      "p. This attribute is part of the key");
}

io::Task<void> AddOne(Store* store, const UpdateItemRequest* request, int times, int* failures) {
  for (int i = 0; i < times; ++i) {
    auto response = co_await store->UpdateItem(*request);
    if (!response.ok()) ++*failures;
  }
}

io::Task<void> AddInParallel(Store* store, const UpdateItemRequest* request, int* failures) {
  io::TaskGroup group;
  for (int i = 0; i < 20; ++i) group.Add(AddOne(store, request, 10, failures));
  co_await group.Wait();
}

TEST_F(StoreItems, UpdatesOfOneKeyDoNotLoseEachOther) {
  UpdateItemRequest request;
  request.table_name = "Simple";
  request.key = ItemOf("{'p':{'S':'counter'}}");
  request.update_expression = "ADD n :one";
  request.expression_parameters = Values({{":one", "{'N':'1'}"}});
  int failures = 0;
  io::BlockOn(io_, AddInParallel(store_.get(), &request, &failures));
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Get("Simple", "{'p':{'S':'counter'}}"), "{'n':{'N':'200'},'p':{'S':'counter'}}");
}

TEST_F(StoreItems, SurviveReopening) {
  EXPECT_EQ(Put("Simple", "{'p':{'S':'a'},'x':{'N':'1'}}"), "OK");
  Reopen();
  EXPECT_EQ(Get("Simple", "{'p':{'S':'a'}}"), "{'p':{'S':'a'},'x':{'N':'1'}}");
}

TEST_F(StoreItems, ConsumeCapacityBySize) {
  const auto units = [](const auto& response) {
    return response->consumed_capacity->capacity_units;
  };
  PutItemRequest put;
  put.table_name = "Simple";
  put.item = ItemOf("{'p':{'S':'a'},'v':{'S':'" + std::string(5000, 'x') + "'}}");
  put.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  const auto first = Run(store_->PutItem(put));
  EXPECT_EQ(units(first), 5);
  EXPECT_EQ(first->consumed_capacity->table_name, "Simple");
  EXPECT_FALSE(first->consumed_capacity->table_capacity_units.has_value());
  put.item = ItemOf("{'p':{'S':'a'}}");
  EXPECT_EQ(units(Run(store_->PutItem(put))), 5) << "of the larger of old and new";
  put.return_consumed_capacity = ReturnConsumedCapacity::kIndexes;
  EXPECT_EQ(Run(store_->PutItem(put))->consumed_capacity->table_capacity_units, 1);

  GetItemRequest get;
  get.table_name = "Simple";
  get.key = ItemOf("{'p':{'S':'absent'}}");
  get.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  EXPECT_EQ(units(Run(store_->GetItem(get))), 0.5);
  get.consistent_read = true;
  EXPECT_EQ(units(Run(store_->GetItem(get))), 1);
  get.return_consumed_capacity = ReturnConsumedCapacity::kNone;
  EXPECT_FALSE(Run(store_->GetItem(get))->consumed_capacity.has_value());
}

TEST_F(StoreItems, BatchesWriteAndRead) {
  BatchWriteItemRequest write;
  write.request_items.resize(2);
  write.request_items[0].first = "Simple";
  write.request_items[1].first = "Composite";
  for (int i = 0; i < 10; ++i) {
    write.request_items[0].second.push_back({ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", i)), {}});
    write.request_items[1].second.push_back(
        {ItemOf(fmt::format("{{'p':{{'S':'a'}},'s':{{'N':'{}'}}}}", i)), {}});
  }
  write.request_items[0].second.push_back({{}, ItemOf("{'p':{'S':'absent'}}")});
  write.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  const auto written = Run(store_->BatchWriteItem(write));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(written->unprocessed_items.empty());
  ASSERT_EQ(written->consumed_capacity.size(), 2u);
  EXPECT_EQ(written->consumed_capacity[0].capacity_units, 11);

  BatchGetItemRequest get;
  get.request_items.resize(2);
  get.request_items[0].first = "Composite";
  get.request_items[0].second.keys.push_back(ItemOf("{'p':{'S':'a'},'s':{'N':'3'}}"));
  get.request_items[0].second.keys.push_back(ItemOf("{'p':{'S':'a'},'s':{'N':'33'}}"));
  get.request_items[1].first = "Simple";
  get.request_items[1].second.keys.push_back(ItemOf("{'p':{'S':'9'}}"));
  get.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  const auto got = Run(store_->BatchGetItem(get));
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->responses.size(), 2u);
  ASSERT_EQ(got->responses[0].second.size(), 1u);
  EXPECT_EQ(TextOf(got->responses[0].second.at(0)), "{'p':{'S':'a'},'s':{'N':'3'}}");
  EXPECT_EQ(TextOf(got->responses[1].second.at(0)), "{'p':{'S':'9'}}");
  EXPECT_TRUE(got->unprocessed_keys.empty());
  EXPECT_EQ(got->consumed_capacity[0].capacity_units, 1);
  EXPECT_EQ(got->consumed_capacity[1].capacity_units, 0.5);
}

TEST_F(StoreItems, BatchesRefuseWhatTheServiceRefuses) {
  const auto write = [&](std::vector<WriteRequest> writes, std::string_view table = "Simple") {
    BatchWriteItemRequest request;
    request.request_items.emplace_back(table, std::move(writes));
    return ErrorText(Run(store_->BatchWriteItem(request)).status());
  };
  const Item a = ItemOf("{'p':{'S':'a'}}");
  EXPECT_EQ(ErrorText(Run(store_->BatchWriteItem(BatchWriteItemRequest())).status()),
            "ValidationException: The requestItems parameter is required for BatchWriteItem");
  EXPECT_EQ(write({{a, {}}, {{}, a}}),
            "ValidationException: Provided list of item keys contains duplicates");
  EXPECT_EQ(write({{{}, {}}}),
            "ValidationException: Supplied AttributeValue has more than one datatypes set, must "
            "contain exactly one of the supported datatypes");
  EXPECT_EQ(write({{ItemOf("{'p':{'N':'5'}}"), {}}}),
            "ValidationException: The provided key element does not match the schema");
  EXPECT_EQ(
      write({{ItemOf("{'p':{'S':''}}"), {}}}),
      "ValidationException: One or more parameter values are not valid. The AttributeValue for a "
      "key attribute cannot contain an empty string value. Key: p");
  EXPECT_EQ(write({{a, {}}}, "Absent"), "ResourceNotFoundException: Requested resource not found");
  std::vector<WriteRequest> many(26);
  for (int i = 0; i < 26; ++i) many[i].put_item = ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", i));
  EXPECT_EQ(write(many),
            "ValidationException: Too many items requested for the BatchWriteItem call");

  BatchGetItemRequest get;
  EXPECT_EQ(ErrorText(Run(store_->BatchGetItem(get)).status()),
            "ValidationException: The requestItems parameter is required for BatchGetItem");
  get.request_items.emplace_back("Simple", KeysAndAttributes());
  get.request_items[0].second.keys = {a, a};
  EXPECT_EQ(ErrorText(Run(store_->BatchGetItem(get)).status()),
            "ValidationException: Provided list of item keys contains duplicates");
}

TEST_F(StoreItems, BatchGetLeavesTheRestOfALargeAnswerUnprocessed) {
  store_options_.batch_get_bytes_max = 5000;
  Reopen();
  BatchGetItemRequest get;
  get.request_items.emplace_back("Simple", KeysAndAttributes());
  for (int i = 0; i < 4; ++i) {
    const std::string key = fmt::format("'p':{{'S':'{}'}}", i);
    EXPECT_EQ(Put("Simple", "{" + key + ",'v':{'S':'" + std::string(2000, 'x') + "'}}"), "OK");
    get.request_items[0].second.keys.push_back(ItemOf("{" + key + "}"));
  }
  const auto got = Run(store_->BatchGetItem(get));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->responses[0].second.size(), 2u);
  ASSERT_EQ(got->unprocessed_keys.size(), 1u);
  EXPECT_EQ(got->unprocessed_keys[0].first, "Simple");
  ASSERT_EQ(got->unprocessed_keys[0].second.keys.size(), 2u);
  EXPECT_EQ(TextOf(got->unprocessed_keys[0].second.keys[0]), "{'p':{'S':'2'}}");
}

}  // namespace
}  // namespace varve::item
