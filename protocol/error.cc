#include "protocol/error.h"

#include <optional>
#include <vector>

#include "item/errors.h"
#include "protocol/fields.h"

namespace varve::protocol {
namespace {

constexpr std::string_view kPreparedInvalid = "PreparedExpressionInvalid";
constexpr std::string_view kCancelled = "RequestCancelled";

struct ErrorMessage {
  std::string type;
  std::string message;
  bool retryable = false;
  std::optional<item::Item> item;
  std::vector<item::CancellationReason> reasons;
  std::string throttling_reason;
  std::string throttling_resource;
};

}  // namespace

template <typename Visitor, Like<item::CancellationReason> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Code", m.code);
  visit(2, "Message", m.message);
  visit(3, "Item", m.item);
}

template <typename Visitor, Like<ErrorMessage> T>
void Fields(Visitor& visit, T& m) {
  visit(1, "Type", m.type);
  visit(2, "Message", m.message);
  visit(3, "Retryable", m.retryable);
  visit(4, "Item", m.item);
  visit(5, "CancellationReasons", m.reasons);
  visit(6, "ThrottlingReason", m.throttling_reason);
  visit(7, "ThrottlingResource", m.throttling_resource);
}

Status PreparedInvalid(uint64_t prepared) {
  return FailedPrecondition("{}: there is no handle {}, or its table is another one now",
                            kPreparedInvalid, prepared);
}

bool IsPreparedInvalid(const Status& status) {
  return absl::IsFailedPrecondition(status) && Message(status).starts_with(kPreparedInvalid);
}

Status Cancelled() {
  return MakeStatus(absl::StatusCode::kCancelled, "{}: the client cancelled the request",
                    kCancelled);
}

bool IsRetryable(const Status& status) {
  switch (item::TypeOfError(status)) {
    case item::ErrorType::kProvisionedThroughputExceededException:
    case item::ErrorType::kThrottlingException:
    case item::ErrorType::kTransactionConflictException:
    case item::ErrorType::kTransactionInProgressException:
      return true;
    default:
      return IsPreparedInvalid(status);
  }
}

void EncodeError(const Status& status, std::string& to) {
  ErrorMessage error;
  error.message = Message(status);
  error.retryable = IsRetryable(status);
  if (IsPreparedInvalid(status)) {
    error.type = kPreparedInvalid;
  } else if (absl::IsCancelled(status)) {
    error.type = kCancelled;
  } else {
    const item::ErrorType type = item::TypeOfError(status);
    error.type = item::ErrorTypeName(type);
    if (type == item::ErrorType::kInternalServerError) {
      error.message = "The request processing has failed because of an unknown error";
    }
  }
  error.item = item::ItemOfError(status);
  error.reasons = item::ReasonsOfError(status);
  if (const auto throttled = item::ThrottlingReasonOfError(status)) {
    error.throttling_reason = throttled->reason;
    error.throttling_resource = throttled->resource;
  }
  EncodeFields(error, to);
}

Status DecodeError(std::string_view payload) {
  ErrorMessage error;
  if (const Status status = DecodeFields(payload, Trust::kTrusted, &error); !status.ok()) {
    return Corruption("error frame: {}", Message(status));
  }
  if (error.type == kPreparedInvalid) return FailedPrecondition("{}", error.message);
  if (error.type == kCancelled) {
    return MakeStatus(absl::StatusCode::kCancelled, "{}", error.message);
  }
  const std::optional<item::ErrorType> type = item::ErrorTypeNamed(error.type);
  if (!type) {
    return item::MakeError(item::ErrorType::kInternalServerError,
                           fmt::format("{}: {}", error.type, error.message));
  }
  if (!error.reasons.empty()) return item::TransactionCanceled(error.reasons);
  if (error.item) return item::ConditionalCheckFailed(error.item->view());
  if (!error.throttling_reason.empty()) {
    return item::ThroughputExceeded(*type, error.message, error.throttling_reason,
                                    error.throttling_resource);
  }
  return item::MakeError(*type, error.message);
}

}  // namespace varve::protocol
