// Real threads on one log: for the thread sanitizer, and for what only real concurrency shows.
#include <absl/synchronization/mutex.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/io_fixture.h"
#include "tests/wal/log_harness.h"
#include "wal/log.h"
#include "wal/reader.h"

namespace varve::wal {
namespace {

class LogThreads : public testing::IoTest {
 protected:
  void SetUp() override {
    if (simulated()) GTEST_SKIP() << "it has one thread";
    IoTest::SetUp();
  }
};
VARVE_ON_EVERY_IO(LogThreads);

struct Shared {
  Log* log = nullptr;
  absl::Mutex commit_lock;
  SequenceNumber next_sequence = 1;
  std::atomic<Lsn> told{0};
};

AppendResult Append(Shared& shared, size_t bytes) {
  absl::MutexLock lock(&shared.commit_lock);
  const std::string payload = MakePayload(shared.next_sequence, bytes);
  const std::string_view parts[] = {payload};
  const AppendResult result = shared.log->Append(shared.next_sequence, parts);
  if (result.state == AppendResult::State::kAppended) ++shared.next_sequence;
  return result;
}

io::Task<Status> Commit(Shared& shared, size_t bytes, bool durable) {
  AppendResult result;
  while (true) {
    result = Append(shared, bytes);
    if (result.state == AppendResult::State::kAppended) break;
    if (result.state == AppendResult::State::kFailed) co_return shared.log->failure();
    Status room = co_await shared.log->Room(bytes);
    if (!room.ok()) co_return room;
  }
  if (!durable) co_return absl::OkStatus();
  Status status = co_await shared.log->WaitDurable(result.end);
  EXPECT_GE(shared.told.load(), result.end);
  co_return status;
}

class Background {
 public:
  Background(io::Io& io, Log& log) : log_(log), thread_([this, &io] { Run(io); }) {}
  ~Background() {
    stop_ = true;
    thread_.join();
  }

 private:
  void Run(io::Io& io) {
    while (!stop_) {
      if (log_.NeedsSegment()) {
        EXPECT_TRUE(io::BlockOn(io, log_.PrepareSegment()).ok());
      } else {
        std::this_thread::yield();
      }
    }
  }

  Log& log_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void CommitFromManyThreads(io::Io& io, const std::string& directory, Medium medium) {
  constexpr int kThreads = 6;
  constexpr int kCommits = 60;
  Shared shared;
  LogOptions options;
  options.medium = medium;
  options.directory = directory;
  options.segment_bytes_first = 32 << 10;
  options.segment_bytes_max = 64 << 10;
  options.group_bytes_max = 12 << 10;
  options.groups_in_flight_max = 3;
  options.on_durable = [&](Lsn lsn) {
    EXPECT_GT(lsn, shared.told.load());
    shared.told = lsn;
  };
  auto log = io::BlockOn(io, Log::Open(io, options, LogStart()));
  ASSERT_TRUE(log.ok()) << log.status();
  shared.log = log->get();
  {
    const Background background(io, **log);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&io, &shared, t] {
        Random random(t);
        for (int i = 0; i < kCommits; ++i) {
          const Status status =
              io::BlockOn(io, Commit(shared, random.Below(3000), random.OneIn(3)));
          EXPECT_TRUE(status.ok()) << status;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const auto seal = io::BlockOn(io, (*log)->Close());
  ASSERT_TRUE(seal.ok()) << seal.status();
  *log = nullptr;
  LogChain chain;
  chain.seals = {*seal};
  SequenceNumber expected = 1;
  const auto tail = io::BlockOn(
      io, ReplayLog(io, directory, 0, chain, [&](const LogRecord& record) {
        EXPECT_EQ(record.sequence, expected++);
        EXPECT_TRUE(record.payload == MakePayload(record.sequence, record.payload.size()));
        return absl::OkStatus();
      }));
  ASSERT_TRUE(tail.ok()) << tail.status();
  EXPECT_EQ(expected, kThreads * kCommits + 1u);
}

TEST_P(LogThreads, CommitDurably) { CommitFromManyThreads(io(), directory(), Medium::kDurable); }
TEST_P(LogThreads, CommitRelaxed) { CommitFromManyThreads(io(), directory(), Medium::kRelaxed); }

}  // namespace
}  // namespace varve::wal
