// SimIo: a world in memory, for tests: one thread, virtual time, seeded order of everything that
// may happen in any order, and a disk that forgets what was not synced.
//
//   io::SimIo io({.seed = 7});
//   auto db = engine::Db::Open(&io, "/db", ...);
//   io.ArmCrash(io::SimCrash::kPower, 100);     // at the hundredth step of I/O from now
//   ... until io.crashed(); operations fail with Unavailable, "simulated crash"
//   db.reset();
//   io.Restart();                               // the disk holds what survived
//
// The same seed and the same calls give the same run. What the disk does at a crash:
//
// - kProcess: the page cache survives: every completed write and every store through a mapping.
// Writes
//   under way are done wholly, in part or not at all. What was not synced is still not synced.
// - kPower: of each file survive the sectors (512 bytes) synced, and any subset of the others, in
// any
//   order, mapped ones too; its size as synced, or one of its sizes since. Of each directory
//   survive the changes synced, and any subset of the others, where a rename is one change. A file
//   whose entry is lost is lost. A write opened as durable is a sync of its range and the size.
//
// From the crash on every operation of the old life fails, also after Restart: its files stay dead.
// Timers go on, so that tasks can wind down.
//
// Misuse ends the process with a message: direct I/O that is not aligned, direct writes to a mapped
// file, writes outside their buffer region, a task that can never go on (nothing is ready and no
// event is left), Run inside a coroutine.
//
// Not thread-safe. Sockets are not simulated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "io/io.h"

namespace varve::io {

enum class SimCrash { kProcess, kPower };

// A chance of once in `n`; 0 is never.
struct SimFaults {
  uint32_t read_error_one_in = 0;
  // The range holds any mixture of old and new sectors afterwards.
  uint32_t write_error_one_in = 0;
  // Some of what was to be synced is durable afterwards; the rest counts as clean, as on Linux, and
  // later syncs do not make it durable.
  uint32_t sync_error_one_in = 0;
  // Opening for creation, renaming, linking, removing, preallocating, truncating, syncing a
  // directory.
  uint32_t metadata_error_one_in = 0;
  // A completion that takes slow_ns longer.
  uint32_t slow_one_in = 0;
  uint64_t slow_ns = 50'000'000;
};

struct SimOptions {
  uint64_t seed = 1;
  uint64_t capacity_bytes = uint64_t{4} << 30;
  uint64_t wall_start_ms = 1'700'000'000'000;
  // Each read, write and sync takes a time between these.
  uint64_t latency_ns_min = 10'000;
  uint64_t latency_ns_max = 300'000;
  SimFaults faults;
};

// How often each thing struck.
struct SimCounters {
  uint64_t steps = 0;  // changes of the disk: writes, syncs, renames, ...
  uint64_t reads = 0;
  uint64_t process_crashes = 0;
  uint64_t power_cuts = 0;
  uint64_t torn_writes = 0;  // under way at a crash and done in part, or failed in part
  uint64_t lost_sectors = 0;
  uint64_t lost_mapped_sectors = 0;
  uint64_t lost_sizes = 0;
  uint64_t lost_directory_changes = 0;
  uint64_t read_errors = 0;
  uint64_t write_errors = 0;
  uint64_t sync_errors = 0;
  uint64_t metadata_errors = 0;
  uint64_t disk_full = 0;
  uint64_t slow_completions = 0;
  uint64_t clock_jumps = 0;
  uint64_t bit_flips = 0;
  uint64_t ignored_syncs = 0;
};

// What a hook is asked about.
struct SimAccess {
  enum class Kind {
    kRead,
    kWrite,
    kDurableWrite,
    kSync,
    kSyncDirectory,
    kMetadata,
  };
  Kind kind;
  std::string_view path;  // as it was given when opened
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class SimDisk;
class SimWorld;

class SimIo final : public Io {
 public:
  explicit SimIo(const SimOptions& options);
  ~SimIo() override;

  // ---- The disk's bad days

  void Crash(SimCrash kind);
  // Crashes at the `steps`-th step from now, before it takes effect or after (1 is the next step).
  void ArmCrash(SimCrash kind, uint64_t steps);
  void DisarmCrash();
  bool crashed() const;
  // Begins the next life with what survived. Call after a crash, when what ran before is gone or
  // done.
  void Restart();

  void set_faults(const SimFaults& faults);
  // Asked before each access that could fail; true makes it fail as SimFaults would. Empty: never.
  void set_fail(std::function<bool(const SimAccess&)> fail);
  // Asked at each kSync, kSyncDirectory and kDurableWrite: true makes it report success without
  // making anything durable. For tests that take away one sync and must then fail.
  void set_ignore_sync(std::function<bool(const SimAccess&)> ignore);
  void set_capacity_bytes(uint64_t bytes);
  uint64_t used_bytes() const;
  // Flips one bit of the byte at `offset` in cache and on disk, and says nothing to anybody.
  Status FlipBit(const std::string& path, uint64_t offset, int bit);

  // ---- Time

  // Lets the wall clock jump, in either direction. The monotonic clock goes on.
  void JumpWallClock(int64_t ms);
  // Runs the world for `ns` of virtual time.
  void RunFor(uint64_t ns);

  const SimCounters& counters() const;

  // ---- Io

  std::string_view name() const override { return "simulated"; }
  uint64_t MonotonicNs() override;
  uint64_t WallMs() override;
  uint64_t RandomU64() override;

  StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                       const OpenOptions& options) override;
  Status CreateDirectory(const std::string& path) override;
  Status RemoveDirectory(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& path) override;
  bool Exists(const std::string& path) override;
  StatusOr<uint64_t> FileBytes(const std::string& path) override;
  StatusOr<uint64_t> LinkCount(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  StatusOr<uint64_t> FreeBytes(const std::string& path) override;
  StatusOr<std::unique_ptr<File>> Lock(const std::string& path) override;

  std::unique_ptr<Worker> StartWorker(const WorkerOptions& options) override;
  bool has_threads() const override { return false; }
  void Run(Task<void> task) override;

 private:
  std::unique_ptr<SimDisk> disk_;
  std::unique_ptr<SimWorld> world_;
  Random random_;
  uint64_t wall_start_ms_;
  uint64_t wall_start_ns_;
};

}  // namespace varve::io
