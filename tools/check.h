// `varve check DIR`: whether a data directory is whole.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "base/status.h"
#include "io/io.h"
#include "io/task.h"

namespace varve::tools {

// What was looked at, up to the first fault.
struct CheckReport {
  uint64_t partitions = 0;
  uint64_t tables = 0;
  uint64_t table_bytes = 0;
  uint64_t entries = 0;
  uint64_t value_files = 0;
  uint64_t value_file_bytes = 0;
  uint64_t values = 0;
  uint64_t log_records = 0;
  uint64_t log_payload_bytes = 0;
  // Files that nothing refers to: left behind by a crash, and removed by the next opening.
  uint64_t leftover_files = 0;

  void PrintText(std::ostream& out, const std::string& directory, const Status& status) const;
  void PrintJson(std::ostream& out, const std::string& directory, const Status& status) const;
};

// Reads every byte of the database in `directory` that belongs to it and checks
//   - the manifest: checksums, and that partitions cover the key space, levels are in order and
//     clips lie in their partitions;
//   - every value file and every table: all that InspectTable and VerifyValueFile check, that the
//     manifest knows them as they are, that each reference leads to a value, and that no sequence
//     number is ahead of the manifest's ceiling;
//   - every partition: that for each key, what stands in a level is newer than what stands below;
//   - the log: checksums, that its end is torn at most, and that its records hold batches.
// Returns the first fault, with its place. Writes nothing, except that LOCK is held meanwhile:
// FailedPrecondition if a process has the database open.
io::Task<Status> CheckDatabase(io::Io& io, std::string directory, CheckReport* report);

}  // namespace varve::tools
