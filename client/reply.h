// Reply: the answer of a thread-safe client, on its way. Three ways to wait for it:
//
//   StatusOr<item::GetItemResponse> response = client->GetItem(request).Get();   // here
//
//   std::future<StatusOr<item::GetItemResponse>> future = client->GetItem(request).Future();
//
//   auto response = co_await client->GetItem(request);   // in a coroutine on any executor
//
// Requests are under way from the moment the client returns the reply, so several can be made
// before the first is waited for.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <coroutine>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "client/connection.h"
#include "io/alarm.h"
#include "io/sync.h"
#include "io/task.h"

namespace varve::client {

class Lane;
struct PreparedDefinition;

// A request and what becomes of it, shared by who asked and the client's thread that answers.
class Request {
 public:
  Request(protocol::FrameType type, OperationKind kind) : type_(type), kind_(kind) {}
  virtual ~Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Any thread.
  bool done() const {
    absl::MutexLock lock(&mutex_);
    return done_;
  }
  void Block() const {
    mutex_.LockWhen(absl::Condition(&done_));
    mutex_.Unlock();
  }
  // False if it is done already; otherwise `waiter` is resumed on its executor.
  bool Suspend(std::coroutine_handle<> waiter) {
    absl::MutexLock lock(&mutex_);
    if (done_) return false;
    waiter_ = io::Waiter{waiter, io::Executor::Current()};
    return true;
  }
  void Cancel(const std::shared_ptr<Request>& self);

 protected:
  friend class Client;
  friend class Lane;

  // Sends it once and keeps the answer; tells how that went.
  virtual io::Task<Status> Attempt(Connection& connection, const CallOptions& options) = 0;
  // Hands the answer to a future, if there is one.
  virtual void Deliver() {}
  void Complete();

  const protocol::FrameType type_;
  const OperationKind kind_;
  std::string fields_;  // encoded
  std::string token_;
  std::shared_ptr<const PreparedDefinition> prepared_;
  uint64_t deadline_ns_ = 0;

  // Of the lane's thread.
  Lane* lane_ = nullptr;
  bool cancelled_ = false;
  bool waits_ = false;           // for a connection
  bool token_counts_ = false;    // where it was sent last
  bool unsent_ = false;          // of the last attempt
  CallBase* current_ = nullptr;  // under way
  io::Alarm alarm_;              // ends what waits for a connection, or for another attempt
  Status status_;                // the end
  bool repeated_ = false;

  mutable absl::Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<io::Waiter> waiter_ ABSL_GUARDED_BY(mutex_);
};

template <typename Response>
class RequestFor final : public Request {
 public:
  using Request::Request;

  // Once, and done.
  StatusOr<Response> Take() {
    if (!status_.ok()) return std::move(status_);
    return std::move(response_);
  }
  bool repeated() const { return repeated_; }

  std::future<StatusOr<Response>> Future() {
    std::future<StatusOr<Response>> future;
    {
      absl::MutexLock lock(&mutex_);
      future = promise_.emplace().get_future();
      if (!done_) return future;
    }
    Deliver();
    return future;
  }

 private:
  io::Task<Status> Attempt(Connection& connection, const CallOptions& options) override {
    Call<Response> call = connection.Send<Response>(type_, {fields_}, options);
    current_ = &call;
    StatusOr<Response> response = co_await call;
    current_ = nullptr;
    unsent_ = call.unsent();
    repeated_ = call.repeated();
    if (!response.ok()) co_return response.status();
    response_ = std::move(*response);
    co_return absl::OkStatus();
  }

  void Deliver() override {
    std::optional<std::promise<StatusOr<Response>>> promise;
    {
      absl::MutexLock lock(&mutex_);
      promise.swap(promise_);
    }
    if (promise.has_value()) promise->set_value(Take());
  }

  Response response_;
  std::optional<std::promise<StatusOr<Response>>> promise_ ABSL_GUARDED_BY(mutex_);
};

// Moves, and belongs to one thread at a time. A reply that is destroyed before it is there is
// cancelled; what has been handed to a future is not.
template <typename Response>
class [[nodiscard]] Reply {
 public:
  explicit Reply(std::shared_ptr<RequestFor<Response>> request) : request_(std::move(request)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&& other) noexcept {
    Cancel();
    request_ = std::move(other.request_);
    return *this;
  }
  ~Reply() { Cancel(); }

  // Whether waiting would take no time.
  bool done() const { return request_->done(); }

  // Blocks the calling thread, which must not be one that runs coroutines. Once.
  StatusOr<Response> Get() {
    request_->Block();
    return request_->Take();
  }

  // Gives the answer to a future. The reply is of no use any more.
  std::future<StatusOr<Response>> Future() {
    const std::shared_ptr<RequestFor<Response>> request = std::move(request_);
    return request->Future();
  }

  // In a coroutine, which goes on where it was. Once.
  auto operator co_await() noexcept {
    struct Awaiter {
      RequestFor<Response>& request;
      bool await_ready() const { return request.done(); }
      bool await_suspend(std::coroutine_handle<> waiter) { return request.Suspend(waiter); }
      StatusOr<Response> await_resume() { return request.Take(); }
    };
    return Awaiter{*request_};
  }

  // After it is done: whether nothing was done this time, because the request's token had been seen
  // before. The answer has no attributes then.
  bool repeated() const { return request_->repeated(); }

  // Ends it with Cancelled, soon, unless it is done before. What the server has begun takes effect.
  void Cancel() {
    if (request_ != nullptr) request_->Cancel(request_);
  }

 private:
  std::shared_ptr<RequestFor<Response>> request_;
};

}  // namespace varve::client
