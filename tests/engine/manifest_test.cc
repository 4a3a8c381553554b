#include "engine/manifest.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "io/sim.h"

namespace varve::engine {
namespace {

sstable::TableInfo Table(uint64_t number, std::string smallest, std::string largest) {
  sstable::TableInfo info;
  info.file_number = number;
  info.file_bytes = 1000 + number;
  info.smallest_key = std::move(smallest);
  info.largest_key = std::move(largest);
  info.entries = number;
  return info;
}

// One partition over everything with table 7 in level 1.
Edit FirstEdit() {
  Edit edit;
  edit.log_start = 1;
  edit.added_partitions.push_back({.id = 1});
  edit.added_tables.push_back(Table(7, "b", "y"));
  edit.added_references.push_back({1, 1, {.table = 7, .live_bytes = 1007}});
  return edit;
}

TEST(Edit, DecodesWhatItEncoded) {
  Edit edit = FirstEdit();
  edit.next_file_number = 8;
  edit.sequence_ceiling = 99;
  edit.seals.push_back({3, 4096, 4});
  edit.added_value_files.push_back({9, 500});
  edit.removed_references.push_back({1, 1, 7});
  edit.removed_partitions.push_back(2);
  edit.flushed.push_back({1, 55});
  const auto decoded = Edit::Decode(edit.Encode());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->Encode(), edit.Encode());
  EXPECT_EQ(decoded->added_tables, edit.added_tables);
  EXPECT_EQ(decoded->added_partitions, edit.added_partitions);
}

TEST(Edit, RefusesAnyTruncation) {
  const std::string bytes = FirstEdit().Encode();
  int refused = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    refused += Edit::Decode(std::string_view(bytes).substr(0, n)).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, static_cast<int>(bytes.size()) / 2);
}

TEST(ManifestState, ATableGoesWithItsLastReference) {
  ManifestState state;
  ASSERT_TRUE(state.Apply(FirstEdit()).ok());
  Edit cut;
  cut.added_partitions.push_back({.id = 2, .end = "m"});
  cut.added_partitions.push_back({.id = 3, .begin = "m"});
  cut.added_references.push_back({2, 1, {.table = 7, .clip_end = "m", .live_bytes = 500}});
  cut.added_references.push_back({3, 1, {.table = 7, .clip_begin = "m", .live_bytes = 500}});
  cut.removed_partitions.push_back(1);
  ManifestState::Unreferenced gone;
  ASSERT_TRUE(state.Apply(cut, &gone).ok());
  EXPECT_TRUE(gone.tables.empty());
  EXPECT_TRUE(state.CheckInvariants().ok());
  EXPECT_EQ(state.tables().at(7).references, 2u);

  Edit first_half;
  first_half.removed_references.push_back({2, 1, 7});
  ASSERT_TRUE(state.Apply(first_half, &gone).ok());
  EXPECT_TRUE(gone.tables.empty());
  Edit second_half;
  second_half.removed_references.push_back({3, 1, 7});
  ASSERT_TRUE(state.Apply(second_half, &gone).ok());
  EXPECT_EQ(gone.tables, std::vector<uint64_t>{7});
}

TEST(ManifestState, RefusesEditsThatDoNotFit) {
  struct Case {
    const char* what;
    void (*change)(Edit&);
  };
  const Case cases[] = {
      {"unknown table",
       [](Edit& e) {
         e.added_references.push_back({1, 0, {.table = 8}});
       }},
      {"unknown partition",
       [](Edit& e) {
         e.flushed.push_back({5, 1});
       }},
      {"reference that is not there",
       [](Edit& e) {
         e.removed_references.push_back({1, 2, 7});
       }},
      {"table twice", [](Edit& e) { e.added_tables.push_back(Table(7, "a", "b")); }},
  };
  for (const Case& c : cases) {
    ManifestState state;
    ASSERT_TRUE(state.Apply(FirstEdit()).ok());
    Edit edit;
    c.change(edit);
    EXPECT_EQ(state.Apply(edit).code(), absl::StatusCode::kDataLoss) << c.what;
  }
}

TEST(ManifestState, FindsGapsBetweenPartitions) {
  ManifestState state;
  Edit edit;
  edit.added_partitions.push_back({.id = 1, .end = "g"});
  edit.added_partitions.push_back({.id = 2, .begin = "m"});
  ASSERT_TRUE(state.Apply(edit).ok());
  EXPECT_FALSE(state.CheckInvariants().ok());
}

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    EXPECT_TRUE(io_.CreateDirectory("/m").ok());
    auto manifest = io::BlockOn(io_, Manifest::Create(io_, "/m", 42, FirstEdit()));
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    manifest_ = *std::move(manifest);
  }

  Status CommitCeiling(SequenceNumber ceiling) {
    Edit edit;
    edit.sequence_ceiling = ceiling;
    return io::BlockOn(io_, manifest_->Commit(std::move(edit), nullptr));
  }
  StatusOr<SequenceNumber> RecoveredCeiling() {
    auto manifest = io::BlockOn(io_, Manifest::Recover(io_, "/m"));
    if (!manifest.ok()) return manifest.status();
    return (*manifest)->state().sequence_ceiling();
  }

  io::SimIo io_{{.seed = 5}};
  std::unique_ptr<Manifest> manifest_;
};

TEST_F(ManifestTest, RecoversEveryCommittedEditAfterAPowerCut) {
  for (SequenceNumber i = 1; i <= 20; ++i) ASSERT_TRUE(CommitCeiling(i).ok());
  io_.Crash(io::SimCrash::kPower);
  manifest_.reset();
  io_.Restart();
  const auto ceiling = RecoveredCeiling();
  ASSERT_TRUE(ceiling.ok()) << ceiling.status();
  EXPECT_EQ(*ceiling, 20u);
}

TEST_F(ManifestTest, RotatesWhenItHasGrownLong) {
  manifest_->set_bytes_max(1000);
  for (SequenceNumber i = 1; i <= 200; ++i) ASSERT_TRUE(CommitCeiling(i).ok());
  EXPECT_LT(manifest_->bytes(), 2000u);
  EXPECT_EQ(*RecoveredCeiling(), 200u);
}

TEST_F(ManifestTest, AnEditThatFailedIsNoPartOfIt) {
  ASSERT_TRUE(CommitCeiling(1).ok());
  int failures = 1;
  io_.set_fail([&](const io::SimAccess& access) {
    return access.kind == io::SimAccess::Kind::kSync && failures-- > 0;
  });
  EXPECT_FALSE(CommitCeiling(2).ok());
  EXPECT_FALSE(manifest_->uncertain());  // a new manifest has settled it
  EXPECT_EQ(*RecoveredCeiling(), 1u);
  EXPECT_TRUE(CommitCeiling(3).ok());
  EXPECT_EQ(*RecoveredCeiling(), 3u);
}

TEST_F(ManifestTest, DamageBeforeAGoodRecordIsReportedWithItsPlace) {
  for (SequenceNumber i = 1; i <= 5; ++i) ASSERT_TRUE(CommitCeiling(i).ok());
  const std::string path = ManifestPath("/m", 1);
  Random random(9);
  for (int i = 0; i < 50; ++i) {
    const uint64_t offset = random.Below(manifest_->bytes() - 100);
    ASSERT_TRUE(io_.FlipBit(path, offset, 3).ok());
    const auto ceiling = RecoveredCeiling();
    EXPECT_EQ(ceiling.status().code(), absl::StatusCode::kDataLoss) << offset;
    EXPECT_NE(Message(ceiling.status()).find(path), std::string_view::npos);
    ASSERT_TRUE(io_.FlipBit(path, offset, 3).ok());
  }
}

}  // namespace
}  // namespace varve::engine
