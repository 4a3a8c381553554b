#include "io/sync.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>

namespace varve::io {

void WakeAll(std::span<const Waiter> waiters) {
  absl::InlinedVector<Executor*, 4> woken;  // there are few
  absl::InlinedVector<std::coroutine_handle<>, 32> coroutines;
  for (size_t i = 0; i < waiters.size(); ++i) {
    Executor* const executor = waiters[i].executor;
    if (std::find(woken.begin(), woken.end(), executor) != woken.end()) continue;
    woken.push_back(executor);
    coroutines.clear();
    for (const Waiter& waiter : waiters.subspan(i)) {
      if (waiter.executor == executor) coroutines.push_back(waiter.coroutine);
    }
    executor->Post(coroutines);
  }
}

}  // namespace varve::io
