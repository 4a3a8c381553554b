// Row: one line of the comparison: what is set up, what is measured, and what it should reach.
//
// A suite (suites.h) is a list of rows; the runner (runner.h) measures each turn by turn on every
// contestant; the report (report.h) puts the turns side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "bench/engine.h"
#include "bench/watch.h"

namespace varve::bench {

enum class Temperature {
  kFresh,   // an empty directory
  kCached,  // data filled before and read once: all of it is in the engine's cache
  kCold,    // data filled before, the engine just opened, the page cache dropped
  kClosed,  // as kCold, but the row opens the engine
};

// What a row finds. Neighbours in a suite with equal setups share one opening of the engine.
struct Setup {
  Temperature temperature = Temperature::kFresh;
  uint64_t keys = 0;  // kFresh: that the row writes; else: that are there
  uint64_t value_bytes = 100;
  uint64_t cache_bytes = 0;
  bool durable = false;
  bool changes_data = false;  // the row writes into data that later rows find

  bool operator==(const Setup&) const = default;
};

// One figure of a row.
struct Metric {
  std::string name;
  std::string unit;
};

// The figure that every row has: anonymous memory at most, over cache and memtables.
inline constexpr char kMemory[] = "memory";

// What Varve's figure should reach.
struct Target {
  std::string metric;
  enum class Against { kNothing, kRocksDb, kRocksDbBlobs, kDevice } against;
  bool at_least;  // else: at most
  double bound;   // of the ratio Varve / other, or of the figure itself
  // If given: a ratio to the device of at least this is also enough.
  std::optional<double> or_device = {};
};

// What one turn of one contestant brought.
struct Turn {
  std::map<std::string, double> figures;  // by the metric's name
  std::map<std::string, double> device;   // the same, of the device's turn beside it
  Histogram latency_ns;                   // of one call; empty if the row has none
  std::vector<uint64_t> intervals;        // operations in each kIntervalSeconds, likewise
};

// What a row's function works with.
struct Context {
  Engine& engine;
  const EngineConfig& config;
  Watch& watch;
  uint64_t turn = 0;
  // Writes a second to offer in the paced row.
  double paced_rate = 0;
};

inline constexpr int kTurnsAny = 1 << 20;

struct Row {
  std::string name;
  std::string title;
  int threads = 1;
  Setup setup;
  std::vector<Metric> metrics;  // the first one is the row's own
  std::vector<Target> targets;
  // FailedPrecondition: the row can't be measured here, and is left out.
  std::function<StatusOr<Turn>(Context&)> measure;
  bool with_blobs = false;  // RocksDB also with blob files
  // A suite makes no more turns of the row, which takes long.
  int turns_max = kTurnsAny;
  // Measured first, because this row needs its figures.
  std::string needs = {};
};

}  // namespace varve::bench
