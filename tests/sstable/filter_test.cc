#include "sstable/filter.h"

#include "testing.h"

namespace varve::sstable {
namespace {

std::vector<uint64_t> Hashes(uint64_t from, uint64_t count) {
  std::vector<uint64_t> hashes;
  for (uint64_t i = from; i < from + count; ++i) hashes.push_back(Hash(fmt::format("key{}", i)));
  return hashes;
}

TEST(Filter, NeverDeniesAKeyThatIsThere) {
  for (const uint32_t bits : {1u, 5u, 10u, 20u, 100u}) {
    for (const uint64_t count : {1u, 2u, 50u, 20000u}) {
      const std::vector<uint64_t> hashes = Hashes(0, count);
      const Filter filter(BuildFilter(hashes, bits), FilterProbes(bits));
      for (const uint64_t hash : hashes) ASSERT_TRUE(filter.MayContain(hash));
    }
  }
}

TEST(Filter, TenBitsAKeyLetAboutOneInAHundredAbsentKeysThrough) {
  const Filter filter(BuildFilter(Hashes(0, 100'000), 10), FilterProbes(10));
  EXPECT_EQ(filter.memory_bytes() * 8 / 100'000, 10);
  size_t wrong = 0;
  for (const uint64_t hash : Hashes(1'000'000, 100'000)) wrong += filter.MayContain(hash);
  EXPECT_GT(wrong, 500);
  EXPECT_LT(wrong, 1300);
}

TEST(Filter, AnEmptyOneLetsEverythingThrough) { EXPECT_TRUE(Filter().MayContain(42)); }

}  // namespace
}  // namespace varve::sstable
