// Doorbell: what threads of no executor sleep on, together: one system call wakes all of them.
//
//   uint32_t seen;
//   {
//     absl::MutexLock lock(&mutex);
//     if (condition) return;
//     seen = bell.count();
//   }
//   bell.Wait(seen);  // then look again
//
// and elsewhere, after the condition has changed under the mutex, bell.RingAll(). Executors wait
// by io/sync.h instead. Thread-safe; not to be destroyed while somebody waits or rings.
#pragma once

#include <atomic>
#include <cstdint>

namespace varve::io {

class Doorbell {
 public:
  Doorbell() = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // How often it has been rung, modulo 2^32.
  uint32_t count() const { return count_.load(std::memory_order_acquire); }

  // Sleeps until it has been rung since its count was `seen`. May return early.
  void Wait(uint32_t seen);

  // Wakes all who sleep, or one of them; whoever is about to sleep does not.
  void RingAll();
  void RingOne();

 private:
  void Ring(int threads_max);

  // Both sequentially consistent: either the ringer sees the sleeper, or the sleeper the ring.
  std::atomic<uint32_t> count_{0};
  std::atomic<uint32_t> sleepers_{0};
};

}  // namespace varve::io
