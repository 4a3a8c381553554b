// PosixExecutor: file operations are plain system calls made by the loop's own thread, one after
// the other; sockets wait in epoll.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <vector>

#include "io/loop.h"

namespace varve::io {

std::unique_ptr<LoopExecutor> NewPosixExecutor();

class PosixExecutor final : public LoopExecutor {
 public:
  PosixExecutor();
  ~PosixExecutor() override;

 private:
  // Operations that wait for one descriptor, and what epoll watches it for.
  struct Watched {
    std::vector<Operation*> operations;
    uint32_t events = 0;
  };

  void Enqueue(Operation& operation) override;
  void Flush() override;
  void FlushAndWait(std::optional<uint64_t> timeout_ns) override;

  void PerformFileOperations();
  bool TrySocketOperation(Operation& operation);
  void Watch(int fd, Watched& watched);
  void WaitForEvents(std::optional<uint64_t> timeout_ns);
  void HandleReady(int fd);

  const int epoll_fd_;
  std::vector<Operation*> files_;
  std::vector<Operation*> sockets_;  // not tried yet
  absl::flat_hash_map<int, Watched> watched_;
};

}  // namespace varve::io
