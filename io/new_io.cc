#include <spdlog/spdlog.h>

#include <utility>

#include "io/io.h"

namespace varve::io {

std::unique_ptr<Io> NewIo() {
  StatusOr<std::unique_ptr<Io>> uring = NewUringIo();
  if (uring.ok()) return std::move(uring).value();
  spdlog::warn("using POSIX I/O: {}", Message(uring.status()));
  return NewPosixIo();
}

}  // namespace varve::io
