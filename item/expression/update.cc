// Updates: what the actions do is computed from the old item, then the new one is written in one
// pass.
#include <algorithm>
#include <utility>

#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"

namespace varve::item::expression {
namespace {

// A value that is either somebody else's or its own.
class AnyValue {
 public:
  AnyValue() = default;
  AnyValue(ValueView view) : view_(view) {}
  AnyValue(Value value) : owned_(std::move(value)) {}

  ValueView view() const { return view_ ? *view_ : owned_.view(); }

 private:
  std::optional<ValueView> view_;
  Value owned_;
};

// What becomes of the place at an action's path.
struct Effect {
  enum class Kind : uint8_t { kKeep, kPut, kRemove };
  Kind kind = Kind::kKeep;
  AnyValue value;  // of kPut
};

Status WrongOperand() {
  return ValidationError("An operand in the update expression has an incorrect data type");
}

StatusOr<AnyValue> Evaluate(const Node& node, const ItemView& old, const ValueView* values);

StatusOr<AnyValue> EvaluateSum(const Node& node, const ItemView& old, const ValueView* values) {
  VARVE_ASSIGN_OR_RETURN(const AnyValue left, Evaluate(*node.operands[0], old, values));
  VARVE_ASSIGN_OR_RETURN(const AnyValue right, Evaluate(*node.operands[1], old, values));
  if (!left.view().Is(ValueType::kNumber) || !right.view().Is(ValueType::kNumber)) {
    return WrongOperand();
  }
  const Number a = left.view().number();
  const Number b = right.view().number();
  VARVE_ASSIGN_OR_RETURN(const Number sum,
                         node.kind == NodeKind::kPlus ? Number::Add(a, b) : Number::Subtract(a, b));
  return AnyValue(Value::OfNumber(sum));
}

StatusOr<AnyValue> Appended(const ListView& first, const ListView& second) {
  ValueBuilder builder;
  builder.BeginList();
  for (const ValueView element : first) builder.Copy(element);
  for (const ValueView element : second) builder.Copy(element);
  builder.EndList();
  Value list(builder.Finish());
  // Checked here and not only in the end, so that nested calls can't grow without bound.
  if (list.view().size_bytes() > kItemSizeBytesMax) {
    return ValidationError("Item size to update has exceeded the maximum allowed size");
  }
  return AnyValue(std::move(list));
}

StatusOr<AnyValue> EvaluateAppend(const Node& node, const ItemView& old, const ValueView* values) {
  VARVE_ASSIGN_OR_RETURN(const AnyValue first, Evaluate(*node.operands[0], old, values));
  VARVE_ASSIGN_OR_RETURN(const AnyValue second, Evaluate(*node.operands[1], old, values));
  if (!first.view().Is(ValueType::kList) || !second.view().Is(ValueType::kList)) {
    return WrongOperand();
  }
  return Appended(first.view().list(), second.view().list());
}

StatusOr<AnyValue> Evaluate(const Node& node, const ItemView& old, const ValueView* values) {
  switch (node.kind) {
    case NodeKind::kValue:
      return AnyValue(ValueOf(node, values));
    case NodeKind::kPath:
      if (const std::optional<ValueView> value = Find(old, node.path)) return AnyValue(*value);
      return ValidationError(
          "The provided expression refers to an attribute that does not exist in the item");
    case NodeKind::kPlus:
    case NodeKind::kMinus:
      return EvaluateSum(node, old, values);
    default:
      break;
  }
  if (node.function == Function::kListAppend) return EvaluateAppend(node, old, values);
  // if_not_exists
  if (const std::optional<ValueView> value = Find(old, node.operands[0]->path)) {
    return AnyValue(*value);
  }
  return Evaluate(*node.operands[1], old, values);
}

// The container that the path's last step leads into must be there already.
Status CheckParent(const Path& path, const ItemView& old) {
  ValueView parent = old.value();
  bool valid = true;
  for (size_t i = 0; valid && i + 1 < path.size(); ++i) {
    const std::optional<ValueView> next = Step(parent, path[i]);
    valid = next.has_value();
    if (valid) parent = *next;
  }
  if (valid && parent.Is(path.back().is_index ? ValueType::kList : ValueType::kMap)) {
    return absl::OkStatus();
  }
  return ValidationError(
      "The document path provided in the update expression is invalid for update");
}

Status CheckDepth(const Path& path, ValueView value) {
  if (path.size() == 1 || static_cast<int>(path.size()) - 1 + value.depth() <= kNestingDepthMax) {
    return absl::OkStatus();
  }
  return ValidationError(
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
      "beyond supported limit");
}

Value Union(SetView a, SetView b) {
  ValueBuilder builder;
  builder.BeginSet(a.type());
  for (const std::string_view element : a) builder.Element(a.element_type(), element);
  for (const std::string_view element : b) {
    if (!a.Contains(element)) builder.Element(a.element_type(), element);
  }
  static_cast<void>(builder.EndSet());
  return Value(builder.Finish());
}

Value Difference(SetView a, SetView b) {
  ValueBuilder builder;
  builder.BeginSet(a.type());
  for (const std::string_view element : a) {
    if (!b.Contains(element)) builder.Element(a.element_type(), element);
  }
  static_cast<void>(builder.EndSet());
  return Value(builder.Finish());
}

using Dialect = Update::Dialect;

Status TypesDiffer(Dialect dialect) {
  if (dialect == Dialect::kExpression) return WrongOperand();
  return ValidationError("Type mismatch for attribute to update");
}

StatusOr<Effect> Add(const std::optional<ValueView>& old, ValueView value, Dialect dialect) {
  if (!old) return Effect{Effect::Kind::kPut, value};
  if (old->type() != value.type()) return TypesDiffer(dialect);
  if (value.Is(ValueType::kList)) {  // of AttributeUpdates
    VARVE_ASSIGN_OR_RETURN(AnyValue list, Appended(old->list(), value.list()));
    return Effect{Effect::Kind::kPut, std::move(list)};
  }
  if (!value.Is(ValueType::kNumber)) {
    return Effect{Effect::Kind::kPut, Union(old->set(), value.set())};
  }
  VARVE_ASSIGN_OR_RETURN(const Number sum, Number::Add(old->number(), value.number()));
  return Effect{Effect::Kind::kPut, Value::OfNumber(sum)};
}

StatusOr<Effect> Delete(const std::optional<ValueView>& old, ValueView value, Dialect dialect) {
  if (!old) return Effect{};
  if (old->type() != value.type()) return TypesDiffer(dialect);
  Value rest = Difference(old->set(), value.set());
  if (rest.view().set().empty()) return Effect{Effect::Kind::kRemove, {}};
  return Effect{Effect::Kind::kPut, std::move(rest)};
}

// Writes the new state of a list or map in which the paths below `nodes` change something.
class Rewriter {
 public:
  Rewriter(const std::vector<Effect>& effects, ValueBuilder& builder)
      : effects_(effects), builder_(builder) {}

  void Container(const std::vector<PathTree::Node>& nodes, ValueView old) {
    old.Is(ValueType::kList) ? List(nodes, old.list()) : Map(nodes, old.map());
  }

 private:
  using Nodes = std::vector<PathTree::Node>;

  void Map(const Nodes& nodes, const MapView& old) {
    builder_.BeginMap();
    auto node = nodes.begin();
    for (const auto [name, value] : old) {
      for (; node != nodes.end() && node->element.name < name; ++node) New(*node, /*map=*/true);
      if (node == nodes.end() || node->element.name != name) {
        builder_.Name(name).Copy(value);
        continue;
      }
      if (!Removes(*node)) {
        builder_.Name(name);
        Changed(*node, value);
      }
      ++node;
    }
    for (; node != nodes.end(); ++node) New(*node, /*map=*/true);
    builder_.EndMap();
  }

  // Elements set beyond the end are appended in the order of their indexes.
  void List(const Nodes& nodes, const ListView& old) {
    builder_.BeginList();
    auto node = nodes.begin();
    for (size_t i = 0; i < old.count(); ++i) {
      if (node == nodes.end() || node->element.index != i) {
        builder_.Copy(old.at(i));
        continue;
      }
      if (!Removes(*node)) Changed(*node, old.at(i));
      ++node;
    }
    for (; node != nodes.end(); ++node) New(*node, /*map=*/false);
    builder_.EndList();
  }

  const Effect& EffectOf(const PathTree::Node& node) const {
    return effects_[static_cast<size_t>(node.leaf)];
  }

  bool Removes(const PathTree::Node& node) const {
    return node.leaf >= 0 && EffectOf(node).kind == Effect::Kind::kRemove;
  }

  void Changed(const PathTree::Node& node, ValueView old) {
    if (node.leaf < 0) {
      Container(node.children, old);
    } else if (EffectOf(node).kind == Effect::Kind::kPut) {
      builder_.Copy(EffectOf(node).value.view());
    } else {
      builder_.Copy(old);
    }
  }

  // What was not there before; CheckParent has seen to it that only a path's last step can be new.
  void New(const PathTree::Node& node, bool map) {
    if (node.leaf < 0 || EffectOf(node).kind != Effect::Kind::kPut) return;
    if (map) builder_.Name(node.element.name);
    builder_.Copy(EffectOf(node).value.view());
  }

  const std::vector<Effect>& effects_;
  ValueBuilder& builder_;
};

PathTree TreeOf(const std::vector<Update::Action>& actions) {
  std::vector<const Path*> paths;
  paths.reserve(actions.size());
  for (const Update::Action& action : actions) paths.push_back(&action.path);
  return PathTree(paths);
}

// ---- What an update is charged with by UpdateItem (expression.h), in bytes

constexpr size_t kUpdateBytes = 3;
constexpr size_t kWriteBytes = 19;         // of SET and ADD
constexpr size_t kTakeBytes = 1;           // of REMOVE and DELETE
constexpr size_t kTargetElementBytes = 4;  // of each element behind the first
constexpr size_t kOperandPathBytes = 1;
constexpr size_t kOperandElementBytes = 14;  // of each element
constexpr size_t kPlusBytes = 34;
constexpr size_t kMinusBytes = 37;
constexpr size_t kIfNotExistsBytes = 39;
constexpr size_t kListAppendBytes = 37;

size_t ElementBytes(const PathElement& element) {
  if (!element.is_index) return element.name.size();
  size_t digits = 1;
  for (uint32_t rest = element.index; rest >= 10; rest /= 10) ++digits;
  return digits;
}

size_t TargetBytes(const Path& path) {
  size_t bytes = ElementBytes(path.front());
  for (size_t i = 1; i < path.size(); ++i) bytes += kTargetElementBytes + ElementBytes(path[i]);
  return bytes;
}

// Paths are charged for themselves, not for what they lead to.
size_t OperandBytes(const Node& node, const ValueView* values) {
  size_t bytes = 0;
  switch (node.kind) {
    case NodeKind::kValue:
      return ValueOf(node, values).size_bytes();
    case NodeKind::kPath:
      bytes = kOperandPathBytes;
      for (const PathElement& element : node.path) {
        bytes += kOperandElementBytes + ElementBytes(element);
      }
      return bytes;
    case NodeKind::kPlus:
      bytes = kPlusBytes;
      break;
    case NodeKind::kMinus:
      bytes = kMinusBytes;
      break;
    default:
      bytes = node.function == Function::kListAppend ? kListAppendBytes : kIfNotExistsBytes;
  }
  for (const auto& operand : node.operands) bytes += OperandBytes(*operand, values);
  return bytes;
}

// Of a set only the elements that are not there yet are added.
size_t AddedBytes(const std::optional<ValueView>& old, ValueView value) {
  if (!old || !IsSet(value.type()) || old->type() != value.type()) return value.size_bytes();
  const Value added = Difference(value.set(), old->set());
  return added.view().set().empty() ? 0 : added.view().size_bytes();
}

void CollectNested(const Path& path, std::vector<const Path*>& nested) {
  if (path.size() > 1) nested.push_back(&path);
}
void CollectNested(const Node& node, std::vector<const Path*>& nested) {
  CollectNested(node.path, nested);
  for (const auto& operand : node.operands) CollectNested(*operand, nested);
}

}  // namespace

struct Update::Tree {
  std::vector<Action> actions;
  Dialect dialect;
  PathTree paths;                   // of the actions; leaf i is actions[i]
  std::vector<const Path*> nested;  // into attributes, those of operands too
};

Update::Update(std::vector<Action> actions, Dialect dialect) {
  auto tree = std::make_shared<Tree>();
  tree->paths = TreeOf(actions);
  tree->actions = std::move(actions);
  tree->dialect = dialect;
  for (const Action& action : tree->actions) {
    CollectNested(action.path, tree->nested);
    if (action.value != nullptr) CollectNested(*action.value, tree->nested);
  }
  tree_ = std::move(tree);
}

Update Update::With(BoundValues values) const {
  Update bound = *this;
  bound.values_ = std::move(values);
  return bound;
}

Item Update::Touched(const ItemView& item) const { return tree_->paths.Project(item); }

Status Update::CheckKeys(const KeySchema& key) const {
  const auto check = [this](const KeyAttribute& attribute) -> Status {
    if (!tree_->paths.HasAttribute(attribute.name)) return absl::OkStatus();
    return ValidationError(
        "One or more parameter values were invalid: Cannot update attribute {}. This attribute is "
        "part of the key",
        attribute.name);
  };
  for (const KeyAttribute& attribute : key.partition) VARVE_RETURN_IF_ERROR(check(attribute));
  for (const KeyAttribute& attribute : key.sort) VARVE_RETURN_IF_ERROR(check(attribute));
  return absl::OkStatus();
}

size_t Update::ChargedBytes(const ItemView& old) const {
  if (tree_->dialect == Dialect::kAttributeUpdates) return 0;
  const ValueView* const values = values_ ? values_->data() : nullptr;
  size_t bytes = kUpdateBytes;
  for (const Action& action : tree_->actions) {
    bytes += TargetBytes(action.path);
    switch (action.kind) {
      case Action::Kind::kSet:
        bytes += kWriteBytes + OperandBytes(*action.value, values);
        break;
      case Action::Kind::kAdd:
        bytes += kWriteBytes + AddedBytes(Find(old, action.path), ValueOf(*action.value, values));
        break;
      case Action::Kind::kRemove:
      case Action::Kind::kDelete:
        bytes += kTakeBytes;
        break;
    }
  }
  return bytes;
}

Status Update::CheckKeyPaths(const KeySchema& key) const {
  for (const auto* attributes : {&key.partition, &key.sort}) {
    for (const KeyAttribute& attribute : *attributes) {
      if (GoesInto(attribute.name)) return KeyIsScalar(attribute.name);
    }
  }
  return absl::OkStatus();
}

bool Update::GoesInto(std::string_view attribute) const {
  return std::any_of(tree_->nested.begin(), tree_->nested.end(),
                     [&](const Path* path) { return path->front().name == attribute; });
}

bool Update::Changes(std::string_view attribute) const {
  return tree_->paths.HasAttribute(attribute);
}

std::optional<ValueView> Update::LiteralOf(std::string_view attribute) const {
  for (const Action& action : tree_->actions) {
    if (action.path.size() != 1 || action.path.front().name != attribute) continue;
    if (action.value == nullptr || action.value->kind != NodeKind::kValue) return std::nullopt;
    return ValueOf(*action.value, values_ ? values_->data() : nullptr);
  }
  return std::nullopt;
}

StatusOr<Item> Update::Apply(const ItemView& old) const {
  const std::vector<Action>& actions = tree_->actions;
  const Dialect dialect = tree_->dialect;
  const ValueView* const values = values_ ? values_->data() : nullptr;
  std::vector<Effect> effects(actions.size());
  for (size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].kind != Action::Kind::kSet) continue;
    VARVE_ASSIGN_OR_RETURN(effects[i].value, Evaluate(*actions[i].value, old, values));
    effects[i].kind = Effect::Kind::kPut;
  }
  for (size_t i = 0; i < actions.size(); ++i) {
    const Action& action = actions[i];
    VARVE_RETURN_IF_ERROR(CheckParent(action.path, old));
    switch (action.kind) {
      case Action::Kind::kSet:
        break;
      case Action::Kind::kRemove:
        effects[i].kind = Effect::Kind::kRemove;
        break;
      case Action::Kind::kAdd: {
        VARVE_ASSIGN_OR_RETURN(
            effects[i], Add(Find(old, action.path), ValueOf(*action.value, values), dialect));
        break;
      }
      case Action::Kind::kDelete: {
        VARVE_ASSIGN_OR_RETURN(
            effects[i], Delete(Find(old, action.path), ValueOf(*action.value, values), dialect));
        break;
      }
    }
    if (effects[i].kind == Effect::Kind::kPut) {
      VARVE_RETURN_IF_ERROR(CheckDepth(action.path, effects[i].value.view()));
    }
  }
  ValueBuilder builder;
  Rewriter(effects, builder).Container(tree_->paths.roots(), old.value());
  return Item(builder.Finish());
}

}  // namespace varve::item::expression
