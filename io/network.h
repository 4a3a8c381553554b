// Stream sockets on executors. Everything here runs on io_uring and on POSIX; the simulation has no
// network.
//
//   auto listener = Listen({.address = "127.0.0.1", .port = 8000});
//   for (;;) {
//     StatusOr<Socket> socket = co_await Accept(*listener);
//     if (!socket.ok()) break;                    // Shutdown(*listener) ends it
//     executor.Spawn(Serve(std::move(*socket)));
//   }
//
// Only one receive and one send may be under way on a socket, on one executor each. To end what
// waits on a socket call Shutdown, then let the tasks return, then close it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "io/executor.h"
#include "io/task.h"

namespace varve::io {

// Owns a descriptor.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Socket() { Close(); }

  bool valid() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  // Nothing may be under way on it.
  void Close();

 private:
  int fd_ = -1;
};

struct ListenOptions {
  std::string address = "127.0.0.1";  // a numeric IPv4 or IPv6 address
  uint16_t port = 0;                  // 0: any free port, see LocalPort
  int backlog = 1024;
  // Several sockets may listen on the port; the kernel spreads connections over them.
  bool reuse_port = false;
};

// InvalidArgument for an address that is none; Unavailable, naming address and port, if the system
// refuses (the port is taken, no permission).
StatusOr<Socket> Listen(const ListenOptions& options);

// Listens on a Unix-domain stream socket at `path`, which only the user of this process may connect
// to. A socket that nobody listens on any more, left behind by a process that was killed, is
// replaced. InvalidArgument for a path that is too long (107 bytes) or empty; Unavailable if
// somebody listens there, if something that is no socket is in the way, or if the system refuses.
// Closing the socket leaves the path: remove it with RemoveUnixSocket first.
StatusOr<Socket> ListenUnix(const std::string& path, int backlog = 1024);

bool IsUnixSocket(const Socket& socket);

// Removes the path of a socket of ListenUnix. Fine if it is gone.
void RemoveUnixSocket(const std::string& path);

// The port a socket is bound to.
StatusOr<uint16_t> LocalPort(const Socket& socket);

// "address:port" of the other end, "unix" of a Unix-domain socket, or "?" if the connection is
// gone.
std::string PeerName(const Socket& socket);

// The numeric address of a host: `name` itself if it is one, otherwise the first that the system
// finds for it, an IPv4 address if there is one. May block the calling thread for long. Unavailable
// if the name is unknown.
StatusOr<std::string> ResolveHost(const std::string& name);

// Connects, blocking the calling thread: for clients and tests. `address` is numeric.
StatusOr<Socket> Connect(const std::string& address, uint16_t port);

// The same to a Unix-domain socket.
StatusOr<Socket> ConnectUnix(const std::string& path);

// The same without blocking anybody: begins to connect and returns; FinishConnect waits until it is
// done. Unavailable if the system refuses at once.
//
//   VARVE_ASSIGN_OR_CO_RETURN(Socket socket, StartConnect("127.0.0.1", 7411));
//   const Status connected = co_await FinishConnect(socket);
StatusOr<Socket> StartConnect(const std::string& address, uint16_t port);
StatusOr<Socket> StartConnectUnix(const std::string& path);

// Waits until `socket` of StartConnect is connected, or cannot be (Unavailable). Shutdown(socket)
// ends the wait.
Task<Status> FinishConnect(const Socket& socket);

// Waits for a connection. TCP_NODELAY is set on it. ResourceExhausted when the process or the
// system is out of descriptors or memory: wait a little and try again. Unavailable once the
// listener was shut down.
Task<StatusOr<Socket>> Accept(const Socket& listener);

// Waits until there is something to receive, or the stream has ended or failed. Needs no buffer, so
// an idle connection costs none.
Task<void> WaitReadable(const Socket& socket);

// Receives at least one byte, at most into.size(). 0 is the end of the stream.
Task<StatusOr<size_t>> Receive(const Socket& socket, std::span<char> into);

// Sends all of `bytes`.
Task<Status> Send(const Socket& socket, std::string_view bytes);

// Ends both directions, which wakes whoever waits: receivers see the end of the stream, senders and
// accepters an error. Any thread. The socket stays open.
void Shutdown(const Socket& socket);

// Sends no more: the other end sees the end of the stream. Any thread.
void ShutdownSend(const Socket& socket);

// Receives no more than what has arrived: then the receiver sees the end of the stream. Any thread.
void ShutdownReceive(const Socket& socket);

// Blocks SIGTERM and SIGINT in the calling thread and those it starts afterwards (call first thing
// in main), and SIGPIPE's effect in the process. Returns a descriptor that becomes readable when
// one of them arrives: wait for it with WaitReadable.
StatusOr<Socket> WatchForTermination();

}  // namespace varve::io
