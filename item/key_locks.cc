#include "item/key_locks.h"

#include <algorithm>

namespace varve::item {

KeyLocks::Outcome KeyLocks::Request(uint64_t hash, Node* node, bool may_queue) {
  Shard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  const auto [entry, was_free] = shard.held.try_emplace(hash);
  Queue& queue = entry->second;
  const bool is_transaction = node->mode == Mode::kTransaction;
  if (was_free) {
    queue.held_by_transaction = is_transaction;
    queue.transactions = is_transaction ? 1 : 0;
    return Outcome::kLocked;
  }
  if (node->mode != Mode::kWait && queue.transactions > 0) return Outcome::kConflict;
  if (!may_queue) return Outcome::kQueued;
  if (is_transaction) ++queue.transactions;
  (queue.last == nullptr ? queue.first : queue.last->next) = node;
  queue.last = node;
  return Outcome::kQueued;
}

KeyLocks::Guard KeyLocks::TryLock(uint64_t hash) {
  Shard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  return shard.held.try_emplace(hash).second ? Guard(this, hash) : Guard();
}

bool KeyLocks::IsInTransaction(uint64_t hash) {
  Shard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  const auto entry = shard.held.find(hash);
  return entry != shard.held.end() && entry->second.transactions > 0;
}

void KeyLocks::Unlock(uint64_t hash) {
  Shard& shard = ShardOf(hash);
  io::Waiter next;
  {
    absl::MutexLock lock(&shard.mutex);
    const auto entry = shard.held.find(hash);
    Queue& queue = entry->second;
    Node* const node = queue.first;
    if (node == nullptr) {
      shard.held.erase(entry);
      return;
    }
    // The lock passes to the first in line without becoming free.
    queue.first = node->next;
    if (queue.first == nullptr) queue.last = nullptr;
    if (queue.held_by_transaction) --queue.transactions;
    queue.held_by_transaction = node->mode == Mode::kTransaction;
    next = node->waiter;
  }
  next.Wake();
}

void KeyLocks::SortForLocking(std::vector<uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

io::Task<std::vector<KeyLocks::Guard>> KeyLocks::LockAll(std::vector<uint64_t> hashes) {
  SortForLocking(hashes);
  std::vector<Guard> locks;
  locks.reserve(hashes.size());
  for (const uint64_t hash : hashes) {
    Guard lock = co_await Lock(hash);
    locks.push_back(std::move(lock));
  }
  co_return locks;
}

}  // namespace varve::item
