// The simulated disk's crashes and faults.
#include "io/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>

#include "io/error.h"
#include "io/executor.h"
#include "io/sim_disk_step.h"

namespace varve::io {

Status CrashedStatus() { return Unavailable("simulated crash"); }

SimDisk::SimDisk(const SimOptions& options, OperationsUnderWay under_way)
    : faults(options.faults),
      capacity_bytes(options.capacity_bytes),
      random_(options.seed ^ 0x6469736b),
      latency_ns_min_(options.latency_ns_min),
      latency_ns_max_(options.latency_ns_max),
      under_way_(std::move(under_way)) {
  NewNode(true)->references = 1;  // the root
}

SimDisk::~SimDisk() = default;

uint64_t SimDisk::Latency() {
  uint64_t latency_ns = random_.Between(latency_ns_min_, latency_ns_max_);
  if (Strikes(faults.slow_one_in)) {
    ++counters.slow_completions;
    latency_ns += faults.slow_ns;
  }
  return latency_ns;
}

bool SimDisk::Fails(uint32_t one_in, uint64_t* counter, const SimAccess& access) {
  const bool wanted = fail && fail(access);
  if (!wanted && !Strikes(one_in)) return false;
  ++*counter;
  return true;
}

Status SimDisk::FailMetadata(const std::string& path, std::string_view action) {
  if (crashed_) return CrashedStatus();
  const SimAccess access{SimAccess::Kind::kMetadata, path};
  if (Fails(faults.metadata_error_one_in, &counters.metadata_errors, access)) {
    return ErrnoStatus(EIO, path, action);
  }
  return absl::OkStatus();
}

bool SimDisk::IgnoresSync(const SimAccess& access) {
  if (!ignore_sync || !ignore_sync(access)) return false;
  ++counters.ignored_syncs;
  return true;
}

Status SimDisk::FlipBit(const std::string& path, uint64_t offset, int bit) {
  VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<SimNode> node, Find(path));
  if (offset >= node->size) return InvalidArgument("{}: no byte at {}", path, offset);
  node->cache.Reserve(offset + 1);
  node->durable.Reserve(offset + 1);
  const char mask = static_cast<char>(1 << bit);
  node->cache.data()[offset] ^= mask;
  node->durable.data()[offset] ^= mask;
  node->durable_end = std::max(node->durable_end, offset + 1);
  ++counters.bit_flips;
  return absl::OkStatus();
}

void SimDisk::ArmCrash(SimCrash kind, uint64_t steps) {
  armed_kind_ = kind;
  armed_steps_ = steps;
}

void SimDisk::Crash(SimCrash kind) {
  if (crashed_) return;
  armed_steps_ = 0;
  ++(kind == SimCrash::kProcess ? counters.process_crashes : counters.power_cuts);
  CrashUnderWay(kind);
  if (kind == SimCrash::kPower) {
    LoseDirectoryChanges();
    for (const auto& [id, node] : nodes_) {
      if (!node->is_directory) LoseSectors(*node);
    }
  }
  BeginLife(kind);
  crashed_ = true;
}

void SimDisk::Restart() {
  if (!crashed_) {
    std::fprintf(stderr, "simulation: Restart without a crash\n");
    std::abort();
  }
  crashed_ = false;
}

// Writes under way are done wholly, in part or not at all; as the sectors they wrote are not
// synced, a power cut chooses again among them.
void SimDisk::CrashUnderWay(SimCrash kind) {
  for (const Operation* operation : under_way_()) {
    const auto* record = static_cast<const SimFileRecord*>(operation->file);
    SimNode& node = *record->node;
    if (!IsAlive(node)) continue;
    const uint64_t choice = random_.Below(3);
    if (operation->kind == Operation::Kind::kSync && choice == 0) MakeDurable(node);
    if (operation->kind != Operation::Kind::kWrite || choice == 0 || !record->writable) continue;
    const std::string_view bytes(operation->data, operation->size);
    if (!HasRoomFor(node, operation->offset + bytes.size())) continue;
    if (choice == 1) {
      Store(node, operation->offset, bytes);
    } else {
      Store(node, operation->offset, SomeSectorsOf(node, operation->offset, bytes));
      ++counters.torn_writes;
    }
  }
}

// All, nothing, and several mixtures between: each finds other faults.
uint64_t SimDisk::SurvivalPercent() {
  constexpr uint64_t kPercents[] = {0, 10, 50, 90, 100};
  return kPercents[random_.Below(std::size(kPercents))];
}

void SimDisk::LoseDirectoryChanges() {
  const uint64_t percent = SurvivalPercent();
  for (const Change& change : std::exchange(changes_, {})) {
    if (random_.Below(100) < percent) {
      // Its references are counted anew afterwards.
      for (const EntryChange& entry : change) {
        auto& entries = nodes_.at(entry.directory)->durable_entries;
        if (entry.node == 0) {
          entries.erase(entry.name);
        } else {
          entries[entry.name] = entry.node;
        }
      }
    } else {
      ++counters.lost_directory_changes;
    }
  }
  for (const auto& [id, node] : nodes_) node->entries = node->durable_entries;
}

// A file as it was made may be linked from nowhere: what happens to it does not matter then.
void SimDisk::LoseSectors(SimNode& node) {
  const uint64_t percent = SurvivalPercent();
  std::vector<uint64_t> survivors;
  ForEachDirtySector(node, [&](uint64_t offset, bool mapped) {
    if (random_.Below(100) < percent) {
      survivors.push_back(offset);
    } else {
      ++(mapped ? counters.lost_mapped_sectors : counters.lost_sectors);
    }
  });
  for (const uint64_t offset : survivors) CopySectorToMedium(node, offset);
  if (!node.sizes_since.empty()) {
    const uint64_t chosen =
        percent == 100 ? node.sizes_since.size() : random_.Below(node.sizes_since.size() + 1);
    const uint64_t size = chosen == 0 ? node.durable_size : node.sizes_since[chosen - 1];
    if (size != node.size) ++counters.lost_sizes;
    node.size = size;
  }
  MakeSizeDurable(node);
  node.dirty.clear();
  node.compare_bytes = 0;
}

// Every node becomes a new one, so that files and mappings of the life that ended, which hold the
// old nodes, cannot touch what survived.
void SimDisk::BeginLife(SimCrash kind) {
  ++life_;
  for (auto& [id, node] : nodes_) {
    SimNode& old = *node;
    auto next = std::make_shared<SimNode>();
    next->id = old.id;
    next->life = life_;
    next->is_directory = old.is_directory;
    next->entries = std::move(old.entries);
    next->durable_entries = std::move(old.durable_entries);
    next->size = old.size;
    next->durable_size = old.durable_size;
    next->sizes_since = std::move(old.sizes_since);
    next->dirty = std::move(old.dirty);
    next->compare_bytes = old.compare_bytes;
    if (kind == SimCrash::kProcess) next->abandoned = std::move(old.abandoned);
    next->durable = std::move(old.durable);
    next->durable_end = old.durable_end;
    if (kind == SimCrash::kPower) {
      next->cache.CopyFrom(next->durable, next->durable_end);
    } else if (old.cache.pinned()) {
      next->cache.CopyFrom(old.cache, old.size);
    } else {
      next->cache = std::move(old.cache);
    }
    next->cache.Reserve(next->size);
    node = std::move(next);
  }
  ForgetUnreachable();
  RecountReferences();
}

// What was open and removed, and what only lost directories held.
void SimDisk::ForgetUnreachable() {
  std::set<uint64_t> reached = {1};
  std::vector<uint64_t> rest = {1};
  const auto reach = [&](uint64_t id) {
    if (id != 0 && reached.insert(id).second) rest.push_back(id);
  };
  for (const Change& change : changes_) {
    for (const EntryChange& entry : change) {
      reach(entry.directory);
      reach(entry.node);
    }
  }
  while (!rest.empty()) {
    const SimNode& node = *nodes_.at(rest.back());
    rest.pop_back();
    for (const auto& [name, id] : node.entries) reach(id);
    for (const auto& [name, id] : node.durable_entries) reach(id);
  }
  std::erase_if(nodes_, [&](const auto& node) { return !reached.contains(node.first); });
}

void SimDisk::RecountReferences() {
  nodes_.begin()->second->references = 1;
  used_bytes_ = 0;
  const auto count = [this](const auto& entries, bool linked) {
    for (const auto& [name, id] : entries) {
      SimNode& node = *nodes_.at(id);
      ++node.references;
      if (linked) ++node.links;
    }
  };
  for (const auto& [id, node] : nodes_) {
    count(node->entries, true);
    count(node->durable_entries, false);
  }
  for (const Change& change : changes_) {
    for (const EntryChange& entry : change) {
      Refer(entry.directory);
      if (entry.node != 0) Refer(entry.node);
    }
  }
  for (const auto& [id, node] : nodes_) Recount(*node);
}

int64_t PerformOnDisk(Operation& operation) {
  const auto& record = *static_cast<const SimFileRecord*>(operation.file);
  SimDisk& disk = *record.disk;
  SimNode& node = *record.node;
  switch (operation.kind) {
    case Operation::Kind::kRead:
      return disk.Read(node, record.path, operation.offset, {operation.data, operation.size});
    case Operation::Kind::kWrite:
      if (!record.writable) return disk.IsAlive(node) ? -EBADF : kCrashedResult;
      return disk.Write(node, record.path, operation.offset, {operation.data, operation.size},
                        record.durable_writes);
    default:
      return disk.Sync(node, record.path);
  }
}

}  // namespace varve::io
