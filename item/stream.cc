#include "item/stream.h"

#include <algorithm>
#include <tuple>

namespace varve::item {
namespace {

constexpr int64_t kRecordVersion = 1;
constexpr std::string_view kShardIdPrefix = "shardId-";
constexpr uint64_t kMsMax = uint64_t{1} << (64 - engine::kCounterBits);

std::string ShardId(uint32_t range, RecordNumber begin) {
  return fmt::format("{}{:020}-{:08x}", kShardIdPrefix, MsOfRecord(begin), range);
}

TableKey KeyOfSchema(const std::vector<KeySchemaElement>& schema) {
  TableKey key;
  for (const KeySchemaElement& element : schema) {
    TableKey::Part part{element.attribute_name, ValueType::kString};
    if (element.key_type == KeyType::kHash) {
      key.partition = std::move(part);
    } else {
      key.sort = std::move(part);
    }
  }
  return key;
}

Number NumberOf(uint64_t integer) { return Number::FromInt(static_cast<int64_t>(integer)); }

std::optional<uint64_t> IntegerIn(const MapView& map, std::string_view name) {
  const std::optional<ValueView> value = map.Find(name);
  int64_t integer = 0;
  if (!value || !value->Is(ValueType::kNumber) || !value->number().ToInt64(&integer)) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(integer);
}

std::optional<std::string_view> TextIn(const MapView& map, std::string_view name) {
  const std::optional<ValueView> value = map.Find(name);
  if (!value || !value->Is(ValueType::kString)) return std::nullopt;
  return value->text();
}

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

// ---- The catalogue's record

Item RecordOfStream(const StreamInfo& info) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("Version").Number(Number::FromInt(kRecordVersion));
  builder.Name("Id").Number(NumberOf(info.id));
  builder.Name("TableName").String(info.table_name);
  builder.Name("ViewType").String(ToString(info.view_type));
  builder.Name("KeySchema").BeginList();
  for (const KeySchemaElement& element : info.key_schema) {
    builder.BeginMap();
    builder.Name("Name").String(element.attribute_name);
    builder.Name("Type").String(ToString(element.key_type));
    builder.EndMap();
  }
  builder.EndList();
  builder.Name("DisabledAt").Number(NumberOf(info.disabled_at));
  builder.Name("Cuts").BeginList();
  for (const StreamInfo::Cut& cut : info.cuts) {
    builder.BeginMap();
    builder.Name("From").Number(NumberOf(cut.from));
    builder.Name("Hash").Number(NumberOf(cut.begin));
    builder.EndMap();
  }
  builder.EndList();
  builder.EndMap();
  return Item(builder.Finish());
}

StatusOr<StreamInfo> StreamOfRecord(const ItemView& record) {
  const std::optional<uint64_t> version = IntegerIn(record, "Version");
  if (version && *version != kRecordVersion) {
    return FailedPrecondition("catalogue: record of a stream has version {}, this program knows {}",
                              *version, kRecordVersion);
  }
  const std::optional<uint64_t> id = IntegerIn(record, "Id");
  const std::optional<uint64_t> disabled_at = IntegerIn(record, "DisabledAt");
  const std::optional<std::string_view> name = TextIn(record, "TableName");
  const std::optional<std::string_view> view_name = TextIn(record, "ViewType");
  const std::optional<StreamViewType> view_type =
      view_name ? StreamViewTypeNamed(*view_name) : std::nullopt;
  const std::optional<ValueView> schema = record.Find("KeySchema");
  const std::optional<ValueView> cuts = record.Find("Cuts");
  if (!version || !id || !disabled_at || !name || !view_type || !schema ||
      !schema->Is(ValueType::kList) || !cuts || !cuts->Is(ValueType::kList)) {
    return Corruption("catalogue: malformed record of a stream");
  }
  StreamInfo info;
  info.id = *id;
  info.table_name = *name;
  info.view_type = *view_type;
  info.disabled_at = *disabled_at;
  for (const ValueView element : schema->list()) {
    if (!element.Is(ValueType::kMap)) continue;
    const MapView fields = element.map();
    const std::string_view type = TextIn(fields, "Type").value_or("");
    info.key_schema.push_back({std::string(TextIn(fields, "Name").value_or("")),
                               type == "RANGE" ? KeyType::kRange : KeyType::kHash});
  }
  for (const ValueView element : cuts->list()) {
    if (!element.Is(ValueType::kMap)) continue;
    const MapView fields = element.map();
    info.cuts.push_back({IntegerIn(fields, "From").value_or(0),
                         static_cast<uint32_t>(IntegerIn(fields, "Hash").value_or(0))});
  }
  return info;
}

// ---- Numbers

void StreamTicket::Release() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->Finish(number_);
}

Stream::Stream(StreamInfo info, StreamClock& clock)
    : clock_(clock),
      id_(info.id),
      table_name_(std::move(info.table_name)),
      view_type_(info.view_type),
      key_schema_(std::move(info.key_schema)),
      key_(KeyOfSchema(key_schema_)),
      disabled_at_(info.disabled_at),
      cuts_(std::move(info.cuts)),
      mark_(clock_.NextIfSettled().value_or(id_ + 1)) {}

StreamInfo Stream::info() const {
  StreamInfo info;
  info.id = id_;
  info.table_name = table_name_;
  info.view_type = view_type_;
  info.key_schema = key_schema_;
  absl::MutexLock lock(&mutex_);
  info.disabled_at = disabled_at_;
  info.cuts = cuts_;
  return info;
}

bool Stream::Take(uint32_t hash, StreamTicket* ticket) {
  absl::MutexLock lock(&mutex_);
  if (disabled_at_ != 0) return false;
  last_ = clock_.Next();
  in_flight_.push_back(last_);
  ticket->stream_ = shared_from_this();
  ticket->number_ = last_;
  ticket->range_ = RangeOf(hash, last_);
  return true;
}

void Stream::Finish(RecordNumber number) {
  absl::MutexLock lock(&mutex_);
  in_flight_.erase(std::lower_bound(in_flight_.begin(), in_flight_.end(), number));
}

RecordNumber Stream::Watermark() {
  absl::MutexLock lock(&mutex_);
  // Whatever is drawn later is above a number drawn now.
  const std::optional<RecordNumber> now = clock_.NextIfSettled();
  if (now) mark_ = in_flight_.empty() ? *now : in_flight_.front();
  return mark_;
}

void Stream::Close(RecordNumber end) {
  absl::MutexLock lock(&mutex_);
  disabled_at_ = end;
}

bool Stream::enabled() const {
  absl::MutexLock lock(&mutex_);
  return disabled_at_ == 0;
}

RecordNumber Stream::disabled_at() const {
  absl::MutexLock lock(&mutex_);
  return disabled_at_;
}

// ---- Shards

bool Stream::AddCuts(const std::vector<StreamInfo::Cut>& cuts) {
  absl::MutexLock lock(&mutex_);
  if (!cuts.empty() && last_ >= cuts.front().from) return false;
  cuts_.insert(cuts_.end(), cuts.begin(), cuts.end());
  return true;
}

uint32_t Stream::RangeOf(uint32_t hash, RecordNumber number) const {
  uint32_t range = 0;
  for (const StreamInfo::Cut& cut : cuts_) {
    if (cut.from > number) break;
    if (cut.begin <= hash) range = std::max(range, cut.begin);
  }
  return range;
}

RecordNumber Stream::BeginningOf(uint32_t range) const {
  if (range == 0) return id_;
  for (const StreamInfo::Cut& cut : cuts_) {
    if (cut.begin == range) return cut.from;
  }
  return 0;
}

std::vector<RecordNumber> Stream::ShardBeginnings(uint32_t range, RecordNumber from,
                                                  RecordNumber now) const {
  std::vector<RecordNumber> beginnings;
  const RecordNumber first = BeginningOf(range);
  if (first == 0 || first >= now) return beginnings;
  if (EpochOf(first) >= EpochOf(from)) beginnings.push_back(first);
  for (uint32_t epoch = std::max(EpochOf(first) + 1, EpochOf(from)); EpochStart(epoch) < now;
       ++epoch) {
    beginnings.push_back(EpochStart(epoch));
  }
  for (const StreamInfo::Cut& cut : cuts_) {
    // Of this range?
    if (cut.from <= first || RangeOf(cut.begin, cut.from - 1) != range) continue;
    if (cut.from < now && EpochOf(cut.from) >= EpochOf(from)) beginnings.push_back(cut.from);
  }
  std::sort(beginnings.begin(), beginnings.end());
  beginnings.erase(std::unique(beginnings.begin(), beginnings.end()), beginnings.end());
  return beginnings;
}

RecordNumber Stream::ShardBeginningBefore(uint32_t range, RecordNumber number) const {
  const std::vector<RecordNumber> beginnings = ShardBeginnings(range, number - 1, number);
  return beginnings.empty() ? 0 : beginnings.back();
}

Shard Stream::MakeShard(uint32_t range, RecordNumber begin) const {
  Shard shard;
  shard.range = range;
  shard.begin = begin;
  shard.end = EpochStart(EpochOf(begin) + 1);
  for (const RecordNumber next : ShardBeginnings(range, begin, shard.end)) {
    if (next > begin) {
      shard.end = next;
      break;
    }
  }
  if (disabled_at_ != 0) shard.end = std::min(shard.end, disabled_at_);
  shard.id = ShardId(range, begin);
  if (begin != id_) {
    const uint32_t parent_range = RangeOf(range, begin - 1);
    shard.parent_id = ShardId(parent_range, ShardBeginningBefore(parent_range, begin));
  }
  return shard;
}

std::vector<Shard> Stream::Shards(RecordNumber now, RecordNumber horizon) const {
  absl::MutexLock lock(&mutex_);
  if (disabled_at_ != 0) now = std::min(now, disabled_at_);
  std::vector<uint32_t> ranges = {0};
  for (const StreamInfo::Cut& cut : cuts_) ranges.push_back(cut.begin);
  std::vector<Shard> shards;
  for (const uint32_t range : ranges) {
    for (const RecordNumber begin : ShardBeginnings(range, horizon, now)) {
      Shard shard = MakeShard(range, begin);
      if (shard.end > horizon) shards.push_back(std::move(shard));
    }
  }
  std::sort(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
    return std::tie(a.begin, a.range) < std::tie(b.begin, b.range);
  });
  return shards;
}

std::optional<Shard> Stream::FindShard(uint32_t range, RecordNumber begin, RecordNumber now) const {
  if (begin == 0) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  if (disabled_at_ != 0) now = std::min(now, disabled_at_);
  const std::vector<RecordNumber> beginnings = ShardBeginnings(range, begin, now);
  if (!std::binary_search(beginnings.begin(), beginnings.end(), begin)) return std::nullopt;
  return MakeShard(range, begin);
}

std::optional<Shard> Stream::FindShard(std::string_view shard_id, RecordNumber now) const {
  constexpr size_t kMsDigits = 20, kRangeDigits = 8;
  if (shard_id.size() != kShardIdPrefix.size() + kMsDigits + 1 + kRangeDigits ||
      !shard_id.starts_with(kShardIdPrefix)) {
    return std::nullopt;
  }
  const std::string_view ms_text = shard_id.substr(kShardIdPrefix.size(), kMsDigits);
  if (!AllDigits(ms_text)) return std::nullopt;
  const uint64_t ms = std::strtoull(std::string(ms_text).c_str(), nullptr, 10);
  const std::string range_text(shard_id.substr(shard_id.size() - kRangeDigits));
  const auto range = static_cast<uint32_t>(std::strtoul(range_text.c_str(), nullptr, 16));
  // Beyond all times, or not as ids are written.
  if (ms >= kMsMax || ShardId(range, RecordNumberAt(ms)) != shard_id) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  if (disabled_at_ != 0) now = std::min(now, disabled_at_);
  for (const RecordNumber begin : ShardBeginnings(range, RecordNumberAt(ms), now)) {
    if (MsOfRecord(begin) == ms) return MakeShard(range, begin);
  }
  return std::nullopt;
}

}  // namespace varve::item
