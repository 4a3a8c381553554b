#include "base/coding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace varve {
namespace {

std::vector<uint64_t> Numbers() {
  std::vector<uint64_t> numbers;
  for (int bit = 0; bit < 64; ++bit) {
    numbers.push_back((uint64_t{1} << bit) - 1);
    numbers.push_back(uint64_t{1} << bit);
    numbers.push_back((uint64_t{1} << bit) + 1);
  }
  numbers.push_back(std::numeric_limits<uint64_t>::max());
  return numbers;
}

TEST(Coding, FixedIntegersAreLittleEndian) {
  std::string bytes;
  AppendU32(bytes, 0x01020304);
  EXPECT_EQ(bytes, std::string("\4\3\2\1", 4));
  EXPECT_EQ(LoadU32(bytes.data()), 0x01020304u);
  AppendU64(bytes, 0x1122334455667788);
  EXPECT_EQ(LoadU64(bytes.data() + 4), 0x1122334455667788u);
}

TEST(Coding, BigEndianBytesSortAsTheirNumbers) {
  std::vector<std::string> encoded;
  for (const uint64_t number :
       {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes;
    AppendBigU64(bytes, number);
    EXPECT_EQ(LoadBigU64(bytes.data()), number);
    if (!encoded.empty()) {
      EXPECT_LT(encoded.back(), bytes);
    }
    encoded.push_back(bytes);
  }
}

TEST(Coding, VarintsReturnWhatWentIn) {
  for (const uint64_t number : Numbers()) {
    std::string bytes;
    AppendVarint(bytes, number);
    EXPECT_EQ(bytes.size(), VarintBytes(number)) << number;
    EXPECT_LE(bytes.size(), kVarint64BytesMax);
    uint64_t back = 0;
    const char* const end = bytes.data() + bytes.size();
    EXPECT_EQ(LoadVarint(bytes.data(), end, &back), end);
    EXPECT_EQ(back, number);
  }
}

TEST(Coding, VarintsCutShortAreRefused) {
  for (const uint64_t number : Numbers()) {
    std::string bytes;
    AppendVarint(bytes, number);
    uint64_t back = 0;
    for (size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(LoadVarint(bytes.data(), bytes.data() + length, &back), nullptr);
    }
  }
}

TEST(Coding, VarintsOver64BitsAreRefused) {
  uint64_t back = 0;
  for (const std::string& bytes : {std::string(9, '\x80') + '\x02',
                                   std::string(10, '\x80') + '\x01', std::string(20, '\xff')}) {
    EXPECT_EQ(LoadVarint(bytes.data(), bytes.data() + bytes.size(), &back), nullptr);
  }
}

TEST(Coding, TakesFieldsOffTheFront) {
  std::string bytes;
  AppendVarint(bytes, 300);
  AppendU32(bytes, 7);
  AppendLengthPrefixed(bytes, "hello");
  AppendLengthPrefixed(bytes, "");
  std::string_view rest = bytes;
  uint64_t varint = 0;
  uint32_t fixed = 0;
  std::string_view text;
  ASSERT_TRUE(TakeVarint(rest, &varint));
  EXPECT_EQ(varint, 300u);
  ASSERT_TRUE(TakeFixed(rest, &fixed));
  EXPECT_EQ(fixed, 7u);
  ASSERT_TRUE(TakeLengthPrefixed(rest, &text));
  EXPECT_EQ(text, "hello");
  ASSERT_TRUE(TakeLengthPrefixed(rest, &text));
  EXPECT_EQ(text, "");
  EXPECT_TRUE(rest.empty());
  EXPECT_FALSE(TakeVarint(rest, &varint));
  EXPECT_FALSE(TakeFixed(rest, &fixed));
  EXPECT_FALSE(TakeLengthPrefixed(rest, &text));
}

TEST(Coding, RefusesALengthLongerThanWhatFollows) {
  for (const uint64_t length : {uint64_t{4}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes;
    AppendVarint(bytes, length);
    bytes += "abc";
    std::string_view rest = bytes;
    std::string_view text;
    EXPECT_FALSE(TakeLengthPrefixed(rest, &text)) << length;
  }
}

}  // namespace
}  // namespace varve
