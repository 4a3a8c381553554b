// What the fuzz targets share. A target is one function from bytes to nothing
// (LLVMFuzzerTestOneInput, https://llvm.org/docs/LibFuzzer.html): whatever the bytes, it must
// return, without touching memory it doesn't own, and what it requires must hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace varve::fuzz {

inline std::string_view BytesOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process if `holds` is false; libFuzzer then keeps the input.
inline void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// Takes what stands before the next `separator`, or all there is, off the front of `bytes`.
inline std::string_view TakeUntil(std::string_view& bytes, char separator) {
  const size_t end = bytes.find(separator);
  const std::string_view taken = bytes.substr(0, end);
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  return taken;
}

}  // namespace varve::fuzz
