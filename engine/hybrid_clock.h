// HybridClock: sequence numbers that are times (Kulkarni et al., "Logical Physical Clocks", 2014,
// reduced to one node): 48 bits of milliseconds since 1970 and 16 bits of counter.
//
// The clock follows the wall clock while that moves as the monotonic clock does. When the wall
// clock jumps by more than kJumpMsMax, forward or back, the jump is not adopted: the clock counts
// on from where it was at the monotonic clock's pace, and says so once in the log. It returns to
// the wall clock when the two agree again.
//
// Not thread-safe; guarded by the commit lock.
#pragma once

#include <cstdint>

#include "base/entry.h"
#include "io/io.h"

namespace varve::engine {

inline constexpr int kCounterBits = 16;

inline constexpr uint64_t SequenceMs(SequenceNumber sequence) { return sequence >> kCounterBits; }
inline constexpr SequenceNumber SequenceAt(uint64_t ms) { return ms << kCounterBits; }

class HybridClock {
 public:
  static constexpr uint64_t kJumpMsMax = 60'000;
  // When opened, a wall clock ahead of the last known sequence number by more than this is a jump
  // too.
  static constexpr uint64_t kDowntimeMsMax = uint64_t{10} * 365 * 24 * 3600 * 1000;

  // Every number handed out will be above `floor`. A floor of 0 is a new database.
  HybridClock(io::Io& io, SequenceNumber floor);

  // A number above every earlier one.
  SequenceNumber Next();
  // The last number handed out, or the floor.
  SequenceNumber last() const { return last_; }

 private:
  // Milliseconds since 1970 by the wall clock, unless that has jumped.
  uint64_t NowMs();

  io::Io& io_;
  SequenceNumber last_;
  // The time this clock shows at a moment of the monotonic clock.
  uint64_t base_ms_;
  uint64_t base_monotonic_ns_;
  bool wall_clock_jumped_ = false;
};

}  // namespace varve::engine
