// Results as a table for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/engine.h"
#include "bench/workload/workload.h"

namespace varve::bench {

// What was run, in words.
std::string DescribeRun(const std::string& workload, const EngineConfig& engine,
                        const WorkloadConfig& config);
// One column a result.
std::string Table(const std::vector<Result>& results);
// One object; the names of its fields carry their units.
std::string Json(const std::string& workload, const EngineConfig& engine,
                 const WorkloadConfig& config, const std::vector<Result>& results);

}  // namespace varve::bench
