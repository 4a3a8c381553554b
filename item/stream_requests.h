// What the operations on streams and on time to live take and give, in the manner of
// item/requests.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "item/requests.h"
#include "item/value.h"

namespace varve::item {

// ---- Streams

struct ListStreamsRequest {
  std::optional<std::string> table_name;
  std::optional<int64_t> limit;  // 1 to 100; 100 unless given
  std::optional<std::string> exclusive_start_stream_arn;
};
struct StreamSummary {
  std::string stream_arn;
  std::string table_name;
  std::string stream_label;
};
struct ListStreamsResponse {
  std::vector<StreamSummary> streams;
  std::optional<std::string> last_evaluated_stream_arn;
};

struct DescribeStreamRequest {
  std::string stream_arn;
  std::optional<int64_t> limit;  // 1 to 100; 100 unless given
  std::optional<std::string> exclusive_start_shard_id;
  // ShardFilter of type CHILD_SHARDS: the shards whose parent this is.
  std::optional<std::string> child_shards_of;
};
struct ShardDescription {
  std::string shard_id;
  std::string starting_sequence_number;
  std::optional<std::string> ending_sequence_number;  // of a closed shard
  std::optional<std::string> parent_shard_id;
};
// Of a stream, and of a table's time to live.
enum class SwitchStatus : uint8_t { kDisabled, kEnabling, kEnabled, kDisabling };
std::string_view ToString(SwitchStatus status);  // "ENABLING"

struct DescribeStreamResponse {
  StreamSummary stream;
  SwitchStatus status = SwitchStatus::kDisabled;
  StreamViewType stream_view_type = StreamViewType::kKeysOnly;
  uint64_t creation_time_ms = 0;
  std::vector<KeySchemaElement> key_schema;
  std::vector<ShardDescription> shards;
  std::optional<std::string> last_evaluated_shard_id;
};

enum class ShardIteratorType : uint8_t {
  kTrimHorizon,
  kLatest,
  kAtSequenceNumber,
  kAfterSequenceNumber,
};

struct GetShardIteratorRequest {
  std::string stream_arn;
  std::string shard_id;
  ShardIteratorType shard_iterator_type = ShardIteratorType::kTrimHorizon;
  std::optional<std::string> sequence_number;
};
struct GetShardIteratorResponse {
  std::string shard_iterator;
};

struct GetRecordsRequest {
  std::string shard_iterator;
  std::optional<int64_t> limit;  // 1 to 1000; 1000 unless given
};
enum class StreamEvent : uint8_t { kInsert = 0, kModify = 1, kRemove = 2 };  // stored
std::string_view ToString(StreamEvent event);                                // "INSERT"
struct StreamRecordDescription {
  std::string event_id;
  StreamEvent event = StreamEvent::kInsert;
  uint64_t creation_time_ms = 0;
  Item keys;
  std::optional<Item> new_image;
  std::optional<Item> old_image;
  std::string sequence_number;
  uint64_t size_bytes = 0;
  StreamViewType stream_view_type = StreamViewType::kKeysOnly;
  // The item was deleted because its time was over: userIdentity names the service.
  bool by_time_to_live = false;
  std::string aws_region;
};
struct GetRecordsResponse {
  std::vector<StreamRecordDescription> records;
  std::optional<std::string> next_shard_iterator;  // none: the shard is closed and read to its end
};

// ---- Time to live

struct TimeToLiveSpecification {
  bool enabled = false;
  std::string attribute_name;
};

struct UpdateTimeToLiveRequest {
  std::string table_name;
  TimeToLiveSpecification specification;
};
struct UpdateTimeToLiveResponse {
  TimeToLiveSpecification specification;
};

struct DescribeTimeToLiveRequest {
  std::string table_name;
};
struct DescribeTimeToLiveResponse {
  SwitchStatus status = SwitchStatus::kDisabled;
  std::string attribute_name;  // unless that is over
};

}  // namespace varve::item
