#include "engine/iterator.h"

#include <algorithm>

#include "compaction/clip_iterator.h"
#include "compaction/memtable_iterator.h"
#include "engine/db_impl.h"

namespace varve::engine {

using compaction::ClipIterator;
using compaction::LevelIterator;
using compaction::MemtableIterator;
using compaction::MergingIterator;

IteratorImpl::IteratorImpl(DbImpl& db, IteratorOptions options)
    : db_(db),
      options_(std::move(options)),
      sequence_(options_.snapshot != nullptr ? options_.snapshot->sequence() : db_.AddSnapshot()) {}

IteratorImpl::~IteratorImpl() {
  if (options_.snapshot == nullptr) db_.RemoveSnapshot(sequence_);
}

io::Io& IteratorImpl::io() { return db_.io(); }

void IteratorImpl::Fail(Status status) {
  state_ = State::kFailed;
  status_ = std::move(status);
}

// ---- Entering a partition

std::unique_ptr<sstable::EntryIterator> IteratorImpl::TableIterator(const LevelTable& table) const {
  sstable::IteratorOptions options;
  if (!options_.fill_cache) options.reading = sstable::IteratorOptions::Reading::kScan;
  options.read_from = options_.lower_bound;
  options.read_until = options_.upper_bound;
  auto iterator = table.handle->table().NewIterator(options);
  if (!table.clipped) return iterator;
  return std::make_unique<ClipIterator>(std::move(iterator), table.reference.clip_begin,
                                        table.reference.clip_end);
}

void IteratorImpl::EnterPartition(std::string_view key, Direction direction) {
  auto [partition, view] = direction == Direction::kForward ? db_.ViewOf(key) : db_.ViewBefore(key);
  if (merge_ != nullptr && partition == partition_ && view == view_) return;
  merge_.reset();
  partition_ = std::move(partition);
  view_ = std::move(view);
  MergingIterator::Children children;
  children.reserve(view_->frozen.size() + view_->levels->front().size() + kLevels);
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
    levels_[level].owner = this;
    levels_[level].tables = &levels[level];
    children.push_back(std::make_unique<LevelIterator>(levels_[level]));
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

void IteratorImpl::NextWindow() {
  value_get_.reset();
  if (direction_ == Direction::kForward) {
    key_.assign(at_->key);
    has_key_ = true;
    if (at_ != &shown_) merge_->MoveTo(at_);
    merge_->Next();
  } else {
    // The next key is behind all versions of this one.
    const std::string last(at_->key);  // which may be key_ itself
    key_ = last;
    has_key_ = true;
    direction_ = Direction::kForward;
    merge_->Seek(key_, 0);
  }
  Continue();
}

void IteratorImpl::PrevWindow() {
  value_get_.reset();
  has_key_ = false;
  candidate_ = Found::kNothing;
  if (direction_ == Direction::kForward) {
    key_.assign(at_->key);
    direction_ = Direction::kBackward;
    merge_->SeekBefore(key_, kSequenceMax);
  } else if (at_ != &shown_) {
    // Else the merge has gone past it already.
    merge_->MoveTo(at_);
    merge_->Prev();
  }
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
    if (ShowForward()) return;
    merge_->Next();
  }
}

bool IteratorImpl::ShowForward() {
  const Entry* at = merge_->at();
  const Entry* const end = merge_->window_end();
  const bool reaches_upper = AtUpper(end[-1].key);
  for (; at != end; ++at) {
    if (reaches_upper && AtUpper(at->key)) {
      End();
      return true;
    }
    if (!Visible(*at) || (has_key_ && at->key == key_)) continue;
    if (at->kind == EntryKind::kPut) break;
    if (at->kind == EntryKind::kPutReference) {
      merge_->MoveTo(at);
      Show(*at);
      return true;
    }
    key_.assign(at->key);
    has_key_ = true;
  }
  if (at == end) {
    merge_->MoveTo(end - 1);
    return false;
  }
  const Entry* past = at + 1;
  while (past != end && Visible(*past) && past->kind == EntryKind::kPut &&
         past->key != past[-1].key && !(reaches_upper && AtUpper(past->key))) {
    ++past;
  }
  ShowWindow(at, at, past);
  return true;
}

void IteratorImpl::TakeCandidate(const Entry& entry) {
  key_.assign(entry.key);
  has_key_ = true;
  candidate_ = entry.kind == EntryKind::kDelete ? Found::kTombstone : Found::kPut;
  candidate_value_.assign(entry.value);
  candidate_entry_ = entry;
}

bool IteratorImpl::ShowCandidate() {
  if (!has_key_ || candidate_ != Found::kPut) return false;
  candidate_entry_.key = key_;
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
    if (ShowBackward()) return;
    merge_->Prev();
  }
}

bool IteratorImpl::ShowBackward() {
  const Entry* at = merge_->at();
  const Entry* const begin = merge_->window_begin();
  const bool reaches_lower = BelowLower(begin->key);
  for (;; --at) {
    if (has_key_ && at->key != key_) {
      if (candidate_ == Found::kPut) {
        merge_->MoveTo(at);
        return ShowCandidate();
      }
      has_key_ = false;
    }
    if (reaches_lower && BelowLower(at->key)) {
      if (!ShowCandidate()) End();
      return true;
    }
    // Walking backward, a key's versions come oldest first: the last visible one counts. What
    // stands at the window's beginning has to wait for what comes before it.
    if (Visible(*at)) {
      if (!has_key_ && at != begin && Shows(at[-1], *at)) break;
      TakeCandidate(*at);
    }
    if (at == begin) {
      merge_->MoveTo(begin);
      return false;
    }
  }
  const Entry* first = at;
  while (first - 1 > begin && Shows(first[-2], first[-1]) && first[-1].key != first->key &&
         !(reaches_lower && BelowLower(first[-1].key))) {
    --first;
  }
  ShowWindow(first, at, at + 1);
  return true;
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
  shown_ = {.key = entry.key, .sequence = entry.sequence, .kind = EntryKind::kPut, .value = value};
  ShowEntry(shown_);
  if (entry.kind != EntryKind::kPutReference) return;
  shown_.value = {};
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
      shown_.value = value_get_->value();
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
