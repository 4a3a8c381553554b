// Keys, values, sizes and sequence numbers for people to read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/entry.h"

namespace varve::tools {

// Printable ASCII as it is, `\` as `\\`, any other byte as `\x` and two hexadecimal digits: can be
// turned back.
std::string Escape(std::string_view bytes);

// The same of at most `bytes_max` bytes; what was left out is told.
std::string EscapeShort(std::string_view bytes, size_t bytes_max);

// "17 B", "4.0 KiB", "1.2 GiB".
std::string FormatBytes(uint64_t bytes);

// "9,512".
std::string FormatCount(uint64_t count);

// The time in a sequence number: "2026-11-22T08:05:13.250Z+7", 7 being its counter.
std::string FormatSequence(SequenceNumber sequence);

std::string_view KindName(EntryKind kind);

}  // namespace varve::tools
