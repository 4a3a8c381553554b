// Frames: what travels on a connection of the binary protocol. docs/protocol.md is the
// specification.
//
//   +---------------+------------+------+-------+----------+---------+
//   | payload bytes | request id | type | flags | reserved | payload |
//   +---------------+------------+------+-------+----------+---------+
//          4              4         1       1        2
//
// Integers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/status.h"

namespace varve::protocol {

inline constexpr uint64_t kVersion = 1;
// Of the encoding of items and values (docs/item.md).
inline constexpr uint64_t kItemEncoding = 1;
inline constexpr uint16_t kDefaultPort = 7411;

inline constexpr size_t kFrameHeaderBytes = 12;
// Of a request: as much as the HTTP API takes in one body.
inline constexpr size_t kRequestBytesMax = size_t{16} << 20;
// Of an answer: a batch's 16 MB of items, and what stands around them.
inline constexpr size_t kAnswerBytesMax = size_t{64} << 20;

// What a frame is. Numbers are part of the format and never change their meaning.
enum class FrameType : uint8_t {
  // Of the connection; request id 0, except for kPrepare, kForget and kCancel.
  kHello = 0,         // client: the first frame
  kWelcome = 1,       // server: answers it
  kAuthenticate = 2,  // both: as many steps as the method has
  kCredit = 3,        // client: may be sent so much more
  kPing = 4,          // both
  kPong = 5,          // both: answers it, with its payload
  kCancel = 6,        // client: the answer to the request of that id is not wanted any more
  kGoodbye = 7,       // both: the last frame, with the reason
  kPrepare = 8,       // client: keeps expressions, under a handle
  kForget = 9,        // client: forgets them

  // Operations: requests, and their answers of the same type and id.
  kGetItem = 16,
  kPutItem = 17,
  kUpdateItem = 18,
  kDeleteItem = 19,
  kQuery = 20,
  kScan = 21,
  kBatchGetItem = 22,
  kBatchWriteItem = 23,
  kTransactGetItems = 24,
  kTransactWriteItems = 25,
  kExecuteStatement = 26,
  kBatchExecuteStatement = 27,
  kExecuteTransaction = 28,
  kCreateTable = 32,
  kDescribeTable = 33,
  kListTables = 34,
  kUpdateTable = 35,
  kDeleteTable = 36,
  kUpdateTimeToLive = 37,
  kDescribeTimeToLive = 38,
  kTagResource = 39,
  kUntagResource = 40,
  kListTagsOfResource = 41,
  kListStreams = 48,
  kDescribeStream = 49,
  kGetShardIterator = 50,
  kGetRecords = 51,
  // Page after page, each a frame of the answer, until everything is read or the client cancels.
  kQueryStream = 64,
  kScanStream = 65,
  // Any operation by its name, with the JSON of the HTTP API.
  kJson = 127,
};

// The operation's name, "GetItem"; empty if `type` is not an operation's.
std::string_view OperationName(FrameType type);

// More frames of the same answer follow.
inline constexpr uint8_t kMore = 1;
// The payload is an error (protocol/error.h). Ends the answer.
inline constexpr uint8_t kError = 2;

struct FrameHeader {
  uint32_t payload_bytes = 0;
  uint32_t request_id = 0;
  FrameType type = FrameType::kHello;
  uint8_t flags = 0;
};

// Writes the header at `p`, which has room for kFrameHeaderBytes.
inline void StoreFrameHeader(char* p, const FrameHeader& header) {
  StoreFixed(p, header.payload_bytes);
  StoreFixed(p + 4, header.request_id);
  p[8] = static_cast<char>(header.type);
  p[9] = static_cast<char>(header.flags);
  p[10] = p[11] = 0;
}

// Appends a frame whose payload is written behind it: BeginFrame, the payload, EndFrame with what
// BeginFrame returned.
inline size_t BeginFrame(const FrameHeader& header, std::string& to) {
  const size_t begin = to.size();
  to.resize(begin + kFrameHeaderBytes);
  StoreFrameHeader(to.data() + begin, header);
  return begin;
}
// Returns the frame's size. The payload must not be larger than 4 GiB.
inline size_t EndFrame(size_t begin, std::string& to) {
  StoreFixed(to.data() + begin, static_cast<uint32_t>(to.size() - begin - kFrameHeaderBytes));
  return to.size() - begin;
}

inline void AppendFrame(const FrameHeader& header, std::string_view payload, std::string& to) {
  const size_t begin = BeginFrame(header, to);
  to.append(payload);
  EndFrame(begin, to);
}

struct Frame {
  FrameHeader header;
  std::string_view payload;  // within the bytes that were given

  size_t size_bytes() const { return kFrameHeaderBytes + payload.size(); }
};

// The frame that `bytes` begins with; nothing while it has not arrived whole. InvalidArgument if it
// is longer than `payload_bytes_max`, has unknown flags or a reserved byte that is not 0: the
// connection is of no use any more.
StatusOr<std::optional<Frame>> ReadFrame(std::string_view bytes, size_t payload_bytes_max);

}  // namespace varve::protocol
