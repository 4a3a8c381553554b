// Tasks, executors and what coroutines wait for each other with, on every Io.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/io.h"
#include "tests/support/io_fixture.h"

namespace varve::io {
namespace {

using ::testing::ElementsAre;

class ExecutorTest : public varve::testing::IoTest {
 protected:
  std::unique_ptr<Worker> StartWorker() { return io().StartWorker({.name = "test"}); }
};
VARVE_ON_EVERY_IO(ExecutorTest);

Task<int> Return(int value) { co_return value; }

Task<int> Sum(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    const int value = co_await Return(1);
    sum += value;
  }
  co_return sum;
}

TEST_P(ExecutorTest, ReturnsATasksResult) { EXPECT_EQ(Await(Return(42)), 42); }

TEST_P(ExecutorTest, ReturnsWhatOnlyMoves) {
  struct Make {
    static Task<std::unique_ptr<int>> Run() { co_return std::make_unique<int>(7); }
  };
  EXPECT_EQ(*Await(Make::Run()), 7);
}

TEST_P(ExecutorTest, LongChainsOfReadyTasksDoNotNest) {
  EXPECT_EQ(Await(Sum(1'000'000)), 1'000'000);
}

Task<void> YieldMany(int n) {
  for (int i = 0; i < n; ++i) co_await Yield();
}

TEST_P(ExecutorTest, YieldingDoesNotNest) { BlockOn(io(), YieldMany(100'000)); }

TEST_P(ExecutorTest, ADestroyedTaskThatNeverStartedDoesNothing) {
  struct Touch {
    static Task<void> Run(bool* touched) {
      *touched = true;
      co_return;
    }
  };
  bool touched = false;
  { const Task<void> task = Touch::Run(&touched); }
  EXPECT_FALSE(touched);
}

struct Sleeper {
  static Task<void> Sleep(uint64_t delay_ns, int name, std::vector<int>* order) {
    co_await SleepFor(delay_ns);
    order->push_back(name);
  }
  static Task<void> SleepAll(std::vector<int>* order) {
    TaskGroup group;
    group.Add(Sleep(30'000'000, 3, order));
    group.Add(Sleep(10'000'000, 1, order));
    group.Add(Sleep(20'000'000, 2, order));
    group.Add(Sleep(0, 0, order));
    co_await group.Wait();
  }
};

TEST_P(ExecutorTest, TimersEndInTheOrderOfTheirTimes) {
  std::vector<int> order;
  const uint64_t start_ns = io().MonotonicNs();
  BlockOn(io(), Sleeper::SleepAll(&order));
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
  EXPECT_GE(io().MonotonicNs() - start_ns, 30'000'000u);
}

TEST_P(ExecutorTest, SwitchingRunsOnTheOtherExecutor) {
  struct Visit {
    static Task<bool> Run(Executor* other) {
      Executor* const home = Executor::Current();
      co_await SwitchTo(*other);
      const bool there = Executor::Current() == other;
      co_await SwitchTo(*home);
      co_return there&& Executor::Current() == home;
    }
  };
  const auto worker = StartWorker();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Await(Visit::Run(&worker->executor())));
}

TEST_P(ExecutorTest, AnAwaiterContinuesWhereItsTaskEnded) {
  struct Move {
    static Task<void> To(Executor* other) { co_await SwitchTo(*other); }
    static Task<int> Run(Executor* other) {
      int strays = 0;
      Executor* const home = Executor::Current();
      for (int i = 0; i < 2'000; ++i) {
        co_await To(other);
        strays += Executor::Current() != other;
        co_await To(home);
        strays += Executor::Current() != home;
      }
      co_return strays;
    }
  };
  const auto worker = StartWorker();
  EXPECT_EQ(Await(Move::Run(&worker->executor())), 0);
}

TEST_P(ExecutorTest, AWorkerEndsWhenItsTasksHave) {
  struct Work {
    static Task<void> Run(std::atomic<int>* finished) {
      for (int i = 0; i < 10; ++i) co_await Yield();
      co_await SleepFor(1'000'000);
      ++*finished;
    }
  };
  std::atomic<int> finished = 0;
  for (int round = 0; round < 10; ++round) {
    const auto worker = StartWorker();
    for (int i = 0; i < 10; ++i) worker->executor().Spawn(Work::Run(&finished));
  }
  EXPECT_EQ(finished, 100);
}

TEST_P(ExecutorTest, RunWaitsForWhatItsTaskSpawned) {
  struct Spawner {
    static Task<void> Later(bool* finished) {
      co_await SleepFor(1'000'000);
      *finished = true;
    }
    static Task<void> Run(bool* finished) {
      Executor::Current()->Spawn(Later(finished));
      co_return;
    }
  };
  bool finished = false;
  BlockOn(io(), Spawner::Run(&finished));
  BlockOn(io(), YieldMany(1));
  EXPECT_TRUE(finished);
}

TEST_P(ExecutorTest, AnEventWakesEverybodyOnTheirExecutors) {
  struct Wait {
    static Task<void> Run(Executor* home, Event* event, std::atomic<int>* woken) {
      co_await event->Wait();
      if (Executor::Current() == home) ++*woken;
    }
  };
  const auto worker_a = StartWorker();
  const auto worker_b = StartWorker();
  std::atomic<int> woken = 0;
  struct Drive {
    static Task<void> Run(Executor* a, Executor* b, std::atomic<int>* woken) {
      Event event;
      TaskGroup group;
      for (Executor* executor : {a, b, a, b, Executor::Current()}) {
        group.Add(On(executor, &event, woken));
      }
      for (int i = 0; i < 5; ++i) co_await Yield();
      event.Set();
      co_await group.Wait();
      co_await event.Wait();
      event.Reset();
      if (event.IsSet()) woken->store(-1);
    }
    static Task<void> On(Executor* executor, Event* event, std::atomic<int>* woken) {
      co_await SwitchTo(*executor);
      co_await Wait::Run(executor, event, woken);
    }
  };
  BlockOn(io(), Drive::Run(&worker_a->executor(), &worker_b->executor(), &woken));
  EXPECT_EQ(woken, 5);
}

TEST_P(ExecutorTest, ASemaphoreServesInOrder) {
  struct Use {
    static Task<void> Take(Semaphore* semaphore, uint64_t count, int name,
                           std::vector<int>* order) {
      co_await semaphore->Acquire(count);
      order->push_back(name);
    }
    static Task<void> Run(std::vector<int>* order) {
      Semaphore semaphore(3);
      co_await semaphore.Acquire(2);
      TaskGroup group;
      group.Add(Take(&semaphore, 3, 1, order));  // has to wait
      group.Add(Take(&semaphore, 1, 2, order));  // would fit, but waits its turn
      for (int i = 0; i < 3; ++i) co_await Yield();
      order->push_back(0);
      semaphore.Release(2);
      while (order->size() < 2) co_await Yield();
      order->push_back(9);
      semaphore.Release(3);
      co_await group.Wait();
    }
  };
  std::vector<int> order;
  BlockOn(io(), Use::Run(&order));
  EXPECT_THAT(order, ElementsAre(0, 1, 9, 2));
}

TEST_P(ExecutorTest, AMutexExcludesAcrossSuspensionsAndThreads) {
  struct Count {
    static Task<void> Run(Executor* executor, Mutex* mutex, int* counter) {
      co_await SwitchTo(*executor);
      for (int i = 0; i < 100; ++i) {
        auto lock = co_await mutex->Lock();
        const int before = *counter;
        co_await Yield();
        *counter = before + 1;
      }
    }
    static Task<void> RunAll(std::vector<Executor*> executors, Mutex* mutex, int* counter) {
      TaskGroup group;
      for (Executor* executor : executors) group.Add(Run(executor, mutex, counter));
      co_await group.Wait();
    }
  };
  const auto worker_a = StartWorker();
  const auto worker_b = StartWorker();
  Mutex mutex;
  int counter = 0;
  Executor* const a = &worker_a->executor();
  Executor* const b = &worker_b->executor();
  BlockOn(io(), Count::RunAll({a, b, a, b}, &mutex, &counter));
  EXPECT_EQ(counter, 400);
}

TEST_P(ExecutorTest, AGroupWaitsForTasksThatMovedAway) {
  struct Work {
    static Task<void> Move(Executor* other, int* finished) {
      co_await SwitchTo(*other);
      co_await Yield();
      __atomic_add_fetch(finished, 1, __ATOMIC_RELAXED);
    }
    static Task<bool> Run(Executor* other, int* finished) {
      Executor* const home = Executor::Current();
      TaskGroup group;
      for (int i = 0; i < 20; ++i) group.Add(Move(other, finished));
      co_await group.Wait();
      co_return Executor::Current() == home&& group.running() == 0;
    }
  };
  const auto worker = StartWorker();
  int finished = 0;
  EXPECT_TRUE(Await(Work::Run(&worker->executor(), &finished)));
  EXPECT_EQ(finished, 20);
}

TEST_P(ExecutorTest, RandomNumbersDiffer) {
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 100; ++i) numbers.push_back(io().RandomU64());
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

// What follows uses threads, which the simulation has none of.
class ThreadTest : public varve::testing::IoTest {
 protected:
  void SetUp() override {
    IoTest::SetUp();
    if (!IsSkipped() && io().name() == "simulated") GTEST_SKIP() << "single-threaded";
  }
};
VARVE_ON_EVERY_IO(ThreadTest);

TEST_P(ThreadTest, ManyThreadsRunSideBySide) {
  struct Meet {
    static Task<void> Run(Semaphore* arrived, Event* go) {
      arrived->Release();
      co_await go->Wait();
    }
    static Task<void> Collect(Semaphore* arrived, Event* go, uint64_t count) {
      co_await arrived->Acquire(count);
      go->Set();
    }
  };
  for (int round = 0; round < 5; ++round) {
    Semaphore arrived(0);
    Event go;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] { BlockOn(io(), Meet::Run(&arrived, &go)); });
    }
    BlockOn(io(), Meet::Collect(&arrived, &go, 16));
    for (std::thread& thread : threads) thread.join();
  }
}

TEST_P(ThreadTest, PostsFromManyThreadsAllArrive) {
  struct Work {
    static Task<void> Run(int* counter) {
      ++*counter;  // on the worker's thread only
      co_return;
    }
  };
  int counter = 0;
  {
    const auto worker = io().StartWorker({.name = "counter"});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 5'000; ++j) worker->executor().Spawn(Work::Run(&counter));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(counter, 20'000);
}

TEST_P(ThreadTest, WorkersPassCoroutinesToAndFro) {
  struct Bounce {
    static Task<void> Run(Executor* a, Executor* b, int rounds) {
      for (int i = 0; i < rounds; ++i) {
        co_await SwitchTo(*a);
        co_await SwitchTo(*b);
      }
    }
  };
  const auto a = io().StartWorker({.name = "a"});
  const auto b = io().StartWorker({.name = "b"});
  for (int i = 0; i < 4; ++i) {
    a->executor().Spawn(Bounce::Run(&a->executor(), &b->executor(), 1'000));
    b->executor().Spawn(Bounce::Run(&b->executor(), &a->executor(), 1'000));
  }
}

TEST_P(ThreadTest, WorkersMayEndWhileTheirLastWakeUpIsStillBeingSent) {
  struct Wait {
    static Task<void> Run(Event* event) { co_await event->Wait(); }
  };
  for (int i = 0; i < 200; ++i) {
    Event event;
    auto worker = io().StartWorker({.name = "short"});
    worker->executor().Spawn(Wait::Run(&event));
    std::thread setter([&] { event.Set(); });
    worker.reset();
    setter.join();
  }
}

}  // namespace
}  // namespace varve::io
