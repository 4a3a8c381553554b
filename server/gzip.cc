#include "server/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cassert>

namespace varve::server {
namespace {

// zlib's way to say: the largest window, with a gzip header and trailer around it.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;
// What a step reads at most: members without content give nothing back for their bytes.
constexpr size_t kStepInputBytes = size_t{64} << 10;

Bytef* Input(std::string_view bytes) {
  // zlib does not write to its input.
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether the parameters behind a coding give it the weight 0: "not this one".
bool HasNoWeight(std::string_view parameters) {
  const std::string_view weight = Trimmed(parameters);
  if (weight.size() < 3 || (weight[0] != 'q' && weight[0] != 'Q') || weight[1] != '=') return false;
  return weight.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

GzipReader::GzipReader(std::string_view compressed)
    : stream_(std::make_unique<z_stream>()), rest_(compressed) {
  failed_ = inflateInit2(stream_.get(), kGzipWindowBits) != Z_OK;
  buffer_ = std::make_unique_for_overwrite<char[]>(kGzipStepBytes);
}

GzipReader::~GzipReader() { inflateEnd(stream_.get()); }

GzipReader::Result GzipReader::Step(std::string_view* piece) {
  *piece = {};
  if (failed_) return Result::kError;
  size_t input_bytes = std::min(rest_.size(), kStepInputBytes);
  stream_->next_out = reinterpret_cast<Bytef*>(buffer_.get());
  stream_->avail_out = kGzipStepBytes;
  while (stream_->avail_out > 0 && (input_bytes > 0 || was_full_)) {
    in_member_ |= input_bytes > 0;
    was_full_ = false;
    stream_->next_in = Input(rest_);
    stream_->avail_in = static_cast<uInt>(input_bytes);
    const int code = inflate(stream_.get(), Z_NO_FLUSH);
    rest_.remove_prefix(input_bytes - stream_->avail_in);
    input_bytes = stream_->avail_in;
    if (code == Z_STREAM_END) {
      in_member_ = false;
      if (inflateReset(stream_.get()) == Z_OK) continue;
    } else if (code == Z_OK || code == Z_BUF_ERROR) {  // the latter: nothing was held back
      continue;
    }
    failed_ = true;
    return Result::kError;
  }
  *piece = {buffer_.get(), kGzipStepBytes - stream_->avail_out};
  was_full_ = in_member_ && stream_->avail_out == 0;
  if (!rest_.empty() || was_full_) return Result::kMore;
  return in_member_ ? Result::kError : Result::kDone;
}

GzipWriter::GzipWriter(std::string_view plain, std::string* to)
    : stream_(std::make_unique<z_stream>()), rest_(plain), to_(to) {
  [[maybe_unused]] const int code = deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED,
                                                 kGzipWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY);
  assert(code == Z_OK);
}

GzipWriter::~GzipWriter() { deflateEnd(stream_.get()); }

bool GzipWriter::Step() {
  const size_t input_bytes = std::min(rest_.size(), kGzipStepBytes);
  const bool last = input_bytes == rest_.size();
  stream_->next_in = Input(rest_);
  stream_->avail_in = static_cast<uInt>(input_bytes);
  rest_.remove_prefix(input_bytes);
  int code = Z_OK;
  do {
    const size_t size = to_->size();
    const size_t room = deflateBound(stream_.get(), stream_->avail_in);
    to_->resize(size + room);
    stream_->next_out = reinterpret_cast<Bytef*>(to_->data() + size);
    stream_->avail_out = static_cast<uInt>(room);
    code = deflate(stream_.get(), last ? Z_FINISH : Z_NO_FLUSH);
    to_->resize(size + room - stream_->avail_out);
  } while (stream_->avail_in > 0 || (last && code == Z_OK));
  return last;
}

bool AcceptsGzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const size_t comma = accept_encoding.find(',');
    const std::string_view element = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == std::string_view::npos ? accept_encoding.size()
                                                                  : comma + 1);
    const size_t semicolon = element.find(';');
    const std::string_view coding = Trimmed(element.substr(0, semicolon));
    const bool refused =
        semicolon != std::string_view::npos && HasNoWeight(element.substr(semicolon + 1));
    // What is said of gzip itself counts more than what is said of all.
    if (EqualsIgnoringCase(coding, "gzip") || EqualsIgnoringCase(coding, "x-gzip")) return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

}  // namespace varve::server
