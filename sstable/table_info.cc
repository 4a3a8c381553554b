#include "sstable/table_info.h"

#include <algorithm>

#include "base/coding.h"

namespace varve::sstable {

namespace {

constexpr uint64_t kInfoVersion = 1;

}  // namespace

void TableInfo::AppendTo(std::string& to) const {
  std::string bytes;
  AppendVarint(bytes, kInfoVersion);
  for (const uint64_t number : {file_number, file_bytes, smallest_sequence, largest_sequence,
                                entries, tombstones, key_bytes, value_bytes, data_bytes}) {
    AppendVarint(bytes, number);
  }
  AppendLengthPrefixed(bytes, smallest_key);
  AppendLengthPrefixed(bytes, largest_key);
  AppendVarint(bytes, value_files.size());
  for (const ValueFileUse& use : value_files) {
    AppendVarint(bytes, use.file_number);
    AppendVarint(bytes, use.values);
    AppendVarint(bytes, use.stored_bytes);
  }
  AppendVarint(bytes, samples.size());
  for (const SizeSample& sample : samples) {
    AppendLengthPrefixed(bytes, sample.key);
    AppendVarint(bytes, sample.bytes);
  }
  AppendLengthPrefixed(to, bytes);
}

StatusOr<TableInfo> TableInfo::TakeFrom(std::string_view& from) {
  const auto malformed = [](std::string_view what) {
    return Corruption("malformed table info: {}", what);
  };
  std::string_view bytes;
  uint64_t version;
  if (!TakeLengthPrefixed(from, &bytes) || !TakeVarint(bytes, &version)) {
    return malformed("cut short");
  }
  if (version != kInfoVersion) return Corruption("table info version {} is not known", version);
  TableInfo info;
  for (uint64_t* number :
       {&info.file_number, &info.file_bytes, &info.smallest_sequence, &info.largest_sequence,
        &info.entries, &info.tombstones, &info.key_bytes, &info.value_bytes, &info.data_bytes}) {
    if (!TakeVarint(bytes, number)) return malformed("numbers");
  }
  std::string_view smallest, largest;
  if (!TakeLengthPrefixed(bytes, &smallest) || !TakeLengthPrefixed(bytes, &largest)) {
    return malformed("bounds");
  }
  info.smallest_key = smallest;
  info.largest_key = largest;
  uint64_t count;
  if (!TakeVarint(bytes, &count) || count > bytes.size()) return malformed("value files");
  info.value_files.resize(count);
  for (ValueFileUse& use : info.value_files) {
    if (!TakeVarint(bytes, &use.file_number) || !TakeVarint(bytes, &use.values) ||
        !TakeVarint(bytes, &use.stored_bytes)) {
      return malformed("value files");
    }
  }
  if (!TakeVarint(bytes, &count) || count > bytes.size()) return malformed("samples");
  info.samples.resize(count);
  for (SizeSample& sample : info.samples) {
    std::string_view key;
    if (!TakeLengthPrefixed(bytes, &key) || !TakeVarint(bytes, &sample.bytes)) {
      return malformed("samples");
    }
    sample.key = key;
  }
  if (!bytes.empty()) return malformed("bytes behind the end");
  return info;
}

uint64_t TableInfo::EstimateBytes(std::string_view begin, std::string_view end) const {
  if (begin > largest_key || (!end.empty() && (end <= smallest_key || end <= begin))) return 0;
  // Bytes of data before `key`: half way between the samples around it.
  const auto before = [this](std::string_view key) -> uint64_t {
    if (key <= smallest_key) return 0;
    if (key > largest_key) return data_bytes;
    const auto above = std::upper_bound(
        samples.begin(), samples.end(), key,
        [](std::string_view key, const SizeSample& sample) { return key < sample.key; });
    const uint64_t low = above == samples.begin() ? 0 : std::prev(above)->bytes;
    const uint64_t high = above == samples.end() ? data_bytes : above->bytes;
    if (above != samples.begin() && std::prev(above)->key == key) return low;
    return low + (high - low) / 2;
  };
  const uint64_t low = before(begin);
  const uint64_t high = end.empty() ? data_bytes : before(end);
  if (data_bytes == 0 || high < low) return 0;
  // Filter, index and the rest count in proportion.
  return static_cast<uint64_t>(static_cast<double>(high - low) / static_cast<double>(data_bytes) *
                               static_cast<double>(file_bytes));
}

}  // namespace varve::sstable
