#include "compaction/merging_iterator.h"

#include <cassert>
#include <utility>

namespace varve::compaction {

using State = sstable::EntryIterator::State;

MergingIterator::MergingIterator(Children children) : children_(std::move(children)) {
  sorted_.reserve(children_.size());
}

uint64_t MergingIterator::HeadOf(const Entry& entry) const {
  const uint64_t head = KeyHead(entry.key);
  return direction_ == Direction::kForward ? head : ~head;
}

bool MergingIterator::Before(uint64_t head_a, const Entry& a, uint32_t index_a,
                             const Place& b) const {
  if (head_a != b.head) return head_a < b.head;
  const Entry& entry_b = b.child->entry();
  const int order = CompareEntries(a.key, a.sequence, entry_b.key, entry_b.sequence);
  if (order != 0) return (order < 0) == (direction_ == Direction::kForward);
  return (index_a < b.index) == (direction_ == Direction::kForward);
}

void MergingIterator::Insert(const Place& place, size_t from) {
  const Entry& entry = place.child->entry();
  size_t low = from;
  size_t high = sorted_.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (Before(place.head, entry, place.index, sorted_[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  sorted_.insert(sorted_.begin() + static_cast<ptrdiff_t>(low), place);
}

void MergingIterator::Expose() {
  if (sorted_.empty()) {
    state_ = State::kEnd;
    return;
  }
  const Place& front = sorted_.front();
  const Entry* const at = front.child->at();
  const bool forward = direction_ == Direction::kForward;
  const Entry* const last = forward ? front.child->window_end() - 1 : front.child->window_begin();
  const Entry* run_last = last;
  if (sorted_.size() > 1 && at != last && !Before(HeadOf(*last), *last, front.index, sorted_[1])) {
    const ptrdiff_t step = forward ? 1 : -1;
    run_last = at;
    while (Before(HeadOf(run_last[step]), run_last[step], front.index, sorted_[1])) {
      run_last += step;
    }
  }
  if (forward) {
    ShowWindow(at, at, run_last + 1);
  } else {
    ShowWindow(run_last, at, at + 1);
  }
}

void MergingIterator::Fail(const sstable::EntryIterator& child) {
  state_ = State::kFailed;
  status_ = child.status();
}

void MergingIterator::Rebuild() {
  replacing_ = false;
  sorted_.clear();
  bool waiting = false;
  for (uint32_t i = 0; i < children_.size(); ++i) {
    sstable::EntryIterator& child = *children_[i];
    switch (child.state()) {
      case State::kEntry:
        if (!waiting) Insert({HeadOf(child.entry()), &child, i}, 0);
        break;
      case State::kEnd:
        break;
      case State::kWaiting:
        waiting = true;
        break;
      case State::kFailed:
        Fail(child);
        return;
    }
  }
  if (waiting) {
    state_ = State::kWaiting;
    return;
  }
  Expose();
}

void MergingIterator::Replace() {
  Place& front = sorted_.front();
  switch (front.child->state()) {
    case State::kEntry: {
      front.head = HeadOf(front.child->entry());
      // It moves behind those that come before it now.
      const Place moved = front;
      size_t at = 0;
      for (; at + 1 < sorted_.size(); ++at) {
        if (Before(moved.head, moved.child->entry(), moved.index, sorted_[at + 1])) break;
        sorted_[at] = sorted_[at + 1];
      }
      sorted_[at] = moved;
      break;
    }
    case State::kEnd:
      sorted_.erase(sorted_.begin());
      break;
    case State::kWaiting:
      replacing_ = true;
      state_ = State::kWaiting;
      return;
    case State::kFailed:
      Fail(*front.child);
      return;
  }
  Expose();
}

void MergingIterator::AnnounceToAll(Target target, std::string_view key, SequenceNumber sequence) {
  for (const auto& child : children_) child->AnnounceSeek(target, key, sequence);
  for (const auto& child : children_) child->PreloadSeek();
}

void MergingIterator::SeekToFirst() {
  direction_ = Direction::kForward;
  status_ = absl::OkStatus();
  for (const auto& child : children_) child->SeekToFirst();
  Rebuild();
}

void MergingIterator::SeekToLast() {
  direction_ = Direction::kBackward;
  status_ = absl::OkStatus();
  for (const auto& child : children_) child->SeekToLast();
  Rebuild();
}

void MergingIterator::Seek(std::string_view key, SequenceNumber sequence) {
  direction_ = Direction::kForward;
  status_ = absl::OkStatus();
  AnnounceToAll(Target::kAtOrAfter, key, sequence);
  for (const auto& child : children_) child->Seek(key, sequence);
  Rebuild();
}

void MergingIterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  direction_ = Direction::kBackward;
  status_ = absl::OkStatus();
  AnnounceToAll(Target::kBefore, key, sequence);
  for (const auto& child : children_) child->SeekBefore(key, sequence);
  Rebuild();
}

void MergingIterator::SeekOthers(uint32_t front) {
  place_key_.assign(at_->key);
  after_key_.assign(at_->key).push_back('\0');
  const SequenceNumber sequence = at_->sequence;
  for (uint32_t i = 0; i < children_.size(); ++i) {
    if (i == front) continue;
    // Among equals the child that stands earlier comes first, in either direction: forward, a later
    // child's equal still lies ahead, and backward, an earlier child's. Both searches below split
    // the child between its entries before the place and after it, with the equal on the right
    // side.
    if (i > front) {
      Put(*children_[i], place_key_, sequence);
    } else if (sequence > 0) {
      Put(*children_[i], place_key_, sequence - 1);
    } else {
      Put(*children_[i], after_key_, kSequenceMax);
    }
  }
}

void MergingIterator::Put(sstable::EntryIterator& child, std::string_view key,
                          SequenceNumber sequence) {
  if (direction_ == Direction::kForward) {
    child.Seek(key, sequence);
  } else {
    child.SeekBefore(key, sequence);
  }
}

void MergingIterator::NextWindow() {
  assert(state_ == State::kEntry);
  const Place front = sorted_.front();
  front.child->MoveTo(at_);
  if (direction_ == Direction::kForward) {
    front.child->Next();
    Replace();
    return;
  }
  direction_ = Direction::kForward;
  SeekOthers(front.index);
  front.child->Next();
  Rebuild();
}

void MergingIterator::PrevWindow() {
  assert(state_ == State::kEntry);
  const Place front = sorted_.front();
  front.child->MoveTo(at_);
  if (direction_ == Direction::kBackward) {
    front.child->Prev();
    Replace();
    return;
  }
  direction_ = Direction::kBackward;
  SeekOthers(front.index);
  front.child->Prev();
  Rebuild();
}

void MergingIterator::CollectFetches(std::vector<sstable::BlockFetch*>& fetches) {
  if (replacing_) {
    sorted_.front().child->CollectFetches(fetches);
    return;
  }
  for (const auto& child : children_) {
    if (child->state() == State::kWaiting) child->CollectFetches(fetches);
  }
}

void MergingIterator::Resume() {
  assert(state_ == State::kWaiting);
  if (replacing_) {
    sorted_.front().child->Resume();
    replacing_ = false;
    Replace();
    return;
  }
  for (const auto& child : children_) {
    if (child->state() == State::kWaiting) child->Resume();
  }
  Rebuild();
}

}  // namespace varve::compaction
