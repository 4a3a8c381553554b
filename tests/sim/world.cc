#include "tests/sim/world.h"

namespace varve::sim {

void AddCounters(const io::SimCounters& c, Tally* tally) {
  (*tally)["process crash"] += c.process_crashes;
  (*tally)["power cut"] += c.power_cuts;
  (*tally)["torn write"] += c.torn_writes;
  (*tally)["lost sector"] += c.lost_sectors;
  (*tally)["lost mapped sector"] += c.lost_mapped_sectors;
  (*tally)["lost size"] += c.lost_sizes;
  (*tally)["lost directory change"] += c.lost_directory_changes;
  (*tally)["read error"] += c.read_errors;
  (*tally)["write error"] += c.write_errors;
  (*tally)["sync error"] += c.sync_errors;
  (*tally)["metadata error"] += c.metadata_errors;
  (*tally)["disk full"] += c.disk_full;
  (*tally)["slow completion"] += c.slow_completions;
  (*tally)["clock jump"] += c.clock_jumps;
  (*tally)["bit flip"] += c.bit_flips;
}

engine::Options RandomOptions(Random& random) {
  engine::Options o;
  o.durability = random.OneIn(2) ? engine::Durability::kRelaxed : engine::Durability::kDurable;
  o.memtable_budget_bytes = 32'000 << random.Below(4);
  o.memtable_bytes_max = o.memtable_budget_bytes / (2 << random.Below(3));
  o.block_cache_bytes = 64'000 << random.Below(5);
  o.log_segment_bytes = uint64_t{16384} << random.Below(6);
  o.log_bytes_max = 32'000 << random.Below(5);
  o.table_bytes_target = 4'000 << random.Below(5);
  o.compression_level = static_cast<int>(random.Below(3));
  o.filter_bits_per_key = random.OneIn(4) ? 0 : 10;
  o.value_separation_bytes = 200 << random.Below(5);
  o.open_tables_max = 2 + random.Below(40);
  o.partition_bytes_max = 40'000 << random.Below(4);
  o.level0_tables_max = 2 + static_cast<int>(random.Below(4));
  o.level_size_ratio = 2 + static_cast<int>(random.Below(9));
  o.level1_bytes = 8'000 << random.Below(4);
  o.layout = static_cast<engine::Layout>(random.Below(engine::kLayoutCount));
  o.background_workers = 1 + static_cast<int>(random.Below(3));
  o.manifest_bytes_max = random.OneIn(2) ? 2'000 : 100'000;
  o.reserved_disk_bytes = 64'000;
  return o;
}

io::SimFaults RandomFaults(Random& random) {
  io::SimFaults faults;
  if (random.OneIn(3)) faults.slow_one_in = 50;
  if (random.OneIn(4)) faults.read_error_one_in = 100;
  if (random.OneIn(5)) faults.write_error_one_in = 150;
  if (random.OneIn(5)) faults.sync_error_one_in = 100;
  if (random.OneIn(6)) faults.metadata_error_one_in = 60;
  return faults;
}

bool CanFail(const io::SimFaults& faults) {
  return faults.read_error_one_in + faults.write_error_one_in + faults.sync_error_one_in +
             faults.metadata_error_one_in >
         0;
}

int64_t RandomJumpMs(Random& random) {
  const int64_t ms = static_cast<int64_t>(random.Below(400'000)) - 200'000;
  return random.OneIn(10) ? ms * 100'000 : ms;
}

void IgnoreSyncs(const Sabotage* sabotage, io::SimIo* io) {
  if (sabotage == nullptr || !sabotage->sync) return;
  io->set_ignore_sync([sabotage](const io::SimAccess& access) {
    return access.kind == *sabotage->sync &&
           access.path.find(sabotage->path_contains) != std::string_view::npos;
  });
}

std::optional<std::string> PlaceOfCrash(io::SimAccess::Kind kind, std::string_view path) {
  using Kind = io::SimAccess::Kind;
  const auto is_in = [&](std::string_view part) {
    return path.find(part) != std::string_view::npos;
  };
  if (is_in("MANIFEST-") || is_in("CURRENT")) {
    return kind == Kind::kMetadata || is_in("CURRENT") ? "crash at manifest rotation"
                                                       : "crash at manifest edit";
  }
  if (is_in("/log")) {
    return kind == Kind::kMetadata ? "crash at segment recycling" : "crash at log write";
  }
  if (is_in(".sst")) return "crash at table write";
  if (is_in(".val")) return "crash at value file write";
  if (kind == Kind::kSyncDirectory) return "crash at flush installation";
  return std::nullopt;
}

}  // namespace varve::sim
