// A blocking client of the binary protocol for tests, frame by frame, which can also send what is
// against the rules.
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/network.h"
#include "protocol/error.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace varve::server {

struct ReceivedFrame {
  protocol::FrameHeader header;
  std::string payload;

  bool is_error() const { return (header.flags & protocol::kError) != 0; }
  bool has_more() const { return (header.flags & protocol::kMore) != 0; }
  Status error() const { return is_error() ? protocol::DecodeError(payload) : Status(); }
};

class BinaryClient {
 public:
  explicit BinaryClient(io::Socket socket) : socket_(std::move(socket)) {
    // So that a server that forgets to answer fails a test instead of hanging it.
    const timeval timeout{30, 0};
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  }
  BinaryClient(BinaryClient&&) = default;

  const io::Socket& socket() const { return socket_; }

  // False once the server has closed the connection.
  bool SendBytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  bool SendFrame(protocol::FrameType type, uint32_t id, std::string_view payload) {
    return SendBytes(FrameOf(type, id, payload));
  }

  // Sends `bytes` again and again, until `bytes_max` or until the other end has taken nothing for a
  // while; how much that was.
  size_t SendUntilRefused(std::string_view bytes, size_t bytes_max) {
    const timeval timeout{0, 300'000};
    setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    size_t sent = 0;
    size_t offset = 0;
    while (sent < bytes_max) {
      const ssize_t now =
          send(socket_.fd(), bytes.data() + offset, bytes.size() - offset, MSG_NOSIGNAL);
      if (now < 0 && errno == EINTR) continue;
      if (now <= 0) break;
      sent += static_cast<size_t>(now);
      offset = (offset + static_cast<size_t>(now)) % bytes.size();
    }
    return sent;
  }

  static std::string FrameOf(protocol::FrameType type, uint32_t id, std::string_view payload) {
    std::string bytes;
    protocol::AppendFrame({0, id, type, 0}, payload, bytes);
    return bytes;
  }
  template <typename Message>
  static std::string MessageFrame(protocol::FrameType type, const Message& message) {
    std::string payload;
    protocol::Encode(message, payload);
    return FrameOf(type, 0, payload);
  }
  template <typename Request>
  static std::string RequestFrame(protocol::FrameType type, uint32_t id, const Request& request,
                                  const protocol::RequestExtras& extras = {}) {
    std::string payload;
    protocol::EncodeRequest(request, extras, payload);
    return FrameOf(type, id, payload);
  }

  // Hello with this credit; the server's answer.
  std::optional<ReceivedFrame> Greet(uint64_t credit_bytes = uint64_t{1} << 20) {
    SendBytes(MessageFrame(protocol::FrameType::kHello, HelloOf(credit_bytes)));
    return Receive();
  }
  static protocol::Hello HelloOf(uint64_t credit_bytes) {
    protocol::Hello hello;
    hello.magic = protocol::kMagic;
    hello.version_min = hello.version_max = protocol::kVersion;
    hello.item_encoding_min = hello.item_encoding_max = protocol::kItemEncoding;
    hello.client_name = "test";
    hello.credit_bytes = credit_bytes;
    return hello;
  }
  bool GiveCredit(uint64_t bytes) {
    return SendBytes(MessageFrame(protocol::FrameType::kCredit, protocol::Credit{bytes}));
  }

  // The next frame; nothing if the server closes the connection instead.
  std::optional<ReceivedFrame> Receive() {
    for (;;) {
      const auto frame = protocol::ReadFrame(pending_, protocol::kAnswerBytesMax);
      if (!frame.ok()) return std::nullopt;
      if (frame->has_value()) {
        ReceivedFrame received{(*frame)->header, std::string((*frame)->payload)};
        pending_.erase(0, (*frame)->size_bytes());
        return received;
      }
      char buffer[65536];
      const ssize_t got = recv(socket_.fd(), buffer, sizeof buffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      pending_.append(buffer, static_cast<size_t>(got));
    }
  }

  // The reason of the Goodbye that must be the next frame, and the last.
  std::string Goodbye() {
    const auto frame = Receive();
    if (!frame) return "no frame";
    if (frame->header.type != protocol::FrameType::kGoodbye) return "another frame";
    protocol::Goodbye goodbye;
    if (!protocol::Decode(frame->payload, &goodbye).ok()) return "malformed";
    io::ShutdownSend(socket_);
    if (Receive()) return "one more frame";
    return goodbye.reason;
  }

  // Sends a request and waits for its answer, the only one under way.
  template <typename Response, typename Request>
  StatusOr<Response> Call(protocol::FrameType type, const Request& request,
                          const protocol::RequestExtras& extras = {},
                          protocol::AnswerExtras* answer_extras = nullptr) {
    const uint32_t id = ++last_id_;
    if (!SendBytes(RequestFrame(type, id, request, extras))) return Unavailable("not sent");
    const auto frame = Receive();
    if (!frame) return Unavailable("no answer");
    if (frame->header.type != type || frame->header.request_id != id) {
      return Corruption("answer {} to request {}", frame->header.request_id, id);
    }
    if (frame->is_error()) return frame->error();
    Response response;
    protocol::AnswerExtras ignored;
    VARVE_RETURN_IF_ERROR(protocol::DecodeAnswer(
        frame->payload, &response, answer_extras != nullptr ? answer_extras : &ignored));
    GiveCredit(protocol::kFrameHeaderBytes + frame->payload.size());
    return response;
  }

 private:
  io::Socket socket_;
  std::string pending_;
  uint32_t last_id_ = 0;
};

}  // namespace varve::server
