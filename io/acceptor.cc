#include "io/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cassert>
#include <utility>

#include "io/loop.h"

namespace varve::io {
namespace {

struct Change {
  Subscription& subscription;
  bool await_ready() { return subscription.has_arrivals() || !subscription.active; }
  void await_suspend(std::coroutine_handle<> self) { subscription.waiter = self; }
  void await_resume() {}
};

struct End {
  Subscription& subscription;
  bool await_ready() { return !subscription.active; }
  void await_suspend(std::coroutine_handle<> self) { subscription.waiter = self; }
  void await_resume() {}
};

}  // namespace

Acceptor::Acceptor(const Socket& listener) : listener_(listener) {
  subscription_.kind = Subscription::Kind::kAccept;
  subscription_.fd = listener.fd();
  // Shutting a Unix-domain listener down would not end the request.
  subscription_.refused = IsUnixSocket(listener);
}

Acceptor::~Acceptor() {
  assert(!subscription_.active);
  while (subscription_.has_arrivals()) Socket(subscription_.TakeArrival().result).Close();
}

Task<StatusOr<Socket>> Acceptor::Next() {
  // The simulation has no network, so this is a loop's.
  if (executor_ == nullptr) executor_ = static_cast<LoopExecutor*>(Executor::Current());
  while (!subscription_.has_arrivals()) {
    // An error is met again by the single request, which knows what to make of it.
    const bool failed = subscription_.refused || std::exchange(subscription_.error, 0) != 0;
    if (failed || (!subscription_.active && !executor_->Subscribe(subscription_))) {
      StatusOr<Socket> socket = co_await Accept(listener_);
      co_return socket;
    }
    co_await Change{subscription_};
  }
  Socket socket(subscription_.TakeArrival().result);
  const int on = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  co_return socket;
}

Task<void> Acceptor::Stop() {
  while (subscription_.active) {
    executor_->Unsubscribe(subscription_);
    co_await End{subscription_};
  }
  while (subscription_.has_arrivals()) Socket(subscription_.TakeArrival().result).Close();
}

}  // namespace varve::io
