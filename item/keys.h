// Where an item lies in the engine's ordered key space, and what a key must be like.
//
// Every table and every index owns the keys that begin with its key space's four bytes of number,
// behind the byte 0x10. Within a table's (of an index see item/index_entry.h), an item's key is
//
//   0x10 | key space (4, big-endian) | hash of the partition key (4, big-endian) | partition key |
//   sort key
//
// so that partitions of the engine divide a table by hash, and one partition key's items lie
// together, ordered by their sort keys. The hash is the upper half of the XXH3 of the partition
// key's bytes. The partition key is a varint length and the bytes of a string or binary, or an
// encoded number, which delimits itself. The sort key comes last and is the bytes as they are, or
// an encoded number: both order as DynamoDB orders sort keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "item/expression/expression.h"
#include "item/value.h"

namespace varve::item {

inline constexpr char kCatalogueKeySpace = 0x01;
inline constexpr char kItemKeySpace = 0x10;

inline constexpr size_t kPartitionKeyBytesMax = 2048;
inline constexpr size_t kSortKeyBytesMax = 1024;

// The attributes of a table's primary key.
struct TableKey {
  struct Part {
    std::string name;
    ValueType type = ValueType::kString;  // string, number or binary
  };
  Part partition;
  std::optional<Part> sort;

  // Refers to the names here.
  expression::KeySchema schema() const;
};

// Whether the attributes of a partition key, or of a sort key, take too many bytes together.
Status CheckKeyBytes(size_t bytes, bool is_partition);

// Whether `key` has exactly the key's attributes, of their types, neither empty nor too long.
Status CheckKey(const TableKey& table_key, const ItemView& key);

// The same of one attribute of `key`, as the sort or a partition attribute of a table or index.
Status CheckKeyPart(const TableKey::Part& part, bool is_partition, const ItemView& key);

// Whether `item`'s key attributes are there and right, in the words of PutItem.
Status CheckItemKey(const TableKey& table_key, const ItemView& item);

// The key attributes of `item` alone.
Item KeyOfItem(const TableKey& table_key, const ItemView& item);

// Bounds of engine keys: begin <= key < end.
struct KeyBounds {
  std::string begin;
  std::string end;
};

// The smallest key above every key that begins with `prefix`, which is not all 0xff.
std::string PrefixEnd(std::string_view prefix);

// Everything in a key space.
KeyBounds KeySpaceBounds(uint32_t key_space);
// The part of it that segment `segment` of `segments` scans: each gets a like share of the hashes.
KeyBounds SegmentBounds(uint32_t key_space, uint64_t segment, uint64_t segments);

// The engine's key of an item with these (checked) key attributes, among others perhaps.
std::string EngineKey(uint32_t key_space, const TableKey& table_key, const ItemView& item);

// The hash in such a key.
uint32_t HashOfEngineKey(std::string_view key);

// What a KeyConditionExpression selects of a table.
KeyBounds BoundsOf(uint32_t key_space, const expression::KeyRange& range);

}  // namespace varve::item
