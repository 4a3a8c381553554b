#include "sstable/huge_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "base/random.h"

namespace varve::sstable {
namespace {

struct Piece {
  char* memory;
  size_t bytes;
  char fill;
};

bool Intact(const Piece& piece) {
  for (size_t i = 0; i < piece.bytes; ++i) {
    if (piece.memory[i] != piece.fill) return false;
  }
  return true;
}

// Allocates and frees pieces of many sizes at random; each keeps its bytes until it is freed.
void Exercise(uint64_t seed) {
  Random random(seed);
  std::vector<Piece> pieces;
  for (int step = 0; step < 4000; ++step) {
    if (pieces.size() > 300 || (!pieces.empty() && random.Below(3) == 0)) {
      std::swap(pieces[random.Below(pieces.size())], pieces.back());
      ASSERT_TRUE(Intact(pieces.back()));
      HugeHeap::Free(pieces.back().memory, pieces.back().bytes);
      pieces.pop_back();
    } else {
      const size_t bytes = random.Below(200) == 0 ? random.Below(3 << 20) : random.Below(20'000);
      Piece piece = {HugeHeap::Allocate(bytes), bytes, static_cast<char>(step)};
      ASSERT_EQ(reinterpret_cast<uintptr_t>(piece.memory) % 64, 0u);
      ASSERT_GE(HugeHeap::UsedBytes(bytes), bytes);
      if (bytes > 0) std::memset(piece.memory, piece.fill, bytes);
      pieces.push_back(piece);
    }
  }
  for (const Piece& piece : pieces) {
    ASSERT_TRUE(Intact(piece));
    HugeHeap::Free(piece.memory, piece.bytes);
  }
}

TEST(HugeHeap, PiecesDoNotOverlap) { Exercise(1); }

TEST(HugeHeap, ThreadsMayFreeWhatOthersAllocated) {
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) threads.emplace_back([i] { Exercise(10 + i); });
  for (std::thread& thread : threads) thread.join();
  std::vector<char*> pieces;
  for (int i = 0; i < 1000; ++i) pieces.push_back(HugeHeap::Allocate(4096));
  std::thread([&] {
    for (char* piece : pieces) HugeHeap::Free(piece, 4096);
  }).join();
}

TEST(HugeHeap, EmptyChunksGoBackToTheSystem) {
  const size_t before = HugeHeap::ChunkBytes();
  std::vector<char*> pieces;
  for (int i = 0; i < 4096; ++i) pieces.push_back(HugeHeap::Allocate(4096));
  for (char* piece : pieces) HugeHeap::Free(piece, 4096);
  EXPECT_LE(HugeHeap::ChunkBytes(), before + HugeHeap::kChunkBytes);
}

TEST(HugeHeap, MappedMemoryIsZero) {
  char* const memory = HugeHeap::Map(3 << 20);
  for (size_t i = 0; i < size_t{3} << 20; ++i) ASSERT_EQ(memory[i], 0);
  HugeHeap::Unmap(memory, 3 << 20);
}

TEST(HugeArray, IsMovedWithItsElements) {
  HugeArray<uint64_t> array(100);
  for (size_t i = 0; i < array.size(); ++i) array[i] = i;
  HugeArray<uint64_t> other = std::move(array);
  ASSERT_EQ(other.size(), 100u);
  EXPECT_EQ(other[99], 99u);
  EXPECT_EQ(array.size(), 0u);
}

}  // namespace
}  // namespace varve::sstable
