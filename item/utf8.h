// Text that DynamoDB calls a string is UTF-8.
#pragma once

#include <string_view>

namespace varve::item {

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool IsUtf8(std::string_view text);

}  // namespace varve::item
