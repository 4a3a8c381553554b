// The operations whose requests are decoded from JSON: X(name) for each, where `name##Request` is
// the request and `k##name##Schema` its schema.
#pragma once

#define VARVE_FOR_DECODED_OPERATIONS(X) \
  X(BatchExecuteStatement)              \
  X(BatchGetItem)                       \
  X(BatchWriteItem)                     \
  X(CreateTable)                        \
  X(DeleteItem)                         \
  X(DeleteTable)                        \
  X(DescribeStream)                     \
  X(DescribeTable)                      \
  X(DescribeTimeToLive)                 \
  X(ExecuteStatement)                   \
  X(ExecuteTransaction)                 \
  X(GetItem)                            \
  X(GetRecords)                         \
  X(GetShardIterator)                   \
  X(ListStreams)                        \
  X(ListTables)                         \
  X(ListTagsOfResource)                 \
  X(PutItem)                            \
  X(Query)                              \
  X(Scan)                               \
  X(TagResource)                        \
  X(TransactGetItems)                   \
  X(TransactWriteItems)                 \
  X(UntagResource)                      \
  X(UpdateItem)                         \
  X(UpdateTable)                        \
  X(UpdateTimeToLive)
