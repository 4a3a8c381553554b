#include "server/stream_codec.h"

#include <optional>

#include "server/json.h"
#include "server/json_writer.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;

// What the service says of a record's origin.
constexpr std::string_view kEventVersion = "1.1";
constexpr std::string_view kEventSource = "aws:dynamodb";
constexpr std::string_view kServicePrincipal = "dynamodb.amazonaws.com";

std::optional<std::string> TextMember(const Members& json, std::string_view name) {
  const auto value = FindMember(json, name);
  if (!value) return std::nullopt;
  return std::string(TextOf(*value));
}

std::optional<int64_t> IntegerMember(const Members& json, std::string_view name) {
  const auto value = FindMember(json, name);
  if (!value) return std::nullopt;
  return IntegerOf(*value);
}

void AppendSummary(ObjectWriter& object, const item::StreamSummary& stream) {
  object.Text("StreamArn", stream.stream_arn);
  object.Text("TableName", stream.table_name);
  object.Text("StreamLabel", stream.stream_label);
}

void AppendShard(std::string& to, const item::ShardDescription& shard) {
  ObjectWriter object(to);
  object.Text("ShardId", shard.shard_id);
  ObjectWriter range(object.Member("SequenceNumberRange"));
  range.Text("StartingSequenceNumber", shard.starting_sequence_number);
  if (shard.ending_sequence_number) {
    range.Text("EndingSequenceNumber", *shard.ending_sequence_number);
  }
  range.End();
  if (shard.parent_shard_id) object.Text("ParentShardId", *shard.parent_shard_id);
  object.End();
}

void AppendRecord(std::string& to, const item::StreamRecordDescription& record) {
  ObjectWriter object(to);
  object.Text("eventID", record.event_id);
  object.Text("eventName", item::ToString(record.event));
  object.Text("eventVersion", kEventVersion);
  object.Text("eventSource", kEventSource);
  object.Text("awsRegion", record.aws_region);
  ObjectWriter change(object.Member("dynamodb"));
  change.Integer("ApproximateCreationDateTime",
                 static_cast<int64_t>(record.creation_time_ms / 1000));
  change.Item("Keys", record.keys);
  if (record.new_image) change.Item("NewImage", *record.new_image);
  if (record.old_image) change.Item("OldImage", *record.old_image);
  change.Text("SequenceNumber", record.sequence_number);
  change.Integer("SizeBytes", static_cast<int64_t>(record.size_bytes));
  change.Text("StreamViewType", item::ToString(record.stream_view_type));
  change.End();
  if (record.by_time_to_live) {
    ObjectWriter identity(object.Member("userIdentity"));
    identity.Text("PrincipalId", kServicePrincipal);
    identity.Text("Type", "Service");
    identity.End();
  }
  object.End();
}

}  // namespace

// ---- Streams

Status Decode(const Members& json, item::ListStreamsRequest* request) {
  request->table_name = TextMember(json, "TableName");
  request->limit = IntegerMember(json, "Limit");
  request->exclusive_start_stream_arn = TextMember(json, "ExclusiveStartStreamArn");
  return {};
}

Status Decode(const Members& json, item::DescribeStreamRequest* request) {
  request->stream_arn = TextMember(json, "StreamArn").value_or("");
  request->limit = IntegerMember(json, "Limit");
  request->exclusive_start_shard_id = TextMember(json, "ExclusiveStartShardId");
  if (const auto filter = FindMember(json, "ShardFilter")) {
    const Members object = ObjectOf(*filter);
    if (FindMember(object, "Type")) {
      request->child_shards_of = TextMember(object, "ShardId").value_or("");
    }
  }
  return {};
}

Status Decode(const Members& json, item::GetShardIteratorRequest* request) {
  request->stream_arn = TextMember(json, "StreamArn").value_or("");
  request->shard_id = TextMember(json, "ShardId").value_or("");
  request->sequence_number = TextMember(json, "SequenceNumber");
  const std::string type = TextMember(json, "ShardIteratorType").value_or("");
  request->shard_iterator_type =
      type == "LATEST"                  ? item::ShardIteratorType::kLatest
      : type == "AT_SEQUENCE_NUMBER"    ? item::ShardIteratorType::kAtSequenceNumber
      : type == "AFTER_SEQUENCE_NUMBER" ? item::ShardIteratorType::kAfterSequenceNumber
                                        : item::ShardIteratorType::kTrimHorizon;
  return {};
}

Status Decode(const Members& json, item::GetRecordsRequest* request) {
  request->shard_iterator = TextMember(json, "ShardIterator").value_or("");
  request->limit = IntegerMember(json, "Limit");
  return {};
}

void Encode(const item::ListStreamsResponse& response, std::string& to) {
  ObjectWriter object(to);
  std::string& streams = object.Member("Streams");
  AppendArray(streams, response.streams, [&](const item::StreamSummary& stream) {
    ObjectWriter summary(streams);
    AppendSummary(summary, stream);
    summary.End();
  });
  if (response.last_evaluated_stream_arn) {
    object.Text("LastEvaluatedStreamArn", *response.last_evaluated_stream_arn);
  }
  object.End();
}

void Encode(const item::DescribeStreamResponse& response, std::string& to) {
  ObjectWriter object(to);
  ObjectWriter stream(object.Member("StreamDescription"));
  AppendSummary(stream, response.stream);
  stream.Text("StreamStatus", item::ToString(response.status));
  stream.Text("StreamViewType", item::ToString(response.stream_view_type));
  stream.Time("CreationRequestDateTime", response.creation_time_ms);
  AppendKeySchema(stream, response.key_schema);
  std::string& shards = stream.Member("Shards");
  AppendArray(shards, response.shards,
              [&](const item::ShardDescription& shard) { AppendShard(shards, shard); });
  if (response.last_evaluated_shard_id) {
    stream.Text("LastEvaluatedShardId", *response.last_evaluated_shard_id);
  }
  stream.End();
  object.End();
}

void Encode(const item::GetShardIteratorResponse& response, std::string& to) {
  ObjectWriter object(to);
  object.Text("ShardIterator", response.shard_iterator);
  object.End();
}

void Encode(const item::GetRecordsResponse& response, std::string& to) {
  ObjectWriter object(to);
  std::string& records = object.Member("Records");
  AppendArray(records, response.records,
              [&](const item::StreamRecordDescription& record) { AppendRecord(records, record); });
  if (response.next_shard_iterator) object.Text("NextShardIterator", *response.next_shard_iterator);
  object.End();
}

// ---- Time to live

Status Decode(const Members& json, item::UpdateTimeToLiveRequest* request) {
  request->table_name = TextMember(json, "TableName").value_or("");
  if (const auto value = FindMember(json, "TimeToLiveSpecification")) {
    const Members object = ObjectOf(*value);
    request->specification.attribute_name = TextMember(object, "AttributeName").value_or("");
    if (const auto enabled = FindMember(object, "Enabled")) {
      request->specification.enabled = BooleanOf(*enabled);
    }
  }
  return {};
}

Status Decode(const Members& json, item::DescribeTimeToLiveRequest* request) {
  request->table_name = TextMember(json, "TableName").value_or("");
  return {};
}

void Encode(const item::UpdateTimeToLiveResponse& response, std::string& to) {
  ObjectWriter object(to);
  ObjectWriter specification(object.Member("TimeToLiveSpecification"));
  specification.Boolean("Enabled", response.specification.enabled);
  specification.Text("AttributeName", response.specification.attribute_name);
  specification.End();
  object.End();
}

void Encode(const item::DescribeTimeToLiveResponse& response, std::string& to) {
  ObjectWriter object(to);
  ObjectWriter description(object.Member("TimeToLiveDescription"));
  description.Text("TimeToLiveStatus", item::ToString(response.status));
  if (!response.attribute_name.empty()) {
    description.Text("AttributeName", response.attribute_name);
  }
  description.End();
  object.End();
}

}  // namespace varve::server
