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
    rows->push_back(
        {.name = std::move(name),
         .title = std::move(title),
         .setup = {.keys = keys},
         .metrics = FillMetrics(),
         .targets = {{"keys until settled", Against::kRocksDb, true, bound}},
         .measure = [=](Context& context) { return Fill(context, keys, batch, order); }});
  };
  fill("fill-random", "random fill, one by one", sizes.fill_keys, 1, Order::kRandom, 5);
  fill("fill-random-batch", "random fill in batches of 1,000", sizes.batch_keys, 1000,
       Order::kRandom, 5);
  fill("fill-sequential-batch", "sequential fill in batches of 1,000", sizes.batch_keys, 1000,
       Order::kAscending, 4);
  rows->push_back(DurableRow(1, sizes.durable_seconds, {"writes", Against::kDevice, true, 0.9}));
  rows->push_back(DurableRow(16, sizes.durable_seconds, {"writes", Against::kRocksDb, true, 6}));
  rows->push_back(DurableRow(64, sizes.durable_seconds, {"writes", Against::kRocksDb, true, 6}));
}

}  // namespace varve::bench
