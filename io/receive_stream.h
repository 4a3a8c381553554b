// ReceiveStream: what arrives on a socket, piece by piece, in buffers that belong to the executor.
//
//   ReceiveStream stream(socket);
//   while (!stream.ended()) {
//     co_await stream.Wait();
//     for (auto bytes = stream.Take(); !bytes.empty(); bytes = stream.Take()) Parse(bytes);
//   }
//   co_await stream.Stop();
//
// On io_uring one request serves the whole stream: the kernel puts what arrives into a ring of
// buffers that all streams of the executor share, so a stream that waits holds no memory and a
// burst needs no system call for each piece. Where that does not exist (POSIX, kernels before 6.0)
// the stream waits until its socket is readable and reads into one buffer of the executor; nothing
// else differs.
//
// A stream whose owner does something else for long should not keep filling buffers that the others
// need: Stop it, Take what has arrived, and go on with Wait whenever it suits; the kernel then
// slows the sender down.
//
// Everything happens on one executor, the one that Wait is first called on.
#pragma once

#include <coroutine>
#include <string_view>

#include "base/status.h"
#include "io/executor.h"
#include "io/network.h"
#include "io/subscription.h"
#include "io/task.h"

namespace varve::io {

class LoopExecutor;

class ReceiveStream {
 public:
  // `socket` must outlive the stream; nobody else may receive from it.
  explicit ReceiveStream(const Socket& socket);
  // Stopped, or never waited for.
  ~ReceiveStream();
  ReceiveStream(const ReceiveStream&) = delete;
  ReceiveStream& operator=(const ReceiveStream&) = delete;

  // Waits until there may be something to take, or the stream has ended. Comes back early now and
  // then, with nothing: wait again. To end the wait from elsewhere shut the socket's receiving side
  // down (ShutdownReceive).
  auto Wait() {
    struct Awaiter {
      ReceiveStream& stream;
      Operation poll;
      bool await_ready() { return stream.HasSomething(); }
      void await_suspend(std::coroutine_handle<> waiter) { stream.Suspend(waiter, &poll); }
      void await_resume() {}
    };
    return Awaiter{*this, {}};
  }

  // The next piece of what has arrived; empty if there is none. Valid until the next call of this
  // stream, and no longer than until the coroutine suspends.
  std::string_view Take();

  // Whether all has been taken that will ever arrive.
  bool ended() const { return ended_ && !subscription_.has_arrivals(); }
  // Why it ended: OK if the other end said so (or this one shut down), Unavailable if the
  // connection broke.
  const Status& status() const { return status_; }

  // Stops receiving. What has arrived can still be taken. Wait would start again.
  Task<void> Stop();

 private:
  bool HasSomething() const { return ended_ || subscription_.has_arrivals(); }
  void Suspend(std::coroutine_handle<> waiter, Operation* poll);
  void GiveBack();
  // What the subscription knows of the stream's end.
  void NoteEnd();

  const Socket& socket_;
  LoopExecutor* executor_ = nullptr;
  Subscription subscription_;
  bool ended_ = false;
  bool polls_ = false;    // there are no subscriptions here
  bool drained_ = false;  // the socket was empty when it was read last
  int32_t lent_ = -1;     // the buffer of the piece taken last
  Status status_;
};

}  // namespace varve::io
