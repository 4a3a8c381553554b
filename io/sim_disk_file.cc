// The simulated disk's files.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/error.h"
#include "io/sim_disk.h"
#include "io/sim_disk_step.h"

namespace varve::io {
namespace {

constexpr size_t kSizesRememberedMax = 64;

}  // namespace

bool SimDisk::HasRoomFor(const SimNode& node, uint64_t size) {
  const uint64_t bytes = PageCeiling(size);
  return bytes <= node.counted_bytes ||
         used_bytes_ + (bytes - node.counted_bytes) <= capacity_bytes;
}

void SimDisk::SetSize(SimNode& node, uint64_t size) {
  if (size == node.size) return;
  node.cache.Reserve(size);
  node.size = size;
  if (node.sizes_since.size() == kSizesRememberedMax)
    node.sizes_since.erase(node.sizes_since.begin());
  node.sizes_since.push_back(size);
  Recount(node);
}

void SimDisk::Cut(SimNode& node, uint64_t size) {
  node.compare_bytes = std::max(node.compare_bytes, node.size);
  node.cache.ZeroFrom(size);
  node.dirty.erase(node.dirty.lower_bound(PageCeiling(size) / kPageBytes), node.dirty.end());
  SetSize(node, size);
  // The zeroed rest of the last page.
  if (size % kPageBytes != 0) MarkDirty(node, size, PageCeiling(size) - size);
}

void SimDisk::MarkDirty(SimNode& node, uint64_t offset, uint64_t size) {
  if (size == 0) return;
  const uint64_t last = (offset + size - 1) / kSectorBytes;
  for (uint64_t sector = offset / kSectorBytes; sector <= last; ++sector) {
    node.dirty[sector / kSectorsPerPage] |= static_cast<uint8_t>(1u << sector % kSectorsPerPage);
  }
}

void SimDisk::Store(SimNode& node, uint64_t offset, std::string_view bytes) {
  node.cache.Write(offset, bytes.data(), bytes.size());
  if (offset + bytes.size() > node.size) SetSize(node, offset + bytes.size());
  MarkDirty(node, offset, bytes.size());
}

void SimDisk::CopySectorToMedium(SimNode& node, uint64_t offset) {
  node.durable.Write(offset, node.cache.data() + offset, kSectorBytes);
  node.durable_end = std::max(node.durable_end, offset + kSectorBytes);
  node.abandoned.erase(offset);
}

void SimDisk::MakeSizeDurable(SimNode& node) {
  node.durable_size = node.size;
  node.sizes_since.clear();
  if (node.durable_end > node.size) {
    node.durable.ZeroFrom(node.size);
    node.durable_end = node.size;
  }
}

void SimDisk::MakeDurable(SimNode& node) {
  std::vector<uint64_t> sectors;
  ForEachDirtySector(node, [&](uint64_t offset, bool) { sectors.push_back(offset); });
  for (const uint64_t offset : sectors) CopySectorToMedium(node, offset);
  node.dirty.clear();
  node.compare_bytes = node.mapped_bytes;
  MakeSizeDurable(node);
}

// The page cache writes back when it likes: what is on disk before a sync may be older than the
// cache and newer than the last sync.
void SimDisk::WriteBackSomething() {
  auto chosen = nodes_.lower_bound(random_.Below(nodes_made_) + 1);
  if (chosen == nodes_.end()) chosen = nodes_.begin();
  SimNode& node = *chosen->second;
  if (!node.is_directory) {
    std::vector<uint64_t> sectors;
    ForEachDirtySector(node, [&](uint64_t offset, bool) {
      if (random_.OneIn(2)) sectors.push_back(offset);
    });
    for (const uint64_t offset : sectors) {
      CopySectorToMedium(node, offset);
      const auto found = node.dirty.find(offset / kPageBytes);
      if (found == node.dirty.end()) continue;
      found->second &= static_cast<uint8_t>(~(1u << offset / kSectorBytes % kSectorsPerPage));
      if (found->second == 0) node.dirty.erase(found);
    }
    if (!node.sizes_since.empty() && random_.OneIn(4)) {
      const auto size = node.sizes_since.begin() + random_.Below(node.sizes_since.size());
      node.durable_size = *size;
      node.sizes_since.erase(node.sizes_since.begin(), size + 1);
    }
  }
  if (changes_.empty() || !random_.OneIn(4)) return;
  // A change may overtake those before it, except those of the same name.
  const size_t index = random_.Below(changes_.size());
  const auto same_name = [](const EntryChange& a, const EntryChange& b) {
    return a.directory == b.directory && a.name == b.name;
  };
  for (size_t i = 0; i < index; ++i) {
    for (const EntryChange& earlier : changes_[i]) {
      for (const EntryChange& later : changes_[index]) {
        if (same_name(earlier, later)) return;
      }
    }
  }
  ApplyDurably(changes_[index]);
  changes_.erase(changes_.begin() + static_cast<ptrdiff_t>(index));
}

// The range as it is when only some sectors of `bytes` have been written.
std::string SimDisk::SomeSectorsOf(const SimNode& node, uint64_t offset, std::string_view bytes) {
  std::string mixture(bytes.size(), '\0');
  if (offset < node.size) {
    const uint64_t old_bytes = std::min<uint64_t>(bytes.size(), node.size - offset);
    std::memcpy(mixture.data(), node.cache.data() + offset, old_bytes);
  }
  for (uint64_t at = 0; at < bytes.size();) {
    const uint64_t sector_end = (offset + at) / kSectorBytes * kSectorBytes + kSectorBytes;
    const uint64_t count = std::min<uint64_t>(bytes.size() - at, sector_end - (offset + at));
    if (random_.OneIn(2)) std::memcpy(mixture.data() + at, bytes.data() + at, count);
    at += count;
  }
  return mixture;
}

int64_t SimDisk::Read(SimNode& node, std::string_view path, uint64_t offset, std::span<char> into) {
  if (!IsAlive(node)) return kCrashedResult;
  ++counters.reads;
  const SimAccess access{SimAccess::Kind::kRead, path, offset, into.size()};
  if (Fails(faults.read_error_one_in, &counters.read_errors, access)) return -EIO;
  if (offset >= node.size) return 0;
  const uint64_t bytes = std::min<uint64_t>(into.size(), node.size - offset);
  std::memcpy(into.data(), node.cache.data() + offset, bytes);
  return static_cast<int64_t>(bytes);
}

int64_t SimDisk::Write(SimNode& node, std::string_view path, uint64_t offset,
                       std::string_view bytes, bool durable) {
  if (!IsAlive(node)) return kCrashedResult;
  const SimAccess access{durable ? SimAccess::Kind::kDurableWrite : SimAccess::Kind::kWrite, path,
                         offset, bytes.size()};
  if (!HasRoomFor(node, offset + bytes.size())) {
    ++counters.disk_full;
    return -ENOSPC;
  }
  const auto write_some = [&] {
    Store(node, offset, SomeSectorsOf(node, offset, bytes));
    ++counters.torn_writes;
  };
  if (Fails(faults.write_error_one_in, &counters.write_errors, access)) {
    write_some();
    return -EIO;
  }
  const auto write = [&] {
    Store(node, offset, bytes);
    if (durable && !IgnoresSync(access)) {
      std::vector<uint64_t> sectors;
      const uint64_t first = offset / kSectorBytes * kSectorBytes;
      for (uint64_t at = first; at < offset + bytes.size(); at += kSectorBytes) {
        CopySectorToMedium(node, at);
        const auto found = node.dirty.find(at / kPageBytes);
        if (found == node.dirty.end()) continue;
        found->second &= static_cast<uint8_t>(~(1u << at / kSectorBytes % kSectorsPerPage));
        if (found->second == 0) node.dirty.erase(found);
      }
      MakeSizeDurable(node);
    }
    return static_cast<int64_t>(bytes.size());
  };
  return Step(kCrashedResult, write, write_some);
}

int64_t SimDisk::Sync(SimNode& node, std::string_view path) {
  if (!IsAlive(node)) return kCrashedResult;
  const SimAccess access{SimAccess::Kind::kSync, path};
  if (Fails(faults.sync_error_one_in, &counters.sync_errors, access)) {
    std::vector<uint64_t> sectors;
    ForEachDirtySector(node, [&](uint64_t offset, bool) { sectors.push_back(offset); });
    for (const uint64_t offset : sectors) {
      if (random_.OneIn(2)) {
        CopySectorToMedium(node, offset);
      } else {
        node.abandoned[offset].assign(node.cache.data() + offset, kSectorBytes);
      }
    }
    node.dirty.clear();
    node.compare_bytes = node.mapped_bytes;
    return -EIO;
  }
  return Step(
      kCrashedResult,
      [&]() -> int64_t {
        if (!IgnoresSync(access)) MakeDurable(node);
        return 0;
      },
      [] {});
}

Status SimDisk::Preallocate(SimNode& node, const std::string& path, uint64_t bytes) {
  if (!IsAlive(node)) return CrashedStatus();
  VARVE_RETURN_IF_ERROR(FailMetadata(path, "preallocate"));
  if (!HasRoomFor(node, bytes)) {
    ++counters.disk_full;
    return ErrnoStatus(ENOSPC, path, "preallocate");
  }
  return MetadataStep([&] { SetSize(node, std::max(node.size, bytes)); });
}

Status SimDisk::Truncate(SimNode& node, const std::string& path, uint64_t bytes) {
  if (!IsAlive(node)) return CrashedStatus();
  VARVE_RETURN_IF_ERROR(FailMetadata(path, "truncate"));
  if (!HasRoomFor(node, bytes)) {
    ++counters.disk_full;
    return ErrnoStatus(ENOSPC, path, "truncate");
  }
  return MetadataStep([&] {
    if (bytes < node.size) {
      Cut(node, bytes);
    } else {
      SetSize(node, bytes);
    }
  });
}

}  // namespace varve::io
