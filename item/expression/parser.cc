#include "item/expression/parser.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "item/errors.h"
#include "item/expression/lexer.h"

namespace varve::item::expression {
namespace {

using NodePtr = std::unique_ptr<Node>;

// Parentheses and functions inside one another. Deeper nesting has redundant parentheses or more
// operators than are allowed, so the limit hides no valid expression.
constexpr int kDepthMax = 400;

constexpr std::string_view kConditionKeywords[] = {"AND", "OR", "NOT", "IN", "BETWEEN"};
constexpr std::string_view kUpdateKeywords[] = {"SET", "REMOVE", "ADD", "DELETE"};

Function FunctionNamed(std::string_view name) {
  static constexpr std::pair<std::string_view, Function> kFunctions[] = {
      {"attribute_exists", Function::kAttributeExists},
      {"attribute_not_exists", Function::kAttributeNotExists},
      {"attribute_type", Function::kAttributeType},
      {"begins_with", Function::kBeginsWith},
      {"contains", Function::kContains},
      {"size", Function::kSize},
      {"if_not_exists", Function::kIfNotExists},
      {"list_append", Function::kListAppend},
  };
  for (const auto& [known, function] : kFunctions) {
    if (known == name) return function;
  }
  return Function::kUnknown;
}

// Recursive descent. A function that fails sets error_ and returns null or false, and so do its
// callers.
class Parser {
 public:
  Parser(std::string_view parameter, std::string_view text)
      : parameter_(parameter), tokens_(Tokenize(text)) {}

  StatusOr<ParsedCondition> Condition() {
    keywords_ = kConditionKeywords;
    ParsedCondition parsed;
    parsed.root = Or(/*operand_allowed=*/false);
    if (parsed.root == nullptr || !AtEnd()) return error_;
    parsed.redundant_parentheses = redundant_;
    parsed.operators = operators_;
    return parsed;
  }

  StatusOr<ParsedUpdate> UpdateExpression() {
    keywords_ = kUpdateKeywords;
    ParsedUpdate parsed;
    bool seen[std::size(kUpdateKeywords)] = {};
    do {
      const int section = KeywordIndex(token());
      if (section < 0) {
        Fail();
        return error_;
      }
      if (seen[section] && parsed.repeated_section.empty()) {
        parsed.repeated_section = kUpdateKeywords[section];
      }
      seen[section] = true;
      ++next_;
      do {
        if (!Action(static_cast<Update::Action::Kind>(section), parsed.actions)) return error_;
      } while (Accept(","));
    } while (token().kind != TokenKind::kEnd);
    parsed.operators = operators_;
    return parsed;
  }

  StatusOr<std::vector<Path>> Projection() {
    std::vector<Path> paths;
    do {
      paths.emplace_back();
      if (!ParsePath(paths.back())) return error_;
    } while (Accept(","));
    if (!AtEnd()) return error_;
    return paths;
  }

 private:
  const Token& token() const { return tokens_[next_]; }

  void Fail() { error_ = InvalidExpression(parameter_, SyntaxError(tokens_, next_)); }

  bool Accept(std::string_view symbol) {
    if (!token().Is(symbol)) return false;
    ++next_;
    return true;
  }

  bool AcceptKeyword(std::string_view keyword) {
    if (!IsKeyword(token(), keyword)) return false;
    ++next_;
    return true;
  }

  bool Expect(std::string_view symbol) {
    if (Accept(symbol)) return true;
    Fail();
    return false;
  }

  bool AtEnd() {
    if (token().kind == TokenKind::kEnd) return true;
    Fail();
    return false;
  }

  int KeywordIndex(const Token& token) const {
    for (size_t i = 0; i < keywords_.size(); ++i) {
      if (IsKeyword(token, keywords_[i])) return static_cast<int>(i);
    }
    return -1;
  }

  bool Deeper() {
    if (++depth_ <= kDepthMax) return true;
    switch (Nesting()) {
      case Parentheses::kUnbalanced:
        next_ = tokens_.size() - 1;
        Fail();
        break;
      case Parentheses::kRedundant:
        error_ = InvalidExpression(parameter_, "The expression has redundant parentheses;");
        break;
      case Parentheses::kNeeded:
        error_ = InvalidExpression(
            parameter_,
            fmt::format("The expression contains too many operators; operator count: {}",
                        std::max(operators_, kOperatorsMax + 1)));
        break;
    }
    return false;
  }

  // What is to be said of an expression that is too deep to be parsed.
  enum class Parentheses : uint8_t { kUnbalanced, kRedundant, kNeeded };
  Parentheses Nesting() const {
    std::vector<size_t> open;               // the tokens of the parentheses that are
    size_t closed_open = 0, closed_at = 0;  // the pair that was closed last
    bool redundant = false;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].Is("(")) open.push_back(i);
      if (!tokens_[i].Is(")")) continue;
      if (open.empty()) return Parentheses::kUnbalanced;
      const size_t begin = open.back();
      open.pop_back();
      const bool call = begin > 0 && tokens_[begin - 1].kind == TokenKind::kIdentifier &&
                        KeywordIndex(tokens_[begin - 1]) < 0;
      redundant |= !call && closed_open == begin + 1 && closed_at + 1 == i;
      closed_open = begin;
      closed_at = i;
    }
    if (!open.empty()) return Parentheses::kUnbalanced;
    return redundant ? Parentheses::kRedundant : Parentheses::kNeeded;
  }

  NodePtr Operator(NodeKind kind) {
    ++operators_;
    return std::make_unique<Node>(kind);
  }

  // With `operand_allowed`, a mere operand may stand where a condition is expected, if a closing
  // parenthesis follows: what comes after that decides.
  NodePtr Or(bool operand_allowed) {
    return Chain(NodeKind::kOr, "OR", operand_allowed,
                 [this](bool allowed) { return And(allowed); });
  }

  NodePtr And(bool operand_allowed) {
    return Chain(NodeKind::kAnd, "AND", operand_allowed,
                 [this](bool allowed) { return Not(allowed); });
  }

  template <typename Parse>
  NodePtr Chain(NodeKind kind, std::string_view keyword, bool operand_allowed, Parse parse) {
    NodePtr first = parse(operand_allowed);
    if (first == nullptr || !IsKeyword(token(), keyword)) return first;
    NodePtr chain = std::make_unique<Node>(kind);
    chain->operands.push_back(std::move(first));
    while (AcceptKeyword(keyword)) {
      ++operators_;
      NodePtr next = parse(false);
      if (next == nullptr) return nullptr;
      chain->operands.push_back(std::move(next));
    }
    return chain;
  }

  NodePtr Not(bool operand_allowed) {
    size_t count = 0;
    while (AcceptKeyword("NOT")) ++count;
    NodePtr node = Predicate(operand_allowed && count == 0);
    for (; node != nullptr && count > 0; --count) {
      NodePtr negation = Operator(NodeKind::kNot);
      negation->operands.push_back(std::move(node));
      node = std::move(negation);
    }
    return node;
  }

  NodePtr Predicate(bool operand_allowed) {
    NodePtr left = Primary();
    if (left == nullptr || left->is_condition()) return left;

    static constexpr std::pair<std::string_view, NodeKind> kComparators[] = {
        {"=", NodeKind::kEqual},   {"<>", NodeKind::kNotEqual},
        {"<", NodeKind::kLess},    {"<=", NodeKind::kLessOrEqual},
        {">", NodeKind::kGreater}, {">=", NodeKind::kGreaterOrEqual},
    };
    for (const auto& [symbol, kind] : kComparators) {
      if (!Accept(symbol)) continue;
      NodePtr node = Operator(kind);
      node->operands.push_back(std::move(left));
      return AddOperand(*node) ? std::move(node) : nullptr;
    }
    if (AcceptKeyword("BETWEEN")) {
      NodePtr node = Operator(NodeKind::kBetween);
      node->operands.push_back(std::move(left));
      if (!AddOperand(*node)) return nullptr;
      if (!AcceptKeyword("AND")) {
        Fail();
        return nullptr;
      }
      return AddOperand(*node) ? std::move(node) : nullptr;
    }
    if (AcceptKeyword("IN")) {
      NodePtr node = Operator(NodeKind::kIn);
      node->operands.push_back(std::move(left));
      if (!Expect("(") || !AddOperands(*node)) return nullptr;
      return node;
    }
    if (left->kind == NodeKind::kFunction) return left;
    if (operand_allowed && token().Is(")")) return left;
    Fail();
    return nullptr;
  }

  // An operand, or anything in parentheses.
  NodePtr Primary() {
    if (!token().Is("(")) return Operand();
    return Parenthesized([this] { return Or(/*operand_allowed=*/true); });
  }

  NodePtr Operand() {
    if (token().Is("(")) {
      return Parenthesized([this] { return Operand(); });
    }
    if (token().kind == TokenKind::kValue) return ValueNode();
    if (token().kind == TokenKind::kIdentifier && tokens_[next_ + 1].Is("(") &&
        KeywordIndex(token()) < 0) {
      return FunctionCall();
    }
    NodePtr node = std::make_unique<Node>(NodeKind::kPath);
    if (!ParsePath(node->path)) return nullptr;
    return node;
  }

  template <typename Parse>
  NodePtr Parenthesized(Parse parse) {
    if (!Deeper() || !Expect("(")) return nullptr;
    NodePtr inner = parse();
    if (inner == nullptr || !Expect(")")) return nullptr;
    --depth_;
    if (inner->parenthesized) redundant_ = true;
    inner->parenthesized = true;
    if (inner->kind == NodeKind::kPath && keywords_.data() == kConditionKeywords &&
        (token().Is(".") || token().Is("["))) {
      inner->parenthesized = false;
      if (!PathRest(inner->path)) return nullptr;
    }
    return inner;
  }

  NodePtr ValueNode() {
    NodePtr node = std::make_unique<Node>(NodeKind::kValue);
    node->name = token().text;
    ++next_;
    return node;
  }

  NodePtr FunctionCall() {
    if (!Deeper()) return nullptr;
    NodePtr node = Operator(NodeKind::kFunction);
    node->name = token().text;
    node->function = FunctionNamed(token().text);
    next_ += 2;
    if (!AddOperands(*node)) return nullptr;
    --depth_;
    return node;
  }

  bool AddOperand(Node& node) {
    NodePtr operand = Operand();
    if (operand == nullptr) return false;
    node.operands.push_back(std::move(operand));
    return true;
  }

  // The rest of a list in parentheses.
  bool AddOperands(Node& node) {
    do {
      if (!AddOperand(node)) return false;
    } while (Accept(","));
    return Expect(")");
  }

  bool ParsePath(Path& path) { return PathStep(path) && PathRest(path); }

  bool PathStep(Path& path) {
    const bool identifier = token().kind == TokenKind::kIdentifier && KeywordIndex(token()) < 0;
    if (!identifier && token().kind != TokenKind::kName) {
      Fail();
      return false;
    }
    path.emplace_back().name = token().text;
    ++next_;
    return true;
  }

  bool PathRest(Path& path) {
    while (true) {
      if (Accept(".")) {
        if (!PathStep(path)) return false;
      } else if (Accept("[")) {
        if (!PathIndex(path)) return false;
      } else {
        return true;
      }
    }
  }

  bool PathIndex(Path& path) {
    if (token().kind != TokenKind::kInteger) {
      Fail();
      return false;
    }
    const std::string_view text = token().text;
    uint32_t index = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), index);
    if (result.ec != std::errc() || index > INT32_MAX) {
      error_ = InvalidExpression(
          parameter_,
          fmt::format("List index is not within the allowable range; index: [{}]", text));
      return false;
    }
    PathElement& element = path.emplace_back();
    element.index = index;
    element.is_index = true;
    ++next_;
    return Expect("]");
  }

  bool Action(Update::Action::Kind kind, std::vector<Update::Action>& actions) {
    Update::Action action{kind, {}, nullptr};
    if (!ParsePath(action.path)) return false;
    switch (kind) {
      case Update::Action::Kind::kSet:
        if (!Expect("=")) return false;
        action.value = Sum();
        if (action.value == nullptr) return false;
        break;
      case Update::Action::Kind::kRemove:
        break;
      case Update::Action::Kind::kAdd:
      case Update::Action::Kind::kDelete:
        if (token().kind != TokenKind::kValue) {
          Fail();
          return false;
        }
        action.value = ValueNode();
        break;
    }
    actions.push_back(std::move(action));
    return true;
  }

  NodePtr Sum() {
    NodePtr left = token().Is("(") ? Parenthesized([this] { return Sum(); }) : Operand();
    if (left == nullptr) return nullptr;
    const bool plus = token().Is("+");
    if (!plus && !token().Is("-")) return left;
    if (left->kind == NodeKind::kPlus || left->kind == NodeKind::kMinus) {
      Fail();  // one operator a sum
      return nullptr;
    }
    ++next_;
    NodePtr node = Operator(plus ? NodeKind::kPlus : NodeKind::kMinus);
    node->operands.push_back(std::move(left));
    return AddOperand(*node) ? std::move(node) : nullptr;
  }

  const std::string_view parameter_;
  const std::vector<Token> tokens_;
  std::span<const std::string_view> keywords_;
  size_t next_ = 0;
  int depth_ = 0;
  size_t operators_ = 0;
  bool redundant_ = false;
  Status error_;
};

}  // namespace

Status InvalidExpression(std::string_view parameter, std::string_view problem) {
  return ValidationError("Invalid {}: {}", parameter, problem);
}

StatusOr<ParsedCondition> ParseCondition(std::string_view parameter, std::string_view text) {
  return Parser(parameter, text).Condition();
}

StatusOr<ParsedUpdate> ParseUpdate(std::string_view parameter, std::string_view text) {
  return Parser(parameter, text).UpdateExpression();
}

StatusOr<std::vector<Path>> ParseProjection(std::string_view parameter, std::string_view text) {
  return Parser(parameter, text).Projection();
}

}  // namespace varve::item::expression
