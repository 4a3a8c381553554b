#include "server/waiting_requests.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace varve::server {
namespace {

protocol::FrameHeader HeaderOf(uint32_t id) {
  return {.request_id = id, .type = protocol::FrameType::kGetItem};
}

TEST(WaitingRequests, ComeOutInTheirOrder) {
  WaitingRequests waiting;
  EXPECT_TRUE(waiting.empty());
  for (const uint32_t id : {7, 3, 5}) waiting.Push(HeaderOf(id), std::to_string(id));
  EXPECT_TRUE(waiting.Contains(3));
  EXPECT_EQ(waiting.Remove(3)->request_id, 3u);
  EXPECT_FALSE(waiting.Contains(3));
  EXPECT_FALSE(waiting.Remove(3));
  EXPECT_EQ(waiting.Pop().payload, "7");
  EXPECT_EQ(waiting.Pop().payload, "5");
  EXPECT_TRUE(waiting.empty());
  EXPECT_EQ(waiting.bytes(), 0u);
}

// Beside a model, through more gaps than are kept.
TEST(WaitingRequests, KeepTheirOrderHoweverManyAreTakenOut) {
  Random random(1);
  WaitingRequests waiting;
  std::deque<uint32_t> model;
  for (uint32_t id = 1; id < 20'000; ++id) {
    waiting.Push(HeaderOf(id), "payload");
    model.push_back(id);
    while (model.size() > 300 || (!model.empty() && random.Next() % 3 == 0)) {
      if (random.Next() % 2 == 0) {
        ASSERT_EQ(waiting.Pop().header.request_id, model.front());
        model.pop_front();
      } else {
        const auto at = model.begin() + static_cast<ptrdiff_t>(random.Next() % model.size());
        ASSERT_TRUE(waiting.Remove(*at));
        model.erase(at);
      }
    }
    ASSERT_EQ(waiting.empty(), model.empty());
    ASSERT_EQ(waiting.bytes(), model.size() * (sizeof(WaitingRequests::Entry) + 7));
  }
}

}  // namespace
}  // namespace varve::server
