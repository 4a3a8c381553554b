// What the system refused, as a Status.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace varve::io {

// A full disk (ENOSPC, EDQUOT) is ResourceExhausted, a missing file NotFound, an existing one
// AlreadyExists, everything else Unavailable. "<path>: <action>: <reason>".
Status ErrnoStatus(int error, std::string_view path, std::string_view action);

// "<path>:<offset>: <action>: <reason>".
Status ErrnoStatusAt(int error, std::string_view path, uint64_t offset, std::string_view action);

}  // namespace varve::io
