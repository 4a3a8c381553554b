// TableBuilder: writes a table, entry by entry, with several large direct writes in flight.
//
//   TableBuilder builder(std::move(file), number, options);
//   for (...) {
//     builder.Add(entry);
//     if (builder.wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await builder.Flush());
//   }
//   VARVE_ASSIGN_OR_CO_RETURN(TableInfo info, co_await builder.Finish());
//
// docs/sstable.md specifies what is written.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/entry.h"
#include "base/status.h"
#include "io/file.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/options.h"
#include "sstable/table_info.h"

namespace varve::sstable {

// Not thread-safe, but may move between executors between calls. May be destroyed at any time:
// writes under way keep the file and their buffers alive until they are done. Removing an
// unfinished file is the caller's.
class TableBuilder {
 public:
  // `file` is empty, open for writing, and direct. `file_number` becomes part of every checksum, so
  // that a block can't be taken for one of another file. If `cache` is given, blocks marked by
  // KeepCached go there under `file_number`.
  TableBuilder(std::shared_ptr<io::File> file, uint64_t file_number, const TableOptions& options,
               BlockCache* cache = nullptr);
  ~TableBuilder();
  TableBuilder(const TableBuilder&) = delete;
  TableBuilder& operator=(const TableBuilder&) = delete;

  // Adds an entry, which must come after the last one in entry order; its views need not live
  // longer than the call. The value of a kPutReference is an encoded ValueReference. Never does
  // I/O. What is wrong with an entry (order, a malformed reference) is told by Flush and Finish.
  void Add(const Entry& entry);

  // The same if the table has not reached `bytes_max` (EstimatedBytes) yet and wants no flush;
  // false, and nothing done, otherwise.
  bool TryAdd(const Entry& entry, uint64_t bytes_max);

  // The block of the entry added last shall be put in the cache when it is complete: what was
  // cached before a compaction stays cached after it.
  void KeepCached();

  // True when enough is buffered for a write. Add may go on, at the price of memory.
  bool wants_flush() const;

  // Starts writing what is complete and returns when fewer than writes_in_flight_max writes are
  // under way. Returns the first error of any write or Add; the builder is of no use after that.
  io::Task<Status> Flush();

  // Writes the rest (filter, index, properties, footer), waits for all writes, and makes the file's
  // data durable. The directory entry is the caller's. At least one entry must have been added.
  // Nothing else may be called afterwards.
  io::Task<StatusOr<TableInfo>> Finish();

  // About how large the file would be if it were finished now.
  uint64_t EstimatedBytes() const;
  uint64_t entries() const;
  // Of the entry added last; valid until the next call.
  std::string_view last_key() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace varve::sstable
