#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace varve {
namespace {

TEST(Histogram, IsZeroWhileEmpty) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.Percentile(50), 0u);
}

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (uint64_t value = 0; value <= 60; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(0), 0u);
  EXPECT_EQ(histogram.Percentile(50), 30u);
  EXPECT_EQ(histogram.Percentile(100), 60u);
  EXPECT_EQ(histogram.mean(), 30);
}

TEST(Histogram, TakesTheWholeRange) {
  Histogram histogram;
  for (int bit = 0; bit < 64; ++bit) {
    histogram.Add(uint64_t{1} << bit);
    histogram.Add((uint64_t{1} << bit) - 1);
  }
  histogram.Add(~uint64_t{0});
  EXPECT_EQ(histogram.count(), 129u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), ~uint64_t{0});
  EXPECT_EQ(histogram.Percentile(100), ~uint64_t{0});
}

TEST(Histogram, NamesPercentilesWithinAThirtySecond) {
  Histogram histogram;
  Random random(1);
  std::vector<uint64_t> values;
  for (int i = 0; i < 50000; ++i) {
    values.push_back(random.Next() >> random.Below(60));
    histogram.Add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const size_t rank = static_cast<size_t>(percent / 100 * static_cast<double>(values.size()));
    const uint64_t exact = values[rank == 0 ? 0 : rank - 1];
    const uint64_t got = histogram.Percentile(percent);
    EXPECT_GE(got, exact);
    EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * (1 + 1.0 / 32) + 1);
  }
}

TEST(Histogram, MergesAsIfAllHadBeenAddedToOne) {
  Histogram all;
  Histogram parts[3];
  Random random(2);
  for (int i = 0; i < 3000; ++i) {
    const uint64_t value = random.Below(1000000);
    all.Add(value);
    parts[i % 3].Add(value);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.Merge(part);
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  EXPECT_DOUBLE_EQ(merged.mean(), all.mean());
  EXPECT_EQ(merged.Percentile(99), all.Percentile(99));
}

}  // namespace
}  // namespace varve
