#include "bench/compare/plots.h"

#include <fmt/format.h>

#include <cmath>

#include "bench/compare/svg.h"
#include "bench/recorder.h"

namespace varve::bench {

std::string PercentilePlot(
    const std::string& title,
    const std::vector<std::pair<std::string, const Histogram*>>& latencies_ns) {
  constexpr double kPercents[] = {0,    25,   50,    75,    90,     95,     99,
                                  99.5, 99.9, 99.95, 99.99, 99.999, 99.9999};
  const auto place = [](double percent) { return -std::log10(1 - percent / 100); };
  std::vector<Series> series;
  for (const auto& [name, histogram] : latencies_ns) {
    const Histogram& ns = *histogram;
    if (ns.count() < 10) continue;
    Series one{.name = name};
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
  return LinePlot(title, {.label = "percentile", .marks = marks},
                  {.label = "us", .logarithmic = true}, series);
}

std::string ThroughputPlot(
    const std::string& title,
    const std::vector<std::pair<std::string, const std::vector<uint64_t>*>>& intervals) {
  constexpr size_t kPointsMax = 600;
  std::vector<Series> series;
  for (const auto& [name, counts] : intervals) {
    if (counts->size() < 5) continue;
    const size_t width = (counts->size() + kPointsMax - 1) / kPointsMax;
    Series one{.name = name};
    for (size_t i = 0; i + width <= counts->size(); i += width) {
      uint64_t sum = 0;
      for (size_t j = i; j < i + width; ++j) sum += (*counts)[j];
      one.points.emplace_back(
          static_cast<double>(i) * kIntervalSeconds,
          static_cast<double>(sum) / (static_cast<double>(width) * kIntervalSeconds));
    }
    series.push_back(std::move(one));
  }
  if (series.empty()) return "";
  return LinePlot(title, {.label = "seconds"}, {.label = "a second"}, series);
}

}  // namespace varve::bench
