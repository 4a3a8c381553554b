#include "bench/ycsb/distribution.h"

#include <algorithm>
#include <cmath>

namespace varve::bench::ycsb {
namespace {

// As YCSB does, popularity is drawn from this many ranks, however many records there are, and then
// scattered over the records; so it stays the same when records are added. The sum is of kSkew.
constexpr uint64_t kScatteredRanks = 10'000'000'000;
constexpr double kScatteredZeta = 26.46902820178302;

}  // namespace

uint64_t Scramble(uint64_t number) {
  // The finalizer of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
  uint64_t z = number + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Zipfian::Zipfian(uint64_t ranks) : ranks_(0), zeta_(0) { GrowTo(ranks); }

Zipfian::Zipfian(uint64_t ranks, double zeta) : ranks_(ranks), zeta_(zeta) { Prepare(); }

void Zipfian::GrowTo(uint64_t ranks) {
  if (ranks <= ranks_) return;
  for (uint64_t i = ranks_ + 1; i <= ranks; ++i) zeta_ += std::pow(static_cast<double>(i), -kSkew);
  ranks_ = ranks;
  Prepare();
}

void Zipfian::Prepare() {
  const double zeta_of_two = 1 + std::pow(0.5, kSkew);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(ranks_), 1 - kSkew)) / (1 - zeta_of_two / zeta_);
}

uint64_t Zipfian::Next(Random& random) const {
  const double u = random.Uniform();
  const double uz = u * zeta_;
  if (uz < 1) return 0;
  if (uz < 1 + std::pow(0.5, kSkew)) return std::min<uint64_t>(1, ranks_ - 1);
  const double place = std::pow(eta_ * u - eta_ + 1, 1 / (1 - kSkew));
  return std::min(static_cast<uint64_t>(static_cast<double>(ranks_) * place), ranks_ - 1);
}

uint64_t InsertCounter::Take() {
  absl::MutexLock lock(&mutex_);
  done_.push_back(false);
  return first_pending_ + done_.size() - 1;
}

void InsertCounter::Done(uint64_t number) {
  absl::MutexLock lock(&mutex_);
  done_[number - first_pending_] = true;
  while (!done_.empty() && done_.front()) {
    done_.pop_front();
    ++first_pending_;
  }
  limit_.store(first_pending_, std::memory_order_release);
}

uint64_t Chooser::Next(uint64_t limit, Random& random) {
  switch (distribution_) {
    case Distribution::kUniform:
      return random.Below(limit);
    case Distribution::kLatest:
      by_age_.GrowTo(limit);
      return limit - 1 - std::min(by_age_.Next(random), limit - 1);
    case Distribution::kZipfian:
      break;
  }
  static const Zipfian scattered(kScatteredRanks, kScatteredZeta);
  return Scramble(scattered.Next(random)) % limit;
}

}  // namespace varve::bench::ycsb
