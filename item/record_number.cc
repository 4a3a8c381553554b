#include "item/record_number.h"

#include <fmt/format.h>

#include <limits>

namespace varve::item {
namespace {

constexpr size_t kSequenceNumberDigits = 21;

}  // namespace

std::string SequenceNumberText(RecordNumber number) { return fmt::format("1{:020}", number); }

std::optional<RecordNumber> ParseSequenceNumber(std::string_view text) {
  if (text.size() != kSequenceNumberDigits || text[0] != '1' ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  RecordNumber number = 0;
  for (const char c : text.substr(1)) {
    if (number > (std::numeric_limits<RecordNumber>::max() - 9) / 10) return std::nullopt;
    number = number * 10 + static_cast<RecordNumber>(c - '0');
  }
  return number;
}

}  // namespace varve::item
