// A blocking HTTP client for tests, which can also send things that are not HTTP.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace varve::server {

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string body;
};

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // So that a server that forgets to answer fails a test instead of hanging it.
    const timeval timeout{30, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  Client(Client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        pending_(std::move(other.pending_)) {}
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  // False once the server has closed the connection.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }

  // The next response; nothing if the server closes the connection instead.
  std::optional<ClientResponse> Receive() {
    size_t header_end;
    while ((header_end = pending_.find("\r\n\r\n")) == std::string::npos) {
      if (!ReceiveMore()) return std::nullopt;
    }
    ClientResponse response;
    std::string_view header = std::string_view(pending_).substr(0, header_end + 2);
    response.status = std::atoi(std::string(header.substr(9, 3)).c_str());
    header.remove_prefix(header.find("\r\n") + 2);
    while (!header.empty()) {
      const size_t end = header.find("\r\n");
      const std::string_view line = header.substr(0, end);
      const size_t colon = line.find(": ");
      response.headers.emplace(line.substr(0, colon), line.substr(colon + 2));
      header.remove_prefix(end + 2);
    }
    const size_t body_bytes = std::strtoul(response.headers["Content-Length"].c_str(), nullptr, 10);
    const size_t total = header_end + 4 + body_bytes;
    while (pending_.size() < total) {
      if (!ReceiveMore()) return std::nullopt;
    }
    response.body = pending_.substr(header_end + 4, body_bytes);
    pending_.erase(0, total);
    return response;
  }

  // Whether the server closes the connection without another byte.
  bool Closed() { return pending_.empty() && !ReceiveMore(); }

  static std::string Request(std::string_view target, std::string_view body,
                             std::string_view more_headers = "") {
    std::string text = "POST / HTTP/1.1\r\nHost: localhost\r\n";
    text.append("Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.")
        .append(target)
        .append("\r\nContent-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n")
        .append(more_headers)
        .append("\r\n")
        .append(body);
    return text;
  }

 private:
  bool ReceiveMore() {
    char buffer[65536];
    ssize_t received;
    do {
      received = recv(fd_, buffer, sizeof buffer, 0);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(received));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string pending_;
};

}  // namespace varve::server
