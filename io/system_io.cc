#include "io/system_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <thread>
#include <utility>

#include "io/error.h"
#include "io/path.h"
#include "io/system_file.h"

namespace varve::io {
namespace {

class SystemWorker final : public Worker {
 public:
  template <typename Make>
  SystemWorker(const WorkerOptions& options, Make make) {
    // The executor is made by its thread: some kinds of rings belong to the thread that makes them.
    std::promise<LoopExecutor*> ready;
    std::future<LoopExecutor*> made = ready.get_future();
    thread_ = std::thread([this, options, make, &ready] {
      if (!options.name.empty()) {
        pthread_setname_np(pthread_self(), options.name.substr(0, 15).c_str());
      }
      if (options.background) LowerPriority();
      executor_ = make();
      LoopExecutor* const executor = executor_.get();
      ready.set_value(executor);
      executor->RunUntilStopped();
    });
    made.wait();
  }

  ~SystemWorker() override {
    executor_->Stop();
    thread_.join();
  }

  Executor& executor() override { return *executor_; }

 private:
  // Both are requests: where the host refuses, the thread runs as the others do.
  static void LowerPriority() {
    // A quarter of a contended core (weight 335 of 1024), not a sixtieth as at 19: with both cores
    // kept busy by others, a flush at 19 kept writers waiting for 12 s (docs/performance.md).
    constexpr int kNice = 5;
    setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
    // The lowest of the ordinary class. The idle class would let a busy disk starve a flush that
    // writers wait for.
    // (<linux/ioprio.h> does not compile as C++ everywhere.)
    constexpr int kWhoProcess = 1;
    constexpr int kBestEffort = 2 << 13;
    syscall(SYS_ioprio_set, kWhoProcess, 0, kBestEffort | 7);
  }

  std::unique_ptr<LoopExecutor> executor_;
  std::thread thread_;
};

bool IsDirectory(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

SystemIo::~SystemIo() = default;

uint64_t SystemIo::MonotonicNs() { return MonotonicNowNs(); }

uint64_t SystemIo::WallMs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

uint64_t SystemIo::RandomU64() {
  absl::MutexLock lock(&random_mutex_);
  if (random_.empty()) {
    // 256 bytes come whole once the kernel's pool is seeded, or not at all.
    random_.resize(32);
    if (getrandom(random_.data(), 256, 0) != 256) std::abort();
  }
  const uint64_t number = random_.back();
  random_.pop_back();
  return number;
}

StatusOr<std::unique_ptr<File>> SystemIo::Open(const std::string& path,
                                               const OpenOptions& options) {
  return OpenSystemFile(path, options);
}

Status SystemIo::CreateDirectory(const std::string& given) {
  const std::string path = WithoutTrailingSlash(given);
  if (path.empty()) return InvalidArgument("empty path of a directory");
  if (IsDirectory(path)) return absl::OkStatus();
  const std::string parent = ParentDirectory(path);
  if (parent != path) VARVE_RETURN_IF_ERROR(CreateDirectory(parent));
  if (mkdir(path.c_str(), 0755) != 0) {
    const int error = errno;
    if (error == EEXIST && IsDirectory(path)) return absl::OkStatus();
    return ErrnoStatus(error, path, "create directory");
  }
  return SyncDirectory(parent);
}

Status SystemIo::RemoveDirectory(const std::string& path) {
  if (rmdir(path.c_str()) != 0) return ErrnoStatus(errno, path, "remove directory");
  return absl::OkStatus();
}

StatusOr<std::vector<std::string>> SystemIo::List(const std::string& path) {
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return ErrnoStatus(errno, path, "list");
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  closedir(directory);
  if (error != 0) return ErrnoStatus(error, path, "list");
  std::sort(names.begin(), names.end());
  return names;
}

bool SystemIo::Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

StatusOr<uint64_t> SystemIo::FileBytes(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return ErrnoStatus(errno, path, "stat");
  return static_cast<uint64_t>(status.st_size);
}

StatusOr<uint64_t> SystemIo::LinkCount(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return ErrnoStatus(errno, path, "stat");
  return static_cast<uint64_t>(status.st_nlink);
}

Status SystemIo::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(errno, from, fmt::format("rename to {}", to));
  }
  return absl::OkStatus();
}

Status SystemIo::Link(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(errno, from, fmt::format("link as {}", to));
  }
  return absl::OkStatus();
}

Status SystemIo::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return ErrnoStatus(errno, path, "remove");
  return absl::OkStatus();
}

Status SystemIo::SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path, "open directory");
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  if (result != 0) return ErrnoStatus(error, path, "sync directory");
  return absl::OkStatus();
}

StatusOr<uint64_t> SystemIo::FreeBytes(const std::string& path) {
  struct statvfs status;
  if (statvfs(path.c_str(), &status) != 0) return ErrnoStatus(errno, path, "free space");
  return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
}

StatusOr<std::unique_ptr<File>> SystemIo::Lock(const std::string& path) {
  return LockSystemFile(path);
}

std::unique_ptr<Worker> SystemIo::StartWorker(const WorkerOptions& options) {
  return std::make_unique<SystemWorker>(options, [this] { return MakeWorkerExecutor(); });
}

SystemIo::Borrowed SystemIo::Borrow() {
  static thread_local const int thread = static_cast<int>(syscall(SYS_gettid));
  absl::MutexLock lock(&pool_mutex_);
  while (pool_.empty() && executors_made_ == kBorrowedExecutorsMax) {
    given_back_.Wait(&pool_mutex_);
  }
  // Preferably the one this thread had before: its caches and the kernel's know it.
  auto chosen = std::find_if(pool_.rbegin(), pool_.rend(), [](const Borrowed& borrowed) {
    return borrowed.last_thread == thread;
  });
  if (chosen == pool_.rend() && !pool_.empty()) chosen = pool_.rbegin();
  if (chosen == pool_.rend()) {
    ++executors_made_;
    return {MakeBorrowedExecutor(), thread};
  }
  std::swap(*chosen, pool_.back());
  Borrowed borrowed = std::move(pool_.back());
  pool_.pop_back();
  borrowed.last_thread = thread;
  return borrowed;
}

void SystemIo::GiveBack(Borrowed borrowed) {
  absl::MutexLock lock(&pool_mutex_);
  pool_.push_back(std::move(borrowed));
  given_back_.Signal();
}

void SystemIo::Run(Task<void> task) {
  // A coroutine that blocked its own executor would wait for ever.
  if (Executor::Current() != nullptr) std::abort();
  Borrowed borrowed = Borrow();
  borrowed.executor->RunTask(std::move(task));
  GiveBack(std::move(borrowed));
}

}  // namespace varve::io
