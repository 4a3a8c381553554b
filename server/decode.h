// From an operation's JSON to item/'s typed request.
#pragma once

#include <simdjson.h>

#include "base/status.h"
#include "item/partiql/requests.h"
#include "item/requests.h"
#include "server/json.h"

namespace varve::server {

// Each fills `request`, which is new, from a body that CheckRequest (server/schema.h) has passed.
// Errors are what item/json.h says of values that mean nothing.
Status Decode(const Members& json, item::BatchExecuteStatementRequest* request);
Status Decode(const Members& json, item::BatchGetItemRequest* request);
Status Decode(const Members& json, item::BatchWriteItemRequest* request);
Status Decode(const Members& json, item::CreateTableRequest* request);
Status Decode(const Members& json, item::DeleteItemRequest* request);
Status Decode(const Members& json, item::DeleteTableRequest* request);
Status Decode(const Members& json, item::DescribeTableRequest* request);
Status Decode(const Members& json, item::ExecuteStatementRequest* request);
Status Decode(const Members& json, item::ExecuteTransactionRequest* request);
Status Decode(const Members& json, item::GetItemRequest* request);
Status Decode(const Members& json, item::ListTablesRequest* request);
Status Decode(const Members& json, item::ListTagsOfResourceRequest* request);
Status Decode(const Members& json, item::PutItemRequest* request);
Status Decode(const Members& json, item::QueryRequest* request);
Status Decode(const Members& json, item::ScanRequest* request);
Status Decode(const Members& json, item::TransactGetItemsRequest* request);
Status Decode(const Members& json, item::TransactWriteItemsRequest* request);
Status Decode(const Members& json, item::TagResourceRequest* request);
Status Decode(const Members& json, item::UntagResourceRequest* request);
Status Decode(const Members& json, item::UpdateItemRequest* request);
Status Decode(const Members& json, item::UpdateTableRequest* request);

}  // namespace varve::server
