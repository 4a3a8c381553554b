#include "item/table_size.h"

#include <algorithm>

#include "base/coding.h"
#include "item/catalogue.h"
#include "item/keys.h"
#include "item/value.h"

namespace varve::item {
namespace {

// What is counted on the spot.
constexpr uint64_t kFewItems = 2000;
constexpr uint64_t kFewBytes = uint64_t{1} << 20;

// One step of the background task, between two looks at whether it is still wanted.
constexpr uint64_t kStepItems = 2000;
constexpr uint64_t kStepBytes = uint64_t{1} << 20;
// It counts at full speed for so long. Then it rests after each step, three times as long as that
// took.
constexpr uint64_t kFullSpeedNs = 250'000'000;
constexpr uint64_t kRestsPerStep = 3;
constexpr uint64_t kRestNsMax = 100'000'000;

// A count that took a second stands for twenty.
constexpr uint64_t kStandsFor = 20;
constexpr uint64_t kPollNs = 1'000'000;

constexpr size_t kRecordHeaderBytes = 16;
constexpr size_t kRecordPartBytes = 20;

}  // namespace

const KeySpaceSize* TableSize::Find(uint32_t key_space) const {
  for (const KeySpaceSize& each : key_spaces) {
    if (each.key_space == key_space) return &each;
  }
  return nullptr;
}

std::string RecordOfSize(const TableSize& size) {
  std::string record;
  AppendFixed(record, size.as_of_ms);
  AppendFixed(record, size.duration_ns);
  for (const KeySpaceSize& each : size.key_spaces) {
    AppendFixed(record, each.key_space);
    AppendFixed(record, each.items);
    AppendFixed(record, each.bytes);
  }
  return record;
}

StatusOr<TableSize> SizeOfRecord(std::string_view record) {
  if (record.size() < kRecordHeaderBytes ||
      (record.size() - kRecordHeaderBytes) % kRecordPartBytes != 0) {
    return Corruption("catalogue: malformed size of a table");
  }
  TableSize size;
  size.as_of_ms = LoadU64(record.data());
  size.duration_ns = LoadU64(record.data() + 8);
  for (size_t at = kRecordHeaderBytes; at < record.size(); at += kRecordPartBytes) {
    const char* const part = record.data() + at;
    size.key_spaces.push_back({LoadU32(part), LoadU64(part + 4), LoadU64(part + 12)});
  }
  return size;
}

io::Task<Status> TableSizes::Describe(const Table& table, bool may_wait,
                                      TableDescription* description) {
  std::shared_ptr<const TableSize> size = table.size->Get();
  if (size == nullptr || Due(*size)) {
    VARVE_ASSIGN_OR_CO_RETURN(std::optional<TableSize> few, co_await CountFew(table));
    if (few) {
      size = std::make_shared<const TableSize>(*std::move(few));
    } else {
      StartCounting(table);
      // There is no use in waiting for what will take longer.
      may_wait = may_wait && (size == nullptr || size->duration_ns / 1'000'000 < wait_ms_);
      const uint64_t patience_ns = may_wait ? wait_ms_ * 1'000'000 : 0;
      const uint64_t begun_ns = io_.MonotonicNs();
      while (IsCounting(table) && io_.MonotonicNs() - begun_ns < patience_ns) {
        co_await io::SleepFor(kPollNs);
      }
      size = table.size->Get();
      const uint64_t now_ms = io_.WallMs();
      if (size != nullptr && now_ms > size->as_of_ms && now_ms - size->as_of_ms > kAgeMsMax) {
        size = nullptr;
      }
    }
  }
  VARVE_ASSIGN_OR_CO_RETURN(const KeySpaceSize items, co_await SizeOf(table.key_space, size.get()));
  description->item_count = items.items;
  description->table_size_bytes = items.bytes;
  for (size_t i = 0; i < table.indexes.size(); ++i) {
    VARVE_ASSIGN_OR_CO_RETURN(const KeySpaceSize entries,
                              co_await SizeOf(table.indexes[i].key_space, size.get()));
    description->indexes[i].item_count = entries.items;
    description->indexes[i].index_size_bytes = entries.bytes;
  }
  co_return absl::OkStatus();
}

io::Task<StatusOr<KeySpaceSize>> TableSizes::SizeOf(uint32_t key_space, const TableSize* size) {
  const KeySpaceSize* counted = size == nullptr ? nullptr : size->Find(key_space);
  if (counted != nullptr) co_return *counted;
  co_return co_await Estimate(key_space);
}

bool TableSizes::Due(const TableSize& size) const {
  return size.ended_ns == 0 || io_.MonotonicNs() - size.ended_ns >= kStandsFor * size.duration_ns;
}

io::Task<Status> TableSizes::CountSome(const engine::Snapshot& snapshot, uint64_t items_max,
                                       uint64_t bytes_max, Count* count) {
  engine::IteratorOptions options;
  options.lower_bound =
      count->position.empty() ? KeySpaceBounds(count->size.key_space).begin : count->position;
  options.upper_bound = KeySpaceBounds(count->size.key_space).end;
  options.snapshot = &snapshot;
  options.fill_cache = false;
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  uint64_t items = 0, bytes = 0;
  while (iterator->Valid() && items < items_max && bytes < bytes_max) {
    ++items;
    bytes += ItemView(iterator->value()).size_bytes();
    if (!iterator->StartNext()) co_await iterator->SettleAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());
  count->size.items += items;
  count->size.bytes += bytes;
  count->done = !iterator->Valid();
  if (!count->done) count->position = iterator->key();
  co_return absl::OkStatus();
}

io::Task<StatusOr<std::optional<TableSize>>> TableSizes::CountFew(const Table& table) {
  std::optional<TableSize> size(TableSize{});
  const std::unique_ptr<engine::Snapshot> snapshot = db_.GetSnapshot();
  std::vector<uint32_t> key_spaces = {table.key_space};
  for (const Index& index : table.indexes) key_spaces.push_back(index.key_space);
  for (const uint32_t key_space : key_spaces) {
    Count count;
    count.size.key_space = key_space;
    VARVE_CO_RETURN_IF_ERROR(co_await CountSome(*snapshot, kFewItems, kFewBytes, &count));
    if (!count.done) co_return std::optional<TableSize>();
    size->key_spaces.push_back(count.size);
  }
  co_return size;
}

io::Task<StatusOr<KeySpaceSize>> TableSizes::Estimate(uint32_t key_space) {
  const KeyBounds bounds = KeySpaceBounds(key_space);
  engine::IteratorOptions options;
  options.lower_bound = bounds.begin;
  options.upper_bound = bounds.end;
  options.fill_cache = false;
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  KeySpaceSize size;
  size.key_space = key_space;
  uint64_t entry_bytes = 0;
  std::string last_key;
  while (iterator->Valid() && size.items < kFewItems && size.bytes < kFewBytes) {
    ++size.items;
    size.bytes += ItemView(iterator->value()).size_bytes();
    entry_bytes += iterator->key().size() + iterator->value().size();
    last_key = iterator->key();
    if (!iterator->StartNext()) co_await iterator->SettleAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());
  if (!iterator->Valid()) co_return size;

  // Items lie in the order of a hash, so the first ones are a fair sample of all. The engine counts
  // memtables as a whole, whatever the range, and tables by the range's share.
  const uint64_t memtables = db_.ApproximateBytes(bounds.begin, bounds.begin + '\0');
  const uint64_t sample = db_.ApproximateBytes(bounds.begin, last_key);
  const uint64_t whole = db_.ApproximateBytes(bounds.begin, bounds.end);
  double scale = static_cast<double>(whole) / static_cast<double>(entry_bytes);
  if (sample > memtables && whole > 2 * memtables) {
    scale = static_cast<double>(whole - memtables) / static_cast<double>(sample - memtables);
  }
  scale = std::max(1.0, scale);
  size.items = static_cast<uint64_t>(static_cast<double>(size.items) * scale);
  size.bytes = static_cast<uint64_t>(static_cast<double>(size.bytes) * scale);
  co_return size;
}

bool TableSizes::IsCounting(const Table& table) const {
  absl::ReaderMutexLock lock(&mutex_);
  return counting_.contains(table.lease.get());
}

void TableSizes::StartCounting(const Table& table) {
  {
    absl::MutexLock lock(&mutex_);
    if (!counting_.insert(table.lease.get()).second) return;
  }
  // Not the table itself: a new index waits until nobody holds a version that didn't know it.
  Job job;
  job.table_name = table.description.table_name;
  job.key_spaces.push_back(table.key_space);
  for (const Index& index : table.indexes) job.key_spaces.push_back(index.key_space);
  job.leases = LeasesOf(table);
  background_.Start(CountInBackground(std::move(job)));
}

io::Task<void> TableSizes::CountInBackground(Job job) {
  const uint64_t begun_ns = io_.MonotonicNs();
  TableSize size;
  StatusOr<bool> counted = co_await CountAll(job, begun_ns, &size);
  if (counted.ok() && *counted) {
    size.ended_ns = io_.MonotonicNs();
    size.duration_ns = size.ended_ns - begun_ns;
    // What takes longer than anybody waits for it is worth being kept.
    const bool keep = size.duration_ns / 1'000'000 >= wait_ms_;
    // If this fails, the next one who asks has it counted again.
    const Status ignored = co_await catalogue_.SetSize(job.table_name, job.leases, size, keep);
    static_cast<void>(ignored);
  }
  absl::MutexLock lock(&mutex_);
  counting_.erase(job.leases[0].get());
}

io::Task<StatusOr<bool>> TableSizes::CountAll(const Job& job, uint64_t begun_ns, TableSize* size) {
  size->as_of_ms = io_.WallMs();
  const std::unique_ptr<engine::Snapshot> snapshot = db_.GetSnapshot();
  for (const uint32_t key_space : job.key_spaces) {
    Count count;
    count.size.key_space = key_space;
    while (!count.done) {
      const TablePointer table = catalogue_.Find(job.table_name);
      if (background_.stopping() || table == nullptr || LeasesOf(*table) != job.leases) {
        co_return false;
      }
      const uint64_t step_ns = io_.MonotonicNs();
      VARVE_CO_RETURN_IF_ERROR(co_await CountSome(*snapshot, kStepItems, kStepBytes, &count));
      const uint64_t now_ns = io_.MonotonicNs();
      if (now_ns - begun_ns < kFullSpeedNs) {
        co_await io::Yield();
      } else {
        co_await io::SleepFor(std::min(kRestNsMax, kRestsPerStep * (now_ns - step_ns)));
      }
    }
    size->key_spaces.push_back(count.size);
  }
  co_return true;
}

}  // namespace varve::item
