// What the engine does when the disk misbehaves: errors in words, reads that go on, nothing lost,
// and a return to work without help.
#include <gtest/gtest.h>

#include <string>

#include "engine/db.h"
#include "io/sim.h"

namespace varve::engine {
namespace {

class FaultsTest : public ::testing::TestWithParam<Durability> {
 protected:
  FaultsTest() { Open(); }

  void Open() {
    options_.durability = GetParam();
    options_.memtable_budget_bytes = 256 << 10;
    options_.memtable_bytes_max = 64 << 10;
    options_.log_bytes_max = 1 << 20;
    options_.log_segment_bytes = 128 << 10;
    options_.reserved_disk_bytes = 512 << 10;
    auto db = Db::Open(io_, "/db", options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  static std::string Key(int i) { return fmt::format("key{:06}", i); }
  static std::string Value(int i) { return fmt::format("{}:", i) + std::string(500, 'v'); }

  // Writes until something fails; how many were acknowledged.
  int WriteUntilFailure(int from, Status* failure) {
    for (int i = from; i < from + 100'000; ++i) {
      *failure = db_->Put(Key(i), Value(i), {.sync = true});
      if (!failure->ok()) return i;
    }
    return -1;
  }

  void ExpectAllThere(int count) {
    for (int i = 0; i < count; ++i) {
      PinnedValue value;
      const auto found = db_->Get(Key(i), &value);
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_TRUE(*found) << Key(i);
      ASSERT_EQ(value.view(), Value(i));
    }
  }

  // The database may need some time, in which it tries by itself.
  Status WriteWithPatience(int i) {
    Status status;
    for (int attempt = 0; attempt < 100; ++attempt) {
      status = db_->Put(Key(i), Value(i), {.sync = true});
      if (status.ok()) return status;
      io_.RunFor(100'000'000);
    }
    return status;
  }

  // What the faults of a test look at, until the database is closed.
  bool broken_ = false;
  int failures_ = 0;
  io::SimIo io_{{.seed = 3}};
  Options options_;
  std::unique_ptr<Db> db_;
};
INSTANTIATE_TEST_SUITE_P(BothLogs, FaultsTest,
                         ::testing::Values(Durability::kDurable, Durability::kRelaxed),
                         [](const auto& info) {
                           return info.param == Durability::kDurable ? "durable" : "relaxed";
                         });

TEST_P(FaultsTest, AFullDiskRefusesWritesAndServesReadsUntilThereIsRoom) {
  io_.set_capacity_bytes(io_.used_bytes() + (3 << 20));
  Status failure;
  const int written = WriteUntilFailure(0, &failure);
  ASSERT_GT(written, 0);
  EXPECT_EQ(failure.code(), absl::StatusCode::kResourceExhausted) << failure;
  ExpectAllThere(written);
  io_.set_capacity_bytes(uint64_t{1} << 30);
  EXPECT_TRUE(WriteWithPatience(written).ok());
  ExpectAllThere(written + 1);
  db_.reset();
  Open();
  ExpectAllThere(written + 1);
}

TEST_P(FaultsTest, AFailedLogGoesOnInAFreshSegment) {
  ASSERT_TRUE(db_->Put(Key(0), Value(0), {.sync = true}).ok());
  failures_ = 1;
  io_.set_fail([this](const io::SimAccess& access) {
    // Not of the next segment, which is made meanwhile.
    const bool log = access.path.ends_with(".log");
    const bool makes_durable = access.kind == io::SimAccess::Kind::kDurableWrite ||
                               access.kind == io::SimAccess::Kind::kSync;
    return log && makes_durable && failures_-- > 0;
  });
  const Status failed = db_->Put(Key(1), Value(1), {.sync = true});
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable) << failed;
  EXPECT_TRUE(WriteWithPatience(1).ok());
  ExpectAllThere(2);
  io_.Crash(io::SimCrash::kPower);
  db_.reset();
  io_.Restart();
  Open();
  ExpectAllThere(2);
}

TEST_P(FaultsTest, AnEmptyBatchWithSyncMakesDurableWhatCameBefore) {
  // One power cut may leave everything by chance.
  for (int cut = 0; cut < 10; ++cut) {
    ASSERT_TRUE(db_->Put(Key(cut), Value(cut)).ok());
    ASSERT_TRUE(db_->Write(WriteBatch(), {.sync = true}).ok());
    io_.Crash(io::SimCrash::kPower);
    db_.reset();
    io_.Restart();
    Open();
    ExpectAllThere(cut + 1);
  }
}

TEST_P(FaultsTest, AnEmptyBatchWithSyncFailsWhileTheLogHasFailed) {
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind != io::SimAccess::Kind::kRead && access.path.ends_with(".log");
  });
  const bool relaxed = GetParam() == Durability::kRelaxed;
  EXPECT_FALSE(db_->Put(Key(0), Value(0), {.sync = true}).ok());
  // A durable log shows nothing that is not durable.
  EXPECT_EQ(db_->Write(WriteBatch(), {.sync = true}).ok(), !relaxed);
  broken_ = false;
  EXPECT_TRUE(WriteWithPatience(0).ok());
  EXPECT_TRUE(db_->Write(WriteBatch(), {.sync = true}).ok());
}

TEST_P(FaultsTest, AFlushThatFailedWithTheLogIsOverWhenTheLogGoesOn) {
  ASSERT_TRUE(db_->Put(Key(0), Value(0), {.sync = true}).ok());
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind != io::SimAccess::Kind::kRead;
  });
  EXPECT_FALSE(db_->Put(Key(1), Value(1), {.sync = true}).ok());
  EXPECT_FALSE(db_->Flush().ok());
  broken_ = false;
  EXPECT_TRUE(WriteWithPatience(1).ok());
  io_.RunFor(1'000'000'000);
  EXPECT_EQ(db_->Stats().background_error, "");
  EXPECT_TRUE(db_->Flush().ok());
  ExpectAllThere(2);
}

// The log fails, and with it what would restart it; then the clock moves past the durable ceiling
// of sequence numbers. A writer gets an error, it does not wait for a ceiling that nobody raises.
TEST_P(FaultsTest, AFailedDiskRefusesWritesBeyondTheSequenceCeiling) {
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind != io::SimAccess::Kind::kRead;
  });
  EXPECT_FALSE(db_->Put(Key(0), Value(0), {.sync = true}).ok());
  io_.JumpWallClock(15'000);
  EXPECT_FALSE(db_->Put(Key(1), Value(1), {.sync = true}).ok());
  broken_ = false;
  EXPECT_TRUE(WriteWithPatience(2).ok());
}

TEST_P(FaultsTest, AReadErrorFailsTheReadAndNothingElse) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(db_->Put(Key(i), Value(i)).ok());
  ASSERT_TRUE(db_->Flush().ok());
  db_.reset();
  Open();
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind == io::SimAccess::Kind::kRead && access.path.ends_with(".sst");
  });
  PinnedValue value;
  const auto found = db_->Get(Key(7), &value);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kUnavailable) << found.status();
  EXPECT_NE(Message(found.status()).find(".sst"), std::string_view::npos);
  EXPECT_TRUE(db_->Put(Key(100), Value(100), {.sync = true}).ok());
  broken_ = false;
  ExpectAllThere(101);
}

TEST_P(FaultsTest, AManifestThatCannotBeWrittenHoldsNothingBack) {
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind != io::SimAccess::Kind::kRead &&
           access.path.find("MANIFEST") != std::string_view::npos;
  });
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(db_->Put(Key(i), Value(i), {.sync = true}).ok());
  EXPECT_FALSE(db_->Flush().ok());
  ExpectAllThere(50);
  broken_ = false;
  EXPECT_TRUE(WriteWithPatience(50).ok());
  Status flushed;
  for (int attempt = 0; attempt < 100; ++attempt) {
    flushed = db_->Flush();
    if (flushed.ok()) break;
    io_.RunFor(100'000'000);
  }
  EXPECT_TRUE(flushed.ok()) << flushed;
  db_.reset();
  Open();
  ExpectAllThere(51);
}

TEST_P(FaultsTest, ASplitThatFailedIsTriedAgain) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(db_->Put(Key(i), Value(i)).ok());
  ASSERT_TRUE(db_->Settle().ok());
  db_.reset();
  options_.partition_bytes_max = 1 << 10;
  Open();
  broken_ = true;
  io_.set_fail([this](const io::SimAccess& access) {
    return broken_ && access.kind != io::SimAccess::Kind::kRead &&
           access.path.find("MANIFEST") != std::string_view::npos;
  });
  io_.RunFor(1'000'000'000);
  EXPECT_EQ(db_->Stats().partitions, 1u);
  broken_ = false;
  for (int i = 0; i < 100 && db_->Stats().partitions == 1; ++i) io_.RunFor(100'000'000);
  EXPECT_GT(db_->Stats().partitions, 1u);
  EXPECT_TRUE(db_->Settle().ok());
  ExpectAllThere(200);
}

TEST_P(FaultsTest, ManySmallPartitionsShareTablesAndStayWithinTheirBounds) {
  std::vector<std::string> cuts;
  for (int i = 0; i < 2000; ++i) cuts.push_back(Key(i));
  ASSERT_TRUE(db_->Split(cuts).ok());
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(db_->Put(Key(i), Value(i)).ok());
  for (int i = 0; i < 4000; ++i) ASSERT_TRUE(db_->Put("zzz" + Key(i), Value(i)).ok());
  ASSERT_TRUE(db_->Settle().ok());
  const DbStats stats = db_->Stats();
  EXPECT_LE(stats.memtable_bytes, options_.memtable_budget_bytes);
  EXPECT_LE(stats.log_bytes, 2 * options_.log_bytes_max);
  EXPECT_LT(stats.table_files, 400u);  // not one a partition
  ExpectAllThere(2000);
}

}  // namespace
}  // namespace varve::engine
