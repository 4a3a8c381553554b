#include "server/http_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "io/acceptor.h"
#include "io/network.h"

namespace varve::server {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
constexpr size_t kReceiveBytes = size_t{32} << 10;
// Answers to pipelined requests are sent when they reach this; a longer one goes in pieces of it,
// each with its own time.
constexpr size_t kSendBytes = size_t{64} << 10;
// An exchange that grew beyond this gives the memory back.
constexpr size_t kKeptBytes = size_t{64} << 10;
// Exchanges that a worker keeps for later.
constexpr size_t kFreeExchangesMax = 32;
// What is read and thrown away of a request that was refused before it had arrived, so that the
// client reads the answer instead of a reset.
constexpr uint64_t kLingerBytesMax = uint64_t{64} << 20;
constexpr uint64_t kLingerMs = 5'000;
// A shorter answer travels in one packet, compressed or not.
constexpr size_t kCompressedBodyBytesMin = 1400;
constexpr uint64_t kAcceptRetryNs = 100'000'000;
constexpr uint64_t kSweepNs = 100'000'000;

void Add(std::atomic<uint64_t>& counter, uint64_t count) {
  counter.fetch_add(count, std::memory_order_relaxed);
}

void GiveBackMemory(std::string& text) {
  text.clear();
  if (text.capacity() > kKeptBytes) text.shrink_to_fit();
}

}  // namespace

// Lives in the frame of its coroutine; touched by its worker only.
struct HttpServer::Connection {
  io::Socket socket;
  uint64_t deadline_ns = kNever;
  bool idle = true;
  bool cut_off = false;
  Connection* previous = nullptr;
  Connection* next = nullptr;
};

struct HttpServer::Exchange {
  std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(kReceiveBytes);
  size_t begin = 0;  // received and not parsed yet: [begin, end)
  size_t end = 0;
  HttpRequest request;
  HttpReply reply;
  std::string out;

  std::string_view unparsed() const { return {buffer.get() + begin, end - begin}; }
};

struct HttpServer::Worker {
  Worker(size_t index, uint64_t seed, io::Executor* executor)
      : index(index), executor(executor), writer(seed) {}

  const size_t index;
  io::Executor* const executor;

  // Touched on the worker's executor only.
  ResponseWriter writer;
  Connection* connections = nullptr;
  std::vector<std::unique_ptr<Exchange>> free_exchanges;
  bool sweeping = false;
  uint64_t stop_deadline_ns = kNever;

  void Link(Connection* connection) {
    connection->next = connections;
    if (connections != nullptr) connections->previous = connection;
    connections = connection;
  }
  void Unlink(Connection* connection) {
    if (connection->previous != nullptr) {
      connection->previous->next = connection->next;
    } else {
      connections = connection->next;
    }
    if (connection->next != nullptr) connection->next->previous = connection->previous;
  }

  std::unique_ptr<Exchange> TakeExchange() {
    if (free_exchanges.empty()) return std::make_unique<Exchange>();
    std::unique_ptr<Exchange> exchange = std::move(free_exchanges.back());
    free_exchanges.pop_back();
    return exchange;
  }
  void ReturnExchange(std::unique_ptr<Exchange> exchange) {
    if (free_exchanges.size() >= kFreeExchangesMax) return;
    exchange->begin = exchange->end = 0;
    GiveBackMemory(exchange->request.body);
    GiveBackMemory(exchange->reply.body);
    GiveBackMemory(exchange->out);
    free_exchanges.push_back(std::move(exchange));
  }
};

HttpServer::HttpServer(io::Io& io, const HttpServerOptions& options, Workers* threads,
                       HttpHandler* handler)
    : io_(io),
      options_(options),
      threads_(threads),
      handler_(handler),
      body_memory_(options.body_memory_bytes_max),
      requests_(options.requests_max) {}

StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(io::Io& io,
                                                        const HttpServerOptions& options,
                                                        Workers* workers, HttpHandler* handler) {
  std::unique_ptr<HttpServer> server(new HttpServer(io, options, workers, handler));
  VARVE_RETURN_IF_ERROR(server->Listen());
  for (size_t i = 0; i < workers->size(); ++i) {
    server->workers_.push_back(std::make_unique<Worker>(i, io.RandomU64(), &workers->executor(i)));
  }
  server->tasks_.Spawn(workers->executor(0), server->Accept());
  return server;
}

Status HttpServer::Listen() {
  io::ListenOptions listen;
  listen.address = options_.host;
  listen.port = options_.port;
  VARVE_ASSIGN_OR_RETURN(listener_, io::Listen(listen));
  VARVE_ASSIGN_OR_RETURN(port_, io::LocalPort(listener_));
  const bool v6 = options_.host.find(':') != std::string::npos;
  address_ = v6 ? fmt::format("[{}]:{}", options_.host, port_)
                : fmt::format("{}:{}", options_.host, port_);
  return {};
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Stop() {
  if (stopping_.exchange(true)) return;
  if (workers_.empty()) return;
  // Wakes the acceptor.
  io::Shutdown(listener_);
  for (const auto& worker : workers_) tasks_.Spawn(*worker->executor, BeginStop(worker.get()));
  tasks_.Wait();
  workers_.clear();
  listener_.Close();
}

io::Task<void> HttpServer::BeginStop(Worker* worker) {
  worker->stop_deadline_ns = After(options_.stop_timeout_ms);
  for (Connection* connection = worker->connections; connection != nullptr;
       connection = connection->next) {
    connection->deadline_ns = std::min(connection->deadline_ns, worker->stop_deadline_ns);
    // Ends the wait of an idle connection. What it has received already can still be read.
    if (connection->idle) io::ShutdownReceive(connection->socket);
  }
  co_return;
}

io::Task<void> HttpServer::Accept() {
  io::Acceptor acceptor(listener_);
  while (!stopping_.load()) {
    StatusOr<io::Socket> socket = co_await acceptor.Next();
    if (!socket.ok()) {
      if (stopping_.load()) break;
      // Out of descriptors or memory, most likely. Waiting is all that helps.
      spdlog::error("{}: {}", address_, Message(socket.status()));
      co_await io::SleepFor(kAcceptRetryNs);
      continue;
    }
    Add(counters_.connections_accepted, 1);
    Worker* const least = workers_[threads_->AddConnection()].get();
    tasks_.Spawn(*least->executor, RunConnection(least, std::move(*socket)));
  }
  co_await acceptor.Stop();
}

io::Task<void> HttpServer::RunConnection(Worker* worker, io::Socket socket) {
  Connection connection{.socket = std::move(socket)};
  worker->Link(&connection);
  const uint64_t open = counters_.connections_open.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!worker->sweeping) {
    worker->sweeping = true;
    tasks_.Spawn(*worker->executor, CutOffLateConnections(worker));
  }

  if (open > options_.connections_max) {
    Add(counters_.connections_refused, 1);
    HttpReply reply;
    reply.status = 503;
    reply.body =
        R"({"__type":"com.amazon.coral.service#ServiceUnavailableException","message":"Too many connections"})";
    std::string out;
    worker->writer.Append(reply, /*close=*/true, /*head_only=*/false, io_.WallMs(), &out);
    connection.idle = false;
    co_await Send(worker, &connection, out);
  } else {
    while (true) {
      connection.idle = true;
      connection.deadline_ns = std::min(After(options_.idle_timeout_ms), worker->stop_deadline_ns);
      // Stopped before BeginStop could see this connection idle.
      if (stopping_.load()) io::ShutdownReceive(connection.socket);
      co_await io::WaitReadable(connection.socket);
      connection.idle = false;
      if (connection.cut_off) break;
      std::unique_ptr<Exchange> exchange = worker->TakeExchange();
      const Next next = co_await ServeBurst(worker, &connection, exchange.get());
      if (next == Next::kLinger) co_await Linger(worker, &connection, exchange.get());
      worker->ReturnExchange(std::move(exchange));
      if (next != Next::kIdle) break;
    }
  }

  worker->Unlink(&connection);
  connection.socket.Close();
  counters_.connections_open.fetch_sub(1, std::memory_order_relaxed);
  threads_->RemoveConnection(worker->index);
}

io::Task<HttpServer::Next> HttpServer::ServeBurst(Worker* worker, Connection* connection,
                                                  Exchange* exchange) {
  std::string& out = exchange->out;
  std::optional<RequestParser> parser;
  parser.emplace(options_.limits, &body_memory_, &exchange->request);
  connection->deadline_ns = std::min(After(options_.request_timeout_ms), worker->stop_deadline_ns);
  while (true) {
    size_t consumed = 0;
    RequestParser::Result result = parser->Feed(exchange->unparsed(), &consumed);
    exchange->begin += consumed;

    if (result == RequestParser::Result::kDone) {
      Add(counters_.requests, 1);
      connection->deadline_ns = kNever;
      co_await requests_.Acquire();
      Add(counters_.requests_in_progress, 1);
      result = co_await Answer(worker, &*parser, exchange);
      counters_.requests_in_progress.fetch_sub(1, std::memory_order_relaxed);
      requests_.Release();
    }

    if (result == RequestParser::Result::kDone) {
      const bool close = !parser->keep_alive() || stopping_.load();
      worker->writer.AppendHead(exchange->reply, close, io_.WallMs(), &out);
      std::string_view body = exchange->reply.body;
      if (exchange->request.is_head) body = {};
      // What fills a piece together with the head is copied; the rest of a long body is sent from
      // where it is.
      const size_t room = kSendBytes - std::min(out.size(), kSendBytes);
      out.append(body.substr(0, room));
      body.remove_prefix(std::min(body.size(), room));
      if (close || out.size() >= kSendBytes) {
        bool sent = co_await Send(worker, connection, out);
        GiveBackMemory(out);
        if (sent) sent = co_await Send(worker, connection, body);
        if (!sent) co_return Next::kClose;
        // Without more requests in the pipe there is nothing that a reset could swallow.
        if (close) co_return exchange->unparsed().empty() ? Next::kClose : Next::kLinger;
      }
      GiveBackMemory(exchange->reply.body);
      GiveBackMemory(exchange->request.body);
      parser.emplace(options_.limits, &body_memory_, &exchange->request);
      connection->deadline_ns =
          std::min(After(options_.request_timeout_ms), worker->stop_deadline_ns);
      continue;
    }

    if (result != RequestParser::Result::kNeedMore) {
      Refuse(worker, result, parser->error(), exchange);
      const bool sent = co_await Send(worker, connection, out);
      co_return sent ? Next::kLinger : Next::kClose;
    }

    if (parser->TakeExpectContinue()) out.append("HTTP/1.1 100 Continue\r\n\r\n");
    if (!out.empty()) {
      const bool sent = co_await Send(worker, connection, out);
      GiveBackMemory(out);
      if (!sent) co_return Next::kClose;
    }
    const bool between_requests = !parser->started() && exchange->begin == exchange->end;
    // On the first round nothing has been received yet.
    if (between_requests && exchange->end > 0) co_return Next::kIdle;

    if (exchange->begin > 0) {
      std::copy(exchange->buffer.get() + exchange->begin, exchange->buffer.get() + exchange->end,
                exchange->buffer.get());
      exchange->end -= exchange->begin;
      exchange->begin = 0;
    }
    if (exchange->end == kReceiveBytes) {
      Refuse(worker, RequestParser::Result::kHeaderTooLong, {}, exchange);
      const bool sent = co_await Send(worker, connection, out);
      co_return sent ? Next::kLinger : Next::kClose;
    }
    const std::span<char> room(exchange->buffer.get() + exchange->end,
                               kReceiveBytes - exchange->end);
    const StatusOr<size_t> received = co_await io::Receive(connection->socket, room);
    if (!received.ok() || *received == 0) co_return Next::kClose;
    Add(counters_.received_bytes, *received);
    exchange->end += *received;
  }
}

io::Task<RequestParser::Result> HttpServer::Answer(Worker* worker, RequestParser* parser,
                                                   Exchange* exchange) {
  HttpRequest& request = exchange->request;
  HttpReply& reply = exchange->reply;
  reply.Clear();
  if (!request.content_encoding.empty()) {
    RequestParser::Result decoded;
    while ((decoded = parser->DecodeBody()) == RequestParser::Result::kNeedMore) {
      co_await io::Yield{};
    }
    if (decoded != RequestParser::Result::kDone) co_return decoded;
  }
  if (!IsPreflight(request)) co_await handler_->Handle(worker->index, request, &reply);
  AnswerCors(request, options_.cors_origins, &reply);
  if (request.accepts_gzip && !reply.is_gzip && reply.body.size() >= kCompressedBodyBytesMin) {
    co_await Compress(&reply);
  }
  co_return RequestParser::Result::kDone;
}

io::Task<void> HttpServer::Compress(HttpReply* reply) {
  std::string compressed;
  GzipWriter writer(reply->body, &compressed);
  while (!writer.Step()) co_await io::Yield{};
  reply->body.swap(compressed);
  reply->is_gzip = true;
}

void HttpServer::Refuse(Worker* worker, RequestParser::Result result, std::string_view why,
                        Exchange* exchange) {
  Add(counters_.requests_refused, 1);
  HttpReply& reply = exchange->reply;
  reply.Clear();
  switch (result) {
    case RequestParser::Result::kBodyTooLong:
      reply.status = 413;
      reply.body =
          fmt::format(R"({{"__type":"com.amazon.coral.service#RequestEntityTooLargeException",)"
                      R"("message":"Request body exceeds {} bytes"}})",
                      options_.limits.body_bytes_max);
      break;
    case RequestParser::Result::kHeaderTooLong:
      reply.status = 431;
      reply.body =
          fmt::format(R"({{"__type":"com.amazon.coral.service#RequestHeaderTooLargeException",)"
                      R"("message":"Request header exceeds {} bytes"}})",
                      options_.limits.header_bytes_max);
      break;
    case RequestParser::Result::kNoMemory:
      reply.status = 503;
      reply.body = R"({"__type":"com.amazon.coral.service#ServiceUnavailableException",)"
                   R"("message":"Too many large requests at once"})";
      break;
    case RequestParser::Result::kBadEncoding:
      reply.status = 400;
      reply.body = R"({"__type":"com.amazon.coral.service#SerializationException",)"
                   R"("Message":"The body is not what its Content-Encoding says"})";
      break;
    case RequestParser::Result::kNoSuchEncoding:
      reply.status = 415;
      reply.body = R"({"__type":"com.amazon.coral.service#UnsupportedMediaTypeException",)"
                   R"("message":"Content-Encoding may be gzip or identity"})";
      break;
    default:
      reply.status = 400;
      // Beast's messages are plain ASCII without quotes.
      reply.body = fmt::format(R"({{"__type":"com.amazon.coral.service#BadRequestException",)"
                               R"("message":"Not an HTTP/1.1 request: {}"}})",
                               why);
  }
  AnswerCors(exchange->request, options_.cors_origins, &reply);
  worker->writer.Append(reply, /*close=*/true, /*head_only=*/false, io_.WallMs(), &exchange->out);
}

io::Task<bool> HttpServer::Send(Worker* worker, Connection* connection, std::string_view bytes) {
  while (!bytes.empty()) {
    connection->deadline_ns = std::min(After(options_.send_timeout_ms), worker->stop_deadline_ns);
    const std::string_view piece = bytes.substr(0, kSendBytes);
    const Status sent = co_await io::Send(connection->socket, piece);
    if (!sent.ok()) co_return false;
    Add(counters_.sent_bytes, piece.size());
    bytes.remove_prefix(piece.size());
  }
  co_return true;
}

io::Task<void> HttpServer::Linger(Worker* worker, Connection* connection, Exchange* exchange) {
  // The client sees the end of the stream after the answer, and whatever it still sends is read
  // until it closes its side: closing with unread bytes would reset the connection, and the answer
  // with it.
  io::ShutdownSend(connection->socket);
  connection->deadline_ns = std::min(After(kLingerMs), worker->stop_deadline_ns);
  const std::span<char> room(exchange->buffer.get(), kReceiveBytes);
  uint64_t discarded_bytes = 0;
  while (discarded_bytes < kLingerBytesMax) {
    const StatusOr<size_t> received = co_await io::Receive(connection->socket, room);
    if (!received.ok() || *received == 0) co_return;
    discarded_bytes += *received;
  }
}

io::Task<void> HttpServer::CutOffLateConnections(Worker* worker) {
  while (worker->connections != nullptr) {
    co_await io::SleepFor(kSweepNs);
    const uint64_t now_ns = io_.MonotonicNs();
    for (Connection* connection = worker->connections; connection != nullptr;
         connection = connection->next) {
      if (connection->deadline_ns > now_ns || connection->cut_off) continue;
      connection->cut_off = true;
      if (!connection->idle) Add(counters_.timeouts, 1);
      io::Shutdown(connection->socket);
    }
  }
  worker->sweeping = false;
}

}  // namespace varve::server
