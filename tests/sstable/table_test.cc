#include "sstable/table.h"

#include <atomic>
#include <thread>

#include "sstable/inspect.h"
#include "testing.h"

namespace varve::sstable {
namespace {

using testing::Values;

class TableOn : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!world_.available()) GTEST_SKIP() << "no " << GetParam() << " here";
  }

  // Compares every way of reading `table` with the model.
  void CheckTable(const Table& table, const Model& model, Random& random) {
    io::BlockOn(world_.io(), CheckGets(table, model, random));
    for (int i = 0; i < 50; ++i) {
      const auto [key, sequence] = RandomTarget(model, random);
      TableGet get(table, key, Hash(key), sequence);
      FinishNow(get);
      CheckGet(get, model, key, sequence);
    }
    for (const auto reading :
         {IteratorOptions::Reading::kCached, IteratorOptions::Reading::kScan}) {
      IteratorOptions options;
      options.reading = reading;
      options.read_bytes_max = random.OneIn(2) ? 4096 : 32768;
      options.reads_in_flight_max = static_cast<uint32_t>(random.Between(1, 4));
      std::string until;
      if (random.OneIn(2)) until = RandomTarget(model, random).first;
      options.read_until = until;
      io::BlockOn(world_.io(), CheckScans(*table.NewIterator(options), model));
      io::BlockOn(world_.io(), CheckWalk(*table.NewIterator(options), model, random));
      const auto blocking = table.NewIterator(options);
      auto at = model.begin();
      for (blocking->SeekToFirst(), SettleNow(*blocking);
           blocking->state() == EntryIterator::State::kEntry;
           blocking->Next(), SettleNow(*blocking)) {
        ASSERT_EQ(Show(blocking->entry()), Show(EntryOf(*at)));
        ++at;
      }
      EXPECT_TRUE(blocking->status().ok()) << blocking->status();
      EXPECT_TRUE(at == model.end());
    }
  }

  static std::pair<std::string, SequenceNumber> RandomTarget(const Model& model, Random& random) {
    const Position& near =
        std::next(model.begin(), static_cast<long>(random.Below(model.size())))->first;
    std::string key = near.key;
    if (random.OneIn(4)) key += static_cast<char>(random.Next());
    if (random.OneIn(4) && !key.empty()) key.pop_back();
    const SequenceNumber sequences[] = {
        0, near.sequence - 1, near.sequence, near.sequence + 1, random.Below(60), kSequenceMax};
    return {key, sequences[random.Below(6)]};
  }

  static void CheckGet(const TableGet& get, const Model& model, const std::string& key,
                       SequenceNumber sequence) {
    const auto* expected = Expected(model, key, sequence);
    ASSERT_EQ(get.state(), expected ? TableGet::State::kFound : TableGet::State::kAbsent)
        << get.status();
    if (expected) {
      ASSERT_EQ(Show(get.entry()), Show(EntryOf(*expected)));
    }
  }

  static io::Task<void> CheckGets(const Table& table, const Model& model, Random& random) {
    for (int i = 0; i < 300; ++i) {
      const auto [key, sequence] = RandomTarget(model, random);
      TableGet get(table, key, Hash(key), sequence);
      co_await Finish(get);
      CheckGet(get, model, key, sequence);
    }
  }

  static io::Task<void> CheckScans(EntryIterator& iterator, const Model& model) {
    auto at = model.begin();
    iterator.SeekToFirst();
    co_await Settle(iterator);
    while (iterator.state() == EntryIterator::State::kEntry) {
      EXPECT_TRUE(at != model.end());
      EXPECT_EQ(Show(iterator.entry()), Show(EntryOf(*at)));
      ++at;
      iterator.Next();
      co_await Settle(iterator);
    }
    EXPECT_TRUE(at == model.end());
    EXPECT_TRUE(iterator.status().ok()) << iterator.status();
    iterator.SeekToLast();
    co_await Settle(iterator);
    while (iterator.state() == EntryIterator::State::kEntry) {
      EXPECT_TRUE(at != model.begin());
      --at;
      EXPECT_EQ(Show(iterator.entry()), Show(EntryOf(*at)));
      iterator.Prev();
      co_await Settle(iterator);
    }
    EXPECT_TRUE(at == model.begin());
    EXPECT_TRUE(iterator.status().ok()) << iterator.status();
  }

  // Moves at random.
  static io::Task<void> CheckWalk(EntryIterator& iterator, const Model& model, Random& random) {
    auto at = model.end();
    for (int i = 0; i < 500; ++i) {
      const uint64_t move = at == model.end() ? random.Below(4) : random.Below(20);
      if (move == 0) {
        iterator.SeekToFirst();
        at = model.begin();
      } else if (move == 1) {
        iterator.SeekToLast();
        at = std::prev(model.end());
      } else if (move < 4) {
        const auto [key, sequence] = RandomTarget(model, random);
        at = model.lower_bound({key, sequence});
        if (move == 2) {
          iterator.Seek(key, sequence);
        } else {
          iterator.SeekBefore(key, sequence);
          at = at == model.begin() ? model.end() : std::prev(at);
        }
      } else if (move < 13) {
        iterator.Next();
        ++at;
      } else {
        iterator.Prev();
        at = at == model.begin() ? model.end() : std::prev(at);
      }
      co_await Settle(iterator);
      EXPECT_EQ(iterator.state(),
                at == model.end() ? EntryIterator::State::kEnd : EntryIterator::State::kEntry)
          << iterator.status();
      if (iterator.state() != EntryIterator::State::kEntry || at == model.end()) {
        if (at == model.end() && iterator.state() == EntryIterator::State::kEnd) continue;
        co_return;
      }
      EXPECT_EQ(Show(iterator.entry()), Show(EntryOf(*at)));
    }
  }

  TestWorld world_{GetParam()};
};

TEST_P(TableOn, ReadsBackWhatRandomEntriesWereWritten) {
  Random random(11);
  for (uint64_t round = 0; round < 12; ++round) {
    Model model = RandomModel(
        random, {.keys = random.OneIn(4) ? random.Between(1, 5) : random.Between(100, 1500),
                 .key_bytes_max = random.Between(1, 40),
                 .value_bytes_max = random.Between(0, 200),
                 .versions_max = random.OneIn(3) ? 20u : 2u,
                 .alphabet = random.OneIn(3) ? 256u : random.Between(1, 4),
                 .compressible = random.OneIn(2)});
    if (random.OneIn(2)) {  // entries of more than a page between the small ones
      model.merge(RandomModel(random, {.keys = 100, .value_bytes_max = 20'000}));
    }
    TableOptions options;
    options.compression_level = static_cast<int>(random.Below(4));
    options.filter_bits_per_key = random.OneIn(4) ? 0 : 10;
    options.restart_interval = static_cast<uint32_t>(random.Between(1, 20));
    options.write_bytes = random.OneIn(2) ? 4096 : 65536;
    options.writes_in_flight_max = static_cast<uint32_t>(random.Between(1, 4));

    const TableInfo info = MustBuild(world_, round, options, model);
    EXPECT_EQ(info.entries, model.size());
    EXPECT_EQ(info.smallest_key, model.begin()->first.key);
    EXPECT_EQ(info.largest_key, model.rbegin()->first.key);
    EXPECT_EQ(info.file_bytes, *world_.io().FileBytes(world_.Path(round)));

    const Status inspected =
        io::BlockOn(world_.io(), InspectTable(world_.io(), world_.Path(round), nullptr, &info));
    EXPECT_TRUE(inspected.ok()) << inspected;
    const auto read = io::BlockOn(world_.io(), Table::ReadInfo(world_.io(), world_.Path(round)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, info);

    BlockCache cache({.capacity_bytes = random.OneIn(2) ? 128u << 10 : 8u << 20});
    {
      const Table table(world_.io(), world_.Path(round), info, cache);
      CheckTable(table, model, random);
      if (HasFatalFailure()) return;
    }
    EXPECT_EQ(cache.stats().pinned_bytes, 0);
    EXPECT_EQ(cache.stats().outside_bytes, 0);
    EXPECT_EQ(cache.stats().charged_bytes, 0);
  }
}

TEST_P(TableOn, HoldsTheLargestKeysAndValues) {
  Random random(12);
  Model model;
  for (const size_t key_bytes :
       {size_t{0}, size_t{1}, size_t{4000}, kKeyBytesMax - 1, kKeyBytesMax}) {
    for (const size_t value_bytes : {size_t{0}, size_t{4096}, size_t{100'000}, kValueBytesMax}) {
      if (value_bytes == kValueBytesMax && key_bytes != 1 && key_bytes != kKeyBytesMax) continue;
      model[{std::string(key_bytes, 'k'), value_bytes}] = {
          EntryKind::kPut, RandomBytes(random, value_bytes, value_bytes % 5 == 1 ? 4 : 256)};
      model[{std::string(key_bytes, 'k') + "z", value_bytes}] = {EntryKind::kPut, "small"};
    }
  }
  model.erase(model.lower_bound({std::string(kKeyBytesMax, 'k') + "z", kSequenceMax}), model.end());
  for (const int level : {0, 1}) {
    TableOptions options;
    options.compression_level = level;
    const TableInfo info = MustBuild(world_, 1, options, model);
    BlockCache cache({.capacity_bytes = 1 << 20});
    const Table table(world_.io(), world_.Path(1), info, cache);
    io::BlockOn(world_.io(), CheckScans(*table.NewIterator(), model));
    IteratorOptions scan;
    scan.reading = IteratorOptions::Reading::kScan;
    io::BlockOn(world_.io(), CheckScans(*table.NewIterator(scan), model));
    for (const auto& row : model) {
      TableGet get(table, row.first.key, Hash(row.first.key), row.first.sequence);
      io::BlockOn(world_.io(), Finish(get));
      CheckGet(get, model, row.first.key, row.first.sequence);
    }
  }
}

TEST_P(TableOn, ManyVersionsOfOneKeySpanBlocksAndAreStillFoundWithOneBlock) {
  Model model;
  Random random(13);
  for (uint64_t v = 1; v < 2000; ++v) {
    model[{"counter", 10 * v}] = {EntryKind::kPut, RandomBytes(random, 30, 256)};
  }
  model[{"a", 5}] = {EntryKind::kDelete, ""};
  model[{"z", 5}] = {EntryKind::kDelete, ""};
  const TableInfo info = MustBuild(world_, 1, {}, model);
  EXPECT_EQ(info.tombstones, 2);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  ASSERT_TRUE(table.LoadNow().ok());
  for (SequenceNumber sequence = 0; sequence < 20'010; sequence += 3) {
    TableGet get(table, "counter", Hash("counter"), sequence);
    int rounds = 0;
    while (get.Step() == TableGet::State::kWaiting) {
      get.RunNow();
      ++rounds;
    }
    ASSERT_LE(rounds, 1);
    CheckGet(get, model, "counter", sequence);
  }
}

TEST_P(TableOn, EstimatesSizesWithAndWithoutItsIndex) {
  Model model;
  Random random(14);
  for (int i = 0; i < 20'000; ++i) {
    model[{fmt::format("key{:06}", i), 1}] = {EntryKind::kPut, RandomBytes(random, 100, 256)};
  }
  const TableInfo info = MustBuild(world_, 1, {}, model);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  const auto share = [&](int from, int to) {
    const std::string end = to == 20'000 ? "" : fmt::format("key{:06}", to);
    return static_cast<double>(table.ApproximateBytes(fmt::format("key{:06}", from), end)) /
           static_cast<double>(info.file_bytes);
  };
  for (const bool loaded : {false, true}) {
    if (loaded) {
      ASSERT_TRUE(table.LoadNow().ok());
    }
    const double error = loaded ? 0.002 : 0.07;
    EXPECT_NEAR(share(0, 20'000), 1, error);
    EXPECT_NEAR(share(5'000, 10'000), 0.25, error);
    EXPECT_NEAR(share(15'000, 20'000), 0.25, error);
    EXPECT_NEAR(share(100, 101), 0, error);
    EXPECT_EQ(share(101, 100), 0);
    EXPECT_EQ(table.ApproximateBytes("a", "key"), 0);
    EXPECT_EQ(table.ApproximateBytes("z", ""), 0);
  }
  EXPECT_LE(info.samples.size(), kSizeSamplesMax);
}

TEST_P(TableOn, UnloadsAndLoadsAgain) {
  Random random(15);
  const Model model = RandomModel(random, {});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  EXPECT_FALSE(table.loaded());
  EXPECT_FALSE(table.TestAndClearUsed());
  EXPECT_EQ(cache.stats().charged_bytes, 0);
  const auto iterator = table.NewIterator();
  iterator->SeekToFirst();
  SettleNow(*iterator);
  CheckTable(table, model, random);
  EXPECT_TRUE(table.TestAndClearUsed());
  EXPECT_FALSE(table.TestAndClearUsed());
  EXPECT_EQ(cache.stats().charged_bytes, table.LoadedBytes());
  table.Unload();
  EXPECT_FALSE(table.loaded());
  // The iterator holds what it needs.
  EXPECT_NE(cache.stats().charged_bytes, 0);
  iterator->SeekToLast();
  SettleNow(*iterator);
  EXPECT_EQ(Show(iterator->entry()), Show(EntryOf(*model.rbegin())));
  CheckTable(table, model, random);
  table.EvictBlocks();
  EXPECT_LE(cache.stats().blocks, 1);  // what the iterator pins
}

TEST_P(TableOn, KeepsBlocksCachedThatTheBuilderWasToldToKeep) {
  Random random(16);
  const Model model = RandomModel(random, {});
  BlockCache cache({});
  const TableInfo info = MustBuild(world_, 1, {}, model, &cache);
  const Table table(world_.io(), world_.Path(1), info, cache);
  ASSERT_TRUE(table.LoadNow().ok());
  const uint64_t inserted = cache.stats().inserted;
  EXPECT_GT(inserted, 5);
  for (const auto& row : model) {
    TableGet get(table, row.first.key, Hash(row.first.key), row.first.sequence);
    ASSERT_EQ(get.Step(), TableGet::State::kFound);
    ASSERT_EQ(Show(get.entry()), Show(EntryOf(row)));
  }
  EXPECT_EQ(cache.stats().inserted, inserted);
}

TEST_P(TableOn, TheBuilderRefusesWhatIsOutOfOrderOrTooLarge) {
  const std::string big(kKeyBytesMax + 1, 'x');
  const std::vector<std::vector<Entry>> cases = {
      {{"b", 1, EntryKind::kPut, ""}, {"a", 1, EntryKind::kPut, ""}},
      {{"a", 1, EntryKind::kPut, ""}, {"a", 2, EntryKind::kPut, ""}},
      {{"a", 1, EntryKind::kPut, ""}, {"a", 1, EntryKind::kPut, ""}},
      {{big, 1, EntryKind::kPut, ""}},
      {{"a", 1, EntryKind::kPutReference, "not a reference"}},
      {},
  };
  for (const auto& entries : cases) {
    TableBuilder builder(world_.Create(1), 1, {});
    for (const Entry& entry : entries) builder.Add(entry);
    const auto info = io::BlockOn(world_.io(), builder.Finish());
    ASSERT_FALSE(info.ok());
    EXPECT_THAT(std::string(Message(info.status())), testing::HasSubstr(world_.Path(1)));
  }
}

TEST_P(TableOn, TheBuilderTakesEntriesUpToASize) {
  constexpr uint64_t kBytesMax = 100'000;
  const std::string value(100, 'v');
  TableBuilder builder(world_.Create(1), 1, {.compression_level = 0, .write_bytes = 32 << 10});
  uint64_t entries = 0;
  uint64_t flushes = 0;
  for (;;) {
    const std::string key = fmt::format("key{:08}", entries);
    const Entry entry{key, 1, EntryKind::kPut, value};
    if (builder.TryAdd(entry, kBytesMax)) {
      ++entries;
    } else if (builder.wants_flush()) {
      ASSERT_TRUE(io::BlockOn(world_.io(), builder.Flush()).ok());
      ++flushes;
    } else {
      break;
    }
    ASSERT_EQ(builder.entries(), entries);
  }
  EXPECT_GE(builder.EstimatedBytes(), kBytesMax);
  EXPECT_LE(builder.EstimatedBytes(), kBytesMax + 2 * io::kPageBytes);
  EXPECT_GT(flushes, 1u);
  const auto info = io::BlockOn(world_.io(), builder.Finish());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->entries, entries);
}

// For the thread sanitizer: everything that lookups and iterators of different threads share.
TEST(TableThreads, ReadOneTableAtOnce) {
  TestWorld world("posix");
  Random random(17);
  const Model model = RandomModel(random, {});
  const TableInfo info = MustBuild(world, 1, {}, model);
  BlockCache cache({.capacity_bytes = 64 << 10});
  const Table table(world.io(), world.Path(1), info, cache);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(100 + t);
      for (int i = 0; i < 300; ++i) {
        const Position& near =
            std::next(model.begin(), static_cast<long>(random.Below(model.size())))->first;
        const auto* expected = Expected(model, near.key, near.sequence);
        TableGet get(table, near.key, Hash(near.key), near.sequence);
        FinishNow(get);
        wrong +=
            get.state() != TableGet::State::kFound || Show(get.entry()) != Show(EntryOf(*expected));
        if (random.OneIn(10)) {
          const auto iterator = table.NewIterator();
          auto at = model.lower_bound(near);
          iterator->Seek(near.key, near.sequence);
          for (SettleNow(*iterator); iterator->state() == EntryIterator::State::kEntry;
               SettleNow(*iterator)) {
            wrong += at == model.end() || Show(iterator->entry()) != Show(EntryOf(*at));
            ++at;
            iterator->Next();
          }
          wrong += at != model.end();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.stats().pinned_bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(Io, TableOn, Values("posix", "io_uring", "simulated"),
                         [](const auto& info) { return std::string(info.param); });

// ---- On the simulated disk, which sees every access

struct Access {
  uint64_t offset;
  uint64_t bytes;
};

class TableOnSim : public testing::Test {
 protected:
  // Notes the reads of files whose path ends in ".sst".
  void Watch() {
    world_.sim().set_fail([this](const io::SimAccess& access) {
      if (access.kind == io::SimAccess::Kind::kRead && access.path.ends_with(".sst")) {
        reads_.push_back({access.offset, access.bytes});
        return fail_reads_;
      }
      return false;
    });
  }

  TestWorld world_{"simulated"};
  std::vector<Access> reads_;
  bool fail_reads_ = false;
};

TEST_F(TableOnSim, AColdPointReadIsOneReadOfOnePage) {
  Random random(21);
  for (const int level : {0, 1}) {
    for (const size_t value_bytes : {10, 100, 700, 1500}) {
      const Model model = RandomModel(
          random, {.keys = 3000, .value_bytes_max = value_bytes, .compressible = random.OneIn(2)});
      TableOptions options;
      options.compression_level = level;
      const TableInfo info = MustBuild(world_, 1, options, model);
      BlockCache cache({});
      const Table table(world_.io(), world_.Path(1), info, cache);
      reads_.clear();
      Watch();
      ASSERT_TRUE(io::BlockOn(world_.io(), table.Load()).ok());
      EXPECT_EQ(reads_.size(), 1);  // footer, properties, index and filter
      for (const auto& row : model) {
        reads_.clear();
        TableGet get(table, row.first.key, Hash(row.first.key), row.first.sequence);
        io::BlockOn(world_.io(), Finish(get));
        ASSERT_EQ(get.state(), TableGet::State::kFound);
        const std::vector<Access> first = std::move(reads_);
        reads_.clear();
        TableGet again(table, row.first.key, Hash(row.first.key), row.first.sequence);
        ASSERT_EQ(again.Step(), TableGet::State::kFound);
        ASSERT_TRUE(reads_.empty());
        if (first.empty()) continue;  // the block came with an earlier key
        ASSERT_EQ(first.size(), 1);
        ASSERT_EQ(first[0].bytes, 4096);
        ASSERT_EQ(first[0].offset % 4096, 0);
      }
    }
  }
}

TEST_F(TableOnSim, TheFilterSparesReadsOfAbsentKeys) {
  Random random(22);
  const Model model = RandomModel(random, {.keys = 5000, .alphabet = 4});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  ASSERT_TRUE(io::BlockOn(world_.io(), table.Load()).ok());
  size_t waits = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = fmt::format("b-{}", i);
    TableGet get(table, key, Hash(key), kSequenceMax);
    waits += get.Step() == TableGet::State::kWaiting;
  }
  EXPECT_LT(waits, 200);
}

TEST_F(TableOnSim, LookupsThatNeedTheIndexAtOnceLoadItOnce) {
  Random random(23);
  const Model model = RandomModel(random, {.keys = 5000});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  Watch();
  io::BlockOn(world_.io(), [](const Table& table) -> io::Task<void> {
    io::TaskGroup group;
    for (int i = 0; i < 20; ++i) {
      group.Add([](const Table& table) -> io::Task<void> {
        const Status status = co_await table.Load();
        EXPECT_TRUE(status.ok()) << status;
      }(table));
    }
    co_await group.Wait();
  }(table));
  EXPECT_EQ(reads_.size(), 1);
}

TEST_F(TableOnSim, AScanReadsEachPageOnceInLargeSteps) {
  Random random(24);
  const Model model = RandomModel(random, {.keys = 20'000});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  BlockCache cache({});
  const Table table(world_.io(), world_.Path(1), info, cache);
  ASSERT_TRUE(io::BlockOn(world_.io(), table.Load()).ok());
  const auto scan = [](const Table& table, IteratorOptions options) -> io::Task<void> {
    const auto iterator = table.NewIterator(options);
    iterator->SeekToFirst();
    co_await Settle(*iterator);
    while (iterator->state() == EntryIterator::State::kEntry) {
      iterator->Next();
      co_await Settle(*iterator);
    }
    EXPECT_TRUE(iterator->status().ok());
  };
  const auto read_bytes = [&] {
    uint64_t bytes = 0;
    for (const Access& access : reads_) bytes += access.bytes;
    return bytes;
  };
  Watch();
  IteratorOptions options;
  options.reading = IteratorOptions::Reading::kScan;
  options.read_bytes_max = 64 << 10;
  io::BlockOn(world_.io(), scan(table, options));
  EXPECT_EQ(read_bytes(), io::PageCeiling(info.data_bytes));
  EXPECT_LE(reads_.size(), info.data_bytes / options.read_bytes_max + 2);
  EXPECT_EQ(cache.stats().blocks, 0);

  reads_.clear();
  io::BlockOn(world_.io(), scan(table, {}));
  EXPECT_EQ(read_bytes(), io::PageCeiling(info.data_bytes));
  EXPECT_LE(reads_.size(), info.data_bytes / (256 << 10) + 10);
  EXPECT_GT(cache.stats().blocks, 0);

  // What is cached is not read again.
  reads_.clear();
  options.reading = IteratorOptions::Reading::kScan;
  io::BlockOn(world_.io(), scan(table, options));
  EXPECT_EQ(read_bytes(), 0);
}

TEST_F(TableOnSim, AScanBackwardReadsEachPageOnceInGrowingSteps) {
  Random random(26);
  const Model model = RandomModel(random, {.keys = 20'000});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  const auto scan = [](const Table& table, IteratorOptions options,
                       std::string from) -> io::Task<void> {
    const auto iterator = table.NewIterator(options);
    iterator->SeekToLast();
    co_await Settle(*iterator);
    while (iterator->state() == EntryIterator::State::kEntry && iterator->entry().key >= from) {
      iterator->Prev();
      co_await Settle(*iterator);
    }
    EXPECT_TRUE(iterator->status().ok());
  };
  for (const auto reading : {IteratorOptions::Reading::kCached, IteratorOptions::Reading::kScan}) {
    BlockCache cache({});
    const Table table(world_.io(), world_.Path(1), info, cache);
    ASSERT_TRUE(io::BlockOn(world_.io(), table.Load()).ok());
    Watch();
    reads_.clear();
    io::BlockOn(world_.io(), scan(table, {.reading = reading}, ""));
    uint64_t bytes = 0;
    size_t largest = 0;
    for (const Access& access : reads_) {
      bytes += access.bytes;
      largest = std::max<size_t>(largest, access.bytes);
    }
    EXPECT_EQ(bytes, io::PageCeiling(info.data_bytes));
    EXPECT_EQ(largest, 256 << 10);
    EXPECT_LE(reads_.size(), info.data_bytes / (256 << 10) + 10);
    EXPECT_EQ(reads_.front().bytes, io::kPageBytes);

    // It stops reading ahead where it is told that it will stop.
    BlockCache fresh({});
    const Table again(world_.io(), world_.Path(1), info, fresh);
    ASSERT_TRUE(io::BlockOn(world_.io(), again.Load()).ok());
    const std::string from =
        std::next(model.begin(), static_cast<ptrdiff_t>(model.size() / 2))->first.key;
    reads_.clear();
    IteratorOptions options{.reading = reading};
    options.read_from = from;
    io::BlockOn(world_.io(), scan(again, options, from));
    uint64_t lowest = info.data_bytes;
    for (const Access& access : reads_) lowest = std::min(lowest, access.offset);
    const uint64_t before = again.ApproximateBytes("", from);
    EXPECT_GE(lowest + (64 << 10), before);  // a large entry more at most
    EXPECT_GT(before, info.data_bytes / 4);
  }
}

TEST_F(TableOnSim, ReadErrorsAreReportedAndPass) {
  Random random(25);
  const Model model = RandomModel(random, {.keys = 5000});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  for (const auto reading : {IteratorOptions::Reading::kCached, IteratorOptions::Reading::kScan}) {
    BlockCache cache({});
    const Table table(world_.io(), world_.Path(1), info, cache);
    Watch();
    const auto iterator = table.NewIterator({.reading = reading});
    for (const bool loaded : {false, true}) {
      if (loaded) {
        ASSERT_TRUE(io::BlockOn(world_.io(), table.Load()).ok());
      }
      fail_reads_ = true;
      iterator->SeekToFirst();
      io::BlockOn(world_.io(), Settle(*iterator));
      EXPECT_EQ(iterator->state(), EntryIterator::State::kFailed);
      EXPECT_EQ(iterator->status().code(), absl::StatusCode::kUnavailable);
      TableGet get(table, model.begin()->first.key, Hash(model.begin()->first.key), kSequenceMax);
      io::BlockOn(world_.io(), Finish(get));
      EXPECT_EQ(get.state(), TableGet::State::kFailed);
      EXPECT_THAT(std::string(Message(get.status())), testing::HasSubstr(world_.Path(1)));
      fail_reads_ = false;
    }
    iterator->Seek(model.rbegin()->first.key, kSequenceMax);
    io::BlockOn(world_.io(), Settle(*iterator));
    EXPECT_EQ(iterator->state(), EntryIterator::State::kEntry);
    iterator->SeekToFirst();
    io::BlockOn(world_.io(), Settle(*iterator));
    ASSERT_EQ(iterator->state(), EntryIterator::State::kEntry);
    EXPECT_EQ(Show(iterator->entry()), Show(EntryOf(*model.begin())));
  }
}

TEST_F(TableOnSim, WriteAndSyncErrorsFailTheTable) {
  Random random(26);
  const Model model = RandomModel(random, {.keys = 20'000});
  TableOptions options;
  options.write_bytes = 16 << 10;
  for (const auto kind : {io::SimAccess::Kind::kWrite, io::SimAccess::Kind::kSync}) {
    int nth = kind == io::SimAccess::Kind::kWrite ? 7 : 1;
    world_.sim().set_fail(
        [&](const io::SimAccess& access) { return access.kind == kind && --nth == 0; });
    const auto info = io::BlockOn(world_.io(), BuildTable(world_.Create(1), 1, options, model));
    EXPECT_FALSE(info.ok());
  }
  world_.sim().set_fail({});
  world_.sim().set_capacity_bytes(world_.sim().used_bytes() + 40'000);
  const auto info = io::BlockOn(world_.io(), BuildTable(world_.Create(2), 2, options, model));
  EXPECT_EQ(info.status().code(), absl::StatusCode::kResourceExhausted) << info.status();
}

TEST_F(TableOnSim, AFinishedTableSurvivesAPowerCut) {
  Random random(27);
  const Model model = RandomModel(random, {.keys = 5000});
  const TableInfo info = MustBuild(world_, 1, {}, model);
  ASSERT_TRUE(world_.io().SyncDirectory("/tables").ok());
  ASSERT_TRUE(world_.io().SyncDirectory("/").ok());
  world_.sim().Crash(io::SimCrash::kPower);
  world_.sim().Restart();
  const Status status =
      io::BlockOn(world_.io(), InspectTable(world_.io(), world_.Path(1), nullptr, &info));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(TableOnSim, AnUnfinishedBuilderMayBeDestroyedWhileItWrites) {
  Random random(28);
  const Model model = RandomModel(random, {.keys = 5000});
  TableOptions options;
  options.write_bytes = 4096;
  auto builder = std::make_unique<TableBuilder>(world_.Create(1), 1, options);
  for (const auto& row : model) builder->Add(EntryOf(row));
  ASSERT_TRUE(io::BlockOn(world_.io(), builder->Flush()).ok());
  builder = nullptr;
  world_.sim().RunFor(1'000'000'000);
}

// The format does not change by accident. Uncompressed, because the bytes of Zstandard are its own.
TEST_F(TableOnSim, TheBytesAreThoseOfVersionOne) {
  Model model;
  for (int i = 0; i < 500; ++i) {
    model[{fmt::format("user/{:04}", i / 2), 1000u + static_cast<unsigned>(i % 2)}] = {
        i % 7 == 0 ? EntryKind::kDelete : EntryKind::kPut,
        i % 7 == 0 ? "" : std::string(static_cast<size_t>(i % 50), 'v')};
  }
  TableOptions options;
  options.compression_level = 0;
  const TableInfo info = MustBuild(world_, 77, options, model);
  const std::string bytes = world_.ReadFile(world_.Path(77));
  EXPECT_EQ(bytes.size(), 16384);
  EXPECT_EQ(Checksum(bytes), 17541747688851370496u);
}

}  // namespace
}  // namespace varve::sstable
