#include "io/io.h"

namespace varve::io {

StatusOr<std::unique_ptr<Io>> NewUringIo() { return FailedPrecondition("io_uring: not built in"); }

}  // namespace varve::io
