#include "io/sim.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "io/error.h"
#include "io/sim_disk.h"
#include "io/sim_world.h"

namespace varve::io {
namespace {

[[noreturn]] void Misuse(std::string_view path, uint64_t offset, const char* what) {
  std::fprintf(stderr, "simulation: %.*s:%llu: %s\n", static_cast<int>(path.size()), path.data(),
               static_cast<unsigned long long>(offset), what);
  std::abort();
}

class SimMapping final : public Mapping {
 public:
  SimMapping(std::shared_ptr<SimNode> node, uint64_t bytes)
      : node_(std::move(node)), bytes_(node_->cache.data(), bytes) {
    node_->cache.Pin();
    ++node_->mappings;
    node_->mapped_bytes = std::max(node_->mapped_bytes, bytes);
    node_->compare_bytes = std::max(node_->compare_bytes, bytes);
  }
  ~SimMapping() override {
    node_->cache.Unpin();
    if (--node_->mappings == 0) node_->mapped_bytes = 0;
  }
  std::span<char> bytes() override { return bytes_; }

 private:
  const std::shared_ptr<SimNode> node_;
  const std::span<char> bytes_;
};

class SimFile final : public File {
 public:
  SimFile(SimDisk* disk, std::shared_ptr<SimNode> node, const std::string& path,
          const OpenOptions& options, bool is_lock = false)
      : File(path), is_lock_(is_lock) {
    record_.disk = disk;
    record_.node = std::move(node);
    record_.path = path;
    record_.writable = options.mode != OpenOptions::Mode::kRead;
    record_.direct = options.direct;
    record_.durable_writes = options.durable_writes;
  }
  ~SimFile() override {
    if (is_lock_) record_.node->locked = false;
    record_.disk->Close(*record_.node);
  }

  Task<StatusOr<size_t>> Read(uint64_t offset, std::span<char> into) override {
    CheckAlignment(offset, into.data(), into.size());
    Operation operation;
    operation.kind = Operation::Kind::kRead;
    operation.file = &record_;
    operation.data = into.data();
    operation.size = into.size();
    operation.offset = offset;
    const int64_t result = co_await Perform(operation);
    if (result < 0) co_return Failed(result, offset, "read");
    co_return static_cast<size_t>(result);
  }

  Task<Status> Write(uint64_t offset, std::string_view bytes, const BufferRegion* region) override {
    CheckAlignment(offset, bytes.data(), bytes.size());
    CheckWrite(offset, bytes, region);
    Operation operation;
    operation.kind = Operation::Kind::kWrite;
    operation.file = &record_;
    operation.data = const_cast<char*>(bytes.data());
    operation.size = bytes.size();
    operation.offset = offset;
    const int64_t result = co_await Perform(operation);
    if (result < 0) co_return Failed(result, offset, "write");
    co_return absl::OkStatus();
  }

  Task<Status> Sync() override {
    Operation operation;
    operation.kind = Operation::Kind::kSync;
    operation.file = &record_;
    const int64_t result = co_await Perform(operation);
    if (result == kCrashedResult) co_return CrashedStatus();
    if (result < 0) co_return ErrnoStatus(static_cast<int>(-result), path(), "sync");
    co_return absl::OkStatus();
  }

  StatusOr<size_t> ReadNow(uint64_t offset, std::span<char> into) override {
    CheckAlignment(offset, into.data(), into.size());
    const int64_t result = record_.disk->Read(*record_.node, path(), offset, into);
    if (result < 0) return Failed(result, offset, "read");
    return static_cast<size_t>(result);
  }

  Status WriteNow(uint64_t offset, std::string_view bytes) override {
    return FailedPrecondition("{}: a simulated disk writes while time goes by only", path());
  }

  StatusOr<uint64_t> Size() override {
    if (!record_.disk->IsAlive(*record_.node)) return CrashedStatus();
    return record_.node->size;
  }
  Status Preallocate(uint64_t bytes) override {
    return record_.disk->Preallocate(*record_.node, path(), bytes);
  }
  Status Truncate(uint64_t bytes) override {
    return record_.disk->Truncate(*record_.node, path(), bytes);
  }
  StatusOr<std::unique_ptr<Mapping>> Map(uint64_t bytes) override {
    if (!record_.disk->IsAlive(*record_.node)) return CrashedStatus();
    if (bytes > record_.node->size) Misuse(path(), bytes, "mapped beyond the end");
    return std::make_unique<SimMapping>(record_.node, bytes);
  }

 private:
  void CheckAlignment(uint64_t offset, const char* data, size_t size) const {
    if (!record_.direct) return;
    if ((offset | size | reinterpret_cast<uintptr_t>(data)) % kPageBytes != 0) {
      Misuse(path(), offset, "direct I/O that is not aligned");
    }
  }

  void CheckWrite(uint64_t offset, std::string_view bytes, const BufferRegion* region) const {
    if (record_.direct && record_.node->mappings != 0) {
      Misuse(path(), offset, "a direct write to a mapped file");
    }
    if (region != nullptr && (bytes.data() < region->data() ||
                              bytes.data() + bytes.size() > region->data() + region->size())) {
      Misuse(path(), offset, "a write from outside its buffer region");
    }
  }

  Status Failed(int64_t result, uint64_t offset, std::string_view action) const {
    if (result == kCrashedResult) return CrashedStatus();
    return ErrnoStatusAt(static_cast<int>(-result), path(), offset, action);
  }

  SimFileRecord record_;
  const bool is_lock_;
};

class SimWorker final : public Worker {
 public:
  explicit SimWorker(SimWorld* world) : world_(world), executor_(world->MakeExecutor()) {}
  ~SimWorker() override {
    world_->RunUntil([this] { return executor_->Idle(); });
  }
  Executor& executor() override { return *executor_; }

 private:
  SimWorld* const world_;
  const std::unique_ptr<SimExecutor> executor_;
};

Task<void> Sleep(uint64_t ns) { co_await SleepFor(ns); }

}  // namespace

SimIo::SimIo(const SimOptions& options)
    : random_(options.seed ^ 0x72616e64), wall_start_ms_(options.wall_start_ms) {
  disk_ = std::make_unique<SimDisk>(options, [this] { return world_->FileOperationsUnderWay(); });
  world_ = std::make_unique<SimWorld>(options.seed, PerformOnDisk,
                                      [this](const Operation&) { return disk_->Latency(); });
  wall_start_ns_ = world_->now_ns();
}

SimIo::~SimIo() = default;

void SimIo::Crash(SimCrash kind) { disk_->Crash(kind); }
void SimIo::ArmCrash(SimCrash kind, uint64_t steps) { disk_->ArmCrash(kind, steps); }
void SimIo::DisarmCrash() { disk_->DisarmCrash(); }
bool SimIo::crashed() const { return disk_->crashed(); }
void SimIo::Restart() { disk_->Restart(); }

void SimIo::set_faults(const SimFaults& faults) { disk_->faults = faults; }
void SimIo::set_fail(std::function<bool(const SimAccess&)> fail) { disk_->fail = std::move(fail); }
void SimIo::set_ignore_sync(std::function<bool(const SimAccess&)> ignore) {
  disk_->ignore_sync = std::move(ignore);
}
void SimIo::set_capacity_bytes(uint64_t bytes) { disk_->capacity_bytes = bytes; }
uint64_t SimIo::used_bytes() const { return disk_->used_bytes(); }
Status SimIo::FlipBit(const std::string& path, uint64_t offset, int bit) {
  return disk_->FlipBit(path, offset, bit);
}

void SimIo::JumpWallClock(int64_t ms) {
  ++disk_->counters.clock_jumps;
  wall_start_ms_ += static_cast<uint64_t>(ms);
}
void SimIo::RunFor(uint64_t ns) { Run(Sleep(ns)); }
const SimCounters& SimIo::counters() const { return disk_->counters; }

uint64_t SimIo::MonotonicNs() { return world_->ReadClock(); }
uint64_t SimIo::WallMs() {
  return wall_start_ms_ + (world_->ReadClock() - wall_start_ns_) / 1'000'000;
}
uint64_t SimIo::RandomU64() { return random_.Next(); }

StatusOr<std::unique_ptr<File>> SimIo::Open(const std::string& path, const OpenOptions& options) {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<SimNode> node, disk_->Open(path, options.mode));
  return std::make_unique<SimFile>(disk_.get(), std::move(node), path, options);
}

StatusOr<std::unique_ptr<File>> SimIo::Lock(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<SimNode> node, disk_->Lock(path));
  return std::make_unique<SimFile>(disk_.get(), std::move(node), path, OpenOptions{}, true);
}

Status SimIo::CreateDirectory(const std::string& path) { return disk_->CreateDirectory(path); }
Status SimIo::RemoveDirectory(const std::string& path) { return disk_->RemoveDirectory(path); }
StatusOr<std::vector<std::string>> SimIo::List(const std::string& path) {
  return disk_->List(path);
}
bool SimIo::Exists(const std::string& path) { return !crashed() && disk_->Find(path).ok(); }

StatusOr<uint64_t> SimIo::FileBytes(const std::string& path) {
  if (crashed()) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<SimNode> node, disk_->Find(path));
  return node->size;
}

StatusOr<uint64_t> SimIo::LinkCount(const std::string& path) {
  if (crashed()) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<SimNode> node, disk_->Find(path));
  return node->links;
}

StatusOr<uint64_t> SimIo::FreeBytes(const std::string& path) {
  if (crashed()) return CrashedStatus();
  VARVE_RETURN_IF_ERROR(disk_->Find(path).status());
  const uint64_t used = disk_->used_bytes();
  return used < disk_->capacity_bytes ? disk_->capacity_bytes - used : 0;
}

Status SimIo::Rename(const std::string& from, const std::string& to) {
  return disk_->Rename(from, to);
}
Status SimIo::Link(const std::string& from, const std::string& to) { return disk_->Link(from, to); }
Status SimIo::Remove(const std::string& path) { return disk_->Remove(path); }
Status SimIo::SyncDirectory(const std::string& path) { return disk_->SyncDirectory(path); }

std::unique_ptr<Worker> SimIo::StartWorker(const WorkerOptions& options) {
  return std::make_unique<SimWorker>(world_.get());
}

void SimIo::Run(Task<void> task) { world_->Run(std::move(task)); }

}  // namespace varve::io
