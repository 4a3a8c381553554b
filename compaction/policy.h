// Policy: decides which tables of a partition are merged next, and into what. How that is done is
// the job's business (job.h); the two know nothing of each other.
//
// A policy answers the four questions that Sarkar, Staratzis, Zhu and Athanassoulis, "Constructing
// and Analyzing the LSM Compaction Design Space" (VLDB 2021), take compaction strategies apart
// into: when to compact (trigger), how levels are laid out (layout), how much at a time
// (granularity), and which data moves (movement). Leveled compaction (leveled.h) is the one the
// engine uses by default. To try another, derive from Policy in a file of its own and hand it to
// engine::Options::policy.
//
// What the engine promises about the levels it shows:
//   - For every key, what stands in a level is newer than what stands in any deeper one. The tables
//   of
//     level 0 stand newest first: their key ranges may overlap, and for every key an earlier table
//     holds newer versions than a later one. From level 1 on, tables stand in key order and do not
//     overlap.
//   - Something of every table lies in its clip.
//   - One version is shown to a policy at a time, and every plan that the engine carries out is
//   applied
//     whole: inputs leave, outputs arrive in `output_level`.
// What a plan must promise in turn (CheckPlan holds it):
//   - No input is busy, and at least one table is named.
//   - The order of levels stays right: with a table of level 0 go all older tables of level 0 whose
//     range overlaps the plan's, and with all inputs go all tables of `output_level` that overlap
//     the inputs' range. Between the topmost input level and `output_level` no table is left whose
//     range overlaps that of an input from above it.
//   - `output_level` is not above any input, and not 0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "compaction/key_interval.h"
#include "sstable/table_info.h"

namespace varve::compaction {

// How many levels a partition has: 0 .. kLevels - 1.
inline constexpr int kLevels = 7;

// One table as one partition refers to it. Key views belong to whoever made the PartitionView.
struct TableView {
  uint64_t number = 0;  // of the file
  uint64_t bytes = 0;   // of the whole file

  // The keys of the table that lie in the reference's clip: from the larger of the table's smallest
  // key and the clip's begin, to the smaller of its largest key and the clip's end
  // (ClippedInterval).
  KeyInterval keys;
  // Estimate of the file's bytes that this reference reaches; `bytes` if nothing is clipped away.
  uint64_t live_bytes = 0;
  // The same summed over all references to the file, from all partitions; at most `bytes`. What is
  // missing to `bytes` is garbage that no reader can reach.
  uint64_t referenced_bytes = 0;

  // Of the whole table.
  uint64_t entries = 0;
  uint64_t tombstones = 0;
  SequenceNumber sequence_min = 0;
  SequenceNumber sequence_max = 0;
  std::span<const sstable::ValueFileUse> value_files;  // ascending by number
  const sstable::KeySample* key_sample = nullptr;      // nullptr: not known

  // Another plan under way reads or replaces it.
  bool busy = false;
};

// The keys that remain of a table with [smallest, largest] under a clip [begin, end), where an
// empty `end` is no bound.
inline KeyInterval ClippedInterval(std::string_view smallest, std::string_view largest,
                                   std::string_view clip_begin, std::string_view clip_end) {
  return Intersection({smallest, largest, true}, {clip_begin, clip_end, false});
}

// A value file that some table of the partition uses.
struct ValueFileView {
  uint64_t number = 0;
  uint64_t bytes = 0;
  // Estimate of what tables of all partitions still refer to; at most `bytes`.
  uint64_t referenced_bytes = 0;
};

// What a policy sees of one partition.
struct PartitionView {
  std::vector<TableView> levels[kLevels];
  // In order of their numbers. Those that no table uses need not be there.
  std::vector<ValueFileView> value_files;
  // The oldest sequence number that a snapshot, or the newest view, still reads at. Versions that
  // are hidden from there on can be dropped.
  SequenceNumber oldest_boundary = kSequenceMax;
  // Hardly anything has been written lately, or somebody waits until all is settled: the time for
  // what a busy partition puts off.
  bool idle = false;
};

// What to merge. Owns its keys.
struct Plan {
  struct Input {
    int level = 0;
    std::vector<uint64_t> tables;  // numbers, in the level's order

    bool operator==(const Input&) const = default;
  };

  // Why, in a word or two, for logs and statistics; a literal.
  std::string_view reason;
  // How urgent, to choose among partitions: from 1 on the partition is out of shape.
  double score = 0;
  // Levels in ascending order, none without tables.
  std::vector<Input> inputs;
  int output_level = 0;
  // No table needs to be rewritten: the inputs are referred to from `output_level` as they are.
  // They overlap neither each other nor what is there.
  bool trivial_move = false;
  // Outputs are cut when they reach this size.
  uint64_t table_bytes_target = 0;
  // Outputs are also cut before each of these keys (ascending), so that no table overlaps too much
  // of the level below its own.
  std::vector<std::string> cuts;
  // Values in these files (ascending) that the inputs refer to are copied to a new file.
  std::vector<uint64_t> rewrite_value_files;
};

// How the tables of a flush are cut.
struct FlushShape {
  std::vector<std::string> cuts;    // before these keys, ascending
  uint64_t table_bytes_target = 0;  // and at this size; 0: at the usual one
};

// Where a compaction of a range that was asked for has got to. Starts empty; only the policy that
// fills it knows what is in it.
struct RangeProgress {
  int level = 0;
  std::string key;
};

// What PickRange says.
struct RangeStep {
  enum class Outcome {
    kPlan,  // carry out `plan`, then ask again
    kBusy,  // the next step needs tables that are busy: ask again when they are not
    kDone,  // nothing is left to do in the range
  };
  Outcome outcome = Outcome::kDone;
  Plan plan;
};

// Thread-safe where it has no state; called under the engine's lock, so it must be quick and not
// block.
class Policy {
 public:
  virtual ~Policy() = default;

  // A short name for logs and benchmarks.
  virtual std::string_view name() const = 0;

  // The plan that `partition` needs most, or nothing if it is in shape or all that would help is
  // busy. Called again after every change of the partition, until it says nothing. Repeated calls
  // with what a plan has led to must end, if nothing is written meanwhile.
  virtual std::optional<Plan> Pick(const PartitionView& partition) const = 0;

  // The next step of merging everything in `range` down to the deepest level, in portions that
  // leave room for others. `progress` starts empty and is handed back at each step.
  virtual RangeStep PickRange(const PartitionView& partition, const KeyInterval& range,
                              RangeProgress& progress) const = 0;

  // How to cut a flush of about `bytes` into level 0, so that what is merged with some of it later
  // need not be merged with all of it.
  virtual FlushShape ShapeFlush(const PartitionView& partition, uint64_t bytes) const {
    (void)partition;
    (void)bytes;
    return {};
  }

  // How much too much space the partition takes because compactions do not keep up: at 0 and below
  // not too much, towards 1 so much that writes should nearly stand still. At most 1.
  virtual double SpacePressure(const PartitionView& partition) const {
    (void)partition;
    return 0;
  }

  // About how many bytes compactions would write until Pick says nothing, if nothing were written
  // meanwhile. 0 if it says nothing now. What writers are slowed down by.
  virtual double Debt(const PartitionView& partition) const = 0;
};

// OK if `plan` keeps what a plan must promise (top of this file) for `partition`; otherwise
// InvalidArgument with the rule it breaks. The engine asserts this of every plan, so that a
// mistaken policy stops before it loses data.
Status CheckPlan(const PartitionView& partition, const Plan& plan);

// The key ranges that may hold older versions of what `plan` merges: everything below its output
// level (for DeeperKeys, drop_rules.h). One vector a level, in key order.
std::vector<std::vector<KeyInterval>> IntervalsBelow(const PartitionView& partition,
                                                     const Plan& plan);
// The same for a flush into level 0: all tables of the partition.
std::vector<std::vector<KeyInterval>> AllIntervals(const PartitionView& partition);

}  // namespace varve::compaction
