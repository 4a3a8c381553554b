// Base64 with padding (RFC 4648, section 4), as DynamoDB JSON carries binary values.
#pragma once

#include <string>
#include <string_view>

namespace varve::item {

void AppendBase64(std::string_view bytes, std::string& to);

// Replaces `bytes` with what `text` encodes; false if it is malformed: padding missing, characters
// outside the alphabet, or bits set behind the last byte.
bool DecodeBase64(std::string_view text, std::string* bytes);

}  // namespace varve::item
