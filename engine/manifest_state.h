// What the manifest says: the partitions, the tables each refers to, and which part of the log
// still matters. Pure data; manifest.h writes it to disk. docs/manifest.md specifies the encoding.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/entry.h"
#include "base/status.h"
#include "compaction/policy.h"
#include "sstable/table_info.h"
#include "wal/log.h"

namespace varve::engine {

using compaction::kLevels;

struct ValueFileRecord {
  uint64_t number = 0;
  uint64_t bytes = 0;

  bool operator==(const ValueFileRecord&) const = default;
};

// A partition's claim on a table: the keys in [clip_begin, clip_end), an empty end being none.
struct TableReference {
  uint64_t table = 0;
  std::string clip_begin;
  std::string clip_end;
  uint64_t live_bytes = 0;  // estimate of the table's bytes within the clip

  bool operator==(const TableReference&) const = default;
};

struct PartitionRecord {
  uint64_t id = 0;
  std::string begin;
  std::string end;  // empty: the end of the key space
  // Replay skips what is older than `live_from` (it was dropped) and what is not newer than
  // `flushed_to` (it is in tables).
  SequenceNumber live_from = 0;
  SequenceNumber flushed_to = 0;

  bool operator==(const PartitionRecord&) const = default;
};

// A change of the manifest's state; all of it takes effect or none. Applied in the order of the
// fields.
struct Edit {
  std::optional<uint64_t> next_file_number;
  std::optional<SequenceNumber> sequence_ceiling;
  std::optional<uint64_t> log_start;  // segments below are forgotten
  std::vector<wal::LogSeal> seals;

  struct RemovedReference {
    uint64_t partition = 0;
    int level = 0;
    uint64_t table = 0;
    bool operator==(const RemovedReference&) const = default;
  };
  struct AddedReference {
    uint64_t partition = 0;
    int level = 0;
    TableReference reference;
    bool operator==(const AddedReference&) const = default;
  };
  struct Flushed {
    uint64_t partition = 0;
    SequenceNumber flushed_to = 0;
    bool operator==(const Flushed&) const = default;
  };

  std::vector<ValueFileRecord> added_value_files;
  std::vector<sstable::TableInfo> added_tables;
  std::vector<PartitionRecord> added_partitions;
  std::vector<RemovedReference> removed_references;
  std::vector<AddedReference> added_references;
  std::vector<uint64_t> removed_partitions;  // with all their references
  std::vector<Flushed> flushed;

  std::string Encode() const;
  // DataLoss if `bytes` is not an edit.
  static StatusOr<Edit> Decode(std::string_view bytes);
};

struct PartitionState {
  PartitionRecord record;
  // Level 0 newest first (by table number), deeper levels in key order.
  std::array<std::vector<TableReference>, kLevels> levels;
};

struct TableState {
  sstable::TableInfo info;
  uint64_t references = 0;
  uint64_t referenced_bytes = 0;  // over all references
};

class ManifestState {
 public:
  // Files that nothing refers to any more after an edit.
  struct Unreferenced {
    std::vector<uint64_t> tables;
    std::vector<uint64_t> value_files;
  };

  // Checks `edit` against the state, and applies it. On an error (DataLoss) the state is
  // unspecified.
  Status Apply(const Edit& edit, Unreferenced* unreferenced = nullptr);

  // One edit that makes this state from an empty one.
  Edit Snapshot() const;

  // That the partitions cover the key space without gap or overlap, that levels are ordered, and
  // that clips lie in their partitions.
  Status CheckInvariants() const;

  uint64_t next_file_number() const { return next_file_number_; }
  SequenceNumber sequence_ceiling() const { return sequence_ceiling_; }
  uint64_t log_start() const { return log_start_; }
  const std::map<uint64_t, wal::LogSeal>& seals() const { return seals_; }  // by segment
  const std::map<uint64_t, PartitionState>& partitions() const { return partitions_; }
  const std::map<uint64_t, TableState>& tables() const { return tables_; }
  const std::map<uint64_t, ValueFileRecord>& value_files() const { return value_files_; }

  // Estimate of what tables still refer to in a value file; at most its size.
  uint64_t ReferencedValueBytes(uint64_t value_file) const;

 private:
  Status Add(const Edit::AddedReference& added);
  Status Remove(const Edit::RemovedReference& removed);
  void Release(const TableReference& reference);

  uint64_t next_file_number_ = 1;
  SequenceNumber sequence_ceiling_ = 0;
  uint64_t log_start_ = 0;
  std::map<uint64_t, wal::LogSeal> seals_;
  std::map<uint64_t, PartitionState> partitions_;
  std::map<uint64_t, TableState> tables_;
  std::map<uint64_t, ValueFileRecord> value_files_;
  // Value file → tables that use it, with the bytes each uses.
  std::map<uint64_t, std::map<uint64_t, uint64_t>> value_file_users_;
};

}  // namespace varve::engine
