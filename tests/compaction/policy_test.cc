// CheckPlan and the policies, as tables of text in testdata/, and what must hold of any partition.
#include "compaction/policy.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/random.h"
#include "compaction/lazy_leveled.h"
#include "compaction/leveled.h"
#include "compaction/tiered.h"
#include "data_driven.h"
#include "partition_text.h"

namespace varve::compaction {
namespace {

using testing::TextCase;
using testing::Words;

// Sizes that read well in a table of text.
LeveledOptions SmallOptions() {
  LeveledOptions options;
  options.base_level_bytes = 100;
  options.table_bytes_target = 10;
  options.overlap_below_bytes_max = 60;
  options.plan_bytes_max = 1000;
  options.garbage_bytes_min = 4;
  options.value_garbage_bytes_min = 100;
  return options;
}

RunOptions SmallRunOptions() {
  RunOptions options;
  options.table_bytes_target = 10;
  options.plan_bytes_max = 300;
  options.upper_bytes_min = options.upper_idle_bytes_min = 20;
  options.upper_share_max = 0.4;
  options.upper_share_idle_max = 0.13;
  options.flush_run_bytes_min = 1000;
  options.run_table_bytes = 5;
  options.garbage_bytes_min = 4;
  options.value_garbage_bytes_min = 100;
  return options;
}

Plan ParsePlan(const std::vector<std::string>& words) {
  Plan plan;
  for (const std::string& word : words) {
    if (word == "move") {
      plan.trivial_move = true;
    } else if (word.starts_with("->L")) {
      plan.output_level = std::stoi(word.substr(3));
    } else if (word[0] == 'L') {
      plan.inputs.push_back({std::stoi(word.substr(1)), {}});
    } else if (word.starts_with("cut=")) {
      plan.cuts.push_back(word.substr(4));
    } else if (word != "check") {
      plan.inputs.back().tables.push_back(std::stoull(word));
    }
  }
  return plan;
}

std::string RunPolicyCase(const Policy& policy, PartitionText& partition,
                          const TextCase& text_case) {
  const std::vector<std::string> words = Words(text_case.command);
  if (!text_case.input.empty()) partition.Parse(text_case.input);
  const PartitionView& view = partition.view;
  if (words[0] == "check") {
    const Status status = CheckPlan(view, ParsePlan(words));
    return fmt::format("{}\n", status.ok() ? "ok" : Message(status));
  }
  if (words[0] == "shape") {
    const LeveledPolicy::Shape shape = dynamic_cast<const LeveledPolicy&>(policy).ShapeOf(view);
    return fmt::format("base L{}, targets {}\n", shape.base_level,
                       fmt::join(shape.target_bytes, " "));
  }
  if (words[0] == "debt") return fmt::format("{:.0f}\n", policy.Debt(view));
  if (words[0] == "pick") {
    const std::optional<Plan> plan = policy.Pick(view);
    if (!plan.has_value()) return "nothing\n";
    EXPECT_TRUE(CheckPlan(view, *plan).ok()) << CheckPlan(view, *plan);
    return PartitionText::Format(*plan);
  }
  if (words[0] == "flush") {
    const FlushShape shape = policy.ShapeFlush(view, std::stoull(words[1]));
    const uint64_t target = shape.table_bytes_target;
    return fmt::format("cuts [{}]{}\n", fmt::join(shape.cuts, " "),
                       target > 0 ? fmt::format(", tables of {}", target) : "");
  }
  if (words[0] == "pressure") return fmt::format("{:.2f}\n", policy.SpacePressure(view));
  if (words[0] == "range") {  // range BEGIN END LEVEL [KEY]
    RangeProgress progress;
    progress.level = std::stoi(words[3]);
    if (words.size() > 4) progress.key = words[4];
    const std::string begin = words[1] == "-" ? "" : words[1];
    const std::string end = words[2] == "-" ? "" : words[2];
    const KeyInterval range{begin, end, false};
    const RangeStep step = policy.PickRange(view, range, progress);
    if (step.outcome == RangeStep::Outcome::kBusy) return "busy\n";
    if (step.outcome == RangeStep::Outcome::kDone) return "done\n";
    EXPECT_TRUE(CheckPlan(view, step.plan).ok()) << CheckPlan(view, step.plan);
    return PartitionText::Format(step.plan) +
           fmt::format("then L{} {}\n", progress.level, progress.key);
  }
  return "unknown command\n";
}

void RunPolicyFile(std::string_view name, const Policy& policy = LeveledPolicy(SmallOptions())) {
  PartitionText partition;
  testing::RunTextCases(fmt::format("{}/{}", VARVE_TEST_DATA, name),
                        [&](const TextCase& c) { return RunPolicyCase(policy, partition, c); });
}

TEST(CheckPlan, HoldsWhatPlansPromise) { RunPolicyFile("check_plan"); }
TEST(LeveledPolicy, ShapesLevelsFromTheBottomUp) { RunPolicyFile("leveled_shape"); }
TEST(LeveledPolicy, PicksWhatIsOutOfShape) { RunPolicyFile("leveled_pick"); }
TEST(LeveledPolicy, PicksGarbageAndTombstones) { RunPolicyFile("leveled_garbage"); }
TEST(LeveledPolicy, WalksARangeDownToTheLastLevel) { RunPolicyFile("leveled_range"); }

TEST(LazyLeveledPolicy, MergesFlushesIntoRuns) {
  RunPolicyFile("lazy_leveled_runs", LazyLeveledPolicy(SmallRunOptions()));
}
TEST(LazyLeveledPolicy, MergesSlicesIntoTheBottomRun) {
  RunPolicyFile("lazy_leveled_bottom", LazyLeveledPolicy(SmallRunOptions()));
}
TEST(LazyLeveledPolicy, TakesFlushesAsRuns) {
  RunOptions options = SmallRunOptions();
  options.flush_run_bytes_min = 25;
  RunPolicyFile("lazy_leveled_flushes", LazyLeveledPolicy(options));
}
TEST(TieredPolicy, LetsRunsComeToAsMuchAsTheOldest) {
  RunPolicyFile("tiered", TieredPolicy(SmallRunOptions()));
}

// ---- A partition that plans are applied to, tables only

class FakePartition {
 public:
  explicit FakePartition(uint64_t seed) : random_(seed) {}

  // A flush: a table in front of level 0.
  void Flush() {
    const uint64_t width = random_.OneIn(4) ? 1 : 1 + random_.Below(1000);
    const uint64_t first = random_.Below(1000);
    levels_[0].insert(levels_[0].begin(), NewTable(first, std::min<uint64_t>(first + width, 1000),
                                                   1 + random_.Below(20)));
  }

  // Somewhere, references elsewhere go, so that garbage appears.
  void LoseReferences() {
    for (auto& level : levels_) {
      for (Table& table : level) {
        if (random_.OneIn(6)) table.live_bytes = 1 + random_.Below(table.bytes);
      }
    }
  }

  PartitionView View(bool some_busy, bool idle = false) {
    PartitionView view;
    view.idle = idle;
    std::map<uint64_t, uint64_t> value_bytes;
    for (int level = 0; level < kLevels; ++level) {
      for (const Table& table : levels_[level]) {
        TableView& shown = view.levels[level].emplace_back();
        shown.number = table.number;
        shown.bytes = table.bytes;
        shown.live_bytes = shown.referenced_bytes = table.live_bytes;
        shown.keys = {table.first, table.last, true};
        shown.entries = 100;
        shown.tombstones = table.tombstones;
        shown.sequence_min = shown.sequence_max = table.number;
        shown.value_files = table.value_files;
        shown.busy = some_busy && random_.OneIn(8);
        for (const auto& use : table.value_files) value_bytes[use.file_number] += use.stored_bytes;
      }
    }
    for (const auto& [number, bytes] : value_bytes) {
      view.value_files.push_back({number, value_file_bytes_[number], bytes});
    }
    return view;
  }

  // Inputs leave, tables with the same keys and live bytes arrive.
  void Apply(const Plan& plan) {
    std::vector<Table> inputs;
    for (const Plan::Input& input : plan.inputs) {
      std::erase_if(levels_[input.level], [&](const Table& table) {
        const bool named = std::count(input.tables.begin(), input.tables.end(), table.number) > 0;
        if (named) inputs.push_back(table);
        return named;
      });
    }
    std::vector<Table>& output = levels_[plan.output_level];
    if (plan.trivial_move) {
      output.insert(output.end(), inputs.begin(), inputs.end());
    } else {
      Rewrite(inputs, plan, output);
    }
    std::sort(output.begin(), output.end(),
              [](const Table& a, const Table& b) { return a.first < b.first; });
    for (size_t i = 1; i < output.size(); ++i) {
      ASSERT_LT(output[i - 1].last, output[i].first) << "overlap in level " << plan.output_level;
    }
  }

  uint64_t tables(int level) const { return levels_[level].size(); }
  uint64_t level0_runs() const {
    return CountRuns(levels_[0], [](const Table& table) {
      return KeyInterval{table.first, table.last, true};
    });
  }

  uint64_t bytes(int level) const {
    uint64_t bytes = 0;
    for (const Table& table : levels_[level]) bytes += table.live_bytes;
    return bytes;
  }

  // Flags that no garbage is left which a policy with `options` should have taken.
  bool Clean(const PlanLimits& options) const {
    for (int level = 1; level < kLevels; ++level) {
      for (const Table& table : levels_[level]) {
        if (table.bytes - table.live_bytes >= options.garbage_bytes_min &&
            static_cast<double>(table.live_bytes) <
                options.referenced_share_min * static_cast<double>(table.bytes)) {
          return false;
        }
        if (table.tombstones >= 50) return false;
      }
    }
    return true;
  }

 private:
  struct Table {
    uint64_t number;
    std::string first;
    std::string last;
    uint64_t bytes;
    uint64_t live_bytes;
    uint64_t tombstones;
    std::vector<sstable::ValueFileUse> value_files;
  };

  static std::string Key(uint64_t n) { return fmt::format("{:04}", n); }

  Table NewTable(uint64_t first, uint64_t last, uint64_t bytes) {
    Table table{++number_, Key(first), Key(last), bytes, bytes, random_.Below(80), {}};
    if (random_.OneIn(3)) {
      value_file_bytes_[number_] = 1000;
      table.value_files.push_back({number_, 1, 1 + random_.Below(1000)});
    }
    return table;
  }

  // One table of all inputs, cut into pieces of disjoint keys.
  void Rewrite(const std::vector<Table>& inputs, const Plan& plan, std::vector<Table>& output) {
    uint64_t bytes = 0;
    uint64_t first = 9999;
    uint64_t last = 0;
    bool tombstones = false;
    std::vector<sstable::ValueFileUse> uses;
    for (const Table& table : inputs) {
      bytes += table.live_bytes;
      first = std::min<uint64_t>(first, std::stoull(table.first));
      last = std::max<uint64_t>(last, std::stoull(table.last));
      tombstones = tombstones || table.tombstones > 0;
      for (const auto& use : table.value_files) {
        if (!std::binary_search(plan.rewrite_value_files.begin(), plan.rewrite_value_files.end(),
                                use.file_number)) {
          uses.push_back(use);
        }
      }
    }
    bool below = false;
    for (int level = plan.output_level + 1; level < kLevels; ++level) {
      for (const Table& table : levels_[level]) {
        below = below || (table.first <= Key(last) && Key(first) <= table.last);
      }
    }
    const uint64_t pieces =
        std::min<uint64_t>(1 + bytes / plan.table_bytes_target, last - first + 1);
    for (uint64_t i = 0; i < pieces; ++i) {
      Table table{++number_,
                  Key(first + (last - first + 1) * i / pieces),
                  Key(first + (last - first + 1) * (i + 1) / pieces - 1),
                  std::max<uint64_t>(bytes / pieces, 1),
                  std::max<uint64_t>(bytes / pieces, 1),
                  below && tombstones ? 55u : 0u,
                  {}};
      if (i == 0) table.value_files = uses;
      output.push_back(std::move(table));
    }
  }

  Random random_;
  uint64_t number_ = 0;
  std::vector<Table> levels_[kLevels];
  std::map<uint64_t, uint64_t> value_file_bytes_;
};

// A policy, and what its tests look at beside its plans.
struct PolicyCase {
  std::string name;
  std::shared_ptr<const Policy> policy;
  PlanLimits limits;
  double upper_share_idle_max = 0;  // 0: it promises none
  bool takes_flushes = false;       // as runs: of level 0 it counts these
};

PolicyCase LeveledCase() {
  return {"Leveled", std::make_shared<LeveledPolicy>(SmallOptions()), SmallOptions()};
}
PolicyCase LazyLeveledCase() {
  const RunOptions options = SmallRunOptions();
  return {"LazyLeveled", std::make_shared<LazyLeveledPolicy>(options), options,
          options.upper_share_idle_max};
}
PolicyCase LazyLeveledFlushesCase() {
  RunOptions options = SmallRunOptions();
  options.flush_run_bytes_min = 12;
  return {"LazyLeveledFlushes", std::make_shared<LazyLeveledPolicy>(options), options,
          options.upper_share_idle_max, true};
}
PolicyCase TieredCase() {
  const auto policy = std::make_shared<TieredPolicy>(SmallRunOptions());
  return {"Tiered", policy, policy->options(), policy->options().upper_share_idle_max};
}

class AnyPolicy : public ::testing::TestWithParam<PolicyCase> {};
INSTANTIATE_TEST_SUITE_P(Policies, AnyPolicy,
                         ::testing::Values(LeveledCase(), LazyLeveledCase(),
                                           LazyLeveledFlushesCase(), TieredCase()),
                         [](const auto& info) { return info.param.name; });

TEST_P(AnyPolicy, PlansAreSoundAndEndWhateverThePartition) {
  const Policy& policy = *GetParam().policy;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    FakePartition partition(seed);
    for (int round = 0; round < 60; ++round) {
      for (uint64_t i = random.Between(1, 4); i > 0; --i) partition.Flush();
      if (random.OneIn(5)) partition.LoseReferences();
      if (random.OneIn(3)) {  // while others are at work
        const PartitionView view = partition.View(/*some_busy=*/true);
        if (const std::optional<Plan> plan = policy.Pick(view)) {
          ASSERT_TRUE(CheckPlan(view, *plan).ok()) << CheckPlan(view, *plan);
        }
      }
      int plans = 0;
      const bool idle = random.OneIn(4);
      while (true) {
        const PartitionView view = partition.View(/*some_busy=*/false, idle);
        const std::optional<Plan> plan = policy.Pick(view);
        if (!plan.has_value()) {
          ASSERT_EQ(policy.Debt(view), 0);
          break;
        }
        ASSERT_TRUE(CheckPlan(view, *plan).ok()) << CheckPlan(view, *plan);
        ASSERT_LT(++plans, 500) << "no end: " << PartitionText::Format(*plan);
        partition.Apply(*plan);
        if (HasFatalFailure()) return;
      }
      if (GetParam().takes_flushes) {
        ASSERT_LT(partition.level0_runs(), 8u);
      } else {
        ASSERT_LT(partition.tables(0), 4u);
      }
      ASSERT_TRUE(partition.Clean(GetParam().limits));
      uint64_t upper_bytes = 0;
      for (int level = 0; level < kLevels - 1; ++level) upper_bytes += partition.bytes(level);
      if (idle && upper_bytes > 20 && GetParam().upper_share_idle_max > 0) {
        ASSERT_LE(
            static_cast<double>(upper_bytes),
            GetParam().upper_share_idle_max * static_cast<double>(partition.bytes(kLevels - 1)));
      }
    }
  }
}

// A directory may be opened under another policy than it was written with.
TEST_P(AnyPolicy, MakesDoWithWhatOthersLeft) {
  const std::vector<PolicyCase> cases = {LeveledCase(), LazyLeveledCase(), TieredCase()};
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    FakePartition partition(seed);
    for (int round = 0; round < 20; ++round) {
      const Policy& policy =
          round % 2 == 0 ? *cases[random.Below(cases.size())].policy : *GetParam().policy;
      for (uint64_t i = random.Between(4, 40); i > 0; --i) {
        partition.Flush();
        for (int plans = 0;; ++plans) {
          const PartitionView view = partition.View(false, random.OneIn(4));
          const std::optional<Plan> plan = policy.Pick(view);
          if (!plan.has_value()) break;
          ASSERT_TRUE(CheckPlan(view, *plan).ok()) << CheckPlan(view, *plan);
          ASSERT_LT(plans, 500) << "no end: " << PartitionText::Format(*plan);
          partition.Apply(*plan);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(AnyPolicy, ARangeEndsInOneLevel) {
  const Policy& policy = *GetParam().policy;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    FakePartition partition(seed);
    Random random(seed);
    for (int i = 0; i < 80; ++i) {
      partition.Flush();
      if (random.OneIn(4)) {
        const PartitionView view = partition.View(false);
        if (const std::optional<Plan> plan = policy.Pick(view)) partition.Apply(*plan);
      }
    }
    RangeProgress progress;
    for (int plans = 0;; ++plans) {
      const PartitionView view = partition.View(false);
      const RangeStep step = policy.PickRange(view, {}, progress);
      if (step.outcome == RangeStep::Outcome::kDone) break;
      ASSERT_EQ(step.outcome, RangeStep::Outcome::kPlan);
      ASSERT_TRUE(CheckPlan(view, step.plan).ok()) << CheckPlan(view, step.plan);
      ASSERT_LT(plans, 500);
      partition.Apply(step.plan);
      if (HasFatalFailure()) return;
    }
    int levels_in_use = 0;
    for (int level = 0; level < kLevels; ++level) levels_in_use += partition.tables(level) > 0;
    EXPECT_EQ(levels_in_use, 1);
  }
}

TEST(KeyInterval, KnowsWhatItHolds) {
  const KeyInterval closed{"b", "d", true};
  const KeyInterval open{"b", "d", false};
  const KeyInterval all{};
  EXPECT_TRUE(closed.Contains("d"));
  EXPECT_FALSE(open.Contains("d"));
  EXPECT_TRUE(all.Contains("zzz"));
  EXPECT_TRUE(closed.Overlaps({"d", "e", true}));
  EXPECT_FALSE(open.Overlaps({"d", "e", true}));
  EXPECT_TRUE(all.Overlaps(open));
  EXPECT_FALSE(closed.Overlaps({"e", "d", true}));
  EXPECT_EQ(Hull(open, closed), closed);
  EXPECT_EQ(Hull(closed, {"c", "", false}), (KeyInterval{"b", "", false}));
  EXPECT_EQ(Intersection(closed, open), open);
  EXPECT_EQ(Intersection(all, open), open);
  EXPECT_TRUE(Intersection({"a", "b", false}, closed).empty());
}

}  // namespace
}  // namespace varve::compaction
