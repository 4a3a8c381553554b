// What must be there between lives, when nothing is under way but the store's own tasks.
#include <algorithm>

#include "item/index_entry.h"
#include "item/time_to_live.h"
#include "tests/sim/store_run.h"

namespace varve::sim {

namespace {

constexpr int kSettleSecondsMax = 200;
// What the store is allowed to be late when it has nothing else to do.
constexpr uint64_t kExpiryLagSeconds = 10;
const std::string kTableRecords{item::kCatalogueKeySpace, 0x01};

item::KeyBounds BoundsOfTables() { return {kTableRecords, item::PrefixEnd(kTableRecords)}; }

}  // namespace

io::Task<std::map<std::string, std::string>> StoreRun::ReadRange(const engine::Snapshot* snapshot,
                                                                 const item::KeyBounds& bounds) {
  engine::IteratorOptions options;
  options.snapshot = snapshot;
  options.lower_bound = bounds.begin;
  options.upper_bound = bounds.end;
  const std::unique_ptr<engine::Iterator> iterator = db_->NewIterator(options);
  std::map<std::string, std::string> entries;
  co_await iterator->SeekToFirstAsync();
  while (iterator->Valid()) {
    entries.emplace(iterator->key(), iterator->value());
    co_await iterator->NextAsync();
  }
  if (!iterator->status().ok()) {
    Complain(fmt::format("reading without a fault: {}", Message(iterator->status())));
  }
  co_return entries;
}

io::Task<void> StoreRun::ReadTables(const engine::Snapshot* snapshot,
                                    std::map<std::string, item::Table>* tables) {
  const item::KeyBounds bounds = BoundsOfTables();
  const auto records = co_await ReadRange(snapshot, bounds);
  for (const auto& [key, value] : records) {
    StatusOr<item::Table> table = item::TableOfRecord(item::ItemView(value));
    if (!table.ok()) {
      Complain(fmt::format("record of a table: {}", Message(table.status())));
      co_return;
    }
    const std::string name = table->description.table_name;
    tables->emplace(name, *std::move(table));
  }
}

io::Task<void> StoreRun::SettleTables() {
  for (int second = 0; second < kSettleSecondsMax; ++second) {
    std::string waits_for;
    const auto snapshot = db_->GetSnapshot();
    std::map<std::string, item::Table> tables;
    co_await ReadTables(snapshot.get(), &tables);
    for (const auto& [name, table] : tables) {
      for (const item::Index& index : table.indexes) {
        if (!index.readable) waits_for = fmt::format("{} of {} to be filled", index.name, name);
      }
      if (table.description.ttl_attribute.empty()) continue;
      if (!table.description.ttl_indexed) waits_for = "time to live of " + name;
      const item::KeyBounds bounds = item::KeySpaceBounds(table.key_space);
      const auto items = co_await ReadRange(snapshot.get(), bounds);
      for (const auto& [key, value] : items) {
        const auto expiry = ExpiryOf(AttributesOf(item::ItemView(value)));
        if (expiry && *expiry + kExpiryLagSeconds < io_.WallMs() / 1000) {
          waits_for = fmt::format("an item of {} to expire: {}", name,
                                  Show(AttributesOf(item::ItemView(value))));
        }
      }
    }
    if (complaint_ || waits_for.empty()) co_return;
    if (second + 1 == kSettleSecondsMax) Complain("waited in vain for " + waits_for);
    co_await io::SleepFor(1'000'000'000);
  }
}

io::Task<void> StoreRun::CheckQuiet(std::string when) {
  Note("check " + when);
  ++tick_;
  std::map<std::string, item::Table> tables;
  std::map<TableModel*, std::map<std::string, std::string>, InOrder> items;
  const auto snapshot = db_->GetSnapshot();
  co_await ReadTables(snapshot.get(), &tables);
  if (complaint_) co_return;
  ResolveTables(tables);
  Contents contents;
  for (const auto& table : tables_) {
    if (table->gone || complaint_) continue;
    const item::Table& actual = tables.at(table->name);
    const item::KeyBounds bounds = item::KeySpaceBounds(actual.key_space);
    auto entries = co_await ReadRange(snapshot.get(), bounds);
    auto& by_key = contents[table.get()];
    for (const auto& [key, value] : entries) {
      const Attributes item = AttributesOf(item::ItemView(value));
      by_key[table->KeyOf(item)] = item;
      if (key != item::EngineKey(actual.key_space, actual.key, ItemOf(item))) {
        Complain(fmt::format("{} {} has a wrong place", table->name, Show(item)));
      }
    }
    items[table.get()] = std::move(entries);
  }
  if (!complaint_) co_await ResolveCommits(snapshot.get());
  if (!complaint_) CheckItems(contents);
  if (!complaint_) JudgeAttempts();
  if (complaint_) {
    *complaint_ += " (" + when + ")";
    co_return;
  }
  for (const auto& table : tables_) {
    if (table->gone || complaint_) continue;
    co_await CheckKeySpaces(snapshot.get(), table.get(), &tables.at(table->name),
                            &items.at(table.get()));
    if (!complaint_) co_await CheckCount(table.get(), &contents.at(table.get()));
  }
  if (may_have_lost_) {
    // What was read from a relaxed log may be lost.
    reads_.clear();
    index_reads_.clear();
  }
  JudgeReads();
  if (!complaint_) co_await JudgeStreams();
  tally_["store: item expired"] += store_->time_to_live_deleted();
  if (complaint_) *complaint_ += " (" + when + ")";
  Count("check");
}

io::Task<void> StoreRun::CheckCount(TableModel* table,
                                    const std::map<Attributes, Attributes>* items) {
  uint64_t lasting = 0;
  for (const auto& [key, item] : *items) {
    const auto expiry = ExpiryOf(item);
    if (!expiry || *expiry > LatestSeconds() + kExpiryLagSeconds) ++lasting;
  }
  item::DescribeTableRequest request;
  request.table_name = table->name;
  const auto response = co_await store_->DescribeTable(request);
  if (!response.ok()) {
    Complain(fmt::format("describing a table: {}", Message(response.status())));
    co_return;
  }
  const uint64_t count = response->table.item_count;
  if (count < lasting || count > items->size()) {
    Complain(
        fmt::format("ItemCount of {} is {}, it has {} items", table->name, count, items->size()));
  }
}

// ---- Tables

void StoreRun::ResolveTables(const std::map<std::string, item::Table>& tables) {
  std::map<std::string, const item::Table*> unknown;
  for (const auto& [name, table] : tables) unknown[name] = &table;
  for (const auto& table : tables_) {
    if (table->gone) continue;
    const auto found = tables.find(table->name);
    if (found == tables.end() || found->second.description.table_id != table->id) {
      if (!table->may_be_gone) Complain(fmt::format("table {} is gone", table->name));
      table->gone = true;
      StreamEnded(table.get(), 0, tick_);
      continue;
    }
    table->may_be_gone = false;
    unknown.erase(table->name);
    ResolveTable(*table, found->second);
  }
  for (auto& [name, table] : creating_) {
    const auto found = unknown.find(name);
    if (found == unknown.end()) continue;
    table->id = found->second->description.table_id;
    ResolveTable(*table, *found->second);
    table->made = tick_;
    tables_.push_back(std::move(table));
    unknown.erase(found);
    Count("failed and made");
  }
  creating_.clear();
  if (!unknown.empty())
    Complain(fmt::format("a table {} that was not made", unknown.begin()->first));
}

void StoreRun::ResolveTable(TableModel& table, const item::Table& actual) {
  const item::TableDescription& description = actual.description;
  table.changing = false;
  table.key_space = actual.key_space;
  std::erase_if(table.indexes, [&](const auto& index) {
    if (item::FindIndex(actual, index.first) != nullptr) return false;
    if (!index.second.may_be_missing) {
      Complain(fmt::format("index {} of {} is gone", index.first, table.name));
    }
    return true;
  });
  for (const item::Index& index : actual.indexes) {
    const auto found = table.indexes.find(index.name);
    if (found == table.indexes.end()) {
      Complain(fmt::format("index {} of {} should not be there", index.name, table.name));
      return;
    }
    found->second.may_be_missing = false;
    found->second.readable = index.readable;
  }
  const bool expires = !description.ttl_attribute.empty();
  if (table.expires && !expires) Complain("time to live is off: " + table.name);
  table.expires = expires;

  const bool has_stream = description.stream_view_type.has_value();
  bool known = !table.streams.empty() && table.streams.back().disable_begun == kNever;
  if (has_stream != known && table.stream_change_failed &&
      table.stream_change_failed->first == has_stream) {
    const Tick begun = table.stream_change_failed->second;
    if (has_stream) {
      StreamModel& stream = table.streams.emplace_back();
      stream.arn = fmt::format("arn:aws:dynamodb:{}:{}:table/{}/stream/{}", store_options_.region,
                               store_options_.account_id, table.name,
                               item::StreamLabel(description.latest_stream_id));
      stream.view_type = table.view_type_wanted;
      stream.enable_begun = begun;
      stream.enable_ended = tick_;
    } else {
      StreamEnded(&table, begun, tick_);
    }
    known = has_stream;
  }
  table.stream_change_failed.reset();
  if (has_stream != known) {
    Complain(fmt::format("the stream of {} is {}", table.name, has_stream ? "on" : "off"));
  }
}

// ---- Items

void StoreRun::CheckItems(const Contents& contents) {
  for (const auto& [table, items] : contents) {
    for (const auto& [key, item] : items) table->ItemAt(key);
    for (const auto& [key, history] : table->items) {
      const auto found = items.find(key);
      const State state = found == items.end() ? State() : State(found->second);
      if (state == history.state()) continue;
      Complain(fmt::format("there is {}; {}", Show(state), Describe(*table, key)));
      return;
    }
  }
}

// ---- Indexes and expiries

io::Task<void> StoreRun::CheckKeySpaces(const engine::Snapshot* snapshot, TableModel* table,
                                        const item::Table* actual,
                                        const std::map<std::string, std::string>* items) {
  for (const item::Index& index : actual->indexes) {
    std::map<std::string, std::string> expected;
    for (const auto& [key, value] : *items) {
      const State entry =
          EntryOf(*table, table->indexes.at(index.name), AttributesOf(item::ItemView(value)));
      std::string entry_key;
      const bool has_place = item::AppendEntryKey(index, item::ItemView(value), entry_key);
      if (has_place != entry.has_value()) Complain("an item's place in an index is wrong");
      if (entry) expected[entry_key] = ItemOf(*entry).encoded();
    }
    const item::KeyBounds bounds = item::KeySpaceBounds(index.key_space);
    const auto entries = co_await ReadRange(snapshot, bounds);
    for (const auto& [key, value] : entries) {
      const auto found = expected.find(key);
      if (found != expected.end() && found->second == value) continue;
      Complain(fmt::format("index {} of {} has {}, which {}", index.name, table->name,
                           Show(AttributesOf(item::ItemView(value))),
                           found == expected.end() ? "should not be there" : "is not the item's"));
      co_return;
    }
    // While it is being filled it may lack some.
    if (index.readable && entries.size() != expected.size()) {
      Complain(fmt::format("index {} of {} has {} entries instead of {}", index.name, table->name,
                           entries.size(), expected.size()));
      co_return;
    }
  }
  if (actual->description.ttl_attribute.empty()) co_return;
  const item::TimeToLive expiries(actual->description.ttl_attribute, actual->ttl_key_space);
  size_t expected = 0;
  const item::KeyBounds bounds = item::KeySpaceBounds(actual->ttl_key_space);
  const auto entries = co_await ReadRange(snapshot, bounds);
  for (const auto& [key, value] : *items) {
    const auto expiry = expiries.ExpiryOf(item::ItemView(value));
    if (!expiry) continue;
    ++expected;
    if (actual->description.ttl_indexed && !entries.contains(expiries.EntryKey(*expiry, key))) {
      Complain(fmt::format("{}: {} has no entry by its expiry", table->name,
                           Show(AttributesOf(item::ItemView(value)))));
      co_return;
    }
  }
  if (entries.size() > expected) {
    Complain(fmt::format("{}: {} entries by expiry for {} items", table->name, entries.size(),
                         expected));
  }
}

}  // namespace varve::sim
