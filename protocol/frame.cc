#include "protocol/frame.h"

namespace varve::protocol {

std::string_view OperationName(FrameType type) {
  switch (type) {
    case FrameType::kGetItem:
      return "GetItem";
    case FrameType::kPutItem:
      return "PutItem";
    case FrameType::kUpdateItem:
      return "UpdateItem";
    case FrameType::kDeleteItem:
      return "DeleteItem";
    case FrameType::kQuery:
    case FrameType::kQueryStream:
      return "Query";
    case FrameType::kScan:
    case FrameType::kScanStream:
      return "Scan";
    case FrameType::kBatchGetItem:
      return "BatchGetItem";
    case FrameType::kBatchWriteItem:
      return "BatchWriteItem";
    case FrameType::kTransactGetItems:
      return "TransactGetItems";
    case FrameType::kTransactWriteItems:
      return "TransactWriteItems";
    case FrameType::kExecuteStatement:
      return "ExecuteStatement";
    case FrameType::kBatchExecuteStatement:
      return "BatchExecuteStatement";
    case FrameType::kExecuteTransaction:
      return "ExecuteTransaction";
    case FrameType::kCreateTable:
      return "CreateTable";
    case FrameType::kDescribeTable:
      return "DescribeTable";
    case FrameType::kListTables:
      return "ListTables";
    case FrameType::kUpdateTable:
      return "UpdateTable";
    case FrameType::kDeleteTable:
      return "DeleteTable";
    case FrameType::kUpdateTimeToLive:
      return "UpdateTimeToLive";
    case FrameType::kDescribeTimeToLive:
      return "DescribeTimeToLive";
    case FrameType::kTagResource:
      return "TagResource";
    case FrameType::kUntagResource:
      return "UntagResource";
    case FrameType::kListTagsOfResource:
      return "ListTagsOfResource";
    case FrameType::kListStreams:
      return "ListStreams";
    case FrameType::kDescribeStream:
      return "DescribeStream";
    case FrameType::kGetShardIterator:
      return "GetShardIterator";
    case FrameType::kGetRecords:
      return "GetRecords";
    default:
      return {};
  }
}

StatusOr<std::optional<Frame>> ReadFrame(std::string_view bytes, size_t payload_bytes_max) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  Frame frame;
  frame.header.payload_bytes = LoadU32(bytes.data());
  frame.header.request_id = LoadU32(bytes.data() + 4);
  frame.header.type = static_cast<FrameType>(bytes[8]);
  frame.header.flags = static_cast<uint8_t>(bytes[9]);
  if (frame.header.payload_bytes > payload_bytes_max) {
    return InvalidArgument("a frame of {} bytes: the limit is {}", frame.header.payload_bytes,
                           payload_bytes_max);
  }
  if ((frame.header.flags & ~(kMore | kError)) != 0) {
    return InvalidArgument("a frame with flags {:#x}, which have no meaning", frame.header.flags);
  }
  if (LoadU16(bytes.data() + 10) != 0) {
    return InvalidArgument("a frame whose reserved bytes are not 0");
  }
  if (bytes.size() - kFrameHeaderBytes < frame.header.payload_bytes) return std::nullopt;
  frame.payload = bytes.substr(kFrameHeaderBytes, frame.header.payload_bytes);
  return frame;
}

}  // namespace varve::protocol
