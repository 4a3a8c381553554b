// Rows that read: points, many points at once, ranges; cached and cold.
#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "bench/compare/measure.h"
#include "bench/compare/suites.h"
#include "bench/device.h"
#include "bench/keys.h"
#include "bench/process_counters.h"
#include "bench/recorder.h"

namespace varve::bench {
namespace {

using Against = Target::Against;

constexpr uint64_t kMultiGetKeys = 32;
constexpr uint64_t kScanEntries = 50;
// One operation in so many is timed where an operation takes microseconds.
constexpr uint64_t kSample = 8;

// Enough keys for `seconds` of reads at `rate` a second, so that none is used twice; chosen anew
// each turn, the same for every engine.
Keys ChooseKeys(const Context& context, uint64_t from, uint64_t keys, double seconds, double rate) {
  const auto count = static_cast<uint64_t>(seconds * rate) / kMultiGetKeys * kMultiGetKeys;
  return Keys::Chosen(std::max(count, 64 * kMultiGetKeys), from, keys, 7 + context.turn);
}

// Share of `reads` that found their block in memory.
class HitRate {
 public:
  explicit HitRate(Context& context)
      : context_(context),
        process_before_(ProcessCounters::Now()),
        device_before_(DeviceReadsServed(context.config.directory)),
        blocks_before_(context.engine.BlockReads()) {}

  // By what the process has read from the device: never too high, and free of cost for the engine.
  void KeepCached(uint64_t reads, Turn* turn) const {
    const uint64_t bytes =
        ProcessCounters::Now().device_read_bytes - process_before_.device_read_bytes;
    turn->figures["hit rate"] =
        100 * (1 - std::min(1.0, static_cast<double>(bytes) / kDeviceBlockBytes /
                                     static_cast<double>(std::max<uint64_t>(reads, 1))));
  }
  // By the engine's own count of blocks.
  void KeepCold(uint64_t reads, Turn* turn) const {
    const double count = static_cast<double>(std::max<uint64_t>(reads, 1));
    const uint64_t blocks = context_.engine.BlockReads() - blocks_before_;
    const uint64_t bytes =
        ProcessCounters::Now().device_read_bytes - process_before_.device_read_bytes;
    const uint64_t device = DeviceReadsServed(context_.config.directory) - device_before_;
    turn->figures["hit rate"] = 100 * (1 - std::min(1.0, static_cast<double>(blocks) / count));
    turn->figures["device reads a Get"] = static_cast<double>(device) / count;
    turn->figures["bytes a Get"] = static_cast<double>(bytes) / count;
  }

 private:
  Context& context_;
  ProcessCounters process_before_;
  uint64_t device_before_;
  uint64_t blocks_before_;
};

void KeepReads(const Recorder& recorder, int threads, Turn* turn) {
  Keep(recorder, turn);
  turn->figures["reads"] = recorder.rate();
  turn->figures["mean"] = threads * 1e6 / recorder.rate();
  turn->figures["p50"] = Us(recorder.latency_ns().Percentile(50));
  turn->figures["p99.9"] = Us(recorder.latency_ns().Percentile(99.9));
}

StatusOr<Turn> GetCached(Context& context, uint64_t keys, int threads, double seconds,
                         bool present) {
  const Keys chosen = ChooseKeys(context, present ? 0 : keys, keys, seconds, 2e6 * threads);
  const HitRate hits(context);
  VARVE_ASSIGN_OR_RETURN(const Recorder recorder,
                         GetFor(context.engine, chosen, threads, seconds, kSample, present));
  Turn turn;
  hits.KeepCached(recorder.operations(), &turn);
  KeepReads(recorder, threads, &turn);
  return turn;
}

// On the calling thread, which may count its block reads.
StatusOr<Recorder> MultiGetFor(Engine& engine, const Keys& keys, double seconds) {
  Recorder recorder(Clock::Now());
  uint64_t next = 0;
  VARVE_RETURN_IF_ERROR(TimeFor(recorder, seconds, 1, kMultiGetKeys, [&](uint64_t) -> Status {
    std::array<std::string_view, kMultiGetKeys> batch;
    for (std::string_view& key : batch) key = keys[next++];
    if (next == keys.size()) next = 0;
    const StatusOr<uint64_t> found = engine.MultiGet(batch);
    if (!found.ok()) return found.status();
    if (*found != batch.size()) {
      return Corruption("{} of {} keys were not found", batch.size() - *found, batch.size());
    }
    return absl::OkStatus();
  }));
  return recorder;
}

void KeepMultiGets(const Recorder& recorder, Turn* turn) {
  Keep(recorder, turn);
  turn->figures["keys"] = recorder.rate();
  turn->figures["mean a key"] = 1e6 / recorder.rate();
  turn->figures["p99 a call"] = Us(recorder.latency_ns().Percentile(99));
}

StatusOr<Turn> MultiGetCached(Context& context, uint64_t keys, double seconds) {
  const Keys chosen = ChooseKeys(context, 0, keys, seconds, 4e6);
  const HitRate hits(context);
  VARVE_ASSIGN_OR_RETURN(const Recorder recorder, MultiGetFor(context.engine, chosen, seconds));
  Turn turn;
  hits.KeepCached(recorder.operations(), &turn);
  KeepMultiGets(recorder, &turn);
  return turn;
}

// The files that cold reads of the engine go to.
std::vector<std::string> TableFiles(const Context& context) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(context.config.directory)) {
    for (const std::string& suffix : context.engine.TableSuffixes()) {
      if (entry.path().string().ends_with(suffix)) files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Reads the engine's files as it does, without it.
void KeepDeviceReads(const Context& context, unsigned depth, double seconds,
                     const std::string& metric, Turn* turn) {
  const StatusOr<Recorder> device =
      DeviceRandomReads(TableFiles(context), kDeviceBlockBytes, depth, seconds, 7 + context.turn);
  if (!device.ok()) return;  // No io_uring here: there is no turn of the device.
  turn->device[metric] = device->rate();
  turn->device["p99.9"] = Us(device->latency_ns().Percentile(99.9));
}

// Indexes and filters come into the cache on first use; that is not what the row measures.
Status LoadMetadata(Context& context, uint64_t keys) {
  const Keys chosen = Keys::Chosen(20'000, 0, keys, 1);
  return GetFor(context.engine, chosen, 1, 0.5, 1).status();
}

StatusOr<Turn> GetCold(Context& context, uint64_t keys, double seconds) {
  VARVE_RETURN_IF_ERROR(LoadMetadata(context, keys));
  const Keys chosen = ChooseKeys(context, 0, keys, seconds, 1e5);
  Turn turn;
  // One thread, and the same that counts blocks.
  Recorder recorder;
  {
    const HitRate hits(context);
    recorder = Recorder(Clock::Now());
    uint64_t next = 0;
    uint64_t missing = 0;
    VARVE_RETURN_IF_ERROR(TimeFor(recorder, seconds, 1, 1, [&](uint64_t) -> Status {
      uint64_t value_bytes;
      const StatusOr<bool> found = context.engine.Get(chosen[next], &value_bytes);
      if (!found.ok()) return found.status();
      missing += !*found;
      if (++next == chosen.size()) next = 0;
      return absl::OkStatus();
    }));
    if (missing > 0) return Corruption("{} keys were not found", missing);
    hits.KeepCold(recorder.operations(), &turn);
  }
  KeepReads(recorder, 1, &turn);
  KeepDeviceReads(context, 1, seconds, "reads", &turn);
  return turn;
}

StatusOr<Turn> MultiGetCold(Context& context, uint64_t keys, double seconds) {
  VARVE_RETURN_IF_ERROR(LoadMetadata(context, keys));
  const Keys chosen = ChooseKeys(context, 0, keys, seconds, 2e5);
  Turn turn;
  Recorder recorder;
  {
    const HitRate hits(context);
    VARVE_ASSIGN_OR_RETURN(recorder, MultiGetFor(context.engine, chosen, seconds));
    hits.KeepCold(recorder.operations(), &turn);
  }
  KeepMultiGets(recorder, &turn);
  KeepDeviceReads(context, kMultiGetKeys, seconds, "keys", &turn);
  return turn;
}

StatusOr<Turn> SeekCached(Context& context, uint64_t keys, double seconds) {
  const Keys chosen = ChooseKeys(context, 0, keys, seconds, 4e5);
  const HitRate hits(context);
  VARVE_ASSIGN_OR_RETURN(const Recorder recorder, RunThreads(1, [&](int, Recorder& mine) {
                           uint64_t bytes = 0;
                           uint64_t next = 0;
                           return TimeFor(mine, seconds, 1, 1, [&](uint64_t) {
                             const Status status =
                                 context.engine.Scan(chosen[next], kScanEntries, &bytes).status();
                             if (++next == chosen.size()) next = 0;
                             return status;
                           });
                         }));
  Turn turn;
  hits.KeepCached(recorder.operations(), &turn);
  KeepReads(recorder, 1, &turn);
  return turn;
}

StatusOr<Turn> ScanAll(Context& context, uint64_t keys, bool forward) {
  const HitRate hits(context);
  uint64_t bytes = 0;
  const uint64_t start = Clock::Now();
  VARVE_ASSIGN_OR_RETURN(const uint64_t entries, context.engine.ScanAll(forward, &bytes));
  const double seconds = Clock::SecondsSince(start);
  if (entries != keys) return Corruption("{} of {} entries were seen", entries, keys);
  Turn turn;
  hits.KeepCached(entries, &turn);
  turn.figures["entries"] = static_cast<double>(entries) / seconds;
  turn.figures["mean"] = seconds * 1e9 / static_cast<double>(entries);
  return turn;
}

StatusOr<Turn> ReadWhileWriting(Context& context, uint64_t keys, double seconds) {
  constexpr double kWritesPerSecond = 50'000;
  const Keys chosen = ChooseKeys(context, 0, keys, seconds, 1e6);
  const Keys written =
      Keys::Chosen(static_cast<uint64_t>(seconds * kWritesPerSecond) + 1, 0, keys, 99);
  const Values values(100, kCompressible);
  std::atomic<bool> done{false};
  Recorder writes;
  Status write_status;
  std::thread writer([&] {
    writes = Recorder(Clock::Now());
    write_status = TimePaced(writes, seconds, kWritesPerSecond, done, [&](uint64_t i) {
      return context.engine.Put(written[i % written.size()], values[i]);
    });
  });
  const StatusOr<Recorder> recorder = GetFor(context.engine, chosen, 1, seconds, 1);
  done = true;
  writer.join();
  VARVE_RETURN_IF_ERROR(recorder.status());
  VARVE_RETURN_IF_ERROR(write_status);
  Turn turn;
  KeepReads(*recorder, 1, &turn);
  turn.figures["writes"] = writes.rate();
  turn.figures["write p99.9"] = Us(writes.latency_ns().Percentile(99.9));
  return turn;
}

std::vector<Metric> ReadMetrics() {
  return {{"reads", "/s"}, {"mean", "us"}, {"p50", "us"}, {"p99.9", "us"}, {"hit rate", "%"}};
}

}  // namespace

void AppendReadRows(const Sizes& sizes, std::vector<Row>* rows) {
  const double seconds = sizes.read_seconds;
  const uint64_t keys = sizes.cached_keys;
  const Setup cached = {
      .temperature = Temperature::kCached, .keys = keys, .cache_bytes = sizes.cache_bytes};
  for (const int threads : {1, 2}) {
    rows->push_back({.name = threads == 1 ? "read-cached" : "read-cached-2",
                     .title = fmt::format("random read, all in cache, {} thread{}", threads,
                                          threads == 1 ? "" : "s"),
                     .threads = threads,
                     .setup = cached,
                     .metrics = ReadMetrics(),
                     .targets = {{"reads", Against::kRocksDb, true, 3}},
                     .measure = [=](Context& context) {
                       return GetCached(context, keys, threads, seconds, true);
                     }});
  }
  rows->push_back(
      {.name = "multiget-cached",
       .title = "MultiGet of 32, all in cache",
       .setup = cached,
       .metrics = {{"keys", "/s"}, {"mean a key", "us"}, {"p99 a call", "us"}, {"hit rate", "%"}},
       .targets = {{"keys", Against::kRocksDb, true, 5}},
       .measure = [=](Context& context) { return MultiGetCached(context, keys, seconds); }});
  rows->push_back(
      {.name = "read-absent",
       .title = "random read of absent keys",
       .setup = cached,
       .metrics = ReadMetrics(),
       .targets = {{"reads", Against::kRocksDb, true, 3}},
       .measure = [=](Context& context) { return GetCached(context, keys, 1, seconds, false); }});
  rows->push_back(
      {.name = "seek-50",
       .title = "seek and 50 next, in cache",
       .setup = cached,
       .metrics = ReadMetrics(),
       .targets = {{"reads", Against::kRocksDb, true, 5}},
       .measure = [=](Context& context) { return SeekCached(context, keys, seconds); }});
  for (const bool forward : {true, false}) {
    rows->push_back({.name = forward ? "scan-forward" : "scan-backward",
                     .title = forward ? "full scan forward" : "full scan backward",
                     .setup = cached,
                     .metrics = {{"entries", "/s"}, {"mean", "ns"}, {"hit rate", "%"}},
                     .targets = {{"entries", Against::kRocksDb, true, 4}},
                     .measure = [=](Context& context) { return ScanAll(context, keys, forward); }});
  }

  // Room for indexes and filters, and for about one block in a hundred.
  const uint64_t cold_keys = sizes.cold_keys;
  const Setup cold = {.temperature = Temperature::kCold,
                      .keys = cold_keys,
                      .cache_bytes = cold_keys * (kKeyBytes + 100) / 32};
  rows->push_back(
      {.name = "read-cold",
       .title = "random read, cold, direct, 1 in flight",
       .setup = cold,
       .metrics = {{"reads", "/s"},
                   {"mean", "us"},
                   {"p99.9", "us"},
                   {"hit rate", "%"},
                   {"device reads a Get", ""},
                   {"bytes a Get", ""}},
       .targets = {{"reads", Against::kDevice, true, 0.95},
                   {"reads", Against::kRocksDb, true, 1},
                   {"device reads a Get", Against::kNothing, false, 1.05}},
       .measure = [=](Context& context) { return GetCold(context, cold_keys, seconds); }});
  rows->push_back(
      {.name = "multiget-cold",
       .title = "MultiGet of 32, cold, asynchronous I/O on",
       .setup = cold,
       .metrics = {{"keys", "/s"},
                   {"p99 a call", "us"},
                   {"hit rate", "%"},
                   {"device reads a Get", ""},
                   {"bytes a Get", ""}},
       .targets = {{"keys", Against::kRocksDb, true, 2.3}, {"keys", Against::kDevice, true, 0.85}},
       .measure = [=](Context& context) { return MultiGetCold(context, cold_keys, seconds); }});

  Setup written = cached;
  written.changes_data = true;
  rows->push_back(
      {.name = "read-while-writing",
       .title = "read while another thread writes 50,000/s, cached",
       .threads = 2,
       .setup = written,
       .metrics = {{"reads", "/s"},
                   {"p50", "us"},
                   {"p99.9", "us"},
                   {"writes", "/s"},
                   {"write p99.9", "us"}},
       .targets = {{"reads", Against::kRocksDb, true, 3}, {"p99.9", Against::kRocksDb, false, 0.5}},
       .measure = [=](Context& context) { return ReadWhileWriting(context, keys, 2 * seconds); }});
}

}  // namespace varve::bench
