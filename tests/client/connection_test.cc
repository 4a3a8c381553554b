// One connection against a server that the test plays itself.
#include "client/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "io/io.h"
#include "item/errors.h"
#include "tests/client/fake_server.h"
#include "tests/support/io_fixture.h"

namespace varve::client {
namespace {

using testing::Answer;
using testing::AnswerError;
using testing::DefaultWelcome;
using testing::FrameType;
using testing::Get;
using testing::Got;
using ::testing::HasSubstr;
using testing::Peer;
using testing::Put;
using testing::ReceivedFrame;
using testing::ValueOf;

// Both ends of a connection.
struct World {
  io::Socket listener;
  ConnectionOptions options;
  protocol::Welcome welcome = DefaultWelcome();
  protocol::Hello hello;
  Peer peer;
  std::unique_ptr<Connection> connection;

  io::Task<void> Meet() {
    io::TaskGroup group;
    group.Add(testing::Greet(&listener, &peer, welcome, &hello));
    StatusOr<std::unique_ptr<Connection>> connected = co_await Connection::Connect(options);
    EXPECT_TRUE(connected.ok()) << connected.status();
    co_await group.Wait();
    if (connected.ok()) connection = std::move(*connected);
  }
};

class ConnectionTest : public varve::testing::IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    if (IsSkipped()) return;
    if (simulated()) GTEST_SKIP() << "no network";
    StatusOr<io::Socket> listener = io::Listen({});
    ASSERT_TRUE(listener.ok()) << listener.status();
    world_.listener = std::move(*listener);
    world_.options.port = *io::LocalPort(world_.listener);
  }

  // Lets the two meet, runs `script` and closes.
  void Run(io::Task<void> (*script)(World& world)) {
    struct Play {
      static io::Task<void> All(World& world, io::Task<void> (*script)(World& world)) {
        co_await world.Meet();
        if (world.connection == nullptr) co_return;
        co_await script(world);
        co_await world.connection->Close();
        world.connection.reset();
        world.peer.Close();
      }
    };
    io::BlockOn(io(), Play::All(world_, script));
  }
  // Runs `script` without having connected.
  void RunAlone(io::Task<void> (*script)(World& world)) { io::BlockOn(io(), script(world_)); }

  World world_;
};
VARVE_ON_EVERY_IO(ConnectionTest);

TEST_P(ConnectionTest, ShakesHands) {
  world_.options.client_name = "somebody";
  world_.options.credit_bytes = 12345;
  Run([](World& world) -> io::Task<void> {
    EXPECT_EQ(world.hello.magic, "varve");
    EXPECT_EQ(world.hello.version_min, protocol::kVersion);
    EXPECT_EQ(world.hello.item_encoding_max, protocol::kItemEncoding);
    EXPECT_EQ(world.hello.client_name, "somebody");
    EXPECT_EQ(world.hello.credit_bytes, 12345u);
    EXPECT_EQ(world.connection->welcome().server_name, "fake");
    EXPECT_TRUE(world.connection->usable());
    co_return;
  });
}

TEST_P(ConnectionTest, AsksAndIsAnswered) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    EXPECT_EQ(frame.type(), FrameType::kGetItem);
    EXPECT_NE(frame.id(), 0u);
    EXPECT_EQ(frame.As<item::GetItemRequest>().key, testing::StringItem("k", "a"));
    EXPECT_FALSE(call.done());
    co_await world.peer.Write(Answer(frame, Got("1")));
    const StatusOr<item::GetItemResponse> response = co_await call;
    EXPECT_EQ(ValueOf(response), "1");
  });
}

io::Task<void> AnswerOne(Peer* peer, std::string value) {
  const ReceivedFrame frame = co_await peer->Read();
  co_await peer->Write(Answer(frame, Got(value)));
}

TEST_P(ConnectionTest, ACallMayBeAwaitedWhereItIsMade) {
  Run([](World& world) -> io::Task<void> {
    for (int i = 0; i < 100; ++i) {
      io::TaskGroup group;
      group.Add(AnswerOne(&world.peer, fmt::format("{}", i)));
      const StatusOr<item::GetItemResponse> response = co_await world.connection->GetItem(Get("a"));
      EXPECT_EQ(ValueOf(response), fmt::format("{}", i));
      co_await group.Wait();
    }
  });
}

TEST_P(ConnectionTest, TakesAnswersInAnyOrder) {
  Run([](World& world) -> io::Task<void> {
    std::vector<ReceivedFrame> frames;
    auto a = world.connection->GetItem(Get("a"));
    auto b = world.connection->GetItem(Get("b"));
    auto c = world.connection->PutItem(Put("c"));
    for (int i = 0; i < 3; ++i) frames.push_back(co_await world.peer.Read());
    co_await world.peer.Write(Answer(frames[2], item::PutItemResponse{}) +
                              Answer(frames[1], Got("b")) + Answer(frames[0], Got("a")));
    const auto got_a = co_await a;
    EXPECT_EQ(ValueOf(got_a), "a");
    const auto got_b = co_await b;
    EXPECT_EQ(ValueOf(got_b), "b");
    const auto put_c = co_await c;
    EXPECT_TRUE(put_c.ok()) << put_c.status();
  });
}

TEST_P(ConnectionTest, RequestsOfOnePassLeaveTogether) {
  Run([](World& world) -> io::Task<void> {
    auto a = world.connection->GetItem(Get("a"));
    auto b = world.connection->GetItem(Get("b"));
    auto c = world.connection->GetItem(Get("c"));
    const int before = world.peer.receives();
    for (int i = 0; i < 3; ++i) {
      const ReceivedFrame frame = co_await world.peer.Read();
      EXPECT_EQ(world.peer.receives(), before + 1);
    }
  });
}

TEST_P(ConnectionTest, AnswersArriveInPieces) {
  Run([](World& world) -> io::Task<void> {
    auto a = world.connection->GetItem(Get("a"));
    auto b = world.connection->GetItem(Get("b"));
    const ReceivedFrame first = co_await world.peer.Read();
    const ReceivedFrame second = co_await world.peer.Read();
    const std::string large(300'000, 'x');
    const std::string bytes = Answer(first, Got(large)) + Answer(second, Got("small"));
    size_t done = 0;
    for (const size_t piece : {1u, 5u, 7u, 200u, 100'000u}) {
      co_await world.peer.Write(bytes.substr(done, piece));
      done += piece;
      auto ping = world.connection->Ping();  // lets the piece arrive on its own
      const ReceivedFrame asked = co_await world.peer.Read();
      EXPECT_EQ(asked.type(), FrameType::kPing);
      EXPECT_FALSE(a.done());
    }
    co_await world.peer.Write(bytes.substr(done));
    const auto got_a = co_await a;
    EXPECT_TRUE(ValueOf(got_a) == large);
    const auto got_b = co_await b;
    EXPECT_EQ(ValueOf(got_b), "small");
  });
}

TEST_P(ConnectionTest, ErrorsAreTheServers) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->PutItem(Put("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    const item::Item old = testing::StringItem("v", "old");
    co_await world.peer.Write(AnswerError(frame, item::ConditionalCheckFailed(old.view())));
    const auto response = co_await call;
    EXPECT_EQ(item::TypeOfError(response.status()),
              item::ErrorType::kConditionalCheckFailedException);
    EXPECT_EQ(item::ItemOfError(response.status()), old);
    EXPECT_FALSE(call.unsent());
    EXPECT_TRUE(world.connection->usable());
  });
}

TEST_P(ConnectionTest, TokensAndHandlesGoWithTheRequest) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->PutItem(Put("a"), {.prepared = 7, .request_token = "token"});
    const ReceivedFrame frame = co_await world.peer.Read();
    protocol::RequestExtras extras;
    frame.As<item::PutItemRequest>(&extras);
    EXPECT_EQ(extras.prepared, 7u);
    EXPECT_EQ(extras.request_token, "token");
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}, 0, /*repeated=*/true));
    const auto response = co_await call;
    EXPECT_TRUE(response.ok());
    EXPECT_TRUE(call.repeated());
  });
}

TEST_P(ConnectionTest, PreparesAndForgets) {
  Run([](World& world) -> io::Task<void> {
    protocol::PrepareRequest request;
    request.table_name = "T";
    request.operation = static_cast<uint64_t>(FrameType::kQuery);
    request.key_condition_expression = "p = :p";
    auto prepare = world.connection->Prepare(request);
    const ReceivedFrame frame = co_await world.peer.Read();
    EXPECT_EQ(frame.type(), FrameType::kPrepare);
    EXPECT_EQ(frame.As<protocol::PrepareRequest>().key_condition_expression, "p = :p");
    co_await world.peer.Write(Answer(frame, protocol::PrepareResponse{.prepared = 3}));
    const auto prepared = co_await prepare;
    EXPECT_TRUE(prepared.ok() && prepared->prepared == 3);
    auto forget = world.connection->Forget(3);
    const ReceivedFrame forgotten = co_await world.peer.Read();
    EXPECT_EQ(forgotten.As<protocol::ForgetRequest>().prepared, 3u);
    co_await world.peer.Write(testing::AnswerNothing(forgotten));
    const auto done = co_await forget;
    EXPECT_TRUE(done.ok());
  });
}

TEST_P(ConnectionTest, PingsBothWays) {
  Run([](World& world) -> io::Task<void> {
    auto ping = world.connection->Ping();
    const ReceivedFrame frame = co_await world.peer.Read();
    EXPECT_EQ(frame.type(), FrameType::kPing);
    co_await world.peer.WriteFrame({.type = FrameType::kPong}, frame.payload);
    const Status status = co_await ping;
    EXPECT_TRUE(status.ok()) << status;

    co_await world.peer.WriteFrame({.type = FrameType::kPing}, "hello?");
    const ReceivedFrame pong = co_await world.peer.Read();
    EXPECT_EQ(pong.type(), FrameType::kPong);
    EXPECT_EQ(pong.payload, "hello?");
  });
}

// ---- Limits

TEST_P(ConnectionTest, CallsBeyondTheServersLimitWait) {
  world_.welcome.requests_max = 2;
  Run([](World& world) -> io::Task<void> {
    auto a = world.connection->GetItem(Get("a"));
    auto b = world.connection->GetItem(Get("b"));
    auto c = world.connection->GetItem(Get("c"));
    auto d = world.connection->GetItem(Get("d"));
    EXPECT_EQ(world.connection->calls_under_way(), 4u);
    const ReceivedFrame first = co_await world.peer.Read();
    const ReceivedFrame second = co_await world.peer.Read();
    EXPECT_FALSE(world.peer.HasMore());
    co_await world.peer.Write(Answer(second, Got("b")));
    const ReceivedFrame third = co_await world.peer.Read();
    EXPECT_EQ(third.As<item::GetItemRequest>().key, testing::StringItem("k", "c"));
    EXPECT_EQ(third.id(), second.id());
    EXPECT_FALSE(world.peer.HasMore());
    co_await world.peer.Write(Answer(first, Got("a")) + Answer(third, Got("c")));
    const ReceivedFrame fourth = co_await world.peer.Read();
    co_await world.peer.Write(Answer(fourth, Got("d")));
    const auto got_d = co_await d;
    EXPECT_EQ(ValueOf(got_d), "d");
    const auto got_c = co_await c;
    EXPECT_EQ(ValueOf(got_c), "c");
    const auto got_b = co_await b;
    EXPECT_EQ(ValueOf(got_b), "b");
    const auto got_a = co_await a;
    EXPECT_EQ(ValueOf(got_a), "a");
    EXPECT_EQ(world.connection->calls_under_way(), 0u);
  });
}

TEST_P(ConnectionTest, ARequestThatIsTooLargeIsNotSent) {
  world_.welcome.request_bytes_max = 1000;
  Run([](World& world) -> io::Task<void> {
    auto large = world.connection->GetItem(Get(std::string(1000, 'x')));
    auto small = world.connection->GetItem(Get("a"));
    const auto refused = co_await large;
    EXPECT_EQ(item::TypeOfError(refused.status()), item::ErrorType::kValidationException);
    EXPECT_TRUE(large.unsent());
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Got("1")));
    const auto got = co_await small;
    EXPECT_EQ(ValueOf(got), "1");
  });
}

TEST_P(ConnectionTest, CreditIsGivenBackByTheHalf) {
  world_.options.credit_bytes = 1 << 20;
  world_.welcome.credit_bytes_max = 2000;  // what counts
  Run([](World& world) -> io::Task<void> {
    uint64_t sent = 0;
    uint64_t back = 0;
    for (int i = 0; i < 50; ++i) {
      auto call = world.connection->GetItem(Get("a"));
      ReceivedFrame frame = co_await world.peer.Read();
      if (frame.type() == FrameType::kCredit) {
        const uint64_t credit = frame.AsMessage<protocol::Credit>().bytes;
        EXPECT_GE(credit, 1000u);
        back += credit;
        frame = co_await world.peer.Read();
      }
      const std::string answer = Answer(frame, Got(std::string(300, 'x')));
      sent += answer.size();
      co_await world.peer.Write(answer);
      const auto response = co_await call;
      EXPECT_TRUE(response.ok());
      EXPECT_LE(back, sent);
      EXPECT_GE(back + 2000, sent) << "the server would have stopped answering";
    }
  });
}

// ---- Streams

item::ItemPage Page(std::string_view value) {
  item::ItemPage page;
  page.items.Append(testing::StringItem("v", value));
  page.count = page.scanned_count = 1;
  page.last_evaluated_key = testing::StringItem("k", value);
  return page;
}

std::string TextOf(const StatusOr<std::optional<item::ItemPage>>& page) {
  if (!page.ok()) return page.status().ToString();
  if (!page->has_value()) return "end";
  return std::string((*page)->items.at(0).Find("v")->text());
}

item::QueryRequest Query() {
  item::QueryRequest request;
  request.table_name = "T";
  request.key_condition_expression = "p = :p";
  return request;
}

TEST_P(ConnectionTest, StreamsPages) {
  Run([](World& world) -> io::Task<void> {
    auto stream = world.connection->QueryStream(Query());
    const ReceivedFrame frame = co_await world.peer.Read();
    EXPECT_EQ(frame.type(), FrameType::kQueryStream);
    co_await world.peer.Write(Answer(frame, Page("1"), protocol::kMore));
    const auto first = co_await stream.Next();
    EXPECT_EQ(TextOf(first), "1");
    auto between = world.connection->GetItem(Get("a"));
    const ReceivedFrame get = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Page("2"), protocol::kMore) +
                              Answer(get, Got("between")) + Answer(frame, Page("3")));
    const auto got = co_await between;
    EXPECT_EQ(ValueOf(got), "between");
    const auto second = co_await stream.Next();
    EXPECT_EQ(TextOf(second), "2");
    const auto third = co_await stream.Next();
    EXPECT_EQ(TextOf(third), "3");
    EXPECT_EQ((*third)->last_evaluated_key, testing::StringItem("k", "3"));
    const auto end = co_await stream.Next();
    EXPECT_EQ(TextOf(end), "end");
  });
}

TEST_P(ConnectionTest, AStreamMayEndInAnError) {
  Run([](World& world) -> io::Task<void> {
    auto stream = world.connection->QueryStream(Query());
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Page("1"), protocol::kMore) +
                              AnswerError(frame, item::TableNotFound()));
    const auto first = co_await stream.Next();
    EXPECT_EQ(TextOf(first), "1");
    const auto second = co_await stream.Next();
    EXPECT_EQ(item::TypeOfError(second.status()), item::ErrorType::kResourceNotFoundException);
  });
}

TEST_P(ConnectionTest, PagesKeepTheirCreditUntilTheyAreTaken) {
  world_.options.credit_bytes = 2000;
  Run([](World& world) -> io::Task<void> {
    auto stream = world.connection->QueryStream(Query());
    const ReceivedFrame frame = co_await world.peer.Read();
    const std::string page = Answer(frame, Page(std::string(900, 'p')), protocol::kMore);
    co_await world.peer.Write(page + page + page);
    auto ping = world.connection->Ping();
    ReceivedFrame next = co_await world.peer.Read();
    EXPECT_EQ(next.type(), FrameType::kPing);  // no credit before it
    co_await world.peer.WriteFrame({.type = FrameType::kPong}, {});
    const Status pong = co_await ping;
    EXPECT_TRUE(pong.ok());
    EXPECT_FALSE(world.peer.HasMore());
    const auto taken = co_await stream.Next();
    EXPECT_TRUE(taken.ok());
    next = co_await world.peer.Read();
    EXPECT_EQ(next.type(), FrameType::kCredit);
    EXPECT_EQ(next.AsMessage<protocol::Credit>().bytes, page.size());
  });
}

TEST_P(ConnectionTest, ACancelledStreamIsNotHeardOfAnyMore) {
  world_.welcome.credit_bytes_max = 2;
  Run([](World& world) -> io::Task<void> {
    auto stream = world.connection->QueryStream(Query());
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Page("1"), protocol::kMore));
    const auto first = co_await stream.Next();
    EXPECT_EQ(TextOf(first), "1");
    stream.Cancel();
    const auto next = co_await stream.Next();
    EXPECT_EQ(next.status().code(), absl::StatusCode::kCancelled);
    ReceivedFrame cancel = co_await world.peer.Read();
    while (cancel.type() == FrameType::kCredit) cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
    EXPECT_EQ(cancel.id(), frame.id());
    EXPECT_EQ(world.connection->calls_under_way(), 1u);  // its id is taken until the last frame
    const std::string page = Answer(frame, Page("2"), protocol::kMore);
    co_await world.peer.Write(page + AnswerError(frame, protocol::Cancelled()));
    const ReceivedFrame credit = co_await world.peer.Read();
    EXPECT_EQ(credit.type(), FrameType::kCredit);
    EXPECT_EQ(world.connection->calls_under_way(), 0u);
    EXPECT_TRUE(world.connection->usable());
  });
}

// ---- Giving up on a call

TEST_P(ConnectionTest, ACallThatIsDestroyedIsCancelled) {
  Run([](World& world) -> io::Task<void> {
    { auto call = world.connection->GetItem(Get("a")); }
    const ReceivedFrame frame = co_await world.peer.Read();
    const ReceivedFrame cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
    EXPECT_EQ(cancel.id(), frame.id());
    // Its id is not given to another before the server has answered.
    auto next = world.connection->GetItem(Get("b"));
    const ReceivedFrame second = co_await world.peer.Read();
    EXPECT_NE(second.id(), frame.id());
    co_await world.peer.Write(Answer(frame, Got("late")) + Answer(second, Got("b")));
    const auto got = co_await next;
    EXPECT_EQ(ValueOf(got), "b");
    EXPECT_EQ(world.connection->calls_under_way(), 0u);
  });
}

TEST_P(ConnectionTest, ACallEndsAtItsDeadline) {
  Run([](World& world) -> io::Task<void> {
    auto patient = world.connection->GetItem(Get("a"), {.timeout_ms = 1'000'000});
    auto call = world.connection->GetItem(Get("b"), {.timeout_ms = 1});
    const auto late = co_await call;
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(late.status().ToString(), HasSubstr("GetItem: no answer within 1 ms"));
    EXPECT_FALSE(call.unsent());
    const ReceivedFrame first = co_await world.peer.Read();
    const ReceivedFrame second = co_await world.peer.Read();
    const ReceivedFrame cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
    EXPECT_EQ(cancel.id(), second.id());
    co_await world.peer.Write(AnswerError(second, protocol::Cancelled()) + Answer(first, Got("a")));
    const auto got = co_await patient;
    EXPECT_EQ(ValueOf(got), "a");
  });
}

TEST_P(ConnectionTest, ACallThatWaitsForItsTurnEndsAtItsDeadlineToo) {
  world_.welcome.requests_max = 1;
  Run([](World& world) -> io::Task<void> {
    auto first = world.connection->GetItem(Get("a"));
    auto call = world.connection->GetItem(Get("b"), {.timeout_ms = 1});
    const auto late = co_await call;
    EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_TRUE(call.unsent());
    EXPECT_EQ(world.connection->calls_under_way(), 1u);
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Got("a")));
    const auto got = co_await first;
    EXPECT_EQ(ValueOf(got), "a");
    EXPECT_FALSE(world.peer.HasMore());
  });
}

TEST_P(ConnectionTest, AStreamsDeadlineIsOfEachPage) {
  world_.options.timeout_ms = 1;
  Run([](World& world) -> io::Task<void> {
    auto stream = world.connection->QueryStream(Query());
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Page("1"), protocol::kMore));
    const auto first = co_await stream.Next();
    if (!first.ok()) co_return;  // a machine so slow that there is nothing to see
    EXPECT_EQ(TextOf(first), "1");
    const auto second = co_await stream.Next();
    EXPECT_EQ(second.status().code(), absl::StatusCode::kDeadlineExceeded);
    const ReceivedFrame cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
  });
}

// ---- The end

TEST_P(ConnectionTest, WhenTheServerGoesEverybodyHears) {
  Run([](World& world) -> io::Task<void> {
    auto a = world.connection->GetItem(Get("a"));
    auto stream = world.connection->QueryStream(Query());
    auto ping = world.connection->Ping();
    const ReceivedFrame first = co_await world.peer.Read();
    const ReceivedFrame second = co_await world.peer.Read();
    // Half an answer.
    co_await world.peer.Write(Answer(first, Got("a")).substr(0, 15));
    world.peer.Shutdown();
    const auto got = co_await a;
    EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(item::TypeOfError(got.status()), item::ErrorType::kServiceUnavailable);
    EXPECT_FALSE(a.unsent());
    const auto page = co_await stream.Next();
    EXPECT_EQ(page.status().code(), absl::StatusCode::kUnavailable);
    const Status pong = co_await ping;
    EXPECT_EQ(pong.code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(world.connection->usable());
    EXPECT_EQ(world.connection->calls_under_way(), 0u);
    auto later = world.connection->GetItem(Get("b"));
    EXPECT_TRUE(later.done());
    EXPECT_TRUE(later.unsent());
    const auto refused = co_await later;
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST_P(ConnectionTest, WhatWasNotSentIsKnown) {
  world_.welcome.requests_max = 1;
  Run([](World& world) -> io::Task<void> {
    auto sent = world.connection->GetItem(Get("a"));
    auto waits = world.connection->GetItem(Get("b"));
    const ReceivedFrame frame = co_await world.peer.Read();
    world.peer.Shutdown();
    const auto first = co_await sent;
    EXPECT_FALSE(sent.unsent());
    const auto second = co_await waits;
    EXPECT_TRUE(waits.unsent());
  });
}

TEST_P(ConnectionTest, AGoodbyeSaysWhy) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    const protocol::Goodbye goodbye{.reason = "closing time"};
    co_await world.peer.WriteMessage({.type = FrameType::kGoodbye}, goodbye);
    const auto response = co_await call;
    EXPECT_THAT(response.status().ToString(), HasSubstr("closing time"));
  });
}

TEST_P(ConnectionTest, FramesThatMakeNoSenseEndTheConnection) {
  const std::vector<std::string> nonsense = {
      std::string("\xff\xff\xff\x7f\x01\0\0\0\x10\0\0\0", 12),  // too long
      std::string("\0\0\0\0\x01\0\0\0\x10\x40\0\0", 12),        // unknown flag
      std::string("\0\0\0\0\x07\0\0\0\x10\0\0\0", 12),          // nobody asked
      std::string("\0\0\0\0\x01\0\0\0\x11\0\0\0", 12),          // asked for something else
      std::string("\0\0\0\0\x01\0\0\0\x10\x01\0\0", 12),        // more of what has no more
      std::string("\0\0\0\0\0\0\0\0\x05\0\0\0", 12),            // a pong
      std::string("\0\0\0\0\0\0\0\0\x01\0\0\0", 12),            // a second welcome
      std::string("\0\0\0\0\0\0\0\0\x03\0\0\0", 12),            // credit for a client
  };
  static std::string bytes;
  for (const std::string& each : nonsense) {
    bytes = each;
    Run([](World& world) -> io::Task<void> {
      auto call = world.connection->GetItem(Get("a"));
      const ReceivedFrame frame = co_await world.peer.Read();
      EXPECT_EQ(frame.id(), 1u);
      co_await world.peer.Write(bytes);
      const auto response = co_await call;
      EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
    });
  }
}

TEST_P(ConnectionTest, AnAnswerThatMakesNoSenseFailsItsCall) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.WriteFrame({.request_id = frame.id(), .type = frame.type()}, "\x0a\x7f");
    const auto response = co_await call;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kDataLoss) << response.status();
    EXPECT_TRUE(world.connection->usable());
  });
}

TEST_P(ConnectionTest, SaysGoodbye) {
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.connection->Close();
    const auto response = co_await call;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
    const ReceivedFrame goodbye = co_await world.peer.Read();
    EXPECT_EQ(goodbye.type(), FrameType::kGoodbye);
    const auto end = co_await world.peer.ReadOrEnd();
    EXPECT_FALSE(end.has_value());
  });
}

TEST_P(ConnectionTest, ClosesThoughTheServerDoesNotRead) {
  world_.welcome.request_bytes_max = protocol::kRequestBytesMax;
  world_.options.close_timeout_ms = 1;
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->PutItem(Put(std::string(12 << 20, 'x')));
    co_await io::Yield();
    co_await io::Yield();
    co_await world.connection->Close();
    EXPECT_TRUE(call.done());
  });
}

TEST_P(ConnectionTest, AServerWithoutASignOfLifeIsGivenUp) {
  world_.options.keep_alive_ms = 1;
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const auto response = co_await call;
    EXPECT_THAT(response.status().ToString(), HasSubstr("no sign of the server"));
  });
}

TEST_P(ConnectionTest, AnIdleConnectionIsKeptAlive) {
  world_.welcome.idle_timeout_ms = 15;
  Run([](World& world) -> io::Task<void> {
    for (int i = 0; i < 3 && world.connection->usable(); ++i) {
      const ReceivedFrame ping = co_await world.peer.Read();
      EXPECT_EQ(ping.type(), FrameType::kPing);
      co_await world.peer.WriteFrame({.type = FrameType::kPong}, {});
    }
  });
}

// ---- Connecting

TEST_P(ConnectionTest, ConnectsToAUnixSocket) {
  const std::string path = Path("socket");
  StatusOr<io::Socket> listener = io::ListenUnix(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  world_.listener = std::move(*listener);
  world_.options.socket_path = path;
  Run([](World& world) -> io::Task<void> {
    auto call = world.connection->GetItem(Get("a"));
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Got("1")));
    const auto response = co_await call;
    EXPECT_EQ(ValueOf(response), "1");
  });
}

TEST_P(ConnectionTest, SaysWhereNobodyListens) {
  world_.listener.Close();
  RunAlone([](World& world) -> io::Task<void> {
    const auto refused = co_await Connection::Connect(world.options);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(refused.status().ToString(),
                HasSubstr(fmt::format("127.0.0.1 port {}", world.options.port)));
    ConnectionOptions unix_options;
    unix_options.socket_path = "/no/such/socket";
    const auto no_socket = co_await Connection::Connect(unix_options);
    EXPECT_EQ(no_socket.status().code(), absl::StatusCode::kUnavailable);
    ConnectionOptions name_options;
    name_options.address = "no address";
    const auto no_address = co_await Connection::Connect(name_options);
    EXPECT_EQ(no_address.status().code(), absl::StatusCode::kInvalidArgument);
  });
}

TEST_P(ConnectionTest, AServerThatSaysNothingIsGivenUp) {
  world_.options.connect_timeout_ms = 1;
  RunAlone([](World& world) -> io::Task<void> {
    const auto silent = co_await Connection::Connect(world.options);
    EXPECT_EQ(silent.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(silent.status().ToString(), HasSubstr("no welcome within 1 ms"));
  });
}

TEST_P(ConnectionTest, AServerOfAnotherKindIsRefused) {
  RunAlone([](World& world) -> io::Task<void> {
    protocol::Welcome newer = DefaultWelcome();
    newer.version = 2;
    protocol::Welcome secret = DefaultWelcome();
    secret.authentication = "password";
    for (const protocol::Welcome& welcome : {newer, secret}) {
      io::TaskGroup group;
      group.Add(testing::Greet(&world.listener, &world.peer, welcome));
      const auto refused = co_await Connection::Connect(world.options);
      EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
      co_await group.Wait();
      world.peer.Close();
    }
  });
}

}  // namespace
}  // namespace varve::client
