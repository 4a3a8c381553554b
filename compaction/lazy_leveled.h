// Lazy leveling: sorted runs of growing size above one large bottom run (Dayan and Idreos,
// "Dostoevsky: Better Space-Time Trade-Offs for LSM-Tree Based Key-Value Stores", SIGMOD 2018).
// Data is written once for each size of run it passes and then once into the bottom run, instead of
// over and over at every level; a point read pays with a filter probe for each run.
//
// In the words of the design space (policy.h):
//   trigger      tables in level 0; bytes above the bottom run as a share of it; what is mostly
//                garbage or tombstones
//   layout       level 0, up to five runs, a leveled bottom
//   granularity  level 0 as a whole with the runs that fit its size; into the bottom, a slice of
//                the key range
//   movement     the slice where most has gathered above the bottom run; no rewriting where nothing
//                overlaps
//
// docs/compaction.md tells it with examples and figures.
#pragma once

#include "compaction/run_picker.h"

namespace varve::compaction {

// Immutable, so thread-safe.
class LazyLeveledPolicy final : public Policy {
 public:
  explicit LazyLeveledPolicy(const RunOptions& options) : options_(options) {}

  const RunOptions& options() const { return options_; }

  std::string_view name() const override { return "lazy-leveled"; }
  std::optional<Plan> Pick(const PartitionView& partition) const override {
    return RunPicker(options_, partition).Pick();
  }
  RangeStep PickRange(const PartitionView& partition, const KeyInterval& range,
                      RangeProgress& progress) const override {
    return RunPicker(options_, partition).PickRange(range, progress);
  }
  FlushShape ShapeFlush(const PartitionView& partition, uint64_t bytes) const override {
    return RunPicker(options_, partition).ShapeFlush(bytes);
  }
  double SpacePressure(const PartitionView& partition) const override {
    return RunPicker(options_, partition).SpacePressure();
  }
  double Debt(const PartitionView& partition) const override {
    return RunPicker(options_, partition).Debt();
  }

 private:
  const RunOptions options_;
};

}  // namespace varve::compaction
