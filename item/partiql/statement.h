// Statement: what a PartiQL statement asks for, in the terms of the evaluator that DynamoDB's own
// expressions use. No table has been looked at yet.
//
//   VARVE_ASSIGN_OR_RETURN(Statement statement, Compile("SELECT a FROM T WHERE p = ?",
//   parameters));
//
// Errors are ValidationExceptions in the service's words, the first one in its order: of the text,
// then of what it means.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"
#include "item/value.h"

namespace varve::item::partiql {

inline constexpr size_t kStatementBytesMax = 8192;

// One attribute of a SELECT's result.
struct Column {
  std::string name;  // of the result: the path's end, such as "k[0]" of m.k[0]
  expression::Path path;
};

struct OrderTerm {
  std::string attribute;
  bool ascending = true;
};

enum class Returning : uint8_t { kNothing, kAllOld, kModifiedOld, kAllNew, kModifiedNew };

struct Statement {
  enum class Kind : uint8_t { kSelect, kInsert, kUpdate, kDelete, kExists };
  Kind kind = Kind::kSelect;
  std::string table;
  std::optional<std::string> index;

  bool all_columns = false;
  std::vector<Column> columns;  // of SELECT, unless all_columns
  // What is wrong with SELECT's columns: it is reported once the table is known to be there.
  Status column_error;
  std::vector<OrderTerm> order_by;                  // of SELECT
  std::unique_ptr<expression::Node> where;          // of all but INSERT; may be null
  Item item;                                        // of INSERT
  std::vector<expression::Update::Action> actions;  // of UPDATE
  Returning returning = Returning::kNothing;

  // What values in `where` and `actions` refer to, besides the parameters. (A deque, so that they
  // stay where they are when the statement is moved.)
  std::deque<Value> literals;

  bool is_read() const { return kind == Kind::kSelect; }
};

// `text` is UTF-8. `parameters` stand for the question marks, in their order. They must stay where
// they are as long as the statement is used.
StatusOr<Statement> Compile(std::string_view text, const std::vector<Value>& parameters);

// A copy of a condition. Values refer to the same bytes.
std::unique_ptr<expression::Node> Clone(const expression::Node& node);

// "(p = {S:a}) AND ...": conditions in tests and logs.
std::string ToString(const expression::Node& node);

// What SELECT answers of an item.
Item Project(const std::vector<Column>& columns, const ItemView& item);

}  // namespace varve::item::partiql
