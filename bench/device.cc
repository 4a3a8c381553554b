#include "bench/device.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>

#include "base/random.h"
#include "io/io.h"

namespace varve::bench {
namespace {

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags, 0644)) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status Failed(std::string_view what, int error) {
  return Unavailable("device turn: {}: {}", what, std::strerror(error));
}

// What to do next: fills the request, or returns false when there is nothing more to start.
using Next = std::function<bool(io_uring_sqe*, char* buffer)>;

// Keeps `depth` requests of `bytes` in flight, each with a buffer of its own. Every completion
// counts `weight`.
StatusOr<Recorder> KeepInFlight(unsigned depth, uint64_t bytes, uint64_t weight, const Next& next) {
  io_uring ring;
  if (const int error = io_uring_queue_init(depth, &ring, 0); error < 0) {
    return Failed("io_uring_queue_init", -error);
  }
  struct Closer {
    io_uring* ring;
    ~Closer() { io_uring_queue_exit(ring); }
  } const closer{&ring};
  const io::BufferRegion buffers(depth * bytes);
  std::memset(buffers.data(), 0x5a, buffers.size());
  std::vector<uint64_t> begun(depth);
  unsigned in_flight = 0;
  const auto start = [&](unsigned slot) {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
    if (!next(sqe, buffers.data() + slot * bytes)) {
      io_uring_prep_nop(sqe);
      io_uring_sqe_set_data64(sqe, depth);
      ++in_flight;
      return;
    }
    io_uring_sqe_set_data64(sqe, slot);
    begun[slot] = Clock::Now();
    ++in_flight;
  };
  Recorder recorder(Clock::Now());
  for (unsigned slot = 0; slot < depth; ++slot) start(slot);
  while (in_flight > 0) {
    io_uring_submit_and_wait(&ring, 1);
    io_uring_cqe* cqe;
    while (io_uring_peek_cqe(&ring, &cqe) == 0) {
      const auto slot = static_cast<unsigned>(cqe->user_data);
      const int result = cqe->res;
      io_uring_cqe_seen(&ring, cqe);
      --in_flight;
      if (slot == depth) continue;
      if (result < 0) return Failed("request", -result);
      const uint64_t now = Clock::Now();
      recorder.Latency(now - begun[slot]);
      recorder.Count(now, weight);
      start(slot);
    }
  }
  return recorder;
}

Status WriteZeros(const std::string& path, uint64_t file_bytes) {
  const Descriptor file(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT);
  if (file.get() < 0) return Failed(path, errno);
  const io::BufferRegion zeros(size_t{1} << 20);
  for (uint64_t at = 0; at < file_bytes; at += zeros.size()) {
    if (pwrite(file.get(), zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) {
      return Failed(path, errno);
    }
  }
  if (fsync(file.get()) < 0) return Failed(path, errno);
  return absl::OkStatus();
}

}  // namespace

StatusOr<Recorder> DeviceRandomReads(const std::vector<std::string>& files, uint64_t bytes,
                                     unsigned depth, double seconds, uint64_t seed) {
  std::vector<Descriptor> open_files;
  std::vector<uint64_t> first_block{0};  // of each file, counting through all of them
  for (const std::string& path : files) {
    struct stat status;
    Descriptor file(path, O_RDONLY | O_DIRECT);
    if (file.get() < 0 || fstat(file.get(), &status) < 0) return Failed(path, errno);
    const uint64_t blocks = static_cast<uint64_t>(status.st_size) / bytes;
    if (blocks == 0) continue;
    open_files.push_back(std::move(file));
    first_block.push_back(first_block.back() + blocks);
  }
  if (open_files.empty()) return FailedPrecondition("device turn: no files to read");
  Random random(seed);
  const uint64_t end = Clock::Now() + Clock::FromSeconds(seconds);
  return KeepInFlight(depth, bytes, 1, [&](io_uring_sqe* sqe, char* buffer) {
    if (Clock::Now() >= end) return false;
    const uint64_t block = random.Below(first_block.back());
    const auto file = static_cast<size_t>(
        std::upper_bound(first_block.begin(), first_block.end(), block) - first_block.begin() - 1);
    io_uring_prep_read(sqe, open_files[file].get(), buffer, static_cast<unsigned>(bytes),
                       (block - first_block[file]) * bytes);
    return true;
  });
}

StatusOr<Recorder> DeviceSyncWrites(const std::string& directory, unsigned depth, double seconds) {
  constexpr uint64_t kFileBytes = uint64_t{16} << 20;
  const std::string path = directory + "/device-turn";
  VARVE_RETURN_IF_ERROR(WriteZeros(path, kFileBytes));
  const Descriptor file(path, O_RDWR | O_DIRECT | O_DSYNC);
  unlink(path.c_str());
  if (file.get() < 0) return Failed(path, errno);
  const uint64_t end = Clock::Now() + Clock::FromSeconds(seconds);
  uint64_t at = 0;
  return KeepInFlight(depth, kDeviceBlockBytes, 1, [&](io_uring_sqe* sqe, char* buffer) {
    if (Clock::Now() >= end) return false;
    io_uring_prep_write(sqe, file.get(), buffer, kDeviceBlockBytes, at);
    at = (at + kDeviceBlockBytes) % kFileBytes;
    return true;
  });
}

StatusOr<Recorder> DeviceSequentialWrites(const std::string& directory, uint64_t bytes) {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  const std::string path = directory + "/device-turn";
  const Descriptor file(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT);
  unlink(path.c_str());
  if (file.get() < 0) return Failed(path, errno);
  uint64_t at = 0;
  StatusOr<Recorder> recorder =
      KeepInFlight(8, kPiece, kPiece, [&](io_uring_sqe* sqe, char* buffer) {
        if (at >= bytes) return false;
        io_uring_prep_write(sqe, file.get(), buffer, kPiece, at);
        at += kPiece;
        return true;
      });
  VARVE_RETURN_IF_ERROR(recorder.status());
  if (fdatasync(file.get()) < 0) return Failed(path, errno);
  recorder->Count(Clock::Now(), 0);
  return recorder;
}

uint64_t DeviceReadsServed(const std::string& directory) {
  struct stat status;
  if (stat(directory.c_str(), &status) < 0) return 0;
  std::ifstream file(
      fmt::format("/sys/dev/block/{}:{}/stat", major(status.st_dev), minor(status.st_dev)));
  uint64_t reads = 0;
  file >> reads;
  return reads;
}

}  // namespace varve::bench
