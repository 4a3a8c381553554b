// The simulation's time and scheduling: which coroutine runs next, and when operations end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "io/executor.h"
#include "io/io.h"

namespace varve::io {

class SimExecutor;

class SimWorld {
 public:
  // Performs a file operation at the moment it ends; returns its result.
  using PerformOperation = std::function<int64_t(Operation&)>;
  // How long a file operation takes.
  using Latency = std::function<uint64_t(const Operation&)>;

  SimWorld(uint64_t seed, PerformOperation perform, Latency latency);
  ~SimWorld();

  uint64_t now_ns() const { return now_ns_; }
  // A look at the clock takes a nanosecond, so that whoever spins on it gets on.
  uint64_t ReadClock() { return ++now_ns_; }

  std::unique_ptr<SimExecutor> MakeExecutor();

  // Runs the world until `done`. May be called from within a coroutine (a destructor that waits).
  void RunUntil(const std::function<bool()>& done);
  void Run(Task<void> task);

  void Post(SimExecutor* executor, std::coroutine_handle<> coroutine);
  void Submit(SimExecutor* executor, Operation& operation);

  // File operations under way, in the order they were submitted.
  std::vector<Operation*> FileOperationsUnderWay() const;

 private:
  struct Ready {
    SimExecutor* executor;
    std::coroutine_handle<> coroutine;
  };
  struct Event {
    uint64_t time_ns;
    uint64_t order;
    SimExecutor* executor;
    Operation* operation;
    bool operator<(const Event& other) const {  // the heap keeps the largest in front
      return time_ns != other.time_ns ? time_ns > other.time_ns : order > other.order;
    }
  };

  void FireDueEvents();
  // One coroutine, or one event. Returns false if there is neither.
  bool Step();

  Random random_;
  const PerformOperation perform_;
  const Latency latency_;
  uint64_t now_ns_ = 1'000'000'000;
  uint64_t events_made_ = 0;
  std::vector<Ready> ready_;
  std::vector<Event> events_;  // a heap
};

class SimExecutor final : public Executor {
 public:
  explicit SimExecutor(SimWorld* world) : world_(world) {}

  void Submit(Operation& operation) override { world_->Submit(this, operation); }
  using Executor::Post;
  void Post(std::span<const std::coroutine_handle<>> coroutines) override {
    for (const std::coroutine_handle<> coroutine : coroutines) world_->Post(this, coroutine);
  }

  // Nothing runs here, is ready or under way.
  bool Idle() const { return live_tasks_ == 0 && pending_ == 0; }

 private:
  friend class SimWorld;

  void Resume(std::coroutine_handle<> coroutine) {
    const CurrentScope scope(this);
    coroutine.resume();
  }

  SimWorld* const world_;
  uint64_t pending_ = 0;  // ready coroutines and operations under way
};

}  // namespace varve::io
