// Real threads on a Store: transfers between accounts, counters, batches, items that expire,
// readers of the table, its index and its stream, and tables that come and go, while the engine
// beneath is flushed and split. What the simulator cannot show of the item layer, having one
// thread; the thread sanitizer watches.
#pragma once

#include <string>

#include "io/io.h"
#include "tests/stress/stress.h"

namespace varve::stress {

// Runs in `directory`, which must not exist. Ends the process at the first complaint, as Stress.
Tally StressStore(io::Io& io, const std::string& directory, const StressOptions& options);

}  // namespace varve::stress
