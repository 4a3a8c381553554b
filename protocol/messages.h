// The messages of the binary protocol. Requests and answers are item/'s own structs
// (item/requests.h and its neighbours), so that a client asks a server as it would ask a Store;
// here are those that belong to the connection, and how all of them become bytes and back.
//
//   std::string payload;
//   EncodeRequest(get_item_request, {}, payload);
//   ...
//   item::GetItemRequest request;
//   RequestExtras extras;
//   VARVE_RETURN_IF_ERROR(DecodeRequest(payload, &request, &extras));
//
// Legacy parameters do not travel. docs/protocol.md has every field's number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "item/expression/expression.h"
#include "protocol/fields.h"
#include "protocol/frame.h"

namespace varve::protocol {

inline constexpr std::string_view kMagic = "varve";

// What a client may ask for and a server may have, by bit.
enum class Feature : uint64_t {
  // Writes with a request token take effect once. Without it tokens are ignored.
  kRequestTokens = 1,
};

// The client's first frame. A server that speaks none of its versions says so in a Goodbye.
struct Hello {
  std::string magic;         // kMagic
  uint64_t version_min = 0;  // kVersion, here as there, unless a client speaks several
  uint64_t version_max = 0;
  uint64_t features = 0;
  uint64_t item_encoding_min = 0;  // kItemEncoding
  uint64_t item_encoding_max = 0;
  std::string client_name;    // for people: program and version
  uint64_t credit_bytes = 0;  // of answers, to begin with
};

struct Welcome {
  uint64_t version = 0;
  uint64_t features = 0;
  uint64_t item_encoding = 0;
  std::string server_name;
  uint64_t request_bytes_max = 0;  // of a request's payload
  uint64_t requests_max = 0;       // under way at once
  uint64_t prepared_max = 0;
  uint64_t credit_bytes_max = 0;  // more credit than this does not count
  // The method of authentication that must follow; empty: none.
  std::string authentication;
  uint64_t idle_timeout_ms = 0;
};

// A step of a method of authentication: a challenge, or what answers it.
struct Authenticate {
  std::string method;
  uint64_t step = 0;
  std::string data;
  bool done = false;  // of the server's last step: the client may go on
};

struct Credit {
  uint64_t bytes = 0;
};

struct Goodbye {
  std::string reason;
};

// Keeps the expressions of requests of one operation on one table.
struct PrepareRequest {
  std::string table_name;
  uint64_t operation = 0;  // a FrameType
  std::optional<std::string> index_name;
  std::optional<std::string> condition_expression;
  std::optional<std::string> update_expression;
  std::optional<std::string> projection_expression;
  std::optional<std::string> filter_expression;
  std::optional<std::string> key_condition_expression;
  std::optional<item::expression::AttributeNames> names;
};
struct PrepareResponse {
  uint64_t prepared = 0;  // the handle, not 0; of this connection
};
struct ForgetRequest {
  uint64_t prepared = 0;
};

// An operation of the HTTP API by its name, "DynamoDB_20120810.PutItem" or "PutItem".
struct JsonRequest {
  std::string operation;
  std::string body;
};
struct JsonResponse {
  uint64_t http_status = 0;
  std::string body;
};

// What any request may have besides.
struct RequestExtras {
  uint64_t prepared = 0;  // a handle whose expressions are the request's; 0: none
  // Of PutItem, UpdateItem, DeleteItem and BatchWriteItem: makes it safe to send them again.
  std::string request_token;
};
// What any answer may have besides.
struct AnswerExtras {
  bool repeated = false;  // the request's token had been seen: nothing was done now
};

// ---- Encoding

// Message is one of the structs above or a request or answer of item/. Appends its fields.
template <typename Message>
void Encode(const Message& message, std::string& to);
template <typename Request>
void EncodeRequest(const Request& request, const RequestExtras& extras, std::string& to);
template <typename Response>
void EncodeAnswer(const Response& response, const AnswerExtras& extras, std::string& to);

// Each reads a whole payload into a new message. InvalidArgument says what is wrong with which
// field. A request's items are validated, an answer's are not.
template <typename Message>
Status Decode(std::string_view payload, Message* message);
template <typename Request>
Status DecodeRequest(std::string_view payload, Request* request, RequestExtras* extras);
template <typename Response>
Status DecodeAnswer(std::string_view payload, Response* response, AnswerExtras* extras);

}  // namespace varve::protocol
