// DropRules: which versions a flush or a compaction keeps. Pure logic; the job feeds it.
//
// Reads happen at boundaries: the sequence numbers of the snapshots and, newest, the sequence
// number that was visible when the job began. Later snapshots lie at or after that one. A read at s
// sees, for each key, the newest version at or below s. Of one key's versions, newest first, the
// job keeps
//
//   1. every version newer than the newest boundary;
//   2. for each boundary, the newest version at or below it (one version may serve several);
//   3. of these, no tombstone right above another tombstone that is kept: the older one hides as
//   much;
//   4. of these, no tombstone below which nothing is kept, if the key has no older version
//   elsewhere
//      (DeeperKeys): there is nothing left for it to hide.
//
// What remains is needed: take any version away, and a read at some boundary, or at some later
// sequence number, changes (in case 4, if the deeper level does hold the key). Tests hold both
// directions against a model.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/shared_bytes.h"
#include "compaction/key_interval.h"

namespace varve::compaction {

// Which keys may have older versions outside the job's inputs.
class DeeperKeys {
 public:
  // Nothing is deeper.
  DeeperKeys() = default;
  // One vector a level; within it the intervals stand in key order and do not overlap.
  // (IntervalsBelow and AllIntervals of policy.h make them.) The keys must outlive this object.
  explicit DeeperKeys(std::vector<std::vector<KeyInterval>> levels);

  // Call with keys in ascending order: each interval is passed once.
  bool MayContain(std::string_view key);

 private:
  struct Level {
    std::vector<KeyInterval> intervals;
    size_t next = 0;  // the first that does not end before the last key asked for
  };
  std::vector<Level> levels_;
};

class DropRules {
 public:
  // `boundaries` in ascending order, not empty; the last is the sequence number visible when the
  // job began.
  DropRules(std::vector<SequenceNumber> boundaries, DeeperKeys deeper);

  // Takes the next entry, in entry order. Returns the entries whose fate this settles and that are
  // kept, in order: a tombstone that came before and waited for its key's next version, `entry`
  // itself, both or neither. Valid until the next call, as long as `entry` is.
  std::span<const Entry> Add(const Entry& entry) {
    // Most entries: a put of a key of its own, and nothing waits.
    const size_t shared = SharedBytes(key_, entry.key);
    const bool same_key = has_key_ && shared == key_.size() && shared == entry.key.size();
    if (same_key || waiting_ || entry.kind == EntryKind::kDelete) return AddSlowly(entry, same_key);
    ++added_;
    assert(!has_key_ || key_ < entry.key);
    key_.assign(entry.key);
    has_key_ = true;
    last_sequence_ = entry.sequence;
    last_boundary_ = BoundaryOf(entry.sequence);
    return {&entry, 1};
  }
  // After the last entry: what was still waiting.
  std::span<const Entry> Finish();

  // How many entries were given, and how many of them were not kept.
  uint64_t added() const { return added_; }
  uint64_t dropped_versions() const { return dropped_versions_; }
  uint64_t dropped_tombstones() const { return dropped_tombstones_; }

 private:
  // Which boundary sees a version with this sequence number first; boundaries_.size() if it is
  // newer than all.
  size_t BoundaryOf(SequenceNumber sequence) const {
    // Without snapshots there is one.
    if (boundaries_.size() == 1) return sequence <= boundaries_[0] ? 0 : 1;
    return static_cast<size_t>(std::lower_bound(boundaries_.begin(), boundaries_.end(), sequence) -
                               boundaries_.begin());
  }
  std::span<const Entry> AddSlowly(const Entry& entry, bool same_key);
  // Settles the waiting tombstone at the end of its key. Returns how many survivors that makes.
  size_t EndKey();
  void CountDropped(EntryKind kind);

  const std::vector<SequenceNumber> boundaries_;
  DeeperKeys deeper_;

  bool has_key_ = false;
  std::string key_;
  SequenceNumber last_sequence_ = 0;       // of the last version of key_
  size_t last_boundary_ = 0;               // and its boundary; boundaries_.size() if it had none
  std::optional<SequenceNumber> waiting_;  // a tombstone of key_

  std::string survivor_key_;
  Entry survivors_[2];
  uint64_t added_ = 0;
  uint64_t dropped_versions_ = 0;
  uint64_t dropped_tombstones_ = 0;
};

}  // namespace varve::compaction
