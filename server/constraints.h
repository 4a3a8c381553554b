// The constraints of the API (presence, lengths, ranges, patterns, enumerations) on requests that
// came as structs: the same tables (server/operation_schemas.h) and the same words as for JSON.
#pragma once

#include "base/status.h"
#include "server/schema.h"

namespace varve::server {

// What CheckRequest (server/schema.h) says of `request`, one of item/'s, written as JSON. A struct
// cannot tell what is absent from what is empty: such a text, list or item counts as absent.
//
// A request that keeps all constraints, as nearly all do, is never written as JSON.
template <typename Request>
Status CheckConstraints(const Request& request, const Schema& schema);

}  // namespace varve::server
