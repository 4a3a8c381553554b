// ListStreams, DescribeStream, GetShardIterator, GetRecords, and the store's care for its streams.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/coding.h"
#include "item/shard_iterator.h"
#include "item/store.h"
#include "item/stream_record.h"

namespace varve::item {
namespace {

constexpr int64_t kListStreamsLimit = 100;
constexpr int64_t kDescribeStreamLimit = 100;
constexpr int64_t kGetRecordsLimit = 1000;
// A page of GetRecords ends before the record that would exceed this.
constexpr uint64_t kGetRecordsBytesMax = uint64_t{1} << 20;
constexpr std::string_view kStreamInArn = "/stream/";
constexpr uint64_t kMaintenanceMs = 10'000;

Status StreamNotFound(std::string_view arn) {
  return MakeError(ErrorType::kResourceNotFoundException,
                   fmt::format("Requested resource not found: Stream: {} not found", arn));
}

Status ShardNotFound() {
  return MakeError(ErrorType::kResourceNotFoundException,
                   "Requested resource not found: Shard does not exist");
}

Status TrimmedData() {
  return MakeError(ErrorType::kTrimmedDataAccessException,
                   "The data you are trying to access has been trimmed");
}

}  // namespace

std::string Store::StreamArn(std::string_view table_name, RecordNumber stream) const {
  return fmt::format("{}{}{}", ArnOf(table_name), kStreamInArn, StreamLabel(stream));
}

StatusOr<Streams::Place> Store::PlaceOfStreamArn(std::string_view arn) const {
  const size_t stream = arn.find(kStreamInArn);
  if (!arn.starts_with("arn:") || stream == std::string_view::npos) {
    return ValidationError("Invalid StreamArn");
  }
  const std::string_view table_arn = arn.substr(0, stream);
  const std::string_view name = catalogue_->NameOf(table_arn);
  const std::optional<uint64_t> label = MsOfStreamLabel(arn.substr(stream + kStreamInArn.size()));
  if (name == table_arn || !label) return StreamNotFound(arn);
  return Streams::Place(name, *label);
}

StatusOr<StreamPointer> Store::StreamOfArn(std::string_view arn) const {
  VARVE_ASSIGN_OR_RETURN(const Streams::Place place, PlaceOfStreamArn(arn));
  StreamPointer stream = streams_->Find(place.first, place.second);
  if (stream == nullptr) return StreamNotFound(arn);
  return stream;
}

StreamSummary Store::SummaryOf(const Stream& stream) const {
  return {StreamArn(stream.table_name(), stream.id()), stream.table_name(),
          StreamLabel(stream.id())};
}

io::Task<StatusOr<ListStreamsResponse>> Store::ListStreams(const ListStreamsRequest& request) {
  const size_t limit = static_cast<size_t>(request.limit.value_or(kListStreamsLimit));
  std::optional<std::string> table_name;
  if (request.table_name) table_name.emplace(catalogue_->NameOf(*request.table_name));
  std::optional<Streams::Place> after;
  if (request.exclusive_start_stream_arn) {
    VARVE_ASSIGN_OR_CO_RETURN(after, PlaceOfStreamArn(*request.exclusive_start_stream_arn));
  }
  const std::vector<StreamPointer> streams = streams_->List(table_name, after, limit + 1);
  ListStreamsResponse response;
  for (size_t i = 0; i < std::min(streams.size(), limit); ++i) {
    response.streams.push_back(SummaryOf(*streams[i]));
  }
  if (streams.size() > limit) {
    response.last_evaluated_stream_arn = response.streams.back().stream_arn;
  }
  co_return response;
}

io::Task<StatusOr<DescribeStreamResponse>> Store::DescribeStream(
    const DescribeStreamRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(const StreamPointer stream, StreamOfArn(request.stream_arn));
  DescribeStreamResponse response;
  response.stream = SummaryOf(*stream);
  const RecordNumber disabled_at = stream->disabled_at();
  response.status = SwitchStatusAt(
      stream->enabled(), disabled_at != 0 ? MsOfRecord(disabled_at) : MsOfRecord(stream->id()));
  response.stream_view_type = stream->view_type();
  response.creation_time_ms = MsOfRecord(stream->id());
  response.key_schema = stream->key_schema();

  const size_t limit = static_cast<size_t>(request.limit.value_or(kDescribeStreamLimit));
  const RecordNumber now = stream->Watermark();
  for (Shard& shard : stream->Shards(now, TrimHorizon(now))) {
    // Ids ascend with the shards.
    if (request.exclusive_start_shard_id && shard.id <= *request.exclusive_start_shard_id) continue;
    if (request.child_shards_of && shard.parent_id != *request.child_shards_of) continue;
    if (response.shards.size() == limit) {
      response.last_evaluated_shard_id = response.shards.back().shard_id;
      break;
    }
    ShardDescription& description = response.shards.emplace_back();
    if (shard.closed(now)) description.ending_sequence_number = SequenceNumberText(shard.end - 1);
    if (!shard.parent_id.empty()) description.parent_shard_id = std::move(shard.parent_id);
    description.starting_sequence_number = SequenceNumberText(shard.begin);
    description.shard_id = std::move(shard.id);
  }
  co_return response;
}

io::Task<StatusOr<GetShardIteratorResponse>> Store::GetShardIterator(
    const GetShardIteratorRequest& request) {
  VARVE_ASSIGN_OR_CO_RETURN(const StreamPointer stream, StreamOfArn(request.stream_arn));
  const RecordNumber now = stream->Watermark();
  const RecordNumber horizon = TrimHorizon(now);
  const std::optional<Shard> shard = stream->FindShard(request.shard_id, now);
  if (!shard || shard->end <= horizon) co_return ShardNotFound();

  ShardIterator iterator;
  iterator.stream = stream->id();
  iterator.range = shard->range;
  iterator.shard_begin = shard->begin;
  iterator.issued_at_ms = io_.WallMs();
  const ShardIteratorType type = request.shard_iterator_type;
  switch (type) {
    case ShardIteratorType::kTrimHorizon:
      iterator.position = shard->begin;
      iterator.from_trim_horizon = true;
      break;
    case ShardIteratorType::kLatest:
      iterator.position = now < shard->end ? stream->PositionAt(now) : shard->end;
      iterator.position = std::max(iterator.position, shard->begin);
      break;
    case ShardIteratorType::kAtSequenceNumber:
    case ShardIteratorType::kAfterSequenceNumber: {
      if (!request.sequence_number) {
        co_return ValidationError(
            "SequenceNumber must be specified for ShardIteratorType AT_SEQUENCE_NUMBER and "
            "AFTER_SEQUENCE_NUMBER");
      }
      const std::optional<RecordNumber> number = ParseSequenceNumber(*request.sequence_number);
      if (!number || *number < shard->begin || *number >= shard->end) {
        co_return ValidationError("Invalid SequenceNumber: {} is not one of shard {}",
                                  *request.sequence_number, shard->id);
      }
      if (*number < horizon) co_return TrimmedData();
      iterator.position = type == ShardIteratorType::kAtSequenceNumber ? *number : *number + 1;
    }
  }
  GetShardIteratorResponse response;
  response.shard_iterator = EncodeShardIterator(iterator, request.stream_arn);
  co_return response;
}

io::Task<StatusOr<GetRecordsResponse>> Store::GetRecords(const GetRecordsRequest& request) {
  const std::optional<ShardIterator> decoded = DecodeShardIterator(request.shard_iterator);
  if (!decoded) co_return ValidationError("Invalid ShardIterator");
  ShardIterator iterator = *decoded;
  if (iterator.issued_at_ms + kShardIteratorLifeMs < io_.WallMs()) {
    co_return MakeError(ErrorType::kExpiredIteratorException, "Shard iterator has expired");
  }
  const StreamPointer stream = streams_->Find(iterator.stream);
  if (stream == nullptr) co_return ShardNotFound();
  // First the mark, then the iterator: what lies before the one is to be seen through the other.
  const RecordNumber now = stream->Watermark();
  const RecordNumber horizon = TrimHorizon(now);
  const std::optional<Shard> shard = stream->FindShard(iterator.range, iterator.shard_begin, now);
  if (!shard) co_return ShardNotFound();
  if (iterator.from_trim_horizon) iterator.position = std::max(iterator.position, horizon);

  GetRecordsResponse response;
  const RecordNumber end = std::min(now, shard->end);
  if (shard->end <= horizon && iterator.position < shard->end) co_return TrimmedData();
  if (iterator.position < end) {
    const size_t limit = static_cast<size_t>(request.limit.value_or(kGetRecordsLimit));
    engine::IteratorOptions options;
    options.lower_bound = StreamRecordKey(stream->id(), shard->range, iterator.position);
    // The last number of the epoch has the epoch's key.
    options.upper_bound = StreamRecordKey(stream->id(), shard->range, end - 1) + '\0';
    const std::unique_ptr<engine::Iterator> records = db_.NewIterator(options);
    co_await records->SeekToFirstAsync();
    uint64_t bytes = 0;
    RecordNumber next = end == shard->end ? end : stream->PositionAt(end);
    next = std::max(next, iterator.position);
    while (records->Valid()) {
      const RecordNumber number = NumberOfRecordKey(records->key());
      // Trimmed while the iterator was held, though it may still lie there.
      if (number < horizon) co_return TrimmedData();
      StreamRecordDescription record;
      VARVE_CO_RETURN_IF_ERROR(DecodeStreamRecord(*stream, number, records->value(), &record));
      bytes += record.size_bytes;
      const bool full = !response.records.empty() && bytes > kGetRecordsBytesMax;
      if (full || response.records.size() == limit) {
        next = number;
        break;
      }
      record.aws_region = options_.region;
      response.records.push_back(std::move(record));
      if (!records->StartNext()) co_await records->SettleAsync();
    }
    VARVE_CO_RETURN_IF_ERROR(records->status());
    iterator.position = next;
  }
  if (iterator.position < shard->end) {
    iterator.issued_at_ms = io_.WallMs();
    iterator.from_trim_horizon = iterator.from_trim_horizon && response.records.empty();
    response.next_shard_iterator =
        EncodeShardIterator(iterator, StreamArn(stream->table_name(), stream->id()));
  }
  co_return response;
}

void Store::CareForStreams() {
  if (streams_->List(std::nullopt, std::nullopt, 1).empty()) return;
  if (!maintains_streams_.exchange(true)) background_.Start(MaintainStreams());
}

io::Task<void> Store::MaintainStreams() {
  Status known;
  while (!background_.stopping()) {
    Status status = co_await streams_->Maintain();
    if (status.ok()) status = co_await FollowPartitions();
    if (!status.ok() && status != known && !background_.stopping()) {
      spdlog::error("streams: {}; trying again", Message(status));
    }
    known = std::move(status);
    co_await background_.Sleep(kMaintenanceMs);
  }
}

io::Task<Status> Store::FollowPartitions() {
  std::vector<engine::PartitionInfo> partitions;
  for (const TablePointer& table : catalogue_->Tables()) {
    const StreamPointer stream = table->stream->Get();
    if (stream == nullptr) continue;
    if (partitions.empty()) partitions = db_.Partitions();
    const KeyBounds bounds = KeySpaceBounds(table->key_space);
    std::vector<uint32_t> hashes;
    auto partition = std::upper_bound(
        partitions.begin(), partitions.end(), bounds.begin,
        [](const std::string& key, const engine::PartitionInfo& info) { return key < info.begin; });
    for (; partition != partitions.end() && partition->begin < bounds.end; ++partition) {
      // A partition that begins within a hash belongs to the range that the hash does.
      const std::string& begin = partition->begin;
      if (begin.size() >= bounds.begin.size() + sizeof(uint32_t)) {
        hashes.push_back(HashOfEngineKey(begin));
      }
    }
    if (hashes.empty()) continue;
    hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
    VARVE_CO_RETURN_IF_ERROR(co_await streams_->SplitRanges(stream, std::move(hashes)));
    if (background_.stopping()) break;
  }
  co_return absl::OkStatus();
}

}  // namespace varve::item
