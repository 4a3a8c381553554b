#include "io/loop.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <utility>

namespace varve::io {
namespace {

Task<void> RunAndTell(Task<void> task, Executor* home, bool* done) {
  co_await task;
  task = Task<void>();
  co_await SwitchTo(*home);
  *done = true;
}

}  // namespace

uint64_t MonotonicNowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

LoopExecutor::LoopExecutor() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_fd_ < 0) std::abort();  // out of descriptors or memory before anything has started
}

LoopExecutor::~LoopExecutor() {
  {
    // Lets a Post that has woken the loop leave before its mutex goes.
    absl::MutexLock lock(&mutex_);
    assert(posted_.empty());
  }
  close(wake_fd_);
}

void LoopExecutor::Submit(Operation& operation) {
  ++in_flight_;
  if (operation.kind != Operation::Kind::kTimeout) return Enqueue(operation);
  timers_.push_back({MonotonicNowNs() + operation.offset, timers_made_++, &operation});
  std::push_heap(timers_.begin(), timers_.end());
}

void LoopExecutor::Post(std::coroutine_handle<> coroutine) {
  if (Current() == this) {
    ready_.push_back(coroutine);
    return;
  }
  // The wake-up is written under the lock: once it is released the loop may run `coroutine` to its
  // end and this executor may be gone.
  absl::MutexLock lock(&mutex_);
  posted_.push_back(coroutine);
  has_posted_.store(true, std::memory_order_relaxed);
  if (std::exchange(sleeping_, false)) eventfd_write(wake_fd_, 1);
}

void LoopExecutor::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (std::exchange(sleeping_, false)) eventfd_write(wake_fd_, 1);
}

void LoopExecutor::TakePosted() {
  if (!has_posted_.load(std::memory_order_relaxed)) return;
  absl::MutexLock lock(&mutex_);
  ready_.insert(ready_.end(), posted_.begin(), posted_.end());
  posted_.clear();
  has_posted_.store(false, std::memory_order_relaxed);
}

void LoopExecutor::CompleteTimers() {
  if (timers_.empty()) return;
  const uint64_t now_ns = MonotonicNowNs();
  while (!timers_.empty() && timers_.front().deadline_ns <= now_ns) {
    Operation* operation = timers_.front().operation;
    std::pop_heap(timers_.begin(), timers_.end());
    timers_.pop_back();
    Complete(*operation, 0);
  }
}

void LoopExecutor::WaitForSomething() {
  std::optional<uint64_t> timeout_ns;
  if (!timers_.empty()) {
    const uint64_t now_ns = MonotonicNowNs();
    const uint64_t deadline_ns = timers_.front().deadline_ns;
    timeout_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
  }
  FlushAndWait(timeout_ns);
}

template <typename Finished>
void LoopExecutor::Loop(Finished finished) {
  const CurrentScope scope(this);
  for (;;) {
    TakePosted();
    CompleteTimers();
    if (!ready_.empty()) {
      // One round: what becomes ready meanwhile waits for the next, after the kernel had its turn,
      // so that coroutines that only yield to each other cannot keep I/O waiting.
      std::swap(ready_, running_);
      for (const std::coroutine_handle<> coroutine : running_) coroutine.resume();
      running_.clear();
      Flush();
      continue;
    }
    {
      absl::MutexLock lock(&mutex_);
      if (!posted_.empty()) continue;
      mutex_.AssertHeld();
      if (finished()) return;
      sleeping_ = true;
    }
    WaitForSomething();
    absl::MutexLock lock(&mutex_);
    sleeping_ = false;
  }
}

void LoopExecutor::RunTask(Task<void> task) {
  bool done = false;
  Spawn(RunAndTell(std::move(task), this, &done));
  Loop([&] { return done && Idle(); });
}

void LoopExecutor::RunUntilStopped() {
  Loop([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopped_ && Idle(); });
}

}  // namespace varve::io
