// Tiered compaction: sorted runs, merged when there are enough of about one size (O'Neil et al.
// call them components; Apache Cassandra made the form known). Each byte is written about once for
// each size of run there is; reads and space pay for it: what lies above the oldest run may come to
// as much as it holds.
//
// In the words of the design space (policy.h):
//   trigger      tables in level 0; runs of one size; bytes above the oldest run as a share of it;
//                what is mostly garbage or tombstones
//   layout       level 0 and up to six runs
//   granularity  whole runs; into the oldest one, a slice of the key range, so that no merge
//                doubles the space
//   movement     the slice where most has gathered above the oldest run; no rewriting where nothing
//                overlaps
#pragma once

#include "compaction/run_picker.h"

namespace varve::compaction {

// Immutable, so thread-safe.
class TieredPolicy final : public Policy {
 public:
  // The shares of `options` are not regarded.
  explicit TieredPolicy(RunOptions options) : options_(WithShares(options)) {}

  const RunOptions& options() const { return options_; }

  std::string_view name() const override { return "tiered"; }
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
  static RunOptions WithShares(RunOptions options) {
    options.upper_share_max = options.upper_share_idle_max = 1;
    return options;
  }

  const RunOptions options_;
};

}  // namespace varve::compaction
