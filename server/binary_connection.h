// BinaryConnection: one client of the binary protocol, on one thread.
//
// A reader takes what has arrived, pass by pass: a pass goes through the frames, begins each
// request at once (those that find everything in memory are answered within the pass) and sends all
// answers together. Requests that wait for something are answered in whatever order they end; what
// ends in one round of the executor leaves together, too.
//
// What a client can make the server keep is bounded: answers by its credit and the requests that
// were under way when that ran out; requests that wait for credit by kWaitingBytesMax, beyond which
// nothing is read from it; both by what all connections may take together (BinaryServerOptions).
// While it is idle it has no buffer at all.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <coroutine>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "io/network.h"
#include "io/receive_stream.h"
#include "io/sync.h"
#include "protocol/frame.h"
#include "server/binary_operations.h"
#include "server/binary_server.h"
#include "server/item_gets.h"
#include "server/prepared.h"
#include "server/waiting_requests.h"

namespace varve::server {

inline constexpr uint64_t kNeverNs = std::numeric_limits<uint64_t>::max();

// What the connections of one thread share. Touched on its executor only.
struct BinaryServer::Thread {
  Thread(size_t index, io::Executor* executor) : index(index), executor(executor) {}

  std::string TakeBuffer();
  void ReturnBuffer(std::string buffer);

  const size_t index;
  io::Executor* const executor;
  BinaryCounters counters;
  BinaryConnection* connections = nullptr;  // a list
  std::vector<std::string> free_buffers;
  ItemGets gets;  // of the connection that is in a pass; empty between passes
  bool sweeping = false;
  uint64_t stop_deadline_ns = kNeverNs;
};

class BinaryConnection {
 public:
  BinaryConnection(BinaryServer* server, BinaryServer::Thread* thread, io::Socket socket);
  ~BinaryConnection();
  BinaryConnection(const BinaryConnection&) = delete;
  BinaryConnection& operator=(const BinaryConnection&) = delete;

  // Serves the client until one of the two ends it.
  io::Task<void> Run();
  // Says goodbye at once.
  io::Task<void> Refuse(std::string reason);

  // The server stops.
  void BeginStop();
  // Ends what has taken too long, and lets go on what waited for other connections.
  void Sweep(uint64_t now_ns);

  BinaryConnection* previous = nullptr;
  BinaryConnection* next = nullptr;

 private:
  class Request;
  // Resumed by the next WakeAll.
  struct Progress {
    BinaryConnection* connection;
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> self) { connection->sleepers_.push_back(self); }
    void await_resume() {}
  };

  const BinaryServerOptions& options() const { return server_->options_; }
  uint64_t After(uint64_t delay_ms) const;

  // ---- Reading
  io::Task<void> Read();
  // Goes through the frames in `bytes`, as many as this pass may; how many bytes that were.
  size_t Parse(std::string_view bytes);
  void ParsePartial();
  void Feed(std::string_view piece);
  void Handle(const protocol::Frame& frame);
  void Greet(const protocol::Frame& frame);
  void Authenticate(const protocol::Frame& frame);
  void AddCredit(const protocol::Frame& frame);
  void Cancel(uint32_t request_id);
  // The client broke the rules: nothing more is read.
  void Break(std::string reason);
  // Takes what is kept of requests from the budget of all connections.
  void ChargeRequests();
  // Whether the client has sent so much more than it has taken that it must wait.
  bool is_ahead() const;

  // ---- Requests
  // Whether `frame` is a GetItem that goes to ItemGets first.
  bool LooksUp(const protocol::Frame& frame) const;
  void HandleGets();
  // Whether the frame's id is one that a request may have now. Breaks the connection if it is not.
  bool TakesId(uint32_t request_id);
  void BeginOrWait(const protocol::Frame& frame);
  bool MayBegin() const;
  void Begin(const protocol::FrameHeader& header, std::string_view payload);
  io::Task<void> RunRequest(protocol::FrameHeader header, std::string_view payload);
  // Begins requests that waited; false if some still may.
  bool BeginWaiting();
  void CountAnswer(protocol::FrameType type, bool failed, uint64_t latency_ns);
  void AnswerError(const protocol::FrameHeader& request, const Status& status);
  bool IsUnderWay(uint32_t request_id) const;

  // ---- Sending
  std::string& out();
  size_t unsent_bytes() const { return out_.size() + in_flight_.size(); }
  void AppendGoodbye(std::string_view reason);
  void Charge(size_t frame_bytes) { credit_ -= static_cast<int64_t>(frame_bytes); }
  void StartSending();
  io::Task<void> SendAll();
  // Something has ended outside of a pass: soon, requests that wait begin and answers are sent.
  void ScheduleTick();
  io::Task<void> Tick();
  void WakeAll();
  // The connection is of no use any more.
  void CutOff();
  io::Task<void> Finish();

  BinaryServer* const server_;
  BinaryServer::Thread* const thread_;
  io::Socket socket_;
  io::ReceiveStream stream_;
  io::TaskGroup tasks_;
  Prepared prepared_;

  std::string partial_;  // what was received and not parsed: part of a frame, or a pass's rest
  WaitingRequests waiting_;
  size_t charged_bytes_ = 0;  // of the budget for requests

  // Suspended requests.
  absl::flat_hash_map<uint32_t, Request*> under_way_;
  Request* beginning_ = nullptr;
  uint64_t running_ = 0;  // requests begun and not ended
  uint32_t pass_requests_ = 0;
  uint64_t pass_ns_ = 0;  // when the pass began, or the tick
  int64_t credit_ = 0;

  std::string out_;
  std::string in_flight_;     // being sent
  size_t counted_bytes_ = 0;  // of both, in the server's answer_bytes_
  std::vector<std::coroutine_handle<>> sleepers_;

  bool greeted_ = false;
  bool in_pass_ = false;
  bool sending_ = false;
  bool tick_scheduled_ = false;
  bool closing_ = false;  // nothing more is read
  bool dead_ = false;     // nothing more is sent
  bool stopping_ = false;
  std::string goodbye_;

  uint64_t heard_ns_;  // when the last frame came
  uint64_t partial_since_ns_ = kNeverNs;
  uint64_t send_deadline_ns_ = kNeverNs;
  uint64_t linger_deadline_ns_ = kNeverNs;
};

}  // namespace varve::server
