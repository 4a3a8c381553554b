// Operations over the binary protocol.
#include "server/binary_operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "item/errors.h"
#include "tests/server/binary_fixture.h"

namespace varve::server {
namespace {

using item::ErrorType;
using item::TypeOfError;
using protocol::FrameType;
using ::testing::HasSubstr;

class BinaryOperationsTest : public BinaryServerTest {};
VARVE_ON_EACH_NETWORK(BinaryOperationsTest);

TEST_P(BinaryOperationsTest, PutsGetsUpdatesAndDeletesAnItem) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  const item::Item item = ItemOf("a", "first");
  ASSERT_TRUE(client.Call<item::PutItemResponse>(FrameType::kPutItem, Put("Letters", item)).ok());

  auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->item, item);
  EXPECT_FALSE(got->consumed_capacity);

  item::UpdateItemRequest update;
  update.table_name = "Letters";
  update.key = Key("a");
  update.update_expression = "SET #t = :t";
  update.expression_parameters.names.emplace().emplace_back("#t", "text");
  update.expression_parameters.values.emplace().emplace_back(":t", item::Value::String("second"));
  update.return_values = item::ReturnValues::kAllNew;
  const auto updated = client.Call<item::UpdateItemResponse>(FrameType::kUpdateItem, update);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->attributes, ItemOf("a", "second"));

  item::GetItemRequest projected = Get("Letters", "a");
  projected.projection_expression = "id";
  projected.return_consumed_capacity = item::ReturnConsumedCapacity::kTotal;
  got = client.Call<item::GetItemResponse>(FrameType::kGetItem, projected);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->item, Key("a"));
  EXPECT_EQ(got->consumed_capacity->capacity_units, 0.5);

  item::DeleteItemRequest remove;
  remove.table_name = "Letters";
  remove.key = Key("a");
  ASSERT_TRUE(client.Call<item::DeleteItemResponse>(FrameType::kDeleteItem, remove).ok());
  got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"));
  ASSERT_TRUE(got.ok());
  EXPECT_FALSE(got->item);
}

TEST_P(BinaryOperationsTest, GetItemsThatComeTogetherAreAnsweredEachAsItsOwn) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  PutItems(client, "Letters", 3, "x");
  item::GetItemRequest projected = Get("Letters", "00001");
  projected.projection_expression = "id";
  projected.return_consumed_capacity = item::ReturnConsumedCapacity::kTotal;
  item::GetItemRequest two_keys = Get("Letters", "00001");
  two_keys.key = ItemOf("00001", "x");
  const auto get = [](uint32_t id, const item::GetItemRequest& request) {
    return BinaryClient::RequestFrame(FrameType::kGetItem, id, request);
  };
  ASSERT_TRUE(client.SendBytes(
      get(1, Get("Letters", "00000")) + get(2, Get("Letters", "absent")) + get(3, projected) +
      get(4, two_keys) + get(5, Get("Nowhere", "00000")) + get(6, Get("Letters", "00002")) +
      BinaryClient::FrameOf(FrameType::kGetItem, 7, "nonsense") +
      BinaryClient::RequestFrame(FrameType::kPutItem, 8, Put("Letters", ItemOf("new", "x"))) +
      get(9, Get("Letters", "00001"))));
  std::map<uint32_t, ReceivedFrame> answers;
  for (int i = 0; i < 9; ++i) {
    const auto frame = client.Receive();
    ASSERT_TRUE(frame);
    answers[frame->header.request_id] = *frame;
  }
  const auto item_of = [&](uint32_t id) {
    item::GetItemResponse response;
    protocol::AnswerExtras extras;
    EXPECT_FALSE(answers[id].is_error()) << id;
    EXPECT_TRUE(protocol::DecodeAnswer(answers[id].payload, &response, &extras).ok()) << id;
    EXPECT_EQ(response.consumed_capacity.has_value(), id == 3) << id;
    return response.item;
  };
  EXPECT_EQ(item_of(1), ItemOf("00000", "x"));
  EXPECT_EQ(item_of(2), std::nullopt);
  EXPECT_EQ(item_of(3), Key("00001"));
  EXPECT_EQ(TypeOfError(answers[4].error()), ErrorType::kValidationException);
  EXPECT_EQ(TypeOfError(answers[5].error()), ErrorType::kResourceNotFoundException);
  EXPECT_EQ(item_of(6), ItemOf("00002", "x"));
  EXPECT_EQ(TypeOfError(answers[7].error()), ErrorType::kSerializationException);
  EXPECT_FALSE(answers[8].is_error());
  EXPECT_EQ(item_of(9), ItemOf("00001", "x"));
  const BinaryFigures figures = server_->Figures();
  EXPECT_EQ(figures.answers[static_cast<size_t>(FrameType::kGetItem)], 8u);
  EXPECT_EQ(figures.errors[static_cast<size_t>(FrameType::kGetItem)], 3u);
  EXPECT_EQ(figures.requests_in_progress, 0u);
}

TEST_P(BinaryOperationsTest, ErrorsCarryTypeMessageAndItem) {
  Start();
  BinaryClient client = ConnectAndGreet();
  auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Nowhere", "a"));
  EXPECT_EQ(TypeOfError(got.status()), ErrorType::kResourceNotFoundException);
  EXPECT_EQ(Message(got.status()), "Requested resource not found");

  CreateTable("Letters");
  ASSERT_TRUE(
      client.Call<item::PutItemResponse>(FrameType::kPutItem, Put("Letters", ItemOf("a", "x")))
          .ok());
  item::PutItemRequest put = Put("Letters", ItemOf("a", "y"));
  put.condition_expression = "attribute_not_exists(id)";
  put.return_old_on_condition_check_failure = true;
  const auto refused = client.Call<item::PutItemResponse>(FrameType::kPutItem, put);
  EXPECT_EQ(TypeOfError(refused.status()), ErrorType::kConditionalCheckFailedException);
  EXPECT_EQ(item::ItemOfError(refused.status()), ItemOf("a", "x"));
}

TEST_P(BinaryOperationsTest, WhatCannotBeReadIsASerializationException) {
  Start();
  BinaryClient client = ConnectAndGreet();
  // Field 2, the key, cut short.
  ASSERT_TRUE(client.SendFrame(FrameType::kGetItem, 7, "\x12\x05xx"));
  auto frame = client.Receive();
  ASSERT_TRUE(frame && frame->is_error());
  EXPECT_EQ(frame->header.request_id, 7u);
  EXPECT_EQ(TypeOfError(frame->error()), ErrorType::kSerializationException);
  // An operation that nobody knows.
  ASSERT_TRUE(client.SendFrame(static_cast<FrameType>(200), 8, ""));
  frame = client.Receive();
  ASSERT_TRUE(frame && frame->is_error());
  EXPECT_EQ(TypeOfError(frame->error()), ErrorType::kValidationException);
}

TEST_P(BinaryOperationsTest, JsonReachesTheWholeHttpApi) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  auto response = client.Call<protocol::JsonResponse>(FrameType::kJson,
                                                      protocol::JsonRequest{"ListTables", "{}"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->http_status, 200u);
  EXPECT_EQ(response->body, R"({"TableNames":["Letters"]})");
  response = client.Call<protocol::JsonResponse>(
      FrameType::kJson, protocol::JsonRequest{"DynamoDB_20120810.GetItem", "{}"});
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->http_status, 400u);
  EXPECT_THAT(response->body, HasSubstr("ValidationException"));
}

TEST_P(BinaryOperationsTest, StreamsGoThroughAWholeTablePageByPage) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  PutItems(client, "Letters", 300, std::string(2000, 'x'));
  item::ScanRequest scan;
  scan.table_name = "Letters";
  ASSERT_TRUE(client.SendBytes(BinaryClient::RequestFrame(FrameType::kScanStream, 100, scan)));
  size_t items = 0;
  size_t pages = 0;
  for (bool more = true; more;) {
    const auto frame = client.Receive();
    ASSERT_TRUE(frame);
    ASSERT_FALSE(frame->is_error()) << frame->error();
    EXPECT_EQ(frame->header.request_id, 100u);
    item::ItemPage page;
    protocol::AnswerExtras extras;
    ASSERT_TRUE(protocol::DecodeAnswer(frame->payload, &page, &extras).ok());
    items += page.items.size();
    ++pages;
    more = frame->has_more();
    EXPECT_EQ(page.last_evaluated_key.has_value(), more);
    client.GiveCredit(protocol::kFrameHeaderBytes + frame->payload.size());
  }
  EXPECT_EQ(items, 300u);
  EXPECT_GT(pages, 3u);

  // Limit is that of the whole stream.
  scan.limit = 100;
  ASSERT_TRUE(client.SendBytes(BinaryClient::RequestFrame(FrameType::kScanStream, 101, scan)));
  items = 0;
  for (bool more = true; more;) {
    const auto frame = client.Receive();
    ASSERT_TRUE(frame && !frame->is_error());
    item::ItemPage page;
    protocol::AnswerExtras extras;
    ASSERT_TRUE(protocol::DecodeAnswer(frame->payload, &page, &extras).ok());
    items += page.items.size();
    more = frame->has_more();
    client.GiveCredit(protocol::kFrameHeaderBytes + frame->payload.size());
  }
  EXPECT_EQ(items, 100u);
}

TEST_P(BinaryOperationsTest, PreparedExpressionsAreFilledIn) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  ASSERT_TRUE(
      client.Call<item::PutItemResponse>(FrameType::kPutItem, Put("Letters", ItemOf("a", "x")))
          .ok());
  protocol::PrepareRequest prepare;
  prepare.table_name = "Letters";
  prepare.operation = static_cast<uint64_t>(FrameType::kGetItem);
  prepare.projection_expression = "#t";
  prepare.names.emplace().emplace_back("#t", "text");
  const auto prepared = client.Call<protocol::PrepareResponse>(FrameType::kPrepare, prepare);
  ASSERT_TRUE(prepared.ok()) << prepared.status();

  item::GetItemRequest get;
  get.key = Key("a");
  const protocol::RequestExtras extras{.prepared = prepared->prepared};
  auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, get, extras);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->item->view().count(), 1u);

  // Of another operation, of a table that was created anew, and of nobody.
  item::DeleteItemRequest remove;
  remove.key = Key("a");
  EXPECT_TRUE(protocol::IsPreparedInvalid(
      client.Call<item::DeleteItemResponse>(FrameType::kDeleteItem, remove, extras).status()));
  item::DeleteTableRequest drop{"Letters"};
  ASSERT_TRUE(client.Call<item::DeleteTableResponse>(FrameType::kDeleteTable, drop).ok());
  CreateTable("Letters");
  got = client.Call<item::GetItemResponse>(FrameType::kGetItem, get, extras);
  EXPECT_TRUE(protocol::IsPreparedInvalid(got.status())) << got.status();
  got = client.Call<item::GetItemResponse>(FrameType::kGetItem, get, {.prepared = 99});
  EXPECT_TRUE(protocol::IsPreparedInvalid(got.status())) << got.status();

  // Forgotten.
  ASSERT_TRUE(client.SendBytes(BinaryClient::RequestFrame(
      FrameType::kForget, 50, protocol::ForgetRequest{prepared->prepared})));
  const auto forgotten = client.Receive();
  ASSERT_TRUE(forgotten && !forgotten->is_error());
  got = client.Call<item::GetItemResponse>(FrameType::kGetItem, get, extras);
  EXPECT_TRUE(protocol::IsPreparedInvalid(got.status())) << got.status();
}

TEST_P(BinaryOperationsTest, PreparedExpressionsAreBounded) {
  options_.prepared_max = 2;
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  protocol::PrepareRequest prepare;
  prepare.table_name = "Letters";
  prepare.operation = static_cast<uint64_t>(FrameType::kGetItem);
  prepare.projection_expression = "id";
  EXPECT_TRUE(client.Call<protocol::PrepareResponse>(FrameType::kPrepare, prepare).ok());
  EXPECT_TRUE(client.Call<protocol::PrepareResponse>(FrameType::kPrepare, prepare).ok());
  EXPECT_EQ(
      TypeOfError(client.Call<protocol::PrepareResponse>(FrameType::kPrepare, prepare).status()),
      ErrorType::kLimitExceededException);
}

TEST_P(BinaryOperationsTest, AWriteWithATokenTakesEffectOnce) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  item::UpdateItemRequest add;
  add.table_name = "Letters";
  add.key = Key("a");
  add.update_expression = "ADD #n :one";
  add.expression_parameters.names.emplace().emplace_back("#n", "count");
  add.expression_parameters.values.emplace().emplace_back(
      ":one", item::Value::OfNumber(item::Number::FromInt(1)));
  add.return_values = item::ReturnValues::kAllNew;
  const protocol::RequestExtras token{.request_token = "once"};
  protocol::AnswerExtras answer;
  auto updated = client.Call<item::UpdateItemResponse>(FrameType::kUpdateItem, add, token, &answer);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_FALSE(answer.repeated);
  const auto first = updated->attributes;
  ASSERT_TRUE(first);
  updated = client.Call<item::UpdateItemResponse>(FrameType::kUpdateItem, add, token, &answer);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_TRUE(answer.repeated);
  EXPECT_FALSE(updated->attributes);
  const auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"));
  EXPECT_EQ(got->item, first);

  // A condition that held the first time need not hold again.
  item::PutItemRequest put = Put("Letters", ItemOf("b", "x"));
  put.condition_expression = "attribute_not_exists(id)";
  const protocol::RequestExtras other{.request_token = "other"};
  EXPECT_TRUE(client.Call<item::PutItemResponse>(FrameType::kPutItem, put, other).ok());
  EXPECT_TRUE(client.Call<item::PutItemResponse>(FrameType::kPutItem, put, other, &answer).ok());
  EXPECT_TRUE(answer.repeated);

  // The token of another write.
  put.item = ItemOf("c", "x");
  EXPECT_EQ(
      TypeOfError(client.Call<item::PutItemResponse>(FrameType::kPutItem, put, other).status()),
      ErrorType::kIdempotentParameterMismatchException);
  EXPECT_EQ(TypeOfError(client
                            .Call<item::PutItemResponse>(FrameType::kPutItem, put,
                                                         {.request_token = std::string(37, 'x')})
                            .status()),
            ErrorType::kValidationException);
}

TEST_P(BinaryOperationsTest, ABatchWithATokenTakesEffectOnce) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  item::BatchWriteItemRequest batch;
  auto& writes =
      batch.request_items.emplace_back("Letters", std::vector<item::WriteRequest>()).second;
  writes.emplace_back().put_item = ItemOf("a", "x");
  const protocol::RequestExtras token{.request_token = "once"};
  protocol::AnswerExtras answer;
  ASSERT_TRUE(
      client.Call<item::BatchWriteItemResponse>(FrameType::kBatchWriteItem, batch, token, &answer)
          .ok());
  EXPECT_FALSE(answer.repeated);
  item::DeleteItemRequest remove;
  remove.table_name = "Letters";
  remove.key = Key("a");
  ASSERT_TRUE(client.Call<item::DeleteItemResponse>(FrameType::kDeleteItem, remove).ok());
  ASSERT_TRUE(
      client.Call<item::BatchWriteItemResponse>(FrameType::kBatchWriteItem, batch, token, &answer)
          .ok());
  EXPECT_TRUE(answer.repeated);
  EXPECT_FALSE(client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"))->item);
}

TEST_P(BinaryOperationsTest, ItemsFromOutsideBecomeCanonicalOrAreRefused) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  // {"text": "x", "id": "a"}: attributes in the wrong order.
  const std::string backwards(
      "\x09\x02\x07\x0c\x04text\x03x\x02id\x03"
      "a",
      16);
  ASSERT_TRUE(
      client.Call<item::PutItemResponse>(FrameType::kPutItem, Put("Letters", item::Item(backwards)))
          .ok());
  const auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"));
  EXPECT_EQ(got->item, ItemOf("a", "x"));
  const auto refused = client.Call<item::PutItemResponse>(
      FrameType::kPutItem, Put("Letters", item::Item(std::string("\x09\x05\x01", 3))));
  EXPECT_EQ(TypeOfError(refused.status()), ErrorType::kValidationException);
}

TEST_P(BinaryOperationsTest, ConstraintsAreThoseOfTheHttpApi) {
  Start();
  BinaryClient client = ConnectAndGreet();
  const auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("no spaces", "a"));
  EXPECT_EQ(TypeOfError(got.status()), ErrorType::kValidationException);
  EXPECT_THAT(std::string(Message(got.status())), HasSubstr("[a-zA-Z0-9_.-]+"));
}

TEST_P(BinaryOperationsTest, MetricsCountThem) {
  Start();
  BinaryClient client = ConnectAndGreet();
  EXPECT_FALSE(client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Nowhere", "a")).ok());
  const std::string text = metrics_->Text();
  EXPECT_THAT(text, HasSubstr("varve_binary_connections 1"));
  EXPECT_THAT(text, HasSubstr("varve_binary_requests_total{operation=\"GetItem\"} 1"));
  EXPECT_THAT(text, HasSubstr("varve_binary_request_errors_total{operation=\"GetItem\"} 1"));
  EXPECT_THAT(text, HasSubstr("varve_binary_request_seconds_count{operation=\"GetItem\"} 1"));
}

}  // namespace
}  // namespace varve::server
