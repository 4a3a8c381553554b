// Rows about what is kept: write and space amplification, large values, growth, opening.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/compare/measure.h"
#include "bench/compare/suites.h"
#include "bench/device.h"
#include "bench/keys.h"
#include "bench/process_counters.h"

namespace varve::bench {
namespace {

using Against = Target::Against;

constexpr uint64_t kBatch = 1000;
constexpr int kOverwrites = 3;

double Quotient(uint64_t a, uint64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

uint64_t TableBytesWritten(Engine& engine) {
  const EngineCounters counters = engine.Counters();
  return counters.flush_bytes + counters.compaction_bytes;
}

// CPU of a read, in microseconds, with everything in the cache.
StatusOr<double> CpuOfCachedRead(Context& context, uint64_t keys, double seconds) {
  // Some systems count CPU in ticks of 10 ms.
  constexpr double kCpuSecondsMin = 0.05;
  constexpr int kRoundsMax = 100;
  uint64_t bytes = 0;
  VARVE_RETURN_IF_ERROR(context.engine.ScanAll(true, &bytes).status());
  const Keys chosen = Keys::Chosen(std::max<uint64_t>(2000, static_cast<uint64_t>(seconds * 2e6)),
                                   0, keys, 11 + context.turn);
  const ProcessCounters before = ProcessCounters::Now();
  uint64_t reads = 0;
  for (int round = 0; round < kRoundsMax; ++round) {
    VARVE_ASSIGN_OR_RETURN(const Recorder recorder, GetFor(context.engine, chosen, 1, seconds, 8));
    reads += recorder.operations();
    const double cpu_s = (ProcessCounters::Now() - before).cpu_s;
    if (cpu_s >= kCpuSecondsMin) return cpu_s * 1e6 / static_cast<double>(reads);
  }
  return absl::FailedPreconditionError("the system does not count this process's CPU");
}

StatusOr<Turn> Amplification(Context& context, uint64_t keys, double read_seconds) {
  const uint64_t live_bytes = keys * (kKeyBytes + 100);
  const Values values(100, kCompressible);
  Turn turn;
  Recorder recorder(Clock::Now());
  std::vector<Engine::KeyValue> entries;
  for (int round = 0; round <= kOverwrites; ++round) {
    const Keys written =
        round == 0 ? Keys::Hashed(0, keys)
                   : Keys::Chosen(keys, 0, keys, 100 * context.turn + static_cast<uint64_t>(round));
    VARVE_RETURN_IF_ERROR(TimeEach(recorder, (keys + kBatch - 1) / kBatch, kBatch, [&](uint64_t b) {
      entries.clear();
      const uint64_t last = std::min((b + 1) * kBatch, keys);
      for (uint64_t i = b * kBatch; i < last; ++i) entries.emplace_back(written[i], values[i]);
      // Of less than a tenth the quotient says little.
      if (round == 0 && last >= keys / 10) context.watch.SetLiveBytes(live_bytes / keys * last);
      return context.engine.Write(entries);
    }));
  }
  VARVE_RETURN_IF_ERROR(context.engine.WaitUntilSettled());
  context.watch.Look();
  const uint64_t user_bytes = live_bytes * (1 + kOverwrites);
  Keep(recorder, &turn);
  turn.figures["write amplification"] = Quotient(TableBytesWritten(context.engine), user_bytes);
  turn.figures["log amplification"] = Quotient(context.engine.Counters().log_bytes, user_bytes);
  turn.figures["space settled"] = Quotient(context.watch.FileBytes(), live_bytes);
  turn.figures["space at most"] = context.watch.space_amplification_max();
  turn.figures["keys until settled"] =
      static_cast<double>(keys * (1 + kOverwrites)) / Clock::SecondsSince(recorder.start());
  VARVE_ASSIGN_OR_RETURN(turn.figures["CPU of a read after"],
                         CpuOfCachedRead(context, keys, read_seconds));
  return turn;
}

// Megabytes of keys and values a second, written one by one.
StatusOr<Turn> LargeValues(Context& context, uint64_t value_bytes, uint64_t all_bytes) {
  const uint64_t count = std::max<uint64_t>(16, all_bytes / value_bytes);
  const double megabytes = static_cast<double>(value_bytes + kKeyBytes) * 1e-6;
  const Values values(value_bytes, kCompressible);
  Turn turn;
  for (const bool again : {false, true}) {
    const std::string what = again ? "overwrite" : "fill";
    const Keys keys =
        again ? Keys::Chosen(count, 0, count, 17 + context.turn) : Keys::Hashed(0, count);
    VARVE_RETURN_IF_ERROR(
        WriteAll(context, keys, values, 1, what, what + " before settling", &turn));
    turn.figures[what] *= megabytes;
    turn.figures[what + " before settling"] *= megabytes;
    turn.figures[what + ", longest write"] = Us(turn.latency_ns.max()) * 1e-3;
  }
  const uint64_t live_bytes = count * (kKeyBytes + value_bytes);
  turn.figures["write amplification"] = Quotient(TableBytesWritten(context.engine), 2 * live_bytes);
  turn.figures["space settled"] = Quotient(context.watch.FileBytes(), live_bytes);
  const StatusOr<Recorder> device =
      DeviceSequentialWrites(context.config.directory, std::min(all_bytes, uint64_t{1} << 30));
  if (device.ok()) turn.device["fill"] = turn.device["overwrite"] = device->rate() * 1e-6;
  return turn;
}

StatusOr<Turn> Growth(Context& context, uint64_t keys, double read_seconds) {
  const Values values(100, kCompressible);
  Turn turn;
  const auto measure = [&](const std::string& size, uint64_t first, uint64_t last) -> Status {
    VARVE_RETURN_IF_ERROR(WriteAll(context, Keys::Hashed(first, last - first), values, kBatch,
                                   "fill, " + size, "unsettled", &turn));
    VARVE_ASSIGN_OR_RETURN(turn.figures["CPU of a read, " + size],
                           CpuOfCachedRead(context, last, read_seconds));
    return absl::OkStatus();
  };
  VARVE_RETURN_IF_ERROR(measure("small", 0, keys));
  VARVE_RETURN_IF_ERROR(measure("large", keys, 10 * keys));
  turn.figures["CPU growth"] =
      turn.figures["CPU of a read, large"] / turn.figures["CPU of a read, small"];
  // What the large one takes from nothing on.
  const double small_s = static_cast<double>(keys) / turn.figures["fill, small"];
  const double rest_s = static_cast<double>(9 * keys) / turn.figures["fill, large"];
  turn.figures["fill, large"] = static_cast<double>(10 * keys) / (small_s + rest_s);
  turn.figures["fill growth"] = turn.figures["fill, large"] / turn.figures["fill, small"];
  return turn;
}

StatusOr<Turn> OpenAndRead(Context& context, uint64_t keys) {
  const Keys chosen = Keys::Chosen(1, 0, keys, 3 + context.turn);
  Turn turn;
  turn.figures["directory"] = static_cast<double>(DiskBytes(context.config.directory)) * 1e-9;
  const uint64_t start = Clock::Now();
  VARVE_RETURN_IF_ERROR(context.engine.Open(context.config));
  turn.figures["opened"] = Clock::SecondsSince(start);
  uint64_t value_bytes;
  VARVE_ASSIGN_OR_RETURN(const bool found, context.engine.Get(chosen[0], &value_bytes));
  turn.figures["first read"] = Clock::SecondsSince(start);
  if (!found) return Corruption("a key was not found");
  return turn;
}

}  // namespace

void AppendSpaceRows(const Sizes& sizes, std::vector<Row>* rows) {
  const double seconds = sizes.read_seconds;
  rows->push_back(
      {.name = "amplification",
       .title = "random fill, then 3 x overwrite, in batches of 1,000",
       .setup = {.keys = sizes.amplification_keys, .cache_bytes = sizes.cache_bytes},
       .metrics = {{"write amplification", ""},
                   {"log amplification", ""},
                   {"space settled", ""},
                   {"space at most", ""},
                   {"keys until settled", "/s"},
                   {"CPU of a read after", "us"}},
       .targets = {{"write amplification", Against::kRocksDb, false, 0.7},
                   {"CPU of a read after", Against::kRocksDb, false, 1},
                   {"space settled", Against::kNothing, false, 1.15},
                   {"space at most", Against::kNothing, false, 1.6}},
       .measure = [=, keys = sizes.amplification_keys](
                      Context& context) { return Amplification(context, keys, seconds); },
       .turns_max = 1});
  for (const uint64_t value_bytes : {4096, 65536}) {
    std::vector<Target> targets;
    for (const char* what : {"fill", "overwrite"}) {
      targets.push_back({what, Against::kRocksDb, true, 3, 0.85});
      targets.push_back({what, Against::kRocksDbBlobs, true, 1.4, 0.85});
    }
    rows->push_back(
        {.name = fmt::format("values-{}k", value_bytes >> 10),
         .title =
             fmt::format("values of {} KiB: fill, then overwrite, one by one", value_bytes >> 10),
         .setup = {.keys = sizes.large_bytes / value_bytes, .value_bytes = value_bytes},
         .metrics = {{"fill", "MB/s"},
                     {"overwrite", "MB/s"},
                     {"fill before settling", "MB/s"},
                     {"overwrite before settling", "MB/s"},
                     {"fill, longest write", "ms"},
                     {"overwrite, longest write", "ms"},
                     {"write amplification", ""},
                     {"space settled", ""}},
         .targets = targets,
         .measure = [=, bytes = sizes.large_bytes](
                        Context& context) { return LargeValues(context, value_bytes, bytes); },
         .with_blobs = true,
         .turns_max = 1});
  }
  rows->push_back(
      {.name = "growth",
       .title = "growth to 10 times the data, filled in batches of 1,000, read from the cache",
       .setup = {.keys = 10 * sizes.growth_keys,
                 .cache_bytes = std::max(sizes.cache_bytes, 10 * sizes.growth_keys * 200)},
       .metrics = {{"CPU growth", ""},
                   {"fill growth", ""},
                   {"CPU of a read, small", "us"},
                   {"CPU of a read, large", "us"},
                   {"fill, small", "/s"},
                   {"fill, large", "/s"}},
       .targets = {{"CPU growth", Against::kNothing, false, 1.4},
                   {"fill growth", Against::kNothing, true, 0.7}},
       .measure = [=, keys = sizes.growth_keys](
                      Context& context) { return Growth(context, keys, seconds); },
       .turns_max = 1});
  rows->push_back({.name = "open",
                   .title = "open after a clean stop, to the first read",
                   .setup = {.temperature = Temperature::kClosed,
                             .keys = sizes.open_keys,
                             .value_bytes = sizes.open_value_bytes,
                             .cache_bytes = sizes.cache_bytes},
                   .metrics = {{"first read", "s"}, {"opened", "s"}, {"directory", "GB"}},
                   .targets = {{"first read", Against::kNothing, false, 0.3}},
                   .measure = [keys = sizes.open_keys](Context& context) {
                     return OpenAndRead(context, keys);
                   }});
}

}  // namespace varve::bench
