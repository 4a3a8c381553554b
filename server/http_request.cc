#include "server/http_request.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <limits>

namespace varve::server {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// Bodies up to this size are not charged to the budget: the exchange that holds them is bounded
// anyway.
constexpr size_t kUnchargedBodyBytes = size_t{16} << 10;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

std::string_view WithoutParameters(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return content_type;
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
 public:
  Impl(RequestParser* owner, const HttpLimits& limits) : owner_(owner) {
    // The header's length is looked at before: Beast applies its limit to what it is given at once.
    header_limit(std::numeric_limits<std::uint32_t>::max());
    body_limit(limits.body_bytes_max);
    eager(true);
  }

 private:
  void on_request_impl(http::verb method, beast::string_view, beast::string_view target, int,
                       error_code&) override {
    HttpRequest& request = *owner_->request_;
    request.is_head = method == http::verb::head;
    request.is_get = request.is_head || method == http::verb::get;
    request.is_post = method == http::verb::post;
    request.is_options = method == http::verb::options;
    const std::string_view path = View(target);
    request.path.assign(path.substr(0, path.find('?')));
  }

  void on_response_impl(int, beast::string_view, int, error_code&) override {}

  void on_field_impl(http::field name, beast::string_view name_string, beast::string_view value,
                     error_code&) override {
    if (is_header_done()) return;  // a trailer's
    HttpRequest& request = *owner_->request_;
    switch (name) {
      case http::field::content_type:
        request.content_type.assign(WithoutParameters(View(value)));
        break;
      case http::field::content_encoding:
        if (!request.content_encoding.empty()) request.content_encoding.append(", ");
        request.content_encoding.append(View(value));
        break;
      case http::field::accept_encoding:
        request.accepts_gzip |= AcceptsGzip(View(value));
        break;
      case http::field::expect:
        owner_->expect_continue_ = beast::iequals(value, "100-continue");
        break;
      case http::field::host:
        request.host.assign(View(value));
        break;
      case http::field::origin:
        request.origin.assign(View(value));
        break;
      case http::field::access_control_request_method:
        request.preflight_method.assign(View(value));
        break;
      case http::field::access_control_request_headers:
        request.preflight_headers.assign(View(value));
        break;
      case http::field::unknown:
        if (beast::iequals(name_string, "x-amz-target")) request.target.assign(View(value));
        break;
      default:
        break;
    }
  }

  void on_header_impl(error_code&) override {}

  void on_body_init_impl(const boost::optional<std::uint64_t>& content_length,
                         error_code&) override {
    if (content_length) content_length_ = static_cast<size_t>(*content_length);
  }

  std::size_t on_body_impl(beast::string_view body, error_code& error) override {
    if (!owner_->ReserveBody(body.size(), content_length_)) {
      owner_->no_memory_ = true;
      error = http::error::body_limit;
      return 0;
    }
    owner_->expect_continue_ = false;
    owner_->request_->body.append(View(body));
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                 error_code& error) override {
    return on_body_impl(body, error);
  }

  void on_finish_impl(error_code&) override {}

  RequestParser* const owner_;
  size_t content_length_ = 0;
};

RequestParser::RequestParser(const HttpLimits& limits, MemoryBudget* budget, HttpRequest* request)
    : header_bytes_max_(limits.header_bytes_max),
      body_bytes_max_(limits.body_bytes_max),
      budget_(budget),
      request_(request),
      impl_(std::make_unique<Impl>(this, limits)) {
  request_->Clear();
}

RequestParser::~RequestParser() { budget_->Return(budget_taken_bytes_); }

bool RequestParser::ReserveBody(size_t bytes, size_t content_length) {
  std::string& body = request_->body;
  const size_t needed = body.size() + bytes + kBodyPaddingBytes;
  // Grow by what has arrived, not by what was announced: an announcement costs the client nothing.
  if (needed > body.capacity()) {
    body.reserve(std::max(needed, std::min(std::max(2 * body.capacity(), size_t{1024}),
                                           std::max(content_length + kBodyPaddingBytes, needed))));
  }
  const size_t charge =
      compressed_charge_bytes_ + (body.capacity() > kUnchargedBodyBytes ? body.capacity() : 0);
  if (charge > budget_taken_bytes_) {
    if (!budget_->TryTake(charge - budget_taken_bytes_)) return false;
    budget_taken_bytes_ = charge;
  }
  return true;
}

bool RequestParser::IsHeaderTooLong(std::string_view bytes) const {
  if (header_bytes_ + bytes.size() <= header_bytes_max_) return false;
  // Beast takes whole lines: `bytes` begin with one, perhaps the empty one that ends the header.
  if (header_bytes_ > 0 && bytes.starts_with("\r\n")) return header_bytes_ + 2 > header_bytes_max_;
  const size_t end = bytes.find("\r\n\r\n");
  return end == std::string_view::npos || header_bytes_ + end + 4 > header_bytes_max_;
}

RequestParser::Result RequestParser::Feed(std::string_view bytes, size_t* consumed) {
  *consumed = 0;
  if (bytes.empty()) return Result::kNeedMore;
  if (!impl_->is_header_done() && IsHeaderTooLong(bytes)) return Result::kHeaderTooLong;
  // Beast wants the last chunk's five bytes at once; so many always come before a chunked body
  // ends.
  constexpr size_t kLastChunkBytes = 5;
  if (impl_->is_header_done() && impl_->chunked() && bytes.size() < kLastChunkBytes) {
    return Result::kNeedMore;
  }
  error_code error;
  *consumed = impl_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (*consumed > 0) started_ = true;
  if (!impl_->is_header_done()) header_bytes_ += *consumed;
  if (!error) return impl_->is_done() ? Result::kDone : Result::kNeedMore;
  if (error == http::error::need_more) return Result::kNeedMore;
  if (no_memory_) return Result::kNoMemory;
  if (error == http::error::body_limit) return Result::kBodyTooLong;
  error_ = error.message();
  return Result::kMalformed;
}

RequestParser::Result RequestParser::BeginDecoding() {
  const std::string& encoding = request_->content_encoding;
  if (encoding.empty() || beast::iequals(encoding, "identity")) return Result::kDone;
  if (!beast::iequals(encoding, "gzip") && !beast::iequals(encoding, "x-gzip")) {
    return Result::kNoSuchEncoding;
  }
  if (request_->body.empty()) return Result::kDone;
  compressed_.swap(request_->body);
  compressed_charge_bytes_ = budget_taken_bytes_;
  gzip_ = std::make_unique<GzipReader>(compressed_);
  return Result::kNeedMore;
}

RequestParser::Result RequestParser::DecodeBody() {
  if (gzip_ == nullptr) {
    const Result begun = BeginDecoding();
    if (begun != Result::kNeedMore) return begun;
  }
  std::string_view piece;
  const GzipReader::Result result = gzip_->Step(&piece);
  if (result == GzipReader::Result::kError) return Result::kBadEncoding;
  if (piece.size() > body_bytes_max_ - request_->body.size()) return Result::kBodyTooLong;
  if (!ReserveBody(piece.size(), 0)) return Result::kNoMemory;
  request_->body.append(piece);
  if (result == GzipReader::Result::kMore) return Result::kNeedMore;
  gzip_.reset();
  compressed_ = {};
  return Result::kDone;
}

bool RequestParser::TakeExpectContinue() {
  if (!impl_->is_header_done()) return false;
  const bool expected = expect_continue_;
  expect_continue_ = false;
  return expected;
}

bool RequestParser::keep_alive() const { return impl_->keep_alive(); }

}  // namespace varve::server
