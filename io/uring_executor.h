// UringExecutor: operations go to an io_uring in batches, one system call for what a whole round of
// coroutines asked for, and the same call waits for completions.
#pragma once

#include <liburing.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "io/loop.h"

namespace varve::io {

class UringExecutor final : public LoopExecutor {
 public:
  enum class Use {
    kOneThread,    // made and run by one thread
    kManyThreads,  // run by one thread after the other
  };

  // FailedPrecondition, with the reason, where the host refuses.
  static StatusOr<std::unique_ptr<UringExecutor>> Create(Use use);

  explicit UringExecutor(Use use) : use_(use) {}  // for Create
  ~UringExecutor() override;

  bool Subscribe(Subscription& subscription) override;
  void Unsubscribe(Subscription& subscription) override;
  const char* BufferData(uint16_t buffer) override;
  void GiveBack(uint16_t buffer) override;

 private:
  // Registered buffers a ring holds; the oldest makes room for the next.
  static constexpr unsigned kRegionsMax = 64;
  // Buffers for what sockets receive: they are handed out in turn, so that all of them should fit
  // into a core's own cache.
  static constexpr unsigned kReceiveBuffers = 64;
  static constexpr unsigned kReceiveBufferBytes = 16 << 10;
  // The ring of the free ones takes whole pages; the buffers follow it.
  static constexpr size_t kBufferRingHeaderBytes = 4096;
  static constexpr size_t kBufferRingBytes =
      kBufferRingHeaderBytes + size_t{kReceiveBuffers} * kReceiveBufferBytes;
  struct Slot {
    uint64_t region_id = 0;  // 0: empty
    bool refused = false;
  };

  void Enqueue(Operation& operation) override;
  void Flush() override;
  void FlushAndWait(std::optional<uint64_t> timeout_ns) override;

  Status Initialize();
  int InitializeRing();
  io_uring_sqe* NextSqe();
  void Submit();
  void PrepareQueued();
  void Prepare(io_uring_sqe* sqe, const Operation& operation);
  void PrepareWrite(io_uring_sqe* sqe, const Operation& operation);
  int RegisteredIndex(const BufferRegion& region);
  void ArmWakeUp();
  void Reap();
  void HandleCompletion(uint64_t user_data, int32_t result, uint32_t flags);
  bool MakeReceiveBuffers();
  void PrepareSubscription(io_uring_sqe* sqe, const Subscription& subscription);
  void HandleArrival(Subscription& subscription, int32_t result, uint32_t flags);

  const Use use_;
  bool initialized_ = false;
  io_uring ring_;

  struct Queued {
    enum class What : uint8_t {
      kOperation,
      kPolledOperation,  // on a socket that was not ready
      kSubscription,
      kCancellation,  // of a subscription
    };
    void* subject;  // an Operation or a Subscription
    What what;
  };
  std::vector<Queued> queue_;

  // Whether this kernel refused subscriptions of a kind, or has completed one.
  struct Support {
    bool refused = false;
    bool proven = false;
  };
  Support accepts_;
  Support receives_;
  io_uring_buf_ring* buffer_ring_ = nullptr;  // followed in memory by the buffers
  char* buffers_ = nullptr;

  bool wake_up_armed_ = false;
  uint64_t wake_ups_armed_ = 0;  // numbers them: the last one counts
  pid_t armed_by_ = 0;

  bool table_made_ = false;
  bool table_refused_ = false;
  unsigned next_slot_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace varve::io
