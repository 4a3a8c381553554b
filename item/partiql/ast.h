// The syntax tree of a PartiQL statement: what was written, before it means anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "item/partiql/lexer.h"

namespace varve::item::partiql {

enum class ExprKind : uint8_t {
  // Literals.
  kString,
  kNumber,  // `text` with its sign
  kBool,
  kNull,
  kMissing,
  kParameter,  // `number` counts from 0
  kList,
  kBag,    // << ... >>
  kTuple,  // operands: name, value, name, value ...
  // Others.
  kPath,  // `steps`; operands[0] is what they go out from, if that is no attribute
  kCall,  // `text` is the function's name in lower case
  kPlus,
  kMinus,
  kMultiply,
  kDivide,
  kModulo,
  kConcat,
  kNegative,  // unary, of what is no number literal
  kPositive,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kBetween,  // operands: value, low, high
  kIn,       // operands: value, collection
  kIs,       // `text` is the type's name in lower case
  kLike,
  kNot,
  kAnd,  // two or more operands
  kOr,
  kStatement,  // a statement where an expression stands
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

// One step of a path.
struct PathStep {
  enum class Kind : uint8_t {
    kName,   // .a, ['a']
    kIndex,  // [12]: `text` in decimal, perhaps with a minus
    kOther,  // .*, [*], [a + 1]
  };
  Kind kind = Kind::kName;
  std::string text;
  Position position;
};

struct Expr {
  explicit Expr(ExprKind kind) : kind(kind) {}

  ExprKind kind;
  Position position;
  std::string text;
  size_t number = 0;
  bool flag = false;  // the value of kBool
  std::vector<PathStep> steps;
  std::vector<ExprPtr> operands;
};

// A table, perhaps with an index.
struct TableReference {
  std::vector<std::string> components;  // "table"."index"; empty: something else was written
  bool has_alias = false;
};

struct ParsedStatement {
  enum class Kind : uint8_t {
    kSelect,
    kInsert,
    kUpdate,
    kDelete,
    kExists,      // EXISTS(SELECT ...)
    kExpression,  // an expression alone
  };
  Kind kind = Kind::kSelect;
  TableReference table;

  // SELECT.
  bool all_columns = false;  // SELECT *, perhaps with columns besides
  bool has_column_alias = false;
  std::vector<ExprPtr> columns;
  struct OrderTerm {
    ExprPtr by;
    bool ascending = true;
  };
  std::vector<OrderTerm> order_by;
  // A clause that the grammar has and DynamoDB has not, such as "LIMIT".
  std::string foreign_clause;
  Position foreign_clause_position;

  ExprPtr where;  // of all but INSERT; may be null

  ExprPtr value;  // of INSERT; null unless it is INSERT INTO ... VALUE

  // UPDATE.
  struct Change {
    ExprPtr path;
    ExprPtr value;  // null: REMOVE
  };
  std::vector<Change> changes;

  // "ALL OLD" and so on: "" if there is no RETURNING.
  std::string returning;

  ExprPtr expression;  // of kExpression
};

}  // namespace varve::item::partiql
