#include "server/cors.h"

#include <gtest/gtest.h>

namespace varve::server {
namespace {

TEST(Cors, KnowsWhoIsAllowed) {
  struct Case {
    std::string_view origin;
    std::vector<std::string> allowed;
    bool expected;
  };
  for (const Case& c : {
           Case{"http://localhost:3000", {"loopback"}, true},
           Case{"https://localhost", {"loopback"}, true},
           Case{"http://app.localhost:8080", {"loopback"}, true},
           Case{"http://127.0.0.1:5173", {"loopback"}, true},
           Case{"http://[::1]:5173", {"loopback"}, true},
           Case{"http://[::1]", {"loopback"}, true},
           Case{"http://localhost.example.com", {"loopback"}, false},
           Case{"http://127.0.0.1.example.com", {"loopback"}, false},
           Case{"http://notlocalhost", {"loopback"}, false},
           Case{"http://[::1].example.com", {"loopback"}, false},
           Case{"https://example.com", {"loopback"}, false},
           Case{"null", {"loopback"}, false},
           Case{"https://example.com", {"https://example.com"}, true},
           Case{"https://example.com:444", {"https://example.com"}, false},
           Case{"http://localhost", {"https://example.com"}, false},
           Case{"http://localhost", {"https://example.com", "loopback"}, true},
           Case{"null", {"*"}, true},
           Case{"http://localhost", {"none"}, false},
       }) {
    EXPECT_EQ(IsAllowedOrigin(c.origin, c.allowed), c.expected) << c.origin;
  }
}

HttpRequest Preflight() {
  HttpRequest request;
  request.is_options = true;
  request.origin = "http://localhost:3000";
  request.preflight_method = "POST";
  request.preflight_headers = "content-type,x-amz-target";
  return request;
}

TEST(Cors, AnswersAPreflight) {
  HttpReply reply;
  AnswerCors(Preflight(), {"loopback"}, &reply);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers,
            "Vary: Origin\r\n"
            "Access-Control-Allow-Origin: http://localhost:3000\r\n"
            "Access-Control-Allow-Headers: content-type,x-amz-target\r\n"
            "Access-Control-Allow-Methods: POST\r\n"
            "Access-Control-Max-Age: 172800\r\n");
  reply.Clear();
  AnswerCors(Preflight(), {"*"}, &reply);
  EXPECT_EQ(reply.headers,
            "Access-Control-Allow-Origin: *\r\n"
            "Access-Control-Allow-Headers: content-type,x-amz-target\r\n"
            "Access-Control-Allow-Methods: POST\r\n"
            "Access-Control-Max-Age: 172800\r\n");
}

TEST(Cors, TellsAStrangerNothing) {
  HttpReply reply;
  AnswerCors(Preflight(), {"https://example.com"}, &reply);
  EXPECT_EQ(reply.headers, "Vary: Origin\r\n");
  HttpRequest request;
  request.is_post = true;
  reply.Clear();
  AnswerCors(request, {"*"}, &reply);  // no Origin at all
  EXPECT_EQ(reply.headers, "");
}

TEST(Cors, LetsAPageReadItsAnswer) {
  HttpRequest request = Preflight();
  request.is_options = false;
  request.is_post = true;
  HttpReply reply;
  reply.status = 400;
  AnswerCors(request, {"*"}, &reply);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.headers,
            "Access-Control-Allow-Origin: *\r\n"
            "Access-Control-Expose-Headers: x-amzn-RequestId, x-amz-crc32\r\n");
}

}  // namespace
}  // namespace varve::server
