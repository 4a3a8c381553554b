// BinaryServer: the binary protocol (docs/protocol.md) on the threads that serve clients.
//
//   BinaryServerOptions options;
//   VARVE_ASSIGN_OR_RETURN(auto server, BinaryServer::Start(io, options, &workers, service));
//   ...
//   server->Stop();
//
// A connection is a coroutine on one thread (server/binary_connection.h). Nothing waits for a
// client without a limit: an idle connection, a frame that does not end and an answer that is not
// taken are cut off after the configured times.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/io.h"
#include "io/network.h"
#include "protocol/frame.h"
#include "server/http_request.h"
#include "server/latency.h"
#include "server/workers.h"

namespace varve::item {
class Store;
}

namespace varve::server {

class DynamoDbApi;

struct BinaryServerOptions {
  std::string host = "127.0.0.1";  // a numeric address
  // 0: the system chooses. Nothing: no TCP port.
  std::optional<uint16_t> port = protocol::kDefaultPort;
  std::string socket_path;  // of a Unix-domain socket; empty: none

  size_t connections_max = 10000;
  // Of one connection, under way at once; more wait their turn.
  size_t requests_max = 1024;
  // Of one connection: credit beyond this does not count.
  uint64_t credit_bytes_max = uint64_t{16} << 20;
  // Of one connection: handles of expressions.
  size_t prepared_max = 1000;
  // Requests that wait until they may begin, and those that have not arrived whole, of all
  // connections; one that would need more is told goodbye.
  size_t request_memory_bytes_max = size_t{256} << 20;
  // Answers that clients have not taken yet, of all connections: while there are more, no request
  // begins.
  size_t answer_memory_bytes_max = size_t{256} << 20;

  uint64_t idle_timeout_ms = 300'000;
  uint64_t request_timeout_ms = 30'000;  // from a frame's first byte to its last
  uint64_t send_timeout_ms = 30'000;     // without the client taking anything
  uint64_t stop_timeout_ms = 10'000;     // for clients, when the server stops
};

// What requests are answered from. All must outlive the server.
struct BinaryService {
  item::Store* store = nullptr;
  DynamoDbApi* api = nullptr;  // for operations that are asked for in JSON; null: there are none
};

// What one thread counts. Only that thread writes them, others may read: relaxed.
struct BinaryCounters {
  std::atomic<uint64_t> connections_accepted{0};
  std::atomic<uint64_t> connections_refused{0};  // over connections_max
  std::atomic<uint64_t> connections_broken{0};   // by a frame against the rules, or over a limit
  std::atomic<uint64_t> timeouts{0};
  std::atomic<uint64_t> received_bytes{0};
  std::atomic<uint64_t> sent_bytes{0};
  std::atomic<uint64_t> requests_begun{0};
  // Answered, by type of frame; those of them that were errors; and how long it took from when a
  // request was there, or had the credit to begin, until its answer was written.
  std::array<std::atomic<uint64_t>, 256> answers{};
  std::array<std::atomic<uint64_t>, 256> errors{};
  std::array<LatencyCounts, 256> latencies;
};

// Their sums.
struct BinaryFigures {
  uint64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;
  uint64_t connections_broken = 0;
  uint64_t timeouts = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t requests_in_progress = 0;
  std::array<uint64_t, 256> answers{};
  std::array<uint64_t, 256> errors{};
  std::array<LatencyFigures, 256> latencies{};
  uint64_t request_memory_bytes = 0;
  uint64_t answer_memory_bytes = 0;
};

class BinaryConnection;

class BinaryServer {
 public:
  // Listens. `workers` must outlive the server.
  static StatusOr<std::unique_ptr<BinaryServer>> Start(io::Io& io,
                                                       const BinaryServerOptions& options,
                                                       Workers* workers, BinaryService service);
  ~BinaryServer();
  BinaryServer(const BinaryServer&) = delete;
  BinaryServer& operator=(const BinaryServer&) = delete;

  // Where it listens: "127.0.0.1:7411", "/run/varve.sock", or both.
  const std::string& address() const { return address_; }
  uint16_t port() const { return port_; }  // 0: no TCP port
  BinaryFigures Figures() const;

  // Accepts nothing more, begins no more requests, answers those under way, says goodbye and closes
  // every connection. Clients get stop_timeout_ms at most. Blocks; not on an executor. Calls after
  // the first do nothing.
  void Stop();

 private:
  friend class BinaryConnection;
  struct Thread;  // server/binary_connection.h

  BinaryServer(io::Io& io, const BinaryServerOptions& options, Workers* workers,
               BinaryService service);
  Status Listen();
  io::Task<void> Accept(const io::Socket* listener);
  io::Task<void> RunConnection(Thread* thread, io::Socket socket);
  io::Task<void> BeginStop(Thread* thread);
  // Looks after deadlines, while there are connections.
  io::Task<void> Sweep(Thread* thread);

  io::Io& io_;
  const BinaryServerOptions options_;
  Workers* const workers_;
  const BinaryService service_;
  io::Socket tcp_listener_;
  io::Socket unix_listener_;
  std::string address_;
  uint16_t port_ = 0;
  MemoryBudget request_memory_;
  // What all connections have to send. Relaxed: it bounds memory and guards nothing.
  std::atomic<uint64_t> answer_bytes_{0};
  std::atomic<uint64_t> connections_open_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Thread>> threads_;
  SpawnedTasks tasks_;
};

}  // namespace varve::server
