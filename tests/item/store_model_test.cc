// Random operations, reopenings and power cuts, compared with a map in memory.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>

#include "base/random.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

class StoreModel : public testing::TestWithParam<uint64_t> {
 protected:
  using Key = std::pair<std::string, int>;  // p, s
  using Model = std::map<Key, std::string>;

  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void TearDown() override {
    store_.reset();
    db_.reset();
    spdlog::set_level(spdlog::level::info);
  }

  Status TryOpen() {
    engine::Options options;
    options.memtable_bytes_max = 16 << 10;  // flushes and compactions are part of the play
    options.memtable_budget_bytes = 256 << 10;
    options.durability =
        random_.OneIn(2) ? engine::Durability::kDurable : engine::Durability::kRelaxed;
    StoreOptions store_options;
    store_options.sync_writes = true;
    store_options.page_bytes_max = 2000;
    VARVE_ASSIGN_OR_RETURN(db_, engine::Db::Open(io_, "/db", options));
    VARVE_ASSIGN_OR_RETURN(store_, io::BlockOn(io_, Store::Open(io_, *db_, store_options)));
    return absl::OkStatus();
  }
  // A crash may strike while it closes or opens.
  void Reopen() {
    for (;;) {
      store_.reset();
      db_.reset();
      if (io_.crashed()) io_.Restart();
      const Status opened = TryOpen();
      if (opened.ok()) return;
      ASSERT_TRUE(io_.crashed()) << opened;
    }
  }

  Key RandomKey() {
    return {std::string(1, static_cast<char>('a' + random_.Below(3))),
            static_cast<int>(random_.Below(30))};
  }
  static std::string KeyText(const Key& key) {
    return fmt::format("{{'p':{{'S':'{}'}},'s':{{'N':'{}'}}}}", key.first, key.second);
  }
  std::string RandomItem(const Key& key) {
    return fmt::format("{{'n':{{'N':'{}'}},'p':{{'S':'{}'}},'s':{{'N':'{}'}},'v':{{'S':'{}'}}}}",
                       random_.Below(100), key.first, key.second,
                       std::string(random_.OneIn(20) ? 30000 : random_.Below(200), 'x'));
  }

  // The item as it is stored; "none" if it isn't there.
  std::string Read(const Key& key) {
    GetItemRequest request;
    request.table_name = "T";
    request.key = ItemOf(KeyText(key));
    const auto response = io::BlockOn(io_, store_->GetItem(request));
    if (!response.ok()) return ErrorText(response.status());
    return response->item ? TextOf(*response->item) : "none";
  }
  std::string Expected(const Key& key) {
    const auto found = model_.find(key);
    return found == model_.end() ? "none" : found->second;
  }

  // Each write changes the model by what it does if it is acknowledged; if it is not, what is there
  // afterwards must be the old or the new.
  void Settle(const Status& status, const std::map<Key, std::string>& news) {
    bool as_new = status.ok();
    if (!status.ok()) {
      ASSERT_TRUE(io_.crashed()) << status;
      Reopen();
      as_new = Read(news.begin()->first) == news.begin()->second;
    }
    for (const auto& [key, text] : news) {
      if (as_new) {
        if (text == "none") {
          model_.erase(key);
        } else {
          model_[key] = text;
        }
      }
      EXPECT_EQ(Read(key), Expected(key));
    }
  }

  void PutOne() {
    const Key key = RandomKey();
    const std::string text = RandomItem(key);
    PutItemRequest request;
    request.table_name = "T";
    request.item = ItemOf(text);
    Settle(io::BlockOn(io_, store_->PutItem(request)).status(), {{key, text}});
  }
  void DeleteOne() {
    const Key key = RandomKey();
    DeleteItemRequest request;
    request.table_name = "T";
    request.key = ItemOf(KeyText(key));
    Settle(io::BlockOn(io_, store_->DeleteItem(request)).status(), {{key, "none"}});
  }
  void UpdateOne() {
    const Key key = RandomKey();
    UpdateItemRequest request;
    request.table_name = "T";
    request.key = ItemOf(KeyText(key));
    request.update_expression = "SET n = if_not_exists(n, :zero) + :one REMOVE v";
    request.expression_parameters.values.emplace();
    request.expression_parameters.values->emplace_back(":zero", Value::OfNumber(Number()));
    request.expression_parameters.values->emplace_back(":one", Value::OfNumber(Number::FromInt(1)));
    int64_t n = 0;
    if (const auto old = model_.find(key); old != model_.end()) {
      ItemOf(old->second).view().Find("n")->number().ToInt64(&n);
    }
    const std::string text = fmt::format("{{'n':{{'N':'{}'}},'p':{{'S':'{}'}},'s':{{'N':'{}'}}}}",
                                         n + 1, key.first, key.second);
    Settle(io::BlockOn(io_, store_->UpdateItem(request)).status(), {{key, text}});
  }
  void WriteBatch() {
    BatchWriteItemRequest request;
    request.request_items.emplace_back("T", std::vector<WriteRequest>());
    std::map<Key, std::string> news;
    for (uint64_t i = random_.Between(2, 10); i > 0; --i) {
      const Key key = RandomKey();
      if (news.contains(key)) continue;
      WriteRequest write;
      if (random_.OneIn(3)) {
        news[key] = "none";
        write.delete_key = ItemOf(KeyText(key));
      } else {
        news[key] = RandomItem(key);
        write.put_item = ItemOf(news[key]);
      }
      request.request_items[0].second.push_back(std::move(write));
    }
    // Puts of new text tell old from new by themselves; put one first.
    for (const auto& [key, text] : news) {
      if (text == Expected(key)) return;
    }
    Settle(io::BlockOn(io_, store_->BatchWriteItem(request)).status(), news);
  }

  // One partition in pages, in either direction.
  void QueryOne() {
    QueryRequest request;
    request.table_name = "T";
    const std::string p(1, static_cast<char>('a' + random_.Below(3)));
    const int low = static_cast<int>(random_.Below(30)),
              high = static_cast<int>(random_.Between(low, 30));
    request.key_condition_expression = "p = :p AND s BETWEEN :low AND :high";
    request.expression_parameters.values.emplace();
    auto& values = *request.expression_parameters.values;
    values.emplace_back(":p", Value::String(p));
    values.emplace_back(":low", Value::OfNumber(Number::FromInt(low)));
    values.emplace_back(":high", Value::OfNumber(Number::FromInt(high)));
    request.scan_index_forward = random_.OneIn(2);
    if (random_.OneIn(2)) request.limit = static_cast<int64_t>(random_.Between(1, 10));
    std::vector<std::string> got;
    do {
      const auto page = io::BlockOn(io_, store_->Query(request));
      ASSERT_TRUE(page.ok()) << page.status();
      for (const ItemView item : page->items) got.push_back(TextOf(item));
      request.exclusive_start_key = page->last_evaluated_key;
    } while (request.exclusive_start_key);
    std::vector<std::string> expected;
    for (const auto& [key, text] : model_) {
      if (key.first == p && key.second >= low && key.second <= high) expected.push_back(text);
    }
    if (!request.scan_index_forward) std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(got, expected);
  }
  void ScanAll() {
    ScanRequest request;
    request.table_name = "T";
    std::vector<std::string> got, expected;
    do {
      const auto page = io::BlockOn(io_, store_->Scan(request));
      ASSERT_TRUE(page.ok()) << page.status();
      for (const ItemView item : page->items) got.push_back(TextOf(item));
      request.exclusive_start_key = page->last_evaluated_key;
    } while (request.exclusive_start_key);
    for (const auto& [key, text] : model_) expected.push_back(text);
    std::sort(got.begin(), got.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(got, expected);
  }

  Random random_{GetParam()};
  io::SimIo io_{{.seed = GetParam()}};
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<Store> store_;
  Model model_;
};

TEST_P(StoreModel, AgreesWithAMap) {
  Reopen();
  CreateTableRequest create;
  create.table_name = "T";
  create.billing_mode = BillingMode::kPayPerRequest;
  create.attribute_definitions = {{"p", ValueType::kString}, {"s", ValueType::kNumber}};
  create.key_schema = {{"p", KeyType::kHash}, {"s", KeyType::kRange}};
  ASSERT_TRUE(io::BlockOn(io_, store_->CreateTable(create)).ok());
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
    if (random_.OneIn(40)) io_.ArmCrash(io::SimCrash::kPower, random_.Between(1, 20));
    switch (random_.Below(8)) {
      case 0:
      case 1:
      case 2:
        PutOne();
        break;
      case 3:
        DeleteOne();
        break;
      case 4:
        UpdateOne();
        break;
      case 5:
        WriteBatch();
        break;
      case 6:
        if (io_.crashed()) Reopen();
        io_.DisarmCrash();
        QueryOne();
        break;
      default:
        if (io_.crashed() || random_.OneIn(8)) Reopen();
        io_.DisarmCrash();
        ScanAll();
    }
  }
  if (io_.crashed()) Reopen();
  io_.DisarmCrash();
  ScanAll();
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModel, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace varve::item
