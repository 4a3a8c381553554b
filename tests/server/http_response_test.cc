#include "server/http_response.h"

#include <gtest/gtest.h>

#include <set>

namespace varve::server {
namespace {

TEST(HttpResponse, HasTheServicesHeaders) {
  ResponseWriter writer(1);
  HttpReply reply;
  reply.body = R"({"__type":"com.amazon.coral.service#SerializationException"})";
  reply.status = 400;
  std::string out;
  writer.Append(reply, /*close=*/false, /*head_only=*/false, 784'111'777'000, &out);
  const size_t id = out.find("x-amzn-RequestId: ");
  ASSERT_NE(id, std::string::npos);
  out.replace(id + 18, ResponseWriter::kRequestIdBytes, "ID");
  EXPECT_EQ(out,
            "HTTP/1.1 400 Bad Request\r\n"
            "Server: Varve\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/x-amz-json-1.0\r\n"
            "Content-Length: 60\r\n"
            "Connection: keep-alive\r\n"
            "x-amzn-RequestId: ID\r\n"
            "x-amz-crc32: 3948637019\r\n"
            "\r\n"
            R"({"__type":"com.amazon.coral.service#SerializationException"})");
}

TEST(HttpResponse, AddsHeadersAndSaysThatTheBodyIsPacked) {
  ResponseWriter writer(1);
  HttpReply reply;
  reply.content_type = {};
  reply.headers = "A: 1\r\nB: 2\r\n";
  reply.is_gzip = true;
  std::string out;
  writer.Append(reply, /*close=*/false, /*head_only=*/false, 0, &out);
  EXPECT_EQ(out.find("Content-Type"), std::string::npos);
  EXPECT_TRUE(out.ends_with("\r\nContent-Encoding: gzip\r\nA: 1\r\nB: 2\r\n\r\n")) << out;
}

TEST(HttpResponse, SaysThatItCloses) {
  ResponseWriter writer(1);
  std::string out;
  writer.Append({}, /*close=*/true, /*head_only=*/false, 0, &out);
  EXPECT_NE(out.find("Connection: close\r\n"), std::string::npos);
}

TEST(HttpResponse, LeavesTheBodyOutForHead) {
  ResponseWriter writer(1);
  HttpReply reply;
  reply.body = "healthy";
  std::string out;
  writer.Append(reply, /*close=*/false, /*head_only=*/true, 0, &out);
  EXPECT_NE(out.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_TRUE(out.ends_with("\r\n\r\n"));
}

TEST(HttpResponse, RequestIdsAre52CharactersAndDiffer) {
  ResponseWriter writer(7);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    std::string id(ResponseWriter::kRequestIdBytes, '\0');
    writer.NewRequestId(id.data());
    EXPECT_EQ(id.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUV"), std::string::npos);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(HttpDate, FollowsTheCalendar) {
  EXPECT_EQ(HttpDate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(HttpDate(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(HttpDate(1'735'689'599), "Tue, 31 Dec 2024 23:59:59 GMT");
  EXPECT_EQ(HttpDate(4'107'542'400), "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST(Crc32, IsGzips) {
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32("123456789"), 0xcbf43926u);
  EXPECT_EQ(Crc32("{}"), 2745614147u);
}

}  // namespace
}  // namespace varve::server
