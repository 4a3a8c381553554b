// TransactWriteItems and TransactGetItems on one client; many are in
// store_transactions_concurrency_test.cc.
#include "store_fixture.h"

namespace varve::item {
namespace {

class TransactionsTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_EQ(MakeTable("T"), "OK");
  }

  static TransactWriteAction ActionOn(std::string_view table, std::string_view item) {
    TransactWriteAction action;
    action.table_name = table;
    action.item = ItemOf(item);
    return action;
  }
  TransactWriteAction& AddPut(std::string_view item, std::string_view table = "T") {
    return request_.transact_items.emplace_back().put.emplace(ActionOn(table, item));
  }
  TransactWriteAction& AddDelete(std::string_view key, std::string_view table = "T") {
    return request_.transact_items.emplace_back().remove.emplace(ActionOn(table, key));
  }
  TransactWriteAction& AddUpdate(std::string_view key, std::string_view update,
                                 std::string_view table = "T") {
    TransactWriteAction& action =
        request_.transact_items.emplace_back().update.emplace(ActionOn(table, key));
    action.update_expression = update;
    return action;
  }
  TransactWriteAction& AddCheck(std::string_view key, std::string_view condition,
                                std::string_view table = "T") {
    TransactWriteAction& action =
        request_.transact_items.emplace_back().condition_check.emplace(ActionOn(table, key));
    action.condition_expression = condition;
    return action;
  }

  // Does what was added, and forgets it. The answer as text: "OK", the error, and the messages and
  // items of reasons.
  std::string Commit(std::optional<std::string> token = std::nullopt) {
    request_.client_request_token = std::move(token);
    const auto response = Run(store_->TransactWriteItems(request_));
    request_ = {};
    return TextOfAnswer(response.status());
  }
  static std::string TextOfAnswer(const Status& status) {
    std::string text = ErrorText(status);
    for (const CancellationReason& reason : ReasonsOfError(status)) {
      if (reason.code == "None") continue;
      text += fmt::format("\n{}: {}", reason.code, reason.message);
      if (reason.item) text += " " + TextOf(*reason.item);
    }
    return text;
  }
  static std::string Cancelled(std::string_view codes) {
    return fmt::format(
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons "
        "for specific reasons [{}]",
        codes);
  }

  void PassMs(uint64_t ms) { io_.RunFor(ms * 1'000'000); }

  TransactWriteItemsRequest request_;
};

TEST_F(TransactionsTest, DoAllTheirActions) {
  ASSERT_EQ(MakeTable("Other", ValueType::kNumber), "OK");
  Put("T", "{'p':{'S':'old'},'n':{'N':'1'}}");
  Put("T", "{'p':{'S':'gone'}}");
  Put("T", "{'p':{'S':'checked'},'on':{'BOOL':true}}");
  AddPut("{'p':{'S':'new'}}");
  AddUpdate("{'p':{'S':'old'}}", "ADD n :one").expression_parameters =
      Values({{":one", "{'N':'1'}"}});
  AddDelete("{'p':{'S':'gone'}}");
  AddCheck("{'p':{'S':'checked'}}", "attribute_exists(p)");
  AddUpdate("{'p':{'S':'a'},'s':{'N':'1'}}", "SET x = p", "Other").update_expression = "REMOVE x";
  EXPECT_EQ(Commit(), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'new'}}"), "{'p':{'S':'new'}}");
  EXPECT_EQ(Get("T", "{'p':{'S':'old'}}"), "{'n':{'N':'2'},'p':{'S':'old'}}");
  EXPECT_EQ(Get("T", "{'p':{'S':'gone'}}"), "none");
  // An update that only removes makes no item.
  EXPECT_EQ(Get("Other", "{'p':{'S':'a'},'s':{'N':'1'}}"), "none");
}

TEST_F(TransactionsTest, DoNothingUnlessEveryConditionHolds) {
  Put("T", "{'p':{'S':'a'},'n':{'N':'1'}}");
  AddPut("{'p':{'S':'b'}}");
  TransactWriteAction& check = AddCheck("{'p':{'S':'a'}}", "n > :v");
  check.expression_parameters = Values({{":v", "{'N':'1'}"}});
  check.return_old_on_condition_check_failure = true;
  AddPut("{'p':{'S':'c'}}").condition_expression = "attribute_exists(p)";
  EXPECT_EQ(Commit(), Cancelled("None, ConditionalCheckFailed, ConditionalCheckFailed") +
                          "\nConditionalCheckFailed: The conditional request failed "
                          "{'n':{'N':'1'},'p':{'S':'a'}}"
                          "\nConditionalCheckFailed: The conditional request failed");
  EXPECT_EQ(Get("T", "{'p':{'S':'b'}}"), "none");
}

TEST_F(TransactionsTest, AreCancelledByWhatAnUpdateRunsInto) {
  Put("T", "{'p':{'S':'a'},'word':{'S':'x'}}");
  AddPut("{'p':{'S':'b'}}");
  AddUpdate("{'p':{'S':'a'}}", "SET n = word + :v").expression_parameters =
      Values({{":v", "{'N':'1'}"}});
  EXPECT_EQ(Commit(), Cancelled("None, ValidationError") +
                          "\nValidationError: An operand in the update expression has an "
                          "incorrect data type");
  AddUpdate("{'p':{'S':'a'}}", "SET n = nowhere");
  EXPECT_EQ(Commit(), Cancelled("ValidationError") +
                          "\nValidationError: The provided expression refers to an attribute "
                          "that does not exist in the item");
  EXPECT_EQ(Get("T", "{'p':{'S':'b'}}"), "none");
}

TEST_F(TransactionsTest, SayWhatIsWrongWithKeysInTheReasons) {
  AddPut("{'p':{'S':'b'}}");
  AddPut("{'p':{'N':'5'}}");
  AddPut("{'q':{'S':'b'}}");
  AddDelete("{'p':{'N':'5'}}");
  AddUpdate("{'p':{'S':'x'},'q':{'S':'x'}}", "REMOVE r");
  AddUpdate("{'p':{'S':'x'}}", "SET p = r");
  EXPECT_EQ(Commit(),
            Cancelled("None, ValidationError, ValidationError, ValidationError, ValidationError, "
                      "ValidationError") +
                "\nValidationError: One or more parameter values were invalid: Type mismatch for "
                "key p expected: S actual: N"
                "\nValidationError: One or more parameter values were invalid: Missing the key p "
                "in the item"
                "\nValidationError: The provided key element does not match the schema"
                "\nValidationError: The provided key element does not match the schema"
                "\nValidationError: One or more parameter values were invalid: Cannot update "
                "attribute p. This attribute is part of the key");
  EXPECT_EQ(Get("T", "{'p':{'S':'b'}}"), "none");
}

TEST_F(TransactionsTest, RefuseSomeMistakesAsAWhole) {
  const auto expect = [&](std::string_view error) { EXPECT_EQ(Commit(), error); };
  AddPut("{'p':{'S':''}}");
  AddPut("{'p':{'N':'5'}}");
  expect(
      "ValidationException: One or more parameter values are not valid. The AttributeValue for a "
      "key attribute cannot contain an empty string value. Key: p");
  AddPut("{'p':{'S':'a'}}");
  AddDelete("{'p':{'S':'a'}}");
  expect("ValidationException: Transaction request cannot include multiple operations on one item");
  AddPut("{'p':{'S':'a'}}");
  AddPut("{'p':{'S':'a'}}", "None");
  expect("ResourceNotFoundException: Requested resource not found");
  AddPut("{'p':{'S':'a'}}").condition_expression = "";
  expect("ValidationException: Invalid ConditionExpression: The expression can not be empty;");
  AddPut("{'p':{'S':'a'}}");
  request_.transact_items[0].remove.emplace(ActionOn("T", "{'p':{'S':'a'}}"));
  expect("ValidationException: TransactItems can only contain one of Check, Put, Update or Delete");
  request_.transact_items.emplace_back();
  expect(
      "ValidationException: 1 validation error detected: Value '' at 'transactItems' failed to "
      "satisfy constraint: TransactWriteRequest should contain Delete or Put or Update or "
      "ConditionCheck");
  const std::string text(350'000, 'x');
  for (int i = 0; i < 12; ++i) {
    AddPut(fmt::format("{{'p':{{'S':'{}'}},'text':{{'S':'{}'}}}}", i, text));
  }
  expect(
      "ValidationException: The aggregate size of the items in the transaction cannot exceed 4 "
      "MB");
}

TEST_F(TransactionsTest, CountWhatUpdatesMakeOfItems) {
  const std::string text(350'000, 'x');
  for (int i = 0; i < 12; ++i) {
    Put("T", fmt::format("{{'p':{{'S':'{}'}},'text':{{'S':'{}'}}}}", i, text));
    AddUpdate(fmt::format("{{'p':{{'S':'{}'}}}}", i), "SET again = p");
  }
  EXPECT_EQ(Commit(),
            "ValidationException: The aggregate size of the items in the transaction cannot exceed "
            "4 MB");
  TransactGetItemsRequest gets;
  for (int i = 0; i < 12; ++i) {
    TransactGetItem& get = gets.transact_items.emplace_back();
    get.table_name = "T";
    get.key = ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", i));
  }
  EXPECT_EQ(ErrorText(Run(store_->TransactGetItems(gets)).status()),
            "ValidationException: The aggregate size of the items in the transaction cannot exceed "
            "4 MB");
}

TEST_F(TransactionsTest, ReadItemsTogether) {
  Put("T", "{'p':{'S':'a'},'x':{'S':'1'},'y':{'S':'2'}}");
  TransactGetItemsRequest request;
  request.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
  for (const std::string_view key : {"a", "nothing", "a"}) {
    TransactGetItem& get = request.transact_items.emplace_back();
    get.table_name = "T";
    get.key = ItemOf(fmt::format("{{'p':{{'S':'{}'}}}}", key));
  }
  EXPECT_EQ(
      ErrorText(Run(store_->TransactGetItems(request)).status()),
      "ValidationException: Transaction request cannot include multiple operations on one item");
  request.transact_items.pop_back();
  request.transact_items[0].projection_expression = "y, nowhere";
  const auto response = Run(store_->TransactGetItems(request));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->responses.size(), 2u);
  EXPECT_EQ(TextOf(*response->responses[0]), "{'y':{'S':'2'}}");
  EXPECT_FALSE(response->responses[1]);
  ASSERT_EQ(response->consumed_capacity.size(), 1u);
  EXPECT_EQ(response->consumed_capacity[0].capacity_units, 4);

  request.transact_items[1].key = ItemOf("{'q':{'S':'a'}}");
  EXPECT_EQ(TextOfAnswer(Run(store_->TransactGetItems(request)).status()),
            Cancelled("None, ValidationError") +
                "\nValidationError: The provided key element does not match the schema");
}

TEST_F(TransactionsTest, CostTwiceWhatTheirWritesDo) {
  ASSERT_EQ(MakeTable("Other"), "OK");
  Put("T", fmt::format("{{'p':{{'S':'big'}},'t':{{'S':'{}'}}}}", std::string(3000, 'x')));
  AddPut("{'p':{'S':'a'}}", "Other");
  AddCheck("{'p':{'S':'big'}}", "attribute_exists(p)");
  AddDelete("{'p':{'S':'nothing'}}");
  request_.return_consumed_capacity = ReturnConsumedCapacity::kIndexes;
  request_.client_request_token = "token";
  const TransactWriteItemsRequest request = request_;
  auto response = Run(store_->TransactWriteItems(request));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->consumed_capacity.size(), 2u);
  EXPECT_EQ(response->consumed_capacity[0].table_name, "Other");
  EXPECT_EQ(response->consumed_capacity[0].capacity_units, 2);
  EXPECT_EQ(response->consumed_capacity[1].capacity_units, 2 * (3 + 1));
  EXPECT_EQ(response->consumed_capacity[1].table_capacity_units, 2 * (3 + 1));
  EXPECT_EQ(response->consumed_capacity[1].purpose, ConsumedCapacity::Purpose::kWrite);
  // Again, it is a read.
  response = Run(store_->TransactWriteItems(request));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->consumed_capacity[0].capacity_units, 2);
  EXPECT_EQ(response->consumed_capacity[1].capacity_units, 2 * (1 + 1));
  EXPECT_EQ(response->consumed_capacity[1].purpose, ConsumedCapacity::Purpose::kRead);
}

// ---- Tokens

TEST_F(TransactionsTest, WithATokenTakeEffectOnce) {
  const auto add_one = [&](std::string_view value, std::string_view token) {
    AddUpdate("{'p':{'S':'n'}}", "ADD n :v").expression_parameters = Values({{":v", value}});
    return Commit(std::string(token));
  };
  const std::string mismatch =
      "IdempotentParameterMismatchException: DynamoDB rejected the request because you retried a "
      "request with a different payload but with an idempotent token that was already used.";
  EXPECT_EQ(add_one("{'N':'1'}", "one"), "OK");
  EXPECT_EQ(add_one("{'N':'1'}", "one"), "OK");
  EXPECT_EQ(add_one("{'N':'2'}", "one"), mismatch);
  EXPECT_EQ(add_one("{'N':'1'}", "two"), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'n'}}"), "{'n':{'N':'2'},'p':{'S':'n'}}");
  Reopen();
  EXPECT_EQ(add_one("{'N':'1'}", "one"), "OK");
  EXPECT_EQ(add_one("{'N':'2'}", "two"), mismatch);
  EXPECT_EQ(Get("T", "{'p':{'S':'n'}}"), "{'n':{'N':'2'},'p':{'S':'n'}}");
}

TEST_F(TransactionsTest, ATokenOfOneThatWasCancelledIsFree) {
  AddPut("{'p':{'S':'a'}}").condition_expression = "attribute_exists(p)";
  EXPECT_EQ(Commit("t"), Cancelled("ConditionalCheckFailed") +
                             "\nConditionalCheckFailed: The conditional request failed");
  AddPut("{'p':{'S':'a'}}");
  EXPECT_EQ(Commit("t"), "OK");
}

TEST_F(TransactionsTest, TheOrderOfNamesAndValuesIsNoDifference) {
  const auto request = [&](bool swapped) {
    TransactWriteAction& action = AddUpdate("{'p':{'S':'n'}}", "SET #x = :x, #y = :y");
    action.expression_parameters = swapped ? Values({{":y", "{'N':'2'}"}, {":x", "{'N':'1'}"}})
                                           : Values({{":x", "{'N':'1'}"}, {":y", "{'N':'2'}"}});
    action.expression_parameters.names.emplace();
    for (const std::string_view name : {swapped ? "y" : "x", swapped ? "x" : "y"}) {
      action.expression_parameters.names->emplace_back("#" + std::string(name), name);
    }
    return Commit("t");
  };
  EXPECT_EQ(request(false), "OK");
  EXPECT_EQ(request(true), "OK");
}

TEST_F(TransactionsTest, ATokenLastsTenMinutes) {
  const auto put = [&](int value, std::string token) {
    AddPut(fmt::format("{{'p':{{'S':'a'}},'n':{{'N':'{}'}}}}", value));
    const std::string answer = Commit(std::move(token));
    return answer.substr(0, answer.find(':'));
  };
  constexpr uint64_t kMinuteMs = 60'000;
  // Through all places of a token's period, and all slots.
  for (int start = 0; start < 40; ++start) {
    const std::string token = fmt::format("token {}", start);
    EXPECT_EQ(put(start, token), "OK");
    PassMs(9 * kMinuteMs + 30'000);
    EXPECT_EQ(put(-1, token), "IdempotentParameterMismatchException") << start;
    if (start % 7 == 0) Reopen();
    EXPECT_EQ(put(start, token), "OK");
    PassMs(kMinuteMs);
    EXPECT_EQ(put(-1, token), "OK") << start;
    PassMs(kMinuteMs);
  }
}

TEST_F(TransactionsTest, ATokenOutlastsAClockThatJumpsAheadAndBack) {
  const auto add_one = [&] {
    AddUpdate("{'p':{'S':'n'}}", "ADD n :v").expression_parameters = Values({{":v", "{'N':'1'}"}});
    return Commit("token");
  };
  io_.JumpWallClock(100'000);
  EXPECT_EQ(add_one(), "OK");
  io_.JumpWallClock(-100'000);
  EXPECT_EQ(add_one(), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'n'}}"), "{'n':{'N':'1'},'p':{'S':'n'}}");
}

TEST_F(TransactionsTest, OldTokensAreDropped) {
  const auto count = [&] {
    engine::IteratorOptions options;
    options.lower_bound = std::string(1, kTransactionTokenKeySpace);
    options.upper_bound = std::string(1, kTransactionTokenKeySpace + 1);
    const auto iterator = db_->NewIterator(options);
    int tokens = 0;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++tokens;
    return tokens;
  };
  for (int minute = 0; minute < 200; ++minute) {
    AddPut("{'p':{'S':'a'}}");
    ASSERT_EQ(Commit(fmt::format("{}", minute)), "OK");
    PassMs(60'000);
    EXPECT_LE(count(), 31);
  }
  EXPECT_GE(count(), 10);
}

// ---- Locks

// A plain write and a transaction wait for each other's locks as KeyLocks says; here it is that
// they let go of them in every case.
TEST_F(TransactionsTest, ReleaseTheirLocksWhateverHappens) {
  for (int i = 0; i < 3; ++i) {
    AddPut("{'p':{'S':'a'}}").condition_expression = "attribute_exists(q)";
    AddPut("{'p':{'S':'b'}}");
    EXPECT_EQ(Commit("t").substr(0, 28), "TransactionCanceledException");
    EXPECT_EQ(Put("T", "{'p':{'S':'a'}}"), "OK");
    AddPut("{'p':{'S':'b'}}");
    EXPECT_EQ(Commit(), "OK");
    EXPECT_EQ(Put("T", "{'p':{'S':'b'}}"), "OK");
  }
}

}  // namespace
}  // namespace varve::item
