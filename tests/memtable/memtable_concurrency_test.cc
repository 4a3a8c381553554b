// Readers beside the writer. Run under the thread sanitizer, which sees every unordered access; the
// checks here see lookups and iterators that miss what they must find.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "memtable/memtable.h"

namespace varve::memtable {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kEntries = 20000;
#else
constexpr uint64_t kEntries = 200000;
#endif
constexpr int kReaders = 3;

// The key of entry `i`; different for different i.
using KeyOf = std::string (*)(uint64_t i);

// A permutation of 64-bit numbers.
uint64_t Scramble(uint64_t i) {
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9;
  i = (i ^ (i >> 27)) * 0x94d049bb133111eb;
  return i ^ (i >> 31);
}

std::string ScrambledKey(uint64_t i) {
  std::string key = "tenant/";
  AppendBigU64(key, Scramble(i));
  return key;
}
std::string AscendingKey(uint64_t i) { return fmt::format("user{:010}", i); }
std::string DescendingKey(uint64_t i) { return fmt::format("user{:010}", 1'000'000'000 - i); }
std::string GroupedKey(uint64_t i) { return fmt::format("group{:02}/{:08}", Scramble(i) % 20, i); }
// Prefixes get shorter while readers are at work.
std::string ShrinkingKey(uint64_t i) {
  return std::string(40 - i * 40 / kEntries, 'm') + ScrambledKey(i);
}

struct Shape {
  const char* name;
  KeyOf key;
};
void PrintTo(const Shape& shape, std::ostream* os) { *os << shape.name; }

class MemtableConcurrency : public testing::TestWithParam<Shape> {};

// Entry i has sequence i + 1 and its key as its value. A reader that has seen the visible sequence
// v must find exactly the entries up to v, by Get and by iteration both ways.
// The writer adds so many entries at a time, which become visible together.
void CheckReaders(KeyOf key_of, uint64_t group_size) {
  Memtable memtable;
  std::atomic<uint64_t> visible{0};

  const auto read = [&](uint64_t seed) {
    Random random(seed);
    Memtable::Iterator iterator(memtable);
    for (uint64_t seen = 0; seen < kEntries;) {
      seen = visible.load(std::memory_order_acquire);
      // Prefer the newest: those lie where the writer is at work.
      for (int n = 0; n < 20 && seen > 0; ++n) {
        const uint64_t i = random.OneIn(2) ? random.Below(seen)
                                           : seen - 1 - random.Below(std::min<uint64_t>(seen, 16));
        const std::string key = key_of(i);
        const std::optional<Entry> entry = memtable.Get(key, seen);
        ASSERT_TRUE(entry.has_value()) << i << " of " << seen;
        ASSERT_EQ(entry->sequence, i + 1);
        ASSERT_EQ(entry->value, key);
        const uint64_t later = seen + random.Below(100);
        ASSERT_FALSE(memtable.Get(key_of(later), seen).has_value()) << later << " of " << seen;
      }
      // From one visible entry to another: as many between them one way as the other.
      if (seen < 2) continue;
      const std::string start = key_of(random.Below(seen));
      std::vector<uint64_t> forward;
      iterator.Seek(start, kSequenceMax);
      std::string last(iterator.entry().key);
      ASSERT_EQ(last, start);
      while (iterator.Valid() && forward.size() < 60) {
        const Entry& entry = iterator.entry();
        ASSERT_GE(entry.key, last);
        last = entry.key;
        if (entry.sequence <= seen) forward.push_back(entry.sequence);
        iterator.Next();
      }
      std::vector<uint64_t> backward;
      iterator.SeekBefore(last, 0);
      while (iterator.Valid()) {
        const Entry& entry = iterator.entry();
        ASSERT_LE(entry.key, last);
        last = entry.key;
        if (entry.key < start) break;
        if (entry.sequence <= seen) backward.push_back(entry.sequence);
        iterator.Prev();
      }
      ASSERT_EQ(last <= start, true);
      ASSERT_EQ(forward, std::vector<uint64_t>(backward.rbegin(), backward.rend()));
    }
  };

  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= kReaders; ++seed) readers.emplace_back(read, seed);
  std::vector<std::string> keys(group_size);
  std::vector<Entry> group(group_size);
  for (uint64_t i = 0; i < kEntries; i += group.size()) {
    group.resize(std::min(group_size, kEntries - i));
    for (uint64_t j = 0; j < group.size(); ++j) {
      keys[j] = key_of(i + j);
      group[j] = {.key = keys[j], .sequence = i + j + 1, .kind = EntryKind::kPut, .value = keys[j]};
    }
    memtable.Add(group);
    visible.store(i + group.size(), std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(memtable.entries(), kEntries);
}

TEST_P(MemtableConcurrency, ReadersSeeEverythingUpToTheVisibleSequence) {
  CheckReaders(GetParam().key, 1);
}

TEST_P(MemtableConcurrency, ReadersSeeWhatIsAddedInGroups) { CheckReaders(GetParam().key, 70); }

INSTANTIATE_TEST_SUITE_P(Shapes, MemtableConcurrency,
                         testing::Values(Shape{"Scrambled", ScrambledKey},
                                         Shape{"Ascending", AscendingKey},
                                         Shape{"Descending", DescendingKey},
                                         Shape{"Grouped", GroupedKey},
                                         Shape{"Shrinking", ShrinkingKey}),
                         [](const auto& info) { return std::string(info.param.name); });

// One key, overwritten all the time: a reader finds the version its sequence asks for.
TEST(MemtableHotKey, ReadersFindTheirVersion) {
  Memtable memtable;
  std::atomic<uint64_t> visible{0};
  const auto read = [&](uint64_t seed) {
    Random random(seed);
    for (uint64_t seen = 0; seen < kEntries / 4;) {
      seen = visible.load(std::memory_order_acquire);
      if (seen == 0) continue;
      for (int n = 0; n < 20; ++n) {
        const uint64_t sequence = random.OneIn(2)
                                      ? random.Between(1, seen)
                                      : seen - random.Below(std::min<uint64_t>(seen, 8));
        const std::optional<Entry> entry = memtable.Get("hot", sequence);
        ASSERT_TRUE(entry.has_value());
        ASSERT_EQ(entry->sequence, sequence);
      }
    }
  };
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= kReaders; ++seed) readers.emplace_back(read, seed);
  for (uint64_t i = 1; i <= kEntries / 4; ++i) {
    memtable.Add({.key = "hot", .sequence = i, .kind = EntryKind::kPut, .value = "v"});
    visible.store(i, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
}

// Replaced entries of the batch being applied are not visible yet and disturb nobody.
TEST(MemtableReplacement, DoesNotDisturbReaders) {
  Memtable memtable;
  std::atomic<uint64_t> visible{0};
  const auto read = [&](uint64_t seed) {
    Random random(seed);
    Memtable::Iterator iterator(memtable);
    for (uint64_t seen = 0; seen < kEntries / 8;) {
      seen = visible.load(std::memory_order_acquire);
      if (seen == 0) continue;
      const std::string key = fmt::format("{:06}", Scramble(random.Between(1, seen)) % 1000000);
      const std::optional<Entry> entry = memtable.Get(key, seen);
      ASSERT_TRUE(entry.has_value());
      ASSERT_EQ(entry->value, "last");
      iterator.Seek(key, kSequenceMax);
      for (int steps = 0; steps < 10 && iterator.Valid(); ++steps) {
        const Entry before = iterator.entry();
        iterator.Next();
        if (!iterator.Valid()) break;
        ASSERT_LT(CompareEntries(before.key, before.sequence, iterator.entry().key,
                                 iterator.entry().sequence),
                  0);
      }
    }
  };
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= kReaders; ++seed) readers.emplace_back(read, seed);
  for (uint64_t i = 1; i <= kEntries / 8; ++i) {
    const std::string key = fmt::format("{:06}", Scramble(i) % 1000000);
    for (const char* value : {"first", "second", "last"}) {
      memtable.Add({.key = key, .sequence = i, .kind = EntryKind::kPut, .value = value});
    }
    visible.store(i, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace varve::memtable
