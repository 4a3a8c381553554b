// Entries of secondary indexes: their keys in the engine, and what they hold.
//
// Every index owns a key space, as a table does (item/keys.h). The entry of an item lies at
//
//   0x10 | key space (4, big-endian) | hash (4, big-endian) | partition attributes |
//   sort attributes | the table's key attributes that are not in the index's key
//
// so that one index partition's entries lie together, ordered by the sort attributes from the left,
// and no two items share an entry. Each attribute delimits itself:
//
//   partition attributes   number: as encoded; string, binary: varint length, bytes
//   all others             number: as encoded; string, binary: bytes with 00 as 01 01 and 01 as
//                          01 02, then 00
//
// The hash is the upper half of the XXH3 of the partition attributes as encoded here. The second
// form is longer where there are zeros and ones, but orders as the values do, also before whatever
// follows. The value is the encoding of the item's attributes that the index projects.
//
// An item without one of the index's key attributes, or with one that can't be a key, has no entry:
// the index is sparse.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "item/table.h"
#include "item/value.h"

namespace varve::item {

// The index's key, referring to the names there.
expression::KeySchema SchemaOf(const IndexKey& key);

// Appends the key of `item`'s entry. False, and nothing of use appended, if it has none.
[[nodiscard]] bool AppendEntryKey(const Index& index, const ItemView& item, std::string& to);

// The attributes of `item` that the index has, as an item.
Item ProjectedItem(const Index& index, const ItemView& item);
// DynamoDB's size of that item.
size_t ProjectedSize(const Index& index, const ItemView& item);

// What happens to an item's entry when `after` takes the place of `before`, either of which may not
// be there. Nothing is built to find out.
struct EntryChange {
  bool before = false;  // whether there is an entry of the item before
  bool after = false;
  bool same_key = false;    // there are both, and they lie at one key
  bool same_value = false;  // likewise, and it stays as it is
};
EntryChange CompareEntries(const Index& index, const std::optional<ItemView>& before,
                           const std::optional<ItemView>& after);

// What a KeyConditionExpression selects of the index.
KeyBounds BoundsOf(const Index& index, const expression::KeyRange& range);

// The attributes of `item`, an entry's value, that say where a page ends: the keys of index and
// table.
Item CursorOf(const Index& index, const ItemView& item);

// In the service's words, what keeps an item from being written because of an index's key: an
// attribute of the wrong type, empty or too long. That one is missing is no mistake.
Status CheckIndexKeys(const Table& table, const ItemView& item);

// The same of an update, which may leave alone what an index can't take: before the item is looked
// at, the update's own values; with the item it makes, the attributes that it changed.
Status CheckIndexKeys(const Table& table, const expression::Update& update);
Status CheckUpdatedIndexKeys(const Table& table, const expression::Update& update,
                             const ItemView& new_item);

}  // namespace varve::item
