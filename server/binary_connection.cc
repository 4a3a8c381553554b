#include "server/binary_connection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "item/errors.h"
#include "protocol/error.h"
#include "protocol/messages.h"
#include "server/dynamodb_api.h"
#include "server/version.h"

namespace varve::server {
namespace {

using protocol::Frame;
using protocol::FrameHeader;
using protocol::FrameType;

// Begun in one pass; then the other connections have their turn.
constexpr uint32_t kRequestsPerPass = 128;
// Received in one pass, likewise.
constexpr size_t kBytesPerPass = size_t{256} << 10;
// Requests of one connection that wait for credit; with more nothing is read from it.
constexpr size_t kWaitingBytesMax = protocol::kRequestBytesMax;
// Smaller beginnings of frames are not taken from the budget.
constexpr size_t kFreePartialBytes = size_t{16} << 10;
// A long answer waits while its connection has so much to send.
constexpr size_t kUnsentBytesMax = size_t{512} << 10;
// One send; each has its own time.
constexpr size_t kSendBytes = size_t{256} << 10;
constexpr size_t kPingBytesMax = 64;
// A buffer that grew beyond this is not kept, and no more than so many are.
constexpr size_t kKeptBytes = size_t{256} << 10;
constexpr size_t kFreeBuffersMax = 64;
constexpr uint64_t kLingerMs = 5'000;

// For the only thread that writes it.
void Add(std::atomic<uint64_t>& counter, uint64_t count) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

}  // namespace

std::string BinaryServer::Thread::TakeBuffer() {
  if (free_buffers.empty()) return {};
  std::string buffer = std::move(free_buffers.back());
  free_buffers.pop_back();
  return buffer;
}

void BinaryServer::Thread::ReturnBuffer(std::string buffer) {
  if (buffer.capacity() > kKeptBytes || free_buffers.size() >= kFreeBuffersMax) return;
  buffer.clear();
  free_buffers.push_back(std::move(buffer));
}

// One request, in the frame of the coroutine that runs it.
class BinaryConnection::Request final : public BinaryCall {
 public:
  Request(BinaryConnection* connection, const FrameHeader& header, std::string_view payload)
      : BinaryCall(connection->server_->service_, connection->thread_->index,
                   &connection->prepared_, header, payload),
        connection_(connection) {}

  void Cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

  std::string& BeginAnswer(uint8_t flags) override {
    std::string& out = connection_->out();
    frame_begin_ = protocol::BeginFrame({0, header().request_id, header().type, flags}, out);
    return out;
  }
  void EndAnswer() override {
    connection_->Charge(protocol::EndFrame(frame_begin_, connection_->out_));
    connection_->ScheduleTick();
  }

  io::Task<bool> WaitForCredit() override {
    // Others have their turn between two pages.
    co_await io::Yield{};
    BinaryConnection& connection = *connection_;
    while (!cancelled_ && !connection.dead_ && !connection.stopping_) {
      const uint64_t all = connection.server_->answer_bytes_.load(std::memory_order_relaxed);
      if (connection.credit_ > 0 && connection.unsent_bytes() < kUnsentBytesMax &&
          all < connection.options().answer_memory_bytes_max) {
        co_return true;
      }
      co_await Progress{connection_};
    }
    co_return false;
  }

 private:
  BinaryConnection* const connection_;
  size_t frame_begin_ = 0;
  bool cancelled_ = false;
};

BinaryConnection::BinaryConnection(BinaryServer* server, BinaryServer::Thread* thread,
                                   io::Socket socket)
    : server_(server),
      thread_(thread),
      socket_(std::move(socket)),
      stream_(socket_),
      prepared_(server->options_.prepared_max),
      heard_ns_(server->io_.MonotonicNs()) {}

BinaryConnection::~BinaryConnection() {
  server_->answer_bytes_.fetch_sub(counted_bytes_, std::memory_order_relaxed);
  server_->request_memory_.Return(charged_bytes_);
}

uint64_t BinaryConnection::After(uint64_t delay_ms) const {
  return server_->io_.MonotonicNs() + delay_ms * 1'000'000;
}

// ---- Reading

io::Task<void> BinaryConnection::Run() {
  io::Task<void> read = Read();
  co_await read;
  io::Task<void> finish = Finish();
  co_await finish;
}

io::Task<void> BinaryConnection::Refuse(std::string reason) {
  goodbye_ = std::move(reason);
  closing_ = true;
  io::Task<void> finish = Finish();
  co_await finish;
}

io::Task<void> BinaryConnection::Read() {
  while (!closing_ && !dead_) {
    in_pass_ = true;
    pass_requests_ = 0;
    heard_ns_ = pass_ns_ = server_->io_.MonotonicNs();
    size_t pass_bytes = 0;
    ParsePartial();
    while (!closing_ && pass_requests_ < kRequestsPerPass && pass_bytes < kBytesPerPass) {
      const std::string_view piece = stream_.Take();
      if (piece.empty()) break;
      pass_bytes += piece.size();
      Feed(piece);
    }
    Add(thread_->counters.received_bytes, pass_bytes);
    in_pass_ = false;
    StartSending();
    if (closing_ || dead_) break;
    if (is_ahead()) {
      // The kernel keeps what comes now, and slows the client down.
      io::Task<void> stop = stream_.Stop();
      co_await stop;
      for (auto piece = stream_.Take(); !piece.empty(); piece = stream_.Take()) partial_ += piece;
      ChargeRequests();
      while (is_ahead() && !closing_ && !dead_) co_await Progress{this};
      continue;
    }
    if (pass_requests_ >= kRequestsPerPass || pass_bytes >= kBytesPerPass) {
      co_await io::Yield{};
      continue;
    }
    if (stream_.ended()) break;
    co_await stream_.Wait();
  }
  closing_ = true;
}

size_t BinaryConnection::Parse(std::string_view bytes) {
  size_t parsed = 0;
  ItemGets& gets = thread_->gets;
  while (!closing_ && pass_requests_ + gets.size() < kRequestsPerPass) {
    const auto frame = protocol::ReadFrame(bytes.substr(parsed), protocol::kRequestBytesMax);
    if (!frame.ok() || !frame->has_value()) {
      HandleGets();
      if (!frame.ok()) Break(std::string(Message(frame.status())));
      break;
    }
    parsed += (*frame)->size_bytes();
    if (LooksUp(**frame)) {
      gets.Add(**frame);
      if (gets.full()) HandleGets();
      continue;
    }
    HandleGets();
    if (!closing_) Handle(**frame);
  }
  HandleGets();
  return parsed;
}

void BinaryConnection::ParsePartial() {
  if (partial_.empty()) return;
  const size_t parsed = Parse(partial_);
  if (parsed == 0) return;
  partial_.erase(0, parsed);
  partial_since_ns_ = partial_.empty() ? kNeverNs : heard_ns_;
  if (partial_.empty() && partial_.capacity() > kFreePartialBytes) partial_.shrink_to_fit();
  ChargeRequests();
}

void BinaryConnection::Feed(std::string_view piece) {
  if (!partial_.empty()) {
    partial_ += piece;
    ParsePartial();
    ChargeRequests();
    return;
  }
  piece.remove_prefix(Parse(piece));
  if (piece.empty()) return;
  partial_ = piece;
  partial_since_ns_ = heard_ns_;
}

void BinaryConnection::ChargeRequests() {
  const size_t wanted =
      waiting_.bytes() + (partial_.size() > kFreePartialBytes ? partial_.size() : 0);
  if (wanted > charged_bytes_) {
    if (!server_->request_memory_.TryTake(wanted - charged_bytes_)) {
      return Break("there are too many large requests at once");
    }
  } else {
    server_->request_memory_.Return(charged_bytes_ - wanted);
  }
  charged_bytes_ = wanted;
}

bool BinaryConnection::is_ahead() const {
  // Answers within the credit stay below this: what is beyond it answers Pings and Cancels.
  return waiting_.bytes() >= kWaitingBytesMax ||
         unsent_bytes() > options().credit_bytes_max + kUnsentBytesMax;
}

void BinaryConnection::Break(std::string reason) {
  if (closing_) return;
  Add(thread_->counters.connections_broken, 1);
  goodbye_ = std::move(reason);
  closing_ = true;
}

void BinaryConnection::Handle(const Frame& frame) {
  const FrameHeader& header = frame.header;
  if (header.flags != 0) return Break("a client's frame has no flags");
  if (!greeted_) return Greet(frame);
  const bool is_request = header.type >= FrameType::kPrepare;
  const bool is_cancel = header.type == FrameType::kCancel;
  if (is_request || is_cancel) {
    if (header.request_id == 0) return Break("a request's id is not 0");
    if (is_cancel) return Cancel(header.request_id);
    return BeginOrWait(frame);
  }
  switch (header.type) {
    case FrameType::kAuthenticate:
      return Authenticate(frame);
    case FrameType::kCredit:
      return AddCredit(frame);
    case FrameType::kPing:
      if (frame.payload.size() > kPingBytesMax) return Break("a Ping has at most 64 bytes");
      protocol::AppendFrame({0, header.request_id, FrameType::kPong, 0}, frame.payload, out());
      return;
    case FrameType::kPong:
      return;
    case FrameType::kGoodbye:
      closing_ = true;
      return;
    default:
      return Break("Hello comes once, and Welcome from the server");
  }
}

void BinaryConnection::Greet(const Frame& frame) {
  protocol::Hello hello;
  if (frame.header.type != FrameType::kHello || frame.header.request_id != 0) {
    return Break("the first frame must be a Hello");
  }
  if (const Status read = protocol::Decode(frame.payload, &hello); !read.ok()) {
    return Break(fmt::format("Hello: {}", Message(read)));
  }
  if (hello.magic != protocol::kMagic) return Break("this is not the protocol of varve");
  if (hello.version_min > protocol::kVersion || hello.version_max < protocol::kVersion) {
    return Break(fmt::format("this server speaks version {} of the protocol, the client {} to {}",
                             protocol::kVersion, hello.version_min, hello.version_max));
  }
  if (hello.item_encoding_min > protocol::kItemEncoding ||
      hello.item_encoding_max < protocol::kItemEncoding) {
    return Break(fmt::format("this server knows item encoding {}, the client {} to {}",
                             protocol::kItemEncoding, hello.item_encoding_min,
                             hello.item_encoding_max));
  }
  greeted_ = true;
  credit_ = static_cast<int64_t>(std::min(hello.credit_bytes, options().credit_bytes_max));
  protocol::Welcome welcome;
  welcome.version = protocol::kVersion;
  welcome.features = hello.features & static_cast<uint64_t>(protocol::Feature::kRequestTokens);
  welcome.item_encoding = protocol::kItemEncoding;
  welcome.server_name = fmt::format("varved {}", kVersion);
  welcome.request_bytes_max = protocol::kRequestBytesMax;
  welcome.requests_max = options().requests_max;
  welcome.prepared_max = options().prepared_max;
  welcome.credit_bytes_max = options().credit_bytes_max;
  welcome.idle_timeout_ms = options().idle_timeout_ms;
  std::string& to = out();
  const size_t begin = protocol::BeginFrame({0, 0, FrameType::kWelcome, 0}, to);
  protocol::Encode(welcome, to);
  protocol::EndFrame(begin, to);
  spdlog::debug("binary: {} from {}", hello.client_name, io::PeerName(socket_));
}

void BinaryConnection::Authenticate(const Frame& frame) {
  std::string& to = out();
  const size_t begin = protocol::BeginFrame(
      {0, frame.header.request_id, FrameType::kAuthenticate, protocol::kError}, to);
  protocol::EncodeError(item::ValidationError("This server asks for no authentication"), to);
  protocol::EndFrame(begin, to);
}

void BinaryConnection::AddCredit(const Frame& frame) {
  protocol::Credit credit;
  if (const Status read = protocol::Decode(frame.payload, &credit); !read.ok()) {
    return Break(fmt::format("Credit: {}", Message(read)));
  }
  const auto most = static_cast<int64_t>(options().credit_bytes_max);
  const auto added = static_cast<int64_t>(std::min(credit.bytes, options().credit_bytes_max * 2));
  credit_ = std::min(credit_ + added, most);
  ScheduleTick();
  // In a pass, too: what waits began before what follows this frame.
  BeginWaiting();
  if (!sleepers_.empty()) WakeAll();
}

void BinaryConnection::Cancel(uint32_t request_id) {
  if (const auto header = waiting_.Remove(request_id)) {
    ChargeRequests();
    return AnswerError(*header, protocol::Cancelled());
  }
  const auto found = under_way_.find(request_id);
  if (found == under_way_.end()) return;  // too late
  found->second->Cancel();
  if (!sleepers_.empty()) WakeAll();
}

// ---- Requests

bool BinaryConnection::IsUnderWay(uint32_t request_id) const {
  return under_way_.contains(request_id) || waiting_.Contains(request_id);
}

bool BinaryConnection::MayBegin() const {
  return credit_ > 0 && running_ < options().requests_max && !stopping_ &&
         server_->answer_bytes_.load(std::memory_order_relaxed) < options().answer_memory_bytes_max;
}

bool BinaryConnection::LooksUp(const Frame& frame) const {
  return frame.header.type == FrameType::kGetItem && frame.header.flags == 0 &&
         frame.header.request_id != 0 && greeted_ && waiting_.empty() && MayBegin();
}

void BinaryConnection::HandleGets() {
  ItemGets& gets = thread_->gets;
  if (gets.size() == 0) return;
  item::Store& store = *server_->service_.store;
  gets.LookUp(store, prepared_);
  const uint64_t latency_ns = server_->io_.MonotonicNs() - pass_ns_;
  for (size_t i = 0; i < gets.size() && !closing_; ++i) {
    const Frame& frame = gets.frame(i);
    // Answers before this one may have taken the rest of the credit.
    if (!gets.InMemory(i) || !waiting_.empty() || !MayBegin()) {
      BeginOrWait(frame);
      continue;
    }
    if (!TakesId(frame.header.request_id)) break;
    Add(thread_->counters.requests_begun, 1);
    std::string& to = out();
    const size_t begin =
        protocol::BeginFrame({0, frame.header.request_id, frame.header.type, 0}, to);
    gets.EncodeAnswer(store, i, to);
    Charge(protocol::EndFrame(begin, to));
    CountAnswer(frame.header.type, /*failed=*/false, latency_ns);
  }
  gets.Clear();
}

void BinaryConnection::CountAnswer(FrameType type, bool failed, uint64_t latency_ns) {
  BinaryCounters& counters = thread_->counters;
  const auto i = static_cast<size_t>(type);
  Add(counters.answers[i], 1);
  if (failed) Add(counters.errors[i], 1);
  counters.latencies[i].Count(latency_ns);
}

bool BinaryConnection::TakesId(uint32_t request_id) {
  ++pass_requests_;
  if (!IsUnderWay(request_id)) return true;
  Break(fmt::format("request id {} is under way", request_id));
  return false;
}

void BinaryConnection::BeginOrWait(const Frame& frame) {
  if (!TakesId(frame.header.request_id)) return;
  if (waiting_.empty() && MayBegin()) return Begin(frame.header, frame.payload);
  waiting_.Push(frame.header, frame.payload);
  ChargeRequests();
}

void BinaryConnection::Begin(const FrameHeader& header, std::string_view payload) {
  ++running_;
  Add(thread_->counters.requests_begun, 1);
  tasks_.Add(RunRequest(header, payload));
  // Still there: it waits for something.
  if (beginning_ != nullptr) under_way_[header.request_id] = std::exchange(beginning_, nullptr);
}

io::Task<void> BinaryConnection::RunRequest(FrameHeader header, std::string_view payload) {
  Request request(this, header, payload);
  beginning_ = &request;
  const uint64_t begun_ns = pass_ns_;
  const BinaryOperation operation = BinaryOperationOf(header.type);
  Status status;
  if (operation == nullptr) {
    status = item::ValidationError("There is no operation {}", static_cast<int>(header.type));
  } else {
    io::Task<Status> task = operation(request);
    status = co_await task;
  }
  if (!status.ok()) {
    if (absl::IsCancelled(status) && !request.cancelled()) {
      status = item::MakeError(item::ErrorType::kServiceUnavailable, "The server stops");
    }
    AnswerError(header, status);
  }
  CountAnswer(header.type, !status.ok(), server_->io_.MonotonicNs() - begun_ns);
  --running_;
  if (beginning_ == &request) {
    beginning_ = nullptr;
  } else {
    under_way_.erase(header.request_id);
  }
  ScheduleTick();
}

void BinaryConnection::AnswerError(const FrameHeader& request, const Status& status) {
  std::string& to = out();
  const size_t begin =
      protocol::BeginFrame({0, request.request_id, request.type, protocol::kError}, to);
  protocol::EncodeError(status, to);
  Charge(protocol::EndFrame(begin, to));
  ScheduleTick();
  const item::ErrorType type = item::TypeOfError(status);
  const bool is_ours =
      type == item::ErrorType::kInternalServerError || type == item::ErrorType::kServiceUnavailable;
  if (is_ours && server_->service_.api != nullptr && !absl::IsCancelled(status) &&
      !protocol::IsPreparedInvalid(status)) {
    server_->service_.api->LogError(protocol::OperationName(request.type), status);
  }
}

bool BinaryConnection::BeginWaiting() {
  uint32_t begun = 0;
  while (!waiting_.empty() && MayBegin()) {
    if (++begun > kRequestsPerPass) return false;
    const WaitingRequests::Entry request = waiting_.Pop();
    Begin(request.header, request.payload);
  }
  ChargeRequests();
  return true;
}

// ---- Sending

std::string& BinaryConnection::out() {
  if (out_.empty() && out_.capacity() < kPingBytesMax) out_ = thread_->TakeBuffer();
  return out_;
}

void BinaryConnection::AppendGoodbye(std::string_view reason) {
  std::string& to = out();
  const size_t begin = protocol::BeginFrame({0, 0, FrameType::kGoodbye, 0}, to);
  protocol::Encode(protocol::Goodbye{std::string(reason)}, to);
  protocol::EndFrame(begin, to);
}

void BinaryConnection::StartSending() {
  const size_t bytes = unsent_bytes();
  server_->answer_bytes_.fetch_add(bytes - counted_bytes_, std::memory_order_relaxed);
  counted_bytes_ = bytes;
  if (out_.empty() || sending_ || dead_) return;
  sending_ = true;
  tasks_.Add(SendAll());
}

io::Task<void> BinaryConnection::SendAll() {
  while (!out_.empty() && !dead_) {
    in_flight_ = std::exchange(out_, {});
    std::string_view rest = in_flight_;
    while (!rest.empty() && !dead_) {
      send_deadline_ns_ = After(options().send_timeout_ms);
      const std::string_view piece = rest.substr(0, kSendBytes);
      io::Task<Status> send = io::Send(socket_, piece);
      const Status sent = co_await send;
      if (!sent.ok()) {
        CutOff();
        break;
      }
      Add(thread_->counters.sent_bytes, piece.size());
      rest.remove_prefix(piece.size());
    }
    thread_->ReturnBuffer(std::exchange(in_flight_, {}));
  }
  send_deadline_ns_ = kNeverNs;
  sending_ = false;
  StartSending();  // counts
  if (!waiting_.empty() || !sleepers_.empty()) ScheduleTick();
}

void BinaryConnection::ScheduleTick() {
  if (in_pass_ || tick_scheduled_) return;
  tick_scheduled_ = true;
  tasks_.Add(Tick());
}

io::Task<void> BinaryConnection::Tick() {
  // Whatever else ends in this round of the executor is sent together with this.
  co_await io::Yield{};
  tick_scheduled_ = false;
  in_pass_ = true;
  if (!waiting_.empty()) pass_ns_ = server_->io_.MonotonicNs();
  const bool all = BeginWaiting();
  in_pass_ = false;
  StartSending();
  if (!all) ScheduleTick();
  WakeAll();
}

void BinaryConnection::WakeAll() {
  std::vector<std::coroutine_handle<>> sleepers;
  sleepers.swap(sleepers_);
  for (const std::coroutine_handle<> sleeper : sleepers) thread_->executor->Post(sleeper);
}

void BinaryConnection::CutOff() {
  if (dead_) return;
  dead_ = true;
  io::Shutdown(socket_);
  WakeAll();
}

// ---- Ending

io::Task<void> BinaryConnection::Finish() {
  // What was asked for before is answered; what has no credit never is.
  while (!dead_ && (running_ > 0 || (!waiting_.empty() && MayBegin()))) {
    ScheduleTick();
    co_await Progress{this};
  }
  waiting_.Clear();
  partial_ = {};
  ChargeRequests();
  if (!dead_) {
    AppendGoodbye(goodbye_);
    StartSending();
    while (sending_ && !dead_) co_await Progress{this};
  }
  if (!dead_) {
    // The client sees the end of the stream behind the last frame, and what it still sends is read:
    // closing with unread bytes would reset the connection, and the last frames with it.
    io::ShutdownSend(socket_);
    linger_deadline_ns_ = std::min(After(kLingerMs), thread_->stop_deadline_ns);
    while (!stream_.ended() && !dead_) {
      co_await stream_.Wait();
      while (!stream_.Take().empty()) {
      }
    }
  }
  dead_ = true;
  WakeAll();
  co_await tasks_.Wait();
  io::Task<void> stop = stream_.Stop();
  co_await stop;
}

void BinaryConnection::BeginStop() {
  if (stopping_) return;
  stopping_ = true;
  closing_ = true;
  if (goodbye_.empty()) goodbye_ = "the server stops";
  // Ends the reader's wait.
  io::ShutdownReceive(socket_);
  WakeAll();
}

void BinaryConnection::Sweep(uint64_t now_ns) {
  const auto late = [now_ns](uint64_t since_ns, uint64_t timeout_ms) {
    return since_ns != kNeverNs && now_ns > since_ns && now_ns - since_ns > timeout_ms * 1'000'000;
  };
  if (now_ns > std::min(linger_deadline_ns_, thread_->stop_deadline_ns)) return CutOff();
  const bool reads = !closing_ && !is_ahead();
  if (now_ns > send_deadline_ns_ || (!greeted_ && late(heard_ns_, options().request_timeout_ms)) ||
      (reads && late(partial_since_ns_, options().request_timeout_ms))) {
    Add(thread_->counters.timeouts, 1);
    return CutOff();
  }
  const bool idle = running_ == 0 && waiting_.empty() && !sending_ && !closing_;
  if (idle && late(heard_ns_, options().idle_timeout_ms)) {
    goodbye_ = fmt::format("nothing was heard for {} ms", options().idle_timeout_ms);
    closing_ = true;
    io::ShutdownReceive(socket_);
    return;
  }
  // What waits because all connections together have too much to send.
  if (!waiting_.empty() || !sleepers_.empty()) ScheduleTick();
}

}  // namespace varve::server
