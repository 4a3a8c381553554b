// A server of the binary protocol over a database of its own, on io_uring and on POSIX.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "engine/db.h"
#include "io/io.h"
#include "item/store.h"
#include "server/binary_server.h"
#include "server/dynamodb_api.h"
#include "server/metrics.h"
#include "server/workers.h"
#include "tests/server/binary_client.h"
#include "tests/support/io_fixture.h"

namespace varve::server {

class BinaryServerTest : public ::testing::TestWithParam<std::string> {
 protected:
  BinaryServerTest() { options_.port = 0; }
  ~BinaryServerTest() override {
    server_.reset();
    workers_.reset();
    store_.reset();
    if (db_ != nullptr) {
      EXPECT_TRUE(db_->Close().ok());
    }
  }

  void SetUp() override {
    if (GetParam() == "posix") {
      io_ = io::NewPosixIo();
    } else {
      auto io = io::NewUringIo();
      if (!io.ok()) GTEST_SKIP() << Message(io.status());
      io_ = std::move(*io);
    }
    auto db = engine::Db::Open(*io_, directory_.path() + "/data", engine_options_);
    ASSERT_TRUE(db.ok()) << Message(db.status());
    db_ = std::move(*db);
    auto store = io::BlockOn(*io_, item::Store::Open(*io_, *db_, {}));
    ASSERT_TRUE(store.ok()) << Message(store.status());
    store_ = std::move(*store);
    metrics_ = std::make_unique<Metrics>(DynamoDbApi::OperationNames());
    workers_ = std::make_unique<Workers>(*io_, 2);
    api_ = std::make_unique<DynamoDbApi>(*io_, db_.get(), store_.get(), metrics_.get(), 2);
  }

  void Start() {
    auto server = BinaryServer::Start(*io_, options_, workers_.get(), {store_.get(), api_.get()});
    ASSERT_TRUE(server.ok()) << Message(server.status());
    server_ = std::move(*server);
    metrics_->Observe(server_.get());
  }

  BinaryClient Connect() {
    auto socket = io::Connect("127.0.0.1", server_->port());
    EXPECT_TRUE(socket.ok()) << socket.status();
    return BinaryClient(std::move(*socket));
  }
  BinaryClient ConnectAndGreet(uint64_t credit_bytes = uint64_t{1} << 20) {
    BinaryClient client = Connect();
    const auto welcome = client.Greet(credit_bytes);
    EXPECT_TRUE(welcome && welcome->header.type == protocol::FrameType::kWelcome)
        << (welcome ? welcome->payload : "no frame");
    return client;
  }

  // A table with a string "id" as its key.
  void CreateTable(std::string_view name) {
    item::CreateTableRequest request;
    request.table_name = name;
    request.attribute_definitions = {{"id", item::ValueType::kString}};
    request.key_schema = {{"id", item::KeyType::kHash}};
    request.billing_mode = item::BillingMode::kPayPerRequest;
    BinaryClient client = ConnectAndGreet();
    const auto created =
        client.Call<item::CreateTableResponse>(protocol::FrameType::kCreateTable, request);
    ASSERT_TRUE(created.ok()) << created.status();
  }

  static item::Item Key(std::string_view id) {
    item::ValueBuilder builder;
    builder.BeginMap().Name("id").String(id).EndMap();
    return item::Item(builder.Finish());
  }
  static item::Item ItemOf(std::string_view id, std::string_view text) {
    item::ValueBuilder builder;
    builder.BeginMap().Name("id").String(id).Name("text").String(text).EndMap();
    return item::Item(builder.Finish());
  }
  static item::PutItemRequest Put(std::string_view table, item::Item item) {
    item::PutItemRequest request;
    request.table_name = table;
    request.item = std::move(item);
    return request;
  }
  static item::GetItemRequest Get(std::string_view table, std::string_view id) {
    item::GetItemRequest request;
    request.table_name = table;
    request.key = Key(id);
    return request;
  }
  void PutItems(BinaryClient& client, std::string_view table, int count, std::string_view text) {
    for (int i = 0; i < count; ++i) {
      const auto put = client.Call<item::PutItemResponse>(
          protocol::FrameType::kPutItem, Put(table, ItemOf(fmt::format("{:05}", i), text)));
      ASSERT_TRUE(put.ok()) << put.status();
    }
  }

  // Waits until `done`, which depends on other threads, is true.
  template <typename Done>
  void WaitUntil(Done done) {
    while (!done()) std::this_thread::yield();
  }

  varve::testing::TemporaryDirectory directory_;
  BinaryServerOptions options_;
  engine::Options engine_options_{.durability = engine::Durability::kRelaxed};
  std::unique_ptr<io::Io> io_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<item::Store> store_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<DynamoDbApi> api_;
  std::unique_ptr<BinaryServer> server_;
};

#define VARVE_ON_EACH_NETWORK(Suite)                                                \
  INSTANTIATE_TEST_SUITE_P(EachNetwork, Suite, ::testing::Values("uring", "posix"), \
                           [](const auto& info) { return std::string(info.param); })

}  // namespace varve::server
