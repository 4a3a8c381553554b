#include "bench/compare/report.h"

#include <fmt/format.h>

#include <functional>
#include <iterator>

#include "bench/compare/summary.h"
#include "bench/compare/text.h"
#include "bench/quoted.h"
#include "bench/recorder.h"

namespace varve::bench {
namespace {

// The items between commas, each formatted.
template <typename Items>
std::string Joined(const Items& items,
                   const std::function<std::string(const typename Items::value_type&)>& format) {
  std::string joined;
  for (const auto& item : items) {
    if (!joined.empty()) joined += ", ";
    joined += format(item);
  }
  return joined;
}

std::string SpreadJson(const std::vector<double>& figures) {
  const Spread spread = *SpreadOf(figures);
  return fmt::format("{{\"min\": {:g}, \"median\": {:g}, \"max\": {:g}, \"turns\": [{}]}}",
                     spread.min, spread.median, spread.max,
                     Joined(figures, [](double f) { return fmt::format("{:g}", f); }));
}

std::string MetricJson(const RowResult& result, const Metric& metric) {
  std::string json =
      fmt::format("{{\"name\": {}, \"unit\": {}", Quoted(metric.name), Quoted(metric.unit));
  std::string ratios;
  for (const std::string& column : ColumnsOf(result)) {
    const std::vector<double> figures = FiguresOf(result, column, metric.name);
    if (figures.empty()) continue;
    json += fmt::format(", {}: {}", Quoted(column), SpreadJson(figures));
    if (column == "varve") continue;
    if (const auto ratio = RatioTo(result, column, metric.name)) {
      ratios += fmt::format("{}{}: {{\"of_medians\": {:g}, \"min\": {:g}, \"max\": {:g}}}",
                            ratios.empty() ? "" : ", ", Quoted(column), ratio->of_medians,
                            ratio->min, ratio->max);
    }
  }
  return json + fmt::format(", \"ratios\": {{{}}}}}", ratios);
}

// Of the last turn.
std::string CurvesJson(const std::string& contestant, const Turn& turn) {
  const Histogram& ns = turn.latency_ns;
  std::string percentiles;
  for (const double percent : {50.0, 90.0, 99.0, 99.9, 99.99, 99.999}) {
    percentiles += fmt::format("\"p{:g}\": {:g}, ", percent,
                               static_cast<double>(ns.Percentile(percent)) * 1e-3);
  }
  return fmt::format(
      "{}: {{\"latency_us\": {{{}\"max\": {:g}, \"count\": {}}}, \"per_interval\": "
      "[{}]}}",
      Quoted(contestant), percentiles, static_cast<double>(ns.max()) * 1e-3, ns.count(),
      fmt::join(turn.intervals, ","));
}

std::string RowJson(const RowResult& result) {
  const Row& row = *result.row;
  const auto targets = Joined(row.targets, [&](const Target& target) {
    const Verdict verdict = Judge(result, target);
    return fmt::format("{{\"target\": {}, \"value\": {}, \"met\": {}}}", Quoted(verdict.text),
                       verdict.value ? fmt::format("{:g}", *verdict.value) : "null", verdict.met);
  });
  std::string curves;
  for (const auto& [contestant, turns] : result.turns) {
    if (turns.empty()) continue;
    curves += (curves.empty() ? "" : ",\n      ") + CurvesJson(contestant, turns.back());
  }
  return fmt::format(
      "{{\"name\": {}, \"title\": {}, \"threads\": {}, \"keys\": {}, \"value_bytes\": {}, "
      "\"data\": {}, \"durable\": {}, \"cache_bytes\": {}, \"memtable_budget_bytes\": {},\n"
      "     \"metrics\": [\n      {}],\n     \"targets\": [{}],\n     \"last_turn\": {{\n      "
      "{}}}}}",
      Quoted(row.name), Quoted(row.title), row.threads, row.setup.keys, row.setup.value_bytes,
      Quoted(Name(row.setup.temperature)), row.setup.durable, result.config.cache_bytes,
      result.config.memtable_budget_bytes,
      [&] {
        std::string metrics;
        for (const Metric& metric : MetricsOf(row)) {
          metrics += (metrics.empty() ? "" : ",\n      ") + MetricJson(result, metric);
        }
        return metrics;
      }(),
      targets, curves);
}

}  // namespace

std::string DescribeHead(const ReportHead& head, const std::vector<RowResult>& results) {
  std::string text =
      fmt::format("suite {}, {}\n{}\n{}\n", head.suite, head.started, head.machine, head.command);
  std::map<std::string, std::string> described;
  for (const RowResult& result : results) {
    for (const auto& [contestant, how] : result.described) described.try_emplace(contestant, how);
  }
  for (const auto& [contestant, how] : described) text += fmt::format("{}: {}\n", contestant, how);
  if (!results.empty()) {
    const EngineConfig& config = results[0].config;
    text += fmt::format("{}, {} filter bits a key; min / median / max of the turns\n",
                        config.compression_level > 0
                            ? fmt::format("Zstandard {}", config.compression_level)
                            : "no compression",
                        config.filter_bits_per_key);
  }
  return text;
}

std::string DescribeRow(const RowResult& result) {
  const Row& row = *result.row;
  std::string text = fmt::format("\n{}: {}  [{}]\n", row.name, row.title, DescribeSetup(row));
  const std::vector<std::string> columns = ColumnsOf(result);
  text += fmt::format("  {:<24}", "");
  for (const std::string& column : columns) text += fmt::format("{:>38}", column);
  text += '\n';
  for (const Metric& metric : MetricsOf(row)) {
    text += fmt::format("  {:<24}",
                        metric.unit.empty() ? metric.name : metric.name + ", " + metric.unit);
    std::string ratios;
    for (const std::string& column : columns) {
      const auto spread = SpreadOf(FiguresOf(result, column, metric.name));
      text +=
          fmt::format("{:>38}", spread ? fmt::format("{} / {} / {}", Figure(spread->min),
                                                     Figure(spread->median), Figure(spread->max))
                                       : "-");
      if (column == "varve") continue;
      if (const auto ratio = RatioTo(result, column, metric.name)) {
        ratios += fmt::format("  {} x {} ({}-{})", Figure(ratio->of_medians), column,
                              Figure(ratio->min), Figure(ratio->max));
      }
    }
    text += ratios + '\n';
  }
  for (const Target& target : row.targets) {
    const Verdict verdict = Judge(result, target);
    text += fmt::format("  {}  {}: {}\n",
                        !verdict.value ? "?   "
                        : verdict.met  ? "met "
                                       : "MISS",
                        verdict.text, verdict.value ? Figure(*verdict.value) : "not measured");
  }
  return text;
}

std::string TargetTable(const std::vector<RowResult>& results) {
  std::string text;
  for (const RowResult& result : results) {
    for (const Target& target : result.row->targets) {
      const Verdict verdict = Judge(result, target);
      if (!verdict.value) continue;
      text += fmt::format("{}  {:<24} {:>9}  {}\n", verdict.met ? "met " : "MISS", result.row->name,
                          Figure(*verdict.value), verdict.text);
    }
  }
  if (const Verdict memory = JudgeMemory(results); memory.value) {
    text += fmt::format("{}  {:<24} {:>9}  {}\n", memory.met ? "met " : "MISS", "all rows",
                        Figure(*memory.value), memory.text);
  }
  return text.empty() ? text : "\n" + text;
}

std::string ReportJson(const ReportHead& head, const std::vector<RowResult>& results) {
  std::string described;
  std::string rows;
  for (const RowResult& result : results) {
    rows += (rows.empty() ? "" : ",\n    ") + RowJson(result);
    for (const auto& [contestant, how] : result.described) {
      if (described.find(Quoted(contestant) + ":") != std::string::npos) continue;
      described +=
          fmt::format("{}{}: {}", described.empty() ? "" : ", ", Quoted(contestant), Quoted(how));
    }
  }
  return fmt::format(
      "{{\n  \"suite\": {}, \"started\": {}, \"machine\": {}, \"command\": {},\n"
      "  \"interval_s\": {:g}, \"memory_of_budget_max\": {:g},\n  \"contestants\": {{{}}},\n  "
      "\"rows\": [\n    {}]\n}}\n",
      Quoted(head.suite), Quoted(head.started), Quoted(head.machine), Quoted(head.command),
      kIntervalSeconds, JudgeMemory(results).value.value_or(0), described, rows);
}

}  // namespace varve::bench
