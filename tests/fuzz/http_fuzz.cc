// A stream of HTTP requests as it may arrive on a connection: in pieces, pipelined, packed, from a
// browser. The first byte says how long the pieces are. What comes of it must not depend on that.
#include <algorithm>
#include <string>
#include <vector>

#include "server/cors.h"
#include "server/http_request.h"
#include "server/http_response.h"
#include "tests/fuzz/fuzz.h"

namespace varve::server {
namespace {

using fuzz::Require;
using Result = RequestParser::Result;

constexpr HttpLimits kLimits{.header_bytes_max = 1 << 10, .body_bytes_max = 64 << 10};
constexpr size_t kBudgetBytes = 128 << 10;
// What a connection holds that the parser has not taken: whatever must come whole, a header or the
// line before a chunk, is refused if it is longer.
constexpr size_t kReceiveBytes = 2 << 10;

void CheckAnswer(const HttpRequest& request) {
  static const std::vector<std::string> origins[] = {
      {std::string(kLoopbackOrigins)},
      {std::string(kAnyOrigin)},
      {"https://console.example.com"},
  };
  for (const std::vector<std::string>& allowed : origins) {
    HttpReply reply;
    reply.body = "{}";
    AnswerCors(request, allowed, &reply);
    std::string out;
    ResponseWriter(1).Append(reply, /*close=*/false, request.is_head, /*wall_ms=*/0, &out);
    // What a request says can't become lines of its own in the answer.
    const size_t end = out.find("\r\n\r\n");
    Require(end != std::string::npos, "an answer's head ends");
    std::string_view head(out.data(), end);
    while (!head.empty()) {
      const std::string_view line = fuzz::TakeUntil(head, '\n');
      constexpr std::string_view kStarts[] = {
          "HTTP/1.1 ", "Access-Control-", "Connection: ", "Content-",
          "Date: ",    "Server: ",        "Vary: ",       "x-amz"};
      Require(std::any_of(std::begin(kStarts), std::end(kStarts),
                          [&](std::string_view start) { return line.starts_with(start); }),
              "an answer's lines are ours");
    }
    Require(out.size() == end + 4 + (request.is_head ? 0 : reply.body.size()), "one answer");
  }
}

// The requests in `stream`, fed in pieces of `step` bytes, as a connection does it; as text. What
// is said of one that is refused, or not at its end, may depend on the pieces: a header is not
// looked into before all of it has come.
std::string Serve(std::string_view stream, size_t step) {
  MemoryBudget budget(kBudgetBytes);
  HttpRequest request;
  std::string said, pending;
  for (int requests = 0; requests < 16; ++requests) {
    request.Clear();
    RequestParser parser(kLimits, &budget, &request);
    Result result;
    while (true) {
      size_t consumed = 0;
      result = parser.Feed(pending, &consumed);
      Require(consumed <= pending.size(), "a parser takes what there is");
      Require(budget.used_bytes() <= kBudgetBytes, "bodies stay within their budget");
      pending.erase(0, consumed);
      if (result != Result::kNeedMore || stream.empty()) break;
      if (pending.size() == kReceiveBytes) return said;
      (void)parser.TakeExpectContinue();
      const size_t piece = std::min({step, stream.size(), kReceiveBytes - pending.size()});
      pending.append(stream.substr(0, piece));
      stream.remove_prefix(piece);
    }
    if (result == Result::kDone) {
      while ((result = parser.DecodeBody()) == Result::kNeedMore) {
        Require(request.body.size() <= kLimits.body_bytes_max, "a body is bounded");
      }
    }
    if (result != Result::kDone) break;
    Require(request.body.size() <= kLimits.body_bytes_max, "a body is bounded");
    Require(
        request.body.capacity() >= request.body.size() + kBodyPaddingBytes || request.body.empty(),
        "a body has room for the JSON parser");
    CheckAnswer(request);
    for (const std::string* part : {&request.path, &request.target, &request.content_type,
                                    &request.host, &request.origin, &request.body}) {
      said += *part;
      said += '\0';
    }
    said += request.is_post ? 'p' : request.is_options ? 'o' : request.is_get ? 'g' : '-';
    if (!parser.keep_alive()) break;
  }
  Require(budget.used_bytes() == 0, "what a body took is given back");
  return said;
}

}  // namespace
}  // namespace varve::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  if (size == 0) return 0;
  const std::string_view stream = fuzz::BytesOf(data + 1, size - 1);
  const std::string whole = server::Serve(stream, server::kReceiveBytes);
  const std::string pieces = server::Serve(stream, 1 + data[0] % 64);
  fuzz::Require(whole == pieces, "how a stream is cut changes nothing");
  (void)server::AcceptsGzip(stream);
  return 0;
}
