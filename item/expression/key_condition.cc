#include "item/expression/key_condition.h"

#include <algorithm>

#include "item/errors.h"

namespace varve::item::expression {
namespace {

using Sort = KeyRange::Sort;

// The operator's kind of range, as seen from the attribute on the left; nothing if it has none.
std::optional<Sort> SortOf(const Node& node) {
  switch (node.kind) {
    case NodeKind::kEqual:
      return Sort::kEqual;
    case NodeKind::kLess:
      return Sort::kLess;
    case NodeKind::kLessOrEqual:
      return Sort::kLessOrEqual;
    case NodeKind::kGreater:
      return Sort::kGreater;
    case NodeKind::kGreaterOrEqual:
      return Sort::kGreaterOrEqual;
    case NodeKind::kBetween:
      return Sort::kBetween;
    case NodeKind::kFunction:
      if (node.function == Function::kBeginsWith) return Sort::kBeginsWith;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// The same comparison with its sides exchanged.
Sort Mirrored(Sort sort) {
  switch (sort) {
    case Sort::kLess:
      return Sort::kGreater;
    case Sort::kLessOrEqual:
      return Sort::kGreaterOrEqual;
    case Sort::kGreater:
      return Sort::kLess;
    case Sort::kGreaterOrEqual:
      return Sort::kLessOrEqual;
    default:
      return sort;
  }
}

StatusOr<KeyCondition::Clause> MakeClause(const Node& node, const ValueView* values) {
  if (node.kind == NodeKind::kFunction && node.function == Function::kSize) {
    return ValidationError("KeyConditionExpressions cannot contain nested operations");
  }
  const std::optional<Sort> sort = SortOf(node);
  if (!sort) {
    return ValidationError("Invalid operator used in KeyConditionExpression: {}",
                           OperatorName(node));
  }
  const auto& operands = node.operands;
  const bool value_first = operands[0]->kind != NodeKind::kPath;
  if (value_first && (sort == Sort::kBetween || sort == Sort::kBeginsWith)) {
    return ValidationError(
        "Invalid condition in KeyConditionExpression: {} operator must have the key attribute as "
        "its first operand",
        OperatorName(node));
  }
  const Node* attribute = nullptr;
  for (const auto& operand : operands) {
    if (operand->kind == NodeKind::kFunction) {
      return ValidationError("KeyConditionExpressions cannot contain nested operations");
    }
    if (operand->kind != NodeKind::kPath) continue;
    if (attribute != nullptr) {
      return ValidationError(
          "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
          "condition");
    }
    if (operand->path.size() > 1) {
      return ValidationError("KeyConditionExpressions cannot have conditions on nested attributes");
    }
    attribute = operand.get();
  }
  if (attribute == nullptr) {
    return ValidationError(
        "Invalid condition in KeyConditionExpression: No key attribute specified");
  }
  KeyCondition::Clause clause;
  clause.attribute = attribute->path.front().name;
  clause.operation = value_first ? Mirrored(*sort) : *sort;
  clause.low = ValueOf(*operands[value_first ? 0 : 1], values);
  if (sort == Sort::kBetween) clause.high = ValueOf(*operands[2], values);
  return clause;
}

Status AddClauses(const Node& node, const ValueView* values,
                  std::vector<KeyCondition::Clause>& clauses) {
  if (node.kind == NodeKind::kAnd) {
    for (const auto& operand : node.operands) {
      VARVE_RETURN_IF_ERROR(AddClauses(*operand, values, clauses));
    }
    return absl::OkStatus();
  }
  VARVE_ASSIGN_OR_RETURN(KeyCondition::Clause clause, MakeClause(node, values));
  for (const KeyCondition::Clause& other : clauses) {
    if (other.attribute != clause.attribute) continue;
    return ValidationError(
        "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition "
        "per key");
  }
  clauses.push_back(std::move(clause));
  return absl::OkStatus();
}

Status CheckOperand(const KeyAttribute& attribute, ValueView value) {
  if (!value.Is(attribute.type)) {
    return ValidationError(
        "One or more parameter values were invalid: Condition parameter type does not match schema "
        "type");
  }
  if (!value.Is(ValueType::kNumber) && value.text().empty()) {
    return ValidationError(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty {} value. Key: {}",
        value.Is(ValueType::kString) ? "string" : "binary", attribute.name);
  }
  return absl::OkStatus();
}

Status CheckOperands(const KeyAttribute& attribute, const KeyCondition::Clause& clause) {
  if (!clause.indexable) {
    return ValidationError("Attempted conditional constraint is not an indexable operation");
  }
  VARVE_RETURN_IF_ERROR(CheckOperand(attribute, clause.low));
  if (clause.operation == Sort::kBetween) return CheckOperand(attribute, clause.high);
  if (clause.operation == Sort::kBeginsWith && attribute.type == ValueType::kNumber) {
    return CheckOperand(attribute, ValueView());  // numbers don't begin with anything
  }
  return absl::OkStatus();
}

Status Missed(std::string_view attribute) {
  return ValidationError("Query condition missed key schema element: {}", attribute);
}

}  // namespace

StatusOr<KeyCondition> MakeKeyCondition(const Node& root, const ValueView* values) {
  std::vector<KeyCondition::Clause> clauses;
  VARVE_RETURN_IF_ERROR(AddClauses(root, values, clauses));
  return KeyCondition(std::move(clauses));
}

StatusOr<KeyRange> KeyCondition::Resolve(const KeySchema& key) const {
  return Resolve(key, [](const KeyAttribute&, bool) { return absl::OkStatus(); });
}

StatusOr<KeyRange> KeyCondition::Resolve(const KeySchema& key, Before before) const {
  const size_t key_attributes = key.partition.size() + key.sort.size();
  if (clauses_.size() > key_attributes) {
    return ValidationError(
        "The number of query conditions ({}) exceeds the number of key attributes defined in the "
        "schema ({})",
        clauses_.size(), key_attributes);
  }
  const auto clause_of = [this](std::string_view attribute) -> const Clause* {
    for (const Clause& clause : clauses_) {
      if (clause.attribute == attribute) return &clause;
    }
    return nullptr;
  };

  KeyRange range;
  for (const KeyAttribute& attribute : key.partition) {
    VARVE_RETURN_IF_ERROR(before(attribute, true));
    const Clause* const clause = clause_of(attribute.name);
    if (clause == nullptr) return Missed(attribute.name);
    VARVE_RETURN_IF_ERROR(CheckOperands(attribute, *clause));
    if (clause->operation != Sort::kEqual) {
      return ValidationError("Query key condition not supported");
    }
    range.partition.push_back(clause->low);
  }
  size_t left = clauses_.size() - key.partition.size();
  const Clause* last = nullptr;
  for (const KeyAttribute& attribute : key.sort) {
    VARVE_RETURN_IF_ERROR(before(attribute, false));
    if (left == 0) continue;
    const Clause* const clause = clause_of(attribute.name);
    if (clause == nullptr) return Missed(attribute.name);
    VARVE_RETURN_IF_ERROR(CheckOperands(attribute, *clause));
    if (last != nullptr) {
      if (last->operation != Sort::kEqual) {
        return ValidationError("Query key condition not supported");
      }
      range.sort_equal.push_back(last->low);
    }
    last = clause;
    --left;
  }
  if (last == nullptr) return range;
  range.sort = last->operation;
  range.low = last->low;
  range.high = last->high;
  return range;
}

bool KeyRange::Contains(ValueView sort_key) const {
  if (sort == Sort::kAny) return true;
  if (sort_key.type() != low.type()) return false;
  if (sort == Sort::kBeginsWith) {
    return sort_key.text().substr(0, low.text().size()) == low.text();
  }
  const int order = *CompareScalars(sort_key, low);
  switch (sort) {
    case Sort::kEqual:
      return order == 0;
    case Sort::kLess:
      return order < 0;
    case Sort::kLessOrEqual:
      return order <= 0;
    case Sort::kGreater:
      return order > 0;
    case Sort::kGreaterOrEqual:
      return order >= 0;
    default:
      return order >= 0 && *CompareScalars(sort_key, high) <= 0;
  }
}

}  // namespace varve::item::expression
