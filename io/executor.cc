#include "io/executor.h"

#include <absl/synchronization/mutex.h>

#include "io/sync.h"

namespace varve::io {
namespace internal {

void PostOn(Executor& executor, std::coroutine_handle<> coroutine) { executor.Post(coroutine); }

}  // namespace internal

namespace {

// Debian builds Abseil with its search for deadlocks switched on, which takes a process-wide lock
// at each absl::Mutex::Lock. Off before main: every program of ours has executors.
[[maybe_unused]] const bool deadlock_detection_off = [] {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}();

// A coroutine that nobody awaits: it frees itself at its end.
struct DetachedTask {
  struct promise_type {
    DetachedTask get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

DetachedTask RunDetached(Task<void> task) { co_await task; }

// Counts itself in *live_tasks while it runs, on `home` at both ends.
DetachedTask RunCounted(Executor* home, uint64_t* live_tasks, Task<void> task) {
  ++*live_tasks;
  co_await task;
  // What the task holds is gone before its owner hears that it has finished.
  task = Task<void>();
  co_await SwitchTo(*home);
  --*live_tasks;
}

}  // namespace

Executor::CurrentScope::CurrentScope(Executor* executor) : previous_(internal::current_executor) {
  internal::current_executor = executor;
}

Executor::CurrentScope::~CurrentScope() { internal::current_executor = previous_; }

void Executor::Spawn(Task<void> task) {
  Post(RunCounted(this, &live_tasks_, std::move(task)).handle);
}

Task<void> TaskGroup::RunOne(TaskGroup* group, Executor* home, Task<void> task) {
  co_await task;
  task = Task<void>();
  co_await SwitchTo(*home);
  if (--group->running_ == 0 && group->waiter_) {
    home->Post(std::exchange(group->waiter_, nullptr));
  }
}

void TaskGroup::Add(Task<void> task) {
  ++running_;
  RunDetached(RunOne(this, Executor::Current(), std::move(task))).handle.resume();
}

}  // namespace varve::io
