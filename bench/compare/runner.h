// The runner: measures rows turn by turn, engine after engine, in one process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/compare/row.h"

namespace varve::bench {

struct RunnerOptions {
  std::string directory = "varve-bench-data";
  std::vector<std::string> contestants{"varve", "rocksdb", "rocksdb-blobs"};
  int turns = 0;  // of every row; 0: the suite's, as far as the row goes along
  int suite_turns = 1;
  bool keep = false;      // the data that reads find, for the next run
  EngineConfig engine;    // what all rows have in common
  double paced_rate = 0;  // instead of 80 % of RocksDB's
};

struct RowResult {
  const Row* row = nullptr;
  // By contestant, in the order of RunnerOptions.
  std::vector<std::pair<std::string, std::vector<Turn>>> turns;
  std::map<std::string, std::string> described;  // by contestant: how it was opened
  EngineConfig config;

  const std::vector<Turn>* TurnsOf(const std::string& contestant) const;
};

// Anonymous memory an engine may take: its cache and its memtables.
uint64_t MemoryBudget(const EngineConfig& config);

// Says on stderr what it is doing.
StatusOr<std::vector<RowResult>> RunRows(const RunnerOptions& options,
                                         const std::vector<Row>& rows);

}  // namespace varve::bench
