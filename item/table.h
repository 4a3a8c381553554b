// Table: what the catalogue knows of a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "item/keys.h"
#include "item/requests.h"

namespace varve::item {

// Immutable once in the catalogue: an update makes another.
struct Table {
  uint32_t key_space = 0;        // where its items lie (item/keys.h)
  TableDescription description;  // without the members that are measured, and the ARN
  TableKey key;                  // the key schema again, with the attributes' types
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

}  // namespace varve::item
