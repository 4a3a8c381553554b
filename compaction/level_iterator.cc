#include "compaction/level_iterator.h"

#include <utility>

namespace varve::compaction {

namespace {

class ListedTables final : public LevelIterator::Tables {
 public:
  ListedTables(std::vector<KeyInterval> keys, LevelIterator::Opener opener)
      : keys_(std::move(keys)), opener_(std::move(opener)) {}
  size_t size() const override { return keys_.size(); }
  KeyInterval keys(size_t i) const override { return keys_[i]; }
  std::unique_ptr<sstable::EntryIterator> Open(size_t i) const override { return opener_(i); }

 private:
  const std::vector<KeyInterval> keys_;
  const LevelIterator::Opener opener_;
};

}  // namespace

LevelIterator::LevelIterator(std::vector<KeyInterval> tables, Opener opener)
    : own_tables_(std::make_unique<ListedTables>(std::move(tables), std::move(opener))),
      tables_(own_tables_.get()) {}

bool LevelIterator::Open(size_t index) {
  status_ = absl::OkStatus();
  if (index >= tables_->size()) {  // also what is before the first: size_t wraps around
    state_ = State::kEnd;
    return false;
  }
  if (table_ == nullptr || current_ != index) {
    table_ = tables_->Open(index);
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
  if (!Open(tables_->size() - 1)) return;
  table_->SeekToLast();
  Follow();
}

size_t LevelIterator::Find(Target target, std::string_view key) const {
  // How many tables end before the key, or begin at or before it.
  size_t low = 0;
  size_t high = tables_->size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const KeyInterval keys = tables_->keys(middle);
    if (target == Target::kAtOrAfter ? keys.EndsBefore(key) : keys.begin <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return target == Target::kAtOrAfter ? low : low - 1;
}

void LevelIterator::AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) {
  announced_ = Open(Find(target, key));
  if (announced_) table_->AnnounceSeek(target, key, sequence);
}

void LevelIterator::PreloadSeek() {
  if (announced_) table_->PreloadSeek();
}

void LevelIterator::Seek(std::string_view key, SequenceNumber sequence) {
  forward_ = true;
  if (!std::exchange(announced_, false) && !Open(Find(Target::kAtOrAfter, key))) return;
  table_->Seek(key, sequence);
  Follow();
}

void LevelIterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  forward_ = false;
  if (!std::exchange(announced_, false) && !Open(Find(Target::kBefore, key))) return;
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
