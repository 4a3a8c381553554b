#include "io/posix_executor.h"
#include "io/system_io.h"

namespace varve::io {
namespace {

class PosixIo final : public SystemIo {
 public:
  std::string_view name() const override { return "posix"; }

 private:
  std::unique_ptr<LoopExecutor> MakeWorkerExecutor() override { return NewPosixExecutor(); }
  std::unique_ptr<LoopExecutor> MakeBorrowedExecutor() override { return NewPosixExecutor(); }
};

}  // namespace

std::unique_ptr<Io> NewPosixIo() { return std::make_unique<PosixIo>(); }

}  // namespace varve::io
