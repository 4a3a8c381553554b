// The operations that a client can ask for by a type of their own: for each there are
// item::<Name>Request, item::<Name>Response and protocol::FrameType::k<Name>. Everything else that
// the HTTP API has is reached by Json.
#pragma once

#include "item/partiql/requests.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

// V(Name, Kind); Kind is one of client::OperationKind.
#define VARVE_CLIENT_OPERATIONS(V) \
  V(GetItem, kRead)                \
  V(PutItem, kTokenWrite)          \
  V(UpdateItem, kTokenWrite)       \
  V(DeleteItem, kTokenWrite)       \
  V(Query, kRead)                  \
  V(Scan, kRead)                   \
  V(BatchGetItem, kRead)           \
  V(BatchWriteItem, kTokenWrite)   \
  V(TransactGetItems, kRead)       \
  V(TransactWriteItems, kWrite)    \
  V(ExecuteStatement, kWrite)      \
  V(BatchExecuteStatement, kWrite) \
  V(ExecuteTransaction, kWrite)    \
  V(CreateTable, kWrite)           \
  V(DescribeTable, kRead)          \
  V(ListTables, kRead)             \
  V(UpdateTable, kWrite)           \
  V(DeleteTable, kWrite)           \
  V(UpdateTimeToLive, kWrite)      \
  V(DescribeTimeToLive, kRead)     \
  V(TagResource, kWrite)           \
  V(UntagResource, kWrite)         \
  V(ListTagsOfResource, kRead)     \
  V(ListStreams, kRead)            \
  V(DescribeStream, kRead)         \
  V(GetShardIterator, kRead)       \
  V(GetRecords, kRead)

namespace varve::client {

// What sending a request twice may do.
enum class OperationKind : uint8_t {
  kRead,        // nothing
  kWrite,       // the write may take effect twice, or fail the second time
  kTokenWrite,  // the same, unless both have the same request token
};

}  // namespace varve::client
