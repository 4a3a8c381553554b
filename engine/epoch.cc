#include "engine/epoch.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace varve::engine {
namespace {

constexpr uint64_t kIdle = std::numeric_limits<uint64_t>::max();

// One thread's announcement. Slots are never freed; a thread that ends leaves its slot to the next.
struct alignas(64) Slot {
  std::atomic<uint64_t> epoch{kIdle};
  std::atomic<bool> taken{true};
  Slot* next = nullptr;
};

struct Retired {
  uint64_t epoch;
  std::function<void()> free;
};

// All sequentially consistent: a reader's announcement must be ordered before its loads of shared
// pointers, and a writer's unlinking before its scan of the announcements.
std::atomic<uint64_t> current_epoch{1};
std::atomic<Slot*> slots{nullptr};

absl::Mutex retired_mutex(absl::kConstInit);

std::vector<Retired>& RetiredList() ABSL_EXCLUSIVE_LOCKS_REQUIRED(retired_mutex) {
  static auto* const list = new std::vector<Retired>();
  return *list;
}

Slot* TakeSlot() {
  for (Slot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    bool taken = false;
    if (slot->taken.compare_exchange_strong(taken, true)) return slot;
  }
  Slot* const slot = new Slot();
  slot->next = slots.load();
  while (!slots.compare_exchange_weak(slot->next, slot)) {
  }
  return slot;
}

struct ThreadState {
  Slot* slot = nullptr;
  int depth = 0;
  ~ThreadState() {
    if (slot != nullptr) slot->taken.store(false);
  }
};
thread_local ThreadState thread_state;

uint64_t OldestGuard() {
  uint64_t oldest = kIdle;
  for (Slot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    oldest = std::min(oldest, slot->epoch.load());
  }
  return oldest;
}

}  // namespace

EpochGuard::EpochGuard() {
  if (thread_state.depth++ > 0) return;
  if (thread_state.slot == nullptr) thread_state.slot = TakeSlot();
  thread_state.slot->epoch.store(current_epoch.load());
}

EpochGuard::~EpochGuard() {
  // Release: the guarded reads come before.
  if (--thread_state.depth == 0) thread_state.slot->epoch.store(kIdle, std::memory_order_release);
}

void Retire(std::function<void()> free) {
  // Guards taken from here on announce a later epoch, and cannot see what was unlinked.
  const uint64_t epoch = current_epoch.fetch_add(1);
  {
    absl::MutexLock lock(&retired_mutex);
    RetiredList().push_back({epoch, std::move(free)});
  }
  Reclaim();
}

size_t Reclaim() {
  std::vector<Retired> ready;
  size_t left;
  {
    absl::MutexLock lock(&retired_mutex);
    std::vector<Retired>& list = RetiredList();
    const uint64_t oldest = OldestGuard();
    std::erase_if(list, [&](Retired& retired) {
      if (retired.epoch >= oldest) return false;
      ready.push_back(std::move(retired));
      return true;
    });
    left = list.size();
  }
  for (Retired& retired : ready) retired.free();
  return left;
}

}  // namespace varve::engine
