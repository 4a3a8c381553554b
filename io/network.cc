#include "io/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace varve::io {
namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

StatusOr<Address> ParseAddress(const std::string& text, uint16_t port) {
  Address address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
    return address;
  }
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
    return address;
  }
  return InvalidArgument("{}: not a numeric IPv4 or IPv6 address", text);
}

StatusOr<Address> UnixAddress(const std::string& path) {
  Address address;
  auto* const unix_address = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof unix_address->sun_path) {
    return InvalidArgument("{}: the path of a socket has 1 to {} bytes", path,
                           sizeof unix_address->sun_path - 1);
  }
  unix_address->sun_family = AF_UNIX;
  memcpy(unix_address->sun_path, path.c_str(), path.size() + 1);
  address.length = sizeof *unix_address;
  return address;
}

Status NetworkError(int error, std::string_view what) {
  const char* const reason = strerrordesc_np(error);
  return Unavailable("{}: {}", what, reason != nullptr ? reason : "unknown error");
}

void SetOption(const Socket& socket, int level, int option) {
  const int on = 1;
  setsockopt(socket.fd(), level, option, &on, sizeof on);
}

Operation OperationOn(const Socket& socket, Operation::Kind kind) {
  Operation operation;
  operation.kind = kind;
  operation.fd = socket.fd();
  return operation;
}

}  // namespace

void Socket::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

StatusOr<Socket> Listen(const ListenOptions& options) {
  VARVE_ASSIGN_OR_RETURN(const Address address, ParseAddress(options.address, options.port));
  const std::string what = fmt::format("listen on {} port {}", options.address, options.port);
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return NetworkError(errno, what);
  SetOption(socket, SOL_SOCKET, SO_REUSEADDR);
  if (options.reuse_port) SetOption(socket, SOL_SOCKET, SO_REUSEPORT);
  if (bind(socket.fd(), address.get(), address.length) != 0) return NetworkError(errno, what);
  if (listen(socket.fd(), options.backlog) != 0) return NetworkError(errno, what);
  return socket;
}

StatusOr<Socket> ListenUnix(const std::string& path, int backlog) {
  VARVE_ASSIGN_OR_RETURN(const Address address, UnixAddress(path));
  const std::string what = fmt::format("listen on {}", path);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return NetworkError(errno, what);
  struct stat status;
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
    const Socket probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const bool refused = connect(probe.fd(), address.get(), address.length) != 0 &&
                         errno == ECONNREFUSED;  // nobody listens
    if (refused) unlink(path.c_str());
  }
  // The mode that bind gives the path, which nobody may widen in between.
  fchmod(socket.fd(), S_IRUSR | S_IWUSR);
  if (bind(socket.fd(), address.get(), address.length) != 0) return NetworkError(errno, what);
  if (listen(socket.fd(), backlog) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return NetworkError(error, what);
  }
  return socket;
}

void RemoveUnixSocket(const std::string& path) { unlink(path.c_str()); }

StatusOr<uint16_t> LocalPort(const Socket& socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return NetworkError(errno, "name of a socket");
  }
  return storage.ss_family == AF_INET6
             ? ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port)
             : ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

std::string PeerName(const Socket& socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  if (getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "?";
  if (storage.ss_family == AF_UNIX) return "unix";
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET6) {
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
  }
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&storage);
  inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, ntohs(v4->sin_port));
}

StatusOr<std::string> ResolveHost(const std::string& name) {
  if (ParseAddress(name, 0).ok()) return name;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  for (const int family : {AF_INET, AF_INET6}) {
    hints.ai_family = family;
    addrinfo* found = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) continue;
    char text[NI_MAXHOST] = {};
    const int error = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                                  NI_NUMERICHOST);
    freeaddrinfo(found);
    if (error == 0) return std::string(text);
  }
  return Unavailable("{}: no such host", name);
}

StatusOr<Socket> Connect(const std::string& text, uint16_t port) {
  VARVE_ASSIGN_OR_RETURN(const Address address, ParseAddress(text, port));
  const std::string what = fmt::format("connect to {} port {}", text, port);
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return NetworkError(errno, what);
  if (connect(socket.fd(), address.get(), address.length) != 0) return NetworkError(errno, what);
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

StatusOr<Socket> ConnectUnix(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Address address, UnixAddress(path));
  const std::string what = fmt::format("connect to {}", path);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return NetworkError(errno, what);
  if (connect(socket.fd(), address.get(), address.length) != 0) return NetworkError(errno, what);
  return socket;
}

namespace {

// A socket that was told to connect and has not blocked.
StatusOr<Socket> BeginConnect(const Address& address, std::string_view what) {
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return NetworkError(errno, what);
  if (connect(socket.fd(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
    return NetworkError(errno, what);
  }
  return socket;
}

}  // namespace

StatusOr<Socket> StartConnect(const std::string& text, uint16_t port) {
  VARVE_ASSIGN_OR_RETURN(const Address address, ParseAddress(text, port));
  VARVE_ASSIGN_OR_RETURN(Socket socket,
                         BeginConnect(address, fmt::format("connect to {} port {}", text, port)));
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

StatusOr<Socket> StartConnectUnix(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(const Address address, UnixAddress(path));
  return BeginConnect(address, fmt::format("connect to {}", path));
}

Task<Status> FinishConnect(const Socket& socket) {
  for (;;) {
    // Sends nothing, which waits all the same until the socket is connected.
    char nothing = 0;
    Operation operation = OperationOn(socket, Operation::Kind::kSend);
    operation.data = &nothing;
    const int64_t result = co_await Perform(operation);
    if (result == -EINTR || result == -EAGAIN) continue;
    if (result < 0) co_return NetworkError(static_cast<int>(-result), "connect");
    // From here on the executors do the waiting.
    fcntl(socket.fd(), F_SETFL, fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
    co_return absl::OkStatus();
  }
}

bool IsUnixSocket(const Socket& socket) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(socket.fd(), SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

namespace {

// Of a Unix-domain listener. When it is shut down, its accept says only that there is nothing
// (EAGAIN), and a request that waits in the kernel would wait for ever: what tells is poll.
Task<int64_t> AcceptUnix(const Socket* listener) {
  for (;;) {
    co_await WaitReadable(*listener);
    pollfd poll_fd{listener->fd(), POLLIN | POLLRDHUP, 0};
    if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP)) != 0) {
      co_return -EINVAL;
    }
    const int descriptor = accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0) co_return descriptor;
    if (errno != EAGAIN) co_return -errno;
  }
}

Task<int64_t> AcceptAny(const Socket* listener) {
  const int64_t result = co_await Perform(OperationOn(*listener, Operation::Kind::kAccept));
  co_return result;
}

}  // namespace

Task<StatusOr<Socket>> Accept(const Socket& listener) {
  const bool is_unix = IsUnixSocket(listener);
  for (;;) {
    Task<int64_t> accept = is_unix ? AcceptUnix(&listener) : AcceptAny(&listener);
    const int64_t result = co_await accept;
    if (result >= 0) {
      Socket socket(static_cast<int>(result));
      if (!is_unix) SetOption(socket, IPPROTO_TCP, TCP_NODELAY);
      co_return socket;
    }
    const int error = static_cast<int>(-result);
    switch (error) {
      case EINTR:
      case EAGAIN:
      case ECONNABORTED:  // gave up while it was queued
      case EPROTO:
      case ENETDOWN:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case ENETUNREACH:
        continue;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: {
        const Status status = NetworkError(error, "accept");
        co_return ResourceExhausted("{}", Message(status));
      }
      default:
        co_return NetworkError(error, "accept");
    }
  }
}

Task<void> WaitReadable(const Socket& socket) {
  for (;;) {
    const int64_t result = co_await Perform(OperationOn(socket, Operation::Kind::kPollIn));
    if (result != -EINTR && result != -EAGAIN) co_return;
  }
}

Task<StatusOr<size_t>> Receive(const Socket& socket, std::span<char> into) {
  for (;;) {
    Operation operation = OperationOn(socket, Operation::Kind::kReceive);
    operation.data = into.data();
    operation.size = into.size();
    const int64_t result = co_await Perform(operation);
    if (result >= 0) co_return static_cast<size_t>(result);
    if (result == -EINTR || result == -EAGAIN) continue;
    co_return NetworkError(static_cast<int>(-result), "receive");
  }
}

Task<Status> Send(const Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    Operation operation = OperationOn(socket, Operation::Kind::kSend);
    operation.data = const_cast<char*>(bytes.data());
    operation.size = bytes.size();
    const int64_t result = co_await Perform(operation);
    if (result == -EINTR || result == -EAGAIN) continue;
    if (result < 0) co_return NetworkError(static_cast<int>(-result), "send");
    bytes.remove_prefix(static_cast<size_t>(result));
  }
  co_return absl::OkStatus();
}

void Shutdown(const Socket& socket) { shutdown(socket.fd(), SHUT_RDWR); }

void ShutdownSend(const Socket& socket) { shutdown(socket.fd(), SHUT_WR); }

void ShutdownReceive(const Socket& socket) { shutdown(socket.fd(), SHUT_RD); }

StatusOr<Socket> WatchForTermination() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    return NetworkError(error, "block signals");
  }
  Socket descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) return NetworkError(errno, "watch for signals");
  return descriptor;
}

}  // namespace varve::io
