// Acceptor: the connections that a listening socket gets.
//
//   Acceptor acceptor(listener);
//   for (;;) {
//     StatusOr<Socket> socket = co_await acceptor.Next();
//     if (!socket.ok()) break;                    // Shutdown(listener) ends it
//     executor.Spawn(Serve(std::move(*socket)));
//   }
//   co_await acceptor.Stop();
//
// On io_uring one request accepts all TCP connections; elsewhere each is accepted by a request of
// its own.
// Everything happens on one executor, the one that Next is first called on.
#pragma once

#include "base/status.h"
#include "io/network.h"
#include "io/subscription.h"
#include "io/task.h"

namespace varve::io {

class LoopExecutor;

class Acceptor {
 public:
  // `listener` must outlive the acceptor.
  explicit Acceptor(const Socket& listener);
  // Stopped, or never used.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // The next connection. As io::Accept: TCP_NODELAY is set; ResourceExhausted when the process or
  // the system is out of descriptors or memory: wait a little and try again; Unavailable once the
  // listener was shut down.
  Task<StatusOr<Socket>> Next();

  // Accepts no more, and closes what was accepted and not asked for.
  Task<void> Stop();

 private:
  const Socket& listener_;
  LoopExecutor* executor_ = nullptr;
  Subscription subscription_;
};

}  // namespace varve::io
