// Change: the write of one item, as everything it changes in the engine.
//
//   const KeyLocks::Guard lock = co_await locks.Lock(KeyLocks::HashOf(change.key));
//   if (NeedsOldItem(*change.table) || ...) change.old_item = what is read under the lock
//   VARVE_CO_RETURN_IF_ERROR(CheckIndexKeys(*change.table, *change.new_item));
//   AppendChange(change, batch);
//   ... commit the batch; until that is over, the change must live
//
// Every write of an item, whatever asked for it, goes through AppendChange, so that item, index
// entries, stream record and the entry for its expiry are written in one commit. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/write_batch.h"
#include "item/table.h"
#include "item/value.h"

namespace varve::item {

struct Change {
  const Table* table = nullptr;
  std::string key;  // the engine's (EngineKey)
  // What is there before: nothing if no item is, or if it was not looked at.
  std::optional<ItemView> old_item;
  // Whether old_item was looked at, under the lock of the item's key.
  bool old_is_known = false;
  std::optional<ItemView> new_item;  // nothing: the item is deleted
  bool by_time_to_live = false;      // and not by a client

  // Of the change's stream record, if it writes one: AppendChange fills it, and nobody reads the
  // stream beyond it before the change is gone.
  StreamTicket stream_ticket;
  // Likewise of its entry in the index by expiry.
  ExpiryNote expiry_note;
};

// Whether AppendChange can't do without the old item, whatever the request asks for.
bool NeedsOldItem(const Table& table);

// Whether the change leaves everything as it is: nothing is written then.
bool ChangesNothing(const Change& change);

// In write units (item/capacity.h).
struct ChangeCost {
  double table_units = 0;
  std::vector<double> index_units;  // as Table::indexes; empty if there are none

  double total() const;
  ChangeCost& operator+=(const ChangeCost& other);
};

// Appends what `change` writes, once. The old item must be known if the table needs it; a cost is
// right only if it is. Call it with the keys of all changes of the batch locked, right before the
// commit.
void AppendChange(Change& change, engine::WriteBatch& batch);
ChangeCost CostOfChange(const Change& change);

}  // namespace varve::item
