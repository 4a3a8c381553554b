// The grammar of PartiQL, as far as DynamoDB's statements reach into it. Finds syntax errors only,
// in the service's words; what a statement means is found out afterwards (statement.h).
//
//   statement   select | EXISTS ( select ) | insert | update | delete | expression    then ; or not
//   select      SELECT ( * | expression {, expression} ) FROM path [ WHERE expression ]
//               [ ORDER BY expression [ ASC | DESC ] {, ...} ]
//   insert      INSERT INTO path VALUE expression [ returning ]
//   update      UPDATE path change {change} [ WHERE expression ] [ returning ]
//             | FROM path [ WHERE expression ] change {change} [ returning ]
//   delete      DELETE FROM path [ WHERE expression ] [ returning ]
//   change      SET path = expression {, path = expression} | REMOVE path
//   returning   RETURNING ( ALL | MODIFIED ) ( OLD | NEW ) *
//   expression  by precedence, lowest first: OR; AND; NOT; = <> IS IN; < <= > >= BETWEEN LIKE;
//               + - ||; * / %; unary + and -
//   term        literal | ? | path | function ( ... ) | ( expression ) | [ ... ] | << ... >> | {
//   ... } path        name { . name | [ index ] }
#pragma once

#include <string_view>

#include "base/status.h"
#include "item/partiql/ast.h"

namespace varve::item::partiql {

// How deep expressions may stand in one another. (Values may be nested to a depth of 31.)
inline constexpr int kExpressionDepthMax = 100;
// Operators and functions of one statement.
inline constexpr size_t kStatementOperatorsMax = 300;

StatusOr<ParsedStatement> ParseStatement(std::string_view text);

}  // namespace varve::item::partiql
