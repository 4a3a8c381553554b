// FakeIterator: an EntryIterator over a vector that shows windows as large as its seed says, waits
// where its seed says so, for as many rounds as its seed says, and fails on request.
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

  // The movement after `movements` more fails. From here on windows hold one entry each.
  void FailAfter(uint64_t movements) { fail_after_ = movements + 1; }

  void SeekToFirst() override { MoveTo(0); }
  void SeekToLast() override { MoveTo(entries_.size() - 1); }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    MoveTo(LowerBound(key, sequence));
  }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override {
    MoveTo(LowerBound(key, sequence) - 1);
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

 protected:
  void NextWindow() override {
    ASSERT_EQ(state_, State::kEntry);
    ASSERT_EQ(at_, &views_.back());
    MoveTo(first_ + views_.size());
  }
  void PrevWindow() override {
    ASSERT_EQ(state_, State::kEntry);
    ASSERT_EQ(at_, &views_.front());
    MoveTo(first_ - 1);
  }

 private:
  static constexpr uint64_t kWindowSideMax = 4;

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
    // What was shown before must not be looked at any more.
    views_ = {};
    shown_ = {};
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
    const uint64_t side_max = fail_after_ > 0 ? 0 : kWindowSideMax;
    first_ = position_ - std::min<size_t>(position_, random_.Between(0, side_max));
    const size_t past =
        std::min<size_t>(entries_.size(), position_ + 1 + random_.Between(0, side_max));
    shown_.assign(entries_.begin() + static_cast<ptrdiff_t>(first_),
                  entries_.begin() + static_cast<ptrdiff_t>(past));
    for (const OwnedEntry& entry : shown_) {
      views_.push_back({entry.key, entry.sequence, entry.kind, entry.value});
    }
    ShowWindow(views_.data(), views_.data() + (position_ - first_), views_.data() + views_.size());
  }

  const std::vector<OwnedEntry> entries_;
  Random random_;
  const uint64_t wait_one_in_;
  uint64_t fail_after_ = 0;
  size_t position_ = 0;
  size_t first_ = 0;  // of the window
  std::vector<OwnedEntry> shown_;
  std::vector<Entry> views_;
  Fetch fetch_;
};

}  // namespace varve::compaction
