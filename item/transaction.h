// Transaction: writes of several items that take effect together or not at all, if everything they
// ask for holds.
//
//   Transaction transaction;
//   TransactionPart& part = transaction.parts.emplace_back();
//   part.kind = TransactionPart::Kind::kUpdate;
//   part.table = table;
//   part.key = EngineKey(table->key_space, table->key, key);
//   part.item = key;
//   part.update = &update;
//   auto result = co_await CommitTransaction(transaction);   // a Store's
//   if (!result.ok()) ...                                    // TransactionCanceled, perhaps
//
// That is what TransactWriteItems and ExecuteTransaction come down to once their parameters are
// parsed. Store::CommitTransaction takes the locks of all items in one order, reads the items
// together, evaluates every part, and commits one batch. So transactions are serialisable with each
// other and with everything else: writes take the same locks, reads see one moment in the order of
// commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/change.h"
#include "item/errors.h"
#include "item/expression/expression.h"
#include "item/item_collections.h"
#include "item/table.h"
#include "item/value.h"

namespace varve::item {

inline constexpr size_t kTransactionItemsMax = 100;
inline constexpr size_t kTransactionBytesMax = size_t{4} << 20;

// What a transaction does to one item. Whatever it refers to must stay where it is.
struct TransactionPart {
  enum class Kind : uint8_t { kCheck, kPut, kUpdate, kDelete };
  // What must be true of the item apart from `condition`.
  enum class Presence : uint8_t { kAny, kPresent, kAbsent };

  Kind kind = Kind::kCheck;
  TablePointer table;
  std::string key;  // the engine's
  ItemView item;    // of kPut: the new item; of kUpdate: the key's attributes
  const expression::Update* update = nullptr;  // of kUpdate
  const expression::Condition* condition = nullptr;
  // kPresent fails as a condition does, kAbsent as DuplicateItem.
  Presence presence = Presence::kAny;
  bool return_old_on_condition_check_failure = false;
  // What was found to be wrong with this part alone: it becomes its cancellation reason.
  Status error;
};

// Makes a transaction that is sent again take effect once.
struct TransactionToken {
  // Tokens of different operations don't meet.
  enum class Operation : char {
    kTransactWriteItems = 'W',
    kExecuteTransaction = 'P',
    kWrite = 'S',  // of one item, or a batch
  };
  Operation operation = Operation::kTransactWriteItems;
  std::string token;        // ClientRequestToken
  std::string fingerprint;  // of all that the transaction says (FingerprintOf)
};

// Of bytes that say all that matters.
std::string FingerprintOf(std::string_view bytes);

struct Transaction {
  std::vector<TransactionPart> parts;  // 1 to kTransactionItemsMax, no two with one key
  std::optional<TransactionToken> token;
  bool metered = false;  // TransactionResult::costs is wanted
};

struct TransactionResult {
  // The token is that of a transaction of the last ten minutes: nothing was done.
  bool repeated = false;
  // Of each part, not doubled yet. Empty unless metered, or if repeated.
  std::vector<ChangeCost> costs;
};

// "Transaction request cannot include multiple operations on one item", if that is so. Parts with
// an error don't count.
Status CheckKeysDiffer(const std::vector<TransactionPart>& parts);

// The service looks at some things before it begins a transaction, such as whether key attributes
// are empty. Their errors are the request's own, not cancellation reasons.
bool IsErrorOfRequest(const Status& error);

// The items of a transaction are more than kTransactionBytesMax.
Status TransactionTooLarge();

// What one part does to the item that is there, or why it has no effect: the error that its
// operation alone answers. A check changes nothing. The item that an update makes is in *new_item.
StatusOr<Change> EvaluatePart(const TransactionPart& part, const std::optional<ItemView>& old_item,
                              Item* new_item);

// What the parts do to the items that are there, nullopt where none is.
class TransactionEvaluation {
 public:
  // All must outlive this.
  TransactionEvaluation(const Transaction& transaction,
                        const std::vector<std::optional<ItemView>>& old_items,
                        ItemCollections& collections);

  // OK, or why the transaction has no effect.
  const Status& status() const { return status_; }
  // If OK, one for each part that writes.
  // They must live until their commit is over.
  std::vector<Change>& changes() { return changes_; }
  // If OK, of each part.
  std::vector<ChangeCost> Costs() const;
  // If not, likewise: the larger of the item that is there and the one that was to be, of a part
  // that is right in itself; nothing of the indexes, which are not reached.
  std::vector<ChangeCost> CostsOfFailure() const;

 private:
  Status Evaluate(const TransactionPart& part, const std::optional<ItemView>& old_item);

  const Transaction& transaction_;
  const std::vector<std::optional<ItemView>>& old_items_;
  ItemCollections& collections_;
  Status status_;
  std::vector<Item> new_items_;  // those that updates made
  std::vector<Change> changes_;
  size_t bytes_ = 0;  // of all items written
};

}  // namespace varve::item
