// A database whose creation is cut short at any step is created by the next opening, and what is
// acknowledged then stays.
#include <gtest/gtest.h>

#include <string>

#include "engine/db.h"
#include "io/sim.h"

namespace varve::engine {
namespace {

class CreationTest : public ::testing::TestWithParam<io::SimCrash> {
 protected:
  static constexpr const char* kPath = "/data/db";

  // False if the creation was over before `steps`.
  bool CutCreationShort(io::SimIo& io, uint64_t steps) {
    io.ArmCrash(GetParam(), steps);
    if (Db::Open(io, kPath, {}).ok()) return false;
    io.Restart();
    return true;
  }
};
INSTANTIATE_TEST_SUITE_P(BothCrashes, CreationTest,
                         ::testing::Values(io::SimCrash::kProcess, io::SimCrash::kPower),
                         [](const auto& info) {
                           return info.param == io::SimCrash::kProcess ? "process" : "power";
                         });

TEST_P(CreationTest, CutShortAtAnyStepLosesNothingAcknowledgedLater) {
  uint64_t steps = 0;
  for (bool cut = true; cut;) {
    ++steps;
    // What a power cut loses is drawn.
    for (uint64_t seed = 1; seed <= 3 && cut; ++seed) {
      io::SimIo io({.seed = seed});
      cut = CutCreationShort(io, steps);
      if (!cut) break;
      auto db = Db::Open(io, kPath, {});
      ASSERT_TRUE(db.ok()) << db.status() << " after " << steps << " steps";
      ASSERT_TRUE((*db)->Put("key", "value", {.sync = true}).ok());
      io.Crash(io::SimCrash::kPower);
      db->reset();
      io.Restart();
      db = Db::Open(io, kPath, {});
      ASSERT_TRUE(db.ok()) << db.status() << " after " << steps << " steps";
      PinnedValue value;
      const auto found = (*db)->Get("key", &value);
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_TRUE(*found) << "after " << steps << " steps, seed " << seed;
    }
  }
  EXPECT_GT(steps, 10u);
}

}  // namespace
}  // namespace varve::engine
