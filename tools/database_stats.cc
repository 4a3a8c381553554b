#include "tools/database_stats.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "engine/manifest.h"
#include "tools/json_writer.h"
#include "tools/text.h"

namespace varve::tools {
namespace {

double Ratio(uint64_t a, uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

DatabaseShape ShapeOf(const engine::ManifestState& state) {
  DatabaseShape shape;
  shape.next_file_number = state.next_file_number();
  shape.sequence_ceiling = state.sequence_ceiling();
  shape.levels.resize(engine::kLevels);

  uint64_t deepest_bytes = 0;
  uint64_t runs = 0;
  std::vector<std::set<uint64_t>> seen(engine::kLevels);
  for (const auto& [id, partition] : state.partitions()) {
    PartitionShape& shown = shape.partitions.emplace_back();
    shown.id = id;
    shown.begin = partition.record.begin;
    shown.end = partition.record.end;
    uint64_t deepest = 0;
    for (int level = 0; level < engine::kLevels; ++level) {
      const auto& references = partition.levels[static_cast<size_t>(level)];
      shown.tables_per_level.push_back(references.size());
      shown.sorted_runs += level == 0 ? references.size() : !references.empty();
      uint64_t live_bytes = 0;
      for (const engine::TableReference& reference : references) {
        live_bytes += reference.live_bytes;
        if (!seen[static_cast<size_t>(level)].insert(reference.table).second) continue;
        const sstable::TableInfo& info = state.tables().at(reference.table).info;
        LevelShape& totals = shape.levels[static_cast<size_t>(level)];
        ++totals.tables;
        totals.bytes += info.file_bytes;
        totals.entries += info.entries;
        totals.tombstones += info.tombstones;
      }
      shape.levels[static_cast<size_t>(level)].live_bytes += live_bytes;
      shown.live_bytes += live_bytes;
      if (!references.empty()) deepest = live_bytes;
    }
    deepest_bytes += deepest;
    runs += shown.sorted_runs;
    shape.read_amplification_max = std::max(shape.read_amplification_max, shown.sorted_runs);
  }
  std::sort(shape.partitions.begin(), shape.partitions.end(),
            [](const PartitionShape& a, const PartitionShape& b) { return a.begin < b.begin; });

  uint64_t data_bytes = 0;
  for (const auto& [number, table] : state.tables()) {
    ++shape.tables;
    shape.table_bytes += table.info.file_bytes;
    shape.key_bytes += table.info.key_bytes;
    shape.value_bytes += table.info.value_bytes;
    data_bytes += table.info.data_bytes;
  }
  for (const auto& [number, file] : state.value_files()) {
    ++shape.value_files;
    shape.value_file_bytes += file.bytes;
    shape.value_file_referenced_bytes += state.ReferencedValueBytes(number);
  }
  shape.space_amplification = Ratio(shape.table_bytes + shape.value_file_bytes,
                                    deepest_bytes + shape.value_file_referenced_bytes);
  shape.read_amplification_mean = Ratio(runs, shape.partitions.size());
  shape.compression_ratio = Ratio(shape.key_bytes + shape.value_bytes, data_bytes);
  return shape;
}

io::Task<StatusOr<DatabaseShape>> ReadShape(io::Io& io, std::string directory) {
  auto manifest = co_await engine::Manifest::Recover(io, directory);
  if (!manifest.ok()) co_return manifest.status();
  DatabaseShape shape = ShapeOf((*manifest)->state());
  shape.database_id = (*manifest)->database_id();
  shape.manifest_bytes = (*manifest)->bytes();
  const std::string log_directory = engine::LogDirectory(directory);
  const auto names = io.List(log_directory);
  if (!names.ok()) co_return names.status();
  for (const std::string& name : *names) {
    // Segments come and go while the database is open.
    const auto bytes = io.FileBytes(log_directory + "/" + name);
    if (!bytes.ok()) continue;
    ++shape.log_files;
    shape.log_file_bytes += *bytes;
  }
  co_return shape;
}

void DatabaseShape::PrintText(std::ostream& out, bool each_partition) const {
  out << fmt::format("database {:016x}, {} partitions, manifest {}\n", database_id,
                     FormatCount(partitions.size()), FormatBytes(manifest_bytes));
  out << fmt::format("{:<6} {:>8} {:>12} {:>12} {:>14} {:>12}\n", "level", "tables", "bytes",
                     "live", "entries", "tombstones");
  for (size_t level = 0; level < levels.size(); ++level) {
    const LevelShape& l = levels[level];
    if (l.tables == 0) continue;
    out << fmt::format("{:<6} {:>8} {:>12} {:>12} {:>14} {:>12}\n", level, FormatCount(l.tables),
                       FormatBytes(l.bytes), FormatBytes(l.live_bytes), FormatCount(l.entries),
                       FormatCount(l.tombstones));
  }
  out << fmt::format("tables       {}, {}, compressed {:.2f} to 1\n", FormatCount(tables),
                     FormatBytes(table_bytes), compression_ratio);
  out << fmt::format("value files  {}, {}, of which about {} referenced\n",
                     FormatCount(value_files), FormatBytes(value_file_bytes),
                     FormatBytes(value_file_referenced_bytes));
  out << fmt::format("log          {} files, {}\n", FormatCount(log_files),
                     FormatBytes(log_file_bytes));
  out << fmt::format("space        {:.2f} bytes stored for each byte alive (estimate)\n",
                     space_amplification);
  out << fmt::format("reads        {:.1f} sorted runs a partition, at most {}\n",
                     read_amplification_mean, read_amplification_max);
  if (!each_partition) return;
  for (const PartitionShape& partition : partitions) {
    out << fmt::format("partition {} [\"{}\", {}): {} live, tables per level {}\n", partition.id,
                       Escape(partition.begin),
                       partition.end.empty() ? "end" : fmt::format("\"{}\"", Escape(partition.end)),
                       FormatBytes(partition.live_bytes),
                       fmt::join(partition.tables_per_level, " "));
  }
}

void DatabaseShape::PrintJson(std::ostream& out, bool each_partition) const {
  JsonWriter json(out);
  json.BeginObject();
  json.Field("database_id", fmt::format("{:016x}", database_id));
  json.Field("manifest_bytes", manifest_bytes);
  json.Field("next_file_number", next_file_number);
  json.Field("sequence_ceiling", sequence_ceiling);
  json.BeginArray("levels");
  for (size_t level = 0; level < levels.size(); ++level) {
    json.BeginObject();
    json.Field("level", level);
    json.Field("tables", levels[level].tables);
    json.Field("bytes", levels[level].bytes);
    json.Field("live_bytes", levels[level].live_bytes);
    json.Field("entries", levels[level].entries);
    json.Field("tombstones", levels[level].tombstones);
    json.EndObject();
  }
  json.EndArray();
  json.Field("tables", tables);
  json.Field("table_bytes", table_bytes);
  json.Field("key_bytes", key_bytes);
  json.Field("value_bytes", value_bytes);
  json.Field("value_files", value_files);
  json.Field("value_file_bytes", value_file_bytes);
  json.Field("value_file_referenced_bytes", value_file_referenced_bytes);
  json.Field("log_files", log_files);
  json.Field("log_file_bytes", log_file_bytes);
  json.Field("space_amplification", space_amplification);
  json.Field("read_amplification_max", read_amplification_max);
  json.Field("read_amplification_mean", read_amplification_mean);
  json.Field("compression_ratio", compression_ratio);
  json.Field("partition_count", partitions.size());
  if (each_partition) {
    json.BeginArray("partitions");
    for (const PartitionShape& partition : partitions) {
      json.BeginObject();
      json.Field("id", partition.id);
      json.Field("begin", Escape(partition.begin));
      json.Field("end", Escape(partition.end));
      json.Field("live_bytes", partition.live_bytes);
      json.Field("sorted_runs", partition.sorted_runs);
      json.BeginArray("tables_per_level");
      for (const uint64_t tables_of_level : partition.tables_per_level) {
        json.Field("", tables_of_level);
      }
      json.EndArray();
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  out << '\n';
}

}  // namespace varve::tools
