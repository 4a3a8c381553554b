// Files, as the rest of Varve sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/task.h"

namespace varve::io {

// Offsets, sizes and addresses of direct I/O are multiples of this; so is the unit in which a power
// cut loses data, at most.
inline constexpr size_t kPageBytes = 4096;

inline constexpr uint64_t PageFloor(uint64_t bytes) { return bytes & ~uint64_t{kPageBytes - 1}; }
inline constexpr uint64_t PageCeiling(uint64_t bytes) { return PageFloor(bytes + kPageBytes - 1); }

// Page-aligned, zeroed anonymous memory that a ring can register, so that the kernel does not pin
// its pages anew for each write. Made by Io::AllocateBuffers. Must outlive every write from it.
// Memory with a registration is pinned: allocate few and for long.
class BufferRegion {
 public:
  explicit BufferRegion(size_t bytes);
  ~BufferRegion();
  BufferRegion(const BufferRegion&) = delete;
  BufferRegion& operator=(const BufferRegion&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }
  uint64_t id() const { return id_; }  // never used twice in a process

 private:
  char* data_;
  size_t size_;
  uint64_t id_;
};

// A shared mapping of a file: stores go to the page cache and survive the process, and reach the
// disk by File::Sync. Unmapped with its last reference.
class Mapping {
 public:
  virtual ~Mapping() = default;
  virtual std::span<char> bytes() = 0;
};

struct OpenOptions {
  enum class Mode {
    kRead,       // must exist
    kReadWrite,  // must exist
    kCreate,     // must not exist; read and write
    kReplace,    // made empty if it exists; read and write
  };
  Mode mode = Mode::kRead;
  // Bypass the page cache: offsets, sizes and addresses must be multiples of kPageBytes. Where the
  // file system has no direct I/O the file is opened without it.
  bool direct = false;
  // A write completes only when it is durable (O_DSYNC).
  bool durable_writes = false;
};

// An open file. Tasks must be awaited on an executor of the Io that opened it; any number may be
// under way, from any threads. Buffers must outlive the task. Closed on destruction, when nothing
// may be under way. Errors name the path and the offset; a full disk is ResourceExhausted,
// everything else the system refuses is Unavailable.
class File {
 public:
  virtual ~File() = default;

  const std::string& path() const { return path_; }

  // Reads up to into.size() bytes; fewer only at the end of the file. Returns how many.
  virtual Task<StatusOr<size_t>> Read(uint64_t offset, std::span<char> into) = 0;

  // Writes all of `bytes`, growing the file as needed. Not durable until Sync, unless opened with
  // durable_writes. After an error any part of the range may hold old or new bytes. `region` is the
  // buffer region that `bytes` lies in, if any.
  virtual Task<Status> Write(uint64_t offset, std::string_view bytes,
                             const BufferRegion* region = nullptr) = 0;

  // Makes every completed write, the size, and every store through a mapping before this call
  // durable (fdatasync). After an error nothing is known about what reached the disk.
  virtual Task<Status> Sync() = 0;

  // Read on the calling thread, no executor needed: for the single miss of a foreign thread, and
  // for opening things.
  virtual StatusOr<size_t> ReadNow(uint64_t offset, std::span<char> into) = 0;

  // Write on the calling thread, which waits in the system call: for a thread that has nothing else
  // to do. Where an executor's write is completed by a thread of the kernel, which has to be
  // scheduled first, this one's caller is woken by the device. Not in the simulation.
  virtual Status WriteNow(uint64_t offset, std::string_view bytes) = 0;

  // Blocking metadata calls, for background threads and opening.
  virtual StatusOr<uint64_t> Size() = 0;
  // Reserves disk space for [0, bytes) and extends the size to `bytes`; what was not written reads
  // as zeros. ResourceExhausted if there is no room.
  virtual Status Preallocate(uint64_t bytes) = 0;
  virtual Status Truncate(uint64_t bytes) = 0;
  // Maps [0, bytes) shared, readable and writable, pages present. `bytes` is at most the file's
  // size.
  virtual StatusOr<std::unique_ptr<Mapping>> Map(uint64_t bytes) = 0;

 protected:
  explicit File(std::string path) : path_(std::move(path)) {}

 private:
  const std::string path_;
};

}  // namespace varve::io
