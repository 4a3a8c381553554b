#include "sstable/table_iterator.h"

#include <cassert>

namespace varve::sstable {

void TableIterator::Fail(Status status) {
  status_ = std::move(status);
  state_ = State::kFailed;
}

void TableIterator::FailMalformed() {
  const uint64_t offset = source_.loaded().index.place(block_).offset;
  Fail(Corruption("{}:{}: malformed block", table_.path(), offset));
}

void TableIterator::Aim(Motion motion, std::string_view key, SequenceNumber sequence) {
  status_ = absl::OkStatus();
  source_.Reset();
  motion_ = motion;
  target_key_.assign(key);
  target_sequence_ = sequence;
  chosen_ = false;
}

void TableIterator::Begin(Motion motion, std::string_view key, SequenceNumber sequence) {
  assert(!announced_ || (motion == motion_ && key == target_key_));
  if (!announced_) Aim(motion, key, sequence);
  announced_ = false;
  Resume();
}

void TableIterator::AnnounceSeek(Target target, std::string_view key, SequenceNumber sequence) {
  announced_ = false;
  Aim(target == Target::kBefore ? Motion::kSeekBefore : Motion::kSeek, key, sequence);
  if (source_.Load() != BlockSource::Outcome::kReady) return;
  ChooseBlock();
  source_.Announce(block_);
  announced_ = true;
}

void TableIterator::Resume() {
  if (!chosen_) {
    switch (source_.Load()) {
      case BlockSource::Outcome::kWaiting:
        return Stop(State::kWaiting);
      case BlockSource::Outcome::kFailed:
        return Fail(source_.status());
      case BlockSource::Outcome::kReady:
        break;
    }
    ChooseBlock();
  }
  Proceed();
}

void TableIterator::ChooseBlock() {
  const TableIndex& index = source_.loaded().index;
  switch (motion_) {
    case Motion::kFirst:
      block_ = 0;
      break;
    case Motion::kLast:
      block_ = index.blocks() - 1;
      break;
    case Motion::kSeek:
    case Motion::kSeekBefore:
      block_ = index.Find(target_key_, target_sequence_);
      break;
  }
  chosen_ = true;
}

void TableIterator::Proceed() {
  for (;;) {
    switch (source_.Enter(block_)) {
      case BlockSource::Outcome::kWaiting:
        return Stop(State::kWaiting);
      case BlockSource::Outcome::kFailed:
        return Fail(source_.status());
      case BlockSource::Outcome::kReady:
        break;
    }
    AnnounceNeighbour();
    if (!cursor_.Reset(source_.bytes())) return FailMalformed();
    if (MoveInBlock()) {
      return ShowBatch();
    }
    if (cursor_.malformed()) return FailMalformed();
    // The entry that is sought, if any, is the neighbour's nearest.
    if (motion_ == Motion::kSeekBefore || motion_ == Motion::kLast) {
      if (block_ == 0) return Stop(State::kEnd);
      --block_;
      motion_ = Motion::kLast;
    } else {
      if (block_ + 1 == source_.loaded().index.blocks()) return Stop(State::kEnd);
      ++block_;
      motion_ = Motion::kFirst;
    }
  }
}

bool TableIterator::MoveInBlock() {
  switch (motion_) {
    case Motion::kFirst:
      cursor_.SeekToFirst();
      break;
    case Motion::kLast:
      cursor_.SeekToLast();
      break;
    case Motion::kSeek:
      cursor_.Seek(target_key_, target_sequence_);
      break;
    case Motion::kSeekBefore:
      cursor_.Seek(target_key_, target_sequence_);
      if (cursor_.malformed()) break;
      if (cursor_.valid()) {
        cursor_.Prev();
      } else {
        cursor_.SeekToLast();
      }
      break;
  }
  return cursor_.valid();
}

void TableIterator::AnnounceNeighbour() {
  const bool backward = motion_ == Motion::kSeekBefore || motion_ == Motion::kLast;
  if (backward ? block_ > 0 : block_ + 1 < source_.loaded().index.blocks()) {
    source_.Announce(backward ? block_ - 1 : block_ + 1);
  }
}

void TableIterator::NextWindow() {
  if (block_ + 1 < source_.loaded().index.blocks()) source_.Preload(block_ + 1);
  cursor_.NextBatch();
  if (cursor_.valid()) return ShowBatch();
  if (cursor_.malformed()) return FailMalformed();
  if (block_ + 1 == source_.loaded().index.blocks()) return Stop(State::kEnd);
  ++block_;
  motion_ = Motion::kFirst;
  Proceed();
}

void TableIterator::PrevWindow() {
  if (block_ > 0) source_.Preload(block_ - 1);
  cursor_.PrevBatch();
  if (cursor_.valid()) return ShowBatch();
  if (cursor_.malformed()) return FailMalformed();
  if (block_ == 0) return Stop(State::kEnd);
  --block_;
  motion_ = Motion::kLast;
  Proceed();
}

}  // namespace varve::sstable
