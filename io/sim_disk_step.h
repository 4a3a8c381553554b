// Templates of SimDisk that its three sources share.
#pragma once

#include <algorithm>
#include <cstring>

#include "io/sim_disk.h"

namespace varve::io {

template <typename Result, typename Effect, typename Partial>
Result SimDisk::Step(Result crashed_result, Effect effect, Partial partial) {
  ++counters.steps;
  if (armed_steps_ != 0 && --armed_steps_ == 0) {
    switch (random_.Below(3)) {
      case 0:
        static_cast<void>(effect());
        break;
      case 1:
        partial();
        break;
      default:
        break;
    }
    Crash(armed_kind_);
    return crashed_result;
  }
  if (random_.OneIn(32)) WriteBackSomething();
  return effect();
}

template <typename Effect>
Status SimDisk::MetadataStep(Effect effect) {
  return Step(
      CrashedStatus(),
      [&] {
        static_cast<void>(effect());
        return absl::OkStatus();
      },
      [] {});
}

template <typename Visit>
void SimDisk::ForEachDirtySector(SimNode& node, Visit visit) {
  for (const auto& [page, mask] : node.dirty) {
    for (uint64_t i = 0; i < kSectorsPerPage; ++i) {
      const uint64_t offset = page * kPageBytes + i * kSectorBytes;
      if ((mask >> i & 1) != 0 && offset < node.size) visit(offset, false);
    }
  }
  const uint64_t end = std::min(node.compare_bytes, node.size);
  node.durable.Reserve(end);
  for (uint64_t base = 0; base < end; base += kPageBytes) {
    if (std::memcmp(node.cache.data() + base, node.durable.data() + base, kPageBytes) == 0)
      continue;
    const auto found = node.dirty.find(base / kPageBytes);
    const uint8_t mask = found == node.dirty.end() ? 0 : found->second;
    for (uint64_t i = 0; i < kSectorsPerPage; ++i) {
      const uint64_t offset = base + i * kSectorBytes;
      if (offset >= end || (mask >> i & 1) != 0) continue;
      const char* const cached = node.cache.data() + offset;
      if (std::memcmp(cached, node.durable.data() + offset, kSectorBytes) == 0) continue;
      const auto abandoned = node.abandoned.find(offset);
      if (abandoned != node.abandoned.end() &&
          std::memcmp(cached, abandoned->second.data(), kSectorBytes) == 0) {
        continue;
      }
      visit(offset, true);
    }
  }
}

}  // namespace varve::io
