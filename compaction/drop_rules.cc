#include "compaction/drop_rules.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace varve::compaction {

DeeperKeys::DeeperKeys(std::vector<std::vector<KeyInterval>> levels) {
  levels_.reserve(levels.size());
  for (auto& intervals : levels) {
    if (!intervals.empty()) levels_.push_back({std::move(intervals)});
  }
}

bool DeeperKeys::MayContain(std::string_view key) {
  for (Level& level : levels_) {
    while (level.next < level.intervals.size() && level.intervals[level.next].EndsBefore(key)) {
      ++level.next;
    }
    if (level.next < level.intervals.size() && level.intervals[level.next].begin <= key) {
      return true;
    }
  }
  return false;
}

DropRules::DropRules(std::vector<SequenceNumber> boundaries, DeeperKeys deeper)
    : boundaries_(std::move(boundaries)), deeper_(std::move(deeper)) {
  assert(!boundaries_.empty());
  assert(std::is_sorted(boundaries_.begin(), boundaries_.end()));
}

void DropRules::CountDropped(EntryKind kind) {
  ++(kind == EntryKind::kDelete ? dropped_tombstones_ : dropped_versions_);
}

size_t DropRules::EndKey() {
  if (!waiting_.has_value()) return 0;
  const SequenceNumber sequence = *waiting_;
  waiting_.reset();
  if (!deeper_.MayContain(key_)) {
    CountDropped(EntryKind::kDelete);
    return 0;
  }
  survivor_key_.swap(key_);
  survivors_[0] = {survivor_key_, sequence, EntryKind::kDelete, {}};
  return 1;
}

std::span<const Entry> DropRules::AddSlowly(const Entry& entry, bool same_key) {
  ++added_;
  size_t survivors = 0;
  const size_t boundary = BoundaryOf(entry.sequence);
  if (!same_key) {
    assert(!has_key_ || key_ < entry.key);
    survivors = EndKey();
    key_.assign(entry.key);
    has_key_ = true;
  } else {
    assert(entry.sequence <= last_sequence_);
    const bool hidden = boundary == last_boundary_ && boundary < boundaries_.size();
    if (hidden || entry.sequence == last_sequence_) {
      CountDropped(entry.kind);
      return {};
    }
  }
  last_sequence_ = entry.sequence;
  last_boundary_ = boundary;
  if (entry.kind == EntryKind::kDelete) {
    if (waiting_.has_value()) CountDropped(EntryKind::kDelete);
    waiting_ = entry.sequence;
    return {survivors_, survivors};
  }
  if (waiting_.has_value()) {
    // The same key, so nothing survived of an earlier one.
    survivors_[survivors++] = {entry.key, *waiting_, EntryKind::kDelete, {}};
    waiting_.reset();
  }
  survivors_[survivors++] = entry;
  return {survivors_, survivors};
}

std::span<const Entry> DropRules::Finish() { return {survivors_, EndKey()}; }

}  // namespace varve::compaction
