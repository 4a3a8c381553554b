// Zstandard, as tables use it: small frames without size, checksum or dictionary.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

struct ZSTD_CCtx_s;

namespace varve::sstable {

// Not thread-safe.
class Compressor {
 public:
  // `level` 0 never compresses.
  explicit Compressor(int level);
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Replaces `to` by the frame and returns true if that is smaller than `raw` by an eighth at
  // least.
  bool Compress(std::string_view raw, std::string& to);

 private:
  ZSTD_CCtx_s* context_ = nullptr;
};

// Writes exactly `raw_bytes` bytes to `to`, or returns false. Thread-safe.
bool Decompress(std::string_view frame, char* to, size_t raw_bytes);

}  // namespace varve::sstable
