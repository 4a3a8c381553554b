// Which record an operation is about: YCSB's distributions (Cooper et al., "Benchmarking Cloud
// Serving Systems with YCSB", SoCC 2010).
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <deque>

#include "base/random.h"

namespace varve::bench::ycsb {

// A bijection of 64 bits that leaves no order: what scatters popular records, and makes keys.
uint64_t Scramble(uint64_t number);

// Ranks by Zipf's law: 0 is the most popular. (Gray et al., "Quickly generating billion-record
// synthetic databases", SIGMOD 1994.) Copies are cheap; not thread-safe.
class Zipfian {
 public:
  static constexpr double kSkew = 0.99;

  explicit Zipfian(uint64_t ranks);
  // With the sum over all ranks of 1 / rank^kSkew, where it is known.
  Zipfian(uint64_t ranks, double zeta);

  // Adds ranks at the unpopular end.
  void GrowTo(uint64_t ranks);
  uint64_t ranks() const { return ranks_; }
  uint64_t Next(Random& random) const;

 private:
  void Prepare();

  uint64_t ranks_;
  double zeta_;
  double eta_ = 0;
};

// Numbers the records that are inserted. Thread-safe.
class InsertCounter {
 public:
  explicit InsertCounter(uint64_t records) : first_pending_(records), limit_(records) {}

  // The number of the next record to insert.
  uint64_t Take();
  // That record is there (or has failed to be).
  void Done(uint64_t number);
  // Every record with a smaller number is there.
  uint64_t limit() const { return limit_.load(std::memory_order_acquire); }

 private:
  absl::Mutex mutex_;
  uint64_t first_pending_ ABSL_GUARDED_BY(mutex_);
  std::deque<bool> done_ ABSL_GUARDED_BY(mutex_);  // from first_pending_ on
  std::atomic<uint64_t> limit_;
};

enum class Distribution : uint8_t {
  kUniform,
  kZipfian,  // the popular records scattered over all
  kLatest,   // the newest records are the popular ones
};

// Chooses records. One a slot: not thread-safe.
class Chooser {
 public:
  // `by_age` is of the records that are there at the beginning; it takes time to make.
  Chooser(Distribution distribution, const Zipfian& by_age)
      : distribution_(distribution), by_age_(by_age) {}

  // A record below `limit`, which is not 0.
  uint64_t Next(uint64_t limit, Random& random);

 private:
  Distribution distribution_;
  Zipfian by_age_;
};

}  // namespace varve::bench::ycsb
