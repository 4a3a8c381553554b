// From an operation's JSON to item/'s typed request.
#pragma once

#include <simdjson.h>

#include "base/status.h"
#include "item/partiql/requests.h"
#include "item/requests.h"

namespace varve::server {

// Each fills `request`, which is new, from a body that CheckRequest (server/schema.h) has passed.
// Errors are what item/json.h says of values that mean nothing.
Status Decode(const simdjson::dom::object& json, item::BatchExecuteStatementRequest* request);
Status Decode(const simdjson::dom::object& json, item::BatchGetItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::BatchWriteItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::CreateTableRequest* request);
Status Decode(const simdjson::dom::object& json, item::DeleteItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::DeleteTableRequest* request);
Status Decode(const simdjson::dom::object& json, item::DescribeTableRequest* request);
Status Decode(const simdjson::dom::object& json, item::ExecuteStatementRequest* request);
Status Decode(const simdjson::dom::object& json, item::ExecuteTransactionRequest* request);
Status Decode(const simdjson::dom::object& json, item::GetItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::ListTablesRequest* request);
Status Decode(const simdjson::dom::object& json, item::ListTagsOfResourceRequest* request);
Status Decode(const simdjson::dom::object& json, item::PutItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::QueryRequest* request);
Status Decode(const simdjson::dom::object& json, item::ScanRequest* request);
Status Decode(const simdjson::dom::object& json, item::TransactGetItemsRequest* request);
Status Decode(const simdjson::dom::object& json, item::TransactWriteItemsRequest* request);
Status Decode(const simdjson::dom::object& json, item::TagResourceRequest* request);
Status Decode(const simdjson::dom::object& json, item::UntagResourceRequest* request);
Status Decode(const simdjson::dom::object& json, item::UpdateItemRequest* request);
Status Decode(const simdjson::dom::object& json, item::UpdateTableRequest* request);

}  // namespace varve::server
