// Sockets on the executors that have them.
#include "io/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/io.h"
#include "tests/support/io_fixture.h"

namespace varve::io {
namespace {

class NetworkTest : public varve::testing::IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    if (IsSkipped()) return;
    if (simulated()) GTEST_SKIP() << "no network";
    StatusOr<Socket> listener = Listen({});
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = std::move(*listener);
    port_ = *LocalPort(listener_);
  }
  Socket ConnectToListener() {
    StatusOr<Socket> socket = Connect("127.0.0.1", port_);
    EXPECT_TRUE(socket.ok()) << socket.status();
    return std::move(socket).value();
  }

  Socket listener_;
  uint16_t port_ = 0;
};
VARVE_ON_EVERY_IO(NetworkTest);

// Sends back what it receives until the stream ends.
Task<void> Echo(Socket socket) {
  std::string buffer(64 << 10, '\0');
  for (;;) {
    co_await WaitReadable(socket);
    const StatusOr<size_t> got = co_await Receive(socket, buffer);
    if (!got.ok() || *got == 0) co_return;
    const Status sent = co_await Send(socket, std::string_view(buffer).substr(0, *got));
    if (!sent.ok()) co_return;
  }
}

Task<void> Serve(const Socket* listener) {
  for (;;) {
    StatusOr<Socket> socket = co_await Accept(*listener);
    if (!socket.ok()) co_return;
    Executor::Current()->Spawn(Echo(std::move(*socket)));
  }
}

Task<std::string> Exchange(const Socket* socket, std::string text) {
  const Status sent = co_await Send(*socket, text);
  if (!sent.ok()) co_return sent.ToString();
  std::string answer(text.size(), '?');
  size_t done = 0;
  while (done < answer.size()) {
    const StatusOr<size_t> got = co_await Receive(*socket, std::span(answer).subspan(done));
    if (!got.ok()) co_return got.status().ToString();
    if (*got == 0) co_return "ended";
    done += *got;
  }
  co_return answer;
}

TEST_P(NetworkTest, ServesManyConnectionsOnOneWorker) {
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(Serve(&listener_));
  std::vector<Socket> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(ConnectToListener());
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < clients.size(); ++i) {
      const std::string text = fmt::format("hello {} {}", round, i);
      ASSERT_EQ(Await(Exchange(&clients[i], text)), text);
    }
  }
  clients.clear();
  Shutdown(listener_);
}

TEST_P(NetworkTest, SendsMoreThanTheKernelBuffers) {
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(Serve(&listener_));
  struct BothWays {
    static Task<void> SendAll(const Socket* socket, const std::string* text) {
      const Status sent = co_await Send(*socket, *text);
      EXPECT_TRUE(sent.ok()) << sent;
    }
    static Task<void> ReceiveAll(const Socket* socket, std::string* into) {
      size_t done = 0;
      while (done < into->size()) {
        const StatusOr<size_t> got = co_await Receive(*socket, std::span(*into).subspan(done));
        if (!got.ok() || *got == 0) co_return;
        done += *got;
      }
    }
    static Task<void> Run(const Socket* socket, const std::string* text, std::string* answer) {
      TaskGroup group;
      group.Add(ReceiveAll(socket, answer));
      group.Add(SendAll(socket, text));
      co_await group.Wait();
    }
  };
  std::string text;
  for (int i = 0; text.size() < 20'000'000; ++i) text += fmt::format("{} ", i);
  std::string answer(text.size(), '?');
  {
    const Socket client = ConnectToListener();
    BlockOn(io(), BothWays::Run(&client, &text, &answer));
  }
  EXPECT_TRUE(answer == text);
  Shutdown(listener_);
}

TEST_P(NetworkTest, ShutdownEndsWaitingForConnections) {
  std::optional<Status> end;
  struct Wait {
    static Task<void> Run(const Socket* listener, std::optional<Status>* end) {
      const StatusOr<Socket> socket = co_await Accept(*listener);
      *end = socket.status();
    }
  };
  {
    const auto worker = io().StartWorker({.name = "accepter"});
    worker->executor().Spawn(Wait::Run(&listener_, &end));
    Shutdown(listener_);
  }
  EXPECT_EQ(end->code(), absl::StatusCode::kUnavailable);
}

TEST_P(NetworkTest, ShutdownEndsWaitingForBytes) {
  const Socket client = ConnectToListener();
  std::optional<StatusOr<size_t>> end;
  struct Wait {
    static Task<void> Run(const Socket* socket, std::optional<StatusOr<size_t>>* end) {
      co_await WaitReadable(*socket);
      char byte;
      StatusOr<size_t> got = co_await Receive(*socket, {&byte, 1});
      *end = std::move(got);
    }
  };
  {
    const auto worker = io().StartWorker({.name = "receiver"});
    worker->executor().Spawn(Wait::Run(&client, &end));
    Shutdown(client);
  }
  ASSERT_TRUE((*end).ok());
  EXPECT_EQ(**end, 0u);
}

TEST_P(NetworkTest, SendingToAClosedPeerFails) {
  const Socket client = ConnectToListener();
  {
    const StatusOr<Socket> server = Await(Accept(listener_));
    ASSERT_TRUE(server.ok());
    EXPECT_THAT(PeerName(*server), ::testing::StartsWith("127.0.0.1:"));
  }
  struct Flood {
    static Task<Status> Run(const Socket* socket) {
      for (;;) {
        const Status sent = co_await Send(*socket, "into the void");
        if (!sent.ok()) co_return sent;
      }
    }
  };
  EXPECT_EQ(Await(Flood::Run(&client)).code(), absl::StatusCode::kUnavailable);
}

TEST_P(NetworkTest, ListensOnlyWhereItCan) {
  EXPECT_EQ(Listen({.port = port_}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Listen({.address = "localhost"}).status().code(), absl::StatusCode::kInvalidArgument);
  const auto first = Listen({.reuse_port = true});
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(Listen({.port = *LocalPort(*first), .reuse_port = true}).ok());
}

}  // namespace
}  // namespace varve::io
