#include "tools/check.h"

#include <algorithm>
#include <map>
#include <vector>

#include "compaction/clip_iterator.h"
#include "compaction/level_iterator.h"
#include "engine/manifest.h"
#include "engine/write_batch.h"
#include "sstable/inspect.h"
#include "sstable/table.h"
#include "sstable/value_file.h"
#include "tools/json_writer.h"
#include "tools/text.h"
#include "wal/reader.h"

namespace varve::tools {
namespace {

using engine::Manifest;
using engine::ManifestState;
using engine::PartitionState;
using engine::TableReference;
using sstable::EntryIterator;
using sstable::ValueReference;

constexpr size_t kCacheBytes = size_t{32} << 20;

// The checksums of the values of one file, by where they are.
using ValuePlaces = std::map<uint64_t, ValueReference>;

// Counts a table's entries, and looks its references up.
class ReferenceChecker final : public sstable::TableVisitor {
 public:
  ReferenceChecker(const std::string& path, const std::map<uint64_t, ValuePlaces>& values,
                   CheckReport* report)
      : path_(path), values_(values), report_(report) {}

  const Status& fault() const { return fault_; }

  void OnBlock(const sstable::BlockSummary& block) override { block_offset_ = block.offset; }

  void OnEntry(const Entry& entry) override {
    ++report_->entries;
    if (entry.kind != EntryKind::kPutReference || !fault_.ok()) return;
    ValueReference reference;
    if (!ValueReference::Parse(entry.value, &reference)) return;  // a fault of its own
    const auto file = values_.find(reference.file_number);
    if (file == values_.end()) {
      fault_ = Corruption(
          "{}:{}: key \"{}\" refers to value file {}, which the manifest does not "
          "know",
          path_, block_offset_, Escape(entry.key), reference.file_number);
      return;
    }
    const auto value = file->second.find(reference.offset);
    if (value == file->second.end() || value->second != reference) {
      fault_ =
          Corruption("{}:{}: key \"{}\" refers to no value of value file {}, at {}", path_,
                     block_offset_, Escape(entry.key), reference.file_number, reference.offset);
    }
  }

 private:
  const std::string& path_;
  const std::map<uint64_t, ValuePlaces>& values_;
  CheckReport* const report_;
  uint64_t block_offset_ = 0;
  Status fault_;
};

class Checker {
 public:
  Checker(io::Io& io, std::string directory, CheckReport* report)
      : io_(io),
        directory_(std::move(directory)),
        report_(*report),
        cache_({.capacity_bytes = kCacheBytes}) {}

  io::Task<Status> Run() {
    // The lock file comes with the database; a directory without one is none.
    if (!io_.Exists(engine::CurrentPath(directory_))) {
      co_return NotFound("{}: holds no database", directory_);
    }
    auto lock = io_.Lock(engine::LockPath(directory_));
    if (!lock.ok()) co_return lock.status();
    auto manifest = co_await Manifest::Recover(io_, directory_);
    if (!manifest.ok()) co_return manifest.status();
    manifest_ = *std::move(manifest);
    report_.partitions = state().partitions().size();
    VARVE_CO_RETURN_IF_ERROR(co_await CheckValueFiles());
    VARVE_CO_RETURN_IF_ERROR(co_await CheckTables());
    for (const auto& [id, partition] : state().partitions()) {
      VARVE_CO_RETURN_IF_ERROR(co_await CheckOrder(partition));
    }
    VARVE_CO_RETURN_IF_ERROR(co_await CheckLog());
    co_return CountLeftovers();
  }

 private:
  const ManifestState& state() const { return manifest_->state(); }

  io::Task<Status> CheckValueFiles() {
    for (const auto& [number, record] : state().value_files()) {
      const std::string path = engine::ValueFilePath(directory_, number);
      ValuePlaces& places = values_[number];
      const auto visit = [&places](const ValueReference& reference, std::string_view value) {
        places.emplace(reference.offset, reference);
      };
      auto info = co_await sstable::VerifyValueFile(io_, path, visit);
      if (!info.ok()) co_return info.status();
      if (info->file_number != number || info->file_bytes != record.bytes) {
        co_return Corruption(
            "{}: is value file {} of {} bytes; the manifest knows number {} of {} bytes", path,
            info->file_number, info->file_bytes, number, record.bytes);
      }
      ++report_.value_files;
      report_.value_file_bytes += info->file_bytes;
      report_.values += info->values;
    }
    co_return absl::OkStatus();
  }

  io::Task<Status> CheckTables() {
    for (const auto& [number, table] : state().tables()) {
      const std::string path = engine::TablePath(directory_, number);
      ReferenceChecker references(path, values_, &report_);
      VARVE_CO_RETURN_IF_ERROR(co_await sstable::InspectTable(io_, path, &references, &table.info));
      VARVE_CO_RETURN_IF_ERROR(references.fault());
      if (table.info.largest_sequence > state().sequence_ceiling()) {
        co_return Corruption("{}: holds sequence number {}, ahead of the manifest's ceiling {}",
                             path, table.info.largest_sequence, state().sequence_ceiling());
      }
      ++report_.tables;
      report_.table_bytes += table.info.file_bytes;
    }
    co_return absl::OkStatus();
  }

  // ---- For every key, what stands above is newer than what stands below. Each run (a table of
  // level 0, or a deeper level) is in order itself, so one run alone needs no look.

  std::unique_ptr<EntryIterator> Open(const TableReference& reference) {
    auto& table = tables_[reference.table];
    if (table == nullptr) {
      table = std::make_unique<sstable::Table>(io_, engine::TablePath(directory_, reference.table),
                                               state().tables().at(reference.table).info, cache_);
    }
    sstable::IteratorOptions options;
    options.reading = sstable::IteratorOptions::Reading::kScan;
    options.reads_in_flight_max = 2;
    return std::make_unique<compaction::ClipIterator>(table->NewIterator(options),
                                                      reference.clip_begin, reference.clip_end);
  }

  std::unique_ptr<EntryIterator> OpenLevel(const std::vector<TableReference>& references) {
    std::vector<compaction::KeyInterval> intervals;
    for (const TableReference& reference : references) {
      const sstable::TableInfo& info = state().tables().at(reference.table).info;
      intervals.push_back(compaction::ClippedInterval(info.smallest_key, info.largest_key,
                                                      reference.clip_begin, reference.clip_end));
    }
    return std::make_unique<compaction::LevelIterator>(
        std::move(intervals), [this, &references](size_t i) { return Open(references[i]); });
  }

  io::Task<Status> CheckOrder(const PartitionState& partition) {
    std::vector<std::unique_ptr<EntryIterator>> runs;  // newest first
    for (const TableReference& reference : partition.levels[0]) runs.push_back(Open(reference));
    for (size_t level = 1; level < partition.levels.size(); ++level) {
      if (!partition.levels[level].empty()) runs.push_back(OpenLevel(partition.levels[level]));
    }
    if (runs.size() < 2) co_return absl::OkStatus();
    for (auto& run : runs) run->SeekToFirst();
    std::string key;
    while (true) {
      const EntryIterator* first = nullptr;
      for (auto& run : runs) {
        co_await sstable::Settle(*run);
        if (run->state() == EntryIterator::State::kFailed) co_return run->status();
        if (run->state() != EntryIterator::State::kEntry) continue;
        if (first == nullptr || run->entry().key < first->entry().key) first = run.get();
      }
      if (first == nullptr) break;
      key.assign(first->entry().key);
      VARVE_CO_RETURN_IF_ERROR(co_await CheckKey(partition, runs, key));
    }
    tables_.clear();
    co_return absl::OkStatus();
  }

  // Moves every run past `key`.
  io::Task<Status> CheckKey(const PartitionState& partition,
                            std::vector<std::unique_ptr<EntryIterator>>& runs,
                            const std::string& key) {
    SequenceNumber oldest = kSequenceMax;
    bool any = false;
    for (auto& run : runs) {
      while (run->state() == EntryIterator::State::kEntry && run->entry().key == key) {
        const SequenceNumber sequence = run->entry().sequence;
        if (any && sequence >= oldest) {
          co_return Corruption(
              "{}: partition {}: key \"{}\" has sequence number {} below an older or equal one "
              "({})",
              directory_, partition.record.id, Escape(key), sequence, oldest);
        }
        any = true;
        oldest = sequence;
        run->Next();
        co_await sstable::Settle(*run);
      }
    }
    co_return absl::OkStatus();
  }

  // ---- The log

  io::Task<Status> CheckLog() {
    wal::LogChain chain;
    chain.first_segment = state().log_start();
    for (const auto& [segment, seal] : state().seals()) chain.seals.push_back(seal);
    wal::LogReader reader(io_, engine::LogDirectory(directory_), manifest_->database_id(), chain,
                          wal::ReadMode::kInspect);
    for (bool more = true; more;) {
      auto fetched = co_await reader.Fetch();
      if (!fetched.ok()) co_return fetched.status();
      more = *fetched;
      wal::LogRecord record;
      while (reader.Next(&record)) VARVE_CO_RETURN_IF_ERROR(CheckRecord(record));
    }
    co_return absl::OkStatus();
  }

  Status CheckRecord(const wal::LogRecord& record) {
    ++report_.log_records;
    report_.log_payload_bytes += record.payload.size();
    engine::BatchReader reader(record.payload);
    Entry entry;
    while (reader.Next(&entry)) {
    }
    if (!reader.ok()) {
      return Corruption("{}: the log record at position {} holds no batch", directory_, record.lsn);
    }
    return absl::OkStatus();
  }

  Status CountLeftovers() {
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> names, io_.List(directory_));
    for (const std::string& name : names) {
      const uint64_t table = engine::NumberOf(name, "", ".sst");
      const uint64_t value_file = engine::NumberOf(name, "", ".val");
      if ((table != 0 && !state().tables().contains(table)) ||
          (value_file != 0 && !state().value_files().contains(value_file))) {
        ++report_.leftover_files;
      }
    }
    return absl::OkStatus();
  }

  io::Io& io_;
  const std::string directory_;
  CheckReport& report_;
  sstable::BlockCache cache_;
  std::unique_ptr<Manifest> manifest_;
  std::map<uint64_t, ValuePlaces> values_;
  std::map<uint64_t, std::unique_ptr<sstable::Table>> tables_;
};

}  // namespace

io::Task<Status> CheckDatabase(io::Io& io, std::string directory, CheckReport* report) {
  Checker checker(io, std::move(directory), report);
  co_return co_await checker.Run();
}

void CheckReport::PrintText(std::ostream& out, const std::string& directory,
                            const Status& status) const {
  if (!status.ok()) {
    out << fmt::format("{}: FAULT: {}\n", directory, Message(status));
    return;
  }
  out << fmt::format("{}: ok\n", directory);
  out << fmt::format("  {} partitions\n", FormatCount(partitions));
  out << fmt::format("  {} tables, {}, {} entries\n", FormatCount(tables), FormatBytes(table_bytes),
                     FormatCount(entries));
  out << fmt::format("  {} value files, {}, {} values\n", FormatCount(value_files),
                     FormatBytes(value_file_bytes), FormatCount(values));
  out << fmt::format("  {} log records, {}\n", FormatCount(log_records),
                     FormatBytes(log_payload_bytes));
  if (leftover_files > 0) {
    out << fmt::format("  {} files left behind by a crash, removed by the next opening\n",
                       FormatCount(leftover_files));
  }
}

void CheckReport::PrintJson(std::ostream& out, const std::string& directory,
                            const Status& status) const {
  JsonWriter json(out);
  json.BeginObject();
  json.Field("directory", Escape(directory));
  json.Field("ok", status.ok());
  if (status.ok()) {
    json.Null("fault");
  } else {
    json.Field("fault", Escape(Message(status)));
  }
  json.Field("partitions", partitions);
  json.Field("tables", tables);
  json.Field("table_bytes", table_bytes);
  json.Field("entries", entries);
  json.Field("value_files", value_files);
  json.Field("value_file_bytes", value_file_bytes);
  json.Field("values", values);
  json.Field("log_records", log_records);
  json.Field("log_payload_bytes", log_payload_bytes);
  json.Field("leftover_files", leftover_files);
  json.EndObject();
  out << '\n';
}

}  // namespace varve::tools
