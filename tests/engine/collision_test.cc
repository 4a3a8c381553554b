// Compactions side by side: what one moves into a gap between another's inputs.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "compaction/policy.h"
#include "engine/db.h"
#include "engine/manifest.h"
#include "io/sim.h"

namespace varve::engine {
namespace {

using compaction::PartitionView;
using compaction::Plan;
using compaction::TableView;

// Spreads level 1 out, then merges its first and its last table into level 2; asked for more
// meanwhile, it offers to move what stands between them there, too.
class GapPolicy final : public compaction::Policy {
 public:
  std::string_view name() const override { return "gap"; }
  double Debt(const PartitionView&) const override { return 0; }
  compaction::RangeStep PickRange(const PartitionView&, const compaction::KeyInterval&,
                                  compaction::RangeProgress&) const override {
    return {};
  }

  std::optional<Plan> Pick(const PartitionView& view) const override {
    for (int level = 1; level < compaction::kLevels; ++level) {
      const std::vector<TableView>& tables = view.levels[level];
      for (size_t i = 1; i < tables.size(); ++i) {
        EXPECT_TRUE(tables[i - 1].keys.EndsBefore(tables[i].keys.begin)) << "level " << level;
      }
    }
    const std::vector<TableView>& flushed = view.levels[0];
    const std::vector<TableView>& spread = view.levels[1];
    const std::vector<TableView>& merged = view.levels[2];
    if (!ready) return std::nullopt;
    Plan plan;
    plan.score = 1;
    plan.table_bytes_target = uint64_t{1} << 20;
    if (!flushed.empty()) {
      plan.inputs = {{0, {}}};
      for (const TableView& table : flushed) plan.inputs[0].tables.push_back(table.number);
      plan.output_level = 1;
      plan.trivial_move = true;
      return plan;
    }
    plan.output_level = 2;
    if (spread.size() == 3 && !spread[0].busy) {
      plan.inputs = {{1, {spread[0].number, spread[2].number}}};
      return plan;
    }
    if (spread.size() == 3 && merged.empty()) {
      ++offered_while_running;
      plan.inputs = {{1, {spread[1].number}}};
      plan.trivial_move = true;
      return plan;
    }
    if (spread.size() == 1 && merged.size() == 1 && !spread[0].busy && !merged[0].busy) {
      EXPECT_TRUE(merged[0].keys.Overlaps(spread[0].keys));
      ++merged_after;
      plan.inputs = {{1, {spread[0].number}}, {2, {merged[0].number}}};
      return plan;
    }
    return std::nullopt;
  }

  bool ready = false;
  mutable int offered_while_running = 0;
  mutable int merged_after = 0;
};

class CollisionTest : public ::testing::Test {
 protected:
  void Open() {
    db_.reset();
    auto db = Db::Open(io_, "/db", options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // A table with `count` keys that begin with `letter`.
  void FlushTable(char letter, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string key = fmt::format("{}{:04}", letter, i);
      ASSERT_TRUE(db_->Put(key, std::string(200, letter)).ok());
    }
    ASSERT_TRUE(db_->Flush().ok());
  }

  io::SimIo io_{{.seed = 7}};
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(CollisionTest, NothingIsMovedIntoAGapOfAMergeThatRuns) {
  auto policy = std::make_shared<GapPolicy>();
  options_.policy = policy;
  options_.background_workers = 2;
  Open();
  for (const char letter : {'a', 'm', 'x'}) FlushTable(letter, 500);
  policy->ready = true;
  ASSERT_TRUE(db_->Settle().ok());
  EXPECT_GT(policy->offered_while_running, 0);
  EXPECT_EQ(policy->merged_after, 1);
  const DbStats stats = db_->Stats();
  EXPECT_EQ(stats.levels[1].tables, 0u);
  EXPECT_EQ(stats.levels[2].tables, 1u);
  for (const char letter : {'a', 'm', 'x'}) {
    PinnedValue value;
    const auto found = db_->Get(fmt::format("{}0123", letter), &value);
    ASSERT_TRUE(found.ok() && *found) << letter;
    EXPECT_EQ(value.view(), std::string(200, letter));
  }
  Open();
}

TEST_F(CollisionTest, ADirectoryWithOverlappingTablesInALevelIsRefused) {
  Open();
  FlushTable('k', 10);
  ASSERT_TRUE(db_->Close().ok());
  db_.reset();
  {
    auto manifest = io::BlockOn(io_, Manifest::Recover(io_, "/db"));
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    ASSERT_TRUE(io::BlockOn(io_, (*manifest)->Renew()).ok());
    const uint64_t partition = (*manifest)->state().partitions().begin()->first;
    Edit edit;
    for (const auto& [number, smallest, largest] :
         {std::tuple{1001, "b", "m"}, std::tuple{1002, "m", "y"}}) {
      sstable::TableInfo info;
      info.file_number = static_cast<uint64_t>(number);
      info.file_bytes = 4096;
      info.smallest_key = smallest;
      info.largest_key = largest;
      info.entries = 2;
      edit.added_tables.push_back(info);
      edit.added_references.push_back({partition, 3, {.table = info.file_number}});
    }
    ASSERT_TRUE(io::BlockOn(io_, (*manifest)->Commit(std::move(edit), nullptr)).ok());
  }
  const Status status = Db::Open(io_, "/db", options_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  const std::string message(Message(status));
  EXPECT_NE(message.find("/db/MANIFEST-"), std::string::npos) << message;
  EXPECT_NE(message.find("table 1002 overlaps its neighbour in level 3"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace varve::engine
