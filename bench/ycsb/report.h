// What the driver saw: as a table for people, as JSON for programs, and as a page with plots.
#pragma once

#include <string>
#include <vector>

#include "bench/ycsb/driver.h"
#include "bench/ycsb/workload.h"

namespace varve::bench::ycsb {

// One target, measured once or several times.
struct TargetResult {
  std::string target;  // its name on the command line
  std::string description;
  std::vector<PhaseResult> loads;  // none, or one a turn
  std::vector<PhaseResult> runs;   // one a turn; none after a load alone
};

struct ReportHead {
  std::string command;
  std::string machine;
  std::string started;  // when, UTC
  Workload workload;
  DriverOptions options;
};

// The run whose rate is the median of all; `runs` is not empty.
const PhaseResult& MedianRun(const std::vector<PhaseResult>& runs);

std::string DescribeHead(const ReportHead& head);
std::string Table(const std::vector<TargetResult>& results);
// What went wrong, a line each; empty if nothing did.
std::string Troubles(const std::vector<TargetResult>& results);
// The names of fields carry their units. Figures stand for every turn.
std::string Json(const ReportHead& head, const std::vector<TargetResult>& results);
// A self-contained page, well-formed XML too, of the median runs.
std::string Html(const ReportHead& head, const std::vector<TargetResult>& results);

}  // namespace varve::bench::ycsb
