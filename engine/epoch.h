// Epoch-based reclamation (Fraser, "Practical lock-freedom", 2004, chapter 5): readers follow
// shared pointers under a guard that costs one store; what a writer has unlinked is freed when
// every guard that could have seen it is gone.
//
//   { EpochGuard guard;  View* view = current.load();  ... }        // reader
//   View* old = current.exchange(fresh);  Retire([old] { delete old; });  // writer
//
// One domain serves the process. A guard is bound to its thread: never hold one across a
// suspension, a blocking system call or a callback. Guards nest.
#pragma once

#include <functional>

namespace varve::engine {

class EpochGuard {
 public:
  EpochGuard();
  ~EpochGuard();
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;
};

// Calls `free` once no guard taken before this call is left: now, or in a later call of Retire or
// Reclaim, on whatever thread that runs. `free` must not wait.
void Retire(std::function<void()> free);

// Frees what can be freed. Returns how many retired things are left.
size_t Reclaim();

}  // namespace varve::engine
