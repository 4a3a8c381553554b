#include "protocol/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve::protocol {
namespace {

using ::testing::HasSubstr;

std::string FrameOf(uint32_t id, FrameType type, std::string_view payload) {
  std::string bytes;
  AppendFrame({.request_id = id, .type = type}, payload, bytes);
  return bytes;
}

TEST(Frame, IsTwelveBytesAndItsPayload) {
  const std::string bytes = FrameOf(0x01020304, FrameType::kGetItem, "abc");
  EXPECT_EQ(bytes, std::string("\x03\0\0\0\x04\x03\x02\x01\x10\0\0\0abc", 15));
}

TEST(Frame, ThatHasNotArrivedWholeIsAwaited) {
  const std::string bytes = FrameOf(7, FrameType::kPing, "payload");
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto frame = ReadFrame(std::string_view(bytes).substr(0, size), 100);
    ASSERT_TRUE(frame.ok()) << size;
    EXPECT_FALSE(frame->has_value()) << size;
  }
  const std::string more = bytes + "more";
  const auto frame = ReadFrame(more, 100);
  ASSERT_TRUE(frame.ok());
  ASSERT_TRUE(frame->has_value());
  EXPECT_EQ((*frame)->header.request_id, 7u);
  EXPECT_EQ((*frame)->header.type, FrameType::kPing);
  EXPECT_EQ((*frame)->payload, "payload");
  EXPECT_EQ((*frame)->size_bytes(), bytes.size());
}

TEST(Frame, LongerThanTheLimitIsRefusedByItsHeader) {
  const std::string bytes = FrameOf(7, FrameType::kPutItem, std::string(101, 'x'));
  const auto frame = ReadFrame(bytes.substr(0, kFrameHeaderBytes), 100);
  ASSERT_FALSE(frame.ok());
  EXPECT_THAT(Message(frame.status()), HasSubstr("a frame of 101 bytes: the limit is 100"));
}

TEST(Frame, WithFlagsOrReservedBytesThatMeanNothingIsRefused) {
  for (const size_t at : {9, 10, 11}) {
    std::string bytes = FrameOf(7, FrameType::kPing, "");
    bytes[at] = 0x40;
    EXPECT_FALSE(ReadFrame(bytes, 100).ok()) << at;
  }
}

TEST(Frame, TypesOfOperationsHaveTheirNames) {
  EXPECT_EQ(OperationName(FrameType::kTransactWriteItems), "TransactWriteItems");
  EXPECT_EQ(OperationName(FrameType::kQueryStream), "Query");
  EXPECT_EQ(OperationName(FrameType::kPing), "");
}

}  // namespace
}  // namespace varve::protocol
