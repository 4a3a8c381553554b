#include "io/receive_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <cassert>

#include "io/loop.h"

namespace varve::io {
namespace {

Status ReceiveError(int error) {
  const char* const reason = strerrordesc_np(error);
  return Unavailable("receive: {}", reason != nullptr ? reason : "unknown error");
}

// Waits for what the kernel still says about a subscription.
struct Change {
  Subscription& subscription;
  bool await_ready() { return !subscription.active; }
  void await_suspend(std::coroutine_handle<> self) { subscription.waiter = self; }
  void await_resume() {}
};

}  // namespace

ReceiveStream::ReceiveStream(const Socket& socket) : socket_(socket) {
  subscription_.kind = Subscription::Kind::kReceive;
  subscription_.fd = socket.fd();
}

ReceiveStream::~ReceiveStream() {
  assert(!subscription_.active);
  GiveBack();
  while (subscription_.has_arrivals()) executor_->GiveBack(subscription_.TakeArrival().buffer);
}

void ReceiveStream::GiveBack() {
  if (lent_ < 0) return;
  executor_->GiveBack(static_cast<uint16_t>(lent_));
  lent_ = -1;
}

void ReceiveStream::NoteEnd() {
  if (!subscription_.ended || ended_) return;
  ended_ = true;
  if (subscription_.error != 0) status_ = ReceiveError(subscription_.error);
}

void ReceiveStream::Suspend(std::coroutine_handle<> waiter, Operation* poll) {
  // The simulation has no network, so this is a loop's.
  if (executor_ == nullptr) executor_ = static_cast<LoopExecutor*>(Executor::Current());
  GiveBack();
  if (!polls_ && subscription_.refused) polls_ = true;
  if (!polls_ && !subscription_.active) polls_ = !executor_->Subscribe(subscription_);
  if (!polls_) {
    subscription_.waiter = waiter;
    return;
  }
  drained_ = false;
  poll->kind = Operation::Kind::kPollIn;
  poll->fd = socket_.fd();
  poll->waiter = waiter;
  executor_->Submit(*poll);
}

std::string_view ReceiveStream::Take() {
  if (executor_ == nullptr) return {};
  GiveBack();
  if (subscription_.has_arrivals()) {
    const Subscription::Arrival arrival = subscription_.TakeArrival();
    lent_ = arrival.buffer;
    return {executor_->BufferData(arrival.buffer), static_cast<size_t>(arrival.result)};
  }
  NoteEnd();
  if (!polls_ || ended_ || drained_) return {};
  const std::span<char> buffer = executor_->ScratchBuffer();
  ssize_t received;
  do {
    received = recv(socket_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received > 0) {
    // Less than there was room for is all there was.
    drained_ = static_cast<size_t>(received) < buffer.size();
    return {buffer.data(), static_cast<size_t>(received)};
  }
  if (received < 0 && errno == EAGAIN) {
    drained_ = true;
    return {};
  }
  ended_ = true;
  if (received < 0) status_ = ReceiveError(errno);
  return {};
}

Task<void> ReceiveStream::Stop() {
  GiveBack();
  drained_ = true;  // what polls has nothing of its own
  while (subscription_.active) {
    executor_->Unsubscribe(subscription_);
    co_await Change{subscription_};
  }
  NoteEnd();
}

}  // namespace varve::io
