#include "engine/point_read.h"

#include <algorithm>

#include "sstable/loaded_table.h"

namespace varve::engine {
namespace {

// What is copied in a moment, when others have had their turn.
void Prefetch(std::string_view bytes) {
  constexpr size_t kCacheLineBytes = 64;
  for (size_t i = 0; i < bytes.size(); i += kCacheLineBytes) __builtin_prefetch(bytes.data() + i);
  // GCC takes a function that only prefetches for one without effects, and drops the call.
  asm volatile("");
}

}  // namespace

const std::shared_ptr<PartitionMemtable>* PointRead::NextMemtable() const {
  if (memtable_ == nullptr && view_.active != nullptr) return &view_.active;
  const bool in_frozen = memtable_ != nullptr && memtable_ != &view_.active;
  const size_t next = in_frozen ? static_cast<size_t>(memtable_ - view_.frozen.data()) + 1 : 0;
  return next < view_.frozen.size() ? &view_.frozen[next] : nullptr;
}

PointRead::State PointRead::AdvanceMemtables() {
  if (lookup_) {
    if (!lookup_->Advance()) return State::kMore;
    if (const std::optional<Entry> entry = lookup_->Find(sequence_)) {
      if (entry->kind != EntryKind::kPut) return State::kAbsent;
      value_ = entry->value;
      if (value_.size() <= kCopyBytesMax) Prefetch(value_);
      return State::kFound;
    }
  }
  memtable_ = NextMemtable();
  if (memtable_ != nullptr) {
    lookup_.emplace((*memtable_)->table, key_);
  } else {
    hash_ = Hash(key_);
    CollectCandidates();
    stage_ = Stage::kTables;
  }
  return State::kMore;
}

void PointRead::AddCandidate(const LevelTable& table) {
  candidate_[candidates_++] = &table;
  if (const sstable::LoadedTable* loaded = table.handle->table().TryLoaded()) {
    loaded->filter.Prefetch(hash_);
  }
}

void PointRead::CollectCandidates() {
  const Levels& levels = *view_.levels;
  candidates_ = next_candidate_ = 0;
  if (level_ == 0) {
    const LevelFences& fences = levels.fences[0];
    const FenceKey key(fences, key_);
    for (; next_in_level0_ < fences.size(); ++next_in_level0_) {
      if (!fences.Contains(next_in_level0_, key)) continue;
      if (candidates_ == kCandidatesMax) return;
      AddCandidate(levels[0][next_in_level0_]);
    }
    level_ = 1;
  }
  for (; level_ < kLevels; ++level_) {
    const LevelFences& fences = levels.fences[level_];
    if (fences.size() == 0) continue;
    if (candidates_ == kCandidatesMax) return;
    const size_t at = fences.Find(FenceKey(fences, key_));
    if (at < fences.size()) AddCandidate(levels[level_][at]);
  }
}

PointRead::State PointRead::Fail(Status status) {
  status_ = std::move(status);
  return State::kFailed;
}

PointRead::State PointRead::StepValue() {
  switch (value_get_->Step()) {
    case sstable::ValueGet::State::kFound:
      value_ = value_get_->value();
      return State::kFound;
    case sstable::ValueGet::State::kFailed:
      return Fail(value_get_->status());
    default:
      return State::kWaiting;
  }
}

PointRead::State PointRead::AdvanceTable() {
  switch (get_->Advance()) {
    case sstable::TableGet::State::kMore:
      return State::kMore;
    case sstable::TableGet::State::kWaiting:
      return State::kWaiting;
    case sstable::TableGet::State::kFailed:
      return Fail(get_->status());
    case sstable::TableGet::State::kFound:
      break;
    default:
      stage_ = Stage::kTables;
      return Advance();
  }
  const Entry& entry = get_->entry();
  if (entry.kind == EntryKind::kDelete) return State::kAbsent;
  if (entry.kind == EntryKind::kPut) {
    value_ = entry.value;
    return State::kFound;
  }
  sstable::ValueReference reference;
  const ValueFileHandle* file = nullptr;
  if (sstable::ValueReference::Parse(entry.value, &reference)) {
    file = table_->handle->FindValueFile(reference.file_number);
  }
  if (file == nullptr) {
    return Fail(Corruption("{}: reference to a value file that the table does not name",
                           table_->handle->table().path()));
  }
  value_get_.emplace(file->file(), reference);
  stage_ = Stage::kValue;
  return StepValue();
}

PointRead::State PointRead::Advance() {
  switch (stage_) {
    case Stage::kMemtables:
      return AdvanceMemtables();
    case Stage::kTables:
      if (next_candidate_ == candidates_) {
        if (level_ == kLevels) return State::kAbsent;
        CollectCandidates();
        return candidates_ == 0 ? State::kAbsent : State::kMore;
      }
      table_ = candidate_[next_candidate_++];
      get_.emplace(table_->handle->table(), key_, hash_, sequence_);
      stage_ = Stage::kTable;
      return AdvanceTable();
    case Stage::kTable:
      return AdvanceTable();
    default:
      return StepValue();
  }
}

sstable::BlockFetch& PointRead::fetch() {
  if (value_get_) return *value_get_;
  return *get_;
}

std::pair<const void*, uint64_t> PointRead::wanted() const {
  // Values have one reader each, as a rule: they are not compared.
  if (value_get_) return {this, 0};
  return {&table_->handle->table(), get_->wanted_offset()};
}

void PointRead::TakeValue(PinnedValue* value) {
  if (value_.size() <= kCopyBytesMax) {
    value->Copy(value_);
  } else if (memtable_ != nullptr) {
    value->Pin(value_, *memtable_);
  } else {
    value->Pin(value_, std::make_shared<sstable::BlockPin>(value_get_ ? value_get_->TakePin()
                                                                      : get_->TakePin()));
  }
}

}  // namespace varve::engine
