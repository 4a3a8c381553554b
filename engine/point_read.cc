#include "engine/point_read.h"

#include <algorithm>

namespace varve::engine {

bool PointRead::SearchMemtable(const std::shared_ptr<PartitionMemtable>& memtable) {
  const std::optional<Entry> entry = memtable->table.Get(key_, sequence_);
  if (!entry) return false;
  found_ = entry->kind == EntryKind::kPut;
  value_ = entry->value;
  value_memtable_ = &memtable;
  return true;
}

bool PointRead::SearchMemtables() {
  if (view_.active != nullptr && SearchMemtable(view_.active)) return true;
  return std::any_of(view_.frozen.begin(), view_.frozen.end(),
                     [&](const auto& memtable) { return SearchMemtable(memtable); });
}

bool PointRead::NextTable() {
  const Levels& levels = *view_.levels;
  const std::vector<LevelTable>& level0 = levels[0];
  while (level_ == 0 && next_in_level0_ < level0.size()) {
    table_ = &level0[next_in_level0_++];
    if (table_->keys.Contains(key_)) return true;
  }
  while (++level_ < kLevels) {
    const std::vector<LevelTable>& level = levels[level_];
    auto after = std::upper_bound(
        level.begin(), level.end(), key_,
        [](std::string_view key, const LevelTable& table) { return key < table.keys.begin; });
    if (after == level.begin()) continue;
    table_ = &*std::prev(after);
    if (table_->keys.Contains(key_)) return true;
  }
  return false;
}

PointRead::State PointRead::Fail(Status status) {
  status_ = std::move(status);
  return State::kFailed;
}

PointRead::State PointRead::StepValue() {
  switch (value_get_->Step()) {
    case sstable::ValueGet::State::kFound:
      value_ = value_get_->value();
      found_ = true;
      return State::kFound;
    case sstable::ValueGet::State::kFailed:
      return Fail(value_get_->status());
    default:
      return State::kWaiting;
  }
}

PointRead::State PointRead::StepTable() {
  switch (get_->Step()) {
    case sstable::TableGet::State::kWaiting:
      return State::kWaiting;
    case sstable::TableGet::State::kFailed:
      return Fail(get_->status());
    case sstable::TableGet::State::kFound:
      break;
    default:
      get_.reset();
      return Step();
  }
  const Entry& entry = get_->entry();
  if (entry.kind == EntryKind::kDelete) return State::kAbsent;
  if (entry.kind == EntryKind::kPut) {
    value_ = entry.value;
    found_ = true;
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
  return StepValue();
}

PointRead::State PointRead::Step() {
  if (value_get_) return StepValue();
  if (!memtables_done_) {
    memtables_done_ = true;
    if (SearchMemtables()) return found_ ? State::kFound : State::kAbsent;
    hash_ = Hash(key_);
  }
  if (!get_) {
    if (!NextTable()) return State::kAbsent;
    get_.emplace(table_->handle->table(), key_, hash_, sequence_);
  }
  return StepTable();
}

sstable::BlockFetch& PointRead::fetch() {
  if (value_get_) return *value_get_;
  return *get_;
}

void PointRead::TakeValue(PinnedValue* value) {
  if (value_.size() <= kCopyBytesMax) {
    value->Copy(value_);
  } else if (value_memtable_ != nullptr) {
    value->Pin(value_, *value_memtable_);
  } else {
    value->Pin(value_, std::make_shared<sstable::BlockPin>(value_get_ ? value_get_->TakePin()
                                                                      : get_->TakePin()));
  }
}

}  // namespace varve::engine
