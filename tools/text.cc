#include "tools/text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

namespace varve::tools {

std::string Escape(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c >= 0x20 && c < 0x7f) {
      text.push_back(c);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    }
  }
  return text;
}

std::string EscapeShort(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() <= bytes_max) return Escape(bytes);
  return fmt::format("{}... ({} bytes)", Escape(bytes.substr(0, bytes_max)), bytes.size());
}

std::string FormatBytes(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto scaled = static_cast<double>(bytes);
  size_t unit = 0;
  // What would round to 1024.0 is one of the next unit.
  while (scaled >= 1023.95) {
    scaled /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", scaled, kUnits[unit]);
}

std::string FormatCount(uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string FormatSequence(SequenceNumber sequence) {
  const uint64_t ms = sequence >> 16;
  const std::chrono::sys_seconds seconds{std::chrono::seconds(ms / 1000)};
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z+{}", seconds, ms % 1000, sequence & 0xffff);
}

std::string_view KindName(EntryKind kind) {
  switch (kind) {
    case EntryKind::kDelete:
      return "delete";
    case EntryKind::kPut:
      return "put";
    case EntryKind::kPutReference:
      return "reference";
  }
  return "unknown";
}

}  // namespace varve::tools
