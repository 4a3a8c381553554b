// Real threads on a real Db: writers of batches across partitions and readers that check what they
// see, while the database is split, flushed, compacted, dropped from and copied under them. What
// the simulator cannot show, having one thread; the thread sanitizer watches.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/options.h"
#include "io/io.h"

namespace varve::stress {

struct StressOptions {
  engine::Durability durability = engine::Durability::kDurable;
  int writers = 3;
  int readers = 3;
  uint64_t milliseconds = 1000;
  uint64_t seed = 1;
};

// How often each thing was done.
using Tally = std::map<std::string, uint64_t>;

// Runs in `directory`, which must not exist. Prints what is wrong and ends the process at the first
// complaint: the other threads' state is worth a core dump then.
Tally Stress(io::Io& io, const std::string& directory, const StressOptions& options);

}  // namespace varve::stress
