// Iterators: walking a block, merging runs in memory, and walking a database of several runs beside
// RocksDB.
//
//   iterator_bench [--benchmark_filter=...]      TEST_TMPDIR=<directory to build databases in>
//
// Keys have 16 bytes, 8 of them spread evenly, values 100. All is cached. Times are an entry's,
// seeks' their own.
#include <benchmark/benchmark.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "bench/rocksdb_open.h"
#include "compaction/merging_iterator.h"
#include "engine/db.h"
#include "io/io.h"
#include "sstable/block.h"
#include "sstable/block_builder.h"

namespace varve {
namespace {

constexpr size_t kValueBytes = 100;
constexpr uint64_t kEntries = 1'000'000;
constexpr int64_t kScanEntries = 50;

std::string RandomKey(Random& random) {
  std::string key;
  AppendBigU64(key, random.Next());
  AppendBigU64(key, random.Next());
  return key;
}

// ---- A block

std::string NewBlock(std::vector<std::string>* keys) {
  Random random(1);
  for (int i = 0; i < 34; ++i) {
    std::string key(3, 'k');  // what keys that lie so near have in common
    key += RandomKey(random).substr(3);
    keys->push_back(key);
  }
  std::sort(keys->begin(), keys->end());
  sstable::BlockBuilder builder(8);
  const std::string value(kValueBytes, 'v');
  for (const std::string& key : *keys) builder.Add({key, random.Below(1 << 20), {}, value});
  std::string block;
  builder.Encode(builder.count(), block);
  return block;
}

// Arg: 1 to walk backward.
void BM_BlockWalk(benchmark::State& state) {
  std::vector<std::string> keys;
  const std::string block = NewBlock(&keys);
  sstable::BlockCursor cursor;
  for (auto _ : state) {
    cursor.Reset(block);
    if (state.range(0) == 0) {
      for (cursor.SeekToFirst(); cursor.valid(); cursor.Next()) {
        benchmark::DoNotOptimize(cursor.entry().value.data());
      }
    } else {
      for (cursor.SeekToLast(); cursor.valid(); cursor.Prev()) {
        benchmark::DoNotOptimize(cursor.entry().value.data());
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(keys.size()));
}
BENCHMARK(BM_BlockWalk)->ArgName("backward")->Arg(0)->Arg(1);

void BM_BlockSeek(benchmark::State& state) {
  std::vector<std::string> keys;
  const std::string block = NewBlock(&keys);
  sstable::BlockCursor cursor;
  size_t next = 0;
  for (auto _ : state) {
    cursor.Reset(block);
    cursor.Seek(keys[next], kSequenceMax);
    benchmark::DoNotOptimize(cursor.entry().value.data());
    next = (next + 7) % keys.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_BlockSeek);

// ---- The merge alone

// Entries in an array, shown 16 at a time, as a block cursor does.
class ArrayIterator final : public sstable::EntryIterator {
 public:
  explicit ArrayIterator(const std::vector<Entry>& entries) : entries_(entries) {}
  void SeekToFirst() override { ShowFrom(0, 0); }
  void SeekToLast() override { ShowFrom((entries_.size() - 1) / kWindow, entries_.size() - 1); }
  void Seek(std::string_view key, SequenceNumber sequence) override { SeekToFirst(); }
  void SeekBefore(std::string_view key, SequenceNumber sequence) override { SeekToLast(); }

 protected:
  void NextWindow() override {
    if (window_end_ == entries_.data() + entries_.size()) {
      state_ = State::kEnd;
    } else {
      ShowFrom(window_ + 1, (window_ + 1) * kWindow);
    }
  }
  void PrevWindow() override {
    if (window_ == 0) {
      state_ = State::kEnd;
    } else {
      ShowFrom(window_ - 1, window_ * kWindow - 1);
    }
  }

 private:
  static constexpr size_t kWindow = 16;

  void ShowFrom(size_t window, size_t at) {
    window_ = window;
    const Entry* const begin = entries_.data();
    ShowWindow(begin + window * kWindow, begin + at,
               begin + std::min(entries_.size(), (window + 1) * kWindow));
  }

  const std::vector<Entry>& entries_;
  size_t window_ = 0;
};

// Args: runs of equal size, over which keys are spread at random; 1 to walk backward.
void BM_Merge(benchmark::State& state) {
  const auto runs = static_cast<size_t>(state.range(0));
  Random random(2);
  std::vector<std::vector<std::string>> keys(runs);
  size_t total = 0;
  for (; total < 100'000; ++total) keys[random.Below(runs)].push_back(RandomKey(random));
  std::vector<std::vector<Entry>> entries(runs);
  for (size_t run = 0; run < runs; ++run) {
    std::sort(keys[run].begin(), keys[run].end());
    for (const std::string& key : keys[run]) entries[run].push_back({key, 1, {}, "value"});
  }
  for (auto _ : state) {
    compaction::MergingIterator::Children children;
    for (size_t run = 0; run < runs; ++run) {
      children.push_back(std::make_unique<ArrayIterator>(entries[run]));
    }
    compaction::MergingIterator merge(std::move(children));
    using State = sstable::EntryIterator::State;
    if (state.range(1) == 0) {
      for (merge.SeekToFirst(); merge.state() == State::kEntry; merge.Next()) {
        benchmark::DoNotOptimize(merge.entry().value.data());
      }
    } else {
      for (merge.SeekToLast(); merge.state() == State::kEntry; merge.Prev()) {
        benchmark::DoNotOptimize(merge.entry().value.data());
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(total));
}
BENCHMARK(BM_Merge)
    ->ArgNames({"runs", "backward"})
    ->ArgsProduct({{1, 2, 3, 8, 16}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

// ---- Databases whose level 0 holds so many runs, and nothing lies below

std::string DirectoryFor(const std::string& name) {
  const char* root = std::getenv("TEST_TMPDIR");
  const std::string directory = std::string(root != nullptr ? root : "/tmp") + "/iterator_bench." +
                                std::to_string(getpid()) + "." + name;
  std::filesystem::remove_all(directory);
  return directory;
}

template <typename Put, typename Flush>
void FillRuns(size_t runs, const Put& put, const Flush& flush) {
  Random random(3);
  const std::string value(kValueBytes, 'v');
  for (size_t run = 0; run < runs; ++run) {
    for (uint64_t i = 0; i < kEntries / runs; ++i) put(RandomKey(random), value);
    flush();
  }
}

class VarveRuns {
 public:
  explicit VarveRuns(size_t runs) : directory_(DirectoryFor("varve")), io_(io::NewIo()) {
    engine::Options options;
    options.durability = engine::Durability::kRelaxed;
    options.compression_level = 0;
    options.block_cache_bytes = size_t{1} << 30;
    options.memtable_bytes_max = size_t{512} << 20;
    options.memtable_budget_bytes = size_t{2} << 30;
    options.level0_tables_max = 100;
    options.table_bytes_target = size_t{1} << 30;
    auto db = engine::Db::Open(*io_, directory_, options);
    Check(db.status());
    db_ = *std::move(db);
    FillRuns(
        runs,
        [&](const std::string& key, const std::string& value) { Check(db_->Put(key, value)); },
        [&] { Check(db_->Flush()); });
  }
  ~VarveRuns() {
    Check(db_->Close());
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::unique_ptr<engine::Iterator> NewIterator() { return db_->NewIterator(); }

 private:
  static void Check(const Status& status) {
    if (!status.ok()) std::abort();
  }
  const std::string directory_;
  const std::unique_ptr<io::Io> io_;
  std::unique_ptr<engine::Db> db_;
};

class RocksDbRuns {
 public:
  explicit RocksDbRuns(size_t runs) : directory_(DirectoryFor("rocksdb")) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(size_t{1} << 30);
    table.block_size = 4096;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_size = size_t{512} << 20;
    options.compression = rocksdb::kNoCompression;
    options.disable_auto_compactions = true;
    Check(bench::OpenRocksDb(options, directory_, &db_));
    FillRuns(
        runs,
        [&](const std::string& key, const std::string& value) {
          Check(db_->Put(rocksdb::WriteOptions(), key, value));
        },
        [&] { Check(db_->Flush(rocksdb::FlushOptions())); });
  }
  ~RocksDbRuns() {
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::unique_ptr<rocksdb::Iterator> NewIterator() {
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(rocksdb::ReadOptions()));
  }

 private:
  static void Check(const rocksdb::Status& status) {
    if (!status.ok()) std::abort();
  }
  const std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
};

template <typename Iterator>
uint64_t Walk(Iterator& iterator, bool backward) {
  uint64_t entries = 0;
  if (backward) {
    for (iterator.SeekToLast(); iterator.Valid(); iterator.Prev()) {
      benchmark::DoNotOptimize(iterator.value().data());
      ++entries;
    }
  } else {
    for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) {
      benchmark::DoNotOptimize(iterator.value().data());
      ++entries;
    }
  }
  return entries;
}

// Args: runs; 1 to walk backward.
template <typename Runs>
void BM_Scan(benchmark::State& state) {
  Runs runs(static_cast<size_t>(state.range(0)));
  const bool backward = state.range(1) != 0;
  uint64_t entries = Walk(*runs.NewIterator(), backward);
  entries = 0;
  for (auto _ : state) entries += Walk(*runs.NewIterator(), backward);
  state.SetItemsProcessed(static_cast<int64_t>(entries));
}
void ScanArgs(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"runs", "backward"})
      ->ArgsProduct({{1, 2, 3, 8}, {0, 1}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}
BENCHMARK_TEMPLATE(BM_Scan, VarveRuns)->Apply(ScanArgs);
BENCHMARK_TEMPLATE(BM_Scan, RocksDbRuns)->Apply(ScanArgs);

// Arg: runs. A new iterator, a seek, and the 50 entries from there.
template <typename Runs>
void BM_SeekAndScan(benchmark::State& state) {
  Runs runs(static_cast<size_t>(state.range(0)));
  Walk(*runs.NewIterator(), false);
  Random random(4);
  for (auto _ : state) {
    const auto iterator = runs.NewIterator();
    iterator->Seek(RandomKey(random));
    for (int64_t i = 0; i < kScanEntries && iterator->Valid(); ++i, iterator->Next()) {
      benchmark::DoNotOptimize(iterator->value().data());
    }
  }
}
BENCHMARK_TEMPLATE(BM_SeekAndScan, VarveRuns)->ArgName("runs")->Arg(1)->Arg(2)->Arg(3)->Arg(8);
BENCHMARK_TEMPLATE(BM_SeekAndScan, RocksDbRuns)->ArgName("runs")->Arg(1)->Arg(2)->Arg(3)->Arg(8);

}  // namespace
}  // namespace varve

BENCHMARK_MAIN();
