#include "memtable/memtable.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/random.h"

namespace varve::memtable {
namespace {

Entry Put(std::string_view key, SequenceNumber sequence, std::string_view value) {
  return {.key = key, .sequence = sequence, .kind = EntryKind::kPut, .value = value};
}
Entry Tombstone(std::string_view key, SequenceNumber sequence) {
  return {.key = key, .sequence = sequence, .kind = EntryKind::kDelete, .value = {}};
}

std::string Text(const Entry& entry) {
  return fmt::format("{}@{}{}{}", entry.key, entry.sequence,
                     entry.kind == EntryKind::kDelete ? "-" : "=", entry.value);
}
std::string Text(const std::optional<Entry>& entry) { return entry ? Text(*entry) : "none"; }
std::string Text(const Memtable::Iterator& iterator) {
  return iterator.Valid() ? Text(iterator.entry()) : "end";
}

TEST(Memtable, IsEmptyAtFirst) {
  const Memtable memtable;
  EXPECT_TRUE(memtable.empty());
  EXPECT_EQ(Text(memtable.Get("a", kSequenceMax)), "none");
  Memtable::Iterator iterator(memtable);
  EXPECT_FALSE(iterator.Valid());
  iterator.SeekToFirst();
  EXPECT_FALSE(iterator.Valid());
  iterator.SeekToLast();
  EXPECT_FALSE(iterator.Valid());
  iterator.Seek("a", kSequenceMax);
  EXPECT_FALSE(iterator.Valid());
  iterator.SeekBefore("a", kSequenceMax);
  EXPECT_FALSE(iterator.Valid());
}

TEST(Memtable, CostsLittleWhileEmptyAndOneSmallChunkAtFirst) {
  Memtable memtable;
  EXPECT_LE(memtable.bytes(), 512u);
  EXPECT_EQ(memtable.bytes(), sizeof(Memtable));
  memtable.Add(Put("a", 1, "v"));
  EXPECT_EQ(memtable.bytes(), sizeof(Memtable) + 4096);
}

TEST(Memtable, GetFindsTheNewestVersionNotAfterTheSequence) {
  Memtable memtable;
  memtable.Add(Put("k", 10, "ten"));
  memtable.Add(Put("k", 20, "twenty"));
  memtable.Add(Tombstone("k", 30));
  memtable.Add(Put("kk", 15, "other"));
  EXPECT_EQ(Text(memtable.Get("k", 9)), "none");
  EXPECT_EQ(Text(memtable.Get("k", 10)), "k@10=ten");
  EXPECT_EQ(Text(memtable.Get("k", 19)), "k@10=ten");
  EXPECT_EQ(Text(memtable.Get("k", 20)), "k@20=twenty");
  EXPECT_EQ(Text(memtable.Get("k", kSequenceMax)), "k@30-");
  EXPECT_EQ(Text(memtable.Get("kk", 20)), "kk@15=other");
  EXPECT_EQ(Text(memtable.Get("", 20)), "none");
  EXPECT_EQ(Text(memtable.Get("kkk", 20)), "none");
}

TEST(Memtable, TheLastWriteOfAKeyInABatchWins) {
  Memtable memtable;
  memtable.Add(Put("k", 5, "first"));
  memtable.Add(Put("k", 5, "second"));
  EXPECT_EQ(Text(memtable.Get("k", 5)), "k@5=second");
  EXPECT_EQ(memtable.entries(), 1u);
  EXPECT_EQ(memtable.data_bytes(), 7u);
  memtable.Add(Tombstone("k", 5));
  EXPECT_EQ(Text(memtable.Get("k", 5)), "k@5-");
  EXPECT_EQ(memtable.entries(), 1u);
  EXPECT_EQ(memtable.tombstones(), 1u);
}

TEST(Memtable, CountsWhatItHolds) {
  Memtable memtable;
  EXPECT_EQ(memtable.smallest_sequence(), kSequenceMax);
  EXPECT_EQ(memtable.largest_sequence(), 0u);
  memtable.Add(Put("abc", 9, "12345"));
  memtable.Add(Tombstone("d", 7));
  EXPECT_EQ(memtable.entries(), 2u);
  EXPECT_EQ(memtable.tombstones(), 1u);
  EXPECT_EQ(memtable.data_bytes(), 9u);
  EXPECT_EQ(memtable.smallest_sequence(), 7u);
  EXPECT_EQ(memtable.largest_sequence(), 9u);
}

TEST(Memtable, IteratorSeeksToAPlaceBetweenVersions) {
  Memtable memtable;
  for (const char* key : {"b", "d"}) {
    for (SequenceNumber sequence : {10, 20}) memtable.Add(Put(key, sequence, "v"));
  }
  Memtable::Iterator iterator(memtable);
  const auto seek = [&](std::string_view key, SequenceNumber sequence) {
    iterator.Seek(key, sequence);
    return Text(iterator);
  };
  const auto seek_before = [&](std::string_view key, SequenceNumber sequence) {
    iterator.SeekBefore(key, sequence);
    return Text(iterator);
  };
  EXPECT_EQ(seek("a", 0), "b@20=v");
  EXPECT_EQ(seek("b", kSequenceMax), "b@20=v");
  EXPECT_EQ(seek("b", 15), "b@10=v");
  EXPECT_EQ(seek("b", 10), "b@10=v");
  EXPECT_EQ(seek("b", 9), "d@20=v");
  EXPECT_EQ(seek("d", 9), "end");
  EXPECT_EQ(seek_before("b", kSequenceMax), "end");
  EXPECT_EQ(seek_before("b", 15), "b@20=v");
  EXPECT_EQ(seek_before("b", 0), "b@10=v");
  EXPECT_EQ(seek_before("d", kSequenceMax), "b@10=v");
  EXPECT_EQ(seek_before("e", kSequenceMax), "d@10=v");
}

TEST(Memtable, TakesKeysAndValuesUpToTheirLimits) {
  Memtable memtable;
  const std::string key(kKeyBytesMax, 'k');
  const std::string longer_prefix = key.substr(0, kKeyBytesMax - 1);
  const std::string value(kValueBytesMax, 'v');
  memtable.Add(Put(key, 1, value));
  memtable.Add(Put(longer_prefix, 2, "short"));
  memtable.Add(Put("", 3, "empty key"));
  memtable.Add(Put("k", 4, ""));
  ASSERT_TRUE(memtable.Get(key, 9).has_value());
  EXPECT_EQ(memtable.Get(key, 9)->key, key);
  EXPECT_EQ(memtable.Get(key, 9)->value, value);
  EXPECT_EQ(memtable.Get(longer_prefix, 9)->value, "short");
  EXPECT_EQ(memtable.Get("", 9)->value, "empty key");
  EXPECT_EQ(memtable.Get("k", 9)->value, "");
  EXPECT_GE(memtable.bytes(), kValueBytesMax);
  EXPECT_LE(memtable.bytes(), kValueBytesMax + (size_t{4} << 20));
}

TEST(Memtable, KeepsReferencesApartFromValues) {
  Memtable memtable;
  memtable.Add({.key = "k", .sequence = 1, .kind = EntryKind::kPutReference, .value = "reference"});
  EXPECT_EQ(memtable.Get("k", 1)->kind, EntryKind::kPutReference);
}

// ---- Against a model, over shapes of keys that take the tree apart in different ways.

struct Shape {
  const char* name;
  int operations;
  // The key of the i-th operation.
  std::function<std::string(Random&, int)> key;
};

void PrintTo(const Shape& shape, std::ostream* os) { *os << shape.name; }

std::string Binary(uint64_t number) {
  std::string key(8, '\0');
  StoreBigU64(key.data(), number);
  return key;
}

const Shape kShapes[] = {
    {"Random", 20000, [](Random& random, int) { return Binary(random.Next()); }},
    {"Ascending", 20000, [](Random&, int i) { return fmt::format("user{:012}", i); }},
    {"Descending", 20000, [](Random&, int i) { return fmt::format("user{:012}", 1000000 - i); }},
    {"FewKeysManyVersions", 6000, [](Random& random, int) { return Binary(random.Below(7)); }},
    {"OneKey", 4000, [](Random&, int) { return std::string("the only key"); }},
    {"LongSharedPrefix", 20000,
     [](Random& random, int) { return std::string(200, 'p') + Binary(random.Next()); }},
    {"PrefixesOfEachOther", 3000,
     [](Random& random, int) { return std::string(random.Below(600), 'a'); }},
    {"ZerosAndOnes", 20000,
     [](Random& random, int) {
       std::string key(random.Below(20), '\0');
       for (char& c : key) c = random.OneIn(2) ? '\xff' : '\0';
       return key;
     }},
    {"GroupsAscendingSideBySide", 20000,
     [](Random& random, int i) { return Binary(random.Below(50)) + fmt::format("{:08}", i); }},
    {"PrefixBreaksAfterARun", 20000,
     [](Random& random, int i) {
       return i < 10000 ? fmt::format("tenant/table/{:08}", random.Below(1000000))
                        : fmt::format("{}/{:08}", static_cast<char>('a' + random.Below(26)),
                                      random.Below(1000000));
     }},
    {"PrefixShrinksStepByStep", 20000,
     [](Random& random, int i) {
       return std::string(static_cast<size_t>(200 - i / 100), 'm') + Binary(random.Next());
     }},
};

struct NewerFirst {
  bool operator()(const std::pair<std::string, SequenceNumber>& a,
                  const std::pair<std::string, SequenceNumber>& b) const {
    return CompareEntries(a.first, a.second, b.first, b.second) < 0;
  }
};
using Model = std::map<std::pair<std::string, SequenceNumber>, std::string, NewerFirst>;

struct OwnedPut {
  std::string key;
  SequenceNumber sequence;
  std::string value;
};

class MemtableModel : public testing::TestWithParam<Shape> {
 protected:
  void FillBoth(uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < GetParam().operations; ++i) {
      const std::string key = GetParam().key(random, i);
      // Mostly ascending, as commits are; sometimes an older one, sometimes the same again.
      const SequenceNumber sequence = random.OneIn(10) ? random.Below(static_cast<uint64_t>(i) + 1)
                                                       : static_cast<uint64_t>(i / 3);
      const std::string value = fmt::format("v{}", i);
      memtable_.Add(Put(key, sequence, value));
      model_[{key, sequence}] = value;
    }
  }

  // The same entries, several at a time.
  void FillBothInGroups(uint64_t seed) {
    Random random(seed);
    std::vector<OwnedPut> group;
    size_t group_size = 1;
    for (int i = 0; i < GetParam().operations; ++i) {
      const SequenceNumber sequence = random.OneIn(10) ? random.Below(static_cast<uint64_t>(i) + 1)
                                                       : static_cast<uint64_t>(i / 3);
      group.push_back({GetParam().key(random, i), sequence, fmt::format("v{}", i)});
      model_[{group.back().key, sequence}] = group.back().value;
      if (group.size() < group_size && i + 1 < GetParam().operations) continue;
      std::vector<Entry> entries;
      for (const OwnedPut& put : group) entries.push_back(Put(put.key, put.sequence, put.value));
      memtable_.Add(entries);
      group.clear();
      group_size = random.OneIn(3) ? random.Between(1, 3) : random.Between(1, 100);
    }
  }

  std::string TextOf(Model::const_iterator i) const {
    return Text(Put(i->first.first, i->first.second, i->second));
  }
  std::pair<std::string, SequenceNumber> RandomPlace(Random& random) const {
    auto i = model_.lower_bound(
        {GetParam().key(
             random, static_cast<int>(random.Below(static_cast<uint64_t>(GetParam().operations)))),
         random.Below(10000)});
    if (i == model_.end() || random.OneIn(3)) {
      return {GetParam().key(random, 0), random.Below(10000)};
    }
    std::pair<std::string, SequenceNumber> place = i->first;
    switch (random.Below(4)) {
      case 0:
        place.first.push_back('\0');
        break;
      case 1:
        if (!place.first.empty()) place.first.pop_back();
        break;
      case 2:
        place.second += random.Below(3) - 1;
        break;
      default:
        break;
    }
    return place;
  }

  Memtable memtable_;
  Model model_;
};

TEST_P(MemtableModel, IteratesForwardAndBackward) {
  FillBoth(1);
  EXPECT_EQ(memtable_.entries(), model_.size());
  Memtable::Iterator iterator(memtable_);
  iterator.SeekToFirst();
  for (auto i = model_.begin(); i != model_.end(); ++i, iterator.Next()) {
    ASSERT_EQ(Text(iterator), TextOf(i));
  }
  EXPECT_FALSE(iterator.Valid());
  iterator.SeekToLast();
  for (auto i = model_.end(); i != model_.begin(); iterator.Prev()) {
    ASSERT_EQ(Text(iterator), TextOf(--i));
  }
  EXPECT_FALSE(iterator.Valid());
}

TEST_P(MemtableModel, HoldsWhatIsAddedInGroups) {
  FillBothInGroups(6);
  EXPECT_EQ(memtable_.entries(), model_.size());
  uint64_t data_bytes = 0;
  Memtable::Iterator iterator(memtable_);
  iterator.SeekToFirst();
  for (auto i = model_.begin(); i != model_.end(); ++i, iterator.Next()) {
    ASSERT_EQ(Text(iterator), TextOf(i));
    ASSERT_EQ(Text(memtable_.Get(i->first.first, i->first.second)), TextOf(i));
    data_bytes += i->first.first.size() + i->second.size();
  }
  EXPECT_FALSE(iterator.Valid());
  EXPECT_EQ(memtable_.data_bytes(), data_bytes);
}

TEST_P(MemtableModel, AScanShowsEveryEntryInOrder) {
  Memtable::Scan nothing(memtable_);
  EXPECT_TRUE(nothing.Next().empty());
  FillBothInGroups(7);
  Memtable::Scan scan(memtable_);
  auto i = model_.begin();
  for (auto entries = scan.Next(); !entries.empty(); entries = scan.Next()) {
    for (const Entry& entry : entries) {
      ASSERT_NE(i, model_.end());
      ASSERT_EQ(Text(entry), TextOf(i++));
    }
  }
  EXPECT_EQ(i, model_.end());
  EXPECT_TRUE(scan.Next().empty());
}

TEST_P(MemtableModel, SeeksAndGets) {
  FillBoth(2);
  Random random(3);
  Memtable::Iterator iterator(memtable_);
  for (int n = 0; n < 5000; ++n) {
    const auto [key, sequence] = RandomPlace(random);
    const auto expected = model_.lower_bound({key, sequence});
    iterator.Seek(key, sequence);
    ASSERT_EQ(Text(iterator), expected == model_.end() ? "end" : TextOf(expected));
    for (int steps = 0; steps < 3 && iterator.Valid(); ++steps) {
      const std::string here = Text(iterator);
      iterator.Next();
      if (!iterator.Valid()) break;
      iterator.Prev();
      ASSERT_EQ(Text(iterator), here);
      iterator.Next();
    }
    iterator.SeekBefore(key, sequence);
    ASSERT_EQ(Text(iterator), expected == model_.begin() ? "end" : TextOf(std::prev(expected)));
    const std::string got = Text(memtable_.Get(key, sequence));
    const bool there = expected != model_.end() && expected->first.first == key;
    ASSERT_EQ(got, there ? TextOf(expected) : "none");
  }
}

// An iterator that stands still while entries come in around it goes on from where it stood, and
// sees everything that was there when it was made.
TEST_P(MemtableModel, IteratorsOutliveInsertions) {
  Random random(4);
  Random choice(5);
  std::vector<std::unique_ptr<Memtable::Iterator>> iterators;
  for (int i = 0; i < GetParam().operations / 4; ++i) {
    const std::string key = GetParam().key(random, i);
    const SequenceNumber sequence = static_cast<uint64_t>(i) + 1;
    memtable_.Add(Put(key, sequence, "v"));
    model_[{key, sequence}] = "v";
    if (iterators.size() < 8) {
      iterators.push_back(std::make_unique<Memtable::Iterator>(memtable_));
      iterators.back()->Seek(RandomPlace(choice).first, kSequenceMax);
    }
    const size_t chosen = choice.Below(iterators.size());
    Memtable::Iterator& iterator = *iterators[chosen];
    if (!iterator.Valid() || choice.OneIn(50)) {
      iterators.erase(iterators.begin() + static_cast<ptrdiff_t>(chosen));
      continue;
    }
    const Entry before = iterator.entry();
    auto expected = model_.find({std::string(before.key), before.sequence});
    const bool forward = choice.OneIn(2);
    if (forward) {
      iterator.Next();
      ++expected;
    } else {
      iterator.Prev();
      if (expected == model_.begin())
        expected = model_.end();
      else
        --expected;
    }
    // It may pass by what came after it was positioned in its leaf, but nothing it shows is out of
    // order, and nothing shown is not there.
    if (iterator.Valid()) {
      const Entry& now = iterator.entry();
      const int order = CompareEntries(before.key, before.sequence, now.key, now.sequence);
      ASSERT_TRUE(forward ? order < 0 : order > 0);
      ASSERT_TRUE(model_.contains({std::string(now.key), now.sequence}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MemtableModel, testing::ValuesIn(kShapes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace varve::memtable
