// Damage to a table or value file, anywhere: it is found, its place is named, and no read is
// answered wrongly.
#include "sstable/inspect.h"
#include "testing.h"

namespace varve::sstable {
namespace {

class Corruption : public testing::Test {
 protected:
  void SetUp() override {
    Random random(31);
    model_ = RandomModel(
        random, {.keys = 150, .value_bytes_max = 90, .versions_max = 2, .compressible = false});
  }

  // Reads everything in every way. Each read is answered rightly or fails with DataLoss that names
  // the file and an offset. Returns how many failed.
  int ReadAll(const TableInfo& info) {
    BlockCache cache({});
    const Table table(world_.io(), world_.Path(1), info, cache);
    int failures = 0;
    for (const auto& row : model_) {
      TableGet get(table, row.first.key, Hash(row.first.key), row.first.sequence);
      FinishNow(get);
      if (get.state() == TableGet::State::kFailed) {
        ++failures;
        ExpectPlace(get.status());
      } else {
        EXPECT_EQ(get.state(), TableGet::State::kFound);
        EXPECT_EQ(Show(get.entry()), Show(EntryOf(row)));
      }
    }
    const auto iterator = table.NewIterator();
    auto at = model_.begin();
    iterator->SeekToFirst();
    for (SettleNow(*iterator); iterator->state() == EntryIterator::State::kEntry;
         SettleNow(*iterator)) {
      EXPECT_TRUE(at != model_.end());
      EXPECT_EQ(Show(iterator->entry()), Show(EntryOf(*at)));
      ++at;
      iterator->Next();
    }
    if (iterator->state() == EntryIterator::State::kFailed) {
      ++failures;
      ExpectPlace(iterator->status());
    } else {
      EXPECT_TRUE(at == model_.end());
    }
    return failures;
  }

  void ExpectPlace(const Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(Message(status)),
                testing::MatchesRegex(world_.Path(1) + ":[0-9]+: .*"));
  }

  Status Inspect(const TableInfo& info) {
    return io::BlockOn(world_.io(), InspectTable(world_.io(), world_.Path(1), nullptr, &info));
  }

  TestWorld world_{"simulated"};
  Model model_;
};

TEST_F(Corruption, AnywhereInATableIsFoundAndNamed) {
  for (const int level : {0, 3}) {
    TableOptions options;
    options.compression_level = level;
    const TableInfo info = MustBuild(world_, 1, options, model_);
    ASSERT_TRUE(Inspect(info).ok());
    ASSERT_EQ(ReadAll(info), 0);
    Random random(32);
    int harmful = 0;
    // Some byte of every few: all parts of the format are hit many times.
    for (uint64_t offset = 0; offset < info.file_bytes; offset += random.Between(1, 7)) {
      const int bit = static_cast<int>(random.Below(8));
      ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), offset, bit).ok());
      const Status status = Inspect(info);
      ASSERT_FALSE(status.ok()) << offset;
      ExpectPlace(status);
      if (random.OneIn(8)) harmful += ReadAll(info) > 0;
      ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), offset, bit).ok());
      if (HasFailure()) FAIL() << "byte " << offset << " of " << info.file_bytes;
    }
    EXPECT_GT(harmful, 100);
    EXPECT_TRUE(Inspect(info).ok());
  }
}

TEST_F(Corruption, ByCuttingOffPagesIsFoundAndNamed) {
  const TableInfo info = MustBuild(world_, 1, {}, model_);
  const std::string bytes = world_.ReadFile(world_.Path(1));
  for (size_t left = 0; left < bytes.size(); left += 1000) {
    world_.WriteFile(world_.Path(1), std::string_view(bytes).substr(0, left));
    const Status status = Inspect(info);
    ASSERT_FALSE(status.ok()) << left;
    ExpectPlace(status);
    EXPECT_GT(ReadAll(info), 0);
  }
  world_.WriteFile(world_.Path(1), bytes + std::string(4096, '\0'));
  EXPECT_FALSE(Inspect(info).ok());
  EXPECT_GT(ReadAll(info), 0);
}

TEST_F(Corruption, ByPagesOfAnotherPlaceOrAnotherTableIsFoundAndNamed) {
  const TableInfo info = MustBuild(world_, 1, {}, model_);
  const TableInfo other = MustBuild(world_, 2, {}, model_);  // the same entries
  const std::string bytes = world_.ReadFile(world_.Path(1));
  const std::string other_bytes = world_.ReadFile(world_.Path(2));
  ASSERT_EQ(bytes.size(), other_bytes.size());
  for (size_t to = 0; to < bytes.size(); to += 4096) {
    for (size_t from = 0; from < bytes.size(); from += 4096) {
      for (const std::string* source : {&bytes, &other_bytes}) {
        if (from == to && source == &bytes) continue;
        std::string mixed = bytes;
        mixed.replace(to, 4096, *source, from, 4096);
        world_.WriteFile(world_.Path(1), mixed);
        ExpectPlace(Inspect(info));
        EXPECT_GT(ReadAll(info), 0);
      }
    }
  }
  world_.WriteFile(world_.Path(1), other_bytes);
  ExpectPlace(Inspect(info));
  EXPECT_GT(ReadAll(info), 0);
}

TEST_F(Corruption, OfOneBlockLeavesTheOthersReadable) {
  const TableInfo info = MustBuild(world_, 1, {}, model_);
  ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), 100, 0).ok());
  const int failures = ReadAll(info);
  EXPECT_GT(failures, 1);
  EXPECT_LT(failures, static_cast<int>(model_.size()) - 50);
}

TEST_F(Corruption, InspectionGoesOnBehindADamagedBlock) {
  const TableInfo info = MustBuild(world_, 1, {}, model_);
  ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), 100, 0).ok());
  struct Counter : TableVisitor {
    void OnBlock(const BlockSummary&) override { ++blocks; }
    void OnEntry(const Entry&) override { ++entries; }
    void OnFault(const Status&) override { ++faults; }
    uint64_t blocks = 0, entries = 0, faults = 0;
  } counter;
  EXPECT_FALSE(
      io::BlockOn(world_.io(), InspectTable(world_.io(), world_.Path(1), &counter, &info)).ok());
  EXPECT_EQ(counter.faults, 1);
  EXPECT_GE(counter.blocks, 1);
  EXPECT_GT(counter.entries, 0);
  EXPECT_LT(counter.entries, info.entries);
}

TEST_F(Corruption, AnywhereInAValueFileIsFoundAndNamed) {
  Random random(33);
  ValueFileWriter writer(world_.Create(1), 1, {});
  std::vector<std::pair<ValueReference, std::string>> values;
  for (const size_t bytes : {0, 1, 1000, 3000, 5000}) {
    for (const size_t alphabet : {2, 256}) {
      std::string value = RandomBytes(random, bytes, alphabet);
      const ValueReference reference = writer.Add(value);
      values.emplace_back(reference, std::move(value));
    }
  }
  const auto info = io::BlockOn(world_.io(), writer.Finish());
  ASSERT_TRUE(info.ok()) << info.status();
  // The table's name is not of interest here: the path of ExpectPlace is that of file 1.
  const auto verify = [&] {
    return io::BlockOn(world_.io(), VerifyValueFile(world_.io(), world_.Path(1), {})).status();
  };
  ASSERT_TRUE(verify().ok()) << verify();
  for (uint64_t offset = 0; offset < info->file_bytes; offset += random.Between(1, 5)) {
    const int bit = static_cast<int>(random.Below(8));
    ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), offset, bit).ok());
    const Status status = verify();
    ASSERT_FALSE(status.ok()) << offset;
    ExpectPlace(status);
    const ValueFile file(world_.io(), world_.Path(1), 1, nullptr);
    int failed = 0;
    for (const auto& [reference, value] : values) {
      const auto read = file.ReadNow(reference);
      const bool hit =
          offset >= reference.offset && offset < reference.offset + reference.RecordBytes();
      failed += !read.ok();
      if (hit) {
        ExpectPlace(read.status());
      } else {
        EXPECT_TRUE(read.ok() && *read == value);
      }
    }
    EXPECT_LE(failed, 1);
    ASSERT_TRUE(world_.sim().FlipBit(world_.Path(1), offset, bit).ok());
    if (HasFailure()) FAIL() << "byte " << offset;
  }
}

}  // namespace
}  // namespace varve::sstable
