#include "item/stream_record.h"

#include "base/checksum.h"
#include "base/coding.h"

namespace varve::item {
namespace {

constexpr uint8_t kEventMask = 0x03;
constexpr uint8_t kByTimeToLive = 0x04;
constexpr uint8_t kHasNewImage = 0x08;
constexpr uint8_t kHasOldImage = 0x10;
constexpr uint8_t kHasKeys = 0x20;
constexpr uint8_t kAllFlags = 0x3f;

constexpr size_t kEpochOffset = 1;
constexpr size_t kNumberOffset = 1 + 4 + 8 + 4;
constexpr size_t kKeyBytes = kNumberOffset + 8;

void AppendBigU32(std::string& to, uint32_t value) { AppendFixed(to, __builtin_bswap32(value)); }

Status Malformed(const Stream& stream, RecordNumber number) {
  return Corruption("stream {} of table {}: malformed record {}", stream.id(), stream.table_name(),
                    number);
}

}  // namespace

std::string EpochKey(uint32_t epoch) {
  std::string key(1, kStreamKeySpace);
  AppendBigU32(key, epoch);
  return key;
}

std::string StreamRecordKey(RecordNumber stream, uint32_t range, RecordNumber number) {
  std::string key = EpochKey(EpochOf(number));
  AppendBigU64(key, stream);
  AppendBigU32(key, range);
  AppendBigU64(key, number);
  return key;
}

RecordNumber NumberOfRecordKey(std::string_view key) {
  return key.size() == kKeyBytes ? LoadBigU64(key.data() + kNumberOffset) : 0;
}

uint32_t EpochOfRecordKey(std::string_view key) {
  if (key.size() < kEpochOffset + 4) return 0;
  return __builtin_bswap32(LoadU32(key.data() + kEpochOffset));
}

std::string EncodeStreamRecord(const Stream& stream, const std::optional<ItemView>& old_item,
                               const std::optional<ItemView>& new_item, bool by_time_to_live) {
  const StreamViewType view = stream.view_type();
  const bool both = view == StreamViewType::kNewAndOldImages;
  const bool with_new = new_item && (both || view == StreamViewType::kNewImage);
  const bool with_old = old_item && (both || view == StreamViewType::kOldImage);
  const StreamEvent event = !old_item   ? StreamEvent::kInsert
                            : !new_item ? StreamEvent::kRemove
                                        : StreamEvent::kModify;
  auto flags = static_cast<uint8_t>(event);
  if (by_time_to_live) flags |= kByTimeToLive;
  if (with_new) flags |= kHasNewImage;
  if (with_old) flags |= kHasOldImage;
  if (!with_new && !with_old) flags |= kHasKeys;
  std::string value(1, static_cast<char>(flags));
  if (with_new) AppendLengthPrefixed(value, new_item->encoded());
  if (with_old) AppendLengthPrefixed(value, old_item->encoded());
  if (!with_new && !with_old) {
    const Item keys = KeyOfItem(stream.key(), new_item ? *new_item : *old_item);
    AppendLengthPrefixed(value, keys.encoded());
  }
  return value;
}

Status DecodeStreamRecord(const Stream& stream, RecordNumber number, std::string_view value,
                          StreamRecordDescription* record) {
  if (value.empty()) return Malformed(stream, number);
  const auto flags = static_cast<uint8_t>(value[0]);
  value.remove_prefix(1);
  if ((flags & ~kAllFlags) != 0 || (flags & kEventMask) == 3) return Malformed(stream, number);
  record->event = static_cast<StreamEvent>(flags & kEventMask);
  record->by_time_to_live = (flags & kByTimeToLive) != 0;
  record->creation_time_ms = MsOfRecord(number);
  record->sequence_number = SequenceNumberText(number);
  record->stream_view_type = stream.view_type();
  std::string both;
  AppendBigU64(both, stream.id());
  AppendBigU64(both, number);
  record->event_id = fmt::format("{:016x}{:016x}", Hash(both), Hash(both, 1));

  bool ok = true;
  const auto take = [&](uint8_t flag) {
    std::optional<Item> item;
    std::string_view bytes;
    if ((flags & flag) == 0) return item;
    ok = ok && TakeLengthPrefixed(value, &bytes) && !bytes.empty();
    if (ok) item.emplace(std::string(bytes));
    return item;
  };
  record->new_image = take(kHasNewImage);
  record->old_image = take(kHasOldImage);
  std::optional<Item> keys = take(kHasKeys);
  if (!ok || !value.empty() || (!record->new_image && !record->old_image && !keys)) {
    return Malformed(stream, number);
  }
  if (keys) {
    record->keys = *std::move(keys);
  } else {
    const Item& image = record->new_image ? *record->new_image : *record->old_image;
    record->keys = KeyOfItem(stream.key(), image);
  }
  record->size_bytes = record->keys.view().size_bytes();
  if (record->new_image) record->size_bytes += record->new_image->view().size_bytes();
  if (record->old_image) record->size_bytes += record->old_image->view().size_bytes();
  return absl::OkStatus();
}

}  // namespace varve::item
