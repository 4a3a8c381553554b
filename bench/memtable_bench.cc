// Which structure should a memtable have? Inserts, gets and scans of the candidates at 10^4 to 10^6
// keys of 16 to 64 bytes with values of 100 bytes, and of a rocksdb::DB that keeps everything in
// its memtable, without a log. docs/memtable.md has the figures.
//
//   memtable_bench --benchmark_filter='Get.*/1000000/'
//
// Keys: 8 bytes that all share (what a table puts in front), 8 random bytes (a hash), then decimal
// digits up to the length asked for. Gets and scans start at random keys that are there.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/version.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "bench/rocksdb_open.h"
#include "bench/structures/btree.h"
#include "bench/structures/skip_list.h"
#include "memtable/memtable.h"

namespace varve::bench {
namespace {

const std::string kValue(100, 'v');
constexpr int kScanEntries = 100;

// The memtable: an adaptive radix tree.
class Art {
 public:
  void Add(const Entry& entry) { memtable_.Add(entry); }
  bool Get(std::string_view key, SequenceNumber sequence, Entry* entry) const {
    const std::optional<Entry> found = memtable_.Get(key, sequence);
    if (!found) return false;
    *entry = *found;
    return true;
  }
  size_t bytes() const { return memtable_.bytes(); }
  class Iterator : public memtable::Memtable::Iterator {
   public:
    explicit Iterator(const Art& art) : memtable::Memtable::Iterator(art.memtable_) {}
  };

 private:
  memtable::Memtable memtable_;
};

// The outside reference. Write and read go through the whole DB, as they would for its users.
class RocksDb {
  static inline int instances = 0;

 public:
  RocksDb() {
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("memtable_bench.{}.{}", getpid(), instances++);
    std::filesystem::remove_all(directory_);
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = size_t{8} << 30;
    options.db_write_buffer_size = 0;
    const rocksdb::Status status = OpenRocksDb(options, directory_.string(), &db_);
    if (!status.ok()) {
      fmt::print(stderr, "rocksdb: {}\n", status.ToString());
      std::abort();
    }
    write_.disableWAL = true;
  }
  ~RocksDb() {
    db_->Close();
    db_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Add(const Entry& entry) {
    db_->Put(write_, rocksdb::Slice(entry.key.data(), entry.key.size()),
             rocksdb::Slice(entry.value.data(), entry.value.size()));
  }
  bool Get(std::string_view key, SequenceNumber, Entry* entry) {
    value_.Reset();
    const bool found = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(),
                                rocksdb::Slice(key.data(), key.size()), &value_)
                           .ok();
    entry->value = {value_.data(), value_.size()};
    return found;
  }
  size_t bytes() const {
    uint64_t bytes = 0;
    db_->GetIntProperty("rocksdb.cur-size-all-mem-tables", &bytes);
    return bytes;
  }
  class Iterator {
   public:
    explicit Iterator(RocksDb& db) : iterator_(db.db_->NewIterator(rocksdb::ReadOptions())) {}
    void Seek(std::string_view key, SequenceNumber) {
      iterator_->Seek(rocksdb::Slice(key.data(), key.size()));
      Set();
    }
    bool Valid() const { return iterator_->Valid(); }
    void Next() {
      iterator_->Next();
      Set();
    }
    const Entry& entry() const { return entry_; }

   private:
    void Set() {
      if (!iterator_->Valid()) return;
      entry_.key = {iterator_->key().data(), iterator_->key().size()};
      entry_.value = {iterator_->value().data(), iterator_->value().size()};
    }
    std::unique_ptr<rocksdb::Iterator> iterator_;
    Entry entry_;
  };

 private:
  std::filesystem::path directory_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  rocksdb::PinnableSlice value_;
};

std::string_view KeyAt(const std::string& keys, size_t key_bytes, uint64_t i) {
  return std::string_view(keys).substr(i * key_bytes, key_bytes);
}

const std::string& Keys(size_t count, size_t key_bytes) {
  static std::string keys;
  static size_t made_bytes = 0;
  if (made_bytes == key_bytes && keys.size() == count * key_bytes) return keys;
  keys.clear();
  Random random(7);
  for (size_t i = 0; i < count; ++i) {
    std::string key = "table001";
    AppendBigU64(key, random.Next());
    key += fmt::format("{:0{}}", i, 48);
    keys.append(key, 0, key_bytes);
  }
  made_bytes = key_bytes;
  return keys;
}

template <typename Structure>
void Fill(Structure& structure, const std::string& keys, size_t count, size_t key_bytes) {
  for (size_t i = 0; i < count; ++i) {
    structure.Add({.key = KeyAt(keys, key_bytes, i),
                   .sequence = i + 1,
                   .kind = EntryKind::kPut,
                   .value = kValue});
  }
}

template <typename Structure>
void Insert(benchmark::State& state) {
  const size_t count = static_cast<size_t>(state.range(0));
  const size_t key_bytes = static_cast<size_t>(state.range(1));
  const std::string& keys = Keys(count, key_bytes);
  size_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto structure = std::make_unique<Structure>();
    state.ResumeTiming();
    Fill(*structure, keys, count, key_bytes);
    state.PauseTiming();
    bytes = structure->bytes();
    structure.reset();
    state.ResumeTiming();
  }
  state.counters["ns_per_op"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(count) * 1e-9,
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  // Everything but the keys and values themselves.
  state.counters["overhead_bytes"] = static_cast<double>(bytes) / static_cast<double>(count) -
                                     static_cast<double>(key_bytes + kValue.size());
}

// Kept from one benchmark to the next with the same arguments.
template <typename Structure>
Structure& Filled(size_t count, size_t key_bytes) {
  static std::unique_ptr<Structure> structure;
  static size_t made_count = 0;
  static size_t made_bytes = 0;
  if (made_count != count || made_bytes != key_bytes) {
    structure.reset();
    structure = std::make_unique<Structure>();
    Fill(*structure, Keys(count, key_bytes), count, key_bytes);
    made_count = count;
    made_bytes = key_bytes;
  }
  return *structure;
}

template <typename Structure>
void Get(benchmark::State& state) {
  const size_t count = static_cast<size_t>(state.range(0));
  const size_t key_bytes = static_cast<size_t>(state.range(1));
  const std::string& keys = Keys(count, key_bytes);
  Structure& structure = Filled<Structure>(count, key_bytes);
  Random random(9);
  Entry entry;
  uint64_t sum = 0;
  for (auto _ : state) {
    if (!structure.Get(KeyAt(keys, key_bytes, random.Below(count)), kSequenceMax, &entry)) {
      state.SkipWithError("a key is missing");
      break;
    }
    sum += static_cast<uint8_t>(entry.value[0]);
  }
  benchmark::DoNotOptimize(sum);
}

template <typename Structure>
void Scan(benchmark::State& state) {
  const size_t count = static_cast<size_t>(state.range(0));
  const size_t key_bytes = static_cast<size_t>(state.range(1));
  const std::string& keys = Keys(count, key_bytes);
  Structure& structure = Filled<Structure>(count, key_bytes);
  typename Structure::Iterator iterator(structure);
  Random random(9);
  uint64_t sum = 0;
  uint64_t entries = 0;
  for (auto _ : state) {
    iterator.Seek(KeyAt(keys, key_bytes, random.Below(count)), kSequenceMax);
    for (int i = 0; i < kScanEntries && iterator.Valid(); ++i, iterator.Next()) {
      sum += static_cast<uint8_t>(iterator.entry().value[0]);
      ++entries;
    }
  }
  benchmark::DoNotOptimize(sum);
  state.counters["ns_per_entry"] =
      benchmark::Counter(static_cast<double>(entries) * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <typename Structure>
void Register(const std::string& name) {
  for (const int64_t count : {10'000, 100'000, 1'000'000}) {
    for (const int64_t key_bytes : {16, 32, 64}) {
      const std::vector<int64_t> arguments{count, key_bytes};
      benchmark::RegisterBenchmark(("Insert/" + name).c_str(), Insert<Structure>)
          ->Args(arguments)
          ->Unit(benchmark::kMillisecond);
      benchmark::RegisterBenchmark(("Get/" + name).c_str(), Get<Structure>)->Args(arguments);
      benchmark::RegisterBenchmark(("Scan/" + name).c_str(), Scan<Structure>)->Args(arguments);
    }
  }
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("rocksdb",
                              fmt::format("{}.{}.{}", ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH));
  varve::bench::Register<varve::bench::Art>("Art");
  varve::bench::Register<varve::bench::BTree>("BTree");
  varve::bench::Register<varve::bench::SkipList>("SkipList");
  varve::bench::Register<varve::bench::RocksDb>("RocksDB");
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
