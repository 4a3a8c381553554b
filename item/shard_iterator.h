// ShardIterator: a position in a shard, as a string that clients carry from call to call and can
// neither read nor change. It is good for 15 minutes.
//
//   the stream's ARN | "|1|" | base64 of
//     stream (8) | shard's range (4) | shard's beginning (8) | position (8) | flags (1) |
//     issued at (8, milliseconds since 1970) | checksum (8, of all before it)
//
// Little-endian; the checksum is XXH3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "item/record_number.h"

namespace varve::item {

inline constexpr uint64_t kShardIteratorLifeMs = uint64_t{15} * 60 * 1000;

struct ShardIterator {
  RecordNumber stream = 0;
  uint32_t range = 0;
  RecordNumber shard_begin = 0;
  RecordNumber position = 0;  // of the first record that has not been read
  // Made by TRIM_HORIZON: goes with the horizon instead of falling behind it.
  bool from_trim_horizon = false;
  uint64_t issued_at_ms = 0;
};

std::string EncodeShardIterator(const ShardIterator& iterator, std::string_view stream_arn);
// Nothing if `text` is not what EncodeShardIterator made.
std::optional<ShardIterator> DecodeShardIterator(std::string_view text);

}  // namespace varve::item
