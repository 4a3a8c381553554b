// Histogram: counts of values, such as latencies in nanoseconds, in log-linear buckets.
//
// Values below 64 have a bucket each; every power of two above is cut into 32 buckets of equal
// width, so that a percentile is off by at most 1/32 (3.1 %) and the whole range of 64 bits fits 15
// KiB.
//
//   Histogram latency_ns;
//   latency_ns.Add(1200);
//   latency_ns.Percentile(99.9);
//
// Not thread-safe: give each thread one and Merge them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace varve {

class Histogram {
 public:
  void Add(uint64_t value) {
    ++buckets_[BucketOf(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  void Merge(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }

  uint64_t count() const { return count_; }
  // 0 while empty, as everything below.
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // A value that at least `percent` % of the values are not above, within 1/32; never outside
  // [min, max]. `percent` is in [0, 100].
  uint64_t Percentile(double percent) const {
    if (count_ == 0) return 0;
    const double wanted = static_cast<double>(count_) * percent / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (buckets_[i] > 0 && static_cast<double>(seen) >= wanted) {
        return std::clamp(LastOf(i), min_, max_);
      }
    }
    return max_;
  }

 private:
  static constexpr int kLinearBits = 6;  // below 2^6 a bucket a value
  static constexpr int kStepBits = kLinearBits - 1;
  static constexpr size_t kBuckets =
      (size_t{1} << kLinearBits) + (64 - kLinearBits) * (1 << kStepBits);

  static size_t BucketOf(uint64_t value) {
    if (value < (uint64_t{1} << kLinearBits)) return static_cast<size_t>(value);
    const int shift = std::bit_width(value) - kLinearBits;  // >= 1
    // The top six bits, of which the first is 1.
    const uint64_t top = value >> shift;
    return (static_cast<size_t>(shift) << kStepBits) + static_cast<size_t>(top);
  }

  // The largest value of a bucket.
  static uint64_t LastOf(size_t bucket) {
    if (bucket < (size_t{1} << kLinearBits)) return bucket;
    const int shift = static_cast<int>(bucket >> kStepBits) - 1;
    const uint64_t top = bucket - (static_cast<size_t>(shift) << kStepBits);
    return ((top + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  uint64_t min_ = ~uint64_t{0};
  uint64_t max_ = 0;
};

}  // namespace varve
