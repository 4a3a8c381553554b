// RunPicker: plans for layouts of sorted runs over one large bottom run, which tiered and
// lazy-leveled compaction share.
//
// Each level from 1 to kLevels - 2 holds at most one run, the deepest the oldest; the last level
// holds the bottom run, with most of the data. Level 0 is merged into a new run above the others.
// When enough runs of about one size stand on top, they are merged along. When all that lies above
// the bottom run hides too much of what it holds, it is merged into it slice by slice: a slice is
// a range of keys in which no table crosses the ends, so it takes part of the space and of the time
// of a merge of everything, and the slice where most has gathered goes first. Flushes and new runs
// are cut where slices end, so that slices stay narrow; and a flush of some size is a run as it
// stands, without being written again, while there is a level for it.
//
// What is hidden is estimated from samples of the tables' keys. Where those are not known, all that
// lies above the bottom run counts as hiding as much.
//
//   level 0   [---------][--------]...     flushes, any of them over all keys
//   level 4   [--][---][--][--][-]         a run
//   level 5   [--][---]    [-----]         an older run
//   level 6   [][][][-][][][][-][]         the bottom run
//             |    |   |   |     |         slices
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compaction/picker.h"

namespace varve::compaction {

struct RunOptions : PlanLimits {
  // Level 0 is compacted when it has this many runs.
  int level0_tables_max = 4;
  // A flush of at least this much is a run of its own while a level is free.
  uint64_t flush_run_bytes_min = uint64_t{16} << 20;
  // Runs of about one size are merged when there would be so many of them.
  int runs_per_size_max = 4;
  // What lies above the bottom run is merged into it when it hides more than this share of it, and
  // at least this much; in an idle partition, when it comes to more than the smaller share and
  // bytes, whether it hides anything or not.
  double upper_share_max = 0.35;
  double upper_share_idle_max = 0.02;
  uint64_t upper_bytes_min = uint64_t{32} << 20;
  uint64_t upper_idle_bytes_min = uint64_t{4} << 20;
  // Slices are so wide that the tables of new runs have about this size.
  uint64_t run_table_bytes = uint64_t{8} << 20;
};

class RunPicker : public Picker {
 public:
  RunPicker(const RunOptions& options, const PartitionView& partition);

  std::optional<Plan> Pick() const;
  // As Policy has them.
  double Debt() const;
  FlushShape ShapeFlush(uint64_t bytes) const;
  double SpacePressure() const;

 private:
  static constexpr int kBottom = kLevels - 1;

  // Tables that overlap each other, directly or through others, and nothing else from level 1 on.
  struct Slice {
    KeyInterval keys;
    std::vector<size_t> flushes;  // of level 0, newest first
    Run runs[kLevels];
    uint64_t upper_bytes = 0;
    uint64_t bottom_bytes = 0;
    bool busy = false;
  };

  // The slices of the tables from level `top` to the bottom, in key order.
  std::vector<Slice> Slices(int top) const;
  // Adds those tables of level 0 that lie in one slice, and so can be merged with it.
  void AddFlushes(std::vector<Slice>& slices) const;
  // How much above the bottom run is too much, and how much of that there is: what it hides, or, in
  // an idle partition, all of it.
  double UpperBytesMax() const;
  double UpperBytes() const;
  // Of entries that newer ones hide, in all levels together.
  double HiddenBytes() const;

  // Level 0, and perhaps some runs, into one run.
  std::optional<Plan> NewRun() const;
  // The oldest run of level 0 as it stands, if it is large enough and a level is free.
  std::optional<Plan> LiftFlush() const;
  // Tables of level 0 that do not overlap, the oldest of them in front of `last`.
  Run FlushRun(size_t last) const;
  // The oldest tables of level 0 into the bottom run, if they overlap nothing.
  std::optional<Plan> MoveFlushes(Run flushes) const;
  // Everything into the bottom run, if that is little.
  std::optional<Plan> MergeAll() const;
  // The levels that are merged along with `bytes` from level 0: all to above the one returned,
  // which is the first that stays.
  int FirstRunThatStays(uint64_t bytes) const;
  // Where to cut a new run of `bytes` above those of the levels from `top` on.
  std::vector<std::string> CutsAtSlices(int top, uint64_t bytes) const;
  bool AnythingBusy() const;
  // What lies above the bottom run, into it: the best slice, or level 0 into a run first.
  std::optional<Plan> ShrinkUpper() const;
  std::optional<Plan> MergeSlice(const Slice& slice) const;

  const RunOptions& options_;
  double level0_runs_ = 0;  // small tables count one each, whether they overlap or not
  uint64_t level0_bytes_ = 0;
  uint64_t runs_bytes_ = 0;  // of levels 1 to kLevels - 2
  uint64_t bottom_bytes_ = 0;
};

}  // namespace varve::compaction
