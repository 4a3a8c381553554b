// Rows about what is kept: write and space amplification, large values, growth, opening.
#include "bench/compare/measure.h"
#include "bench/compare/suites.h"

namespace varve::bench {

void AppendSpaceRows(const Sizes& sizes, std::vector<Row>* rows) {}

}  // namespace varve::bench
