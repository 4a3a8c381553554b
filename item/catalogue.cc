#include "item/catalogue.h"

#include <algorithm>
#include <set>

#include "base/coding.h"
#include "item/errors.h"

namespace varve::item {
namespace {

constexpr int64_t kFormatVersion = 1;

const std::string kFormatKey{kCatalogueKeySpace, 0x00};
const std::string kTablePrefix{kCatalogueKeySpace, 0x01};
const std::string kDropPrefix{kCatalogueKeySpace, 0x02};
const std::string kNextKeySpaceKey{kCatalogueKeySpace, 0x03};
const std::string kBackfillPrefix{kCatalogueKeySpace, 0x04};
const std::string kSizePrefix{kCatalogueKeySpace, 0x05};

std::string TableRecordKey(std::string_view name) { return kTablePrefix + std::string(name); }

std::string WithKeySpace(std::string key, uint32_t key_space) {
  AppendFixed(key, __builtin_bswap32(key_space));
  return key;
}

std::string DropKey(uint32_t key_space) { return WithKeySpace(kDropPrefix, key_space); }
std::string SizeKey(uint32_t key_space) { return WithKeySpace(kSizePrefix, key_space); }

// Notes in `batch` that a key space is to be dropped.
void NoteDrop(uint32_t key_space, engine::WriteBatch& batch) {
  batch.Put(DropKey(key_space), "");
  batch.Delete(BackfillKey(key_space));
}

// An encoded number under `key`; `otherwise` if there is none.
io::Task<StatusOr<int64_t>> ReadInteger(engine::Db& db, std::string key, int64_t otherwise) {
  engine::PinnedValue value;
  VARVE_ASSIGN_OR_CO_RETURN(const bool found, co_await db.GetAsync(key, &value));
  if (!found) co_return otherwise;
  int64_t integer = 0;
  const std::string_view bytes = value.view();
  if (EncodedNumberBytes(bytes) != bytes.size() || !Number::Decode(bytes).ToInt64(&integer)) {
    co_return Corruption("catalogue: malformed number under key {:02x}{:02x}",
                         static_cast<unsigned>(key[0]), static_cast<unsigned>(key[1]));
  }
  co_return integer;
}

const Index* IndexIn(const Table& table, uint32_t key_space) {
  for (const Index& index : table.indexes) {
    if (index.key_space == key_space) return &index;
  }
  return nullptr;
}

bool SameIndexes(const Table& before, const Table& after) {
  return LeasesOf(before) == LeasesOf(after) &&
         std::equal(before.indexes.begin(), before.indexes.end(), after.indexes.begin(),
                    [](const Index& a, const Index& b) { return a.readable == b.readable; });
}

// What was counted of the former version of a table and is still of use: all, or that of the table
// and of those indexes that stay as they are.
std::shared_ptr<const TableSize> SizeThatStands(const Table& before, const Table& after) {
  const std::shared_ptr<const TableSize> counted = before.size->Get();
  if (counted == nullptr || SameIndexes(before, after)) return counted;
  TableSize size = *counted;
  size.ended_ns = 0;  // to be counted again
  std::erase_if(size.key_spaces, [&](const KeySpaceSize& each) {
    if (each.key_space == after.key_space) return false;
    const Index* const old_index = IndexIn(before, each.key_space);
    const Index* const new_index = IndexIn(after, each.key_space);
    return old_index == nullptr || new_index == nullptr || old_index->lease != new_index->lease ||
           old_index->readable != new_index->readable;
  });
  return std::make_shared<const TableSize>(std::move(size));
}

// Changes of the catalogue are always on disk before they take effect.
// How often a change is tried again that can be read and may not be durable, and after how long.
constexpr int kCommitAttemptsMax = 20;
constexpr uint64_t kCommitRetryNs = 50'000'000;

engine::WriteOptions Durably() {
  engine::WriteOptions options;
  options.sync = true;
  return options;
}

// Commits `batch`, which gives table `name` this record, or none. A relaxed log that can't be
// synced may have the batch nevertheless, and then everybody sees it: it is committed until it is
// durable, so that the catalogue in memory does not differ from the one in the engine.
io::Task<Status> Commit(engine::Db& db, const engine::WriteBatch& batch, const std::string& key,
                        const std::optional<std::string>& record) {
  Status status;
  for (int attempt = 0; attempt < kCommitAttemptsMax; ++attempt) {
    if (attempt > 0) co_await io::SleepFor(kCommitRetryNs);
    const StatusOr<SequenceNumber> written = co_await db.WriteAsync(batch, Durably());
    status = written.status();
    if (status.ok()) break;
    engine::PinnedValue value;
    const StatusOr<bool> found = co_await db.GetAsync(key, &value);
    if (!found.ok()) continue;
    const bool is_there = record ? *found && value.view() == *record : !*found;
    if (!is_there) break;
  }
  co_return status;
}

}  // namespace

std::string BackfillKey(uint32_t key_space) { return WithKeySpace(kBackfillPrefix, key_space); }

io::Task<StatusOr<std::unique_ptr<Catalogue>>> Catalogue::Open(engine::Db& db, Streams& streams,
                                                               std::string arn_prefix) {
  std::unique_ptr<Catalogue> catalogue(new Catalogue(db, streams, std::move(arn_prefix)));
  VARVE_CO_RETURN_IF_ERROR(co_await catalogue->Load());
  co_return catalogue;
}

io::Task<Status> Catalogue::Load() {
  VARVE_ASSIGN_OR_CO_RETURN(const int64_t version, co_await ReadInteger(db_, kFormatKey, 0));
  if (version == 0) {
    engine::WriteBatch batch;
    batch.Put(kFormatKey, Number::FromInt(kFormatVersion).Encode());
    StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
    VARVE_CO_RETURN_IF_ERROR(written.status());
  } else if (version != kFormatVersion) {
    co_return FailedPrecondition("the data is of item format {}, this program knows {}", version,
                                 kFormatVersion);
  }
  VARVE_ASSIGN_OR_CO_RETURN(const int64_t next, co_await ReadInteger(db_, kNextKeySpaceKey, 1));
  next_key_space_ = static_cast<uint32_t>(next);

  std::set<uint32_t> used;
  std::vector<uint32_t> to_drop;
  engine::IteratorOptions options;
  options.lower_bound = kTablePrefix;
  options.upper_bound = PrefixEnd(kDropPrefix);
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    const std::string_view key = iterator->key();
    if (key.starts_with(kTablePrefix)) {
      VARVE_CO_RETURN_IF_ERROR(ValidateItem(iterator->value()));
      VARVE_ASSIGN_OR_CO_RETURN(Table table, TableOfRecord(ItemView(iterator->value())));
      used.insert(table.key_space);
      table.lease = std::make_shared<char>();
      for (Index& index : table.indexes) {
        used.insert(index.key_space);
        index.lease = std::make_shared<char>();
      }
      VARVE_CO_RETURN_IF_ERROR(streams_.Attach(table));
      if (table.ttl_key_space != 0) {
        used.insert(table.ttl_key_space);
        table.time_to_live->Set(
            std::make_shared<TimeToLive>(table.description.ttl_attribute, table.ttl_key_space));
      }
      std::string name = table.description.table_name;
      absl::MutexLock lock(&mutex_);
      tables_[std::move(name)] = std::make_shared<const Table>(std::move(table));
    } else if (key.size() == kDropPrefix.size() + 4) {
      to_drop.push_back(__builtin_bswap32(LoadU32(key.data() + kDropPrefix.size())));
    }
    co_await iterator->NextAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());

  VARVE_CO_RETURN_IF_ERROR(co_await LoadSizes());

  for (const uint32_t key_space : to_drop) {
    VARVE_CO_RETURN_IF_ERROR(co_await FinishDrop(key_space));
  }
  for (uint32_t key_space = 1; key_space < next_key_space_; ++key_space) {
    if (!used.contains(key_space)) free_key_spaces_.push_back(key_space);
  }
  co_return absl::OkStatus();
}

io::Task<Status> Catalogue::LoadSizes() {
  engine::IteratorOptions options;
  options.lower_bound = kSizePrefix;
  options.upper_bound = PrefixEnd(kSizePrefix);
  const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
  co_await iterator->SeekToFirstAsync();
  std::map<uint32_t, std::shared_ptr<const TableSize>> sizes;
  while (iterator->Valid()) {
    const std::string_view key = iterator->key();
    if (key.size() == kSizePrefix.size() + 4) {
      VARVE_ASSIGN_OR_CO_RETURN(TableSize size, SizeOfRecord(iterator->value()));
      sizes[__builtin_bswap32(LoadU32(key.data() + kSizePrefix.size()))] =
          std::make_shared<const TableSize>(std::move(size));
    }
    co_await iterator->NextAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());
  if (sizes.empty()) co_return absl::OkStatus();
  for (const TablePointer& table : Tables()) {
    const auto found = sizes.find(table->key_space);
    if (found != sizes.end()) table->size->Set(found->second);
  }
  co_return absl::OkStatus();
}

io::Task<Status> Catalogue::SetSize(const std::string& name,
                                    const std::vector<std::shared_ptr<const void>>& leases,
                                    const TableSize& size, bool keep) {
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  const TablePointer table = Find(name);
  if (table == nullptr || LeasesOf(*table) != leases) co_return absl::OkStatus();
  if (keep) {
    engine::WriteBatch batch;
    batch.Put(SizeKey(table->key_space), RecordOfSize(size));
    // Not synced: it can be counted again.
    StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch);
    VARVE_CO_RETURN_IF_ERROR(written.status());
  }
  table->size->Set(std::make_shared<const TableSize>(size));
  co_return absl::OkStatus();
}

std::string_view Catalogue::NameOf(std::string_view name_or_arn) const {
  if (!arn_prefix_.empty() && name_or_arn.starts_with(arn_prefix_)) {
    name_or_arn.remove_prefix(arn_prefix_.size());
  }
  return name_or_arn;
}

std::vector<TablePointer> Catalogue::Tables() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<TablePointer> tables;
  tables.reserve(tables_.size());
  for (const auto& [name, table] : tables_) tables.push_back(table);
  return tables;
}

TablePointer Catalogue::Find(std::string_view name) const {
  name = NameOf(name);
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = tables_.find(name);
  return found == tables_.end() ? nullptr : found->second;
}

std::vector<std::string> Catalogue::NamesAfter(std::string_view after, size_t limit) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (auto i = after.empty() ? tables_.begin() : tables_.upper_bound(after);
       i != tables_.end() && names.size() < limit; ++i) {
    names.push_back(i->first);
  }
  return names;
}

io::Task<StatusOr<std::vector<uint32_t>>> Catalogue::TakeKeySpaces(size_t count) {
  // Nobody can get hold of what was dropped any more, so once this lease is the only one, nobody
  // will.
  for (size_t i = 0; i < dropped_.size();) {
    if (dropped_[i].lease.use_count() > 1) {
      ++i;
      continue;
    }
    free_key_spaces_.push_back(dropped_[i].key_space);
    std::swap(dropped_[i], dropped_.back());
    dropped_.pop_back();
  }

  std::vector<uint32_t> key_spaces;
  std::vector<std::string> cuts;
  while (key_spaces.size() < count) {
    // A number that is taken and then, for a failure, not used is found free at the next opening.
    uint32_t key_space = next_key_space_;
    if (free_key_spaces_.empty()) {
      ++next_key_space_;
    } else {
      key_space = free_key_spaces_.back();
      const KeyBounds bounds = KeySpaceBounds(key_space);
      const auto dropped = co_await db_.DropRangeAsync(bounds.begin, bounds.end);
      VARVE_CO_RETURN_IF_ERROR(dropped.status());
      free_key_spaces_.pop_back();
    }
    key_spaces.push_back(key_space);
    KeyBounds bounds = KeySpaceBounds(key_space);
    cuts.push_back(std::move(bounds.begin));
    cuts.push_back(std::move(bounds.end));
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  VARVE_CO_RETURN_IF_ERROR(co_await db_.SplitAsync(std::move(cuts)));
  co_return key_spaces;
}

io::Task<StatusOr<TablePointer>> Catalogue::Create(TableDescription description) {
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  if (Find(description.table_name) != nullptr) {
    co_return MakeError(ErrorType::kResourceInUseException,
                        fmt::format("Table already exists: {}", description.table_name));
  }
  VARVE_ASSIGN_OR_CO_RETURN(const std::vector<uint32_t> key_spaces,
                            co_await TakeKeySpaces(1 + description.indexes.size()));

  auto table = std::make_shared<Table>();
  table->lease = std::make_shared<char>();
  table->key_space = key_spaces[0];
  table->key = KeyOfDescription(description);
  for (size_t i = 0; i < description.indexes.size(); ++i) {
    Index index = IndexOfDescription(description, description.indexes[i], key_spaces[1 + i]);
    index.lease = std::make_shared<char>();
    table->indexes.push_back(std::move(index));
  }
  table->description = std::move(description);
  const std::string& name = table->description.table_name;

  engine::WriteBatch batch;
  Streams::Update stream = co_await streams_.Prepare(nullptr, table.get(), batch);
  const std::string key = TableRecordKey(name);
  const std::optional<std::string> record(RecordOfTable(*table).encoded());
  batch.Put(key, *record);
  batch.Put(kNextKeySpaceKey, Number::FromInt(next_key_space_).Encode());
  const Status written = co_await Commit(db_, batch, key, record);
  stream.Finish(written.ok());
  // On failure the numbers are not given back: the record may yet turn out to have been written.
  VARVE_CO_RETURN_IF_ERROR(written);

  absl::MutexLock lock(&mutex_);
  tables_[name] = table;
  co_return TablePointer(table);
}

io::Task<StatusOr<TablePointer>> Catalogue::Update(std::string name_or_arn, Change change) {
  const std::string name(NameOf(name_or_arn));
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  const TablePointer old_table = Find(name);
  if (old_table == nullptr) co_return TableNotFound(name);
  auto table = std::make_shared<Table>(*old_table);
  VARVE_CO_RETURN_IF_ERROR(change(table->description));
  std::erase_if(table->former, [](const auto& version) { return version.expired(); });
  table->former.push_back(old_table);

  engine::WriteBatch batch;
  std::vector<Dropped> gone;
  for (const Index& index : old_table->indexes) {
    if (FindIndex(table->description, index.name) != nullptr) continue;
    NoteDrop(index.key_space, batch);
    gone.push_back({index.key_space, index.lease});
  }
  table->indexes.clear();
  size_t added = 0;
  for (const IndexDescription& index : table->description.indexes) {
    added += FindIndex(*old_table, index.index_name) == nullptr;
  }
  const std::string& ttl_attribute = table->description.ttl_attribute;
  const bool ttl_changes = ttl_attribute != old_table->description.ttl_attribute;
  std::shared_ptr<TimeToLive> time_to_live;
  if (ttl_changes && old_table->ttl_key_space != 0) {
    NoteDrop(old_table->ttl_key_space, batch);
    gone.push_back({old_table->ttl_key_space, old_table->time_to_live->Get()});
    table->ttl_key_space = 0;
  }
  if (ttl_changes && !ttl_attribute.empty()) ++added;
  std::vector<uint32_t> key_spaces;
  if (added > 0) {
    VARVE_ASSIGN_OR_CO_RETURN(key_spaces, co_await TakeKeySpaces(added));
    batch.Put(kNextKeySpaceKey, Number::FromInt(next_key_space_).Encode());
  }
  if (ttl_changes && !ttl_attribute.empty()) {
    table->ttl_key_space = key_spaces.back();
    key_spaces.pop_back();
    time_to_live = std::make_shared<TimeToLive>(ttl_attribute, table->ttl_key_space);
  }
  for (const IndexDescription& description : table->description.indexes) {
    const Index* old_index = FindIndex(*old_table, description.index_name);
    const uint32_t key_space = old_index != nullptr ? old_index->key_space : key_spaces.back();
    Index index = IndexOfDescription(table->description, description, key_space);
    if (old_index != nullptr) {
      index.lease = old_index->lease;
      index.meter = old_index->meter;
      if (index.readable && !old_index->readable) batch.Delete(BackfillKey(key_space));
    } else {
      key_spaces.pop_back();
      index.lease = std::make_shared<char>();
      // A step that filled another index may have been the last to write, after that was deleted.
      batch.Delete(BackfillKey(key_space));
    }
    table->indexes.push_back(std::move(index));
  }
  const std::shared_ptr<const TableSize> size = SizeThatStands(*old_table, *table);
  const bool size_changes = size != table->size->Get();
  if (size_changes) batch.Put(SizeKey(table->key_space), RecordOfSize(*size));
  Streams::Update stream = co_await streams_.Prepare(old_table.get(), table.get(), batch);
  const std::string key = TableRecordKey(name);
  const std::optional<std::string> record(RecordOfTable(*table).encoded());
  batch.Put(key, *record);
  const Status written = co_await Commit(db_, batch, key, record);
  stream.Finish(written.ok());
  VARVE_CO_RETURN_IF_ERROR(written);
  if (ttl_changes) table->time_to_live->Set(time_to_live);
  if (size_changes) table->size->Set(size);
  {
    absl::MutexLock lock(&mutex_);
    tables_[name] = table;
  }
  co_await FinishDrops(std::move(gone));
  co_return TablePointer(table);
}

io::Task<StatusOr<TablePointer>> Catalogue::Delete(std::string name_or_arn, Check check) {
  const std::string name(NameOf(name_or_arn));
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  const TablePointer table = Find(name);
  if (table == nullptr) co_return TableNotFound(name);
  VARVE_CO_RETURN_IF_ERROR(check(table->description));

  engine::WriteBatch batch;
  batch.Delete(TableRecordKey(name));
  batch.Delete(SizeKey(table->key_space));
  std::vector<Dropped> gone;
  gone.push_back({table->key_space, table->lease});
  for (const Index& index : table->indexes) gone.push_back({index.key_space, index.lease});
  if (table->ttl_key_space != 0) {
    gone.push_back({table->ttl_key_space, table->time_to_live->Get()});
  }
  for (const Dropped& each : gone) NoteDrop(each.key_space, batch);
  Streams::Update stream = co_await streams_.Prepare(table.get(), nullptr, batch);
  const std::string key = TableRecordKey(name);
  const std::optional<std::string> none;
  const Status written = co_await Commit(db_, batch, key, none);
  stream.Finish(written.ok());
  VARVE_CO_RETURN_IF_ERROR(written);
  table->time_to_live->Set(nullptr);
  {
    absl::MutexLock lock(&mutex_);
    tables_.erase(name);
  }
  co_await FinishDrops(std::move(gone));
  co_return table;
}

io::Task<void> Catalogue::FinishDrops(std::vector<Dropped> dropped) {
  for (Dropped& each : dropped) {
    const Status status = co_await FinishDrop(each.key_space);
    if (status.ok()) dropped_.push_back(std::move(each));
  }
}

io::Task<Status> Catalogue::FinishDrop(uint32_t key_space) {
  const KeyBounds bounds = KeySpaceBounds(key_space);
  const auto dropped = co_await db_.DropRangeAsync(bounds.begin, bounds.end);
  VARVE_CO_RETURN_IF_ERROR(dropped.status());
  engine::WriteBatch batch;
  batch.Delete(DropKey(key_space));
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
  co_return written.status();
}

}  // namespace varve::item
