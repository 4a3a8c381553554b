// The simulated disk's directories.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/error.h"
#include "io/path.h"
#include "io/sim_disk.h"
#include "io/sim_disk_step.h"

namespace varve::io {

std::shared_ptr<SimNode> SimDisk::NewNode(bool is_directory) {
  auto node = std::make_shared<SimNode>();
  node->id = ++nodes_made_;
  node->life = life_;
  node->is_directory = is_directory;
  nodes_[node->id] = node;
  return node;
}

void SimDisk::Unrefer(uint64_t id) {
  const auto found = nodes_.find(id);
  SimNode& node = *found->second;
  if (--node.references == 0) nodes_.erase(found);
}

// A file takes space while it has a name or is open.
void SimDisk::Recount(SimNode& node) {
  const uint64_t bytes =
      node.is_directory || (node.links == 0 && node.handles == 0) ? 0 : PageCeiling(node.size);
  used_bytes_ += bytes - node.counted_bytes;
  node.counted_bytes = bytes;
}

StatusOr<SimDisk::Location> SimDisk::Locate(const std::string& path, std::string_view action) {
  Location location{nullptr, "", Node(1)};
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (location.node == nullptr) return ErrnoStatus(ENOENT, path, action);
    if (!location.node->is_directory) return ErrnoStatus(ENOTDIR, path, action);
    location.directory = location.node;
    location.name = name;
    const auto found = location.directory->entries.find(name);
    location.node = found == location.directory->entries.end() ? nullptr : Node(found->second);
  }
  return location;
}

// Changes what programs see, and remembers the change until it is durable.
void SimDisk::Apply(Change change) {
  for (const EntryChange& entry : change) {
    Refer(entry.directory);
    if (entry.node != 0) Refer(entry.node);
  }
  for (const EntryChange& entry : change) {
    SimNode& directory = *nodes_.at(entry.directory);
    if (entry.node != 0) {
      SimNode& node = *nodes_.at(entry.node);
      ++node.references;
      ++node.links;
      Recount(node);
    }
    if (const auto old = directory.entries.find(entry.name); old != directory.entries.end()) {
      const uint64_t id = old->second;
      directory.entries.erase(old);
      SimNode& node = *nodes_.at(id);
      --node.links;
      Recount(node);
      Unrefer(id);
    }
    if (entry.node != 0) directory.entries[entry.name] = entry.node;
  }
  changes_.push_back(std::move(change));
}

void SimDisk::ApplyDurably(const Change& change) {
  for (const EntryChange& entry : change) {
    SimNode& directory = *nodes_.at(entry.directory);
    if (entry.node != 0) Refer(entry.node);
    const auto old = directory.durable_entries.find(entry.name);
    if (old != directory.durable_entries.end()) {
      const uint64_t id = old->second;
      directory.durable_entries.erase(old);
      Unrefer(id);
    }
    if (entry.node != 0) directory.durable_entries[entry.name] = entry.node;
  }
  for (const EntryChange& entry : change) {
    if (entry.node != 0) Unrefer(entry.node);
    Unrefer(entry.directory);
  }
}

StatusOr<std::shared_ptr<SimNode>> SimDisk::Open(const std::string& path, OpenOptions::Mode mode) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(Location location, Locate(path, "open"));
  const bool creates = mode == OpenOptions::Mode::kCreate || mode == OpenOptions::Mode::kReplace;
  if (location.node != nullptr && location.node->is_directory) {
    return ErrnoStatus(EISDIR, path, "open");
  }
  if (location.node != nullptr && mode == OpenOptions::Mode::kCreate) {
    return ErrnoStatus(EEXIST, path, "open");
  }
  if (location.node == nullptr && !creates) return ErrnoStatus(ENOENT, path, "open");
  if (creates) {
    VARVE_RETURN_IF_ERROR(FailMetadata(path, "open"));
    VARVE_RETURN_IF_ERROR(MetadataStep([&] {
      if (location.node == nullptr) {
        location.node = NewNode(false);
        Apply({{location.directory->id, location.name, location.node->id}});
      } else if (location.node->size != 0) {
        Cut(*location.node, 0);
      }
    }));
  }
  ++location.node->references;
  ++location.node->handles;
  return location.node;
}

StatusOr<std::shared_ptr<SimNode>> SimDisk::Lock(const std::string& path) {
  StatusOr<std::shared_ptr<SimNode>> node = Open(path, OpenOptions::Mode::kReadWrite);
  if (node.status().code() == absl::StatusCode::kNotFound) {
    node = Open(path, OpenOptions::Mode::kCreate);
  }
  if (!node.ok()) return node;
  if ((*node)->locked) {
    Close(**node);
    return FailedPrecondition("{}: locked by another process", path);
  }
  (*node)->locked = true;
  return node;
}

void SimDisk::Close(SimNode& node) {
  if (node.life != life_) return;
  --node.handles;
  Recount(node);
  Unrefer(node.id);
}

Status SimDisk::CreateOneDirectory(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "create directory"));
  if (location.node != nullptr) return ErrnoStatus(EEXIST, path, "create directory");
  VARVE_RETURN_IF_ERROR(FailMetadata(path, "create directory"));
  return MetadataStep([&] {
    const std::shared_ptr<SimNode> node = NewNode(true);
    Apply({{location.directory->id, location.name, node->id}});
  });
}

Status SimDisk::CreateDirectory(const std::string& given) {
  if (crashed_) return CrashedStatus();
  const std::string path = WithoutTrailingSlash(given);
  if (path.empty()) return InvalidArgument("empty path of a directory");
  const StatusOr<Location> location = Locate(path, "create directory");
  if (location.ok() && location->node != nullptr && location->node->is_directory) {
    return absl::OkStatus();
  }
  const std::string parent = ParentDirectory(path);
  if (parent != path && parent != ".") VARVE_RETURN_IF_ERROR(CreateDirectory(parent));
  VARVE_RETURN_IF_ERROR(CreateOneDirectory(path));
  return SyncDirectory(parent);
}

Status SimDisk::RemoveDirectory(const std::string& path) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "remove directory"));
  if (location.node == nullptr) return ErrnoStatus(ENOENT, path, "remove directory");
  if (!location.node->is_directory) return ErrnoStatus(ENOTDIR, path, "remove directory");
  if (!location.node->entries.empty()) return ErrnoStatus(ENOTEMPTY, path, "remove directory");
  VARVE_RETURN_IF_ERROR(FailMetadata(path, "remove directory"));
  return MetadataStep([&] { Apply({{location.directory->id, location.name, 0}}); });
}

StatusOr<std::vector<std::string>> SimDisk::List(const std::string& path) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "list"));
  if (location.node == nullptr) return ErrnoStatus(ENOENT, path, "list");
  if (!location.node->is_directory) return ErrnoStatus(ENOTDIR, path, "list");
  std::vector<std::string> names;
  for (const auto& [name, id] : location.node->entries) names.push_back(name);
  return names;
}

StatusOr<std::shared_ptr<SimNode>> SimDisk::Find(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "stat"));
  if (location.node == nullptr) return ErrnoStatus(ENOENT, path, "stat");
  return location.node;
}

Status SimDisk::Rename(const std::string& from, const std::string& to) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location source, Locate(from, "rename"));
  VARVE_ASSIGN_OR_RETURN(const Location target, Locate(to, "rename"));
  if (source.node == nullptr) return ErrnoStatus(ENOENT, from, "rename");
  if (source.node == target.node) return absl::OkStatus();
  if (target.node != nullptr && (target.node->is_directory || source.node->is_directory)) {
    return ErrnoStatus(EEXIST, to, "rename");
  }
  VARVE_RETURN_IF_ERROR(FailMetadata(from, "rename"));
  return MetadataStep([&] {
    Apply({{target.directory->id, target.name, source.node->id},
           {source.directory->id, source.name, 0}});
  });
}

Status SimDisk::Link(const std::string& from, const std::string& to) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location source, Locate(from, "link"));
  VARVE_ASSIGN_OR_RETURN(const Location target, Locate(to, "link"));
  if (source.node == nullptr) return ErrnoStatus(ENOENT, from, "link");
  if (source.node->is_directory) return ErrnoStatus(EPERM, from, "link");
  if (target.node != nullptr) return ErrnoStatus(EEXIST, to, "link");
  VARVE_RETURN_IF_ERROR(FailMetadata(from, "link"));
  return MetadataStep([&] { Apply({{target.directory->id, target.name, source.node->id}}); });
}

Status SimDisk::Remove(const std::string& path) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "remove"));
  if (location.node == nullptr) return ErrnoStatus(ENOENT, path, "remove");
  if (location.node->is_directory) return ErrnoStatus(EISDIR, path, "remove");
  VARVE_RETURN_IF_ERROR(FailMetadata(path, "remove"));
  return MetadataStep([&] { Apply({{location.directory->id, location.name, 0}}); });
}

Status SimDisk::SyncDirectory(const std::string& path) {
  if (crashed_) return CrashedStatus();
  VARVE_ASSIGN_OR_RETURN(const Location location, Locate(path, "sync directory"));
  if (location.node == nullptr) return ErrnoStatus(ENOENT, path, "sync directory");
  if (!location.node->is_directory) return ErrnoStatus(ENOTDIR, path, "sync directory");
  const SimAccess access{SimAccess::Kind::kSyncDirectory, path};
  if (Fails(faults.sync_error_one_in, &counters.sync_errors, access)) {
    return ErrnoStatus(EIO, path, "sync directory");
  }
  return MetadataStep([&] {
    if (IgnoresSync(access)) return;
    std::vector<Change> rest;
    for (Change& change : std::exchange(changes_, {})) {
      const bool touches = std::any_of(change.begin(), change.end(), [&](const EntryChange& entry) {
        return entry.directory == location.node->id;
      });
      if (touches) {
        ApplyDurably(change);
      } else {
        rest.push_back(std::move(change));
      }
    }
    changes_ = std::move(rest);
  });
}

}  // namespace varve::io
