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

std::string TableRecordKey(std::string_view name) { return kTablePrefix + std::string(name); }

std::string DropKey(uint32_t key_space) {
  std::string key = kDropPrefix;
  AppendFixed(key, __builtin_bswap32(key_space));
  return key;
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

// Changes of the catalogue are always on disk before they take effect.
engine::WriteOptions Durably() {
  engine::WriteOptions options;
  options.sync = true;
  return options;
}

}  // namespace

io::Task<StatusOr<std::unique_ptr<Catalogue>>> Catalogue::Open(engine::Db& db) {
  std::unique_ptr<Catalogue> catalogue(new Catalogue(db));
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
      std::string name = table.description.table_name;
      absl::MutexLock lock(&mutex_);
      tables_[std::move(name)] = std::make_shared<const Table>(std::move(table));
    } else if (key.size() == kDropPrefix.size() + 4) {
      to_drop.push_back(__builtin_bswap32(LoadU32(key.data() + kDropPrefix.size())));
    }
    co_await iterator->NextAsync();
  }
  VARVE_CO_RETURN_IF_ERROR(iterator->status());

  for (const uint32_t key_space : to_drop) {
    VARVE_CO_RETURN_IF_ERROR(co_await FinishDrop(key_space));
  }
  for (uint32_t key_space = 1; key_space < next_key_space_; ++key_space) {
    if (!used.contains(key_space)) free_key_spaces_.push_back(key_space);
  }
  co_return absl::OkStatus();
}

TablePointer Catalogue::Find(std::string_view name) const {
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

io::Task<StatusOr<uint32_t>> Catalogue::TakeKeySpace() {
  // Nobody can get hold of a deleted table any more, so once this lease is the only one, nobody
  // will.
  for (size_t i = 0; i < deleted_.size();) {
    if (deleted_[i].lease.use_count() > 1) {
      ++i;
      continue;
    }
    free_key_spaces_.push_back(deleted_[i].key_space);
    std::swap(deleted_[i], deleted_.back());
    deleted_.pop_back();
  }

  uint32_t key_space = next_key_space_;
  if (!free_key_spaces_.empty()) {
    key_space = free_key_spaces_.back();
    const KeyBounds bounds = KeySpaceBounds(key_space);
    const auto dropped = co_await db_.DropRangeAsync(bounds.begin, bounds.end);
    VARVE_CO_RETURN_IF_ERROR(dropped.status());
    free_key_spaces_.pop_back();
  }
  const KeyBounds bounds = KeySpaceBounds(key_space);
  std::vector<std::string> cuts;
  cuts.push_back(bounds.begin);
  cuts.push_back(bounds.end);
  const Status split = co_await db_.SplitAsync(std::move(cuts));
  if (!split.ok()) {
    if (key_space != next_key_space_) free_key_spaces_.push_back(key_space);
    co_return split;
  }
  co_return key_space;
}

io::Task<StatusOr<TablePointer>> Catalogue::Create(TableDescription description) {
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  if (Find(description.table_name) != nullptr) {
    co_return MakeError(ErrorType::kResourceInUseException,
                        fmt::format("Table already exists: {}", description.table_name));
  }
  VARVE_ASSIGN_OR_CO_RETURN(const uint32_t key_space, co_await TakeKeySpace());

  auto table = std::make_shared<Table>();
  table->lease = std::make_shared<char>();
  table->key_space = key_space;
  table->key = KeyOfDescription(description);
  table->description = std::move(description);
  const std::string& name = table->description.table_name;

  engine::WriteBatch batch;
  batch.Put(TableRecordKey(name), RecordOfTable(*table).encoded());
  const uint32_t next = std::max(next_key_space_, key_space + 1);
  batch.Put(kNextKeySpaceKey, Number::FromInt(next).Encode());
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
  // On failure the number is not given back: the record may yet turn out to have been written.
  next_key_space_ = next;
  VARVE_CO_RETURN_IF_ERROR(written.status());

  absl::MutexLock lock(&mutex_);
  tables_[name] = table;
  co_return TablePointer(table);
}

io::Task<StatusOr<TablePointer>> Catalogue::Update(std::string name, Change change) {
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  const TablePointer old_table = Find(name);
  if (old_table == nullptr) co_return TableNotFound(name);
  auto table = std::make_shared<Table>(*old_table);
  VARVE_CO_RETURN_IF_ERROR(change(table->description));

  engine::WriteBatch batch;
  batch.Put(TableRecordKey(name), RecordOfTable(*table).encoded());
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
  VARVE_CO_RETURN_IF_ERROR(written.status());

  absl::MutexLock lock(&mutex_);
  tables_[name] = table;
  co_return TablePointer(table);
}

io::Task<StatusOr<TablePointer>> Catalogue::Delete(std::string name, Check check) {
  const io::Mutex::Guard guard = co_await control_mutex_.Lock();
  const TablePointer table = Find(name);
  if (table == nullptr) co_return TableNotFound(name);
  VARVE_CO_RETURN_IF_ERROR(check(table->description));

  engine::WriteBatch batch;
  batch.Delete(TableRecordKey(name));
  batch.Put(DropKey(table->key_space), "");
  StatusOr<SequenceNumber> written = co_await db_.WriteAsync(batch, Durably());
  VARVE_CO_RETURN_IF_ERROR(written.status());
  {
    absl::MutexLock lock(&mutex_);
    tables_.erase(name);
  }
  // The table is gone from here on; what fails below is made up for at the next opening.
  const Status dropped = co_await FinishDrop(table->key_space);
  if (dropped.ok()) deleted_.push_back({table->key_space, table->lease});
  co_return table;
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
