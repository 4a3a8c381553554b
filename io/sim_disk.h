// The simulation's disk: a tree of files, each as the page cache has it and as the medium has it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "io/file.h"
#include "io/sim.h"
#include "io/sim_bytes.h"

namespace varve::io {

// What a power cut writes wholly or not at all.
inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kSectorsPerPage = kPageBytes / kSectorBytes;

// The result of an operation of a life that a crash has ended.
inline constexpr int64_t kCrashedResult = -100'000;

Status CrashedStatus();

struct SimNode {
  uint64_t id = 0;
  uint64_t life = 0;
  // Mentions in directories (as cached, and as durable), in changes not durable yet, and open
  // handles. A node without any is forgotten.
  uint64_t references = 0;
  uint64_t links = 0;    // cached directory entries
  uint64_t handles = 0;  // open files
  bool locked = false;

  bool is_directory = false;
  std::map<std::string, uint64_t, std::less<>> entries;
  std::map<std::string, uint64_t, std::less<>> durable_entries;

  SparseBytes cache;
  SparseBytes durable;
  uint64_t size = 0;
  uint64_t durable_size = 0;
  std::vector<uint64_t> sizes_since;  // that a power cut may leave instead of durable_size
  // Written and not synced: for each page one bit a sector.
  std::map<uint64_t, uint8_t> dirty;
  // In [0, compare_bytes) every sector whose cached bytes are not the durable ones counts as dirty
  // too: it was mapped, or cut off and zeroed.
  uint64_t compare_bytes = 0;
  // Sectors that a failed sync gave up, as the cache had them: clean until they change, though the
  // medium does not have them.
  std::map<uint64_t, std::string> abandoned;
  uint64_t mappings = 0;
  uint64_t mapped_bytes = 0;
  uint64_t durable_end = 0;    // bytes of `durable` that may not be zero
  uint64_t counted_bytes = 0;  // its part of the disk's used bytes
};

class SimDisk {
 public:
  using OperationsUnderWay = std::function<std::vector<Operation*>()>;

  SimDisk(const SimOptions& options, OperationsUnderWay under_way);
  ~SimDisk();

  // ---- Crashes and faults
  void Crash(SimCrash kind);
  void ArmCrash(SimCrash kind, uint64_t steps);
  void DisarmCrash() { armed_steps_ = 0; }
  bool crashed() const { return crashed_; }
  void Restart();
  bool IsAlive(const SimNode& node) const { return !crashed_ && node.life == life_; }

  SimFaults faults;
  std::function<bool(const SimAccess&)> fail;
  std::function<bool(const SimAccess&)> ignore_sync;
  uint64_t capacity_bytes;
  SimCounters counters;
  uint64_t used_bytes() const { return used_bytes_; }
  Status FlipBit(const std::string& path, uint64_t offset, int bit);
  uint64_t Latency();

  // ---- Directories; paths as Io takes them
  StatusOr<std::shared_ptr<SimNode>> Open(const std::string& path, OpenOptions::Mode mode);
  StatusOr<std::shared_ptr<SimNode>> Lock(const std::string& path);
  void Close(SimNode& node);
  Status CreateDirectory(const std::string& path);
  Status RemoveDirectory(const std::string& path);
  StatusOr<std::vector<std::string>> List(const std::string& path);
  StatusOr<std::shared_ptr<SimNode>> Find(const std::string& path);  // also while crashed
  Status Rename(const std::string& from, const std::string& to);
  Status Link(const std::string& from, const std::string& to);
  Status Remove(const std::string& path);
  Status SyncDirectory(const std::string& path);

  // ---- Files; results as of system calls
  int64_t Read(SimNode& node, std::string_view path, uint64_t offset, std::span<char> into);
  int64_t Write(SimNode& node, std::string_view path, uint64_t offset, std::string_view bytes,
                bool durable);
  int64_t Sync(SimNode& node, std::string_view path);
  Status Preallocate(SimNode& node, const std::string& path, uint64_t bytes);
  Status Truncate(SimNode& node, const std::string& path, uint64_t bytes);

 private:
  struct EntryChange {
    uint64_t directory;
    std::string name;
    uint64_t node;  // 0: no entry
  };
  using Change = std::vector<EntryChange>;  // durable wholly or not at all

  struct Location {
    std::shared_ptr<SimNode> directory;
    std::string name;
    std::shared_ptr<SimNode> node;  // nullptr if there is none
  };

  // Counts a step; runs `effect` and returns its result unless the crash that was armed strikes:
  // then `effect`, `partial` or neither is run first.
  template <typename Result, typename Effect, typename Partial>
  Result Step(Result crashed_result, Effect effect, Partial partial);
  template <typename Effect>
  Status MetadataStep(Effect effect);
  bool Strikes(uint32_t one_in) { return one_in != 0 && random_.OneIn(one_in); }
  bool Fails(uint32_t one_in, uint64_t* counter, const SimAccess& access);
  Status FailMetadata(const std::string& path, std::string_view action);
  bool IgnoresSync(const SimAccess& access);

  StatusOr<Location> Locate(const std::string& path, std::string_view action);
  std::shared_ptr<SimNode> Node(uint64_t id) const { return nodes_.at(id); }
  std::shared_ptr<SimNode> NewNode(bool is_directory);
  void Refer(uint64_t id) { ++nodes_.at(id)->references; }
  void Unrefer(uint64_t id);
  void Recount(SimNode& node);
  void Apply(Change change);
  void ApplyDurably(const Change& change);
  Status CreateOneDirectory(const std::string& path);

  bool HasRoomFor(const SimNode& node, uint64_t size);
  void Store(SimNode& node, uint64_t offset, std::string_view bytes);
  void SetSize(SimNode& node, uint64_t size);
  void Cut(SimNode& node, uint64_t size);
  void MarkDirty(SimNode& node, uint64_t offset, uint64_t size);
  // Calls visit(sector offset, whether it is dirty only through a mapping) for each dirty sector.
  template <typename Visit>
  void ForEachDirtySector(SimNode& node, Visit visit);
  void CopySectorToMedium(SimNode& node, uint64_t offset);
  void MakeDurable(SimNode& node);
  void MakeSizeDurable(SimNode& node);
  void WriteBackSomething();
  std::string SomeSectorsOf(const SimNode& node, uint64_t offset, std::string_view bytes);

  void CrashUnderWay(SimCrash kind);
  void LoseSectors(SimNode& node);
  void LoseDirectoryChanges();
  uint64_t SurvivalPercent();
  void BeginLife(SimCrash kind);
  void ForgetUnreachable();
  void RecountReferences();

  Random random_;
  const uint64_t latency_ns_min_;
  const uint64_t latency_ns_max_;
  const OperationsUnderWay under_way_;

  uint64_t life_ = 1;
  bool crashed_ = false;
  SimCrash crash_kind_ = SimCrash::kProcess;
  uint64_t armed_steps_ = 0;
  SimCrash armed_kind_ = SimCrash::kProcess;

  uint64_t used_bytes_ = 0;
  uint64_t nodes_made_ = 0;
  std::map<uint64_t, std::shared_ptr<SimNode>> nodes_;
  std::vector<Change> changes_;  // not durable, in order
};

// What an Operation's `file` points to in the simulation.
struct SimFileRecord {
  SimDisk* disk;
  std::shared_ptr<SimNode> node;
  std::string path;
  bool writable = false;
  bool direct = false;
  bool durable_writes = false;
};

// Performs a file operation on the record it points to, at the moment it ends.
int64_t PerformOnDisk(Operation& operation);

}  // namespace varve::io
