#include "io/sim_world.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace varve::io {
namespace {

Task<void> RunAndTell(Task<void> task, Executor* home, bool* done) {
  co_await task;
  task = Task<void>();
  co_await SwitchTo(*home);
  *done = true;
}

bool IsFileOperation(const Operation& operation) {
  return operation.kind == Operation::Kind::kRead || operation.kind == Operation::Kind::kWrite ||
         operation.kind == Operation::Kind::kSync;
}

}  // namespace

SimWorld::SimWorld(uint64_t seed, PerformOperation perform, Latency latency)
    : random_(seed), perform_(std::move(perform)), latency_(std::move(latency)) {}

SimWorld::~SimWorld() = default;

std::unique_ptr<SimExecutor> SimWorld::MakeExecutor() {
  return std::make_unique<SimExecutor>(this);
}

void SimWorld::Post(SimExecutor* executor, std::coroutine_handle<> coroutine) {
  ++executor->pending_;
  ready_.push_back({executor, coroutine});
}

void SimWorld::Submit(SimExecutor* executor, Operation& operation) {
  ++executor->pending_;
  uint64_t delay_ns = 1'000;
  if (operation.kind == Operation::Kind::kTimeout) {
    delay_ns = operation.offset;
  } else if (IsFileOperation(operation)) {
    delay_ns = latency_(operation);
  }
  events_.push_back({now_ns_ + delay_ns, events_made_++, executor, &operation});
  std::push_heap(events_.begin(), events_.end());
}

std::vector<Operation*> SimWorld::FileOperationsUnderWay() const {
  std::vector<Event> events = events_;
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.order < b.order; });
  std::vector<Operation*> operations;
  for (const Event& event : events) {
    if (IsFileOperation(*event.operation)) operations.push_back(event.operation);
  }
  return operations;
}

void SimWorld::FireDueEvents() {
  while (!events_.empty() && events_.front().time_ns <= now_ns_) {
    const Event event = events_.front();
    std::pop_heap(events_.begin(), events_.end());
    events_.pop_back();
    Operation& operation = *event.operation;
    if (operation.kind == Operation::Kind::kTimeout) {
      operation.result = 0;
    } else {
      operation.result = IsFileOperation(operation) ? perform_(operation) : -ENOSYS;
    }
    ready_.push_back({event.executor, operation.waiter});
  }
}

bool SimWorld::Step() {
  FireDueEvents();
  if (ready_.empty()) {
    if (events_.empty()) return false;
    now_ns_ = events_.front().time_ns;
    FireDueEvents();
  }
  std::swap(ready_[random_.Below(ready_.size())], ready_.back());
  const Ready next = ready_.back();
  ready_.pop_back();
  --next.executor->pending_;
  now_ns_ += random_.Below(1'000);  // what it costs to run
  next.executor->Resume(next.coroutine);
  return true;
}

void SimWorld::RunUntil(const std::function<bool()>& done) {
  while (!done()) {
    if (Step()) continue;
    std::fprintf(stderr, "simulation: deadlock: nothing is ready and no event is left\n");
    std::abort();
  }
}

void SimWorld::Run(Task<void> task) {
  if (Executor::Current() != nullptr) {
    std::fprintf(stderr, "simulation: Io::Run inside a coroutine\n");
    std::abort();
  }
  const std::unique_ptr<SimExecutor> executor = MakeExecutor();
  bool done = false;
  executor->Spawn(RunAndTell(std::move(task), executor.get(), &done));
  RunUntil([&] { return done && executor->Idle(); });
}

}  // namespace varve::io
