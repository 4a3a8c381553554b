#include "item/rule.h"

#include <absl/container/flat_hash_set.h>

#include "base/coding.h"
#include "item/store.h"
#include "item/stream_record.h"

namespace varve::item {

engine::WriteBatch Store::WithoutRule(const engine::WriteBatch& batch) const {
  absl::flat_hash_set<uint32_t> index_spaces, expiry_spaces;
  for (const TablePointer& table : catalogue_->Tables()) {
    for (const Index& index : table->indexes) index_spaces.insert(index.key_space);
    if (!table->description.ttl_attribute.empty()) expiry_spaces.insert(table->ttl_key_space);
  }
  const auto is_left_out = [&](const Entry& entry) {
    const bool is_delete = entry.kind == EntryKind::kDelete;
    uint32_t key_space = 0;
    if (entry.key[0] == kItemKeySpace) key_space = __builtin_bswap32(LoadU32(entry.key.data() + 1));
    switch (options_.skipped_rule) {
      case Rule::kIndexDelete:
        return is_delete && index_spaces.contains(key_space);
      case Rule::kStreamRecord:
        return entry.key[0] == kStreamKeySpace;
      case Rule::kExpiryEntry:
        return !is_delete && expiry_spaces.contains(key_space);
      case Rule::kTransactionToken:
        return entry.key[0] == kTransactionTokenKeySpace;
      default:
        return false;
    }
  };
  engine::WriteBatch rest;
  engine::BatchReader reader(batch.payload());
  Entry entry;
  while (reader.Next(&entry)) {
    if (is_left_out(entry)) continue;
    if (entry.kind == EntryKind::kDelete) {
      rest.Delete(entry.key);
    } else {
      rest.Put(entry.key, entry.value);
    }
  }
  return rest;
}

}  // namespace varve::item
