#include "item/streams.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/coding.h"
#include "item/stream_record.h"

namespace varve::item {
namespace {

const std::string kStreamPrefix{kCatalogueKeySpace, 0x20};
const std::string kRecordsBegin(1, kStreamKeySpace);
const std::string kRecordsEnd(1, kStreamKeySpace + 1);

// How long before it takes effect a cut of ranges is recorded.
constexpr uint64_t kCutAheadMs = 1000;
constexpr int kCutAttemptsMax = 10;

std::string StreamKey(RecordNumber id) {
  std::string key = kStreamPrefix;
  AppendBigU64(key, id);
  return key;
}

engine::WriteOptions Durably() {
  engine::WriteOptions options;
  options.sync = true;
  return options;
}

}  // namespace

std::string StreamLabel(RecordNumber stream) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(MsOfRecord(stream))};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<uint64_t> MsOfStreamLabel(std::string_view label) {
  // Where the numbers of "2026-11-22T14:30:05.123" stand.
  constexpr std::array<std::pair<size_t, size_t>, 7> kParts = {
      {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}, {20, 3}}};
  if (label.size() != 23) return std::nullopt;
  std::array<int, kParts.size()> values{};
  for (size_t i = 0; i < kParts.size(); ++i) {
    const char* const begin = label.data() + kParts[i].first;
    const char* const end = begin + kParts[i].second;
    const auto [stop, error] = std::from_chars(begin, end, values[i]);
    if (error != std::errc() || stop != end || values[i] < 0) return std::nullopt;
  }
  using namespace std::chrono;
  const year_month_day date(year(values[0]), month(static_cast<unsigned>(values[1])),
                            day(static_cast<unsigned>(values[2])));
  if (!date.ok() || values[0] < 1970) return std::nullopt;
  const sys_time<milliseconds> time = sys_days(date) + hours(values[3]) + minutes(values[4]) +
                                      seconds(values[5]) + milliseconds(values[6]);
  const auto ms = static_cast<uint64_t>(time.time_since_epoch().count());
  // Written in one way only.
  if (StreamLabel(RecordNumberAt(ms)) != label) return std::nullopt;
  return ms;
}

io::Task<StatusOr<std::unique_ptr<Streams>>> Streams::Open(engine::Db& db) {
  std::unique_ptr<Streams> streams(new Streams(db));
  VARVE_CO_RETURN_IF_ERROR(co_await streams->Load());
  co_return streams;
}

io::Task<Status> Streams::Load() {
  engine::IteratorOptions options;
  options.lower_bound = kStreamPrefix;
  options.upper_bound = PrefixEnd(kStreamPrefix);
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    VARVE_CO_RETURN_IF_ERROR(ValidateItem(iterator->value()));
    VARVE_ASSIGN_OR_CO_RETURN(StreamInfo info, StreamOfRecord(ItemView(iterator->value())));
    Add(std::make_shared<Stream>(std::move(info), clock_));
    co_await iterator->NextAsync();
  }
  co_return iterator->status();
}

void Streams::Add(StreamPointer stream) {
  absl::MutexLock lock(&mutex_);
  by_id_[stream->id()] = stream;
  by_place_[{stream->table_name(), MsOfRecord(stream->id())}] = stream;
}

// ---- With their tables

io::Task<Streams::Update> Streams::Prepare(const Table* old_table, Table* table,
                                           engine::WriteBatch& batch) {
  Update update;
  update.streams_ = this;
  update.slot_ = table != nullptr ? table->stream : old_table->stream;
  const StreamPointer current = update.slot_->Get();
  const bool wanted = table != nullptr && table->description.stream_view_type.has_value();
  if (wanted == (current != nullptr)) co_return update;
  io::Mutex::Guard guard = co_await record_mutex_.Lock();
  update.guard_.emplace(std::move(guard));
  if (current != nullptr && !wanted) {
    // It ends here if the commit takes place. As long as that is open, changes go on to have
    // records: if it does, nobody is shown those beyond the end.
    StreamInfo info = current->info();
    info.disabled_at = clock_.Next();
    update.disabled_ = current;
    update.disabled_at_ = info.disabled_at;
    batch.Put(StreamKey(current->id()), RecordOfStream(info).encoded());
  }
  if (current == nullptr && wanted) {
    TableDescription& description = table->description;
    StreamInfo info;
    info.id = clock_.Next();
    // Its label must differ from those of the table's, and a former table's, other streams.
    while (Find(description.table_name, MsOfRecord(info.id)) != nullptr) {
      co_await io::SleepFor(1'000'000);
      info.id = clock_.Next();
    }
    info.table_name = description.table_name;
    info.view_type = *description.stream_view_type;
    info.key_schema = description.key_schema;
    description.latest_stream_id = info.id;
    batch.Put(StreamKey(info.id), RecordOfStream(info).encoded());
    update.enabled_ = std::make_shared<Stream>(std::move(info), clock_);
  }
  co_return update;
}

void Streams::Update::Finish(bool committed) {
  if (disabled_ != nullptr && committed) {
    slot_->Set(nullptr);
    disabled_->Close(disabled_at_);
  }
  if (enabled_ != nullptr && committed) {
    streams_->Add(enabled_);
    slot_->Set(enabled_);
  }
  guard_.reset();
}

Status Streams::Attach(const Table& table) const {
  if (!table.description.stream_view_type) return absl::OkStatus();
  StreamPointer stream = Find(table.description.latest_stream_id);
  if (stream == nullptr) {
    return Corruption("catalogue: table {} has a stream without a record",
                      table.description.table_name);
  }
  table.stream->Set(std::move(stream));
  return absl::OkStatus();
}

// ---- Looking them up

StreamPointer Streams::Find(RecordNumber id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

StreamPointer Streams::Find(std::string_view table_name, uint64_t label_ms) const {
  absl::MutexLock lock(&mutex_);
  const auto found = by_place_.find({std::string(table_name), label_ms});
  return found == by_place_.end() ? nullptr : found->second;
}

std::vector<StreamPointer> Streams::List(const std::optional<std::string>& table_name,
                                         const std::optional<Place>& after, size_t limit) const {
  Place begin(table_name.value_or(""), 0);
  if (after) begin = std::max(begin, Place(after->first, after->second + 1));
  std::vector<StreamPointer> streams;
  absl::MutexLock lock(&mutex_);
  for (auto i = by_place_.lower_bound(begin); i != by_place_.end() && streams.size() < limit; ++i) {
    if (table_name && i->first.first != *table_name) break;
    streams.push_back(i->second);
  }
  return streams;
}

// ---- Trimming

io::Task<Status> Streams::ForgetOldStreams(RecordNumber horizon) {
  std::vector<StreamPointer> old;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, stream] : by_id_) {
      const RecordNumber disabled_at = stream->disabled_at();
      if (disabled_at != 0 && disabled_at <= horizon) old.push_back(stream);
    }
  }
  if (old.empty()) co_return absl::OkStatus();
  engine::WriteBatch batch;
  for (const StreamPointer& stream : old) batch.Delete(StreamKey(stream->id()));
  const StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
  VARVE_CO_RETURN_IF_ERROR(written.status());
  absl::MutexLock lock(&mutex_);
  for (const StreamPointer& stream : old) {
    by_id_.erase(stream->id());
    by_place_.erase({stream->table_name(), MsOfRecord(stream->id())});
  }
  co_return absl::OkStatus();
}

io::Task<StatusOr<std::optional<uint32_t>>> Streams::OldestEpoch(uint32_t epoch) {
  engine::IteratorOptions options;
  options.lower_bound = EpochKey(epoch);
  options.upper_bound = kRecordsEnd;
  options.keys_only = true;
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  VARVE_CO_RETURN_IF_ERROR(iterator->status());
  std::optional<uint32_t> oldest;
  if (iterator->Valid()) oldest = EpochOfRecordKey(iterator->key());
  co_return oldest;
}

io::Task<Status> Streams::Maintain() {
  const RecordNumber now = clock_.Next();
  const RecordNumber horizon = TrimHorizon(now);
  VARVE_CO_RETURN_IF_ERROR(co_await ForgetOldStreams(horizon));

  // Epochs before the horizon's are over as a whole.
  const uint32_t first_kept = EpochOf(horizon);
  VARVE_ASSIGN_OR_CO_RETURN(std::optional<uint32_t> oldest, co_await OldestEpoch(0));
  if (oldest && *oldest < first_kept) {
    const auto dropped = co_await db_.DropRangeAsync(kRecordsBegin, EpochKey(first_kept));
    VARVE_CO_RETURN_IF_ERROR(dropped.status());
    VARVE_ASSIGN_OR_CO_RETURN(oldest, co_await OldestEpoch(first_kept));
  }
  if (!oldest) co_return absl::OkStatus();
  // Ahead of time, so that no table has records of two epochs. The last drop removes the
  // boundaries, too.
  std::vector<std::string> cuts;
  cuts.push_back(kRecordsBegin);
  cuts.push_back(EpochKey(EpochOf(now)));
  cuts.push_back(EpochKey(EpochOf(now) + 1));
  co_return co_await db_.SplitAsync(std::move(cuts));
}

io::Task<Status> Streams::SplitRanges(StreamPointer stream, std::vector<uint32_t> hashes) {
  const io::Mutex::Guard guard = co_await record_mutex_.Lock();
  std::sort(hashes.begin(), hashes.end());
  for (int attempt = 0; attempt < kCutAttemptsMax; ++attempt) {
    StreamInfo info = stream->info();
    if (info.disabled_at != 0) co_return absl::OkStatus();
    const RecordNumber from = RecordNumberAt(MsOfRecord(clock_.Next()) + kCutAheadMs);
    std::vector<StreamInfo::Cut> cuts;
    for (const uint32_t hash : hashes) {
      const auto is_there = [&](const StreamInfo::Cut& cut) { return cut.begin == hash; };
      if (hash == 0 || std::any_of(info.cuts.begin(), info.cuts.end(), is_there)) continue;
      if (info.cuts.size() + cuts.size() + 1 >= kStreamRangesMax) break;
      cuts.push_back({from, hash});
    }
    if (cuts.empty()) co_return absl::OkStatus();
    info.cuts.insert(info.cuts.end(), cuts.begin(), cuts.end());
    engine::WriteBatch batch;
    batch.Put(StreamKey(info.id), RecordOfStream(info).encoded());
    const StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
    VARVE_CO_RETURN_IF_ERROR(written.status());
    // The commit may have taken until after `from`: then numbers beyond it went to the old ranges.
    if (stream->AddCuts(cuts)) co_return absl::OkStatus();
  }
  co_return Unavailable("stream {} of table {}: commits are too slow to cut it", stream->id(),
                        stream->table_name());
}

}  // namespace varve::item
