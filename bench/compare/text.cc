#include "bench/compare/text.h"

#include <fmt/format.h>

#include <cmath>

#include "bench/keys.h"

namespace varve::bench {

std::string Figure(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::abs(value);
  if (size < 0.0005) return "0";
  const int digits = static_cast<int>(std::floor(std::log10(size)));
  if (digits < 3) return fmt::format("{:.{}f}", value, std::max(0, 2 - digits));
  const double step = std::pow(10, std::max(0, digits - 2));
  std::string text = fmt::format("{:.0f}", std::round(value / step) * step);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string Name(Temperature temperature) {
  switch (temperature) {
    case Temperature::kFresh:
      return "fresh";
    case Temperature::kCached:
      return "cached";
    case Temperature::kCold:
      return "cold";
    case Temperature::kClosed:
      return "closed";
  }
  return "";
}

std::string DescribeSetup(const Row& row) {
  std::string text;
  if (row.setup.keys > 0) {
    text = fmt::format("{} keys x ({} + {} B), ", Figure(static_cast<double>(row.setup.keys)),
                       kKeyBytes, row.setup.value_bytes);
  }
  text += Name(row.setup.temperature);
  if (row.setup.cache_bytes > 0) {
    text += fmt::format(", cache {} MiB", row.setup.cache_bytes >> 20);
  }
  text += fmt::format(", {} thread{}, {}", row.threads, row.threads == 1 ? "" : "s",
                      row.setup.durable ? "durable" : "relaxed");
  return text;
}

}  // namespace varve::bench
