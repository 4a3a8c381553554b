// Writing HTTP/1.1 responses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"

namespace varve::server {

inline constexpr std::string_view kAmzJson = "application/x-amz-json-1.0";
inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// What a handler answers.
struct HttpReply {
  int status = 200;
  std::string_view content_type = kAmzJson;  // empty: none, as of an answer without a body
  std::string headers;                       // more of them, each ending with "\r\n"
  std::string body;
  bool is_gzip = false;  // the body is compressed already

  void Clear() {
    status = 200;
    content_type = kAmzJson;
    headers.clear();
    body.clear();
    is_gzip = false;
  }
};

// What one worker needs to write response heads: identifiers and the date, made once a second. Not
// thread-safe.
class ResponseWriter {
 public:
  // `seed`: unpredictable.
  explicit ResponseWriter(uint64_t seed) : random_(seed) {}

  // Appends the whole response, with Date, x-amzn-RequestId and x-amz-crc32 as the service sends
  // them. `close` tells the client that no other request will be read; `head_only` leaves the body
  // out, as for HEAD.
  void Append(const HttpReply& reply, bool close, bool head_only, uint64_t wall_ms,
              std::string* out);
  // The same without the body, wherever that goes.
  void AppendHead(const HttpReply& reply, bool close, uint64_t wall_ms, std::string* out);

  // 52 characters of base32, as the service's.
  static constexpr size_t kRequestIdBytes = 52;
  void NewRequestId(char* id);

 private:
  Random random_;
  uint64_t date_s_ = ~uint64_t{0};
  std::string date_;
};

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string HttpDate(uint64_t seconds_since_1970);

// CRC-32 as in gzip, which clients check against x-amz-crc32.
uint32_t Crc32(std::string_view bytes);

}  // namespace varve::server
