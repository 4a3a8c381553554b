#include "bench/workload/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "bench/quoted.h"

namespace varve::bench {
namespace {

double Ratio(double a, double b) { return b == 0 ? 0 : a / b; }
double Ratio(uint64_t a, uint64_t b) {
  return Ratio(static_cast<double>(a), static_cast<double>(b));
}
double Us(uint64_t ns) { return static_cast<double>(ns) * 1e-3; }

// All that left for the device, log and compactions included, over what the user wrote.
double WriteAmplification(const Result& result) {
  return Ratio(result.settled.device_write_bytes, result.user_bytes_written);
}
// The same without the log, by the engine's own count.
double TableWriteAmplification(const Result& result) {
  return Ratio(result.counters.flush_bytes + result.counters.compaction_bytes,
               result.user_bytes_written);
}
double ReadAmplification(const Result& result) {
  return Ratio(result.process.device_read_bytes, result.user_bytes_read);
}
double SpaceAmplification(const Result& result) {
  return Ratio(result.table_bytes, result.live_bytes);
}
double OperationsPerSecond(const Result& result) {
  return Ratio(static_cast<double>(result.operations), result.elapsed_s);
}
// Of the full seconds, so without the last.
uint64_t SlowestSecond(const Result& result) {
  const auto& seconds = result.operations_per_second;
  if (seconds.size() < 2) return seconds.empty() ? 0 : seconds[0];
  return *std::min_element(seconds.begin(), seconds.end() - 1);
}

std::string Bytes(uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (value >= 1e9) return fmt::format("{:.2f} GB", value * 1e-9);
  if (value >= 1e6) return fmt::format("{:.1f} MB", value * 1e-6);
  return fmt::format("{:.1f} kB", value * 1e-3);
}

}  // namespace

std::string DescribeRun(const std::string& workload, const EngineConfig& engine,
                        const WorkloadConfig& config) {
  std::string text = fmt::format(
      "{}: {} {} keys of {} bytes, values of {} bytes ({:.0f} % compressible), {} thread{}\n"
      "log {}, cache {} MiB, memtables {} of {} MiB, {}, {} filter bits a key, {} background "
      "thread{}\n",
      workload, config.keys, config.ordered ? "ordered" : "hashed", config.key_bytes,
      config.value_bytes, config.compressible * 100, config.threads, config.threads == 1 ? "" : "s",
      engine.durable ? "durable (each write is synced)" : "relaxed (no write is synced)",
      engine.cache_bytes >> 20, engine.memtable_budget_bytes >> 20, engine.memtable_bytes >> 20,
      engine.compression_level > 0 ? fmt::format("Zstandard {}", engine.compression_level)
                                   : "no compression",
      engine.filter_bits_per_key, engine.background_threads,
      engine.background_threads == 1 ? "" : "s");
  if (config.kind == Kind::kFill) {
    text += fmt::format("{} key{} a write\n", config.batch, config.batch == 1 ? "" : "s");
  } else {
    text += fmt::format(
        "{} s after {} s of warming up, keys chosen {}\n", config.seconds, config.warmup_seconds,
        config.zipf == 0 ? "uniformly" : fmt::format("by Zipf's law with {}", config.zipf));
  }
  if (config.kind == Kind::kScan) text += fmt::format("{} entries a scan\n", config.scan_entries);
  if (config.kind == Kind::kMixed) text += fmt::format("{} % writes\n", config.write_percent);
  return text;
}

std::string Table(const std::vector<Result>& results) {
  constexpr int kNameWidth = 30;
  constexpr int kWidth = 14;
  std::string table;
  const auto row = [&](const std::string& name,
                       const std::function<std::string(const Result&)>& f) {
    table += fmt::format("{:<{}}", name, kNameWidth);
    for (const Result& result : results) table += fmt::format("{:>{}}", f(result), kWidth);
    table += '\n';
  };
  const bool writes = std::any_of(results.begin(), results.end(),
                                  [](const Result& r) { return r.user_bytes_written > 0; });
  const bool reads = std::any_of(results.begin(), results.end(),
                                 [](const Result& r) { return r.user_bytes_read > 0; });

  for (const Result& result : results) {
    table += fmt::format("{}: {}\n", result.engine, result.description);
  }
  table += '\n';
  row("", [](const Result& r) { return r.engine; });
  row("operations/s",
      [](const Result& r) { return fmt::format("{:.0f}", OperationsPerSecond(r)); });
  row("keys/s", [](const Result& r) {
    return fmt::format("{:.0f}", Ratio(static_cast<double>(r.keys), r.elapsed_s));
  });
  row("operations in slowest second",
      [](const Result& r) { return fmt::format("{}", SlowestSecond(r)); });
  row("elapsed, s", [](const Result& r) { return fmt::format("{:.2f}", r.elapsed_s); });
  for (const Latencies& latencies :
       results.empty() ? std::vector<Latencies>{} : results[0].latencies) {
    const std::string& operation = latencies.operation;
    const auto latency = [&](const std::string& name,
                             const std::function<uint64_t(const Histogram&)>& f) {
      row(fmt::format("{} {}, us", operation, name), [&](const Result& r) -> std::string {
        for (const Latencies& l : r.latencies) {
          if (l.operation == operation) return fmt::format("{:.1f}", Us(f(l.ns)));
        }
        return "-";
      });
    };
    latency("p50", [](const Histogram& h) { return h.Percentile(50); });
    latency("p99", [](const Histogram& h) { return h.Percentile(99); });
    latency("p99.9", [](const Histogram& h) { return h.Percentile(99.9); });
    latency("max", [](const Histogram& h) { return h.max(); });
  }
  row("CPU, us/operation", [](const Result& r) {
    return fmt::format("{:.2f}", Ratio(r.process.cpu_s * 1e6, static_cast<double>(r.operations)));
  });
  row("CPU, cores",
      [](const Result& r) { return fmt::format("{:.2f}", Ratio(r.process.cpu_s, r.elapsed_s)); });
  if (reads) {
    row("read from device", [](const Result& r) { return Bytes(r.process.device_read_bytes); });
    row("read amplification",
        [](const Result& r) { return fmt::format("{:.2f}", ReadAmplification(r)); });
    row("keys not found", [](const Result& r) { return fmt::format("{}", r.missing); });
  }
  if (writes) {
    row("flush and compact after, s",
        [](const Result& r) { return fmt::format("{:.2f}", r.settle_s); });
    row("CPU until then, s",
        [](const Result& r) { return fmt::format("{:.2f}", r.settled.cpu_s); });
    row("written to device", [](const Result& r) { return Bytes(r.settled.device_write_bytes); });
    row("  log", [](const Result& r) { return Bytes(r.counters.log_bytes); });
    row("  flushes", [](const Result& r) { return Bytes(r.counters.flush_bytes); });
    row("  compactions", [](const Result& r) { return Bytes(r.counters.compaction_bytes); });
    row("write amplification",
        [](const Result& r) { return fmt::format("{:.2f}", WriteAmplification(r)); });
    row("  of tables",
        [](const Result& r) { return fmt::format("{:.2f}", TableWriteAmplification(r)); });
    row("writes held back, s",
        [](const Result& r) { return fmt::format("{:.2f}", r.counters.stalled_s); });
  }
  row("on disk", [](const Result& r) { return Bytes(r.disk_bytes); });
  row("  in tables", [](const Result& r) { return Bytes(r.table_bytes); });
  row("space amplification",
      [](const Result& r) { return fmt::format("{:.2f}", SpaceAmplification(r)); });
  table +=
      "\nWrite amplification: bytes to the device, log and compactions until all is settled "
      "included, "
      "per byte\nwritten by the user. Read: bytes from the device per byte returned. Space: bytes "
      "in "
      "tables per byte\nof live keys and values.\n";
  return table;
}

std::string Json(const std::string& workload, const EngineConfig& engine,
                 const WorkloadConfig& config, const std::vector<Result>& results) {
  std::string json = fmt::format(
      "{{\n  \"workload\": {}, \"keys\": {}, \"key_order\": {}, \"key_bytes\": {}, "
      "\"value_bytes\": "
      "{}, \"compressible\": {}, \"zipf\": {}, \"threads\": {}, \"batch\": {}, \"seconds\": {}, "
      "\"warmup_seconds\": {}, \"scan_entries\": {}, \"write_percent\": {}, \"seed\": {},\n",
      Quoted(workload), config.keys, Quoted(config.ordered ? "ordered" : "hashed"),
      config.key_bytes, config.value_bytes, config.compressible, config.zipf, config.threads,
      config.batch, config.seconds, config.warmup_seconds, config.scan_entries,
      config.write_percent, config.seed);
  json += fmt::format(
      "  \"durability\": {}, \"cache_bytes\": {}, \"memtable_bytes\": {}, "
      "\"memtable_budget_bytes\": "
      "{}, \"compression_level\": {}, \"filter_bits_per_key\": {}, \"background_threads\": {},\n"
      "  \"results\": [",
      Quoted(engine.durable ? "durable" : "relaxed"), engine.cache_bytes, engine.memtable_bytes,
      engine.memtable_budget_bytes, engine.compression_level, engine.filter_bits_per_key,
      engine.background_threads);
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& r = results[i];
    json += fmt::format("{}\n    {{\"engine\": {}, \"description\": {},\n", i == 0 ? "" : ",",
                        Quoted(r.engine), Quoted(r.description));
    json += fmt::format(
        "     \"operations\": {}, \"keys\": {}, \"keys_not_found\": {}, \"elapsed_s\": {:.6f}, "
        "\"operations_per_second\": {:.1f}, \"operations_in_slowest_second\": {},\n"
        "     \"latency_us\": {{",
        r.operations, r.keys, r.missing, r.elapsed_s, OperationsPerSecond(r), SlowestSecond(r));
    for (size_t l = 0; l < r.latencies.size(); ++l) {
      const Histogram& ns = r.latencies[l].ns;
      json += fmt::format(
          "{}\"{}\": {{\"count\": {}, \"mean\": {:.3f}, \"p50\": {:.3f}, \"p99\": {:.3f}, "
          "\"p99.9\": "
          "{:.3f}, \"max\": {:.3f}}}",
          l == 0 ? "" : ", ", r.latencies[l].operation, ns.count(), ns.mean() * 1e-3,
          Us(ns.Percentile(50)), Us(ns.Percentile(99)), Us(ns.Percentile(99.9)), Us(ns.max()));
    }
    json += fmt::format(
        "}},\n     \"cpu_s\": {:.3f}, \"device_read_bytes\": {}, \"settle_s\": {:.3f}, "
        "\"settled_cpu_s\": {:.3f}, \"device_write_bytes\": {}, \"log_bytes\": {}, "
        "\"flush_bytes\": "
        "{}, \"compaction_bytes\": {}, \"writes_held_back_s\": {:.3f},\n",
        r.process.cpu_s, r.process.device_read_bytes, r.settle_s, r.settled.cpu_s,
        r.settled.device_write_bytes, r.counters.log_bytes, r.counters.flush_bytes,
        r.counters.compaction_bytes, r.counters.stalled_s);
    json += fmt::format(
        "     \"user_bytes_written\": {}, \"user_bytes_read\": {}, \"live_bytes\": {}, "
        "\"disk_bytes\": {}, \"table_bytes\": {}, \"write_amplification\": {:.4f}, "
        "\"table_write_amplification\": {:.4f}, \"read_amplification\": {:.4f}, "
        "\"space_amplification\": {:.4f},\n     \"each_second\": [{}]}}",
        r.user_bytes_written, r.user_bytes_read, r.live_bytes, r.disk_bytes, r.table_bytes,
        WriteAmplification(r), TableWriteAmplification(r), ReadAmplification(r),
        SpaceAmplification(r), fmt::join(r.operations_per_second, ", "));
  }
  return json + "\n  ]\n}\n";
}

}  // namespace varve::bench
