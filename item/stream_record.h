// Stream records as they lie in the engine.
//
//   0x20 | epoch (4) | stream (8) | range (4) | number (8)          all big-endian
//
// The epoch comes first, so that all records of four hours, whatever their stream, are one range of
// keys, which lies in partitions of its own and is dropped as a whole when its time is over. Within
// it a shard's records lie together, in the order of their numbers (item/stream.h has what epoch,
// range and number are; the stream is known by its id).
//
// The value begins with a byte of flags: the event in the lowest two bits (0 INSERT, 1 MODIFY,
// 2 REMOVE); 4: by time to live; 8, 16, 32: a new image, an old image, the keys follow, in this
// order, each an item's encoding behind its length (varint). The keys are there only if no image
// is, which would have them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "item/stream.h"
#include "item/stream_requests.h"
#include "item/value.h"

namespace varve::item {

inline constexpr char kStreamKeySpace = 0x20;

// Where the records of an epoch, or of later ones, begin.
std::string EpochKey(uint32_t epoch);
// Where the records of a shard from `number` on begin.
std::string StreamRecordKey(RecordNumber stream, uint32_t range, RecordNumber number);
// The number at the end of such a key.
RecordNumber NumberOfRecordKey(std::string_view key);
uint32_t EpochOfRecordKey(std::string_view key);

// What a change of `old_item` (none: there was no item) to `new_item` (none: it was deleted) is to
// a stream. Not both may be none.
std::string EncodeStreamRecord(const Stream& stream, const std::optional<ItemView>& old_item,
                               const std::optional<ItemView>& new_item, bool by_time_to_live);

// Fills what the record itself tells. Corruption if it is none.
Status DecodeStreamRecord(const Stream& stream, RecordNumber number, std::string_view value,
                          StreamRecordDescription* record);

}  // namespace varve::item
