#include "item/background.h"

#include <algorithm>
#include <utility>

namespace varve::item {
namespace {

// How long a sleeper may take to notice that it is to stop.
constexpr uint64_t kSliceMs = 200;

}  // namespace

void Background::Start(io::Task<void> task) {
  absl::MutexLock lock(&mutex_);
  if (stopping()) return;
  if (worker_ == nullptr) worker_ = io_.StartWorker({.name = "varve-items", .background = true});
  worker_->executor().Spawn(std::move(task));
}

io::Task<void> Background::Sleep(uint64_t ms) {
  while (ms > 0 && !stopping()) {
    const uint64_t slice_ms = std::min(ms, kSliceMs);
    co_await io::SleepFor(slice_ms * 1'000'000);
    ms -= slice_ms;
  }
}

void Background::Stop() {
  std::unique_ptr<io::Worker> worker;
  {
    absl::MutexLock lock(&mutex_);
    stopping_.store(true, std::memory_order_release);
    worker = std::move(worker_);
  }
  worker.reset();  // waits for its tasks
}

}  // namespace varve::item
