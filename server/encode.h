// From item/'s typed response to an operation's JSON.
#pragma once

#include <string>

#include "base/status.h"
#include "item/partiql/requests.h"
#include "item/requests.h"

namespace varve::server {

// Each appends the whole response body. Those that take a response that is not const take its lists
// of items apart on the way.
void Encode(const item::BatchExecuteStatementResponse& response, std::string& to);
void Encode(item::BatchGetItemResponse& response, std::string& to);
void Encode(const item::BatchWriteItemResponse& response, std::string& to);
void Encode(const item::CreateTableResponse& response, std::string& to);
void Encode(const item::DeleteItemResponse& response, std::string& to);
void Encode(const item::DeleteTableResponse& response, std::string& to);
void Encode(const item::DescribeTableResponse& response, std::string& to);
void Encode(item::ExecuteStatementResponse& response, std::string& to);
void Encode(const item::ExecuteTransactionResponse& response, std::string& to);
void Encode(const item::GetItemResponse& response, std::string& to);
void Encode(const item::ListTablesResponse& response, std::string& to);
void Encode(const item::ListTagsOfResourceResponse& response, std::string& to);
void Encode(const item::PutItemResponse& response, std::string& to);
void Encode(item::ItemPage& response, std::string& to);  // Query and Scan
void Encode(const item::TransactGetItemsResponse& response, std::string& to);
void Encode(const item::TransactWriteItemsResponse& response, std::string& to);
void Encode(const item::TagResourceResponse& response, std::string& to);    // nothing
void Encode(const item::UntagResourceResponse& response, std::string& to);  // nothing
void Encode(const item::UpdateItemResponse& response, std::string& to);
void Encode(const item::UpdateTableResponse& response, std::string& to);

// Appends the body that answers `status`, not OK, and returns its HTTP status. What an internal
// error says is kept from the client.
int EncodeError(const Status& status, std::string& to);

}  // namespace varve::server
