#include "tests/sim/simulation.h"

#include "tests/sim/run.h"

namespace varve::sim {

const std::vector<std::string>& RequiredTally() {
  static const auto* const required = new std::vector<std::string>{"process crash",
                                                                   "power cut",
                                                                   "torn write",
                                                                   "lost sector",
                                                                   "lost mapped sector",
                                                                   "lost size",
                                                                   "lost directory change",
                                                                   "read error",
                                                                   "write error",
                                                                   "sync error",
                                                                   "metadata error",
                                                                   "disk full",
                                                                   "slow completion",
                                                                   "clock jump",
                                                                   "bit flip",
                                                                   "crash during recovery",
                                                                   "crash during writes",
                                                                   "crash during flush",
                                                                   "crash during compaction",
                                                                   "crash during split",
                                                                   "crash during drop",
                                                                   "crash at manifest rotation",
                                                                   "crash at manifest edit",
                                                                   "crash at segment recycling",
                                                                   "crash at log write",
                                                                   "crash at table write",
                                                                   "crash at flush installation",
                                                                   "clean close",
                                                                   "checkpoint",
                                                                   "drop",
                                                                   "damage refused at opening",
                                                                   "damage found by a read"};
  return *required;
}

Outcome Simulate(const SimulationOptions& options) { return Run(options).Go(); }

}  // namespace varve::sim
