// Leveled compaction: every level from 1 on is one sorted run, each about level_size_ratio times as
// large as the one above it (O'Neil et al., "The log-structured merge-tree", 1996, in the form that
// LevelDB gave it).
//
// In the words of the design space (policy.h):
//   trigger      tables in level 0; bytes of a level; share of a table that no partition refers to
//   any more;
//                share of tombstones in a table; garbage in value files
//   layout       leveled, with dynamic level sizes: targets are derived from the bottom upwards, so
//                that the last level holds about 90 % of the data whatever its size, and space
//                amplification stays near 1.1 (Dong et al., "Optimizing Space Amplification in
//                RocksDB", CIDR 2017)
//   granularity  one table, with what it overlaps in the next level; level 0 as a whole
//   movement     mostly-garbage tables first, then the table that drags along the least of the next
//                level; a table that overlaps nothing there is moved without rewriting
//
// docs/compaction.md tells it with examples and figures.
#pragma once

#include <cstdint>

#include "compaction/picker.h"
#include "compaction/policy.h"

namespace varve::compaction {

struct LeveledOptions : PlanLimits {
  // Level 0 is compacted when it has this many tables.
  int level0_tables_max = 4;
  // Each level's target over that of the level above.
  int level_size_ratio = 10;
  // Target of the base level: the first one below level 0 that is in use. Level 0 is also compacted
  // when it holds as much.
  uint64_t base_level_bytes = uint64_t{128} << 20;
};

// Immutable, so thread-safe.
class LeveledPolicy final : public Policy {
 public:
  explicit LeveledPolicy(const LeveledOptions& options) : options_(options) {}

  // How the levels should be: where level 0 is merged into, and how large each level may be (0
  // above the base level).
  struct Shape {
    int base_level = kLevels - 1;
    uint64_t target_bytes[kLevels] = {};
  };
  Shape ShapeOf(const PartitionView& partition) const;

  const LeveledOptions& options() const { return options_; }

  std::string_view name() const override { return "leveled"; }
  std::optional<Plan> Pick(const PartitionView& partition) const override;
  RangeStep PickRange(const PartitionView& partition, const KeyInterval& range,
                      RangeProgress& progress) const override;
  double Debt(const PartitionView& partition) const override;

 private:
  class LeveledPicker;

  const LeveledOptions options_;
};

}  // namespace varve::compaction
