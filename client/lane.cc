#include "client/lane.h"

#include <algorithm>
#include <utility>

#include "io/loop.h"
#include "item/errors.h"
#include "protocol/error.h"

namespace varve::client {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kHourNs = 3'600'000 * kNsPerMs;

}  // namespace

// ---- Requests, from both sides

void Request::Complete() {
  std::optional<io::Waiter> waiter;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    waiter.swap(waiter_);
  }
  if (waiter.has_value()) waiter->Wake();
  Deliver();
}

void Request::Cancel(const std::shared_ptr<Request>& self) {
  // Under the lock, so that the lane cannot end the request, and its thread after it, before it has
  // been told.
  absl::MutexLock lock(&mutex_);
  if (!done_) lane_->Cancel(self);
}

// ---- Beginning and end

Lane::Lane(io::Io& io, Client& client, const ClientOptions& options)
    : io_(io), client_(client), options_(options) {
  for (size_t i = 0; i < options.connections_per_thread; ++i) {
    links_.push_back(std::make_unique<Link>());
  }
  worker_ = io.StartWorker({.name = "varve client"});
  executor_ = &worker_->executor();
}

Lane::~Lane() {
  executor_->Spawn(Stop());
  worker_.reset();
}

io::Task<void> Lane::Stop() {
  stopping_ = true;
  for (Request* const request : active_) EndRequest(*request);
  open_alarm_.Wake();
  for (uint64_t seen = progress_.count(); !active_.empty() || opening_; seen = progress_.count()) {
    co_await progress_.After(seen);
  }
  for (const std::unique_ptr<Link>& link : links_) Retire(*link);
  for (uint64_t seen = progress_.count(); discarding_ > 0; seen = progress_.count()) {
    co_await progress_.After(seen);
  }
}

void Lane::Submit(std::shared_ptr<Request> request) {
  request->lane_ = this;
  executor_->Spawn(Run(std::move(request)));
}

void Lane::Cancel(std::shared_ptr<Request> request) {
  executor_->Spawn(CancelHere(std::move(request)));
}

io::Task<void> Lane::CancelHere(std::shared_ptr<Request> request) {
  EndRequest(*request);
  co_return;
}

void Lane::EndRequest(Request& request) {
  request.cancelled_ = true;
  if (request.current_ != nullptr) request.current_->Cancel();
  request.alarm_.Wake();
}

io::Task<void> Lane::Run(std::shared_ptr<Request> request) {
  active_.insert(request.get());
  Status status = co_await Answer(*request);
  active_.erase(request.get());
  request->status_ = std::move(status);
  client_.calls_.fetch_sub(1, std::memory_order_relaxed);
  request->Complete();
  if (stopping_) progress_.Beat();
}

// ---- One request

io::Task<Status> Lane::Answer(Request& request) {
  for (uint32_t attempt = 1;; ++attempt) {
    const StatusOr<Link*> found = co_await FindLink(request);
    if (!found.ok()) co_return found.status();
    Link& link = **found;
    Connection& connection = *link.connection;
    request.token_counts_ = !request.token_.empty() && connection.takes_tokens();
    CallOptions call;
    call.request_token = request.token_;
    Status status;
    if (request.prepared_ != nullptr) {
      const StatusOr<uint64_t> handle = co_await HandleOn(link, request);
      status = handle.status();
      if (handle.ok()) call.prepared = *handle;
    }
    if (status.ok()) {
      call.timeout_ms = TimeLeftMs(request);
      status = co_await request.Attempt(connection, call);
    }
    if (status.ok()) co_return status;
    if (link.connection.get() == &connection && !connection.usable()) Retire(link);
    if (request.cancelled_) co_return protocol::Cancelled();
    if (attempt >= options_.attempts_max || !MayRepeat(request, status)) co_return status;
    if (protocol::IsPreparedInvalid(status)) {
      // Its table is another one now: prepared anew, at once.
      if (request.prepared_ != nullptr) link.prepared.erase(request.prepared_->id);
      continue;
    }
    const uint64_t again_at_ns = io::MonotonicNowNs() + BackoffNs(attempt);
    if (request.deadline_ns_ != 0 && again_at_ns >= request.deadline_ns_) co_return status;
    co_await Sleep(request, again_at_ns);
    if (request.cancelled_) co_return protocol::Cancelled();
  }
}

// Whether sending it again takes effect no more than once.
bool Lane::MayRepeat(const Request& request, const Status& status) const {
  if (protocol::IsRetryable(status)) return true;
  const item::ErrorType type = item::TypeOfError(status);
  if (type != item::ErrorType::kServiceUnavailable &&
      type != item::ErrorType::kInternalServerError) {
    return false;  // the server's last word
  }
  if (absl::IsDeadlineExceeded(status) || absl::IsCancelled(status) || absl::IsDataLoss(status)) {
    return false;
  }
  if (request.unsent_) return true;
  switch (request.kind_) {
    case OperationKind::kRepeatable:
      return true;
    case OperationKind::kTokenWrite:
      return request.token_counts_;
    case OperationKind::kWrite:
      break;
  }
  return false;
}

// Twice as long after each failure, and then half of it by chance.
uint64_t Lane::BackoffNs(uint32_t failures) {
  const uint64_t most_ns = options_.backoff_max_ms * kNsPerMs;
  uint64_t backoff_ns = options_.backoff_first_ms * kNsPerMs;
  for (uint32_t i = 1; i < failures && backoff_ns < most_ns; ++i) backoff_ns *= 2;
  backoff_ns = std::min(backoff_ns, most_ns);
  return backoff_ns - io_.RandomU64() % (backoff_ns / 2 + 1);
}

io::Task<void> Lane::Sleep(Request& request, uint64_t until_ns) {
  for (;;) {
    const uint64_t now_ns = io::MonotonicNowNs();
    if (now_ns >= until_ns || request.cancelled_) co_return;
    co_await request.alarm_.Sleep(until_ns - now_ns);
  }
}

uint64_t Lane::TimeLeftMs(const Request& request) const {
  if (request.deadline_ns_ == 0) return 0;
  const uint64_t now_ns = io::MonotonicNowNs();
  const uint64_t left_ns = request.deadline_ns_ - std::min(now_ns, request.deadline_ns_);
  return std::max<uint64_t>((left_ns + kNsPerMs - 1) / kNsPerMs, 1);
}

Status Lane::Late(const Request& request, const Status& why) const {
  const std::string_view operation = protocol::OperationName(request.type_);
  if (why.ok()) {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded, "{}: no answer in time", operation);
  }
  return MakeStatus(absl::StatusCode::kDeadlineExceeded, "{}: no connection in time: {}", operation,
                    Message(why));
}

// ---- Prepared expressions

io::Task<StatusOr<uint64_t>> Lane::HandleOn(Link& link, Request& request) {
  Connection* const connection = link.connection.get();
  const uint64_t id = request.prepared_->id;
  if (const auto known = link.prepared.find(id); known != link.prepared.end()) {
    co_return known->second;
  }
  // One prepares; others who need the same wait for it.
  const io::Mutex::Guard lock = co_await link.preparing.Lock();
  request.unsent_ = true;  // whatever happens here
  if (request.cancelled_) co_return protocol::Cancelled();
  if (link.connection.get() != connection) co_return Unavailable("the connection is another one");
  if (const auto known = link.prepared.find(id); known != link.prepared.end()) {
    co_return known->second;
  }
  while (!link.prepared_order.empty() &&
         link.prepared.size() >= std::max<uint64_t>(connection->welcome().prepared_max, 1)) {
    const auto oldest = link.prepared.find(link.prepared_order.front());
    link.prepared_order.pop_front();
    if (oldest == link.prepared.end()) continue;
    const uint64_t handle = oldest->second;
    link.prepared.erase(oldest);
    auto forget = connection->Forget(handle);
    request.current_ = &forget;
    const StatusOr<Nothing> forgotten = co_await forget;
    request.current_ = nullptr;
    if (!forgotten.ok()) co_return forgotten.status();
    if (link.connection.get() != connection) co_return Unavailable("the connection is another one");
  }
  CallOptions call;
  call.timeout_ms = TimeLeftMs(request);
  auto prepare = connection->Prepare(request.prepared_->request, call);
  request.current_ = &prepare;
  const StatusOr<protocol::PrepareResponse> response = co_await prepare;
  request.current_ = nullptr;
  if (!response.ok()) co_return response.status();
  if (link.connection.get() == connection) {
    link.prepared[id] = response->prepared;
    link.prepared_order.push_back(id);
  }
  co_return response->prepared;
}

// ---- Connections

io::Task<StatusOr<Lane::Link*>> Lane::FindLink(Request& request) {
  const uint64_t failures_before = failures_;
  for (;;) {
    if (request.cancelled_ || stopping_) co_return protocol::Cancelled();
    const uint64_t now_ns = io::MonotonicNowNs();
    const bool failed = failures_ > failures_before;
    if (request.deadline_ns_ != 0 && now_ns >= request.deadline_ns_) {
      co_return Late(request, failed ? open_error_ : absl::OkStatus());
    }
    Link* const best = BestLink();
    if (best == nullptr || best->connection->calls_under_way() > 0) OpenAnother();
    if (best != nullptr) co_return best;
    if (failed && (failures_ - failures_before >= options_.attempts_max ||
                   !absl::IsUnavailable(open_error_))) {
      co_return open_error_;
    }
    waiting_.push_back(&request);
    request.waits_ = true;
    uint64_t sleep_ns = kHourNs;
    if (request.deadline_ns_ != 0) sleep_ns = std::min(sleep_ns, request.deadline_ns_ - now_ns);
    co_await request.alarm_.Sleep(sleep_ns);
    // Woken by itself, or late.
    if (std::exchange(request.waits_, false)) std::erase(waiting_, &request);
  }
}

Lane::Link* Lane::BestLink() {
  Link* best = nullptr;
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->connection == nullptr) continue;
    if (!link->connection->usable()) {
      Retire(*link);
      continue;
    }
    if (best == nullptr ||
        link->connection->calls_under_way() < best->connection->calls_under_way()) {
      best = link.get();
    }
  }
  return best;
}

void Lane::OpenAnother() {
  if (opening_ || stopping_) return;
  for (const std::unique_ptr<Link>& link : links_) {
    if (link->connection != nullptr) continue;
    opening_ = true;
    executor_->Spawn(Open(link.get()));
    return;
  }
}

io::Task<void> Lane::Open(Link* link) {
  for (;;) {
    const uint64_t now_ns = io::MonotonicNowNs();
    if (now_ns >= open_at_ns_ || stopping_) break;
    co_await open_alarm_.Sleep(open_at_ns_ - now_ns);
  }
  if (!stopping_) {
    StatusOr<std::unique_ptr<Connection>> connection =
        co_await Connection::Connect(options_.server);
    if (connection.ok()) {
      link->connection = std::move(*connection);
      failures_in_a_row_ = 0;
    } else {
      open_error_ = connection.status();
      ++failures_;
      open_at_ns_ = io::MonotonicNowNs() + BackoffNs(++failures_in_a_row_);
    }
  }
  opening_ = false;
  WakeWaiting();
  progress_.Beat();
}

void Lane::WakeWaiting() {
  for (Request* const request : std::exchange(waiting_, {})) {
    request->waits_ = false;
    request->alarm_.Wake();
  }
}

// Takes the connection from its place; requests that are under way on it have failed, or will.
void Lane::Retire(Link& link) {
  link.prepared.clear();
  link.prepared_order.clear();
  if (link.connection == nullptr) return;
  ++discarding_;
  executor_->Spawn(Discard(std::move(link.connection)));
}

io::Task<void> Lane::Discard(std::unique_ptr<Connection> connection) {
  co_await connection->Close();
  connection.reset();
  --discarding_;
  progress_.Beat();
}

}  // namespace varve::client
