#include "engine/iterator.h"

#include <algorithm>

#include "compaction/clip_iterator.h"
#include "compaction/level_iterator.h"
#include "compaction/memtable_iterator.h"
#include "engine/db_impl.h"

namespace varve::engine {

using compaction::ClipIterator;
using compaction::KeyInterval;
using compaction::LevelIterator;
using compaction::MemtableIterator;
using compaction::MergingIterator;

IteratorImpl::IteratorImpl(DbImpl& db, IteratorOptions options)
    : db_(db), options_(std::move(options)) {
  if (options_.snapshot == nullptr) own_snapshot_ = db_.NewSnapshot();
  const Snapshot* snapshot = own_snapshot_ != nullptr ? own_snapshot_.get() : options_.snapshot;
  sequence_ = snapshot->sequence();
}

IteratorImpl::~IteratorImpl() = default;

io::Io& IteratorImpl::io() { return db_.io(); }

void IteratorImpl::Fail(Status status) {
  state_ = State::kFailed;
  status_ = std::move(status);
}

// ---- Entering a partition

std::unique_ptr<sstable::EntryIterator> IteratorImpl::TableIterator(const LevelTable& table) const {
  sstable::IteratorOptions options;
  if (!options_.fill_cache) options.reading = sstable::IteratorOptions::Reading::kScan;
  options.read_until = options_.upper_bound;
  auto iterator = table.handle->table().NewIterator(options);
  if (!table.clipped) return iterator;
  return std::make_unique<ClipIterator>(std::move(iterator), table.reference.clip_begin,
                                        table.reference.clip_end);
}

void IteratorImpl::EnterPartition(std::string_view key, Direction direction) {
  merge_.reset();
  std::tie(partition_, view_) =
      direction == Direction::kForward ? db_.ViewOf(key) : db_.ViewBefore(key);
  MergingIterator::Children children;
  const auto add_memtable = [&](const std::shared_ptr<PartitionMemtable>& memtable) {
    std::unique_ptr<sstable::EntryIterator> child =
        std::make_unique<MemtableIterator>(memtable->table);
    // A partition that is cut later shares the memtables of this view, and only then.
    if (memtable->shared) {
      child = std::make_unique<ClipIterator>(std::move(child), partition_->begin, partition_->end);
    }
    children.push_back(std::move(child));
  };
  if (view_->active != nullptr) add_memtable(view_->active);
  for (const auto& memtable : view_->frozen) add_memtable(memtable);
  const Levels& levels = *view_->levels;
  for (const LevelTable& table : levels[0]) children.push_back(TableIterator(table));
  for (int level = 1; level < kLevels; ++level) {
    if (levels[level].empty()) continue;
    std::vector<KeyInterval> ranges;
    for (const LevelTable& table : levels[level]) ranges.push_back(table.keys);
    children.push_back(std::make_unique<LevelIterator>(
        std::move(ranges),
        [this, &tables = levels[level]](size_t i) { return TableIterator(tables[i]); }));
  }
  if (children.size() == 1) {
    merge_ = std::move(children.front());
  } else {
    merge_ = std::make_unique<MergingIterator>(std::move(children));
  }
}

// ---- Movements

void IteratorImpl::SeekToFirst() { Seek(options_.lower_bound, kSequenceMax); }

void IteratorImpl::Seek(std::string_view key, SequenceNumber sequence) {
  const std::string from(std::max<std::string_view>(key, options_.lower_bound));
  value_get_.reset();
  status_ = absl::OkStatus();
  direction_ = Direction::kForward;
  has_key_ = false;
  EnterPartition(from, direction_);
  if (from.empty()) {
    merge_->SeekToFirst();
  } else {
    merge_->Seek(from, kSequenceMax);
  }
  Continue();
}

void IteratorImpl::SeekToLast() { SeekBefore(std::string_view(), kSequenceMax); }

void IteratorImpl::SeekBefore(std::string_view key, SequenceNumber sequence) {
  // An empty key is the end of the key space here: no key is before it otherwise.
  std::string before(key);
  if (!options_.upper_bound.empty() && (before.empty() || before > options_.upper_bound)) {
    before = options_.upper_bound;
  }
  value_get_.reset();
  status_ = absl::OkStatus();
  direction_ = Direction::kBackward;
  has_key_ = false;
  candidate_ = Found::kNothing;
  EnterPartition(before, direction_);
  if (before.empty()) {
    merge_->SeekToLast();
  } else {
    merge_->SeekBefore(before, kSequenceMax);
  }
  Continue();
}

void IteratorImpl::Next() {
  value_get_.reset();
  if (direction_ == Direction::kForward) {
    merge_->Next();
    Continue();
    return;
  }
  // The merge stands before key_. The next key is behind all versions of it.
  const std::string last = key_;
  direction_ = Direction::kForward;
  EnterPartition(last, direction_);
  has_key_ = true;
  key_ = last;
  merge_->Seek(last, 0);
  Continue();
}

void IteratorImpl::Prev() {
  value_get_.reset();
  if (direction_ == Direction::kForward) {
    const std::string current = key_;
    SeekBefore(current, kSequenceMax);
    return;
  }
  has_key_ = false;
  candidate_ = Found::kNothing;
  Continue();
}

// ---- Walking

void IteratorImpl::Continue() {
  if (direction_ == Direction::kForward) {
    ContinueForward();
  } else {
    ContinueBackward();
  }
}

void IteratorImpl::ContinueForward() {
  for (;;) {
    switch (merge_->state()) {
      case State::kWaiting:
        state_ = State::kWaiting;
        return;
      case State::kFailed:
        Fail(merge_->status());
        return;
      case State::kEnd: {
        const std::string end = partition_->end;
        if (end.empty() || AtUpper(end)) {
          End();
          return;
        }
        EnterPartition(end, direction_);
        merge_->Seek(end, kSequenceMax);
        continue;
      }
      case State::kEntry:
        break;
    }
    const Entry& entry = merge_->entry();
    if (AtUpper(entry.key)) {
      End();
      return;
    }
    const bool hidden = entry.sequence > sequence_ || (has_key_ && entry.key == key_);
    if (!hidden) {
      key_.assign(entry.key);
      has_key_ = true;
      if (entry.kind != EntryKind::kDelete) {
        Show(entry);
        return;
      }
    }
    merge_->Next();
  }
}

bool IteratorImpl::TakeOlderVersion(const Entry& entry) {
  if (has_key_ && entry.key != key_) {
    if (candidate_ == Found::kPut) return true;
    has_key_ = false;
  }
  if (!has_key_) {
    key_.assign(entry.key);
    has_key_ = true;
    candidate_ = Found::kNothing;
  }
  // Walking backward, a key's versions come oldest first: the last visible one counts.
  if (entry.sequence <= sequence_) {
    candidate_ = entry.kind == EntryKind::kDelete ? Found::kTombstone : Found::kPut;
    candidate_value_.assign(entry.value);
    candidate_entry_ = entry;
  }
  return false;
}

bool IteratorImpl::ShowCandidate() {
  if (!has_key_ || candidate_ != Found::kPut) return false;
  candidate_entry_.value = candidate_value_;
  Show(candidate_entry_);
  return true;
}

void IteratorImpl::ContinueBackward() {
  for (;;) {
    switch (merge_->state()) {
      case State::kWaiting:
        state_ = State::kWaiting;
        return;
      case State::kFailed:
        Fail(merge_->status());
        return;
      case State::kEnd: {
        if (ShowCandidate()) return;
        has_key_ = false;
        const std::string begin = partition_->begin;
        if (begin.empty() || begin <= options_.lower_bound) {
          End();
          return;
        }
        EnterPartition(begin, direction_);
        merge_->SeekBefore(begin, kSequenceMax);
        continue;
      }
      case State::kEntry:
        break;
    }
    const Entry& entry = merge_->entry();
    if (BelowLower(entry.key)) {
      if (!ShowCandidate()) End();
      return;
    }
    if (TakeOlderVersion(entry)) {
      ShowCandidate();
      return;
    }
    merge_->Prev();
  }
}

// ---- Values

const ValueFileHandle* IteratorImpl::FindValueFile(uint64_t number) const {
  for (const auto& level : *view_->levels) {
    for (const LevelTable& table : level) {
      if (const ValueFileHandle* file = table.handle->FindValueFile(number)) return file;
    }
  }
  return nullptr;
}

void IteratorImpl::Show(const Entry& entry) {
  const std::string_view value = entry.value;
  entry_ = {.key = key_, .sequence = entry.sequence, .kind = EntryKind::kPut, .value = value};
  state_ = State::kEntry;
  if (entry.kind != EntryKind::kPutReference) return;
  entry_.value = {};
  if (options_.keys_only) return;
  sstable::ValueReference reference;
  const ValueFileHandle* file = nullptr;
  if (sstable::ValueReference::Parse(value, &reference)) {
    file = FindValueFile(reference.file_number);
  }
  if (file == nullptr) {
    Fail(Corruption("a table of partition {} refers to a value file that it does not name",
                    partition_->id));
    return;
  }
  value_get_.emplace(file->file(), reference);
  StepValue();
}

void IteratorImpl::StepValue() {
  switch (value_get_->Step()) {
    case sstable::ValueGet::State::kFound:
      entry_.value = value_get_->value();
      state_ = State::kEntry;
      break;
    case sstable::ValueGet::State::kFailed:
      Fail(value_get_->status());
      break;
    default:
      state_ = State::kWaiting;
      break;
  }
}

// ---- Waiting

void IteratorImpl::CollectFetches(std::vector<sstable::BlockFetch*>& fetches) {
  if (value_get_) {
    fetches.push_back(&*value_get_);
  } else {
    merge_->CollectFetches(fetches);
  }
}

void IteratorImpl::Resume() {
  if (value_get_) {
    StepValue();
    return;
  }
  merge_->Resume();
  Continue();
}

}  // namespace varve::engine
