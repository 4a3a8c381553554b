#include "engine/manifest_state.h"

#include <algorithm>

#include "base/coding.h"

namespace varve::engine {
namespace {

// Tags of an edit's fields; part of the format.
enum Tag : uint8_t {
  kNextFileNumber = 1,
  kSequenceCeiling = 2,
  kLogStart = 3,
  kSeal = 4,
  kAddValueFile = 5,
  kAddTable = 6,
  kAddPartition = 7,
  kRemoveReference = 8,
  kAddReference = 9,
  kRemovePartition = 10,
  kFlushed = 11,
};

void AppendNumbers(std::string& to, Tag tag, std::initializer_list<uint64_t> numbers) {
  AppendU8(to, tag);
  for (const uint64_t number : numbers) AppendVarint(to, number);
}

bool TakeNumbers(std::string_view& from, std::initializer_list<uint64_t*> numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [&](uint64_t* number) { return TakeVarint(from, number); });
}

bool TakeString(std::string_view& from, std::string* to) {
  std::string_view bytes;
  if (!TakeLengthPrefixed(from, &bytes)) return false;
  to->assign(bytes);
  return true;
}

bool TakeTable(std::string_view& from, Edit* edit) {
  auto info = sstable::TableInfo::TakeFrom(from);
  if (!info.ok()) return false;
  edit->added_tables.push_back(*std::move(info));
  return true;
}

bool TakePartition(std::string_view& from, PartitionRecord* partition) {
  return TakeNumbers(from, {&partition->id, &partition->live_from, &partition->flushed_to}) &&
         TakeString(from, &partition->begin) && TakeString(from, &partition->end);
}

bool TakeReference(std::string_view& from, Edit::AddedReference* added) {
  uint64_t level = 0;
  const bool ok = TakeNumbers(from, {&added->partition, &level, &added->reference.table,
                                     &added->reference.live_bytes}) &&
                  TakeString(from, &added->reference.clip_begin) &&
                  TakeString(from, &added->reference.clip_end);
  added->level = static_cast<int>(level);
  return ok && level < kLevels;
}

bool TakeField(std::string_view& from, Edit* edit) {
  const auto tag = static_cast<uint8_t>(from.front());
  from.remove_prefix(1);
  uint64_t a = 0, b = 0, c = 0;
  switch (tag) {
    case kNextFileNumber:
      if (!TakeVarint(from, &a)) return false;
      edit->next_file_number = a;
      return true;
    case kSequenceCeiling:
      if (!TakeVarint(from, &a)) return false;
      edit->sequence_ceiling = a;
      return true;
    case kLogStart:
      if (!TakeVarint(from, &a)) return false;
      edit->log_start = a;
      return true;
    case kSeal:
      if (!TakeNumbers(from, {&a, &b, &c})) return false;
      edit->seals.push_back({a, b, c});
      return true;
    case kAddValueFile:
      if (!TakeNumbers(from, {&a, &b})) return false;
      edit->added_value_files.push_back({a, b});
      return true;
    case kAddTable:
      return TakeTable(from, edit);
    case kAddPartition:
      return TakePartition(from, &edit->added_partitions.emplace_back());
    case kRemoveReference:
      if (!TakeNumbers(from, {&a, &b, &c}) || b >= kLevels) return false;
      edit->removed_references.push_back({a, static_cast<int>(b), c});
      return true;
    case kAddReference:
      return TakeReference(from, &edit->added_references.emplace_back());
    case kRemovePartition:
      if (!TakeVarint(from, &a)) return false;
      edit->removed_partitions.push_back(a);
      return true;
    case kFlushed:
      if (!TakeNumbers(from, {&a, &b})) return false;
      edit->flushed.push_back({a, b});
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string Edit::Encode() const {
  std::string to;
  if (next_file_number) AppendNumbers(to, kNextFileNumber, {*next_file_number});
  if (sequence_ceiling) AppendNumbers(to, kSequenceCeiling, {*sequence_ceiling});
  if (log_start) AppendNumbers(to, kLogStart, {*log_start});
  for (const wal::LogSeal& seal : seals)
    AppendNumbers(to, kSeal, {seal.segment, seal.end, seal.next_segment});
  for (const ValueFileRecord& file : added_value_files) {
    AppendNumbers(to, kAddValueFile, {file.number, file.bytes});
  }
  for (const sstable::TableInfo& table : added_tables) {
    AppendU8(to, kAddTable);
    table.AppendTo(to);
  }
  for (const PartitionRecord& partition : added_partitions) {
    AppendNumbers(to, kAddPartition, {partition.id, partition.live_from, partition.flushed_to});
    AppendLengthPrefixed(to, partition.begin);
    AppendLengthPrefixed(to, partition.end);
  }
  for (const RemovedReference& removed : removed_references) {
    AppendNumbers(to, kRemoveReference,
                  {removed.partition, static_cast<uint64_t>(removed.level), removed.table});
  }
  for (const AddedReference& added : added_references) {
    AppendNumbers(to, kAddReference,
                  {added.partition, static_cast<uint64_t>(added.level), added.reference.table,
                   added.reference.live_bytes});
    AppendLengthPrefixed(to, added.reference.clip_begin);
    AppendLengthPrefixed(to, added.reference.clip_end);
  }
  for (const uint64_t partition : removed_partitions) {
    AppendNumbers(to, kRemovePartition, {partition});
  }
  for (const Flushed& f : flushed) AppendNumbers(to, kFlushed, {f.partition, f.flushed_to});
  return to;
}

StatusOr<Edit> Edit::Decode(std::string_view bytes) {
  Edit edit;
  const size_t total_bytes = bytes.size();
  while (!bytes.empty()) {
    const size_t at = total_bytes - bytes.size();
    if (!TakeField(bytes, &edit)) return Corruption("malformed field at byte {} of an edit", at);
  }
  return edit;
}

Status ManifestState::Add(const Edit::AddedReference& added) {
  const auto partition = partitions_.find(added.partition);
  const auto table = tables_.find(added.reference.table);
  if (partition == partitions_.end() || table == tables_.end()) {
    return Corruption("reference from partition {} to table {}, one of which does not exist",
                      added.partition, added.reference.table);
  }
  ++table->second.references;
  table->second.referenced_bytes += added.reference.live_bytes;
  auto& level = partition->second.levels[added.level];
  const auto before = [&](const TableReference& a, const TableReference& b) {
    if (added.level == 0) return a.table > b.table;
    const std::string& smallest_a = tables_.at(a.table).info.smallest_key;
    const std::string& smallest_b = tables_.at(b.table).info.smallest_key;
    return std::max(a.clip_begin, smallest_a) < std::max(b.clip_begin, smallest_b);
  };
  level.insert(std::upper_bound(level.begin(), level.end(), added.reference, before),
               added.reference);
  return absl::OkStatus();
}

void ManifestState::Release(const TableReference& reference) {
  TableState& table = tables_.at(reference.table);
  --table.references;
  table.referenced_bytes -= std::min(table.referenced_bytes, reference.live_bytes);
}

Status ManifestState::Remove(const Edit::RemovedReference& removed) {
  const auto partition = partitions_.find(removed.partition);
  if (partition != partitions_.end()) {
    auto& level = partition->second.levels[removed.level];
    const auto it = std::find_if(level.begin(), level.end(), [&](const TableReference& reference) {
      return reference.table == removed.table;
    });
    if (it != level.end()) {
      Release(*it);
      level.erase(it);
      return absl::OkStatus();
    }
  }
  return Corruption("partition {} has no table {} in level {} to remove", removed.partition,
                    removed.table, removed.level);
}

Status ManifestState::Apply(const Edit& edit, Unreferenced* unreferenced) {
  if (edit.next_file_number) next_file_number_ = *edit.next_file_number;
  if (edit.sequence_ceiling) sequence_ceiling_ = *edit.sequence_ceiling;
  for (const wal::LogSeal& seal : edit.seals) seals_[seal.segment] = seal;
  if (edit.log_start) {
    log_start_ = *edit.log_start;
    seals_.erase(seals_.begin(), seals_.lower_bound(log_start_));
  }
  for (const ValueFileRecord& file : edit.added_value_files) value_files_[file.number] = file;
  for (const sstable::TableInfo& table : edit.added_tables) {
    if (!tables_.emplace(table.file_number, TableState{.info = table}).second) {
      return Corruption("table {} added twice", table.file_number);
    }
    for (const sstable::ValueFileUse& use : table.value_files) {
      if (!value_files_.contains(use.file_number)) {
        return Corruption("table {} uses value file {}, which does not exist", table.file_number,
                          use.file_number);
      }
      value_file_users_[use.file_number][table.file_number] = use.stored_bytes;
    }
  }
  for (const PartitionRecord& partition : edit.added_partitions) {
    if (!partitions_.emplace(partition.id, PartitionState{.record = partition}).second) {
      return Corruption("partition {} added twice", partition.id);
    }
  }
  // Tables that may have lost their last reference, and new ones that never got one.
  std::vector<uint64_t> candidates;
  for (const sstable::TableInfo& table : edit.added_tables) candidates.push_back(table.file_number);
  for (const Edit::RemovedReference& removed : edit.removed_references) {
    VARVE_RETURN_IF_ERROR(Remove(removed));
    candidates.push_back(removed.table);
  }
  for (const Edit::AddedReference& added : edit.added_references) {
    VARVE_RETURN_IF_ERROR(Add(added));
  }
  for (const uint64_t id : edit.removed_partitions) {
    const auto partition = partitions_.find(id);
    if (partition == partitions_.end()) return Corruption("no partition {} to remove", id);
    for (const auto& level : partition->second.levels) {
      for (const TableReference& reference : level) {
        Release(reference);
        candidates.push_back(reference.table);
      }
    }
    partitions_.erase(partition);
  }
  for (const Edit::Flushed& flushed : edit.flushed) {
    const auto partition = partitions_.find(flushed.partition);
    if (partition == partitions_.end()) {
      return Corruption("flush of partition {}, which does not exist", flushed.partition);
    }
    partition->second.record.flushed_to = flushed.flushed_to;
  }

  std::vector<uint64_t> touched_value_files;
  for (const ValueFileRecord& file : edit.added_value_files) {
    touched_value_files.push_back(file.number);
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  for (const uint64_t number : candidates) {
    const auto table = tables_.find(number);
    if (table->second.references > 0) continue;
    for (const sstable::ValueFileUse& use : table->second.info.value_files) {
      value_file_users_[use.file_number].erase(number);
      touched_value_files.push_back(use.file_number);
    }
    tables_.erase(table);
    if (unreferenced != nullptr) unreferenced->tables.push_back(number);
  }
  std::sort(touched_value_files.begin(), touched_value_files.end());
  touched_value_files.erase(std::unique(touched_value_files.begin(), touched_value_files.end()),
                            touched_value_files.end());
  for (const uint64_t number : touched_value_files) {
    const auto users = value_file_users_.find(number);
    if (users != value_file_users_.end() && !users->second.empty()) continue;
    if (users != value_file_users_.end()) value_file_users_.erase(users);
    value_files_.erase(number);
    if (unreferenced != nullptr) unreferenced->value_files.push_back(number);
  }
  return absl::OkStatus();
}

Edit ManifestState::Snapshot() const {
  Edit edit;
  edit.next_file_number = next_file_number_;
  edit.sequence_ceiling = sequence_ceiling_;
  edit.log_start = log_start_;
  for (const auto& [segment, seal] : seals_) edit.seals.push_back(seal);
  for (const auto& [number, file] : value_files_) edit.added_value_files.push_back(file);
  for (const auto& [number, table] : tables_) edit.added_tables.push_back(table.info);
  for (const auto& [id, partition] : partitions_) {
    edit.added_partitions.push_back(partition.record);
    for (int level = 0; level < kLevels; ++level) {
      for (const TableReference& reference : partition.levels[level]) {
        edit.added_references.push_back({id, level, reference});
      }
    }
  }
  return edit;
}

Status ManifestState::CheckInvariants() const {
  std::map<std::string_view, const PartitionState*> by_begin;
  for (const auto& [id, partition] : partitions_) {
    if (!by_begin.emplace(partition.record.begin, &partition).second) {
      return Corruption("two partitions begin at the same key as partition {}", id);
    }
  }
  std::string_view expected_begin;
  bool open_end = by_begin.empty();
  for (const auto& [begin, partition] : by_begin) {
    const PartitionRecord& record = partition->record;
    if (open_end || begin != expected_begin) {
      return Corruption("partition {} does not begin where the one before it ends", record.id);
    }
    expected_begin = record.end;
    open_end = record.end.empty();
    for (int level = 0; level < kLevels; ++level) {
      compaction::KeyInterval previous;
      bool first = true;
      for (const TableReference& reference : partition->levels[level]) {
        const sstable::TableInfo& table = tables_.at(reference.table).info;
        const bool inside = reference.clip_begin >= record.begin &&
                            (record.end.empty() ||
                             (!reference.clip_end.empty() && reference.clip_end <= record.end));
        if (!inside) {
          return Corruption("partition {} refers to table {} beyond its own range", record.id,
                            table.file_number);
        }
        const auto keys = compaction::ClippedInterval(table.smallest_key, table.largest_key,
                                                      reference.clip_begin, reference.clip_end);
        if (level > 0 && !first && !previous.EndsBefore(keys.begin)) {
          return Corruption("table {} overlaps its neighbour in level {} of partition {}",
                            table.file_number, level, record.id);
        }
        previous = keys;
        first = false;
      }
    }
  }
  if (!open_end) return Corruption("no partition reaches the end of the key space");
  return absl::OkStatus();
}

uint64_t ManifestState::ReferencedValueBytes(uint64_t value_file) const {
  const auto users = value_file_users_.find(value_file);
  const auto file = value_files_.find(value_file);
  if (users == value_file_users_.end() || file == value_files_.end()) return 0;
  double bytes = 0;
  for (const auto& [number, used_bytes] : users->second) {
    const TableState& table = tables_.at(number);
    const uint64_t table_bytes = std::max<uint64_t>(1, table.info.file_bytes);
    const double share = static_cast<double>(std::min(table.referenced_bytes, table_bytes)) /
                         static_cast<double>(table_bytes);
    bytes += static_cast<double>(used_bytes) * share;
  }
  return std::min(file->second.bytes, static_cast<uint64_t>(bytes));
}

}  // namespace varve::engine
