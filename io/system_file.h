// Files of the operating system. Reading, writing and syncing are operations of whichever executor
// awaits them, so the same class serves io_uring and POSIX.
#pragma once

#include <memory>
#include <string>

#include "io/file.h"

namespace varve::io {

StatusOr<std::unique_ptr<File>> OpenSystemFile(const std::string& path, const OpenOptions& options);

// An exclusive flock(2) on `path`, which is made if it does not exist.
StatusOr<std::unique_ptr<File>> LockSystemFile(const std::string& path);

}  // namespace varve::io
