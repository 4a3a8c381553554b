#include "bench/ycsb/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "bench/compare/plots.h"
#include "bench/compare/svg.h"
#include "bench/compare/text.h"
#include "bench/quoted.h"
#include "bench/recorder.h"

namespace varve::bench::ycsb {
namespace {

constexpr std::pair<std::string_view, double> kPercentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};

double Us(uint64_t ns) { return static_cast<double>(ns) * 1e-3; }

const KindResult* Find(const PhaseResult& run, OperationKind kind) {
  for (const KindResult& of_kind : run.kinds) {
    if (of_kind.kind == kind) return &of_kind;
  }
  return nullptr;
}

std::string JsonOf(const Histogram& ns) {
  std::string json = fmt::format("{{\"count\": {}, \"mean\": {:.3f}", ns.count(), ns.mean() * 1e-3);
  for (const auto& [name, percent] : kPercentiles) {
    json += fmt::format(", \"{}\": {:.3f}", name, Us(ns.Percentile(percent)));
  }
  return json + fmt::format(", \"max\": {:.3f}}}", Us(ns.max()));
}

std::string JsonOf(const PhaseResult& phase) {
  std::string json = fmt::format(
      "{{\"operations\": {}, \"elapsed_s\": {:.6f}, \"operations_per_second\": {:.1f}, "
      "\"not_found\": {}, \"errors\": {}, \"lost_connections\": {}, \"not_begun\": {}, "
      "\"interrupted\": {}, \"driver_cpu_s\": {:.3f},\n       \"error_texts\": {{",
      phase.operations, phase.elapsed_s, phase.rate(), phase.not_found, phase.errors,
      phase.lost_connections, phase.not_begun, phase.interrupted, phase.process.cpu_s);
  bool first = true;
  for (const auto& [text, count] : phase.error_texts) {
    json += fmt::format("{}{}: {}", first ? "" : ", ", Quoted(text), count);
    first = false;
  }
  json += "},\n       \"latency_us\": {";
  for (size_t i = 0; i < phase.kinds.size(); ++i) {
    json += fmt::format("{}{}: {}", i == 0 ? "" : ",\n         ",
                        Quoted(NameOf(phase.kinds[i].kind)), JsonOf(phase.kinds[i].latency_ns));
  }
  json += "},\n       \"service_us\": {";
  first = true;
  for (const KindResult& of_kind : phase.kinds) {
    if (of_kind.service_ns.count() == 0) continue;
    json += fmt::format("{}{}: {}", first ? "" : ",\n         ", Quoted(NameOf(of_kind.kind)),
                        JsonOf(of_kind.service_ns));
    first = false;
  }
  return json + fmt::format("}},\n       \"interval_s\": {}, \"operations_each_interval\": [{}]}}",
                            kIntervalSeconds, fmt::join(phase.intervals, ", "));
}

std::string JsonOf(const std::vector<PhaseResult>& phases) {
  std::string json = "[";
  for (size_t i = 0; i < phases.size(); ++i)
    json += (i == 0 ? "" : ",\n      ") + JsonOf(phases[i]);
  return json + "]";
}

// The runs; of a load alone the loads.
const std::vector<PhaseResult>& Shown(const TargetResult& result) {
  return result.runs.empty() ? result.loads : result.runs;
}

// Rows of names and of what they are for each target: of the table and of the page.
struct Row {
  std::string name;
  std::vector<std::string> cells;
};

std::vector<Row> Rows(const std::vector<TargetResult>& results) {
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, auto cell) {
    Row row{.name = name};
    for (const TargetResult& result : results) {
      row.cells.push_back(Shown(result).empty() ? "-" : cell(MedianRun(Shown(result))));
    }
    if (std::any_of(row.cells.begin(), row.cells.end(), [](const auto& c) { return c != "-"; })) {
      rows.push_back(std::move(row));
    }
  };
  Row load{.name = "load, records/s"};
  for (const TargetResult& result : results) {
    load.cells.push_back(result.loads.empty() ? "-" : Figure(MedianRun(result.loads).rate()));
  }
  if (std::any_of(load.cells.begin(), load.cells.end(), [](const auto& c) { return c != "-"; })) {
    rows.push_back(std::move(load));
  }
  add("operations/s", [](const PhaseResult& run) { return fmt::format("{:.0f}", run.rate()); });
  for (size_t k = 0; k < kOperationKinds; ++k) {
    const auto kind = static_cast<OperationKind>(k);
    const auto latency = [&](const std::string& what, auto of_histogram) {
      add(fmt::format("{} {}, us", NameOf(kind), what), [&](const PhaseResult& run) -> std::string {
        const KindResult* const of_kind = Find(run, kind);
        return of_kind == nullptr ? "-" : Figure(of_histogram(of_kind->latency_ns));
      });
    };
    latency("mean", [](const Histogram& ns) { return ns.mean() * 1e-3; });
    for (const auto& [name, percent] : kPercentiles) {
      latency(std::string(name), [&](const Histogram& ns) { return Us(ns.Percentile(percent)); });
    }
    latency("max", [](const Histogram& ns) { return Us(ns.max()); });
    add(fmt::format("{} p99 from its begin, us", NameOf(kind)),
        [&](const PhaseResult& run) -> std::string {
          const KindResult* const of_kind = Find(run, kind);
          if (of_kind == nullptr || of_kind->service_ns.count() == 0) return "-";
          return Figure(Us(of_kind->service_ns.Percentile(99)));
        });
  }
  add("errors", [](const PhaseResult& run) { return fmt::format("{}", run.errors); });
  add("reads that found nothing",
      [](const PhaseResult& run) { return fmt::format("{}", run.not_found); });
  add("driver's CPU, us/operation", [](const PhaseResult& run) {
    return fmt::format("{:.2f}", run.process.cpu_s * 1e6 /
                                     static_cast<double>(std::max<uint64_t>(run.operations, 1)));
  });
  return rows;
}

std::string DescribeLoop(const DriverOptions& options) {
  if (options.rate == 0) return "closed loop";
  return fmt::format("open loop, {:.0f} operations a second beginning {}, latencies from then",
                     options.rate, options.poisson ? "at random" : "evenly");
}

}  // namespace

const PhaseResult& MedianRun(const std::vector<PhaseResult>& runs) {
  std::vector<const PhaseResult*> sorted;
  for (const PhaseResult& run : runs) sorted.push_back(&run);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->rate() < b->rate(); });
  return *sorted[sorted.size() / 2];
}

std::string DescribeHead(const ReportHead& head) {
  const DriverOptions& options = head.options;
  return fmt::format(
      "workload {} ({})\n{} records of {} field{} of {} bytes\n{} connection{}, {} operation{} "
      "under way "
      "on each, {} thread{}, {}\n{}, {}\n",
      head.workload.name, Describe(head.workload), options.records, options.shape.fields,
      options.shape.fields == 1 ? "" : "s", options.shape.field_bytes, options.connections,
      options.connections == 1 ? "" : "s", options.depth, options.depth == 1 ? "" : "s",
      options.threads, options.threads == 1 ? "" : "s", DescribeLoop(options), head.started,
      head.machine);
}

std::string Table(const std::vector<TargetResult>& results) {
  constexpr int kNameWidth = 34;
  constexpr int kWidth = 14;
  std::string table;
  for (const TargetResult& result : results) {
    table += fmt::format("{}: {}\n", result.target, result.description);
  }
  table += fmt::format("\n{:<{}}", "", kNameWidth);
  for (const TargetResult& result : results) table += fmt::format("{:>{}}", result.target, kWidth);
  table += '\n';
  for (const Row& row : Rows(results)) {
    table += fmt::format("{:<{}}", row.name, kNameWidth);
    for (const std::string& cell : row.cells) table += fmt::format("{:>{}}", cell, kWidth);
    table += '\n';
  }
  if (!results.empty() && Shown(results[0]).size() > 1) {
    table += fmt::format("Of {} turns, the one with the median rate.\n", Shown(results[0]).size());
  }
  return table;
}

std::string Troubles(const std::vector<TargetResult>& results) {
  std::string text;
  for (const TargetResult& result : results) {
    for (const auto* phases : {&result.loads, &result.runs}) {
      for (const PhaseResult& phase : *phases) {
        for (const auto& [error, count] : phase.error_texts) {
          text += fmt::format("{}: {} x {}\n", result.target, count, error);
        }
        if (phase.lost_connections > 0) {
          text +=
              fmt::format("{}: {} connection slots lost\n", result.target, phase.lost_connections);
        }
        if (phase.not_begun > 0) {
          text += fmt::format(
              "{}: did not keep up: {} operations whose time had come were not begun, and are in "
              "no "
              "latency\n",
              result.target, phase.not_begun);
        }
        if (phase.interrupted) {
          text += fmt::format("{}: interrupted: figures are of what was done until then\n",
                              result.target);
        }
      }
    }
  }
  return text;
}

std::string Json(const ReportHead& head, const std::vector<TargetResult>& results) {
  const DriverOptions& options = head.options;
  std::string json = fmt::format(
      "{{\n  \"workload\": {}, \"mix\": {}, \"records\": {}, \"fields\": {}, \"field_bytes\": {},\n"
      "  \"connections\": {}, \"depth\": {}, \"threads\": {}, \"seconds\": {}, \"operations\": {}, "
      "\"warmup_seconds\": {},\n  \"rate_per_second\": {}, \"arrivals\": {}, \"seed\": {},\n"
      "  \"started\": {}, \"machine\": {}, \"command\": {},\n  \"results\": [",
      Quoted(std::string(1, head.workload.name)), Quoted(Describe(head.workload)), options.records,
      options.shape.fields, options.shape.field_bytes, options.connections, options.depth,
      options.threads, options.seconds, options.operations, options.warmup_seconds, options.rate,
      options.rate == 0 ? "null"
      : options.poisson ? "\"poisson\""
                        : "\"even\"",
      options.seed, Quoted(head.started), Quoted(head.machine), Quoted(head.command));
  for (size_t i = 0; i < results.size(); ++i) {
    json += fmt::format(
        "{}\n    {{\"target\": {}, \"description\": {},\n     \"loads\": {},\n     \"runs\": {}}}",
        i == 0 ? "" : ",", Quoted(results[i].target), Quoted(results[i].description),
        JsonOf(results[i].loads), JsonOf(results[i].runs));
  }
  return json + "\n  ]\n}\n";
}

std::string Html(const ReportHead& head, const std::vector<TargetResult>& results) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>Workload "
      "{}</title>\n"
      "<style>{}</style></head><body>\n<h1>Workload {}</h1>\n<pre>{}</pre>\n",
      head.workload.name, kReportStyle, head.workload.name,
      Escaped(DescribeHead(head) + head.command));
  for (const TargetResult& result : results) {
    html +=
        fmt::format("<p><b>{}</b>: {}</p>\n", Escaped(result.target), Escaped(result.description));
  }
  if (const std::string troubles = Troubles(results); !troubles.empty()) {
    html += fmt::format("<pre class=\"miss\">{}</pre>\n", Escaped(troubles));
  }
  html += "<table><tr><th></th>";
  for (const TargetResult& result : results) html += "<th>" + Escaped(result.target) + "</th>";
  html += "</tr>\n";
  for (const Row& row : Rows(results)) {
    html += "<tr><td>" + Escaped(row.name) + "</td>";
    for (const std::string& cell : row.cells) html += "<td>" + Escaped(cell) + "</td>";
    html += "</tr>\n";
  }
  html += "</table>\n";
  for (size_t k = 0; k < kOperationKinds; ++k) {
    const auto kind = static_cast<OperationKind>(k);
    std::vector<std::pair<std::string, const Histogram*>> latencies;
    for (const TargetResult& result : results) {
      if (Shown(result).empty()) continue;
      const KindResult* const of_kind = Find(MedianRun(Shown(result)), kind);
      if (of_kind != nullptr) latencies.emplace_back(result.target, &of_kind->latency_ns);
    }
    html += PercentilePlot(fmt::format("Latency of {} by percentile", NameOf(kind)), latencies);
  }
  std::vector<std::pair<std::string, const std::vector<uint64_t>*>> intervals;
  for (const TargetResult& result : results) {
    if (!Shown(result).empty())
      intervals.emplace_back(result.target, &MedianRun(Shown(result)).intervals);
  }
  html += ThroughputPlot("Throughput over time", intervals);
  return html + "</body></html>\n";
}

}  // namespace varve::bench::ycsb
