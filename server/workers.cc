#include "server/workers.h"

#include <algorithm>
#include <utility>

namespace varve::server {

Workers::Workers(io::Io& io, size_t threads) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    auto thread = std::make_unique<Thread>();
    io::WorkerOptions options;
    options.name = fmt::format("varve-serve-{}", i);
    thread->worker = io.StartWorker(options);
    threads_.push_back(std::move(thread));
  }
}

size_t Workers::AddConnection() {
  size_t least = 0;
  for (size_t i = 1; i < threads_.size(); ++i) {
    if (threads_[i]->connections.load() < threads_[least]->connections.load()) least = i;
  }
  threads_[least]->connections.fetch_add(1);
  return least;
}

void SpawnedTasks::Spawn(io::Executor& executor, io::Task<void> task) {
  {
    absl::MutexLock lock(&mutex_);
    ++running_;
  }
  executor.Spawn(Run(this, std::move(task)));
}

io::Task<void> SpawnedTasks::Run(SpawnedTasks* tasks, io::Task<void> task) {
  co_await task;
  task = io::Task<void>();
  absl::MutexLock lock(&tasks->mutex_);
  --tasks->running_;
}

void SpawnedTasks::Wait() {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return running_ == 0; };
  mutex_.Await(absl::Condition(&none));
}

}  // namespace varve::server
