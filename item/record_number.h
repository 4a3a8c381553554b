// RecordNumber: which record of a stream it is (item/stream.h), and when it was written.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/hybrid_clock.h"

namespace varve::item {

// Time and a counter, as the engine's sequence numbers; ascending and unique among all streams.
using RecordNumber = uint64_t;

inline constexpr uint64_t kStreamEpochMs = uint64_t{4} * 3600 * 1000;
inline constexpr uint64_t kStreamRetentionMs = uint64_t{24} * 3600 * 1000;

inline constexpr uint64_t MsOfRecord(RecordNumber number) { return engine::SequenceMs(number); }
inline constexpr RecordNumber RecordNumberAt(uint64_t ms) { return engine::SequenceAt(ms); }
inline constexpr uint32_t EpochOf(RecordNumber number) {
  return static_cast<uint32_t>(MsOfRecord(number) / kStreamEpochMs);
}
inline constexpr RecordNumber EpochStart(uint32_t epoch) {
  return RecordNumberAt(epoch * kStreamEpochMs);
}
// Records with smaller numbers are not shown any more.
inline constexpr RecordNumber TrimHorizon(RecordNumber now) {
  return RecordNumberAt(MsOfRecord(now) - std::min(MsOfRecord(now), kStreamRetentionMs));
}

// As clients see it: 21 digits, ascending as text and as numbers.
std::string SequenceNumberText(RecordNumber number);
// Nothing if `text` is none of these.
std::optional<RecordNumber> ParseSequenceNumber(std::string_view text);

}  // namespace varve::item
