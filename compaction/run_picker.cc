#include "compaction/run_picker.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace varve::compaction {
namespace {

// Runs count as being of one size up to this factor.
constexpr double kSameSize = 1.5;
// A group of slices is closed before a slice that would make it larger than this many times its
// due.
constexpr double kGroupExcess = 1.5;

// The topmost run: what level 0 is merged into when a range is asked for.
int FirstRun(const PartitionView& partition) {
  for (int level = 1; level < kLevels; ++level) {
    if (!partition.levels[level].empty()) return level;
  }
  return kLevels - 1;
}

Run AllOf(const std::vector<TableView>& tables) { return {0, tables.size()}; }

// Tables of even size, none much above `target`, instead of full ones and a small rest.
uint64_t EvenTableBytes(uint64_t bytes, uint64_t target) {
  const auto tables = std::max<uint64_t>(1, (bytes + target / 2) / target);
  return bytes / tables + bytes / tables / 16 + 1;
}

}  // namespace

RunPicker::RunPicker(const RunOptions& options, const PartitionView& partition)
    : Picker(options, partition, FirstRun(partition)), options_(options) {
  level0_bytes_ = LiveBytes(partition.levels[0]);
  for (int level = 1; level < kBottom; ++level) runs_bytes_ += LiveBytes(partition.levels[level]);
  bottom_bytes_ = LiveBytes(partition.levels[kBottom]);
}

double RunPicker::UpperBytesMax() const {
  const double share = partition_.idle ? options_.upper_share_idle_max : options_.upper_share_max;
  return std::max(static_cast<double>(options_.upper_bytes_min),
                  share * static_cast<double>(bottom_bytes_));
}

std::vector<RunPicker::Slice> RunPicker::Slices(int top) const {
  std::vector<Slice> slices;
  size_t next[kLevels] = {};
  for (;;) {
    // The level with the table that begins first.
    int level = kLevels;
    for (int l = top; l < kLevels; ++l) {
      const std::vector<TableView>& tables = partition_.levels[l];
      if (next[l] == tables.size()) continue;
      if (level == kLevels ||
          tables[next[l]].keys.begin < partition_.levels[level][next[level]].keys.begin) {
        level = l;
      }
    }
    if (level == kLevels) return slices;
    const size_t index = next[level]++;
    const TableView& table = partition_.levels[level][index];
    if (slices.empty() || slices.back().keys.EndsBefore(table.keys.begin)) {
      slices.emplace_back().keys = table.keys;
    }
    Slice& slice = slices.back();
    slice.keys = Hull(slice.keys, table.keys);
    if (slice.runs[level].empty()) slice.runs[level].first = index;
    slice.runs[level].last = index + 1;
    (level == kBottom ? slice.bottom_bytes : slice.upper_bytes) += table.live_bytes;
    slice.busy = slice.busy || table.busy;
  }
}

// ---- Level 0

std::optional<Plan> RunPicker::MoveFlushes(Run flushes) const {
  const std::vector<TableView>& tables = partition_.levels[0];
  Run moved{flushes.last, flushes.last};
  while (moved.first > flushes.first) {
    const Run more{moved.first - 1, moved.last};
    const TableView& table = tables[more.first];
    bool free = !WorthRewriting(table);
    for (size_t i = moved.first; i < moved.last && free; ++i) {
      free = !tables[i].keys.Overlaps(table.keys);
    }
    const KeyInterval hull = HullOf(tables, more);
    for (int level = 1; level < kLevels && free; ++level) {
      free = Overlapping(partition_.levels[level], hull).empty();
    }
    if (!free) break;
    moved = more;
  }
  if (moved.empty()) return std::nullopt;
  Plan plan;
  plan.output_level = kBottom;
  plan.trivial_move = true;
  AddInput(plan, 0, moved);
  Complete(plan, HullOf(tables, moved));
  return plan;
}

std::optional<Plan> RunPicker::MergeAll() const {
  const uint64_t bytes = level0_bytes_ + runs_bytes_ + bottom_bytes_;
  const double upper_bytes = static_cast<double>(level0_bytes_ + runs_bytes_);
  if (bytes > options_.plan_bytes_max || upper_bytes < UpperBytesMax()) return std::nullopt;
  Plan plan;
  plan.output_level = kBottom;
  std::optional<KeyInterval> hull;
  for (int level = 0; level < kLevels; ++level) {
    const std::vector<TableView>& tables = partition_.levels[level];
    if (tables.empty()) continue;
    if (AnyBusy(tables, AllOf(tables))) return std::nullopt;
    AddInput(plan, level, AllOf(tables));
    const KeyInterval keys = HullOf(tables, AllOf(tables));
    hull = hull.has_value() ? Hull(*hull, keys) : keys;
  }
  Complete(plan, *hull);
  plan.table_bytes_target = EvenTableBytes(bytes, options_.table_bytes_target);
  return plan;
}

int RunPicker::FirstRunThatStays(uint64_t bytes) const {
  const auto next_run = [this](int level) {
    do {
      ++level;
    } while (level < kBottom && partition_.levels[level].empty());
    return level;
  };
  int stays = next_run(0);
  // Whole groups of runs of one size, from the top on.
  for (;;) {
    const double bound = kSameSize * static_cast<double>(bytes);
    int runs = 1;
    uint64_t group_bytes = 0;
    int past = stays;
    for (; past < kBottom; past = next_run(past)) {
      const uint64_t run_bytes = LiveBytes(partition_.levels[past]);
      if (static_cast<double>(run_bytes) > bound) break;
      group_bytes += run_bytes;
      ++runs;
    }
    if (runs < options_.runs_per_size_max) break;
    bytes += group_bytes;
    stays = past;
  }
  // And one more if there would be no level for the new run.
  if (stays == 1) stays = next_run(1);
  return stays;
}

void RunPicker::CutAtSlices(Plan& plan, uint64_t bytes) const {
  const std::vector<Slice> slices = Slices(plan.output_level + 1);
  double total = 0;
  for (const Slice& slice : slices) {
    total += static_cast<double>(slice.upper_bytes + slice.bottom_bytes);
  }
  // What the share of one table of the new run comes to below it.
  const double due = total * static_cast<double>(options_.run_table_bytes) /
                     static_cast<double>(std::max<uint64_t>(bytes, 1));
  plan.cuts.clear();
  double group = 0;
  for (const Slice& slice : slices) {
    const double slice_bytes = static_cast<double>(slice.upper_bytes + slice.bottom_bytes);
    if (group > 0 && (group >= due || group + slice_bytes > kGroupExcess * due)) {
      plan.cuts.emplace_back(slice.keys.begin);
      group = 0;
    }
    group += slice_bytes;
  }
}

std::optional<Plan> RunPicker::NewRun() const {
  const std::vector<TableView>& flushes = partition_.levels[0];
  const Run run = OldestFlushes(0);
  if (run.empty() || AnyBusy(flushes, run)) return std::nullopt;
  if (std::optional<Plan> plan = MoveFlushes(run)) return plan;
  if (std::optional<Plan> plan = MergeAll()) return plan;

  uint64_t bytes = LiveBytes(flushes, run);
  const int stays = FirstRunThatStays(bytes);
  Plan plan;
  // With nothing below, the run is the bottom run.
  plan.output_level = partition_.levels[stays].empty() ? kBottom : stays - 1;
  KeyInterval hull = HullOf(flushes, run);
  AddInput(plan, 0, run);
  for (int level = 1; level < stays; ++level) {
    const std::vector<TableView>& tables = partition_.levels[level];
    if (tables.empty()) continue;
    const Run all = AllOf(tables);
    if (AnyBusy(tables, all)) return std::nullopt;
    AddInput(plan, level, all);
    hull = Hull(hull, HullOf(tables, all));
    bytes += LiveBytes(tables);
  }
  Complete(plan, hull);
  if (plan.output_level < kBottom) CutAtSlices(plan, bytes);
  return plan;
}

// ---- The bottom run

std::optional<Plan> RunPicker::MergeSlice(const Slice& slice) const {
  const uint64_t bytes = slice.upper_bytes + slice.bottom_bytes;
  if (bytes > options_.plan_bytes_max) {
    // Something crosses the ends of what should be slices: table by table then, the oldest run
    // first.
    for (int level = kBottom - 1; level > 0; --level) {
      if (!partition_.levels[level].empty()) return SinkCheapest(level, kBottom);
    }
  }
  Plan plan;
  plan.output_level = kBottom;
  int levels = 0;
  bool worth_rewriting = false;
  for (int level = 1; level < kLevels; ++level) {
    const Run run = slice.runs[level];
    if (run.empty()) continue;
    AddInput(plan, level, run);
    ++levels;
    for (size_t i = run.first; i < run.last; ++i) {
      worth_rewriting = worth_rewriting || WorthRewriting(partition_.levels[level][i]);
    }
  }
  Complete(plan, slice.keys);
  plan.table_bytes_target = EvenTableBytes(bytes, options_.table_bytes_target);
  plan.trivial_move = levels == 1 && !worth_rewriting;
  return plan;
}

std::optional<Plan> RunPicker::ShrinkUpper() const {
  if (std::optional<Plan> plan = MergeAll()) return plan;
  if (runs_bytes_ == 0) return NewRun();
  const std::vector<Slice> slices = Slices(1);
  const Slice* best = nullptr;
  double best_cost = 0;
  for (const Slice& slice : slices) {
    if (slice.upper_bytes == 0 || slice.busy) continue;
    const double cost =
        static_cast<double>(slice.bottom_bytes) / static_cast<double>(slice.upper_bytes);
    if (best != nullptr && cost >= best_cost) continue;
    best = &slice;
    best_cost = cost;
  }
  if (best == nullptr) return std::nullopt;
  return MergeSlice(*best);
}

// ---- Choosing

std::optional<Plan> RunPicker::Pick() const {
  struct Candidate {
    double score;
    std::string_view reason;
    std::function<std::optional<Plan>()> plan;
  };
  std::vector<Candidate> candidates;
  const double level0_score = static_cast<double>(partition_.levels[0].size()) /
                              static_cast<double>(options_.level0_tables_max);
  if (level0_score >= 1) {
    candidates.push_back({level0_score, "level 0", [this] { return NewRun(); }});
  }
  const double upper_score = static_cast<double>(level0_bytes_ + runs_bytes_) / UpperBytesMax();
  if (upper_score > 1) {
    candidates.push_back({upper_score, "bottom share", [this] { return ShrinkUpper(); }});
  }
  for (const WasteCandidate& waste : WasteCandidates()) {
    const std::string_view reason = waste.waste == Waste::kGarbage        ? "clipped"
                                    : waste.waste == Waste::kValueGarbage ? "value garbage"
                                                                          : "tombstones";
    candidates.push_back({waste.score, reason, [this, waste] { return TryWaste(waste.waste); }});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  for (const Candidate& candidate : candidates) {
    std::optional<Plan> plan = candidate.plan();
    if (!plan.has_value()) continue;
    plan->score = candidate.score;
    plan->reason = candidate.reason;
    return plan;
  }
  return std::nullopt;
}

double RunPicker::Debt() const {
  double debt = 0;
  if (partition_.levels[0].size() >= static_cast<size_t>(options_.level0_tables_max)) {
    debt += static_cast<double>(level0_bytes_);
  }
  // What is too much above the bottom run goes there from where it is densest, which is about twice
  // the average.
  const double upper_bytes = static_cast<double>(level0_bytes_ + runs_bytes_);
  const double excess = upper_bytes - UpperBytesMax();
  if (excess > 0) {
    debt += excess + excess * static_cast<double>(bottom_bytes_) / (2 * upper_bytes);
  }
  return debt;
}

}  // namespace varve::compaction
