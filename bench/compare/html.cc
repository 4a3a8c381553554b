// The report as a page that stands alone: tables, and plots in SVG. It is well-formed XML, too.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/compare/report.h"
#include "bench/compare/summary.h"
#include "bench/compare/svg.h"
#include "bench/compare/text.h"
#include "bench/recorder.h"

namespace varve::bench {
namespace {

constexpr char kStyle[] = R"(
body { font: 14px/1.45 sans-serif; margin: 2em auto; max-width: 1180px; color: #222; }
table { border-collapse: collapse; margin: 0.5em 0; }
th, td { padding: 2px 10px; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.met { color: #0b6e4f; } .miss { color: #c44536; } .setup { color: #777; }
svg { margin: 6px; } h2 { margin-top: 2em; border-top: 1px solid #bbb; padding-top: 0.6em; }
pre { white-space: pre-wrap; background: #f5f5f5; padding: 0.8em; }
)";

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

// Operations a second over the time of the last turn.
std::string ThroughputPlot(const RowResult& result) {
  constexpr size_t kPointsMax = 600;
  std::vector<Series> series;
  for (const auto& [contestant, turns] : result.turns) {
    if (turns.empty() || turns.back().intervals.size() < 5) continue;
    const std::vector<uint64_t>& intervals = turns.back().intervals;
    const size_t width = (intervals.size() + kPointsMax - 1) / kPointsMax;
    Series one{.name = contestant};
    for (size_t i = 0; i + width <= intervals.size(); i += width) {
      uint64_t sum = 0;
      for (size_t j = i; j < i + width; ++j) sum += intervals[j];
      one.points.emplace_back(
          static_cast<double>(i) * kIntervalSeconds,
          static_cast<double>(sum) / (static_cast<double>(width) * kIntervalSeconds));
    }
    series.push_back(std::move(one));
  }
  if (series.empty()) return "";
  return LinePlot("Throughput over time", {.label = "seconds"}, {.label = "a second"}, series);
}

// Latency by percentile, of the last turn; each nine is as wide as the next.
std::string LatencyPlot(const RowResult& result) {
  constexpr double kPercents[] = {0,    25,   50,    75,    90,     95,     99,
                                  99.5, 99.9, 99.95, 99.99, 99.999, 99.9999};
  const auto place = [](double percent) { return -std::log10(1 - percent / 100); };
  std::vector<Series> series;
  for (const auto& [contestant, turns] : result.turns) {
    if (turns.empty() || turns.back().latency_ns.count() < 10) continue;
    const Histogram& ns = turns.back().latency_ns;
    Series one{.name = contestant};
    for (const double percent : kPercents) {
      if (static_cast<double>(ns.count()) * (1 - percent / 100) < 1) break;
      one.points.emplace_back(place(percent), static_cast<double>(ns.Percentile(percent)) * 1e-3);
    }
    one.points.emplace_back(place(100 - 100 / static_cast<double>(ns.count() + 1)),
                            static_cast<double>(ns.max()) * 1e-3);
    series.push_back(std::move(one));
  }
  if (series.empty()) return "";
  std::vector<std::pair<double, std::string>> marks;
  for (const double percent : {0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999}) {
    marks.emplace_back(place(percent), fmt::format("{:g}", percent));
  }
  return LinePlot("Latency of a call by percentile", {.label = "percentile", .marks = marks},
                  {.label = "us", .logarithmic = true}, series);
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
      Escaped(head.suite), kStyle, Escaped(DescribeHead(head, results)));
  html += TargetPlot(results) + AmplificationPlot(results);
  for (const RowResult& result : results) {
    html += fmt::format("<h2 id=\"{}\">{}: {}</h2>\n<p class=\"setup\">{}</p>\n", result.row->name,
                        result.row->name, Escaped(result.row->title),
                        Escaped(DescribeSetup(*result.row)));
    html += Verdicts(result) + FigureTable(result);
    html += ThroughputPlot(result) + LatencyPlot(result);
  }
  return html + "</body></html>\n";
}

}  // namespace varve::bench
