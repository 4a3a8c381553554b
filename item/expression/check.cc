#include "item/expression/check.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "item/base64.h"
#include "item/errors.h"
#include "item/expression/reserved_words.h"

namespace varve::item::expression {
namespace {

// What is wrong, without "Invalid ...Expression: "; nothing if nothing is.
using Problem = std::optional<std::string>;

#define VARVE_RETURN_IF_PROBLEM(expression) \
  if (Problem problem = (expression)) return problem

// "AttributeValue: {N:1}", of a scalar.
std::string Describe(ValueView value) {
  std::string text;
  if (value.Is(ValueType::kNumber)) {
    text = value.number().ToString();
  } else if (value.Is(ValueType::kBinary)) {
    AppendBase64(value.text(), text);
  } else if (value.Is(ValueType::kString)) {
    text = value.text();
  }
  return fmt::format("AttributeValue: {{{}:{}}}", TypeName(value.type()), text);
}

bool IsFunction(const Node& node) { return node.kind == NodeKind::kFunction; }
bool IsValue(const Node& node) { return node.kind == NodeKind::kValue; }
bool IsPath(const Node& node) { return node.kind == NodeKind::kPath; }

// The type of an operand, as far as it is known without an item.
std::optional<ValueType> StaticType(const Node& node) {
  switch (node.kind) {
    case NodeKind::kValue:
      return node.value.type();
    case NodeKind::kPlus:
    case NodeKind::kMinus:
      return ValueType::kNumber;
    case NodeKind::kFunction:
      if (node.function == Function::kSize) return ValueType::kNumber;
      if (node.function == Function::kListAppend) return ValueType::kList;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool IsOrdered(ValueType type) {
  return type == ValueType::kString || type == ValueType::kNumber || type == ValueType::kBinary;
}

std::string WrongType(const Node& node, std::string_view type) {
  return fmt::format(
      "Incorrect operand type for operator or function; operator or function: {}, operand type: {}",
      OperatorName(node), type);
}

// Checks each operand whose type is known.
template <typename Fits>
Problem CheckTypes(const Node& node, Fits fits) {
  for (const auto& operand : node.operands) {
    const std::optional<ValueType> type = StaticType(*operand);
    if (type && !fits(*type)) return WrongType(node, TypeName(*type));
  }
  return std::nullopt;
}

// The first problem that `check` finds in the tree, operands before what they are operands of.
template <typename Check>
Problem VisitUp(Node& node, Check check) {
  for (auto& operand : node.operands) VARVE_RETURN_IF_PROBLEM(VisitUp(*operand, check));
  return check(node);
}

Problem CheckReserved(const Path& path) {
  for (const PathElement& element : path) {
    if (!element.is_index && IsReservedWord(element.name)) {
      return fmt::format("Attribute name is a reserved keyword; reserved keyword: {}",
                         element.name);
    }
  }
  return std::nullopt;
}

Problem CheckLength(const Path& path) {
  if (path.size() <= kPathElementsMax) return std::nullopt;
  return fmt::format("The document path has too many nesting elements; nesting levels: {}",
                     path.size());
}

Problem ResolveNames(Path& path, Substitutions& substitutions) {
  for (PathElement& element : path) {
    if (element.is_index || element.name[0] != '#') continue;
    const std::string* name = substitutions.Name(element.name);
    if (name == nullptr) {
      return fmt::format(
          "An expression attribute name used in the document path is not defined; attribute name: "
          "{}",
          element.name);
    }
    element.name = *name;
  }
  return std::nullopt;
}

Problem ResolveValue(Node& node, Substitutions& substitutions) {
  const std::optional<size_t> index = substitutions.ValueIndex(node.name);
  if (!index) {
    return fmt::format(
        "An expression attribute value used in expression is not defined; attribute value: {}",
        node.name);
  }
  node.value_index = static_cast<int>(*index);
  node.value = substitutions.value(*index);
  return std::nullopt;
}

// In the order of the text.
Problem Resolve(Node& node, Substitutions& substitutions) {
  if (IsPath(node)) {
    VARVE_RETURN_IF_PROBLEM(CheckLength(node.path));
    return ResolveNames(node.path, substitutions);
  }
  if (IsValue(node)) return ResolveValue(node, substitutions);
  for (auto& operand : node.operands) {
    VARVE_RETURN_IF_PROBLEM(Resolve(*operand, substitutions));
  }
  return std::nullopt;
}

Problem CheckOperatorCount(size_t operators) {
  if (operators <= kOperatorsMax) return std::nullopt;
  return fmt::format("The expression contains too many operators; operator count: {}", operators);
}

bool IsUpdateFunction(Function function) {
  return function == Function::kIfNotExists || function == Function::kListAppend;
}

// That a function exists and belongs into this kind of expression.
Problem CheckFunction(const Node& node, bool update) {
  if (!IsFunction(node)) return std::nullopt;
  if (node.function == Function::kUnknown) {
    return fmt::format("Invalid function name; function: {}", node.name);
  }
  if (update && !IsUpdateFunction(node.function)) {
    return fmt::format("The function is not allowed in an update expression; function: {}",
                       node.name);
  }
  if (!update && IsUpdateFunction(node.function)) {
    return fmt::format("The function is not allowed in a condition expression; function: {}",
                       node.name);
  }
  return std::nullopt;
}

Problem CheckOperandCount(const Node& node) {
  if (node.kind == NodeKind::kIn && node.operands.size() - 1 > kInOperandsMax) {
    return fmt::format("The IN operator is provided with too many operands; number of operands: {}",
                       node.operands.size() - 1);
  }
  if (!IsFunction(node)) return std::nullopt;
  size_t expected = 2;
  if (node.function == Function::kAttributeExists ||
      node.function == Function::kAttributeNotExists || node.function == Function::kSize) {
    expected = 1;
  }
  if (node.operands.size() == expected) return std::nullopt;
  return fmt::format(
      "Incorrect number of operands for operator or function; operator or function: {}, number of "
      "operands: {}",
      node.name, node.operands.size());
}

Problem CheckIsPath(const Node& function) {
  if (IsPath(*function.operands[0])) return std::nullopt;
  return fmt::format("Operator or function requires a document path; operator or function: {}",
                     function.name);
}

// ---- Conditions ---------------------------------------------------------------------------------

Problem Misused(const Node& function) {
  return fmt::format(
      "The function is not allowed to be used this way in an expression; function: {}",
      function.name);
}

// size is an operand, all other functions are conditions.
Problem CheckFunctionUse(Node& root) {
  Problem problem = VisitUp(root, [](const Node& node) -> Problem {
    const bool takes_conditions =
        node.kind == NodeKind::kAnd || node.kind == NodeKind::kOr || node.kind == NodeKind::kNot;
    for (const auto& operand : node.operands) {
      if (IsFunction(*operand) && (operand->function == Function::kSize) == takes_conditions) {
        return Misused(*operand);
      }
    }
    return std::nullopt;
  });
  if (!problem && root.function == Function::kSize) problem = Misused(root);
  return problem;
}

Problem CheckDistinct(const Node& node) {
  if (node.operands.size() != 2 || node.kind == NodeKind::kIn) return std::nullopt;
  const Node& first = *node.operands[0];
  const Node& second = *node.operands[1];
  if (!IsPath(first) || !IsPath(second) || first.path != second.path) return std::nullopt;
  return fmt::format(
      "The first operand must be distinct from the remaining operands for this operator or "
      "function; operator: {}, first operand: {}",
      OperatorName(node), ToString(first.path));
}

Problem CheckBounds(ValueView low, ValueView high) {
  const auto bounds = [&](std::string_view requirement) {
    return fmt::format(
        "The BETWEEN operator requires {}; lower bound operand: {}, upper bound operand: {}",
        requirement, Describe(low), Describe(high));
  };
  if (low.type() != high.type()) return bounds("same data type for lower and upper bounds");
  if (CompareScalars(low, high) > 0) {
    return bounds("upper bound to be greater than or equal to lower bound");
  }
  return std::nullopt;
}

Problem CheckBetween(const Node& node) {
  VARVE_RETURN_IF_PROBLEM(CheckTypes(node, IsOrdered));
  const Node& low = *node.operands[1];
  const Node& high = *node.operands[2];
  return IsValue(low) && IsValue(high) ? CheckBounds(low.value, high.value) : std::nullopt;
}

Problem CheckTypeName(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ValueType::kMap); ++i) {
    if (TypeName(static_cast<ValueType>(i)) == name) return std::nullopt;
  }
  return fmt::format(
      "Invalid attribute type name found; type: {}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}",
      name);
}

Problem CheckAttributeType(const Node& node) {
  const Node& type = *node.operands[1];
  if (StaticType(type) != ValueType::kString) {
    return WrongType(
        node, StaticType(type) ? TypeName(*StaticType(type)) : "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
  }
  return CheckTypeName(type.value.text());
}

Problem CheckOperands(const Node& node) {
  switch (node.kind) {
    case NodeKind::kLess:
    case NodeKind::kLessOrEqual:
    case NodeKind::kGreater:
    case NodeKind::kGreaterOrEqual:
      return CheckTypes(node, IsOrdered);
    case NodeKind::kBetween:
      return CheckBetween(node);
    case NodeKind::kFunction:
      break;
    default:
      return std::nullopt;
  }
  switch (node.function) {
    case Function::kAttributeExists:
    case Function::kAttributeNotExists:
      return CheckIsPath(node);
    case Function::kBeginsWith:
      return CheckTypes(node, [](ValueType type) {
        return type == ValueType::kString || type == ValueType::kBinary;
      });
    case Function::kAttributeType:
      return CheckAttributeType(node);
    case Function::kSize:
      return CheckTypes(node, [](ValueType type) {
        return type != ValueType::kNumber && type != ValueType::kBool && type != ValueType::kNull;
      });
    default:
      return std::nullopt;
  }
}

// Operands of the conditions that AND, OR and NOT connect, one condition after another.
Problem CheckConditionTree(Node& node) {
  if (node.kind == NodeKind::kAnd || node.kind == NodeKind::kOr || node.kind == NodeKind::kNot) {
    for (auto& operand : node.operands) VARVE_RETURN_IF_PROBLEM(CheckConditionTree(*operand));
    return std::nullopt;
  }
  VARVE_RETURN_IF_PROBLEM(VisitUp(node, CheckOperandCount));
  VARVE_RETURN_IF_PROBLEM(VisitUp(node, CheckDistinct));
  return VisitUp(node, CheckOperands);
}

// The conditions that AND, OR and NOT connect are checked one after another.
Problem CheckEachCondition(Node& node, Substitutions& substitutions) {
  if (node.kind == NodeKind::kAnd || node.kind == NodeKind::kOr || node.kind == NodeKind::kNot) {
    for (auto& operand : node.operands) {
      VARVE_RETURN_IF_PROBLEM(CheckEachCondition(*operand, substitutions));
    }
    return std::nullopt;
  }
  VARVE_RETURN_IF_PROBLEM(Resolve(node, substitutions));
  return CheckConditionTree(node);
}

Problem FindConditionProblem(ParsedCondition& condition, Substitutions& substitutions) {
  if (condition.redundant_parentheses) return "The expression has redundant parentheses;";
  VARVE_RETURN_IF_PROBLEM(CheckOperatorCount(condition.operators));
  Node& root = *condition.root;
  VARVE_RETURN_IF_PROBLEM(
      VisitUp(root, [](const Node& node) { return CheckFunction(node, /*update=*/false); }));
  VARVE_RETURN_IF_PROBLEM(CheckFunctionUse(root));
  VARVE_RETURN_IF_PROBLEM(VisitUp(root, [](const Node& node) { return CheckReserved(node.path); }));
  return CheckEachCondition(root, substitutions);
}

// ---- Updates and projections --------------------------------------------------------------------

std::string Pair(std::string_view what, const Path& one, const Path& two) {
  return fmt::format(
      "Two document paths {} with each other; must remove or rewrite one of these paths; path one: "
      "{}, path two: {}",
      what, ToString(one), ToString(two));
}

// Where two paths part, both must step into a list, or both into a map.
bool Conflict(const Path& a, const Path& b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return at_a != a.end() && at_b != b.end() && at_a->is_index != at_b->is_index;
}

// Neither may be the beginning of the other.
bool Overlap(const Path& a, const Path& b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return at_a == a.end() || at_b == b.end();
}

// Orders paths so that if any two overlap or conflict, two neighbours do.
bool InTreeOrder(const Path* a, const Path* b) {
  return std::lexicographical_compare(
      a->begin(), a->end(), b->begin(), b->end(), [](const PathElement& x, const PathElement& y) {
        return std::tie(x.is_index, x.index, x.name) < std::tie(y.is_index, y.index, y.name);
      });
}

Problem CheckPairs(const std::vector<const Path*>& paths) {
  std::vector<const Path*> sorted = paths;
  std::sort(sorted.begin(), sorted.end(), InTreeOrder);
  const auto clash = [](const Path* a, const Path* b) {
    return Overlap(*a, *b) || Conflict(*a, *b);
  };
  if (std::adjacent_find(sorted.begin(), sorted.end(), clash) == sorted.end()) return std::nullopt;

  const auto first = [&paths](bool (*relation)(const Path&, const Path&),
                              std::string_view word) -> Problem {
    for (size_t i = 1; i < paths.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (relation(*paths[j], *paths[i])) return Pair(word, *paths[j], *paths[i]);
      }
    }
    return std::nullopt;
  };
  VARVE_RETURN_IF_PROBLEM(first(Overlap, "overlap"));
  return first(Conflict, "conflict");
}

std::string_view TypeWord(ValueType type) {
  switch (type) {
    case ValueType::kNull:
      return "NULL";
    case ValueType::kBool:
      return "BOOLEAN";
    case ValueType::kNumber:
      return "NUMBER";
    case ValueType::kString:
      return "STRING";
    case ValueType::kBinary:
      return "BINARY";
    case ValueType::kList:
      return "LIST";
    case ValueType::kMap:
      return "MAP";
    default:
      return TypeName(type);
  }
}

// ADD takes numbers and sets, DELETE takes sets.
Problem CheckActionValue(const Update::Action& action) {
  const bool add = action.kind == Update::Action::Kind::kAdd;
  if (!add && action.kind != Update::Action::Kind::kDelete) return std::nullopt;
  const ValueType type = action.value->value.type();
  if (IsSet(type) || (add && type == ValueType::kNumber)) return std::nullopt;
  return fmt::format(
      "Incorrect operand type for operator or function; operator: {}, operand type: {}",
      add ? "ADD" : "DELETE", TypeWord(type));
}

Problem CheckUpdateOperands(const Node& node) {
  VARVE_RETURN_IF_PROBLEM(CheckOperandCount(node));
  if (node.kind == NodeKind::kPlus || node.kind == NodeKind::kMinus) {
    return CheckTypes(node, [](ValueType type) { return type == ValueType::kNumber; });
  }
  if (node.function == Function::kIfNotExists) return CheckIsPath(node);
  if (node.function == Function::kListAppend) {
    return CheckTypes(node, [](ValueType type) { return type == ValueType::kList; });
  }
  return std::nullopt;
}

Problem CheckActions(std::vector<Update::Action>& actions) {
  std::vector<const Path*> paths;
  for (const Update::Action& action : actions) paths.push_back(&action.path);
  VARVE_RETURN_IF_PROBLEM(CheckPairs(paths));
  for (const Update::Action& action : actions) VARVE_RETURN_IF_PROBLEM(CheckActionValue(action));
  for (Update::Action& action : actions) {
    if (action.value) VARVE_RETURN_IF_PROBLEM(VisitUp(*action.value, CheckUpdateOperands));
  }
  return std::nullopt;
}

Problem FindUpdateProblem(ParsedUpdate& update, Substitutions& substitutions) {
  VARVE_RETURN_IF_PROBLEM(CheckOperatorCount(update.operators));
  const auto each = [&update](auto check_path, auto check_node) -> Problem {
    for (Update::Action& action : update.actions) {
      VARVE_RETURN_IF_PROBLEM(check_path(action.path));
      if (action.value) VARVE_RETURN_IF_PROBLEM(VisitUp(*action.value, check_node));
    }
    return std::nullopt;
  };
  const auto nothing = [](const auto&) -> Problem { return std::nullopt; };
  const auto in_paths = [](auto check) {
    return [check](Node& node) { return IsPath(node) ? check(node.path) : std::nullopt; };
  };

  VARVE_RETURN_IF_PROBLEM(each(CheckReserved, in_paths(CheckReserved)));
  VARVE_RETURN_IF_PROBLEM(
      each(nothing, [](const Node& node) { return CheckFunction(node, /*update=*/true); }));
  if (!update.repeated_section.empty()) {
    return fmt::format("The \"{}\" section can only be used once in an update expression;",
                       update.repeated_section);
  }
  VARVE_RETURN_IF_PROBLEM(each(CheckLength, in_paths(CheckLength)));
  const auto resolve = [&](Path& path) { return ResolveNames(path, substitutions); };
  VARVE_RETURN_IF_PROBLEM(each(resolve, in_paths(resolve)));
  VARVE_RETURN_IF_PROBLEM(each(nothing, [&](Node& node) {
    return IsValue(node) ? ResolveValue(node, substitutions) : std::nullopt;
  }));

  return CheckActions(update.actions);
}

Problem FindProjectionProblem(std::vector<Path>& paths, Substitutions& substitutions) {
  for (const Path& path : paths) VARVE_RETURN_IF_PROBLEM(CheckReserved(path));
  for (Path& path : paths) {
    VARVE_RETURN_IF_PROBLEM(CheckLength(path));
    VARVE_RETURN_IF_PROBLEM(ResolveNames(path, substitutions));
  }
  std::vector<const Path*> pointers;
  for (const Path& path : paths) pointers.push_back(&path);
  return CheckPairs(pointers);
}

#undef VARVE_RETURN_IF_PROBLEM

// ---- Placeholders -------------------------------------------------------------------------------

bool IsWordCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

template <typename Entries>
Status CheckPlaceholders(std::string_view parameter, char sigil, const Entries& entries) {
  if (entries.empty()) return ValidationError("{} must not be empty", parameter);
  for (const auto& [key, value] : entries) {
    if (key.size() < 2 || key[0] != sigil ||
        !std::all_of(key.begin() + 1, key.end(), IsWordCharacter)) {
      return ValidationError("{} contains invalid key: Syntax error; key: \"{}\"", parameter, key);
    }
    if (key.size() > kPlaceholderBytesMax) {
      return ValidationError(
          "{} contains invalid key: The expression attribute map contains a key that is too long; "
          "key: \"{}\"",
          parameter, key);
    }
  }
  return absl::OkStatus();
}

template <typename Index, typename Entries>
Status CheckAllUsed(std::string_view parameter, const Index& index, const Entries* entries) {
  if (entries == nullptr) return absl::OkStatus();
  std::string unused;
  for (const auto& [key, value] : *entries) {
    if (index.find(key)->second.used) continue;
    if (!unused.empty()) unused += ", ";
    unused += key;
  }
  if (unused.empty()) return absl::OkStatus();
  return ValidationError("Value provided in {} unused in expressions: keys: {{{}}}", parameter,
                         unused);
}

Status ToStatus(std::string_view parameter, const Problem& problem) {
  return problem ? InvalidExpression(parameter, *problem) : absl::OkStatus();
}

}  // namespace

std::string_view OperatorName(const Node& node) {
  switch (node.kind) {
    case NodeKind::kPath:
    case NodeKind::kValue:
    case NodeKind::kFunction:
      return node.name;
    case NodeKind::kPlus:
      return "+";
    case NodeKind::kMinus:
      return "-";
    case NodeKind::kEqual:
      return "=";
    case NodeKind::kNotEqual:
      return "<>";
    case NodeKind::kLess:
      return "<";
    case NodeKind::kLessOrEqual:
      return "<=";
    case NodeKind::kGreater:
      return ">";
    case NodeKind::kGreaterOrEqual:
      return ">=";
    case NodeKind::kBetween:
      return "BETWEEN";
    case NodeKind::kIn:
      return "IN";
    case NodeKind::kAnd:
      return "AND";
    case NodeKind::kOr:
      return "OR";
    case NodeKind::kNot:
      return "NOT";
  }
  return "";
}

Substitutions::Substitutions(const AttributeNames* names, const AttributeValues* values)
    : names_(names), values_(values) {
  if (names != nullptr) {
    for (size_t i = 0; i < names->size(); ++i) name_index_.emplace((*names)[i].first, Entry{i});
  }
  if (values != nullptr) {
    for (size_t i = 0; i < values->size(); ++i) value_index_.emplace((*values)[i].first, Entry{i});
  }
}

Status Substitutions::CheckKeys() const {
  size_t bytes = 0;
  if (names_ != nullptr) {
    VARVE_RETURN_IF_ERROR(CheckPlaceholders("ExpressionAttributeNames", '#', *names_));
    for (const auto& [key, name] : *names_) {
      if (name.empty()) {
        return ValidationError(
            "ExpressionAttributeNames contains invalid value: The expression attribute map "
            "contains an empty attribute name for key {}",
            key);
      }
      bytes += key.size() + name.size();
    }
  }
  if (values_ != nullptr) {
    VARVE_RETURN_IF_ERROR(CheckPlaceholders("ExpressionAttributeValues", ':', *values_));
    for (const auto& [key, value] : *values_) bytes += key.size() + value.view().size_bytes();
  }
  if (bytes > kSubstitutionsBytesMax) {
    return ValidationError(
        "The length of all substitution variables has exceeded the maximum allowed size; size: {}",
        bytes);
  }
  return absl::OkStatus();
}

Status Substitutions::CheckUsed() const {
  VARVE_RETURN_IF_ERROR(CheckAllUsed("ExpressionAttributeNames", name_index_, names_));
  return CheckAllUsed("ExpressionAttributeValues", value_index_, values_);
}

const std::string* Substitutions::Name(std::string_view placeholder) {
  const auto found = name_index_.find(placeholder);
  if (found == name_index_.end()) return nullptr;
  found->second.used = true;
  return &(*names_)[found->second.i].second;
}

std::optional<size_t> Substitutions::ValueIndex(std::string_view placeholder) {
  const auto found = value_index_.find(placeholder);
  if (found == value_index_.end()) return std::nullopt;
  found->second.used = true;
  return found->second.i;
}

void CollectValueChecks(const Node& root, std::vector<const Node*>& nodes) {
  for (const auto& operand : root.operands) CollectValueChecks(*operand, nodes);
  const bool bounds =
      root.kind == NodeKind::kBetween && IsValue(*root.operands[1]) && IsValue(*root.operands[2]);
  if (bounds || root.function == Function::kAttributeType) nodes.push_back(&root);
}

Status CheckValues(std::string_view parameter, const Node& node, const ValueView* values) {
  if (node.kind == NodeKind::kBetween) {
    return ToStatus(parameter, CheckBounds(ValueOf(*node.operands[1], values),
                                           ValueOf(*node.operands[2], values)));
  }
  return ToStatus(parameter, CheckTypeName(ValueOf(*node.operands[1], values).text()));
}

Status CheckCondition(std::string_view parameter, ParsedCondition& condition,
                      Substitutions& substitutions) {
  return ToStatus(parameter, FindConditionProblem(condition, substitutions));
}

Status CheckUpdate(std::string_view parameter, ParsedUpdate& update, Substitutions& substitutions) {
  return ToStatus(parameter, FindUpdateProblem(update, substitutions));
}

Status CheckProjection(std::string_view parameter, std::vector<Path>& paths,
                       Substitutions& substitutions) {
  return ToStatus(parameter, FindProjectionProblem(paths, substitutions));
}

Status CheckConditionOperands(Node& root) {
  const Problem problem = CheckConditionTree(root);
  return problem ? ValidationError("{}", *problem) : absl::OkStatus();
}

Status CheckUpdateActions(std::vector<Update::Action>& actions) {
  const Problem problem = CheckActions(actions);
  return problem ? ValidationError("{}", *problem) : absl::OkStatus();
}

}  // namespace varve::item::expression
