// What the turns of a row come to: medians, ratios, and whether the targets are met.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/compare/runner.h"

namespace varve::bench {

inline constexpr char kDevice[] = "device";

// Smallest, middle and largest of some turns.
struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
};
std::optional<Spread> SpreadOf(std::vector<double> values);

// A row's figures, and how much memory was taken.
std::vector<Metric> MetricsOf(const Row& row);
// The contestants of a row, and the device where it had turns.
std::vector<std::string> ColumnsOf(const RowResult& result);

// The figures of a contestant, turn by turn; of "device": of the device's turns beside Varve's.
std::vector<double> FiguresOf(const RowResult& result, const std::string& contestant,
                              const std::string& metric);

struct Ratio {
  double of_medians = 0;  // Varve's over the other's
  double min = 0;         // of the quotients turn by turn
  double max = 0;
};
std::optional<Ratio> RatioTo(const RowResult& result, const std::string& other,
                             const std::string& metric);

struct Verdict {
  std::string text;             // the target in words
  std::optional<double> value;  // what stands against it; nothing if a side was not measured
  double low = 0;               // the same, turn by turn
  double high = 0;
  bool met = false;
};
Verdict Judge(const RowResult& result, const Target& target);
// Varve's memory over its budget, at most, of all rows.
Verdict JudgeMemory(const std::vector<RowResult>& results);

}  // namespace varve::bench
