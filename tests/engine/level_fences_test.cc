#include "engine/level_fences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"

namespace varve::engine {
namespace {

using compaction::KeyInterval;

std::string MakeKey(Random& random, int style) {
  static const char* const kPrefixes[] = {"", "table/0001/", "abcdefgh"};
  std::string key = kPrefixes[style];
  AppendBigU64(key, style == 2 ? random.Below(200) : random.Next() << random.Below(60));
  return key.substr(0, key.size() - random.Below(3));
}

TEST(LevelFences, AgreeWithComparisonsOfWholeKeys) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const int style = round % 3;
    std::set<std::string> cuts;
    const size_t wanted = 2 * (1 + random.Below(40));
    for (int tries = 0; cuts.size() < wanted && tries < 1000; ++tries) {
      cuts.insert(MakeKey(random, style));
    }
    const std::vector<std::string> keys(cuts.begin(), cuts.end());
    std::vector<KeyInterval> tables;
    for (size_t i = 0; i + 1 < keys.size(); i += 2) {
      tables.push_back({keys[i], keys[i + 1], random.Below(2) == 0});
    }
    if (random.Below(4) == 0) tables.back() = {tables.back().begin, {}, false};
    if (random.Below(4) == 0) tables.front().begin = {};
    const LevelFences fences(tables);
    ASSERT_EQ(fences.size(), tables.size());
    for (int probe = 0; probe < 300; ++probe) {
      const std::string key =
          probe % 3 == 0 ? keys[random.Below(keys.size())] : MakeKey(random, probe % 2 ? style : 0);
      const FenceKey fence_key(fences, key);
      size_t expected = tables.size();
      for (size_t i = 0; i < tables.size(); ++i) {
        ASSERT_EQ(fences.Contains(i, fence_key), tables[i].Contains(key));
        if (tables[i].Contains(key)) expected = i;
      }
      ASSERT_EQ(fences.Find(fence_key), expected);
    }
  }
}

TEST(LevelFences, OfNoTablesFindNothing) {
  const LevelFences fences;
  EXPECT_EQ(fences.Find(FenceKey(fences, "a")), 0u);
}

}  // namespace
}  // namespace varve::engine
