// Executor: a loop that resumes coroutines and completes their operations.
//
// Every coroutine runs on one executor at a time, the one that resumes it. In production an
// executor belongs to one thread (a Worker's, or a foreign thread's inside BlockOn) and owns an
// io_uring or, where the host forbids that, does its file I/O with plain system calls. In the
// simulation all executors share one thread and one seeded queue of events.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <coroutine>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/task.h"

namespace varve::io {

class Executor;
class BufferRegion;

// One request to the kernel, or to what stands in for it. It lives in the frame of the coroutine
// that waits for it, and is the executor's from Submit until `waiter` is resumed.
struct Operation {
  enum class Kind : uint8_t {
    kRead,     // fd, data, size, offset
    kWrite,    // fd, data, size, offset; region if `data` lies in a registered buffer region
    kSync,     // fd: fdatasync
    kTimeout,  // offset: nanoseconds from now
    kPollIn,   // fd: readable, or closed by the peer
    kAccept,   // fd; result is the new descriptor (non-blocking is not set, close-on-exec is)
    kReceive,  // fd, data, size; result 0 at the end of the stream
    kSend,     // fd, data, size; MSG_NOSIGNAL; may send less
  };

  Kind kind = Kind::kRead;
  int fd = -1;
  char* data = nullptr;
  size_t size = 0;
  uint64_t offset = 0;
  const BufferRegion* region = nullptr;
  void* file = nullptr;  // for the simulation: which file

  int64_t result = 0;  // bytes, a descriptor, or a negative errno
  std::coroutine_handle<> waiter;
  Operation* next = nullptr;  // for the executor's own lists
};

class Executor {
 public:
  virtual ~Executor() = default;

  // The executor that runs the calling coroutine; nullptr on a foreign thread.
  static Executor* Current() { return internal::current_executor; }

  // Starts `operation`. Call on this executor's own thread only. Submissions are batched until the
  // executor has nothing left to resume.
  virtual void Submit(Operation& operation) = 0;

  // Resumes `coroutines` here, soon. Any thread; first in, first out in production, in seeded order
  // in the simulation. Never resumes before it returns. Several together wake the executor once,
  // where it would go to sleep between them.
  virtual void Post(std::span<const std::coroutine_handle<>> coroutines) = 0;
  void Post(std::coroutine_handle<> coroutine) { Post(std::span(&coroutine, 1)); }

  // Starts `task` here and lets it run to its end on its own. Any thread. The executor's owner (a
  // Worker's destructor, Io::Run) waits for it.
  void Spawn(Task<void> task);

  // Awaits one operation; its result is `operation.result`.
  struct [[nodiscard]] OperationAwaiter {
    Operation operation;
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      operation.waiter = waiter;
      Current()->Submit(operation);
    }
    int64_t await_resume() noexcept { return operation.result; }
  };

 protected:
  // Makes `executor` current on this thread while it lives.
  class CurrentScope {
   public:
    explicit CurrentScope(Executor* executor);
    ~CurrentScope();

   private:
    Executor* previous_;
  };

  // Tasks spawned here, started and not finished. Touched while this executor is current only.
  uint64_t live_tasks_ = 0;
};

// Awaits `operation` on the current executor.
inline Executor::OperationAwaiter Perform(Operation operation) { return {operation}; }

// Sleeps for `delay_ns` at least.
inline Executor::OperationAwaiter SleepFor(uint64_t delay_ns) {
  Operation operation;
  operation.kind = Operation::Kind::kTimeout;
  operation.offset = delay_ns;
  return {operation};
}

// Lets everything else that is ready on this executor run first.
struct [[nodiscard]] Yield {
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) { Executor::Current()->Post(self); }
  void await_resume() noexcept {}
};

// Continues the awaiting coroutine on `executor`.
struct [[nodiscard]] SwitchTo {
  explicit SwitchTo(Executor& executor) : executor(executor) {}
  bool await_ready() noexcept { return Executor::Current() == &executor; }
  void await_suspend(std::coroutine_handle<> self) { executor.Post(self); }
  void await_resume() noexcept {}
  Executor& executor;
};

}  // namespace varve::io
