// What the log costs, beside what the disk gives.
//
//   wal_bench [--directory DIR] [--io posix]
//
// Prints records per second of durable commits (one writer and sixteen) next to raw direct,
// synchronous 4 KiB writes; the cost of a relaxed append of a 140-byte record; and the speed of
// replaying 256 MiB.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/io.h"
#include "wal/log.h"
#include "wal/reader.h"

namespace varve::wal {
namespace {

constexpr double kNsPerSecond = 1e9;
// With its header: a record of 140 bytes, as small writes make it.
constexpr size_t kPayloadBytes = 140 - kRecordHeaderBytes;

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

void Check(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", Message(status));
  std::exit(1);
}

void PrintLatencies(std::string_view what, std::vector<uint64_t>& ns, uint64_t wall_ns) {
  std::sort(ns.begin(), ns.end());
  const auto at = [&](double quantile) {
    return static_cast<double>(
               ns[static_cast<size_t>(quantile * static_cast<double>(ns.size() - 1))]) /
           1000;
  };
  fmt::print("{:<44} {:>9.0f}/s   p50 {:>7.1f} us  p99 {:>7.1f} us  max {:>8.1f} us\n", what,
             static_cast<double>(ns.size()) * kNsPerSecond / static_cast<double>(wall_ns), at(0.5),
             at(0.99), at(1));
}

void RawWrites(const std::string& directory, int count) {
  const std::string path = directory + "/raw";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT, 0644);
  if (fd < 0) return;
  const io::BufferRegion zeros(size_t{1} << 20);
  const size_t file_bytes = static_cast<size_t>(count) * 4096;
  for (size_t at = 0; at < file_bytes; at += zeros.size()) {
    if (pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) return;
  }
  fdatasync(fd);
  close(fd);
  const int direct = open(path.c_str(), O_RDWR | O_DIRECT | O_DSYNC);
  std::vector<uint64_t> latencies;
  const uint64_t start = NowNs();
  for (int i = 0; i < count; ++i) {
    const uint64_t before = NowNs();
    if (pwrite(direct, zeros.data(), 4096, static_cast<off_t>(i) * 4096) != 4096) return;
    latencies.push_back(NowNs() - before);
  }
  PrintLatencies("raw O_DIRECT|O_DSYNC 4 KiB, one by one", latencies, NowNs() - start);
  close(direct);
  unlink(path.c_str());
}

std::unique_ptr<Log> OpenLog(io::Io& io, const std::string& directory, Medium medium) {
  std::filesystem::remove_all(directory);
  Check(io.CreateDirectory(directory));
  LogOptions options;
  options.medium = medium;
  options.directory = directory;
  options.database_id = 1;
  options.segment_bytes_first = options.segment_bytes_max;
  auto log = io::BlockOn(io, Log::Open(io, options, LogStart()));
  Check(log.status());
  return std::move(*log);
}

struct Commits {
  Log& log;
  io::Mutex commit_mutex;
  SequenceNumber sequence = 1;
};

AppendResult AppendOne(Commits& commits, std::string_view payload) {
  const std::string_view parts[] = {payload};
  return commits.log.Append(commits.sequence++, parts);
}

io::Task<Status> Commit(Commits& commits, std::string_view payload) {
  AppendResult result;
  while (true) {
    {
      auto lock = co_await commits.commit_mutex.Lock();
      result = AppendOne(commits, payload);
    }
    if (result.state != AppendResult::State::kWait) break;
    Status room = co_await commits.log.Room(payload.size());
    if (!room.ok()) co_return room;
  }
  Status status = co_await commits.log.WaitDurable(result.end);
  co_return status;
}

io::Task<void> Writer(Commits& commits, int count, std::vector<uint64_t>& latencies) {
  const std::string payload(kPayloadBytes, 'p');
  for (int i = 0; i < count; ++i) {
    const uint64_t before = NowNs();
    Check(co_await Commit(commits, payload));
    latencies.push_back(NowNs() - before);
  }
}

io::Task<bool> Writers(Commits& commits, int writers, int count, std::vector<uint64_t>& latencies) {
  io::TaskGroup group;
  for (int i = 0; i < writers; ++i) group.Add(Writer(commits, count, latencies));
  co_await group.Wait();
  co_return true;
}

// The background worker of an engine.
io::Task<void> PrepareOnDemand(Log& log, std::atomic<bool>& stop, io::Event& done) {
  while (!stop) {
    if (log.NeedsSegment()) Check(co_await log.PrepareSegment());
    co_await io::SleepFor(200'000);
  }
  done.Set();
}

void DurableCommits(io::Io& io, const std::string& directory, int writers, int count,
                    uint32_t in_flight, bool threads) {
  std::filesystem::remove_all(directory);
  Check(io.CreateDirectory(directory));
  LogOptions options;
  options.directory = directory;
  options.segment_bytes_first = options.segment_bytes_max;
  options.groups_in_flight_max = in_flight;
  auto log = io::BlockOn(io, Log::Open(io, options, LogStart()));
  Check(log.status());
  Commits commits{**log, {}};
  std::vector<uint64_t> latencies;
  const uint64_t start = NowNs();
  if (threads) {
    std::vector<std::thread> running;
    std::vector<std::vector<uint64_t>> each(static_cast<size_t>(writers));
    for (auto& mine : each) {
      running.emplace_back([&] { io::BlockOn(io, Writers(commits, 1, count, mine)); });
    }
    for (std::thread& thread : running) thread.join();
    for (const auto& mine : each) latencies.insert(latencies.end(), mine.begin(), mine.end());
  } else {
    io::BlockOn(io, Writers(commits, writers, count, latencies));
  }
  const uint64_t wall_ns = NowNs() - start;
  const LogStats stats = (*log)->Stats();
  PrintLatencies(fmt::format("durable, {} writers as {}, {} in flight", writers,
                             threads ? "threads" : "tasks", in_flight),
                 latencies, wall_ns);
  fmt::print("{:<44} {:.1f} records a group, {:.0f} groups/s\n", "",
             static_cast<double>(stats.records) / static_cast<double>(stats.groups),
             static_cast<double>(stats.groups) * kNsPerSecond / static_cast<double>(wall_ns));
  Check(io::BlockOn(io, (*log)->Close()).status());
}

void RelaxedAppends(io::Io& io, const std::string& directory) {
  auto log = OpenLog(io, directory, Medium::kRelaxed);
  const auto worker = io.StartWorker({.name = "prepare", .background = true});
  std::atomic<bool> stop{false};
  io::Event done;
  worker->executor().Spawn(PrepareOnDemand(*log, stop, done));
  Commits commits{*log, {}};
  const std::string payload(kPayloadBytes, 'p');
  // Two rounds over the same four segments: the first in new ones, the second in recycled ones.
  for (const std::string_view what : {"new segments", "recycled segments", "recycled segments"}) {
    uint64_t appended_ns = 0;
    uint64_t waited_ns = 0;
    uint64_t records = 0;
    uint64_t slowest_ns = 0;
    for (int segment = 0; segment < 4; ++segment) {
      // The time of waiting for a segment is not the append's.
      const uint64_t before_wait = NowNs();
      while (log->NeedsSegment()) std::this_thread::yield();
      waited_ns += NowNs() - before_wait;
      constexpr int kRecords = 450'000;
      for (int block = 0; block < kRecords / 100; ++block) {
        const uint64_t before = NowNs();
        for (int i = 0; i < 100; ++i) {
          while (AppendOne(commits, payload).state != AppendResult::State::kAppended) {
            Check(io::BlockOn(io, log->Room(payload.size())));
          }
        }
        const uint64_t ns = NowNs() - before;
        appended_ns += ns;
        slowest_ns = std::max(slowest_ns, ns);
        records += 100;
      }
    }
    fmt::print("relaxed append of 140 bytes, {:<18} {:>7.1f} ns, slowest 100: {:.1f} us\n", what,
               static_cast<double>(appended_ns) / static_cast<double>(records),
               static_cast<double>(slowest_ns) / 1000);
    Check(io::BlockOn(io, log->ForgetBefore(log->Segments().back().number)));
  }
  stop = true;
  io::BlockOn(io, [](io::Event& done) -> io::Task<bool> {
    co_await done.Wait();
    co_return true;
  }(done));
  Check(io::BlockOn(io, log->Close()).status());
}

void Replay(io::Io& io, const std::string& directory, Medium medium, uint64_t log_bytes) {
  auto log = OpenLog(io, directory, medium);
  Commits commits{*log, {}};
  const std::string payload(kPayloadBytes, 'p');
  while (log->appended_lsn() < log_bytes) {
    if (AppendOne(commits, payload).state != AppendResult::State::kAppended) {
      Check(io::BlockOn(io, log->Room(payload.size())));
    }
  }
  Check(io::BlockOn(io, log->Close()).status());
  log = nullptr;
  const uint64_t start = NowNs();
  uint64_t records = 0;
  uint64_t bytes = 0;
  const auto tail =
      io::BlockOn(io, ReplayLog(io, directory, 1, LogChain(), [&](const LogRecord& record) {
                    ++records;
                    bytes += record.payload.size();
                    return absl::OkStatus();
                  }));
  Check(tail.status());
  const double seconds = static_cast<double>(NowNs() - start) / kNsPerSecond;
  fmt::print("replay of {} MiB {}: {:.3f} s, {:.2f} GB/s, {:.1f} million records/s\n",
             log_bytes >> 20, medium == Medium::kDurable ? "durable" : "relaxed", seconds,
             static_cast<double>(log_bytes) / seconds / 1e9,
             static_cast<double>(records) / seconds / 1e6);
}

}  // namespace
}  // namespace varve::wal

int main(int argc, char** argv) {
  using namespace varve;
  std::string directory = "wal-bench";
  std::string io_name;
  CLI::App app{"What the log costs"};
  app.add_option("--directory", directory, "Where to write; emptied");
  app.add_option("--io", io_name, "posix instead of the default");
  CLI11_PARSE(app, argc, argv);
  std::unique_ptr<io::Io> io = io_name == "posix" ? io::NewPosixIo() : io::NewIo();
  std::filesystem::create_directories(directory);
  fmt::print("{}\n", io->name());
  wal::RawWrites(directory, 5000);
  const std::string log = directory + "/log";
  wal::DurableCommits(*io, log, 1, 5000, 8, false);
  for (const bool threads : {false, true}) {
    for (const uint32_t in_flight : {1, 2, 4}) {
      wal::DurableCommits(*io, log, 16, 2000, in_flight, threads);
    }
  }
  wal::RelaxedAppends(*io, log);
  wal::Replay(*io, log, wal::Medium::kDurable, uint64_t{256} << 20);
  wal::Replay(*io, log, wal::Medium::kRelaxed, uint64_t{256} << 20);
  std::filesystem::remove_all(directory);
}
