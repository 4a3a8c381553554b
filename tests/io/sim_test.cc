// What the simulated disk loses, keeps and refuses.
#include "io/sim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "io/io.h"

namespace varve::io {
namespace {

using ::testing::ElementsAre;
using Mode = OpenOptions::Mode;

constexpr uint64_t kSeeds = 200;

class Sim {
 public:
  explicit Sim(const SimOptions& options) : io(options) {}
  explicit Sim(uint64_t seed) : Sim(SimOptions{.seed = seed}) {}

  std::unique_ptr<File> Open(const std::string& path, Mode mode, bool durable = false) {
    auto file = io.Open(path, {.mode = mode, .durable_writes = durable});
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(file).value();
  }
  Status Write(File& file, uint64_t offset, std::string_view bytes) {
    return BlockOn(io, file.Write(offset, bytes));
  }
  Status Sync(File& file) { return BlockOn(io, file.Sync()); }
  std::string Content(const std::string& path) {
    auto file = io.Open(path, {});
    if (!file.ok()) return "(none)";
    std::string content(*(*file)->Size(), '?');
    EXPECT_TRUE((*file)->ReadNow(0, content).ok());
    return content;
  }
  void PowerCut() {
    io.Crash(SimCrash::kPower);
    io.Restart();
  }

  SimIo io;
};

// What `run` finds after a crash, over many seeds.
template <typename Run>
std::set<std::string> Outcomes(Run run) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Sim sim(seed);
    outcomes.insert(run(sim));
  }
  return outcomes;
}

TEST(SimCrash, KeepsWhatWasSynced) {
  const auto outcomes = Outcomes([](Sim& sim) {
    {
      const auto file = sim.Open("/a", Mode::kCreate);
      EXPECT_TRUE(sim.Write(*file, 0, "synced").ok());
      EXPECT_TRUE(sim.Sync(*file).ok());
      EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    }
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("synced"));
}

TEST(SimCrash, MayLoseWhatWasNot) {
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate);
    EXPECT_TRUE(sim.Write(*file, 0, "old").ok());
    EXPECT_TRUE(sim.Sync(*file).ok());
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.Write(*file, 0, "new").ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("new", "old"));
}

TEST(SimCrash, MayLoseTheEntryOfASyncedFile) {
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate);
    EXPECT_TRUE(sim.Write(*file, 0, "content").ok());
    EXPECT_TRUE(sim.Sync(*file).ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("(none)", "content"));
}

TEST(SimCrash, MayKeepSectorsAndSizesInAnyCombination) {
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate);
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.Write(*file, 0, std::string(512, 'a')).ok());
    EXPECT_TRUE(sim.Write(*file, 512, std::string(512, 'b')).ok());
    sim.PowerCut();
    const std::string content = sim.Content("/a");
    std::string outcome;
    for (size_t i = 0; i < content.size(); i += 512) outcome += content[i] == 0 ? '0' : content[i];
    return outcome;
  });
  EXPECT_THAT(outcomes, ElementsAre("", "0", "00", "0b", "a", "a0", "ab"));
}

TEST(SimCrash, NeverTearsARename) {
  const auto outcomes = Outcomes([](Sim& sim) {
    for (const char* name : {"a", "b"}) {
      const auto file = sim.Open(fmt::format("/{}", name), Mode::kCreate);
      EXPECT_TRUE(sim.Write(*file, 0, name).ok());
      EXPECT_TRUE(sim.Sync(*file).ok());
    }
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.io.Rename("/a", "/b").ok());
    sim.PowerCut();
    return sim.Content("/a") + " " + sim.Content("/b");
  });
  EXPECT_THAT(outcomes, ElementsAre("(none) a", "a b"));
}

TEST(SimCrash, MayBringBackWhatWasRemoved) {
  const auto outcomes = Outcomes([](Sim& sim) {
    {
      const auto file = sim.Open("/a", Mode::kCreate);
      EXPECT_TRUE(sim.Write(*file, 0, "back").ok());
      EXPECT_TRUE(sim.Sync(*file).ok());
    }
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.io.Remove("/a").ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("(none)", "back"));
}

TEST(SimCrash, DurableWritesStay) {
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate, true);
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.Write(*file, 0, "durable").ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("durable"));
}

TEST(SimCrash, MappedStoresSurviveTheProcessAndNotThePower) {
  for (const SimCrash kind : {SimCrash::kProcess, SimCrash::kPower}) {
    const auto outcomes = Outcomes([kind](Sim& sim) {
      const auto file = sim.Open("/a", Mode::kCreate);
      EXPECT_TRUE(file->Preallocate(kPageBytes).ok());
      EXPECT_TRUE(sim.Sync(*file).ok());
      EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
      const auto mapping = std::move(file->Map(kPageBytes)).value();
      std::memcpy(mapping->bytes().data(), "1", 1);
      EXPECT_TRUE(sim.Sync(*file).ok());
      std::memcpy(mapping->bytes().data(), "2", 1);
      std::memcpy(mapping->bytes().data() + 512, "2", 1);
      sim.io.Crash(kind);
      std::memcpy(mapping->bytes().data(), "3", 1);  // the old life's hand is gone
      sim.io.Restart();
      const std::string content = sim.Content("/a");
      return std::string{content[0], content[512] == 0 ? '0' : content[512]};
    });
    if (kind == SimCrash::kProcess) {
      EXPECT_THAT(outcomes, ElementsAre("22"));
    } else {
      EXPECT_THAT(outcomes, ElementsAre("10", "12", "20", "22"));
    }
  }
}

TEST(SimCrash, ProcessCrashKeepsThePageCacheAndItsRisk) {
  const auto outcomes = Outcomes([](Sim& sim) {
    {
      const auto file = sim.Open("/a", Mode::kCreate);
      EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
      EXPECT_TRUE(sim.Write(*file, 0, "x").ok());
    }
    sim.io.Crash(SimCrash::kProcess);
    sim.io.Restart();
    EXPECT_EQ(sim.Content("/a"), "x");
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_EQ(outcomes.size(), 3u) << "the byte, a zero, or an empty file";
}

TEST(SimCrash, TearsWritesUnderWay) {
  struct TwoWrites {
    static Task<void> Run(File* file, const std::string* bytes, Status* status) {
      *status = co_await file->Write(0, *bytes);
    }
  };
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate, true);
    EXPECT_TRUE(sim.Write(*file, 0, std::string(1024, 'o')).ok());
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    sim.io.ArmCrash(SimCrash::kPower, 1);
    Status status;
    const std::string bytes(1024, 'n');
    BlockOn(sim.io, TwoWrites::Run(file.get(), &bytes, &status));
    EXPECT_TRUE(sim.io.crashed());
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    sim.io.Restart();
    const std::string content = sim.Content("/a");
    return std::string{content[0], content[512]};
  });
  EXPECT_THAT(outcomes, ElementsAre("nn", "no", "on", "oo"));
}

TEST(SimCrash, StopsEverythingUntilTheRestart) {
  Sim sim(1);
  const auto file = sim.Open("/a", Mode::kCreate);
  sim.io.Crash(SimCrash::kProcess);
  EXPECT_EQ(sim.Write(*file, 0, "x"), Unavailable("simulated crash"));
  EXPECT_EQ(sim.Sync(*file), Unavailable("simulated crash"));
  EXPECT_FALSE(file->Size().ok());
  EXPECT_FALSE(sim.io.Open("/a", {}).ok());
  EXPECT_FALSE(sim.io.Remove("/a").ok());
  EXPECT_FALSE(sim.io.Exists("/a"));
  sim.io.RunFor(1'000'000'000);
  sim.io.Restart();
  EXPECT_TRUE(sim.io.Exists("/a"));
  EXPECT_FALSE(sim.Write(*file, 0, "x").ok()) << "files of the old life stay dead";
}

TEST(SimCrash, EndsLocks) {
  Sim sim(1);
  const auto lock = sim.io.Lock("/LOCK");
  ASSERT_TRUE(lock.ok());
  sim.io.Crash(SimCrash::kProcess);
  sim.io.Restart();
  EXPECT_TRUE(sim.io.Lock("/LOCK").ok());
}

TEST(SimCrash, StrikesAtTheArmedStep) {
  Sim sim(1);
  const auto file = sim.Open("/a", Mode::kCreate);
  sim.io.ArmCrash(SimCrash::kProcess, 3);
  EXPECT_TRUE(sim.Write(*file, 0, "1").ok());
  EXPECT_TRUE(sim.Write(*file, 0, "2").ok());
  EXPECT_FALSE(sim.Write(*file, 0, "3").ok());
  EXPECT_EQ(sim.io.counters().process_crashes, 1u);
}

TEST(SimFault, FullDiskRefusesGrowthAndServesTheRest) {
  Sim sim(SimOptions{.capacity_bytes = 64 << 10});
  const auto file = sim.Open("/a", Mode::kCreate);
  ASSERT_TRUE(file->Preallocate(48 << 10).ok());
  EXPECT_EQ(*sim.io.FreeBytes("/"), 16u << 10);
  EXPECT_EQ(file->Preallocate(80 << 10).code(), absl::StatusCode::kResourceExhausted);
  const auto other = sim.Open("/b", Mode::kCreate);
  const Status status = sim.Write(*other, 0, std::string(20 << 10, 'x'));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(sim.Write(*file, 0, std::string(48 << 10, 'x')).ok());
  ASSERT_TRUE(sim.io.Remove("/a").ok());
  EXPECT_EQ(*sim.io.FreeBytes("/"), 16u << 10) << "still open";
  EXPECT_EQ(sim.io.counters().disk_full, 2u);
}

TEST(SimFault, GivesBackTheSpaceOfWhatIsRemovedAndClosed) {
  Sim sim(1);
  auto file = sim.Open("/a", Mode::kCreate);
  EXPECT_TRUE(sim.Write(*file, 0, std::string(10'000, 'x')).ok());
  EXPECT_EQ(sim.io.used_bytes(), 3 * kPageBytes);
  ASSERT_TRUE(sim.io.Remove("/a").ok());
  file.reset();
  EXPECT_EQ(sim.io.used_bytes(), 0u);
}

TEST(SimFault, FailsWhatItIsToldTo) {
  Sim sim(1);
  const auto file = sim.Open("/a", Mode::kCreate);
  EXPECT_TRUE(sim.Write(*file, 0, "x").ok());
  sim.io.set_fail([](const SimAccess& access) {
    return access.kind == SimAccess::Kind::kRead && access.path == "/a";
  });
  std::string into(1, '?');
  const StatusOr<size_t> got = BlockOn(sim.io, file->Read(0, into));
  EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(sim.Sync(*file).ok());
  sim.io.set_fail({});
  EXPECT_TRUE(BlockOn(sim.io, file->Read(0, into)).ok());
  EXPECT_EQ(sim.io.counters().read_errors, 1u);
}

TEST(SimFault, AFailedSyncIsNotMadeUpForByTheNext) {
  const auto outcomes = Outcomes([](Sim& sim) {
    const auto file = sim.Open("/a", Mode::kCreate);
    EXPECT_TRUE(sim.Write(*file, 0, "old").ok());
    EXPECT_TRUE(sim.Sync(*file).ok());
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.Write(*file, 0, "new").ok());
    sim.io.set_faults({.sync_error_one_in = 1});
    EXPECT_FALSE(sim.Sync(*file).ok());
    sim.io.set_faults({});
    EXPECT_TRUE(sim.Sync(*file).ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_THAT(outcomes, ElementsAre("new", "old"));
}

TEST(SimFault, IgnoredSyncsMakeNothingDurable) {
  const auto outcomes = Outcomes([](Sim& sim) {
    sim.io.set_ignore_sync(
        [](const SimAccess& access) { return access.kind == SimAccess::Kind::kSync; });
    const auto file = sim.Open("/a", Mode::kCreate);
    EXPECT_TRUE(sim.io.SyncDirectory("/").ok());
    EXPECT_TRUE(sim.Write(*file, 0, "x").ok());
    EXPECT_TRUE(sim.Sync(*file).ok());
    sim.PowerCut();
    return sim.Content("/a");
  });
  EXPECT_EQ(outcomes.size(), 3u);
}

TEST(SimFault, FlipsBits) {
  Sim sim(1);
  EXPECT_TRUE(sim.Write(*sim.Open("/a", Mode::kCreate), 0, "abc").ok());
  ASSERT_TRUE(sim.io.FlipBit("/a", 1, 0).ok());
  EXPECT_EQ(sim.Content("/a"), "acc");
}

TEST(SimTime, PassesOnlyWhenTheWorldRuns) {
  Sim sim(1);
  const uint64_t start_ms = sim.io.WallMs();
  sim.io.RunFor(uint64_t{3600} * 1'000'000'000);
  EXPECT_GE(sim.io.WallMs() - start_ms, 3'600'000u);
  sim.io.JumpWallClock(-10'000'000);
  EXPECT_LT(sim.io.WallMs(), start_ms);
}

// The same seed gives the same run, down to the order of coroutines, times and what a crash leaves.
std::string Trace(uint64_t seed) {
  Sim sim(seed);
  std::string trace;
  const auto worker = sim.io.StartWorker({});
  const auto file = sim.Open("/a", Mode::kCreate);
  struct Work {
    static Task<void> Run(Executor* executor, Sim* sim, File* file, int name, std::string* trace) {
      co_await SwitchTo(*executor);
      const std::string bytes(2'000, static_cast<char>('a' + name));
      for (int i = 0; i < 5; ++i) {
        const Status status = co_await file->Write(1'000 * name, bytes);
        trace->append(fmt::format("{}:{}@{} ", name, status.ok(), sim->io.MonotonicNs()));
        co_await Yield();
      }
    }
    static Task<void> RunAll(Executor* executor, Sim* sim, File* file, std::string* trace) {
      TaskGroup group;
      for (int i = 0; i < 8; ++i) group.Add(Run(executor, sim, file, i, trace));
      co_await group.Wait();
    }
  };
  sim.io.ArmCrash(SimCrash::kPower, 25);
  BlockOn(sim.io, Work::RunAll(&worker->executor(), &sim, file.get(), &trace));
  sim.io.Restart();
  return trace + sim.Content("/a");
}

TEST(SimSeed, ReplaysExactly) {
  std::set<std::string> traces;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string trace = Trace(seed);
    EXPECT_EQ(trace, Trace(seed));
    traces.insert(trace);
  }
  EXPECT_EQ(traces.size(), 20u);
}

TEST(SimMisuseDeathTest, EndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Sim sim(1);
  const auto file = std::move(sim.io.Open("/a", {.mode = Mode::kCreate, .direct = true})).value();
  EXPECT_DEATH(static_cast<void>(sim.Write(*file, 0, "x")), "/a:0: direct I/O that is not aligned");
  struct Stuck {
    static Task<void> Run(Event* event) { co_await event->Wait(); }
  };
  Event event;
  EXPECT_DEATH(BlockOn(sim.io, Stuck::Run(&event)), "deadlock");
}

}  // namespace
}  // namespace varve::io
