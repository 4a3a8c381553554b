// Clock: ticks that cost a few nanoseconds to read, for timing single operations.
//
//   const uint64_t start = Clock::Now();
//   ...
//   const uint64_t ns = Clock::ToNs(Clock::Now() - start);
//
// The processor's time-stamp counter where there is one (it must run at one rate on all cores, as
// it has for a decade), else the system's monotonic clock.
#pragma once

#include <chrono>
#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace varve::bench {

class Clock {
 public:
  static uint64_t Now() {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return SystemNs();
#endif
  }
  static uint64_t ToNs(uint64_t ticks) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(ticks) * Scale()) >> 32);
  }
  static double ToSeconds(uint64_t ticks) { return static_cast<double>(ToNs(ticks)) * 1e-9; }
  static uint64_t FromSeconds(double seconds) {
    return static_cast<uint64_t>(seconds * 1e9 * 4294967296.0 / static_cast<double>(Scale()));
  }
  static double SecondsSince(uint64_t start) { return ToSeconds(Now() - start); }

 private:
  static uint64_t SystemNs() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
  }
  // Nanoseconds a tick, times 2^32; found by comparing both clocks over 20 ms at the first call.
  static uint64_t Scale() {
    static const uint64_t scale = [] {
      const uint64_t ns = SystemNs();
      const uint64_t ticks = Now();
      while (SystemNs() - ns < 20'000'000) {
      }
      return static_cast<uint64_t>(static_cast<double>(SystemNs() - ns) * 4294967296.0 /
                                   static_cast<double>(Now() - ticks));
    }();
    return scale;
  }
};

}  // namespace varve::bench
