// Background: what a Store does besides answering: filling indexes and the like. Tasks run on an
// executor of their own, with lower priority than those who serve, and end when they are told to.
//
//   io::Task<void> Store::Tidy() {
//     while (!background_.stopping()) {
//       ...
//       co_await background_.Sleep(1000);
//     }
//   }
//   background_.Start(Tidy());
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "io/io.h"
#include "io/task.h"

namespace varve::item {

// Thread-safe.
class Background {
 public:
  explicit Background(io::Io& io) : io_(io) {}
  ~Background() { Stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Runs `task`, which must watch stopping(). The executor is there from the first task on. After
  // Stop, the task is not run.
  void Start(io::Task<void> task);

  // Whether tasks are to end, soon.
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

  // Sleeps for `ms`, or until stopping is noticed.
  io::Task<void> Sleep(uint64_t ms);

  // Tells all tasks to end and waits until they have.
  void Stop();

 private:
  io::Io& io_;
  std::atomic<bool> stopping_{false};
  absl::Mutex mutex_;
  std::unique_ptr<io::Worker> worker_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::item
