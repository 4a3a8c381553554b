// Lives: options, faults, crashes, opening and closing.
#include "tests/sim/run.h"

namespace varve::sim {

Outcome Run::Go() {
  Prepare();
  while (done_ < options_.operations && !complaint_) Life();
  held_.clear();
  db_.reset();
  Outcome outcome;
  outcome.complaint = complaint_;
  AddCounters();
  outcome.tally = tally_;
  outcome.digest = digest_;
  return outcome;
}

void Run::AddCounters() {
  const io::SimCounters& c = io_.counters();
  tally_["process crash"] += c.process_crashes;
  tally_["power cut"] += c.power_cuts;
  tally_["torn write"] += c.torn_writes;
  tally_["lost sector"] += c.lost_sectors;
  tally_["lost mapped sector"] += c.lost_mapped_sectors;
  tally_["lost size"] += c.lost_sizes;
  tally_["lost directory change"] += c.lost_directory_changes;
  tally_["read error"] += c.read_errors;
  tally_["write error"] += c.write_errors;
  tally_["sync error"] += c.sync_errors;
  tally_["metadata error"] += c.metadata_errors;
  tally_["disk full"] += c.disk_full;
  tally_["slow completion"] += c.slow_completions;
  tally_["clock jump"] += c.clock_jumps;
  tally_["bit flip"] += c.bit_flips;
}

void Run::Prepare() {
  if (!io_.CreateDirectory("/data").ok()) Complain("no directory");
  io_.set_fail([this](const SimAccess& access) {
    last_access_ = access.kind;
    last_path_.assign(access.path);
    return false;
  });
  if (options_.sabotage != nullptr && options_.sabotage->sync) {
    io_.set_ignore_sync([sabotage = options_.sabotage](const SimAccess& access) {
      return access.kind == *sabotage->sync &&
             access.path.find(sabotage->path_contains) != std::string_view::npos;
    });
  }
}

Options Run::RandomOptions() {
  Options o;
  o.durability = random_.OneIn(2) ? Durability::kRelaxed : Durability::kDurable;
  o.memtable_budget_bytes = 32'000 << random_.Below(4);
  o.memtable_bytes_max = o.memtable_budget_bytes / (2 << random_.Below(3));
  o.block_cache_bytes = 64'000 << random_.Below(5);
  o.log_segment_bytes = uint64_t{16384} << random_.Below(6);
  o.log_bytes_max = 32'000 << random_.Below(5);
  o.table_bytes_target = 4'000 << random_.Below(5);
  o.compression_level = static_cast<int>(random_.Below(3));
  o.filter_bits_per_key = random_.OneIn(4) ? 0 : 10;
  o.value_separation_bytes = 200 << random_.Below(5);
  o.open_tables_max = 2 + random_.Below(40);
  o.partition_bytes_max = 40'000 << random_.Below(4);
  o.level0_tables_max = 2 + static_cast<int>(random_.Below(4));
  o.level_size_ratio = 2 + static_cast<int>(random_.Below(9));
  o.level1_bytes = 8'000 << random_.Below(4);
  o.layout = static_cast<engine::Layout>(random_.Below(engine::kLayoutCount));
  o.background_workers = 1 + static_cast<int>(random_.Below(3));
  o.manifest_bytes_max = random_.OneIn(2) ? 2'000 : 100'000;
  o.reserved_disk_bytes = 64'000;
  if (options_.sabotage != nullptr) o.skipped_rule = options_.sabotage->rule;
  return o;
}

void Run::Life() {
  life_options_ = RandomOptions();
  relaxed_ = life_options_.durability == Durability::kRelaxed;
  io_.set_faults({});
  io_.set_capacity_bytes(uint64_t{1} << 30);
  if (random_.OneIn(5)) JumpClock();
  if (!OpenThroughCrashes()) return;
  CheckAfterOpening();
  if (complaint_) return;
  sequence_floor_ = sequence_last_;
  ArmFaults();
  io_.Run(Episode());
  if (complaint_) return;
  if (io_.crashed()) {
    CountCrashDuring();
    CrashEnded(last_crash_);
    return;
  }
  io_.DisarmCrash();
  io_.set_faults({});
  io_.set_capacity_bytes(uint64_t{1} << 30);
  io_.Run(Recuperate());
  if (complaint_) return;
  JudgeLife();
  if (complaint_) return;
  if (random_.OneIn(3)) {
    last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
    io_.Crash(last_crash_);
    phase_ = "rest";
    CountCrashDuring();
    CrashEnded(last_crash_);
  } else {
    CloseCleanly();
  }
}

void Run::CloseCleanly() {
  held_.clear();
  Note("close");
  const Status closed = db_->Close();
  if (!closed.ok()) Complain(fmt::format("close failed without a fault: {}", Message(closed)));
  db_.reset();
  model_.PromiseAll();
  crash_ = Model::Crash::kNone;
  Count("clean close");
  if (random_.OneIn(4)) Damage();
}

void Run::CrashEnded(SimCrash kind) {
  held_.clear();
  db_.reset();
  io_.Restart();
  // Process crashes between power cuts do not make anything durable.
  if (crash_ != Model::Crash::kPower) {
    crash_ = kind == SimCrash::kPower ? Model::Crash::kPower : Model::Crash::kProcess;
  }
  crash_relaxed_ = crash_relaxed_ || relaxed_;
  Note(kind == SimCrash::kPower ? "power cut" : "process crash");
}

void Run::CountCrashDuring() {
  Count("crash during " + phase_);
  if (last_path_.find("MANIFEST-") != std::string::npos ||
      last_path_.find("CURRENT") != std::string::npos) {
    Count(last_access_ == SimAccess::Kind::kMetadata ||
                  last_path_.find("CURRENT") != std::string::npos
              ? "crash at manifest rotation"
              : "crash at manifest edit");
  } else if (last_path_.find("/log") != std::string::npos) {
    Count(last_access_ == SimAccess::Kind::kMetadata ? "crash at segment recycling"
                                                     : "crash at log write");
  } else if (last_path_.find(".sst") != std::string::npos) {
    Count("crash at table write");
  } else if (last_path_.find(".val") != std::string::npos) {
    Count("crash at value file write");
  } else if (last_access_ == SimAccess::Kind::kSyncDirectory) {
    Count("crash at flush installation");
  }
}

void Run::ArmCrash(uint64_t steps) {
  last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
  io_.ArmCrash(last_crash_, steps);
}

void Run::JumpClock() {
  const int64_t ms = static_cast<int64_t>(random_.Below(400'000)) - 200'000;
  io_.JumpWallClock(random_.OneIn(10) ? ms * 100'000 : ms);
  Note("clock jump");
}

bool Run::OpenThroughCrashes() {
  for (;;) {
    phase_ = "recovery";
    if (random_.OneIn(3)) ArmCrash(1 + random_.Below(30));
    Note("open");
    auto db = Db::Open(io_, std::string(kDirectory), life_options_);
    if (io_.crashed()) {
      CountCrashDuring();
      if (db.ok()) db_ = *std::move(db);
      CrashEnded(last_crash_);
      continue;
    }
    io_.DisarmCrash();
    if (!db.ok()) {
      Complain(fmt::format("open failed: {}", Message(db.status())));
      return false;
    }
    db_ = *std::move(db);
    return true;
  }
}

void Run::ArmFaults() {
  io::SimFaults faults;
  if (random_.OneIn(3)) faults.slow_one_in = 50;
  if (random_.OneIn(4)) faults.read_error_one_in = 100;
  if (random_.OneIn(5)) faults.write_error_one_in = 150;
  if (random_.OneIn(5)) faults.sync_error_one_in = 100;
  if (random_.OneIn(6)) faults.metadata_error_one_in = 60;
  io_.set_faults(faults);
  faulty_ = faults.read_error_one_in + faults.write_error_one_in + faults.sync_error_one_in +
                faults.metadata_error_one_in >
            0;
  if (random_.OneIn(6)) {
    faulty_ = true;
    io_.set_capacity_bytes(io_.used_bytes() + random_.Below(400'000));
    Note("little room");
  }
  if (random_.OneIn(2)) ArmCrash(1 + random_.Below(1500));
}

Task<void> Run::Recuperate() {
  faulty_ = false;
  Status status;
  for (int attempt = 0; attempt < 200; ++attempt) {
    WriteBatch batch;
    Write& write = model_.Begin({});
    batch.Put(MarkerKey(write.id), "");
    write.changes = {{MarkerKey(write.id), ""}};
    const auto written = co_await db_->WriteAsync(batch, {.sync = true});
    if (written.ok()) {
      model_.Acknowledge(write, *written);
      PromiseUpTo(*written);
      status = absl::OkStatus();
      break;
    }
    status = written.status();
    co_await io::SleepFor(50'000'000);
  }
  if (!status.ok()) {
    Complain(fmt::format("writes do not come back after the faults: {} ({} bytes used; {})",
                         Message(status), io_.used_bytes(), db_->Stats().background_error));
    co_return;
  }
  for (int attempt = 0; attempt < 200; ++attempt) {
    status = co_await db_->SettleAsync();
    if (status.ok()) break;
    co_await io::SleepFor(50'000'000);
  }
  if (!status.ok()) {
    Complain(fmt::format("background work does not come back: {}", Message(status)));
    co_return;
  }
  co_await ReadMarkers();
}

}  // namespace varve::sim
