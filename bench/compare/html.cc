#include "bench/compare/report.h"

namespace varve::bench {

std::string ReportHtml(const ReportHead& head, const std::vector<RowResult>& results) { return {}; }

}  // namespace varve::bench
