#include "io/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>

namespace varve::io {

void Doorbell::Wait(uint32_t seen) {
  sleepers_.fetch_add(1);
  if (count_.load() == seen) {
    syscall(SYS_futex, &count_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
  }
  sleepers_.fetch_sub(1, std::memory_order_release);
}

void Doorbell::Ring(int threads_max) {
  count_.fetch_add(1);
  if (sleepers_.load() == 0) return;
  syscall(SYS_futex, &count_, FUTEX_WAKE_PRIVATE, threads_max, nullptr, nullptr, 0);
}

void Doorbell::RingAll() { Ring(std::numeric_limits<int>::max()); }
void Doorbell::RingOne() { Ring(1); }

}  // namespace varve::io
