// RunPicker: plans for layouts of sorted runs over one large bottom run, which tiered and
// lazy-leveled compaction share.
//
// Each level from 1 to kLevels - 2 holds at most one run, the deepest the oldest; the last level
// holds the bottom run, with most of the data. Level 0 is merged into a new run above the others.
// When enough runs of about one size stand on top, they are merged along. When all that lies above
// the bottom run comes to too large a share of it, it is merged into it slice by slice: a slice is
// a range of keys in which no table crosses the ends, so it takes part of the space and of the time
// of a merge of everything, and the slice where most has gathered goes first. New runs are cut
// where slices end, so that slices stay narrow.
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
  // Level 0 is compacted when it has this many tables.
  int level0_tables_max = 4;
  // Runs of about one size are merged when there would be so many of them.
  int runs_per_size_max = 4;
  // What lies above the bottom run is merged into it beyond this share of it, and at least this
  // much; in an idle partition beyond the smaller share.
  double upper_share_max = 0.4;
  double upper_share_idle_max = 0.13;
  uint64_t upper_bytes_min = uint64_t{32} << 20;
  // Slices are so wide that the tables of new runs have about this size.
  uint64_t run_table_bytes = uint64_t{8} << 20;
};

class RunPicker : public Picker {
 public:
  RunPicker(const RunOptions& options, const PartitionView& partition);

  std::optional<Plan> Pick() const;
  // Policy::Debt.
  double Debt() const;

 private:
  static constexpr int kBottom = kLevels - 1;

  // Tables that overlap each other, directly or through others, and nothing else from level 1 on.
  struct Slice {
    KeyInterval keys;
    Run runs[kLevels];
    uint64_t upper_bytes = 0;
    uint64_t bottom_bytes = 0;
    bool busy = false;
  };

  // The slices of the tables from `top` (at least 1) to the bottom, in key order.
  std::vector<Slice> Slices(int top) const;
  // How much may lie above the bottom run.
  double UpperBytesMax() const;

  // Level 0, and perhaps some runs, into one run.
  std::optional<Plan> NewRun() const;
  // The oldest tables of level 0 into the bottom run, if they overlap nothing.
  std::optional<Plan> MoveFlushes(Run flushes) const;
  // Everything into the bottom run, if that is little.
  std::optional<Plan> MergeAll() const;
  // The levels that are merged along with `bytes` from level 0: all to above the one returned,
  // which is the first that stays.
  int FirstRunThatStays(uint64_t bytes) const;
  void CutAtSlices(Plan& plan, uint64_t bytes) const;
  // What lies above the bottom run, into it: the best slice, or level 0 into a run first.
  std::optional<Plan> ShrinkUpper() const;
  std::optional<Plan> MergeSlice(const Slice& slice) const;

  const RunOptions& options_;
  uint64_t level0_bytes_ = 0;
  uint64_t runs_bytes_ = 0;  // of levels 1 to kLevels - 2
  uint64_t bottom_bytes_ = 0;
};

}  // namespace varve::compaction
