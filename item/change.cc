#include "item/change.h"

#include <algorithm>
#include <cassert>

#include "item/capacity.h"
#include "item/index_entry.h"
#include "item/stream_record.h"

namespace varve::item {
namespace {

// An item's entry in an index, if it has one.
struct Entry {
  Entry(const Index& index, const std::optional<ItemView>& item) {
    if (!item) return;
    exists = AppendEntryKey(index, *item, key);
    if (!exists) return;
    if (index.projects_all()) {
      value = *item;
    } else {
      value = owned.emplace(ProjectedItem(index, *item)).view();
    }
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  bool exists = false;
  std::string key;
  ItemView value;  // into `owned`, or the item itself

 private:
  std::optional<Item> owned;
};

void AppendIndexChange(const Entry& before, const Entry& after, engine::WriteBatch& batch) {
  const bool same_key = before.exists && after.exists && before.key == after.key;
  if (before.exists && !same_key) batch.Delete(before.key);
  if (after.exists && !(same_key && before.value == after.value)) {
    batch.Put(after.key, after.value.encoded());
  }
}

double UnitsOfIndexChange(const Entry& before, const Entry& after) {
  const auto units = [](const Entry& entry) {
    return entry.exists ? WriteUnits(entry.value.size_bytes()) : 0;
  };
  if (!before.exists || !after.exists || before.key != after.key) {
    return units(before) + units(after);
  }
  return before.value == after.value ? 0 : std::max(units(before), units(after));
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
  for (const Index& index : change.table->indexes) {
    AppendIndexChange(Entry(index, change.old_item), Entry(index, change.new_item), batch);
  }
  AppendStreamRecord(change, batch);
  AppendExpiry(change, batch);
}

ChangeCost CostOfChange(const Change& change) {
  ChangeCost cost;
  cost.table_units = WriteUnits(std::max(SizeOf(change.old_item), SizeOf(change.new_item)));
  for (const Index& index : change.table->indexes) {
    cost.index_units.push_back(
        UnitsOfIndexChange(Entry(index, change.old_item), Entry(index, change.new_item)));
  }
  return cost;
}

}  // namespace varve::item
