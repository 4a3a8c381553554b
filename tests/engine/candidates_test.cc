// Which partitions the policy is asked about: none is forgotten that changes while it is looked at.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "compaction/policy.h"
#include "engine/db.h"
#include "io/sim.h"

namespace varve::engine {
namespace {

// Finds nothing to do, and tells of each look.
class Onlooker final : public compaction::Policy {
 public:
  std::string_view name() const override { return "onlooker"; }
  std::optional<compaction::Plan> Pick(const compaction::PartitionView& view) const override {
    oldest_boundary = view.oldest_boundary;
    if (auto once = std::exchange(during_next_look, nullptr)) once();
    return std::nullopt;
  }
  compaction::RangeStep PickRange(const compaction::PartitionView&, const compaction::KeyInterval&,
                                  compaction::RangeProgress&) const override {
    return {};
  }
  double Debt(const compaction::PartitionView&) const override { return 0; }

  mutable std::function<void()> during_next_look;
  mutable SequenceNumber oldest_boundary = 0;  // of the last look
};

// Less than makes a database idle, when all partitions are looked at anyway.
constexpr uint64_t kWhileNs = 200'000'000;

TEST(CandidatesTest, APartitionThatChangesDuringALookIsLookedAtAgain) {
  io::SimIo io({.seed = 1});
  const auto policy = std::make_shared<Onlooker>();
  Options options;
  options.policy = policy;
  auto db = Db::Open(io, "/db", options);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_TRUE((*db)->Put("a", "1").ok());
  std::unique_ptr<Snapshot> snapshot = (*db)->GetSnapshot();
  const SequenceNumber held = snapshot->sequence();
  ASSERT_TRUE((*db)->Delete("a").ok());
  ASSERT_TRUE((*db)->Flush().ok());
  io.RunFor(kWhileNs);
  ASSERT_EQ(policy->oldest_boundary, held);
  // The look that this flush leads to has seen the snapshot, so a tombstone that it holds.
  policy->during_next_look = [&] { snapshot.reset(); };
  ASSERT_TRUE((*db)->Put("b", "1").ok());
  ASSERT_TRUE((*db)->Flush().ok());
  io.RunFor(kWhileNs);
  EXPECT_EQ(snapshot, nullptr);
  EXPECT_GT(policy->oldest_boundary, held);
  ASSERT_TRUE((*db)->Close().ok());
}

}  // namespace
}  // namespace varve::engine
