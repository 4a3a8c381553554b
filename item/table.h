// Table: what the catalogue knows of a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/keys.h"
#include "item/requests.h"
#include "item/shared_slot.h"
#include "item/stream.h"
#include "item/time_to_live.h"

namespace varve::item {

struct TableSize;

class Meter;
// Thread-safe; there is one for each table and each index (item/meter.h).
std::shared_ptr<Meter> NewMeter();

// The key attributes of a secondary index.
struct IndexKey {
  std::vector<TableKey::Part> partition;  // 1 to 4
  std::vector<TableKey::Part> sort;       // 0 to 4
};

struct Index {
  uint32_t key_space = 0;  // where its entries lie (item/index_entry.h)
  std::string name;
  bool global = false;
  IndexKey key;
  Projection projection;
  // False while it is being filled with the items that were there before it (item/backfill.cc).
  bool readable = true;

  // What follows from the above and the table's key.
  std::vector<TableKey::Part> table_key;  // the table's key attributes that are not in `key`
  // The names of the attributes in an entry, ascending; of use unless the projection is of all.
  std::vector<std::string> projected;

  std::shared_ptr<Meter> meter = NewMeter();  // shared by all versions, as in Table

  // As a table's, but for this index alone: an index may be dropped while its table lives.
  std::shared_ptr<const void> lease;

  bool projects_all() const { return projection.type == ProjectionType::kAll; }
};

// Immutable once in the catalogue: an update makes another.
struct Table {
  uint32_t key_space = 0;                     // where its items lie (item/keys.h)
  TableDescription description;               // without the members that are measured, and the ARN
  TableKey key;                               // the key schema again, with the attributes' types
  std::vector<Index> indexes;                 // one for each of the description's, in its order
  std::shared_ptr<Meter> meter = NewMeter();  // of its capacity; shared by all versions
  // The versions before this one that somebody may still be at work with.
  std::vector<std::weak_ptr<const Table>> former;
  // Shared by all versions of the table: who holds none of them can't touch its key space.
  std::shared_ptr<const void> lease;
  // Likewise shared: where changes go to, besides the indexes.
  std::shared_ptr<StreamSlot> stream = std::make_shared<StreamSlot>();
  std::shared_ptr<TimeToLiveSlot> time_to_live = std::make_shared<TimeToLiveSlot>();
  uint32_t ttl_key_space = 0;  // of the description's ttl_attribute, if there is one
  // What was counted last (item/table_size.h); likewise shared.
  std::shared_ptr<SharedSlot<const TableSize>> size =
      std::make_shared<SharedSlot<const TableSize>>();
};
using TablePointer = std::shared_ptr<const Table>;

// The table's lease, then those of its indexes.
std::vector<std::shared_ptr<const void>> LeasesOf(const Table& table);

// The catalogue's record of a table is itself an item (docs/item.md lists its attributes).
Item RecordOfTable(const Table& table);

// Corruption if `record` is not such an item.
StatusOr<Table> TableOfRecord(const ItemView& record);

// Takes `key` from the description's key schema and attribute definitions, which have been checked.
TableKey KeyOfDescription(const TableDescription& description);

// The index that `index`, one of the description's, describes, with its entries in `key_space`.
Index IndexOfDescription(const TableDescription& description, const IndexDescription& index,
                         uint32_t key_space);

// Null if there is none of that name.
const Index* FindIndex(const Table& table, std::string_view name);
const IndexDescription* FindIndex(const TableDescription& description, std::string_view name);
IndexDescription* FindIndex(TableDescription& description, std::string_view name);

}  // namespace varve::item
