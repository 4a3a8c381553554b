#pragma once

#include <string_view>

namespace varve::item::partiql {

// Whether `word`, in lower case, is reserved: it then names no attribute unless it is quoted. These
// are the reserved words of SQL-92 and PartiQL's own (https://partiql.org), not DynamoDB's.
bool IsKeyword(std::string_view word);

}  // namespace varve::item::partiql
