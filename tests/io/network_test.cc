// Sockets on the executors that have them.
#include "io/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/acceptor.h"
#include "io/alarm.h"
#include "io/io.h"
#include "io/receive_stream.h"
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

// ---- Connecting

TEST_P(NetworkTest, ConnectsWithoutBlocking) {
  struct Run {
    static Task<Status> Do(const Socket* listener, uint16_t port) {
      VARVE_ASSIGN_OR_CO_RETURN(const Socket client, StartConnect("127.0.0.1", port));
      const Status connected = co_await FinishConnect(client);
      if (!connected.ok()) co_return connected;
      VARVE_ASSIGN_OR_CO_RETURN(const Socket server, co_await Accept(*listener));
      const Status sent = co_await Send(server, "hello");
      if (!sent.ok()) co_return sent;
      char bytes[5];
      const StatusOr<size_t> got = co_await Receive(client, bytes);
      if (!got.ok()) co_return got.status();
      co_return *got == 5 ? absl::OkStatus() : Unavailable("{} bytes", *got);
    }
  };
  EXPECT_EQ(Await(Run::Do(&listener_, port_)), absl::OkStatus());
}

TEST_P(NetworkTest, SaysThatNobodyListens) {
  listener_.Close();
  struct Run {
    static Task<Status> Do(uint16_t port) {
      const StatusOr<Socket> client = StartConnect("127.0.0.1", port);
      if (!client.ok()) co_return client.status();
      const Status connected = co_await FinishConnect(*client);
      co_return connected;
    }
  };
  EXPECT_EQ(Await(Run::Do(port_)).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StartConnectUnix(Path("nobody")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(StartConnect("nowhere", 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(NetworkTest, ShutdownEndsAConnectionInTheMaking) {
  // Nobody answers a listener's clients beyond its backlog.
  const StatusOr<Socket> full = Listen({.backlog = 0});
  ASSERT_TRUE(full.ok());
  const uint16_t port = *LocalPort(*full);
  const Socket first = *Connect("127.0.0.1", port);
  struct Run {
    static Task<void> Finish(const Socket* socket, std::optional<Status>* end) {
      const Status status = co_await FinishConnect(*socket);
      *end = status;
    }
    static Task<Status> Do(uint16_t port) {
      const StatusOr<Socket> client = StartConnect("127.0.0.1", port);
      if (!client.ok()) co_return client.status();
      std::optional<Status> end;
      TaskGroup group;
      group.Add(Finish(&*client, &end));
      co_await Yield();
      Shutdown(*client);
      co_await group.Wait();
      co_return *end;
    }
  };
  EXPECT_EQ(Await(Run::Do(port)).code(), absl::StatusCode::kUnavailable);
}

// ---- Alarms

TEST_P(NetworkTest, AnAlarmRingsOrIsWoken) {
  struct Run {
    static Task<void> Wake(Alarm* alarm) {
      alarm->Wake();
      co_return;
    }
    static Task<uint64_t> Do(uint64_t hour_ns) {
      Alarm alarm;
      alarm.Wake();  // nobody sleeps
      co_await alarm.Sleep(1);
      const uint64_t begin_ns = MonotonicNowNs();
      for (int i = 0; i < 3; ++i) {
        Executor::Current()->Spawn(Wake(&alarm));
        co_await alarm.Sleep(hour_ns);
      }
      co_return MonotonicNowNs() - begin_ns;
    }
  };
  constexpr uint64_t kHourNs = 3'600'000'000'000;
  EXPECT_LT(Await(Run::Do(kHourNs)), kHourNs);
}

// ---- Streams

Task<void> EchoStream(Socket socket) {
  ReceiveStream stream(socket);
  std::string answer;
  while (!stream.ended()) {
    co_await stream.Wait();
    for (std::string_view got = stream.Take(); !got.empty(); got = stream.Take()) answer += got;
    const Status sent = co_await Send(socket, answer);
    if (!sent.ok()) break;
    answer.clear();
  }
  co_await stream.Stop();
}

Task<void> ServeStreams(const Socket* listener) {
  Acceptor acceptor(*listener);
  for (;;) {
    StatusOr<Socket> socket = co_await acceptor.Next();
    if (!socket.ok()) break;
    Executor::Current()->Spawn(EchoStream(std::move(*socket)));
  }
  co_await acceptor.Stop();
}

std::string Numbers(size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i) text += fmt::format("{} ", i);
  return text;
}

TEST_P(NetworkTest, StreamsServeManyConnectionsOnOneWorker) {
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(ServeStreams(&listener_));
  std::vector<Socket> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(ConnectToListener());
  for (int round = 0; round < 3; ++round) {
    // All at once: more than there are buffers for.
    for (size_t i = 0; i < clients.size(); ++i) {
      ASSERT_TRUE(Await(Send(clients[i], fmt::format("hello {} {}", round, i))).ok());
    }
    for (size_t i = 0; i < clients.size(); ++i) {
      std::string expected = fmt::format("hello {} {}", round, i);
      std::string answer(expected.size(), '?');
      size_t done = 0;
      while (done < answer.size()) {
        const auto got = Await(Receive(clients[i], std::span(answer).subspan(done)));
        ASSERT_TRUE(got.ok() && *got > 0);
        done += *got;
      }
      ASSERT_EQ(answer, expected);
    }
  }
  clients.clear();
  Shutdown(listener_);
}

// Receives until the stream ends.
Task<Status> ReceiveAll(const Socket* socket, std::string* into) {
  ReceiveStream stream(*socket);
  while (!stream.ended()) {
    co_await stream.Wait();
    for (std::string_view got = stream.Take(); !got.empty(); got = stream.Take()) *into += got;
  }
  co_await stream.Stop();
  co_return stream.status();
}

TEST_P(NetworkTest, AStreamCarriesMoreThanAllBuffersHold) {
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(ServeStreams(&listener_));
  const std::string text = Numbers(20'000'000);
  const Socket client = ConnectToListener();
  std::thread sender([&] {
    EXPECT_TRUE(BlockOn(io(), Send(client, text)).ok());
    ShutdownSend(client);
  });
  std::string answer;
  // The server's end of the stream closes when it has seen ours.
  EXPECT_TRUE(Await(ReceiveAll(&client, &answer)).ok());
  sender.join();
  EXPECT_TRUE(answer == text);
  Shutdown(listener_);
}

TEST_P(NetworkTest, AHalfClosedStreamIsReadToItsEndAndAnswered) {
  const Socket client = ConnectToListener();
  const StatusOr<Socket> server = Await(Accept(listener_));
  ASSERT_TRUE(server.ok());
  ASSERT_TRUE(Await(Send(client, "last words")).ok());
  ShutdownSend(client);
  std::string got;
  EXPECT_TRUE(Await(ReceiveAll(&*server, &got)).ok());
  EXPECT_EQ(got, "last words");
  ASSERT_TRUE(Await(Send(*server, "heard")).ok());
  std::string answer(5, '?');
  ASSERT_EQ(*Await(Receive(client, answer)), 5u);
  EXPECT_EQ(answer, "heard");
}

TEST_P(NetworkTest, ShutdownEndsAStreamThatWaits) {
  const Socket client = ConnectToListener();
  struct Run {
    static Task<void> Do(const Socket* socket, Event* waits, std::optional<Status>* end) {
      ReceiveStream stream(*socket);
      waits->Set();
      while (!stream.ended()) {
        co_await stream.Wait();
        EXPECT_TRUE(stream.Take().empty());
      }
      co_await stream.Stop();
      *end = stream.status();
    }
    static Task<void> WaitFor(Event* event) { co_await event->Wait(); }
  };
  Event waits;
  std::optional<Status> end;
  {
    const auto worker = io().StartWorker({.name = "receiver"});
    worker->executor().Spawn(Run::Do(&client, &waits, &end));
    BlockOn(io(), Run::WaitFor(&waits));
    ShutdownReceive(client);
  }
  EXPECT_TRUE(end->ok());
}

TEST_P(NetworkTest, AStoppedStreamGivesWhatHadArrivedAndGoesOn) {
  auto worker = io().StartWorker({.name = "server"});
  const Socket client = ConnectToListener();
  const StatusOr<Socket> server = Await(Accept(listener_));
  ASSERT_TRUE(server.ok());
  struct Run {
    static Task<void> Do(const Socket* socket, Event* stopped, Event* go_on, std::string* got) {
      ReceiveStream stream(*socket);
      co_await stream.Wait();
      co_await stream.Stop();
      stopped->Set();
      co_await go_on->Wait();
      while (!stream.ended()) {
        for (std::string_view piece = stream.Take(); !piece.empty(); piece = stream.Take()) {
          *got += piece;
        }
        if (!stream.ended()) co_await stream.Wait();
      }
      co_await stream.Stop();
    }
    static Task<void> WaitFor(Event* event) { co_await event->Wait(); }
  };
  Event stopped;
  Event go_on;
  std::string got;
  ASSERT_TRUE(Await(Send(client, "one ")).ok());
  worker->executor().Spawn(Run::Do(&*server, &stopped, &go_on, &got));
  BlockOn(io(), Run::WaitFor(&stopped));
  ASSERT_TRUE(Await(Send(client, "two")).ok());
  ShutdownSend(client);
  go_on.Set();
  worker.reset();  // waits for the task
  EXPECT_EQ(got, "one two");
}

TEST_P(NetworkTest, AStreamThatKeepsItsBuffersDoesNotStopTheOthers) {
  auto worker = io().StartWorker({.name = "server"});
  const Socket greedy_client = ConnectToListener();
  const StatusOr<Socket> greedy = Await(Accept(listener_));
  ASSERT_TRUE(greedy.ok());
  struct Run {
    // Lets everything arrive and takes none of it, until told; then all.
    static Task<void> Hoard(const Socket* socket, Event* go_on, std::string* got) {
      ReceiveStream stream(*socket);
      co_await stream.Wait();
      co_await stream.Stop();
      co_await go_on->Wait();
      while (!stream.ended()) {
        for (std::string_view piece = stream.Take(); !piece.empty(); piece = stream.Take()) {
          *got += piece;
        }
        if (!stream.ended()) co_await stream.Wait();
      }
      co_await stream.Stop();
    }
  };
  Event go_on;
  std::string got;
  const std::string text = Numbers(4'000'000);
  std::thread sender([&] {
    EXPECT_TRUE(BlockOn(io(), Send(greedy_client, text)).ok());
    ShutdownSend(greedy_client);
  });
  worker->executor().Spawn(Run::Hoard(&*greedy, &go_on, &got));
  worker->executor().Spawn(ServeStreams(&listener_));
  {
    const Socket other = ConnectToListener();
    for (int i = 0; i < 100; ++i) {
      const std::string hello = fmt::format("hello {}", i);
      ASSERT_EQ(Await(Exchange(&other, hello)), hello);
    }
  }
  go_on.Set();
  sender.join();
  Shutdown(listener_);
  worker.reset();
  EXPECT_TRUE(got == text);
}

// ---- Acceptors

TEST_P(NetworkTest, ShutdownEndsAnAcceptor) {
  struct Run {
    static Task<void> Do(const Socket* listener, Event* waits, std::optional<Status>* end) {
      Acceptor acceptor(*listener);
      waits->Set();
      const StatusOr<Socket> socket = co_await acceptor.Next();
      *end = socket.status();
      co_await acceptor.Stop();
    }
    static Task<void> WaitFor(Event* event) { co_await event->Wait(); }
  };
  Event waits;
  std::optional<Status> end;
  {
    const auto worker = io().StartWorker({.name = "accepter"});
    worker->executor().Spawn(Run::Do(&listener_, &waits, &end));
    BlockOn(io(), Run::WaitFor(&waits));
    Shutdown(listener_);
  }
  EXPECT_EQ(end->code(), absl::StatusCode::kUnavailable);
}

TEST_P(NetworkTest, AStoppedAcceptorClosesWhatNobodyAskedFor) {
  const Socket first = ConnectToListener();
  const Socket second = ConnectToListener();
  struct Run {
    static Task<Status> Do(const Socket* listener) {
      Acceptor acceptor(*listener);
      const StatusOr<Socket> socket = co_await acceptor.Next();
      co_await acceptor.Stop();
      co_return socket.status();
    }
  };
  EXPECT_TRUE(Await(Run::Do(&listener_)).ok());
  listener_.Close();
  // The second was accepted and closed, or refused together with the listener.
  char byte;
  const StatusOr<size_t> got = Await(Receive(second, {&byte, 1}));
  EXPECT_TRUE(!got.ok() || *got == 0);
}

// ---- Unix-domain sockets

TEST_P(NetworkTest, UnixSocketsCarryStreams) {
  const std::string path = Path("socket");
  const StatusOr<Socket> listener = ListenUnix(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(ServeStreams(&*listener));
  {
    const StatusOr<Socket> client = ConnectUnix(path);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ(PeerName(*client), "unix");
    EXPECT_EQ(Await(Exchange(&*client, "hello")), "hello");
  }
  Shutdown(*listener);
  RemoveUnixSocket(path);
  EXPECT_EQ(ConnectUnix(path).status().code(), absl::StatusCode::kUnavailable);
}

TEST_P(NetworkTest, AUnixSocketThatWasLeftBehindIsReplaced) {
  const std::string path = Path("socket");
  { ASSERT_TRUE(ListenUnix(path).ok()); }
  const StatusOr<Socket> again = ListenUnix(path);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(ConnectUnix(path).ok());
}

TEST_P(NetworkTest, AUnixSocketTakesNobodysPlace) {
  const std::string path = Path("socket");
  const StatusOr<Socket> first = ListenUnix(path);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(ListenUnix(path).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(ConnectUnix(path).ok());

  const std::string file = Path("file");
  std::ofstream(file) << "precious";
  EXPECT_EQ(ListenUnix(file).status().code(), absl::StatusCode::kUnavailable);
  std::string text;
  std::ifstream(file) >> text;
  EXPECT_EQ(text, "precious");

  EXPECT_EQ(ListenUnix("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListenUnix(Path(std::string(200, 'x'))).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListenUnix(Path("no/such/directory")).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace varve::io
