#include "item/transaction.h"

#include <absl/container/flat_hash_set.h>

#include "base/checksum.h"
#include "base/coding.h"
#include "item/capacity.h"
#include "item/index_entry.h"

namespace varve::item {
namespace {

// A second hash of the same bytes, seeded with this, makes a fingerprint of 128 bits.
constexpr uint64_t kFingerprintSeed = 0x7472616e73616374;

// How the empty values of keys are refused.
constexpr std::string_view kEmptyKeyValue = "One or more parameter values are not valid.";

}  // namespace

std::string FingerprintOf(std::string_view bytes) {
  std::string fingerprint;
  AppendFixed(fingerprint, Hash(bytes));
  AppendFixed(fingerprint, Hash(bytes, kFingerprintSeed));
  return fingerprint;
}

Status CheckKeysDiffer(const std::vector<TransactionPart>& parts) {
  absl::flat_hash_set<std::string> seen;
  for (const TransactionPart& part : parts) {
    if (part.error.ok() && !seen.insert(part.key).second) {
      return ValidationError("Transaction request cannot include multiple operations on one item");
    }
  }
  return absl::OkStatus();
}

bool IsErrorOfRequest(const Status& error) {
  return TypeOfError(error) == ErrorType::kValidationException &&
         Message(error).starts_with(kEmptyKeyValue);
}

Status TransactionTooLarge() {
  return ValidationError("The aggregate size of the items in the transaction cannot exceed {} MB",
                         kTransactionBytesMax >> 20);
}

TransactionEvaluation::TransactionEvaluation(const Transaction& transaction,
                                             const std::vector<std::optional<ItemView>>& old_items,
                                             ItemCollections& collections)
    : transaction_(transaction), old_items_(old_items), collections_(collections) {
  const size_t count = transaction.parts.size();
  new_items_.reserve(count);  // changes_ has views of them
  std::vector<CancellationReason> reasons(count);
  bool cancelled = false;
  for (size_t i = 0; i < count; ++i) {
    const TransactionPart& part = transaction.parts[i];
    const Status evaluated = Evaluate(part, old_items[i]);
    if (evaluated.ok()) continue;
    if (IsErrorOfRequest(evaluated) || TypeOfError(evaluated) == ErrorType::kInternalServerError) {
      status_ = evaluated;
      return;
    }
    cancelled = true;
    reasons[i] = ReasonOf(evaluated);
  }
  if (cancelled) {
    status_ = TransactionCanceled(reasons);
  } else if (bytes_ > kTransactionBytesMax) {
    status_ = TransactionTooLarge();
  }
}

StatusOr<Change> EvaluatePart(const TransactionPart& part, const std::optional<ItemView>& old_item,
                              Item* new_item) {
  VARVE_RETURN_IF_ERROR(part.error);
  if (part.presence == TransactionPart::Presence::kAbsent && old_item) {
    return MakeError(ErrorType::kDuplicateItemException, "Duplicate primary key exists in table");
  }
  // To a condition, an item that is not there is an empty one.
  if ((part.presence == TransactionPart::Presence::kPresent && !old_item) ||
      (part.condition != nullptr && !part.condition->Matches(old_item.value_or(ItemView())))) {
    return ConditionalCheckFailed(part.return_old_on_condition_check_failure ? old_item
                                                                             : std::nullopt);
  }
  Change change;
  change.table = part.table.get();
  change.key = part.key;
  change.old_item = old_item;
  change.old_is_known = true;
  switch (part.kind) {
    case TransactionPart::Kind::kCheck:
      change.new_item = old_item;
      break;
    case TransactionPart::Kind::kPut:
      change.new_item = part.item;
      break;
    case TransactionPart::Kind::kUpdate: {
      VARVE_ASSIGN_OR_RETURN(*new_item, part.update->Apply(old_item.value_or(part.item)));
      if (new_item->view().size_bytes() > kItemSizeBytesMax) {
        return ValidationError("Item size to update has exceeded the maximum allowed size");
      }
      VARVE_RETURN_IF_ERROR(CheckUpdatedIndexKeys(*part.table, *part.update, *new_item));
      // What only takes away from an item that is not there does not make one.
      if (old_item || !(new_item->view() == part.item)) change.new_item = new_item->view();
      break;
    }
    case TransactionPart::Kind::kDelete:
      break;
  }
  return change;
}

Status TransactionEvaluation::Evaluate(const TransactionPart& part,
                                       const std::optional<ItemView>& old_item) {
  Item& new_item = new_items_.emplace_back();
  VARVE_ASSIGN_OR_RETURN(Change change, EvaluatePart(part, old_item, &new_item));
  if (part.kind == TransactionPart::Kind::kCheck) return absl::OkStatus();
  VARVE_RETURN_IF_ERROR(collections_.CheckGrowth(change));
  if (change.new_item) bytes_ += change.new_item->size_bytes();
  changes_.push_back(std::move(change));
  return absl::OkStatus();
}

std::vector<ChangeCost> TransactionEvaluation::Costs() const {
  std::vector<ChangeCost> costs;
  size_t change = 0;
  for (size_t i = 0; i < transaction_.parts.size(); ++i) {
    const TransactionPart& part = transaction_.parts[i];
    if (part.kind != TransactionPart::Kind::kCheck) {
      costs.push_back(CostOfChange(changes_[change++]));
      continue;
    }
    // A check costs what a write that changes nothing does.
    Change nothing;
    nothing.table = part.table.get();
    nothing.old_item = nothing.new_item = old_items_[i];
    nothing.old_is_known = true;
    costs.push_back(CostOfChange(nothing));
  }
  return costs;
}

std::vector<ChangeCost> TransactionEvaluation::CostsOfFailure() const {
  std::vector<ChangeCost> costs(transaction_.parts.size());
  for (size_t i = 0; i < costs.size(); ++i) {
    const TransactionPart& part = transaction_.parts[i];
    if (!part.error.ok()) continue;
    size_t bytes = old_items_[i] ? old_items_[i]->size_bytes() : 0;
    if (part.kind == TransactionPart::Kind::kPut) bytes = std::max(bytes, part.item.size_bytes());
    costs[i].table_units = WriteUnits(bytes);
  }
  return costs;
}

}  // namespace varve::item
