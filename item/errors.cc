#include "item/errors.h"

#include <absl/strings/cord.h>

#include "base/coding.h"

namespace varve::item {
namespace {

constexpr char kTypePayload[] = "varve/error-type";
constexpr char kItemPayload[] = "varve/error-item";
// Reason after reason: code, message, item (empty: none), each behind its length.
constexpr char kReasonsPayload[] = "varve/error-reasons";
constexpr char kThrottlingPayload[] = "varve/error-throttling";

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
    case ErrorType::kExpiredIteratorException:
    case ErrorType::kTrimmedDataAccessException:
      return absl::StatusCode::kInvalidArgument;
    case ErrorType::kResourceNotFoundException:
    case ErrorType::kTableNotFoundException:
    case ErrorType::kPolicyNotFoundException:
    case ErrorType::kBackupNotFoundException:
    case ErrorType::kExportNotFoundException:
    case ErrorType::kImportNotFoundException:
    case ErrorType::kGlobalTableNotFoundException:
      return absl::StatusCode::kNotFound;
    case ErrorType::kAccessDeniedException:
      return absl::StatusCode::kPermissionDenied;
    case ErrorType::kResourceInUseException:
    case ErrorType::kConditionalCheckFailedException:
    case ErrorType::kDuplicateItemException:
      return absl::StatusCode::kFailedPrecondition;
    case ErrorType::kLimitExceededException:
    case ErrorType::kItemCollectionSizeLimitExceededException:
    case ErrorType::kProvisionedThroughputExceededException:
    case ErrorType::kThrottlingException:
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
    case ErrorType::kDuplicateItemException:
      return "DuplicateItemException";
    case ErrorType::kExpiredIteratorException:
      return "ExpiredIteratorException";
    case ErrorType::kTrimmedDataAccessException:
      return "TrimmedDataAccessException";
    case ErrorType::kAccessDeniedException:
      return "AccessDeniedException";
    case ErrorType::kThrottlingException:
      return "ThrottlingException";
    case ErrorType::kTableNotFoundException:
      return "TableNotFoundException";
    case ErrorType::kPolicyNotFoundException:
      return "PolicyNotFoundException";
    case ErrorType::kBackupNotFoundException:
      return "BackupNotFoundException";
    case ErrorType::kExportNotFoundException:
      return "ExportNotFoundException";
    case ErrorType::kImportNotFoundException:
      return "ImportNotFoundException";
    case ErrorType::kGlobalTableNotFoundException:
      return "GlobalTableNotFoundException";
  }
  return "InternalServerError";
}

std::optional<ErrorType> ErrorTypeNamed(std::string_view name) {
  for (uint8_t i = 0; i <= static_cast<uint8_t>(ErrorType::kGlobalTableNotFoundException); ++i) {
    if (ErrorTypeName(static_cast<ErrorType>(i)) == name) return static_cast<ErrorType>(i);
  }
  return std::nullopt;
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

Status TransactionConflict() {
  return MakeError(ErrorType::kTransactionConflictException, "Transaction is ongoing for the item");
}

CancellationReason ReasonOf(const Status& error) {
  CancellationReason reason;
  const ErrorType type = TypeOfError(error);
  reason.code = ErrorTypeName(type);
  constexpr std::string_view kException = "Exception";
  if (type == ErrorType::kValidationException) {
    reason.code = "ValidationError";
  } else if (type == ErrorType::kThrottlingException) {
    reason.code = "ThrottlingError";
  } else if (reason.code.ends_with(kException)) {
    reason.code.resize(reason.code.size() - kException.size());
  }
  reason.message = Message(error);
  reason.item = ItemOfError(error);
  return reason;
}

Status TransactionCanceled(const std::vector<CancellationReason>& reasons) {
  std::string codes;
  std::string payload;
  for (const CancellationReason& reason : reasons) {
    if (!codes.empty()) codes += ", ";
    codes += reason.code;
    AppendLengthPrefixed(payload, reason.code);
    AppendLengthPrefixed(payload, reason.message);
    AppendLengthPrefixed(payload, reason.item ? reason.item->encoded() : std::string_view());
  }
  Status status = MakeError(
      ErrorType::kTransactionCanceledException,
      fmt::format("Transaction cancelled, please refer cancellation reasons for specific reasons "
                  "[{}]",
                  codes));
  status.SetPayload(kReasonsPayload, CordOf(payload));
  return status;
}

std::vector<CancellationReason> ReasonsOfError(const Status& status) {
  std::vector<CancellationReason> reasons;
  const auto payload = status.GetPayload(kReasonsPayload);
  if (!payload) return reasons;
  const std::string bytes(*payload);
  std::string_view rest = bytes;
  std::string_view code, message, item;
  while (TakeLengthPrefixed(rest, &code) && TakeLengthPrefixed(rest, &message) &&
         TakeLengthPrefixed(rest, &item)) {
    CancellationReason& reason = reasons.emplace_back();
    reason.code = code;
    reason.message = message;
    if (!item.empty()) reason.item.emplace(std::string(item));
  }
  return reasons;
}

Status ThroughputExceeded(ErrorType type, std::string_view message, std::string_view reason,
                          std::string_view resource) {
  Status status = MakeError(type, message);
  status.SetPayload(kThrottlingPayload, CordOf(fmt::format("{}\n{}", reason, resource)));
  return status;
}

std::optional<ThrottlingReason> ThrottlingReasonOfError(const Status& status) {
  const auto payload = status.GetPayload(kThrottlingPayload);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  const size_t end = text.find('\n');
  return ThrottlingReason{text.substr(0, end), text.substr(end + 1)};
}

}  // namespace varve::item
