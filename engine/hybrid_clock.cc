#include "engine/hybrid_clock.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace varve::engine {

HybridClock::HybridClock(io::Io& io, SequenceNumber floor)
    : io_(io), last_(floor), base_ms_(io.WallMs()), base_monotonic_ns_(io.MonotonicNs()) {
  const uint64_t floor_ms = SequenceMs(floor);
  if (floor != 0 && base_ms_ > floor_ms + kDowntimeMsMax) {
    spdlog::warn("wall clock is {} ms after the last write; counting on from that",
                 base_ms_ - floor_ms);
    wall_clock_jumped_ = true;
    base_ms_ = floor_ms;
  } else if (base_ms_ + kJumpMsMax < floor_ms) {
    spdlog::warn("wall clock is {} ms before the last write; counting on until it has caught up",
                 floor_ms - base_ms_);
  }
}

uint64_t HybridClock::NowMs() {
  const uint64_t monotonic_ns = io_.MonotonicNs();
  const uint64_t expected_ms = base_ms_ + (monotonic_ns - base_monotonic_ns_) / 1'000'000;
  const uint64_t wall_ms = io_.WallMs();
  const uint64_t apart_ms = wall_ms > expected_ms ? wall_ms - expected_ms : expected_ms - wall_ms;
  if (apart_ms > kJumpMsMax) {
    if (!wall_clock_jumped_) {
      spdlog::warn("wall clock jumped {} by {} ms; counting on without it",
                   wall_ms > expected_ms ? "forward" : "back", apart_ms);
    }
    wall_clock_jumped_ = true;
    return expected_ms;
  }
  if (wall_clock_jumped_) spdlog::info("wall clock is back; following it again");
  wall_clock_jumped_ = false;
  base_ms_ = wall_ms;
  base_monotonic_ns_ = monotonic_ns;
  return wall_ms;
}

SequenceNumber HybridClock::Next() { return last_ = std::max(last_ + 1, SequenceAt(NowMs())); }

}  // namespace varve::engine
