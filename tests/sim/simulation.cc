#include "tests/sim/simulation.h"

#include "tests/sim/run.h"
#include "tests/sim/store_run.h"

namespace varve::sim {

const std::vector<std::string>& RequiredTally(Layer layer) {
  static const auto* const engine = new std::vector<std::string>{"process crash",
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
  static const auto* const store =
      new std::vector<std::string>{"store: put",
                                   "store: update",
                                   "store: delete",
                                   "store: batch",
                                   "store: transaction",
                                   "store: transaction cancelled",
                                   "store: transaction conflict",
                                   "store: condition failed",
                                   "store: failed operation",
                                   "store: failed and done",
                                   "store: token known",
                                   "store: done when tried again",
                                   "store: failed, done when tried again",
                                   "store: get",
                                   "store: batch of reads",
                                   "store: transaction of reads",
                                   "store: page of a query",
                                   "store: page of a scan",
                                   "store: read of an index",
                                   "store: stream read",
                                   "store: stream judged",
                                   "store: stream enabled",
                                   "store: stream disabled",
                                   "store: table made",
                                   "store: failed and made",
                                   "store: table dropped",
                                   "store: index added",
                                   "store: index dropped",
                                   "store: time to live enabled",
                                   "store: item expired",
                                   "store: expiries postponed",
                                   "store: item set back by a power cut",
                                   "store: clean close",
                                   "store: crash during recovery",
                                   "store: crash during operations",
                                   "store: crash during flush",
                                   "store: crash during compaction",
                                   "store: crash during split",
                                   "store: crash during making a table",
                                   "store: crash during change of a table"};
  return layer == Layer::kEngine ? *engine : *store;
}

Outcome Simulate(const SimulationOptions& options) {
  return options.layer == Layer::kStore ? StoreRun(options).Go() : Run(options).Go();
}

}  // namespace varve::sim
