#include "compaction/picker.h"

#include <algorithm>

namespace varve::compaction {

uint64_t LiveBytes(const std::vector<TableView>& tables) {
  uint64_t bytes = 0;
  for (const TableView& table : tables) bytes += table.live_bytes;
  return bytes;
}

static uint64_t GarbageBytes(const TableView& table) {
  return table.bytes - std::min(table.bytes, table.referenced_bytes);
}

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

Picker::Picker(const PlanLimits& limits, const PartitionView& partition, int level0_target)
    : limits_(limits), partition_(partition), level0_target_(level0_target) {
  for (const ValueFileView& file : partition.value_files) {
    const uint64_t garbage = file.bytes - std::min(file.bytes, file.referenced_bytes);
    const auto bound = limits.value_referenced_share_min * static_cast<double>(file.bytes);
    if (garbage >= limits.value_garbage_bytes_min &&
        static_cast<double>(file.referenced_bytes) < bound) {
      wasted_value_files_.push_back(file.number);
      wasted_value_bytes_ += garbage;
    }
  }
}

bool Picker::Wasted(const TableView& table) const {
  return GarbageBytes(table) >= limits_.garbage_bytes_min &&
         static_cast<double>(table.referenced_bytes) <
             limits_.referenced_share_min * static_cast<double>(table.bytes);
}

bool Picker::TombstoneHeavy(const TableView& table) const {
  return table.tombstones > 0 &&
         static_cast<double>(table.tombstones) >=
             limits_.tombstone_share_max * static_cast<double>(table.entries);
}

uint64_t Picker::WastedValueUse(const TableView& table) const {
  uint64_t bytes = 0;
  for (const sstable::ValueFileUse& use : table.value_files) {
    if (std::binary_search(wasted_value_files_.begin(), wasted_value_files_.end(),
                           use.file_number)) {
      bytes += use.stored_bytes;
    }
  }
  return bytes;
}

bool Picker::AnythingBelow(int level, const KeyInterval& keys) const {
  for (int below = level + 1; below < kLevels; ++below) {
    if (!Overlapping(partition_.levels[below], keys).empty()) return true;
  }
  return false;
}

void Picker::AddInput(Plan& plan, int level, Run run) const {
  if (run.empty()) return;
  if (plan.inputs.empty() || plan.inputs.back().level != level) plan.inputs.push_back({level, {}});
  Plan::Input& input = plan.inputs.back();
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

void Picker::Complete(Plan& plan, const KeyInterval& hull) const {
  plan.table_bytes_target = limits_.table_bytes_target;
  std::sort(plan.rewrite_value_files.begin(), plan.rewrite_value_files.end());
  plan.rewrite_value_files.erase(
      std::unique(plan.rewrite_value_files.begin(), plan.rewrite_value_files.end()),
      plan.rewrite_value_files.end());
  if (plan.output_level + 1 >= kLevels) return;
  const std::vector<TableView>& below = partition_.levels[plan.output_level + 1];
  const Run run = Overlapping(below, hull);
  uint64_t bytes = 0;
  for (size_t i = run.first; i < run.last; ++i) {
    if (bytes > 0 && bytes + below[i].live_bytes > limits_.overlap_below_bytes_max) {
      plan.cuts.emplace_back(below[i].keys.begin);
      bytes = 0;
    }
    bytes += below[i].live_bytes;
  }
}

// ---- Building plans

Run Picker::OldestFlushes(size_t newest) const {
  const std::vector<TableView>& tables = partition_.levels[0];
  Run run{tables.size(), tables.size()};
  uint64_t bytes = 0;
  while (run.first > newest &&
         (run.empty() || bytes + tables[run.first - 1].live_bytes <= limits_.plan_bytes_max)) {
    --run.first;
    bytes += tables[run.first].live_bytes;
  }
  return run;
}

std::optional<Plan> Picker::FromLevel0(size_t newest) const {
  const std::vector<TableView>& tables = partition_.levels[0];
  const Run run = OldestFlushes(newest);
  if (run.empty() || AnyBusy(tables, run)) return std::nullopt;
  const KeyInterval hull = HullOf(tables, run);
  const std::vector<TableView>& base = partition_.levels[level0_target_];
  const Run overlapping = Overlapping(base, hull);
  if (AnyBusy(base, overlapping)) return std::nullopt;

  Plan plan;
  plan.reason = "level 0";
  plan.output_level = level0_target_;
  AddInput(plan, 0, run);
  AddInput(plan, level0_target_, overlapping);
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

std::optional<Plan> Picker::Sink(int level, Run run, int output_level) const {
  const std::vector<TableView>& tables = partition_.levels[level];
  const std::vector<TableView>& next = partition_.levels[output_level];
  if (AnyBusy(tables, run)) return std::nullopt;
  KeyInterval hull = HullOf(tables, run);
  const Run overlapping = Overlapping(next, hull);
  if (AnyBusy(next, overlapping)) return std::nullopt;

  Plan plan;
  plan.reason = "level size";
  plan.output_level = output_level;
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
    return !table.busy && bytes + table.live_bytes <= limits_.plan_bytes_max &&
           wide.Contains(table.keys.begin) && !EndsEarlier(wide, table.keys);
  };
  while (run.first > 0 && fits(tables[run.first - 1])) {
    bytes += tables[--run.first].live_bytes;
  }
  while (run.last < tables.size() && fits(tables[run.last])) {
    bytes += tables[run.last++].live_bytes;
  }
  AddInput(plan, level, run);
  AddInput(plan, output_level, overlapping);
  Complete(plan, wide);
  return plan;
}

std::optional<Plan> Picker::Rewrite(int level, size_t index) const {
  if (level == 0) return FromLevel0(index);
  const std::vector<TableView>& tables = partition_.levels[level];
  if (tables[index].busy) return std::nullopt;
  Plan plan;
  plan.output_level = level;
  AddInput(plan, level, {index, index + 1});
  Complete(plan, tables[index].keys);
  return plan;
}

std::optional<Plan> Picker::SinkCheapest(int level, int output_level) const {
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
    const std::vector<TableView>& next = partition_.levels[output_level];
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
  return Sink(level, {best->index, best->index + 1}, output_level);
}

// ---- Garbage and tombstones

std::vector<Picker::WasteCandidate> Picker::WasteCandidates() const {
  uint64_t live_bytes = 0;
  uint64_t garbage_bytes = 0;
  bool tombstones = false;
  bool value_garbage = false;
  for (int level = 0; level < kLevels; ++level) {
    for (const TableView& table : partition_.levels[level]) {
      if (level == 0 || !table.busy) live_bytes += table.live_bytes;
      if (table.busy) continue;
      if (Wasted(table)) garbage_bytes += GarbageBytes(table);
      tombstones = tombstones || (level > 0 && TombstoneHeavy(table));
      value_garbage = value_garbage || WastedValueUse(table) > 0;
    }
  }
  // Garbage is as urgent as it is large beside what is alive; but it slows no reader down as an
  // overfull level does, so it never goes before a level at twice its target.
  const auto urgency = [](uint64_t garbage, uint64_t alive) {
    return 1 + std::min(1.0, static_cast<double>(garbage) /
                                 static_cast<double>(std::max<uint64_t>(alive, 1)));
  };
  std::vector<WasteCandidate> candidates;
  if (garbage_bytes > 0) {
    candidates.push_back({Waste::kGarbage, urgency(garbage_bytes, live_bytes)});
  }
  if (value_garbage) {
    uint64_t alive = live_bytes;
    for (const ValueFileView& file : partition_.value_files) alive += file.referenced_bytes;
    candidates.push_back({Waste::kValueGarbage, urgency(wasted_value_bytes_, alive)});
  }
  if (tombstones) candidates.push_back({Waste::kTombstones, 1});
  return candidates;
}

std::optional<Plan> Picker::TryWaste(Waste waste) const {
  switch (waste) {
    case Waste::kGarbage:
      return TryGarbage();
    case Waste::kValueGarbage:
      return TryValueGarbage();
    case Waste::kTombstones:
      return TryTombstones();
  }
  return std::nullopt;
}

std::optional<Plan> Picker::TryGarbage() const {
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

std::optional<Plan> Picker::TryValueGarbage() const {
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

std::optional<Plan> Picker::TryTombstones() const {
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

// ---- A range that was asked for

RangeStep Picker::PickRange(const KeyInterval& range, RangeProgress& progress) const {
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

}  // namespace varve::compaction
