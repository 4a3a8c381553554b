// What the PartiQL operations of item/store.h take and give. As in item/requests.h, which has the
// rest, members are named as in the API reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "item/item_list.h"
#include "item/requests.h"
#include "item/value.h"

namespace varve::item {

// A statement with what stands for its question marks.
struct ParameterizedStatement {
  std::string statement;
  std::vector<Value> parameters;
  // What is wrong with the first parameter that could not be decoded; the rest are not there then.
  Status invalid_parameter;
  bool consistent_read = false;  // not of ExecuteTransaction
  bool return_old_on_condition_check_failure = false;
};

struct ExecuteStatementRequest {
  ParameterizedStatement statement;
  std::optional<std::string> next_token;
  std::optional<int64_t> limit;  // at least 1: items looked at
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct ExecuteStatementResponse {
  ItemList items;
  std::optional<std::string> next_token;
  std::optional<Item> last_evaluated_key;
  std::optional<ConsumedCapacity> consumed_capacity;
};

struct BatchExecuteStatementRequest {
  std::vector<ParameterizedStatement> statements;  // 1 to 25
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct BatchStatementError {
  std::string code;  // "ConditionalCheckFailed" and so on
  std::string message;
  std::optional<Item> item;
};
struct BatchStatementResponse {
  std::optional<BatchStatementError> error;
  std::optional<std::string> table_name;  // unless the statement failed before it ran
  std::optional<Item> item;
};
struct BatchExecuteStatementResponse {
  std::vector<BatchStatementResponse> responses;  // as the statements
  // By table, in the order in which they come first; empty unless asked for.
  std::vector<ConsumedCapacity> consumed_capacity;
};

struct ExecuteTransactionRequest {
  std::vector<ParameterizedStatement> transact_statements;  // 1 to 100
  std::optional<std::string> client_request_token;
  ReturnConsumedCapacity return_consumed_capacity = ReturnConsumedCapacity::kNone;
};
struct ExecuteTransactionResponse {
  std::vector<std::optional<Item>> responses;  // of reads one for each; of writes none
  std::vector<ConsumedCapacity> consumed_capacity;
};

}  // namespace varve::item
