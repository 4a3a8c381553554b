#include "sstable/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"

namespace varve::sstable {
namespace {

struct Position {
  std::string key;
  SequenceNumber sequence;
};

bool Before(const Position& a, const Position& b) {
  return CompareEntries(a.key, a.sequence, b.key, b.sequence) < 0;
}

// An index of blocks of one entry each, at `entries`, which ascend.
TableIndex IndexOf(const std::vector<Position>& entries) {
  IndexBuilder builder;
  BlockPlace place = {0, 100};
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry entry = {entries[i].key, entries[i].sequence, EntryKind::kPut, {}};
    Entry last;
    if (i > 0) last = {entries[i - 1].key, entries[i - 1].sequence, EntryKind::kPut, {}};
    builder.Add(place, i == 0 ? nullptr : &last, entry);
    place.offset += place.stored_bytes + i % 3;
  }
  Footer footer;
  footer.blocks = entries.size();
  footer.data_bytes = place.offset;
  return TableIndex::Parse(builder.Finish(), footer, "test").value();
}

// What keys look like decides which way a search takes.
std::string MakeKey(Random& random, int style) {
  std::string key;
  switch (style) {
    case 0:  // spread evenly
      AppendBigU64(key, random.Next());
      break;
    case 1:  // close together behind a long common part
      key = "tenant/0000000001/item/";
      AppendBigU64(key, random.Below(5000));
      break;
    case 2:  // many with the same first 8 bytes
      AppendBigU64(key, random.Below(3) << 62);
      AppendBigU64(key, random.Next());
      break;
    default:  // short, and at the ends of the range
      key.assign(random.Below(10), random.Below(2) == 0 ? '\xff' : '\0');
      key.push_back(static_cast<char>(random.Next()));
      break;
  }
  return key;
}

TEST(TableIndex, LeadsToTheBlockOfEveryPosition) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const int style = round % 4;
    std::vector<Position> entries;
    const size_t wanted = 1 + random.Below(round % 10 == 0 ? 6000 : 300);
    while (entries.size() < wanted) {
      const std::string key = MakeKey(random, style);
      for (uint64_t versions = random.Below(4) == 0 ? 5 : 1; versions > 0; --versions) {
        entries.push_back({key, random.Below(1000) + 1});
      }
    }
    std::sort(entries.begin(), entries.end(), Before);
    entries.erase(std::unique(entries.begin(), entries.end(),
                              [](const Position& a, const Position& b) { return !Before(a, b); }),
                  entries.end());
    const TableIndex index = IndexOf(entries);
    ASSERT_EQ(index.blocks(), entries.size());
    for (uint32_t i = 0; i < index.blocks(); ++i) {
      ASSERT_EQ(index.Find(entries[i].key, entries[i].sequence), i);
    }
    for (int probe = 0; probe < 500; ++probe) {
      const std::string key = MakeKey(random, static_cast<int>(random.Below(4)));
      const SequenceNumber sequence = random.Below(1002);
      uint32_t last = 0;
      for (uint32_t i = 1; i < index.blocks(); ++i) {
        if (CompareEntries(index.bound_key(i), index.bound_sequence(i), key, sequence) > 0) break;
        last = i;
      }
      ASSERT_EQ(index.Find(key, sequence), last) << "style " << style;
    }
  }
}

TEST(TableIndex, KnowsPlaces) {
  const TableIndex index = IndexOf({{"a", 1}, {"b", 1}, {"c", 1}});
  EXPECT_EQ(index.place(0), (BlockPlace{0, 100}));
  EXPECT_EQ(index.place(1), (BlockPlace{100, 100}));
  EXPECT_EQ(index.place(2), (BlockPlace{201, 100}));
}

TEST(TableIndex, KeepsAHintABlock) {
  const TableIndex index = IndexOf({{"a", 1}, {"b", 1}});
  const char memory = 0;
  EXPECT_EQ(index.hint(1), nullptr);
  index.SetHint(1, &memory);
  EXPECT_EQ(index.hint(0), nullptr);
  EXPECT_EQ(index.hint(1), &memory);
}

}  // namespace
}  // namespace varve::sstable
