// `varve wal FILE`: what is in a segment of the log.
#pragma once

#include <ostream>
#include <string>

#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "tools/print_table.h"

namespace varve::tools {

// Prints the header and the records of the segment at `path`, and the entries of each batch.
// Damaged records, and what an earlier life of the segment left behind, are named in their place;
// only whether they matter a segment alone can't say (`varve check` can). An error if the file
// can't be read, its header is damaged, or a whole record holds no batch.
io::Task<Status> PrintSegment(io::Io& io, std::string path, PrintOptions options,
                              std::ostream& out);

}  // namespace varve::tools
