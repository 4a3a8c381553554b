// FileWriter: appends to a file through large, aligned, direct writes, several at a time.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/file.h"
#include "io/sync.h"
#include "io/task.h"
#include "sstable/page_buffer.h"

namespace varve::sstable {

// Not thread-safe, but may move between executors. Writes under way own what they need, so it may
// be destroyed at any time.
class FileWriter {
 public:
  FileWriter(std::shared_ptr<io::File> file, size_t write_bytes, uint32_t writes_in_flight_max);

  // Where the next byte goes.
  uint64_t offset() const { return offset_; }
  const std::string& path() const { return shared_->file->path(); }

  void Append(std::string_view bytes);
  // Where the next `bytes` bytes may be written in place; nullptr if they do not fit a piece. Then
  // Commit says how many of them there are.
  char* Reserve(size_t bytes);
  void Commit(size_t bytes);
  // Appends zeros up to the next multiple of `alignment`.
  void Pad(uint64_t alignment);

  bool wants_flush() const { return !full_.empty(); }
  // Starts the writes of all full buffers, waiting as long as the allowed number is under way.
  // After an error it returns when none is.
  io::Task<Status> Flush();
  // Pads to a page, writes everything, waits for it, and syncs the data.
  io::Task<Status> Finish();

 private:
  struct Chunk {
    PageBuffer buffer;
    uint64_t offset = 0;
    size_t bytes = 0;
  };
  // What writes under way share with the writer.
  struct Shared {
    explicit Shared(std::shared_ptr<io::File> file, uint32_t permits)
        : file(std::move(file)), permits(permits) {}
    const std::shared_ptr<io::File> file;
    io::Semaphore permits;
    absl::Mutex mutex;
    Status status ABSL_GUARDED_BY(mutex);
    std::vector<PageBuffer> spare ABSL_GUARDED_BY(mutex);
  };

  static io::Task<void> Write(std::shared_ptr<Shared> shared, Chunk chunk);
  PageBuffer TakeBuffer();
  void PassOn();
  Status status();
  io::Task<void> WaitForWrites();

  const size_t write_bytes_;
  const uint32_t writes_in_flight_max_;
  std::shared_ptr<Shared> shared_;
  std::deque<Chunk> full_;
  PageBuffer current_;
  size_t used_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace varve::sstable
