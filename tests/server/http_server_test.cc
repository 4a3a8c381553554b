#include "server/http_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/io.h"
#include "tests/server/http_client.h"

namespace varve::server {
namespace {

// Answers with the body it was sent. "/sleep" takes 100 ms, "/hold" until Release, "/big" answers 8
// MB.
class EchoHandler : public HttpHandler {
 public:
  io::Task<void> Handle(size_t, const HttpRequest& request, HttpReply* reply) override {
    ++started_;
    if (request.path == "/sleep") co_await io::SleepFor(100'000'000);
    if (request.path == "/hold") co_await release_.Wait();
    if (request.path == "/big") {
      reply->body.assign(size_t{8} << 20, 'x');
      co_return;
    }
    reply->body = request.body;
  }

  void Release() { release_.Set(); }
  int started() const { return started_; }

 private:
  std::atomic<int> started_{0};
  io::Event release_;
};

class HttpServerTest : public testing::TestWithParam<std::string> {
 protected:
  HttpServerTest() { options_.port = 0; }

  void Start() {
    if (GetParam() == "posix") {
      io_ = io::NewPosixIo();
    } else {
      auto io = io::NewUringIo();
      if (!io.ok()) GTEST_SKIP() << Message(io.status());
      io_ = std::move(*io);
    }
    workers_ = std::make_unique<Workers>(*io_, 2);
    auto server = HttpServer::Start(*io_, options_, workers_.get(), &handler_);
    ASSERT_TRUE(server.ok()) << Message(server.status());
    server_ = std::move(*server);
  }

  Client Connect() {
    Client client(server_->port());
    EXPECT_TRUE(client.connected());
    return client;
  }

  // Waits until `done`, which depends on other threads, is true.
  template <typename Done>
  void WaitUntil(Done done) {
    while (!done()) std::this_thread::yield();
  }

  HttpServerOptions options_;
  std::unique_ptr<io::Io> io_;
  EchoHandler handler_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<HttpServer> server_;
};

#define START_OR_SKIP() \
  Start();              \
  if (IsSkipped()) return

TEST_P(HttpServerTest, AnswersRequestAfterRequestOnOneConnection) {
  START_OR_SKIP();
  Client client = Connect();
  for (int i = 0; i < 100; ++i) {
    const std::string body = fmt::format("request {}", i);
    ASSERT_TRUE(client.Send(Client::Request("X", body)));
    const auto response = client.Receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, body);
    EXPECT_EQ(response->headers.at("x-amz-crc32"), std::to_string(Crc32(body)));
  }
  EXPECT_EQ(server_->counters().requests.load(), 100u);
}

TEST_P(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  START_OR_SKIP();
  Client client = Connect();
  std::string requests;
  for (int i = 0; i < 500; ++i) {
    requests += Client::Request("X", fmt::format("{}:{}", i, std::string(i, 'p')));
  }
  std::thread sender([&] { EXPECT_TRUE(client.Send(requests)); });
  for (int i = 0; i < 500; ++i) {
    const auto response = client.Receive();
    ASSERT_TRUE(response) << i;
    EXPECT_EQ(response->body, fmt::format("{}:{}", i, std::string(i, 'p')));
  }
  sender.join();
}

TEST_P(HttpServerTest, AnswersLongAndShortRequestsInOneBurst) {
  START_OR_SKIP();
  Client client = Connect();
  // Around the size at which answers are sent before the burst is over.
  const size_t sizes[] = {1, 65'000, 100, 65'536, 3, 200'000, 0, 64'900, 64'950, 131'072, 7};
  std::string requests;
  for (const size_t size : sizes) requests += Client::Request("X", std::string(size, 'm'));
  std::thread sender([&] { EXPECT_TRUE(client.Send(requests)); });
  for (const size_t size : sizes) {
    const auto response = client.Receive();
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->body, std::string(size, 'm'));
  }
  sender.join();
}

TEST_P(HttpServerTest, AssemblesARequestThatComesByteByByte) {
  START_OR_SKIP();
  Client client = Connect();
  for (const char byte : Client::Request("X", "{\"slow\":1}")) {
    ASSERT_TRUE(client.Send(std::string_view(&byte, 1)));
  }
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "{\"slow\":1}");
}

TEST_P(HttpServerTest, CarriesLargeBodiesBothWays) {
  START_OR_SKIP();
  Client client = Connect();
  const std::string body(size_t{16} << 20, 'b');
  ASSERT_TRUE(client.Send(Client::Request("X", body)));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, body);
  EXPECT_EQ(server_->body_memory_bytes(), 0u);
}

TEST_P(HttpServerTest, TellsAClientThatAsksToGoOn) {
  START_OR_SKIP();
  Client client = Connect();
  const std::string request = Client::Request("X", "body", "Expect: 100-continue\r\n");
  ASSERT_TRUE(client.Send(request.substr(0, request.size() - 4)));
  const auto go_on = client.Receive();
  ASSERT_TRUE(go_on);
  EXPECT_EQ(go_on->status, 100);
  ASSERT_TRUE(client.Send("body"));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "body");
}

std::string Packed(std::string_view plain) {
  std::string to;
  GzipWriter writer(plain, &to);
  while (!writer.Step()) {
  }
  return to;
}

std::string Unpacked(std::string_view packed) {
  GzipReader reader(packed);
  std::string plain;
  std::string_view piece;
  GzipReader::Result result;
  do {
    result = reader.Step(&piece);
    plain.append(piece);
  } while (result == GzipReader::Result::kMore);
  EXPECT_EQ(result, GzipReader::Result::kDone);
  return plain;
}

TEST_P(HttpServerTest, UnpacksBodiesAndPacksAnswers) {
  START_OR_SKIP();
  Client client = Connect();
  const std::string body(size_t{3} << 20, 'b');
  const std::string packed = Packed(body);
  ASSERT_TRUE(client.Send(Client::Request("X", packed, "Content-Encoding: gzip\r\n") +
                          Client::Request("X", body, "Accept-Encoding: gzip\r\n") +
                          Client::Request("X", "short", "Accept-Encoding: gzip\r\n")));
  auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, body);
  EXPECT_FALSE(response->headers.contains("Content-Encoding"));
  response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.at("Content-Encoding"), "gzip");
  EXPECT_EQ(response->headers.at("x-amz-crc32"), std::to_string(Crc32(response->body)));
  EXPECT_LT(response->body.size(), body.size() / 50);
  EXPECT_EQ(Unpacked(response->body), body);
  response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "short");
  EXPECT_FALSE(response->headers.contains("Content-Encoding"));
  EXPECT_EQ(server_->body_memory_bytes(), 0u);
}

TEST_P(HttpServerTest, RefusesBodiesThatAreNotWhatTheirEncodingSays) {
  START_OR_SKIP();
  struct Case {
    std::string encoding, body;
    int status;
  };
  const std::string bomb(size_t{17} << 20, '\0');
  for (const Case& c : {Case{"gzip", "{}", 400}, Case{"gzip", Packed("{}").substr(0, 12), 400},
                        Case{"br", "{}", 415}, Case{"gzip", Packed(bomb), 413}}) {
    Client client = Connect();
    ASSERT_TRUE(client.Send(
        Client::Request("X", c.body, fmt::format("Content-Encoding: {}\r\n", c.encoding))));
    const auto response = client.Receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, c.status) << c.encoding;
    EXPECT_NE(response->body.find("\"__type\""), std::string::npos);
    client.FinishSending();
    EXPECT_TRUE(client.Closed());
  }
  EXPECT_EQ(handler_.started(), 0);
  EXPECT_EQ(server_->body_memory_bytes(), 0u);
}

TEST_P(HttpServerTest, AnswersBrowsers) {
  START_OR_SKIP();
  Client client = Connect();
  ASSERT_TRUE(
      client.Send("OPTIONS / HTTP/1.1\r\nOrigin: http://localhost:3000\r\n"
                  "Access-Control-Request-Method: POST\r\n\r\n"));
  auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.at("Content-Length"), "0");
  EXPECT_EQ(response->headers.at("Access-Control-Allow-Origin"), "http://localhost:3000");
  EXPECT_EQ(response->headers.at("Access-Control-Allow-Methods"), "POST");
  EXPECT_EQ(handler_.started(), 0);
  ASSERT_TRUE(client.Send(Client::Request("X", "hi", "Origin: http://localhost:3000\r\n")));
  response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "hi");
  EXPECT_EQ(response->headers.at("Access-Control-Allow-Origin"), "http://localhost:3000");
  ASSERT_TRUE(client.Send(Client::Request("X", "hi", "Origin: https://example.com\r\n")));
  response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->headers.contains("Access-Control-Allow-Origin"));
}

TEST_P(HttpServerTest, RefusesALongBodyBeforeItIsSent) {
  START_OR_SKIP();
  Client client = Connect();
  ASSERT_TRUE(
      client.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 16777217\r\n\r\n"));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413);
  client.FinishSending();
  EXPECT_TRUE(client.Closed());
}

TEST_P(HttpServerTest, RefusesABodyOverTheLimitAndLetsTheClientReadThat) {
  START_OR_SKIP();
  Client client = Connect();
  // The client sends everything before it reads, as many do.
  ASSERT_TRUE(client.Send(Client::Request("X", std::string((size_t{16} << 20) + 1, 'b'))));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413);
  EXPECT_NE(response->body.find("\"__type\""), std::string::npos);
  client.FinishSending();
  EXPECT_TRUE(client.Closed());
}

TEST_P(HttpServerTest, RefusesAHeaderOverTheLimit) {
  START_OR_SKIP();
  Client client = Connect();
  client.Send("GET / HTTP/1.1\r\nname: " + std::string(100'000, 'v'));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 431);
}

TEST_P(HttpServerTest, AnswersGarbageWith400AndCloses) {
  START_OR_SKIP();
  const std::string_view kGarbage[] = {
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "hello\r\n\r\n",
      "GET / HTTP/1.1\r\nno colon\r\n\r\n",
  };
  for (const std::string_view garbage : kGarbage) {
    Client client = Connect();
    client.Send(garbage);
    client.Send(std::string(5000, '\xff'));
    const auto response = client.Receive();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 400);
    EXPECT_NE(response->body.find("\"__type\""), std::string::npos);
    client.FinishSending();
    EXPECT_TRUE(client.Closed());
  }
  // The worker is still there.
  Client client = Connect();
  ASSERT_TRUE(client.Send(Client::Request("X", "fine")));
  EXPECT_EQ(client.Receive()->body, "fine");
}

TEST_P(HttpServerTest, ClosesWhenTheClientAsks) {
  START_OR_SKIP();
  Client client = Connect();
  ASSERT_TRUE(client.Send(Client::Request("X", "last", "Connection: close\r\n")));
  const auto response = client.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->headers.at("Connection"), "close");
  EXPECT_TRUE(client.Closed());
}

TEST_P(HttpServerTest, CutsOffHalfARequestAndSilence) {
  options_.request_timeout_ms = 50;
  START_OR_SKIP();
  const std::string request = Client::Request("X", "never complete");
  for (const size_t sent : {size_t{1}, size_t{30}, request.size() - 1}) {
    Client client = Connect();
    ASSERT_TRUE(client.Send(request.substr(0, sent)));
    EXPECT_TRUE(client.Closed()) << sent;
  }
  EXPECT_EQ(server_->counters().timeouts.load(), 3u);
}

TEST_P(HttpServerTest, ClosesIdleConnectionsAfterTheirTime) {
  options_.idle_timeout_ms = 50;
  START_OR_SKIP();
  Client silent = Connect();
  EXPECT_TRUE(silent.Closed());
  Client served = Connect();
  ASSERT_TRUE(served.Send(Client::Request("X", "once")));
  EXPECT_EQ(served.Receive()->body, "once");
  EXPECT_TRUE(served.Closed());
  EXPECT_EQ(server_->counters().timeouts.load(), 0u);
}

TEST_P(HttpServerTest, CutsOffAClientThatDoesNotTakeItsAnswer) {
  options_.send_timeout_ms = 50;
  START_OR_SKIP();
  Client client = Connect();
  ASSERT_TRUE(client.Send("GET /big HTTP/1.1\r\n\r\n"));
  WaitUntil(
      [&] { return server_->counters().connections_open.load() == 0 && handler_.started() == 1; });
  EXPECT_EQ(server_->counters().timeouts.load(), 1u);
}

TEST_P(HttpServerTest, ManyConnectionsAreServedSideBySide) {
  START_OR_SKIP();
  constexpr int kClients = 200;
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back().Send("GET /hold HTTP/1.1\r\n\r\n"));
  }
  // All are being handled before the first is answered.
  WaitUntil([&] { return handler_.started() == kClients; });
  handler_.Release();
  for (Client& client : clients) EXPECT_EQ(client.Receive()->status, 200);
}

TEST_P(HttpServerTest, RequestsBeyondTheBoundWaitTheirTurn) {
  options_.requests_max = 2;
  START_OR_SKIP();
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back().Send("GET /sleep HTTP/1.1\r\n\r\n"));
  }
  WaitUntil([&] { return server_->counters().requests.load() == 10; });
  EXPECT_LE(server_->counters().requests_in_progress.load(), 2u);
  for (Client& client : clients) EXPECT_EQ(client.Receive()->status, 200);
}

TEST_P(HttpServerTest, ConnectionsBeyondTheBoundAreTurnedAway) {
  options_.connections_max = 3;
  START_OR_SKIP();
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Connect());
    ASSERT_TRUE(clients.back().Send(Client::Request("X", "in")));
    EXPECT_EQ(clients.back().Receive()->body, "in");
  }
  Client refused = Connect();
  const auto response = refused.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_TRUE(refused.Closed());
  clients.pop_back();
  WaitUntil([&] { return server_->counters().connections_open.load() == 2; });
  Client next = Connect();
  ASSERT_TRUE(next.Send(Client::Request("X", "in")));
  EXPECT_EQ(next.Receive()->body, "in");
}

TEST_P(HttpServerTest, StopAnswersWhatIsUnderWayAndClosesTheRest) {
  START_OR_SKIP();
  Client idle = Connect();
  ASSERT_TRUE(idle.Send(Client::Request("X", "before")));
  EXPECT_EQ(idle.Receive()->body, "before");
  Client busy = Connect();
  ASSERT_TRUE(busy.Send("GET /hold HTTP/1.1\r\n\r\n"));
  WaitUntil([&] { return handler_.started() == 2; });
  std::thread stopper([&] { server_->Stop(); });
  EXPECT_TRUE(idle.Closed());
  handler_.Release();
  const auto response = busy.Receive();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.at("Connection"), "close");
  EXPECT_TRUE(busy.Closed());
  stopper.join();
  EXPECT_FALSE(Client(server_->port()).connected());
}

TEST_P(HttpServerTest, StopDoesNotWaitForASilentClientForever) {
  options_.stop_timeout_ms = 50;
  START_OR_SKIP();
  Client half = Connect();
  ASSERT_TRUE(half.Send("POST / HTTP/1.1\r\nContent-Le"));
  WaitUntil([&] { return server_->counters().received_bytes.load() > 0; });
  server_->Stop();
  EXPECT_TRUE(half.Closed());
}

TEST_P(HttpServerTest, APortInUseIsAnErrorThatNamesIt) {
  START_OR_SKIP();
  HttpServerOptions options = options_;
  options.port = server_->port();
  const auto second = HttpServer::Start(*io_, options, workers_.get(), &handler_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(Message(second.status()).find(fmt::format("127.0.0.1 port {}", options.port)),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Io, HttpServerTest, testing::Values("uring", "posix"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace varve::server
