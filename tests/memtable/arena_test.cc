#include "memtable/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace varve::memtable {
namespace {

TEST(Arena, OwnsNothingUntilUsed) {
  Arena arena;
  EXPECT_EQ(arena.bytes(), 0u);
  EXPECT_NE(arena.Allocate(1), 0u);
  EXPECT_EQ(arena.bytes(), Arena::kFirstChunkBytes);
}

TEST(Arena, HandsOutMemoryThatDoesNotOverlap) {
  Arena arena;
  Random random(1);
  std::vector<std::pair<char*, std::string>> pieces;
  for (int i = 0; i < 20000; ++i) {
    const size_t bytes = random.OneIn(100) ? random.Between(1, 20000) : random.Between(1, 300);
    const size_t alignment = size_t{4} << random.Below(5);
    char* const piece = arena.At(arena.Allocate(bytes, alignment));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(piece) % alignment, 0u);
    const std::string content(bytes, static_cast<char>(random.Next()));
    std::memcpy(piece, content.data(), bytes);
    pieces.emplace_back(piece, content);
  }
  for (const auto& [piece, content] : pieces) {
    ASSERT_EQ(std::memcmp(piece, content.data(), content.size()), 0);
  }
}

TEST(Arena, DoublesSmallChunksAndCountsThemWhole) {
  Arena arena;
  for (int i = 0; i < 5; ++i) arena.Allocate(1000);
  EXPECT_EQ(arena.bytes(), 8192u);  // 4096 and 4096
  for (int i = 0; i < 5; ++i) arena.Allocate(1000);
  EXPECT_EQ(arena.bytes(), 16384u);  // and 8192
}

TEST(Arena, CountsMappedChunksAsFarAsUsed) {
  Arena arena;
  while (arena.bytes() < Arena::kHugePageBytes) arena.Allocate(4000);
  const size_t small_chunks_bytes = Arena::kHugePageBytes;
  for (size_t used = 0; used < 3 * Arena::kHugePageBytes; used += 4000) arena.Allocate(4000);
  EXPECT_GE(arena.bytes(), small_chunks_bytes + 3 * Arena::kHugePageBytes);
  EXPECT_LE(arena.bytes(), small_chunks_bytes + 5 * Arena::kHugePageBytes);
}

TEST(Arena, TakesLargeChunksFromThePoolAndGivesThemBack) {
  ChunkPool pool(uint64_t{1} << 30);
  const size_t bytes = size_t{16} << 20;
  char* first;
  {
    Arena arena(&pool);
    arena.Allocate(4);
    first = arena.At(arena.Allocate(bytes));
    EXPECT_EQ(pool.bytes(), 0u);
  }
  EXPECT_EQ(pool.bytes(), bytes);
  Arena arena(&pool);
  arena.Allocate(4);
  // Counted as it is used, not as it was before.
  EXPECT_EQ(arena.At(arena.Allocate(bytes - Arena::kHugePageBytes)), first);
  EXPECT_EQ(arena.bytes(), Arena::kFirstChunkBytes + bytes - Arena::kHugePageBytes);
  EXPECT_EQ(pool.bytes(), 0u);
}

TEST(Arena, WhatThePoolHasNoRoomForGoesBackToTheSystem) {
  ChunkPool pool(size_t{4} << 20);
  { Arena(&pool).Allocate(size_t{16} << 20); }
  EXPECT_EQ(pool.bytes(), 0u);
  { Arena(&pool).Allocate(size_t{4} << 20); }
  EXPECT_EQ(pool.bytes(), size_t{4} << 20);
}

TEST(Arena, ALargeRequestSkipsChunksItCannotUse) {
  Arena arena;
  const size_t bytes = size_t{100} << 10;
  char* const piece = arena.At(arena.Allocate(bytes));
  std::memset(piece, 1, bytes);
  EXPECT_EQ(arena.bytes(), size_t{128} << 10);
  const size_t larger_bytes = size_t{16} << 20;
  std::memset(arena.At(arena.Allocate(larger_bytes)), 2, larger_bytes);
  EXPECT_EQ(arena.bytes(), (size_t{128} << 10) + larger_bytes);
  EXPECT_EQ(piece[bytes - 1], 1);
}

}  // namespace
}  // namespace varve::memtable
