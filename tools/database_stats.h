// `varve stats DIR`: the shape of a database, from its manifest alone.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/manifest_state.h"
#include "io/io.h"
#include "io/task.h"

namespace varve::tools {

// Sums over references or files; see the fields. Estimates rest on the samples that tables keep of
// themselves.
struct LevelShape {
  uint64_t tables = 0;      // each once, though several partitions refer to it
  uint64_t bytes = 0;       // of these files
  uint64_t live_bytes = 0;  // estimate of what references reach
  uint64_t entries = 0;
  uint64_t tombstones = 0;
};

struct PartitionShape {
  uint64_t id = 0;
  std::string begin;
  std::string end;
  uint64_t live_bytes = 0;
  uint64_t sorted_runs = 0;  // tables of level 0, and each deeper level in use
  std::vector<uint64_t> tables_per_level;
};

struct DatabaseShape {
  uint64_t database_id = 0;
  uint64_t manifest_bytes = 0;
  uint64_t next_file_number = 0;
  SequenceNumber sequence_ceiling = 0;
  std::vector<PartitionShape> partitions;
  std::vector<LevelShape> levels;
  uint64_t tables = 0;
  uint64_t table_bytes = 0;
  uint64_t key_bytes = 0;  // before compression
  uint64_t value_bytes = 0;
  uint64_t value_files = 0;
  uint64_t value_file_bytes = 0;
  uint64_t value_file_referenced_bytes = 0;
  uint64_t log_files = 0;  // spare ones included
  uint64_t log_file_bytes = 0;

  // Bytes of table and value files over the live bytes of each partition's deepest level and the
  // values referred to: what is stored over about what an ideally compacted database would store.
  double space_amplification = 0;
  // Sorted runs that a read has to look into at most, of the worst partition and on average.
  uint64_t read_amplification_max = 0;
  double read_amplification_mean = 0;
  // Raw bytes of keys and values over what is stored for them in tables.
  double compression_ratio = 0;

  void PrintText(std::ostream& out, bool each_partition) const;
  void PrintJson(std::ostream& out, bool each_partition) const;
};

DatabaseShape ShapeOf(const engine::ManifestState& state);

// Works beside a process that has the database open; then it shows a moment of it. Write
// amplification is not on disk: a running server tells it under /metrics, an embedding program by
// Db::Stats.
io::Task<StatusOr<DatabaseShape>> ReadShape(io::Io& io, std::string directory);

}  // namespace varve::tools
