// KeyLocks: mutual exclusion by key, held across suspensions.
//
//   auto lock = co_await locks.Lock(KeyLocks::HashOf(engine_key));
//
// Locks are known by a 64-bit hash: two keys that share one exclude each other for nothing, which
// is harmless as long as one task never waits for a lock it holds. A task that takes several first
// sorts its hashes and drops repetitions. Waiters get a lock in the order they asked. Memory is
// used for what is held, nothing for what is not. Thread-safe.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/checksum.h"
#include "io/sync.h"

namespace varve::item {

class KeyLocks {
 public:
  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    Guard(KeyLocks* locks, uint64_t hash) : locks_(locks), hash_(hash) {}
    Guard(Guard&& other) noexcept
        : locks_(std::exchange(other.locks_, nullptr)), hash_(other.hash_) {}
    Guard& operator=(Guard&& other) noexcept {
      Unlock();
      locks_ = std::exchange(other.locks_, nullptr);
      hash_ = other.hash_;
      return *this;
    }
    ~Guard() { Unlock(); }
    void Unlock() {
      if (locks_ != nullptr) std::exchange(locks_, nullptr)->Unlock(hash_);
    }

   private:
    KeyLocks* locks_ = nullptr;
    uint64_t hash_ = 0;
  };

  KeyLocks() = default;
  KeyLocks(const KeyLocks&) = delete;
  KeyLocks& operator=(const KeyLocks&) = delete;

  static uint64_t HashOf(std::string_view key) { return Hash(key); }

  auto Lock(uint64_t hash) {
    struct Awaiter : Node {
      KeyLocks* locks;
      uint64_t hash;
      bool await_ready() { return locks->TryLock(hash); }
      bool await_suspend(std::coroutine_handle<> self) {
        waiter = {self, io::Executor::Current()};
        return locks->Enqueue(hash, this);
      }
      Guard await_resume() { return Guard(locks, hash); }
    };
    Awaiter awaiter;
    awaiter.locks = this;
    awaiter.hash = hash;
    return awaiter;
  }

 private:
  // A waiter, in the frame of the coroutine that waits.
  struct Node {
    io::Waiter waiter{};
    Node* next = nullptr;
  };
  struct Queue {
    Node* first = nullptr;
    Node* last = nullptr;
  };
  struct Shard {
    absl::Mutex mutex;
    // An entry for every held lock, with those who wait for it.
    absl::flat_hash_map<uint64_t, Queue> held ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 64;

  Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  bool TryLock(uint64_t hash);
  // False if the lock was free after all, and is now held.
  bool Enqueue(uint64_t hash, Node* node);
  void Unlock(uint64_t hash);

  std::array<Shard, kShards> shards_;
};

}  // namespace varve::item
