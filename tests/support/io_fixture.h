// Runs tests on every implementation of Io.
//
//   class LogTest : public testing::IoTest {};
//   VARVE_ON_EVERY_IO(LogTest);
//   TEST_P(LogTest, KeepsWhatWasAppended) {
//     auto file = io().Open(Path("log"), {.mode = io::OpenOptions::Mode::kCreate});
//     ...
//     EXPECT_TRUE(Await((*file)->Sync()).ok());
//   }
//
// Where the host refuses io_uring, its tests are skipped.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/io.h"
#include "io/sim.h"

namespace varve::testing {

enum class IoKind { kUring, kPosix, kSimulated };

inline std::string_view IoKindName(IoKind kind) {
  switch (kind) {
    case IoKind::kUring:
      return "uring";
    case IoKind::kPosix:
      return "posix";
    case IoKind::kSimulated:
      return "simulated";
  }
  return "?";
}

// A fresh directory of the operating system, removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    const char* const base = getenv("TMPDIR");
    path_ = fmt::format("{}/varve-test-XXXXXX", base != nullptr ? base : "/tmp");
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// An Io of some kind and an empty directory on it. The seed is the simulation's.
class IoEnvironment {
 public:
  explicit IoEnvironment(IoKind kind, uint64_t seed = 1) {
    switch (kind) {
      case IoKind::kPosix:
        io_ = io::NewPosixIo();
        break;
      case IoKind::kUring:
        if (auto uring = io::NewUringIo(); uring.ok()) io_ = std::move(uring).value();
        break;
      case IoKind::kSimulated:
        io_ = std::make_unique<io::SimIo>(io::SimOptions{.seed = seed});
        directory_ = "/test";
        if (!io_->CreateDirectory(directory_).ok()) abort();
        return;
    }
    if (io_ == nullptr) return;
    temporary_ = std::make_unique<TemporaryDirectory>();
    directory_ = temporary_->path();
  }

  bool available() const { return io_ != nullptr; }
  io::Io& io() { return *io_; }
  const std::string& directory() const { return directory_; }

 private:
  std::unique_ptr<TemporaryDirectory> temporary_;
  std::unique_ptr<io::Io> io_;
  std::string directory_;
};

class IoTest : public ::testing::TestWithParam<IoKind> {
 protected:
  void SetUp() override {
    if (!environment_.available()) GTEST_SKIP() << "not on this host";
  }

  io::Io& io() { return environment_.io(); }
  bool simulated() const { return GetParam() == IoKind::kSimulated; }
  const std::string& directory() const { return environment_.directory(); }
  std::string Path(std::string_view name) const { return fmt::format("{}/{}", directory(), name); }

  // Runs `task` to its end and returns its result.
  template <typename T>
  T Await(io::Task<T> task) {
    return io::BlockOn(io(), std::move(task));
  }

 private:
  IoEnvironment environment_{GetParam()};
};

inline auto EveryIoKind() {
  return ::testing::Values(IoKind::kUring, IoKind::kPosix, IoKind::kSimulated);
}

inline std::string IoKindTestName(const ::testing::TestParamInfo<IoKind>& info) {
  return std::string(IoKindName(info.param));
}

}  // namespace varve::testing

#define VARVE_ON_EVERY_IO(Suite)                                            \
  INSTANTIATE_TEST_SUITE_P(EveryIo, Suite, ::varve::testing::EveryIoKind(), \
                           ::varve::testing::IoKindTestName)
