#include "server/cors.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace varve::server {
namespace {

// Two days, as the service says.
constexpr int kPreflightSeconds = 172800;

// "http://localhost:3000": scheme, host and, perhaps, a port.
bool IsLoopbackOrigin(std::string_view origin) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  std::string_view host = origin.substr(scheme + 3);
  if (host.starts_with("[")) return host == "[::1]" || host.starts_with("[::1]:");
  host = host.substr(0, host.find(':'));
  // Browsers resolve these names to this machine, whatever a name server says.
  return host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1";
}

}  // namespace

bool IsAllowedOrigin(std::string_view origin, const std::vector<std::string>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& each) {
    return each == kAnyOrigin || each == origin ||
           (each == kLoopbackOrigins && IsLoopbackOrigin(origin));
  });
}

bool IsPreflight(const HttpRequest& request) {
  return request.is_options && !request.origin.empty();
}

void AnswerCors(const HttpRequest& request, const std::vector<std::string>& allowed,
                HttpReply* reply) {
  if (request.origin.empty()) return;
  auto out = std::back_inserter(reply->headers);
  const bool any = std::find(allowed.begin(), allowed.end(), kAnyOrigin) != allowed.end();
  if (!any) fmt::format_to(out, "Vary: Origin\r\n");
  const bool is_allowed = IsAllowedOrigin(request.origin, allowed);
  if (is_allowed) {
    fmt::format_to(out, "Access-Control-Allow-Origin: {}\r\n",
                   any ? kAnyOrigin : std::string_view(request.origin));
  }
  if (!IsPreflight(request)) {
    if (is_allowed) {
      fmt::format_to(out, "Access-Control-Expose-Headers: x-amzn-RequestId, x-amz-crc32\r\n");
    }
    return;
  }
  reply->status = 200;
  reply->content_type = {};
  if (!is_allowed) return;
  if (!request.preflight_headers.empty()) {
    fmt::format_to(out, "Access-Control-Allow-Headers: {}\r\n", request.preflight_headers);
  }
  if (!request.preflight_method.empty()) {
    fmt::format_to(out, "Access-Control-Allow-Methods: {}\r\n", request.preflight_method);
  }
  fmt::format_to(out, "Access-Control-Max-Age: {}\r\n", kPreflightSeconds);
}

}  // namespace varve::server
