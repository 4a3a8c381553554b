// Value files: where large values live, apart from their keys. A table's entry of kind
// kPutReference carries a ValueReference in place of the value. Value files are immutable once
// written; which of them are still needed follows from the TableInfo::value_files of all tables.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/io.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/entry_iterator.h"
#include "sstable/options.h"

namespace varve::sstable {

// Where a value is. Says everything that a reader needs, and proves that what it reads is that
// value.
struct ValueReference {
  uint64_t file_number = 0;
  uint64_t offset = 0;        // of the record's header
  uint32_t stored_bytes = 0;  // as it lies in the file, without the header
  uint32_t raw_bytes = 0;     // of the value; equal to stored_bytes if it is not compressed
  uint64_t checksum = 0;      // the record's

  bool operator==(const ValueReference&) const = default;

  // What the record takes in its file.
  uint64_t RecordBytes() const;

  void AppendTo(std::string& to) const;
  // False if `bytes` is not exactly one encoded reference.
  static bool Parse(std::string_view bytes, ValueReference* reference);
};

struct ValueFileInfo {
  uint64_t file_number = 0;
  uint64_t file_bytes = 0;
  uint64_t values = 0;
  uint64_t raw_bytes = 0;     // of the values, before compression
  uint64_t record_bytes = 0;  // of their records: the sum of ValueReference::RecordBytes
};

// Writes a value file. The same protocol as TableBuilder: Add never does I/O, Flush writes.
class ValueFileWriter {
 public:
  // `file` is empty, open for writing, and direct. Of the options: compression_level, write_bytes,
  // writes_in_flight_max.
  ValueFileWriter(std::shared_ptr<io::File> file, uint64_t file_number,
                  const TableOptions& options);
  ~ValueFileWriter();
  ValueFileWriter(const ValueFileWriter&) = delete;
  ValueFileWriter& operator=(const ValueFileWriter&) = delete;

  // Adds a value of at most kValueBytesMax and returns the reference to it, which may be used in
  // tables that are installed after Finish returned OK.
  ValueReference Add(std::string_view value);

  bool wants_flush() const;
  io::Task<Status> Flush();
  // Writes the rest, waits for all writes, and makes the data durable; the directory entry is the
  // caller's. At least one value must have been added.
  io::Task<StatusOr<ValueFileInfo>> Finish();

  uint64_t EstimatedBytes() const;
  uint64_t values() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A value file open for reading. Opens its descriptor on first use. Thread-safe; must outlive its
// lookups.
class ValueFile {
 public:
  // No I/O. `cache` may be nullptr: then values are read each time.
  ValueFile(io::Io& io, std::string path, uint64_t file_number, BlockCache* cache);
  ~ValueFile();
  ValueFile(const ValueFile&) = delete;
  ValueFile& operator=(const ValueFile&) = delete;

  uint64_t file_number() const { return file_number_; }
  const std::string& path() const { return path_; }

  // Reads one value past the cache: for compactions. DataLoss, with file and offset, if what is
  // there is not what the reference speaks of.
  io::Task<StatusOr<std::string>> Read(ValueReference reference) const;
  StatusOr<std::string> ReadNow(const ValueReference& reference) const;

  // Closes the descriptor; the next read opens it again. Reads under way are not disturbed.
  void Close() const;

 private:
  friend class ValueGet;

  StatusOr<std::shared_ptr<io::File>> Open() const;

  io::Io& io_;
  const std::string path_;
  const uint64_t file_number_;
  BlockCache* const cache_;
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<io::File> file_ ABSL_GUARDED_BY(mutex_);
};

// One lookup of one value, through the cache: like TableGet, but it waits at most once.
class ValueGet final : public BlockFetch {
 public:
  enum class State : uint8_t { kStart, kFound, kWaiting, kFailed };

  ValueGet(const ValueFile& file, const ValueReference& reference)
      : file_(&file), reference_(reference) {}

  State Step();
  State state() const { return state_; }
  const Status& status() const { return status_; }

  // In kFound only; valid until this object or the taken pin is destroyed.
  std::string_view value() const { return value_; }
  BlockPin TakePin() { return std::move(pin_); }

  io::Task<void> Run() override;
  void RunNow() override;

 private:
  Status Keep(StatusOr<BlockBuffer> value);

  const ValueFile* file_;
  ValueReference reference_;
  State state_ = State::kStart;
  BlockPin pin_;
  std::string_view value_;
  Status status_;
};

// Reads a value file from its start to its end and checks every record, its footer and its padding;
// `visit` (may be empty) is called for each record. Returns the first fault, with its place.
io::Task<StatusOr<ValueFileInfo>> VerifyValueFile(
    io::Io& io, std::string path,
    std::function<void(const ValueReference&, std::string_view value)> visit);

}  // namespace varve::sstable
