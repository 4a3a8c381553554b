#include "item/partiql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "item/errors.h"

namespace varve::item::partiql {
namespace {

// Binary operators bind by these; a higher one binds closer.
enum Precedence : int {
  kLowest = 0,
  kOrPrecedence,
  kAndPrecedence,
  kNotPrecedence,
  kEqualityPrecedence,
  kComparisonPrecedence,
  kSumPrecedence,
  kProductPrecedence,
};

struct Infix {
  std::string_view text;
  Precedence precedence;
  ExprKind kind;
};

constexpr Infix kInfixOperators[] = {
    {"=", kEqualityPrecedence, ExprKind::kEqual},
    {"<>", kEqualityPrecedence, ExprKind::kNotEqual},
    {"<", kComparisonPrecedence, ExprKind::kLess},
    {"<=", kComparisonPrecedence, ExprKind::kLessOrEqual},
    {">", kComparisonPrecedence, ExprKind::kGreater},
    {">=", kComparisonPrecedence, ExprKind::kGreaterOrEqual},
    {"+", kSumPrecedence, ExprKind::kPlus},
    {"-", kSumPrecedence, ExprKind::kMinus},
    {"||", kSumPrecedence, ExprKind::kConcat},
    {"*", kProductPrecedence, ExprKind::kMultiply},
    {"/", kProductPrecedence, ExprKind::kDivide},
    {"%", kProductPrecedence, ExprKind::kModulo},
};
constexpr Infix kInfixKeywords[] = {
    {"or", kOrPrecedence, ExprKind::kOr},
    {"and", kAndPrecedence, ExprKind::kAnd},
    {"is", kEqualityPrecedence, ExprKind::kIs},
    {"in", kEqualityPrecedence, ExprKind::kIn},
    {"between", kComparisonPrecedence, ExprKind::kBetween},
    {"like", kComparisonPrecedence, ExprKind::kLike},
};

// Keywords that are functions where a parenthesis follows.
constexpr std::string_view kFunctionKeywords[] = {
    "avg", "char_length", "character_length", "coalesce", "count",     "exists", "extract", "lower",
    "max", "min",         "nullif",           "size",     "substring", "sum",    "trim",    "upper",
};

// Names of types after IS, the first words of two-word names included.
constexpr std::string_view kTypes[] = {
    "any",       "bag",     "bigint", "blob",    "bool",      "boolean",  "char",
    "character", "clob",    "date",   "decimal", "double",    "float",    "int",
    "int2",      "int4",    "int8",   "integer", "integer2",  "integer4", "integer8",
    "list",      "missing", "null",   "numeric", "real",      "sexp",     "smallint",
    "string",    "struct",  "symbol", "time",    "timestamp", "tuple",    "varchar",
};

template <typename Range>
bool Has(const Range& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool StartsStatement(const Token& token) {
  return token.kind == TokenKind::kKeyword &&
         (token.text == "select" || token.text == "insert" || token.text == "update" ||
          token.text == "delete" || token.text == "from");
}

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  StatusOr<ParsedStatement> Run() {
    VARVE_ASSIGN_OR_RETURN(ParsedStatement statement, Top());
    if (Head().kind == TokenKind::kEnd) return statement;
    if (!TakeSymbol(";")) return NotWellFormed("Unexpected token after expression");
    if (Head().kind == TokenKind::kEnd) return statement;
    return NotWellFormed("Unexpected token after semicolon. (Only one query is allowed.)");
  }

 private:
  const Token& Head() const { return tokens_[at_]; }
  const Token& Ahead(size_t n) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
  Token Take() {
    Token token = Head();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool TakeSymbol(std::string_view symbol) {
    if (!Head().IsSymbol(symbol)) return false;
    Take();
    return true;
  }
  bool TakeKeyword(std::string_view keyword) {
    if (!Head().IsKeyword(keyword)) return false;
    Take();
    return true;
  }

  Status CountOperator() {
    if (++operators_ <= kStatementOperatorsMax) return absl::OkStatus();
    return ValidationError("The expression contains too many operators; operator count: {}",
                           operators_);
  }

  // ---- Statements

  StatusOr<ParsedStatement> Top() {
    if (StartsStatement(Head())) return Statement();
    if (Head().IsKeyword("exists") && Ahead(1).IsSymbol("(") && Ahead(2).IsKeyword("select")) {
      Take();
      Take();
      VARVE_ASSIGN_OR_RETURN(ParsedStatement statement, Statement());
      if (!TakeSymbol(")")) return NotWellFormed("Expected RIGHT_PAREN");
      statement.kind = ParsedStatement::Kind::kExists;
      return statement;
    }
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kExpression;
    VARVE_ASSIGN_OR_RETURN(statement.expression, Expression(kLowest));
    return statement;
  }

  StatusOr<ParsedStatement> Statement() {
    const Token keyword = Take();
    if (keyword.text == "select") return Select();
    if (keyword.text == "insert") return Insert();
    if (keyword.text == "update") return Update();
    if (keyword.text == "delete") return Delete();
    return FromFirst();
  }

  StatusOr<ParsedStatement> Select() {
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kSelect;
    if (Head().IsKeyword("distinct")) Foreign("DISTINCT", statement);
    if (Head().IsKeyword("value")) Foreign("VALUE", statement);
    TakeKeyword("all");
    do {
      if (Head().IsOperator("*")) {
        Take();
        statement.all_columns = true;
        continue;
      }
      VARVE_ASSIGN_OR_RETURN(ExprPtr column, Expression(kLowest));
      statement.columns.push_back(std::move(column));
      VARVE_ASSIGN_OR_RETURN(const bool alias, Alias());
      statement.has_column_alias |= alias;
    } while (TakeSymbol(","));
    if (!TakeKeyword("from")) return NotWellFormed("Expected FROM");
    VARVE_ASSIGN_OR_RETURN(const ExprPtr source, Expression(kLowest));
    SetTable(*source, statement.table);
    VARVE_ASSIGN_OR_RETURN(statement.table.has_alias, Alias());
    while (TakeSymbol(",")) {
      VARVE_RETURN_IF_ERROR(Expression(kLowest).status());
      VARVE_RETURN_IF_ERROR(Alias().status());
      statement.table.components.clear();
    }
    VARVE_RETURN_IF_ERROR(Where(statement));
    if (Head().IsKeyword("group")) {
      Foreign("GROUP BY", statement);
      if (!TakeKeyword("by")) return NotWellFormed("Unexpected keyword");
      do {
        VARVE_RETURN_IF_ERROR(Expression(kLowest).status());
      } while (TakeSymbol(","));
    }
    if (Head().IsKeyword("having")) {
      Foreign("HAVING", statement);
      VARVE_RETURN_IF_ERROR(Expression(kLowest).status());
    }
    VARVE_RETURN_IF_ERROR(OrderBy(statement));
    if (Head().IsKeyword("limit")) {
      Foreign("LIMIT", statement);
      VARVE_RETURN_IF_ERROR(Expression(kLowest).status());
    }
    return statement;
  }

  // Takes the keyword of a clause that DynamoDB has not.
  void Foreign(std::string_view clause, ParsedStatement& statement) {
    const Token token = Take();
    if (!statement.foreign_clause.empty()) return;
    statement.foreign_clause = clause;
    statement.foreign_clause_position = token.position;
  }

  Status OrderBy(ParsedStatement& statement) {
    if (!Head().IsKeyword("order")) return absl::OkStatus();
    Take();
    if (!TakeKeyword("by")) return NotWellFormed("Unexpected keyword");
    do {
      ParsedStatement::OrderTerm term;
      VARVE_ASSIGN_OR_RETURN(term.by, Expression(kLowest));
      if (TakeKeyword("desc")) {
        term.ascending = false;
      } else {
        TakeKeyword("asc");
      }
      statement.order_by.push_back(std::move(term));
    } while (TakeSymbol(","));
    return absl::OkStatus();
  }

  StatusOr<ParsedStatement> Insert() {
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kInsert;
    if (!TakeKeyword("into")) return NotWellFormed("Expected INTO");
    VARVE_ASSIGN_OR_RETURN(const ExprPtr table, SimplePath());
    SetTable(*table, statement.table);
    if (TakeKeyword("value")) {
      VARVE_ASSIGN_OR_RETURN(statement.value, Expression(kLowest));
    } else {
      // INSERT INTO table <<...>>, which is PartiQL all the same.
      VARVE_RETURN_IF_ERROR(Expression(kLowest).status());
    }
    VARVE_RETURN_IF_ERROR(Returning(statement));
    return statement;
  }

  StatusOr<ParsedStatement> Update() {
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kUpdate;
    VARVE_RETURN_IF_ERROR(Target(statement));
    VARVE_RETURN_IF_ERROR(Changes(statement));
    VARVE_RETURN_IF_ERROR(Where(statement));
    VARVE_RETURN_IF_ERROR(Returning(statement));
    return statement;
  }

  StatusOr<ParsedStatement> FromFirst() {
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kUpdate;
    VARVE_ASSIGN_OR_RETURN(const ExprPtr source, Expression(kLowest));
    SetTable(*source, statement.table);
    VARVE_ASSIGN_OR_RETURN(statement.table.has_alias, Alias());
    VARVE_RETURN_IF_ERROR(Where(statement));
    VARVE_RETURN_IF_ERROR(Changes(statement));
    VARVE_RETURN_IF_ERROR(Returning(statement));
    return statement;
  }

  StatusOr<ParsedStatement> Delete() {
    ParsedStatement statement;
    statement.kind = ParsedStatement::Kind::kDelete;
    if (!TakeKeyword("from")) return NotWellFormed("Expected FROM");
    VARVE_RETURN_IF_ERROR(Target(statement));
    VARVE_RETURN_IF_ERROR(Where(statement));
    VARVE_RETURN_IF_ERROR(Returning(statement));
    return statement;
  }

  // The table of UPDATE and DELETE.
  Status Target(ParsedStatement& statement) {
    VARVE_ASSIGN_OR_RETURN(const ExprPtr table, SimplePath());
    SetTable(*table, statement.table);
    VARVE_ASSIGN_OR_RETURN(statement.table.has_alias, Alias());
    return absl::OkStatus();
  }

  Status Changes(ParsedStatement& statement) {
    for (;;) {
      if (TakeKeyword("set")) {
        do {
          ParsedStatement::Change change;
          VARVE_ASSIGN_OR_RETURN(change.path, SimplePath());
          if (!Head().IsOperator("=")) return NotWellFormed("Expected '=' for SET");
          Take();
          VARVE_ASSIGN_OR_RETURN(change.value, Expression(kLowest));
          statement.changes.push_back(std::move(change));
        } while (TakeSymbol(","));
      } else if (TakeKeyword("remove")) {
        ParsedStatement::Change change;
        VARVE_ASSIGN_OR_RETURN(change.path, SimplePath());
        statement.changes.push_back(std::move(change));
      } else if (statement.changes.empty()) {
        return NotWellFormed("Expected data manipulation");
      } else {
        return absl::OkStatus();
      }
    }
  }

  Status Where(ParsedStatement& statement) {
    if (!TakeKeyword("where")) return absl::OkStatus();
    VARVE_ASSIGN_OR_RETURN(statement.where, Expression(kLowest));
    return absl::OkStatus();
  }

  // A word that is a keyword or not.
  bool TakeWord(std::string_view upper) {
    const Token& token = Head();
    if (token.kind != TokenKind::kKeyword && token.kind != TokenKind::kIdentifier) return false;
    const bool same = std::equal(
        token.text.begin(), token.text.end(), upper.begin(), upper.end(),
        [](char a, char b) { return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b; });
    if (same) Take();
    return same;
  }

  Status Returning(ParsedStatement& statement) {
    if (!TakeKeyword("returning")) return absl::OkStatus();
    const auto one_of = [this](std::string_view a, std::string_view b) -> std::string_view {
      return TakeWord(a) ? a : TakeWord(b) ? b : std::string_view();
    };
    const std::string_view which = one_of("ALL", "MODIFIED");
    if (which.empty()) return NotWellFormed("Expected ALL or MODIFIED in a returning clause.");
    const std::string_view side = one_of("OLD", "NEW");
    if (side.empty()) return NotWellFormed("Expected OLD or NEW in a returning clause.");
    if (!Head().IsOperator("*")) return NotWellFormed("Expected * in a returning clause.");
    Take();
    statement.returning = fmt::format("{} {}", which, side);
    return absl::OkStatus();
  }

  // [AS] name.
  StatusOr<bool> Alias() {
    const bool as = TakeKeyword("as");
    const TokenKind kind = Head().kind;
    if (kind == TokenKind::kIdentifier || kind == TokenKind::kQuotedIdentifier) {
      Take();
      return true;
    }
    if (as) return NotWellFormed("Expected identifier for alias");
    return false;
  }

  static void SetTable(const Expr& path, TableReference& table) {
    if (path.kind != ExprKind::kPath || !path.operands.empty()) return;
    for (const PathStep& step : path.steps) {
      if (step.kind != PathStep::Kind::kName) {
        table.components.clear();
        return;
      }
      table.components.push_back(step.text);
    }
  }

  // ---- Expressions

  const Infix* HeadInfix() const {
    const Token& head = Head();
    if (head.kind == TokenKind::kOperator) return Find(kInfixOperators, head.text);
    if (head.kind != TokenKind::kKeyword) return nullptr;
    if (head.text == "not") {  // NOT IN, NOT BETWEEN, NOT LIKE
      const Token& next = Ahead(1);
      if (next.kind != TokenKind::kKeyword || next.text == "is") return nullptr;
      const Infix* infix = Find(kInfixKeywords, next.text);
      return infix != nullptr && infix->precedence >= kEqualityPrecedence ? infix : nullptr;
    }
    return Find(kInfixKeywords, head.text);
  }

  template <size_t n>
  static const Infix* Find(const Infix (&table)[n], std::string_view text) {
    for (const Infix& infix : table) {
      if (infix.text == text) return &infix;
    }
    return nullptr;
  }

  // Keeps count of how deep the parser has gone.
  class Deeper {
   public:
    explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }

   private:
    int& depth_;
  };

  // An expression of operators that bind closer than `above`.
  StatusOr<ExprPtr> Expression(int above) {
    const Deeper deeper(depth_);
    if (depth_ > kExpressionDepthMax) {
      return ValidationError("Nesting Levels have exceeded supported limits");
    }
    VARVE_ASSIGN_OR_RETURN(ExprPtr left, Unary());
    for (;;) {
      const Infix* const infix = HeadInfix();
      if (infix == nullptr || infix->precedence <= above) return left;
      VARVE_RETURN_IF_ERROR(CountOperator());
      const Token first = Take();
      const bool negated = first.IsKeyword("not");
      if (negated) Take();
      if (Head().kind == TokenKind::kEnd) {
        return NotWellFormed("Missing right-hand side expression of infix operator");
      }
      VARVE_ASSIGN_OR_RETURN(left, Right(*infix, first.position, std::move(left)));
      if (negated) left = Not(std::move(left));
    }
  }

  static ExprPtr Not(ExprPtr operand) {
    auto node = std::make_unique<Expr>(ExprKind::kNot);
    node->position = operand->position;
    node->operands.push_back(std::move(operand));
    return node;
  }

  // The rest of an expression after `left` and an operator.
  StatusOr<ExprPtr> Right(const Infix& infix, const Position& position, ExprPtr left) {
    auto node = std::make_unique<Expr>(infix.kind);
    node->position = position;
    switch (infix.kind) {
      case ExprKind::kIs:
        return Is(std::move(node), std::move(left));
      case ExprKind::kBetween: {
        node->operands.push_back(std::move(left));
        VARVE_ASSIGN_OR_RETURN(ExprPtr low, Expression(infix.precedence));
        node->operands.push_back(std::move(low));
        if (!TakeKeyword("and")) return NotWellFormed("Expected AND");
        VARVE_ASSIGN_OR_RETURN(ExprPtr high, Expression(infix.precedence));
        node->operands.push_back(std::move(high));
        return node;
      }
      case ExprKind::kIn: {
        node->operands.push_back(std::move(left));
        ExprPtr collection;
        if (Head().IsSymbol("(")) {  // also of one element
          const Token open = Take();
          VARVE_ASSIGN_OR_RETURN(collection, Elements(ExprKind::kList, ")", "RIGHT_PAREN"));
          collection->position = open.position;
        } else {
          VARVE_ASSIGN_OR_RETURN(collection, Expression(infix.precedence));
        }
        node->operands.push_back(std::move(collection));
        return node;
      }
      default: {
        VARVE_ASSIGN_OR_RETURN(ExprPtr right, Expression(infix.precedence));
        // AND and OR take any number of operands, so that a long row of them is not deep.
        const bool row = infix.kind == ExprKind::kAnd || infix.kind == ExprKind::kOr;
        if (row && left->kind == infix.kind && !left->flag) {
          left->operands.push_back(std::move(right));
          return left;
        }
        node->operands.push_back(std::move(left));
        node->operands.push_back(std::move(right));
        return node;
      }
    }
  }

  StatusOr<ExprPtr> Is(ExprPtr node, ExprPtr left) {
    const bool negated = TakeKeyword("not");
    const Token type = Head();
    const bool word = type.kind == TokenKind::kKeyword || type.kind == TokenKind::kIdentifier;
    std::string name = type.text;
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (!word || !Has(kTypes, name)) return NotWellFormed("Expected type name");
    Take();
    if (name == "double" && !TakeWord("PRECISION")) return NotWellFormed("Expected type name");
    if (name == "character" && TakeWord("VARYING")) name = "varchar";
    node->text = name;
    node->operands.push_back(std::move(left));
    return negated ? Not(std::move(node)) : std::move(node);
  }

  StatusOr<ExprPtr> Unary() {
    const Token head = Head();
    const bool sign = head.IsOperator("+") || head.IsOperator("-");
    if (!sign && !head.IsKeyword("not")) return PathTerm();
    const Deeper deeper(depth_);
    if (depth_ > kExpressionDepthMax) {
      return ValidationError("Nesting Levels have exceeded supported limits");
    }
    Take();
    if (!sign) {
      VARVE_RETURN_IF_ERROR(CountOperator());
      VARVE_ASSIGN_OR_RETURN(ExprPtr operand, Expression(kNotPrecedence - 1));
      operand = Not(std::move(operand));
      operand->position = head.position;
      return operand;
    }
    VARVE_ASSIGN_OR_RETURN(ExprPtr operand, Unary());
    if (operand->kind == ExprKind::kNumber) {
      if (head.text == "-") {
        if (operand->text.starts_with('-')) {
          operand->text.erase(0, 1);
        } else {
          operand->text.insert(0, 1, '-');
        }
      }
      return operand;
    }
    auto node =
        std::make_unique<Expr>(head.text == "-" ? ExprKind::kNegative : ExprKind::kPositive);
    node->position = head.position;
    node->operands.push_back(std::move(operand));
    return node;
  }

  // A term and what is looked up in it.
  StatusOr<ExprPtr> PathTerm() {
    VARVE_ASSIGN_OR_RETURN(ExprPtr term, Term());
    while (Head().IsSymbol(".") || Head().IsSymbol("[")) {
      if (term->kind != ExprKind::kPath) {
        auto path = std::make_unique<Expr>(ExprKind::kPath);
        path->position = term->position;
        path->operands.push_back(std::move(term));
        term = std::move(path);
      }
      VARVE_RETURN_IF_ERROR(Step(*term));
    }
    return term;
  }

  Status Step(Expr& path) {
    if (Take().text == ".") {
      const Token name = Head();
      PathStep step{PathStep::Kind::kName, name.text, name.position};
      if (name.IsOperator("*")) {
        step.kind = PathStep::Kind::kOther;
      } else if (name.kind != TokenKind::kIdentifier && name.kind != TokenKind::kQuotedIdentifier) {
        return NotWellFormed("Invalid path dot component");
      }
      Take();
      path.steps.push_back(std::move(step));
      return absl::OkStatus();
    }
    PathStep step{PathStep::Kind::kOther, "", Head().position};
    if (Head().IsOperator("*")) {
      Take();
    } else {
      VARVE_ASSIGN_OR_RETURN(const ExprPtr index, Expression(kLowest));
      step.position = index->position;
      if (index->kind == ExprKind::kNumber || index->kind == ExprKind::kString) {
        step.kind =
            index->kind == ExprKind::kNumber ? PathStep::Kind::kIndex : PathStep::Kind::kName;
        step.text = index->text;
      }
    }
    if (!TakeSymbol("]")) return NotWellFormed("Expected RIGHT_BRACKET");
    path.steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  // A path that begins with a name and has no other expressions in it.
  StatusOr<ExprPtr> SimplePath() {
    const Token name = Head();
    if (name.kind != TokenKind::kIdentifier && name.kind != TokenKind::kQuotedIdentifier) {
      return NotWellFormed("Expected identifier for simple path");
    }
    ExprPtr path = Name();
    while (Head().IsSymbol(".") || Head().IsSymbol("[")) VARVE_RETURN_IF_ERROR(Step(*path));
    return path;
  }

  // The path of the name at hand alone.
  ExprPtr Name() {
    Token name = Take();
    auto path = std::make_unique<Expr>(ExprKind::kPath);
    path->position = name.position;
    path->steps.push_back({PathStep::Kind::kName, std::move(name.text), name.position});
    return path;
  }

  ExprPtr Literal(ExprKind kind) {
    Token token = Take();
    auto node = std::make_unique<Expr>(kind);
    node->position = token.position;
    node->text = std::move(token.text);
    return node;
  }

  StatusOr<ExprPtr> Term() {
    const Token& head = Head();
    switch (head.kind) {
      case TokenKind::kString:
        return Literal(ExprKind::kString);
      case TokenKind::kNumber:
        return Literal(ExprKind::kNumber);
      case TokenKind::kParameter: {
        ExprPtr node = Literal(ExprKind::kParameter);
        node->number = parameters_++;
        return node;
      }
      case TokenKind::kIdentifier:
      case TokenKind::kQuotedIdentifier:
        if (Ahead(1).IsSymbol("(")) return Call();
        return Name();
      case TokenKind::kKeyword:
        return Keyword();
      case TokenKind::kOperator:
        return NotWellFormed("Unexpected operator");
      case TokenKind::kSymbol:
        return Bracketed();
      case TokenKind::kEnd:
        break;
    }
    return NotWellFormed("Unexpected term");
  }

  StatusOr<ExprPtr> Keyword() {
    const Token& head = Head();
    if (head.text == "true" || head.text == "false") {
      const bool value = head.text == "true";
      ExprPtr node = Literal(ExprKind::kBool);
      node->flag = value;
      return node;
    }
    if (head.text == "null") return Literal(ExprKind::kNull);
    if (head.text == "missing") return Literal(ExprKind::kMissing);
    if (StartsStatement(head)) {
      auto node = std::make_unique<Expr>(ExprKind::kStatement);
      node->position = head.position;
      VARVE_RETURN_IF_ERROR(Statement().status());
      return node;
    }
    if (Find(kInfixKeywords, head.text) != nullptr) return NotWellFormed("Unexpected operator");
    if (Has(kFunctionKeywords, head.text) && Ahead(1).IsSymbol("(")) return Call();
    return NotWellFormed("Unexpected keyword");
  }

  StatusOr<ExprPtr> Call() {
    VARVE_RETURN_IF_ERROR(CountOperator());
    const Token name = Take();
    Take();
    ExprPtr call;
    if (Head().IsOperator("*") && Ahead(1).IsSymbol(")")) {  // COUNT(*)
      Take();
      Take();
      call = std::make_unique<Expr>(ExprKind::kCall);
    } else {
      VARVE_ASSIGN_OR_RETURN(call, Elements(ExprKind::kCall, ")", "RIGHT_PAREN"));
    }
    call->position = name.position;
    call->text = name.text;
    for (char& c : call->text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return call;
  }

  StatusOr<ExprPtr> Bracketed() {
    const Token open = Head();
    StatusOr<ExprPtr> node = NotWellFormed("Unexpected term");
    if (TakeSymbol("(")) {
      VARVE_ASSIGN_OR_RETURN(node, Elements(ExprKind::kList, ")", "RIGHT_PAREN"));
      if ((*node)->operands.empty()) return NotWellFormed("Expression group cannot be empty");
      if ((*node)->operands.size() == 1) {
        ExprPtr only = std::move((*node)->operands[0]);
        // (a AND b) AND c stays as it was written.
        if (only->kind == ExprKind::kAnd || only->kind == ExprKind::kOr) only->flag = true;
        return only;
      }
    } else if (TakeSymbol("[")) {
      VARVE_ASSIGN_OR_RETURN(node, Elements(ExprKind::kList, "]", "RIGHT_BRACKET"));
    } else if (TakeSymbol("<<")) {
      VARVE_ASSIGN_OR_RETURN(node, Elements(ExprKind::kBag, ">>", "RIGHT_DOUBLE_ANGLE_BRACKET"));
    } else if (TakeSymbol("{")) {
      VARVE_ASSIGN_OR_RETURN(node, Tuple());
    }
    if (node.ok()) (*node)->position = open.position;
    return node;
  }

  // Expressions with commas between them, up to `close`.
  StatusOr<ExprPtr> Elements(ExprKind kind, std::string_view close, std::string_view close_name) {
    auto node = std::make_unique<Expr>(kind);
    if (TakeSymbol(close)) return node;
    do {
      VARVE_ASSIGN_OR_RETURN(ExprPtr element, Expression(kLowest));
      node->operands.push_back(std::move(element));
    } while (TakeSymbol(","));
    if (!TakeSymbol(close)) return NotWellFormed(fmt::format("Expected {}", close_name));
    return node;
  }

  StatusOr<ExprPtr> Tuple() {
    auto node = std::make_unique<Expr>(ExprKind::kTuple);
    if (TakeSymbol("}")) return node;
    do {
      VARVE_ASSIGN_OR_RETURN(ExprPtr name, Expression(kLowest));
      node->operands.push_back(std::move(name));
      if (!TakeSymbol(":")) return NotWellFormed("Expected COLON");
      VARVE_ASSIGN_OR_RETURN(ExprPtr value, Expression(kLowest));
      node->operands.push_back(std::move(value));
    } while (TakeSymbol(","));
    if (!TakeSymbol("}")) return NotWellFormed("Expected RIGHT_CURLY");
    return node;
  }

  std::vector<Token> tokens_;  // the last is a kEnd
  size_t at_ = 0;
  int depth_ = 0;
  size_t operators_ = 0;
  size_t parameters_ = 0;
};

}  // namespace

StatusOr<ParsedStatement> ParseStatement(std::string_view text) {
  VARVE_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(text));
  return Parser(std::move(tokens)).Run();
}

}  // namespace varve::item::partiql
