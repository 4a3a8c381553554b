// Building and reading absl::Status with fmt and std::string_view.
//
// The system's Abseil is built with its own string_view, so conversions live here and nowhere else.
//
//   return Corruption("{}:{}: block checksum mismatch", path, offset);
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace varve {

using absl::Status;
using absl::StatusOr;

inline std::string_view Message(const Status& status) {
  return {status.message().data(), status.message().size()};
}

// A status with `code` and a formatted message.
template <typename... Args>
Status MakeStatus(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  return Status(code, absl::string_view(text.data(), text.size()));
}

// Bytes on disk are not what was written there. The message names file and offset.
template <typename... Args>
Status Corruption(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kDataLoss, format, std::forward<Args>(args)...);
}

template <typename... Args>
Status InvalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

template <typename... Args>
Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kNotFound, format, std::forward<Args>(args)...);
}

template <typename... Args>
Status FailedPrecondition(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kFailedPrecondition, format, std::forward<Args>(args)...);
}

template <typename... Args>
Status Unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kUnavailable, format, std::forward<Args>(args)...);
}

// The disk is full, or a configured bound is reached.
template <typename... Args>
Status ResourceExhausted(fmt::format_string<Args...> format, Args&&... args) {
  return MakeStatus(absl::StatusCode::kResourceExhausted, format, std::forward<Args>(args)...);
}

}  // namespace varve

// Return, or co_return, a status that is not OK. Names are local to the line.
#define VARVE_RETURN_IF_ERROR(expression)                                                       \
  do {                                                                                          \
    if (::absl::Status varve_status_ = (expression); !varve_status_.ok()) return varve_status_; \
  } while (false)

#define VARVE_CO_RETURN_IF_ERROR(expression)          \
  do {                                                \
    ::absl::Status varve_status_ = (expression);      \
    if (!varve_status_.ok()) co_return varve_status_; \
  } while (false)

#define VARVE_CONCAT_INNER_(a, b) a##b
#define VARVE_CONCAT_(a, b) VARVE_CONCAT_INNER_(a, b)

// VARVE_ASSIGN_OR_RETURN(auto x, F()): `x` is the value of the StatusOr, or its status is returned.
#define VARVE_ASSIGN_OR_RETURN(declaration, expression) \
  VARVE_ASSIGN_OR_RETURN_(VARVE_CONCAT_(varve_or_, __LINE__), return, declaration, expression)
#define VARVE_ASSIGN_OR_CO_RETURN(declaration, expression) \
  VARVE_ASSIGN_OR_RETURN_(VARVE_CONCAT_(varve_or_, __LINE__), co_return, declaration, expression)
#define VARVE_ASSIGN_OR_RETURN_(variable, leave, declaration, expression) \
  auto variable = (expression);                                           \
  if (!variable.ok()) leave variable.status();                            \
  declaration = std::move(variable).value()
