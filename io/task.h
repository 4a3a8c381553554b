// Task<T>: a C++20 coroutine that computes a T, lazily and at most once.
//
//   io::Task<StatusOr<size_t>> Copy(io::File& from, io::File& to) {
//     std::vector<char> buffer(4096);
//     auto bytes = co_await from.Read(0, buffer);
//     ...
//     co_return *bytes;
//   }
//
// A task starts when it is awaited (or spawned on an Executor) and is destroyed with its Task
// object; destroying a task that has started and not finished is a bug. A task has one awaiter. It
// may move between threads only at a suspension, and what it awaits decides where it resumes: on
// the executor it was suspended on, unless it awaited SwitchTo, or a task that did: an awaiter
// continues where the task it awaited ended.
//
// Stack use is bounded: a chain of tasks that complete without suspending does not nest, because
// the awaiter continues from await_suspend rather than from the finished task (no reliance on tail
// calls, which sanitizers turn off).
#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace varve::io {

class Executor;

template <typename T = void>
class Task;

namespace internal {

// The executor that runs on this thread; Executor::Current() reads it.
inline constinit thread_local Executor* current_executor = nullptr;

void PostOn(Executor& executor, std::coroutine_handle<> coroutine);

class PromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      promise.finished_on_ = current_executor;
      // Acquire and release: the result must be visible to the awaiter, on whichever thread the
      // second of the two (finished task, suspended awaiter) arrives.
      if (promise.second_arrival_.exchange(true, std::memory_order_acq_rel)) {
        promise.awaiter_.resume();
      }
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { std::terminate(); }

  // Starts the task on behalf of `awaiter`. Returns false if it has finished already: the awaiter
  // then goes on by itself; otherwise it is resumed where the task finishes.
  template <typename Promise>
  bool Start(std::coroutine_handle<Promise> self, std::coroutine_handle<> awaiter) {
    awaiter_ = awaiter;
    self.resume();
    if (!second_arrival_.exchange(true, std::memory_order_acq_rel)) return true;
    if (finished_on_ == current_executor) return false;
    // The task switched executors and was faster there than its start was here. The awaiter follows
    // it, as it does when it is slower.
    PostOn(*finished_on_, awaiter);
    return true;
  }

 private:
  std::coroutine_handle<> awaiter_;
  Executor* finished_on_ = nullptr;
  std::atomic<bool> second_arrival_{false};
};

template <typename T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  template <typename U>
  void return_value(U&& value) {
    result_.emplace(std::forward<U>(value));
  }
  T Result() { return std::move(*result_); }

 private:
  std::optional<T> result_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void Result() noexcept {}
};

}  // namespace internal

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool valid() const { return static_cast<bool>(handle_); }

  auto operator co_await() noexcept {
    struct Awaiter {
      Handle handle;
      bool await_ready() noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> awaiter) {
        return handle.promise().Start(handle, awaiter);
      }
      T await_resume() { return handle.promise().Result(); }
    };
    return Awaiter{handle_};
  }

 private:
  Handle handle_ = nullptr;
};

namespace internal {

template <typename T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace internal
}  // namespace varve::io
