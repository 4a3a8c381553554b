// Waiting for each other, for coroutines on any executors. All classes are thread-safe; a waiter is
// resumed on the executor it suspended on. None may be destroyed while somebody waits on it.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <coroutine>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "io/executor.h"
#include "io/task.h"

namespace varve::io {

// A coroutine that waits, and where to resume it.
struct Waiter {
  std::coroutine_handle<> coroutine;
  Executor* executor;

  void Wake() const { executor->Post(coroutine); }
};

// Wakes all of them, each executor once.
void WakeAll(std::span<const Waiter> waiters);

// Something that happens once (until Reset). Waiting for what has happened does not suspend.
class Event {
 public:
  Event() = default;
  // Waits for a Set under way on another thread, so that the one who was woken may destroy it.
  ~Event() { absl::MutexLock lock(&mutex_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void Set() {
    std::vector<Waiter> waiters;
    {
      absl::MutexLock lock(&mutex_);
      set_ = true;
      waiters.swap(waiters_);
    }
    WakeAll(waiters);
  }
  void Reset() {
    absl::MutexLock lock(&mutex_);
    set_ = false;
  }
  bool IsSet() const {
    absl::MutexLock lock(&mutex_);
    return set_;
  }

  auto Wait() {
    struct Awaiter {
      Event& event;
      bool await_ready() { return event.IsSet(); }
      bool await_suspend(std::coroutine_handle<> self) {
        absl::MutexLock lock(&event.mutex_);
        if (event.set_) return false;
        event.waiters_.push_back({self, Executor::Current()});
        return true;
      }
      void await_resume() {}
    };
    return Awaiter{*this};
  }

 private:
  mutable absl::Mutex mutex_;
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

// Something that happens again and again, for those who look at a condition and wait for it to have
// changed:
//
//   for (uint64_t seen = pulse.count(); !Condition(); seen = pulse.count()) {
//     co_await pulse.After(seen);
//   }
//
// with pulse.Beat() after every change of the condition.
class Pulse {
 public:
  uint64_t count() const {
    absl::MutexLock lock(&mutex_);
    return count_;
  }
  void Beat() {
    std::vector<Waiter> waiters;
    {
      absl::MutexLock lock(&mutex_);
      ++count_;
      waiters.swap(waiters_);
    }
    WakeAll(waiters);
  }

  // Waits until there have been more than `seen` beats.
  auto After(uint64_t seen) {
    struct Awaiter {
      Pulse& pulse;
      uint64_t seen;
      bool await_ready() { return pulse.count() > seen; }
      bool await_suspend(std::coroutine_handle<> self) {
        absl::MutexLock lock(&pulse.mutex_);
        if (pulse.count_ > seen) return false;
        pulse.waiters_.push_back({self, Executor::Current()});
        return true;
      }
      void await_resume() {}
    };
    return Awaiter{*this, seen};
  }

 private:
  mutable absl::Mutex mutex_;
  uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

// A counter of permits, handed out in the order they were asked for.
class Semaphore {
 public:
  explicit Semaphore(uint64_t permits) : permits_(permits) {}

  void Release(uint64_t count = 1) {
    std::vector<Waiter> ready;
    {
      absl::MutexLock lock(&mutex_);
      permits_ += count;
      while (!queue_.empty() && queue_.front().count <= permits_) {
        permits_ -= queue_.front().count;
        ready.push_back(queue_.front().waiter);
        queue_.pop_front();
      }
    }
    WakeAll(ready);
  }

  // `co_await semaphore.Acquire(n)` holds n permits afterwards.
  auto Acquire(uint64_t count = 1) {
    struct Awaiter {
      Semaphore& semaphore;
      uint64_t count;
      bool await_ready() { return false; }
      bool await_suspend(std::coroutine_handle<> self) {
        absl::MutexLock lock(&semaphore.mutex_);
        if (semaphore.queue_.empty() && semaphore.permits_ >= count) {
          semaphore.permits_ -= count;
          return false;
        }
        semaphore.queue_.push_back({{self, Executor::Current()}, count});
        return true;
      }
      void await_resume() {}
    };
    return Awaiter{*this, count};
  }

 private:
  struct Request {
    Waiter waiter;
    uint64_t count;
  };
  absl::Mutex mutex_;
  uint64_t permits_ ABSL_GUARDED_BY(mutex_);
  std::deque<Request> queue_ ABSL_GUARDED_BY(mutex_);
};

// Mutual exclusion that may be held across a suspension. First come, first served.
//
//   auto lock = co_await mutex.Lock();
class Mutex {
 public:
  class [[nodiscard]] Guard {
   public:
    explicit Guard(Mutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() { Unlock(); }
    void Unlock() {
      if (mutex_ != nullptr) std::exchange(mutex_, nullptr)->semaphore_.Release();
    }

   private:
    Mutex* mutex_;
  };

  auto Lock() {
    struct Awaiter : decltype(std::declval<Semaphore>().Acquire()) {
      Mutex* mutex;
      Guard await_resume() { return Guard(mutex); }
    };
    return Awaiter{semaphore_.Acquire(), this};
  }

 private:
  Semaphore semaphore_{1};
};

// Runs tasks side by side on the current executor and waits for all of them there.
//
//   TaskGroup group;
//   for (...) group.Add(ReadBlock(...));   // each starts at once
//   co_await group.Wait();                 // required before the group is destroyed
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void Add(Task<void> task);

  // How many have not finished yet.
  uint64_t running() const { return running_; }

  auto Wait() {
    struct Awaiter {
      TaskGroup& group;
      bool await_ready() { return group.running_ == 0; }
      void await_suspend(std::coroutine_handle<> self) { group.waiter_ = self; }
      void await_resume() {}
    };
    return Awaiter{*this};
  }

 private:
  static Task<void> RunOne(TaskGroup* group, Executor* home, Task<void> task);

  // Touched on one executor only, the one that adds and waits.
  uint64_t running_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace varve::io
