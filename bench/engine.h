// What varve_bench measures: an engine behind the few calls that its workloads make. One
// implementation an engine (varve_engine.cc, rocksdb_engine.cc), set up alike; Describe() says how.
//
// A call costs one indirection more than the engine's own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace varve::bench {

struct EngineConfig {
  std::string directory;
  bool durable =
      true;  // a write returns when it would survive a power cut; else, the process's end
  uint64_t cache_bytes = uint64_t{256} << 20;
  uint64_t memtable_bytes = uint64_t{32} << 20;          // one memtable
  uint64_t memtable_budget_bytes = uint64_t{128} << 20;  // all of them
  int compression_level = 1;                             // Zstandard; 0 is none
  int filter_bits_per_key = 10;
  int background_threads = 1;
  std::string layout = "lazy-leveled";  // Varve's compaction
  std::string io = "auto";         // Varve's I/O: auto, uring or posix
  // RocksDB keeps values of this size and more in blob files; 0 keeps all in tables. Varve has its
  // own threshold (docs/tuning.md).
  uint64_t blob_bytes_min = 0;
  // Whether BlockReads() counts, where that costs something.
  bool count_block_reads = false;
};

// Bytes the engine says it has written since it was opened.
struct EngineCounters {
  uint64_t log_bytes = 0;
  uint64_t flush_bytes = 0;
  uint64_t compaction_bytes = 0;
  // How long writes were held back, summed over the threads.
  double stalled_s = 0;
};

// Thread-safe between Open and Close, but for WaitUntilSettled.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual Status Open(const EngineConfig& config) = 0;
  virtual Status Close() = 0;

  using KeyValue = std::pair<std::string_view, std::string_view>;
  virtual Status Put(std::string_view key, std::string_view value) = 0;
  // All in one atomic batch.
  virtual Status Write(std::span<const KeyValue> entries) = 0;
  // Whether the key is there; then `*value_bytes` is the size of its value, which has been made
  // available in memory.
  virtual StatusOr<bool> Get(std::string_view key, uint64_t* value_bytes) = 0;
  // Gets all `keys` in one call, and returns how many are there. At most kMultiGetMax.
  static constexpr size_t kMultiGetMax = 256;
  virtual StatusOr<uint64_t> MultiGet(std::span<const std::string_view> keys) = 0;
  // Reads up to `entries` entries from `start` on; adds their sizes to `*bytes`. Returns how many.
  virtual StatusOr<uint64_t> Scan(std::string_view start, uint64_t entries, uint64_t* bytes) = 0;
  // Reads every entry from one end to the other. Returns how many.
  virtual StatusOr<uint64_t> ScanAll(bool forward, uint64_t* bytes) = 0;

  // Writes memtables to tables, and waits until no compaction is due.
  virtual Status WaitUntilSettled() = 0;

  virtual EngineCounters Counters() = 0;
  // RocksDB: blocks that this thread, which opened it, has read from the device. Varve: point
  // reads, of all threads, that had to read from it.
  virtual uint64_t BlockReads() = 0;
  // Ends of the names of the files that hold data, logs left out.
  virtual std::vector<std::string> TableSuffixes() const = 0;
  // Name and version, and what was chosen, for the reader of the figures.
  virtual std::string Describe(const EngineConfig& config) const = 0;
};

std::unique_ptr<Engine> NewVarveEngine();
std::unique_ptr<Engine> NewRocksDbEngine();

}  // namespace varve::bench
