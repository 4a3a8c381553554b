// A server by hand: the test reads the client's frames one by one and answers what it likes, on the
// client's own executor, so that everything happens in the order in which the test says it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "io/network.h"
#include "io/task.h"
#include "item/requests.h"
#include "protocol/error.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace varve::client::testing {

using protocol::FrameHeader;
using protocol::FrameType;

struct ReceivedFrame {
  FrameHeader header;
  std::string payload;

  FrameType type() const { return header.type; }
  uint32_t id() const { return header.request_id; }
  // The request that the frame holds.
  template <typename Request>
  Request As(protocol::RequestExtras* extras = nullptr) const {
    Request request;
    protocol::RequestExtras unused;
    const Status read =
        protocol::DecodeRequest(payload, &request, extras != nullptr ? extras : &unused);
    EXPECT_TRUE(read.ok()) << read;
    return request;
  }
  template <typename Message>
  Message AsMessage() const {
    Message message;
    const Status read = protocol::Decode(payload, &message);
    EXPECT_TRUE(read.ok()) << read;
    return message;
  }
};

inline protocol::Welcome DefaultWelcome() {
  protocol::Welcome welcome;
  welcome.version = protocol::kVersion;
  welcome.features = static_cast<uint64_t>(protocol::Feature::kRequestTokens);
  welcome.item_encoding = protocol::kItemEncoding;
  welcome.server_name = "fake";
  welcome.request_bytes_max = 1 << 20;
  welcome.requests_max = 64;
  welcome.prepared_max = 16;
  welcome.credit_bytes_max = 1 << 20;
  return welcome;
}

// The server's end of one connection.
class Peer {
 public:
  Peer() = default;
  explicit Peer(io::Socket socket) : socket_(std::move(socket)) {}

  // The next frame; nothing if the client has ended the stream.
  io::Task<std::optional<ReceivedFrame>> ReadOrEnd() {
    for (;;) {
      const auto frame = protocol::ReadFrame(bytes_, protocol::kRequestBytesMax);
      EXPECT_TRUE(frame.ok()) << frame.status();
      if (frame.ok() && frame->has_value()) {
        ReceivedFrame received{(*frame)->header, std::string((*frame)->payload)};
        bytes_.erase(0, (*frame)->size_bytes());
        co_return received;
      }
      char buffer[4096];
      const StatusOr<size_t> got = co_await io::Receive(socket_, buffer);
      if (!got.ok() || *got == 0) co_return std::nullopt;
      bytes_.append(buffer, *got);
      ++receives_;
    }
  }
  io::Task<ReceivedFrame> Read() {
    std::optional<ReceivedFrame> frame = co_await ReadOrEnd();
    EXPECT_TRUE(frame.has_value()) << "the client has ended the stream";
    co_return std::move(frame).value_or(ReceivedFrame{});
  }
  // Whether a frame lies here already, received together with an earlier one.
  bool HasMore() const { return !bytes_.empty(); }
  int receives() const { return receives_; }

  io::Task<void> Write(std::string bytes) {
    const Status sent = co_await io::Send(socket_, bytes);
    EXPECT_TRUE(sent.ok()) << sent;
  }
  io::Task<void> WriteFrame(FrameHeader header, std::string_view payload) {
    std::string bytes;
    protocol::AppendFrame(header, payload, bytes);
    co_await Write(std::move(bytes));
  }
  template <typename Message>
  io::Task<void> WriteMessage(FrameHeader header, const Message& message) {
    std::string payload;
    protocol::Encode(message, payload);
    co_await WriteFrame(header, payload);
  }

  void Close() { socket_.Close(); }
  void Shutdown() { io::Shutdown(socket_); }

 private:
  io::Socket socket_;
  std::string bytes_;
  int receives_ = 0;
};

// A frame that answers `request`.
template <typename Response>
std::string Answer(const ReceivedFrame& request, const Response& response, uint8_t flags = 0,
                   bool repeated = false) {
  std::string payload;
  protocol::EncodeAnswer(response, {.repeated = repeated}, payload);
  std::string bytes;
  protocol::AppendFrame({.request_id = request.id(), .type = request.type(), .flags = flags},
                        payload, bytes);
  return bytes;
}
inline std::string AnswerNothing(const ReceivedFrame& request) {
  std::string bytes;
  protocol::AppendFrame({.request_id = request.id(), .type = request.type()}, {}, bytes);
  return bytes;
}
inline std::string AnswerError(const ReceivedFrame& request, const Status& status) {
  std::string payload;
  protocol::EncodeError(status, payload);
  std::string bytes;
  protocol::AppendFrame(
      {.request_id = request.id(), .type = request.type(), .flags = protocol::kError}, payload,
      bytes);
  return bytes;
}

// Accepts one connection and greets its client.
inline io::Task<void> Greet(const io::Socket* listener, Peer* peer, protocol::Welcome welcome,
                            protocol::Hello* hello = nullptr) {
  StatusOr<io::Socket> socket = co_await io::Accept(*listener);
  EXPECT_TRUE(socket.ok()) << socket.status();
  if (!socket.ok()) co_return;
  *peer = Peer(std::move(*socket));
  const ReceivedFrame frame = co_await peer->Read();
  EXPECT_EQ(frame.type(), FrameType::kHello);
  if (hello != nullptr) *hello = frame.AsMessage<protocol::Hello>();
  co_await peer->WriteMessage({.type = FrameType::kWelcome}, welcome);
}

inline item::Item StringItem(std::string_view name, std::string_view value) {
  item::ValueBuilder builder;
  builder.BeginMap();
  builder.Name(name).String(value);
  builder.EndMap();
  return item::Item(builder.Finish());
}

inline item::GetItemRequest Get(std::string_view key) {
  item::GetItemRequest request;
  request.table_name = "T";
  request.key = StringItem("k", key);
  return request;
}
inline item::GetItemResponse Got(std::string_view value) {
  item::GetItemResponse response;
  response.item = StringItem("v", value);
  return response;
}
inline item::PutItemRequest Put(std::string_view key) {
  item::PutItemRequest request;
  request.table_name = "T";
  request.item = StringItem("k", key);
  return request;
}
// The value of `v` that a GetItem found; what went wrong otherwise.
inline std::string ValueOf(const StatusOr<item::GetItemResponse>& response) {
  if (!response.ok()) return response.status().ToString();
  if (!response->item) return "no item";
  return std::string(response->item->view().Find("v").value_or(item::ValueView()).text());
}

}  // namespace varve::client::testing
