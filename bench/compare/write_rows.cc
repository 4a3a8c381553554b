// Rows that write: fills, durable writes, and overwrites at a steady pace.
#include <algorithm>
#include <atomic>
#include <memory>

#include "bench/compare/measure.h"
#include "bench/compare/suites.h"
#include "bench/device.h"
#include "bench/keys.h"
#include "bench/recorder.h"

namespace varve::bench {
namespace {

using Against = Target::Against;

enum class Order { kRandom, kAscending };

std::vector<Metric> FillMetrics() {
  return {{"keys until settled", "/s"},
          {"keys before settling", "/s"},
          {"p99.99", "us"},
          {"longest write", "ms"},
          {"write amplification", ""}};
}

StatusOr<Turn> Fill(Context& context, uint64_t count, uint64_t batch, Order order) {
  const Keys keys = order == Order::kRandom ? Keys::Hashed(0, count) : Keys::Ascending(0, count);
  const Values values(100, kCompressible);
  Turn turn;
  VARVE_RETURN_IF_ERROR(
      WriteAll(context, keys, values, batch, "keys until settled", "keys before settling", &turn));
  turn.figures["p99.99"] = Us(turn.latency_ns.Percentile(99.99));
  turn.figures["longest write"] = Us(turn.latency_ns.max()) * 1e-3;
  const EngineCounters counters = context.engine.Counters();
  turn.figures["write amplification"] =
      static_cast<double>(counters.flush_bytes + counters.compaction_bytes) /
      static_cast<double>(count * (kKeyBytes + 100));
  return turn;
}

StatusOr<Turn> Overwrite(Context& context, uint64_t data_keys, uint64_t count) {
  const Keys keys = Keys::Chosen(count, 0, data_keys, 31 + context.turn);
  const Values values(100, kCompressible);
  Turn turn;
  VARVE_RETURN_IF_ERROR(
      WriteAll(context, keys, values, 1, "keys until settled", "keys before settling", &turn));
  turn.figures["p99.99"] = Us(turn.latency_ns.Percentile(99.99));
  turn.figures["longest write"] = Us(turn.latency_ns.max()) * 1e-3;
  return turn;
}

// Full seconds in which nothing was written.
uint64_t SecondsWithoutWrites(const std::vector<uint64_t>& intervals) {
  constexpr auto kIntervalsASecond = static_cast<size_t>(1 / kIntervalSeconds);
  uint64_t seconds = 0;
  uint64_t written = 0;
  for (size_t i = 0; i < intervals.size(); ++i) {
    written += intervals[i];
    if (i % kIntervalsASecond != kIntervalsASecond - 1) continue;
    seconds += written == 0;
    written = 0;
  }
  return seconds;
}

StatusOr<Turn> PacedOverwrite(Context& context, uint64_t data_keys, double seconds) {
  // Beyond this many the choices repeat themselves.
  constexpr uint64_t kKeysMax = 32'000'000;
  if (context.paced_rate == 0) {
    return FailedPrecondition("RocksDB's own rate is not known; --paced-rate gives another");
  }
  const Keys keys =
      Keys::Chosen(std::min(kKeysMax, static_cast<uint64_t>(context.paced_rate * seconds) + 1), 0,
                   data_keys, 63 + context.turn);
  const Values values(100, kCompressible);
  const std::atomic<bool> never{false};
  Recorder recorder(Clock::Now());
  VARVE_RETURN_IF_ERROR(TimePaced(recorder, seconds, context.paced_rate, never, [&](uint64_t i) {
    return context.engine.Put(keys[i % keys.size()], values[i]);
  }));
  Turn turn;
  Keep(recorder, &turn);
  turn.figures["p99.9"] = Us(recorder.latency_ns().Percentile(99.9));
  turn.figures["p99.99"] = Us(recorder.latency_ns().Percentile(99.99));
  turn.figures["longest write"] = Us(recorder.latency_ns().max()) * 1e-3;
  turn.figures["seconds without writes"] =
      static_cast<double>(SecondsWithoutWrites(recorder.intervals()));
  turn.figures["writes"] = recorder.rate();
  turn.figures["writes offered"] = context.paced_rate;
  return turn;
}

StatusOr<Turn> Durable(Context& context, int threads, double seconds) {
  // More than any device takes in that time.
  const auto each = static_cast<uint64_t>(seconds * 200'000 / threads) + 1000;
  const Keys keys = Keys::Hashed(0, each * threads);
  const Values values(100, kCompressible);
  VARVE_ASSIGN_OR_RETURN(const Recorder recorder,
                         RunThreads(threads, [&](int thread, Recorder& mine) {
                           const uint64_t first = each * thread;
                           return TimeFor(mine, seconds, 1, 1, [&](uint64_t i) {
                             return context.engine.Put(keys[first + i % each], values[i]);
                           });
                         }));
  Turn turn;
  Keep(recorder, &turn);
  turn.figures["writes"] = recorder.rate();
  turn.figures["p50"] = Us(recorder.latency_ns().Percentile(50));
  turn.figures["p99"] = Us(recorder.latency_ns().Percentile(99));
  const StatusOr<Recorder> device =
      DeviceSyncWrites(context.config.directory, threads, std::min(seconds, 2.0));
  if (device.ok()) {
    const double write_us = Us(device->latency_ns().Percentile(50));
    turn.device["writes"] = device->rate();
    turn.device["p50"] = write_us;
    turn.device["p99"] = Us(device->latency_ns().Percentile(99));
    turn.figures["p99 in device writes"] = turn.figures["p99"] / write_us;
  }
  return turn;
}

Row DurableRow(int threads, double seconds, Target target) {
  return {.name = fmt::format("durable-{}", threads),
          .title = fmt::format("durable writes, {} writer{}", threads, threads == 1 ? "" : "s"),
          .threads = threads,
          .setup = {.durable = true},
          .metrics = {{"writes", "/s"}, {"p50", "us"}, {"p99", "us"}, {"p99 in device writes", ""}},
          .targets = {target, {"p99 in device writes", Against::kNothing, false, 3}},
          .measure = [=](Context& context) { return Durable(context, threads, seconds); }};
}

}  // namespace

void AppendWriteRows(const Sizes& sizes, std::vector<Row>* rows) {
  const auto fill = [&](std::string name, std::string title, uint64_t keys, uint64_t batch,
                        Order order, double bound) {
    rows->push_back({.name = std::move(name),
                     .title = std::move(title),
                     .setup = {.keys = keys},
                     .metrics = FillMetrics(),
                     .targets = {{"keys until settled", Against::kRocksDb, true, bound}},
                     .measure = [=](Context& context) { return Fill(context, keys, batch, order); },
                     .turns_max = batch == 1 ? 2 : kTurnsAny});
  };
  fill("fill-random", "random fill, one by one", sizes.fill_keys, 1, Order::kRandom, 5);
  fill("fill-random-batch", "random fill in batches of 1,000", sizes.batch_keys, 1000,
       Order::kRandom, 5);
  fill("fill-sequential-batch", "sequential fill in batches of 1,000", sizes.batch_keys, 1000,
       Order::kAscending, 4);
  rows->push_back(DurableRow(1, sizes.durable_seconds, {"writes", Against::kDevice, true, 0.9}));
  rows->push_back(DurableRow(16, sizes.durable_seconds, {"writes", Against::kRocksDb, true, 6}));
  rows->push_back(DurableRow(64, sizes.durable_seconds, {"writes", Against::kRocksDb, true, 6}));

  const uint64_t data_keys = sizes.data_keys;
  const Setup data = {.temperature = Temperature::kCold,
                      .keys = data_keys,
                      .cache_bytes = sizes.cache_bytes,
                      .changes_data = true};
  rows->push_back(
      {.name = "overwrite",
       .title = "random overwrite, one by one",
       .setup = data,
       .metrics = {{"keys until settled", "/s"},
                   {"keys before settling", "/s"},
                   {"p99.99", "us"},
                   {"longest write", "ms"}},
       .measure = [data_keys, count = sizes.overwrite_keys](
                      Context& context) { return Overwrite(context, data_keys, count); },
       .turns_max = 1});
  rows->push_back(
      {.name = "overwrite-paced",
       .title = fmt::format("random overwrite for {:g} s at 80 % of RocksDB's own rate",
                            sizes.paced_seconds),
       .setup = data,
       .metrics = {{"p99.9", "us"},
                   {"p99.99", "us"},
                   {"longest write", "ms"},
                   {"seconds without writes", ""},
                   {"writes", "/s"},
                   {"writes offered", "/s"}},
       .targets = {{"p99.99", Against::kRocksDb, false, 0.2},
                   {"longest write", Against::kNothing, false, 20},
                   {"seconds without writes", Against::kNothing, false, 0}},
       .measure = [data_keys, seconds = sizes.paced_seconds](
                      Context& context) { return PacedOverwrite(context, data_keys, seconds); },
       .turns_max = 1,
       .needs = "overwrite"});
}

}  // namespace varve::bench
