// SharedSlot: what may be switched on and off for a table while writes are under way. All versions
// of a table share it, and it is read under the lock of an item's key: a write that began on an
// older version than another of the same key, and comes after it, finds what the other found.
// Thread-safe.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <memory>
#include <utility>

namespace varve::item {

template <typename T>
class SharedSlot {
 public:
  bool present() const { return present_.load(std::memory_order_acquire); }
  // Null if there is nothing.
  std::shared_ptr<T> Get() const {
    if (!present()) return nullptr;
    absl::MutexLock lock(&mutex_);
    return value_;
  }
  void Set(std::shared_ptr<T> value) {
    absl::MutexLock lock(&mutex_);
    value_ = std::move(value);
    // Release: who sees it finds the value behind the lock.
    present_.store(value_ != nullptr, std::memory_order_release);
  }

 private:
  std::atomic<bool> present_{false};
  mutable absl::Mutex mutex_;
  std::shared_ptr<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::item
