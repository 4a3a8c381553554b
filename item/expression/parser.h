// The grammar of expressions. Finds syntax errors only; what names and values stand for, and
// whether operands fit, is checked afterwards (check.h), as the service does.
//
//   condition    or:         and { OR and }
//                and:        not { AND not }
//                not:        NOT not | predicate
//                predicate:  operand (= <> < <= > >=) operand | operand BETWEEN operand AND operand
//                          | operand IN ( operand {, operand} ) | function | ( or )
//                operand:    ( operand ) | function | :value | path
//                function:   identifier ( operand {, operand} )
//                path:       step { . step | [ integer ] }     a path's beginning may be
//                parenthesized step:       identifier | #name
//   update       { SET path = sum {, ...} | REMOVE path {, ...}
//                | ADD path :value {, ...} | DELETE path :value {, ...} }
//                sum:        operand [ (+ -) operand ] | ( sum )
//   projection   path {, path}
//
// Keywords are no identifiers: AND, OR, NOT, IN and BETWEEN in conditions, SET, REMOVE, ADD and
// DELETE in updates.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"

namespace varve::item::expression {

struct ParsedCondition {
  std::unique_ptr<Node> root;
  bool redundant_parentheses = false;
  size_t operators = 0;
};

struct ParsedUpdate {
  std::vector<Update::Action> actions;  // in the order of the text
  std::string_view repeated_section;    // the first section that comes again; empty: none does
  size_t operators = 0;
};

// `parameter` is what errors call the expression, such as "FilterExpression".
StatusOr<ParsedCondition> ParseCondition(std::string_view parameter, std::string_view text);
StatusOr<ParsedUpdate> ParseUpdate(std::string_view parameter, std::string_view text);
StatusOr<std::vector<Path>> ParseProjection(std::string_view parameter, std::string_view text);

// ValidationException "Invalid <parameter>: <problem>".
Status InvalidExpression(std::string_view parameter, std::string_view problem);

}  // namespace varve::item::expression
