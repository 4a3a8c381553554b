// gzip (RFC 1952) over HTTP bodies, in steps: a body of a few kilobytes can hold megabytes, and the
// thread that unpacks it serves other connections, too.
//
//   GzipReader reader(compressed);
//   GzipReader::Result result;
//   while ((result = reader.Step(&piece)) == GzipReader::Result::kMore) {
//     if (!TakeSomewhere(piece)) break;   // whoever reads bounds what comes out
//     co_await io::Yield{};
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace varve::server {

// At most this much comes out of a step of reading, or goes into a step of writing.
inline constexpr size_t kGzipStepBytes = size_t{128} << 10;

// Unpacks one or more gzip members, one behind the other, whose contents are joined.
class GzipReader {
 public:
  enum class Result : uint8_t {
    kMore,   // call again
    kDone,   // that was all
    kError,  // not gzip, damaged, or cut short
  };

  // `compressed` must stay valid.
  explicit GzipReader(std::string_view compressed);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // Makes `piece` the next bytes, perhaps none; they are valid until the next step.
  Result Step(std::string_view* piece);

 private:
  const std::unique_ptr<z_stream_s> stream_;
  std::unique_ptr<char[]> buffer_;
  std::string_view rest_;
  bool in_member_ = false;
  bool was_full_ = false;  // the last piece: zlib may hold back more
  bool failed_ = false;
};

// Packs a body into one member, fast rather than tight.
class GzipWriter {
 public:
  // Both must stay valid; the member is appended to `to`.
  GzipWriter(std::string_view plain, std::string* to);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  // True once all of it is there.
  bool Step();

 private:
  const std::unique_ptr<z_stream_s> stream_;
  std::string_view rest_;
  std::string* const to_;
};

// Whether a client that sent this Accept-Encoding (RFC 9110, 12.5.3) takes gzip.
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace varve::server
