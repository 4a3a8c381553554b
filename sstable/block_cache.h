// BlockCache: decoded blocks of tables, and values of value files, by file and offset.
//
//   BlockPin pin = cache.Lookup(file, offset);
//   if (!pin) {
//     BlockBuffer buffer(raw_bytes);
//     ... read and decode into buffer.data() ...
//     pin = cache.Insert(file, offset, std::move(buffer));
//   }
//   Use(pin.bytes());
//
// Bounded in bytes, split into shards, replaced by CLOCK. A hit takes no lock: it adds one to the
// reference count of a slot, checks that the slot is still what it was, and is done. Slots are
// never freed while the cache lives, so the count can always be touched; what a slot holds can go
// only while its count is zero. Insertions and evictions take the shard's lock. A race with an
// eviction can make a hit look like a miss, never like another block.
//
// Thread-safe. Must outlive its pins. (The scheme is that of RocksDB's HyperClockCache, simplified
// by letting writers lock.)
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace varve::sstable {

class BlockCache;

// Memory for one block, owned by whoever fills it until it is given to the cache. Unset contents.
class BlockBuffer {
 public:
  BlockBuffer() = default;
  explicit BlockBuffer(size_t bytes);
  BlockBuffer(BlockBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  BlockBuffer& operator=(BlockBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~BlockBuffer();

  char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view bytes() const { return {data_, size_}; }

 private:
  friend class BlockCache;
  friend class BlockPin;

  char* data_ = nullptr;
  size_t size_ = 0;
};

namespace internal {

// One cache line. `state`: bits 0..31 count references, bits 32..33 are the clock, bit 63 is set
// while the slot holds a block. The other fields are written by the holder of the shard's lock
// while bit 63 is clear, and may be trusted by whoever found it set after having counted himself
// in.
struct alignas(64) BlockSlot {
  std::atomic<uint64_t> state{0};
  std::atomic<uint64_t> file{0};
  std::atomic<uint64_t> offset{0};
  char* data = nullptr;
  uint64_t size = 0;
  uint64_t charge = 0;
  // How many blocks lie further along the probe sequence because they found this slot taken.
  std::atomic<uint32_t> passed{0};
};

}  // namespace internal

// A block that stays where it is as long as this lives, whatever the cache does. Move-only. Pinned
// bytes cannot be evicted: hold few, and not for long.
class BlockPin {
 public:
  BlockPin() = default;
  BlockPin(BlockPin&& other) noexcept
      : slot_(std::exchange(other.slot_, nullptr)),
        cache_(std::exchange(other.cache_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  BlockPin& operator=(BlockPin&& other) noexcept {
    if (this != &other) {
      Release();
      slot_ = std::exchange(other.slot_, nullptr);
      cache_ = std::exchange(other.cache_, nullptr);
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~BlockPin() { Release(); }

  // A block that no cache knows.
  static BlockPin Own(BlockBuffer buffer) {
    return BlockPin(nullptr, std::exchange(buffer.data_, nullptr), std::exchange(buffer.size_, 0));
  }

  explicit operator bool() const { return data_ != nullptr; }
  std::string_view bytes() const { return {data_, size_}; }

  void Release() {
    if (slot_ != nullptr) {
      // Release: my reads of the block come before its eviction.
      slot_->state.fetch_sub(1, std::memory_order_release);
      slot_ = nullptr;
    } else if (data_ != nullptr) {
      ReleaseOutside();
    }
    data_ = nullptr;
    size_ = 0;
  }

 private:
  friend class BlockCache;

  BlockPin(internal::BlockSlot* slot, const char* data, size_t size)
      : slot_(slot), data_(data), size_(size) {}
  void ReleaseOutside();

  internal::BlockSlot* slot_ = nullptr;  // nullptr: the block is not in the cache, and is the pin's
  BlockCache* cache_ = nullptr;          // that counts the bytes, if one does
  const char* data_ = nullptr;
  size_t size_ = 0;
};

struct BlockCacheOptions {
  // Blocks, their slots, and what Charge adds stay within this.
  size_t capacity_bytes = size_t{64} << 20;
  // The number of slots follows from it: smaller blocks fill the slots before the bytes.
  size_t typical_block_bytes = 4096;
};

struct BlockCacheStats {
  uint64_t capacity_bytes = 0;
  uint64_t block_bytes = 0;    // held by slots
  uint64_t pinned_bytes = 0;   // of block_bytes, in use at the moment
  uint64_t outside_bytes = 0;  // pinned blocks that found no room in the cache
  uint64_t charged_bytes = 0;  // indexes and filters
  uint64_t blocks = 0;
  uint64_t inserted = 0;  // since the start; so many misses were filled
  uint64_t evicted = 0;
};

class BlockCache {
 public:
  explicit BlockCache(const BlockCacheOptions& options);
  // No pin may be left.
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // How a new block starts on the clock.
  enum class Priority : uint8_t {
    kScan = 0,   // goes at the first pass of the hand unless somebody asks for it before
    kPoint = 1,  // at the second
  };

  // The block of `file` at `offset`, or an empty pin. `file` is a number that is never used for two
  // files in the life of the cache.
  BlockPin Lookup(uint64_t file, uint64_t offset) { return Find(file, offset, /*touch=*/true); }
  // The same without telling the clock: for compactions.
  BlockPin Peek(uint64_t file, uint64_t offset) { return Find(file, offset, /*touch=*/false); }
  // Asks for the memory that a Lookup will look at first.
  void Prefetch(uint64_t file, uint64_t offset) const;
  // Whether it is there at the moment; pins nothing, touches nothing.
  bool Contains(uint64_t file, uint64_t offset) const;

  // Keeps the block and returns it pinned. If it is there already (somebody was faster), returns
  // that one. If there is no room because everything is pinned, or the block is larger than an
  // eighth of a shard, the block belongs to the pin and goes with it.
  BlockPin Insert(uint64_t file, uint64_t offset, BlockBuffer buffer,
                  Priority priority = Priority::kPoint);

  // Forgets a block unless it is pinned.
  void Erase(uint64_t file, uint64_t offset);

  // Memory that counts against the capacity, though the cache does not hold it: adds `bytes`, which
  // may be negative. Blocks keep at least an eighth of the capacity.
  void Charge(int64_t bytes);

  // Walks over all slots for pinned_bytes: for a status page, not for a hot path.
  BlockCacheStats stats() const;

 private:
  friend class BlockPin;
  struct Shard;

  BlockPin Find(uint64_t file, uint64_t offset, bool touch);
  size_t ShardCapacity() const;
  size_t SlotBytes() const { return shard_count_ * slots_per_shard_ * sizeof(internal::BlockSlot); }

  const size_t capacity_bytes_;
  size_t shard_count_;      // a power of two
  size_t slots_per_shard_;  // a power of two
  std::atomic<int64_t> charged_bytes_{0};
  std::atomic<uint64_t> outside_bytes_{0};
  std::unique_ptr<Shard[]> shards_;
  internal::BlockSlot* slots_ = nullptr;  // of all shards, one after the other
};

}  // namespace varve::sstable
