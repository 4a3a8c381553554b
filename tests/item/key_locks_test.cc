#include "item/key_locks.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "io/sim.h"

namespace varve::item {
namespace {

// A counter that two holders at once would corrupt, for each of a few keys.
struct World {
  KeyLocks locks;
  std::vector<int> holders = std::vector<int>(5, 0);
  std::vector<int> order;
  int done = 0;
};

io::Task<void> Hold(World* world, uint64_t key, int id) {
  const KeyLocks::Guard lock = co_await world->locks.Lock(key);
  EXPECT_EQ(++world->holders[key], 1);
  world->order.push_back(id);
  co_await io::SleepFor(1000);
  EXPECT_EQ(--world->holders[key], 0);
  ++world->done;
}

io::Task<void> HoldMany(World* world, uint64_t keys, int times) {
  io::TaskGroup group;
  for (int i = 0; i < times; ++i) group.Add(Hold(world, static_cast<uint64_t>(i) % keys, i));
  co_await group.Wait();
}

TEST(KeyLocks, LetOneHolderInAtATimePerKey) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    io::SimIo io({.seed = seed});
    World world;
    io::BlockOn(io, HoldMany(&world, 5, 100));
    EXPECT_EQ(world.done, 100);
  }
}

TEST(KeyLocks, AreGivenInTheOrderTheyWereAskedFor) {
  io::SimIo io({.seed = 3});
  World world;
  io::BlockOn(io, HoldMany(&world, 1, 20));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.order[i], i);
}

// Takes several keys in ascending order, as batches do.
io::Task<void> HoldSeveral(World* world, std::vector<uint64_t> keys) {
  std::vector<KeyLocks::Guard> locks;
  for (const uint64_t key : keys) {
    KeyLocks::Guard lock = co_await world->locks.Lock(key);
    locks.push_back(std::move(lock));
    EXPECT_EQ(++world->holders[key], 1);
    co_await io::SleepFor(100);
  }
  for (const uint64_t key : keys) --world->holders[key];
  ++world->done;
}

io::Task<void> HoldSubsets(World* world, int times) {
  io::TaskGroup group;
  for (int i = 0; i < times; ++i) {
    std::vector<uint64_t> keys;
    for (uint64_t key = 0; key < 5; ++key) {
      if ((i >> key & 1) != 0) keys.push_back(key);
    }
    group.Add(HoldSeveral(world, std::move(keys)));
  }
  co_await group.Wait();
}

TEST(KeyLocks, DoNotDeadlockWhenTakenInOneOrder) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    io::SimIo io({.seed = seed});
    World world;
    io::BlockOn(io, HoldSubsets(&world, 64));
    EXPECT_EQ(world.done, 64);
  }
}

}  // namespace
}  // namespace varve::item
