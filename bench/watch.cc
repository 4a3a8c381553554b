#include "bench/watch.h"

#include <fmt/format.h>
#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include "bench/keys.h"
#include "bench/process_counters.h"

namespace varve::bench {

uint64_t AnonymousBytes(bool trim) {
  if (trim) {
    mallctl(fmt::format("arena.{}.purge", MALLCTL_ARENAS_ALL).c_str(), nullptr, nullptr, nullptr,
            0);
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("RssAnon:")) continue;
    const uint64_t bytes = std::stoull(line.substr(8)) << 10;
    return bytes - std::min(bytes, Keys::AllocatedBytes());
  }
  return 0;
}

Watch::Watch(std::string directory, std::vector<std::string> suffixes)
    : directory_(std::move(directory)),
      suffixes_(std::move(suffixes)),
      memory_bytes_before_(AnonymousBytes(/*trim=*/true)),
      thread_([this] {
        std::unique_lock lock(mutex_);
        do {
          LookLocked();
        } while (
            !stopping_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; }));
      }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  thread_.join();
}

void Watch::Restart() {
  const std::lock_guard lock(mutex_);
  memory_bytes_max_ = 0;
  space_amplification_max_ = 0;
  live_bytes_ = 0;
  LookLocked();
}

void Watch::Look() {
  const std::lock_guard lock(mutex_);
  LookLocked();
}

void Watch::LookLocked() {
  const uint64_t memory = AnonymousBytes();
  if (memory > memory_bytes_before_) {
    memory_bytes_max_ = std::max(memory_bytes_max_.load(), memory - memory_bytes_before_);
  }
  if (const uint64_t live = live_bytes_.load(std::memory_order_relaxed); live > 0) {
    space_amplification_max_ =
        std::max(space_amplification_max_.load(),
                 static_cast<double>(FileBytes()) / static_cast<double>(live));
  }
}

uint64_t Watch::FileBytes() const { return DiskBytes(directory_, suffixes_); }

}  // namespace varve::bench
