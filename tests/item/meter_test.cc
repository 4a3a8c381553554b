// Capacity: token buckets, and what a store that enforces capacity refuses.
#include "item/meter.h"

#include <gtest/gtest.h>

#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

TEST(TokenBucketTest, SavesUpABurstAndPaysItsDebts) {
  TokenBucket bucket;
  bucket.Fill(2, 300, 0);
  bucket.Take(599);
  EXPECT_TRUE(bucket.HasAny());
  bucket.Take(401);  // a large one is let through on the last unit
  EXPECT_FALSE(bucket.HasAny());
  bucket.Fill(2, 300, 200 * kSecondNs);  // the debt of 400 units takes 200 seconds
  EXPECT_FALSE(bucket.HasAny());
  bucket.Fill(2, 300, 201 * kSecondNs);
  EXPECT_TRUE(bucket.HasAny());
  bucket.Fill(2, 300, 10'000 * kSecondNs);
  bucket.Take(599);
  EXPECT_TRUE(bucket.HasAny());
  bucket.Take(1);
  EXPECT_FALSE(bucket.HasAny());
}

TEST(TokenBucketTest, AClockThatStandsStillBringsNothing) {
  TokenBucket bucket;
  bucket.Fill(1, 300, 5 * kSecondNs);
  bucket.Take(300);
  bucket.Fill(1, 300, 5 * kSecondNs);
  bucket.Fill(1, 300, 4 * kSecondNs);
  EXPECT_FALSE(bucket.HasAny());
}

class EnforcedCapacity : public StoreTest {
 protected:
  void SetUp() override {
    store_options_.capacity = CapacityMode::kEnforce;
    StoreTest::SetUp();
    CreateTableRequest request = TableRequest("T", std::nullopt);
    request.billing_mode = BillingMode::kProvisioned;
    request.provisioned_throughput = ProvisionedThroughput{1, 10};
    request.attribute_definitions.push_back({"a", ValueType::kString});
    SecondaryIndex index;
    index.index_name = "slow";
    index.key_schema = {{"a", KeyType::kHash}};
    index.projection.type = ProjectionType::kAll;
    index.provisioned_throughput = ProvisionedThroughput{1, 1};
    request.global_secondary_indexes = {index};
    ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");
  }

  // Lets time pass.
  void Pass(uint64_t seconds) {
    const auto sleep = [](uint64_t ns) -> io::Task<void> { co_await io::SleepFor(ns); };
    io::BlockOn(io_, sleep(seconds * kSecondNs));
  }
};

constexpr std::string_view kReadRefused =
    "ProvisionedThroughputExceededException: The level of configured provisioned throughput for "
    "the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.";

TEST_F(EnforcedCapacity, ReadsBeyondTheBurstAreRefusedUntilTimeHasPassed) {
  int served = 0;
  std::string answer;
  while (served < 10'000 && (answer = Get("T", "{'p':{'S':'a'}}")) == "none") ++served;
  EXPECT_EQ(answer, kReadRefused);
  EXPECT_GE(served, 600);  // five minutes of one unit, half a unit each
  EXPECT_LT(served, 650);
  Pass(10);
  EXPECT_EQ(Get("T", "{'p':{'S':'a'}}"), "none");
}

TEST_F(EnforcedCapacity, AStarvedIndexHoldsUpTheWritesThatTouchIt) {
  const auto put = [&](int i, std::string_view more) {
    return Put("T", fmt::format("{{'p':{{'S':'{}'}}{}}}", i, more));
  };
  int i = 0;
  std::string answer;
  while (i < 10'000 && (answer = put(i, ",'a':{'S':'x'}")) == "OK") ++i;
  EXPECT_GE(i, 300);
  EXPECT_LT(i, 350);
  EXPECT_EQ(
      answer,
      "ProvisionedThroughputExceededException: The level of configured provisioned throughput "
      "for one or more global secondary indexes of the table was exceeded. Consider "
      "increasing your provisioning level for the under-provisioned global secondary indexes "
      "with the UpdateTable API");
  EXPECT_EQ(put(i, ""), "OK");

  PutItemRequest request;
  request.table_name = "T";
  request.item = ItemOf("{'p':{'S':'b'},'a':{'S':'x'}}");
  const auto reason = ThrottlingReasonOfError(Run(store_->PutItem(request)).status());
  ASSERT_TRUE(reason);
  EXPECT_EQ(reason->reason, "IndexWriteProvisionedThroughputExceeded");
  EXPECT_EQ(reason->resource, "arn:aws:dynamodb:us-east-1:123456789012:table/T/index/slow");
}

TEST_F(EnforcedCapacity, ABatchReturnsWhatWasNotServed) {
  BatchWriteItemRequest request;
  request.request_items.emplace_back("T", std::vector<WriteRequest>(25));
  size_t unprocessed = 0, batches = 0;
  Status status;
  for (; batches < 1000 && status.ok(); ++batches) {
    for (size_t i = 0; i < 25; ++i) {
      request.request_items[0].second[i].put_item =
          ItemOf(fmt::format("{{'p':{{'S':'{}-{}'}}}}", batches, i));
    }
    const auto response = Run(store_->BatchWriteItem(request));
    status = response.status();
    if (!response.ok()) break;
    for (const auto& [table, writes] : response->unprocessed_items) unprocessed += writes.size();
  }
  EXPECT_FALSE(status.ok());
  EXPECT_GE(batches, 120u);  // 3000 units
  EXPECT_EQ(TypeOfError(status), ErrorType::kProvisionedThroughputExceededException);
}

TEST_F(EnforcedCapacity, ATransactionTakesTwiceAndIsCancelledWhole) {
  TransactWriteItemsRequest request;
  TransactWriteAction& put = request.transact_items.emplace_back().put.emplace();
  put.table_name = "T";
  put.item = ItemOf("{'p':{'S':'a'}}");
  int served = 0;
  Status status;
  while (served < 10'000 && (status = Run(store_->TransactWriteItems(request)).status()).ok()) {
    ++served;
  }
  EXPECT_GE(served, 1500);
  EXPECT_LT(served, 1600);
  const auto reasons = ReasonsOfError(status);
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_EQ(reasons[0].code, "ProvisionedThroughputExceeded");
}

// Writes that fail take what the larger of the two items would: 300 seconds of ten units.
TEST_F(EnforcedCapacity, AConditionThatFailsIsPaidForToo) {
  const std::string large(10'000, 'x');
  ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'a'}},'v':{{'S':'{}'}}}}", large)), "OK");
  PutItemRequest put;
  put.table_name = "T";
  put.item = ItemOf("{'p':{'S':'a'}}");
  put.condition_expression = "attribute_not_exists(p)";
  UpdateItemRequest update;
  update.table_name = "T";
  update.key = ItemOf("{'p':{'S':'a'}}");
  update.condition_expression = "attribute_not_exists(p)";
  DeleteItemRequest remove;
  remove.table_name = "T";
  remove.key = ItemOf("{'p':{'S':'a'}}");
  remove.condition_expression = "attribute_not_exists(p)";
  ExecuteStatementRequest insert;
  insert.statement.statement = "INSERT INTO \"T\" VALUE {'p':'a'}";
  int failed = 0;
  Status status;
  for (; failed < 10'000; ++failed) {
    switch (failed % 4) {
      case 0:
        status = Run(store_->PutItem(put)).status();
        break;
      case 1:
        status = Run(store_->UpdateItem(update)).status();
        break;
      case 2:
        status = Run(store_->DeleteItem(remove)).status();
        break;
      case 3:
        status = Run(store_->ExecuteStatement(insert)).status();
        break;
    }
    const ErrorType type = TypeOfError(status);
    if (type != ErrorType::kConditionalCheckFailedException &&
        type != ErrorType::kDuplicateItemException) {
      break;
    }
  }
  EXPECT_EQ(TypeOfError(status), ErrorType::kProvisionedThroughputExceededException) << status;
  EXPECT_GE(failed, 299);
  EXPECT_LT(failed, 320);
}

// 3000 units; each transaction takes twice what a write of 1 KB and one of 10 KB do.
TEST_F(EnforcedCapacity, ACancelledTransactionIsPaidForToo) {
  const std::string large(9'900, 'x');
  TransactWriteItemsRequest request;
  TransactWriteAction& put = request.transact_items.emplace_back().put.emplace();
  put.table_name = "T";
  put.item = ItemOf(fmt::format("{{'p':{{'S':'a'}},'v':{{'S':'{}'}}}}", large));
  TransactWriteAction& check = request.transact_items.emplace_back().condition_check.emplace();
  check.table_name = "T";
  check.item = ItemOf("{'p':{'S':'b'}}");
  check.condition_expression = "attribute_exists(p)";
  int failed = 0;
  std::vector<CancellationReason> reasons;
  for (; failed < 10'000; ++failed) {
    reasons = ReasonsOfError(Run(store_->TransactWriteItems(request)).status());
    ASSERT_EQ(reasons.size(), 2u);
    if (reasons[1].code != "ConditionalCheckFailed") break;
  }
  EXPECT_EQ(reasons[0].code, "ProvisionedThroughputExceeded");
  EXPECT_EQ(reasons[1].code, "ProvisionedThroughputExceeded");
  EXPECT_GE(failed, 136);
  EXPECT_LT(failed, 150);
}

TEST_F(EnforcedCapacity, OnDemandOnlyAMaximumLimits) {
  ASSERT_EQ(MakeTable("Free"), "OK");
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(Get("Free", "{'p':{'S':'a'}}"), "none");
  CreateTableRequest request = TableRequest("Capped", std::nullopt);
  request.on_demand_throughput = OnDemandThroughput{5, std::nullopt};
  ASSERT_EQ(ErrorText(Run(store_->CreateTable(request)).status()), "OK");
  int served = 0;
  std::string answer;
  while (served < 1000 && (answer = Get("Capped", "{'p':{'S':'a'}}")) == "none") ++served;
  EXPECT_EQ(answer,
            "ThrottlingException: Throughput exceeds the maximum OnDemandThroughput configured on "
            "table or index");
  EXPECT_GE(served, 10);
  EXPECT_EQ(Put("Capped", "{'p':{'S':'a'}}"), "OK");
}

}  // namespace
}  // namespace varve::item
