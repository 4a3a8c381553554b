// Alarm: a sleep that can be cut short, for those who watch deadlines that come and go.
//
//   while (!stopped) {
//     co_await alarm.Sleep(UntilNextDeadlineNs());
//     EndWhatIsDue();
//   }
//
// and elsewhere, when an earlier deadline appears or it is time to stop, alarm.Wake().
//
// Everything happens on one executor of a real Io (the simulation needs no such thing: its time
// costs nothing).
#pragma once

#include <coroutine>
#include <cstdint>

#include "io/executor.h"
#include "io/loop.h"

namespace varve::io {

class Alarm {
 public:
  Alarm() = default;
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Sleeps for `delay_ns` at least, or until Wake. One sleeper at a time.
  auto Sleep(uint64_t delay_ns) {
    struct Awaiter {
      Alarm& alarm;
      uint64_t delay_ns;
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<> sleeper) {
        alarm.executor_ = static_cast<LoopExecutor*>(Executor::Current());
        alarm.operation_.kind = Operation::Kind::kTimeout;
        alarm.operation_.offset = delay_ns;
        alarm.operation_.waiter = sleeper;
        alarm.sleeps_ = true;
        alarm.executor_->Submit(alarm.operation_);
      }
      void await_resume() noexcept { alarm.sleeps_ = false; }
    };
    return Awaiter{*this, delay_ns};
  }

  // Ends the sleep, if there is one; the sleeper goes on soon.
  void Wake() {
    if (sleeps_) executor_->CancelTimer(operation_);
  }

 private:
  LoopExecutor* executor_ = nullptr;
  Operation operation_;
  bool sleeps_ = false;
};

}  // namespace varve::io
