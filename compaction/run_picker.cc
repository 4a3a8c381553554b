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
// A flush that is large enough to be a run counts for half a table of level 0: merging it costs
// more than what readers lose by it.
constexpr double kLargeFlush = 0.5;
// Writes are slowed from this many times the share on that may be hidden, nearly to a stop at the
// second.
constexpr double kSlowedShare = 1.25;
constexpr double kStoppedShare = 1.6;
constexpr double kPressureMax = 0.95;
// A slice that costs more than this many times the average for each byte that goes is left alone
// while others are merged.
constexpr double kPoorSlice = 1.3;
// The urgency of what needs no more than an edit.
constexpr double kLiftScore = 100;

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
  for (size_t last = partition.levels[0].size(); last > 0;) {
    const Run run = FlushRun(last);
    const bool large = LiveBytes(partition.levels[0], run) >= options.flush_run_bytes_min;
    level0_runs_ += large ? kLargeFlush : static_cast<double>(run.last - run.first);
    last = run.first;
  }
  level0_bytes_ = LiveBytes(partition.levels[0]);
  for (int level = 1; level < kBottom; ++level) runs_bytes_ += LiveBytes(partition.levels[level]);
  bottom_bytes_ = LiveBytes(partition.levels[kBottom]);
}

double RunPicker::UpperBytesMax() const {
  const bool idle = partition_.idle;
  const double share = idle ? options_.upper_share_idle_max : options_.upper_share_max;
  const uint64_t bytes_min = idle ? options_.upper_idle_bytes_min : options_.upper_bytes_min;
  return std::max(static_cast<double>(bytes_min), share * static_cast<double>(bottom_bytes_));
}

double RunPicker::UpperBytes() const {
  const auto upper_bytes = static_cast<double>(level0_bytes_ + runs_bytes_);
  if (partition_.idle || upper_bytes < UpperBytesMax()) return upper_bytes;
  return HiddenBytes();
}

double RunPicker::HiddenBytes() const {
  std::vector<uint64_t> hashes;
  double sampled_bytes = 0;
  double entries = 0;
  double unknown_bytes = 0;
  for (int level = 0; level < kLevels; ++level) {
    for (const TableView& table : partition_.levels[level]) {
      if (table.key_sample != nullptr && table.key_sample->known) {
        hashes.insert(hashes.end(), table.key_sample->hashes.begin(),
                      table.key_sample->hashes.end());
        sampled_bytes += static_cast<double>(table.live_bytes);
        entries += static_cast<double>(table.entries);
      } else if (level < kBottom) {
        unknown_bytes += static_cast<double>(table.live_bytes);
      }
    }
  }
  if (hashes.empty()) return unknown_bytes;
  const auto all = static_cast<double>(hashes.size());
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  const double hidden_entries =
      (all - static_cast<double>(hashes.size())) * sstable::KeySample::kOneIn;
  return unknown_bytes + hidden_entries * sampled_bytes / std::max(entries, 1.0);
}

std::vector<RunPicker::Slice> RunPicker::Slices(int top) const {
  struct Place {
    int level;
    size_t index;
    const TableView* table;
  };
  std::vector<Place> places;
  for (int level = top; level < kLevels; ++level) {
    const std::vector<TableView>& tables = partition_.levels[level];
    for (size_t i = 0; i < tables.size(); ++i) places.push_back({level, i, &tables[i]});
  }
  std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.table->keys.begin < b.table->keys.begin;
  });
  std::vector<Slice> slices;
  for (const auto& [level, index, table] : places) {
    if (slices.empty() || slices.back().keys.EndsBefore(table->keys.begin)) {
      slices.emplace_back().keys = table->keys;
    }
    Slice& slice = slices.back();
    slice.keys = Hull(slice.keys, table->keys);
    if (level == 0) {
      slice.flushes.push_back(index);
    } else {
      if (slice.runs[level].empty()) slice.runs[level].first = index;
      slice.runs[level].last = index + 1;
    }
    (level == kBottom ? slice.bottom_bytes : slice.upper_bytes) += table->live_bytes;
    slice.busy = slice.busy || table->busy;
  }
  return slices;
}

void RunPicker::AddFlushes(std::vector<Slice>& slices) const {
  const std::vector<TableView>& flushes = partition_.levels[0];
  constexpr size_t kNone = ~size_t{0};
  std::vector<size_t> slice_of(flushes.size(), kNone);
  for (size_t i = flushes.size(); i-- > 0;) {
    const KeyInterval& keys = flushes[i].keys;
    const auto first = std::partition_point(
        slices.begin(), slices.end(),
        [&keys](const Slice& slice) { return slice.keys.EndsBefore(keys.begin); });
    if (first == slices.end() || !first->keys.Overlaps(keys)) continue;
    if (first + 1 != slices.end() && (first + 1)->keys.Overlaps(keys)) continue;
    const auto slice = static_cast<size_t>(first - slices.begin());
    // What is older and overlaps what goes must go along.
    KeyInterval hull = keys;
    for (const size_t taken : first->flushes) hull = Hull(hull, flushes[taken].keys);
    bool free = true;
    for (size_t older = i + 1; older < flushes.size() && free; ++older) {
      free = slice_of[older] == slice || !flushes[older].keys.Overlaps(hull);
    }
    if (!free) continue;
    slice_of[i] = slice;
    first->flushes.insert(first->flushes.begin(), i);
    first->upper_bytes += flushes[i].live_bytes;
    first->busy = first->busy || flushes[i].busy;
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
  if (bytes > options_.plan_bytes_max || UpperBytes() < UpperBytesMax()) return std::nullopt;
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
  // What is flushed meanwhile is cut along the slices there are now.
  if (bytes > options_.flush_run_bytes_min) plan.cuts = CutsAtSlices(1, bytes);
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

std::vector<std::string> RunPicker::CutsAtSlices(int top, uint64_t bytes) const {
  const std::vector<Slice> slices = Slices(top);
  double total = 0;
  for (const Slice& slice : slices) {
    total += static_cast<double>(slice.upper_bytes + slice.bottom_bytes);
  }
  // What the share of one table of the new run comes to below it.
  const double due = total * static_cast<double>(options_.run_table_bytes) /
                     static_cast<double>(std::max<uint64_t>(bytes, 1));
  std::vector<std::string> cuts;
  // Only slices with nothing above the bottom run are put together: were others, slices would grow
  // together more and more.
  const Slice* before = nullptr;
  double group = 0;
  for (const Slice& slice : slices) {
    const auto slice_bytes = static_cast<double>(slice.upper_bytes + slice.bottom_bytes);
    const bool alone =
        before != nullptr && (before->upper_bytes > 0 || slice.upper_bytes > 0 || group >= due ||
                              group + slice_bytes > kGroupExcess * due);
    if (alone) {
      cuts.emplace_back(slice.keys.begin);
      group = 0;
    }
    group += slice_bytes;
    before = &slice;
  }
  return cuts;
}

FlushShape RunPicker::ShapeFlush(uint64_t bytes) const {
  FlushShape shape;
  if (bytes < options_.flush_run_bytes_min) return shape;
  shape.cuts = CutsAtSlices(0, bytes);
  // With few slices yet, its tables make more.
  const uint64_t tables = bytes / options_.run_table_bytes;
  if (shape.cuts.size() < tables / 2) shape.table_bytes_target = options_.run_table_bytes;
  return shape;
}

double RunPicker::SpacePressure() const {
  const double bound = std::max(static_cast<double>(options_.upper_bytes_min),
                                options_.upper_share_max * static_cast<double>(bottom_bytes_));
  if (static_cast<double>(level0_bytes_ + runs_bytes_) <= bound) return 0;
  const double excess = HiddenBytes() / bound - kSlowedShare;
  return std::min(excess / (kStoppedShare - kSlowedShare), kPressureMax);
}

Run RunPicker::FlushRun(size_t last) const {
  const std::vector<TableView>& tables = partition_.levels[0];
  Run run{last - 1, last};
  KeyInterval hull = tables[last - 1].keys;
  while (run.first > 0 && !tables[run.first - 1].keys.Overlaps(hull)) {
    hull = Hull(hull, tables[--run.first].keys);
  }
  return run;
}

std::optional<Plan> RunPicker::LiftFlush() const {
  const std::vector<TableView>& flushes = partition_.levels[0];
  if (flushes.empty()) return std::nullopt;
  const Run run = FlushRun(flushes.size());
  if (LiveBytes(flushes, run) < options_.flush_run_bytes_min) return std::nullopt;
  if (AnyBusy(flushes, run)) return std::nullopt;
  if (std::optional<Plan> plan = MoveFlushes(run)) return plan;
  int level = 0;
  while (level + 1 < kBottom && partition_.levels[level + 1].empty()) ++level;
  if (level == 0) return std::nullopt;
  Plan plan;
  plan.output_level = level;
  plan.trivial_move = true;
  AddInput(plan, 0, run);
  plan.table_bytes_target = options_.table_bytes_target;
  return plan;
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
  if (plan.output_level < kBottom) plan.cuts = CutsAtSlices(plan.output_level + 1, bytes);
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
    return NewRun();
  }
  Plan plan;
  plan.output_level = kBottom;
  int levels = 0;
  bool worth_rewriting = slice.flushes.size() > 1;
  KeyInterval hull = slice.keys;
  for (const size_t i : slice.flushes) {
    AddInput(plan, 0, {i, i + 1});
    hull = Hull(hull, partition_.levels[0][i].keys);
    worth_rewriting = worth_rewriting || WorthRewriting(partition_.levels[0][i]);
  }
  levels += slice.flushes.empty() ? 0 : 1;
  for (int level = 1; level < kLevels; ++level) {
    const Run run = slice.runs[level];
    if (run.empty()) continue;
    AddInput(plan, level, run);
    ++levels;
    for (size_t i = run.first; i < run.last; ++i) {
      worth_rewriting = worth_rewriting || WorthRewriting(partition_.levels[level][i]);
    }
  }
  Complete(plan, hull);
  plan.table_bytes_target = EvenTableBytes(bytes, options_.table_bytes_target);
  plan.trivial_move = levels == 1 && !worth_rewriting;
  return plan;
}

std::optional<Plan> RunPicker::ShrinkUpper() const {
  if (std::optional<Plan> plan = MergeAll()) return plan;
  std::vector<Slice> slices = Slices(1);
  AddFlushes(slices);
  const Slice* best = nullptr;
  double best_cost = 0;
  uint64_t upper_bytes = 0;
  uint64_t bottom_bytes = 0;
  for (const Slice& slice : slices) {
    upper_bytes += slice.upper_bytes;
    bottom_bytes += slice.bottom_bytes;
    if (slice.upper_bytes == 0 || slice.busy) continue;
    const double cost =
        static_cast<double>(slice.bottom_bytes) / static_cast<double>(slice.upper_bytes);
    if (best != nullptr && cost >= best_cost) continue;
    best = &slice;
    best_cost = cost;
  }
  if (best != nullptr) {
    // Where those that are worth it are busy, the others had better wait until more has gathered.
    const double average =
        static_cast<double>(bottom_bytes) / static_cast<double>(std::max<uint64_t>(upper_bytes, 1));
    const bool poor = best_cost > kPoorSlice * average;
    if (poor && !partition_.idle && AnythingBusy()) return std::nullopt;
    return MergeSlice(*best);
  }
  if (runs_bytes_ == 0) return NewRun();
  return std::nullopt;
}

// ---- Choosing

std::optional<Plan> RunPicker::Pick() const {
  struct Candidate {
    double score;
    std::string_view reason;
    std::function<std::optional<Plan>()> plan;
  };
  std::vector<Candidate> candidates;
  // It costs nothing, so it goes first.
  if (std::optional<Plan> plan = LiftFlush()) {
    plan->score = kLiftScore;
    plan->reason = "flush";
    return plan;
  }
  const double level0_score = level0_runs_ / options_.level0_tables_max;
  const double upper_score = UpperBytes() / UpperBytesMax();
  if (level0_score >= 1 && upper_score <= 1) {
    candidates.push_back({level0_score, "level 0", [this] { return NewRun(); }});
  } else if (level0_score >= 1 && !AnythingBusy()) {
    // What goes to the bottom run should not be written to another one before.
    candidates.push_back({1, "level 0", [this] { return NewRun(); }});
  }
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

bool RunPicker::AnythingBusy() const {
  return std::any_of(
      std::begin(partition_.levels), std::end(partition_.levels),
      [](const std::vector<TableView>& tables) { return AnyBusy(tables, AllOf(tables)); });
}

double RunPicker::Debt() const {
  double debt = 0;
  if (level0_runs_ >= options_.level0_tables_max) {
    debt += static_cast<double>(level0_bytes_);
  }
  // What is too much above the bottom run goes there from where it is densest, which is about twice
  // the average.
  const double upper_bytes = static_cast<double>(level0_bytes_ + runs_bytes_);
  const double excess = UpperBytes() - UpperBytesMax();
  if (excess > 0) {
    debt += excess + excess * static_cast<double>(bottom_bytes_) / (2 * upper_bytes);
  }
  return debt;
}

}  // namespace varve::compaction
