// A Store on a simulated disk, driven by text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/db.h"
#include "io/sim.h"
#include "item/keys.h"
#include "item/store.h"
#include "text.h"

namespace varve::item {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { Close(); }

  void Open() {
    auto db = engine::Db::Open(io_, "/db", db_options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    auto store = io::BlockOn(io_, Store::Open(io_, *db_, store_options_));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Close() {
    store_.reset();
    db_.reset();
  }
  void Reopen() {
    Close();
    Open();
  }

  // Runs an operation to its end.
  template <typename T>
  T Run(io::Task<T> task) {
    return io::BlockOn(io_, std::move(task));
  }

  // A table of partition key `p` and, unless `sort` is null, sort key `s`.
  std::string MakeTable(std::string_view name, std::optional<ValueType> sort = std::nullopt,
                        ValueType partition = ValueType::kString) {
    const auto response = Run(store_->CreateTable(TableRequest(name, sort, partition)));
    return ErrorText(response.status());
  }
  // The request stays alive until the next one is made.
  const CreateTableRequest& TableRequest(std::string_view name, std::optional<ValueType> sort,
                                         ValueType partition = ValueType::kString) {
    create_ = {};
    create_.table_name = name;
    create_.billing_mode = BillingMode::kPayPerRequest;
    create_.attribute_definitions.push_back({"p", partition});
    create_.key_schema.push_back({"p", KeyType::kHash});
    if (sort) {
      create_.attribute_definitions.push_back({"s", *sort});
      create_.key_schema.push_back({"s", KeyType::kRange});
    }
    return create_;
  }

  std::string Put(std::string_view table, std::string_view item) {
    PutItemRequest request;
    request.table_name = table;
    request.item = ItemOf(item);
    return ErrorText(Run(store_->PutItem(request)).status());
  }
  std::string Delete(std::string_view table, std::string_view key) {
    DeleteItemRequest request;
    request.table_name = table;
    request.key = ItemOf(key);
    return ErrorText(Run(store_->DeleteItem(request)).status());
  }
  // The item as text, "none", or the error.
  std::string Get(std::string_view table, std::string_view key) {
    GetItemRequest request;
    request.table_name = table;
    request.key = ItemOf(key);
    const auto response = Run(store_->GetItem(request));
    if (!response.ok()) return ErrorText(response.status());
    return response->item ? TextOf(*response->item) : "none";
  }

  // ":a={'N':'1'}" and so on.
  static ExpressionParameters Values(
      std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
    ExpressionParameters parameters;
    parameters.values.emplace();
    for (const auto& [name, text] : values) {
      const Item item = ItemOf(fmt::format("{{'v':{}}}", text));
      parameters.values->emplace_back(name, Value(*item.view().Find("v")));
    }
    return parameters;
  }

  engine::Options db_options_;
  StoreOptions store_options_;
  io::SimIo io_{{.seed = 1}};
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<Store> store_;
  CreateTableRequest create_;
};

}  // namespace varve::item
