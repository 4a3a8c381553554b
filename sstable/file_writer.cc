#include "sstable/file_writer.h"

#include <algorithm>
#include <cstring>

#include "io/executor.h"

namespace varve::sstable {

FileWriter::FileWriter(std::shared_ptr<io::File> file, size_t write_bytes,
                       uint32_t writes_in_flight_max)
    : write_bytes_(std::max<size_t>(io::PageCeiling(write_bytes), io::kPageBytes)),
      writes_in_flight_max_(std::max<uint32_t>(writes_in_flight_max, 1)),
      shared_(std::make_shared<Shared>(std::move(file), writes_in_flight_max_)) {}

PageBuffer FileWriter::TakeBuffer() {
  {
    absl::MutexLock lock(&shared_->mutex);
    if (!shared_->spare.empty()) {
      PageBuffer buffer = std::move(shared_->spare.back());
      shared_->spare.pop_back();
      return buffer;
    }
  }
  return PageBuffer(write_bytes_);
}

void FileWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (current_.data() == nullptr) current_ = TakeBuffer();
    const size_t count = std::min(bytes.size(), write_bytes_ - used_);
    std::memcpy(current_.data() + used_, bytes.data(), count);
    bytes.remove_prefix(count);
    used_ += count;
    offset_ += count;
    if (used_ == write_bytes_) PassOn();
  }
}

char* FileWriter::Reserve(size_t bytes) {
  if (current_.data() == nullptr) current_ = TakeBuffer();
  return bytes <= write_bytes_ - used_ ? current_.data() + used_ : nullptr;
}

void FileWriter::Commit(size_t bytes) {
  used_ += bytes;
  offset_ += bytes;
  if (used_ == write_bytes_) PassOn();
}

void FileWriter::PassOn() {
  full_.push_back({std::move(current_), offset_ - used_, used_});
  current_ = PageBuffer();
  used_ = 0;
}

void FileWriter::Pad(uint64_t alignment) {
  static constexpr char kZeros[io::kPageBytes] = {};
  const uint64_t rest = offset_ % alignment;
  if (rest != 0) Append({kZeros, alignment - rest});
}

Status FileWriter::status() {
  absl::MutexLock lock(&shared_->mutex);
  return shared_->status;
}

io::Task<void> FileWriter::Write(std::shared_ptr<Shared> shared, Chunk chunk) {
  const std::string_view bytes(chunk.buffer.data(), chunk.bytes);
  Status status = co_await shared->file->Write(chunk.offset, bytes);
  {
    absl::MutexLock lock(&shared->mutex);
    if (shared->status.ok()) shared->status = std::move(status);
    shared->spare.push_back(std::move(chunk.buffer));
  }
  shared->permits.Release();
}

io::Task<void> FileWriter::WaitForWrites() {
  co_await shared_->permits.Acquire(writes_in_flight_max_);
  shared_->permits.Release(writes_in_flight_max_);
}

io::Task<Status> FileWriter::Flush() {
  while (!full_.empty()) {
    co_await shared_->permits.Acquire();
    Chunk chunk = std::move(full_.front());
    full_.pop_front();
    io::Executor::Current()->Spawn(Write(shared_, std::move(chunk)));
  }
  Status result = status();
  if (!result.ok()) co_await WaitForWrites();
  co_return result;
}

io::Task<Status> FileWriter::Finish() {
  Pad(io::kPageBytes);
  if (used_ > 0) PassOn();
  VARVE_CO_RETURN_IF_ERROR(co_await Flush());
  co_await WaitForWrites();
  VARVE_CO_RETURN_IF_ERROR(status());
  co_return co_await shared_->file->Sync();
}

}  // namespace varve::sstable
