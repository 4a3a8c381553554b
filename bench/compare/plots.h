// The two plots that every report of a run has.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/histogram.h"

namespace varve::bench {

// Latency by percentile, each nine as wide as the next. Empty if nobody has 10 values.
std::string PercentilePlot(
    const std::string& title,
    const std::vector<std::pair<std::string, const Histogram*>>& latencies_ns);

// Operations a second over time, from counts of intervals of kIntervalSeconds (bench/recorder.h).
// Empty if nobody has 5.
std::string ThroughputPlot(
    const std::string& title,
    const std::vector<std::pair<std::string, const std::vector<uint64_t>*>>& intervals);

}  // namespace varve::bench
