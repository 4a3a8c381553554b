// The workloads that varve_bench runs one by one (fill, read, scan, mixed), the same for every
// engine: same keys, same values, same choices from the same seeds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "base/random.h"
#include "base/status.h"
#include "bench/engine.h"
#include "bench/process_counters.h"

namespace varve::bench {

enum class Kind { kFill, kRead, kScan, kMixed };

struct WorkloadConfig {
  Kind kind = Kind::kFill;
  uint64_t keys = 1'000'000;
  uint64_t key_bytes = 16;
  uint64_t value_bytes = 200;
  double compressible = 0.5;  // this share of a value repeats what stands before it
  bool ordered = false;       // keys come in order; else they are hashes
  double zipf = 0;            // skew of the choice of keys; 0 is uniform
  uint64_t threads = 1;
  uint64_t batch = 1;         // keys a write
  double seconds = 10;        // read, scan, mixed
  double warmup_seconds = 0;  // before that, not counted
  uint64_t scan_entries = 100;
  uint64_t write_percent = 50;  // mixed
  uint64_t seed = 1;
};

struct Latencies {
  std::string operation;  // write, get or scan
  Histogram ns;
};

struct Result {
  std::string engine;  // its name on the command line
  std::string description;
  double elapsed_s = 0;
  uint64_t operations = 0;
  uint64_t keys = 0;     // written, looked up or scanned
  uint64_t missing = 0;  // gets that found nothing
  uint64_t user_bytes_written = 0;
  uint64_t user_bytes_read = 0;
  std::vector<Latencies> latencies;
  std::vector<uint64_t> operations_per_second;  // second by second
  ProcessCounters process;                      // while it ran
  double settle_s = 0;                          // until memtables were flushed and compactions done
  ProcessCounters settled;                      // from the beginning until then
  EngineCounters counters;                      // from the beginning until then
  uint64_t disk_bytes = 0;                      // then
  uint64_t table_bytes = 0;                     // of it, without logs
  uint64_t live_bytes = 0;                      // keys and values
};

// Makes keys and values by their number.
class Data {
 public:
  explicit Data(const WorkloadConfig& config);
  // Appends the key of `i`, in [0, config.keys).
  void Key(uint64_t i, std::string* key) const;
  // A value; valid as long as this.
  std::string_view Value(Random& random) const;

 private:
  const WorkloadConfig& config_;
  std::string pool_;
};

// Chooses keys, uniformly or by Zipf's law (Gray et al., "Quickly generating billion-record
// synthetic databases", SIGMOD 1994), with the popular ones scattered.
class KeyChooser {
 public:
  KeyChooser(uint64_t keys, double skew);
  uint64_t Next(Random& random) const;

 private:
  const uint64_t keys_;
  const double skew_;
  double zeta_ = 0;
  double eta_ = 0;
};

// Runs the workload on an open engine.
StatusOr<Result> Run(Engine& engine, const EngineConfig& engine_config,
                     const WorkloadConfig& config);

}  // namespace varve::bench
