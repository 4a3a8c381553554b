#include "item/partiql/statement.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "item/base64.h"
#include "item/errors.h"
#include "item/expression/check.h"
#include "item/json.h"
#include "item/partiql/parser.h"

namespace varve::item::partiql {
namespace {

using expression::Function;
using expression::Node;
using expression::NodeKind;
using expression::Path;
using expression::PathElement;
using expression::Update;
using NodePtr = std::unique_ptr<Node>;

// What the service calls an expression that it has no use for.
std::string ClassName(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kString:
    case ExprKind::kNumber:
    case ExprKind::kBool:
    case ExprKind::kNull:
      return "Literal";
    case ExprKind::kMissing:
      return "Missing";
    case ExprKind::kParameter:
      return "Parameter";
    case ExprKind::kList:
      return "List";
    case ExprKind::kBag:
      return "Bag";
    case ExprKind::kTuple:
      return "Struct";
    case ExprKind::kPath:
      return expr.operands.empty() && expr.steps.size() == 1 ? "VariableReference" : "Path";
    case ExprKind::kCall:
      return expr.text;
    case ExprKind::kPlus:
      return "Plus";
    case ExprKind::kMinus:
      return "Minus";
    case ExprKind::kMultiply:
      return "Times";
    case ExprKind::kDivide:
      return "Divide";
    case ExprKind::kModulo:
      return "Modulo";
    case ExprKind::kConcat:
      return "Concat";
    case ExprKind::kNegative:
      return "Neg";
    case ExprKind::kPositive:
      return "Pos";
    case ExprKind::kEqual:
      return "Eq";
    case ExprKind::kNotEqual:
      return "Ne";
    case ExprKind::kLess:
      return "Lt";
    case ExprKind::kLessOrEqual:
      return "Lte";
    case ExprKind::kGreater:
      return "Gt";
    case ExprKind::kGreaterOrEqual:
      return "Gte";
    case ExprKind::kBetween:
      return "Between";
    case ExprKind::kIn:
      return "InCollection";
    case ExprKind::kIs:
      return "IsType";
    case ExprKind::kLike:
      return "Like";
    case ExprKind::kNot:
      return "Not";
    case ExprKind::kAnd:
      return "And";
    case ExprKind::kOr:
      return "Or";
    case ExprKind::kStatement:
      return "Select";
  }
  return "Expression";
}

Status Unsupported(const Expr& expr) {
  return ValidationError("Unsupported operation: {}", ClassName(expr));
}

Status UnexpectedPathComponent(const Position& position) {
  return ValidationError("Unexpected path component at {}", ToString(position));
}

Status ParametersDoNotMatch() {
  return ValidationError("Number of parameters in request and statement don't match.");
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return upper;
}

bool IsLiteral(const Expr& expr) {
  return expr.kind <= ExprKind::kTuple && expr.kind != ExprKind::kParameter;
}

bool IsCondition(const Expr& expr) { return expr.kind >= ExprKind::kEqual; }

NodePtr MakeNode(NodeKind kind) { return std::make_unique<Node>(kind); }

NodePtr MakeFunction(Function function, std::string_view name) {
  NodePtr node = MakeNode(NodeKind::kFunction);
  node->function = function;
  node->name = name;
  return node;
}

struct FunctionName {
  std::string_view name;
  Function function;
};
constexpr FunctionName kConditionFunctions[] = {
    {"attribute_exists", Function::kAttributeExists},
    {"attribute_not_exists", Function::kAttributeNotExists},
    {"attribute_type", Function::kAttributeType},
    {"begins_with", Function::kBeginsWith},
    {"contains", Function::kContains},
    {"size", Function::kSize},
};

// Types after IS, and what DynamoDB calls them.
struct TypeName {
  std::string_view name;
  std::string_view attribute_type;
};
constexpr TypeName kTypeNames[] = {
    {"null", "NULL"}, {"bool", "BOOL"}, {"boolean", "BOOL"}, {"blob", "B"}, {"string", "S"},
    {"numeric", "N"}, {"struct", "M"},  {"tuple", "M"},      {"list", "L"},
};

// ---- Literals

// A name in a tuple at `path`, after those in `names`, which it joins.
Status CheckName(const Expr& name, std::string_view path, std::set<std::string_view>& names) {
  if (name.kind != ExprKind::kString) {
    return ValidationError("Tuple keys must be of type String. Actual type: {} under {}",
                           ClassName(name), path);
  }
  if (name.text.empty()) return ValidationError("Empty attribute name");
  if (names.insert(name.text).second) return absl::OkStatus();
  return ValidationError("Duplicate keys in tuple. Key: {} under {}", name.text, path);
}

// Writes literals as values.
class LiteralWriter {
 public:
  explicit LiteralWriter(ValueBuilder& builder) : builder_(builder) {}

  // `path` says where in the attribute's value the literal stands: "root.a[0]".
  Status Write(const Expr& expr, const std::string& path, int depth) {
    switch (expr.kind) {
      case ExprKind::kString:
        builder_.String(expr.text);
        return absl::OkStatus();
      case ExprKind::kNumber: {
        VARVE_ASSIGN_OR_RETURN(const Number number, NumberOf(expr, path));
        builder_.Number(number);
        return absl::OkStatus();
      }
      case ExprKind::kBool:
        builder_.Bool(expr.flag);
        return absl::OkStatus();
      case ExprKind::kNull:
        builder_.Null();
        return absl::OkStatus();
      case ExprKind::kList:
        return List(expr, path, depth);
      case ExprKind::kBag:
        return Bag(expr, path);
      case ExprKind::kTuple:
        return Tuple(expr, path, depth);
      default:
        return ValidationError("Unsupported data type: {} under key {} at {}", ClassName(expr),
                               path, ToString(expr.position));
    }
  }

 private:
  static StatusOr<Number> NumberOf(const Expr& expr, const std::string& path) {
    StatusOr<Number> number = Number::Parse(expr.text);
    if (number.ok()) return number;
    return ValidationError("{} under {}", Message(number.status()), path);
  }

  static Status TooDeep(const std::string& path) {
    return ValidationError("Nesting Levels have exceeded supported limits under {}", path);
  }

  Status List(const Expr& expr, const std::string& path, int depth) {
    builder_.BeginList();
    for (size_t i = 0; i < expr.operands.size(); ++i) {
      const std::string element_path = fmt::format("{}[{}]", path, i);
      if (depth >= kValueDepthMax) return TooDeep(element_path);
      VARVE_RETURN_IF_ERROR(Write(*expr.operands[i], element_path, depth + 1));
    }
    builder_.EndList();
    return absl::OkStatus();
  }

  Status Tuple(const Expr& expr, const std::string& path, int depth) {
    builder_.BeginMap();
    std::set<std::string_view> names;
    for (size_t i = 0; i + 1 < expr.operands.size(); i += 2) {
      const Expr& name = *expr.operands[i];
      VARVE_RETURN_IF_ERROR(CheckName(name, path, names));
      const std::string element_path = fmt::format("{}.{}", path, name.text);
      if (depth >= kValueDepthMax) return TooDeep(element_path);
      builder_.Name(name.text);
      VARVE_RETURN_IF_ERROR(Write(*expr.operands[i + 1], element_path, depth + 1));
    }
    builder_.EndMap();
    return absl::OkStatus();
  }

  Status Bag(const Expr& expr, const std::string& path) {
    if (expr.operands.empty()) return ValidationError("Empty bags are not supported");
    const ExprKind kind = expr.operands[0]->kind;
    const bool scalar = kind == ExprKind::kString || kind == ExprKind::kNumber;
    const bool same = std::all_of(expr.operands.begin(), expr.operands.end(),
                                  [&](const ExprPtr& element) { return element->kind == kind; });
    if (!scalar || !same) {
      return ValidationError(
          "Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags");
    }
    const bool numbers = kind == ExprKind::kNumber;
    builder_.BeginSet(numbers ? ValueType::kNumberSet : ValueType::kStringSet);
    std::string listed;
    for (const ExprPtr& element : expr.operands) {
      if (!listed.empty()) listed += ", ";
      listed += element->text;
      if (numbers) {
        VARVE_ASSIGN_OR_RETURN(const Number number, NumberOf(*element, path));
        builder_.Number(number);
      } else {
        builder_.String(element->text);
      }
    }
    if (builder_.EndSet()) return absl::OkStatus();
    return ValidationError(
        "One or more parameter values were invalid: Input collection [{}] contains duplicates{}",
        listed, numbers ? fmt::format("! under {}", path) : ".");
  }

  ValueBuilder& builder_;
};

// ---- Statements

class Compiler {
 public:
  explicit Compiler(const std::vector<Value>& parameters) : parameters_(parameters) {}

  StatusOr<Statement> Run(ParsedStatement& parsed) {
    VARVE_RETURN_IF_ERROR(Kind(parsed));
    VARVE_RETURN_IF_ERROR(Table(parsed));
    switch (out_.kind) {
      case Statement::Kind::kSelect:
      case Statement::Kind::kExists:
        VARVE_RETURN_IF_ERROR(Select(parsed));
        break;
      case Statement::Kind::kInsert:
        VARVE_RETURN_IF_ERROR(Insert(parsed));
        break;
      case Statement::Kind::kUpdate:
        VARVE_RETURN_IF_ERROR(Changes(parsed));
        break;
      case Statement::Kind::kDelete:
        break;
    }
    if (parsed.where != nullptr) {
      VARVE_ASSIGN_OR_RETURN(out_.where, Condition(*parsed.where));
      VARVE_RETURN_IF_ERROR(expression::CheckConditionOperands(*out_.where));
    }
    if (!out_.actions.empty()) {
      VARVE_RETURN_IF_ERROR(expression::CheckUpdateActions(out_.actions));
    }
    VARVE_RETURN_IF_ERROR(SetReturning(parsed));
    return std::move(out_);
  }

 private:
  Status Kind(const ParsedStatement& parsed) {
    switch (parsed.kind) {
      case ParsedStatement::Kind::kSelect:
        out_.kind = Statement::Kind::kSelect;
        break;
      case ParsedStatement::Kind::kInsert:
        out_.kind = Statement::Kind::kInsert;
        break;
      case ParsedStatement::Kind::kUpdate:
        out_.kind = Statement::Kind::kUpdate;
        break;
      case ParsedStatement::Kind::kDelete:
        out_.kind = Statement::Kind::kDelete;
        break;
      case ParsedStatement::Kind::kExists:
        out_.kind = Statement::Kind::kExists;
        break;
      case ParsedStatement::Kind::kExpression:
        return Unsupported(*parsed.expression);
    }
    if (parsed.foreign_clause.empty()) return absl::OkStatus();
    return ValidationError("Unsupported clause: {} at {}", parsed.foreign_clause,
                           ToString(parsed.foreign_clause_position));
  }

  Status Table(const ParsedStatement& parsed) {
    if (parsed.table.has_alias || parsed.has_column_alias) {
      return ValidationError("Aliasing is not supported");
    }
    const std::vector<std::string>& components = parsed.table.components;
    if (components.empty()) return ValidationError("Unexpected from source");
    if (components.size() > 2) {
      return ValidationError("A path may contain at most 2 components in the FROM clause");
    }
    for (const std::string& component : components) {
      if (component.empty()) {
        return ValidationError("Path component cannot be an empty string");
      }
    }
    out_.table = components[0];
    if (components.size() == 1) return absl::OkStatus();
    switch (out_.kind) {
      case Statement::Kind::kInsert:
        return ValidationError("FROM clause may only contain a single table name");
      case Statement::Kind::kUpdate:
      case Statement::Kind::kDelete:
        return ValidationError("This operation is not supported on an index");
      default:
        out_.index = components[1];
        return absl::OkStatus();
    }
  }

  Status Select(const ParsedStatement& parsed) {
    out_.all_columns = parsed.all_columns;
    out_.column_error = Columns(parsed);
    for (const ParsedStatement::OrderTerm& term : parsed.order_by) {
      if (term.by->kind != ExprKind::kPath) return Unsupported(*term.by);
      VARVE_ASSIGN_OR_RETURN(const Path path, PathOf(*term.by));
      if (path.size() > 1) return UnexpectedPathComponent(term.by->position);
      out_.order_by.push_back({path[0].name, term.ascending});
    }
    return absl::OkStatus();
  }

  Status Columns(const ParsedStatement& parsed) {
    if (parsed.all_columns && !parsed.columns.empty()) {
      return ValidationError(
          "Other attributes should not be present in the projection when '*' is used.");
    }
    std::set<std::string_view> names;
    out_.columns.reserve(parsed.columns.size());  // the names are referred to
    for (const ExprPtr& expr : parsed.columns) {
      if (expr->kind != ExprKind::kPath) return UnexpectedPathComponent(expr->position);
      Column column;
      VARVE_ASSIGN_OR_RETURN(column.path, PathOf(*expr));
      for (const PathElement& element : column.path) {
        column.name =
            element.is_index ? fmt::format("{}[{}]", column.name, element.index) : element.name;
      }
      out_.columns.push_back(std::move(column));
      if (!names.insert(out_.columns.back().name).second) {
        return ValidationError("Duplicate identifiers in select clause: {}",
                               out_.columns.back().name);
      }
    }
    return absl::OkStatus();
  }

  Status Insert(const ParsedStatement& parsed) {
    if (parsed.value == nullptr) return ValidationError("Unsupported operation: Insert");
    const Expr& tuple = *parsed.value;
    if (tuple.kind != ExprKind::kTuple) {
      return ValidationError("Unsupported data type: {} under key root at {}", ClassName(tuple),
                             ToString(tuple.position));
    }
    ValueBuilder builder;
    builder.BeginMap();
    std::set<std::string_view> names;
    for (size_t i = 0; i + 1 < tuple.operands.size(); i += 2) {
      const Expr& name = *tuple.operands[i];
      VARVE_RETURN_IF_ERROR(CheckName(name, "root", names));
      builder.Name(name.text);
      const Expr& value = *tuple.operands[i + 1];
      if (value.kind == ExprKind::kParameter) {
        if (value.number >= parameters_.size()) return ParametersDoNotMatch();
        builder.Copy(parameters_[value.number]);
      } else {
        VARVE_RETURN_IF_ERROR(LiteralWriter(builder).Write(value, "root", 0));
      }
    }
    builder.EndMap();
    out_.item = Item(builder.Finish());
    return absl::OkStatus();
  }

  Status Changes(const ParsedStatement& parsed) {
    for (const ParsedStatement::Change& change : parsed.changes) {
      Update::Action action;
      action.kind = Update::Action::Kind::kRemove;
      VARVE_ASSIGN_OR_RETURN(action.path, PathOf(*change.path));
      if (change.value != nullptr) {
        action.kind = Update::Action::Kind::kSet;
        VARVE_RETURN_IF_ERROR(SetValue(*change.value, action));
      }
      out_.actions.push_back(std::move(action));
    }
    return absl::OkStatus();
  }

  Status SetValue(const Expr& expr, Update::Action& action) {
    const bool add = expr.kind == ExprKind::kCall && expr.text == "set_add";
    const bool remove = expr.kind == ExprKind::kCall && expr.text == "set_delete";
    if (!add && !remove) {
      VARVE_ASSIGN_OR_RETURN(action.value, UpdateOperand(expr));
      return absl::OkStatus();
    }
    const std::string name = Upper(expr.text);
    if (expr.operands.size() != 2) {
      return ValidationError("{} must have exactly two arguments at {}", name,
                             ToString(expr.position));
    }
    const Expr& first = *expr.operands[0];
    bool same = first.kind == ExprKind::kPath;
    if (same) {
      VARVE_ASSIGN_OR_RETURN(const Path path, PathOf(first));
      same = path == action.path;
    }
    if (!same) {
      return ValidationError("The first argument to {} must equal the assignment value at {}", name,
                             ToString(expr.position));
    }
    const Expr& second = *expr.operands[1];
    if (IsLiteral(second) || second.kind == ExprKind::kParameter) {
      VARVE_ASSIGN_OR_RETURN(action.value, ValueOf(second));
    }
    if (action.value == nullptr || !IsSet(action.value->value.type())) {
      return ValidationError("The second argument to {} must be a value with type SET at {}", name,
                             ToString(first.position));
    }
    action.kind = add ? Update::Action::Kind::kAdd : Update::Action::Kind::kDelete;
    return absl::OkStatus();
  }

  // The right side of SET.
  StatusOr<NodePtr> UpdateOperand(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kPath:
        return PathNode(expr);
      case ExprKind::kPlus:
      case ExprKind::kMinus: {
        const bool plus = expr.kind == ExprKind::kPlus;
        NodePtr node = MakeNode(plus ? NodeKind::kPlus : NodeKind::kMinus);
        VARVE_RETURN_IF_ERROR(UpdateOperands(expr, *node));
        return node;
      }
      case ExprKind::kCall: {
        if (expr.text != "list_append") return Unrecognized(expr);
        NodePtr node = MakeFunction(Function::kListAppend, expr.text);
        VARVE_RETURN_IF_ERROR(UpdateOperands(expr, *node));
        return node;
      }
      default:
        if (IsLiteral(expr) || expr.kind == ExprKind::kParameter) return ValueOf(expr);
        return Unsupported(expr);
    }
  }

  Status UpdateOperands(const Expr& expr, Node& node) {
    for (const ExprPtr& operand : expr.operands) {
      VARVE_ASSIGN_OR_RETURN(NodePtr child, UpdateOperand(*operand));
      node.operands.push_back(std::move(child));
    }
    return absl::OkStatus();
  }

  static Status Unrecognized(const Expr& call) {
    return ValidationError("Unrecognized function: {} at {}", call.text, ToString(call.position));
  }

  // ---- Conditions

  StatusOr<NodePtr> Condition(const Expr& expr) {
    switch (expr.kind) {
      case ExprKind::kAnd:
      case ExprKind::kOr:
      case ExprKind::kNot: {
        NodePtr node = MakeNode(expr.kind == ExprKind::kAnd  ? NodeKind::kAnd
                                : expr.kind == ExprKind::kOr ? NodeKind::kOr
                                                             : NodeKind::kNot);
        for (const ExprPtr& operand : expr.operands) {
          VARVE_ASSIGN_OR_RETURN(NodePtr child, Condition(*operand));
          node->operands.push_back(std::move(child));
        }
        return node;
      }
      case ExprKind::kEqual:
        return Comparison(expr, NodeKind::kEqual);
      case ExprKind::kNotEqual:
        return Comparison(expr, NodeKind::kNotEqual);
      case ExprKind::kLess:
        return Comparison(expr, NodeKind::kLess);
      case ExprKind::kLessOrEqual:
        return Comparison(expr, NodeKind::kLessOrEqual);
      case ExprKind::kGreater:
        return Comparison(expr, NodeKind::kGreater);
      case ExprKind::kGreaterOrEqual:
        return Comparison(expr, NodeKind::kGreaterOrEqual);
      case ExprKind::kBetween:
        return Comparison(expr, NodeKind::kBetween);
      case ExprKind::kIn:
        return In(expr);
      case ExprKind::kIs:
        return Is(expr);
      case ExprKind::kCall: {
        VARVE_ASSIGN_OR_RETURN(NodePtr node, Call(expr));
        if (node->function != Function::kSize) return node;
        return ValidationError(
            "The function is not allowed to be used this way in an expression; function: size");
      }
      case ExprKind::kPath:
        return UnexpectedPathComponent(expr.position);
      default:
        return Unsupported(expr);
    }
  }

  StatusOr<NodePtr> Comparison(const Expr& expr, NodeKind kind) {
    NodePtr node = MakeNode(kind);
    for (const ExprPtr& operand : expr.operands) {
      VARVE_ASSIGN_OR_RETURN(NodePtr child, Operand(*operand));
      node->operands.push_back(std::move(child));
    }
    return node;
  }

  StatusOr<NodePtr> In(const Expr& expr) {
    const Expr& collection = *expr.operands[1];
    if (collection.kind != ExprKind::kList && collection.kind != ExprKind::kBag) {
      return Unsupported(collection);
    }
    NodePtr node = MakeNode(NodeKind::kIn);
    VARVE_ASSIGN_OR_RETURN(NodePtr value, Operand(*expr.operands[0]));
    node->operands.push_back(std::move(value));
    for (const ExprPtr& element : collection.operands) {
      VARVE_ASSIGN_OR_RETURN(NodePtr child, Operand(*element));
      node->operands.push_back(std::move(child));
    }
    return node;
  }

  StatusOr<NodePtr> Is(const Expr& expr) {
    if (expr.operands[0]->kind != ExprKind::kPath) return Unsupported(expr);
    VARVE_ASSIGN_OR_RETURN(NodePtr path, PathNode(*expr.operands[0]));
    if (expr.text == "missing") {
      NodePtr node = MakeFunction(Function::kAttributeNotExists, "attribute_not_exists");
      node->operands.push_back(std::move(path));
      return node;
    }
    for (const TypeName& type : kTypeNames) {
      if (type.name != expr.text) continue;
      NodePtr node = MakeFunction(Function::kAttributeType, "attribute_type");
      node->operands.push_back(std::move(path));
      NodePtr name = MakeNode(NodeKind::kValue);
      name->value = out_.literals.emplace_back(Value::String(type.attribute_type)).view();
      node->operands.push_back(std::move(name));
      return node;
    }
    return ValidationError(
        "Unsupported data type for IS operator: {}. Supported data types are [MISSING, NULL, "
        "BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]",
        Upper(expr.text));
  }

  StatusOr<NodePtr> Call(const Expr& expr) {
    for (const FunctionName& function : kConditionFunctions) {
      if (function.name != expr.text) continue;
      NodePtr node = MakeFunction(function.function, function.name);
      for (const ExprPtr& operand : expr.operands) {
        VARVE_ASSIGN_OR_RETURN(NodePtr child, Operand(*operand));
        node->operands.push_back(std::move(child));
      }
      return node;
    }
    return Unrecognized(expr);
  }

  // A side of a comparison; a condition counts as a boolean.
  StatusOr<NodePtr> Operand(const Expr& expr) {
    if (IsLiteral(expr) || expr.kind == ExprKind::kParameter) return ValueOf(expr);
    if (expr.kind == ExprKind::kPath) return PathNode(expr);
    if (expr.kind == ExprKind::kCall) return Call(expr);
    if (IsCondition(expr)) return Condition(expr);
    return Unsupported(expr);
  }

  StatusOr<NodePtr> ValueOf(const Expr& expr) {
    NodePtr node = MakeNode(NodeKind::kValue);
    if (expr.kind == ExprKind::kParameter) {
      if (expr.number >= parameters_.size()) return ParametersDoNotMatch();
      node->value = parameters_[expr.number].view();
      return node;
    }
    ValueBuilder builder;
    VARVE_RETURN_IF_ERROR(LiteralWriter(builder).Write(expr, "root", 0));
    node->value = out_.literals.emplace_back(Value(builder.Finish())).view();
    return node;
  }

  StatusOr<NodePtr> PathNode(const Expr& expr) {
    NodePtr node = MakeNode(NodeKind::kPath);
    VARVE_ASSIGN_OR_RETURN(node->path, PathOf(expr));
    return node;
  }

  static StatusOr<Path> PathOf(const Expr& expr) {
    if (!expr.operands.empty()) return Unsupported(expr);
    Path path;
    for (const PathStep& step : expr.steps) {
      PathElement& element = path.emplace_back();
      if (step.kind == PathStep::Kind::kOther) return UnexpectedPathComponent(step.position);
      if (step.kind == PathStep::Kind::kName) {
        if (step.text.empty()) return ValidationError("Path component cannot be an empty string");
        element.name = step.text;
        continue;
      }
      element.is_index = true;
      const bool negative = step.text.starts_with('-');
      const std::string_view digits = std::string_view(step.text).substr(negative ? 1 : 0);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), element.index);
      const bool whole = error == std::errc() && end == digits.data() + digits.size();
      if (!whole || element.index > INT32_MAX || (negative && element.index != 0)) {
        return ValidationError("List index is not within the allowable range; index: [{}] at {}",
                               step.text, ToString(step.position));
      }
    }
    if (path.size() > expression::kPathElementsMax) {
      return ValidationError("The document path has too many nesting elements; nesting levels: {}",
                             path.size());
    }
    return path;
  }

  Status SetReturning(const ParsedStatement& parsed) {
    if (parsed.returning.empty()) return absl::OkStatus();
    if (out_.kind == Statement::Kind::kInsert) {
      return ValidationError("RETURNING is not supported in INSERT");
    }
    if (out_.kind == Statement::Kind::kDelete && parsed.returning != "ALL OLD") {
      return ValidationError(
          "Invalid returning clause: RETURNING {} *. Only RETURNING ALL OLD * is allowed in DELETE "
          "statements.",
          parsed.returning);
    }
    out_.returning = parsed.returning == "ALL OLD"        ? Returning::kAllOld
                     : parsed.returning == "MODIFIED OLD" ? Returning::kModifiedOld
                     : parsed.returning == "ALL NEW"      ? Returning::kAllNew
                                                          : Returning::kModifiedNew;
    return absl::OkStatus();
  }

  const std::vector<Value>& parameters_;
  Statement out_;
};

std::string PathText(const Path& path) {
  std::string text;
  for (const PathElement& element : path) {
    if (element.is_index) {
      text += fmt::format("[{}]", element.index);
    } else {
      text += text.empty() ? element.name : "." + element.name;
    }
  }
  return text;
}

}  // namespace

StatusOr<Statement> Compile(std::string_view text, const std::vector<Value>& parameters) {
  VARVE_ASSIGN_OR_RETURN(ParsedStatement parsed, ParseStatement(text));
  return Compiler(parameters).Run(parsed);
}

std::unique_ptr<Node> Clone(const Node& node) {
  auto clone = std::make_unique<Node>(node.kind);
  clone->function = node.function;
  clone->parenthesized = node.parenthesized;
  clone->name = node.name;
  clone->path = node.path;
  clone->value_index = node.value_index;
  clone->value = node.value;
  for (const NodePtr& operand : node.operands) clone->operands.push_back(Clone(*operand));
  return clone;
}

std::string ToString(const Node& node) {
  const auto operands = [&node](size_t from) {
    std::string text;
    for (size_t i = from; i < node.operands.size(); ++i) {
      if (i > from) text += ", ";
      text += ToString(*node.operands[i]);
    }
    return text;
  };
  switch (node.kind) {
    case NodeKind::kPath:
      return PathText(node.path);
    case NodeKind::kValue: {
      std::string text;
      AppendJson(node.value, text);
      return text;
    }
    case NodeKind::kFunction:
      return fmt::format("{}({})", node.name, operands(0));
    case NodeKind::kBetween:
      return fmt::format("({} BETWEEN {} AND {})", ToString(*node.operands[0]),
                         ToString(*node.operands[1]), ToString(*node.operands[2]));
    case NodeKind::kIn:
      return fmt::format("({} IN [{}])", ToString(*node.operands[0]), operands(1));
    case NodeKind::kNot:
      return fmt::format("NOT {}", operands(0));
    default: {
      std::string text = "(";
      for (size_t i = 0; i < node.operands.size(); ++i) {
        if (i > 0) text += fmt::format(" {} ", expression::OperatorName(node));
        text += ToString(*node.operands[i]);
      }
      return text + ")";
    }
  }
}

Item Project(const std::vector<Column>& columns, const ItemView& item) {
  ValueBuilder builder;
  builder.BeginMap();
  for (const Column& column : columns) {
    const std::optional<ValueView> value = expression::Find(item, column.path);
    if (!value) continue;
    builder.Name(column.name);
    builder.Copy(*value);
  }
  builder.EndMap();
  return Item(builder.Finish());
}

}  // namespace varve::item::partiql
