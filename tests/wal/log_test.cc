#include "wal/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/support/io_fixture.h"
#include "tests/wal/log_harness.h"
#include "wal/dump.h"
#include "wal/segment.h"

namespace varve::wal {
namespace {

using ::testing::HasSubstr;
using ::varve::testing::IoEnvironment;
using ::varve::testing::IoKind;
using ::varve::testing::IoKindName;

class LogTest : public ::testing::TestWithParam<std::tuple<IoKind, Medium>> {
 protected:
  void SetUp() override {
    if (!environment_.available()) GTEST_SKIP() << "not on this host";
    options_.medium = std::get<Medium>(GetParam());
    options_.directory = environment_.directory();
    options_.segment_bytes_first = 64 << 10;
    options_.segment_bytes_max = 256 << 10;
    options_.group_bytes_max = 16 << 10;
    options_.groups_in_flight_max = 3;
  }

  io::Io& io() { return environment_.io(); }
  const std::string& directory() const { return environment_.directory(); }
  template <typename T>
  T Await(io::Task<T> task) {
    return io::BlockOn(io(), std::move(task));
  }
  std::vector<std::string> Files() { return io().List(directory()).value(); }

  void Overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
    auto file = io().Open(path, {.mode = io::OpenOptions::Mode::kReadWrite});
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(Await((*file)->Write(offset, bytes)).ok());
    ASSERT_TRUE(Await((*file)->Sync()).ok());
  }

  IoEnvironment environment_{std::get<IoKind>(GetParam())};
  LogOptions options_;
};

std::string Name(const ::testing::TestParamInfo<std::tuple<IoKind, Medium>>& info) {
  const bool durable = std::get<Medium>(info.param) == Medium::kDurable;
  return fmt::format("{}_{}", IoKindName(std::get<IoKind>(info.param)),
                     durable ? "durable" : "relaxed");
}

INSTANTIATE_TEST_SUITE_P(EveryIoAndMedium, LogTest,
                         ::testing::Combine(varve::testing::EveryIoKind(),
                                            ::testing::Values(Medium::kDurable, Medium::kRelaxed)),
                         Name);

TEST_P(LogTest, ReplaysWhatWasAppended) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const Status status = Await(harness.Commit(random.Below(3000), random.OneIn(4)));
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_GT(harness.log().Segments().size(), 3u);
  const size_t count = harness.records().size();
  ASSERT_TRUE(Await(harness.log().Sync()).ok());
  harness.Drop();
  const Status status = Await(harness.Recover(count));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(harness.tail().torn);
}

TEST_P(LogTest, EveryPayloadSizeAroundAPageReplays) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (size_t bytes = 3900; bytes < 4110; ++bytes) {
    ASSERT_TRUE(Await(harness.Commit(bytes, bytes % 3 == 0)).ok());
  }
  ASSERT_TRUE(Await(harness.Close()).ok());
  const Status status = Await(harness.Recover(210));
  ASSERT_TRUE(status.ok()) << status;
}

TEST_P(LogTest, RecordsLargerThanGroupsAndSegmentsReplay) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (const size_t bytes : {100, 20'000, 70'000, 300'000, 5, 1'000'000, 10}) {
    const Status status = Await(harness.Commit(bytes, true));
    ASSERT_TRUE(status.ok()) << status;
  }
  harness.Drop();
  const Status status = Await(harness.Recover(7));
  ASSERT_TRUE(status.ok()) << status;
}

TEST_P(LogTest, AnEmptyLogReplaysNothing) {
  LogHarness harness(io(), options_);
  for (int life = 0; life < 3; ++life) {
    ASSERT_TRUE(Await(harness.Recover(0)).ok());
    EXPECT_EQ(harness.log().LiveBytes() % io::kPageBytes, 0u);
    harness.Drop();
  }
  EXPECT_TRUE(harness.records().empty());
}

TEST_P(LogTest, LivesFollowEachOther) {
  LogHarness harness(io(), options_);
  Random random(2);
  for (int life = 0; life < 12; ++life) {
    const Status recovered = Await(harness.Recover(harness.acknowledged()));
    ASSERT_TRUE(recovered.ok()) << recovered;
    const uint64_t records = random.Below(60);
    for (uint64_t i = 0; i < records; ++i) {
      ASSERT_TRUE(Await(harness.Commit(random.Below(6000), true)).ok());
    }
    if (random.OneIn(2)) {
      ASSERT_TRUE(Await(harness.Close()).ok());
    } else {
      harness.Drop();
    }
  }
}

TEST_P(LogTest, WritersCommitTogether) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  auto writer = [](LogHarness& harness, int seed) -> io::Task<void> {
    Random random(static_cast<uint64_t>(seed));
    for (int i = 0; i < 50; ++i) {
      const Status status = co_await harness.Commit(random.Below(2000), !random.OneIn(5));
      EXPECT_TRUE(status.ok()) << status;
    }
  };
  auto all = [](LogHarness& harness, auto& writer) -> io::Task<bool> {
    io::TaskGroup group;
    for (int i = 0; i < 16; ++i) group.Add(writer(harness, i));
    co_await group.Wait();
    co_return true;
  };
  Await(all(harness, writer));
  EXPECT_EQ(harness.log().Stats().records, 800u);
  ASSERT_TRUE(Await(harness.Close()).ok());
  const Status status = Await(harness.Recover(800));
  ASSERT_TRUE(status.ok()) << status;
}

TEST_P(LogTest, ForgottenSegmentsAreRecycledAndHideTheirPast) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(Await(harness.Commit(1000, i % 50 == 0)).ok());
    ASSERT_TRUE(Await(harness.Forget(harness.log().Segments().back().number)).ok());
    EXPECT_EQ(harness.log().Segments().size(), 1u);
  }
  EXPECT_GT(harness.log().Stats().segments_recycled, 3u);
  EXPECT_LE(Files().size(), 2 + options_.spare_segments_max);
  const size_t count = harness.records().size();
  ASSERT_TRUE(Await(harness.log().Sync()).ok());
  harness.Drop();
  const Status status = Await(harness.Recover(count));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(harness.records().size(), count);
}

TEST_P(LogTest, ASegmentWithASecondNameIsNotRecycled) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  ASSERT_TRUE(Await(harness.Roll()).ok());
  const std::string path = SegmentPath(directory(), 1);
  const std::string link = directory() + "/checkpoint";
  ASSERT_TRUE(io().Link(path, link).ok());
  ASSERT_TRUE(Await(harness.Forget(2)).ok());
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(Await(harness.Commit(1000, i % 10 == 0)).ok());
  EXPECT_FALSE(io().Exists(path));
  EXPECT_EQ(harness.log().Stats().segments_recycled, 0u);

  std::vector<SequenceNumber> found;
  const Status dumped = Await(DumpSegment(
      io(), link, [](const SegmentHeader&) {},
      [&](const DumpedRecord& record) {
        if (record.state == DumpedRecord::State::kValid && record.type == RecordType::kBatch) {
          found.push_back(record.sequence);
        }
      }));
  ASSERT_TRUE(dumped.ok()) << dumped;
  EXPECT_THAT(found, ::testing::ElementsAre(1));
}

TEST_P(LogTest, ARolledSegmentIsNotWrittenAgain) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Await(harness.Commit(100, false)).ok());
    ASSERT_TRUE(Await(harness.Roll()).ok());
    ASSERT_TRUE(Await(harness.Roll()).ok());
  }
  EXPECT_EQ(harness.log().Segments().size(), 11u);
  ASSERT_TRUE(Await(harness.Close()).ok());
  const Status status = Await(harness.Recover(5));
  ASSERT_TRUE(status.ok()) << status;
}

TEST_P(LogTest, SpareSegmentsOfTheOtherMediumAreDeleted) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 600; ++i) ASSERT_TRUE(Await(harness.Commit(1000, false)).ok());
  ASSERT_TRUE(Await(harness.Forget(harness.log().Segments().back().number)).ok());
  ASSERT_TRUE(Await(harness.Close()).ok());
  EXPECT_THAT(Files(), ::testing::Contains(HasSubstr(".spare")));
  const bool durable = options_.medium == Medium::kDurable;
  harness.options().medium = durable ? Medium::kRelaxed : Medium::kDurable;
  const Status status = Await(harness.Recover(harness.acknowledged()));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Files(), ::testing::Not(::testing::Contains(HasSubstr(".spare"))));
}

TEST_P(LogTest, LsnsAreNearTheirSegments) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(Await(harness.Commit(1000, false)).ok());
  EXPECT_EQ(harness.log().SegmentOf(harness.log().appended_lsn()),
            harness.log().SegmentOf(harness.log().durable_lsn()));
  ASSERT_TRUE(Await(harness.log().Sync()).ok());
  for (const SegmentInfo& info : harness.log().Segments()) {
    EXPECT_EQ(harness.log().SegmentOf(info.start_lsn + 5000), info.number);
  }
  EXPECT_EQ(harness.log().SegmentOf(0), 1u);
}

// ---- Damage

TEST_P(LogTest, DamageBeforeADurableRecordIsCorruption) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  harness.Drop();
  const std::string path = SegmentPath(directory(), 1);
  Overwrite(path, kSegmentHeaderBytes + 500, "damage");
  const Status status = Await(harness.Recover(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(path + ":4096: "));
}

TEST_P(LogTest, DamageIsProvenByLaterSegmentsToo) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  ASSERT_TRUE(Await(harness.Roll()).ok());
  ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  harness.Drop();
  // The record and the end mark.
  Overwrite(SegmentPath(directory(), 1), kSegmentHeaderBytes, std::string(8192, 'x'));
  const Status status = Await(harness.Recover(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_P(LogTest, ATornEndIsNotCorruption) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  const uint64_t last = harness.records()[2].end - RecordBytes(1000);
  harness.Drop();
  Overwrite(SegmentPath(directory(), 1), last + 700, "torn");
  const Status status = Await(harness.Recover(2));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(harness.tail().torn);
  EXPECT_EQ(harness.records().size(), 2u);
  // The next life does not care for what stands behind the seal.
  ASSERT_TRUE(Await(harness.Commit(50, true)).ok());
  harness.Drop();
  ASSERT_TRUE(Await(harness.Recover(3)).ok());
}

TEST_P(LogTest, DamageBeforeASealIsCorruptionEvenOfTheLastRecord) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  const uint64_t last = harness.records()[2].end - RecordBytes(1000);
  ASSERT_TRUE(Await(harness.Close()).ok());
  Overwrite(SegmentPath(directory(), 1), last + 700, "torn");
  const Status status = Await(harness.Recover(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST_P(LogTest, AMissingSegmentIsCorruption) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  ASSERT_TRUE(Await(harness.Close()).ok());
  ASSERT_TRUE(io().Remove(SegmentPath(directory(), 2)).ok());
  const Status status = Await(harness.Recover(0));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("0000000002.log"));
}

TEST_P(LogTest, ATruncatedSegmentIsCorruption) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  ASSERT_TRUE(Await(harness.Commit(1000, true)).ok());
  harness.Drop();
  {
    auto file = io().Open(SegmentPath(directory(), 1), {.mode = io::OpenOptions::Mode::kReadWrite});
    ASSERT_TRUE((*file)->Truncate(8192).ok());
  }
  EXPECT_EQ(Await(harness.Recover(0)).code(), absl::StatusCode::kDataLoss);
}

TEST_P(LogTest, AnotherDatabasesSegmentIsRefused) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  harness.Drop();
  LogReader reader(io(), directory(), 1, LogChain(), ReadMode::kRecover);
  EXPECT_EQ(Await(reader.Fetch()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(LogTest, DumpsASegmentWithItsDamage) {
  LogHarness harness(io(), options_);
  ASSERT_TRUE(Await(harness.Recover(0)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Await(harness.Commit(4056, true)).ok());
  harness.Drop();
  const std::string path = SegmentPath(directory(), 1);
  Overwrite(path, kSegmentHeaderBytes + 4096 + 100, "damage");
  std::string text;
  const Status status = Await(DumpSegment(
      io(), path,
      [&](const SegmentHeader& header) { text += fmt::format("segment {}\n", header.number); },
      [&](const DumpedRecord& record) {
        constexpr const char* kStates[] = {"valid", "damaged", "leftover"};
        text +=
            fmt::format("{} {} {}{}\n", record.file_offset, kStates[static_cast<int>(record.state)],
                        record.sequence, record.behind_gap ? " behind a gap" : "");
      }));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(text,
            "segment 1\n"
            "4096 valid 1\n"
            "8192 damaged 0\n"
            "12288 valid 3 behind a gap\n"
            "16384 leftover 0\n");
}

}  // namespace
}  // namespace varve::wal
