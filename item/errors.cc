#include "item/errors.h"

#include <absl/strings/cord.h>

namespace varve::item {
namespace {

constexpr char kTypePayload[] = "varve/error-type";
constexpr char kItemPayload[] = "varve/error-item";

absl::Cord CordOf(std::string_view bytes) {
  return absl::Cord(absl::string_view(bytes.data(), bytes.size()));
}

absl::StatusCode CodeOf(ErrorType type) {
  switch (type) {
    case ErrorType::kInternalServerError:
      return absl::StatusCode::kInternal;
    case ErrorType::kValidationException:
    case ErrorType::kSerializationException:
    case ErrorType::kIdempotentParameterMismatchException:
      return absl::StatusCode::kInvalidArgument;
    case ErrorType::kResourceNotFoundException:
      return absl::StatusCode::kNotFound;
    case ErrorType::kResourceInUseException:
    case ErrorType::kConditionalCheckFailedException:
      return absl::StatusCode::kFailedPrecondition;
    case ErrorType::kLimitExceededException:
    case ErrorType::kItemCollectionSizeLimitExceededException:
    case ErrorType::kProvisionedThroughputExceededException:
      return absl::StatusCode::kResourceExhausted;
    case ErrorType::kTransactionCanceledException:
    case ErrorType::kTransactionConflictException:
    case ErrorType::kTransactionInProgressException:
      return absl::StatusCode::kAborted;
    case ErrorType::kServiceUnavailable:
      return absl::StatusCode::kUnavailable;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

std::string_view ErrorTypeName(ErrorType type) {
  switch (type) {
    case ErrorType::kInternalServerError:
      return "InternalServerError";
    case ErrorType::kValidationException:
      return "ValidationException";
    case ErrorType::kSerializationException:
      return "SerializationException";
    case ErrorType::kResourceNotFoundException:
      return "ResourceNotFoundException";
    case ErrorType::kResourceInUseException:
      return "ResourceInUseException";
    case ErrorType::kConditionalCheckFailedException:
      return "ConditionalCheckFailedException";
    case ErrorType::kLimitExceededException:
      return "LimitExceededException";
    case ErrorType::kItemCollectionSizeLimitExceededException:
      return "ItemCollectionSizeLimitExceededException";
    case ErrorType::kProvisionedThroughputExceededException:
      return "ProvisionedThroughputExceededException";
    case ErrorType::kTransactionCanceledException:
      return "TransactionCanceledException";
    case ErrorType::kTransactionConflictException:
      return "TransactionConflictException";
    case ErrorType::kTransactionInProgressException:
      return "TransactionInProgressException";
    case ErrorType::kIdempotentParameterMismatchException:
      return "IdempotentParameterMismatchException";
    case ErrorType::kServiceUnavailable:
      return "ServiceUnavailable";
  }
  return "InternalServerError";
}

Status MakeError(ErrorType type, std::string_view message) {
  Status status(CodeOf(type), absl::string_view(message.data(), message.size()));
  const char code = static_cast<char>(type);
  status.SetPayload(kTypePayload, CordOf({&code, 1}));
  return status;
}

ErrorType TypeOfError(const Status& status) {
  if (const auto payload = status.GetPayload(kTypePayload); payload && payload->size() == 1) {
    return static_cast<ErrorType>((*payload)[0]);
  }
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) {
    return ErrorType::kServiceUnavailable;
  }
  return ErrorType::kInternalServerError;
}

Status AsOneValidationError(Status status) {
  if (status.ok() || TypeOfError(status) != ErrorType::kValidationException) return status;
  return ValidationError("1 validation error detected: {}", Message(status));
}

Status TableNotFound() {
  return MakeError(ErrorType::kResourceNotFoundException, "Requested resource not found");
}

Status TableNotFound(std::string_view table_name) {
  return MakeError(ErrorType::kResourceNotFoundException,
                   fmt::format("Requested resource not found: Table: {} not found", table_name));
}

Status ConditionalCheckFailed(std::optional<ItemView> item) {
  Status status =
      MakeError(ErrorType::kConditionalCheckFailedException, "The conditional request failed");
  if (item) status.SetPayload(kItemPayload, CordOf(item->encoded()));
  return status;
}

std::optional<Item> ItemOfError(const Status& status) {
  const auto payload = status.GetPayload(kItemPayload);
  if (!payload) return std::nullopt;
  return Item(std::string(*payload));
}

}  // namespace varve::item
