#include "compaction/leveled.h"

#include <algorithm>
#include <cmath>

namespace varve::compaction {
namespace {

uint64_t LiveBytes(const std::vector<TableView>& tables) {
  uint64_t bytes = 0;
  for (const TableView& table : tables) bytes += table.live_bytes;
  return bytes;
}

uint64_t GarbageBytes(const TableView& table) {
  return table.bytes - std::min(table.bytes, table.referenced_bytes);
}

// Tables [first, last) of a level.
struct Run {
  size_t first = 0;
  size_t last = 0;
  bool empty() const { return first >= last; }
  bool operator==(const Run&) const = default;
};

// The tables of a level from 1 on that overlap `keys`.
Run Overlapping(const std::vector<TableView>& tables, const KeyInterval& keys) {
  const auto first = std::partition_point(
      tables.begin(), tables.end(),
      [&keys](const TableView& table) { return table.keys.EndsBefore(keys.begin); });
  auto last = first;
  while (last != tables.end() && !keys.EndsBefore(last->keys.begin)) ++last;
  return {static_cast<size_t>(first - tables.begin()), static_cast<size_t>(last - tables.begin())};
}

KeyInterval HullOf(const std::vector<TableView>& tables, Run run) {
  KeyInterval hull = tables[run.first].keys;
  for (size_t i = run.first + 1; i < run.last; ++i) hull = Hull(hull, tables[i].keys);
  return hull;
}

bool AnyBusy(const std::vector<TableView>& tables, Run run) {
  return std::any_of(tables.begin() + static_cast<ptrdiff_t>(run.first),
                     tables.begin() + static_cast<ptrdiff_t>(run.last),
                     [](const TableView& table) { return table.busy; });
}

uint64_t LiveBytes(const std::vector<TableView>& tables, Run run) {
  uint64_t bytes = 0;
  for (size_t i = run.first; i < run.last; ++i) bytes += tables[i].live_bytes;
  return bytes;
}

}  // namespace

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

// The state of one call of Pick or PickRange.
class LeveledPolicy::Picker {
 public:
  Picker(const LeveledOptions& options, const PartitionView& partition, const Shape& shape)
      : options_(options), partition_(partition), shape_(shape) {
    for (const ValueFileView& file : partition.value_files) {
      const uint64_t garbage = file.bytes - std::min(file.bytes, file.referenced_bytes);
      const auto bound = options.value_referenced_share_min * static_cast<double>(file.bytes);
      if (garbage >= options.value_garbage_bytes_min &&
          static_cast<double>(file.referenced_bytes) < bound) {
        wasted_value_files_.push_back(file.number);
        wasted_value_bytes_ += garbage;
      }
    }
  }

  std::optional<Plan> Pick();
  RangeStep PickRange(const KeyInterval& range, RangeProgress& progress);

 private:
  enum class Cause : uint8_t { kLevel0, kLevelSize, kGarbage, kValueGarbage, kTombstones };
  struct Candidate {
    Cause cause;
    int level;
    double score;
  };

  std::vector<Candidate> Candidates() const;
  std::optional<Plan> TryLevelSize(int level) const;
  std::optional<Plan> TryGarbage() const;
  std::optional<Plan> TryValueGarbage() const;
  std::optional<Plan> TryTombstones() const;

  // The tables of level 0 from `newest` to the oldest, merged into the base level. Nothing if what
  // that takes is busy.
  std::optional<Plan> FromLevel0(size_t newest) const;
  // The tables `run` of `level`, merged into the next one, with more of the level if that costs
  // nothing there.
  std::optional<Plan> Sink(int level, Run run) const;
  // Table `index` of `level` rewritten where it is; from level 0, into the base level.
  std::optional<Plan> Rewrite(int level, size_t index) const;

  bool Wasted(const TableView& table) const {
    return GarbageBytes(table) >= options_.garbage_bytes_min &&
           static_cast<double>(table.referenced_bytes) <
               options_.referenced_share_min * static_cast<double>(table.bytes);
  }
  bool TombstoneHeavy(const TableView& table) const {
    return table.tombstones > 0 &&
           static_cast<double>(table.tombstones) >=
               options_.tombstone_share_max * static_cast<double>(table.entries);
  }
  // What the table's use of value files that are mostly garbage comes to.
  uint64_t WastedValueUse(const TableView& table) const;
  // Whether it would be a pity to keep the table as it is.
  bool WorthRewriting(const TableView& table) const {
    return Wasted(table) || TombstoneHeavy(table) || WastedValueUse(table) > 0;
  }
  bool AnythingBelow(int level, const KeyInterval& keys) const;

  void AddInput(Plan& plan, int level, Run run) const;
  // What all plans that rewrite have in common.
  void Complete(Plan& plan, const KeyInterval& hull) const;

  const LeveledOptions& options_;
  const PartitionView& partition_;
  const Shape& shape_;
  std::vector<uint64_t> wasted_value_files_;
  uint64_t wasted_value_bytes_ = 0;
};

uint64_t LeveledPolicy::Picker::WastedValueUse(const TableView& table) const {
  uint64_t bytes = 0;
  for (const sstable::ValueFileUse& use : table.value_files) {
    if (std::binary_search(wasted_value_files_.begin(), wasted_value_files_.end(),
                           use.file_number)) {
      bytes += use.stored_bytes;
    }
  }
  return bytes;
}

bool LeveledPolicy::Picker::AnythingBelow(int level, const KeyInterval& keys) const {
  for (int below = level + 1; below < kLevels; ++below) {
    if (!Overlapping(partition_.levels[below], keys).empty()) return true;
  }
  return false;
}

void LeveledPolicy::Picker::AddInput(Plan& plan, int level, Run run) const {
  if (run.empty()) return;
  Plan::Input& input = plan.inputs.emplace_back();
  input.level = level;
  for (size_t i = run.first; i < run.last; ++i) {
    const TableView& table = partition_.levels[level][i];
    input.tables.push_back(table.number);
    for (const sstable::ValueFileUse& use : table.value_files) {
      if (std::binary_search(wasted_value_files_.begin(), wasted_value_files_.end(),
                             use.file_number)) {
        plan.rewrite_value_files.push_back(use.file_number);
      }
    }
  }
}

void LeveledPolicy::Picker::Complete(Plan& plan, const KeyInterval& hull) const {
  plan.table_bytes_target = options_.table_bytes_target;
  std::sort(plan.rewrite_value_files.begin(), plan.rewrite_value_files.end());
  plan.rewrite_value_files.erase(
      std::unique(plan.rewrite_value_files.begin(), plan.rewrite_value_files.end()),
      plan.rewrite_value_files.end());
  if (plan.output_level + 1 >= kLevels) return;
  const std::vector<TableView>& below = partition_.levels[plan.output_level + 1];
  const Run run = Overlapping(below, hull);
  uint64_t bytes = 0;
  for (size_t i = run.first; i < run.last; ++i) {
    if (bytes > 0 && bytes + below[i].live_bytes > options_.overlap_below_bytes_max) {
      plan.cuts.emplace_back(below[i].keys.begin);
      bytes = 0;
    }
    bytes += below[i].live_bytes;
  }
}

// ---- Building plans

std::optional<Plan> LeveledPolicy::Picker::FromLevel0(size_t newest) const {
  const std::vector<TableView>& tables = partition_.levels[0];
  // From the oldest on, as many as a plan may take.
  Run run{tables.size(), tables.size()};
  uint64_t bytes = 0;
  while (run.first > newest &&
         (run.empty() || bytes + tables[run.first - 1].live_bytes <= options_.plan_bytes_max)) {
    --run.first;
    bytes += tables[run.first].live_bytes;
  }
  if (run.empty() || AnyBusy(tables, run)) return std::nullopt;
  const KeyInterval hull = HullOf(tables, run);
  const std::vector<TableView>& base = partition_.levels[shape_.base_level];
  const Run overlapping = Overlapping(base, hull);
  if (AnyBusy(base, overlapping)) return std::nullopt;

  Plan plan;
  plan.reason = "level 0";
  plan.output_level = shape_.base_level;
  AddInput(plan, 0, run);
  AddInput(plan, shape_.base_level, overlapping);
  Complete(plan, overlapping.empty() ? hull : Hull(hull, HullOf(base, overlapping)));

  // Written in key order, as by a bulk load, the tables need not be merged at all.
  plan.trivial_move = overlapping.empty() && plan.cuts.empty();
  for (size_t i = run.first; i < run.last && plan.trivial_move; ++i) {
    plan.trivial_move = !WorthRewriting(tables[i]);
    for (size_t j = i + 1; j < run.last && plan.trivial_move; ++j) {
      plan.trivial_move = !tables[i].keys.Overlaps(tables[j].keys);
    }
  }
  return plan;
}

std::optional<Plan> LeveledPolicy::Picker::Sink(int level, Run run) const {
  const std::vector<TableView>& tables = partition_.levels[level];
  const std::vector<TableView>& next = partition_.levels[level + 1];
  if (AnyBusy(tables, run)) return std::nullopt;
  KeyInterval hull = HullOf(tables, run);
  const Run overlapping = Overlapping(next, hull);
  if (AnyBusy(next, overlapping)) return std::nullopt;

  Plan plan;
  plan.reason = "level size";
  plan.output_level = level + 1;
  if (overlapping.empty()) {
    AddInput(plan, level, run);
    Complete(plan, hull);
    plan.trivial_move = plan.cuts.empty();
    for (size_t i = run.first; i < run.last; ++i) {
      plan.trivial_move = plan.trivial_move && !WorthRewriting(tables[i]);
    }
    return plan;
  }
  // Neighbours that lie within what is rewritten of the next level anyway come along.
  uint64_t bytes = LiveBytes(tables, run) + LiveBytes(next, overlapping);
  const KeyInterval wide = Hull(hull, HullOf(next, overlapping));
  const auto fits = [&](const TableView& table) {
    return !table.busy && bytes + table.live_bytes <= options_.plan_bytes_max &&
           wide.Contains(table.keys.begin) && !EndsEarlier(wide, table.keys);
  };
  while (run.first > 0 && fits(tables[run.first - 1])) {
    bytes += tables[--run.first].live_bytes;
  }
  while (run.last < tables.size() && fits(tables[run.last])) {
    bytes += tables[run.last++].live_bytes;
  }
  AddInput(plan, level, run);
  AddInput(plan, level + 1, overlapping);
  Complete(plan, wide);
  return plan;
}

std::optional<Plan> LeveledPolicy::Picker::Rewrite(int level, size_t index) const {
  if (level == 0) return FromLevel0(index);
  const std::vector<TableView>& tables = partition_.levels[level];
  if (tables[index].busy) return std::nullopt;
  Plan plan;
  plan.output_level = level;
  AddInput(plan, level, {index, index + 1});
  Complete(plan, tables[index].keys);
  return plan;
}

// ---- Choosing

std::vector<LeveledPolicy::Picker::Candidate> LeveledPolicy::Picker::Candidates() const {
  std::vector<Candidate> candidates;
  const std::vector<TableView>& level0 = partition_.levels[0];
  const double level0_score = std::max(
      static_cast<double>(level0.size()) / options_.level0_tables_max,
      static_cast<double>(LiveBytes(level0)) / static_cast<double>(options_.base_level_bytes));
  if (level0_score >= 1) candidates.push_back({Cause::kLevel0, 0, level0_score});

  uint64_t live_bytes = LiveBytes(level0);
  uint64_t garbage_bytes = 0;
  bool tombstones = false;
  bool value_garbage = false;
  for (int level = 0; level < kLevels; ++level) {
    const std::vector<TableView>& tables = partition_.levels[level];
    uint64_t idle_bytes = 0;  // what is busy is on its way already
    for (const TableView& table : tables) {
      if (table.busy) continue;
      idle_bytes += table.live_bytes;
      if (Wasted(table)) garbage_bytes += GarbageBytes(table);
      tombstones = tombstones || (level > 0 && TombstoneHeavy(table));
      value_garbage = value_garbage || WastedValueUse(table) > 0;
    }
    if (level == 0) continue;
    live_bytes += idle_bytes;
    if (level < shape_.base_level || level == kLevels - 1) continue;
    const double score =
        static_cast<double>(idle_bytes) / static_cast<double>(shape_.target_bytes[level]);
    if (score >= 1) candidates.push_back({Cause::kLevelSize, level, score});
  }
  // Garbage is as urgent as it is large beside what is alive; but it slows no reader down as an
  // overfull level does, so it never goes before a level at twice its target.
  const auto urgency = [](uint64_t garbage, uint64_t alive) {
    return 1 + std::min(1.0, static_cast<double>(garbage) /
                                 static_cast<double>(std::max<uint64_t>(alive, 1)));
  };
  if (garbage_bytes > 0) {
    candidates.push_back({Cause::kGarbage, 0, urgency(garbage_bytes, live_bytes)});
  }
  if (value_garbage) {
    uint64_t alive = live_bytes;
    for (const ValueFileView& file : partition_.value_files) alive += file.referenced_bytes;
    candidates.push_back({Cause::kValueGarbage, 0, urgency(wasted_value_bytes_, alive)});
  }
  if (tombstones) candidates.push_back({Cause::kTombstones, 0, 1});
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  return candidates;
}

std::optional<Plan> LeveledPolicy::Picker::TryLevelSize(int level) const {
  const std::vector<TableView>& tables = partition_.levels[level];
  struct Choice {
    size_t index;
    bool wasted;
    double cost;
  };
  std::vector<Choice> choices;
  for (size_t i = 0; i < tables.size(); ++i) {
    const TableView& table = tables[i];
    if (table.busy) continue;
    const std::vector<TableView>& next = partition_.levels[level + 1];
    const Run overlapping = Overlapping(next, table.keys);
    if (AnyBusy(next, overlapping)) continue;
    // Bytes of the next level rewritten for each byte that leaves this one. A tombstone makes room
    // below as well, so it counts like a value of average size.
    const double gain = static_cast<double>(table.live_bytes) *
                        (1 + static_cast<double>(table.tombstones) /
                                 static_cast<double>(std::max<uint64_t>(table.entries, 1)));
    choices.push_back({i, Wasted(table),
                       static_cast<double>(LiveBytes(next, overlapping)) / std::max(gain, 1.0)});
  }
  if (choices.empty()) return std::nullopt;
  const auto best =
      std::min_element(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
        return a.wasted != b.wasted ? a.wasted : a.cost < b.cost;
      });
  return Sink(level, {best->index, best->index + 1});
}

std::optional<Plan> LeveledPolicy::Picker::TryGarbage() const {
  int best_level = -1;
  size_t best_index = 0;
  uint64_t best_bytes = 0;
  for (int level = 0; level < kLevels; ++level) {
    for (size_t i = 0; i < partition_.levels[level].size(); ++i) {
      const TableView& table = partition_.levels[level][i];
      if (table.busy || !Wasted(table) || GarbageBytes(table) <= best_bytes) continue;
      best_level = level;
      best_index = i;
      best_bytes = GarbageBytes(table);
    }
  }
  if (best_level < 0) return std::nullopt;
  std::optional<Plan> plan = Rewrite(best_level, best_index);
  if (plan.has_value()) plan->reason = "clipped";
  return plan;
}

std::optional<Plan> LeveledPolicy::Picker::TryValueGarbage() const {
  int best_level = -1;
  size_t best_index = 0;
  uint64_t best_bytes = 0;
  for (int level = 0; level < kLevels; ++level) {
    for (size_t i = 0; i < partition_.levels[level].size(); ++i) {
      const TableView& table = partition_.levels[level][i];
      if (table.busy) continue;
      const uint64_t bytes = WastedValueUse(table);
      if (bytes <= best_bytes) continue;
      best_level = level;
      best_index = i;
      best_bytes = bytes;
    }
  }
  if (best_level < 0) return std::nullopt;
  std::optional<Plan> plan = Rewrite(best_level, best_index);
  if (plan.has_value()) plan->reason = "value garbage";
  return plan;
}

std::optional<Plan> LeveledPolicy::Picker::TryTombstones() const {
  // From the bottom up: what can be cleaned there makes room for what sinks.
  for (int level = kLevels - 1; level >= 1; --level) {
    for (size_t i = 0; i < partition_.levels[level].size(); ++i) {
      const TableView& table = partition_.levels[level][i];
      if (table.busy || !TombstoneHeavy(table)) continue;
      std::optional<Plan> plan;
      if (level + 1 < kLevels && AnythingBelow(level, table.keys)) {
        plan = Sink(level, {i, i + 1});
      } else if (table.sequence_max <= partition_.oldest_boundary) {
        // No snapshot needs the tombstones, and nothing lies below: rewriting drops them all.
        plan = Rewrite(level, i);
      }
      if (!plan.has_value()) continue;
      plan->reason = "tombstones";
      return plan;
    }
  }
  return std::nullopt;
}

std::optional<Plan> LeveledPolicy::Picker::Pick() {
  for (const Candidate& candidate : Candidates()) {
    std::optional<Plan> plan;
    switch (candidate.cause) {
      case Cause::kLevel0:
        plan = FromLevel0(0);
        break;
      case Cause::kLevelSize:
        plan = TryLevelSize(candidate.level);
        break;
      case Cause::kGarbage:
        plan = TryGarbage();
        break;
      case Cause::kValueGarbage:
        plan = TryValueGarbage();
        break;
      case Cause::kTombstones:
        plan = TryTombstones();
        break;
    }
    if (!plan.has_value()) continue;
    plan->score = candidate.score;
    return plan;
  }
  return std::nullopt;
}

// ---- A range that was asked for

RangeStep LeveledPolicy::Picker::PickRange(const KeyInterval& range, RangeProgress& progress) {
  const auto step = [&progress](std::optional<Plan> plan, int next_level, std::string next_key) {
    RangeStep result;
    if (!plan.has_value()) {
      result.outcome = RangeStep::Outcome::kBusy;
      return result;
    }
    progress.level = next_level;
    progress.key = std::move(next_key);
    result.outcome = RangeStep::Outcome::kPlan;
    result.plan = *std::move(plan);
    result.plan.reason = "range";
    return result;
  };

  if (progress.level == 0) {
    const std::vector<TableView>& tables = partition_.levels[0];
    size_t newest = 0;
    while (newest < tables.size() && !tables[newest].keys.Overlaps(range)) ++newest;
    if (newest < tables.size()) {
      std::optional<Plan> plan = FromLevel0(newest);
      // A plan takes only so much; then the rest of level 0 comes with the next step.
      const bool all =
          plan.has_value() && plan->inputs.front().tables.size() == tables.size() - newest;
      return step(std::move(plan), all ? 1 : 0, "");
    }
    progress = {1, ""};
  }

  int deepest = kLevels - 1;
  while (deepest > 1 && partition_.levels[deepest].empty()) --deepest;
  for (; progress.level <= deepest; progress = {progress.level + 1, ""}) {
    const int level = progress.level;
    const std::vector<TableView>& tables = partition_.levels[level];
    for (size_t i = 0; i < tables.size(); ++i) {
      const TableView& table = tables[i];
      if (!table.keys.Overlaps(range)) continue;
      if (!progress.key.empty() && table.keys.begin <= progress.key) continue;
      if (level < deepest) {
        std::optional<Plan> plan = Sink(level, {i, i + 1});
        // What came along of this level needs no step of its own.
        std::string reached(table.keys.begin);
        if (plan.has_value()) {
          const uint64_t last = plan->inputs.front().tables.back();
          for (size_t j = i; j < tables.size() && tables[j].number != last; ++j) {
            reached = tables[j + 1].keys.begin;
          }
        }
        return step(std::move(plan), level, std::move(reached));
      }
      // At the bottom only what is wasted needs rewriting.
      const bool clean =
          table.tombstones == 0 && table.live_bytes >= table.bytes && WastedValueUse(table) == 0;
      if (!clean) return step(Rewrite(level, i), level, std::string(table.keys.begin));
    }
  }
  return {};
}

std::optional<Plan> LeveledPolicy::Pick(const PartitionView& partition) const {
  const Shape shape = ShapeOf(partition);
  return Picker(options_, partition, shape).Pick();
}

RangeStep LeveledPolicy::PickRange(const PartitionView& partition, const KeyInterval& range,
                                   RangeProgress& progress) const {
  const Shape shape = ShapeOf(partition);
  return Picker(options_, partition, shape).PickRange(range, progress);
}

}  // namespace varve::compaction
