// HttpServer: HTTP/1.1 on the executors of a few worker threads.
//
//   HttpServerOptions options;
//   VARVE_ASSIGN_OR_RETURN(auto server, HttpServer::Start(io, options, &workers, &handler));
//   ...
//   server->Stop();
//
// A connection is a coroutine on one worker. While it is idle it holds no buffer, only that
// coroutine's frame, and waits for its socket to become readable; then it borrows an exchange
// (buffers and a request) from its worker until everything it received is answered. Requests of one
// connection are answered one after the other, in order, and the answers to pipelined requests
// leave together.
//
// Nothing waits for a client without a limit: an idle connection, a request that does not end and
// an answer that is not taken are cut off after the configured times.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/io.h"
#include "io/network.h"
#include "io/sync.h"
#include "server/cors.h"
#include "server/http_request.h"
#include "server/http_response.h"
#include "server/workers.h"

namespace varve::server {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // a numeric address
  uint16_t port = 8000;            // 0: the system chooses

  HttpLimits limits;
  // Whose pages may call the API from a browser (server/cors.h).
  std::vector<std::string> cors_origins{std::string(kLoopbackOrigins)};
  // More are accepted, told 503 and closed.
  size_t connections_max = 10000;
  // Requests being handled at once; more wait their turn.
  size_t requests_max = 1024;
  // All request bodies in memory; a request beyond it is told 503.
  size_t body_memory_bytes_max = size_t{256} << 20;

  uint64_t idle_timeout_ms = 300'000;
  uint64_t request_timeout_ms = 30'000;  // from a request's first byte to its last
  uint64_t send_timeout_ms = 30'000;     // without the client taking anything
  uint64_t stop_timeout_ms = 10'000;     // for clients, when the server stops
};

// Answers requests.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // Fills `reply`, which is cleared. Runs on the executor of worker `worker` of the server's; many
  // calls may be suspended there at the same time. `request` and `reply` outlive the task.
  virtual io::Task<void> Handle(size_t worker, const HttpRequest& request, HttpReply* reply) = 0;
};

// Counted over all workers. Relaxed atomics: figures for people, they guard nothing.
struct HttpCounters {
  std::atomic<uint64_t> connections_open{0};
  std::atomic<uint64_t> connections_accepted{0};
  std::atomic<uint64_t> connections_refused{0};  // over connections_max
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> requests_in_progress{0};
  std::atomic<uint64_t> requests_refused{0};  // malformed, over a limit, or out of memory
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> received_bytes{0};
  std::atomic<uint64_t> sent_bytes{0};
};

class HttpServer {
 public:
  // Listens. `workers` and `handler` must outlive the server.
  static StatusOr<std::unique_ptr<HttpServer>> Start(io::Io& io, const HttpServerOptions& options,
                                                     Workers* workers, HttpHandler* handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Where it listens: "127.0.0.1:8000", "[::1]:8000".
  const std::string& address() const { return address_; }
  uint16_t port() const { return port_; }
  const HttpCounters& counters() const { return counters_; }
  size_t body_memory_bytes() const { return body_memory_.used_bytes(); }

  // Accepts nothing more, lets requests under way finish and answers them, and closes every
  // connection. Clients get stop_timeout_ms at most. Blocks; not on an executor. Calls
  // after the first do nothing.
  void Stop();

 private:
  struct Connection;
  struct Exchange;
  struct Worker;
  enum class Next : uint8_t { kIdle, kClose, kLinger };

  HttpServer(io::Io& io, const HttpServerOptions& options, Workers* threads, HttpHandler* handler);
  Status Listen();

  io::Task<void> Accept();
  io::Task<void> RunConnection(Worker* worker, io::Socket socket);
  io::Task<Next> ServeBurst(Worker* worker, Connection* connection, Exchange* exchange);
  // Handles a complete request, its answer into exchange->reply. What is wrong with its body's
  // encoding is returned, not answered.
  io::Task<RequestParser::Result> Answer(Worker* worker, RequestParser* parser, Exchange* exchange);
  io::Task<void> Compress(HttpReply* reply);
  // False if the client is gone.
  io::Task<bool> Send(Worker* worker, Connection* connection, std::string_view bytes);
  io::Task<void> Linger(Worker* worker, Connection* connection, Exchange* exchange);
  io::Task<void> CutOffLateConnections(Worker* worker);
  io::Task<void> BeginStop(Worker* worker);

  void Refuse(Worker* worker, RequestParser::Result result, std::string_view why,
              Exchange* exchange);
  uint64_t After(uint64_t delay_ms) { return io_.MonotonicNs() + delay_ms * 1'000'000; }

  io::Io& io_;
  const HttpServerOptions options_;
  Workers* const threads_;
  HttpHandler* const handler_;
  io::Socket listener_;
  std::string address_;
  uint16_t port_ = 0;
  MemoryBudget body_memory_;
  io::Semaphore requests_;
  HttpCounters counters_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Worker>> workers_;  // one for each thread
  SpawnedTasks tasks_;
};

}  // namespace varve::server
