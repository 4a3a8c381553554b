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
  AddCounters(io_.counters(), &tally_);
  outcome.tally = tally_;
  outcome.digest = digest_;
  return outcome;
}

void Run::Prepare() {
  if (!io_.CreateDirectory("/data").ok()) Complain("no directory");
  io_.set_fail([this](const SimAccess& access) {
    last_access_ = access.kind;
    last_path_.assign(access.path);
    return false;
  });
  IgnoreSyncs(options_.sabotage, &io_);
}

void Run::Life() {
  life_options_ = RandomOptions(random_);
  if (options_.sabotage != nullptr) life_options_.skipped_rule = options_.sabotage->rule;
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
  if (auto place = PlaceOfCrash(last_access_, last_path_)) Count(*place);
}

void Run::ArmCrash(uint64_t steps) {
  last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
  io_.ArmCrash(last_crash_, steps);
}

void Run::JumpClock() {
  io_.JumpWallClock(RandomJumpMs(random_));
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
  const io::SimFaults faults = RandomFaults(random_);
  io_.set_faults(faults);
  faulty_ = CanFail(faults);
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
