// RunJob: what it makes of memtables and tables, on every Io.
#include "compaction/job.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/coding.h"
#include "base/random.h"
#include "compaction/memtable_iterator.h"
#include "compaction/merging_iterator.h"
#include "fake_iterator.h"
#include "sstable/inspect.h"
#include "sstable/table_builder.h"
#include "tests/support/io_fixture.h"

namespace varve::compaction {
namespace {

class TestHost final : public JobHost {
 public:
  TestHost(io::Io& io, std::string directory, uint64_t* number)
      : io_(io), directory_(std::move(directory)), number_(number) {}

  StatusOr<JobFile> NewTableFile() override { return NewFile("sst"); }
  StatusOr<JobFile> NewValueFile() override { return NewFile("val"); }
  io::Task<StatusOr<std::string>> ReadValue(sstable::ValueReference reference) override {
    ++values_read;
    sstable::ValueFile file(io_, fmt::format("{}/{}.val", directory_, reference.file_number),
                            reference.file_number, nullptr);
    co_return co_await file.Read(reference);
  }
  io::Task<Status> Pace(const JobProgress& progress) override {
    EXPECT_GE(progress.entries_read, last_.entries_read);
    last_ = progress;
    ++paces;
    if (paces >= stop_at_pace) co_return absl::CancelledError("stopped");
    co_await io::Yield();
    co_return absl::OkStatus();
  }

  uint64_t paces = 0;
  uint64_t stop_at_pace = ~uint64_t{0};
  uint64_t values_read = 0;

 private:
  StatusOr<JobFile> NewFile(std::string_view suffix) {
    const uint64_t number = ++*number_;
    io::OpenOptions options;
    options.mode = io::OpenOptions::Mode::kCreate;
    options.direct = true;
    VARVE_ASSIGN_OR_RETURN(std::shared_ptr<io::File> file,
                           io_.Open(fmt::format("{}/{}.{}", directory_, number, suffix), options));
    return JobFile{number, std::move(file)};
  }

  io::Io& io_;
  const std::string directory_;
  uint64_t* const number_;
  JobProgress last_;
};

class JobTest : public testing::IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    cache_ = std::make_unique<sstable::BlockCache>(
        sstable::BlockCacheOptions{.capacity_bytes = 4 << 20});
  }
  void TearDown() override {
    tables_.clear();
    cache_.reset();
  }

  TestHost NewHost() { return TestHost(io(), directory(), &number_); }

  // A job over `entries`, in order, with waits.
  JobRequest RequestOf(std::vector<OwnedEntry> entries, uint64_t wait_one_in = 0) {
    JobRequest request;
    request.input = std::make_unique<FakeIterator>(std::move(entries), 1, wait_one_in);
    request.boundaries = {kSequenceMax};
    request.cache = cache_.get();
    return request;
  }

  JobResult MustRun(JobRequest request) {
    TestHost host = NewHost();
    auto result = Await(RunJob(host, std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : JobResult();
  }

  const sstable::Table* Open(const sstable::TableInfo& info) {
    const std::string path = Path(fmt::format("{}.sst", info.file_number));
    const Status status = Await(sstable::InspectTable(io(), path, nullptr, &info));
    EXPECT_TRUE(status.ok()) << status;
    tables_.push_back(std::make_unique<sstable::Table>(io(), path, info, *cache_));
    return tables_.back().get();
  }

  // Everything in the tables of a result, with what references refer to.
  std::vector<OwnedEntry> ReadAll(const JobResult& result, bool resolve = true) {
    std::vector<OwnedEntry> entries;
    for (const sstable::TableInfo& info : result.tables) {
      auto iterator = Open(info)->NewIterator({});
      iterator->SeekToFirst();
      while (SettleNow(*iterator), iterator->state() == sstable::EntryIterator::State::kEntry) {
        OwnedEntry& entry = entries.emplace_back(Own(iterator->entry()));
        if (resolve && entry.kind == EntryKind::kPutReference) Resolve(entry);
        iterator->Next();
      }
      EXPECT_TRUE(iterator->status().ok()) << iterator->status();
    }
    return entries;
  }

  void Resolve(OwnedEntry& entry) {
    sstable::ValueReference reference;
    ASSERT_TRUE(sstable::ValueReference::Parse(entry.value, &reference));
    sstable::ValueFile file(io(), Path(fmt::format("{}.val", reference.file_number)),
                            reference.file_number, nullptr);
    auto value = file.ReadNow(reference);
    ASSERT_TRUE(value.ok()) << value.status();
    entry.kind = EntryKind::kPut;
    entry.value = *std::move(value);
  }

  uint64_t number_ = 0;
  std::unique_ptr<sstable::BlockCache> cache_;
  std::vector<std::unique_ptr<sstable::Table>> tables_;
};

VARVE_ON_EVERY_IO(JobTest);

std::vector<OwnedEntry> Puts(uint64_t count, size_t value_bytes, SequenceNumber sequence = 1) {
  std::vector<OwnedEntry> entries;
  Random random(count);
  for (uint64_t i = 0; i < count; ++i) {
    std::string value;
    while (value.size() < value_bytes) AppendU64(value, random.Next());
    value.resize(value_bytes);
    entries.push_back({fmt::format("key{:08}", i), sequence, EntryKind::kPut, value});
  }
  return entries;
}

TEST_P(JobTest, FlushesMemtablesToTables) {
  MergingIterator::Children memtables;
  std::map<std::string, std::string> newest;
  Random random(3);
  SequenceNumber sequence = 0;
  for (int i = 0; i < 3; ++i) {
    auto memtable = std::make_shared<memtable::Memtable>();
    for (int j = 0; j < 500; ++j) {
      const std::string key = fmt::format("k{:03}", random.Below(400));
      const std::string value = fmt::format("v{}", ++sequence);
      memtable->Add({key, sequence, EntryKind::kPut, value});
      newest[key] = value;
    }
    memtables.insert(memtables.begin(), std::make_unique<FrozenIterator>(*memtable, memtable));
  }
  JobRequest request = RequestOf({});
  request.input = std::make_unique<MergingIterator>(std::move(memtables));
  request.boundaries = {sequence};
  const JobResult result = MustRun(std::move(request));
  ASSERT_EQ(result.tables.size(), 1u);
  const std::vector<OwnedEntry> entries = ReadAll(result);
  ASSERT_EQ(entries.size(), newest.size());
  for (const OwnedEntry& entry : entries) EXPECT_EQ(entry.value, newest[entry.key]);
  EXPECT_EQ(result.stats.progress.entries_read, 1500u);
  EXPECT_EQ(result.stats.dropped_versions, 1500 - entries.size());
  EXPECT_EQ(result.stats.progress.bytes_written, result.tables[0].file_bytes);
}

TEST_P(JobTest, MakesNothingOfNothing) {
  const JobResult result = MustRun(RequestOf({}));
  EXPECT_TRUE(result.tables.empty());
  JobRequest request = RequestOf({{"a", 3, EntryKind::kDelete, ""}});
  EXPECT_TRUE(MustRun(std::move(request)).tables.empty());
  EXPECT_EQ(number_, 0u) << "a file was made for nothing";
}

TEST_P(JobTest, CutsTablesAtTheirSize) {
  const std::vector<OwnedEntry> entries = Puts(4000, 500);
  JobRequest request = RequestOf(entries, 5);
  request.table_bytes_target = 256 << 10;
  request.table_options.write_bytes = 64 << 10;
  const JobResult result = MustRun(std::move(request));
  EXPECT_GE(result.tables.size(), 6u);
  EXPECT_LE(result.tables.size(), 9u);
  for (size_t i = 0; i + 1 < result.tables.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(result.tables[i].file_bytes), 256 << 10, 64 << 10);
    EXPECT_LT(result.tables[i].largest_key, result.tables[i + 1].smallest_key);
  }
  EXPECT_EQ(ReadAll(result), entries);
}

TEST_P(JobTest, NeverSpreadsAKeyOverTables) {
  std::vector<OwnedEntry> entries;
  for (const char* key : {"a", "b", "c"}) {
    for (SequenceNumber sequence = 400; sequence > 0; --sequence) {
      entries.push_back({key, sequence, EntryKind::kPut, std::string(200, 'v')});
    }
  }
  JobRequest request = RequestOf(entries);
  request.boundaries = {0};
  request.table_bytes_target = 4096;
  request.table_options.compression_level = 0;
  const JobResult result = MustRun(std::move(request));
  EXPECT_EQ(result.tables.size(), 3u);
  EXPECT_EQ(ReadAll(result), entries);
}

TEST_P(JobTest, CutsTablesWhereThePlanSays) {
  JobRequest request = RequestOf(Puts(100, 10));
  request.cuts = {"a", "key00000010", "key00000010a", "key00000050", "key0000005", "z"};
  std::sort(request.cuts.begin(), request.cuts.end());
  const JobResult result = MustRun(std::move(request));
  std::vector<std::string> starts;
  for (const auto& table : result.tables) starts.push_back(table.smallest_key);
  EXPECT_EQ(starts,
            (std::vector<std::string>{"key00000000", "key00000010", "key00000011", "key00000050"}));
}

TEST_P(JobTest, MovesLargeValuesToValueFiles) {
  std::vector<OwnedEntry> entries = Puts(50, 10);
  const std::vector<OwnedEntry> large = Puts(200, 5000);
  entries.insert(entries.end(), large.begin() + 50, large.end());
  JobRequest request = RequestOf(entries);
  request.value_separation_bytes = 5000;
  request.value_file_bytes_target = 200 << 10;
  const JobResult result = MustRun(std::move(request));
  ASSERT_EQ(result.tables.size(), 1u);
  EXPECT_GE(result.value_files.size(), 3u);
  EXPECT_EQ(result.stats.separated_values, 150u);
  std::map<uint64_t, uint64_t> used;
  for (const auto& use : result.tables[0].value_files) used[use.file_number] = use.stored_bytes;
  for (const auto& file : result.value_files) EXPECT_EQ(used[file.file_number], file.record_bytes);
  EXPECT_EQ(ReadAll(result), entries);
}

TEST_P(JobTest, CopiesValuesOutOfFilesThatAreMostlyGarbage) {
  const std::vector<OwnedEntry> entries = Puts(300, 3000);
  JobRequest first = RequestOf(entries);
  first.value_separation_bytes = 1000;
  first.value_file_bytes_target = 400 << 10;
  const JobResult before = MustRun(std::move(first));
  ASSERT_GE(before.value_files.size(), 2u);
  const uint64_t doomed = before.value_files[0].file_number;

  JobRequest second = RequestOf({});
  second.input = NewTableInput({{{Open(before.tables[0]), "", ""}}});
  second.rewrite_value_files = {doomed};
  second.value_separation_bytes = 1000;
  TestHost host = NewHost();
  auto after = Await(RunJob(host, std::move(second)));
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(host.values_read, before.value_files[0].values);
  EXPECT_EQ(after->stats.rewritten_values, before.value_files[0].values);
  ASSERT_EQ(after->value_files.size(), 1u);
  for (const auto& use : after->tables[0].value_files) EXPECT_NE(use.file_number, doomed);
  EXPECT_EQ(ReadAll(*after), entries);
}

TEST_P(JobTest, TakesSmallValuesBackIntoTheTable) {
  const std::vector<OwnedEntry> entries = Puts(100, 300);
  JobRequest first = RequestOf(entries);
  first.value_separation_bytes = 100;
  const JobResult before = MustRun(std::move(first));
  JobRequest second = RequestOf({});
  second.input = NewTableInput({{{Open(before.tables[0]), "", ""}}});
  second.rewrite_value_files = {before.value_files[0].file_number};
  const JobResult after = MustRun(std::move(second));
  EXPECT_TRUE(after.value_files.empty());
  EXPECT_TRUE(after.tables[0].value_files.empty());
  EXPECT_EQ(ReadAll(after, /*resolve=*/false), entries);
}

TEST_P(JobTest, StopsWhenTheHostSaysSo) {
  JobRequest request = RequestOf(Puts(10000, 100), 3);
  request.table_bytes_target = 64 << 10;
  TestHost host = NewHost();
  host.stop_at_pace = 5;
  const auto result = Await(RunJob(host, std::move(request)));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(host.paces, 5u);
}

TEST_P(JobTest, TellsWhatIsWrongWithItsInput) {
  auto input = std::make_unique<FakeIterator>(Puts(1000, 100), 1, 3);
  input->FailAfter(700);
  JobRequest request = RequestOf({});
  request.input = std::move(input);
  request.table_bytes_target = 16 << 10;
  TestHost host = NewHost();
  const auto result = Await(RunJob(host, std::move(request)));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Message(result.status()), "fake:7: broken");
}

TEST_P(JobTest, KeepsCachedWhatWasCached) {
  JobRequest first = RequestOf(Puts(2000, 200));
  first.table_options.compression_level = 0;
  const JobResult before = MustRun(std::move(first));
  const sstable::Table* const table = Open(before.tables[0]);
  const auto reader = table->NewIterator({});
  reader->Seek("key00001000", kSequenceMax);
  SettleNow(*reader);
  ASSERT_EQ(reader->state(), sstable::EntryIterator::State::kEntry);

  JobRequest second = RequestOf({});
  second.input = NewTableInput({{{table, "", ""}}});
  const uint64_t blocks_before = cache_->stats().inserted;
  const JobResult after = MustRun(std::move(second));
  const uint64_t blocks = cache_->stats().inserted - blocks_before;
  EXPECT_GE(blocks, 1u);
  EXPECT_LE(blocks, 6u);
}

// ---- Random inputs against a model: everything merged, clipped, sorted, and put through
// DropRules.

TEST_P(JobTest, MergesLikeOneSortedVector) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<OwnedEntry> expected;
    std::vector<std::vector<JobTable>> runs;
    std::vector<std::string> clips = {""};
    for (int i = 0; i < 3; ++i) clips.push_back(fmt::format("{:03}", random.Below(1000)));
    const std::string& clip_begin = clips[random.Below(clips.size())];
    const std::string& clip_end = clips[random.Below(clips.size())];
    SequenceNumber sequence = 100000;
    for (uint64_t run = random.Between(1, 5); run > 0; --run) {  // newest first
      std::map<std::pair<std::string, SequenceNumber>, OwnedEntry> entries;
      for (uint64_t i = random.Between(1, 2000); i > 0; --i) {
        OwnedEntry entry;
        entry.key = fmt::format("{:03}", random.Below(1000));
        entry.sequence = sequence - random.Below(900);
        entry.kind = random.OneIn(4) ? EntryKind::kDelete : EntryKind::kPut;
        if (entry.kind == EntryKind::kPut) entry.value = std::string(random.Below(200), 'x');
        entries[{entry.key, kSequenceMax - entry.sequence}] = entry;
      }
      sequence -= 1000;
      std::vector<OwnedEntry> sorted;
      for (auto& [key, entry] : entries) sorted.push_back(entry);
      JobRequest request = RequestOf(sorted);
      request.boundaries = {0};
      request.deeper = DeeperKeys({{{"0", "", false}}});
      request.table_bytes_target = random.OneIn(2) ? 16 << 10 : 32 << 20;
      std::vector<JobTable>& tables = runs.emplace_back();
      const JobResult written = MustRun(std::move(request));
      for (const auto& info : written.tables) {
        // As a reference would: tables of which nothing is left are not named.
        if (!clip_end.empty() && info.smallest_key >= clip_end) continue;
        if (info.largest_key < clip_begin) continue;
        if (!clip_end.empty() && clip_begin >= clip_end) continue;
        tables.push_back({Open(info), clip_begin, clip_end});
      }
      for (const OwnedEntry& entry : ReadAll(written)) {
        if (entry.key >= clip_begin && (clip_end.empty() || entry.key < clip_end)) {
          expected.push_back(entry);
        }
      }
    }
    std::sort(expected.begin(), expected.end(), EntryBefore);

    std::vector<SequenceNumber> boundaries;
    for (uint64_t i = random.Below(4); i > 0; --i)
      boundaries.push_back(random.Between(94000, 99999));
    boundaries.push_back(100000);
    std::sort(boundaries.begin(), boundaries.end());
    const std::vector<std::vector<KeyInterval>> deeper = {{{"200", "400", true}},
                                                          {{"700", "", false}}};
    std::vector<OwnedEntry> kept;
    DropRules rules(boundaries, DeeperKeys(deeper));
    for (const OwnedEntry& owned : expected) {
      const Entry entry{owned.key, owned.sequence, owned.kind, owned.value};
      for (const Entry& e : rules.Add(entry)) kept.push_back(Own(e));
    }
    for (const Entry& e : rules.Finish()) kept.push_back(Own(e));

    JobRequest request;
    request.input = NewTableInput(std::move(runs));
    request.boundaries = boundaries;
    request.deeper = DeeperKeys(deeper);
    request.table_bytes_target = 32 << 10;
    request.value_separation_bytes = random.OneIn(2) ? 150 : 0;
    const JobResult result = MustRun(std::move(request));
    ASSERT_TRUE(ReadAll(result) == kept);
    EXPECT_EQ(result.stats.progress.entries_read, expected.size());
    tables_.clear();
  }
}

// ---- Faults, in the simulation

TEST(SimulatedJob, EndsWithAnErrorWhateverFails) {
  uint64_t failed = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    io::SimIo io({.seed = seed});
    ASSERT_TRUE(io.CreateDirectory("/db").ok());
    uint64_t number = 0;
    std::vector<OwnedEntry> entries = Puts(2000, 150);
    JobRequest request;
    request.input = std::make_unique<FakeIterator>(entries, seed, 4);
    request.boundaries = {10};
    request.table_bytes_target = 64 << 10;
    request.table_options.write_bytes = 16 << 10;
    request.value_separation_bytes = seed % 2 == 0 ? 100 : 0;
    TestHost host(io, "/db", &number);
    if (seed % 3 == 0) {
      io.set_capacity_bytes(100 << 10);
    } else if (seed % 3 == 1) {
      io.set_faults({.write_error_one_in = 20, .sync_error_one_in = 10});
    } else {
      io.ArmCrash(io::SimCrash::kPower, 1 + seed % 25);
    }
    const auto result = io::BlockOn(io, RunJob(host, std::move(request)));
    failed += !result.ok();
    if (!result.ok()) {
      EXPECT_NE(result.status().code(), absl::StatusCode::kDataLoss) << result.status();
    }
  }
  EXPECT_GT(failed, 100u);
}

}  // namespace
}  // namespace varve::compaction
