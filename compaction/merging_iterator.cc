#include "compaction/merging_iterator.h"

#include <cassert>
#include <utility>

namespace varve::compaction {

using State = sstable::EntryIterator::State;

MergingIterator::MergingIterator(Children children) : children_(std::move(children)) {
  heap_.reserve(children_.size());
}

bool MergingIterator::Before(uint32_t a, uint32_t b) const {
  const Entry& x = children_[a]->entry();
  const Entry& y = children_[b]->entry();
  const int order = CompareEntries(x.key, x.sequence, y.key, y.sequence);
  if (order != 0) return (order < 0) == (direction_ == Direction::kForward);
  return (a < b) == (direction_ == Direction::kForward);
}

void MergingIterator::SiftDown(size_t hole) {
  const uint32_t moved = heap_[hole];
  while (true) {
    size_t next = 2 * hole + 1;
    if (next >= heap_.size()) break;
    if (next + 1 < heap_.size() && Before(heap_[next + 1], heap_[next])) ++next;
    if (!Before(heap_[next], moved)) break;
    heap_[hole] = heap_[next];
    hole = next;
  }
  heap_[hole] = moved;
}

void MergingIterator::Expose() {
  if (heap_.empty()) {
    state_ = State::kEnd;
    return;
  }
  state_ = State::kEntry;
  entry_ = children_[heap_.front()]->entry();
}

void MergingIterator::Fail(const sstable::EntryIterator& child) {
  state_ = State::kFailed;
  status_ = child.status();
}

void MergingIterator::Rebuild() {
  replacing_ = false;
  heap_.clear();
  bool waiting = false;
  for (uint32_t i = 0; i < children_.size(); ++i) {
    switch (children_[i]->state()) {
      case State::kEntry:
        heap_.push_back(i);
        break;
      case State::kEnd:
        break;
      case State::kWaiting:
        waiting = true;
        break;
      case State::kFailed:
        Fail(*children_[i]);
        return;
    }
  }
  if (waiting) {
    state_ = State::kWaiting;
    return;
  }
  for (size_t i = heap_.size() / 2; i > 0; --i) SiftDown(i - 1);
  Expose();
}

void MergingIterator::Replace() {
  const sstable::EntryIterator& child = *children_[heap_.front()];
  switch (child.state()) {
    case State::kEntry:
      SiftDown(0);
      break;
    case State::kEnd:
      heap_.front() = heap_.back();
      heap_.pop_back();
      if (!heap_.empty()) SiftDown(0);
      break;
    case State::kWaiting:
      replacing_ = true;
      state_ = State::kWaiting;
      return;
    case State::kFailed:
      Fail(child);
      return;
  }
  Expose();
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
  for (const auto& child : children_) child->Seek(key, sequence);
  Rebuild();
}

void MergingIterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  direction_ = Direction::kBackward;
  status_ = absl::OkStatus();
  for (const auto& child : children_) child->SeekBefore(key, sequence);
  Rebuild();
}

void MergingIterator::SeekOthers(uint32_t front) {
  place_key_.assign(entry_.key);
  after_key_.assign(entry_.key).push_back('\0');
  const SequenceNumber sequence = entry_.sequence;
  for (uint32_t i = 0; i < children_.size(); ++i) {
    if (i == front) continue;
    // Among equals the child that stands earlier comes first, in either direction: forward, a later
    // child's equal still lies ahead, and backward, an earlier child's. Both searches below split
    // the child between its entries before the place and after it, with the equal on the right
    // side.
    if (i > front) {
      Place(*children_[i], place_key_, sequence);
    } else if (sequence > 0) {
      Place(*children_[i], place_key_, sequence - 1);
    } else {
      Place(*children_[i], after_key_, kSequenceMax);
    }
  }
}

void MergingIterator::Place(sstable::EntryIterator& child, std::string_view key,
                            SequenceNumber sequence) {
  if (direction_ == Direction::kForward) {
    child.Seek(key, sequence);
  } else {
    child.SeekBefore(key, sequence);
  }
}

void MergingIterator::Next() {
  assert(state_ == State::kEntry);
  const uint32_t front = heap_.front();
  if (direction_ == Direction::kForward) {
    children_[front]->Next();
    Replace();
    return;
  }
  direction_ = Direction::kForward;
  SeekOthers(front);
  children_[front]->Next();
  Rebuild();
}

void MergingIterator::Prev() {
  assert(state_ == State::kEntry);
  const uint32_t front = heap_.front();
  if (direction_ == Direction::kBackward) {
    children_[front]->Prev();
    Replace();
    return;
  }
  direction_ = Direction::kBackward;
  SeekOthers(front);
  children_[front]->Prev();
  Rebuild();
}

void MergingIterator::CollectFetches(std::vector<sstable::BlockFetch*>& fetches) {
  if (replacing_) {
    children_[heap_.front()]->CollectFetches(fetches);
    return;
  }
  for (const auto& child : children_) {
    if (child->state() == State::kWaiting) child->CollectFetches(fetches);
  }
}

void MergingIterator::Resume() {
  assert(state_ == State::kWaiting);
  if (replacing_) {
    children_[heap_.front()]->Resume();
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
