// Real threads on one log: for the thread sanitizer, and for what only real concurrency shows.
#include <absl/synchronization/mutex.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
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

// What an embedding application's thread does: it sleeps while it waits.
Status CommitBlocking(io::Io& io, Shared& shared, size_t bytes) {
  while (true) {
    const AppendResult result = Append(shared, bytes);
    if (result.state == AppendResult::State::kFailed) return shared.log->failure();
    if (result.state == AppendResult::State::kAppended) {
      const Status status = shared.log->WaitDurableNow(result.end);
      if (status.ok()) {
        EXPECT_GE(shared.told.load(), result.end);
      }
      return status;
    }
    VARVE_RETURN_IF_ERROR(io::BlockOn(io, shared.log->Room(bytes)));
  }
}

// Who waits for durability: tasks, threads that sleep, or both on one log.
enum class Waiting { kTasks, kThreads, kBoth };

LogOptions SmallLog(const std::string& directory, Medium medium, Shared& shared) {
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
  return options;
}

void CommitFromManyThreads(io::Io& io, const std::string& directory, Medium medium,
                           Waiting waiting = Waiting::kTasks) {
  constexpr int kThreads = 6;
  constexpr int kCommits = 60;
  Shared shared;
  LogOptions options = SmallLog(directory, medium, shared);
  auto log = io::BlockOn(io, Log::Open(io, options, LogStart()));
  ASSERT_TRUE(log.ok()) << log.status();
  shared.log = log->get();
  {
    const Background background(io, **log);
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&io, &shared, t, waiting] {
        const bool sleeps = waiting == Waiting::kThreads || (waiting == Waiting::kBoth && t % 2);
        Random random(t);
        for (int i = 0; i < kCommits; ++i) {
          const size_t bytes = random.Below(3000);
          const Status status = sleeps ? CommitBlocking(io, shared, bytes)
                                       : io::BlockOn(io, Commit(shared, bytes, random.OneIn(3)));
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
TEST_P(LogThreads, CommitDurablyAsleep) {
  CommitFromManyThreads(io(), directory(), Medium::kDurable, Waiting::kThreads);
}
TEST_P(LogThreads, CommitDurablyAsleepBesideTasks) {
  CommitFromManyThreads(io(), directory(), Medium::kDurable, Waiting::kBoth);
}

// A disk that refuses to write behind a certain offset, for the threads of this process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*const handler_)(int);
};

TEST_P(LogThreads, AFailedWriteReachesAllWhoSleep) {
  constexpr int kThreads = 6;
  Shared shared;
  auto log = io::BlockOn(
      io(), Log::Open(io(), SmallLog(directory(), Medium::kDurable, shared), LogStart()));
  ASSERT_TRUE(log.ok()) << log.status();
  shared.log = log->get();
  std::atomic<SequenceNumber> acknowledged{0};
  {
    const FileSizeLimit limit(16 << 10);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        while (CommitBlocking(io(), shared, 500).ok()) ++acknowledged;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GT(acknowledged.load(), 0u);
  EXPECT_FALSE((*log)->failure().ok());
  const auto seal = io::BlockOn(io(), (*log)->Seal());
  ASSERT_TRUE(seal.ok()) << seal.status();
  (*log)->Restart();
  EXPECT_TRUE(CommitBlocking(io(), shared, 500).ok());
  const auto end = io::BlockOn(io(), (*log)->Close());
  ASSERT_TRUE(end.ok()) << end.status();
  *log = nullptr;
  LogChain chain;
  chain.seals = {*seal, *end};
  SequenceNumber found = 0;
  const auto tail =
      io::BlockOn(io(), ReplayLog(io(), directory(), 0, chain, [&](const LogRecord& record) {
                    ++found;
                    return absl::OkStatus();
                  }));
  ASSERT_TRUE(tail.ok()) << tail.status();
  EXPECT_EQ(found, acknowledged + 1);
}

TEST_P(LogThreads, CommitRelaxed) { CommitFromManyThreads(io(), directory(), Medium::kRelaxed); }

}  // namespace
}  // namespace varve::wal
