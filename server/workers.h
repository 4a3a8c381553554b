// Workers: the threads that serve clients. All servers of the process share them, each connection
// on one: so there is one ring a thread, whatever its connections speak.
//
//   Workers workers(io, 4);
//   auto http = HttpServer::Start(io, options, &workers, &handler);
//   auto binary = BinaryServer::Start(io, options, &workers, &service);
//   ...
//   (*http)->Stop();      // the servers first,
//   (*binary)->Stop();
//                         // then the threads, with `workers`
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "io/executor.h"
#include "io/io.h"
#include "io/task.h"

namespace varve::server {

// Thread-safe.
class Workers {
 public:
  // At least one.
  Workers(io::Io& io, size_t threads);

  size_t size() const { return threads_.size(); }
  io::Executor& executor(size_t i) { return threads_[i]->worker->executor(); }

  // The thread that has the fewest connections; it has one more now.
  size_t AddConnection();
  void RemoveConnection(size_t i) { threads_[i]->connections.fetch_sub(1); }

 private:
  struct Thread {
    std::atomic<size_t> connections{0};
    std::unique_ptr<io::Worker> worker;
  };
  std::vector<std::unique_ptr<Thread>> threads_;
};

// Tasks of one owner on executors of others: it waits for them before it goes. Thread-safe.
class SpawnedTasks {
 public:
  // Starts `task` on `executor` and lets it run to its end.
  void Spawn(io::Executor& executor, io::Task<void> task);
  // Blocks until all of them have ended. Not on an executor.
  void Wait();

 private:
  static io::Task<void> Run(SpawnedTasks* tasks, io::Task<void> task);

  absl::Mutex mutex_;
  uint64_t running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace varve::server
