// The thread-safe client against servers that the test plays itself.
#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
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
using testing::Greet;
using ::testing::HasSubstr;
using testing::Peer;
using testing::Put;
using testing::ReceivedFrame;
using testing::ValueOf;

struct World {
  io::Socket listener;
  ClientOptions options;
  protocol::Welcome welcome = DefaultWelcome();
  Peer peer;
  std::unique_ptr<Client> client;

  // The client's next connection becomes `peer`.
  io::Task<void> Meet() {
    peer = Peer();
    co_await Greet(&listener, &peer, welcome);
  }
};

class ClientTest : public varve::testing::IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    if (IsSkipped()) return;
    if (simulated()) GTEST_SKIP() << "no network";
    StatusOr<io::Socket> listener = io::Listen({});
    ASSERT_TRUE(listener.ok()) << listener.status();
    world_.listener = std::move(*listener);
    ClientOptions& options = world_.options;
    options.server.port = *io::LocalPort(world_.listener);
    options.server.close_timeout_ms = 10;
    options.connections_per_thread = 1;
    options.backoff_first_ms = 1;
    options.backoff_max_ms = 2;
    options.timeout_ms = 0;
    options.io = &io();
  }

  void OpenClient() {
    StatusOr<std::unique_ptr<Client>> client = Client::Open(world_.options);
    ASSERT_TRUE(client.ok()) << client.status();
    world_.client = std::move(*client);
  }
  // Plays the server in `script`, on the test's own thread.
  void Run(io::Task<void> (*script)(World& world)) {
    OpenClient();
    io::BlockOn(io(), script(world_));
    world_.client.reset();
    world_.peer.Close();
  }

  World world_;
};
VARVE_ON_EVERY_IO(ClientTest);

// ---- A server that serves: GetItem finds the key's `k` as `v`. After `answers_max` answers it
// ends the connection, in the middle of what was asked.

io::Task<void> ServeOne(io::Socket socket, int answers_max, std::atomic<int>* served) {
  Peer peer(std::move(socket));
  const std::optional<ReceivedFrame> hello = co_await peer.ReadOrEnd();
  if (!hello.has_value()) co_return;
  co_await peer.WriteMessage({.type = FrameType::kWelcome}, DefaultWelcome());
  for (int i = 0; i < answers_max;) {
    const std::optional<ReceivedFrame> frame = co_await peer.ReadOrEnd();
    if (!frame.has_value() || frame->type() == FrameType::kGoodbye) co_return;
    if (frame->type() != FrameType::kGetItem) continue;
    const item::GetItemRequest request = frame->As<item::GetItemRequest>();
    co_await peer.Write(Answer(*frame, Got(*TextOf(request.key, "k"))));
    served->fetch_add(1);
    ++i;
  }
}

io::Task<void> Serve(const io::Socket* listener, int answers_max, std::atomic<int>* served) {
  for (;;) {
    StatusOr<io::Socket> socket = co_await io::Accept(*listener);
    if (!socket.ok()) co_return;
    io::Executor::Current()->Spawn(ServeOne(std::move(*socket), answers_max, served));
  }
}

io::Task<std::string> GetInCoroutine(Client* client, std::string key) {
  io::Executor* const here = io::Executor::Current();
  const StatusOr<item::GetItemResponse> response = co_await client->GetItem(Get(key));
  EXPECT_EQ(io::Executor::Current(), here);
  co_return ValueOf(response);
}

TEST_P(ClientTest, AnswersAreWaitedForInThreeWays) {
  std::atomic<int> served{0};
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(Serve(&world_.listener, 1000, &served));
  OpenClient();
  Client& client = *world_.client;
  EXPECT_EQ(ValueOf(client.GetItem(Get("a")).Get()), "a");
  std::future<StatusOr<item::GetItemResponse>> future = client.GetItem(Get("b")).Future();
  EXPECT_EQ(ValueOf(future.get()), "b");
  EXPECT_EQ(Await(GetInCoroutine(&client, "c")), "c");
  EXPECT_EQ(client.calls(), 0u);
  world_.client.reset();
  io::Shutdown(world_.listener);
}

TEST_P(ClientTest, ServesManyThreadsThroughConnectionsThatBreak) {
  std::atomic<int> served{0};
  const auto worker = io().StartWorker({.name = "server"});
  worker->executor().Spawn(Serve(&world_.listener, 37, &served));
  world_.options.threads = 2;
  world_.options.connections_per_thread = 2;
  world_.options.attempts_max = 1000;
  OpenClient();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, &wrong] {
      for (int i = 0; i < 100; ++i) {
        const std::string key = fmt::format("{}.{}", t, i);
        std::vector<Reply<item::GetItemResponse>> replies;
        for (int n = 0; n < 3; ++n) replies.push_back(world_.client->GetItem(Get(key)));
        replies.pop_back();  // not wanted after all
        for (Reply<item::GetItemResponse>& reply : replies) {
          if (ValueOf(reply.Get()) != key) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(served, 4 * 100 * 2);
  world_.client.reset();
  io::Shutdown(world_.listener);
}

// ---- What is sent again

TEST_P(ClientTest, AReadIsSentAgainOnAnotherConnection) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->GetItem(Get("a"));
    co_await world.Meet();
    const ReceivedFrame first = co_await world.peer.Read();
    co_await world.peer.Write(Answer(first, Got("half")).substr(0, 20));
    co_await world.Meet();  // and the first is gone
    const ReceivedFrame again = co_await world.peer.Read();
    EXPECT_EQ(again.payload, first.payload);
    co_await world.peer.Write(Answer(again, Got("1")));
    const auto response = co_await reply;
    EXPECT_EQ(ValueOf(response), "1");
  });
}

TEST_P(ClientTest, AWriteIsNotSentAgain) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->PutItem(Put("a"));
    co_await world.Meet();
    const ReceivedFrame first = co_await world.peer.Read();
    world.peer.Close();
    const auto response = co_await reply;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(item::TypeOfError(response.status()), item::ErrorType::kServiceUnavailable);
    // The next request finds a new connection.
    auto next = world.client->PutItem(Put("b"));
    co_await world.Meet();
    const ReceivedFrame second = co_await world.peer.Read();
    EXPECT_EQ(second.As<item::PutItemRequest>().item, testing::StringItem("k", "b"));
    co_await world.peer.Write(Answer(second, item::PutItemResponse{}));
    const auto done = co_await next;
    EXPECT_TRUE(done.ok()) << done.status();
  });
}

TEST_P(ClientTest, AWriteWithATokenIsSentAgainWithTheSame) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->PutItem(Put("a"), {.request_token = "token"});
    for (int i = 0; i < 3; ++i) {
      co_await world.Meet();
      const ReceivedFrame frame = co_await world.peer.Read();
      protocol::RequestExtras extras;
      frame.As<item::PutItemRequest>(&extras);
      EXPECT_EQ(extras.request_token, "token");
      if (i < 2) continue;
      co_await world.peer.Write(Answer(frame, item::PutItemResponse{}, 0, /*repeated=*/true));
    }
    const auto response = co_await reply;
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_TRUE(reply.repeated());
  });
}

TEST_P(ClientTest, ATokenThatTheServerDoesNotHeedIsWorthNothing) {
  world_.welcome.features = 0;
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->PutItem(Put("a"), {.request_token = "token"});
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    world.peer.Close();
    const auto response = co_await reply;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST_P(ClientTest, WritesMayGetTokensByThemselves) {
  world_.options.write_tokens = true;
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->UpdateItem({.table_name = "T"});
    co_await world.Meet();
    const ReceivedFrame first = co_await world.peer.Read();
    protocol::RequestExtras extras;
    first.As<item::UpdateItemRequest>(&extras);
    EXPECT_EQ(extras.request_token.size(), 32u);
    co_await world.Meet();
    const ReceivedFrame again = co_await world.peer.Read();
    EXPECT_EQ(again.payload, first.payload);

    auto transact = world.client->TransactWriteItems({});
    const ReceivedFrame transaction = co_await world.peer.Read();
    const auto token = transaction.As<item::TransactWriteItemsRequest>().client_request_token;
    EXPECT_TRUE(token.has_value() && token->size() == 32 && *token != extras.request_token);
    auto get = world.client->GetItem(Get("a"));
    const ReceivedFrame read = co_await world.peer.Read();
    protocol::RequestExtras of_read;
    read.As<item::GetItemRequest>(&of_read);
    EXPECT_EQ(of_read.request_token, "");
  });
}

TEST_P(ClientTest, WhatTheServerHasNotDoneIsSentAgain) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->PutItem(Put("a"));
    co_await world.Meet();
    for (int i = 0; i < 2; ++i) {
      const ReceivedFrame frame = co_await world.peer.Read();
      co_await world.peer.Write(AnswerError(
          frame,
          item::MakeError(item::ErrorType::kProvisionedThroughputExceededException, "slow")));
    }
    const ReceivedFrame third = co_await world.peer.Read();
    co_await world.peer.Write(Answer(third, item::PutItemResponse{}));
    const auto response = co_await reply;
    EXPECT_TRUE(response.ok()) << response.status();
  });
}

TEST_P(ClientTest, AttemptsAreBounded) {
  world_.options.attempts_max = 3;
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->GetItem(Get("a"));
    co_await world.Meet();
    for (int i = 0; i < 3; ++i) {
      const ReceivedFrame frame = co_await world.peer.Read();
      co_await world.peer.Write(
          AnswerError(frame, item::MakeError(item::ErrorType::kThrottlingException, "no")));
    }
    const auto response = co_await reply;
    EXPECT_EQ(item::TypeOfError(response.status()), item::ErrorType::kThrottlingException);
  });
}

TEST_P(ClientTest, TheServersLastWordIsTheLast) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->GetItem(Get("a"));
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(AnswerError(frame, item::TableNotFound()));
    const auto response = co_await reply;
    EXPECT_EQ(item::TypeOfError(response.status()), item::ErrorType::kResourceNotFoundException);
  });
}

TEST_P(ClientTest, AWriteThatFoundTheServerGoneIsSentToItsSuccessor) {
  Run([](World& world) -> io::Task<void> {
    auto get = world.client->GetItem(Get("a"));
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(Answer(frame, Got("1")));
    const auto got = co_await get;
    EXPECT_EQ(ValueOf(got), "1");
    // Refused to begin with: nothing was sent.
    io::Shutdown(world.listener);
    world.listener.Close();
    world.peer.Close();
    auto put = world.client->PutItem(Put("a"));
    const auto response = co_await put;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST_P(ClientTest, NobodyThereIsSaidAfterSomeAttempts) {
  world_.listener.Close();
  OpenClient();
  const auto response = world_.client->GetItem(Get("a")).Get();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(response.status().ToString(),
              HasSubstr(fmt::format("127.0.0.1 port {}", world_.options.server.port)));
  const auto write = world_.client->PutItem(Put("a")).Get();
  EXPECT_EQ(write.status().code(), absl::StatusCode::kUnavailable);
}

TEST_P(ClientTest, AServerOfAnotherVersionIsNotAskedAgain) {
  world_.welcome.version = 9;
  world_.options.attempts_max = 1'000'000;
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->GetItem(Get("a"));
    co_await world.Meet();
    const auto response = co_await reply;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kFailedPrecondition);
  });
}

// ---- Giving up

TEST_P(ClientTest, ARequestEndsAtItsDeadline) {
  Run([](World& world) -> io::Task<void> {
    auto reply = world.client->GetItem(Get("a"), {.timeout_ms = 20});
    co_await world.Meet();
    const auto response = co_await reply;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
    const ReceivedFrame frame = co_await world.peer.Read();
    // Had it not even been sent, there is nothing to cancel.
    if (frame.type() != FrameType::kGetItem) co_return;
    const ReceivedFrame cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
    EXPECT_EQ(cancel.id(), frame.id());
  });
}

TEST_P(ClientTest, ARequestEndsAtItsDeadlineThoughThereIsNoConnection) {
  world_.options.attempts_max = 1'000'000'000;
  world_.listener.Close();
  OpenClient();
  const auto response = world_.client->GetItem(Get("a"), {.timeout_ms = 20}).Get();
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(ClientTest, AReplyThatIsDestroyedIsCancelled) {
  Run([](World& world) -> io::Task<void> {
    std::optional<Reply<item::GetItemResponse>> reply(world.client->GetItem(Get("a")));
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    reply.reset();
    const ReceivedFrame cancel = co_await world.peer.Read();
    EXPECT_EQ(cancel.type(), FrameType::kCancel);
    EXPECT_EQ(cancel.id(), frame.id());

    auto second = world.client->GetItem(Get("b"));
    const ReceivedFrame asked = co_await world.peer.Read();
    second.Cancel();
    const auto response = co_await second;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kCancelled);
  });
}

TEST_P(ClientTest, WhatIsUnderWayEndsWithTheClient) {
  Run([](World& world) -> io::Task<void> {
    auto future = world.client->GetItem(Get("a")).Future();
    auto reply = world.client->PutItem(Put("a"));
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    world.client.reset();
    EXPECT_EQ(future.get().status().code(), absl::StatusCode::kCancelled);
    const auto response = co_await reply;
    EXPECT_EQ(response.status().code(), absl::StatusCode::kCancelled);
  });
}

TEST_P(ClientTest, TooManyRequestsAreRefused) {
  world_.options.calls_max = 2;
  Run([](World& world) -> io::Task<void> {
    auto a = world.client->GetItem(Get("a"));
    auto b = world.client->GetItem(Get("b"));
    auto c = world.client->GetItem(Get("c"));
    EXPECT_TRUE(c.done());
    const auto refused = co_await c;
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
    co_await world.Meet();
    const ReceivedFrame first = co_await world.peer.Read();
    co_await world.peer.Write(Answer(first, Got("a")));
    const auto got = co_await a;
    EXPECT_EQ(ValueOf(got), "a");
    auto d = world.client->GetItem(Get("d"));
    EXPECT_FALSE(d.done());
  });
}

// ---- Prepared expressions

protocol::PrepareRequest Definition(std::string condition) {
  protocol::PrepareRequest definition;
  definition.table_name = "T";
  definition.operation = static_cast<uint64_t>(FrameType::kPutItem);
  definition.condition_expression = std::move(condition);
  return definition;
}

io::Task<void> AnswerPrepare(Peer* peer, std::string condition, uint64_t handle) {
  const ReceivedFrame frame = co_await peer->Read();
  EXPECT_EQ(frame.type(), FrameType::kPrepare);
  EXPECT_EQ(frame.As<protocol::PrepareRequest>().condition_expression, condition);
  co_await peer->Write(Answer(frame, protocol::PrepareResponse{.prepared = handle}));
}

// Reads a PutItem with `handle` and returns it.
io::Task<ReceivedFrame> ReadPut(Peer* peer, uint64_t handle) {
  const ReceivedFrame frame = co_await peer->Read();
  EXPECT_EQ(frame.type(), FrameType::kPutItem);
  protocol::RequestExtras extras;
  frame.As<item::PutItemRequest>(&extras);
  EXPECT_EQ(extras.prepared, handle);
  co_return frame;
}

TEST_P(ClientTest, ExpressionsArePreparedWhenTheyAreUsed) {
  Run([](World& world) -> io::Task<void> {
    const Prepared prepared = world.client->Prepare(Definition("a = b"));
    auto first = world.client->PutItem(Put("a"), {.prepared = prepared});
    co_await world.Meet();
    co_await AnswerPrepare(&world.peer, "a = b", 7);
    ReceivedFrame frame = co_await ReadPut(&world.peer, 7);
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}));
    const auto done = co_await first;
    EXPECT_TRUE(done.ok()) << done.status();

    // Known now; then its table becomes another one.
    auto second = world.client->PutItem(Put("b"), {.prepared = prepared});
    frame = co_await ReadPut(&world.peer, 7);
    co_await world.peer.Write(AnswerError(frame, protocol::PreparedInvalid(7)));
    co_await AnswerPrepare(&world.peer, "a = b", 8);
    frame = co_await ReadPut(&world.peer, 8);
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}));
    const auto again = co_await second;
    EXPECT_TRUE(again.ok()) << again.status();

    // Another connection has handles of its own.
    world.peer.Close();
    auto third = world.client->PutItem(Put("c"), {.prepared = prepared, .request_token = "t"});
    co_await world.Meet();
    co_await AnswerPrepare(&world.peer, "a = b", 1);
    frame = co_await ReadPut(&world.peer, 1);
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}));
    const auto moved = co_await third;
    EXPECT_TRUE(moved.ok()) << moved.status();
  });
}

TEST_P(ClientTest, WhatIsWrongWithExpressionsIsSaidByTheirRequest) {
  Run([](World& world) -> io::Task<void> {
    const Prepared prepared = world.client->Prepare(Definition("nonsense"));
    auto reply = world.client->PutItem(Put("a"), {.prepared = prepared});
    co_await world.Meet();
    const ReceivedFrame frame = co_await world.peer.Read();
    co_await world.peer.Write(AnswerError(frame, item::ValidationError("nonsense")));
    const auto response = co_await reply;
    EXPECT_EQ(item::TypeOfError(response.status()), item::ErrorType::kValidationException);
  });
}

TEST_P(ClientTest, TheOldestHandleMakesRoom) {
  world_.welcome.prepared_max = 1;
  Run([](World& world) -> io::Task<void> {
    const Prepared a = world.client->Prepare(Definition("a"));
    const Prepared b = world.client->Prepare(Definition("b"));
    auto first = world.client->PutItem(Put("a"), {.prepared = a});
    co_await world.Meet();
    co_await AnswerPrepare(&world.peer, "a", 1);
    ReceivedFrame frame = co_await ReadPut(&world.peer, 1);
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}));
    const auto done = co_await first;
    EXPECT_TRUE(done.ok());
    auto second = world.client->PutItem(Put("b"), {.prepared = b});
    frame = co_await world.peer.Read();
    EXPECT_EQ(frame.type(), FrameType::kForget);
    EXPECT_EQ(frame.As<protocol::ForgetRequest>().prepared, 1u);
    co_await world.peer.Write(testing::AnswerNothing(frame));
    co_await AnswerPrepare(&world.peer, "b", 2);
    frame = co_await ReadPut(&world.peer, 2);
    co_await world.peer.Write(Answer(frame, item::PutItemResponse{}));
    const auto replaced = co_await second;
    EXPECT_TRUE(replaced.ok()) << replaced.status();
  });
}

// ---- Pages, JSON

item::ItemPage PageOf(std::string_view value, bool last) {
  item::ItemPage page;
  page.items.Append(testing::StringItem("v", value));
  page.count = page.scanned_count = 1;
  if (!last) page.last_evaluated_key = testing::StringItem("k", value);
  return page;
}

TEST_P(ClientTest, PagesFollowOneAnother) {
  Run([](World& world) -> io::Task<void> {
    item::ScanRequest request;
    request.table_name = "T";
    Pages pages = world.client->ScanPages(request);
    co_await world.Meet();
    ReceivedFrame frame = co_await world.peer.Read();
    EXPECT_FALSE(frame.As<item::ScanRequest>().exclusive_start_key.has_value());
    co_await world.peer.Write(Answer(frame, PageOf("1", false)));
    const auto first = co_await pages.AwaitNext();
    EXPECT_EQ(TextOf((*first)->items.at(0), "v"), "1");
    // Asked for before anybody waits for it.
    frame = co_await world.peer.Read();
    EXPECT_EQ(frame.As<item::ScanRequest>().exclusive_start_key, testing::StringItem("k", "1"));
    co_await world.peer.Write(Answer(frame, PageOf("2", true)));
    const auto second = co_await pages.AwaitNext();
    EXPECT_EQ(TextOf((*second)->items.at(0), "v"), "2");
    const auto end = co_await pages.AwaitNext();
    EXPECT_TRUE(end.ok() && !end->has_value());
    EXPECT_FALSE(world.peer.HasMore());
  });
}

TEST_P(ClientTest, JsonIsSentAgainIfItReads) {
  Run([](World& world) -> io::Task<void> {
    auto list = world.client->Json("DynamoDB_20120810.ListTables", "{}");
    co_await world.Meet();
    const ReceivedFrame first = co_await world.peer.Read();
    EXPECT_EQ(first.As<protocol::JsonRequest>().operation, "DynamoDB_20120810.ListTables");
    co_await world.Meet();
    const ReceivedFrame again = co_await world.peer.Read();
    const protocol::JsonResponse answer{.http_status = 200, .body = "{}"};
    co_await world.peer.Write(Answer(again, answer));
    const auto response = co_await list;
    EXPECT_TRUE(response.ok() && response->http_status == 200);

    auto put = world.client->Json("PutItem", "{}");
    const ReceivedFrame write = co_await world.peer.Read();
    world.peer.Close();
    const auto failed = co_await put;
    EXPECT_EQ(failed.status().code(), absl::StatusCode::kUnavailable);
  });
}

TEST(ClientOptionsTest, MakeSense) {
  ClientOptions none;
  none.threads = 0;
  EXPECT_EQ(Client::Open(none).status().code(), absl::StatusCode::kInvalidArgument);
  ClientOptions named;
  named.server.address = "localhost";
  const auto client = Client::Open(named);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->options().server.address, "127.0.0.1");
}

}  // namespace
}  // namespace varve::client
