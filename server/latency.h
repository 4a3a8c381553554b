// Latencies of requests, counted in the buckets that all metrics of latency have.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace varve::server {

// What a bucket holds at most, in microseconds. One more bucket holds what is beyond the last.
inline constexpr std::array<uint64_t, 16> kLatencyBoundsUs = {
    25,     50,     100,    250,     500,     1'000,   2'500,     5'000,
    10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000};
inline constexpr size_t kLatencyBuckets = kLatencyBoundsUs.size() + 1;

struct LatencyFigures {
  std::array<uint64_t, kLatencyBuckets> counts{};
  uint64_t sum_ns = 0;

  void Add(const LatencyFigures& other) {
    for (size_t i = 0; i < kLatencyBuckets; ++i) counts[i] += other.counts[i];
    sum_ns += other.sum_ns;
  }
};

// One thread counts, others may read: relaxed.
class LatencyCounts {
 public:
  void Count(uint64_t ns) {
    size_t bucket = 0;
    while (bucket < kLatencyBoundsUs.size() && ns > kLatencyBoundsUs[bucket] * 1000) ++bucket;
    Add(counts_[bucket], 1);
    Add(sum_ns_, ns);
  }
  void AddTo(LatencyFigures* sum) const {
    for (size_t i = 0; i < kLatencyBuckets; ++i) {
      sum->counts[i] += counts_[i].load(std::memory_order_relaxed);
    }
    sum->sum_ns += sum_ns_.load(std::memory_order_relaxed);
  }

 private:
  static void Add(std::atomic<uint64_t>& counter, uint64_t count) {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }

  std::array<std::atomic<uint64_t>, kLatencyBuckets> counts_{};
  std::atomic<uint64_t> sum_ns_{0};
};

}  // namespace varve::server
