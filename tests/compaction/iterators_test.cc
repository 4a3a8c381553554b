// MergingIterator, LevelIterator, ClipIterator, MemtableIterator and FrozenIterator, alone and
// stacked, against a sorted vector, over children that wait and fail.
#include <gtest/gtest.h>

#include <memory>

#include "compaction/clip_iterator.h"
#include "compaction/level_iterator.h"
#include "compaction/memtable_iterator.h"
#include "compaction/merging_iterator.h"
#include "fake_iterator.h"

namespace varve::compaction {
namespace {

using State = sstable::EntryIterator::State;
using sstable::EntryIterator;

void SettleFake(EntryIterator& iterator) {
  while (iterator.state() == State::kWaiting) {
    std::vector<sstable::BlockFetch*> fetches;
    iterator.CollectFetches(fetches);
    ASSERT_FALSE(fetches.empty()) << "waits for nothing";
    for (sstable::BlockFetch* fetch : fetches) fetch->RunNow();
    iterator.Resume();
  }
}

std::string RandomKey(Random& random) {
  std::string key;
  for (uint64_t length = random.Between(1, 3); length > 0; --length) {
    key.push_back("\0abz"[random.Below(4)]);
  }
  return key;
}

std::vector<OwnedEntry> RandomEntries(Random& random, uint64_t count, const std::string& value) {
  std::vector<OwnedEntry> entries;
  for (uint64_t i = 0; i < count; ++i) {
    entries.push_back({RandomKey(random), random.Below(6), EntryKind::kPut, value});
  }
  std::sort(entries.begin(), entries.end(), EntryBefore);
  entries.erase(std::unique(entries.begin(), entries.end(),
                            [](const OwnedEntry& a, const OwnedEntry& b) {
                              return !EntryBefore(a, b) && !EntryBefore(b, a);
                            }),
                entries.end());
  return entries;
}

// Moves `iterator` about and compares it with `expected`.
void CompareWalks(EntryIterator& iterator, const std::vector<OwnedEntry>& expected, Random& random,
                  int movements) {
  ptrdiff_t position = -1;
  const auto size = static_cast<ptrdiff_t>(expected.size());
  const auto lower_bound = [&](const std::string& key, SequenceNumber sequence) {
    return std::partition_point(expected.begin(), expected.end(),
                                [&](const OwnedEntry& entry) {
                                  return CompareEntries(entry.key, entry.sequence, key, sequence) <
                                         0;
                                }) -
           expected.begin();
  };
  for (int i = 0; i < movements; ++i) {
    const bool there = position >= 0 && position < size;
    const uint64_t movement = there && !random.OneIn(6) ? 4 + random.Below(2) : random.Below(4);
    const std::string key = RandomKey(random);
    const SequenceNumber sequence = random.OneIn(3) ? kSequenceMax : random.Below(7);
    switch (movement) {
      case 0:
        iterator.SeekToFirst();
        position = 0;
        break;
      case 1:
        iterator.SeekToLast();
        position = size - 1;
        break;
      case 2:
        iterator.Seek(key, sequence);
        position = lower_bound(key, sequence);
        break;
      case 3:
        iterator.SeekBefore(key, sequence);
        position = lower_bound(key, sequence) - 1;
        break;
      case 4:
        iterator.Next();
        ++position;
        break;
      default:
        iterator.Prev();
        --position;
        break;
    }
    SettleFake(iterator);
    SCOPED_TRACE(fmt::format("movement {} of kind {}", i, movement));
    if (position >= 0 && position < size) {
      ASSERT_EQ(iterator.state(), State::kEntry);
      ASSERT_EQ(Own(iterator.entry()), expected[static_cast<size_t>(position)]);
    } else {
      ASSERT_EQ(iterator.state(), State::kEnd);
    }
    ASSERT_TRUE(iterator.status().ok());
  }
}

TEST(MergingIterator, WalksLikeOneSortedVector) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const uint64_t wait_one_in = seed % 3 == 0 ? 0 : 1 + seed % 3;
    MergingIterator::Children children;
    std::vector<OwnedEntry> expected;
    for (uint64_t child = random.Below(7); child > 0; --child) {
      // Values tell the children apart, where they hold the same version: the earlier one first.
      const std::vector<OwnedEntry> entries =
          RandomEntries(random, random.Below(20), std::to_string(children.size()));
      expected.insert(expected.end(), entries.begin(), entries.end());
      children.push_back(std::make_unique<FakeIterator>(entries, random.Next(),
                                                        wait_one_in == 0 ? 0 : wait_one_in + 1));
    }
    std::stable_sort(expected.begin(), expected.end(), EntryBefore);
    MergingIterator iterator(std::move(children));
    EXPECT_EQ(iterator.state(), State::kEnd);
    CompareWalks(iterator, expected, random, 200);
    if (HasFatalFailure()) return;
  }
}

TEST(MergingIterator, CollectsTheFetchesOfAllChildrenThatWait) {
  MergingIterator::Children children;
  for (int i = 0; i < 5; ++i) {
    children.push_back(std::make_unique<FakeIterator>(
        std::vector<OwnedEntry>{{"a", static_cast<SequenceNumber>(i), EntryKind::kPut, ""}}, 1,
        /*wait_one_in=*/1'000'000'000));
  }
  for (int i = 0; i < 3; ++i) {
    children.push_back(std::make_unique<FakeIterator>(std::vector<OwnedEntry>{}, 1, 1));
  }
  MergingIterator iterator(std::move(children));
  iterator.Seek("a", kSequenceMax);
  ASSERT_EQ(iterator.state(), State::kWaiting);
  std::vector<sstable::BlockFetch*> fetches;
  iterator.CollectFetches(fetches);
  EXPECT_EQ(fetches.size(), 3u);
}

TEST(MergingIterator, FailsWithItsChildUntilTheNextSeek) {
  Random random(7);
  for (uint64_t movements = 0; movements < 12; ++movements) {
    MergingIterator::Children children;
    auto child = std::make_unique<FakeIterator>(RandomEntries(random, 30, "x"), movements, 3);
    FakeIterator* const failing = child.get();
    children.push_back(std::move(child));
    children.push_back(
        std::make_unique<FakeIterator>(RandomEntries(random, 30, "y"), movements, 3));
    MergingIterator iterator(std::move(children));
    failing->FailAfter(movements);
    int steps = 0;
    iterator.SeekToFirst();
    SettleFake(iterator);
    while (iterator.state() == State::kEntry) {
      ASSERT_LT(++steps, 100);
      iterator.Next();
      SettleFake(iterator);
    }
    ASSERT_EQ(iterator.state(), State::kFailed);
    EXPECT_EQ(Message(iterator.status()), "fake:7: broken");
    iterator.SeekToLast();
    SettleFake(iterator);
    EXPECT_EQ(iterator.state(), State::kEntry);
    EXPECT_TRUE(iterator.status().ok());
  }
}

TEST(ClipIterator, ShowsWhatLiesBetweenItsBounds) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::vector<OwnedEntry> entries = RandomEntries(random, random.Below(40), "x");
    const std::string begin = random.OneIn(4) ? "" : RandomKey(random);
    const std::string end = random.OneIn(4) ? "" : RandomKey(random);
    std::vector<OwnedEntry> expected;
    for (const OwnedEntry& entry : entries) {
      if (entry.key >= begin && (end.empty() || entry.key < end)) expected.push_back(entry);
    }
    ClipIterator iterator(std::make_unique<FakeIterator>(entries, seed, seed % 3 == 1 ? 0 : 2),
                          begin, end);
    CompareWalks(iterator, expected, random, 200);
    if (HasFatalFailure()) return;
  }
}

// Cuts entries into tables at random places, never within a key.
std::vector<std::vector<OwnedEntry>> CutAtKeys(const std::vector<OwnedEntry>& entries,
                                               Random& random) {
  std::vector<std::vector<OwnedEntry>> tables;
  for (const OwnedEntry& entry : entries) {
    if (tables.empty() || (tables.back().back().key != entry.key && random.OneIn(4))) {
      tables.emplace_back();
    }
    tables.back().push_back(entry);
  }
  return tables;
}

std::unique_ptr<LevelIterator> NewLevel(const std::vector<std::vector<OwnedEntry>>& tables,
                                        uint64_t seed, uint64_t wait_one_in) {
  std::vector<KeyInterval> intervals;
  for (const auto& table : tables) {
    intervals.push_back({table.front().key, table.back().key, true});
  }
  return std::make_unique<LevelIterator>(
      std::move(intervals), [&tables, seed, wait_one_in](size_t i) {
        return std::make_unique<FakeIterator>(tables[i], seed + i, wait_one_in);
      });
}

TEST(LevelIterator, WalksLikeOneSortedVector) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const std::vector<OwnedEntry> entries = RandomEntries(random, random.Below(40), "x");
    const auto tables = CutAtKeys(entries, random);
    const auto iterator = NewLevel(tables, seed, seed % 3 == 1 ? 0 : 2);
    CompareWalks(*iterator, entries, random, 200);
    if (HasFatalFailure()) return;
  }
}

TEST(LevelIterator, OpensOnlyTheTablesItReaches) {
  const std::vector<std::vector<OwnedEntry>> tables = {
      {{"a", 1, EntryKind::kPut, ""}, {"c", 1, EntryKind::kPut, ""}},
      {{"e", 1, EntryKind::kPut, ""}, {"g", 1, EntryKind::kPut, ""}},
      {{"i", 1, EntryKind::kPut, ""}}};
  std::vector<size_t> opened;
  LevelIterator iterator({{"a", "c", true}, {"e", "g", true}, {"i", "i", true}}, [&](size_t i) {
    opened.push_back(i);
    return std::make_unique<FakeIterator>(tables[i], 1, 0);
  });
  iterator.Seek("d", kSequenceMax);
  EXPECT_EQ(iterator.entry().key, "e");
  iterator.Next();
  EXPECT_EQ(iterator.entry().key, "g");
  EXPECT_EQ(opened, (std::vector<size_t>{1}));
  iterator.SeekBefore("h", 0);
  EXPECT_EQ(iterator.entry().key, "g");
  EXPECT_EQ(opened, (std::vector<size_t>{1}));
  iterator.Next();
  EXPECT_EQ(iterator.entry().key, "i");
  EXPECT_EQ(opened, (std::vector<size_t>{1, 2}));
  iterator.Seek("j", kSequenceMax);
  EXPECT_EQ(iterator.state(), State::kEnd);
}

TEST(FrozenIterator, WalksLikeOneSortedVector) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    memtable::Memtable memtable;
    const std::vector<OwnedEntry> expected = RandomEntries(random, random.Below(150), "v");
    for (const OwnedEntry& entry : expected) {
      memtable.Add({entry.key, entry.sequence, entry.kind, entry.value});
    }
    FrozenIterator iterator(memtable);
    EXPECT_EQ(iterator.state(), State::kEnd);
    CompareWalks(iterator, expected, random, 200);
    if (HasFatalFailure()) return;
  }
}

TEST(Iterators, StackAsTheEngineStacksThem) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<OwnedEntry> expected;
    MergingIterator::Children children;

    const auto memtable = std::make_shared<memtable::Memtable>();
    for (const OwnedEntry& entry : RandomEntries(random, 20, "0")) {
      memtable->Add({entry.key, entry.sequence, entry.kind, entry.value});
      expected.push_back(entry);
    }
    if (random.OneIn(2)) {
      children.push_back(std::make_unique<MemtableIterator>(*memtable, memtable));
    } else {
      children.push_back(std::make_unique<FrozenIterator>(*memtable, memtable));
    }

    const std::string begin = RandomKey(random);
    const std::vector<OwnedEntry> clipped = RandomEntries(random, 20, "1");
    for (const OwnedEntry& entry : clipped) {
      if (entry.key >= begin) expected.push_back(entry);
    }
    children.push_back(std::make_unique<ClipIterator>(
        std::make_unique<FakeIterator>(clipped, seed, 2), begin, ""));

    const std::vector<OwnedEntry> level = RandomEntries(random, 40, "2");
    const auto tables = CutAtKeys(level, random);
    expected.insert(expected.end(), level.begin(), level.end());
    children.push_back(NewLevel(tables, seed, 3));

    std::stable_sort(expected.begin(), expected.end(), EntryBefore);
    MergingIterator iterator(std::move(children));
    CompareWalks(iterator, expected, random, 200);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace varve::compaction
