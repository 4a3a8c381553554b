// Streams: followed while they are written, and read again from their beginning: both must have
// the same records, which must tell the histories of the items.
#include <algorithm>

#include "tests/sim/store_run.h"

namespace varve::sim {

using item::StreamEvent;
using item::StreamRecordDescription;
using item::StreamViewType;

io::Task<void> StoreRun::Poll(StreamModel* stream, bool to_its_end) {
  if (stream->being_read) co_return;
  stream->being_read = true;
  const Status status = co_await ReadStream(stream, to_its_end);
  stream->being_read = false;
  Expect(status, nullptr, "reading a stream");
  if (status.ok()) Count("stream read");
}

io::Task<Status> StoreRun::ReadStream(StreamModel* stream, bool to_its_end) {
  item::DescribeStreamRequest describe;
  describe.stream_arn = stream->arn;
  describe.limit = static_cast<int64_t>(random_.Between(1, 5));
  do {
    VARVE_ASSIGN_OR_CO_RETURN(const item::DescribeStreamResponse description,
                              co_await store_->DescribeStream(describe));
    if (io_.crashed()) co_return absl::OkStatus();
    for (const item::ShardDescription& shard : description.shards) {
      VARVE_CO_RETURN_IF_ERROR(co_await ReadShard(stream, shard.shard_id, to_its_end));
      if (!Alive()) co_return absl::OkStatus();
    }
    describe.exclusive_start_shard_id = description.last_evaluated_shard_id;
  } while (describe.exclusive_start_shard_id);
  co_return absl::OkStatus();
}

io::Task<Status> StoreRun::ReadShard(StreamModel* stream, const std::string& shard_id,
                                     bool to_its_end) {
  StreamModel::Shard& shard = stream->shards[shard_id];
  if (shard.is_read) co_return absl::OkStatus();
  for (;;) {
    if (shard.iterator.empty()) {
      item::GetShardIteratorRequest start;
      start.stream_arn = stream->arn;
      start.shard_id = shard_id;
      if (!shard.last.empty()) {
        start.shard_iterator_type = item::ShardIteratorType::kAfterSequenceNumber;
        start.sequence_number = shard.last;
      }
      VARVE_ASSIGN_OR_CO_RETURN(const item::GetShardIteratorResponse response,
                                co_await store_->GetShardIterator(start));
      if (io_.crashed()) co_return absl::OkStatus();
      shard.iterator = response.shard_iterator;
    }
    item::GetRecordsRequest get;
    get.shard_iterator = shard.iterator;
    get.limit = static_cast<int64_t>(random_.Between(1, 40));
    const auto response = co_await store_->GetRecords(get);
    if (io_.crashed()) co_return absl::OkStatus();
    if (!response.ok()) {
      if (item::TypeOfError(response.status()) != item::ErrorType::kExpiredIteratorException) {
        co_return response.status();
      }
      shard.iterator.clear();
      Count("iterator expired");
      continue;
    }
    for (const StreamRecordDescription& record : response->records) {
      if (record.sequence_number <= shard.last) {
        Complain(fmt::format("stream {}: record {} comes after {}", stream->arn,
                             record.sequence_number, shard.last));
      }
      shard.last = record.sequence_number;
      if (!shard.records.emplace(record.sequence_number, record).second) {
        Complain(fmt::format("stream {}: record {} twice", stream->arn, record.sequence_number));
      }
    }
    Note(fmt::format("{} records", response->records.size()));
    shard.is_read = !response->next_shard_iterator.has_value();
    if (shard.is_read) co_return absl::OkStatus();
    shard.iterator = *response->next_shard_iterator;
    if (!to_its_end || response->records.empty() || !Alive()) co_return absl::OkStatus();
  }
}

io::Task<void> StoreRun::JudgeStreams() {
  const Tick begun = ++tick_;
  std::vector<StreamModel> again;
  for (size_t table = 0; table < tables_.size(); ++table) {
    for (StreamModel& stream : tables_[table]->streams) {
      if (may_have_lost_) {
        // With what a power cut took from the table it took the records. The reader begins anew.
        stream.shards.clear();
      }
      again.emplace_back().arn = stream.arn;
      co_await Poll(&again.back(), true);
      co_await Poll(&stream, true);
      if (complaint_) co_return;
    }
  }
  // Of items that have expired in the meantime.
  const auto snapshot = db_->GetSnapshot();
  co_await ResolveCommits(snapshot.get());
  size_t next = 0;
  for (const auto& table : tables_) {
    for (const StreamModel& stream : table->streams) {
      if (complaint_) co_return;
      JudgeStream(table.get(), stream, again[next++], begun);
    }
  }
}

void StoreRun::JudgeStream(TableModel* table, const StreamModel& stream, const StreamModel& again,
                           Tick begun) {
  for (const auto& [shard_id, shard] : again.shards) {
    const auto followed = stream.shards.find(shard_id);
    if (followed == stream.shards.end()) {
      Complain(
          fmt::format("stream of {}: one who followed it did not see {}", table->name, shard_id));
      return;
    }
    for (const auto& [number, record] : shard.records) {
      if (followed->second.records.contains(number)) continue;
      Complain(fmt::format("stream of {}: one who followed it did not see record {} of {}",
                           table->name, number, Show(AttributesOf(record.keys.view()))));
      return;
    }
    // What is newer may have come since.
    for (const auto& [number, record] : followed->second.records) {
      if (number > shard.last || shard.records.contains(number)) continue;
      Complain(fmt::format("stream of {}: record {} has gone", table->name, number));
      return;
    }
  }
  // What was dropped while operations were under way is nobody's business any more.
  if (table->gone) return;
  // A key's records lie in one shard after the other.
  std::map<std::string_view, const StreamRecordDescription*> records;
  for (const auto& [shard_id, shard] : again.shards) {
    for (const auto& [number, record] : shard.records) {
      if (records.emplace(number, &record).second) continue;
      Complain(fmt::format("stream of {}: record {} lies in two shards", table->name, number));
      return;
    }
  }
  std::map<Attributes, std::vector<const StreamRecordDescription*>> by_key;
  for (const auto& [number, record] : records) {
    by_key[AttributesOf(record->keys.view())].push_back(record);
  }
  for (const auto& [key, history] : table->items) {
    const auto why = JudgeRecords(stream, history.versions(), by_key[key], begun);
    by_key.erase(key);
    if (!why) continue;
    Complain(fmt::format("stream of {} (enabled {}-{}, disabled {}-{}): {}; {}", table->name,
                         stream.enable_begun, stream.enable_ended, stream.disable_begun,
                         stream.disable_ended, *why, Describe(*table, key)));
    return;
  }
  if (!by_key.empty()) {
    Complain(fmt::format("stream of {}: records of {}, which never was", table->name,
                         Show(by_key.begin()->first)));
  }
  Count("stream judged");
}

namespace {

bool Tells(const StreamRecordDescription& record, StreamViewType view_type, const State& before,
           const Version& after) {
  const StreamEvent event = !before        ? StreamEvent::kInsert
                            : !after.state ? StreamEvent::kRemove
                                           : StreamEvent::kModify;
  const auto image = [](const std::optional<item::Item>& item) -> State {
    if (!item) return std::nullopt;
    return AttributesOf(item->view());
  };
  const bool has_new =
      view_type == StreamViewType::kNewImage || view_type == StreamViewType::kNewAndOldImages;
  const bool has_old =
      view_type == StreamViewType::kOldImage || view_type == StreamViewType::kNewAndOldImages;
  return record.event == event && record.stream_view_type == view_type &&
         (record.by_time_to_live ? after.may_have_expired : !after.expired) &&
         image(record.new_image) == (has_new ? after.state : std::nullopt) &&
         image(record.old_image) == (has_old ? before : std::nullopt);
}

// Whether the version came to be only after `tick`; or before it.
bool IsAfter(const Version& version, Tick tick) {
  return version.commit != nullptr && version.commit->begun > tick;
}
bool IsBefore(const Version& version, Tick tick) {
  return version.commit == nullptr || version.commit->visible < tick;
}

}  // namespace

std::optional<std::string> StoreRun::JudgeRecords(
    const StreamModel& stream, const std::vector<Version>& versions,
    const std::vector<const StreamRecordDescription*>& records, Tick begun) {
  // The records tell of the versions behind one that may be the last before the stream was enabled,
  // up to one that may be the last before it was disabled.
  for (size_t first = 0; first < versions.size(); ++first) {
    if (IsAfter(versions[first], stream.enable_ended)) break;
    const size_t last = first + records.size();
    if (last >= versions.size()) break;
    if (first + 1 < versions.size() && IsBefore(versions[first + 1], stream.enable_begun)) continue;
    const bool is_whole =
        last + 1 == versions.size() || !IsBefore(versions[last + 1], begun) ||
        (stream.disable_begun != kNever && !IsBefore(versions[last + 1], stream.disable_begun));
    if (!is_whole || (last > first && IsAfter(versions[last], stream.disable_ended))) continue;
    bool tells = true;
    for (size_t i = 0; i < records.size() && tells; ++i) {
      tells =
          Tells(*records[i], stream.view_type, versions[first + i].state, versions[first + i + 1]);
    }
    if (tells) return std::nullopt;
  }
  std::string text = "its records are not the item's history:";
  for (const StreamRecordDescription* record : records) {
    const auto show = [](const std::optional<item::Item>& item) {
      return Show(item ? State(AttributesOf(item->view())) : std::nullopt);
    };
    text += fmt::format(" {}{} {} -> {}", ToString(record->event),
                        record->by_time_to_live ? " (expired)" : "", show(record->old_image),
                        show(record->new_image));
  }
  return text;
}

}  // namespace varve::sim
