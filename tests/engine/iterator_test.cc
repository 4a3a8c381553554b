// Iterators over many runs, against ordered maps: random movements of several iterators at a time,
// each as of its own moment, while writes, flushes, compactions and splits go on.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "base/random.h"
#include "engine/db.h"
#include "tests/support/io_fixture.h"

namespace varve::engine {
namespace {

using Model = std::map<std::string, std::string>;

// An iterator and what it must show.
struct Walker {
  std::unique_ptr<Snapshot> snapshot;
  Model model;
  std::string lower_bound;
  std::string upper_bound;
  std::unique_ptr<Iterator> iterator;
  std::optional<std::string> at;  // the key it stands on

  bool Within(const std::string& key) const {
    return key >= lower_bound && (upper_bound.empty() || key < upper_bound);
  }
};

class IteratorTest : public testing::IoTest {
 protected:
  static constexpr uint64_t kKeys = 300;

  static std::string Key(uint64_t i) { return fmt::format("key{:04}", i); }

  void Open(std::string_view name = "db") {
    db_.reset();
    Options options;
    options.durability = Durability::kRelaxed;
    options.memtable_budget_bytes = 1 << 20;
    options.memtable_bytes_max = 64 << 10;
    // Blocks come and go.
    options.block_cache_bytes = 64 << 10;
    options.table_bytes_target = 8 << 10;
    options.level1_bytes = 32 << 10;
    options.level0_tables_max = 8;
    options.log_segment_bytes = 256 << 10;
    options.log_bytes_max = 4 << 20;
    options.value_separation_bytes = 1 << 10;
    options.reserved_disk_bytes = 0;
    auto db = Db::Open(io(), Path(name), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Walker NewWalker(Random& random) {
    Walker walker;
    walker.model = model_;
    IteratorOptions options;
    if (random.OneIn(2)) {
      walker.snapshot = db_->GetSnapshot();
      options.snapshot = walker.snapshot.get();
    }
    if (random.OneIn(3)) walker.lower_bound = Key(random.Below(kKeys / 2));
    if (random.OneIn(3)) walker.upper_bound = Key(kKeys / 2 + random.Below(kKeys / 2));
    options.lower_bound = walker.lower_bound;
    options.upper_bound = walker.upper_bound;
    options.fill_cache = random.OneIn(2);
    walker.iterator = db_->NewIterator(options);
    return walker;
  }

  void Write(Random& random) {
    const std::string key = Key(random.Below(kKeys));
    if (random.OneIn(4)) {
      ASSERT_TRUE(db_->Delete(key).ok());
      model_.erase(key);
      return;
    }
    const size_t bytes = random.OneIn(30) ? 2000 : random.Below(200);
    const std::string value(bytes, static_cast<char>('a' + random.Below(26)));
    ASSERT_TRUE(db_->Put(key, value).ok());
    model_[key] = value;
  }

  // Changes the shape of what iterators walk over.
  void Reshape(Random& random) {
    switch (random.Below(8)) {
      case 0: {
        const std::string cut[] = {Key(random.Below(kKeys))};
        ASSERT_TRUE(db_->Split(cut).ok());
        break;
      }
      case 1: {
        const std::string from = Key(random.Below(kKeys));
        ASSERT_TRUE(db_->Compact(from, from + "~").ok());
        break;
      }
      default:
        ASSERT_TRUE(db_->Flush().ok());
    }
  }

  // Moves the walker at random, and its position in the model alike.
  static void Move(Walker& walker, Random& random) {
    Iterator& iterator = *walker.iterator;
    const Model& model = walker.model;
    const std::string target = Key(random.Below(kKeys)) + (random.OneIn(3) ? "x" : "");
    auto place = model.end();
    // Longer ways in one direction, so that blocks and runs are left.
    const uint64_t kind = walker.at ? random.Below(10) : random.Below(4);
    const auto first = model.lower_bound(walker.lower_bound);
    const auto past =
        walker.upper_bound.empty() ? model.end() : model.lower_bound(walker.upper_bound);
    const auto before = [&](Model::const_iterator of) {
      return of == model.begin() ? model.end() : std::prev(of);
    };
    if (kind == 0) {
      iterator.SeekToFirst();
      place = first;
    } else if (kind == 1) {
      iterator.SeekToLast();
      place = before(past);
    } else if (kind == 2) {
      iterator.Seek(target);
      place = model.lower_bound(std::max(target, walker.lower_bound));
    } else if (kind == 3) {
      iterator.SeekForPrev(target);
      const bool beyond = !walker.upper_bound.empty() && target >= walker.upper_bound;
      place = before(beyond ? past : model.upper_bound(target));
    } else if (kind < 7) {
      iterator.Next();
      place = std::next(model.find(*walker.at));
    } else {
      iterator.Prev();
      place = before(model.find(*walker.at));
    }
    walker.at.reset();
    if (place != model.end() && walker.Within(place->first)) walker.at = place->first;
    ASSERT_TRUE(iterator.status().ok()) << iterator.status();
    ASSERT_EQ(iterator.Valid(), walker.at.has_value()) << "movement " << kind;
    if (!walker.at) return;
    ASSERT_EQ(iterator.key(), *walker.at) << "movement " << kind;
    ASSERT_EQ(iterator.value(), place->second);
  }

  Model model_;
  std::unique_ptr<Db> db_;
};
VARVE_ON_EVERY_IO(IteratorTest);

TEST_P(IteratorTest, WalksLikeAMapOfItsMoment) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Open(fmt::format("db{}", seed));
    std::list<Walker> walkers;
    for (int round = 0; round < 150; ++round) {
      for (uint64_t n = random.Below(60); n > 0; --n) Write(random);
      if (random.OneIn(2)) Reshape(random);
      if (walkers.size() < 4 || random.OneIn(4)) {
        if (walkers.size() == 6)
          walkers.erase(std::next(walkers.begin(), static_cast<long>(random.Below(6))));
        walkers.push_back(NewWalker(random));
      }
      for (Walker& walker : walkers) {
        for (uint64_t n = random.Below(40); n > 0; --n) {
          Move(walker, random);
          if (HasFatalFailure()) return;
        }
      }
    }
    walkers.clear();
    model_.clear();
  }
}

// Between two movements in one direction there may be thousands of entries that are not shown.
TEST_P(IteratorTest, PassesOverManyVersionsAndTombstones) {
  Open();
  for (int version = 0; version < 100; ++version) {
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(db_->Put(Key(i), fmt::format("{}", version)).ok());
    }
    if (version % 30 == 29) {
      ASSERT_TRUE(db_->Flush().ok());
    }
  }
  const auto iterator = db_->NewIterator();
  for (uint64_t i = 1; i < 19; ++i) ASSERT_TRUE(db_->Delete(Key(i)).ok());
  const auto later = db_->NewIterator();
  uint64_t count = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++count) {
    EXPECT_EQ(iterator->value(), "99");
  }
  EXPECT_EQ(count, 20);
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev(), --count) {
    EXPECT_EQ(iterator->value(), "99");
  }
  EXPECT_EQ(count, 0);
  later->SeekToFirst();
  later->Next();
  EXPECT_EQ(later->key(), Key(19));
  later->Prev();
  EXPECT_EQ(later->key(), Key(0));
}

// StartNext and SettleAsync, as a server uses them.
TEST_P(IteratorTest, WaitsOnlyForWhatIsNotInMemory) {
  Open();
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_TRUE(db_->Put(Key(i), std::string(400, 'x')).ok());
  ASSERT_TRUE(db_->Flush().ok());
  const auto walk = [](Iterator& iterator) -> io::Task<uint64_t> {
    uint64_t count = 0;
    co_await iterator.SeekToFirstAsync();
    while (iterator.Valid()) {
      ++count;
      if (!iterator.StartNext()) co_await iterator.SettleAsync();
    }
    co_await iterator.SeekToLastAsync();
    while (iterator.Valid()) {
      ++count;
      if (!iterator.StartPrev()) co_await iterator.SettleAsync();
    }
    co_return count;
  };
  const auto iterator = db_->NewIterator();
  EXPECT_EQ(Await(walk(*iterator)), 2 * kKeys);
}

}  // namespace
}  // namespace varve::engine
