// Io: everything Varve asks of the world outside the process: files, time, randomness, threads.
//
// Three implementations: io_uring (NewUringIo), portable POSIX (NewPosixIo), and a simulation
// (io/sim.h). NewIo chooses between the first two. One Io serves a whole process and is
// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/executor.h"
#include "io/file.h"
#include "io/sync.h"
#include "io/task.h"

namespace varve::io {

// A thread with an executor of its own. Destruction waits until every task spawned there has
// finished, then ends the thread; the owner first tells its tasks to finish.
class Worker {
 public:
  virtual ~Worker() = default;
  virtual Executor& executor() = 0;
};

struct WorkerOptions {
  std::string name;         // at most 15 bytes, as the system shows it
  bool background = false;  // lower CPU and I/O priority than those who serve
};

class Io {
 public:
  virtual ~Io() = default;

  // "io_uring", "posix" or "simulated".
  virtual std::string_view name() const = 0;

  // ---- Time and chance
  virtual uint64_t MonotonicNs() = 0;  // never goes back; since an unspecified start
  virtual uint64_t WallMs() = 0;       // since 1970; may jump
  virtual uint64_t RandomU64() = 0;    // unpredictable in production, seeded in the simulation

  // ---- Files. Paths are as the system takes them. These block, briefly: keep them off the
  // executors that serve clients.
  virtual StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                               const OpenOptions& options) = 0;
  // With parents, and durably; fine if it exists.
  virtual Status CreateDirectory(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;  // must be empty
  // The names (not paths) in a directory, sorted, without "." and "..".
  virtual StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  virtual StatusOr<uint64_t> FileBytes(const std::string& path) = 0;
  // How many names the file has.
  virtual StatusOr<uint64_t> LinkCount(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Makes the creations, renames, links and removals in a directory durable.
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Bytes that the file system of `path` can still take.
  virtual StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;
  // Takes an exclusive lock that ends with the returned handle or the process. FailedPrecondition
  // if somebody else holds it.
  virtual StatusOr<std::unique_ptr<File>> Lock(const std::string& path) = 0;

  std::unique_ptr<BufferRegion> AllocateBuffers(size_t bytes) {
    return std::make_unique<BufferRegion>(bytes);
  }

  // ---- Execution
  virtual std::unique_ptr<Worker> StartWorker(const WorkerOptions& options) = 0;

  // Whether threads run side by side, so that one may block until another has done something.
  virtual bool has_threads() const = 0;

  // Runs `task` to its end on the calling thread, which is not an executor's (except in the
  // simulation, where this runs the world until the task is done). Use BlockOn.
  virtual void Run(Task<void> task) = 0;
};

// Waits for `task` on the calling thread and returns its result.
template <typename T>
T BlockOn(Io& io, Task<T> task) {
  std::optional<T> result;
  auto run = [](Task<T> task, std::optional<T>& result) -> Task<void> {
    T value = co_await task;
    result.emplace(std::move(value));
  };
  io.Run(run(std::move(task), result));
  return std::move(*result);
}

inline void BlockOn(Io& io, Task<void> task) { io.Run(std::move(task)); }

// io_uring with posix as its fallback: one line in the log says when that is taken.
std::unique_ptr<Io> NewIo();
// FailedPrecondition where the host refuses io_uring, with the reason.
StatusOr<std::unique_ptr<Io>> NewUringIo();
std::unique_ptr<Io> NewPosixIo();

}  // namespace varve::io
