#include "item/expression/legacy.h"

#include <algorithm>

#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"

namespace varve::item::expression {
namespace {

using Sort = KeyRange::Sort;

constexpr size_t kUnbounded = SIZE_MAX;

// Sets of types, as bits.
constexpr uint32_t Bit(ValueType type) { return 1u << static_cast<int>(type); }
constexpr uint32_t kAnyType = ~0u;
constexpr uint32_t kTexts = Bit(ValueType::kString) | Bit(ValueType::kBinary);
constexpr uint32_t kOrdered = kTexts | Bit(ValueType::kNumber);
constexpr uint32_t kScalars = kOrdered | Bit(ValueType::kBool) | Bit(ValueType::kNull);

// What each operator takes, and what it is called in expressions.
struct Operator {
  std::string_view name;
  size_t values_min;
  size_t values_max;
  uint32_t types;
  NodeKind kind;
  Function function = Function::kUnknown;
  std::optional<Sort> sort;  // none: no key condition
};
constexpr Operator kOperators[] = {
    {"EQ", 1, 1, kAnyType, NodeKind::kEqual, Function::kUnknown, Sort::kEqual},
    {"NE", 1, 1, kAnyType, NodeKind::kNotEqual},
    {"LT", 1, 1, kOrdered, NodeKind::kLess, Function::kUnknown, Sort::kLess},
    {"LE", 1, 1, kOrdered, NodeKind::kLessOrEqual, Function::kUnknown, Sort::kLessOrEqual},
    {"GT", 1, 1, kOrdered, NodeKind::kGreater, Function::kUnknown, Sort::kGreater},
    {"GE", 1, 1, kOrdered, NodeKind::kGreaterOrEqual, Function::kUnknown, Sort::kGreaterOrEqual},
    {"CONTAINS", 1, 1, kScalars, NodeKind::kFunction, Function::kContains},
    {"NOT_CONTAINS", 1, 1, kScalars, NodeKind::kNot, Function::kContains},
    {"BEGINS_WITH", 1, 1, kTexts, NodeKind::kFunction, Function::kBeginsWith, Sort::kBeginsWith},
    {"BETWEEN", 2, 2, kOrdered, NodeKind::kBetween, Function::kUnknown, Sort::kBetween},
    {"IN", 1, kUnbounded, kOrdered, NodeKind::kIn},
    {"NULL", 0, 0, kAnyType, NodeKind::kFunction, Function::kAttributeNotExists},
    {"NOT_NULL", 0, 0, kAnyType, NodeKind::kFunction, Function::kAttributeExists},
};

const Operator& OperatorOf(ComparisonOperator comparison_operator) {
  return kOperators[static_cast<size_t>(comparison_operator)];
}

// The operator that a condition names, or means by naming none.
const Operator& OperatorOf(const LegacyCondition& condition) {
  if (condition.comparison_operator) return OperatorOf(*condition.comparison_operator);
  return OperatorOf(condition.exists.value_or(true) ? ComparisonOperator::kEqual
                                                    : ComparisonOperator::kNull);
}

template <typename... Args>
Status Invalid(fmt::format_string<Args...> format, Args&&... args) {
  return ValidationError("One or more parameter values were invalid: {}",
                         fmt::format(format, std::forward<Args>(args)...));
}

// The values of a condition, in whichever of the two parameters they came.
std::vector<ValueView> ValuesOf(const LegacyCondition& condition) {
  std::vector<ValueView> values;
  if (condition.attribute_value_list) {
    for (const Value& value : *condition.attribute_value_list) values.push_back(value.view());
  } else if (condition.value) {
    values.push_back(condition.value->view());
  }
  return values;
}

// Number, types and order of the values that an operator gets.
Status CheckOperands(const Operator& wanted, const std::vector<ValueView>& values) {
  if (values.size() < wanted.values_min || values.size() > wanted.values_max) {
    return Invalid("Invalid number of argument(s) for the {} ComparisonOperator", wanted.name);
  }
  for (const ValueView value : values) {
    if (value.type() != values[0].type()) {
      return Invalid("AttributeValues inside AttributeValueList must be of same type");
    }
  }
  if (!values.empty() && (wanted.types & Bit(values[0].type())) == 0) {
    return Invalid("ComparisonOperator {} is not valid for {} AttributeValue type", wanted.name,
                   TypeName(values[0].type()));
  }
  if (wanted.kind == NodeKind::kBetween && CompareScalars(values[0], values[1]) > 0) {
    return ValidationError(
        "The BETWEEN condition was provided a range where the lower bound is greater than the "
        "upper bound");
  }
  return absl::OkStatus();
}

Status CheckExpectation(std::string_view attribute, const LegacyCondition& condition) {
  VARVE_RETURN_IF_ERROR(condition.invalid_value);
  const bool has_list = condition.attribute_value_list.has_value();
  if (has_list && condition.value) {
    return Invalid("Value and AttributeValueList cannot be used together for Attribute: {}",
                   attribute);
  }
  if (condition.comparison_operator) {
    const Operator& wanted = OperatorOf(*condition.comparison_operator);
    if (condition.exists) {
      return Invalid("Exists and ComparisonOperator cannot be used together for Attribute: {}",
                     attribute);
    }
    if (wanted.values_min > 0 && !has_list && !condition.value) {
      return Invalid(
          "Value or AttributeValueList must be used with ComparisonOperator: {} for Attribute: {}",
          wanted.name, attribute);
    }
    return CheckOperands(wanted, ValuesOf(condition));
  }
  if (has_list) {
    return Invalid(
        "AttributeValueList can only be used with a ComparisonOperator for Attribute: {}",
        attribute);
  }
  if (condition.exists.value_or(true) && !condition.value) {
    return Invalid("Value must be provided when Exists is {} for Attribute: {}",
                   condition.exists ? "true" : "null", attribute);
  }
  if (!condition.exists.value_or(true) && condition.value) {
    return Invalid("Value cannot be used when Exists is false for Attribute: {}", attribute);
  }
  return absl::OkStatus();
}

std::unique_ptr<Node> PathNode(const std::string& attribute) {
  auto node = std::make_unique<Node>(NodeKind::kPath);
  node->path.emplace_back().name = attribute;
  return node;
}

std::unique_ptr<Node> ValueNode(ValueView value) {
  auto node = std::make_unique<Node>(NodeKind::kValue);
  node->value = value;
  return node;
}

std::unique_ptr<Node> NodeOf(const std::string& attribute, const LegacyCondition& condition) {
  const Operator& wanted = OperatorOf(condition);
  const bool negated = wanted.kind == NodeKind::kNot;
  auto node = std::make_unique<Node>(negated ? NodeKind::kFunction : wanted.kind);
  node->function = wanted.function;
  node->operands.push_back(PathNode(attribute));
  for (const ValueView value : ValuesOf(condition)) node->operands.push_back(ValueNode(value));
  if (!negated) return node;
  auto negation = std::make_unique<Node>(NodeKind::kNot);
  negation->operands.push_back(std::move(node));
  return negation;
}

}  // namespace

std::optional<ComparisonOperator> ComparisonOperatorNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(kOperators); ++i) {
    if (kOperators[i].name == name) return static_cast<ComparisonOperator>(i);
  }
  return std::nullopt;
}

std::string_view ToString(ComparisonOperator comparison_operator) {
  return OperatorOf(comparison_operator).name;
}

Status CheckExpected(const LegacyConditions& expected) {
  for (const auto& [attribute, condition] : expected) {
    VARVE_RETURN_IF_ERROR(CheckExpectation(attribute, condition));
  }
  return absl::OkStatus();
}

Status CheckConditions(const LegacyConditions& conditions) {
  for (const auto& [attribute, condition] : conditions) {
    VARVE_RETURN_IF_ERROR(condition.invalid_value);
    VARVE_RETURN_IF_ERROR(CheckOperands(OperatorOf(condition), ValuesOf(condition)));
  }
  return absl::OkStatus();
}

Status CheckAttributeUpdates(const AttributeUpdates& updates) {
  using Action = AttributeUpdate::Action;
  for (const auto& [attribute, update] : updates) {
    VARVE_RETURN_IF_ERROR(update.invalid_value);
    if (!update.value) {
      if (update.action == Action::kDelete) continue;
      return Invalid("Only DELETE action is allowed when no attribute value is specified");
    }
    const ValueType type = update.value->view().type();
    if (update.action == Action::kDelete && !IsSet(type)) {
      return Invalid("DELETE action with value is not supported for the type {}", TypeName(type));
    }
    if (update.action == Action::kAdd && !IsSet(type) && type != ValueType::kNumber &&
        type != ValueType::kList) {
      return Invalid("ADD action is not supported for the type {}", TypeName(type));
    }
  }
  return absl::OkStatus();
}

Status CheckAttributesToGet(const std::vector<std::string>& names) {
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return absl::OkStatus();
  // The first that came before.
  for (auto name = names.begin();; ++name) {
    if (std::find(names.begin(), name, *name) == name) continue;
    return Invalid("Duplicate value in attribute name: {}", *name);
  }
}

std::unique_ptr<Node> ConditionOf(const LegacyConditions& conditions, ConditionalOperator connect) {
  if (conditions.size() == 1) return NodeOf(conditions[0].first, conditions[0].second);
  auto node =
      std::make_unique<Node>(connect == ConditionalOperator::kAnd ? NodeKind::kAnd : NodeKind::kOr);
  for (const auto& [attribute, condition] : conditions) {
    node->operands.push_back(NodeOf(attribute, condition));
  }
  return node;
}

StatusOr<KeyCondition> KeyConditionOf(const LegacyConditions& key_conditions) {
  if (key_conditions.empty() || key_conditions.size() > 2) {
    return ValidationError("Conditions can be of length 1 or 2 only");
  }
  std::vector<KeyCondition::Clause> clauses;
  for (const auto& [attribute, condition] : key_conditions) {
    const Operator& wanted = OperatorOf(condition);
    const std::vector<ValueView> values = ValuesOf(condition);
    KeyCondition::Clause& clause = clauses.emplace_back();
    clause.attribute = attribute;
    clause.indexable = wanted.sort.has_value();
    if (!clause.indexable) continue;
    clause.operation = *wanted.sort;
    clause.low = values[0];
    if (values.size() > 1) clause.high = values[1];
  }
  return KeyCondition(std::move(clauses));
}

Update UpdateOf(const AttributeUpdates& updates) {
  using Kind = Update::Action::Kind;
  std::vector<Update::Action> actions;
  for (const auto& [attribute, update] : updates) {
    Update::Action& action = actions.emplace_back();
    action.path.emplace_back().name = attribute;
    switch (update.action) {
      case AttributeUpdate::Action::kPut:
        action.kind = Kind::kSet;
        break;
      case AttributeUpdate::Action::kAdd:
        action.kind = Kind::kAdd;
        break;
      case AttributeUpdate::Action::kDelete:
        action.kind = update.value ? Kind::kDelete : Kind::kRemove;
        break;
    }
    if (update.value) action.value = ValueNode(update.value->view());
  }
  return Update(std::move(actions), Update::Dialect::kAttributeUpdates);
}

Projection ProjectionOf(const std::vector<std::string>& names) {
  std::vector<Path> paths;
  for (const std::string& name : names) paths.emplace_back().emplace_back().name = name;
  return Projection(std::move(paths));
}

}  // namespace varve::item::expression
