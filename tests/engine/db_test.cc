// The Db as its users see it, on every Io.
#include "engine/db.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/io_fixture.h"

namespace varve::engine {
namespace {

class DbTest : public testing::IoTest {
 protected:
  static Options SmallOptions() {
    Options options;
    options.memtable_budget_bytes = 1 << 20;
    options.memtable_bytes_max = 128 << 10;
    options.block_cache_bytes = 4 << 20;
    options.table_bytes_target = 64 << 10;
    options.level1_bytes = 256 << 10;
    options.log_segment_bytes = 256 << 10;
    options.log_bytes_max = 4 << 20;
    options.value_separation_bytes = 4 << 10;
    options.reserved_disk_bytes = 0;
    return options;
  }

  void Open(const Options& options) {
    db_.reset();
    auto db = Db::Open(io(), Path("db"), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  std::string Get(std::string_view key, const ReadOptions& options = {}) {
    PinnedValue value;
    const auto found = db_->Get(key, &value, options);
    if (!found.ok()) return std::string(Message(found.status()));
    return *found ? value.ToString() : "(absent)";
  }

  std::string Scan(const IteratorOptions& options = {}) {
    auto iterator = db_->NewIterator(options);
    std::string all;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      all += fmt::format("{}={} ", iterator->key(), iterator->value());
    }
    EXPECT_TRUE(iterator->status().ok()) << iterator->status();
    return all;
  }

  std::unique_ptr<Db> db_;
};
VARVE_ON_EVERY_IO(DbTest);

TEST_P(DbTest, ReturnsWhatWasPut) {
  Open(SmallOptions());
  ASSERT_TRUE(db_->Put("a", "1").ok());
  ASSERT_TRUE(db_->Put("b", "2").ok());
  ASSERT_TRUE(db_->Put("a", "3").ok());
  ASSERT_TRUE(db_->Delete("b").ok());
  EXPECT_EQ(Get("a"), "3");
  EXPECT_EQ(Get("b"), "(absent)");
  EXPECT_EQ(Scan(), "a=3 ");
}

TEST_P(DbTest, KeepsEverythingOverReopening) {
  for (const Durability durability : {Durability::kDurable, Durability::kRelaxed}) {
    Options options = SmallOptions();
    options.durability = durability;
    Open(options);
    ASSERT_TRUE(db_->Put("k", "log").ok());
    Open(options);
    EXPECT_EQ(Get("k"), "log");
    ASSERT_TRUE(db_->Flush().ok());
    EXPECT_EQ(Get("k"), "log");
    Open(options);
    EXPECT_EQ(Get("k"), "log");
  }
}

TEST_P(DbTest, RefusesASecondOpening) {
  Open(SmallOptions());
  EXPECT_EQ(Db::Open(io(), Path("db"), SmallOptions()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(DbTest, SnapshotsSeeTheirMoment) {
  Open(SmallOptions());
  ASSERT_TRUE(db_->Put("k", "old").ok());
  auto snapshot = db_->GetSnapshot();
  ASSERT_TRUE(db_->Put("k", "new").ok());
  ASSERT_TRUE(db_->Flush().ok());
  ASSERT_TRUE(db_->Compact("", "").ok());
  EXPECT_EQ(Get("k"), "new");
  EXPECT_EQ(Get("k", {.snapshot = snapshot.get()}), "old");
}

TEST_P(DbTest, LooksManyKeysUpAsItWouldOneByOne) {
  Open(SmallOptions());
  Random random(4);
  // Values of both kinds: in tables, and in files of their own; and some memtables over them.
  for (int i = 0; i < 300; ++i) {
    const std::string key = fmt::format("{:03}", random.Next() % 150);
    if (i % 5 == 0) {
      ASSERT_TRUE(db_->Delete(key).ok());
    } else {
      ASSERT_TRUE(db_->Put(key, std::string(i % 7 == 0 ? 10'000 : 100, 'a' + i % 26)).ok());
    }
    if (i % 90 == 89) ASSERT_TRUE(db_->Flush().ok());
  }
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(fmt::format("{:03}", i));
  for (size_t i = 0; i < keys.size(); i += 2)
    Get(keys[i]);  // in memory now, the others perhaps not
  std::vector<PinnedValue> values(keys.size());
  std::vector<Db::Lookup> lookups;
  for (size_t i = 0; i < keys.size(); ++i) lookups.push_back({keys[i], &values[i], std::nullopt});
  db_->TryGet(lookups);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i % 2 == 0) ASSERT_TRUE(lookups[i].found.has_value()) << keys[i];
    if (!lookups[i].found) continue;
    ASSERT_TRUE(lookups[i].found->ok()) << lookups[i].found->status();
    EXPECT_EQ(**lookups[i].found ? values[i].ToString() : "(absent)", Get(keys[i])) << keys[i];
  }
}

TEST_P(DbTest, SplitsAndDropsRanges) {
  Open(SmallOptions());
  for (const char* key : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(db_->Put(key, key).ok());
  const std::string cuts[] = {"b", "d"};
  ASSERT_TRUE(db_->Split(cuts).ok());
  EXPECT_EQ(db_->Partitions().size(), 3u);
  EXPECT_EQ(Scan(), "a=a b=b c=c d=d e=e ");
  ASSERT_TRUE(db_->Put("c", "C").ok());
  ASSERT_TRUE(db_->DropRange("b", "d").ok());
  EXPECT_EQ(Scan(), "a=a d=d e=e ");
  ASSERT_TRUE(db_->Put("c", "again").ok());
  ASSERT_TRUE(db_->Flush().ok());
  EXPECT_EQ(Scan(), "a=a c=again d=d e=e ");
  Open(SmallOptions());
  EXPECT_EQ(Scan(), "a=a c=again d=d e=e ");
}

TEST_P(DbTest, WalksBothWays) {
  Open(SmallOptions());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(db_->Put(fmt::format("k{:03}", i), fmt::format("v{}", i)).ok());
  }
  ASSERT_TRUE(db_->Flush().ok());
  for (int i = 0; i < 100; i += 3) ASSERT_TRUE(db_->Delete(fmt::format("k{:03}", i)).ok());
  const std::string cuts[] = {"k050"};
  ASSERT_TRUE(db_->Split(cuts).ok());
  auto iterator = db_->NewIterator();
  std::string backward;
  int count = 0;
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) ++count;
  EXPECT_EQ(count, 66);
  iterator->Seek("k049");
  EXPECT_EQ(iterator->key(), "k049");
  iterator->Next();
  EXPECT_EQ(iterator->key(), "k050");
  iterator->Prev();
  EXPECT_EQ(iterator->key(), "k049");
  iterator->Prev();
  EXPECT_EQ(iterator->key(), "k047");
  iterator->SeekForPrev("k051");
  EXPECT_EQ(iterator->key(), "k050");
}

// Random operations against an ordered map, through flushes, compactions, splits and reopenings.
TEST_P(DbTest, AgreesWithAMapUnderRandomOperations) {
  Options options = SmallOptions();
  options.durability = Durability::kRelaxed;
  Open(options);
  std::map<std::string, std::string> model;
  Random random(7);
  for (int i = 0; i < 6000; ++i) {
    const std::string key = fmt::format("key{:05}", random.Below(2000));
    switch (random.Below(20)) {
      case 0:
        ASSERT_TRUE(db_->Delete(key).ok());
        model.erase(key);
        break;
      case 1: {
        const auto it = model.find(key);
        ASSERT_EQ(Get(key), it == model.end() ? "(absent)" : it->second) << i;
        break;
      }
      default: {
        const size_t bytes = random.OneIn(50) ? 10'000 : random.Below(400);
        const std::string value(bytes, static_cast<char>('a' + random.Below(26)));
        ASSERT_TRUE(db_->Put(key, value).ok());
        model[key] = value;
      }
    }
    if (i % 1500 == 700) {
      const std::string cut[] = {fmt::format("key{:05}", random.Below(2000))};
      ASSERT_TRUE(db_->Split(cut).ok());
    }
    if (i % 2000 == 1999) Open(options);
  }
  const auto compare = [&]() {
    auto iterator = db_->NewIterator();
    auto expected = model.begin();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++expected) {
      ASSERT_NE(expected, model.end());
      ASSERT_EQ(iterator->key(), expected->first);
      ASSERT_EQ(iterator->value(), expected->second);
    }
    ASSERT_TRUE(iterator->status().ok()) << iterator->status();
    ASSERT_EQ(expected, model.end());
    auto back = model.rbegin();
    for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev(), ++back) {
      ASSERT_EQ(iterator->key(), back->first);
      ASSERT_EQ(iterator->value(), back->second);
    }
    ASSERT_EQ(back, model.rend());
  };
  compare();
  ASSERT_TRUE(db_->Compact("", "").ok());
  compare();
  ASSERT_TRUE(db_->Checkpoint(Path("copy")).ok());
  db_.reset();
  auto copy = Db::Open(io(), Path("copy"), options);
  ASSERT_TRUE(copy.ok()) << copy.status();
  db_ = *std::move(copy);
  compare();
}

}  // namespace
}  // namespace varve::engine
