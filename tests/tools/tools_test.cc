// What the functions behind `varve` print and find, on databases made by the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <sstream>

#include "base/random.h"
#include "engine/db.h"
#include "engine/manifest.h"
#include "io/sim.h"
#include "tools/check.h"
#include "tools/database_stats.h"
#include "tools/json_writer.h"
#include "tools/print_segment.h"
#include "tools/print_table.h"
#include "tools/text.h"

namespace varve::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

engine::Options SmallOptions() {
  engine::Options options;
  options.memtable_bytes_max = 64 << 10;
  options.table_bytes_target = 32 << 10;
  options.level1_bytes = 128 << 10;
  options.value_separation_bytes = 1000;
  options.log_segment_bytes = 1 << 20;
  return options;
}

std::string RandomText(Random& random, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text.push_back(static_cast<char>('a' + random.Below(26)));
  return text;
}

// A database with tables in several levels, value files, two partitions, and a log that is not
// empty.
class ToolsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = engine::Db::Open(io_, "/db", SmallOptions());
    ASSERT_TRUE(opened.ok()) << opened.status();
    db_ = *std::move(opened);
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < 400; ++i) Put();
      ASSERT_TRUE(db_->Delete(Key()).ok());
      ASSERT_TRUE(db_->Flush().ok());
    }
    ASSERT_TRUE(db_->Compact("", "").ok());
    ASSERT_TRUE(db_->Split({{"key0500"}}).ok());
    for (int i = 0; i < 300; ++i) Put();
    ASSERT_TRUE(db_->Flush().ok());
    for (int i = 0; i < 50; ++i) Put();
    ASSERT_TRUE(db_->Put("the last", "one").ok());
  }

  std::string Key() { return fmt::format("key{:04}", random_.Below(1000)); }
  void Put() {
    const size_t bytes = random_.OneIn(20) ? 1500 : random_.Between(1, 200);
    ASSERT_TRUE(db_->Put(Key(), RandomText(random_, bytes)).ok());
  }
  void CloseDb() {
    ASSERT_TRUE(db_->Close().ok());
    db_.reset();
  }

  Status Check(CheckReport* report) { return io::BlockOn(io_, CheckDatabase(io_, "/db", report)); }

  // Paths of files in /db and /db/log whose names end so.
  std::vector<std::string> Files(std::string_view suffix) {
    std::vector<std::string> paths;
    for (const std::string directory : {"/db", "/db/log"}) {
      const auto names = io_.List(directory);
      for (const std::string& name : *names) {
        if (name.ends_with(suffix)) paths.push_back(directory + "/" + name);
      }
    }
    return paths;
  }

  io::SimIo io_{{.seed = 1}};
  Random random_{1};
  std::unique_ptr<engine::Db> db_;
};

void ExpectJson(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  EXPECT_EQ(parser.parse(text).get(element), simdjson::SUCCESS) << text.substr(0, 300);
}

// ---- check

TEST_F(ToolsTest, CheckCountsWhatIsThere) {
  CloseDb();
  CheckReport report;
  const Status status = Check(&report);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(report.partitions, 2u);
  EXPECT_EQ(report.tables, Files(".sst").size());
  EXPECT_GT(report.entries, 900u);
  EXPECT_EQ(report.value_files, Files(".val").size());
  EXPECT_GT(report.values, 20u);
  EXPECT_GE(report.log_records, 51u);
  EXPECT_EQ(report.leftover_files, 0u);
  std::ostringstream text;
  report.PrintText(text, "/db", status);
  EXPECT_THAT(text.str(), HasSubstr("/db: ok\n"));
  std::ostringstream json;
  report.PrintJson(json, "/db", status);
  ExpectJson(json.str());
}

TEST_F(ToolsTest, CheckWantsTheDatabaseToBeClosed) {
  CheckReport report;
  EXPECT_EQ(Check(&report).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ToolsTest, CheckOfNoDatabaseSaysSo) {
  CheckReport report;
  const Status status = io::BlockOn(io_, CheckDatabase(io_, "/nowhere", &report));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("/nowhere"));
}

TEST_F(ToolsTest, CheckNamesTheDamagedFileWhicheverItIs) {
  CloseDb();
  for (const std::string_view suffix : {".sst", ".val"}) {
    for (const std::string& path : Files(suffix)) {
      const uint64_t bytes = *io_.FileBytes(path);
      for (int i = 0; i < 3; ++i) {
        const uint64_t offset = random_.Below(bytes);
        const int bit = static_cast<int>(random_.Below(8));
        ASSERT_TRUE(io_.FlipBit(path, offset, bit).ok());
        CheckReport report;
        const Status status = Check(&report);
        EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << path << ":" << offset;
        EXPECT_THAT(std::string(Message(status)), HasSubstr(path + ":"));
        ASSERT_TRUE(io_.FlipBit(path, offset, bit).ok());
      }
    }
  }
  CheckReport report;
  EXPECT_TRUE(Check(&report).ok());
}

TEST_F(ToolsTest, CheckFindsDamageInManifestAndLog) {
  CloseDb();
  std::string manifest;
  const auto names = io_.List("/db");
  for (const std::string& name : *names) {
    if (name.starts_with("MANIFEST-")) manifest = "/db/" + name;
  }
  ASSERT_TRUE(io_.FlipBit(manifest, 200, 3).ok());
  CheckReport report;
  Status status = Check(&report);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(manifest));
  ASSERT_TRUE(io_.FlipBit(manifest, 200, 3).ok());

  // Somewhere in the last record, which closing has sealed.
  uint64_t found = 0;
  for (const std::string& path : Files(".log")) {
    std::ostringstream text;
    ASSERT_TRUE(io::BlockOn(io_, PrintSegment(io_, path, {}, text)).ok());
    const size_t at = text.str().find("put \"the last\"");
    if (at == std::string::npos) continue;
    const size_t line = text.str().rfind('\n', text.str().rfind('\n', at) - 1);
    const uint64_t offset = std::stoull(text.str().substr(line + 1));
    ASSERT_TRUE(io_.FlipBit(path, offset + 45, 0).ok());
    status = Check(&report);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(Message(status)), HasSubstr(path));
    ASSERT_TRUE(io_.FlipBit(path, offset + 45, 0).ok());
    ++found;
  }
  EXPECT_EQ(found, 1u);
  EXPECT_TRUE(Check(&report).ok());
}

TEST_F(ToolsTest, CheckMissesNoFile) {
  CloseDb();
  for (const std::string_view suffix : {".sst", ".val"}) {
    const std::string path = Files(suffix).front();
    ASSERT_TRUE(io_.Rename(path, "/elsewhere").ok());
    CheckReport report;
    const Status status = Check(&report);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(Message(status)), HasSubstr(path));
    ASSERT_TRUE(io_.Rename("/elsewhere", path).ok());
  }
}

TEST_F(ToolsTest, CheckTakesFilesOfACutShortJobForWhatTheyAre) {
  CloseDb();
  ASSERT_TRUE(io_.Link(Files(".sst").front(), "/db/999999.sst").ok());
  CheckReport report;
  EXPECT_TRUE(Check(&report).ok());
  EXPECT_EQ(report.leftover_files, 1u);
}

// ---- stats

TEST_F(ToolsTest, StatsShowTheShapeAlsoOfAnOpenDatabase) {
  const auto shape = io::BlockOn(io_, ReadShape(io_, "/db"));
  ASSERT_TRUE(shape.ok()) << shape.status();
  EXPECT_EQ(shape->partitions.size(), 2u);
  EXPECT_EQ(shape->partitions[1].begin, "key0500");
  const engine::DbStats stats = db_->Stats();
  EXPECT_EQ(shape->tables, stats.table_files);
  EXPECT_EQ(shape->table_bytes, stats.table_bytes);
  EXPECT_EQ(shape->value_files, stats.value_files);
  EXPECT_GE(shape->space_amplification, 1.0);
  EXPECT_GE(shape->read_amplification_max, 1u);
  EXPECT_GT(shape->compression_ratio, 1.0);
  std::ostringstream text;
  shape->PrintText(text, /*each_partition=*/true);
  EXPECT_THAT(text.str(), HasSubstr("[\"key0500\", end)"));
  std::ostringstream json;
  shape->PrintJson(json, /*each_partition=*/true);
  ExpectJson(json.str());
}

// ---- sst

TEST_F(ToolsTest, SstPrintsEveryEntryOfATable) {
  CloseDb();
  uint64_t references = 0;
  for (const std::string& path : Files(".sst")) {
    std::ostringstream text;
    ASSERT_TRUE(io::BlockOn(io_, PrintTable(io_, path, {}, text)).ok());
    EXPECT_THAT(text.str(), HasSubstr("  \"key"));
    EXPECT_THAT(text.str(), Not(HasSubstr("FAULT")));
    for (size_t at = 0; (at = text.str().find(" value file ", at)) != std::string::npos; ++at) {
      ++references;
    }
    std::ostringstream summary;
    ASSERT_TRUE(io::BlockOn(io_, PrintTable(io_, path, {.summary = true}, summary)).ok());
    EXPECT_THAT(summary.str(), Not(HasSubstr("\n  \"key")));

    std::ostringstream json;
    ASSERT_TRUE(io::BlockOn(io_, PrintTable(io_, path, {.json = true}, json)).ok());
    simdjson::dom::parser parser;
    const std::string document = json.str();
    const simdjson::dom::element table = parser.parse(document);
    const uint64_t entries = table["properties"]["entries"];
    uint64_t seen = 0;
    for (const simdjson::dom::element block : table["blocks"].get_array()) {
      seen += block["entries"].get_array().size();
    }
    EXPECT_EQ(seen, entries);
    EXPECT_TRUE(table["fault"].is_null());
  }
  EXPECT_GT(references, 20u);
}

TEST_F(ToolsTest, SstNamesTheDamageAndPrintsTheRest) {
  CloseDb();
  const std::string path = Files(".sst").front();
  ASSERT_TRUE(io_.FlipBit(path, 4200, 1).ok());
  std::ostringstream text;
  const Status status = io::BlockOn(io_, PrintTable(io_, path, {}, text));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(text.str(), HasSubstr("FAULT " + path + ":4096"));
  EXPECT_THAT(text.str(), HasSubstr("  \"key"));
  std::ostringstream json;
  EXPECT_FALSE(io::BlockOn(io_, PrintTable(io_, path, {.json = true}, json)).ok());
  ExpectJson(json.str());
}

TEST_F(ToolsTest, SstOfSomethingElseFails) {
  std::ostringstream json;
  EXPECT_FALSE(io::BlockOn(io_, PrintTable(io_, "/db/CURRENT", {.json = true}, json)).ok());
  ExpectJson(json.str());
  std::ostringstream text;
  EXPECT_FALSE(io::BlockOn(io_, PrintTable(io_, "/nowhere", {}, text)).ok());
}

// ---- wal

TEST_F(ToolsTest, WalPrintsBatchesAndTheirEntries) {
  CloseDb();
  std::string all;
  for (const std::string& path : Files(".log")) {
    std::ostringstream text;
    const Status status = io::BlockOn(io_, PrintSegment(io_, path, {}, text));
    ASSERT_TRUE(status.ok()) << status;
    all += text.str();
    std::ostringstream json;
    ASSERT_TRUE(io::BlockOn(io_, PrintSegment(io_, path, {.json = true}, json)).ok());
    ExpectJson(json.str());
    std::ostringstream summary;
    ASSERT_TRUE(io::BlockOn(io_, PrintSegment(io_, path, {.summary = true}, summary)).ok());
    EXPECT_THAT(summary.str(), Not(HasSubstr("put")));
  }
  EXPECT_THAT(all, HasSubstr("put \"the last\" \"one\"\n"));
  EXPECT_THAT(all, HasSubstr(", durable, "));
}

TEST_F(ToolsTest, WalOfSomethingElseFails) {
  for (const bool json : {false, true}) {
    std::ostringstream out;
    EXPECT_FALSE(io::BlockOn(io_, PrintSegment(io_, "/db/CURRENT", {.json = json}, out)).ok());
    if (json) ExpectJson(out.str());
  }
}

// ---- text

TEST(Text, EscapesWhatIsNotPrintable) {
  EXPECT_EQ(Escape(std::string_view("a\\b\0\xff\"", 6)), "a\\\\b\\x00\\xff\"");
  EXPECT_EQ(EscapeShort("abcdef", 3), "abc... (6 bytes)");
  EXPECT_EQ(EscapeShort("abc", 3), "abc");
}

TEST(Text, FormatsNumbers) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(FormatBytes(~uint64_t{0}), "16.0 EiB");
  EXPECT_EQ(FormatSequence((uint64_t{1'700'000'000'123} << 16) + 7), "2023-11-14T22:13:20.123Z+7");
}

TEST(JsonWriter, NestsAndQuotes) {
  std::ostringstream out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("a", "q\"\\\n");
  json.BeginArray("b");
  json.Field("", 1u);
  json.BeginObject();
  json.EndObject();
  json.EndArray();
  json.Field("c", true);
  json.Field("d", 1.5);
  json.Null("e");
  json.EndObject();
  EXPECT_EQ(out.str(), R"({"a":"q\"\\\u000a","b":[1,{}],"c":true,"d":1.500,"e":null})");
}

}  // namespace
}  // namespace varve::tools
