// Numbers, shards, records and iterators of streams, without a store.
#include "item/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/db.h"
#include "io/sim.h"
#include "item/shard_iterator.h"
#include "item/stream_record.h"
#include "item/streams.h"
#include "text.h"

namespace varve::item {
namespace {

constexpr uint64_t kHourMs = 3600 * 1000;

class StreamTest : public testing::Test {
 protected:
  StreamPointer MakeStream(StreamViewType view_type = StreamViewType::kKeysOnly) {
    StreamInfo info;
    info.id = clock_.Next();
    info.table_name = "T";
    info.view_type = view_type;
    info.key_schema = {{"Id", KeyType::kHash}};
    return std::make_shared<Stream>(info, clock_);
  }

  io::SimIo io_{{.seed = 1}};
  std::unique_ptr<engine::Db> db_ = *engine::Db::Open(io_, "/db", {});
  StreamClock clock_{*db_};
};

TEST_F(StreamTest, NumbersAreTextOf21DigitsThatAscends) {
  EXPECT_EQ(SequenceNumberText(0), "100000000000000000000");
  EXPECT_EQ(SequenceNumberText(12345), "100000000000000012345");
  const RecordNumber number = clock_.Next();
  EXPECT_EQ(ParseSequenceNumber(SequenceNumberText(number)), number);
  EXPECT_LT(SequenceNumberText(number), SequenceNumberText(clock_.Next()));
  for (const std::string_view wrong :
       {"", "1", "10000000000000000000", "200000000000000000000", "10000000000000000000x",
        "1000000000000000000000", "199999999999999999999"}) {
    EXPECT_EQ(ParseSequenceNumber(wrong), std::nullopt) << wrong;
  }
}

TEST_F(StreamTest, LabelsAreTimes) {
  EXPECT_EQ(StreamLabel(RecordNumberAt(1'700'000'000'123)), "2023-11-14T22:13:20.123");
  EXPECT_EQ(MsOfStreamLabel("2023-11-14T22:13:20.123"), 1'700'000'000'123u);
  for (const std::string_view wrong : {"", "2023-11-14T22:13:20", "2023-02-30T22:13:20.123",
                                       "2023-11-14 22:13:20.123", "2023-11-14T25:13:20.123"}) {
    EXPECT_EQ(MsOfStreamLabel(wrong), std::nullopt) << wrong;
  }
}

TEST_F(StreamTest, NobodyReadsBeyondTheSmallestNumberInFlight) {
  const StreamPointer stream = MakeStream();
  StreamTicket first, second, third;
  ASSERT_TRUE(stream->Take(0, &first));
  ASSERT_TRUE(stream->Take(0, &second));
  EXPECT_EQ(stream->Watermark(), first.number());
  // The second commit overtakes the first: what it wrote stays unread.
  second.Release();
  EXPECT_EQ(stream->Watermark(), first.number());
  ASSERT_TRUE(stream->Take(0, &third));
  first.Release();
  EXPECT_EQ(stream->Watermark(), third.number());
  third.Release();
  const RecordNumber mark = stream->Watermark();
  EXPECT_GT(mark, third.number());
  StreamTicket fourth;
  ASSERT_TRUE(stream->Take(0, &fourth));
  EXPECT_GT(fourth.number(), mark);
}

TEST_F(StreamTest, AClosedStreamGivesNoNumbers) {
  const StreamPointer stream = MakeStream();
  StreamTicket ticket;
  ASSERT_TRUE(stream->Take(0, &ticket));
  stream->Close(clock_.Next());
  StreamTicket late;
  EXPECT_FALSE(stream->Take(0, &late));
}

TEST_F(StreamTest, ShardsFollowEachOtherEveryFourHours) {
  const StreamPointer stream = MakeStream();
  const RecordNumber now = RecordNumberAt(MsOfRecord(stream->id()) + 9 * kHourMs);
  const std::vector<Shard> shards = stream->Shards(now, 0);
  ASSERT_EQ(shards.size(), 3u);
  EXPECT_EQ(shards[0].begin, stream->id());
  EXPECT_EQ(shards[0].parent_id, "");
  for (size_t i = 0; i < shards.size(); ++i) {
    EXPECT_EQ(shards[i].end % RecordNumberAt(4 * kHourMs), 0u);
    EXPECT_EQ(EpochOf(shards[i].begin), EpochOf(shards[i].end - 1));
    EXPECT_EQ(shards[i].closed(now), i + 1 < shards.size());
    EXPECT_EQ(shards[i].id.size(), 37u);
    const std::optional<Shard> found = stream->FindShard(shards[i].id, now);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->begin, shards[i].begin);
    EXPECT_EQ(found->end, shards[i].end);
    if (i == 0) continue;
    EXPECT_EQ(shards[i].begin, shards[i - 1].end);
    EXPECT_EQ(shards[i].parent_id, shards[i - 1].id);
    EXPECT_GT(shards[i].id, shards[i - 1].id);
  }
  EXPECT_EQ(stream->FindShard("shardId-00000000000000000000-00000000", now), std::nullopt);
  EXPECT_EQ(stream->FindShard("shardId-" + std::string(20, '9') + "-00000000", now), std::nullopt);
  EXPECT_EQ(stream->FindShard("x", now), std::nullopt);
  // The first is gone when all of it is older than the horizon.
  EXPECT_EQ(stream->Shards(now, shards[0].end - 1).size(), 3u);
  EXPECT_EQ(stream->Shards(now, shards[0].end).size(), 2u);
}

TEST_F(StreamTest, ADisabledStreamHasClosedShardsOnly) {
  const StreamPointer stream = MakeStream();
  const RecordNumber end = clock_.Next();
  stream->Close(end);
  const RecordNumber later = RecordNumberAt(MsOfRecord(end) + 9 * kHourMs);
  const std::vector<Shard> shards = stream->Shards(later, 0);
  ASSERT_EQ(shards.size(), 1u);
  EXPECT_EQ(shards[0].end, end);
  EXPECT_TRUE(shards[0].closed(later));
}

// Every number and hash is in exactly one shard, and a shard's parent is the one that had all its
// hashes right before.
TEST_F(StreamTest, CutsMakeChildren) {
  const StreamPointer stream = MakeStream();
  const uint64_t start_ms = MsOfRecord(stream->id());
  const RecordNumber first = RecordNumberAt(start_ms + kHourMs);
  const RecordNumber second = RecordNumberAt(start_ms + 6 * kHourMs);
  ASSERT_TRUE(stream->AddCuts({{first, 0x80000000}}));
  ASSERT_TRUE(stream->AddCuts({{second, 0x40000000}, {second, 0xc0000000}}));
  const RecordNumber now = RecordNumberAt(start_ms + 7 * kHourMs);
  const std::vector<Shard> shards = stream->Shards(now, 0);

  const auto shard_of = [&](uint32_t hash, RecordNumber number) {
    uint32_t range = 0;
    const std::vector<std::pair<RecordNumber, uint32_t>> cuts = {
        {first, 0x80000000}, {second, 0x40000000}, {second, 0xc0000000}};
    for (const auto& [from, begin] : cuts) {
      if (from <= number && begin <= hash) range = std::max(range, begin);
    }
    std::vector<Shard> found;
    for (const Shard& shard : shards) {
      if (shard.range == range && shard.begin <= number && number < shard.end) {
        found.push_back(shard);
      }
    }
    EXPECT_EQ(found.size(), 1u) << hash << " at " << number;
    return found.empty() ? Shard() : found[0];
  };
  std::map<std::string, Shard> by_id;
  for (const Shard& shard : shards) by_id[shard.id] = shard;
  EXPECT_EQ(by_id.size(), shards.size());
  for (const uint32_t hash : {0u, 0x3fffffffu, 0x40000000u, 0x7fffffffu, 0x80000000u, 0xbfffffffu,
                              0xc0000000u, 0xffffffffu}) {
    for (uint64_t ms = 0; ms < 7 * kHourMs; ms += kHourMs / 2) {
      const Shard shard = shard_of(hash, RecordNumberAt(start_ms + ms + 1));
      EXPECT_TRUE(stream->FindShard(shard.id, now));
      if (shard.begin == stream->id()) {
        EXPECT_EQ(shard.parent_id, "");
        continue;
      }
      EXPECT_EQ(shard.parent_id, shard_of(hash, shard.begin - 1).id);
      EXPECT_EQ(by_id[shard.parent_id].end, shard.begin);
    }
  }
  // Where a ticket goes.
  StreamTicket ticket;
  ASSERT_TRUE(stream->Take(0xffffffff, &ticket));
  EXPECT_EQ(ticket.range(), 0u);  // it is before the first cut
  EXPECT_TRUE(stream->AddCuts({{RecordNumberAt(start_ms + 8 * kHourMs), 0x20000000}}));
  EXPECT_FALSE(stream->AddCuts({{ticket.number(), 0x10000000}}));
}

TEST_F(StreamTest, InfoSurvivesTheCatalogue) {
  StreamInfo info;
  info.id = clock_.Next();
  info.table_name = "T";
  info.view_type = StreamViewType::kNewAndOldImages;
  info.key_schema = {{"p", KeyType::kHash}, {"s", KeyType::kRange}};
  info.disabled_at = clock_.Next();
  info.cuts = {{clock_.Next(), 0x80000000}, {clock_.Next(), 7}};
  const Item record = RecordOfStream(info);
  ASSERT_TRUE(ValidateItem(record.encoded()).ok());
  const StatusOr<StreamInfo> read = StreamOfRecord(record);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, info.id);
  EXPECT_EQ(read->table_name, "T");
  EXPECT_EQ(read->view_type, info.view_type);
  ASSERT_EQ(read->key_schema.size(), 2u);
  EXPECT_EQ(read->key_schema[1].attribute_name, "s");
  EXPECT_EQ(read->key_schema[1].key_type, KeyType::kRange);
  EXPECT_EQ(read->disabled_at, info.disabled_at);
  EXPECT_EQ(read->cuts, info.cuts);
  EXPECT_FALSE(StreamOfRecord(ItemOf("{'Version':{'N':'1'}}")).ok());
  EXPECT_FALSE(StreamOfRecord(ItemOf("{'Version':{'N':'2'}}")).ok());
}

// Sizes are those of the examples in the developer guide.
TEST_F(StreamTest, RecordsShowWhatTheViewTypeAsksFor) {
  const std::string keys = "{'Id':{'N':'101'}}";
  const std::string old_item = "{'Id':{'N':'101'},'Message':{'S':'New item!'}}";
  const std::string new_item = "{'Id':{'N':'101'},'Message':{'S':'This item has changed'}}";
  const std::string none;
  struct Case {
    StreamViewType view;
    const std::string* before;
    const std::string* after;
    std::string_view event;
    const std::string* old_image;
    const std::string* new_image;
    uint64_t size_bytes;
  };
  for (const Case& c : std::vector<Case>{
           {StreamViewType::kNewAndOldImages, &none, &old_item, "INSERT", &none, &old_item, 26},
           {StreamViewType::kNewAndOldImages, &old_item, &new_item, "MODIFY", &old_item, &new_item,
            59},
           {StreamViewType::kNewAndOldImages, &new_item, &none, "REMOVE", &new_item, &none, 38},
           {StreamViewType::kNewImage, &old_item, &new_item, "MODIFY", &none, &new_item, 38},
           {StreamViewType::kNewImage, &old_item, &none, "REMOVE", &none, &none, 5},
           {StreamViewType::kOldImage, &old_item, &new_item, "MODIFY", &old_item, &none, 26},
           {StreamViewType::kOldImage, &none, &new_item, "INSERT", &none, &none, 5},
           {StreamViewType::kKeysOnly, &old_item, &new_item, "MODIFY", &none, &none, 5}}) {
    const StreamPointer stream = MakeStream(c.view);
    std::optional<Item> before, after;
    if (!c.before->empty()) before = ItemOf(*c.before);
    if (!c.after->empty()) after = ItemOf(*c.after);
    const auto view = [](const std::optional<Item>& item) {
      return item ? std::optional<ItemView>(item->view()) : std::nullopt;
    };
    const std::string bytes = EncodeStreamRecord(*stream, view(before), view(after), false);
    StreamRecordDescription record;
    const RecordNumber number = clock_.Next();
    const Status decoded = DecodeStreamRecord(*stream, number, bytes, &record);
    ASSERT_TRUE(decoded.ok()) << decoded;
    const auto text = [](const std::optional<Item>& item) {
      return item ? TextOf(*item) : std::string();
    };
    EXPECT_EQ(ToString(record.event), c.event);
    EXPECT_EQ(TextOf(record.keys), keys);
    EXPECT_EQ(text(record.old_image), *c.old_image);
    EXPECT_EQ(text(record.new_image), *c.new_image);
    EXPECT_EQ(record.size_bytes, c.size_bytes);
    EXPECT_EQ(record.sequence_number, SequenceNumberText(number));
    EXPECT_EQ(record.event_id.size(), 32u);
    EXPECT_FALSE(record.by_time_to_live);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(DecodeStreamRecord(*stream, number, bytes.substr(0, cut), &record).ok());
    }
    const std::string expired = EncodeStreamRecord(*stream, view(before), view(after), true);
    ASSERT_TRUE(DecodeStreamRecord(*stream, number, expired, &record).ok());
    EXPECT_TRUE(record.by_time_to_live);
  }
}

TEST_F(StreamTest, KeysOfRecordsOrderByEpochThenShardThenNumber) {
  const RecordNumber a = RecordNumberAt(kStreamEpochMs) - 1, b = RecordNumberAt(kStreamEpochMs);
  EXPECT_LT(StreamRecordKey(9, 9, a), StreamRecordKey(1, 1, b));
  EXPECT_LT(StreamRecordKey(1, 9, b), StreamRecordKey(2, 1, b));
  EXPECT_LT(StreamRecordKey(1, 1, b + 1), StreamRecordKey(1, 2, b));
  EXPECT_LT(StreamRecordKey(1, 1, b), StreamRecordKey(1, 1, b + 1));
  EXPECT_EQ(NumberOfRecordKey(StreamRecordKey(1, 2, b)), b);
  EXPECT_EQ(EpochOfRecordKey(StreamRecordKey(1, 2, b)), 1u);
  EXPECT_LT(EpochKey(1), StreamRecordKey(0, 0, b));
  EXPECT_LT(StreamRecordKey(~0ull, ~0u, b), EpochKey(2));
}

TEST_F(StreamTest, IteratorsCannotBeChanged) {
  ShardIterator iterator;
  iterator.stream = 1;
  iterator.range = 2;
  iterator.shard_begin = 3;
  iterator.position = 4;
  iterator.from_trim_horizon = true;
  iterator.issued_at_ms = 5;
  const std::string arn =
      "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2023-11-14T22:13:20.123";
  const std::string text = EncodeShardIterator(iterator, arn);
  const std::optional<ShardIterator> decoded = DecodeShardIterator(text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->stream, 1u);
  EXPECT_EQ(decoded->range, 2u);
  EXPECT_EQ(decoded->shard_begin, 3u);
  EXPECT_EQ(decoded->position, 4u);
  EXPECT_TRUE(decoded->from_trim_horizon);
  EXPECT_EQ(decoded->issued_at_ms, 5u);
  for (size_t i = arn.size(); i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(DecodeShardIterator(other)) << i;
    EXPECT_FALSE(DecodeShardIterator(text.substr(0, i))) << i;
  }
  EXPECT_FALSE(DecodeShardIterator(""));
}

}  // namespace
}  // namespace varve::item
