// The suites: which rows, over how much data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/compare/row.h"

namespace varve::bench {

// How much of everything a suite does.
struct Sizes {
  uint64_t fill_keys = 0;       // one by one
  uint64_t batch_keys = 0;      // in batches
  uint64_t cached_keys = 0;     // that cached reads find
  uint64_t cold_keys = 0;       // that cold reads find
  uint64_t data_keys = 0;       // that overwrites find
  uint64_t growth_keys = 0;     // before growth to ten times as many
  uint64_t overwrite_keys = 0;  // that the search for the sustained rate writes
  uint64_t amplification_keys = 0;
  uint64_t large_bytes = 0;  // of large values, written once and then again
  uint64_t open_keys = 0;    // in the directory that is opened
  uint64_t open_value_bytes = 100;
  uint64_t cache_bytes = 0;  // where all is to be cached
  double read_seconds = 0;
  double durable_seconds = 0;
  double paced_seconds = 0;
  int turns = 1;
};

struct SuiteOptions {
  std::string name;           // quick, standard or big
  uint64_t memory_bytes = 0;  // big: a quarter of the data
  double scale = 1;           // of all sizes and times
  uint64_t keys = 0;          // instead of the suite's, where rows fill and read keys one by one
  double paced_seconds = 0;   // instead of the suite's
};

bool IsSuite(const std::string& name);
Sizes SizesOf(const SuiteOptions& options);
std::vector<Row> RowsOf(const Sizes& sizes);

// The rows by theme.
void AppendWriteRows(const Sizes& sizes, std::vector<Row>* rows);
void AppendReadRows(const Sizes& sizes, std::vector<Row>* rows);
void AppendSpaceRows(const Sizes& sizes, std::vector<Row>* rows);

}  // namespace varve::bench
