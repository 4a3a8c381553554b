// Compaction: how fast one job merges runs into new tables.
//
//   compaction_bench [--benchmark_filter=...]      TEST_TMPDIR=<directory on the disk to measure>
//
// Keys have 16 bytes, values 100. `cpu_ns` is what an entry of the input costs the thread that
// merges; time is the wall's and includes reading and writing the device. The device's own rate,
// for comparison: BM_Device.
#include <benchmark/benchmark.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "compaction/job.h"
#include "io/executor.h"
#include "io/io.h"
#include "sstable/file_writer.h"

namespace varve::compaction {
namespace {

constexpr size_t kValueBytes = 100;

io::Io& TheIo() {
  static io::Io* io = io::NewIo().release();
  return *io;
}

std::string Path(uint64_t number) {
  const char* directory = std::getenv("TEST_TMPDIR");
  return fmt::format("{}/compaction-bench-{}-{}.sst", directory ? directory : "/tmp", getpid(),
                     number);
}

class Host final : public JobHost {
 public:
  StatusOr<JobFile> NewTableFile() override {
    const uint64_t number = next_number++;
    VARVE_ASSIGN_OR_RETURN(
        std::shared_ptr<io::File> file,
        TheIo().Open(Path(number), {.mode = io::OpenOptions::Mode::kReplace, .direct = true}));
    return JobFile{number, std::move(file)};
  }
  StatusOr<JobFile> NewValueFile() override { return Unavailable("no values"); }
  io::Task<StatusOr<std::string>> ReadValue(sstable::ValueReference) override {
    co_return Unavailable("no values");
  }
  io::Task<Status> Pace(const JobProgress&) override {
    co_await io::Yield();
    co_return absl::OkStatus();
  }

  uint64_t next_number = 1;
};

// `count` entries with random keys, the same for the same seed.
class RandomEntries final : public sstable::EntryIterator {
 public:
  RandomEntries(uint64_t seed, uint64_t count) : value_(kValueBytes, 'v') {
    Random random(seed);
    for (uint64_t i = 0; i < count; ++i) keys_.push_back(random.Next());
    std::sort(keys_.begin(), keys_.end());
  }
  void SeekToFirst() override { Show(0); }
  void SeekToLast() override { Show(keys_.size() - 1); }
  void Seek(std::string_view, SequenceNumber) override { Show(0); }
  void SeekBefore(std::string_view, SequenceNumber) override { Show(0); }

 protected:
  void NextWindow() override { Show(position_ + 1); }
  void PrevWindow() override { Show(position_ - 1); }

 private:
  void Show(size_t position) {
    position_ = position;
    if (position >= keys_.size()) {
      state_ = State::kEnd;
      return;
    }
    key_.clear();
    AppendBigU64(key_, keys_[position]);
    AppendBigU64(key_, position);
    shown_ = {key_, 1000 + position % 1000, EntryKind::kPut, value_};
    ShowEntry(shown_);
  }

  std::vector<uint64_t> keys_;
  size_t position_ = 0;
  std::string key_;
  Entry shown_;
  const std::string value_;
};

JobRequest Request(std::unique_ptr<sstable::EntryIterator> input) {
  JobRequest request;
  request.input = std::move(input);
  request.boundaries = {1'000'000};
  request.table_options.compression_level = 0;
  return request;
}

uint64_t CpuNs() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

// Arg: runs; together they have a million entries, half of them in the last one.
void BM_Merge(benchmark::State& state) {
  constexpr uint64_t kEntries = 1'000'000;
  const auto runs = static_cast<uint64_t>(state.range(0));
  sstable::BlockCache cache({.capacity_bytes = 64 << 20});
  Host host;
  std::vector<std::vector<std::unique_ptr<sstable::Table>>> tables(runs);
  for (uint64_t run = 0; run < runs; ++run) {
    const uint64_t count = run + 1 == runs ? kEntries / 2 : kEntries / 2 / (runs - 1);
    auto made = io::BlockOn(TheIo(),
                            RunJob(host, Request(std::make_unique<RandomEntries>(run + 1, count))));
    for (const sstable::TableInfo& info : made.value().tables) {
      tables[run].push_back(
          std::make_unique<sstable::Table>(TheIo(), Path(info.file_number), info, cache));
    }
  }
  uint64_t entries = 0;
  uint64_t bytes = 0;
  uint64_t cpu_ns = 0;
  for (auto _ : state) {
    std::vector<std::vector<JobTable>> inputs(runs);
    for (uint64_t run = 0; run < runs; ++run) {
      for (const auto& table : tables[run]) inputs[run].push_back({table.get(), {}, {}});
    }
    const uint64_t first_output = host.next_number;
    JobRequest request = Request(NewTableInput(std::move(inputs)));
    request.cache = &cache;
    const uint64_t cpu_start_ns = CpuNs();
    const JobResult result = io::BlockOn(TheIo(), RunJob(host, std::move(request))).value();
    cpu_ns += CpuNs() - cpu_start_ns;
    entries += result.stats.progress.entries_read;
    bytes += result.stats.progress.bytes_read;
    for (uint64_t number = first_output; number < host.next_number; ++number) {
      TheIo().Remove(Path(number)).IgnoreError();
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(entries));
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.counters["cpu_ns"] = static_cast<double>(cpu_ns) / static_cast<double>(entries);
  tables.clear();
  for (uint64_t number = 1; number < host.next_number; ++number) {
    TheIo().Remove(Path(number)).IgnoreError();
  }
}
BENCHMARK(BM_Merge)->Arg(2)->Arg(3)->Arg(5)->Unit(benchmark::kMillisecond)->UseRealTime();

// What a job's bytes cost the device alone: 128 MB written as tables are.
void BM_Device(benchmark::State& state) {
  const std::string bytes(1 << 20, 'v');
  const auto write = [&bytes]() -> io::Task<Status> {
    VARVE_ASSIGN_OR_CO_RETURN(
        std::shared_ptr<io::File> file,
        TheIo().Open(Path(0), {.mode = io::OpenOptions::Mode::kReplace, .direct = true}));
    sstable::FileWriter writer(std::move(file), 512 << 10, 4);
    for (int i = 0; i < 128; ++i) {
      writer.Append(bytes);
      VARVE_CO_RETURN_IF_ERROR(co_await writer.Flush());
    }
    co_return co_await writer.Finish();
  };
  for (auto _ : state) {
    const Status status = io::BlockOn(TheIo(), write());
    if (!status.ok()) state.SkipWithError(std::string(Message(status)).c_str());
  }
  state.SetBytesProcessed(state.iterations() * (128 << 20));
  TheIo().Remove(Path(0)).IgnoreError();
}
BENCHMARK(BM_Device)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace varve::compaction

BENCHMARK_MAIN();
