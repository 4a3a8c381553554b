#include "compaction/policy.h"

#include <algorithm>

namespace varve::compaction {
namespace {

// The tables of one level, marked as inputs or not.
struct MarkedLevel {
  std::vector<bool> input;
  bool any = false;
};

// Marks what the plan names; an error if that does not fit the view.
StatusOr<std::vector<MarkedLevel>> MarkInputs(const PartitionView& partition, const Plan& plan) {
  std::vector<MarkedLevel> marks(kLevels);
  for (int level = 0; level < kLevels; ++level) {
    marks[level].input.resize(partition.levels[level].size());
  }
  int previous = -1;
  for (const Plan::Input& input : plan.inputs) {
    if (input.level <= previous || input.level >= kLevels) {
      return InvalidArgument("input levels are not in order at level {}", input.level);
    }
    previous = input.level;
    if (input.tables.empty()) return InvalidArgument("no table named in level {}", input.level);
    const std::vector<TableView>& tables = partition.levels[input.level];
    MarkedLevel& marked = marks[input.level];
    size_t position = 0;
    for (const uint64_t number : input.tables) {
      while (position < tables.size() && tables[position].number != number) ++position;
      if (position == tables.size()) {
        return InvalidArgument("table {} is not in level {}, or not in this order", number,
                               input.level);
      }
      if (tables[position].busy) return InvalidArgument("table {} is busy", number);
      marked.input[position] = true;
      marked.any = true;
    }
  }
  return marks;
}

// The hull of the marked tables of one level, taken into `hull`.
void Extend(std::optional<KeyInterval>& hull, const std::vector<TableView>& tables,
            const MarkedLevel& marked) {
  for (size_t i = 0; i < tables.size(); ++i) {
    if (!marked.input[i] || tables[i].keys.empty()) continue;
    hull = hull.has_value() ? Hull(*hull, tables[i].keys) : tables[i].keys;
  }
}

}  // namespace

Status CheckPlan(const PartitionView& partition, const Plan& plan) {
  if (plan.inputs.empty()) return InvalidArgument("no inputs");
  if (plan.output_level < 1 || plan.output_level >= kLevels) {
    return InvalidArgument("output level {} does not exist or is 0", plan.output_level);
  }
  if (plan.output_level < plan.inputs.back().level) {
    return InvalidArgument("output level {} is above an input's level {}", plan.output_level,
                           plan.inputs.back().level);
  }
  if (!std::is_sorted(plan.cuts.begin(), plan.cuts.end())) {
    return InvalidArgument("cuts are not in order");
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<MarkedLevel> marks, MarkInputs(partition, plan));

  // From the top down: what comes from above must take along whatever older data it overlaps, as
  // far as it sinks.
  std::optional<KeyInterval> hull;
  const int top = plan.inputs.front().level;
  if (top == 0) {
    const std::vector<TableView>& tables = partition.levels[0];
    Extend(hull, tables, marks[0]);
    bool seen = false;
    for (size_t i = 0; i < tables.size(); ++i) {
      seen = seen || marks[0].input[i];
      if (seen && !marks[0].input[i] && hull.has_value() && hull->Overlaps(tables[i].keys)) {
        return InvalidArgument("table {} of level 0 is older than an input and overlaps",
                               tables[i].number);
      }
    }
  }
  for (int level = std::max(top, 1); level <= plan.output_level; ++level) {
    const std::vector<TableView>& tables = partition.levels[level];
    for (size_t i = 0; i < tables.size(); ++i) {
      if (marks[level].input[i] || !hull.has_value() || !hull->Overlaps(tables[i].keys)) continue;
      return InvalidArgument("table {} of level {} overlaps inputs from above and is none",
                             tables[i].number, level);
    }
    Extend(hull, tables, marks[level]);
  }
  // Outputs may fill the whole hull of the inputs of their own level.
  const std::vector<TableView>& below = partition.levels[plan.output_level];
  for (size_t i = 0; i < below.size(); ++i) {
    if (!marks[plan.output_level].input[i] && hull.has_value() && hull->Overlaps(below[i].keys)) {
      return InvalidArgument("table {} of level {} lies between inputs and is none",
                             below[i].number, plan.output_level);
    }
  }

  if (plan.trivial_move) {
    if (plan.inputs.back().level == plan.output_level) {
      return InvalidArgument("a trivial move stays in level {}", plan.output_level);
    }
    std::vector<KeyInterval> moved;
    for (const Plan::Input& input : plan.inputs) {
      for (size_t i = 0; i < partition.levels[input.level].size(); ++i) {
        if (marks[input.level].input[i]) moved.push_back(partition.levels[input.level][i].keys);
      }
    }
    std::sort(moved.begin(), moved.end(),
              [](const KeyInterval& a, const KeyInterval& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < moved.size(); ++i) {
      if (moved[i - 1].Overlaps(moved[i])) {
        return InvalidArgument("tables of a trivial move overlap at key \"{}\"", moved[i].begin);
      }
    }
  }
  return absl::OkStatus();
}

std::vector<std::vector<KeyInterval>> IntervalsBelow(const PartitionView& partition,
                                                     const Plan& plan) {
  std::vector<std::vector<KeyInterval>> levels;
  for (int level = plan.output_level + 1; level < kLevels; ++level) {
    if (partition.levels[level].empty()) continue;
    std::vector<KeyInterval>& intervals = levels.emplace_back();
    for (const TableView& table : partition.levels[level]) intervals.push_back(table.keys);
  }
  return levels;
}

std::vector<std::vector<KeyInterval>> AllIntervals(const PartitionView& partition) {
  std::vector<std::vector<KeyInterval>> levels;
  for (const TableView& table : partition.levels[0]) levels.push_back({table.keys});
  for (int level = 1; level < kLevels; ++level) {
    if (partition.levels[level].empty()) continue;
    std::vector<KeyInterval>& intervals = levels.emplace_back();
    for (const TableView& table : partition.levels[level]) intervals.push_back(table.keys);
  }
  return levels;
}

}  // namespace varve::compaction
