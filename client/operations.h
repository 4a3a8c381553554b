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
#define VARVE_CLIENT_OPERATIONS(V)   \
  V(GetItem, kRepeatable)            \
  V(PutItem, kTokenWrite)            \
  V(UpdateItem, kTokenWrite)         \
  V(DeleteItem, kTokenWrite)         \
  V(Query, kRepeatable)              \
  V(Scan, kRepeatable)               \
  V(BatchGetItem, kRepeatable)       \
  V(BatchWriteItem, kTokenWrite)     \
  V(TransactGetItems, kRepeatable)   \
  V(TransactWriteItems, kWrite)      \
  V(ExecuteStatement, kWrite)        \
  V(BatchExecuteStatement, kWrite)   \
  V(ExecuteTransaction, kWrite)      \
  V(CreateTable, kWrite)             \
  V(DescribeTable, kRepeatable)      \
  V(ListTables, kRepeatable)         \
  V(UpdateTable, kWrite)             \
  V(DeleteTable, kWrite)             \
  V(UpdateTimeToLive, kWrite)        \
  V(DescribeTimeToLive, kRepeatable) \
  V(TagResource, kWrite)             \
  V(UntagResource, kWrite)           \
  V(ListTagsOfResource, kRepeatable) \
  V(ListStreams, kRepeatable)        \
  V(DescribeStream, kRepeatable)     \
  V(GetShardIterator, kRepeatable)   \
  V(GetRecords, kRepeatable)

namespace varve::client {

// What sending a request twice may do.
enum class OperationKind : uint8_t {
  kRepeatable,  // nothing more than sending it once: reads
  kWrite,       // the write may take effect twice, or fail the second time
  kTokenWrite,  // the same, unless both have the same request token
};

}  // namespace varve::client
