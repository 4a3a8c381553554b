#include "client/connection.h"

#include <errno.h>

#include <algorithm>
#include <cassert>

#include "base/coding.h"
#include "io/loop.h"
#include "io/receive_stream.h"
#include "item/errors.h"
#include "protocol/error.h"
#include "protocol/message_fields.h"

namespace varve::client {
namespace {

using protocol::Frame;
using protocol::FrameHeader;
using protocol::FrameType;
using protocol::kFrameHeaderBytes;

constexpr uint64_t kNsPerMs = 1'000'000;
// Buffers that grew beyond this are given back after use.
constexpr size_t kKeptBufferBytes = size_t{1} << 20;

void Empty(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBufferBytes) buffer.shrink_to_fit();
}

std::string NameOf(const ConnectionOptions& options) {
  if (!options.socket_path.empty()) return options.socket_path;
  return fmt::format("{} port {}", options.address, options.port);
}

}  // namespace

// ---- Connecting and closing

Connection::Connection(ConnectionOptions options)
    : options_(std::move(options)), name_(NameOf(options_)), executor_(io::Executor::Current()) {}

Connection::~Connection() { assert(tasks_.running() == 0); }

io::Task<StatusOr<std::unique_ptr<Connection>>> Connection::Connect(ConnectionOptions options) {
  std::unique_ptr<Connection> connection(new Connection(std::move(options)));
  const Status opened = co_await connection->Open();
  if (!opened.ok()) {
    co_await connection->Close();
    co_return opened;
  }
  co_return connection;
}

io::Task<Status> Connection::Open() {
  StatusOr<io::Socket> socket = options_.socket_path.empty()
                                    ? io::StartConnect(options_.address, options_.port)
                                    : io::StartConnectUnix(options_.socket_path);
  if (!socket.ok()) co_return socket.status();
  socket_ = std::move(*socket);
  give_up_at_ns_ = io::MonotonicNowNs() + options_.connect_timeout_ms * kNsPerMs;
  tasks_.Add(Watch());
  const Status connected = co_await io::FinishConnect(socket_);
  if (!usable()) co_return status_;  // given up meanwhile
  if (!connected.ok()) co_return ServerError(Message(connected));

  protocol::Hello hello;
  hello.magic = protocol::kMagic;
  hello.version_min = hello.version_max = protocol::kVersion;
  hello.item_encoding_min = hello.item_encoding_max = protocol::kItemEncoding;
  hello.features = static_cast<uint64_t>(protocol::Feature::kRequestTokens);
  hello.client_name = options_.client_name;
  hello.credit_bytes = options_.credit_bytes;
  const size_t begin = protocol::BeginFrame({.type = FrameType::kHello}, out_);
  protocol::Encode(hello, out_);
  appended_ += protocol::EndFrame(begin, out_);
  tasks_.Add(SendAll());
  tasks_.Add(Receive());

  struct Welcomed {
    Connection& connection;
    bool await_ready() { return connection.welcomed_ || !connection.usable(); }
    void await_suspend(std::coroutine_handle<> self) { connection.opener_ = self; }
    void await_resume() {}
  };
  co_await Welcomed{*this};
  if (!usable()) co_return status_;
  give_up_at_ns_ = 0;
  keep_alive_ns_ = options_.keep_alive_ms * kNsPerMs;
  if (welcome_.idle_timeout_ms != 0) {
    keep_alive_ns_ = std::min(keep_alive_ns_, welcome_.idle_timeout_ms * kNsPerMs / 3);
  }
  keep_alive_ns_ = std::max(keep_alive_ns_, kNsPerMs);
  quiet_since_ns_ = io::MonotonicNowNs();
  alarm_.Wake();
  co_return absl::OkStatus();
}

void Connection::HandleWelcome(std::string_view payload) {
  if (welcomed_) return Fail(ServerError("it said its welcome twice"));
  if (const Status read = protocol::Decode(payload, &welcome_); !read.ok()) {
    return Fail(ServerError(Message(read)));
  }
  if (welcome_.version != protocol::kVersion || welcome_.item_encoding != protocol::kItemEncoding) {
    return Fail(FailedPrecondition("{}: it speaks version {} with item encoding {}, not {} and {}",
                                   name_, welcome_.version, welcome_.item_encoding,
                                   protocol::kVersion, protocol::kItemEncoding));
  }
  if (!welcome_.authentication.empty()) {
    return Fail(FailedPrecondition("{}: it asks for the authentication {}, which is unknown here",
                                   name_, welcome_.authentication));
  }
  welcomed_ = true;
  uint64_t credit = options_.credit_bytes;
  if (welcome_.credit_bytes_max != 0) credit = std::min(credit, welcome_.credit_bytes_max);
  credit_step_ = std::max<uint64_t>(credit / 2, 1);
  if (opener_) executor_->Post(std::exchange(opener_, nullptr));
}

io::Task<void> Connection::Close() {
  if (usable()) {
    // What is being sent goes on; what is not, nobody waits for any more.
    appended_ -= out_.size();
    out_.clear();
    const size_t begin = protocol::BeginFrame({.type = FrameType::kGoodbye}, out_);
    protocol::Encode(protocol::Goodbye{.reason = "the client is done"}, out_);
    appended_ += protocol::EndFrame(begin, out_);
    closing_ = true;
    give_up_at_ns_ = io::MonotonicNowNs() + options_.close_timeout_ms * kNsPerMs;
    Fail(ServerError("the connection was closed here"));
  }
  alarm_.Wake();
  co_await tasks_.Wait();
  socket_.Close();
}

// The end of everything, except that the sender says goodbye first if this end is closing.
void Connection::Fail(const Status& status) {
  if (!usable()) return;
  status_ = status;
  for (const Slot& slot : slots_) {
    if (slot.call == nullptr) continue;
    slot.call->unsent_ = slot.call->begins_at_ >= handed_over_;
    FailCall(*slot.call, status);
  }
  for (const Waiting& waiting : waiting_) {
    if (waiting.call == nullptr) continue;
    waiting.call->unsent_ = true;
    FailCall(*waiting.call, status);
  }
  for (CallBase* const ping : pings_) {
    if (ping != nullptr) FailCall(*ping, status);
  }
  slots_.clear();
  free_ids_.clear();
  waiting_.clear();
  pings_.clear();
  under_way_ = 0;
  if (opener_) executor_->Post(std::exchange(opener_, nullptr));
  if (!closing_) io::Shutdown(socket_);
  WakeSender();
  alarm_.Wake();
}

Status Connection::ServerError(std::string_view what) const {
  return Unavailable("{}: {}", name_, what);
}

// ---- Sending

io::Task<void> Connection::SendAll() {
  struct SomethingToSend {
    Connection& connection;
    bool await_ready() { return !connection.out_.empty() || !connection.usable(); }
    void await_suspend(std::coroutine_handle<> self) { connection.sender_ = self; }
    void await_resume() {}
  };
  for (;;) {
    co_await SomethingToSend{*this};
    if (out_.empty() || (!usable() && !closing_)) break;
    std::swap(out_, sending_);
    handed_over_ = appended_;
    spoken_ = true;
    std::string_view left = sending_;
    while (!left.empty()) {
      io::Operation operation;
      operation.kind = io::Operation::Kind::kSend;
      operation.fd = socket_.fd();
      operation.data = const_cast<char*>(left.data());
      operation.size = left.size();
      const int64_t sent = co_await io::Perform(operation);
      if (sent >= 0) {
        left.remove_prefix(static_cast<size_t>(sent));
      } else if (sent != -EINTR && sent != -EAGAIN) {
        // Why it broke is known best to the receiver, which may find a goodbye on its way there.
        io::ShutdownSend(socket_);
        if (closing_) io::Shutdown(socket_);
        alarm_.Wake();
        co_return;
      }
    }
    Empty(sending_);
  }
  io::Shutdown(socket_);
  alarm_.Wake();
}

void Connection::WakeSender() {
  if (sender_) executor_->Post(std::exchange(sender_, nullptr));
}

// ---- Receiving

io::Task<void> Connection::Receive() {
  io::ReceiveStream stream(socket_);
  while (!stream.ended()) {
    co_await stream.Wait();
    for (std::string_view piece = stream.Take(); !piece.empty(); piece = stream.Take()) {
      if (usable()) Consume(piece);
    }
    GiveCredit(0);
  }
  const Status end = stream.status();
  co_await stream.Stop();
  Fail(ServerError(end.ok() ? "the server ended the connection" : Message(end)));
  alarm_.Wake();
}

void Connection::Consume(std::string_view piece) {
  heard_ = true;
  while (!piece.empty()) {
    const bool continues = !partial_.empty();
    if (continues) {
      // Only what completes the header or the frame: the rest is read where it is.
      size_t whole = kFrameHeaderBytes;
      if (partial_.size() >= whole) whole += LoadU32(partial_.data());
      const size_t taken = std::min(piece.size(), whole - partial_.size());
      partial_.append(piece.substr(0, taken));
      piece.remove_prefix(taken);
      if (partial_.size() < whole) return;
    }
    const StatusOr<std::optional<Frame>> frame = protocol::ReadFrame(
        continues ? std::string_view(partial_) : piece, options_.answer_bytes_max);
    if (!frame.ok()) return Fail(ServerError(Message(frame.status())));
    if (!frame->has_value()) {
      if (!continues) {
        partial_.assign(piece);
        piece = {};
      }
      if (partial_.size() >= kFrameHeaderBytes) {
        partial_.reserve(kFrameHeaderBytes + LoadU32(partial_.data()));
      }
      continue;
    }
    if (!Handle(**frame)) return;
    if (continues) {
      Empty(partial_);
    } else {
      piece.remove_prefix((*frame)->size_bytes());
    }
  }
}

// Whether the connection is still of use.
bool Connection::Handle(const Frame& frame) {
  if (frame.header.request_id != 0) {
    HandleAnswer(frame);
  } else {
    HandleOwn(frame);
  }
  return usable();
}

void Connection::HandleAnswer(const Frame& frame) {
  const uint32_t id = frame.header.request_id;
  if (id > slots_.size() || !slots_[id - 1].under_way || slots_[id - 1].type != frame.header.type) {
    return Fail(ServerError(fmt::format("an answer to {}, which nobody asked", id)));
  }
  const bool is_error = (frame.header.flags & protocol::kError) != 0;
  const bool more = (frame.header.flags & protocol::kMore) != 0 && !is_error;
  CallBase* const call = slots_[id - 1].call;
  if (call == nullptr) {
    credit_owed_ += frame.size_bytes();
    if (!more) FreeSlot(id);
    return;
  }
  if (more && !call->streams_) {
    return Fail(ServerError(fmt::format("more than one answer to {}", id)));
  }
  if (is_error) {
    credit_owed_ += frame.size_bytes();
    call->status_ = protocol::DecodeError(frame.payload);
  } else {
    // A page keeps its credit until it is taken.
    (call->streams_ ? credit_held_ : credit_owed_) += frame.size_bytes();
    call->frame_bytes_ = frame.size_bytes();
    call->read_(*call, frame.payload);
    if (!call->status_.ok()) {
      call->status_ = Corruption("{}: {}", name_, Message(call->status_));
      if (more) {
        Abandon(*call);
        return Finish(*call);
      }
    }
  }
  if (call->deadline_ns_ != 0) StopDeadline(*call);
  if (more) return WakeWaiter(*call);
  FreeSlot(id);
  call->id_ = 0;
  Finish(*call);
}

void Connection::HandleOwn(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::kWelcome:
      return HandleWelcome(frame.payload);
    case FrameType::kPing: {
      const size_t before = out_.size();
      protocol::AppendFrame({.type = FrameType::kPong}, frame.payload, out_);
      appended_ += out_.size() - before;
      return WakeSender();
    }
    case FrameType::kPong: {
      if (pings_.empty()) return Fail(ServerError("a pong without a ping"));
      CallBase* const call = pings_.front();
      pings_.pop_front();
      if (call == nullptr) return;
      if (call->deadline_ns_ != 0) StopDeadline(*call);
      return Finish(*call);
    }
    case FrameType::kGoodbye: {
      protocol::Goodbye goodbye;
      const Status read = protocol::Decode(frame.payload, &goodbye);
      return Fail(ServerError(
          fmt::format("the server said goodbye: {}", read.ok() ? goodbye.reason : Message(read))));
    }
    default:
      return Fail(ServerError(fmt::format("a frame of type {} without a request",
                                          static_cast<int>(frame.header.type))));
  }
}

// ---- Calls

void EncodeRequest(const EncodedRequest& request, const protocol::RequestExtras& extras,
                   std::string& to) {
  to.append(request.fields);
  protocol::EncodeFields(extras, to);
}

std::string* CallBase::Begin(FrameType type, const CallOptions& options) {
  type_ = type;
  timeout_ns_ = options.timeout_ms.value_or(connection_->options_.timeout_ms) * kNsPerMs;
  return connection_->Begin(*this);
}
void CallBase::End() { connection_->End(*this); }
void CallBase::Abandon() { connection_->Abandon(*this); }
void CallBase::Cancel() {
  if (done_) return;
  connection_->Abandon(*this);
  status_ = protocol::Cancelled();
  connection_->Finish(*this);
}
void CallBase::StartDeadline() {
  if (timeout_ns_ != 0 && deadline_ns_ == 0) connection_->StartDeadline(*this);
}
void CallBase::GiveCredit(size_t bytes) {
  connection_->credit_held_ -= bytes;
  connection_->GiveCredit(bytes);
}

std::string* Connection::Begin(CallBase& call) {
  assert(io::Executor::Current() == executor_);
  if (!usable()) {
    call.unsent_ = true;
    call.status_ = status_;
    call.done_ = true;
    return nullptr;
  }
  const size_t requests_max = welcome_.requests_max != 0 ? welcome_.requests_max : 1;
  std::string* to = &out_;
  if (under_way_ >= requests_max) {
    to = &waiting_.emplace_back(Waiting{&call, {}}).frame;
  } else {
    TakeSlot(call);
  }
  frame_begin_ = protocol::BeginFrame({.request_id = call.id_, .type = call.type_}, *to);
  return to;
}

void Connection::End(CallBase& call) {
  const bool waits = call.id_ == 0;
  std::string& to = waits ? waiting_.back().frame : out_;
  const size_t frame_bytes = protocol::EndFrame(frame_begin_, to);
  if (frame_bytes - kFrameHeaderBytes > welcome_.request_bytes_max) {
    to.resize(frame_begin_);
    if (waits) {
      waiting_.pop_back();
    } else {
      FreeSlot(std::exchange(call.id_, 0));
    }
    call.unsent_ = true;
    call.status_ =
        item::ValidationError("The request has {} bytes; the server takes at most {}",
                              frame_bytes - kFrameHeaderBytes, welcome_.request_bytes_max);
    call.done_ = true;
    return;
  }
  if (!waits) {
    call.begins_at_ = appended_;
    appended_ += frame_bytes;
    WakeSender();
  }
  if (!call.streams_) call.StartDeadline();
}

uint32_t Connection::TakeSlot(CallBase& call) {
  if (free_ids_.empty()) {
    slots_.emplace_back();
    free_ids_.push_back(static_cast<uint32_t>(slots_.size()));
  }
  call.id_ = free_ids_.back();
  free_ids_.pop_back();
  slots_[call.id_ - 1] = {&call, true, call.type_};
  ++under_way_;
  return call.id_;
}

void Connection::FreeSlot(uint32_t id) {
  slots_[id - 1] = {};
  free_ids_.push_back(id);
  --under_way_;
  if (!waiting_.empty()) SendWaiting();
}

// The call that has waited longest takes the slot that has just become free.
void Connection::SendWaiting() {
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  const uint32_t id = TakeSlot(*next.call);
  StoreFixed(next.frame.data() + 4, id);
  next.call->begins_at_ = appended_;
  out_.append(next.frame);
  appended_ += next.frame.size();
  WakeSender();
}

void Connection::Abandon(CallBase& call) {
  if (call.deadline_ns_ != 0) StopDeadline(call);
  if (call.id_ != 0) {
    // The slot is taken until the answer to the request, or to the cancellation, is here.
    slots_[call.id_ - 1].call = nullptr;
    protocol::AppendFrame({.request_id = call.id_, .type = FrameType::kCancel}, {}, out_);
    appended_ += kFrameHeaderBytes;
    call.id_ = 0;
    return WakeSender();
  }
  std::erase_if(waiting_, [&call](const Waiting& waiting) { return waiting.call == &call; });
  std::replace(pings_.begin(), pings_.end(), &call, static_cast<CallBase*>(nullptr));
}

void Connection::Finish(CallBase& call) {
  call.done_ = true;
  WakeWaiter(call);
}

void Connection::FailCall(CallBase& call, const Status& status) {
  if (call.deadline_ns_ != 0) StopDeadline(call);
  call.id_ = 0;
  call.status_ = status;
  Finish(call);
}

void Connection::WakeWaiter(CallBase& call) {
  if (call.waiter_) executor_->Post(std::exchange(call.waiter_, nullptr));
}

void PageStream::Read(CallBase& base, std::string_view payload) {
  PageStream& stream = static_cast<PageStream&>(base);
  Page& page = stream.pages_.emplace_back();
  page.credit_bytes = stream.frame_bytes_;
  stream.status_ = protocol::DecodeAnswer(payload, &page.page, &stream.answer_extras_);
  if (stream.status_.ok()) return;
  stream.GiveCredit(page.credit_bytes);
  stream.pages_.pop_back();
}

StatusOr<std::optional<item::ItemPage>> PageStream::Take() {
  if (!pages_.empty()) {
    std::optional<item::ItemPage> page(std::move(pages_.front().page));
    GiveCredit(pages_.front().credit_bytes);
    pages_.pop_front();
    return page;
  }
  if (!status_.ok()) return status_;
  return std::optional<item::ItemPage>();
}

void PageStream::DropPages() {
  for (const Page& page : pages_) GiveCredit(page.credit_bytes);
  pages_.clear();
}

void PageStream::Cancel() {
  DropPages();
  CallBase::Cancel();
  status_ = protocol::Cancelled();
}

Connection::PingCall::PingCall(Connection* connection, const CallOptions& options)
    : CallBase(connection, nullptr, /*streams=*/false) {
  type_ = FrameType::kPing;
  if (!connection_->usable()) {
    unsent_ = true;
    status_ = connection_->status_;
    done_ = true;
    return;
  }
  timeout_ns_ = options.timeout_ms.value_or(connection_->options_.timeout_ms) * kNsPerMs;
  connection_->SendPing(this);
  StartDeadline();
}

void Connection::SendPing(CallBase* call) {
  protocol::AppendFrame({.type = FrameType::kPing}, {}, out_);
  appended_ += kFrameHeaderBytes;
  pings_.push_back(call);
  WakeSender();
}

// ---- Credit

// `bytes` are taken; they are given back together with what else is owed once that is worth it.
void Connection::GiveCredit(size_t bytes) {
  credit_owed_ += bytes;
  if (credit_owed_ < credit_step_ || !welcomed_ || !usable()) return;
  const size_t begin = protocol::BeginFrame({.type = FrameType::kCredit}, out_);
  protocol::Encode(protocol::Credit{.bytes = std::exchange(credit_owed_, 0)}, out_);
  appended_ += protocol::EndFrame(begin, out_);
  WakeSender();
}

// ---- Time

// Rings at the earliest of: the first deadline, the next question whether the server is there, the
// end of patience.
io::Task<void> Connection::Watch() {
  for (;;) {
    const uint64_t now_ns = io::MonotonicNowNs();
    if (give_up_at_ns_ != 0 && now_ns >= give_up_at_ns_) {
      give_up_at_ns_ = 0;
      Fail(ServerError(fmt::format("no welcome within {} ms", options_.connect_timeout_ms)));
      io::Shutdown(socket_);
    }
    if (usable()) {
      ExpireDeadlines(now_ns);
      if (keep_alive_ns_ != 0) KeepAlive(now_ns);
    }
    // A connection that is being closed is watched until the goodbye has been sent.
    if (!usable() && (give_up_at_ns_ == 0 || tasks_.running() <= 1)) co_return;
    alarm_at_ns_ = now_ns + 3'600'000 * kNsPerMs;
    if (give_up_at_ns_ != 0) alarm_at_ns_ = std::min(alarm_at_ns_, give_up_at_ns_);
    if (usable()) {
      if (first_deadline_ != nullptr) {
        alarm_at_ns_ = std::min(alarm_at_ns_, first_deadline_->deadline_ns_);
      }
      if (keep_alive_ns_ != 0) {
        alarm_at_ns_ = std::min(alarm_at_ns_, quiet_since_ns_ + keep_alive_ns_);
      }
    }
    co_await alarm_.Sleep(alarm_at_ns_ > now_ns ? alarm_at_ns_ - now_ns : 0);
  }
}

void Connection::KeepAlive(uint64_t now_ns) {
  if (now_ns < quiet_since_ns_ + keep_alive_ns_) return;
  if (!heard_ && asked_ && credit_held_ == 0) {
    return Fail(
        ServerError(fmt::format("no sign of the server for {} ms", 2 * keep_alive_ns_ / kNsPerMs)));
  }
  asked_ = !heard_;
  if (!heard_ || !spoken_) SendPing(nullptr);
  heard_ = false;
  spoken_ = false;
  quiet_since_ns_ = now_ns;
}

void Connection::StartDeadline(CallBase& call) {
  call.deadline_ns_ = io::MonotonicNowNs() + call.timeout_ns_;
  // Most calls have the same timeout, so the latest goes last.
  CallBase* before = last_deadline_;
  while (before != nullptr && before->deadline_ns_ > call.deadline_ns_) before = before->earlier_;
  call.earlier_ = before;
  call.later_ = before != nullptr ? before->later_ : first_deadline_;
  (call.later_ != nullptr ? call.later_->earlier_ : last_deadline_) = &call;
  (before != nullptr ? before->later_ : first_deadline_) = &call;
  if (call.deadline_ns_ < alarm_at_ns_) alarm_.Wake();
}

void Connection::StopDeadline(CallBase& call) {
  (call.earlier_ != nullptr ? call.earlier_->later_ : first_deadline_) = call.later_;
  (call.later_ != nullptr ? call.later_->earlier_ : last_deadline_) = call.earlier_;
  call.earlier_ = call.later_ = nullptr;
  call.deadline_ns_ = 0;
}

void Connection::ExpireDeadlines(uint64_t now_ns) {
  while (first_deadline_ != nullptr && first_deadline_->deadline_ns_ <= now_ns) {
    CallBase& call = *first_deadline_;
    // What never left this place has certainly not been done.
    call.unsent_ = call.id_ == 0 && call.type_ != FrameType::kPing;
    Abandon(call);
    call.status_ =
        MakeStatus(absl::StatusCode::kDeadlineExceeded, "{}: {}: no answer within {} ms", name_,
                   protocol::OperationName(call.type_), call.timeout_ns_ / kNsPerMs);
    Finish(call);
  }
}

}  // namespace varve::client
