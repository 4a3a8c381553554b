#include "sstable/value_file.h"

#include "testing.h"

namespace varve::sstable {
namespace {

class ValueFileOn : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!world_.available()) GTEST_SKIP() << "no " << GetParam() << " here";
  }

  // Writes the values to file 9 and keeps their references.
  void Write(const std::vector<std::string>& values, const TableOptions& options) {
    const auto write =
        [](ValueFileWriter& writer, const std::vector<std::string>& values,
           std::vector<ValueReference>& references) -> io::Task<StatusOr<ValueFileInfo>> {
      for (const std::string& value : values) {
        references.push_back(writer.Add(value));
        if (writer.wants_flush()) VARVE_CO_RETURN_IF_ERROR(co_await writer.Flush());
      }
      co_return co_await writer.Finish();
    };
    references_.clear();
    ValueFileWriter writer(world_.Create(9, "val"), 9, options);
    const auto info = io::BlockOn(world_.io(), write(writer, values, references_));
    ASSERT_TRUE(info.ok()) << info.status();
    info_ = *info;
  }

  TestWorld world_{GetParam()};
  std::vector<ValueReference> references_;
  ValueFileInfo info_;
};

TEST_P(ValueFileOn, ReadsBackEveryValue) {
  Random random(41);
  std::vector<std::string> values;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{4096}, size_t{100'000}, kValueBytesMax}) {
    for (const size_t alphabet : {1, 3, 256})
      values.push_back(RandomBytes(random, bytes, alphabet));
  }
  for (int i = 0; i < 100; ++i) {
    values.push_back(RandomBytes(random, random.Between(1000, 20'000), 20));
  }
  for (const int level : {0, 1}) {
    TableOptions options;
    options.compression_level = level;
    options.write_bytes = 64 << 10;
    Write(values, options);
    EXPECT_EQ(info_.values, values.size());
    EXPECT_EQ(info_.file_bytes, *world_.io().FileBytes(world_.Path(9, "val")));

    BlockCache cache({.capacity_bytes = 4 << 20});
    const ValueFile file(world_.io(), world_.Path(9, "val"), 9, &cache);
    uint64_t record_bytes = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      std::string encoded;
      references_[i].AppendTo(encoded);
      ValueReference reference;
      ASSERT_TRUE(ValueReference::Parse(encoded, &reference));
      ASSERT_EQ(reference, references_[i]);
      record_bytes += reference.RecordBytes();
      EXPECT_TRUE(*file.ReadNow(reference) == values[i]);
      if (i == 50) file.Close();
      EXPECT_TRUE(*io::BlockOn(world_.io(), file.Read(reference)) == values[i]);

      ValueGet get(file, reference);
      if (get.Step() == ValueGet::State::kWaiting) io::BlockOn(world_.io(), get.Run());
      ASSERT_EQ(get.Step(), ValueGet::State::kFound) << get.status();
      EXPECT_TRUE(get.value() == values[i]);
      const BlockPin pin = get.TakePin();
      EXPECT_TRUE(get.value() == values[i]);
      if (values[i].size() < 100'000) {
        ValueGet again(file, reference);
        EXPECT_EQ(again.Step(), ValueGet::State::kFound);
      }
    }
    EXPECT_EQ(record_bytes, info_.record_bytes);

    size_t visited = 0;
    const auto verified = io::BlockOn(
        world_.io(), VerifyValueFile(world_.io(), world_.Path(9, "val"),
                                     [&](const ValueReference& reference, std::string_view value) {
                                       EXPECT_EQ(reference, references_[visited]);
                                       EXPECT_TRUE(value == values[visited]);
                                       ++visited;
                                     }));
    ASSERT_TRUE(verified.ok()) << verified.status();
    EXPECT_EQ(visited, values.size());
  }
}

TEST_P(ValueFileOn, AReferenceToAnotherFileOrPlaceIsRefused) {
  Random random(42);
  Write({RandomBytes(random, 3000, 256), RandomBytes(random, 3000, 256)}, {});
  const ValueFile file(world_.io(), world_.Path(9, "val"), 9, nullptr);
  for (int i = 0; i < 5; ++i) {
    ValueReference reference = references_[0];
    if (i == 0) reference.file_number = 8;
    if (i == 1) reference.offset += 1;
    if (i == 2) reference.offset = references_[1].offset;
    if (i == 3) reference.checksum ^= 1;
    if (i == 4) reference.offset = uint64_t{1} << 40;
    EXPECT_EQ(file.ReadNow(reference).status().code(), absl::StatusCode::kDataLoss);
    ValueGet get(file, reference);
    if (get.Step() == ValueGet::State::kWaiting) io::BlockOn(world_.io(), get.Run());
    EXPECT_EQ(get.Step(), ValueGet::State::kFailed);
    EXPECT_EQ(get.status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(ValueReference, ParsesNothingButWholeReferences) {
  ValueReference reference = {12, 345678, 1000, 2000, 0x1234567890abcdef};
  std::string encoded;
  reference.AppendTo(encoded);
  ValueReference parsed;
  for (size_t bytes = 0; bytes < encoded.size(); ++bytes) {
    EXPECT_FALSE(ValueReference::Parse(encoded.substr(0, bytes), &parsed));
  }
  EXPECT_FALSE(ValueReference::Parse(encoded + "x", &parsed));
  EXPECT_TRUE(ValueReference::Parse(encoded, &parsed));
  EXPECT_EQ(parsed, reference);
}

INSTANTIATE_TEST_SUITE_P(Io, ValueFileOn, testing::Values("posix", "io_uring", "simulated"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace varve::sstable
