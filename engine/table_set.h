// TableSet: the table and value files that the database refers to, each open once, and deleted when
// the manifest has forgotten it and the last reader is gone.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/io.h"
#include "sstable/block_cache.h"
#include "sstable/table.h"
#include "sstable/value_file.h"

namespace varve::engine {

class TableSet;

// A value file, shared by the tables that refer to it.
class ValueFileHandle {
 public:
  ValueFileHandle(TableSet& set, uint64_t number, std::string path, sstable::BlockCache* cache);
  ~ValueFileHandle();

  const sstable::ValueFile& file() const { return file_; }
  uint64_t number() const { return file_.file_number(); }
  // The manifest has durably forgotten the file: delete it with the last reference to this.
  void MarkObsolete() { obsolete_.store(true, std::memory_order_relaxed); }

 private:
  TableSet& set_;
  const sstable::ValueFile file_;
  std::atomic<bool> obsolete_{false};
};

// A table with the value files it needs.
class TableHandle {
 public:
  TableHandle(TableSet& set, std::string path, sstable::TableInfo info, sstable::BlockCache& cache,
              std::vector<std::shared_ptr<ValueFileHandle>> value_files);
  ~TableHandle();

  const sstable::Table& table() const { return table_; }
  const sstable::TableInfo& info() const { return table_.info(); }
  uint64_t number() const { return table_.info().file_number; }
  // The file that a reference in this table names; nullptr if the table does not know it.
  const ValueFileHandle* FindValueFile(uint64_t number) const;
  const std::vector<std::shared_ptr<ValueFileHandle>>& value_files() const { return value_files_; }
  void MarkObsolete() { obsolete_.store(true, std::memory_order_relaxed); }

 private:
  TableSet& set_;
  const sstable::Table table_;
  const std::vector<std::shared_ptr<ValueFileHandle>> value_files_;
  std::atomic<bool> obsolete_{false};
};

// Thread-safe. Outlives every handle.
class TableSet {
 public:
  // `on_obsolete` is called, from any thread, when there is something for TakeObsolete.
  TableSet(io::Io& io, std::string directory, sstable::BlockCache& cache,
           std::function<void()> on_obsolete);

  // The handle of the file, made if there is none. Value files of a table are made with it.
  std::shared_ptr<TableHandle> Table(const sstable::TableInfo& info);

  // The manifest has durably forgotten these.
  void Forget(const std::vector<uint64_t>& tables, const std::vector<uint64_t>& value_files);

  // Paths of files that can be deleted now.
  std::vector<std::string> TakeObsolete();

  // Closes the least used tables until at most `tables_max` are loaded.
  void Trim(size_t tables_max);
  size_t loaded_tables() const;

 private:
  friend class TableHandle;
  friend class ValueFileHandle;

  std::shared_ptr<ValueFileHandle> ValueFile(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<TableHandle>> Tables() const;
  void Delete(std::string path);

  io::Io& io_;
  const std::string directory_;
  sstable::BlockCache& cache_;
  const std::function<void()> on_obsolete_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::weak_ptr<TableHandle>> tables_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, std::weak_ptr<ValueFileHandle>> value_files_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> obsolete_ ABSL_GUARDED_BY(mutex_);
  uint64_t trim_hand_ = 0;  // number of the table that the last Trim stopped at
};

}  // namespace varve::engine
