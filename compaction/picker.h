// Picker: what the policies share. It looks at one partition and builds plans of the common kinds:
// level 0 into a run, some tables of a level into a deeper one, a rewrite in place; and it finds
// what is worth rewriting whatever the layout: garbage, tombstones, values nobody refers to. A
// policy derives its own from it, adds how its levels should be shaped, and chooses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compaction/policy.h"

namespace varve::compaction {

// Bounds that every policy has.
struct PlanLimits {
  uint64_t table_bytes_target = uint64_t{32} << 20;
  // Outputs are cut so that none overlaps more than this of the level below; a table that does is
  // not moved there without rewriting.
  uint64_t overlap_below_bytes_max = uint64_t{320} << 20;
  // Inputs beyond the first table are added only up to this.
  uint64_t plan_bytes_max = uint64_t{512} << 20;

  // A table is rewritten when less than this share of it is referenced, and at least this much is
  // not.
  double referenced_share_min = 0.6;
  uint64_t garbage_bytes_min = uint64_t{1} << 20;
  // A table is sunk, or cleaned at the bottom, when at least this share of its entries are
  // tombstones.
  double tombstone_share_max = 0.5;
  // Values are copied out of a value file when less than this share of it is referenced, and at
  // least this much is not.
  double value_referenced_share_min = 0.5;
  uint64_t value_garbage_bytes_min = uint64_t{1} << 20;
};

uint64_t LiveBytes(const std::vector<TableView>& tables);

// Tables [first, last) of a level.
struct Run {
  size_t first = 0;
  size_t last = 0;
  bool empty() const { return first >= last; }
  bool operator==(const Run&) const = default;
};

// The tables of a level from 1 on that overlap `keys`.
Run Overlapping(const std::vector<TableView>& tables, const KeyInterval& keys);
KeyInterval HullOf(const std::vector<TableView>& tables, Run run);
bool AnyBusy(const std::vector<TableView>& tables, Run run);
uint64_t LiveBytes(const std::vector<TableView>& tables, Run run);

// The state of one call of Pick or PickRange.
class Picker {
 public:
  // `level0_target`: the level that level 0 is merged into.
  Picker(const PlanLimits& limits, const PartitionView& partition, int level0_target);

  RangeStep PickRange(const KeyInterval& range, RangeProgress& progress) const;

 protected:
  // What a policy may find due, whatever its layout.
  enum class Waste : uint8_t { kGarbage, kValueGarbage, kTombstones };
  struct WasteCandidate {
    Waste waste;
    double score;
  };
  std::vector<WasteCandidate> WasteCandidates() const;
  std::optional<Plan> TryWaste(Waste waste) const;

  // The tables of level 0 from `newest` to the oldest, merged into level0_target. Nothing if what
  // that takes is busy.
  std::optional<Plan> FromLevel0(size_t newest) const;
  // The tables `run` of `level`, merged into the next one, with more of the level if that costs
  // nothing there.
  std::optional<Plan> Sink(int level, Run run) const { return Sink(level, run, level + 1); }
  // The same into `output_level`; there are no tables between the two.
  std::optional<Plan> Sink(int level, Run run, int output_level) const;
  // Table `index` of `level` rewritten where it is; from level 0, into level0_target.
  std::optional<Plan> Rewrite(int level, size_t index) const;

  // The table of `level` that costs least to merge into `output_level`, there being no tables
  // between the two: mostly-garbage tables first, then by bytes dragged along for each byte that
  // leaves.
  std::optional<Plan> SinkCheapest(int level, int output_level) const;

  // The oldest tables of level 0, as many as a plan may take but none newer than `newest`.
  Run OldestFlushes(size_t newest) const;

  bool Wasted(const TableView& table) const;
  bool TombstoneHeavy(const TableView& table) const;
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

  const PlanLimits& limits_;
  const PartitionView& partition_;

 private:
  std::optional<Plan> TryGarbage() const;
  std::optional<Plan> TryValueGarbage() const;
  std::optional<Plan> TryTombstones() const;

  const int level0_target_;
  std::vector<uint64_t> wasted_value_files_;
  uint64_t wasted_value_bytes_ = 0;
};

}  // namespace varve::compaction
