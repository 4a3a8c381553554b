#include "bench/ycsb/deaf_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "bench/ycsb/workload.h"
#include "item/requests.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace varve::bench::ycsb {
namespace {

constexpr uint32_t kRequestsPerSend = 256;
// How long a send waits for room before the thread looks whether it shall stop.
constexpr suseconds_t kSendTimeoutUs = 100'000;

std::string HelloFrame() {
  protocol::Hello hello;
  hello.magic = protocol::kMagic;
  hello.version_min = hello.version_max = protocol::kVersion;
  hello.item_encoding_min = hello.item_encoding_max = protocol::kItemEncoding;
  hello.client_name = "varve_bench, deaf";
  hello.credit_bytes = std::numeric_limits<uint64_t>::max();
  std::string payload;
  protocol::Encode(hello, payload);
  std::string frame;
  protocol::AppendFrame({.type = protocol::FrameType::kHello}, payload, frame);
  return frame;
}

std::string GetFrame(uint32_t request_id) {
  item::GetItemRequest request;
  request.table_name = kTableName;
  std::string key;
  MakeKey(0, &key);
  item::ValueBuilder builder;
  builder.BeginMap().Name(kKeyName).String(key).EndMap();
  request.key = item::Item(builder.Finish());
  std::string payload;
  protocol::EncodeRequest(request, {}, payload);
  std::string frame;
  protocol::AppendFrame({.request_id = request_id, .type = protocol::FrameType::kGetItem}, payload,
                        frame);
  return frame;
}

}  // namespace

StatusOr<std::unique_ptr<DeafClient>> DeafClient::Start(const TargetOptions& options) {
  StatusOr<io::Socket> socket = options.binary_socket.empty()
                                    ? io::Connect(options.host, options.binary_port)
                                    : io::ConnectUnix(options.binary_socket);
  VARVE_RETURN_IF_ERROR(socket.status());
  return std::unique_ptr<DeafClient>(new DeafClient(*std::move(socket)));
}

DeafClient::DeafClient(io::Socket socket)
    : socket_(std::move(socket)), thread_([this] { Ask(); }) {}

DeafClient::~DeafClient() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void DeafClient::Ask() {
  const timeval timeout{0, kSendTimeoutUs};
  setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  std::string out = HelloFrame();
  uint32_t request_id = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    if (out.empty()) {
      for (uint32_t i = 0; i < kRequestsPerSend; ++i) out += GetFrame(++request_id);
    }
    const ssize_t sent = send(socket_.fd(), out.data(), out.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      out.erase(0, static_cast<size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return;  // the server has had enough
    }
  }
}

}  // namespace varve::bench::ycsb
