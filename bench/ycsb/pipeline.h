// Pipeline: a connection to a server that answers requests in their order (HTTP/1.1, RESP).
// Requests leave as soon as they are made, many in one send; answers are handed out as they arrive.
//
//   io::Task<...> Call(Pipeline& pipeline) {
//     pipeline.out().append("PING\r\n");
//     const std::string_view answer = co_await pipeline.Answer();   // empty: the connection is
//     lost
//   }
//
// Lives on one executor; Abort may be called from any thread.
#pragma once

#include <coroutine>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/executor.h"
#include "io/network.h"
#include "io/task.h"

namespace varve::bench::ycsb {

class Pipeline {
  struct Waiting {
    std::coroutine_handle<> coroutine;
    std::string_view answer;
  };

 public:
  // How many bytes of `received` are one whole answer; 0 if it has not all come.
  using Frame = size_t (*)(std::string_view received);

  // Starts two tasks on `executor`, which end after Abort, or when the server closes the
  // connection. The pipeline must outlive them: destroy it after the executor's worker.
  Pipeline(io::Socket socket, io::Executor& executor, Frame frame);

  // Where the next request is written.
  std::string& out() { return out_; }

  // Waits for the answer to what was written last. The view is valid until the next co_await.
  auto Answer() {
    struct Awaiter {
      Pipeline& pipeline;
      Waiting waiting;
      bool await_ready() { return pipeline.lost_; }
      void await_suspend(std::coroutine_handle<> self) {
        waiting.coroutine = self;
        pipeline.waiting_.push_back(&waiting);
        pipeline.WakeSender();
      }
      std::string_view await_resume() { return waiting.answer; }
    };
    return Awaiter{*this, {}};
  }

  // Why the connection was lost.
  const Status& status() const { return status_; }

  void Abort() { io::Shutdown(socket_); }

 private:
  io::Task<void> SendAll();
  io::Task<void> ReceiveAll();
  void WakeSender();
  void Lose(Status status);

  io::Socket socket_;
  io::Executor& executor_;
  const Frame frame_;
  std::string out_;      // not sent yet
  std::string sending_;  // under way
  std::deque<Waiting*> waiting_;
  std::coroutine_handle<> sender_;  // null while it is awake
  bool receiving_ = false;          // the sender is woken when all that has come is handed out
  bool lost_ = false;
  Status status_;
};

}  // namespace varve::bench::ycsb
