// LoopExecutor: what the executors of real threads share: the queue of ready coroutines, posts from
// other threads, and timers. A subclass adds how operations reach the kernel.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "io/executor.h"
#include "io/subscription.h"

namespace varve::io {

// CLOCK_MONOTONIC.
uint64_t MonotonicNowNs();

class LoopExecutor : public Executor {
 public:
  LoopExecutor();
  ~LoopExecutor() override;
  LoopExecutor(const LoopExecutor&) = delete;
  LoopExecutor& operator=(const LoopExecutor&) = delete;

  void Submit(Operation& operation) final;
  using Executor::Post;
  void Post(std::span<const std::coroutine_handle<>> coroutines) final;

  // Completes a timeout now, with -ECANCELED; does nothing if its time had come. Its own thread.
  void CancelTimer(Operation& operation);

  // Starts `subscription`, which is not active. False if this executor has no such requests. Like
  // the others below, called on the executor's own thread.
  virtual bool Subscribe(Subscription& subscription) { return false; }
  // Asks for the end of an active subscription; what arrives until then is kept.
  virtual void Unsubscribe(Subscription& subscription) {}
  // Of an arrival that was taken from a subscription, until it is given back.
  virtual const char* BufferData(uint16_t buffer) { return nullptr; }
  virtual void GiveBack(uint16_t buffer) {}

  // For what is read and used up before anything else runs.
  std::span<char> ScratchBuffer();

  // Runs the loop on the calling thread until `task` and everything spawned meanwhile has finished.
  // One thread at a time.
  void RunTask(Task<void> task);

  // Runs the loop on the calling thread until Stop was called and everything spawned has finished.
  void RunUntilStopped();
  void Stop();  // any thread

 protected:
  // Takes `operation` (anything but kTimeout) to hand it to the kernel at the next Flush.
  virtual void Enqueue(Operation& operation) = 0;
  // Hands over what is queued and completes what is finished, without waiting.
  virtual void Flush() = 0;
  // As Flush, but waits until something completes, wake_fd() becomes readable, or the time has
  // come: at least one of them. nullopt waits for ever. May return early. Called only while the
  // kernel has operations of ours: without any, the loop sleeps by itself.
  virtual void FlushAndWait(std::optional<uint64_t> timeout_ns) = 0;

  // Marks `operation` as done and its coroutine as ready.
  void Complete(Operation& operation, int64_t result) {
    operation.result = result;
    --in_flight_;
    ready_.push_back(operation.waiter);
  }

  // A subscription counts as one operation from its start to its end.
  void CountStart() { ++in_flight_; }
  void CountEnd() { --in_flight_; }
  void MakeReady(std::coroutine_handle<> coroutine) { ready_.push_back(coroutine); }

  // Whether a coroutine is ready to go on.
  bool HasReady() const { return !ready_.empty(); }

  // An eventfd that wakes the loop. Whoever drains it does so before the loop looks at its posts.
  int wake_fd() const { return wake_fd_; }

 private:
  struct Timer {
    uint64_t deadline_ns;
    uint64_t order;  // the earlier asked, the earlier done
    Operation* operation;
    bool operator<(const Timer& other) const {  // std::push_heap keeps the largest in front
      return deadline_ns != other.deadline_ns ? deadline_ns > other.deadline_ns
                                              : order > other.order;
    }
  };

  // How the loop sleeps, which says how to wake it. A thread that waits for nothing but others
  // sleeps on a futex: a wake-up through the kernel's queue of completions costs several times as
  // much, and writers who wait for their log group are woken by the ten thousand a second.
  enum class Sleep : uint8_t { kAwake, kInKernel, kOnFutex };

  template <typename Finished>
  void Loop(Finished finished);
  void TakePosted();
  void CompleteTimers();
  std::optional<uint64_t> TimeUntilTimer() const;
  void WaitOnFutex(std::optional<uint64_t> timeout_ns);
  // Whoever has taken the loop's sleep from it, under the lock, wakes it, after the lock.
  Sleep TakeSleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeFrom(Sleep sleep);
  bool KernelHasWork() const { return in_flight_ > timers_.size(); }
  bool Idle() const { return live_tasks_ == 0 && in_flight_ == 0; }

  // The loop's own.
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  std::vector<Timer> timers_;  // a heap
  uint64_t timers_made_ = 0;
  uint64_t in_flight_ = 0;
  std::unique_ptr<char[]> scratch_;

  const int wake_fd_;
  // Whether posted_ may have something: spares the loop the lock. Relaxed, because the loop looks
  // again under the lock before it sleeps.
  std::atomic<bool> has_posted_{false};
  absl::Mutex mutex_;
  std::vector<std::coroutine_handle<>> posted_ ABSL_GUARDED_BY(mutex_);
  Sleep sleep_ ABSL_GUARDED_BY(mutex_) = Sleep::kAwake;
  // 1: whoever sleeps on it shall wake up.
  std::atomic<uint32_t> futex_{0};
  // Threads between TakeSleep and the end of WakeFrom: the executor outlives them.
  std::atomic<uint32_t> wakers_{0};
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace varve::io
