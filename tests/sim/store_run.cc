// Lives of a store: options, faults, crashes, opening and closing.
#include "tests/sim/store_run.h"

#include <algorithm>

namespace varve::sim {

namespace {

constexpr std::string_view kDirectory = "/data/db";
constexpr uint64_t kRetryNs = 50'000'000;

}  // namespace

Outcome StoreRun::Go() {
  if (!io_.CreateDirectory("/data").ok()) Complain("no directory");
  io_.set_fail([this](const io::SimAccess& access) {
    last_access_ = access.kind;
    last_path_.assign(access.path);
    return false;
  });
  IgnoreSyncs(options_.sabotage, &io_);
  while (done_ < options_.operations && !complaint_) Life();
  store_.reset();
  db_.reset();
  Outcome outcome;
  outcome.complaint = complaint_;
  AddCounters(io_.counters(), &tally_);
  outcome.tally = tally_;
  outcome.digest = digest_;
  return outcome;
}

uint64_t StoreRun::LatestMs() {
  const auto monotonic_ms = static_cast<int64_t>(io_.MonotonicNs() / 1'000'000);
  const auto wall_ms = static_cast<int64_t>(io_.WallMs());
  latest_offset_ms_ = std::max(latest_offset_ms_, wall_ms - monotonic_ms);
  return static_cast<uint64_t>(latest_offset_ms_ + monotonic_ms);
}

void StoreRun::Life() {
  life_options_ = RandomOptions(random_);
  const bool relaxed = life_options_.durability == engine::Durability::kRelaxed;
  store_options_ = {};
  store_options_.page_bytes_max = 300 << random_.Below(6);
  store_options_.sync_writes = relaxed && random_.OneIn(2);
  store_options_.before_commit = [this](engine::WriteBatch* batch) { Record(batch); };
  if (options_.sabotage != nullptr) {
    life_options_.skipped_rule = options_.sabotage->rule;
    store_options_.skipped_rule = options_.sabotage->store_rule;
  }
  io_.set_faults({});
  io_.set_capacity_bytes(uint64_t{1} << 30);
  if (random_.OneIn(5)) JumpClock();
  if (!OpenThroughCrashes()) return;
  io_.Run(CheckQuiet("after opening"));
  is_unsynced_ = may_have_lost_ = false;
  replayed_ = promised_ = opened_;
  if (complaint_) return;
  ArmFaults();
  io_.Run(Episode(20 + random_.Below(300)));
  if (complaint_) return;
  if (!io_.crashed()) {
    io_.DisarmCrash();
    io_.set_faults({});
    io_.set_capacity_bytes(uint64_t{1} << 30);
    io_.Run(Recuperate());
    if (!complaint_ && random_.OneIn(2)) {
      // What nothing has made durable since: a power cut may take it from all who saw it.
      is_calm_ = true;
      io_.Run(Episode(1 + random_.Below(20)));
      is_calm_ = false;
      if (!complaint_) io_.Run(SettleTables());
    }
    if (!complaint_) io_.Run(CheckQuiet("at the end of a life"));
    if (complaint_) return;
    if (!random_.OneIn(3)) {
      Close();
      return;
    }
    last_crash_ = random_.OneIn(2) ? io::SimCrash::kPower : io::SimCrash::kProcess;
    phase_ = "rest";
    io_.Crash(last_crash_);
  }
  CrashEnded();
}

void StoreRun::Close() {
  Note("close");
  store_.reset();
  const Status closed = db_->Close();
  if (!closed.ok()) Complain(fmt::format("close failed without a fault: {}", Message(closed)));
  db_.reset();
  promised_ = tick_;
  ++life_;
  Count("clean close");
}

void StoreRun::CrashEnded() {
  Count("crash during " + phase_);
  ++life_;
  store_.reset();
  db_.reset();
  io_.Restart();
  const bool relaxed = life_options_.durability == engine::Durability::kRelaxed;
  const bool power = last_crash_ == io::SimCrash::kPower;
  // Process crashes between power cuts do not make anything durable.
  is_unsynced_ = is_unsynced_ || relaxed;
  may_have_lost_ = may_have_lost_ || (is_unsynced_ && power);
  Note(power ? "power cut" : "process crash");
}

void StoreRun::ArmCrash(uint64_t steps) {
  if (is_calm_) return;
  last_crash_ = random_.OneIn(2) ? io::SimCrash::kPower : io::SimCrash::kProcess;
  io_.ArmCrash(last_crash_, steps);
}

void StoreRun::JumpClock() {
  LatestMs();
  // Within the time that tokens of transactions and stream records are kept.
  const int64_t ms = static_cast<int64_t>(random_.Below(200'000)) - 100'000;
  io_.JumpWallClock(random_.OneIn(2) ? ms : ms / 50);
  LatestMs();
  Note("clock jump");
}

bool StoreRun::OpenThroughCrashes() {
  for (;;) {
    phase_ = "recovery";
    if (random_.OneIn(3)) ArmCrash(1 + random_.Below(40));
    Note("open");
    auto db = engine::Db::Open(io_, std::string(kDirectory), life_options_);
    Status status = db.status();
    if (db.ok()) {
      db_ = *std::move(db);
      opened_ = tick_;
      auto store = io::BlockOn(io_, item::Store::Open(io_, *db_, store_options_));
      status = store.status();
      if (store.ok()) store_ = *std::move(store);
    }
    if (io_.crashed()) {
      CrashEnded();
      continue;
    }
    io_.DisarmCrash();
    if (!status.ok()) {
      Complain(fmt::format("open failed: {}", Message(status)));
      return false;
    }
    return true;
  }
}

void StoreRun::ArmFaults() {
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

io::Task<void> StoreRun::Episode(uint64_t operations) {
  phase_ = "operations";
  life_of_attempts_ = life_;
  const uint64_t clients = 1 + random_.Below(6);
  io::TaskGroup group;
  for (uint64_t i = 0; i < clients; ++i) group.Add(Client(operations / clients + 1));
  co_await group.Wait();
}

io::Task<void> StoreRun::Client(uint64_t operations) {
  for (uint64_t i = 0; i < operations && Alive(); ++i) {
    ++done_;
    co_await OneOperation();
    if (random_.OneIn(30)) co_await io::SleepFor(random_.Below(3'000'000));
    if (random_.OneIn(100)) co_await io::SleepFor(random_.Below(3'000'000'000));
  }
}

io::Task<void> StoreRun::Recuperate() {
  // The faults are over: everything must come back by itself.
  faulty_ = false;
  Status status;
  for (int attempt = 0; attempt < 200; ++attempt) {
    engine::WriteBatch batch;
    batch.Put("\xf0sim", "");
    const auto written = co_await db_->WriteAsync(batch, {.sync = true});
    status = written.status();
    if (status.ok()) status = co_await db_->SettleAsync();
    // What failed last is tried again after a pause.
    const std::string error = db_->Stats().background_error;
    if (status.ok() && !error.empty()) status = Unavailable("{}", error);
    if (status.ok()) break;
    co_await io::SleepFor(kRetryNs);
  }
  if (!status.ok()) {
    Complain(fmt::format("the engine does not come back after the faults: {}", Message(status)));
    co_return;
  }
  promised_ = tick_;
  co_await SettleTables();
}

bool StoreRun::IsExcused(const Status& status) const {
  const auto code = status.code();
  return (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted) &&
         (io_.crashed() || faulty_);
}

void StoreRun::Expect(const Status& status, const TableModel* table, std::string_view what) {
  if (status.ok() || io_.crashed()) return;
  if (IsExcused(status)) {
    Count("excused failure");
    return;
  }
  const item::ErrorType type = item::TypeOfError(status);
  if (type == item::ErrorType::kResourceNotFoundException && table != nullptr &&
      (table->may_be_gone || table->gone)) {
    return;
  }
  Complain(fmt::format("{}: {}: {}", what, item::ErrorTypeName(type), Message(status)));
}

}  // namespace varve::sim
