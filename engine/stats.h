// Counters and gauges of a Db. Counters start at zero when it opens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace varve::engine {

struct LevelStats {
  uint64_t tables = 0;
  uint64_t bytes = 0;
};

struct DbStats {
  // ---- Shape
  uint64_t partitions = 0;
  std::vector<LevelStats> levels;  // over all partitions, each table once
  uint64_t table_files = 0;
  uint64_t table_bytes = 0;
  uint64_t value_files = 0;
  uint64_t value_file_bytes = 0;
  uint64_t log_segments = 0;
  uint64_t log_bytes = 0;  // from the first byte still needed to the end
  uint64_t snapshots = 0;

  // ---- Memory
  uint64_t memtable_bytes = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t block_cache_pinned_bytes = 0;
  uint64_t open_tables = 0;

  // ---- Work
  uint64_t user_bytes_written = 0;  // keys and values of batches
  uint64_t batches_written = 0;
  uint64_t log_bytes_written = 0;
  uint64_t flushes = 0;
  uint64_t flush_bytes_written = 0;  // tables and value files
  uint64_t compactions = 0;
  uint64_t compaction_bytes_read = 0;
  uint64_t compaction_bytes_written = 0;
  // What compactions would write until all is in shape, about.
  uint64_t compaction_debt_bytes = 0;
  uint64_t block_cache_misses = 0;  // blocks read into the cache
  uint64_t reads_waited = 0;        // point reads that needed the disk
  uint64_t slowed_writes = 0;       // writes delayed by back-pressure
  uint64_t slowed_write_ns = 0;     // and by how much in all

  // ---- Health
  // Why background work is failing, empty if it is not.
  std::string background_error;

  // Table and value bytes written over user bytes.
  double WriteAmplification() const {
    return user_bytes_written == 0
               ? 0
               : static_cast<double>(flush_bytes_written + compaction_bytes_written) /
                     static_cast<double>(user_bytes_written);
  }
};

}  // namespace varve::engine
