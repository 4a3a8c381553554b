#include "sstable/compression.h"

#include <zstd.h>

#include <memory>

namespace varve::sstable {

Compressor::Compressor(int level) {
  if (level == 0) return;
  context_ = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context_, ZSTD_c_contentSizeFlag, 0);
}

Compressor::~Compressor() { ZSTD_freeCCtx(context_); }

bool Compressor::Compress(std::string_view raw, std::string& to) {
  if (context_ == nullptr) return false;
  const size_t bytes_max = raw.size() - raw.size() / 8;
  if (to.size() < bytes_max) to.resize(bytes_max);
  // Room for no more than what would be kept: Zstandard gives up where the frame does not fit.
  const size_t bytes = ZSTD_compress2(context_, to.data(), bytes_max, raw.data(), raw.size());
  if (ZSTD_isError(bytes)) return false;
  to.resize(bytes);
  return true;
}

bool Decompress(std::string_view frame, char* to, size_t raw_bytes) {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  // Scratch memory only: nothing is carried from one call to the next.
  static thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return ZSTD_decompressDCtx(context.get(), to, raw_bytes, frame.data(), frame.size()) == raw_bytes;
}

}  // namespace varve::sstable
