// SystemIo: the Io of real machines. Its subclasses differ in the executors they make.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <memory>
#include <string>
#include <vector>

#include "io/io.h"
#include "io/loop.h"

namespace varve::io {

class SystemIo : public Io {
 public:
  ~SystemIo() override;

  uint64_t MonotonicNs() final;
  uint64_t WallMs() final;
  uint64_t RandomU64() final;

  StatusOr<std::unique_ptr<File>> Open(const std::string& path, const OpenOptions& options) final;
  Status CreateDirectory(const std::string& path) final;
  Status RemoveDirectory(const std::string& path) final;
  StatusOr<std::vector<std::string>> List(const std::string& path) final;
  bool Exists(const std::string& path) final;
  StatusOr<uint64_t> FileBytes(const std::string& path) final;
  StatusOr<uint64_t> LinkCount(const std::string& path) final;
  Status Rename(const std::string& from, const std::string& to) final;
  Status Link(const std::string& from, const std::string& to) final;
  Status Remove(const std::string& path) final;
  Status SyncDirectory(const std::string& path) final;
  StatusOr<uint64_t> FreeBytes(const std::string& path) final;
  StatusOr<std::unique_ptr<File>> Lock(const std::string& path) final;

  std::unique_ptr<Worker> StartWorker(const WorkerOptions& options) final;
  bool has_threads() const final { return true; }
  void Run(Task<void> task) final;

  // Executors that foreign threads may have borrowed at one time; the next Run waits for one.
  static constexpr size_t kBorrowedExecutorsMax = 128;

 protected:
  // Makes an executor for the calling thread alone.
  virtual std::unique_ptr<LoopExecutor> MakeWorkerExecutor() = 0;
  // Makes an executor for one thread after the other.
  virtual std::unique_ptr<LoopExecutor> MakeBorrowedExecutor() = 0;

 private:
  struct Borrowed {
    std::unique_ptr<LoopExecutor> executor;
    int last_thread = 0;
  };

  Borrowed Borrow();
  void GiveBack(Borrowed borrowed);

  absl::Mutex pool_mutex_;
  absl::CondVar given_back_;
  std::vector<Borrowed> pool_ ABSL_GUARDED_BY(pool_mutex_);
  size_t executors_made_ ABSL_GUARDED_BY(pool_mutex_) = 0;

  absl::Mutex random_mutex_;
  std::vector<uint64_t> random_ ABSL_GUARDED_BY(random_mutex_);
};

}  // namespace varve::io
