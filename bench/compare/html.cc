// The report as a page that stands alone: tables, and plots in SVG. It is well-formed XML, too.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/compare/plots.h"
#include "bench/compare/report.h"
#include "bench/compare/summary.h"
#include "bench/compare/svg.h"
#include "bench/compare/text.h"

namespace varve::bench {
namespace {

std::string Cell(const std::string& text, const std::string& kind = "td",
                 const std::string& style = "") {
  return fmt::format("<{0}{1}>{2}</{0}>", kind,
                     style.empty() ? "" : fmt::format(" class=\"{}\"", style), Escaped(text));
}

std::string Spelled(const std::optional<Spread>& spread) {
  if (!spread) return "-";
  if (spread->min == spread->max) return Figure(spread->median);
  return fmt::format("{} ({} to {})", Figure(spread->median), Figure(spread->min),
                     Figure(spread->max));
}

std::string FigureTable(const RowResult& result) {
  std::vector<std::string> columns = ColumnsOf(result);
  std::string html = "<table><tr>" + Cell("", "th");
  for (const std::string& column : columns) html += Cell(column, "th");
  for (const std::string& column : columns) {
    if (column != "varve") html += Cell("of " + column, "th");
  }
  html += "</tr>\n";
  for (const Metric& metric : MetricsOf(*result.row)) {
    html += "<tr>" + Cell(metric.unit.empty() ? metric.name : metric.name + ", " + metric.unit);
    for (const std::string& column : columns) {
      html += Cell(Spelled(SpreadOf(FiguresOf(result, column, metric.name))));
    }
    for (const std::string& column : columns) {
      if (column == "varve") continue;
      const auto ratio = RatioTo(result, column, metric.name);
      html += Cell(ratio ? fmt::format("{} ({} to {})", Figure(ratio->of_medians),
                                       Figure(ratio->min), Figure(ratio->max))
                         : "-");
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string Verdicts(const RowResult& result) {
  std::string html;
  for (const Target& target : result.row->targets) {
    const Verdict verdict = Judge(result, target);
    if (!verdict.value) continue;
    html += fmt::format("<p class=\"{}\">{}: {}</p>\n", verdict.met ? "met" : "miss",
                        Escaped(verdict.text), Figure(*verdict.value));
  }
  return html;
}

// Of the last turn.
std::string ThroughputOf(const RowResult& result) {
  std::vector<std::pair<std::string, const std::vector<uint64_t>*>> intervals;
  for (const auto& [contestant, turns] : result.turns) {
    if (!turns.empty()) intervals.emplace_back(contestant, &turns.back().intervals);
  }
  return ThroughputPlot("Throughput over time", intervals);
}

// Of the last turn.
std::string LatencyOf(const RowResult& result) {
  std::vector<std::pair<std::string, const Histogram*>> latencies;
  for (const auto& [contestant, turns] : result.turns) {
    if (!turns.empty()) latencies.emplace_back(contestant, &turns.back().latency_ns);
  }
  return PercentilePlot("Latency of a call by percentile", latencies);
}

// Every figure that says how much more is written or kept than the user asked for.
std::string AmplificationPlot(const std::vector<RowResult>& results) {
  std::vector<Bar> bars;
  for (const RowResult& result : results) {
    for (const char* metric : {"write amplification", "space settled", "space at most"}) {
      for (const auto& [contestant, turns] : result.turns) {
        const auto spread = SpreadOf(FiguresOf(result, contestant, metric));
        if (!spread) continue;
        bars.push_back(
            {.name = fmt::format("{}: {}", result.row->name,
                                 std::string(metric) == "write amplification" ? "written" : metric),
             .value = spread->median,
             .color = ColorOf(contestant),
             .text = fmt::format("{} {}", Figure(spread->median), contestant)});
      }
    }
  }
  return BarPlot("Amplification: bytes written or kept over bytes of the user", bars);
}

std::string TargetPlot(const std::vector<RowResult>& results) {
  std::vector<Reach> reaches;
  for (const RowResult& result : results) {
    for (const Target& target : result.row->targets) {
      const Verdict verdict = Judge(result, target);
      if (!verdict.value || target.bound == 0) continue;
      const auto reach = [&](double value) {
        return target.at_least ? value / target.bound : target.bound / std::max(value, 1e-6);
      };
      const double low = reach(verdict.low);
      const double high = reach(verdict.high);
      reaches.push_back({.name = fmt::format("{}: {}", result.row->name, verdict.text),
                         .value = reach(*verdict.value),
                         .low = std::min(low, high),
                         .high = std::max(low, high),
                         .met = verdict.met,
                         .text = Figure(*verdict.value)});
    }
  }
  return ReachPlot("What the targets ask for, and what was reached", reaches);
}

}  // namespace

std::string ReportHtml(const ReportHead& head, const std::vector<RowResult>& results) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<title>Varve beside RocksDB: {}</title>\n<style>{}</style></head>\n<body>\n"
      "<h1>Varve beside RocksDB</h1>\n<pre>{}</pre>\n",
      Escaped(head.suite), kReportStyle, Escaped(DescribeHead(head, results)));
  html += TargetPlot(results) + AmplificationPlot(results);
  for (const RowResult& result : results) {
    html += fmt::format("<h2 id=\"{}\">{}: {}</h2>\n<p class=\"setup\">{}</p>\n", result.row->name,
                        result.row->name, Escaped(result.row->title),
                        Escaped(DescribeSetup(*result.row)));
    html += Verdicts(result) + FigureTable(result);
    html += ThroughputOf(result) + LatencyOf(result);
  }
  return html + "</body></html>\n";
}

}  // namespace varve::bench
