// Call and PageStream: answers that are on their way. Connection (client/connection.h) makes them.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "item/requests.h"
#include "protocol/error.h"
#include "protocol/messages.h"

namespace varve::client {

class Connection;

// What a request may have besides its parameters.
struct CallOptions {
  // The handle of prepared expressions, from Connection::Prepare; 0: none.
  uint64_t prepared = 0;
  // Of PutItem, UpdateItem, DeleteItem and BatchWriteItem: 1 to 36 random bytes that make it safe
  // to send the same request again, if the connection takes_tokens(). Read before the call returns.
  std::string_view request_token = {};
  // How long to wait for the answer; nothing: as the connection's options say; 0: for ever. Of a
  // stream: for each page.
  std::optional<uint64_t> timeout_ms = std::nullopt;
};

// The answer of a request without one (Forget).
struct Nothing {};

// A request as protocol::EncodeRequest makes it, without extras: for those who encode on another
// thread, or send one request several times.
struct EncodedRequest {
  std::string_view fields;
};
void EncodeRequest(const EncodedRequest& request, const protocol::RequestExtras& extras,
                   std::string& to);

// What Call and PageStream have in common. Of one executor, its connection's.
class CallBase {
 public:
  CallBase(const CallBase&) = delete;
  CallBase& operator=(const CallBase&) = delete;

  // Whether the answer, or the failure, is there: co_await does not suspend any more.
  bool done() const { return done_; }

  // Of a call that failed: whether not a byte of it was handed to the system, so that the server
  // cannot have seen it.
  bool unsent() const { return unsent_; }

  // Whether nothing was done because the request's token had been seen before.
  bool repeated() const { return answer_extras_.repeated; }

  // Wants no answer any more: the server is told, and whoever waits fails with Cancelled. A request
  // that the server has begun takes effect all the same.
  void Cancel();

 protected:
  using Reader = void (*)(CallBase& call, std::string_view payload);

  // `read` takes the payload of a frame that is no error and sets status_ if it is malformed.
  CallBase(Connection* connection, Reader read, bool streams)
      : connection_(connection), read_(read), streams_(streams) {}
  // Cancels what is under way.
  ~CallBase() {
    if (!done_) Abandon();
  }

  // Where to write the request's payload; End sends it. Null if the connection is of no use: the
  // call has failed then.
  std::string* Begin(protocol::FrameType type, const CallOptions& options);
  void End();
  // The other end need not answer any more, and this call will not be told.
  void Abandon();
  void GiveCredit(size_t bytes);
  // From now on the deadline counts, if there is one. Nothing to do if it counts already.
  void StartDeadline();

  Connection* const connection_;
  const Reader read_;
  const bool streams_;  // frames with `more` are welcome
  protocol::FrameType type_ = protocol::FrameType::kHello;
  bool done_ = false;
  bool unsent_ = false;
  uint32_t id_ = 0;  // of the request; 0: it has none (yet)
  uint64_t timeout_ns_ = 0;
  uint64_t begins_at_ = 0;  // so many bytes were sent before it on this connection
  size_t frame_bytes_ = 0;  // of the frame that is being read
  std::coroutine_handle<> waiter_;
  Status status_;
  protocol::AnswerExtras answer_extras_;

  // In the connection's list of deadlines, the earliest first.
  uint64_t deadline_ns_ = 0;  // 0: not in the list
  CallBase* earlier_ = nullptr;
  CallBase* later_ = nullptr;

 private:
  friend class Connection;
};

// A request that has been sent, or will be at the end of the pass, and its answer:
//
//   auto response = co_await connection.GetItem(request);          // StatusOr<GetItemResponse>
//
//   auto first = connection.GetItem(a);                            // both are under way
//   auto second = connection.GetItem(b);
//   auto a_response = co_await first;
//   auto b_response = co_await second;
//
// One coroutine awaits it, once. A call that is destroyed before its answer has come is cancelled:
// the server is told, and what it may answer yet is dropped.
//
// Errors are the server's (item/errors.h, protocol/error.h) or
//   Unavailable         the connection broke, or was closed; unless unsent(), the request may or
//   may
//                       not have taken effect
//   DeadlineExceeded    no answer within the timeout; as above
//   DataLoss            the answer makes no sense
template <typename Response>
class [[nodiscard]] Call : public CallBase {
 public:
  bool await_ready() const { return done_; }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  StatusOr<Response> await_resume() {
    if (!status_.ok()) return std::move(status_);
    return std::move(response_);
  }

 private:
  friend class Connection;

  template <typename Request>
  Call(Connection* connection, protocol::FrameType type, const Request& request,
       const CallOptions& options)
      : CallBase(connection, &Read, /*streams=*/false) {
    std::string* const to = Begin(type, options);
    if (to == nullptr) return;
    protocol::RequestExtras extras;
    extras.prepared = options.prepared;
    extras.request_token = options.request_token;
    using protocol::EncodeRequest;
    EncodeRequest(request, extras, *to);
    End();
  }

  static void Read(CallBase& base, std::string_view payload) {
    Call& call = static_cast<Call&>(base);
    if constexpr (!std::is_same_v<Response, Nothing>) {
      call.status_ = protocol::DecodeAnswer(payload, &call.response_, &call.answer_extras_);
    }
  }

  Response response_;
};

// Pages of a query or a scan, until there are no more:
//
//   auto stream = connection.QueryStream(request);
//   for (;;) {
//     StatusOr<std::optional<item::ItemPage>> page = co_await stream.Next();
//     if (!page.ok()) ...;                      // and no more pages
//     if (!page->has_value()) break;            // that was all
//     for (item::ItemView item : (**page).items) ...;
//   }
//
// A page's last_evaluated_key is where another stream goes on if this one breaks.
//
// Pages that arrive faster than they are taken wait here, and their credit with them: a stream that
// nobody reads holds at most the connection's credit, and then nothing more is answered on that
// connection until its pages are taken or it is cancelled. So give a stream that is read slowly a
// connection of its own.
class [[nodiscard]] PageStream : public CallBase {
 public:
  ~PageStream() { DropPages(); }

  // The next page; one waiter at a time.
  auto Next() {
    struct Awaiter {
      PageStream& stream;
      bool await_ready() const { return stream.done_ || !stream.pages_.empty(); }
      void await_suspend(std::coroutine_handle<> waiter) {
        stream.waiter_ = waiter;
        stream.StartDeadline();
      }
      StatusOr<std::optional<item::ItemPage>> await_resume() { return stream.Take(); }
    };
    return Awaiter{*this};
  }

  // As CallBase::Cancel; what has arrived is dropped, too.
  void Cancel();

 private:
  friend class Connection;

  struct Page {
    item::ItemPage page;
    size_t credit_bytes;
  };

  template <typename Request>
  PageStream(Connection* connection, protocol::FrameType type, const Request& request,
             const CallOptions& options)
      : CallBase(connection, &Read, /*streams=*/true) {
    std::string* const to = Begin(type, options);
    if (to == nullptr) return;
    protocol::RequestExtras extras;
    extras.prepared = options.prepared;
    protocol::EncodeRequest(request, extras, *to);
    End();
  }

  static void Read(CallBase& base, std::string_view payload);
  StatusOr<std::optional<item::ItemPage>> Take();
  void DropPages();

  std::deque<Page> pages_;
};

}  // namespace varve::client
