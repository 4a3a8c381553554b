// The comparison as a table for people, as JSON for programs, and as a page with plots.
#pragma once

#include <string>
#include <vector>

#include "bench/compare/runner.h"

namespace varve::bench {

struct ReportHead {
  std::string suite;
  std::string command;
  std::string machine;
  std::string started;  // when, UTC
};

// Says what is true of all rows: machine, suite, options.
std::string DescribeHead(const ReportHead& head, const std::vector<RowResult>& results);
// One row with all its figures, ratios and targets.
std::string DescribeRow(const RowResult& result);
// One line a target.
std::string TargetTable(const std::vector<RowResult>& results);

// The names of fields carry their units.
std::string ReportJson(const ReportHead& head, const std::vector<RowResult>& results);
// A self-contained page.
std::string ReportHtml(const ReportHead& head, const std::vector<RowResult>& results);

}  // namespace varve::bench
