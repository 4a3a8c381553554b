#include "sstable/block_cache.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

#include "sstable/huge_heap.h"

namespace varve::sstable {

namespace {

using internal::BlockSlot;

constexpr uint64_t kHeld = uint64_t{1} << 63;
constexpr uint64_t kClockOne = uint64_t{1} << 32;
constexpr uint64_t kClockHigh = uint64_t{1} << 33;
constexpr uint64_t kClockMask = kClockOne | kClockHigh;
constexpr uint64_t kCountMask = 0xffffffff;

// Shards hold this much at least, so that a large block does not displace everything else.
constexpr size_t kShardBytesMin = size_t{4} << 20;
constexpr size_t kShardsMax = 64;

uint64_t HashPlace(uint64_t file, uint64_t offset) {
  uint64_t x = file * 0x9e3779b97f4a7c15 + offset;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

BlockBuffer::BlockBuffer(size_t bytes) : data_(HugeHeap::Allocate(bytes)), size_(bytes) {}

BlockBuffer::~BlockBuffer() {
  if (data_ != nullptr) HugeHeap::Free(data_, size_);
}

void BlockPin::ReleaseOutside() {
  if (cache_ != nullptr) cache_->outside_bytes_.fetch_sub(size_, std::memory_order_relaxed);
  HugeHeap::Free(const_cast<char*>(data_), size_);
  cache_ = nullptr;
}

struct alignas(64) BlockCache::Shard {
  BlockSlot* slots = nullptr;
  mutable absl::Mutex mutex;
  size_t used_bytes ABSL_GUARDED_BY(mutex) = 0;
  size_t held ABSL_GUARDED_BY(mutex) = 0;
  size_t hand ABSL_GUARDED_BY(mutex) = 0;
  uint64_t inserted ABSL_GUARDED_BY(mutex) = 0;
  uint64_t evicted ABSL_GUARDED_BY(mutex) = 0;

  // The slot of a block that is there, or nullptr.
  BlockSlot* Locate(uint64_t file, uint64_t offset, size_t home, size_t mask) const {
    for (size_t n = 0, at = home; n <= mask; ++n, at = (at + 1) & mask) {
      BlockSlot& slot = slots[at];
      if (slot.file.load(std::memory_order_relaxed) == file &&
          slot.offset.load(std::memory_order_relaxed) == offset &&
          (slot.state.load(std::memory_order_relaxed) & kHeld) != 0) {
        return &slot;
      }
      if (slot.passed.load(std::memory_order_relaxed) == 0) return nullptr;
    }
    return nullptr;
  }

  // Empties a slot if it still is in the state `expected`, unreferenced.
  bool Empty(BlockSlot& slot, uint64_t expected, size_t mask) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    // Acquire: pairs with the release of the last pin, whose reads are over when the memory goes.
    if (!slot.state.compare_exchange_strong(expected, 0, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      return false;
    }
    const size_t place = static_cast<size_t>(&slot - slots);
    const size_t home = HashPlace(slot.file.load(std::memory_order_relaxed),
                                  slot.offset.load(std::memory_order_relaxed)) &
                        mask;
    for (size_t at = home; at != place; at = (at + 1) & mask) {
      slots[at].passed.fetch_sub(1, std::memory_order_relaxed);
    }
    HugeHeap::Free(slot.data, slot.size);
    slot.data = nullptr;
    used_bytes -= slot.charge;
    --held;
    return true;
  }

  // Lets the hand go round until `wanted` more bytes and one slot are free. False if it came past
  // everything often enough to know that the rest is pinned.
  bool Evict(size_t wanted, size_t capacity, size_t held_max, size_t mask)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (size_t steps = 0; used_bytes + wanted > capacity || held >= held_max; ++steps) {
      if (held == 0 || steps > 5 * (mask + 1)) return false;
      BlockSlot& slot = slots[hand];
      hand = (hand + 1) & mask;
      const uint64_t state = slot.state.load(std::memory_order_relaxed);
      if ((state & kHeld) == 0 || (state & kCountMask) != 0) continue;
      if ((state & kClockMask) != 0) {
        // If this fails somebody is using the block, and the clock would be set again anyway.
        uint64_t expected = state;
        slot.state.compare_exchange_strong(expected, state - kClockOne, std::memory_order_relaxed);
      } else if (Empty(slot, state, mask)) {
        ++evicted;
      }
    }
    return true;
  }
};

BlockCache::BlockCache(const BlockCacheOptions& options) : capacity_bytes_(options.capacity_bytes) {
  shard_count_ = std::clamp<size_t>(
      std::bit_floor(std::max<size_t>(capacity_bytes_ / kShardBytesMin, 1)), 1, kShardsMax);
  const size_t block_bytes = std::max<size_t>(options.typical_block_bytes, 64);
  slots_per_shard_ =
      std::bit_ceil(std::max<size_t>(capacity_bytes_ / shard_count_ / block_bytes * 3 / 2, 16));
  shards_ = std::make_unique<Shard[]>(shard_count_);
  // Mapped memory is zero and takes no space until it is touched; a slot of zeros is an empty one.
  slots_ = reinterpret_cast<BlockSlot*>(HugeHeap::Map(SlotBytes()));
  for (size_t i = 0; i < shard_count_; ++i) shards_[i].slots = slots_ + i * slots_per_shard_;
}

BlockCache::~BlockCache() {
  for (size_t i = 0; i < shard_count_; ++i) {
    Shard& shard = shards_[i];
    absl::MutexLock lock(&shard.mutex);
    if (shard.held > 0) {
      for (size_t at = 0; at < slots_per_shard_; ++at) {
        const BlockSlot& slot = shard.slots[at];
        if ((slot.state.load() & kHeld) != 0) HugeHeap::Free(slot.data, slot.size);
      }
    }
  }
  HugeHeap::Unmap(reinterpret_cast<char*>(slots_), SlotBytes());
}

size_t BlockCache::ShardCapacity() const {
  const int64_t charged = charged_bytes_.load(std::memory_order_relaxed);
  const size_t taken = charged > 0 ? static_cast<size_t>(charged) : 0;
  const size_t left = capacity_bytes_ - std::min(taken, capacity_bytes_ - capacity_bytes_ / 8);
  return left / shard_count_;
}

BlockPin BlockCache::Find(uint64_t file, uint64_t offset, bool touch) {
  const uint64_t hash = HashPlace(file, offset);
  BlockSlot* const slots = slots_ + ((hash >> 32) & (shard_count_ - 1)) * slots_per_shard_;
  const size_t mask = slots_per_shard_ - 1;
  for (size_t n = 0, at = hash & mask; n <= mask; ++n, at = (at + 1) & mask) {
    BlockSlot& slot = slots[at];
    if (slot.file.load(std::memory_order_relaxed) == file &&
        slot.offset.load(std::memory_order_relaxed) == offset) {
      // Acquire: pairs with the release in Insert that set kHeld, after the fields were written.
      const uint64_t before = slot.state.fetch_add(1, std::memory_order_acquire);
      // Counted in, what is held can't change any more; it may have before.
      if ((before & kHeld) != 0 && slot.file.load(std::memory_order_relaxed) == file &&
          slot.offset.load(std::memory_order_relaxed) == offset) {
        if (touch && (before & kClockHigh) == 0) {
          slot.state.fetch_or(kClockHigh, std::memory_order_relaxed);
        }
        return BlockPin(&slot, slot.data, slot.size);
      }
      slot.state.fetch_sub(1, std::memory_order_release);
    }
    if (slot.passed.load(std::memory_order_relaxed) == 0) break;
  }
  return {};
}

void BlockCache::Prefetch(uint64_t file, uint64_t offset) const {
  const uint64_t hash = HashPlace(file, offset);
  const size_t shard = (hash >> 32) & (shard_count_ - 1);
  // For writing: a hit counts itself in.
  __builtin_prefetch(slots_ + shard * slots_per_shard_ + (hash & (slots_per_shard_ - 1)), 1);
  asm volatile("");  // GCC drops calls of functions that only prefetch
}

bool BlockCache::Contains(uint64_t file, uint64_t offset) const {
  const uint64_t hash = HashPlace(file, offset);
  return shards_[(hash >> 32) & (shard_count_ - 1)].Locate(
             file, offset, hash & (slots_per_shard_ - 1), slots_per_shard_ - 1) != nullptr;
}

BlockPin BlockCache::Insert(uint64_t file, uint64_t offset, BlockBuffer buffer, Priority priority) {
  const uint64_t hash = HashPlace(file, offset);
  const size_t mask = slots_per_shard_ - 1;
  Shard& shard = shards_[(hash >> 32) & (shard_count_ - 1)];
  const size_t charge = HugeHeap::UsedBytes(buffer.size_) + sizeof(BlockSlot);
  const size_t capacity = ShardCapacity();
  // A quarter of the slots stays free to keep probes short.
  const size_t held_max = slots_per_shard_ - slots_per_shard_ / 4;

  absl::MutexLock lock(&shard.mutex);
  if (BlockSlot* there = shard.Locate(file, offset, hash & mask, mask); there != nullptr) {
    // Nobody can empty it while we hold the lock.
    there->state.fetch_add(1, std::memory_order_acquire);
    return BlockPin(there, there->data, there->size);
  }
  if (charge > capacity / 8 || !shard.Evict(charge, capacity, held_max, mask)) {
    outside_bytes_.fetch_add(buffer.size_, std::memory_order_relaxed);
    BlockPin pin(nullptr, std::exchange(buffer.data_, nullptr), std::exchange(buffer.size_, 0));
    pin.cache_ = this;
    return pin;
  }
  size_t at = hash & mask;
  while ((shard.slots[at].state.load(std::memory_order_relaxed) & kHeld) != 0) {
    shard.slots[at].passed.fetch_add(1, std::memory_order_relaxed);
    at = (at + 1) & mask;
  }
  BlockSlot& slot = shard.slots[at];
  slot.file.store(file, std::memory_order_relaxed);
  slot.offset.store(offset, std::memory_order_relaxed);
  slot.data = std::exchange(buffer.data_, nullptr);
  slot.size = std::exchange(buffer.size_, 0);
  slot.charge = charge;
  shard.used_bytes += charge;
  ++shard.held;
  ++shard.inserted;
  // Added, not stored: a reader that took this slot for what it held before may be counted in for a
  // moment. Release: the fields come first.
  slot.state.fetch_add(kHeld | 1 | (priority == Priority::kPoint ? kClockOne : 0),
                       std::memory_order_release);
  return BlockPin(&slot, slot.data, slot.size);
}

void BlockCache::Erase(uint64_t file, uint64_t offset) {
  const uint64_t hash = HashPlace(file, offset);
  const size_t mask = slots_per_shard_ - 1;
  Shard& shard = shards_[(hash >> 32) & (shard_count_ - 1)];
  absl::MutexLock lock(&shard.mutex);
  BlockSlot* slot = shard.Locate(file, offset, hash & mask, mask);
  if (slot == nullptr) return;
  const uint64_t state = slot->state.load(std::memory_order_relaxed);
  if ((state & kCountMask) == 0) shard.Empty(*slot, state, mask);
}

void BlockCache::Charge(int64_t bytes) {
  charged_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

BlockCacheStats BlockCache::stats() const {
  BlockCacheStats stats;
  stats.capacity_bytes = capacity_bytes_;
  stats.charged_bytes =
      static_cast<uint64_t>(std::max<int64_t>(charged_bytes_.load(std::memory_order_relaxed), 0));
  stats.outside_bytes = outside_bytes_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < shard_count_; ++i) {
    const Shard& shard = shards_[i];
    absl::MutexLock lock(&shard.mutex);
    stats.block_bytes += shard.used_bytes;
    stats.blocks += shard.held;
    stats.inserted += shard.inserted;
    stats.evicted += shard.evicted;
    if (shard.held == 0) continue;
    for (size_t at = 0; at < slots_per_shard_; ++at) {
      const uint64_t state = shard.slots[at].state.load(std::memory_order_relaxed);
      if ((state & kHeld) != 0 && (state & kCountMask) != 0) {
        stats.pinned_bytes += shard.slots[at].charge;
      }
    }
  }
  return stats;
}

}  // namespace varve::sstable
