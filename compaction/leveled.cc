#include "compaction/leveled.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "compaction/picker.h"

namespace varve::compaction {

LeveledPolicy::Shape LeveledPolicy::ShapeOf(const PartitionView& partition) const {
  Shape shape;
  uint64_t total = LiveBytes(partition.levels[0]);
  int first_used = kLevels - 1;
  for (int level = kLevels - 1; level >= 1; --level) {
    if (!partition.levels[level].empty()) first_used = level;
    total += LiveBytes(partition.levels[level]);
  }
  const auto ratio = static_cast<double>(options_.level_size_ratio);
  const auto base_bytes = static_cast<double>(options_.base_level_bytes);
  // The last level's due, and from there upwards until a level is small enough to be the base.
  const double bottom_bytes = static_cast<double>(total) * (1 - 1 / ratio);
  double bytes = bottom_bytes;
  while (shape.base_level > 1 && bytes > base_bytes) {
    --shape.base_level;
    bytes /= ratio;
  }
  // Data above the computed base level (the partition was larger once) keeps its level in use.
  shape.base_level = std::min(shape.base_level, first_used);
  // Targets from the base level to the last one, in equal steps of at most about the ratio.
  const int steps = kLevels - 1 - shape.base_level;
  const double step =
      steps == 0 ? 1 : std::max(1.0, std::pow(bottom_bytes / base_bytes, 1.0 / steps));
  double target = base_bytes;
  for (int level = shape.base_level; level < kLevels; ++level) {
    shape.target_bytes[level] = static_cast<uint64_t>(target);
    target *= step;
  }
  return shape;
}

class LeveledPolicy::LeveledPicker : public Picker {
 public:
  LeveledPicker(const LeveledOptions& options, const PartitionView& partition, const Shape& shape)
      : Picker(options, partition, shape.base_level), options_(options), shape_(shape) {}

  std::optional<Plan> Pick() const;

 private:
  struct Candidate {
    double score;
    std::function<std::optional<Plan>()> plan;
  };

  const LeveledOptions& options_;
  const Shape& shape_;
};

std::optional<Plan> LeveledPolicy::LeveledPicker::Pick() const {
  std::vector<Candidate> candidates;
  const std::vector<TableView>& level0 = partition_.levels[0];
  const double level0_score = std::max(
      static_cast<double>(level0.size()) / options_.level0_tables_max,
      static_cast<double>(LiveBytes(level0)) / static_cast<double>(options_.base_level_bytes));
  if (level0_score >= 1) candidates.push_back({level0_score, [this] { return FromLevel0(0); }});

  for (int level = std::max(shape_.base_level, 1); level < kLevels - 1; ++level) {
    uint64_t idle_bytes = 0;  // what is busy is on its way already
    for (const TableView& table : partition_.levels[level]) {
      if (!table.busy) idle_bytes += table.live_bytes;
    }
    const double score =
        static_cast<double>(idle_bytes) / static_cast<double>(shape_.target_bytes[level]);
    if (score < 1) continue;
    candidates.push_back({score, [this, level] { return SinkCheapest(level, level + 1); }});
  }
  for (const WasteCandidate& waste : WasteCandidates()) {
    candidates.push_back({waste.score, [this, waste] { return TryWaste(waste.waste); }});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  for (const Candidate& candidate : candidates) {
    std::optional<Plan> plan = candidate.plan();
    if (!plan.has_value()) continue;
    plan->score = candidate.score;
    return plan;
  }
  return std::nullopt;
}

std::optional<Plan> LeveledPolicy::Pick(const PartitionView& partition) const {
  const Shape shape = ShapeOf(partition);
  return LeveledPicker(options_, partition, shape).Pick();
}

RangeStep LeveledPolicy::PickRange(const PartitionView& partition, const KeyInterval& range,
                                   RangeProgress& progress) const {
  const Shape shape = ShapeOf(partition);
  return LeveledPicker(options_, partition, shape).PickRange(range, progress);
}

double LeveledPolicy::Debt(const PartitionView& partition) const {
  const Shape shape = ShapeOf(partition);
  const uint64_t level0_bytes = LiveBytes(partition.levels[0]);
  double debt = 0;
  double arriving = 0;  // at the level looked at, from those above
  if (partition.levels[0].size() >= static_cast<size_t>(options_.level0_tables_max) ||
      level0_bytes >= options_.base_level_bytes) {
    arriving = static_cast<double>(level0_bytes);
    debt = arriving + static_cast<double>(LiveBytes(partition.levels[shape.base_level]));
  }
  for (int level = shape.base_level; level < kLevels - 1; ++level) {
    const double bytes = static_cast<double>(LiveBytes(partition.levels[level])) + arriving;
    arriving = std::max(0.0, bytes - static_cast<double>(shape.target_bytes[level]));
    // Each byte that leaves drags along what its table overlaps, the least that there is.
    const double below = static_cast<double>(LiveBytes(partition.levels[level + 1]));
    debt += arriving * (1 + below / std::max(bytes, 1.0) / 2);
  }
  return debt;
}

}  // namespace varve::compaction
