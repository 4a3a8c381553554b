// The machine that figures are of.
#pragma once

#include <string>

namespace varve::bench {

// "2 x AMD EPYC 7B13, 24 GiB, Linux 6.1.0".
std::string DescribeMachine();

}  // namespace varve::bench
