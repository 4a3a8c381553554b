// The store under real threads.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "engine/db.h"
#include "item/store.h"
#include "text.h"

namespace varve::item {
namespace {

// What several workers share.
struct Work {
  Store* store;
  std::atomic<int> running;
  std::atomic<int> failures{0};
  io::Event done;
};

// Counts up an attribute of item `id`, which others count up too, and writes batches that overlap
// with those of others.
io::Task<void> CountUp(Work* work, int id) {
  UpdateItemRequest update;
  update.table_name = "T";
  update.key = ItemOf("{'p':{'S':'counter'}}");
  update.update_expression = "ADD n :one";
  update.expression_parameters.values.emplace();
  update.expression_parameters.values->emplace_back(":one", Value::OfNumber(Number::FromInt(1)));
  BatchWriteItemRequest batch;
  batch.request_items.emplace_back("T", std::vector<WriteRequest>());
  for (int i = 0; i < 10; ++i) {
    WriteRequest write;
    write.put_item =
        ItemOf(fmt::format("{{'p':{{'S':'{}'}},'by':{{'N':'{}'}}}}", (id + i) % 12, id));
    batch.request_items[0].second.push_back(std::move(write));
  }
  for (int i = 0; i < 50; ++i) {
    const auto updated = co_await work->store->UpdateItem(update);
    const auto written = co_await work->store->BatchWriteItem(batch);
    if (!updated.ok() || !written.ok()) ++work->failures;
  }
  if (--work->running == 0) work->done.Set();
}

io::Task<void> WaitFor(Work* work) { co_await work->done.Wait(); }

TEST(StoreThreads, LoseNoUpdateAndDoNotDeadlock) {
  const std::string directory = testing::TempDir() + "/varve-store-threads";
  std::filesystem::remove_all(directory);
  const std::unique_ptr<io::Io> io = io::NewIo();
  {
    engine::Options options;
    options.durability = engine::Durability::kRelaxed;
    auto db = engine::Db::Open(*io, directory, options);
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = io::BlockOn(*io, Store::Open(*io, **db, {}));
    ASSERT_TRUE(store.ok()) << store.status();
    CreateTableRequest create;
    create.table_name = "T";
    create.billing_mode = BillingMode::kPayPerRequest;
    create.attribute_definitions = {{"p", ValueType::kString}};
    create.key_schema = {{"p", KeyType::kHash}};
    ASSERT_TRUE(io::BlockOn(*io, (*store)->CreateTable(create)).ok());

    constexpr int kTasks = 12;
    Work work{store->get(), kTasks};
    {
      std::vector<std::unique_ptr<io::Worker>> workers;
      for (int i = 0; i < 3; ++i) workers.push_back(io->StartWorker({.name = "item-test"}));
      for (int i = 0; i < kTasks; ++i) workers[i % 3]->executor().Spawn(CountUp(&work, i));
      io::BlockOn(*io, WaitFor(&work));
    }
    EXPECT_EQ(work.failures, 0);

    GetItemRequest get;
    get.table_name = "T";
    get.key = ItemOf("{'p':{'S':'counter'}}");
    const auto counter = io::BlockOn(*io, (*store)->GetItem(get));
    ASSERT_TRUE(counter.ok() && counter->item);
    EXPECT_EQ(counter->item->view().Find("n")->number(), Number::FromInt(kTasks * 50));
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace varve::item
