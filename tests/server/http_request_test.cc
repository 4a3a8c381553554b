#include "server/http_request.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

namespace varve::server {
namespace {

using Result = RequestParser::Result;

class HttpRequestTest : public testing::Test {
 protected:
  // Feeds `text` in pieces of `step` bytes, as a socket might deliver it. Returns the result and
  // leaves what follows the request in rest_.
  Result Parse(std::string_view text, size_t step = ~size_t{0}) {
    parser_.emplace(limits_, &budget_, &request_);
    std::string pending;
    while (true) {
      size_t consumed = 0;
      const Result result = parser_->Feed(pending, &consumed);
      pending.erase(0, consumed);
      if (result != Result::kNeedMore || text.empty()) {
        rest_ = pending + std::string(text);
        return result;
      }
      const size_t piece = std::min(step, text.size());
      pending.append(text.substr(0, piece));
      text.remove_prefix(piece);
    }
  }

  HttpLimits limits_;
  MemoryBudget budget_{size_t{64} << 20};
  HttpRequest request_;
  std::string rest_;
  std::optional<RequestParser> parser_;
};

constexpr std::string_view kPutItem =
    "POST /?x=1 HTTP/1.1\r\n"
    "Host: 127.0.0.1:8000\r\n"
    "x-amz-TARGET: DynamoDB_20120810.PutItem\r\n"
    "Content-Type: application/x-amz-json-1.0; charset=utf-8\r\n"
    "Content-Length: 7\r\n"
    "\r\n"
    "{\"a\":1}";

TEST_F(HttpRequestTest, TakesWhatTheServerNeedsOfARequest) {
  for (const size_t step : {size_t{1}, size_t{3}, size_t{50}, size_t{4096}}) {
    ASSERT_EQ(Parse(kPutItem, step), Result::kDone) << step;
    EXPECT_TRUE(request_.is_post);
    EXPECT_FALSE(request_.is_get);
    EXPECT_EQ(request_.path, "/");
    EXPECT_EQ(request_.target, "DynamoDB_20120810.PutItem");
    EXPECT_EQ(request_.content_type, "application/x-amz-json-1.0");
    EXPECT_EQ(request_.body, "{\"a\":1}");
    EXPECT_GE(request_.body.capacity(), request_.body.size() + kBodyPaddingBytes);
    EXPECT_TRUE(parser_->keep_alive());
    EXPECT_EQ(rest_, "");
  }
}

TEST_F(HttpRequestTest, LeavesThePipelinedNextRequestAlone) {
  const std::string two = std::string(kPutItem) + "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(Parse(two), Result::kDone);
  EXPECT_EQ(request_.body, "{\"a\":1}");
  EXPECT_EQ(rest_, "GET / HTTP/1.1\r\n\r\n");
  const std::string next = rest_;
  ASSERT_EQ(Parse(next), Result::kDone);
  EXPECT_TRUE(request_.is_get);
  EXPECT_EQ(request_.body, "");
}

TEST_F(HttpRequestTest, TakesAnEmptyChunkedBodyInPieces) {
  constexpr std::string_view kEmpty =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (size_t step = 1; step <= kEmpty.size(); ++step) {
    ASSERT_EQ(Parse(kEmpty, step), Result::kDone) << step;
    EXPECT_EQ(request_.body, "");
    EXPECT_EQ(rest_, "");
  }
}

TEST_F(HttpRequestTest, JoinsAChunkedBody) {
  constexpr std::string_view kChunked =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n5;name=value\r\ndefgh\r\n0\r\n\r\n";
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}}) {
    ASSERT_EQ(Parse(kChunked, step), Result::kDone) << step;
    EXPECT_EQ(request_.body, "abcdefgh");
  }
}

TEST_F(HttpRequestTest, TakesNoFieldsFromATrailer) {
  EXPECT_EQ(Parse("POST / HTTP/1.1\r\nX-Amz-Target: header\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1\r\na\r\n0\r\nX-Amz-Target: trailer\r\nContent-Encoding: gzip\r\n\r\n"),
            Result::kDone);
  EXPECT_EQ(request_.target, "header");
  EXPECT_EQ(request_.content_encoding, "");
  EXPECT_EQ(request_.body, "a");
}

TEST_F(HttpRequestTest, SaysWhenTheConnectionEnds) {
  ASSERT_EQ(Parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), Result::kDone);
  EXPECT_FALSE(parser_->keep_alive());
  ASSERT_EQ(Parse("GET / HTTP/1.0\r\n\r\n"), Result::kDone);
  EXPECT_FALSE(parser_->keep_alive());
  ASSERT_EQ(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), Result::kDone);
  EXPECT_TRUE(parser_->keep_alive());
}

TEST_F(HttpRequestTest, AsksForContinueOnceAndOnlyWhileTheBodyIsMissing) {
  constexpr std::string_view kHeader =
      "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  ASSERT_EQ(Parse(kHeader.substr(0, 40)), Result::kNeedMore);
  EXPECT_FALSE(parser_->TakeExpectContinue());
  ASSERT_EQ(Parse(kHeader), Result::kNeedMore);
  EXPECT_TRUE(parser_->TakeExpectContinue());
  EXPECT_FALSE(parser_->TakeExpectContinue());
  ASSERT_EQ(Parse(std::string(kHeader) + "{}"), Result::kDone);
  EXPECT_FALSE(parser_->TakeExpectContinue());
}

TEST_F(HttpRequestTest, RefusesWhatIsNotHttp) {
  const std::string_view kGarbage[] = {
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client hello\r\n\r\n",
      "hello\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/2.0\r\n\r\n",
      "GET / FTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nno colon\r\n\r\n",
      "GET / HTTP/1.1\r\n name: folded\r\n\r\n",
      "GET / HTTP/1.1\r\na\x01: b\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
  };
  for (const std::string_view text : kGarbage) {
    EXPECT_EQ(Parse(text), Result::kMalformed) << text;
    EXPECT_FALSE(parser_->error().empty());
    EXPECT_EQ(Parse(text, 1), Result::kMalformed) << text;
  }
}

TEST_F(HttpRequestTest, TakesWhatBrowsersAndCompressionNeed) {
  ASSERT_EQ(Parse("OPTIONS / HTTP/1.1\r\nORIGIN: http://localhost:3000\r\n"
                  "access-control-REQUEST-method: POST\r\n"
                  "Access-Control-Request-Headers: x-amz-target, content-type\r\n"
                  "accept-ENCODING: deflate\r\nAccept-Encoding: gzip\r\n\r\n"),
            Result::kDone);
  EXPECT_TRUE(request_.is_options);
  EXPECT_TRUE(request_.accepts_gzip);
  EXPECT_EQ(request_.origin, "http://localhost:3000");
  EXPECT_EQ(request_.preflight_method, "POST");
  EXPECT_EQ(request_.preflight_headers, "x-amz-target, content-type");
  ASSERT_EQ(Parse("GET / HTTP/1.1\r\n\r\n"), Result::kDone);
  EXPECT_FALSE(request_.is_options || request_.accepts_gzip);
  EXPECT_EQ(request_.origin + request_.preflight_method + request_.preflight_headers, "");
}

TEST_F(HttpRequestTest, UndoesTheContentEncoding) {
  const auto parse = [&](std::string_view encoding, std::string_view body) {
    const Result parsed =
        Parse(fmt::format("POST / HTTP/1.1\r\nContent-Encoding: {}\r\nContent-Length: {}\r\n\r\n{}",
                          encoding, body.size(), body));
    EXPECT_EQ(parsed, Result::kDone);
    Result decoded;
    while ((decoded = parser_->DecodeBody()) == Result::kNeedMore) {
    }
    return decoded;
  };
  const auto packed = [](std::string_view plain) {
    std::string to;
    GzipWriter writer(plain, &to);
    while (!writer.Step()) {
    }
    return to;
  };
  EXPECT_EQ(parse("gzip", packed("{\"a\":1}")), Result::kDone);
  EXPECT_EQ(request_.body, "{\"a\":1}");
  EXPECT_EQ(parse("X-GZIP", packed("{\"a\"") + packed(":1}")), Result::kDone);
  EXPECT_EQ(request_.body, "{\"a\":1}");
  EXPECT_EQ(parse("identity", "{}"), Result::kDone);
  EXPECT_EQ(request_.body, "{}");
  EXPECT_EQ(parse("gzip", ""), Result::kDone);
  EXPECT_EQ(request_.body, "");
  EXPECT_EQ(parse("gzip", "{}"), Result::kBadEncoding);
  EXPECT_EQ(parse("gzip", packed("{}").substr(0, 15)), Result::kBadEncoding);
  EXPECT_EQ(parse("br", "{}"), Result::kNoSuchEncoding);
  EXPECT_EQ(parse("gzip, gzip", packed(packed("{}"))), Result::kNoSuchEncoding);

  // 16 MB of zeros in 16 KB, to the byte.
  std::string bomb(limits_.body_bytes_max, '\0');
  EXPECT_EQ(parse("gzip", packed(bomb)), Result::kDone);
  EXPECT_EQ(request_.body, bomb);
  EXPECT_GE(budget_.used_bytes(), bomb.size());
  EXPECT_EQ(parse("gzip", packed(bomb + 'x')), Result::kBodyTooLong);
  EXPECT_EQ(parse("gzip", packed(bomb) + packed("x")), Result::kBodyTooLong);
  parser_.reset();
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(HttpRequestTest, APackedBodyCountsInTheBudgetUnpacked) {
  MemoryBudget budget(100'000);
  std::string packed;
  const std::string plain(200'000, 'x');
  GzipWriter writer(plain, &packed);
  while (!writer.Step()) {
  }
  const std::string text =
      fmt::format("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{}",
                  packed.size(), packed);
  size_t consumed;
  {
    RequestParser parser(limits_, &budget, &request_);
    ASSERT_EQ(parser.Feed(text, &consumed), Result::kDone);
    Result result;
    while ((result = parser.DecodeBody()) == Result::kNeedMore) {
    }
    EXPECT_EQ(result, Result::kNoMemory);
  }
  EXPECT_EQ(budget.used_bytes(), 0u);
}

TEST_F(HttpRequestTest, BoundsTheHeader) {
  limits_.header_bytes_max = 1000;
  const std::string long_value(2000, 'v');
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nname: " + long_value + "\r\n\r\n"), Result::kHeaderTooLong);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nname: " + long_value, 100), Result::kHeaderTooLong);
  EXPECT_EQ(Parse("GET /" + long_value + " HTTP/1.1\r\n\r\n", 100), Result::kHeaderTooLong);
}

TEST_F(HttpRequestTest, TheHeadersBoundIsExactHoweverItArrives) {
  const std::string line = "GET / HTTP/1.1\r\n", fields = "name: value\r\nother: value\r\n\r\n";
  // What follows counts for the next request.
  const std::string stream = line + fields + line + fields;
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    limits_.header_bytes_max = line.size() + fields.size();
    EXPECT_EQ(Parse(stream, piece), Result::kDone) << "in pieces of " << piece;
    limits_.header_bytes_max = line.size() + fields.size() - 1;
    EXPECT_EQ(Parse(stream, piece), Result::kHeaderTooLong) << "in pieces of " << piece;
    limits_.header_bytes_max = line.size() + 2;
    EXPECT_EQ(Parse(line + "\r\n" + stream, piece), Result::kDone) << "in pieces of " << piece;
  }
}

TEST_F(HttpRequestTest, BoundsTheBodyAnnouncedOrNot) {
  limits_.body_bytes_max = 10;
  EXPECT_EQ(Parse("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"), Result::kDone);
  EXPECT_EQ(Parse("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n"), Result::kBodyTooLong);
  EXPECT_EQ(
      Parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n"),
      Result::kBodyTooLong);
}

TEST_F(HttpRequestTest, AnAnnouncedLengthTakesNoMemory) {
  limits_.body_bytes_max = size_t{1} << 40;
  ASSERT_EQ(Parse("POST / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\nabc"),
            Result::kNeedMore);
  EXPECT_LT(request_.body.capacity(), 4096u);
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(HttpRequestTest, BodiesShareABudget) {
  MemoryBudget budget(100'000);
  HttpRequest first, second;
  const std::string body(60'000, 'x');
  const std::string text =
      fmt::format("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  size_t consumed;
  {
    RequestParser holder(limits_, &budget, &first);
    ASSERT_EQ(holder.Feed(text, &consumed), Result::kDone);
    EXPECT_GE(budget.used_bytes(), body.size());
    RequestParser other(limits_, &budget, &second);
    EXPECT_EQ(other.Feed(text, &consumed), Result::kNoMemory);
  }
  EXPECT_EQ(budget.used_bytes(), 0u);
  RequestParser again(limits_, &budget, &second);
  EXPECT_EQ(again.Feed(text, &consumed), Result::kDone);
}

}  // namespace
}  // namespace varve::server
