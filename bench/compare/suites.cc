#include "bench/compare/suites.h"

#include <algorithm>

#include "bench/keys.h"

namespace varve::bench {
namespace {

constexpr uint64_t kMillion = 1'000'000;
constexpr uint64_t kEntryBytes = kKeyBytes + 100;
// With its share of blocks, indexes, filters, and room for a second version.
constexpr uint64_t kCachedEntryBytes = 200;

Sizes Quick() {
  return {.fill_keys = kMillion,
          .batch_keys = kMillion,
          .cached_keys = kMillion,
          .cold_keys = 2 * kMillion,
          .data_keys = kMillion,
          .growth_keys = 100'000,
          .overwrite_keys = 500'000,
          .amplification_keys = 500'000,
          .large_bytes = uint64_t{256} << 20,
          .open_keys = kMillion,
          .cache_bytes = uint64_t{512} << 20,
          .read_seconds = 1,
          .durable_seconds = 1,
          .paced_seconds = 5,
          .turns = 1};
}

Sizes Standard() {
  return {.fill_keys = 20 * kMillion,
          .batch_keys = 10 * kMillion,
          .cached_keys = 10 * kMillion,
          .cold_keys = 10 * kMillion,
          .data_keys = 10 * kMillion,
          .growth_keys = kMillion,
          .overwrite_keys = 5 * kMillion,
          .amplification_keys = 4 * kMillion,
          .large_bytes = uint64_t{1} << 30,
          .open_keys = 10 * kMillion,
          .cache_bytes = uint64_t{2} << 30,
          .read_seconds = 3,
          .durable_seconds = 2,
          .paced_seconds = 60,
          .turns = 3};
}

Sizes Big(uint64_t memory_bytes) {
  const uint64_t keys = 4 * memory_bytes / kEntryBytes;
  const uint64_t cached_keys = memory_bytes / kCachedEntryBytes;
  return {.fill_keys = keys,
          .batch_keys = keys,
          .cached_keys = cached_keys,
          .cold_keys = keys,
          .data_keys = keys,
          .growth_keys = cached_keys / 10,
          .overwrite_keys = keys / 2,
          .amplification_keys = keys,
          .large_bytes = 4 * memory_bytes,
          .open_keys = 10 * kMillion,
          .open_value_bytes = 1000,
          .cache_bytes = memory_bytes,
          .read_seconds = 10,
          .durable_seconds = 10,
          .paced_seconds = 600,
          .turns = 3};
}

}  // namespace

bool IsSuite(const std::string& name) {
  return name == "quick" || name == "standard" || name == "big";
}

Sizes SizesOf(const SuiteOptions& options) {
  Sizes sizes = options.name == "quick"      ? Quick()
                : options.name == "standard" ? Standard()
                                             : Big(options.memory_bytes);
  for (uint64_t* count :
       {&sizes.fill_keys, &sizes.batch_keys, &sizes.cached_keys, &sizes.cold_keys, &sizes.data_keys,
        &sizes.growth_keys, &sizes.overwrite_keys, &sizes.amplification_keys, &sizes.open_keys}) {
    *count = std::max<uint64_t>(1000,
                                static_cast<uint64_t>(static_cast<double>(*count) * options.scale));
  }
  sizes.large_bytes = std::max<uint64_t>(
      kMillion, static_cast<uint64_t>(static_cast<double>(sizes.large_bytes) * options.scale));
  for (double* seconds : {&sizes.read_seconds, &sizes.durable_seconds, &sizes.paced_seconds}) {
    *seconds = std::max(0.01, *seconds * options.scale);
  }
  if (options.keys > 0) {
    for (uint64_t* count : {&sizes.fill_keys, &sizes.batch_keys, &sizes.cached_keys,
                            &sizes.cold_keys, &sizes.data_keys}) {
      *count = options.keys;
    }
    sizes.cache_bytes = std::max(sizes.cache_bytes, options.keys * kCachedEntryBytes);
  }
  if (options.paced_seconds > 0) sizes.paced_seconds = options.paced_seconds;
  return sizes;
}

std::vector<Row> RowsOf(const Sizes& sizes) {
  std::vector<Row> rows;
  AppendWriteRows(sizes, &rows);
  AppendReadRows(sizes, &rows);
  AppendSpaceRows(sizes, &rows);
  return rows;
}

}  // namespace varve::bench
