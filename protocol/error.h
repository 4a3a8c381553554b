// Errors on the wire: the statuses of item/errors.h with all that they carry, and two more that
// only this protocol has.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace varve::protocol {

// The request names a prepared handle that this connection does not have (any more), or whose table
// has been created anew: prepare again. Nothing was done.
Status PreparedInvalid(uint64_t prepared);
bool IsPreparedInvalid(const Status& status);

// The answer to a request that the client cancelled before it had ended. Its code is kCancelled.
Status Cancelled();

// Whether nothing was done and the same request may succeed a little later.
bool IsRetryable(const Status& status);

// Appends the payload of an error frame for `status`, which is not OK. What an internal error says
// is kept from the client.
void EncodeError(const Status& status, std::string& to);

// The status that an error frame carries: TypeOfError, Message, ItemOfError, ReasonsOfError and
// ThrottlingReasonOfError (item/errors.h) and the functions above say of it what they said on the
// server. A type that this reader does not know becomes InternalServerError, its name in front of
// the message. A payload that is malformed gives DataLoss.
Status DecodeError(std::string_view payload);

}  // namespace varve::protocol
