#include <spdlog/spdlog.h>

#include <utility>

#include "io/posix_executor.h"
#include "io/system_io.h"
#include "io/uring_executor.h"

namespace varve::io {
namespace {

class UringIo final : public SystemIo {
 public:
  std::string_view name() const override { return "io_uring"; }

 private:
  std::unique_ptr<LoopExecutor> MakeWorkerExecutor() override {
    return Make(UringExecutor::Use::kOneThread);
  }
  std::unique_ptr<LoopExecutor> MakeBorrowedExecutor() override {
    return Make(UringExecutor::Use::kManyThreads);
  }

  // Files serve both kinds of executors, so where one more ring is refused its thread does without.
  static std::unique_ptr<LoopExecutor> Make(UringExecutor::Use use) {
    StatusOr<std::unique_ptr<UringExecutor>> executor = UringExecutor::Create(use);
    if (executor.ok()) return std::move(executor).value();
    spdlog::warn("a thread uses POSIX I/O: {}", Message(executor.status()));
    return NewPosixExecutor();
  }
};

}  // namespace

StatusOr<std::unique_ptr<Io>> NewUringIo() {
  VARVE_RETURN_IF_ERROR(UringExecutor::Create(UringExecutor::Use::kManyThreads).status());
  return std::make_unique<UringIo>();
}

}  // namespace varve::io
