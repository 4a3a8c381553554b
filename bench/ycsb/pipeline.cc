#include "bench/ycsb/pipeline.h"

#include <cstring>
#include <utility>

namespace varve::bench::ycsb {
namespace {

constexpr size_t kReceiveBytes = size_t{64} << 10;

// Hands its coroutine to `sender`, for WakeSender to resume.
struct Sleep {
  std::coroutine_handle<>& sender;
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> self) { sender = self; }
  void await_resume() {}
};

}  // namespace

Pipeline::Pipeline(io::Socket socket, io::Executor& executor, Frame frame)
    : socket_(std::move(socket)), executor_(executor), frame_(frame) {
  executor.Spawn(ReceiveAll());
  executor.Spawn(SendAll());
}

void Pipeline::WakeSender() {
  if (receiving_ || !sender_) return;
  // Posted, so that requests made by everybody who runs now leave together.
  executor_.Post(std::exchange(sender_, nullptr));
}

io::Task<void> Pipeline::SendAll() {
  while (!lost_) {
    if (out_.empty()) {
      co_await Sleep{sender_};
      continue;
    }
    sending_.swap(out_);
    io::Task<Status> task = io::Send(socket_, sending_);
    Status sent = co_await task;
    sending_.clear();
    // Whoever waits is told by the receiver, who sees the end of the stream.
    if (!sent.ok()) {
      status_ = sent;
      io::Shutdown(socket_);
      co_return;
    }
  }
}

io::Task<void> Pipeline::ReceiveAll() {
  std::string buffer(kReceiveBytes, '\0');
  size_t filled = 0;
  while (true) {
    if (filled == buffer.size()) buffer.resize(2 * buffer.size());
    io::Task<StatusOr<size_t>> task =
        io::Receive(socket_, std::span<char>(buffer.data() + filled, buffer.size() - filled));
    StatusOr<size_t> received = co_await task;
    if (!received.ok()) {
      Lose(received.status());
      co_return;
    }
    if (*received == 0) {
      Lose(Unavailable("the server closed the connection"));
      co_return;
    }
    filled += *received;
    size_t taken = 0;
    receiving_ = true;
    while (!waiting_.empty()) {
      const std::string_view rest(buffer.data() + taken, filled - taken);
      const size_t bytes = rest.empty() ? 0 : frame_(rest);
      if (bytes == 0) break;
      taken += bytes;
      Waiting* const waiting = waiting_.front();
      waiting_.pop_front();
      waiting->answer = rest.substr(0, bytes);
      waiting->coroutine.resume();
    }
    receiving_ = false;
    if (!out_.empty()) WakeSender();
    filled -= taken;
    if (taken > 0) std::memmove(buffer.data(), buffer.data() + taken, filled);
  }
}

void Pipeline::Lose(Status status) {
  lost_ = true;
  if (status_.ok()) status_ = std::move(status);
  // Each finds its answer empty. None can wait again: lost_.
  while (!waiting_.empty()) {
    Waiting* const waiting = waiting_.front();
    waiting_.pop_front();
    waiting->coroutine.resume();
  }
  WakeSender();
}

}  // namespace varve::bench::ycsb
