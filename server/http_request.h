// Reading HTTP/1.1 requests off a stream of bytes (RFC 9112), with every length bounded.
//
//   HttpRequest request;
//   RequestParser parser(limits, &budget, &request);
//   size_t consumed;
//   switch (parser.Feed(bytes, &consumed)) { ... }
//
// The grammar is Boost.Beast's; this keeps only what the server needs of a request.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/gzip.h"

namespace varve::server {

// Bytes that all request bodies in memory may take together. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing taken, if that would exceed the budget.
  bool TryTake(size_t bytes) {
    // Relaxed: the counter guards no other data.
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
    Return(bytes);
    return false;
  }
  void Return(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }

 private:
  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
};

// A body's string has room for this many more bytes, as the JSON parser wants it.
inline constexpr size_t kBodyPaddingBytes = 64;

struct HttpLimits {
  uint32_t header_bytes_max = 16 << 10;  // from the request line to the empty line, both counted
  size_t body_bytes_max = size_t{16} << 20;
};

// One request. Reused from request to request, so that its strings keep their memory.
struct HttpRequest {
  bool is_get = false;   // GET or HEAD
  bool is_head = false;  // the answer has no body
  bool is_post = false;
  bool is_options = false;
  bool accepts_gzip = false;      // Accept-Encoding
  std::string path;               // without the query
  std::string target;             // X-Amz-Target
  std::string content_type;       // without parameters
  std::string content_encoding;   // as sent; DecodeBody undoes it
  std::string host;               // Host, as sent
  std::string origin;             // of a page in a browser
  std::string preflight_method;   // Access-Control-Request-Method
  std::string preflight_headers;  // Access-Control-Request-Headers
  std::string body;

  void Clear() {
    is_get = is_head = is_post = is_options = accepts_gzip = false;
    path.clear();
    target.clear();
    content_type.clear();
    content_encoding.clear();
    host.clear();
    origin.clear();
    preflight_method.clear();
    preflight_headers.clear();
    body.clear();
  }
};

// Parses one request. Make a new one for the next.
class RequestParser {
 public:
  enum class Result : uint8_t {
    kNeedMore,        // all of `bytes` that can be consumed was; more must follow
    kDone,            // the request is complete; unconsumed bytes belong to the next
    kMalformed,       // not HTTP: answer 400 and close
    kHeaderTooLong,   // 431
    kBodyTooLong,     // 413
    kNoMemory,        // the budget is used up: 503
    kBadEncoding,     // 400: the body is not what Content-Encoding says
    kNoSuchEncoding,  // 415
  };

  // `budget` and `request` must outlive the parser. What the body takes of the budget is returned
  // by the destructor.
  RequestParser(const HttpLimits& limits, MemoryBudget* budget, HttpRequest* request);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes the next bytes of the stream: whatever an earlier call left unconsumed, then new ones.
  // After a result other than kNeedMore, call nothing but error() and keep_alive().
  Result Feed(std::string_view bytes, size_t* consumed);

  // Takes one step in undoing Content-Encoding, once the request is complete: kNeedMore asks for
  // another, kDone says that `body` is plain (it may have been so from the beginning). The limits
  // and the budget hold for the plain body as well.
  Result DecodeBody();

  // Whether any byte was consumed.
  bool started() const { return started_; }
  // Whether the client waits for "100 Continue" before it sends the body. True once a request.
  bool TakeExpectContinue();
  // Whether the connection may be used for another request. After kDone.
  bool keep_alive() const;
  // Why it is malformed.
  std::string_view error() const { return error_; }

 private:
  class Impl;
  friend class Impl;

  // Whether the header, of which `bytes` are next, is known to be longer than it may be.
  bool IsHeaderTooLong(std::string_view bytes) const;

  Result BeginDecoding();

  // Makes room for `bytes` more of the body. False if the budget forbids it.
  bool ReserveBody(size_t bytes, size_t content_length);

  const size_t header_bytes_max_;
  const size_t body_bytes_max_;
  MemoryBudget* const budget_;
  HttpRequest* const request_;
  size_t header_bytes_ = 0;  // consumed of a header that has not ended
  size_t budget_taken_bytes_ = 0;
  size_t compressed_charge_bytes_ = 0;  // of those, what compressed_ took
  std::string compressed_;              // the body as it came, while it is decoded
  std::unique_ptr<GzipReader> gzip_;
  bool started_ = false;
  bool expect_continue_ = false;
  bool no_memory_ = false;
  std::string error_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace varve::server
