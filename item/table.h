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

namespace varve::item {

// The attributes of an index's key. A local index and most global ones have one of each; a global
// one may have up to four of each.
struct IndexKey {
  std::vector<TableKey::Part> partition;
  std::vector<TableKey::Part> sort;
};

// What operations on items need to know of an index.
struct Index {
  uint32_t key_space = 0;  // where its entries lie
  std::string name;
  bool global = false;
  IndexKey key;
  Projection projection;
  // Whether every item has its entries: not while a new index is being filled. Writes maintain it
  // from the beginning.
  bool readable = true;
  // As a table's, but for this index alone.
  std::shared_ptr<const void> lease;
};

// Immutable once in the catalogue: an update makes another.
struct Table {
  uint32_t key_space = 0;        // where its items lie (item/keys.h)
  TableDescription description;  // without the members that are measured, and the ARN
  TableKey key;                  // the key schema again, with the attributes' types
  std::vector<Index> indexes;    // those of the description, in its order
  // Shared by all versions of the table: who holds none of them can't touch its key space.
  std::shared_ptr<const void> lease;
};
using TablePointer = std::shared_ptr<const Table>;

// The catalogue's record of a table is itself an item (docs/item.md lists its attributes).
Item RecordOfTable(const Table& table);

// Corruption if `record` is not such an item.
StatusOr<Table> TableOfRecord(const ItemView& record);

// Takes `key` from the description's key schema and attribute definitions, which have been checked.
TableKey KeyOfDescription(const TableDescription& description);

// The same of one of its indexes.
IndexKey KeyOfIndex(const TableDescription& description, const IndexDescription& index);

}  // namespace varve::item
