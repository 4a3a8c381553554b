#include "io/executor.h"

#include "io/sync.h"

namespace varve::io {
namespace {

thread_local Executor* current_executor = nullptr;

// A coroutine that nobody awaits: it frees itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

Detached RunDetached(Task<void> task) { co_await task; }

}  // namespace

Executor* Executor::Current() { return current_executor; }

Executor::CurrentScope::CurrentScope(Executor* executor) : previous_(current_executor) {
  current_executor = executor;
}

Executor::CurrentScope::~CurrentScope() { current_executor = previous_; }

void Executor::Spawn(Task<void> task) { Post(RunDetached(std::move(task)).handle); }

Task<void> TaskGroup::RunOne(TaskGroup* group, Task<void> task) {
  co_await task;
  if (--group->running_ == 0 && group->waiter_) {
    Executor::Current()->Post(std::exchange(group->waiter_, nullptr));
  }
}

void TaskGroup::Add(Task<void> task) {
  ++running_;
  RunDetached(RunOne(this, std::move(task))).handle.resume();
}

}  // namespace varve::io
