#include "io/uring_executor.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "io/file.h"

namespace varve::io {
namespace {

constexpr unsigned kEntriesOfWorker = 256;
constexpr unsigned kEntriesOfBorrowed = 64;
constexpr unsigned kCompletionsPerEntry = 4;

// What a completion belongs to: an operation's address, or a number, told apart by the low bits.
constexpr uint64_t kTagMask = 7;
constexpr uint64_t kOperationTag = 0;
constexpr uint64_t kPolledOperationTag = 1;  // the operation waits until its socket is ready
constexpr uint64_t kWakeUpTag = 2;           // with its number above
constexpr uint64_t kIgnoredTag = 3;
constexpr uint64_t kSubscriptionTag = 4;
constexpr int kTagBits = 3;

constexpr uint16_t kReceiveBufferGroup = 0;

const char* Reason(int error) {
  const char* const text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

pid_t ThisThread() {
  static thread_local const pid_t thread = gettid();
  return thread;
}

bool IsSocketOperation(const Operation& operation) {
  return operation.kind == Operation::Kind::kAccept ||
         operation.kind == Operation::Kind::kReceive || operation.kind == Operation::Kind::kSend;
}

}  // namespace

StatusOr<std::unique_ptr<UringExecutor>> UringExecutor::Create(Use use) {
  auto executor = std::make_unique<UringExecutor>(use);
  VARVE_RETURN_IF_ERROR(executor->Initialize());
  return executor;
}

UringExecutor::~UringExecutor() {
  if (initialized_) io_uring_queue_exit(&ring_);
  if (buffer_ring_ != nullptr) munmap(buffer_ring_, kBufferRingBytes);
}

// The flags of newer kernels first: completions are processed when the ring's own thread asks for
// them, instead of interrupting it.
int UringExecutor::InitializeRing() {
  const unsigned entries = use_ == Use::kOneThread ? kEntriesOfWorker : kEntriesOfBorrowed;
  std::vector<unsigned> choices;
  if (use_ == Use::kOneThread) {
    choices.push_back(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                      IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL);
  }
  choices.push_back(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                    IORING_SETUP_SUBMIT_ALL);
  choices.push_back(0);
  int result = 0;
  for (const unsigned flags : choices) {
    io_uring_params params = {};
    params.flags = flags | IORING_SETUP_CQSIZE;
    params.cq_entries = entries * kCompletionsPerEntry;
    result = io_uring_queue_init_params(entries, &ring_, &params);
    if (result != -EINVAL) break;
  }
  return result;
}

Status UringExecutor::Initialize() {
  if (const int result = InitializeRing(); result < 0) {
    return FailedPrecondition("io_uring: {}", Reason(-result));
  }
  initialized_ = true;
  // No completion may be lost, and a wait may end by time.
  constexpr unsigned kFeatures = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  if ((ring_.features & kFeatures) != kFeatures) {
    return FailedPrecondition("io_uring: the kernel is older than 5.11");
  }
  io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return FailedPrecondition("io_uring: no probe of its operations");
  bool supported = true;
  for (const int opcode :
       {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE,
        IORING_OP_ACCEPT, IORING_OP_SEND, IORING_OP_RECV}) {
    supported = supported && io_uring_opcode_supported(probe, opcode);
  }
  io_uring_free_probe(probe);
  if (!supported) return FailedPrecondition("io_uring: the kernel lacks operations");
  return absl::OkStatus();
}

void UringExecutor::Enqueue(Operation& operation) {
  queue_.push_back({&operation, Queued::What::kOperation});
}

// ---- Subscriptions

bool UringExecutor::MakeReceiveBuffers() {
  void* const memory =
      mmap(nullptr, kBufferRingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  io_uring_buf_reg registration = {};
  registration.ring_addr = reinterpret_cast<uint64_t>(memory);
  registration.ring_entries = kReceiveBuffers;
  registration.bgid = kReceiveBufferGroup;
  if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) {
    munmap(memory, kBufferRingBytes);
    return false;
  }
  buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
  buffers_ = static_cast<char*>(memory) + kBufferRingHeaderBytes;
  for (unsigned i = 0; i < kReceiveBuffers; ++i) GiveBack(static_cast<uint16_t>(i));
  return true;
}

const char* UringExecutor::BufferData(uint16_t buffer) {
  return buffers_ + size_t{buffer} * kReceiveBufferBytes;
}

void UringExecutor::GiveBack(uint16_t buffer) {
  io_uring_buf_ring_add(buffer_ring_, buffers_ + size_t{buffer} * kReceiveBufferBytes,
                        kReceiveBufferBytes, buffer, io_uring_buf_ring_mask(kReceiveBuffers), 0);
  io_uring_buf_ring_advance(buffer_ring_, 1);
}

bool UringExecutor::Subscribe(Subscription& subscription) {
  const bool receives = subscription.kind == Subscription::Kind::kReceive;
  Support& support = receives ? receives_ : accepts_;
  if (support.refused) return false;
  if (receives && buffer_ring_ == nullptr && !MakeReceiveBuffers()) {
    support.refused = true;
    return false;
  }
  subscription.active = true;
  CountStart();
  queue_.push_back({&subscription, Queued::What::kSubscription});
  return true;
}

void UringExecutor::Unsubscribe(Subscription& subscription) {
  queue_.push_back({&subscription, Queued::What::kCancellation});
}

void UringExecutor::PrepareSubscription(io_uring_sqe* sqe, const Subscription& subscription) {
  if (subscription.kind == Subscription::Kind::kAccept) {
    io_uring_prep_multishot_accept(sqe, subscription.fd, nullptr, nullptr, SOCK_CLOEXEC);
    return;
  }
  io_uring_prep_recv_multishot(sqe, subscription.fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kReceiveBufferGroup;
}

void UringExecutor::HandleArrival(Subscription& subscription, int32_t result, uint32_t flags) {
  const bool receives = subscription.kind == Subscription::Kind::kReceive;
  Support& support = receives ? receives_ : accepts_;
  if ((flags & IORING_CQE_F_MORE) == 0) {
    subscription.active = false;
    CountEnd();
  }
  const bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;
  const auto buffer = static_cast<uint16_t>(has_buffer ? flags >> IORING_CQE_BUFFER_SHIFT : 0);
  if (result > 0 || (result == 0 && !receives)) {
    support.proven = true;
    subscription.arrivals.push_back({result, buffer});
  } else {
    if (has_buffer) GiveBack(buffer);
    switch (-result) {
      case 0:
        support.proven = true;
        subscription.ended = true;
        break;
      case ENOBUFS:  // all buffers are out
      case ECANCELED:
      case EAGAIN:
      case EINTR:
        break;
      case EINVAL:
        // What a kernel says that does not know the request; so does a listener that was shut down.
        if (!support.proven) subscription.refused = true;
        [[fallthrough]];
      default:
        subscription.error = -result;
        subscription.ended = !subscription.refused;
    }
  }
  if (subscription.waiter) MakeReady(std::exchange(subscription.waiter, nullptr));
}

// ---- The ring

void UringExecutor::Submit() {
  for (;;) {
    const int result = io_uring_submit(&ring_);
    if (result >= 0) return;
    if (result != -EBUSY && result != -EAGAIN && result != -EINTR) {
      std::fprintf(stderr, "io_uring: submission refused: %s\n", Reason(-result));
      std::abort();
    }
    Reap();  // completions that found no room keep the kernel from taking more
  }
}

io_uring_sqe* UringExecutor::NextSqe() {
  for (;;) {
    if (io_uring_sqe* const sqe = io_uring_get_sqe(&ring_)) return sqe;
    Submit();
  }
}

void UringExecutor::PrepareQueued() {
  if (queue_.empty()) return;
  std::vector<Queued> queue;
  queue.swap(queue_);  // a submission on the way may reap, and that may queue
  for (const Queued& queued : queue) {
    if (queued.what == Queued::What::kSubscription) {
      io_uring_sqe* const sqe = NextSqe();
      PrepareSubscription(sqe, *static_cast<const Subscription*>(queued.subject));
      io_uring_sqe_set_data64(sqe, reinterpret_cast<uint64_t>(queued.subject) | kSubscriptionTag);
      continue;
    }
    if (queued.what == Queued::What::kCancellation) {
      io_uring_sqe* const sqe = NextSqe();
      io_uring_prep_cancel64(sqe, reinterpret_cast<uint64_t>(queued.subject) | kSubscriptionTag, 0);
      io_uring_sqe_set_data64(sqe, kIgnoredTag);
      continue;
    }
    const Operation& operation = *static_cast<const Operation*>(queued.subject);
    // Before the entry is taken: registering is a system call of its own.
    if (operation.region != nullptr) RegisteredIndex(*operation.region);
    io_uring_sqe* const sqe = NextSqe();
    uint64_t tag = kOperationTag;
    if (queued.what == Queued::What::kPolledOperation) {
      const bool sends = operation.kind == Operation::Kind::kSend;
      io_uring_prep_poll_add(sqe, operation.fd, sends ? POLLOUT : POLLIN);
      tag = kPolledOperationTag;
    } else {
      Prepare(sqe, operation);
    }
    io_uring_sqe_set_data64(sqe, reinterpret_cast<uint64_t>(queued.subject) | tag);
  }
  if (queue_.empty()) {
    queue.clear();
    queue.swap(queue_);  // keeps its memory
  }
}

void UringExecutor::Prepare(io_uring_sqe* sqe, const Operation& operation) {
  const auto size = static_cast<unsigned>(operation.size);
  switch (operation.kind) {
    case Operation::Kind::kRead:
      io_uring_prep_read(sqe, operation.fd, operation.data, size, operation.offset);
      break;
    case Operation::Kind::kWrite:
      PrepareWrite(sqe, operation);
      break;
    case Operation::Kind::kSync:
      io_uring_prep_fsync(sqe, operation.fd, IORING_FSYNC_DATASYNC);
      break;
    case Operation::Kind::kPollIn:
      io_uring_prep_poll_add(sqe, operation.fd, POLLIN | POLLRDHUP);
      break;
    case Operation::Kind::kAccept:
      io_uring_prep_accept(sqe, operation.fd, nullptr, nullptr, SOCK_CLOEXEC);
      break;
    case Operation::Kind::kReceive:
      io_uring_prep_recv(sqe, operation.fd, operation.data, operation.size, 0);
      break;
    case Operation::Kind::kSend:
      io_uring_prep_send(sqe, operation.fd, operation.data, operation.size, MSG_NOSIGNAL);
      break;
    case Operation::Kind::kTimeout:  // the loop's own
      std::abort();
  }
}

void UringExecutor::PrepareWrite(io_uring_sqe* sqe, const Operation& operation) {
  const auto size = static_cast<unsigned>(operation.size);
  const int index = operation.region != nullptr ? RegisteredIndex(*operation.region) : -1;
  if (index >= 0) {
    io_uring_prep_write_fixed(sqe, operation.fd, operation.data, size, operation.offset, index);
  } else {
    io_uring_prep_write(sqe, operation.fd, operation.data, size, operation.offset);
  }
}

// Where `region` is registered with this ring, registering it if need be; -1 if the kernel refuses
// (too much locked memory, too old): the write goes without.
int UringExecutor::RegisteredIndex(const BufferRegion& region) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].region_id == region.id()) return slots_[i].refused ? -1 : static_cast<int>(i);
  }
  if (!table_made_ && !table_refused_) {
    table_made_ = io_uring_register_buffers_sparse(&ring_, kRegionsMax) == 0;
    table_refused_ = !table_made_;
    slots_.resize(kRegionsMax);
  }
  if (table_refused_) return -1;
  const unsigned index = std::exchange(next_slot_, (next_slot_ + 1) % kRegionsMax);
  // Writes that are prepared and not submitted name their buffers by index.
  if (slots_[index].region_id != 0 && io_uring_sq_ready(&ring_) != 0) Submit();
  iovec memory{region.data(), region.size()};
  __u64 tag = 0;
  const int updated = io_uring_register_buffers_update_tag(&ring_, index, &memory, &tag, 1);
  slots_[index] = {region.id(), updated != 1};
  return updated == 1 ? static_cast<int>(index) : -1;
}

// A poll that stays: each write to the eventfd completes it once more, without anybody reading it.
void UringExecutor::ArmWakeUp() {
  if (wake_up_armed_) {
    if (use_ == Use::kOneThread || armed_by_ == ThisThread()) return;
    // Armed by the thread that had this ring before, and completed by that thread: in its own time,
    // or never if it is gone.
    io_uring_sqe* const sqe = NextSqe();
    io_uring_prep_poll_remove(sqe, wake_ups_armed_ << kTagBits | kWakeUpTag);
    io_uring_sqe_set_data64(sqe, kIgnoredTag);
  }
  io_uring_sqe* const sqe = NextSqe();
  io_uring_prep_poll_multishot(sqe, wake_fd(), POLLIN);
  io_uring_sqe_set_data64(sqe, ++wake_ups_armed_ << kTagBits | kWakeUpTag);
  wake_up_armed_ = true;
  armed_by_ = ThisThread();
}

void UringExecutor::HandleCompletion(uint64_t user_data, int32_t result, uint32_t flags) {
  const uint64_t tag = user_data & kTagMask;
  if (tag == kIgnoredTag) return;
  if (tag == kWakeUpTag) {
    const bool ended = (flags & IORING_CQE_F_MORE) == 0;
    if (ended && user_data >> kTagBits == wake_ups_armed_) wake_up_armed_ = false;
    return;
  }
  void* const subject = reinterpret_cast<void*>(user_data & ~kTagMask);
  if (tag == kSubscriptionTag) {
    HandleArrival(*static_cast<Subscription*>(subject), result, flags);
    return;
  }
  Operation& operation = *static_cast<Operation*>(subject);
  if (tag == kPolledOperationTag) {
    queue_.push_back({&operation, Queued::What::kOperation});
  } else if (result == -EAGAIN && IsSocketOperation(operation)) {
    queue_.push_back({&operation, Queued::What::kPolledOperation});
  } else {
    Complete(operation, result);
  }
}

void UringExecutor::Reap() {
  constexpr unsigned kBatch = 64;
  io_uring_cqe* cqes[kBatch];
  for (;;) {
    const unsigned count = io_uring_peek_batch_cqe(&ring_, cqes, kBatch);
    for (unsigned i = 0; i < count; ++i) {
      HandleCompletion(cqes[i]->user_data, cqes[i]->res, cqes[i]->flags);
    }
    io_uring_cq_advance(&ring_, count);
    if (count < kBatch) return;
  }
}

void UringExecutor::Flush() {
  PrepareQueued();
  if (io_uring_sq_ready(&ring_) != 0) Submit();
  Reap();
}

void UringExecutor::FlushAndWait(std::optional<uint64_t> timeout_ns) {
  PrepareQueued();
  ArmWakeUp();
  // What a full queue made us reap meanwhile may be all there was to wait for.
  if (!queue_.empty() || HasReady()) {
    Flush();
    return;
  }
  if (timeout_ns.has_value()) {
    __kernel_timespec timeout = {static_cast<int64_t>(*timeout_ns / 1'000'000'000),
                                 static_cast<long long>(*timeout_ns % 1'000'000'000)};
    io_uring_cqe* ignored = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &ignored, 1, &timeout, nullptr);
  } else {
    io_uring_submit_and_wait(&ring_, 1);
  }
  // An interruption or a full completion queue shows as an early return: the loop comes back.
  Reap();
}

}  // namespace varve::io
