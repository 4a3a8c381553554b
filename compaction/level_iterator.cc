#include "compaction/level_iterator.h"

#include <algorithm>
#include <utility>

namespace varve::compaction {

LevelIterator::LevelIterator(std::vector<KeyInterval> tables, Opener opener)
    : tables_(std::move(tables)), opener_(std::move(opener)) {}

bool LevelIterator::Open(size_t index) {
  status_ = absl::OkStatus();
  if (index >= tables_.size()) {  // also what is before the first: size_t wraps around
    state_ = State::kEnd;
    return false;
  }
  if (table_ == nullptr || current_ != index) {
    table_ = opener_(index);
    current_ = index;
  }
  return true;
}

void LevelIterator::Follow() {
  while (table_->state() == State::kEnd) {
    if (!Open(forward_ ? current_ + 1 : current_ - 1)) return;
    if (forward_) {
      table_->SeekToFirst();
    } else {
      table_->SeekToLast();
    }
  }
  state_ = table_->state();
  if (state_ == State::kEntry) {
    ShowWindow(table_->window_begin(), table_->at(), table_->window_end());
  } else if (state_ == State::kFailed) {
    status_ = table_->status();
  }
}

void LevelIterator::SeekToFirst() {
  forward_ = true;
  if (!Open(0)) return;
  table_->SeekToFirst();
  Follow();
}

void LevelIterator::SeekToLast() {
  forward_ = false;
  if (!Open(tables_.size() - 1)) return;
  table_->SeekToLast();
  Follow();
}

void LevelIterator::Seek(std::string_view key, SequenceNumber sequence) {
  forward_ = true;
  // The first table that does not end before the key.
  const auto table =
      std::partition_point(tables_.begin(), tables_.end(),
                           [key](const KeyInterval& keys) { return keys.EndsBefore(key); });
  if (!Open(static_cast<size_t>(table - tables_.begin()))) return;
  table_->Seek(key, sequence);
  Follow();
}

void LevelIterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  forward_ = false;
  // The last table that begins at or before the key.
  const auto after = std::partition_point(
      tables_.begin(), tables_.end(), [key](const KeyInterval& keys) { return keys.begin <= key; });
  if (!Open(static_cast<size_t>(after - tables_.begin()) - 1)) return;
  table_->SeekBefore(key, sequence);
  Follow();
}

void LevelIterator::NextWindow() {
  forward_ = true;
  table_->MoveTo(at_);
  table_->Next();
  Follow();
}

void LevelIterator::PrevWindow() {
  forward_ = false;
  table_->MoveTo(at_);
  table_->Prev();
  Follow();
}

void LevelIterator::CollectFetches(std::vector<sstable::BlockFetch*>& fetches) {
  table_->CollectFetches(fetches);
}

void LevelIterator::Resume() {
  table_->Resume();
  Follow();
}

}  // namespace varve::compaction
