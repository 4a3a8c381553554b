#include "engine/hybrid_clock.h"

#include <gtest/gtest.h>

#include "io/sim.h"

namespace varve::engine {
namespace {

constexpr uint64_t kStartMs = 1'700'000'000'000;

TEST(HybridClock, FollowsTheWallClock) {
  io::SimIo io({.seed = 1, .wall_start_ms = kStartMs});
  HybridClock clock(io, 0);
  EXPECT_EQ(SequenceMs(clock.Next()), kStartMs);
  io.RunFor(5'000'000'000);
  EXPECT_EQ(SequenceMs(clock.Next()), kStartMs + 5'000);
}

TEST(HybridClock, CountsWithinAMillisecond) {
  io::SimIo io({.seed = 1, .wall_start_ms = kStartMs});
  HybridClock clock(io, 0);
  const SequenceNumber first = clock.Next();
  EXPECT_EQ(clock.Next(), first + 1);
}

TEST(HybridClock, AdoptsNoJumpForwardOrBack) {
  for (const int64_t jump_ms : {int64_t{3'600'000}, int64_t{-3'600'000}}) {
    io::SimIo io({.seed = 1, .wall_start_ms = kStartMs});
    HybridClock clock(io, 0);
    const SequenceNumber before = clock.Next();
    io.JumpWallClock(jump_ms);
    io.RunFor(1'000'000'000);
    const SequenceNumber after = clock.Next();
    EXPECT_GT(after, before);
    EXPECT_EQ(SequenceMs(after), kStartMs + 1'000) << jump_ms;
    io.JumpWallClock(-jump_ms);
    EXPECT_EQ(SequenceMs(clock.Next()), kStartMs + 1'000);
  }
}

TEST(HybridClock, NeverFallsBelowItsFloor) {
  io::SimIo io({.seed = 1, .wall_start_ms = kStartMs});
  const SequenceNumber floor = SequenceAt(kStartMs + 500'000);
  HybridClock clock(io, floor);
  EXPECT_EQ(clock.Next(), floor + 1);
  io.RunFor(1'000'000'000'000);
  EXPECT_EQ(SequenceMs(clock.Next()), kStartMs + 1'000'000);
}

}  // namespace
}  // namespace varve::engine
