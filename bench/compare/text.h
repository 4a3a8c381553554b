// Numbers and names as people read them.
#pragma once

#include <string>

#include "bench/compare/row.h"

namespace varve::bench {

// Three significant digits, thousands separated: 1,630,000; 12.3; 0.0456. "-" for what is no number.
std::string Figure(double value);
// "10,000,000 keys x (16 B + 100 B), cached in 2.0 GiB, 1 thread".
std::string DescribeSetup(const Row& row);
std::string Name(Temperature temperature);

}  // namespace varve::bench
