#include "io/loop.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <thread>
#include <utility>

namespace varve::io {
namespace {

constexpr size_t kScratchBytes = size_t{64} << 10;

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
    // Lets a Post that is done leave before its mutex goes.
    absl::MutexLock lock(&mutex_);
    assert(posted_.empty());
  }
  while (wakers_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  close(wake_fd_);
}

std::span<char> LoopExecutor::ScratchBuffer() {
  if (scratch_ == nullptr) scratch_ = std::make_unique_for_overwrite<char[]>(kScratchBytes);
  return {scratch_.get(), kScratchBytes};
}

void LoopExecutor::Submit(Operation& operation) {
  ++in_flight_;
  if (operation.kind != Operation::Kind::kTimeout) return Enqueue(operation);
  timers_.push_back({MonotonicNowNs() + operation.offset, timers_made_++, &operation});
  std::push_heap(timers_.begin(), timers_.end());
}

void LoopExecutor::Post(std::span<const std::coroutine_handle<>> coroutines) {
  if (Current() == this) {
    ready_.insert(ready_.end(), coroutines.begin(), coroutines.end());
    return;
  }
  Sleep sleep;
  {
    absl::MutexLock lock(&mutex_);
    posted_.insert(posted_.end(), coroutines.begin(), coroutines.end());
    has_posted_.store(true, std::memory_order_relaxed);
    sleep = TakeSleep();
  }
  // After the lock, which the loop takes as soon as it is awake.
  WakeFrom(sleep);
}

void LoopExecutor::Stop() {
  Sleep sleep;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    sleep = TakeSleep();
  }
  WakeFrom(sleep);
}

LoopExecutor::Sleep LoopExecutor::TakeSleep() {
  const Sleep sleep = std::exchange(sleep_, Sleep::kAwake);
  if (sleep != Sleep::kAwake) wakers_.fetch_add(1, std::memory_order_relaxed);
  return sleep;
}

void LoopExecutor::WakeFrom(Sleep sleep) {
  if (sleep == Sleep::kAwake) return;
  if (sleep == Sleep::kInKernel) {
    eventfd_write(wake_fd_, 1);
  } else {
    futex_.store(1, std::memory_order_release);
    syscall(SYS_futex, &futex_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  wakers_.fetch_sub(1, std::memory_order_release);
}

void LoopExecutor::WaitOnFutex(std::optional<uint64_t> timeout_ns) {
  timespec timeout;
  if (timeout_ns.has_value()) {
    timeout = {static_cast<time_t>(*timeout_ns / 1'000'000'000),
               static_cast<long>(*timeout_ns % 1'000'000'000)};
  }
  // Interrupted or woken in vain: the loop looks and comes back.
  syscall(SYS_futex, &futex_, FUTEX_WAIT_PRIVATE, 0, timeout_ns.has_value() ? &timeout : nullptr,
          nullptr, 0);
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

void LoopExecutor::CancelTimer(Operation& operation) {
  const auto found = std::find_if(timers_.begin(), timers_.end(), [&operation](const Timer& timer) {
    return timer.operation == &operation;
  });
  if (found == timers_.end()) return;
  *found = timers_.back();
  timers_.pop_back();
  std::make_heap(timers_.begin(), timers_.end());
  Complete(operation, -ECANCELED);
}

std::optional<uint64_t> LoopExecutor::TimeUntilTimer() const {
  if (timers_.empty()) return std::nullopt;
  const uint64_t now_ns = MonotonicNowNs();
  const uint64_t deadline_ns = timers_.front().deadline_ns;
  return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
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
    const Sleep sleep = KernelHasWork() ? Sleep::kInKernel : Sleep::kOnFutex;
    {
      absl::MutexLock lock(&mutex_);
      if (!posted_.empty()) continue;
      mutex_.AssertHeld();
      if (finished()) return;
      futex_.store(0, std::memory_order_relaxed);
      sleep_ = sleep;
    }
    if (sleep == Sleep::kInKernel) {
      FlushAndWait(TimeUntilTimer());
    } else {
      WaitOnFutex(TimeUntilTimer());
    }
    absl::MutexLock lock(&mutex_);
    sleep_ = Sleep::kAwake;
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
