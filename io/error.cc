#include "io/error.h"

#include <errno.h>
#include <string.h>

namespace varve::io {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EACCES:
      return absl::StatusCode::kPermissionDenied;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

const char* Reason(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

}  // namespace

Status ErrnoStatus(int error, std::string_view path, std::string_view action) {
  return MakeStatus(CodeOf(error), "{}: {}: {}", path, action, Reason(error));
}

Status ErrnoStatusAt(int error, std::string_view path, uint64_t offset, std::string_view action) {
  return MakeStatus(CodeOf(error), "{}:{}: {}: {}", path, offset, action, Reason(error));
}

}  // namespace varve::io
