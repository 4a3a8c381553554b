// The schema of each operation's request. Members stand in the order in which the service checks
// them.
#pragma once

#include "server/schema.h"

namespace varve::server {

extern const Schema kBatchExecuteStatementSchema;
extern const Schema kBatchGetItemSchema;
extern const Schema kBatchWriteItemSchema;
extern const Schema kCreateTableSchema;
extern const Schema kDeleteItemSchema;
extern const Schema kDeleteTableSchema;
extern const Schema kDescribeStreamSchema;
extern const Schema kDescribeTableSchema;
extern const Schema kDescribeTimeToLiveSchema;
extern const Schema kExecuteStatementSchema;
extern const Schema kExecuteTransactionSchema;
extern const Schema kGetItemSchema;
extern const Schema kGetRecordsSchema;
extern const Schema kGetShardIteratorSchema;
extern const Schema kListStreamsSchema;
extern const Schema kListTablesSchema;
extern const Schema kListTagsOfResourceSchema;
extern const Schema kPutItemSchema;
extern const Schema kQuerySchema;
extern const Schema kScanSchema;
extern const Schema kTransactGetItemsSchema;
extern const Schema kTransactWriteItemsSchema;
extern const Schema kTagResourceSchema;
extern const Schema kUntagResourceSchema;
extern const Schema kUpdateItemSchema;
extern const Schema kUpdateTableSchema;
extern const Schema kUpdateTimeToLiveSchema;

}  // namespace varve::server
