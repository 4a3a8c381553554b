// The driver: loads records into a target and runs a workload on it.
//
// Operations are made by slots: coroutines, `depth` a connection, each with one operation under way
// at most, on as many threads as asked for (a thread a connection where calls block).
//
// Closed loop (rate 0): a slot makes its next operation when the last one is answered. Open loop:
// the times at which operations are to begin are fixed beforehand, evenly or at random; a free slot
// takes the next of them, and the operation's latency counts from that time, not from when a slot
// was free to begin. So an operation that had to wait behind slow ones is as slow as its user would
// have found it (coordinated omission: Gil Tene, "How NOT to Measure Latency").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "bench/process_counters.h"
#include "bench/ycsb/target.h"
#include "bench/ycsb/workload.h"
#include "io/io.h"
#include "io/network.h"

namespace varve::bench::ycsb {

struct DriverOptions {
  RecordShape shape;
  uint64_t records = 100'000;
  uint64_t connections = 16;
  uint64_t depth = 1;  // operations under way on a connection
  uint64_t threads = 1;
  double seconds = 10;
  uint64_t operations = 0;  // if not 0, the run ends with them
  double warmup_seconds = 1;
  double rate = 0;       // operations a second over all connections; 0: closed loop
  bool poisson = false;  // they begin at random, independently; else evenly
  uint64_t seed = 1;
  bool progress = false;  // a line on standard error, renewed each half second
};

// What one kind of operation took.
struct KindResult {
  OperationKind kind = OperationKind::kRead;
  Histogram latency_ns;
  // Open loop: from when it really began.
  Histogram service_ns;
};

struct PhaseResult {
  double elapsed_s = 0;
  uint64_t operations = 0;  // answered, and no error
  uint64_t not_found = 0;   // reads, of those
  uint64_t errors = 0;
  std::map<std::string, uint64_t> error_texts;  // the first few, with how often
  uint64_t lost_connections = 0;
  uint64_t not_begun = 0;  // open loop: whose time had come, and no slot was free
  bool interrupted = false;
  std::vector<KindResult> kinds;    // in the order of OperationKind
  std::vector<uint64_t> intervals;  // operations in each full kIntervalSeconds
  ProcessCounters process;          // of the driver, and of what runs in its process

  double rate() const { return elapsed_s > 0 ? static_cast<double>(operations) / elapsed_s : 0; }
};

class Driver {
 public:
  // All must outlive it; `target` is open. `termination` is of io::WatchForTermination: a signal
  // there ends a phase, and the next one after that the process.
  Driver(io::Io& io, const io::Socket& termination, Target* target, const std::string& target_name,
         const DriverOptions& options);
  ~Driver();

  // Inserts the records numbered [0, records).
  StatusOr<PhaseResult> Load();
  StatusOr<PhaseResult> Run(const Workload& workload);

 private:
  struct Phase;
  struct Worker;

  static io::Task<void> RunSlot(Phase* phase, Worker* worker, Session* session, uint64_t seed);
  static io::Task<bool> WaitUntil(Phase* phase, uint64_t ticks);
  StatusOr<PhaseResult> RunPhase(Phase* phase);
  void Watch(Phase* phase);

  io::Io& io_;
  const io::Socket& termination_;
  Target* const target_;
  const std::string target_name_;
  const DriverOptions options_;
  const ValuePool pool_;
};

}  // namespace varve::bench::ycsb
