#include "io/system_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "io/error.h"
#include "io/executor.h"

namespace varve::io {
namespace {

// The system transfers at most 2 GiB at once; this stays aligned.
constexpr size_t kTransferBytesMax = size_t{1} << 30;

class SystemMapping final : public Mapping {
 public:
  SystemMapping(char* data, size_t size) : data_(data), size_(size) {}
  ~SystemMapping() override {
    if (size_ != 0) munmap(data_, size_);
  }
  std::span<char> bytes() override { return {data_, size_}; }

 private:
  char* const data_;
  const size_t size_;
};

class SystemFile final : public File {
 public:
  SystemFile(std::string path, int fd) : File(std::move(path)), fd_(fd) {}
  ~SystemFile() override { close(fd_); }

  Task<StatusOr<size_t>> Read(uint64_t offset, std::span<char> into) override {
    size_t done = 0;
    while (done < into.size()) {
      Operation operation;
      operation.kind = Operation::Kind::kRead;
      operation.fd = fd_;
      operation.data = into.data() + done;
      operation.size = std::min(into.size() - done, kTransferBytesMax);
      operation.offset = offset + done;
      const int64_t result = co_await Perform(operation);
      if (IsTransient(result)) continue;
      if (result < 0) co_return Failed(result, offset + done, "read");
      done += static_cast<size_t>(result);
      if (static_cast<size_t>(result) < operation.size && AtEnd(result)) break;
    }
    co_return done;
  }

  Task<Status> Write(uint64_t offset, std::string_view bytes, const BufferRegion* region) override {
    size_t done = 0;
    while (done < bytes.size()) {
      Operation operation;
      operation.kind = Operation::Kind::kWrite;
      operation.fd = fd_;
      operation.data = const_cast<char*>(bytes.data()) + done;
      operation.size = std::min(bytes.size() - done, kTransferBytesMax);
      operation.offset = offset + done;
      operation.region = region;
      const int64_t result = co_await Perform(operation);
      if (IsTransient(result)) continue;
      if (result < 0) co_return Failed(result, offset + done, "write");
      if (result == 0) co_return Failed(-EIO, offset + done, "write");
      done += static_cast<size_t>(result);
    }
    co_return absl::OkStatus();
  }

  Task<Status> Sync() override {
    for (;;) {
      Operation operation;
      operation.kind = Operation::Kind::kSync;
      operation.fd = fd_;
      const int64_t result = co_await Perform(operation);
      if (IsTransient(result)) continue;
      if (result < 0) co_return ErrnoStatus(static_cast<int>(-result), path(), "sync");
      co_return absl::OkStatus();
    }
  }

  StatusOr<size_t> ReadNow(uint64_t offset, std::span<char> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const size_t wanted = std::min(into.size() - done, kTransferBytesMax);
      const ssize_t result =
          pread(fd_, into.data() + done, wanted, static_cast<off_t>(offset + done));
      if (result < 0 && errno == EINTR) continue;
      if (result < 0) return Failed(-errno, offset + done, "read");
      done += static_cast<size_t>(result);
      if (static_cast<size_t>(result) < wanted && AtEnd(result)) break;
    }
    return done;
  }

  Status WriteNow(uint64_t offset, std::string_view bytes) override {
    size_t done = 0;
    while (done < bytes.size()) {
      const size_t wanted = std::min(bytes.size() - done, kTransferBytesMax);
      const ssize_t result =
          pwrite(fd_, bytes.data() + done, wanted, static_cast<off_t>(offset + done));
      if (result < 0 && errno == EINTR) continue;
      if (result < 0) return Failed(-errno, offset + done, "write");
      if (result == 0) return Failed(-EIO, offset + done, "write");
      done += static_cast<size_t>(result);
    }
    return absl::OkStatus();
  }

  StatusOr<uint64_t> Size() override {
    struct stat status;
    if (fstat(fd_, &status) != 0) return ErrnoStatus(errno, path(), "stat");
    return static_cast<uint64_t>(status.st_size);
  }

  Status Preallocate(uint64_t bytes) override {
    const StatusOr<uint64_t> size = Size();
    if (!size.ok()) return size.status();
    int result;
    do {
      result = fallocate(fd_, 0, 0, static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result == 0) return absl::OkStatus();
    if (errno != EOPNOTSUPP) return ErrnoStatus(errno, path(), "preallocate");
    return bytes > *size ? Truncate(bytes) : absl::OkStatus();
  }

  Status Truncate(uint64_t bytes) override {
    if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) {
      return ErrnoStatus(errno, path(), "truncate");
    }
    return absl::OkStatus();
  }

  StatusOr<std::unique_ptr<Mapping>> Map(uint64_t bytes) override {
    if (bytes == 0) return std::make_unique<SystemMapping>(nullptr, 0);
    void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (data == MAP_FAILED) return ErrnoStatus(errno, path(), "map");
    // Faulted for writing, so that the first store to each page is as cheap as the next. Before
    // Linux 5.14 the stores take their faults themselves.
    madvise(data, bytes, MADV_POPULATE_WRITE);
    return std::make_unique<SystemMapping>(static_cast<char*>(data), bytes);
  }

 private:
  static bool IsTransient(int64_t result) { return result == -EINTR || result == -EAGAIN; }

  // After a short read: a whole number of pages may have been cut by the kernel in the middle, and
  // only a read of nothing tells; anything else is the file's end.
  static bool AtEnd(int64_t result) { return result == 0 || result % kPageBytes != 0; }

  Status Failed(int64_t result, uint64_t offset, std::string_view action) const {
    return ErrnoStatusAt(static_cast<int>(-result), path(), offset, action);
  }

  const int fd_;
};

int FlagsFor(const OpenOptions& options) {
  int flags = O_CLOEXEC;
  switch (options.mode) {
    case OpenOptions::Mode::kRead:
      flags |= O_RDONLY;
      break;
    case OpenOptions::Mode::kReadWrite:
      flags |= O_RDWR;
      break;
    case OpenOptions::Mode::kCreate:
      flags |= O_RDWR | O_CREAT | O_EXCL;
      break;
    case OpenOptions::Mode::kReplace:
      flags |= O_RDWR | O_CREAT | O_TRUNC;
      break;
  }
  if (options.durable_writes) flags |= O_DSYNC;
  return flags;
}

int OpenRetrying(const std::string& path, int flags) {
  int fd;
  do {
    fd = open(path.c_str(), flags, 0644);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

StatusOr<std::unique_ptr<File>> OpenSystemFile(const std::string& path,
                                               const OpenOptions& options) {
  const int flags = FlagsFor(options);
  int fd = OpenRetrying(path, options.direct ? flags | O_DIRECT : flags);
  if (fd < 0 && errno == EINVAL && options.direct) {
    // No direct I/O on this file system. The attempt may have made the file already.
    fd = OpenRetrying(path, flags & ~O_EXCL);
  }
  if (fd < 0) return ErrnoStatus(errno, path, "open");
  return std::make_unique<SystemFile>(path, fd);
}

StatusOr<std::unique_ptr<File>> LockSystemFile(const std::string& path) {
  const int fd = OpenRetrying(path, O_RDWR | O_CREAT | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path, "open");
  auto file = std::make_unique<SystemFile>(path, fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return FailedPrecondition("{}: locked by another process", path);
    return ErrnoStatus(errno, path, "lock");
  }
  return file;
}

}  // namespace varve::io
