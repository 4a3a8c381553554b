// The job: merges sorted entries into new tables. Flush and compaction are the same job with other
// inputs; this is the one place that writes tables.
//
//   JobRequest request;
//   request.input = NewTableInput(runs);        // or a merge of memtables
//   request.boundaries = ...;                   // snapshots, and the visible sequence number
//   request.deeper = DeeperKeys(IntervalsBelow(partition, plan));
//   ...
//   auto result = co_await RunJob(host, std::move(request));
//   if (!result.ok()) remove every file that the host made for it
//
// The job knows nothing of partitions, levels, policies and the manifest: it reads one stream of
// entries, drops what nobody needs (drop_rules.h), moves large values to value files, copies values
// out of value files that are mostly garbage, and writes the rest to tables whose data is durable
// when it returns. The caller syncs the directory and installs the tables.
//
// It is a task that yields often: it suspends on each read and write it has to wait for, and in
// JobHost::Pace after every small portion of work.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "compaction/drop_rules.h"
#include "io/file.h"
#include "io/task.h"
#include "sstable/block_cache.h"
#include "sstable/entry_iterator.h"
#include "sstable/options.h"
#include "sstable/table.h"
#include "sstable/table_info.h"
#include "sstable/value_file.h"

namespace varve::compaction {

struct JobProgress {
  uint64_t entries_read = 0;  // from the input
  uint64_t bytes_read = 0;    // keys and values of these
  uint64_t bytes_written =
      0;  // to tables and value files so far; files being written are estimated
};

struct JobRequest {
  // All versions of all keys to be merged. The job seeks to the first.
  std::unique_ptr<sstable::EntryIterator> input;

  // ---- What may be dropped; see drop_rules.h
  // The sequence numbers of snapshots, ascending, and as the last one the sequence number visible
  // at the start. Not empty.
  std::vector<SequenceNumber> boundaries;
  // Keys of which older versions exist elsewhere. For a flush: AllIntervals of each partition, and
  // what older memtables hold that are not among the inputs.
  DeeperKeys deeper;

  // ---- Tables
  sstable::TableOptions table_options;
  // A table is finished at the first new key after it has reached this size. Versions of one key
  // always share a table, so a table can be larger.
  uint64_t table_bytes_target = uint64_t{32} << 20;
  // A table is also finished before the first key at or past each of these. Ascending.
  std::vector<std::string> cuts;
  // Where blocks go whose source was cached. May be nullptr.
  sstable::BlockCache* cache = nullptr;

  // ---- Values
  // Values of this size and more are moved to a value file. 0: none are.
  size_t value_separation_bytes = 0;
  // A value file is finished when it has reached this size.
  uint64_t value_file_bytes_target = uint64_t{256} << 20;
  // The values in these files (ascending numbers) are copied: to a new value file, or into the
  // table if they are smaller than value_separation_bytes.
  std::vector<uint64_t> rewrite_value_files;
};

struct JobStats {
  JobProgress progress;
  uint64_t dropped_versions = 0;  // puts that no boundary sees
  uint64_t dropped_tombstones = 0;
  uint64_t separated_values = 0;  // moved from entries to value files
  uint64_t rewritten_values = 0;  // copied out of rewrite_value_files
};

struct JobResult {
  // In key order; they do not overlap. Empty if nothing was left to keep.
  std::vector<sstable::TableInfo> tables;
  // Every table that refers to them is in `tables`.
  std::vector<sstable::ValueFileInfo> value_files;
  JobStats stats;
};

// A file that the host made for the job.
struct JobFile {
  uint64_t number = 0;
  std::shared_ptr<io::File> file;  // empty, open for writing, direct
};

// What the job asks of the engine. Called on the executor that the job runs on. One host serves one
// job at a time and knows which files it made for it: when the job fails, removing them is the
// host's.
class JobHost {
 public:
  virtual ~JobHost() = default;

  virtual StatusOr<JobFile> NewTableFile() = 0;
  virtual StatusOr<JobFile> NewValueFile() = 0;

  // Reads a value of one of rewrite_value_files. Several reads may be under way at a time.
  virtual io::Task<StatusOr<std::string>> ReadValue(sstable::ValueReference reference) = 0;

  // Called after every kPaceEntries entries or kPaceBytes bytes, whichever comes first: the place
  // to let others run (at least io::Yield), to hold the job back to a rate, and to end it. An error
  // stops the job, which returns it.
  virtual io::Task<Status> Pace(const JobProgress& progress) = 0;
};

inline constexpr uint64_t kPaceEntries = 512;
inline constexpr uint64_t kPaceBytes = 64 << 10;

// Runs `request` to its end on the current executor. The first error of reading, writing or the
// host ends it; files that were made stay for the host to remove. `host` must outlive the task.
//
// Memory: the input's read-ahead, one table builder (two while one is being finished), one value
// file writer, and at most kRewriteBytesMax of values being copied.
io::Task<StatusOr<JobResult>> RunJob(JobHost& host, JobRequest request);

inline constexpr uint64_t kRewriteBytesMax = uint64_t{4} << 20;

// One table as an input, clipped to [clip_begin, clip_end); empty ends are no bounds.
struct JobTable {
  const sstable::Table* table = nullptr;
  std::string_view clip_begin;
  std::string_view clip_end;
};

// The input of a compaction. `runs` from the newest to the oldest: each table of level 0 is a run,
// each deeper level is one, its tables in key order. Reads ahead past the cache, within about
// kInputBytesMax for all runs together. Tables and clip keys must outlive it.
std::unique_ptr<sstable::EntryIterator> NewTableInput(std::vector<std::vector<JobTable>> runs);

inline constexpr uint64_t kInputBytesMax = uint64_t{16} << 20;

}  // namespace varve::compaction
