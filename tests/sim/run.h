// Run: one seed's run (simulation.h). Its parts: run.cc (lives and faults), clients.cc (what is
// done to the database), judging.cc (what must be true), damage.cc (bits that flip at rest).
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "engine/db.h"
#include "io/sim.h"
#include "tests/sim/model.h"
#include "tests/sim/simulation.h"
#include "tests/sim/world.h"

namespace varve::sim {

using engine::Db;
using engine::Durability;
using engine::Options;
using engine::PinnedValue;
using engine::Rule;
using engine::WriteBatch;
using io::SimAccess;
using io::SimCrash;
using io::Task;

inline constexpr uint64_t kGroups = 8;
inline constexpr uint64_t kKeysPerGroup = 40;
inline constexpr std::string_view kDirectory = "/data/db";

inline std::string GroupBegin(uint64_t group) { return fmt::format("d{}/", group); }
// '0' comes after '/'.
inline std::string GroupEnd(uint64_t group) { return fmt::format("d{}0", group); }

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

  Outcome Go();

 private:
  // ---- Bookkeeping

  void Complain(std::string text) {
    if (!complaint_) complaint_ = std::move(text);
  }
  void Note(std::string_view text) {
    digest_ = Checksum(text, digest_);
    // Looked at also if nobody asks: that takes time, too.
    const uint64_t now_us = io_.MonotonicNs() / 1000;
    if (options_.trace) fmt::print("[{:>12}] {}\n", now_us, text);
  }
  void Count(const std::string& name) { ++tally_[name]; }

  void Prepare();

  // ---- A life

  void Life();
  void CloseCleanly();
  void CrashEnded(SimCrash kind);
  void CountCrashDuring();
  void ArmCrash(uint64_t steps);
  void JumpClock();
  bool OpenThroughCrashes();

  // ---- What must be true after opening

  void CheckAfterOpening();
  Task<void> CutGroups();
  Task<void> ReadMarkers();

  // Forward and backward, everything that is there now.
  Task<void> CheckEverything(std::string when);
  std::string Difference(const std::string& what, const std::map<std::string, std::string>& got,
                         const std::map<std::string, std::string>& expected) const;

  // ---- Faults of a life

  void ArmFaults();

  // ---- Clients

  Task<void> Episode();
  bool Alive() const { return !io_.crashed() && !complaint_; }

  Task<void> Client(uint64_t operations);
  Task<void> Operation();
  std::string RandomKey();
  std::string RandomValue(uint64_t id, size_t index);
  void AppendNoise(std::string& to);

  // What a failure may look like when something is wrong with the world.
  bool Excused(const Status& status);
  void Expect(const Status& status, std::string_view what);
  Task<void> WriteSomething();
  void PromiseUpTo(SequenceNumber sequence);
  void Observe(Observation seen);
  struct Moment {
    SequenceNumber from;
    engine::ReadOptions options;
  };
  // A held snapshot, or none.
  Moment RandomMoment();
  Task<void> ReadOne();
  std::shared_ptr<engine::Snapshot> Keep(const engine::Snapshot* snapshot);
  Task<void> ReadMany();
  Task<void> ScanRange();
  void HoldSnapshot();
  Task<void> FlushAll();
  Task<void> CompactRange();
  Task<void> SplitSomewhere();

  // ---- Dropping, alone

  Task<void> DropGroup();
  void ResolveDrop();
  Task<void> TryCheckpoint();

  // ---- The end of a life without a crash

  // The faults are over: the database must come back by itself.
  Task<void> Recuperate();
  void JudgeLife();
  void Judge(const Observation& seen);

  // ---- Damage at rest: found or harmless, never a wrong answer

  void Damage();
  Task<void> ReadThroughDamage();

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

}  // namespace varve::sim
