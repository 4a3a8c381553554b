// A stream of the binary protocol: frames, and the messages in them as each end reads them.
#include <string>
#include <vector>

#include "item/json.h"
#include "item/partiql/requests.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "item/utf8.h"
#include "item/value.h"
#include "protocol/error.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "tests/fuzz/fuzz.h"

namespace varve::protocol {
namespace {

using fuzz::Require;

constexpr size_t kPayloadBytesMax = 4096;

void CheckItem(const item::Item& item) {
  Require(item::ValidateItem(item.encoded()).ok(), "a request's item is an item");
}

void CheckText(const std::string& text) {
  Require(item::IsUtf8(text), "a request's text is UTF-8, as what JSON says is");
}

void CheckParameters(const item::ExpressionParameters& parameters) {
  if (parameters.names) {
    for (const auto& [placeholder, name] : *parameters.names) CheckText(name);
  }
  if (parameters.values) {
    for (const auto& [placeholder, value] : *parameters.values) {
      std::string json;
      AppendJson(value.view(), json);
      CheckText(json);
    }
  }
}

template <typename Request>
void CheckRequest(const Request&) {}
void CheckRequest(const item::GetItemRequest& request) {
  CheckItem(request.key);
  CheckText(request.table_name);
  CheckParameters(request.expression_parameters);
}
void CheckRequest(const item::PutItemRequest& request) {
  CheckItem(request.item);
  CheckParameters(request.expression_parameters);
}
void CheckRequest(const item::UpdateItemRequest& request) {
  CheckItem(request.key);
  if (request.update_expression) CheckText(*request.update_expression);
  CheckParameters(request.expression_parameters);
}
void CheckRequest(const item::QueryRequest& request) {
  if (request.exclusive_start_key) CheckItem(*request.exclusive_start_key);
  CheckParameters(request.expression_parameters);
}
void CheckRequest(const item::ExecuteStatementRequest& request) {
  CheckText(request.statement.statement);
}

// What can be read can be written, and what is written is read as the same.
template <typename Request>
void ReadRequest(std::string_view payload) {
  Request request;
  RequestExtras extras;
  if (!DecodeRequest(payload, &request, &extras).ok()) return;
  CheckRequest(request);
  std::string written;
  EncodeRequest(request, extras, written);
  Request again;
  RequestExtras extras_again;
  Require(DecodeRequest(written, &again, &extras_again).ok(), "what is written can be read");
  std::string twice;
  EncodeRequest(again, extras_again, twice);
  Require(twice == written, "a request is the same after a way through bytes");
}

template <typename Response>
void ReadAnswer(std::string_view payload) {
  Response response;
  AnswerExtras extras;
  if (!DecodeAnswer(payload, &response, &extras).ok()) return;
  std::string written;
  EncodeAnswer(response, extras, written);
  Response again;
  AnswerExtras extras_again;
  Require(DecodeAnswer(written, &again, &extras_again).ok(), "what is written can be read");
}

template <typename Message>
void ReadMessage(std::string_view payload) {
  Message message;
  if (!Decode(payload, &message).ok()) return;
  std::string written;
  Encode(message, written);
  Message again;
  Require(Decode(written, &again).ok(), "what is written can be read");
}

void Read(const Frame& frame) {
  const std::string_view payload = frame.payload;
  if ((frame.header.flags & kError) != 0) {
    Require(!DecodeError(payload).ok(), "an error is one");
    return;
  }
  switch (frame.header.type) {
    case FrameType::kHello:
      return ReadMessage<Hello>(payload);
    case FrameType::kWelcome:
      return ReadMessage<Welcome>(payload);
    case FrameType::kAuthenticate:
      return ReadMessage<Authenticate>(payload);
    case FrameType::kCredit:
      return ReadMessage<Credit>(payload);
    case FrameType::kGoodbye:
      return ReadMessage<Goodbye>(payload);
    case FrameType::kForget:
      return ReadRequest<ForgetRequest>(payload);
    case FrameType::kScan:
    case FrameType::kScanStream:
      return ReadRequest<item::ScanRequest>(payload);
    case FrameType::kQueryStream:
      return ReadRequest<item::QueryRequest>(payload);
    case FrameType::kPrepare:
      ReadRequest<PrepareRequest>(payload);
      return ReadAnswer<PrepareResponse>(payload);
    case FrameType::kJson:
      ReadRequest<JsonRequest>(payload);
      return ReadAnswer<JsonResponse>(payload);
#define VARVE_OPERATION(Name)                  \
  case FrameType::k##Name:                     \
    ReadRequest<item::Name##Request>(payload); \
    return ReadAnswer<item::Name##Response>(payload);
      VARVE_OPERATION(GetItem)
      VARVE_OPERATION(PutItem)
      VARVE_OPERATION(UpdateItem)
      VARVE_OPERATION(DeleteItem)
      VARVE_OPERATION(Query)
      VARVE_OPERATION(BatchGetItem)
      VARVE_OPERATION(BatchWriteItem)
      VARVE_OPERATION(TransactGetItems)
      VARVE_OPERATION(TransactWriteItems)
      VARVE_OPERATION(ExecuteStatement)
      VARVE_OPERATION(BatchExecuteStatement)
      VARVE_OPERATION(ExecuteTransaction)
      VARVE_OPERATION(CreateTable)
      VARVE_OPERATION(DescribeTable)
      VARVE_OPERATION(ListTables)
      VARVE_OPERATION(UpdateTable)
      VARVE_OPERATION(DeleteTable)
      VARVE_OPERATION(UpdateTimeToLive)
      VARVE_OPERATION(DescribeTimeToLive)
      VARVE_OPERATION(TagResource)
      VARVE_OPERATION(UntagResource)
      VARVE_OPERATION(ListTagsOfResource)
      VARVE_OPERATION(ListStreams)
      VARVE_OPERATION(DescribeStream)
      VARVE_OPERATION(GetShardIterator)
      VARVE_OPERATION(GetRecords)
#undef VARVE_OPERATION
    default:
      return;
  }
}

void Run(std::string_view stream) {
  while (true) {
    const StatusOr<std::optional<Frame>> frame = ReadFrame(stream, kPayloadBytesMax);
    if (!frame.ok() || !*frame) return;
    Require((*frame)->payload.size() <= kPayloadBytesMax, "a frame is no longer than may be");
    // One byte less, and it has not arrived.
    const StatusOr<std::optional<Frame>> cut =
        ReadFrame(stream.substr(0, (*frame)->size_bytes() - 1), kPayloadBytesMax);
    Require(cut.ok() && !*cut, "a frame is read when all of it is there");
    Read(**frame);
    stream.remove_prefix((*frame)->size_bytes());
  }
}

}  // namespace
}  // namespace varve::protocol

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::protocol::Run(varve::fuzz::BytesOf(data, size));
  return 0;
}
