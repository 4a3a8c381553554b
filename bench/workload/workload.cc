#include "bench/workload/workload.h"

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "base/coding.h"

namespace varve::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPoolBytes = size_t{1} << 20;

// A bijection on 64 bits (the finalizer of splitmix64), so that hashed keys are all different.
uint64_t Scramble(uint64_t i) {
  i += 0x9e3779b97f4a7c15;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9;
  i = (i ^ (i >> 27)) * 0x94d049bb133111eb;
  return i ^ (i >> 31);
}

uint64_t NsBetween(Clock::time_point from, Clock::time_point to) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count());
}

// One thread's share of the work and of the result.
struct Worker {
  Histogram writes;
  Histogram gets;
  Histogram scans;
  std::vector<uint64_t> per_second;
  uint64_t keys = 0;
  uint64_t missing = 0;
  uint64_t user_bytes_written = 0;
  uint64_t user_bytes_read = 0;
  Status status;
};

class Runner {
 public:
  Runner(Engine& engine, const WorkloadConfig& config)
      : engine_(engine), config_(config), data_(config), chooser_(config.keys, config.zipf) {}

  // Runs all threads to their end.
  Result RunThreads(double seconds, Status* status) {
    next_key_ = 0;
    failed_ = false;
    begin_ = Clock::now();
    end_ = begin_ + std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
    const ProcessCounters before = ProcessCounters::Now();
    std::vector<Worker> workers(config_.threads);
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < config_.threads; ++i) {
      threads.emplace_back([this, &worker = workers[i], i] {
        worker.status = config_.kind == Kind::kFill ? Fill(worker, i) : Operate(worker, i);
        if (!worker.status.ok()) failed_ = true;
      });
    }
    for (std::thread& thread : threads) thread.join();

    Result result;
    result.elapsed_s = static_cast<double>(NsBetween(begin_, Clock::now())) * 1e-9;
    result.process = ProcessCounters::Now() - before;
    Worker all;
    for (const Worker& worker : workers) {
      if (!worker.status.ok()) *status = worker.status;
      all.writes.Merge(worker.writes);
      all.gets.Merge(worker.gets);
      all.scans.Merge(worker.scans);
      all.per_second.resize(std::max(all.per_second.size(), worker.per_second.size()));
      for (size_t s = 0; s < worker.per_second.size(); ++s) {
        all.per_second[s] += worker.per_second[s];
      }
      result.keys += worker.keys;
      result.missing += worker.missing;
      result.user_bytes_written += worker.user_bytes_written;
      result.user_bytes_read += worker.user_bytes_read;
    }
    result.operations_per_second = std::move(all.per_second);
    for (auto& [operation, ns] : {std::pair("write", &all.writes), std::pair("get", &all.gets),
                                  std::pair("scan", &all.scans)}) {
      if (ns->count() == 0) continue;
      result.operations += ns->count();
      result.latencies.push_back({operation, *ns});
    }
    return result;
  }

 private:
  static constexpr uint64_t kKeysAClaim = 256;

  Status Fill(Worker& worker, uint64_t index) {
    Random random(config_.seed * 1000 + index);
    for (;;) {
      const uint64_t first = next_key_.fetch_add(kKeysAClaim, std::memory_order_relaxed);
      if (first >= config_.keys || failed_) return absl::OkStatus();
      const uint64_t last = std::min(first + kKeysAClaim, config_.keys);
      for (uint64_t i = first; i < last; i += config_.batch) {
        VARVE_RETURN_IF_ERROR(Write(worker, random, i, std::min(last - i, config_.batch)));
      }
    }
  }

  Status Operate(Worker& worker, uint64_t index) {
    Random random(config_.seed * 1000 + index);
    while (Clock::now() < end_ && !failed_) {
      const uint64_t i = chooser_.Next(random);
      if (config_.kind == Kind::kMixed && random.Below(100) < config_.write_percent) {
        VARVE_RETURN_IF_ERROR(Write(worker, random, i, 1));
      } else if (config_.kind == Kind::kScan) {
        VARVE_RETURN_IF_ERROR(Scan(worker, i));
      } else {
        VARVE_RETURN_IF_ERROR(Get(worker, i));
      }
    }
    return absl::OkStatus();
  }

  Status Write(Worker& worker, Random& random, uint64_t first, uint64_t count) {
    thread_local std::vector<std::string> keys;
    thread_local std::vector<Engine::KeyValue> entries;
    entries.clear();
    keys.resize(std::max<size_t>(keys.size(), count));
    for (uint64_t i = 0; i < count; ++i) {
      data_.Key(first + i, &keys[i]);
      entries.emplace_back(keys[i], data_.Value(random));
    }
    const Clock::time_point start = Clock::now();
    VARVE_RETURN_IF_ERROR(engine_.Write(entries));
    Record(worker, worker.writes, start);
    worker.keys += count;
    worker.user_bytes_written += count * (config_.key_bytes + config_.value_bytes);
    return absl::OkStatus();
  }

  Status Get(Worker& worker, uint64_t i) {
    thread_local std::string key;
    data_.Key(i, &key);
    uint64_t value_bytes = 0;
    const Clock::time_point start = Clock::now();
    VARVE_ASSIGN_OR_RETURN(const bool found, engine_.Get(key, &value_bytes));
    Record(worker, worker.gets, start);
    ++worker.keys;
    if (found) {
      worker.user_bytes_read += key.size() + value_bytes;
    } else {
      ++worker.missing;
    }
    return absl::OkStatus();
  }

  Status Scan(Worker& worker, uint64_t i) {
    thread_local std::string key;
    data_.Key(i, &key);
    const Clock::time_point start = Clock::now();
    VARVE_ASSIGN_OR_RETURN(const uint64_t entries,
                           engine_.Scan(key, config_.scan_entries, &worker.user_bytes_read));
    Record(worker, worker.scans, start);
    worker.keys += entries;
    return absl::OkStatus();
  }

  void Record(Worker& worker, Histogram& histogram, Clock::time_point start) {
    const Clock::time_point now = Clock::now();
    histogram.Add(NsBetween(start, now));
    const size_t second = static_cast<size_t>(NsBetween(begin_, now) / 1'000'000'000);
    if (second >= worker.per_second.size()) worker.per_second.resize(second + 1);
    ++worker.per_second[second];
  }

  Engine& engine_;
  const WorkloadConfig& config_;
  const Data data_;
  const KeyChooser chooser_;
  std::atomic<uint64_t> next_key_{0};
  std::atomic<bool> failed_{false};
  Clock::time_point begin_;
  Clock::time_point end_;
};

}  // namespace

Data::Data(const WorkloadConfig& config) : config_(config) {
  // Pieces of 64 bytes: random ones, of which the last part repeats the first.
  Random random(42);
  constexpr size_t kPiece = 64;
  const size_t fresh =
      kPiece - static_cast<size_t>(static_cast<double>(kPiece) * config.compressible);
  while (pool_.size() < kPoolBytes + config.value_bytes) {
    std::string piece(kPiece, 'x');
    for (size_t i = 0; i < fresh; ++i) piece[i] = static_cast<char>(random.Next());
    pool_ += piece;
  }
}

void Data::Key(uint64_t i, std::string* key) const {
  key->clear();
  if (config_.ordered) {
    *key += fmt::format("{:0{}}", i, config_.key_bytes);
  } else {
    AppendBigU64(*key, Scramble(i));
    if (config_.key_bytes > 8) *key += fmt::format("{:0{}}", i, config_.key_bytes - 8);
  }
  // Numbers longer than their field keep their last digits, which differ most.
  if (key->size() > config_.key_bytes) key->erase(8, key->size() - config_.key_bytes);
}

std::string_view Data::Value(Random& random) const {
  return std::string_view(pool_).substr(random.Below(kPoolBytes), config_.value_bytes);
}

KeyChooser::KeyChooser(uint64_t keys, double skew) : keys_(keys), skew_(skew) {
  if (skew_ == 0) return;
  for (uint64_t i = 1; i <= keys; ++i) zeta_ += 1 / std::pow(static_cast<double>(i), skew_);
  const double zeta_of_two = 1 + 1 / std::pow(2.0, skew_);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(keys), 1 - skew_)) / (1 - zeta_of_two / zeta_);
}

uint64_t KeyChooser::Next(Random& random) const {
  if (skew_ == 0) return random.Below(keys_);
  const double u = random.Uniform();
  const double uz = u * zeta_;
  uint64_t rank;
  if (uz < 1) {
    rank = 0;
  } else if (uz < 1 + std::pow(0.5, skew_)) {
    rank = 1;
  } else {
    const double place = std::pow(eta_ * u - eta_ + 1, 1 / (1 - skew_));
    rank = std::min(static_cast<uint64_t>(static_cast<double>(keys_) * place), keys_ - 1);
  }
  return Scramble(rank) % keys_;
}

StatusOr<Result> Run(Engine& engine, const EngineConfig& engine_config,
                     const WorkloadConfig& config) {
  Runner runner(engine, config);
  Status status;
  if (config.kind != Kind::kFill && config.warmup_seconds > 0) {
    runner.RunThreads(config.warmup_seconds, &status);
    VARVE_RETURN_IF_ERROR(status);
  }
  const ProcessCounters before = ProcessCounters::Now();
  const EngineCounters counters_before = engine.Counters();
  Result result = runner.RunThreads(config.seconds, &status);
  VARVE_RETURN_IF_ERROR(status);
  if (result.user_bytes_written > 0) {
    const Clock::time_point start = Clock::now();
    VARVE_RETURN_IF_ERROR(engine.WaitUntilSettled());
    result.settle_s = static_cast<double>(NsBetween(start, Clock::now())) * 1e-9;
  }
  result.settled = ProcessCounters::Now() - before;
  result.counters = engine.Counters();
  result.counters.log_bytes -= counters_before.log_bytes;
  result.counters.flush_bytes -= counters_before.flush_bytes;
  result.counters.compaction_bytes -= counters_before.compaction_bytes;
  result.counters.stalled_s -= counters_before.stalled_s;
  result.description = engine.Describe(engine_config);
  result.disk_bytes = DiskBytes(engine_config.directory);
  result.table_bytes = DiskBytes(engine_config.directory, engine.TableSuffixes());
  result.live_bytes = config.keys * (config.key_bytes + config.value_bytes);
  return result;
}

}  // namespace varve::bench
