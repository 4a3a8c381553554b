#include "item/key_locks.h"

namespace varve::item {

bool KeyLocks::TryLock(uint64_t hash) {
  Shard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  return shard.held.try_emplace(hash).second;
}

bool KeyLocks::Enqueue(uint64_t hash, Node* node) {
  Shard& shard = ShardOf(hash);
  absl::MutexLock lock(&shard.mutex);
  const auto [entry, was_free] = shard.held.try_emplace(hash);
  if (was_free) return false;
  Queue& queue = entry->second;
  (queue.last == nullptr ? queue.first : queue.last->next) = node;
  queue.last = node;
  return true;
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
    next = node->waiter;
  }
  next.Wake();
}

}  // namespace varve::item
