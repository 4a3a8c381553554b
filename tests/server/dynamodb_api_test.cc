#include "server/dynamodb_api.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "engine/db.h"
#include "item/store.h"
#include "tests/server/http_client.h"

namespace varve::server {
namespace {

// The whole server in this process, on a database of its own.
class DynamoDbApiTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "varve-api-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    io_ = io::NewIo();
    auto db = engine::Db::Open(*io_, directory_ + "/data", {});
    ASSERT_TRUE(db.ok()) << Message(db.status());
    db_ = std::move(*db);
    auto store = io::BlockOn(*io_, item::Store::Open(*io_, *db_, {}));
    ASSERT_TRUE(store.ok()) << Message(store.status());
    store_ = std::move(*store);
    metrics_ = std::make_unique<Metrics>(DynamoDbApi::OperationNames());
    HttpServerOptions options;
    options.port = 0;
    workers_ = std::make_unique<Workers>(*io_, 2);
    api_ = std::make_unique<DynamoDbApi>(*io_, db_.get(), store_.get(), metrics_.get(),
                                         workers_->size());
    auto http = HttpServer::Start(*io_, options, workers_.get(), api_.get());
    ASSERT_TRUE(http.ok()) << Message(http.status());
    http_ = std::move(*http);
    metrics_->Observe(db_.get());
    metrics_->Observe(http_.get());
    client_ = std::make_unique<Client>(http_->port());
  }

  void TearDown() override {
    client_.reset();
    http_.reset();
    workers_.reset();
    store_.reset();
    if (db_ != nullptr) {
      EXPECT_TRUE(db_->Close().ok());
    }
    db_.reset();
    std::filesystem::remove_all(directory_);
  }

  ClientResponse Call(std::string_view operation, std::string_view body) {
    EXPECT_TRUE(client_->Send(Client::Request(operation, body)));
    auto response = client_->Receive();
    EXPECT_TRUE(response) << operation << " " << body.substr(0, 200);
    if (!response) return {};
    EXPECT_EQ(response->headers.at("x-amz-crc32"), std::to_string(Crc32(response->body)));
    EXPECT_EQ(response->headers.at("x-amzn-RequestId").size(), ResponseWriter::kRequestIdBytes);
    EXPECT_EQ(response->headers.at("Content-Type"), "application/x-amz-json-1.0");
    return *response;
  }

  void ExpectOk(std::string_view operation, std::string_view body, std::string_view answer) {
    const ClientResponse response = Call(operation, body);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body, answer) << operation << " " << body;
  }

  void ExpectError(std::string_view operation, std::string_view body, int status,
                   std::string_view answer) {
    const ClientResponse response = Call(operation, body);
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.body, answer) << operation << " " << body;
  }

  void CreateTable() {
    const ClientResponse response = Call(
        "CreateTable",
        R"j({"TableName":"Packages","AttributeDefinitions":[{"AttributeName":"S","AttributeType":"S"},)j"
        R"j({"AttributeName":"P","AttributeType":"S"}],"KeySchema":[{"AttributeName":"S","KeyType":"HASH"},)j"
        R"j({"AttributeName":"P","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST"})j");
    ASSERT_EQ(response.status, 200) << response.body;
  }

  std::string directory_;
  std::unique_ptr<io::Io> io_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<item::Store> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<DynamoDbApi> api_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Client> client_;
};

TEST_F(DynamoDbApiTest, DoesEveryOperation) {
  ExpectOk("ListTables", "{}", R"j({"TableNames":[]})j");
  CreateTable();
  ExpectOk("ListTables", R"j({"Limit":1})j", R"j({"TableNames":["Packages"]})j");
  const ClientResponse described = Call("DescribeTable", R"j({"TableName":"Packages"})j");
  EXPECT_TRUE(described.body.starts_with(
      R"j({"Table":{"AttributeDefinitions":[{"AttributeName":"S","AttributeType":"S"},)j"))
      << described.body;
  EXPECT_NE(described.body.find(R"j("TableStatus":"ACTIVE")j"), std::string::npos);

  ExpectOk(
      "PutItem",
      R"j({"TableName":"Packages","Item":{"S":{"S":"db"},"P":{"S":"varve"},"N":{"N":"1.50"},)j"
      R"j("B":{"B":"AAEC"},"L":{"L":[{"NULL":true},{"BOOL":false},{"M":{"\u00e9":{"S":"\n"}}}]},)j"
      R"j("SS":{"SS":["b","a"]}},"ReturnConsumedCapacity":"TOTAL"})j",
      R"j({"ConsumedCapacity":{"TableName":"Packages","CapacityUnits":1.0}})j");
  ExpectOk(
      "GetItem", R"j({"TableName":"Packages","Key":{"S":{"S":"db"},"P":{"S":"varve"}}})j",
      R"j({"Item":{"B":{"B":"AAEC"},"L":{"L":[{"NULL":true},{"BOOL":false},{"M":{"é":{"S":"\n"}}}]},)j"
      R"j("N":{"N":"1.5"},"P":{"S":"varve"},"S":{"S":"db"},"SS":{"SS":["a","b"]}}})j");
  ExpectOk("GetItem", R"j({"TableName":"Packages","Key":{"S":{"S":"db"},"P":{"S":"none"}}})j",
           "{}");
  ExpectOk(
      "UpdateItem",
      R"j({"TableName":"Packages","Key":{"S":{"S":"db"},"P":{"S":"varve"}},)j"
      R"j("UpdateExpression":"SET #n = #n + :one REMOVE L, B, SS",)j"
      R"j("ExpressionAttributeNames":{"#n":"N"},"ExpressionAttributeValues":{":one":{"N":"1"}},)j"
      R"j("ReturnValues":"ALL_NEW"})j",
      R"j({"Attributes":{"N":{"N":"2.5"},"P":{"S":"varve"},"S":{"S":"db"}}})j");
  ExpectOk(
      "BatchWriteItem",
      R"j({"RequestItems":{"Packages":[{"PutRequest":{"Item":{"S":{"S":"db"},"P":{"S":"a"}}}},)j"
      R"j({"DeleteRequest":{"Key":{"S":{"S":"db"},"P":{"S":"z"}}}}]}})j",
      R"j({"UnprocessedItems":{}})j");
  ExpectOk("BatchGetItem",
           R"j({"RequestItems":{"Packages":{"Keys":[{"S":{"S":"db"},"P":{"S":"a"}}]}}})j",
           R"j({"Responses":{"Packages":[{"P":{"S":"a"},"S":{"S":"db"}}]},"UnprocessedKeys":{}})j");
  ExpectOk("Query",
           R"j({"TableName":"Packages","KeyConditionExpression":"S = :s","Limit":1,)j"
           R"j("ExpressionAttributeValues":{":s":{"S":"db"}}})j",
           R"j({"Items":[{"P":{"S":"a"},"S":{"S":"db"}}],"Count":1,"ScannedCount":1,)j"
           R"j("LastEvaluatedKey":{"P":{"S":"a"},"S":{"S":"db"}}})j");
  ExpectOk("Scan", R"j({"TableName":"Packages","Select":"COUNT"})j",
           R"j({"Count":2,"ScannedCount":2})j");
  ExpectOk(
      "DeleteItem",
      R"j({"TableName":"Packages","Key":{"S":{"S":"db"},"P":{"S":"a"}},"ReturnValues":"ALL_OLD"})j",
      R"j({"Attributes":{"P":{"S":"a"},"S":{"S":"db"}}})j");
  EXPECT_EQ(Call("UpdateTable",
                 R"j({"TableName":"Packages","BillingMode":"PROVISIONED","ProvisionedThroughput":)j"
                 R"j({"ReadCapacityUnits":1,"WriteCapacityUnits":1}})j")
                .status,
            200);
  EXPECT_EQ(Call("DeleteTable", R"j({"TableName":"Packages"})j").status, 200);
  ExpectOk("ListTables", "{}", R"j({"TableNames":[]})j");
}

TEST_F(DynamoDbApiTest, AnswersErrorsAsTheServiceDoes) {
  CreateTable();
  ExpectError("ListTables", "hi", 400,
              R"j({"__type":"com.amazon.coral.service#SerializationException"})j");
  ExpectError("ListTables", "", 400,
              R"j({"__type":"com.amazon.coral.service#SerializationException"})j");
  ExpectError("ListTables", "{\"Limit\":1", 400,
              R"j({"__type":"com.amazon.coral.service#SerializationException"})j");
  ExpectError("ListTables", "\xff\xfe{}", 400,
              R"j({"__type":"com.amazon.coral.service#SerializationException"})j");
  ExpectError("ListTable", "{}", 400,
              R"j({"__type":"com.amazon.coral.service#UnknownOperationException"})j");
  ExpectError("TransactItems", "{}", 400,
              R"j({"__type":"com.amazon.coral.service#UnknownOperationException"})j");
  ExpectError("ListTables", R"j({"Limit":"x"})j", 400,
              R"j({"__type":"com.amazon.coral.service#SerializationException",)j"
              R"j("Message":"STRING_VALUE cannot be converted to Integer"})j");
  ExpectError("ListTables", R"j({"Limit":0})j", 400,
              R"j({"__type":"com.amazon.coral.validate#ValidationException",)j"
              R"j("message":"1 validation error detected: Value '0' at 'limit' failed to satisfy )j"
              R"j(constraint: Member must have value greater than or equal to 1"})j");
  ExpectError("DescribeTable", R"j({"TableName":"None"})j", 400,
              R"j({"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",)j"
              R"j("message":"Requested resource not found: Table: None not found"})j");
  ExpectError("GetItem", R"j({"TableName":"None","Key":{"a":{"S":"b"}}})j", 400,
              R"j({"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",)j"
              R"j("message":"Requested resource not found"})j");
  ExpectError("PutItem",
              R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"}},)j"
              R"j("ConditionExpression":"attribute_exists(S)"})j",
              400,
              R"j({"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",)j"
              R"j("message":"The conditional request failed"})j");
  ExpectOk("PutItem", R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"}}})j", "{}");
  ExpectError(
      "PutItem",
      R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"}},)j"
      R"j("ConditionExpression":"attribute_not_exists(S)",)j"
      R"j("ReturnValuesOnConditionCheckFailure":"ALL_OLD"})j",
      400,
      R"j({"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",)j"
      R"j("message":"The conditional request failed","Item":{"P":{"S":"b"},"S":{"S":"a"}}})j");
}

TEST_F(DynamoDbApiTest, RefusesAnItemOver400Kb) {
  CreateTable();
  const std::string value(410'000, 'v');
  const ClientResponse response = Call(
      "PutItem", R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"},"V":{"S":")j" +
                     value + "\"}}}");
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("Item size has exceeded the maximum allowed size"),
            std::string::npos)
      << response.body;
}

TEST_F(DynamoDbApiTest, DeepNestingIsAnErrorNotACrash) {
  CreateTable();
  for (const int depth : {33, 400, 5000, 1'000'000}) {
    std::string value;
    for (int i = 0; i < depth; ++i) value += R"j({"L":[)j";
    value += R"j({"S":"x"})j";
    for (int i = 0; i < depth; ++i) value += "]}";
    const ClientResponse response =
        Call("PutItem", R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"},"V":)j" +
                            value + "}}");
    EXPECT_EQ(response.status, 400) << depth;
  }
}

TEST_F(DynamoDbApiTest, WhatIsNoCallOfTheApiGetsA404) {
  for (const std::string_view request : {
           "PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
           "DELETE / HTTP/1.1\r\n\r\n",
           "OPTIONS / HTTP/1.1\r\n\r\n",
           "GET /nothing HTTP/1.1\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
           "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
       }) {
    ASSERT_TRUE(client_->Send(request));
    const auto response = client_->Receive();
    ASSERT_TRUE(response) << request;
    EXPECT_EQ(response->status, 404) << request;
  }
}

TEST_F(DynamoDbApiTest, TellsItsHealthAndItsFigures) {
  for (const std::string_view path : {"/", "/health", "/?x"}) {
    ASSERT_TRUE(client_->Send(fmt::format("GET {} HTTP/1.1\r\n\r\n", path)));
    const auto response = client_->Receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_TRUE(response->body.starts_with("healthy")) << response->body;
  }
  CreateTable();
  ExpectError("GetItem", R"j({"TableName":"None","Key":{"a":{"S":"b"}}})j", 400,
              R"j({"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",)j"
              R"j("message":"Requested resource not found"})j");
  ASSERT_TRUE(client_->Send("GET /metrics HTTP/1.1\r\n\r\n"));
  const auto metrics = client_->Receive();
  ASSERT_TRUE(metrics);
  for (const std::string_view line : {
           "varve_requests_total{operation=\"CreateTable\"} 1\n",
           "varve_request_errors_total{operation=\"GetItem\",type=\"ResourceNotFoundException\"} "
           "1\n",
           "varve_request_seconds_count{operation=\"CreateTable\"} 1\n",
           "varve_connections 1\n",
           "varve_engine_background_failing 0\n",
       }) {
    EXPECT_NE(metrics->body.find(line), std::string::npos) << line;
  }
}

// Mutations of real requests, on both workers at once: whatever comes, there is an answer in
// DynamoDB's form, or the connection closes, and the server goes on.
TEST_F(DynamoDbApiTest, SurvivesDamagedRequests) {
  CreateTable();
  const std::vector<std::string> originals = {
      Client::Request(
          "PutItem",
          R"j({"TableName":"Packages","Item":{"S":{"S":"a"},"P":{"S":"b"},"N":{"N":"1e3"},)j"
          R"j("M":{"M":{"x":{"BS":["AAEC"]}}},"L":{"L":[{"NULL":true},{"NS":["1","2"]}]}}})j"),
      Client::Request("UpdateItem",
                      R"j({"TableName":"Packages","Key":{"S":{"S":"a"},"P":{"S":"b"}},)j"
                      R"j("UpdateExpression":"SET #a.b[1] = if_not_exists(#a, :v) + :v ADD c :v",)j"
                      R"j("ConditionExpression":"size(#a) > :v AND NOT (S IN (:v, :v))",)j"
                      R"j("ExpressionAttributeNames":{"#a":"x"},)j"
                      R"j("ExpressionAttributeValues":{":v":{"N":"1"}}})j"),
      Client::Request(
          "Query",
          R"j({"TableName":"Packages","KeyConditionExpression":"S = :s AND begins_with(P, :s)",)j"
          R"j("FilterExpression":"contains(L, :s)","ProjectionExpression":"a.b[2], c",)j"
          R"j("Limit":3,"ExpressionAttributeValues":{":s":{"S":"a"}}})j"),
      Client::Request("BatchWriteItem",
                      R"j({"RequestItems":{"Packages":[{"PutRequest":{"Item":{"S":{"S":"c"},)j"
                      R"j("P":{"S":"d"}}}}]}})j"),
      Client::Request(
          "CreateTable",
          R"j({"TableName":"T.2","AttributeDefinitions":[{"AttributeName":"a",)j"
          R"j("AttributeType":"N"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],)j"
          R"j("ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1}})j"),
  };
  const auto attack = [&](uint64_t seed) {
    Random random(seed);
    for (int round = 0; round < 400; ++round) {
      std::string request = originals[random.Below(originals.size())];
      // The header's end is left alone in most rounds, so that most damage reaches the JSON.
      const size_t first = random.OneIn(4) ? 0 : request.find("\r\n\r\n") + 4;
      for (uint64_t i = random.Between(1, 6); i > 0; --i) {
        const size_t at = first + random.Below(request.size() - first);
        switch (random.Below(3)) {
          case 0:
            request[at] = static_cast<char>(random.Next());
            break;
          case 1:
            request[at] = "{}[]\":,0\\"[random.Below(9)];
            break;
          default:
            std::swap(request[at], request[first + random.Below(request.size() - first)]);
        }
      }
      Client client(http_->port());
      if (!client.Send(request)) continue;
      client.FinishSending();
      while (const auto response = client.Receive()) {
        if (response->status >= 400 && response->status != 404) {
          EXPECT_TRUE(response->body.starts_with("{\"__type\":\"com.amazon")) << response->body;
        }
        EXPECT_NE(response->status, 500) << request << "\n" << response->body;
      }
    }
  };
  std::thread other([&] { attack(1); });
  attack(2);
  other.join();
  const ClientResponse tables = Call("ListTables", "{}");
  EXPECT_EQ(tables.status, 200);
  EXPECT_NE(tables.body.find("\"Packages\""), std::string::npos) << tables.body;
}

}  // namespace
}  // namespace varve::server
