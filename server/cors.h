// Cross-origin requests: which pages in a browser may call the API (https://fetch.spec.whatwg.org,
// 3.2), and what they are told.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/http_request.h"
#include "server/http_response.h"

namespace varve::server {

// Pages served from this machine, under any name a browser holds to be it.
inline constexpr std::string_view kLoopbackOrigins = "loopback";
inline constexpr std::string_view kAnyOrigin = "*";

// Whether `origin` is allowed by one of `allowed`: "*", "loopback", or an origin such as
// "https://console.example.com".
bool IsAllowedOrigin(std::string_view origin, const std::vector<std::string>& allowed);

// Whether `request` asks, before the real one, whether it may be sent.
bool IsPreflight(const HttpRequest& request);

// Adds to the answer of a request with an Origin what lets its page read it, if it is allowed to;
// a preflight is answered whole.
void AnswerCors(const HttpRequest& request, const std::vector<std::string>& allowed,
                HttpReply* reply);

}  // namespace varve::server
