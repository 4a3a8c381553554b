// Evaluation of conditions, on encoded items in place.
#include <string.h>

#include <algorithm>
#include <utility>

#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"

namespace varve::item::expression {
namespace {

bool Holds(const Node& node, const ItemView& item, const ValueView* values);

constexpr std::string_view kEncodedFalse("\x01", 1);
constexpr std::string_view kEncodedTrue("\x11", 1);

// An operand's value. size() makes a number of its own, so it is kept as one.
class Operand {
 public:
  Operand(const Node& node, const ItemView& item, const ValueView* values) {
    switch (node.kind) {
      case NodeKind::kValue:
        value_ = ValueOf(node, values);
        break;
      case NodeKind::kPath:
        value_ = Find(item, node.path);
        break;
      case NodeKind::kFunction:
        if (node.function == Function::kSize) {
          Size(Operand(*node.operands[0], item, values));
          break;
        }
        [[fallthrough]];
      default:  // a condition as an operand, as PartiQL has it: whether it holds
        value_ = ValueView(Holds(node, item, values) ? kEncodedTrue : kEncodedFalse);
    }
  }
  Operand(const Operand&) = delete;  // value_ may refer to number_

  const std::optional<ValueView>& value() const { return value_; }

 private:
  // A value of another type has no size.
  void Size(const Operand& of) {
    if (!of.value_) return;
    size_t size = 0;
    switch (of.value_->type()) {
      case ValueType::kString:
        size = static_cast<size_t>(std::count_if(of.value_->text().begin(), of.value_->text().end(),
                                                 [](char c) { return (c & 0xc0) != 0x80; }));
        break;
      case ValueType::kBinary:
        size = of.value_->text().size();
        break;
      case ValueType::kStringSet:
      case ValueType::kNumberSet:
      case ValueType::kBinarySet:
        size = of.value_->set().count();
        break;
      case ValueType::kList:
        size = of.value_->list().count();
        break;
      case ValueType::kMap:
        size = of.value_->map().count();
        break;
      default:
        return;
    }
    number_ = Value::OfNumber(Number::FromInt(static_cast<int64_t>(size)));
    value_ = number_.view();
  }

  Value number_;  // short enough not to be allocated
  std::optional<ValueView> value_;
};

bool BeginsWith(ValueView value, ValueView prefix) {
  if (value.type() != prefix.type()) return false;
  if (!value.Is(ValueType::kString) && !value.Is(ValueType::kBinary)) return false;
  return value.text().substr(0, prefix.text().size()) == prefix.text();
}

bool Contains(ValueView value, ValueView operand) {
  switch (value.type()) {
    case ValueType::kString:
    case ValueType::kBinary:
      // memmem takes linear time, whatever the texts; string_view::find does not.
      return operand.type() == value.type() &&
             memmem(value.text().data(), value.text().size(), operand.text().data(),
                    operand.text().size()) != nullptr;
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet:
      // An element has the bytes of a scalar after its type.
      return operand.type() == ElementType(value.type()) &&
             value.set().Contains(operand.encoded().substr(1));
    case ValueType::kList: {
      for (const ValueView element : value.list()) {
        if (element == operand) return true;
      }
      return false;
    }
    default:
      return false;
  }
}

bool HoldsFunction(const Node& node, const ItemView& item, const ValueView* values) {
  const Operand first(*node.operands[0], item, values);
  if (node.function == Function::kAttributeExists) return first.value().has_value();
  if (node.function == Function::kAttributeNotExists) return !first.value().has_value();
  if (!first.value()) return false;
  const Operand second(*node.operands[1], item, values);
  if (!second.value()) return false;
  switch (node.function) {
    case Function::kAttributeType:
      return TypeName(first.value()->type()) == second.value()->text();
    case Function::kBeginsWith:
      return BeginsWith(*first.value(), *second.value());
    case Function::kContains:
      return Contains(*first.value(), *second.value());
    default:
      return false;
  }
}

// What is not there equals nothing, is not ordered against anything, and differs from everything.
bool Compare(NodeKind kind, const std::optional<ValueView>& a, const std::optional<ValueView>& b) {
  if (!a || !b) return kind == NodeKind::kNotEqual;
  if (kind == NodeKind::kEqual) return *a == *b;
  if (kind == NodeKind::kNotEqual) return !(*a == *b);
  const std::optional<int> order = CompareScalars(*a, *b);
  if (!order) return false;
  switch (kind) {
    case NodeKind::kLess:
      return *order < 0;
    case NodeKind::kLessOrEqual:
      return *order <= 0;
    case NodeKind::kGreater:
      return *order > 0;
    default:
      return *order >= 0;
  }
}

// The recursion is as deep as the expression's parentheses (parser.cc bounds them).
bool Holds(const Node& node, const ItemView& item, const ValueView* values) {
  const auto holds = [&](const std::unique_ptr<Node>& operand) {
    return Holds(*operand, item, values);
  };
  const auto& operands = node.operands;
  switch (node.kind) {
    case NodeKind::kAnd:
      return std::all_of(operands.begin(), operands.end(), holds);
    case NodeKind::kOr:
      return std::any_of(operands.begin(), operands.end(), holds);
    case NodeKind::kNot:
      return !holds(operands[0]);
    case NodeKind::kFunction:
      return HoldsFunction(node, item, values);
    case NodeKind::kIn: {
      const Operand value(*operands[0], item, values);
      return std::any_of(operands.begin() + 1, operands.end(), [&](const auto& operand) {
        return Compare(NodeKind::kEqual, value.value(), Operand(*operand, item, values).value());
      });
    }
    case NodeKind::kBetween: {
      const Operand value(*operands[0], item, values);
      return Compare(NodeKind::kGreaterOrEqual, value.value(),
                     Operand(*operands[1], item, values).value()) &&
             Compare(NodeKind::kLessOrEqual, value.value(),
                     Operand(*operands[2], item, values).value());
    }
    default:
      return Compare(node.kind, Operand(*operands[0], item, values).value(),
                     Operand(*operands[1], item, values).value());
  }
}

void CollectPaths(const Node& node, std::vector<const Path*>& paths) {
  if (node.kind == NodeKind::kPath) paths.push_back(&node.path);
  for (const auto& operand : node.operands) CollectPaths(*operand, paths);
}

}  // namespace

struct Condition::Tree {
  std::unique_ptr<Node> root;
  std::string_view parameter;
  std::vector<const Path*> paths;  // in root
};

Condition::Condition(std::unique_ptr<Node> root, std::string_view parameter) {
  auto tree = std::make_shared<Tree>();
  CollectPaths(*root, tree->paths);
  tree->root = std::move(root);
  tree->parameter = parameter;
  tree_ = std::move(tree);
}

Condition Condition::With(BoundValues values) const {
  Condition bound = *this;
  bound.values_ = std::move(values);
  return bound;
}

bool Condition::Matches(const ItemView& item) const {
  return Holds(*tree_->root, item, values_ ? values_->data() : nullptr);
}

Status Condition::CheckAvoidsKey(const KeySchema& key) const {
  const auto check = [this](const KeyAttribute& attribute) -> Status {
    for (const Path* path : tree_->paths) {
      if (path->front().name != attribute.name) continue;
      return ValidationError(
          "{} can only contain non-primary key attributes: Primary key attribute: {}",
          tree_->parameter, attribute.name);
    }
    return absl::OkStatus();
  };
  for (const KeyAttribute& attribute : key.partition) VARVE_RETURN_IF_ERROR(check(attribute));
  for (const KeyAttribute& attribute : key.sort) VARVE_RETURN_IF_ERROR(check(attribute));
  return absl::OkStatus();
}

Status Condition::CheckKeyPaths(const KeySchema& key) const {
  for (const auto* attributes : {&key.partition, &key.sort}) {
    for (const KeyAttribute& attribute : *attributes) {
      if (GoesInto(attribute.name)) return KeyIsScalar(attribute.name);
    }
  }
  return absl::OkStatus();
}

bool Condition::GoesInto(std::string_view attribute) const {
  return std::any_of(tree_->paths.begin(), tree_->paths.end(), [&](const Path* path) {
    return path->size() > 1 && path->front().name == attribute;
  });
}

}  // namespace varve::item::expression
