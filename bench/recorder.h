// Recorder: what one thread sees while it measures; and the loops that fill it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/histogram.h"
#include "base/status.h"
#include "bench/clock.h"

namespace varve::bench {

// Width of the intervals in which throughput is counted.
inline constexpr double kIntervalSeconds = 0.1;

class Recorder {
 public:
  explicit Recorder(uint64_t start_ticks = 0)
      : interval_ticks_(Clock::FromSeconds(kIntervalSeconds)),
        start_(start_ticks),
        interval_end_(start_ticks + interval_ticks_) {}

  // A timed operation, over at `now`.
  void Latency(uint64_t ticks) { latency_ns_.Add(Clock::ToNs(ticks)); }
  // `operations` more were over at `now`.
  void Count(uint64_t now, uint64_t operations) {
    operations_ += operations;
    while (now >= interval_end_) {
      intervals_.push_back(current_);
      current_ = 0;
      interval_end_ += interval_ticks_;
    }
    current_ += operations;
    end_ = now;
  }

  void Merge(const Recorder& other) {
    latency_ns_.Merge(other.latency_ns_);
    operations_ += other.operations_;
    intervals_.resize(std::max(intervals_.size(), other.intervals_.size()));
    for (size_t i = 0; i < other.intervals_.size(); ++i) intervals_[i] += other.intervals_[i];
    end_ = std::max(end_, other.end_);
  }

  uint64_t start() const { return start_; }
  double elapsed_s() const { return Clock::ToSeconds(end_ - start_); }
  uint64_t operations() const { return operations_; }
  double rate() const {
    return end_ == start_ ? 0 : static_cast<double>(operations_) / elapsed_s();
  }
  const Histogram& latency_ns() const { return latency_ns_; }
  // Operations in each full interval.
  const std::vector<uint64_t>& intervals() const { return intervals_; }

 private:
  uint64_t interval_ticks_;
  uint64_t start_;
  uint64_t end_ = 0;
  uint64_t operations_ = 0;
  uint64_t interval_end_;
  uint64_t current_ = 0;
  Histogram latency_ns_;
  std::vector<uint64_t> intervals_;
};

// Calls operation(i) for i in [0, count), each timed; one clock reading an operation. Every call
// counts `weight`.
template <typename Operation>
Status TimeEach(Recorder& recorder, uint64_t count, uint64_t weight, Operation operation) {
  uint64_t before = Clock::Now();
  for (uint64_t i = 0; i < count; ++i) {
    VARVE_RETURN_IF_ERROR(operation(i));
    const uint64_t now = Clock::Now();
    recorder.Latency(now - before);
    recorder.Count(now, weight);
    before = now;
  }
  return absl::OkStatus();
}

// Calls operation(i) for i = 0, 1, ... until `seconds` have passed. One call in `sample` is timed,
// and the clock is not read around the others.
template <typename Operation>
Status TimeFor(Recorder& recorder, double seconds, uint64_t sample, uint64_t weight,
               Operation operation) {
  const uint64_t end = recorder.start() + Clock::FromSeconds(seconds);
  for (uint64_t i = 0;;) {
    const uint64_t before = Clock::Now();
    VARVE_RETURN_IF_ERROR(operation(i++));
    recorder.Latency(Clock::Now() - before);
    for (uint64_t untimed = 1; untimed < sample; ++untimed) {
      VARVE_RETURN_IF_ERROR(operation(i++));
    }
    const uint64_t now = Clock::Now();
    recorder.Count(now, sample * weight);
    if (now >= end) return absl::OkStatus();
  }
}

// Calls operation(i) for i = 0, 1, ... as often as `rate` a second asks for, until `seconds` have
// passed or `stop` is set; late calls are made up for. Sleeps about a millisecond when it is ahead.
template <typename Operation>
Status TimePaced(Recorder& recorder, double seconds, double rate, const std::atomic<bool>& stop,
                 Operation operation) {
  const uint64_t end = recorder.start() + Clock::FromSeconds(seconds);
  uint64_t done = 0;
  for (uint64_t now = Clock::Now(); now < end && !stop.load(std::memory_order_relaxed);) {
    const auto due = static_cast<uint64_t>(Clock::ToSeconds(now - recorder.start()) * rate);
    if (done >= due) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
      now = Clock::Now();
      continue;
    }
    VARVE_RETURN_IF_ERROR(operation(done++));
    const uint64_t after = Clock::Now();
    recorder.Latency(after - now);
    recorder.Count(after, 1);
    now = after;
  }
  return absl::OkStatus();
}

// Runs body(thread, recorder) on `threads` threads that begin together; all their recorders merged.
inline StatusOr<Recorder> RunThreads(int threads,
                                     const std::function<Status(int, Recorder&)>& body) {
  std::atomic<int> waiting{threads};
  std::atomic<uint64_t> start{0};
  std::vector<Status> statuses(threads);
  std::vector<Recorder> recorders(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      --waiting;
      uint64_t begin;
      while ((begin = start.load()) == 0) std::this_thread::yield();
      recorders[i] = Recorder(begin);
      statuses[i] = body(i, recorders[i]);
    });
  }
  while (waiting > 0) std::this_thread::yield();
  const uint64_t begin = Clock::Now();
  start = begin;
  for (std::thread& thread : running) thread.join();
  Recorder all(begin);
  for (int i = 0; i < threads; ++i) {
    VARVE_RETURN_IF_ERROR(statuses[i]);
    all.Merge(recorders[i]);
  }
  return all;
}

}  // namespace varve::bench
