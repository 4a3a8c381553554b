// `varve sst FILE`: what is in a table.
#pragma once

#include <ostream>
#include <string>

#include "base/status.h"
#include "io/io.h"
#include "io/task.h"

namespace varve::tools {

struct PrintOptions {
  bool json = false;
  // Properties only; no blocks (records) and no entries.
  bool summary = false;
  // Values beyond this are cut in text; JSON has them whole.
  size_t value_bytes_max = 64;
};

// Prints the table at `path`, and checks all of it on the way. What can be read is printed, damaged
// parts are named in their place, and the first fault is returned.
io::Task<Status> PrintTable(io::Io& io, std::string path, PrintOptions options, std::ostream& out);

}  // namespace varve::tools
