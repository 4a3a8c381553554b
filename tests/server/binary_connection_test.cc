// What a connection of the binary protocol does with its frames, whatever they ask for.
#include "server/binary_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "item/errors.h"
#include "tests/server/binary_fixture.h"

namespace varve::server {
namespace {

using protocol::FrameType;
using ::testing::HasSubstr;

class BinaryConnectionTest : public BinaryServerTest {};
VARVE_ON_EACH_NETWORK(BinaryConnectionTest);

// ---- The beginning

TEST_P(BinaryConnectionTest, WelcomeSaysWhatWasChosenAndTheLimits) {
  options_.requests_max = 7;
  options_.prepared_max = 8;
  options_.credit_bytes_max = 9999;
  options_.idle_timeout_ms = 12345;
  Start();
  BinaryClient client = Connect();
  const auto frame = client.Greet();
  ASSERT_TRUE(frame);
  ASSERT_EQ(frame->header.type, FrameType::kWelcome);
  protocol::Welcome welcome;
  ASSERT_TRUE(protocol::Decode(frame->payload, &welcome).ok());
  EXPECT_EQ(welcome.version, 1u);
  EXPECT_EQ(welcome.item_encoding, 1u);
  EXPECT_EQ(welcome.requests_max, 7u);
  EXPECT_EQ(welcome.prepared_max, 8u);
  EXPECT_EQ(welcome.credit_bytes_max, 9999u);
  EXPECT_EQ(welcome.idle_timeout_ms, 12345u);
  EXPECT_EQ(welcome.request_bytes_max, size_t{16} << 20);
  EXPECT_EQ(welcome.authentication, "");
}

TEST_P(BinaryConnectionTest, AClientThatIsNotUnderstoodIsToldWhy) {
  Start();
  const auto goodbye = [&](const protocol::Hello& hello) {
    BinaryClient client = Connect();
    client.SendBytes(BinaryClient::MessageFrame(FrameType::kHello, hello));
    return client.Goodbye();
  };
  protocol::Hello hello = BinaryClient::HelloOf(1000);
  hello.version_min = hello.version_max = 2;
  EXPECT_THAT(goodbye(hello), HasSubstr("version 1"));
  hello = BinaryClient::HelloOf(1000);
  hello.item_encoding_min = hello.item_encoding_max = 5;
  EXPECT_THAT(goodbye(hello), HasSubstr("item encoding 1"));
  hello = BinaryClient::HelloOf(1000);
  hello.magic = "redis";
  EXPECT_THAT(goodbye(hello), HasSubstr("not the protocol"));
  {
    BinaryClient client = Connect();
    client.SendFrame(FrameType::kPing, 0, "");
    EXPECT_THAT(client.Goodbye(), HasSubstr("Hello"));
  }
  {
    BinaryClient client = Connect();
    client.SendBytes("GET / HTTP/1.1\r\n\r\n");
    EXPECT_NE(client.Goodbye(), "");
  }
}

TEST_P(BinaryConnectionTest, RequestsNeedNotWaitForWelcome) {
  Start();
  BinaryClient client = Connect();
  ASSERT_TRUE(client.SendBytes(
      BinaryClient::MessageFrame(FrameType::kHello, BinaryClient::HelloOf(10000)) +
      BinaryClient::RequestFrame(FrameType::kListTables, 5, item::ListTablesRequest{})));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kWelcome);
  EXPECT_EQ(client.Receive()->header.request_id, 5u);
}

TEST_P(BinaryConnectionTest, NoAuthenticationIsAskedFor) {
  Start();
  BinaryClient client = ConnectAndGreet();
  client.SendBytes(
      BinaryClient::MessageFrame(FrameType::kAuthenticate, protocol::Authenticate{"key"}));
  const auto frame = client.Receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->header.type, FrameType::kAuthenticate);
  EXPECT_TRUE(frame->is_error());
}

// ---- Frames

TEST_P(BinaryConnectionTest, FramesThatBreakTheRulesEndTheConnection) {
  Start();
  struct Case {
    std::string bytes;
    std::string_view reason;
  };
  const auto frame = [](FrameType type, uint32_t id, uint8_t flags) {
    std::string bytes;
    protocol::AppendFrame({0, id, type, flags}, "", bytes);
    return bytes;
  };
  std::string oversize(protocol::kFrameHeaderBytes, '\0');
  protocol::StoreFrameHeader(oversize.data(), {(16u << 20) + 1, 1, FrameType::kGetItem, 0});
  std::string reserved = frame(FrameType::kGetItem, 1, 0);
  reserved[11] = 1;
  const Case cases[] = {
      {oversize, ""},
      {reserved, ""},
      {frame(FrameType::kGetItem, 1, 0x80), ""},
      {frame(FrameType::kGetItem, 1, protocol::kMore), "no flags"},
      {frame(FrameType::kGetItem, 0, 0), "not 0"},
      {frame(FrameType::kHello, 0, 0), "once"},
      {frame(FrameType::kWelcome, 0, 0), "once"},
      {BinaryClient::FrameOf(FrameType::kCredit, 0, "\x08"), "Credit"},
      {BinaryClient::FrameOf(FrameType::kPing, 0, std::string(65, 'x')), "64"},
  };
  for (const Case& c : cases) {
    BinaryClient client = ConnectAndGreet();
    ASSERT_TRUE(client.SendBytes(c.bytes));
    EXPECT_THAT(client.Goodbye(), HasSubstr(c.reason));
  }
  EXPECT_EQ(server_->Figures().connections_broken, std::size(cases));
}

TEST_P(BinaryConnectionTest, AssemblesFramesThatComeByteByByte) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  const std::string bytes =
      BinaryClient::RequestFrame(FrameType::kPutItem, 1, Put("Letters", ItemOf("a", "x"))) +
      BinaryClient::RequestFrame(FrameType::kGetItem, 2, Get("Letters", "a"));
  for (const char byte : bytes) ASSERT_TRUE(client.SendBytes({&byte, 1}));
  std::set<uint32_t> ids;
  ids.insert(client.Receive()->header.request_id);
  ids.insert(client.Receive()->header.request_id);
  EXPECT_EQ(ids, (std::set<uint32_t>{1, 2}));
}

TEST_P(BinaryConnectionTest, AnswersAThousandRequestsOfOneBurst) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  PutItems(client, "Letters", 1, std::string(100, 'x'));
  std::string burst;
  for (uint32_t id = 1; id <= 1000; ++id) {
    burst += BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "00000"));
  }
  ASSERT_TRUE(client.SendBytes(burst));
  std::set<uint32_t> ids;
  for (int i = 0; i < 1000; ++i) {
    const auto frame = client.Receive();
    ASSERT_TRUE(frame && !frame->is_error());
    ids.insert(frame->header.request_id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST_P(BinaryConnectionTest, CarriesLargeItemsBothWays) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  const item::Item item = ItemOf("a", std::string(390'000, 'x'));
  ASSERT_TRUE(client.Call<item::PutItemResponse>(FrameType::kPutItem, Put("Letters", item)).ok());
  const auto got = client.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "a"));
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->item == item);
  EXPECT_EQ(server_->Figures().request_memory_bytes, 0u);
}

TEST_P(BinaryConnectionTest, APingIsAnsweredWithItsPayload) {
  Start();
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 3, "are you there"));
  const auto frame = client.Receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->header.type, FrameType::kPong);
  EXPECT_EQ(frame->header.request_id, 3u);
  EXPECT_EQ(frame->payload, "are you there");
}

// ---- Order, credit, cancelling

TEST_P(BinaryConnectionTest, AnIdThatIsUnderWayIsNotUsedAgain) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  const std::string get = BinaryClient::RequestFrame(FrameType::kGetItem, 1, Get("Letters", "a"));
  ASSERT_TRUE(client.SendBytes(get + get));
  EXPECT_THAT(client.Goodbye(), HasSubstr("under way"));
}

TEST_P(BinaryConnectionTest, NothingBeginsWithoutCredit) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  ASSERT_TRUE(
      client.SendBytes(BinaryClient::RequestFrame(FrameType::kGetItem, 1, Get("Letters", "a"))));
  // The Pong shows that the request has been seen.
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 0, ""));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kPong);
  EXPECT_EQ(server_->Figures().answers[static_cast<size_t>(FrameType::kGetItem)], 0u);
  ASSERT_TRUE(client.GiveCredit(1));
  const auto frame = client.Receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->header.request_id, 1u);
  EXPECT_FALSE(frame->is_error());
}

TEST_P(BinaryConnectionTest, CreditBoundsWhatIsSent) {
  Start();
  CreateTable("Letters");
  {
    BinaryClient client = ConnectAndGreet();
    PutItems(client, "Letters", 1, std::string(1000, 'x'));
  }
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/2500);
  std::string burst;
  for (uint32_t id = 1; id <= 10; ++id) {
    burst += BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "00000"));
  }
  ASSERT_TRUE(client.SendBytes(burst));
  // Three begin: the third goes below zero.
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(client.Receive()->header.request_id, id);
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 0, ""));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kPong);
  // What was overdrawn is made up for first.
  ASSERT_TRUE(client.GiveCredit(10));
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 0, ""));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kPong);
  ASSERT_TRUE(client.GiveCredit(100'000));
  for (uint32_t id = 4; id <= 10; ++id) EXPECT_EQ(client.Receive()->header.request_id, id);
}

TEST_P(BinaryConnectionTest, CreditBeyondTheMostDoesNotCount) {
  options_.credit_bytes_max = 1000;
  Start();
  CreateTable("Letters");
  {
    BinaryClient client = ConnectAndGreet();
    PutItems(client, "Letters", 1, std::string(1000, 'x'));
  }
  BinaryClient client = ConnectAndGreet(uint64_t{1} << 40);
  ASSERT_TRUE(client.GiveCredit(~uint64_t{0}));
  std::string burst;
  for (uint32_t id = 1; id <= 3; ++id) {
    burst += BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "00000"));
  }
  ASSERT_TRUE(client.SendBytes(burst));
  EXPECT_EQ(client.Receive()->header.request_id, 1u);
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 0, ""));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kPong);
}

TEST_P(BinaryConnectionTest, ARequestThatWaitsCanBeCancelled) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  ASSERT_TRUE(client.SendBytes(
      BinaryClient::RequestFrame(FrameType::kPutItem, 1, Put("Letters", ItemOf("a", "x"))) +
      BinaryClient::RequestFrame(FrameType::kGetItem, 2, Get("Letters", "a")) +
      BinaryClient::FrameOf(FrameType::kCancel, 1, "") +
      BinaryClient::FrameOf(FrameType::kCancel, 77, "")));  // too late, or never there
  const auto cancelled = client.Receive();
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->header.request_id, 1u);
  EXPECT_TRUE(absl::IsCancelled(cancelled->error()));
  ASSERT_TRUE(client.GiveCredit(1000));
  const auto got = client.Receive();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->header.request_id, 2u);
  EXPECT_EQ(got->payload, "");  // the item was never put
}

TEST_P(BinaryConnectionTest, TheIdOfACancelledRequestMayBeUsedAgain) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  const auto get = [](uint32_t id) {
    return BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "a"));
  };
  std::string burst = get(1) + get(2) + get(3);
  for (int i = 0; i < 1000; ++i) {
    burst += BinaryClient::FrameOf(FrameType::kCancel, 2, "") + get(2);
  }
  ASSERT_TRUE(client.SendBytes(burst));
  for (int i = 0; i < 1000; ++i) {
    const auto cancelled = client.Receive();
    ASSERT_TRUE(cancelled && cancelled->header.request_id == 2);
    ASSERT_TRUE(absl::IsCancelled(cancelled->error()));
  }
  ASSERT_TRUE(client.GiveCredit(1 << 20));  // cancelled requests' answers take from it, too
  for (const uint32_t id : {1, 3, 2}) {
    const auto got = client.Receive();
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->is_error());
    EXPECT_EQ(got->header.request_id, id);
  }
}

TEST_P(BinaryConnectionTest, AStreamWaitsForCreditAndCanBeCancelled) {
  Start();
  CreateTable("Letters");
  {
    BinaryClient client = ConnectAndGreet();
    PutItems(client, "Letters", 200, std::string(5000, 'x'));
  }
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/200'000);
  item::ScanRequest scan;
  scan.table_name = "Letters";
  ASSERT_TRUE(client.SendBytes(BinaryClient::RequestFrame(FrameType::kScanStream, 1, scan)));
  EXPECT_TRUE(client.Receive()->has_more());
  EXPECT_TRUE(client.Receive()->has_more());
  ASSERT_TRUE(client.SendFrame(FrameType::kPing, 0, ""));
  EXPECT_EQ(client.Receive()->header.type, FrameType::kPong);
  ASSERT_TRUE(client.SendFrame(FrameType::kCancel, 1, ""));
  const auto last = client.Receive();
  ASSERT_TRUE(last);
  EXPECT_FALSE(last->has_more());
  EXPECT_TRUE(absl::IsCancelled(last->error()));
}

// ---- Many

TEST_P(BinaryConnectionTest, AClientThatNeverReadsIsBoundedAndHarmsNobody) {
  options_.credit_bytes_max = 1 << 20;
  Start();
  CreateTable("Letters");
  BinaryClient other = ConnectAndGreet();
  PutItems(other, "Letters", 1, std::string(100'000, 'x'));
  BinaryClient deaf = ConnectAndGreet(1 << 20);
  std::string burst;
  for (uint32_t id = 1; id <= 500; ++id) {
    burst += BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "00000"));
  }
  ASSERT_TRUE(deaf.SendBytes(burst));
  ASSERT_TRUE(deaf.SendFrame(FrameType::kPing, 0, ""));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(
        other.Call<item::GetItemResponse>(FrameType::kGetItem, Get("Letters", "00000")).ok());
    EXPECT_LT(server_->Figures().answer_memory_bytes, size_t{3} << 20);
  }
  // It is served when it reads after all.
  std::set<uint32_t> ids;
  while (ids.size() < 500) {
    const auto frame = deaf.Receive();
    ASSERT_TRUE(frame);
    if (frame->header.type != FrameType::kGetItem) continue;
    ids.insert(frame->header.request_id);
    deaf.GiveCredit(protocol::kFrameHeaderBytes + frame->payload.size());
  }
}

// Pongs need no credit, but somebody who takes them.
TEST_P(BinaryConnectionTest, AClientThatPingsAndNeverReadsIsSlowedDown) {
  options_.credit_bytes_max = 1 << 20;
  Start();
  BinaryClient client = ConnectAndGreet();
  std::string pings;
  for (int i = 0; i < 10'000; ++i) {
    pings += BinaryClient::FrameOf(FrameType::kPing, 0, std::string(64, 'x'));
  }
  const size_t sent = client.SendUntilRefused(pings, /*bytes_max=*/size_t{256} << 20);
  EXPECT_LT(sent, size_t{128} << 20);  // the server's bound, and what the sockets hold
  EXPECT_LT(server_->Figures().answer_memory_bytes, size_t{4} << 20);
}

TEST_P(BinaryConnectionTest, MoreRequestsThanMayWaitSlowTheClientDown) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(/*credit_bytes=*/0);
  // 40 MB of requests: more than the server keeps and the kernel buffers.
  const std::string text(350'000, 'x');
  std::thread sender([&] {
    for (uint32_t id = 1; id <= 120; ++id) {
      const std::string put = BinaryClient::RequestFrame(
          FrameType::kPutItem, id, Put("Letters", ItemOf(fmt::format("{}", id), text)));
      if (!client.SendBytes(put)) return;  // the server has stopped
    }
  });
  WaitUntil([&] { return server_->Figures().request_memory_bytes > size_t{16} << 20; });
  EXPECT_LT(server_->Figures().request_memory_bytes, size_t{20} << 20);
  EXPECT_EQ(server_->Figures().requests_in_progress, 0u);
  server_->Stop();
  // The client learns that nothing was done.
  EXPECT_EQ(client.Receive()->header.type, FrameType::kGoodbye);
  io::Shutdown(client.socket());
  sender.join();
}

TEST_P(BinaryConnectionTest, TooManyConnectionsAreRefused) {
  options_.connections_max = 2;
  Start();
  BinaryClient first = ConnectAndGreet();
  BinaryClient second = ConnectAndGreet();
  BinaryClient third = Connect();
  EXPECT_THAT(third.Goodbye(), HasSubstr("too many connections"));
  EXPECT_EQ(server_->Figures().connections_refused, 1u);
}

TEST_P(BinaryConnectionTest, WritesOfManyConnectionsAreAllDone) {
  Start();
  CreateTable("Letters");
  std::vector<BinaryClient> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(ConnectAndGreet());
  for (size_t i = 0; i < clients.size(); ++i) {
    std::string burst;
    for (uint32_t id = 1; id <= 20; ++id) {
      burst += BinaryClient::RequestFrame(FrameType::kPutItem, id,
                                          Put("Letters", ItemOf(fmt::format("{}-{}", i, id), "x")));
    }
    ASSERT_TRUE(clients[i].SendBytes(burst));
  }
  for (BinaryClient& client : clients) {
    std::set<uint32_t> ids;
    for (int i = 0; i < 20; ++i) {
      const auto frame = client.Receive();
      ASSERT_TRUE(frame && !frame->is_error());
      ids.insert(frame->header.request_id);
    }
    EXPECT_EQ(ids.size(), 20u);
  }
}

// ---- Timeouts, the end

TEST_P(BinaryConnectionTest, AnIdleConnectionIsToldGoodbye) {
  options_.idle_timeout_ms = 50;
  Start();
  BinaryClient client = ConnectAndGreet();
  EXPECT_THAT(client.Goodbye(), HasSubstr("nothing was heard"));
}

TEST_P(BinaryConnectionTest, HalfAFrameIsCutOff) {
  options_.request_timeout_ms = 50;
  Start();
  BinaryClient silent = Connect();
  EXPECT_FALSE(silent.Receive());
  BinaryClient slow = ConnectAndGreet();
  ASSERT_TRUE(slow.SendBytes(std::string("\x10\0\0\0", 4)));
  EXPECT_FALSE(slow.Receive());
  EXPECT_EQ(server_->Figures().timeouts, 2u);
}

TEST_P(BinaryConnectionTest, ARequestIsAnsweredThoughTheClientSendsNoMore) {
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet();
  ASSERT_TRUE(client.SendBytes(
      BinaryClient::RequestFrame(FrameType::kPutItem, 1, Put("Letters", ItemOf("a", "x"))) +
      BinaryClient::MessageFrame(FrameType::kGoodbye, protocol::Goodbye{"done"})));
  const auto frame = client.Receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->header.request_id, 1u);
  EXPECT_EQ(client.Goodbye(), "");
}

TEST_P(BinaryConnectionTest, StopAnswersWhatIsUnderWayAndSaysGoodbye) {
  Start();
  CreateTable("Letters");
  std::vector<BinaryClient> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(ConnectAndGreet());
  std::vector<std::vector<uint32_t>> answered(clients.size());
  for (size_t i = 0; i < clients.size(); ++i) {
    std::string burst;
    for (uint32_t id = 1; id <= 50; ++id) {
      burst += BinaryClient::RequestFrame(FrameType::kPutItem, id,
                                          Put("Letters", ItemOf(fmt::format("{}-{}", i, id), "x")));
    }
    ASSERT_TRUE(clients[i].SendBytes(burst));
  }
  std::thread stop([&] { server_->Stop(); });
  for (size_t i = 0; i < clients.size(); ++i) {
    for (;;) {
      const auto frame = clients[i].Receive();
      ASSERT_TRUE(frame) << "no goodbye";
      if (frame->header.type == FrameType::kGoodbye) break;
      ASSERT_FALSE(frame->is_error());
      answered[i].push_back(frame->header.request_id);
    }
  }
  stop.join();
  EXPECT_EQ(server_->Figures().connections_open, 0u);
  // What was answered is there, and nothing else is.
  for (size_t i = 0; i < clients.size(); ++i) {
    for (uint32_t id = 1; id <= 50; ++id) {
      const bool has = std::count(answered[i].begin(), answered[i].end(), id) > 0;
      const auto got =
          io::BlockOn(*io_, store_->GetItem(Get("Letters", fmt::format("{}-{}", i, id))));
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got->item.has_value(), has) << i << "-" << id;
    }
  }
}

TEST_P(BinaryConnectionTest, StopDoesNotWaitForAClientThatNeverReads) {
  options_.stop_timeout_ms = 200;
  Start();
  CreateTable("Letters");
  BinaryClient client = ConnectAndGreet(uint64_t{16} << 20);
  PutItems(client, "Letters", 1, std::string(300'000, 'x'));
  for (uint32_t id = 1000; id <= 1100; ++id) {
    ASSERT_TRUE(client.SendBytes(
        BinaryClient::RequestFrame(FrameType::kGetItem, id, Get("Letters", "00000"))));
  }
  WaitUntil([&] { return server_->Figures().answer_memory_bytes > 0; });
  server_->Stop();
  EXPECT_EQ(server_->Figures().answer_memory_bytes, 0u);
}

TEST_P(BinaryConnectionTest, AUnixSocketServesAsTheTcpPortDoes) {
  options_.port.reset();
  options_.socket_path = directory_.path() + "/socket";
  Start();
  auto socket = io::ConnectUnix(options_.socket_path);
  ASSERT_TRUE(socket.ok()) << socket.status();
  BinaryClient client(std::move(*socket));
  EXPECT_EQ(client.Greet()->header.type, FrameType::kWelcome);
  EXPECT_TRUE(
      client.Call<item::ListTablesResponse>(FrameType::kListTables, item::ListTablesRequest{})
          .ok());
  server_->Stop();
  EXPECT_FALSE(io::ConnectUnix(options_.socket_path).ok());
}

}  // namespace
}  // namespace varve::server
