// The words that may not stand for an attribute in an expression without a placeholder.
#pragma once

#include <string_view>

namespace varve::item::expression {

// Whether `name` is one of DynamoDB's 573 reserved words, in any case of letters.
bool IsReservedWord(std::string_view name);

}  // namespace varve::item::expression
