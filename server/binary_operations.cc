#include "server/binary_operations.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "item/errors.h"
#include "item/store.h"
#include "protocol/error.h"
#include "protocol/messages.h"
#include "server/dynamodb_api.h"
#include "server/item_gets.h"
#include "server/operation_schemas.h"
#include "server/read_request.h"

namespace varve::server {
namespace {

using item::Store;
using protocol::AnswerExtras;
using protocol::FrameType;
using protocol::RequestExtras;

// A page of a stream, as read from the table.
constexpr size_t kStreamPageBytes = size_t{128} << 10;

constexpr size_t kRequestTokenBytesMax = 36;

template <typename Request>
Status ReadRequest(BinaryCall& call, const Schema& schema, Request* request,
                   RequestExtras* extras) {
  return server::ReadRequest(*call.service().store, *call.prepared(), call.header().type,
                             call.payload(), schema, request, extras);
}

template <typename Response>
void Answer(BinaryCall& call, const Response& response, uint8_t flags = 0,
            const AnswerExtras& extras = {}) {
  std::string& to = call.BeginAnswer(flags);
  protocol::EncodeAnswer(response, extras, to);
  call.EndAnswer();
}

template <typename Request, typename Response, const Schema& kSchema,
          io::Task<StatusOr<Response>> (Store::*kMethod)(const Request&)>
io::Task<Status> Run(BinaryCall& call) {
  Request request;
  RequestExtras extras;
  Status read = ReadRequest(call, kSchema, &request, &extras);
  if (!read.ok()) co_return read;
  io::Task<StatusOr<Response>> task = (call.service().store->*kMethod)(request);
  StatusOr<Response> response = co_await task;
  if (!response.ok()) co_return response.status();
  Answer(call, *response);
  co_return Status();
}

// The same of writes that a request token makes safe to repeat.
template <typename Request, typename Response, const Schema& kSchema,
          io::Task<StatusOr<Response>> (Store::*kMethod)(const Request&, Store::Once*)>
io::Task<Status> RunWrite(BinaryCall& call) {
  Request request;
  RequestExtras extras;
  Status status = ReadRequest(call, kSchema, &request, &extras);
  if (!status.ok()) co_return status;
  Store::Once once;
  const bool has_token = !extras.request_token.empty();
  if (has_token) {
    if (extras.request_token.size() > kRequestTokenBytesMax) {
      co_return item::ValidationError("RequestToken has at most {} bytes", kRequestTokenBytesMax);
    }
    // Of what the request says, however it was said: a handle may be another one the next time.
    std::string said(1, static_cast<char>(call.header().type));
    protocol::EncodeRequest(request, {}, said);
    once.token = {item::TransactionToken::Operation::kWrite, std::move(extras.request_token),
                  item::FingerprintOf(said)};
  }
  io::Task<StatusOr<Response>> task =
      (call.service().store->*kMethod)(request, has_token ? &once : nullptr);
  const StatusOr<Response> response = co_await task;
  if (!response.ok()) co_return response.status();
  Answer(call, *response, 0, {.repeated = once.repeated});
  co_return status;
}

io::Task<Status> RunGetItem(BinaryCall& call) {
  item::GetItemRequest request;
  RequestExtras extras;
  Status status = ReadRequest(call, kGetItemSchema, &request, &extras);
  if (!status.ok()) co_return status;
  io::Task<StatusOr<Store::ItemRead>> task = call.service().store->ReadItem(request);
  const StatusOr<Store::ItemRead> read = co_await task;
  if (!read.ok()) co_return read.status();
  EncodeAnswer(*read, call.BeginAnswer(0));
  call.EndAnswer();
  co_return status;
}

// ---- Streams: page after page

template <typename Request,
          io::Task<StatusOr<item::ItemPage>> (Store::*kMethod)(const Request&, size_t)>
io::Task<Status> RunStream(BinaryCall& call, const Schema& schema) {
  Request request;
  RequestExtras extras;
  Status status = ReadRequest(call, schema, &request, &extras);
  if (!status.ok()) co_return status;
  for (;;) {
    io::Task<StatusOr<item::ItemPage>> task =
        (call.service().store->*kMethod)(request, kStreamPageBytes);
    const StatusOr<item::ItemPage> page = co_await task;
    if (!page.ok()) co_return page.status();
    if (request.limit) *request.limit -= static_cast<int64_t>(page->scanned_count);
    const bool last = !page->last_evaluated_key || (request.limit && *request.limit <= 0);
    Answer(call, *page, last ? 0 : protocol::kMore);
    if (last) co_return status;
    request.exclusive_start_key = page->last_evaluated_key;
    io::Task<bool> wait = call.WaitForCredit();
    const bool go_on = co_await wait;
    if (!go_on) co_return protocol::Cancelled();
  }
}

io::Task<Status> RunQueryStream(BinaryCall& call) {
  return RunStream<item::QueryRequest, &Store::QueryPage>(call, kQuerySchema);
}
io::Task<Status> RunScanStream(BinaryCall& call) {
  return RunStream<item::ScanRequest, &Store::ScanPage>(call, kScanSchema);
}

// ---- Expressions that are kept

io::Task<Status> RunPrepare(BinaryCall& call) {
  protocol::PrepareRequest request;
  RequestExtras extras;
  Status status = protocol::DecodeRequest(call.payload(), &request, &extras);
  if (!status.ok()) co_return AsClientError(status);
  const StatusOr<uint64_t> handle =
      call.prepared()->Prepare(*call.service().store, std::move(request));
  if (!handle.ok()) co_return handle.status();
  Answer(call, protocol::PrepareResponse{*handle});
  co_return status;
}

io::Task<Status> RunForget(BinaryCall& call) {
  protocol::ForgetRequest request;
  RequestExtras extras;
  Status status = protocol::DecodeRequest(call.payload(), &request, &extras);
  if (!status.ok()) co_return AsClientError(status);
  call.prepared()->Forget(request.prepared);
  call.BeginAnswer(0);
  call.EndAnswer();
  co_return status;
}

// ---- JSON

io::Task<Status> RunJson(BinaryCall& call) {
  protocol::JsonRequest request;
  RequestExtras extras;
  Status status = protocol::DecodeRequest(call.payload(), &request, &extras);
  if (!status.ok()) co_return AsClientError(status);
  if (call.service().api == nullptr) {
    co_return item::MakeError(item::ErrorType::kValidationException, "There is no JSON here");
  }
  HttpRequest http;
  http.is_post = true;
  http.path = "/";
  http.content_type = kAmzJson;
  const bool has_service = request.operation.find('.') != std::string::npos;
  http.target = has_service ? request.operation : "DynamoDB_20120810." + request.operation;
  http.body = std::move(request.body);
  http.body.reserve(http.body.size() + kBodyPaddingBytes);
  HttpReply reply;
  io::Task<void> task = call.service().api->Handle(call.worker(), http, &reply);
  co_await task;
  protocol::JsonResponse response;
  response.http_status = static_cast<uint64_t>(reply.status);
  response.body = std::move(reply.body);
  Answer(call, response);
  co_return status;
}

// ---- All of them

using Operations = std::array<BinaryOperation, 256>;

const Operations kOperations = [] {
  Operations operations{};
  const auto set = [&operations](FrameType type, BinaryOperation operation) {
    operations[static_cast<size_t>(type)] = operation;
  };
#define VARVE_OPERATION(name) \
  set(FrameType::k##name,     \
      Run<item::name##Request, item::name##Response, k##name##Schema, &Store::name>)
  VARVE_OPERATION(Query);
  VARVE_OPERATION(Scan);
  VARVE_OPERATION(BatchGetItem);
  VARVE_OPERATION(TransactGetItems);
  VARVE_OPERATION(TransactWriteItems);
  VARVE_OPERATION(ExecuteStatement);
  VARVE_OPERATION(BatchExecuteStatement);
  VARVE_OPERATION(ExecuteTransaction);
  VARVE_OPERATION(CreateTable);
  VARVE_OPERATION(DescribeTable);
  VARVE_OPERATION(ListTables);
  VARVE_OPERATION(UpdateTable);
  VARVE_OPERATION(DeleteTable);
  VARVE_OPERATION(UpdateTimeToLive);
  VARVE_OPERATION(DescribeTimeToLive);
  VARVE_OPERATION(TagResource);
  VARVE_OPERATION(UntagResource);
  VARVE_OPERATION(ListTagsOfResource);
  VARVE_OPERATION(ListStreams);
  VARVE_OPERATION(DescribeStream);
  VARVE_OPERATION(GetShardIterator);
  VARVE_OPERATION(GetRecords);
#undef VARVE_OPERATION
#define VARVE_WRITE(name) \
  set(FrameType::k##name, \
      RunWrite<item::name##Request, item::name##Response, k##name##Schema, &Store::name>)
  VARVE_WRITE(PutItem);
  VARVE_WRITE(UpdateItem);
  VARVE_WRITE(DeleteItem);
  VARVE_WRITE(BatchWriteItem);
#undef VARVE_WRITE
  set(FrameType::kGetItem, RunGetItem);
  set(FrameType::kQueryStream, RunQueryStream);
  set(FrameType::kScanStream, RunScanStream);
  set(FrameType::kPrepare, RunPrepare);
  set(FrameType::kForget, RunForget);
  set(FrameType::kJson, RunJson);
  return operations;
}();

}  // namespace

BinaryOperation BinaryOperationOf(FrameType type) { return kOperations[static_cast<size_t>(type)]; }

}  // namespace varve::server
