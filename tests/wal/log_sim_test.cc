// The log on a disk that forgets, tears and fails: what was acknowledged is found again, in order
// and to the byte, and damage is told from a torn end.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/sim.h"
#include "tests/wal/log_harness.h"
#include "wal/segment.h"

namespace varve::wal {
namespace {

LogOptions RandomOptions(Random& random, Medium medium) {
  LogOptions options;
  options.medium = medium;
  options.directory = "/log";
  options.segment_bytes_first = random.Between(3, 12) * io::kPageBytes;
  options.segment_bytes_max = options.segment_bytes_first * random.Between(1, 4);
  options.group_bytes_max = random.Between(3, 6) * io::kPageBytes;
  options.groups_in_flight_max = static_cast<uint32_t>(random.Between(1, 5));
  options.spare_segments_max = random.Below(4);
  return options;
}

size_t RandomBytes(Random& random) {
  switch (random.Below(8)) {
    case 0:
      return random.Below(40'000);
    case 1:
      return 4056 - random.Below(60);
    case 2:
      return random.Below(5000);
    default:
      return random.Below(300);
  }
}

io::Task<void> Writer(LogHarness& harness, uint64_t seed, int commits) {
  Random random(seed);
  for (int i = 0; i < commits; ++i) {
    const size_t bytes = RandomBytes(random);
    const Status status = co_await harness.Commit(bytes, random.OneIn(2));
    if (!status.ok()) co_return;
  }
}

// What an engine does beside its writers: rolls, prepares, forgets.
io::Task<void> Housekeeper(LogHarness& harness, uint64_t seed, int rounds) {
  Random random(seed);
  for (int i = 0; i < rounds; ++i) {
    co_await io::SleepFor(random.Below(3'000'000));
    Status status;
    if (random.OneIn(4)) {
      status = co_await harness.Roll();
    } else if (random.OneIn(2)) {
      status = co_await harness.log().PrepareSegment();
    } else {
      const std::vector<SegmentInfo> live = harness.log().Segments();
      const SegmentNumber keep = live[random.Below(live.size())].number;
      // Only what is durable may be forgotten, as a flushed table's log is.
      status = co_await harness.log().Sync();
      // A chain must not begin behind the durable end, which a seal may name: as an engine asks.
      const SegmentNumber end = harness.log().SegmentOf(harness.log().durable_lsn());
      if (status.ok()) status = co_await harness.Forget(std::min(keep, end));
    }
    if (!status.ok()) co_return;
  }
}

io::Task<bool> Work(LogHarness& harness, uint64_t seed, int writers, int commits) {
  io::TaskGroup group;
  for (int i = 0; i < writers; ++i) {
    group.Add(Writer(harness, seed * 100 + static_cast<uint64_t>(i), commits));
  }
  group.Add(Housekeeper(harness, seed * 100 + 99, 6));
  co_await group.Wait();
  co_return true;
}

struct Life {
  io::SimCrash crash;
  uint64_t steps;
};

// Records that must be found after a crash.
size_t Survivors(const LogHarness& harness, size_t records, Medium medium, io::SimCrash crash) {
  const bool all = medium == Medium::kRelaxed && crash == io::SimCrash::kProcess;
  return all ? records : harness.acknowledged();
}

// Runs one seed over several lives. Returns whether every crash that was armed struck.
bool RunLives(uint64_t seed, Medium medium, const std::vector<Life>& lives,
              io::SimCounters* counters = nullptr) {
  Random random(seed);
  io::SimIo io({.seed = seed});
  EXPECT_TRUE(io.CreateDirectory("/log").ok());
  EXPECT_TRUE(io.SyncDirectory("/").ok());
  LogHarness harness(io, RandomOptions(random, medium));
  harness.set_dead([&] { return io.crashed(); });
  bool all_struck = true;
  size_t survivors = 0;
  for (const Life& life : lives) {
    io.ArmCrash(life.crash, life.steps);
    const Status recovered = io::BlockOn(io, harness.Recover(survivors));
    EXPECT_TRUE(recovered.ok() || io.crashed()) << recovered;
    if (recovered.ok()) {
      io::BlockOn(io, Work(harness, seed, static_cast<int>(random.Between(1, 5)), 30));
      survivors = Survivors(harness, harness.records().size(), medium, life.crash);
    } else if (life.crash == io::SimCrash::kPower) {
      // What only the page cache had may go now.
      survivors = std::min(survivors, harness.acknowledged());
    }
    all_struck &= io.crashed();
    io.DisarmCrash();
    if (!io.crashed()) io.Crash(life.crash);
    harness.Drop();
    io.Restart();
    if (::testing::Test::HasFailure()) return all_struck;
  }
  const Status recovered = io::BlockOn(io, harness.Recover(survivors));
  EXPECT_TRUE(recovered.ok()) << recovered;
  if (counters != nullptr) *counters = io.counters();
  return all_struck;
}

class LogCrash : public ::testing::TestWithParam<std::tuple<Medium, io::SimCrash>> {
 protected:
  Medium medium() const { return std::get<Medium>(GetParam()); }
  io::SimCrash crash() const { return std::get<io::SimCrash>(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(
    MediaAndCrashes, LogCrash,
    ::testing::Combine(::testing::Values(Medium::kDurable, Medium::kRelaxed),
                       ::testing::Values(io::SimCrash::kProcess, io::SimCrash::kPower)),
    [](const auto& info) {
      return fmt::format("{}_{}",
                         std::get<0>(info.param) == Medium::kDurable ? "durable" : "relaxed",
                         std::get<1>(info.param) == io::SimCrash::kPower ? "power" : "process");
    });

TEST_P(LogCrash, AtEveryStepLosesNothingAcknowledged) {
  for (const uint64_t seed : {1, 2, 3}) {
    for (uint64_t step = 1;; ++step) {
      SCOPED_TRACE(fmt::format("seed {} step {}", seed, step));
      const bool struck = RunLives(seed, medium(), {{crash(), step}});
      if (HasFailure()) return;
      if (!struck) {
        EXPECT_GT(step, 50u) << "too little happened";
        break;
      }
      ASSERT_LT(step, 5000u);
    }
  }
}

TEST_P(LogCrash, OverManyLivesLosesNothingAcknowledged) {
  io::SimCounters sum;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    std::vector<Life> lives;
    for (int i = 0; i < 8; ++i) {
      // Short ones crash during recovery.
      const uint64_t steps = random.OneIn(3) ? random.Between(1, 8) : random.Between(1, 150);
      const bool other = random.OneIn(4);
      const bool power = (crash() == io::SimCrash::kPower) != other;
      lives.push_back({power ? io::SimCrash::kPower : io::SimCrash::kProcess, steps});
    }
    io::SimCounters counters;
    RunLives(seed, medium(), lives, &counters);
    if (HasFailure()) return;
    sum.torn_writes += counters.torn_writes;
    sum.lost_sectors += counters.lost_sectors;
    sum.lost_mapped_sectors += counters.lost_mapped_sectors;
    sum.lost_directory_changes += counters.lost_directory_changes;
  }
  if (medium() == Medium::kDurable) {
    EXPECT_GT(sum.torn_writes, 0u);
  } else {
    EXPECT_GT(sum.lost_mapped_sectors, 0u);
  }
  EXPECT_GT(sum.lost_directory_changes, 0u);
}

class LogFault : public ::testing::TestWithParam<Medium> {
 protected:
  LogFault() : io_({.seed = 5}), random_(5) {
    EXPECT_TRUE(io_.CreateDirectory("/log").ok());
    LogOptions options = RandomOptions(random_, GetParam());
    options.segment_bytes_first = options.segment_bytes_max = 64 << 10;
    harness_ = std::make_unique<LogHarness>(io_, options);
    EXPECT_TRUE(Await(harness_->Recover(0)).ok());
  }

  template <typename T>
  T Await(io::Task<T> task) {
    return io::BlockOn(io_, std::move(task));
  }
  Status Commit(size_t bytes) { return Await(harness_->Commit(bytes, true)); }

  // Fails what makes records durable.
  void FailWrites(bool fail) {
    if (!fail) return io_.set_fail(nullptr);
    io_.set_fail([](const io::SimAccess& access) {
      return access.kind == io::SimAccess::Kind::kDurableWrite ||
             (access.kind == io::SimAccess::Kind::kSync && access.path.ends_with(".log"));
    });
  }

  io::SimIo io_;
  Random random_;
  std::unique_ptr<LogHarness> harness_;
};

INSTANTIATE_TEST_SUITE_P(Media, LogFault, ::testing::Values(Medium::kDurable, Medium::kRelaxed),
                         [](const auto& info) {
                           return info.param == Medium::kDurable ? "durable" : "relaxed";
                         });

TEST_P(LogFault, AFailedWriteStopsTheLogUntilItRestarts) {
  ASSERT_TRUE(Commit(100).ok());
  const Lsn durable = harness_->log().durable_lsn();
  FailWrites(true);
  EXPECT_EQ(Commit(200).code(), absl::StatusCode::kUnavailable);
  const Lsn lost = harness_->log().appended_lsn();
  FailWrites(false);
  EXPECT_EQ(Commit(300).code(), absl::StatusCode::kUnavailable) << "it is not retried";
  EXPECT_EQ(harness_->log().durable_lsn(), durable);
  EXPECT_FALSE(harness_->log().failure().ok());

  ASSERT_TRUE(Await(harness_->SealAndRestart()).ok());
  EXPECT_TRUE(harness_->log().failure().ok());
  EXPECT_FALSE(Await(harness_->log().WaitDurable(lost)).ok()) << "lost for good";
  ASSERT_TRUE(Commit(400).ok());
  harness_->Drop();
  io_.Crash(io::SimCrash::kPower);
  io_.Restart();
  const Status recovered = Await(harness_->Recover(2));
  ASSERT_TRUE(recovered.ok()) << recovered;
  EXPECT_EQ(harness_->records().size(), 2u);
}

// After a failed sync the system calls pages clean that never reached the disk. If the process dies
// before it has sealed the log, the next one reads them from the page cache, and a sync of its own
// would succeed and do nothing.
TEST_P(LogFault, RecoveryMakesDurableWhatAFailedSyncLeftInThePageCache) {
  ASSERT_TRUE(Commit(100).ok());
  FailWrites(true);
  EXPECT_FALSE(Commit(20'000).ok());
  FailWrites(false);
  harness_->Drop();
  io_.Crash(io::SimCrash::kProcess);
  io_.Restart();
  ASSERT_TRUE(Await(harness_->Recover(1)).ok());
  const size_t found = harness_->records().size();
  harness_->Drop();
  io_.Crash(io::SimCrash::kPower);
  io_.Restart();
  const Status recovered = Await(harness_->Recover(found));
  ASSERT_TRUE(recovered.ok()) << recovered;
}

TEST_P(LogFault, AFullDiskStopsNothingButNewSegments) {
  io_.set_capacity_bytes(io_.used_bytes());
  Status status;
  int committed = 0;
  while ((status = Commit(1000)).ok()) ASSERT_LT(++committed, 1000);
  EXPECT_GT(committed, 5);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_TRUE(harness_->log().failure().ok());
  io_.set_capacity_bytes(uint64_t{1} << 30);
  EXPECT_TRUE(Commit(1000).ok());
}

TEST_P(LogFault, RandomErrorsLoseNothingAcknowledged) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    io::SimIo io({.seed = seed});
    Random random(seed);
    ASSERT_TRUE(io.CreateDirectory("/log").ok());
    ASSERT_TRUE(io.SyncDirectory("/").ok());
    LogHarness harness(io, RandomOptions(random, GetParam()));
    ASSERT_TRUE(io::BlockOn(io, harness.Recover(0)).ok());
    io::SimFaults faults;
    faults.write_error_one_in = 60;
    faults.sync_error_one_in = 60;
    faults.metadata_error_one_in = 60;
    faults.slow_one_in = 10;
    for (int round = 0; round < 4; ++round) {
      io.set_faults(faults);
      io::BlockOn(io, Work(harness, seed, 4, 15));
      io.set_faults({});
      if (!harness.log().failure().ok()) {
        const Status restarted = io::BlockOn(io, harness.SealAndRestart());
        ASSERT_TRUE(restarted.ok()) << restarted;
      }
    }
    const size_t acknowledged = harness.acknowledged();
    io.Crash(io::SimCrash::kPower);
    harness.Drop();
    io.Restart();
    const Status recovered = io::BlockOn(io, harness.Recover(acknowledged));
    ASSERT_TRUE(recovered.ok()) << recovered;
    if (HasFailure()) return;
  }
}

// One bit flipped anywhere: the replay is right, or ends early as if torn where nothing proves
// more, or says corruption; it never returns another record. And where a later record proves the
// damaged one durable, it is corruption.
TEST_P(LogFault, FlippedBitsNeverChangeARecord) {
  int corruptions = 0;
  int torn = 0;
  int harmless = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    io::SimIo io({.seed = seed});
    Random random(seed);
    ASSERT_TRUE(io.CreateDirectory("/log").ok());
    LogHarness harness(io, RandomOptions(random, GetParam()));
    ASSERT_TRUE(io::BlockOn(io, harness.Recover(0)).ok());
    const uint64_t records = random.Between(2, 20);
    for (uint64_t i = 0; i < records; ++i) {
      ASSERT_TRUE(io::BlockOn(io, harness.Commit(RandomBytes(random), true)).ok());
    }
    const std::vector<SegmentInfo> segments = harness.log().Segments();
    const Lsn proven = harness.records()[records - 2].end;
    harness.Drop();
    // In the used part, so that it mostly matters.
    const SegmentInfo& segment = segments[random.Below(segments.size())];
    const Lsn used_end = std::min(segment.end_lsn(), harness.records().back().end);
    const Lsn flipped = segment.start_lsn + random.Below(used_end - segment.start_lsn);
    ASSERT_TRUE(io.FlipBit(SegmentPath("/log", segment.number), flipped - segment.start_lsn,
                           static_cast<int>(random.Below(8)))
                    .ok());
    const Status recovered = io::BlockOn(io, harness.Recover(0));
    if (HasFailure()) return;
    if (!recovered.ok()) {
      EXPECT_EQ(recovered.code(), absl::StatusCode::kDataLoss) << recovered;
      EXPECT_NE(Message(recovered).find(".log:"), std::string_view::npos) << recovered;
      ++corruptions;
    } else if (harness.records().size() < records) {
      EXPECT_EQ(harness.records().size(), records - 1);
      EXPECT_GE(flipped, proven) << "an earlier record is proven durable by the last";
      ++torn;
    } else {
      ++harmless;
    }
  }
  EXPECT_GT(corruptions, 0);
  EXPECT_GT(torn, 0);
}

// ---- Rules taken away: the tests above must be able to see it.

bool SurvivesIgnoring(std::function<bool(const io::SimAccess&)> ignore, Medium medium) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    io::SimIo io({.seed = seed});
    Random random(seed);
    (void)io.CreateDirectory("/log");
    (void)io.SyncDirectory("/");
    io.set_ignore_sync(ignore);
    LogHarness harness(io, RandomOptions(random, medium));
    (void)io::BlockOn(io, harness.Recover(0));
    for (int i = 0; i < 20; ++i) {
      (void)io::BlockOn(io, harness.Commit(RandomBytes(random), true));
    }
    io.Crash(io::SimCrash::kPower);
    const LogChain chain = harness.chain();
    const size_t acknowledged = harness.acknowledged();
    harness.Drop();
    io.Restart();
    size_t found = 0;
    const auto tail = io::BlockOn(
        io, ReplayLog(io, "/log", LogHarness::kDatabaseId, chain, [&](const LogRecord&) {
          ++found;
          return absl::OkStatus();
        }));
    if (!tail.ok() || found < acknowledged) return false;
  }
  return true;
}

TEST_P(LogFault, EverySyncIsNeeded) {
  using Kind = io::SimAccess::Kind;
  const auto ignoring = [&](Kind kind, std::string_view ending) {
    return SurvivesIgnoring(
        [=](const io::SimAccess& access) {
          return access.kind == kind && access.path.ends_with(ending);
        },
        GetParam());
  };
  EXPECT_TRUE(SurvivesIgnoring([](const io::SimAccess&) { return false; }, GetParam()));
  EXPECT_FALSE(ignoring(Kind::kSyncDirectory, ""));
  EXPECT_FALSE(ignoring(Kind::kSync, ".segment"));
  if (GetParam() == Medium::kDurable) {
    EXPECT_FALSE(ignoring(Kind::kDurableWrite, ".log"));
  } else {
    EXPECT_FALSE(ignoring(Kind::kSync, ".log"));
  }
}

}  // namespace
}  // namespace varve::wal
