#include "compaction/clip_iterator.h"

#include <utility>

namespace varve::compaction {

ClipIterator::ClipIterator(std::unique_ptr<sstable::EntryIterator> child, std::string_view begin,
                           std::string_view end)
    : child_(std::move(child)), begin_(begin), end_(end) {}

void ClipIterator::Follow() {
  state_ = child_->state();
  if (state_ == State::kFailed) {
    status_ = child_->status();
    return;
  }
  if (!status_.ok()) status_ = absl::OkStatus();
  if (state_ != State::kEntry) return;
  // A movement can leave the bounds on either side: Next and Seek at the end, Prev and SeekBefore
  // at the beginning, and either when there is nothing between the bounds.
  const Entry* const at = child_->at();
  if (BelowBegin(*at) || AtEnd(*at)) {
    state_ = State::kEnd;
    return;
  }
  const Entry* begin = child_->window_begin();
  const Entry* end = child_->window_end();
  while (BelowBegin(*begin)) ++begin;
  while (AtEnd(end[-1])) --end;
  ShowWindow(begin, at, end);
}

void ClipIterator::SeekToFirst() { Seek(begin_, kSequenceMax); }

void ClipIterator::SeekToLast() {
  if (end_.empty()) {
    child_->SeekToLast();
  } else {
    child_->SeekBefore(end_, kSequenceMax);
  }
  Follow();
}

void ClipIterator::Seek(std::string_view key, SequenceNumber sequence) {
  if (!end_.empty() && key >= end_) {
    state_ = State::kEnd;
    status_ = absl::OkStatus();
    return;
  }
  if (key < begin_) {
    child_->Seek(begin_, kSequenceMax);
  } else {
    child_->Seek(key, sequence);
  }
  Follow();
}

void ClipIterator::SeekBefore(std::string_view key, SequenceNumber sequence) {
  if (key < begin_) {
    state_ = State::kEnd;
    status_ = absl::OkStatus();
    return;
  }
  if (!end_.empty() && key >= end_) {
    child_->SeekBefore(end_, kSequenceMax);
  } else {
    child_->SeekBefore(key, sequence);
  }
  Follow();
}

void ClipIterator::AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) {
  // Only where the child gets the same target.
  announced_ = key >= begin_ && (end_.empty() || key < end_);
  if (announced_) child_->AnnounceSeek(target, key, sequence);
}

void ClipIterator::PreloadSeek() {
  if (announced_) child_->PreloadSeek();
}

void ClipIterator::NextWindow() {
  child_->MoveTo(at_);
  child_->Next();
  Follow();
}

void ClipIterator::PrevWindow() {
  child_->MoveTo(at_);
  child_->Prev();
  Follow();
}

void ClipIterator::CollectFetches(std::vector<sstable::BlockFetch*>& fetches) {
  child_->CollectFetches(fetches);
}

void ClipIterator::Resume() {
  child_->Resume();
  Follow();
}

}  // namespace varve::compaction
