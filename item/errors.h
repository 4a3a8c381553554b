// The errors of item operations: absl::Status whose payload carries DynamoDB's error type, so that
// the server can answer it word for word. A status without the payload (a disk error, say) is an
// internal failure: InternalServerError to the client, and something for the log.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/value.h"

namespace varve::item {

// DynamoDB's error types, as the last part of "__type" names them.
enum class ErrorType : uint8_t {
  kInternalServerError,
  kValidationException,
  kSerializationException,
  kResourceNotFoundException,
  kResourceInUseException,
  kConditionalCheckFailedException,
  kLimitExceededException,
  kItemCollectionSizeLimitExceededException,
  kProvisionedThroughputExceededException,
  kTransactionCanceledException,
  kTransactionConflictException,
  kTransactionInProgressException,
  kIdempotentParameterMismatchException,
  kServiceUnavailable,
  kDuplicateItemException,
  kExpiredIteratorException,
  kTrimmedDataAccessException,
  kAccessDeniedException,
  kThrottlingException,
  kTableNotFoundException,
  kPolicyNotFoundException,
  kBackupNotFoundException,
  kExportNotFoundException,
  kImportNotFoundException,
  kGlobalTableNotFoundException,  // the last
};

// "ValidationException" and so on.
std::string_view ErrorTypeName(ErrorType type);
// The type of that name; nothing if there is none.
std::optional<ErrorType> ErrorTypeNamed(std::string_view name);

// A status of `type` with `message`, the service's words.
Status MakeError(ErrorType type, std::string_view message);

// The type that `status` (not OK) carries; without one: ServiceUnavailable for kUnavailable and
// kResourceExhausted (a full disk: try again later), otherwise InternalServerError.
ErrorType TypeOfError(const Status& status);

template <typename... Args>
Status ValidationError(fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(ErrorType::kValidationException,
                   fmt::format(format, std::forward<Args>(args)...));
}

// What a check of a request found, as PutItem, UpdateItem and DeleteItem report it: "1 validation
// error detected: ...". Other statuses are returned as they are.
Status AsOneValidationError(Status status);

// "Requested resource not found" in the form that data operations use.
Status TableNotFound();
// The form of control operations, which names the table.
Status TableNotFound(std::string_view table_name);

// "The conditional request failed". `item` is the item as it stands, if the request asked for it
// (ReturnValuesOnConditionCheckFailure=ALL_OLD).
Status ConditionalCheckFailed(std::optional<ItemView> item = std::nullopt);
// That item; nothing if the status carries none.
std::optional<Item> ItemOfError(const Status& status);

// A write of one item met a transaction of that item.
Status TransactionConflict();

// What became of one item of a transaction that was cancelled.
struct CancellationReason {
  std::string code = "None";  // "ConditionalCheckFailed" and so on
  std::string message;        // empty: none
  std::optional<Item> item;   // as it stands, if the request asked for it
};

// The reason that `error`, the error of an operation on the item alone, gives.
CancellationReason ReasonOf(const Status& error);

// A transaction's error. `reasons` has one for each of its items, in their order.
Status TransactionCanceled(const std::vector<CancellationReason>& reasons);
// Those reasons; none if the status carries none.
std::vector<CancellationReason> ReasonsOfError(const Status& status);

// A request that found no capacity left: `type` and `message` as MakeError takes them, `reason`
// such as TableReadProvisionedThroughputExceeded, `resource` the ARN of the table or index.
struct ThrottlingReason {
  std::string reason;
  std::string resource;
};
Status ThroughputExceeded(ErrorType type, std::string_view message, std::string_view reason,
                          std::string_view resource);
// What such a status carries; nothing if it carries none.
std::optional<ThrottlingReason> ThrottlingReasonOfError(const Status& status);

}  // namespace varve::item
