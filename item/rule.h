// Rules that hold what belongs together together, each of which a test may take away to show that
// it would notice (docs/reliability.md). Never skipped but by tests.
#pragma once

#include <cstdint>

namespace varve::item {

enum class Rule : uint8_t {
  kNone,
  kIndexDelete,        // an item's former entry in an index goes in the item's commit
  kStreamRecord,       // a stream's record is written in the item's commit
  kExpiryEntry,        // so is the entry in the index by expiry
  kTransactionCommit,  // a transaction is one commit
  kTransactionToken,   // its token is in it
  kExpiryRecheck,      // an item that expires is read again under its lock
  kBackfillLock,       // so is one that gets its entry in a new index
};

}  // namespace varve::item
