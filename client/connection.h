// Connection: one connection of the binary protocol (docs/protocol.md), for coroutines of one
// executor.
//
//   io::Task<Status> Greet() {
//     VARVE_ASSIGN_OR_CO_RETURN(auto connection, co_await client::Connection::Connect({}));
//     item::GetItemRequest request;
//     request.table_name = "Packages";
//     request.key = ...;
//     auto response = co_await connection->GetItem(request);
//     if (response.ok() && response->item) Use(response->item->view());
//     co_await connection->Close();
//     co_return response.status();
//   }
//   const Status status = io::BlockOn(*io, Greet());
//
// This is the fastest way to ask a server, and the plainest: no locks, no threads, no retries, no
// reconnecting. client/client.h builds those on it.
//
// Any number of calls may be under way; answers come in any order. A call is encoded where it is
// made, so its request need not live any longer, and what one pass of the executor asks for leaves
// in one send. Beyond the server's limit of requests under way (welcome().requests_max) calls wait
// here for their turn. Memory is bounded by who calls: a call holds its request until it is sent
// and its answer until it is awaited.
//
// Everything happens on the executor that Connect was awaited on: calls are made and awaited there,
// and destroyed there. It must be one of an Io with a network (not the simulation).
//
// When the connection breaks, every call under way fails with Unavailable, and so does every later
// one, at once: status() says why. Close it and connect again.
#pragma once

#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/call.h"
#include "client/operations.h"
#include "io/alarm.h"
#include "io/network.h"
#include "io/sync.h"
#include "io/task.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace varve::client {

struct ConnectionOptions {
  // A numeric IPv4 or IPv6 address and a port, or, if it is not empty, the path of a Unix-domain
  // socket.
  std::string address = "127.0.0.1";
  uint16_t port = protocol::kDefaultPort;
  std::string socket_path;

  // What the server's log may call this client.
  std::string client_name = "varve C++";

  // Until the server has said its welcome.
  uint64_t connect_timeout_ms = 5'000;
  // For the last bytes, when the connection is closed and the server does not read.
  uint64_t close_timeout_ms = 1'000;
  // Of each call that does not say otherwise; 0: none.
  uint64_t timeout_ms = 0;

  // So many bytes of answers may be on their way, and wait here in streams that nobody reads. The
  // server may allow less.
  uint64_t credit_bytes = uint64_t{4} << 20;
  // The largest payload of an answer that is taken; more breaks the connection.
  size_t answer_bytes_max = protocol::kAnswerBytesMax;

  // After so long without a frame from the server it is asked whether it is there; after as long
  // again without a sign of it the connection is given up. At most a third of the time after which
  // the server closes an idle connection.
  uint64_t keep_alive_ms = 20'000;
};

class Connection {
 public:
  // Connects and shakes hands. Unavailable, naming the server, if it cannot be reached, ends the
  // connection or does not answer in time; FailedPrecondition if the two speak no common version or
  // the server asks for an authentication that this client does not know.
  static io::Task<StatusOr<std::unique_ptr<Connection>>> Connect(ConnectionOptions options);

  // Closed.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Says goodbye and ends. Calls that are still under way fail with Unavailable. Returns when
  // nothing of the connection is left running, which takes close_timeout_ms at most. Needed once,
  // before the destructor.
  io::Task<void> Close();

  // OK while it is of use; otherwise why it is not.
  const Status& status() const { return status_; }
  bool usable() const { return status_.ok(); }

  const ConnectionOptions& options() const { return options_; }
  // What the server said of itself and its limits.
  const protocol::Welcome& welcome() const { return welcome_; }
  // Whether the server heeds request tokens.
  bool takes_tokens() const {
    return (welcome_.features & static_cast<uint64_t>(protocol::Feature::kRequestTokens)) != 0;
  }
  // Calls that are sent or wait for their turn, abandoned ones included.
  size_t calls_under_way() const { return under_way_ + waiting_.size(); }

  // ---- Operations: Call<item::GetItemResponse> GetItem(const item::GetItemRequest&, options), and
  // so on for every name in client/operations.h. To be awaited: StatusOr of the response.
#define VARVE_CLIENT_OPERATION(Name, kind)                            \
  Call<item::Name##Response> Name(const item::Name##Request& request, \
                                  const CallOptions& options = {}) {  \
    return {this, protocol::FrameType::k##Name, request, options};    \
  }
  VARVE_CLIENT_OPERATIONS(VARVE_CLIENT_OPERATION)
#undef VARVE_CLIENT_OPERATION

  // All pages, one after another. `limit` bounds the items looked at in all.
  PageStream QueryStream(const item::QueryRequest& request, const CallOptions& options = {}) {
    return {this, protocol::FrameType::kQueryStream, request, options};
  }
  PageStream ScanStream(const item::ScanRequest& request, const CallOptions& options = {}) {
    return {this, protocol::FrameType::kScanStream, request, options};
  }

  // Any operation of the HTTP API by its name ("PutItem"), with the JSON that it would have there:
  // the answer has HTTP's status and body, of errors, too.
  Call<protocol::JsonResponse> Json(const protocol::JsonRequest& request,
                                    const CallOptions& options = {}) {
    return {this, protocol::FrameType::kJson, request, options};
  }

  // Any of them, encoded. Response is what `type` is answered with.
  template <typename Response>
  Call<Response> Send(protocol::FrameType type, const EncodedRequest& request,
                      const CallOptions& options) {
    return {this, type, request, options};
  }

  // Keeps expressions under a handle for CallOptions::prepared, on this connection only. A request
  // with the handle leaves out the expressions and the names they use. When the table has been
  // deleted and created anew such requests fail (protocol::IsPreparedInvalid): prepare again.
  Call<protocol::PrepareResponse> Prepare(const protocol::PrepareRequest& request,
                                          const CallOptions& options = {}) {
    return {this, protocol::FrameType::kPrepare, request, options};
  }
  Call<Nothing> Forget(uint64_t prepared) {
    return {this, protocol::FrameType::kForget, protocol::ForgetRequest{prepared}, {}};
  }

  // Asks whether the server is there; measures the way there and back.
  class [[nodiscard]] PingCall;
  PingCall Ping(const CallOptions& options = {});

 private:
  friend class CallBase;

  // A request's id is its place in slots_ plus 1.
  struct Slot {
    CallBase* call = nullptr;  // null: abandoned, or nothing
    bool under_way = false;
    protocol::FrameType type = protocol::FrameType::kHello;
  };
  // A call that waits for a slot, with its frame.
  struct Waiting {
    CallBase* call;
    std::string frame;
  };

  explicit Connection(ConnectionOptions options);

  io::Task<Status> Open();
  io::Task<void> Receive();
  io::Task<void> SendAll();
  io::Task<void> Watch();

  // Of what arrives.
  void Consume(std::string_view piece);
  bool Handle(const protocol::Frame& frame);
  void HandleAnswer(const protocol::Frame& frame);
  void HandleOwn(const protocol::Frame& frame);
  void HandleWelcome(std::string_view payload);

  // Of calls.
  std::string* Begin(CallBase& call);
  void End(CallBase& call);
  uint32_t TakeSlot(CallBase& call);
  void FreeSlot(uint32_t id);
  void Abandon(CallBase& call);
  void Finish(CallBase& call);
  void FailCall(CallBase& call, const Status& status);
  void SendWaiting();
  void WakeWaiter(CallBase& call);

  void StartDeadline(CallBase& call);
  void StopDeadline(CallBase& call);
  void ExpireDeadlines(uint64_t now_ns);
  void KeepAlive(uint64_t now_ns);

  void GiveCredit(size_t bytes);
  void SendPing(CallBase* call);
  void WakeSender();
  void Fail(const Status& status);
  Status ServerError(std::string_view what) const;

  const ConnectionOptions options_;
  const std::string name_;  // of the server's end, for messages
  io::Executor* const executor_;
  io::Socket socket_;
  io::TaskGroup tasks_;
  protocol::Welcome welcome_;
  bool welcomed_ = false;
  bool closing_ = false;
  Status status_;
  std::coroutine_handle<> opener_;  // waits for the welcome

  // ---- Calls
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_ids_;
  size_t under_way_ = 0;  // slots in use
  std::deque<Waiting> waiting_;
  std::deque<CallBase*> pings_;  // in the order they were sent; null: nobody waits for it

  // ---- What is sent
  std::string out_;                 // not yet handed to the system
  std::string sending_;             // being sent
  uint64_t appended_ = 0;           // bytes that ever went through out_
  uint64_t handed_over_ = 0;        // of those, the ones before out_
  size_t frame_begin_ = 0;          // in the string that Begin gave
  std::coroutine_handle<> sender_;  // waits for something to send

  // ---- What arrives
  std::string partial_;       // a frame that has not arrived whole
  uint64_t credit_step_ = 0;  // given back in pieces of this size
  uint64_t credit_owed_ = 0;  // taken, and not given back yet
  uint64_t credit_held_ = 0;  // by pages that nobody has taken

  // ---- Time
  io::Alarm alarm_;
  uint64_t alarm_at_ns_ = 0;  // when it rings
  CallBase* first_deadline_ = nullptr;
  CallBase* last_deadline_ = nullptr;
  uint64_t give_up_at_ns_ = 0;  // of connecting and closing; 0: never
  uint64_t keep_alive_ns_ = 0;
  uint64_t quiet_since_ns_ = 0;  // when something had arrived
  bool heard_ = false;           // something arrived since quiet_since_ns_
  bool spoken_ = false;          // something was sent since then
  bool asked_ = false;           // a ping was sent since then
};

class [[nodiscard]] Connection::PingCall : public CallBase {
 public:
  bool await_ready() const { return done_; }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  Status await_resume() { return std::move(status_); }

 private:
  friend class Connection;
  PingCall(Connection* connection, const CallOptions& options);
};

inline Connection::PingCall Connection::Ping(const CallOptions& options) { return {this, options}; }

}  // namespace varve::client
