#include "sstable/block_cache.h"

#include <atomic>
#include <thread>

#include "testing.h"

namespace varve::sstable {
namespace {

// Contents that say which block they are.
BlockBuffer Block(uint64_t file, uint64_t offset, size_t bytes = 1000) {
  BlockBuffer buffer(bytes);
  for (size_t i = 0; i + 16 <= bytes; i += 16) {
    std::memcpy(buffer.data() + i, &file, 8);
    std::memcpy(buffer.data() + i + 8, &offset, 8);
  }
  return buffer;
}

bool Is(std::string_view bytes, uint64_t file, uint64_t offset) {
  const BlockBuffer expected = Block(file, offset, bytes.size());
  const size_t whole = bytes.size() / 16 * 16;
  return bytes.substr(0, whole) == expected.bytes().substr(0, whole);
}

TEST(BlockCache, ReturnsWhatWasInserted) {
  BlockCache cache({.capacity_bytes = 1 << 20});
  EXPECT_FALSE(cache.Lookup(1, 0));
  cache.Insert(1, 0, Block(1, 0));
  cache.Insert(1, 4096, Block(1, 4096));
  cache.Insert(2, 0, Block(2, 0));
  for (const auto& [file, offset] : {std::pair(1, 0), {1, 4096}, {2, 0}}) {
    const BlockPin pin = cache.Lookup(file, offset);
    ASSERT_TRUE(pin);
    EXPECT_TRUE(Is(pin.bytes(), file, offset));
  }
  EXPECT_FALSE(cache.Lookup(2, 4096));
}

TEST(BlockCache, TheSecondOfTwoInsertionsGetsTheBlockOfTheFirst) {
  BlockCache cache({.capacity_bytes = 1 << 20});
  const BlockPin first = cache.Insert(1, 0, Block(1, 0));
  const BlockPin second = cache.Insert(1, 0, Block(1, 0));
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  EXPECT_EQ(cache.stats().blocks, 1);
}

TEST(BlockCache, StaysWithinItsCapacityAndKeepsWhatIsUsed) {
  BlockCache cache({.capacity_bytes = 1 << 20});
  for (uint64_t i = 0; i < 10'000; ++i) {
    cache.Insert(1, i, Block(1, i));
    cache.Lookup(1, 5);  // one block is used all the time
    ASSERT_LE(cache.stats().block_bytes, 1 << 20);
  }
  EXPECT_TRUE(cache.Lookup(1, 5));
  EXPECT_FALSE(cache.Lookup(1, 6));
  EXPECT_GT(cache.stats().blocks, 200);
  EXPECT_EQ(cache.stats().inserted - cache.stats().evicted, cache.stats().blocks);
}

TEST(BlockCache, AScanDoesNotDriveOutWhatPointReadsUse) {
  BlockCache cache({.capacity_bytes = 1 << 20});
  for (uint64_t i = 0; i < 200; ++i) cache.Insert(1, i, Block(1, i));
  for (uint64_t i = 0; i < 200; ++i) cache.Lookup(1, i);
  for (uint64_t i = 0; i < 1000; ++i) {
    cache.Insert(2, i, Block(2, i), BlockCache::Priority::kScan);
  }
  size_t left = 0;
  for (uint64_t i = 0; i < 200; ++i) left += cache.Contains(1, i);
  EXPECT_EQ(left, 200);
}

TEST(BlockCache, APinnedBlockOutlivesItsEviction) {
  BlockCache cache({.capacity_bytes = 64 << 10});
  const BlockPin pin = cache.Insert(7, 7, Block(7, 7));
  for (uint64_t i = 0; i < 1000; ++i) cache.Insert(1, i, Block(1, i));
  EXPECT_TRUE(Is(pin.bytes(), 7, 7));
  EXPECT_GE(cache.stats().pinned_bytes, 1000);
  cache.Erase(7, 7);
  EXPECT_TRUE(Is(pin.bytes(), 7, 7));
}

TEST(BlockCache, WhatFindsNoRoomBelongsToItsPinAndIsCounted) {
  BlockCache cache({.capacity_bytes = 64 << 10});
  std::vector<BlockPin> pins;
  for (uint64_t i = 0; i < 200; ++i) {
    pins.push_back(cache.Insert(1, i, Block(1, i)));
    ASSERT_TRUE(Is(pins.back().bytes(), 1, i));
  }
  EXPECT_LE(cache.stats().block_bytes, 64 << 10);
  EXPECT_GT(cache.stats().outside_bytes, 100'000);
  pins.push_back(cache.Insert(2, 0, Block(2, 0, 1 << 20)));  // larger than everything
  EXPECT_TRUE(Is(pins.back().bytes(), 2, 0));
  EXPECT_FALSE(cache.Lookup(2, 0));
  pins.clear();
  EXPECT_EQ(cache.stats().outside_bytes, 0);
  EXPECT_EQ(cache.stats().pinned_bytes, 0);
}

TEST(BlockCache, ErasedBlocksAreGone) {
  BlockCache cache({.capacity_bytes = 1 << 20, .typical_block_bytes = 1000});
  for (uint64_t i = 0; i < 500; ++i) cache.Insert(1, i, Block(1, i));
  for (uint64_t i = 0; i < 500; i += 2) cache.Erase(1, i);
  for (uint64_t i = 0; i < 500; ++i) EXPECT_EQ(cache.Contains(1, i), i % 2 == 1);
  cache.Erase(9, 9);
}

TEST(BlockCache, ChargedMemoryLeavesLessForBlocks) {
  BlockCache cache({.capacity_bytes = 1 << 20});
  cache.Charge(700 << 10);
  for (uint64_t i = 0; i < 2000; ++i) cache.Insert(1, i, Block(1, i));
  EXPECT_LE(cache.stats().block_bytes, (1 << 20) - (700 << 10));
  cache.Charge(100 << 20);
  for (uint64_t i = 0; i < 2000; ++i) cache.Insert(2, i, Block(2, i));
  EXPECT_LE(cache.stats().block_bytes, 1 << 17);
  EXPECT_GT(cache.stats().blocks, 10);
  cache.Charge(-(100 << 20));
  cache.Charge(-(700 << 10));
  EXPECT_EQ(cache.stats().charged_bytes, 0);
}

// For the thread sanitizer, and for what it can't see.
TEST(BlockCache, ThreadsNeverGetAnotherBlockThanTheyAskFor) {
  BlockCache cache({.capacity_bytes = 256 << 10});
  std::atomic<uint64_t> hits = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Random random(t);
      std::vector<BlockPin> held;
      for (int i = 0; i < 20'000; ++i) {
        const uint64_t file = random.Below(3);
        const uint64_t offset = std::min(random.Below(300), random.Below(300));
        BlockPin pin = cache.Lookup(file, offset);
        hits += static_cast<bool>(pin);
        if (!pin) pin = cache.Insert(file, offset, Block(file, offset, 700 + offset));
        if (!Is(pin.bytes(), file, offset) || pin.bytes().size() != 700 + offset) ++wrong;
        if (random.OneIn(50)) cache.Erase(file, offset);
        if (random.OneIn(20)) held.push_back(std::move(pin));
        if (held.size() > 20) held.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(hits, 1000);
  EXPECT_EQ(cache.stats().pinned_bytes, 0);
  EXPECT_LE(cache.stats().block_bytes, 256 << 10);
}

}  // namespace
}  // namespace varve::sstable
