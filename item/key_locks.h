// KeyLocks: mutual exclusion by key, held across suspensions.
//
//   auto lock = co_await locks.Lock(KeyLocks::HashOf(engine_key));
//
// Locks are known by a 64-bit hash: two keys that share one exclude each other for nothing, which
// is harmless as long as one task never waits for a lock it holds. A task that takes several first
// sorts its hashes and drops repetitions. Waiters get a lock in the order they asked. Memory is
// used for what is held, nothing for what is not. Thread-safe.
//
// Transactions hold locks in a way that others can see: who would have to wait behind one may
// prefer to be told (LockUnlessTransaction), as the service tells its clients of the conflict.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "io/sync.h"
#include "io/task.h"

namespace varve::item {

class KeyLocks {
 public:
  class [[nodiscard]] Guard {
   public:
    Guard() = default;  // holds nothing
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
    bool held() const { return locks_ != nullptr; }
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

  // Waits for the lock, whoever has it.
  auto Lock(uint64_t hash) { return MakeAwaiter(hash, Mode::kWait); }
  // Waits for the lock, but not behind a transaction that has it or waits for it: then the guard
  // holds nothing.
  auto LockUnlessTransaction(uint64_t hash) { return MakeAwaiter(hash, Mode::kNotBehindOne); }
  // The same for a transaction itself.
  auto LockForTransaction(uint64_t hash) { return MakeAwaiter(hash, Mode::kTransaction); }
  // The locks of several, waiting for each; hashes may repeat. They are taken in one order, so that
  // no two tasks that take theirs like this wait for each other.
  io::Task<std::vector<Guard>> LockAll(std::vector<uint64_t> hashes);
  // That order, each once.
  static void SortForLocking(std::vector<uint64_t>& hashes);
  // The lock if nobody has it.
  Guard TryLock(uint64_t hash);
  // Whether a transaction has the lock or waits for it.
  bool IsInTransaction(uint64_t hash);

 private:
  enum class Mode : uint8_t { kWait, kNotBehindOne, kTransaction };
  enum class Outcome : uint8_t { kLocked, kQueued, kConflict };

  // A waiter, in the frame of the coroutine that waits.
  struct Node {
    io::Waiter waiter{};
    Node* next = nullptr;
    Mode mode = Mode::kWait;
  };
  struct Queue {
    Node* first = nullptr;
    Node* last = nullptr;
    uint32_t transactions = 0;  // that have the lock or wait for it
    bool held_by_transaction = false;
  };

  struct Awaiter : Node {
    KeyLocks* locks = nullptr;
    uint64_t hash = 0;
    Outcome outcome = Outcome::kQueued;

    bool await_ready() {
      outcome = locks->Request(hash, this, /*may_queue=*/false);
      return outcome != Outcome::kQueued;
    }
    bool await_suspend(std::coroutine_handle<> self) {
      waiter = {self, io::Executor::Current()};
      // Once queued, another thread may resume this coroutine at any time: nothing here is touched.
      const Outcome requested = locks->Request(hash, this, /*may_queue=*/true);
      if (requested == Outcome::kQueued) return true;
      outcome = requested;
      return false;
    }
    Guard await_resume() { return outcome == Outcome::kConflict ? Guard() : Guard(locks, hash); }
  };
  Awaiter MakeAwaiter(uint64_t hash, Mode mode) {
    Awaiter awaiter;
    awaiter.locks = this;
    awaiter.hash = hash;
    awaiter.mode = mode;
    return awaiter;
  }

  struct Shard {
    absl::Mutex mutex;
    // An entry for every held lock, with those who wait for it.
    absl::flat_hash_map<uint64_t, Queue> held ABSL_GUARDED_BY(mutex);
  };
  static constexpr size_t kShards = 64;

  Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  // kQueued without `may_queue`: it would have to wait.
  Outcome Request(uint64_t hash, Node* node, bool may_queue);
  void Unlock(uint64_t hash);

  std::array<Shard, kShards> shards_;
};

}  // namespace varve::item
