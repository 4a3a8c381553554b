#include "item/change.h"

#include <algorithm>
#include <cassert>

#include "item/capacity.h"
#include "item/index_entry.h"
#include "item/stream_record.h"

namespace varve::item {
namespace {

std::string EntryKey(const Index& index, const ItemView& item) {
  std::string key;
  // It can't fail: the item is known to have an entry.
  static_cast<void>(AppendEntryKey(index, item, key));
  return key;
}

// As long as there may be writes that do not know the index, it gets no entries: they would leave
// them behind. What others have begun to write is taken away (item/backfill.cc).
bool GetsEntries(const Table& table, const Index& index) {
  if (index.readable) return true;
  const IndexDescription* const description = FindIndex(table.description, index.name);
  return description != nullptr && description->backfilling;
}

void AppendIndexChange(const Index& index, const Change& change, engine::WriteBatch& batch) {
  const EntryChange entry = CompareEntries(index, change.old_item, change.new_item);
  if (!GetsEntries(*change.table, index)) {
    if (entry.before) batch.Delete(EntryKey(index, *change.old_item));
    return;
  }
  if (entry.before && !entry.same_key) batch.Delete(EntryKey(index, *change.old_item));
  if (!entry.after || entry.same_value) return;
  const std::string key = EntryKey(index, *change.new_item);
  if (index.projects_all()) {
    batch.Put(key, change.new_item->encoded());
  } else {
    batch.Put(key, ProjectedItem(index, *change.new_item).encoded());
  }
}

double UnitsOfIndexChange(const Index& index, const Change& change) {
  const EntryChange entry = CompareEntries(index, change.old_item, change.new_item);
  if (entry.same_value) return 0;
  const double before = entry.before ? WriteUnits(ProjectedSize(index, *change.old_item)) : 0;
  const double after = entry.after ? WriteUnits(ProjectedSize(index, *change.new_item)) : 0;
  return entry.same_key ? std::max(before, after) : before + after;
}

// A stream that was enabled after the old item was not looked at begins after this change.
void AppendStreamRecord(Change& change, engine::WriteBatch& batch) {
  if (!change.old_is_known) return;
  const StreamPointer stream = change.table->stream->Get();
  if (stream == nullptr) return;
  StreamTicket& ticket = change.stream_ticket;
  if (!stream->Take(HashOfEngineKey(change.key), &ticket)) return;
  batch.Put(StreamRecordKey(stream->id(), ticket.range(), ticket.number()),
            EncodeStreamRecord(*stream, change.old_item, change.new_item, change.by_time_to_live));
}

// An index that began after the old item was not looked at has no entry of it yet.
void AppendExpiry(Change& change, engine::WriteBatch& batch) {
  std::shared_ptr<TimeToLive> index = change.table->time_to_live->Get();
  if (index == nullptr) return;
  std::optional<uint64_t> before, after;
  if (change.old_item) before = index->ExpiryOf(*change.old_item);
  if (change.new_item) after = index->ExpiryOf(*change.new_item);
  if (before == after) return;
  if (before) batch.Delete(index->EntryKey(*before, change.key));
  if (after) batch.Put(index->EntryKey(*after, change.key), "");
  change.expiry_note = ExpiryNote(std::move(index), after);
}

size_t SizeOf(const std::optional<ItemView>& item) { return item ? item->size_bytes() : 0; }

}  // namespace

bool NeedsOldItem(const Table& table) {
  return !table.indexes.empty() || table.stream->present() || table.time_to_live->present();
}

bool ChangesNothing(const Change& change) {
  if (!change.old_is_known || change.old_item.has_value() != change.new_item.has_value()) {
    return false;
  }
  return !change.old_item || *change.old_item == *change.new_item;
}

double ChangeCost::total() const {
  double sum = table_units;
  for (const double units : index_units) sum += units;
  return sum;
}

ChangeCost& ChangeCost::operator+=(const ChangeCost& other) {
  table_units += other.table_units;
  index_units.resize(std::max(index_units.size(), other.index_units.size()), 0);
  for (size_t i = 0; i < other.index_units.size(); ++i) index_units[i] += other.index_units[i];
  return *this;
}

void AppendChange(Change& change, engine::WriteBatch& batch) {
  assert(change.old_is_known || change.table->indexes.empty());
  if (ChangesNothing(change)) return;
  if (change.new_item) {
    batch.Put(change.key, change.new_item->encoded());
  } else {
    batch.Delete(change.key);
  }
  for (const Index& index : change.table->indexes) AppendIndexChange(index, change, batch);
  AppendStreamRecord(change, batch);
  AppendExpiry(change, batch);
}

ChangeCost CostOfChange(const Change& change) {
  ChangeCost cost;
  cost.table_units = WriteUnits(std::max(SizeOf(change.old_item), SizeOf(change.new_item)));
  for (const Index& index : change.table->indexes) {
    cost.index_units.push_back(UnitsOfIndexChange(index, change));
  }
  return cost;
}

}  // namespace varve::item
