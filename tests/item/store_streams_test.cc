// Streams of tables, through the store.
#include <algorithm>
#include <map>
#include <set>

#include "item/shard_iterator.h"
#include "item/stream_record.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

constexpr uint64_t kMinuteMs = 60'000;
constexpr uint64_t kHourMs = 60 * kMinuteMs;

class StoreStreamsTest : public StoreTest {
 protected:
  void Advance(uint64_t ms) { io_.RunFor(ms * 1'000'000); }

  // A table with a stream; its ARN.
  std::string MakeStreamTable(std::string_view name,
                              StreamViewType view_type = StreamViewType::kNewAndOldImages) {
    CreateTableRequest request = TableRequest(name, std::nullopt);
    request.stream_specification = StreamSpecification{true, view_type};
    const auto response = Run(store_->CreateTable(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->table_description.latest_stream_arn : "";
  }
  std::string SetStream(std::string_view name, bool enabled,
                        std::optional<StreamViewType> view_type = std::nullopt) {
    UpdateTableRequest request;
    request.table_name = name;
    request.stream_specification = StreamSpecification{enabled, view_type};
    return ErrorText(Run(store_->UpdateTable(request)).status());
  }
  TableDescription Describe(std::string_view name) {
    DescribeTableRequest request;
    request.table_name = name;
    const auto response = Run(store_->DescribeTable(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->table : TableDescription();
  }
  StatusOr<DescribeStreamResponse> DescribeStream(const std::string& arn) {
    DescribeStreamRequest request;
    request.stream_arn = arn;
    return Run(store_->DescribeStream(request));
  }
  std::vector<ShardDescription> Shards(const std::string& arn) {
    auto response = DescribeStream(arn);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->shards : std::vector<ShardDescription>();
  }
  // The iterator, or the error.
  std::string Iterator(const std::string& arn, const std::string& shard,
                       ShardIteratorType type = ShardIteratorType::kTrimHorizon,
                       std::optional<std::string> number = std::nullopt) {
    GetShardIteratorRequest request;
    request.stream_arn = arn;
    request.shard_id = shard;
    request.shard_iterator_type = type;
    request.sequence_number = std::move(number);
    auto response = Run(store_->GetShardIterator(request));
    return response.ok() ? response->shard_iterator : ErrorText(response.status());
  }
  StatusOr<GetRecordsResponse> GetRecords(const std::string& iterator,
                                          std::optional<int64_t> limit = std::nullopt) {
    GetRecordsRequest request;
    request.shard_iterator = iterator;
    request.limit = limit;
    return Run(store_->GetRecords(request));
  }
  std::string RecordsError(const std::string& iterator) {
    return ErrorText(GetRecords(iterator).status());
  }
  // All records of all shards, parents first.
  std::vector<StreamRecordDescription> ReadAll(const std::string& arn) {
    std::vector<StreamRecordDescription> records;
    for (const ShardDescription& shard : Shards(arn)) {
      std::string iterator = Iterator(arn, shard.shard_id);
      while (true) {
        auto page = GetRecords(iterator);
        EXPECT_TRUE(page.ok()) << page.status();
        if (!page.ok()) break;
        std::move(page->records.begin(), page->records.end(), std::back_inserter(records));
        if (!page->next_shard_iterator || page->records.empty()) break;
        iterator = *page->next_shard_iterator;
      }
    }
    return records;
  }
  // "INSERT a; MODIFY a": the events and the partition keys.
  static std::string Summary(const std::vector<StreamRecordDescription>& records) {
    std::string summary;
    for (const StreamRecordDescription& record : records) {
      if (!summary.empty()) summary += "; ";
      summary += fmt::format("{} {}", ToString(record.event), record.keys.view().Find("p")->text());
    }
    return summary;
  }
  // Entries of records in the engine.
  size_t StoredRecords() {
    engine::IteratorOptions options;
    options.lower_bound = std::string(1, kStreamKeySpace);
    options.upper_bound = std::string(1, kStreamKeySpace + 1);
    const auto iterator = db_->NewIterator(options);
    size_t count = 0;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++count;
    return count;
  }
  static std::string ItemP(std::string_view p, int n = 1) {
    return fmt::format("{{'p':{{'S':'{}'}},'n':{{'N':'{}'}}}}", p, n);
  }
};

TEST_F(StoreStreamsTest, EachChangeIsOneRecordInOrder) {
  const std::string arn = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a", 1)), "OK");
  EXPECT_EQ(Put("Tab", ItemP("b", 1)), "OK");
  EXPECT_EQ(Put("Tab", ItemP("a", 2)), "OK");
  UpdateItemRequest update;
  update.table_name = "Tab";
  update.key = ItemOf("{'p':{'S':'b'}}");
  update.update_expression = "SET n = :n";
  update.expression_parameters = Values({{":n", "{'N':'3'}"}});
  ASSERT_TRUE(Run(store_->UpdateItem(update)).ok());
  EXPECT_EQ(Delete("Tab", "{'p':{'S':'a'}}"), "OK");
  BatchWriteItemRequest batch;
  batch.request_items.emplace_back("Tab", std::vector<WriteRequest>(2));
  batch.request_items[0].second[0].put_item = ItemOf(ItemP("c"));
  batch.request_items[0].second[1].delete_key = ItemOf("{'p':{'S':'b'}}");
  ASSERT_TRUE(Run(store_->BatchWriteItem(batch)).ok());

  const auto records = ReadAll(arn);
  EXPECT_EQ(Summary(records),
            "INSERT a; INSERT b; MODIFY a; MODIFY b; REMOVE a; INSERT c; REMOVE b");
  EXPECT_EQ(TextOf(*records[2].old_image), TextOf(ItemOf(ItemP("a", 1))));
  EXPECT_EQ(TextOf(*records[2].new_image), TextOf(ItemOf(ItemP("a", 2))));
  EXPECT_FALSE(records[4].new_image);
  std::set<std::string> ids;
  for (size_t i = 0; i < records.size(); ++i) {
    ids.insert(records[i].event_id);
    EXPECT_EQ(records[i].aws_region, "us-east-1");
    if (i > 0) EXPECT_LT(records[i - 1].sequence_number, records[i].sequence_number);
  }
  EXPECT_EQ(ids.size(), records.size());
}

TEST_F(StoreStreamsTest, WhatChangesNothingHasNoRecord) {
  const std::string arn = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", "{'p':{'S':'a'},'n':{'N':'1'},'s':{'SS':['x','y']}}"), "OK");
  EXPECT_EQ(Put("Tab", "{'p':{'S':'a'},'n':{'N':'1.0'},'s':{'SS':['y','x']}}"), "OK");
  UpdateItemRequest update;
  update.table_name = "Tab";
  update.key = ItemOf("{'p':{'S':'a'}}");
  update.update_expression = "SET n = :n";
  update.expression_parameters = Values({{":n", "{'N':'1.00'}"}});
  ASSERT_TRUE(Run(store_->UpdateItem(update)).ok());
  EXPECT_EQ(Delete("Tab", "{'p':{'S':'none'}}"), "OK");
  EXPECT_EQ(Summary(ReadAll(arn)), "INSERT a");
}

TEST_F(StoreStreamsTest, AFailedWriteHasNoRecord) {
  const std::string arn = MakeStreamTable("Tab");
  PutItemRequest put;
  put.table_name = "Tab";
  put.item = ItemOf(ItemP("a"));
  put.condition_expression = "attribute_exists(p)";
  EXPECT_FALSE(Run(store_->PutItem(put)).ok());
  EXPECT_EQ(Summary(ReadAll(arn)), "");
}

TEST_F(StoreStreamsTest, DescribeTableTellsOfTheStream) {
  EXPECT_EQ(MakeTable("Plain"), "OK");
  EXPECT_FALSE(Describe("Plain").stream_view_type);
  EXPECT_EQ(Describe("Plain").latest_stream_arn, "");
  const std::string arn = MakeStreamTable("Tab", StreamViewType::kOldImage);
  const TableDescription table = Describe("Tab");
  EXPECT_EQ(table.stream_view_type, StreamViewType::kOldImage);
  EXPECT_EQ(table.latest_stream_arn, arn);
  EXPECT_EQ(arn, table.table_arn + "/stream/" + table.latest_stream_label);
  const auto stream = DescribeStream(arn);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(stream->status, SwitchStatus::kEnabled);
  EXPECT_EQ(stream->stream.table_name, "Tab");
  EXPECT_EQ(stream->stream.stream_label, table.latest_stream_label);
  EXPECT_EQ(stream->stream_view_type, StreamViewType::kOldImage);
  ASSERT_EQ(stream->key_schema.size(), 1u);
  ASSERT_EQ(stream->shards.size(), 1u);
  EXPECT_FALSE(stream->shards[0].ending_sequence_number);
  EXPECT_FALSE(stream->shards[0].parent_shard_id);
}

TEST_F(StoreStreamsTest, SpecificationsThatAreRefused) {
  CreateTableRequest request = TableRequest("Tab", std::nullopt);
  const auto create = [&](bool enabled, std::optional<StreamViewType> view_type) {
    request.stream_specification = StreamSpecification{enabled, view_type};
    return ErrorText(Run(store_->CreateTable(request)).status());
  };
  const std::string invalid = "ValidationException: One or more parameter values were invalid: ";
  EXPECT_EQ(create(true, std::nullopt),
            invalid + "Table is being created with a stream enabled, UpdateViewType is required");
  EXPECT_EQ(create(false, StreamViewType::kKeysOnly),
            invalid +
                "Table is being created with a stream disabled, UpdateViewType should not be "
                "specified");
  EXPECT_EQ(create(false, std::nullopt), "OK");
  EXPECT_EQ(SetStream("Tab", false),
            "ValidationException: Table has no stream to disable: TableName: Tab");
  EXPECT_EQ(SetStream("Tab", true),
            invalid + "If stream is being enabled then UpdateViewType is required");
  EXPECT_EQ(SetStream("Tab", true, StreamViewType::kNewImage), "OK");
  EXPECT_EQ(SetStream("Tab", true, StreamViewType::kNewImage),
            "ValidationException: Table already has an enabled stream: TableName: Tab");
  EXPECT_EQ(SetStream("Tab", false, StreamViewType::kNewImage),
            invalid + "If stream is being disabled, then UpdateViewType must not be specified");
}

TEST_F(StoreStreamsTest, AStreamEnabledAgainIsAnotherAndTheOldOneIsReadFor24Hours) {
  const std::string first = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a")), "OK");
  EXPECT_EQ(SetStream("Tab", false), "OK");
  EXPECT_EQ(Put("Tab", ItemP("b")), "OK");
  TableDescription table = Describe("Tab");
  EXPECT_FALSE(table.stream_view_type);
  EXPECT_EQ(table.latest_stream_arn, first);
  EXPECT_EQ(SetStream("Tab", true, StreamViewType::kKeysOnly), "OK");
  EXPECT_EQ(Put("Tab", ItemP("c")), "OK");
  table = Describe("Tab");
  const std::string second = table.latest_stream_arn;
  EXPECT_NE(second, first);

  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(Summary(ReadAll(first)), "INSERT a");
    EXPECT_EQ(Summary(ReadAll(second)), "INSERT c");
    EXPECT_EQ(DescribeStream(first)->status, SwitchStatus::kDisabled);
    ASSERT_EQ(Shards(first).size(), 1u);
    EXPECT_TRUE(Shards(first)[0].ending_sequence_number);
    // Read to its end, a closed shard has no next iterator.
    EXPECT_FALSE(GetRecords(Iterator(first, Shards(first)[0].shard_id))->next_shard_iterator);
    Reopen();
  }
  Advance(24 * kHourMs - 2 * kMinuteMs);
  EXPECT_TRUE(DescribeStream(first).ok());
  Advance(4 * kMinuteMs);
  EXPECT_EQ(
      ErrorText(DescribeStream(first).status()),
      "ResourceNotFoundException: Requested resource not found: Stream: " + first + " not found");
  EXPECT_TRUE(DescribeStream(second).ok());
}

TEST_F(StoreStreamsTest, ADeletedTablesStreamStays) {
  const std::string first = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a")), "OK");
  DeleteTableRequest request;
  request.table_name = "Tab";
  ASSERT_TRUE(Run(store_->DeleteTable(request)).ok());
  const std::string second = MakeStreamTable("Tab");
  EXPECT_NE(first, second);
  EXPECT_EQ(Put("Tab", ItemP("b")), "OK");
  Reopen();
  EXPECT_EQ(Summary(ReadAll(first)), "INSERT a");
  EXPECT_EQ(Summary(ReadAll(second)), "INSERT b");
}

TEST_F(StoreStreamsTest, ListStreamsPages) {
  std::vector<std::string> arns;
  for (const std::string_view name : {"Tab1", "Tab2", "Tab3"}) {
    arns.push_back(MakeStreamTable(name));
  }
  EXPECT_EQ(SetStream("Tab2", false), "OK");
  EXPECT_EQ(SetStream("Tab2", true, StreamViewType::kNewImage), "OK");
  arns.insert(arns.begin() + 2, Describe("Tab2").latest_stream_arn);
  std::vector<std::string> listed;
  ListStreamsRequest request;
  request.limit = 3;
  for (int page = 0; page < 3; ++page) {
    const auto response = Run(store_->ListStreams(request));
    ASSERT_TRUE(response.ok()) << response.status();
    for (const StreamSummary& stream : response->streams) listed.push_back(stream.stream_arn);
    if (!response->last_evaluated_stream_arn) break;
    request.exclusive_start_stream_arn = response->last_evaluated_stream_arn;
  }
  EXPECT_EQ(listed, arns);
  ListStreamsRequest of_table;
  of_table.table_name = "Tab2";
  EXPECT_EQ(Run(store_->ListStreams(of_table))->streams.size(), 2u);
  of_table.table_name = "Tab";
  EXPECT_EQ(Run(store_->ListStreams(of_table))->streams.size(), 0u);
}

TEST_F(StoreStreamsTest, IteratorsStartWhereTheyAreAskedTo) {
  const std::string arn = MakeStreamTable("Tab");
  for (const std::string_view p : {"a", "b", "c"}) EXPECT_EQ(Put("Tab", ItemP(p)), "OK");
  const std::string shard = Shards(arn)[0].shard_id;
  const auto records = ReadAll(arn);
  ASSERT_EQ(records.size(), 3u);
  const std::string second = records[1].sequence_number;
  const auto read = [&](const std::string& iterator) {
    return Summary(GetRecords(iterator)->records);
  };
  EXPECT_EQ(read(Iterator(arn, shard, ShardIteratorType::kAtSequenceNumber, second)),
            "INSERT b; INSERT c");
  EXPECT_EQ(read(Iterator(arn, shard, ShardIteratorType::kAfterSequenceNumber, second)),
            "INSERT c");
  std::string latest = Iterator(arn, shard, ShardIteratorType::kLatest);
  EXPECT_EQ(read(latest), "");
  latest = *GetRecords(latest)->next_shard_iterator;
  EXPECT_EQ(Put("Tab", ItemP("d")), "OK");
  EXPECT_EQ(read(latest), "INSERT d");

  // Pages.
  std::string iterator = Iterator(arn, shard);
  std::string pages;
  for (int i = 0; i < 4; ++i) {
    const auto page = GetRecords(iterator, 2);
    pages += Summary(page->records) + " | ";
    iterator = *page->next_shard_iterator;
  }
  EXPECT_EQ(pages, "INSERT a; INSERT b | INSERT c; INSERT d |  |  | ");
}

TEST_F(StoreStreamsTest, RequestsThatAreRefused) {
  const std::string arn = MakeStreamTable("Tab");
  const std::string shard = Shards(arn)[0].shard_id;
  const std::string prefix = "arn:aws:dynamodb:us-east-1:000000000000:table/";
  EXPECT_EQ(Iterator("fake-stream", shard), "ValidationException: Invalid StreamArn");
  for (const std::string& other :
       {prefix + "Tab/stream/2020-01-01T00:00:00.000",
        prefix + "Nix/stream/2020-01-01T00:00:00.000", prefix + "Tab/stream/today"}) {
    EXPECT_EQ(
        Iterator(other, shard),
        "ResourceNotFoundException: Requested resource not found: Stream: " + other + " not found");
  }
  EXPECT_EQ(Iterator(arn, "shardId-00000000000000000001-00000000"),
            "ResourceNotFoundException: Requested resource not found: Shard does not exist");
  EXPECT_TRUE(Iterator(arn, shard, ShardIteratorType::kAtSequenceNumber)
                  .starts_with("ValidationException: "));
  EXPECT_TRUE(Iterator(arn, shard, ShardIteratorType::kAtSequenceNumber, SequenceNumberText(1))
                  .starts_with("ValidationException: "));
  EXPECT_EQ(RecordsError("nothing"), "ValidationException: Invalid ShardIterator");
  const std::string iterator = Iterator(arn, shard);
  Advance(15 * kMinuteMs - 1000);
  EXPECT_EQ(RecordsError(iterator), "OK");
  Advance(2000);
  EXPECT_EQ(RecordsError(iterator), "ExpiredIteratorException: Shard iterator has expired");
}

TEST_F(StoreStreamsTest, PagesEndAt1000RecordsOr1Megabyte) {
  const std::string arn = MakeStreamTable("Tab", StreamViewType::kNewImage);
  BatchWriteItemRequest batch;
  batch.request_items.emplace_back("Tab", std::vector<WriteRequest>());
  for (int i = 0; i < 1100; ++i) {
    batch.request_items[0].second.emplace_back().put_item = ItemOf(ItemP(std::to_string(i)));
    if (batch.request_items[0].second.size() < 25) continue;
    ASSERT_TRUE(Run(store_->BatchWriteItem(batch)).ok());
    batch.request_items[0].second.clear();
  }
  const std::string shard = Shards(arn)[0].shard_id;
  auto page = GetRecords(Iterator(arn, shard));
  EXPECT_EQ(page->records.size(), 1000u);
  page = GetRecords(*page->next_shard_iterator);
  EXPECT_EQ(page->records.size(), 100u);

  const std::string latest = Iterator(arn, shard, ShardIteratorType::kLatest);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Put("Tab", fmt::format("{{'p':{{'S':'big{}'}},'x':{{'S':'{}'}}}}", i,
                                     std::string(300 * 1024, 'x'))),
              "OK");
  }
  page = GetRecords(latest);
  EXPECT_EQ(page->records.size(), 3u);
  page = GetRecords(*page->next_shard_iterator);
  EXPECT_EQ(page->records.size(), 2u);
}

TEST_F(StoreStreamsTest, ShardsRollOverAndRecordsAreTrimmedAfter24Hours) {
  const std::string arn = MakeStreamTable("Tab");
  // One record an hour.
  const auto write = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      EXPECT_EQ(Put("Tab", ItemP(std::to_string(i))), "OK");
      Advance(kHourMs);
    }
  };
  write(0, 9);
  std::vector<ShardDescription> shards = Shards(arn);
  EXPECT_GE(shards.size(), 3u);
  for (size_t i = 0; i < shards.size(); ++i) {
    EXPECT_EQ(shards[i].ending_sequence_number.has_value(), i + 1 < shards.size());
    if (i > 0) EXPECT_EQ(shards[i].parent_shard_id, shards[i - 1].shard_id);
  }
  EXPECT_EQ(ReadAll(arn).size(), 9u);
  const std::string first_shard = shards[0].shard_id;
  const std::string first_number = ReadAll(arn)[0].sequence_number;

  write(9, 30);
  const auto records = ReadAll(arn);
  ASSERT_EQ(records.size(), 23u);  // those of the last 24 hours, the write of 24 hours ago just not
  EXPECT_EQ(records.back().keys.view().Find("p")->text(), "29");
  // What is left in the engine is at most one epoch more.
  EXPECT_LE(StoredRecords(), 24u + 4u);
  shards = Shards(arn);
  EXPECT_LE(shards.size(), 8u);
  EXPECT_NE(shards[0].shard_id, first_shard);
  EXPECT_TRUE(shards[0].parent_shard_id);
  EXPECT_EQ(Iterator(arn, first_shard),
            "ResourceNotFoundException: Requested resource not found: Shard does not exist");
  // The table is as it was.
  EXPECT_EQ(Get("Tab", "{'p':{'S':'0'}}"), TextOf(ItemOf(ItemP("0"))));

  // A number that is older than the horizon, in a shard that is not.
  const std::string horizon_shard = shards[0].shard_id;
  EXPECT_EQ(Iterator(arn, horizon_shard, ShardIteratorType::kAtSequenceNumber,
                     shards[0].starting_sequence_number),
            "TrimmedDataAccessException: The data you are trying to access has been trimmed");
  // An iterator whose record is trimmed before it is used.
  const std::string iterator = Iterator(arn, horizon_shard, ShardIteratorType::kAtSequenceNumber,
                                        records[0].sequence_number);
  ASSERT_TRUE(iterator.starts_with("arn:")) << iterator;

  Advance(30 * kHourMs);
  EXPECT_EQ(ReadAll(arn).size(), 0u);
  EXPECT_EQ(StoredRecords(), 0u);
  EXPECT_EQ(DescribeStream(arn)->status, SwitchStatus::kEnabled);
  EXPECT_EQ(Put("Tab", ItemP("new")), "OK");
  EXPECT_EQ(Summary(ReadAll(arn)), "INSERT new");
  EXPECT_LE(db_->Partitions().size(), 16u);
}

TEST_F(StoreStreamsTest, AnIteratorWhoseRecordIsTrimmedMeanwhileSaysSo) {
  const std::string arn = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a")), "OK");
  const auto records = ReadAll(arn);
  ASSERT_EQ(records.size(), 1u);
  const std::string shard = Shards(arn)[0].shard_id;
  Advance(24 * kHourMs - 5 * kMinuteMs);
  const std::string at =
      Iterator(arn, shard, ShardIteratorType::kAtSequenceNumber, records[0].sequence_number);
  const std::string oldest = Iterator(arn, shard);
  EXPECT_EQ(RecordsError(at), "OK");
  Advance(10 * kMinuteMs);
  EXPECT_EQ(RecordsError(at),
            "TrimmedDataAccessException: The data you are trying to access has been trimmed");
  EXPECT_EQ(GetRecords(oldest)->records.size(), 0u);
}

TEST_F(StoreStreamsTest, NumbersAscendAcrossRestarts) {
  const std::string arn = MakeStreamTable("Tab");
  std::string iterator = Iterator(arn, Shards(arn)[0].shard_id);
  std::string last;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Put("Tab", ItemP("a", i)), "OK");
    const auto page = GetRecords(iterator);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->records.size(), 1u) << i;
    EXPECT_GT(page->records[0].sequence_number, last);
    last = page->records[0].sequence_number;
    iterator = *page->next_shard_iterator;
    Reopen();
  }
}

TEST_F(StoreStreamsTest, NumbersAscendAcrossRestartsWhateverTheClockDoes) {
  const std::string arn = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a")), "OK");
  // Only who reads looks at the clock in between.
  io_.JumpWallClock(50'000);
  ReadAll(arn);
  io_.JumpWallClock(50'000);
  EXPECT_EQ(Put("Tab", ItemP("a", 2)), "OK");
  io_.JumpWallClock(-100'000);
  Reopen();
  EXPECT_EQ(Put("Tab", ItemP("a", 3)), "OK");
  const auto records = ReadAll(arn);
  EXPECT_EQ(Summary(records), "INSERT a; MODIFY a; MODIFY a");
  for (size_t i = 1; i < records.size(); ++i) {
    EXPECT_LT(records[i - 1].sequence_number, records[i].sequence_number);
  }
}

// A commit whose record of the log is on the disk, though nobody was told, is there after a
// restart: who follows the stream must not have passed it by.
TEST_F(StoreStreamsTest, AFailedWriteThatARestartBringsBackIsNotMissed) {
  const std::string arn = MakeStreamTable("Tab");
  EXPECT_EQ(Put("Tab", ItemP("a")), "OK");
  bool failed = false;
  io_.set_fail([&](const io::SimAccess& access) {
    using Kind = io::SimAccess::Kind;
    const bool is_write = access.kind == Kind::kDurableWrite || access.kind == Kind::kWrite;
    const bool fails = is_write && (failed || access.path.find("/log") != std::string_view::npos);
    failed = failed || fails;
    return fails;
  });
  EXPECT_NE(Put("Tab", ItemP("b")), "OK");
  std::string iterator = Iterator(arn, Shards(arn)[0].shard_id);
  std::vector<StreamRecordDescription> followed;
  const auto follow = [&] {
    auto page = GetRecords(iterator);
    ASSERT_TRUE(page.ok()) << page.status();
    for (auto& record : page->records) followed.push_back(std::move(record));
    if (page->next_shard_iterator) iterator = *page->next_shard_iterator;
  };
  follow();
  follow();
  io_.Crash(io::SimCrash::kProcess);
  Close();
  io_.Restart();
  io_.set_fail({});
  Open();
  EXPECT_EQ(Put("Tab", ItemP("c")), "OK");
  follow();
  follow();
  EXPECT_EQ(Summary(followed), Summary(ReadAll(arn)));
}

TEST_F(StoreStreamsTest, ShardsSplitAsThePartitionsOfTheTableDo) {
  const std::string arn = MakeStreamTable("Tab");
  std::map<std::string, int> written;
  const auto write = [&](int n) {
    for (int i = 0; i < 20; ++i) {
      const std::string p = "key" + std::to_string(i);
      EXPECT_EQ(Put("Tab", ItemP(p, n)), "OK");
      written[p] = n;
    }
  };
  write(1);
  const std::string parent = Shards(arn)[0].shard_id;
  // The first and only table has key space 1.
  const std::vector<std::string> cuts = {SegmentBounds(1, 1, 4).begin,
                                         SegmentBounds(1, 2, 4).begin};
  ASSERT_TRUE(db_->Split(cuts).ok());
  Advance(15'000);
  write(2);
  Reopen();
  write(3);

  const auto all = Shards(arn);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].shard_id, parent);
  EXPECT_TRUE(all[0].ending_sequence_number);
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].parent_shard_id, parent);
    EXPECT_FALSE(all[i].ending_sequence_number);
  }
  DescribeStreamRequest children;
  children.stream_arn = arn;
  children.child_shards_of = parent;
  EXPECT_EQ(Run(store_->DescribeStream(children))->shards.size(), 3u);
  DescribeStreamRequest pages;
  pages.stream_arn = arn;
  pages.limit = 3;
  auto page = Run(store_->DescribeStream(pages));
  EXPECT_EQ(page->shards.size(), 3u);
  pages.exclusive_start_shard_id = page->last_evaluated_shard_id;
  page = Run(store_->DescribeStream(pages));
  ASSERT_EQ(page->shards.size(), 1u);
  EXPECT_EQ(page->shards[0].shard_id, all[3].shard_id);

  // Each key's changes in order, in the parent and then in one child.
  std::map<std::string, int> replayed;
  std::map<std::string, std::set<std::string>> shards_of_key;
  for (const ShardDescription& shard : all) {
    const auto records = GetRecords(Iterator(arn, shard.shard_id));
    for (const StreamRecordDescription& record : records->records) {
      const std::string p(record.keys.view().Find("p")->text());
      int64_t n = 0;
      ASSERT_TRUE(record.new_image->view().Find("n")->number().ToInt64(&n));
      EXPECT_EQ(n, replayed[p] + 1);
      replayed[p] = static_cast<int>(n);
      shards_of_key[p].insert(shard.shard_id);
    }
  }
  EXPECT_EQ(replayed, written);
  std::set<std::string> used;
  for (const auto& [p, shards] : shards_of_key) {
    EXPECT_EQ(shards.size(), 2u) << p;
    used.insert(shards.begin(), shards.end());
  }
  EXPECT_EQ(used.size(), 4u);
}

}  // namespace
}  // namespace varve::item
