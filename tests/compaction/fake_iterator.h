// FakeIterator: an EntryIterator over a vector that waits where its seed says so, for as many
// rounds as its seed says, and fails on request.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "base/random.h"
#include "sstable/entry_iterator.h"

namespace varve::compaction {

struct OwnedEntry {
  std::string key;
  SequenceNumber sequence = 0;
  EntryKind kind = EntryKind::kPut;
  std::string value;

  bool operator==(const OwnedEntry&) const = default;
};

inline void PrintTo(const OwnedEntry& entry, std::ostream* out) {
  *out << ::testing::PrintToString(entry.key) << " @" << entry.sequence << " kind "
       << static_cast<int>(entry.kind) << " = " << entry.value;
}

inline OwnedEntry Own(const Entry& entry) {
  return {std::string(entry.key), entry.sequence, entry.kind, std::string(entry.value)};
}

inline bool EntryBefore(const OwnedEntry& a, const OwnedEntry& b) {
  return CompareEntries(a.key, a.sequence, b.key, b.sequence) < 0;
}

class FakeIterator final : public sstable::EntryIterator {
 public:
  // `entries` in entry order. Waits at one in `wait_one_in` movements; 0: never.
  FakeIterator(std::vector<OwnedEntry> entries, uint64_t seed, uint64_t wait_one_in)
      : entries_(std::move(entries)), random_(seed), wait_one_in_(wait_one_in) {}

  // The movement after `movements` more fails.
  void FailAfter(uint64_t movements) { fail_after_ = movements + 1; }

  void SeekToFirst() override { MoveTo(0); }
  void SeekToLast() override { MoveTo(entries_.size() - 1); }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    MoveTo(LowerBound(key, sequence));
  }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override {
    MoveTo(LowerBound(key, sequence) - 1);
  }
  void Next() override {
    ASSERT_EQ(state_, State::kEntry);
    MoveTo(position_ + 1);
  }
  void Prev() override {
    ASSERT_EQ(state_, State::kEntry);
    MoveTo(position_ - 1);
  }
  void CollectFetches(std::vector<sstable::BlockFetch*>& fetches) override {
    ASSERT_EQ(state_, State::kWaiting);
    fetch_.done = false;
    fetches.push_back(&fetch_);
  }
  void Resume() override {
    ASSERT_EQ(state_, State::kWaiting);
    ASSERT_TRUE(fetch_.done) << "resumed before its fetch has run";
    Arrive();
  }

 private:
  struct Fetch final : sstable::BlockFetch {
    io::Task<void> Run() override {
      done = true;
      co_return;
    }
    void RunNow() override { done = true; }
    bool done = false;
  };

  size_t LowerBound(std::string_view key, SequenceNumber sequence) const {
    return static_cast<size_t>(
        std::partition_point(entries_.begin(), entries_.end(),
                             [&](const OwnedEntry& entry) {
                               return CompareEntries(entry.key, entry.sequence, key, sequence) < 0;
                             }) -
        entries_.begin());
  }

  void MoveTo(size_t position) {
    position_ = position;
    entry_ = Entry();
    // What was shown before must not be looked at any more.
    shown_ = OwnedEntry();
    Arrive();
  }

  void Arrive() {
    if (wait_one_in_ > 0 && random_.OneIn(wait_one_in_)) {
      state_ = State::kWaiting;
      fetch_.done = false;
      return;
    }
    if (fail_after_ > 0 && --fail_after_ == 0) {
      state_ = State::kFailed;
      status_ = Corruption("fake:7: broken");
      return;
    }
    if (position_ >= entries_.size()) {
      state_ = State::kEnd;
      return;
    }
    state_ = State::kEntry;
    shown_ = entries_[position_];
    entry_ = {shown_.key, shown_.sequence, shown_.kind, shown_.value};
  }

  const std::vector<OwnedEntry> entries_;
  Random random_;
  const uint64_t wait_one_in_;
  uint64_t fail_after_ = 0;
  size_t position_ = 0;
  OwnedEntry shown_;
  Fetch fetch_;
};

}  // namespace varve::compaction
