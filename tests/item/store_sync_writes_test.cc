// StoreOptions::sync_writes: what is answered survives a power cut, also where the first attempt
// failed at making durable what readers see already, and a second finds its work done.
#include <functional>

#include "store_fixture.h"

namespace varve::item {
namespace {

class SyncWritesTest : public StoreTest {
 protected:
  SyncWritesTest() {
    db_options_.durability = engine::Durability::kRelaxed;
    store_options_.sync_writes = true;
  }

  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_EQ(MakeTable("T"), "OK");
    ASSERT_EQ(Put("T", "{'p':{'S':'there'}}"), "OK");
  }

  // `write` fails at the log, more than once, then does not; then the power is cut.
  void FailThenSucceedThenCutThePower(const std::function<std::string()>& write) {
    broken_ = true;
    io_.set_fail([this](const io::SimAccess& access) {
      return broken_ && access.kind != io::SimAccess::Kind::kRead && access.path.ends_with(".log");
    });
    EXPECT_NE(write(), "OK");
    EXPECT_NE(write(), "OK");
    broken_ = false;
    std::string answer;
    for (int attempt = 0; attempt < 100 && answer != "OK"; ++attempt) {
      answer = write();
      if (answer != "OK") io_.RunFor(100'000'000);
    }
    EXPECT_EQ(answer, "OK");
    io_.Crash(io::SimCrash::kPower);
    Close();
    io_.Restart();
    Open();
  }

  static Store::Once OnceOf(std::string_view token) {
    return {.token = {TransactionToken::Operation::kWrite, std::string(token), "fingerprint"}};
  }

  // What the faults look at, until the database is closed.
  bool broken_ = false;
};

TEST_F(SyncWritesTest, ATransactionIsSentAgain) {
  TransactWriteItemsRequest request;
  request.client_request_token = "token";
  TransactWriteAction& put = request.transact_items.emplace_back().put.emplace();
  put.table_name = "T";
  put.item = ItemOf("{'p':{'S':'new'}}");
  FailThenSucceedThenCutThePower(
      [&] { return ErrorText(Run(store_->TransactWriteItems(request)).status()); });
  EXPECT_EQ(Get("T", "{'p':{'S':'new'}}"), "{'p':{'S':'new'}}");
}

TEST_F(SyncWritesTest, APutWithARequestTokenIsSentAgain) {
  PutItemRequest request;
  request.table_name = "T";
  request.item = ItemOf("{'p':{'S':'new'}}");
  FailThenSucceedThenCutThePower([&] {
    Store::Once once = OnceOf("token");
    return ErrorText(Run(store_->PutItem(request, &once)).status());
  });
  EXPECT_EQ(Get("T", "{'p':{'S':'new'}}"), "{'p':{'S':'new'}}");
}

TEST_F(SyncWritesTest, ABatchWithARequestTokenIsSentAgain) {
  BatchWriteItemRequest request;
  auto& writes = request.request_items.emplace_back();
  writes.first = "T";
  writes.second.emplace_back().put_item = ItemOf("{'p':{'S':'new'}}");
  FailThenSucceedThenCutThePower([&] {
    Store::Once once = OnceOf("token");
    return ErrorText(Run(store_->BatchWriteItem(request, &once)).status());
  });
  EXPECT_EQ(Get("T", "{'p':{'S':'new'}}"), "{'p':{'S':'new'}}");
}

TEST_F(SyncWritesTest, ADeletionFindsNothingToDelete) {
  FailThenSucceedThenCutThePower([&] { return Delete("T", "{'p':{'S':'there'}}"); });
  EXPECT_EQ(Get("T", "{'p':{'S':'there'}}"), "none");
}

}  // namespace
}  // namespace varve::item
