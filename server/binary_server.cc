#include "server/binary_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "io/acceptor.h"
#include "server/binary_connection.h"

namespace varve::server {
namespace {

constexpr uint64_t kAcceptRetryNs = 100'000'000;
constexpr uint64_t kSweepNs = 100'000'000;

}  // namespace

BinaryServer::BinaryServer(io::Io& io, const BinaryServerOptions& options, Workers* workers,
                           BinaryService service)
    : io_(io),
      options_(options),
      workers_(workers),
      service_(service),
      request_memory_(options.request_memory_bytes_max) {}

StatusOr<std::unique_ptr<BinaryServer>> BinaryServer::Start(io::Io& io,
                                                            const BinaryServerOptions& options,
                                                            Workers* workers,
                                                            BinaryService service) {
  std::unique_ptr<BinaryServer> server(new BinaryServer(io, options, workers, service));
  VARVE_RETURN_IF_ERROR(server->Listen());
  for (size_t i = 0; i < workers->size(); ++i) {
    server->threads_.push_back(std::make_unique<Thread>(i, &workers->executor(i)));
  }
  for (const io::Socket* listener : {&server->tcp_listener_, &server->unix_listener_}) {
    if (!listener->valid()) continue;
    server->tasks_.Spawn(workers->executor(0), server->Accept(listener));
  }
  return server;
}

Status BinaryServer::Listen() {
  if (options_.port) {
    io::ListenOptions listen;
    listen.address = options_.host;
    listen.port = *options_.port;
    VARVE_ASSIGN_OR_RETURN(tcp_listener_, io::Listen(listen));
    VARVE_ASSIGN_OR_RETURN(port_, io::LocalPort(tcp_listener_));
    const bool v6 = options_.host.find(':') != std::string::npos;
    address_ = v6 ? fmt::format("[{}]:{}", options_.host, port_)
                  : fmt::format("{}:{}", options_.host, port_);
  }
  if (!options_.socket_path.empty()) {
    VARVE_ASSIGN_OR_RETURN(unix_listener_, io::ListenUnix(options_.socket_path));
    if (!address_.empty()) address_ += " and ";
    address_ += options_.socket_path;
  }
  return {};
}

BinaryServer::~BinaryServer() { Stop(); }

void BinaryServer::Stop() {
  if (stopping_.exchange(true)) return;
  if (tcp_listener_.valid()) io::Shutdown(tcp_listener_);
  if (unix_listener_.valid()) {
    io::Shutdown(unix_listener_);
    io::RemoveUnixSocket(options_.socket_path);
  }
  for (const auto& thread : threads_) tasks_.Spawn(*thread->executor, BeginStop(thread.get()));
  tasks_.Wait();
  tcp_listener_.Close();
  unix_listener_.Close();
}

io::Task<void> BinaryServer::BeginStop(Thread* thread) {
  thread->stop_deadline_ns = io_.MonotonicNs() + options_.stop_timeout_ms * 1'000'000;
  for (BinaryConnection* c = thread->connections; c != nullptr; c = c->next) c->BeginStop();
  co_return;
}

io::Task<void> BinaryServer::Accept(const io::Socket* listener) {
  io::Acceptor acceptor(*listener);
  while (!stopping_.load()) {
    io::Task<StatusOr<io::Socket>> next = acceptor.Next();
    StatusOr<io::Socket> socket = co_await next;
    if (!socket.ok()) {
      if (stopping_.load()) break;
      // Out of descriptors or memory, most likely. Waiting is all that helps.
      spdlog::error("{}: {}", address_, Message(socket.status()));
      co_await io::SleepFor(kAcceptRetryNs);
      continue;
    }
    // Of the thread that this runs on, the first.
    auto& accepted = threads_[0]->counters.connections_accepted;
    accepted.store(accepted.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    Thread* const thread = threads_[workers_->AddConnection()].get();
    tasks_.Spawn(*thread->executor, RunConnection(thread, std::move(*socket)));
  }
  io::Task<void> stop = acceptor.Stop();
  co_await stop;
}

io::Task<void> BinaryServer::RunConnection(Thread* thread, io::Socket socket) {
  {
    BinaryConnection connection(this, thread, std::move(socket));
    connection.next = thread->connections;
    if (thread->connections != nullptr) thread->connections->previous = &connection;
    thread->connections = &connection;
    if (!thread->sweeping) {
      thread->sweeping = true;
      tasks_.Spawn(*thread->executor, Sweep(thread));
    }

    const uint64_t open = connections_open_.fetch_add(1, std::memory_order_relaxed) + 1;
    const bool refused = open > options_.connections_max;
    if (refused) {
      auto& counter = thread->counters.connections_refused;
      counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    // Stopped before BeginStop could see this connection.
    if (stopping_.load()) connection.BeginStop();
    io::Task<void> run =
        refused ? connection.Refuse("there are too many connections") : connection.Run();
    co_await run;

    if (connection.previous != nullptr) {
      connection.previous->next = connection.next;
    } else {
      thread->connections = connection.next;
    }
    if (connection.next != nullptr) connection.next->previous = connection.previous;
  }
  connections_open_.fetch_sub(1, std::memory_order_relaxed);
  workers_->RemoveConnection(thread->index);
}

io::Task<void> BinaryServer::Sweep(Thread* thread) {
  while (thread->connections != nullptr) {
    co_await io::SleepFor(kSweepNs);
    const uint64_t now_ns = io_.MonotonicNs();
    for (BinaryConnection* c = thread->connections; c != nullptr; c = c->next) c->Sweep(now_ns);
  }
  thread->sweeping = false;
}

BinaryFigures BinaryServer::Figures() const {
  BinaryFigures sum;
  uint64_t begun = 0;
  uint64_t answered = 0;
  const auto get = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  for (const auto& thread : threads_) {
    const BinaryCounters& counters = thread->counters;
    sum.connections_accepted += get(counters.connections_accepted);
    sum.connections_refused += get(counters.connections_refused);
    sum.connections_broken += get(counters.connections_broken);
    sum.timeouts += get(counters.timeouts);
    sum.received_bytes += get(counters.received_bytes);
    sum.sent_bytes += get(counters.sent_bytes);
    for (size_t i = 0; i < sum.answers.size(); ++i) {
      sum.answers[i] += get(counters.answers[i]);
      sum.errors[i] += get(counters.errors[i]);
      counters.latencies[i].AddTo(&sum.latencies[i]);
      answered += get(counters.answers[i]);
    }
    begun += get(counters.requests_begun);
  }
  // Read one after the other while requests go on.
  sum.requests_in_progress = begun > answered ? begun - answered : 0;
  sum.connections_open = get(connections_open_);
  sum.request_memory_bytes = request_memory_.used_bytes();
  sum.answer_memory_bytes = get(answer_bytes_);
  return sum;
}

}  // namespace varve::server
