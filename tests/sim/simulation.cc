#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "base/checksum.h"

namespace varve::sim {
namespace {

using engine::Db;
using engine::Durability;
using engine::Options;
using engine::PinnedValue;
using engine::Rule;
using engine::WriteBatch;
using io::SimAccess;
using io::SimCrash;
using io::Task;

constexpr uint64_t kGroups = 8;
constexpr uint64_t kKeysPerGroup = 40;
constexpr std::string_view kDirectory = "/data/db";

std::string GroupBegin(uint64_t group) { return fmt::format("d{}/", group); }
std::string GroupEnd(uint64_t group) { return fmt::format("d{}0", group); }  // '0' is after '/'

// A read, to be judged when the history is known.
struct Observation {
  std::string what;
  SequenceNumber from = 0;  // the moment it read at lies in [from, to]
  SequenceNumber to = 0;
  size_t drops = 0;
  // Point read: one key. Scan: a range.
  bool scan = false;
  std::string begin;
  std::string end;
  std::map<std::string, std::string> seen;
};

class Run {
 public:
  explicit Run(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        io_({.seed = options.seed * 31 + 7,
             .capacity_bytes = uint64_t{1} << 30,
             .latency_ns_min = 1'000 + random_.Below(20'000),
             .latency_ns_max = 30'000 + random_.Below(500'000)}) {}

  Outcome Go() {
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

 private:
  // ---- Bookkeeping

  void Complain(std::string text) {
    if (!complaint_) complaint_ = std::move(text);
  }
  void Note(std::string_view text) {
    digest_ = Checksum(text, digest_);
    if (options_.trace) fmt::print("[{:>12}] {}\n", io_.MonotonicNs() / 1000, text);
  }
  void Count(const std::string& name) { ++tally_[name]; }

  void AddCounters() {
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

  void Prepare() {
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

  Options RandomOptions() {
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

  // ---- A life

  void Life() {
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

  void CloseCleanly() {
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

  void CrashEnded(SimCrash kind) {
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

  void CountCrashDuring() {
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

  void ArmCrash(uint64_t steps) {
    last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
    io_.ArmCrash(last_crash_, steps);
  }

  void JumpClock() {
    const int64_t ms = static_cast<int64_t>(random_.Below(400'000)) - 200'000;
    io_.JumpWallClock(random_.OneIn(10) ? ms * 100'000 : ms);
    Note("clock jump");
  }

  bool OpenThroughCrashes() {
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

  // ---- What must be true after opening

  void CheckAfterOpening() {
    io_.Run(ReadMarkers());
    if (complaint_) return;
    if (auto wrong = model_.Resolve(markers_, crash_, crash_relaxed_ || relaxed_)) {
      Complain(*wrong);
      return;
    }
    // Nobody has read what a crash could take back, unless it took back what was not promised.
    if (crash_ == Model::Crash::kPower && crash_relaxed_) observations_.clear();
    for (const Observation& seen : observations_) {
      if (!complaint_) Judge(seen);
    }
    observations_.clear();
    ResolveDrop();
    io_.Run(CheckEverything("after opening"));
    // What was replayed has been made durable.
    model_.PromiseAll();
    crash_ = Model::Crash::kNone;
    crash_relaxed_ = false;
    if (!complaint_ && db_->Partitions().size() < kGroups) io_.Run(CutGroups());
  }

  Task<void> CutGroups() {
    std::vector<std::string> cuts;
    for (uint64_t group = 0; group < kGroups; ++group) cuts.push_back(GroupBegin(group));
    cuts.push_back("m");
    cuts.push_back("m1");
    const Status split = co_await db_->SplitAsync(cuts);
    if (!split.ok()) Complain(fmt::format("split failed without a fault: {}", Message(split)));
  }

  Task<void> ReadMarkers() {
    markers_.clear();
    auto iterator = db_->NewIterator({{}, "m", "n", true});
    co_await iterator->SeekToFirstAsync();
    while (iterator->Valid()) {
      const auto id = MarkerId(iterator->key());
      if (!id) {
        Complain(fmt::format("unknown key {}", iterator->key()));
        co_return;
      }
      markers_[*id] = iterator->sequence();
      co_await iterator->NextAsync();
    }
    if (!iterator->status().ok()) {
      Complain(fmt::format("reading markers: {}", Message(iterator->status())));
    }
  }

  // Forward and backward, everything that is there now.
  Task<void> CheckEverything(std::string when) {
    const auto expected = model_.StateAt(kSequenceMax, model_.drops(), "", "");
    auto iterator = db_->NewIterator();
    std::map<std::string, std::string> forward;
    co_await iterator->SeekToFirstAsync();
    while (iterator->Valid()) {
      forward.emplace(iterator->key(), iterator->value());
      co_await iterator->NextAsync();
    }
    Status status = iterator->status();
    std::map<std::string, std::string> backward;
    if (status.ok()) {
      co_await iterator->SeekToLastAsync();
      while (iterator->Valid()) {
        backward.emplace(iterator->key(), iterator->value());
        co_await iterator->PrevAsync();
      }
      status = iterator->status();
    }
    if (!status.ok()) {
      Complain(fmt::format("scan {}: {}", when, Message(status)));
      co_return;
    }
    if (forward != expected) Complain(Difference("scan " + when, forward, expected));
    if (backward != expected) Complain(Difference("backward scan " + when, backward, expected));
    for (int i = 0; i < 20 && !complaint_; ++i) {
      const std::string key = RandomKey();
      PinnedValue value;
      const auto found = co_await db_->GetAsync(key, &value);
      if (!found.ok()) {
        Complain(fmt::format("get {} {}: {}", key, when, Message(found.status())));
        co_return;
      }
      const auto it = expected.find(key);
      const bool right =
          *found ? it != expected.end() && it->second == value.view() : it == expected.end();
      if (!right) Complain(fmt::format("get {} {} is wrong", key, when));
    }
  }

  std::string Difference(const std::string& what, const std::map<std::string, std::string>& got,
                         const std::map<std::string, std::string>& expected) const {
    const auto show = [](const std::string& value) {
      return fmt::format("'{}' ({} bytes)", value.substr(0, value.find(':')), value.size());
    };
    for (const auto& [key, value] : expected) {
      const auto it = got.find(key);
      if (it == got.end())
        return fmt::format("{}: {} is missing, expected {}; {}", what, key, show(value),
                           model_.Describe(key));
      if (it->second != value) {
        return fmt::format("{}: {} is {}, expected {}; {}", what, key, show(it->second),
                           show(value), model_.Describe(key));
      }
    }
    for (const auto& [key, value] : got) {
      if (!expected.contains(key))
        return fmt::format("{}: {}={} should not be there; {}", what, key, show(value),
                           model_.Describe(key));
    }
    return what + ": order differs";
  }

  // ---- Faults of a life

  void ArmFaults() {
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

  // ---- Clients

  Task<void> Episode() {
    phase_ = "writes";
    const uint64_t clients = 1 + random_.Below(6);
    const uint64_t operations = 20 + random_.Below(300);
    io::TaskGroup group;
    for (uint64_t i = 0; i < clients; ++i) group.Add(Client(operations / clients + 1));
    co_await group.Wait();
    if (Alive() && random_.OneIn(3)) co_await DropGroup();
    if (Alive() && random_.OneIn(8)) co_await TryCheckpoint();
  }

  bool Alive() const { return !io_.crashed() && !complaint_; }

  Task<void> Client(uint64_t operations) {
    for (uint64_t i = 0; i < operations && Alive(); ++i) {
      ++done_;
      co_await Operation();
      if (random_.OneIn(30)) co_await io::SleepFor(random_.Below(3'000'000));
    }
  }

  Task<void> Operation() {
    const uint64_t dice = random_.Below(100);
    if (dice < 50) {
      co_await WriteSomething();
    } else if (dice < 68) {
      co_await ReadOne();
    } else if (dice < 73) {
      co_await ReadMany();
    } else if (dice < 85) {
      co_await ScanRange();
    } else if (dice < 89) {
      HoldSnapshot();
    } else if (dice < 92) {
      co_await FlushAll();
    } else if (dice < 94) {
      co_await CompactRange();
    } else if (dice < 97) {
      co_await SplitSomewhere();
    } else if (dice < 98) {
      JumpClock();
    } else {
      if (!held_.empty())
        held_.erase(held_.begin() + static_cast<long>(random_.Below(held_.size())));
    }
  }

  std::string RandomKey() {
    return fmt::format("d{}/{:03}", random_.Below(kGroups), random_.Below(kKeysPerGroup));
  }

  std::string RandomValue(uint64_t id, size_t index) {
    size_t bytes = random_.Below(60);
    if (random_.OneIn(6)) bytes = random_.Below(1200);
    if (random_.OneIn(60)) bytes = random_.Below(20'000);
    if (random_.OneIn(600)) bytes = 300'000;
    std::string value = fmt::format("w{}.{}:", id, index);
    if (random_.OneIn(2)) {
      value.append(bytes, static_cast<char>('a' + id % 26));
    } else {
      while (value.size() < bytes) AppendNoise(value);
    }
    return value;
  }
  void AppendNoise(std::string& to) {
    const uint64_t noise = random_.Next();
    to.append(reinterpret_cast<const char*>(&noise), sizeof noise);
  }

  // What a failure may look like when something is wrong with the world.
  bool Excused(const Status& status) {
    const auto code = status.code();
    if (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted) {
      if (io_.crashed() || faulty_) {
        Count("excused failure");
        return true;
      }
    }
    return false;
  }
  void Expect(const Status& status, std::string_view what) {
    if (!status.ok() && !Excused(status)) {
      Complain(fmt::format("{}: {}", what, status.ToString()));
    }
  }

  Task<void> WriteSomething() {
    std::vector<Change> changes;
    Write& write = model_.Begin({});
    const uint64_t count = 1 + random_.Below(6);
    std::map<std::string, std::optional<std::string>> by_key;
    WriteBatch batch;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = RandomKey();
      if (random_.OneIn(4)) {
        batch.Delete(key);
        by_key[key] = std::nullopt;
      } else {
        std::string value = RandomValue(write.id, i);
        batch.Put(key, value);
        by_key[key] = std::move(value);
      }
    }
    for (auto& [key, value] : by_key) changes.push_back({key, std::move(value)});
    const std::string marker = MarkerKey(write.id);
    batch.Put(marker, "");
    changes.push_back({marker, ""});
    write.changes = std::move(changes);
    const bool sync = random_.OneIn(5);
    const auto written = co_await db_->WriteAsync(batch, {.sync = sync});
    Note(fmt::format("write {}: {}", write.id, written.ok() ? "ok" : "failed"));
    if (!written.ok()) {
      Expect(written.status(), "write");
      co_return;
    }
    // What the dead process still does in its memory, nobody hears of.
    if (io_.crashed()) co_return;
    Count("write");
    if (*written <= sequence_floor_) {
      Complain(fmt::format("sequence number {:x} after {:x} in an earlier life", *written,
                           sequence_floor_));
    }
    sequence_last_ = std::max(sequence_last_, *written);
    model_.Acknowledge(write, *written);
    if (!relaxed_ || sync) PromiseUpTo(write.sequence);
    if (db_->LastSequence() < *written) Complain("a write returned before it was visible");
  }

  void PromiseUpTo(SequenceNumber sequence) {
    for (const auto& [id, write] : model_.writes()) {
      if (write.acknowledged && write.sequence <= sequence) model_.write(id).durable = true;
    }
  }

  void Observe(Observation seen) {
    if (!io_.crashed()) observations_.push_back(std::move(seen));
  }

  struct Moment {
    SequenceNumber from;
    engine::ReadOptions options;
  };
  // A held snapshot, or none.
  Moment RandomMoment() {
    if (held_.empty() || random_.OneIn(2)) return {db_->LastSequence(), {}};
    const auto& snapshot = held_[random_.Below(held_.size())];
    return {snapshot->sequence(), {.snapshot = snapshot.get()}};
  }

  Task<void> ReadOne() {
    const std::string key = RandomKey();
    std::shared_ptr<engine::Snapshot> keep;
    Moment moment = RandomMoment();
    keep = Keep(moment.options.snapshot);
    Observation seen{.what = "get", .from = moment.from, .drops = model_.drops(), .begin = key};
    PinnedValue value;
    const auto found = co_await db_->GetAsync(key, &value, moment.options);
    if (!found.ok()) {
      Expect(found.status(), "get");
      co_return;
    }
    seen.to = moment.options.snapshot != nullptr ? moment.from : db_->LastSequence();
    if (*found) seen.seen.emplace(key, value.view());
    Observe(std::move(seen));
    Count("get");
  }

  std::shared_ptr<engine::Snapshot> Keep(const engine::Snapshot* snapshot) {
    for (const auto& held : held_) {
      if (held.get() == snapshot) return held;
    }
    return nullptr;
  }

  Task<void> ReadMany() {
    std::vector<std::string> keys;
    for (uint64_t i = 0; i < 1 + random_.Below(12); ++i) keys.push_back(RandomKey());
    std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::optional<PinnedValue>> values;
    // Without a snapshot of its own this reads at one moment between the two looks at the clock.
    const SequenceNumber from = db_->LastSequence();
    const size_t drops = model_.drops();
    const Status status = co_await db_->MultiGetAsync(views, &values);
    if (!status.ok()) {
      Expect(status, "multiget");
      co_return;
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      Observation seen{
          .what = "multiget", .from = from, .to = from, .drops = drops, .begin = keys[i]};
      if (values[i]) seen.seen.emplace(keys[i], values[i]->view());
      Observe(std::move(seen));
    }
    Count("multiget");
  }

  Task<void> ScanRange() {
    Moment moment = RandomMoment();
    const auto keep = Keep(moment.options.snapshot);
    engine::IteratorOptions options;
    options.snapshot = moment.options.snapshot;
    options.fill_cache = random_.OneIn(2);
    if (random_.OneIn(2)) options.lower_bound = RandomKey();
    if (random_.OneIn(2)) options.upper_bound = RandomKey();
    if (options.lower_bound.empty()) options.lower_bound = "d";
    if (options.upper_bound.empty()) options.upper_bound = "e";
    Observation seen{.what = "scan",
                     .from = moment.from,
                     .to = moment.from,
                     .drops = model_.drops(),
                     .scan = true,
                     .begin = options.lower_bound,
                     .end = options.upper_bound};
    if (seen.begin >= seen.end) co_return;
    auto iterator = db_->NewIterator(options);
    const bool backward = random_.OneIn(2);
    if (backward) {
      co_await iterator->SeekToLastAsync();
    } else {
      co_await iterator->SeekToFirstAsync();
    }
    std::string last;
    while (iterator->Valid()) {
      const std::string key(iterator->key());
      if (!last.empty() && (backward ? key >= last : key <= last)) Complain("scan out of order");
      last = key;
      seen.seen.emplace(key, iterator->value());
      if (random_.OneIn(40) && seen.seen.size() > 1) {
        // Turn round and come back.
        if (backward) {
          co_await iterator->NextAsync();
          if (iterator->Valid()) co_await iterator->PrevAsync();
        } else {
          co_await iterator->PrevAsync();
          if (iterator->Valid()) co_await iterator->NextAsync();
        }
        if (!iterator->Valid() || iterator->key() != key) {
          if (iterator->status().ok()) Complain("an iterator did not come back to where it was");
          break;
        }
      }
      if (backward) {
        co_await iterator->PrevAsync();
      } else {
        co_await iterator->NextAsync();
      }
    }
    if (!iterator->status().ok()) {
      Expect(iterator->status(), "scan");
      co_return;
    }
    Observe(std::move(seen));
    Count("scan");
  }

  void HoldSnapshot() {
    if (held_.size() < 5) held_.push_back(db_->GetSnapshot());
    Count("snapshot");
  }

  Task<void> FlushAll() {
    phase_ = "flush";
    if (random_.OneIn(8) && !io_.crashed()) ArmCrash(1 + random_.Below(25));
    const SequenceNumber upto = db_->LastSequence();
    const Status flushed = co_await db_->FlushAsync();
    Note("flush");
    Expect(flushed, "flush");
    if (flushed.ok() && !io_.crashed()) {
      PromiseUpTo(upto);
      Count("flush");
    }
  }

  Task<void> CompactRange() {
    phase_ = "compaction";
    std::string begin = random_.OneIn(2) ? RandomKey() : "";
    std::string end = random_.OneIn(2) ? RandomKey() : "";
    if (!end.empty() && begin >= end) end.clear();
    const Status compacted = co_await db_->CompactAsync(begin, end);
    Note("compact");
    Expect(compacted, "compact");
    if (compacted.ok()) Count("compact");
  }

  Task<void> SplitSomewhere() {
    phase_ = "split";
    if (db_->Partitions().size() > 30) co_return;
    if (random_.OneIn(4) && !io_.crashed()) ArmCrash(1 + random_.Below(4));
    std::vector<std::string> keys;
    for (uint64_t i = 0; i < 1 + random_.Below(3); ++i) {
      keys.push_back(random_.OneIn(5) ? MarkerKey(1 + random_.Below(2000)) : RandomKey());
    }
    const Status split = co_await db_->SplitAsync(keys);
    Note("split");
    Expect(split, "split");
    if (split.ok()) Count("split");
  }

  // ---- Dropping, alone

  Task<void> DropGroup() {
    const uint64_t group = random_.Below(kGroups);
    // A key by which to tell afterwards whether a drop that failed took effect.
    sentinel_ = GroupBegin(group) + "sentinel";
    Write& write = model_.Begin({});
    const std::string marker = MarkerKey(write.id);
    write.changes = {{sentinel_, "here"}, {marker, ""}};
    WriteBatch batch;
    batch.Put(sentinel_, "here");
    batch.Put(marker, "");
    const auto written = co_await db_->WriteAsync(batch, {.sync = true});
    if (!written.ok()) {
      Expect(written.status(), "write");
      sentinel_.clear();
      co_return;
    }
    if (io_.crashed()) co_return;
    model_.Acknowledge(write, *written);
    PromiseUpTo(*written);
    phase_ = "drop";
    if (random_.OneIn(3) && !io_.crashed()) ArmCrash(1 + random_.Below(5));
    open_drop_ = Drop{GroupBegin(group), GroupEnd(group), *written + 1};
    const auto dropped = co_await db_->DropRangeAsync(open_drop_->begin, open_drop_->end);
    Note("drop");
    if (dropped.ok() && !io_.crashed()) {
      open_drop_->sequence = *dropped;
      model_.AddDrop(*std::exchange(open_drop_, std::nullopt));
      Count("drop");
      co_return;
    }
    Expect(dropped.status(), "drop");
    // Whether it happened is open until the next opening.
    if (!io_.crashed()) {
      last_crash_ = random_.OneIn(2) ? SimCrash::kPower : SimCrash::kProcess;
      io_.Crash(last_crash_);
    }
  }

  void ResolveDrop() {
    if (!open_drop_) return;
    PinnedValue value;
    const auto found = db_->Get(sentinel_, &value);
    if (!found.ok()) {
      Complain("sentinel: " + std::string(Message(found.status())));
      return;
    }
    if (!*found) {
      Count("drop that failed and took effect");
      model_.AddDrop(*open_drop_);
    }
    open_drop_.reset();
  }

  Task<void> TryCheckpoint() {
    phase_ = "checkpoint";
    const std::string directory = fmt::format("/data/copy{}", copies_++);
    const SequenceNumber at = db_->LastSequence();
    const Status copied = co_await db_->CheckpointAsync(directory);
    Expect(copied, "checkpoint");
    if (!copied.ok() || !Alive()) co_return;
    Count("checkpoint");
    auto copy = co_await Db::OpenAsync(io_, directory, life_options_);
    if (!copy.ok()) {
      Expect(copy.status(), "opening a checkpoint");
      co_return;
    }
    Observation seen{.what = "checkpoint",
                     .from = at,
                     .to = at,
                     .drops = model_.drops(),
                     .scan = true,
                     .begin = "d",
                     .end = "e"};
    auto iterator = (*copy)->NewIterator({{}, "d", "e"});
    co_await iterator->SeekToFirstAsync();
    while (iterator->Valid()) {
      seen.seen.emplace(iterator->key(), iterator->value());
      co_await iterator->NextAsync();
    }
    const Status status = iterator->status();
    iterator.reset();
    const Status closed = co_await (*copy)->CloseAsync();
    Expect(status, "reading a checkpoint");
    Expect(closed, "closing a checkpoint");
    if (status.ok()) Observe(std::move(seen));
  }

  // ---- The end of a life without a crash

  // The faults are over: the database must come back by itself.
  Task<void> Recuperate() {
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

  void JudgeLife() {
    if (auto wrong = model_.Resolve(markers_, Model::Crash::kNone, relaxed_)) {
      Complain(*wrong);
      return;
    }
    for (const Observation& seen : observations_) {
      Judge(seen);
      if (complaint_) return;
    }
    observations_.clear();
    io_.Run(CheckEverything("at the end of a life"));
  }

  void Judge(const Observation& seen) {
    if (seen.scan) {
      const auto expected = model_.StateAt(seen.from, seen.drops, seen.begin, seen.end);
      if (seen.seen != expected) Complain(Difference(seen.what, seen.seen, expected));
      return;
    }
    std::vector<SequenceNumber> moments = {seen.from};
    for (const SequenceNumber sequence : model_.VersionsOf(seen.begin)) {
      if (sequence > seen.from && sequence <= seen.to) moments.push_back(sequence);
    }
    const auto it = seen.seen.find(seen.begin);
    const std::optional<std::string> got =
        it == seen.seen.end() ? std::nullopt : std::optional<std::string>(it->second);
    for (const SequenceNumber moment : moments) {
      if (model_.ValueAt(seen.begin, moment, seen.drops) == got) return;
    }
    const auto expected = model_.ValueAt(seen.begin, seen.from, seen.drops);
    Complain(fmt::format("{} {} at {:x}..{:x} saw {}, expected {}", seen.what, seen.begin,
                         seen.from, seen.to, got ? got->substr(0, 24) : "nothing",
                         expected ? expected->substr(0, 24) : "nothing"));
  }

  // ---- Damage at rest: found or harmless, never a wrong answer

  void Damage() {
    std::vector<std::string> paths;
    for (const std::string directory :
         {std::string(kDirectory), std::string(kDirectory) + "/log"}) {
      auto names = io_.List(directory);
      if (!names.ok()) continue;
      for (const std::string& name : *names) {
        if (name != "LOCK" && name != "log") paths.push_back(directory + "/" + name);
      }
    }
    if (paths.empty()) return;
    const std::string path = paths[random_.Below(paths.size())];
    const auto bytes = io_.FileBytes(path);
    if (!bytes.ok() || *bytes == 0) return;
    const uint64_t offset = random_.Below(*bytes);
    const int bit = static_cast<int>(random_.Below(8));
    Note("damage " + path);
    if (!io_.FlipBit(path, offset, bit).ok()) return;
    auto db = Db::Open(io_, std::string(kDirectory), life_options_);
    if (db.ok()) {
      db_ = *std::move(db);
      io_.Run(ReadThroughDamage());
      const Status closed = db_->Close();
      (void)closed;
      db_.reset();
      if (complaint_)
        complaint_ = fmt::format("{} (bit {} of {}:{})", *complaint_, bit, path, offset);
    } else if (db.status().code() == absl::StatusCode::kDataLoss) {
      Count("damage refused at opening");
    } else {
      Complain(fmt::format("damage to {}:{}: {}", path, offset, db.status().ToString()));
    }
    // Nothing can be promised any more: the run ends here.
    done_ = options_.operations;
  }

  Task<void> ReadThroughDamage() {
    const auto expected = model_.StateAt(kSequenceMax, model_.drops(), "", "");
    for (const auto& [key, right] : expected) {
      PinnedValue value;
      const auto found = co_await db_->GetAsync(key, &value);
      if (!found.ok()) {
        if (found.status().code() != absl::StatusCode::kDataLoss) {
          Complain(fmt::format("get {}: {}", key, found.status().ToString()));
        }
        Count("damage found by a read");
        continue;
      }
      if (!*found || value.view() != right) {
        Complain(fmt::format("get {} is wrong", key));
        co_return;
      }
    }
  }

  const SimulationOptions options_;
  Random random_;
  io::SimIo io_;
  Model model_;
  Options life_options_;
  bool relaxed_ = false;
  bool faulty_ = false;
  std::unique_ptr<Db> db_;
  std::vector<std::shared_ptr<engine::Snapshot>> held_;
  std::vector<Observation> observations_;
  std::map<uint64_t, SequenceNumber> markers_;
  std::optional<Drop> open_drop_;
  std::string sentinel_;
  // The largest sequence number that anybody was told, until now and until this life began.
  SequenceNumber sequence_last_ = 0;
  SequenceNumber sequence_floor_ = 0;
  uint64_t copies_ = 0;
  uint64_t done_ = 0;

  std::string phase_;
  SimCrash last_crash_ = SimCrash::kPower;
  Model::Crash crash_ = Model::Crash::kNone;
  bool crash_relaxed_ = false;
  SimAccess::Kind last_access_ = SimAccess::Kind::kRead;
  std::string last_path_;

  std::optional<std::string> complaint_;
  uint64_t digest_ = 0;
  Tally tally_;
};

}  // namespace

const std::vector<Sabotage>& AllSabotage() {
  using Kind = SimAccess::Kind;
  static const auto* const all = new std::vector<Sabotage>{
      {.name = "log-before-table",
       .what = "a table is installed although the log is not durable up to it",
       .rule = Rule::kLogBeforeTable},
      {.name = "forget-before-recycle",
       .what = "a log segment is recycled before the manifest forgets it",
       .rule = Rule::kForgetBeforeRecycle},
      {.name = "forget-before-delete",
       .what = "a table is deleted before the manifest forgets it",
       .rule = Rule::kForgetBeforeDelete},
      {.name = "sequence-ceiling",
       .what = "the manifest knows no ceiling of sequence numbers",
       .rule = Rule::kSequenceCeiling},
      {.name = "seal-log-end",
       .what = "recovery appends without sealing the end it found",
       .rule = Rule::kSealLogEnd},
      {.name = "sync-table",
       .what = "tables are not synced",
       .sync = Kind::kSync,
       .path_contains = ".sst"},
      {.name = "sync-value-file",
       .what = "value files are not synced",
       .sync = Kind::kSync,
       .path_contains = ".val"},
      {.name = "sync-directory",
       .what = "directories are not synced",
       .sync = Kind::kSyncDirectory,
       .path_contains = ""},
      {.name = "sync-manifest",
       .what = "manifest edits are not synced",
       .sync = Kind::kSync,
       .path_contains = "MANIFEST-"},
      {.name = "sync-current",
       .what = "CURRENT is not synced before it is renamed",
       .sync = Kind::kSync,
       .path_contains = "CURRENT"},
      {.name = "sync-log-write",
       .what = "writes of the durable log are not durable",
       .sync = Kind::kDurableWrite,
       .path_contains = "/log"},
      {.name = "sync-relaxed-log",
       .what = "syncs of the relaxed log do nothing",
       .sync = Kind::kSync,
       .path_contains = "/log"},
  };
  return *all;
}

const std::vector<std::string>& RequiredTally() {
  static const auto* const required = new std::vector<std::string>{"process crash",
                                                                   "power cut",
                                                                   "torn write",
                                                                   "lost sector",
                                                                   "lost mapped sector",
                                                                   "lost size",
                                                                   "lost directory change",
                                                                   "read error",
                                                                   "write error",
                                                                   "sync error",
                                                                   "metadata error",
                                                                   "disk full",
                                                                   "slow completion",
                                                                   "clock jump",
                                                                   "bit flip",
                                                                   "crash during recovery",
                                                                   "crash during writes",
                                                                   "crash during flush",
                                                                   "crash during compaction",
                                                                   "crash during split",
                                                                   "crash during drop",
                                                                   "crash at manifest rotation",
                                                                   "crash at manifest edit",
                                                                   "crash at segment recycling",
                                                                   "crash at log write",
                                                                   "crash at table write",
                                                                   "crash at flush installation",
                                                                   "clean close",
                                                                   "checkpoint",
                                                                   "drop",
                                                                   "damage refused at opening",
                                                                   "damage found by a read"};
  return *required;
}

Outcome Simulate(const SimulationOptions& options) { return Run(options).Go(); }

}  // namespace varve::sim
