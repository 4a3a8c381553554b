#include "wal/format.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wal/record.h"
#include "wal/segment.h"

namespace varve::wal {
namespace {

SegmentHeader SomeHeader() {
  SegmentHeader header;
  header.medium = Medium::kRelaxed;
  header.database_id = 77;
  header.number = 12;
  header.start_lsn = 1 << 20;
  header.bytes = 16 * io::kPageBytes;
  return header;
}

std::string Encoded(const SegmentHeader& header) {
  std::string page(kSegmentHeaderBytes, 'x');
  EncodeSegmentHeader(header, page.data());
  return page;
}

TEST(SegmentHeader, ReadsBackWhatWasWritten) {
  const auto header = DecodeSegmentHeader(Encoded(SomeHeader()), "f");
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->medium, Medium::kRelaxed);
  EXPECT_EQ(header->database_id, 77u);
  EXPECT_EQ(header->number, 12u);
  EXPECT_EQ(header->start_lsn, 1u << 20);
  EXPECT_EQ(header->bytes, 16 * io::kPageBytes);
}

TEST(SegmentHeader, RefusesEveryFlippedBit) {
  const std::string good = Encoded(SomeHeader());
  for (size_t byte = 0; byte < good.size(); ++byte) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ (1 << byte % 8));
    EXPECT_EQ(DecodeSegmentHeader(bad, "f").status().code(), absl::StatusCode::kDataLoss) << byte;
  }
}

TEST(SegmentHeader, RefusesAShortPage) {
  EXPECT_FALSE(DecodeSegmentHeader(Encoded(SomeHeader()).substr(0, 100), "f").ok());
}

TEST(SegmentHeader, NamesAVersionItDoesNotKnow) {
  std::string page = Encoded(SomeHeader());
  StoreFixed(page.data() + 8, uint32_t{9});
  StoreFixed(page.data() + 4088, Checksum({page.data(), 4088}));
  const auto header = DecodeSegmentHeader(page, "f");
  EXPECT_EQ(header.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Message(header.status()).find("version 9"), std::string_view::npos);
}

TEST(SegmentName, IsTenDigitsAndAnEnding) {
  EXPECT_EQ(SegmentPath("/d", 12), "/d/0000000012.log");
  EXPECT_EQ(SegmentNumberOf("0000000012.log", ".log"), 12u);
  for (const char* name : {"12.log", "0000000012.spare", "000000001x.log", "0000000000.log",
                           "00000000012.log", "-000000012.log", ""}) {
    EXPECT_EQ(SegmentNumberOf(name, ".log"), std::nullopt) << name;
  }
}

class RecordTest : public ::testing::Test {
 protected:
  RecordTest() : bytes_(SomeHeader().bytes, '\0') {}

  void Write(uint64_t offset, std::string_view payload) {
    const std::string_view parts[] = {payload.substr(0, 1), "", payload.substr(1)};
    WriteBatchRecord(bytes_.data() + offset, context_, context_.start_lsn + offset, 5, 9, parts,
                     payload.size());
  }

  ParseResult Parse(uint64_t offset) { return ParseRecord(bytes_, offset, context_, &parsed_); }

  std::string bytes_;
  RecordContext context_{SomeHeader()};
  ParsedRecord parsed_;
};

TEST_F(RecordTest, ReadsBackWhatWasWritten) {
  Write(4096, "hello");
  ASSERT_EQ(Parse(4096), ParseResult::kRecord);
  EXPECT_EQ(parsed_.payload, "hello");
  EXPECT_EQ(parsed_.bytes, 48u);
  EXPECT_EQ(parsed_.header.sequence, 5u);
  EXPECT_EQ(parsed_.header.durable_lsn, 9u);
  EXPECT_EQ(parsed_.header.type(), RecordType::kBatch);
}

TEST_F(RecordTest, RefusesEveryFlippedBit) {
  Write(4096, "hello");
  for (size_t bit = 0; bit < 48 * 8; ++bit) {
    char& byte = bytes_[4096 + bit / 8];
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    EXPECT_EQ(Parse(4096), ParseResult::kBad) << bit;
    byte = static_cast<char>(byte ^ (1 << bit % 8));
  }
  EXPECT_EQ(Parse(4096), ParseResult::kRecord);
}

TEST_F(RecordTest, BelongsToItsPlace) {
  Write(4096, "hello");
  bytes_.replace(8192, 48, bytes_, 4096, 48);
  EXPECT_EQ(Parse(8192), ParseResult::kBad);
}

TEST_F(RecordTest, BelongsToItsLifeAndDatabase) {
  Write(4096, "hello");
  SegmentHeader other = SomeHeader();
  other.database_id = 78;
  EXPECT_EQ(ParseRecord(bytes_, 4096, RecordContext(other), &parsed_), ParseResult::kBad);
  // Even where the plain fields agree.
  other = SomeHeader();
  RecordContext same_number(other);
  other.number = 13;
  same_number.seed = RecordContext(other).seed;
  EXPECT_EQ(ParseRecord(bytes_, 4096, same_number, &parsed_), ParseResult::kBad);
}

TEST_F(RecordTest, AsksForMoreWhenTheBytesEndInsideIt) {
  Write(4096, "hello");
  const std::string_view all = bytes_;
  EXPECT_EQ(ParseRecord(all.substr(0, 4096 + 20), 4096, context_, &parsed_),
            ParseResult::kIncomplete);
  EXPECT_EQ(ParseRecord(all.substr(0, 4096 + 44), 4096, context_, &parsed_),
            ParseResult::kIncomplete);
}

TEST_F(RecordTest, ZerosAreNone) { EXPECT_EQ(Parse(4096), ParseResult::kBad); }

TEST_F(RecordTest, PadsFillTheirPageExactly) {
  for (const size_t left : {size_t{40}, size_t{48}, size_t{4088}}) {
    const uint64_t offset = 8192 - left;
    FillPage(bytes_.data() + offset, context_, RecordType::kPad, context_.start_lsn + offset, 0);
    ASSERT_EQ(Parse(offset), ParseResult::kRecord) << left;
    EXPECT_EQ(parsed_.bytes, left);
    EXPECT_EQ(parsed_.header.type(), RecordType::kPad);
  }
}

TEST_F(RecordTest, TooLittleRoomForAHeaderIsZeroed) {
  bytes_.assign(bytes_.size(), 'x');
  const uint64_t offset = 8192 - 32;
  FillPage(bytes_.data() + offset, context_, RecordType::kPad, context_.start_lsn + offset, 0);
  EXPECT_EQ(bytes_.substr(offset, 33), std::string(32, '\0') + "x");
  EXPECT_EQ(SkipBytes(offset), 32u);
}

}  // namespace
}  // namespace varve::wal
