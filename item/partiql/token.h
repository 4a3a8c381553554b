// NextToken: where a page of a SELECT ended. Opaque to clients, and good for one statement with its
// parameters only. Base64 of
//
//   version (1): 1 | fingerprint of the statement (16) | read, a varint | cursor, an item |
//   checksum of all before it (8)
//
// The cursor is the key of the last item looked at, as LastEvaluatedKey has it; `read` says in
// which of the plan's reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/value.h"

namespace varve::item::partiql {

struct PageToken {
  uint64_t read = 0;
  Item cursor;
};

// Of all that a token, or a transaction's client token, stands for.
std::string FingerprintOf(std::string_view statement, const std::vector<Value>& parameters);

std::string EncodeToken(const PageToken& token, std::string_view fingerprint);

// ValidationException: what `text` holds is no token ("Invalid NextToken") or that of another
// statement ("NextToken does not match request"). Whether the cursor is one of the table is the
// caller's to check.
StatusOr<PageToken> DecodeToken(std::string_view text, std::string_view fingerprint);

Status InvalidToken();

}  // namespace varve::item::partiql
