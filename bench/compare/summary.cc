#include "bench/compare/summary.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve::bench {
namespace {

std::string NameOf(Target::Against against) {
  switch (against) {
    case Target::Against::kNothing:
      return "";
    case Target::Against::kRocksDb:
      return "rocksdb";
    case Target::Against::kRocksDbBlobs:
      return "rocksdb-blobs";
    case Target::Against::kDevice:
      return kDevice;
  }
  return "";
}

}  // namespace

std::optional<Spread> SpreadOf(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return Spread{values.front(), median, values.back()};
}

std::vector<Metric> MetricsOf(const Row& row) {
  std::vector<Metric> metrics = row.metrics;
  metrics.push_back({kMemory, "of budget"});
  return metrics;
}

std::vector<std::string> ColumnsOf(const RowResult& result) {
  std::vector<std::string> columns;
  for (const auto& [name, turns] : result.turns) columns.push_back(name);
  for (const Metric& metric : result.row->metrics) {
    if (FiguresOf(result, kDevice, metric.name).empty()) continue;
    columns.emplace_back(kDevice);
    break;
  }
  return columns;
}

std::vector<double> FiguresOf(const RowResult& result, const std::string& contestant,
                              const std::string& metric) {
  std::vector<double> figures;
  const bool device = contestant == kDevice;
  const std::vector<Turn>* const turns = result.TurnsOf(device ? "varve" : contestant);
  if (turns == nullptr) return figures;
  for (const Turn& turn : *turns) {
    const auto& from = device ? turn.device : turn.figures;
    if (const auto found = from.find(metric); found != from.end()) figures.push_back(found->second);
  }
  return figures;
}

std::optional<Ratio> RatioTo(const RowResult& result, const std::string& other,
                             const std::string& metric) {
  const std::vector<double> ours = FiguresOf(result, "varve", metric);
  const std::vector<double> theirs = FiguresOf(result, other, metric);
  if (ours.empty() || theirs.empty()) return std::nullopt;
  std::vector<double> quotients;
  for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if (theirs[i] == 0) return std::nullopt;
    quotients.push_back(ours[i] / theirs[i]);
  }
  const Spread spread = *SpreadOf(quotients);
  return Ratio{SpreadOf(ours)->median / SpreadOf(theirs)->median, spread.min, spread.max};
}

Verdict Judge(const RowResult& result, const Target& target) {
  Verdict verdict;
  const std::string other = NameOf(target.against);
  verdict.text =
      fmt::format("{} {} {:g}{}", target.metric, target.at_least ? ">=" : "<=", target.bound,
                  other.empty() ? "" : " x " + other);
  if (target.or_device) verdict.text += fmt::format(" or >= {:g} x device", *target.or_device);
  if (other.empty()) {
    const auto spread = SpreadOf(FiguresOf(result, "varve", target.metric));
    if (spread) {
      verdict.value = spread->median;
      verdict.low = spread->min;
      verdict.high = spread->max;
    }
  } else if (const auto ratio = RatioTo(result, other, target.metric)) {
    verdict.value = ratio->of_medians;
    verdict.low = ratio->min;
    verdict.high = ratio->max;
  }
  if (verdict.value) {
    verdict.met = target.at_least ? *verdict.value >= target.bound : *verdict.value <= target.bound;
  }
  if (!verdict.met && target.or_device) {
    const auto ratio = RatioTo(result, kDevice, target.metric);
    verdict.met = ratio && ratio->of_medians >= *target.or_device;
  }
  return verdict;
}

Verdict JudgeMemory(const std::vector<RowResult>& results) {
  Verdict verdict{.text = "memory <= 1 of cache and memtables, in every row"};
  for (const RowResult& result : results) {
    const auto spread = SpreadOf(FiguresOf(result, "varve", kMemory));
    if (spread) verdict.value = std::max(verdict.value.value_or(0), spread->max);
  }
  verdict.met = verdict.value && *verdict.value <= 1;
  return verdict;
}

}  // namespace varve::bench
