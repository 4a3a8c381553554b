// Tables: building them, finding entries in cached blocks, in blocks on disk, and scanning; and
// each structure that a point read passes on its own, beside what a dependent load costs the
// hardware in as much memory.
//
//   sstable_bench [--benchmark_filter=...]      TEST_TMPDIR=<directory on the disk to measure>
//
// Keys have 16 bytes, values 100, half of which compresses. Where the host allows it,
// `instructions` is what one operation executes in user space.
#include <benchmark/benchmark.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/random.h"
#include "engine/level_fences.h"
#include "io/io.h"
#include "sstable/block.h"
#include "sstable/block_builder.h"
#include "sstable/block_cache.h"
#include "sstable/filter.h"
#include "sstable/huge_heap.h"
#include "sstable/index.h"
#include "sstable/table.h"
#include "sstable/table_builder.h"

namespace varve::sstable {
namespace {

constexpr size_t kValueBytes = 100;
constexpr int64_t kBatch = 200;

// Counts this thread's instructions in user space, if it may.
class InstructionCounter {
 public:
  InstructionCounter() {
    perf_event_attr attributes = {};
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    fd_ = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    before_ = Read();
  }
  ~InstructionCounter() {
    if (fd_ >= 0) close(fd_);
  }

  void Report(benchmark::State& state) {
    if (fd_ < 0) return;
    state.counters["instructions"] =
        static_cast<double>(Read() - before_) / static_cast<double>(state.iterations() * kBatch);
  }

 private:
  uint64_t Read() {
    uint64_t count = 0;
    if (fd_ >= 0 && read(fd_, &count, sizeof count) != sizeof count) count = 0;
    return count;
  }

  int fd_;
  uint64_t before_;
};

// Times batches of operations and keeps the best.
class BestBatch {
 public:
  template <typename Operation>
  void Run(Operation operation) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < kBatch; ++i) operation();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best_ns_ = std::min(best_ns_, time.count() / static_cast<double>(kBatch));
  }
  void Report(benchmark::State& state) {
    state.SetItemsProcessed(state.iterations() * kBatch);
    state.counters["best_ns"] = best_ns_;
  }

 private:
  double best_ns_ = 1e18;
};

io::Io& TheIo() {
  static io::Io* io = io::NewIo().release();
  return *io;
}

std::string Path(uint64_t number) {
  const char* directory = std::getenv("TEST_TMPDIR");
  return fmt::format("{}/sstable-bench-{}-{}.sst", directory ? directory : "/tmp", getpid(),
                     number);
}

std::string Key(uint64_t i) {
  std::string key;
  AppendBigU64(key, i * 0x9e3779b97f4a7c15);  // spread like hashes; sorted before use
  AppendBigU64(key, i);
  return key;
}

struct Data {
  std::vector<std::string> keys;
  std::vector<std::string> values;
};

const Data& TheData(uint64_t count) {
  static Data data;
  if (data.keys.size() != count) {
    Random random(1);
    data.keys.clear();
    data.values.clear();
    for (uint64_t i = 0; i < count; ++i) data.keys.push_back(Key(i));
    std::sort(data.keys.begin(), data.keys.end());
    for (uint64_t i = 0; i < count; ++i) {
      std::string value(kValueBytes / 2, '\0');
      for (char& c : value) c = static_cast<char>(random.Next());
      data.values.push_back(value + std::string(kValueBytes / 2, 'x'));
    }
  }
  return data;
}

io::Task<StatusOr<TableInfo>> Build(std::shared_ptr<io::File> file, const Data& data,
                                    TableOptions options) {
  TableBuilder builder(std::move(file), 1, options);
  for (size_t i = 0; i < data.keys.size(); ++i) {
    builder.Add({data.keys[i], (uint64_t{1'700'000'000'000} << 16) + i % 1000 * 65536,
                 EntryKind::kPut, data.values[i]});
    if (builder.wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await builder.Flush());
  }
  co_return co_await builder.Finish();
}

TableInfo MustBuild(const Data& data, int level) {
  io::OpenOptions open;
  open.mode = io::OpenOptions::Mode::kReplace;
  open.direct = true;
  TableOptions options;
  options.compression_level = level;
  std::shared_ptr<io::File> file = std::move(TheIo().Open(Path(1), open)).value();
  return io::BlockOn(TheIo(), Build(std::move(file), data, options)).value();
}

// Args: entries, compression level.
void BM_Build(benchmark::State& state) {
  const Data& data = TheData(static_cast<uint64_t>(state.range(0)));
  TableInfo info;
  for (auto _ : state) info = MustBuild(data, static_cast<int>(state.range(1)));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(info.key_bytes + info.value_bytes));
  state.counters["file/raw"] =
      static_cast<double>(info.file_bytes) / static_cast<double>(info.key_bytes + info.value_bytes);
  TheIo().Remove(Path(1)).IgnoreError();
}
BENCHMARK(BM_Build)
    ->Args({500'000, 0})
    ->Args({500'000, 1})
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

class BuiltTable {
 public:
  BuiltTable(const Data& data, int level, size_t cache_bytes)
      : cache_({.capacity_bytes = cache_bytes}),
        table_(TheIo(), Path(1), MustBuild(data, level), cache_) {
    table_.LoadNow().IgnoreError();
  }
  ~BuiltTable() { TheIo().Remove(Path(1)).IgnoreError(); }
  const Table& table() const { return table_; }
  BlockCache& cache() { return cache_; }

 private:
  BlockCache cache_;
  Table table_;
};

void Finish(TableGet& get) {
  while (get.Step() == TableGet::State::kWaiting) get.RunNow();
}

// Args: entries. Everything is in the cache.
void BM_CachedGet(benchmark::State& state) {
  const Data& data = TheData(static_cast<uint64_t>(state.range(0)));
  BuiltTable built(data, 1, size_t{1} << 30);
  for (const std::string& key : data.keys) {
    TableGet get(built.table(), key, Hash(key), kSequenceMax);
    Finish(get);
  }
  Random random(2);
  InstructionCounter counter;
  BestBatch best;
  for (auto _ : state) {
    best.Run([&] {
      const std::string& key = data.keys[random.Below(data.keys.size())];
      TableGet get(built.table(), key, Hash(key), kSequenceMax);
      Finish(get);
      benchmark::DoNotOptimize(get.entry().value.data());
      if (get.state() != TableGet::State::kFound) state.SkipWithError("not found");
    });
  }
  best.Report(state);
  counter.Report(state);
  const BlockCacheStats stats = built.cache().stats();
  state.counters["cache_MB"] = static_cast<double>(stats.block_bytes + stats.charged_bytes) / 1e6;
}
BENCHMARK(BM_CachedGet)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

// Args: entries. Keys that are not there.
void BM_AbsentGet(benchmark::State& state) {
  const Data& data = TheData(static_cast<uint64_t>(state.range(0)));
  BuiltTable built(data, 1, size_t{1} << 30);
  Random random(2);
  std::string key(16, 'x');
  InstructionCounter counter;
  BestBatch best;
  for (auto _ : state) {
    best.Run([&] {
      StoreBigU64(key.data(), random.Next());
      TableGet get(built.table(), key, Hash(key), kSequenceMax);
      Finish(get);
      benchmark::DoNotOptimize(get.state());
    });
  }
  best.Report(state);
  counter.Report(state);
}
BENCHMARK(BM_AbsentGet)->Arg(1'000)->Arg(1'000'000);

// Args: entries. Hardly anything is in the cache: blocking reads on this thread.
void BM_ColdGet(benchmark::State& state) {
  const Data& data = TheData(static_cast<uint64_t>(state.range(0)));
  BuiltTable built(data, 1, size_t{1} << 20);
  Random random(2);
  for (auto _ : state) {
    const std::string& key = data.keys[random.Below(data.keys.size())];
    TableGet get(built.table(), key, Hash(key), kSequenceMax);
    Finish(get);
    benchmark::DoNotOptimize(get.entry().value.data());
  }
}
BENCHMARK(BM_ColdGet)->Arg(1'000'000)->UseRealTime();

io::Task<uint64_t> Scan(const Table& table, IteratorOptions options) {
  const auto iterator = table.NewIterator(options);
  uint64_t entries = 0;
  iterator->SeekToFirst();
  if (iterator->state() == EntryIterator::State::kWaiting) co_await Settle(*iterator);
  while (iterator->state() == EntryIterator::State::kEntry) {
    ++entries;
    iterator->Next();
    if (iterator->state() == EntryIterator::State::kWaiting) co_await Settle(*iterator);
  }
  co_return entries;
}

// Args: entries, compression level, 1 if everything is cached. Time an entry.
void BM_Scan(benchmark::State& state) {
  const Data& data = TheData(static_cast<uint64_t>(state.range(0)));
  const bool cached = state.range(2) != 0;
  BuiltTable built(data, static_cast<int>(state.range(1)), size_t{1} << 30);
  IteratorOptions options;
  options.reading = cached ? IteratorOptions::Reading::kCached : IteratorOptions::Reading::kScan;
  if (cached) io::BlockOn(TheIo(), Scan(built.table(), options));
  uint64_t entries = 0;
  for (auto _ : state) entries += io::BlockOn(TheIo(), Scan(built.table(), options));
  state.SetItemsProcessed(static_cast<int64_t>(entries));
}
BENCHMARK(BM_Scan)
    ->Args({1'000'000, 0, 1})
    ->Args({1'000'000, 1, 1})
    ->Args({1'000'000, 0, 0})
    ->Args({1'000'000, 1, 0})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// ---- One structure at a time. Every operation depends on the one before, as the steps of a read
// do.

// Args: bytes. The hardware's figure: a load whose address the load before it gave, on huge pages.
void BM_DependentLoad(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0)) / 64;
  char* const memory = HugeHeap::Map(count * 64);
  // A full cycle over all lines (an LCG whose modulus is a power of two).
  for (uint64_t i = 0; i < count; ++i) {
    StoreFixed<uint64_t>(memory + i * 64, (i * 6364136223846793005 + 1442695040888963407) % count);
  }
  uint64_t at = 0;
  for (auto _ : state) at = LoadU64(memory + at * 64);
  benchmark::DoNotOptimize(at);
  HugeHeap::Unmap(memory, count * 64);
}
BENCHMARK(BM_DependentLoad)->Arg(1 << 20)->Arg(16 << 20)->Arg(64 << 20)->Arg(1 << 30);

// Args: keys in the filter. Half of what is asked for is there.
void BM_FilterProbe(benchmark::State& state) {
  const auto keys = static_cast<uint64_t>(state.range(0));
  std::vector<uint64_t> hashes;
  Random random(3);
  for (uint64_t i = 0; i < keys; ++i) hashes.push_back(i * 0x9e3779b97f4a7c15);
  const Filter filter(BuildFilter(hashes, 10), FilterProbes(10));
  uint64_t found = 0;
  for (auto _ : state) {
    found += filter.MayContain((random.Below(2 * keys) + (found & 1)) * 0x9e3779b97f4a7c15) ? 1 : 0;
  }
  benchmark::DoNotOptimize(found);
}
BENCHMARK(BM_FilterProbe)->Arg(10'000)->Arg(1'000'000)->Arg(10'000'000);

// Args: blocks.
void BM_IndexFind(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  const Data& data = TheData(blocks);
  IndexBuilder builder;
  Footer footer;
  for (uint64_t i = 0; i < blocks; ++i) {
    const Entry last = {data.keys[i == 0 ? 0 : i - 1], 1, EntryKind::kPut, {}};
    builder.Add({i * 4096, 4096}, i == 0 ? nullptr : &last, {data.keys[i], 1, EntryKind::kPut, {}});
  }
  footer.blocks = blocks;
  footer.data_bytes = blocks * 4096;
  const TableIndex index = TableIndex::Parse(builder.Finish(), footer, "bench").value();
  Random random(3);
  std::string key(16, 'x');
  uint32_t block = 0;
  for (auto _ : state) {
    StoreBigU64(key.data(), random.Next() + block);
    block = index.Find(key, kSequenceMax);
  }
  benchmark::DoNotOptimize(block);
}
BENCHMARK(BM_IndexFind)->Arg(1'000)->Arg(8'000)->Arg(320'000);

// Args: tables of a level.
void BM_FenceSearch(benchmark::State& state) {
  const auto tables = static_cast<uint64_t>(state.range(0));
  const Data& data = TheData(2 * tables);
  std::vector<compaction::KeyInterval> intervals;
  for (uint64_t i = 0; i < tables; ++i) {
    intervals.push_back({data.keys[2 * i], data.keys[2 * i + 1], true});
  }
  const engine::LevelFences fences(intervals);
  Random random(3);
  std::string key(16, 'x');
  size_t at = 0;
  for (auto _ : state) {
    StoreBigU64(key.data(), random.Next() + at);
    at = fences.Find(engine::FenceKey(fences, key));
  }
  benchmark::DoNotOptimize(at);
}
BENCHMARK(BM_FenceSearch)->Arg(10)->Arg(100)->Arg(1'000)->Arg(10'000);

// Args: blocks of a page, with keys that are spread evenly.
void BM_BlockSearch(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  constexpr uint64_t kEntries = 32;
  constexpr uint64_t kSpread = ~uint64_t{0} / kEntries;
  BlockBuilder builder(8);
  const std::string value(kValueBytes, 'v');
  std::string key(16, 'k');
  for (uint64_t i = 0; i < kEntries; ++i) {
    StoreBigU64(key.data(), i * kSpread);
    builder.Add({key, i + 1, EntryKind::kPut, value});
  }
  std::string encoded;
  builder.Encode(kEntries, encoded);
  char* const memory = HugeHeap::Map(blocks * 4096);
  for (uint64_t i = 0; i < blocks; ++i) {
    std::memcpy(memory + i * 4096, encoded.data(), encoded.size());
  }
  Random random(3);
  Entry entry;
  uint64_t found = 0;
  for (auto _ : state) {
    StoreBigU64(key.data(), random.Below(kEntries) * kSpread);
    const char* const block = memory + (random.Below(blocks) + found) % blocks * 4096;
    found += FindInBlock({block, encoded.size()}, key, kSequenceMax, &entry) == BlockSearch::kFound
                 ? entry.sequence & 1
                 : 0;
  }
  benchmark::DoNotOptimize(found);
  HugeHeap::Unmap(memory, blocks * 4096);
}
BENCHMARK(BM_BlockSearch)->Arg(4)->Arg(4'096)->Arg(262'144);

// Args: blocks in the cache.
void BM_CacheHit(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  BlockCache cache({.capacity_bytes = blocks * 4096 * 3 / 2});
  for (uint64_t i = 0; i < blocks; ++i) cache.Insert(1, i * 4096, BlockBuffer(4000));
  Random random(3);
  uint64_t hits = 0;
  for (auto _ : state) {
    hits += cache.Lookup(1, (random.Below(blocks) + (hits & 1)) % blocks * 4096) ? 1 : 0;
  }
  benchmark::DoNotOptimize(hits);
}
BENCHMARK(BM_CacheHit)->Arg(1'000)->Arg(30'000)->Arg(300'000);

}  // namespace
}  // namespace varve::sstable

BENCHMARK_MAIN();
