#include "bench/ycsb/driver.h"

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "bench/clock.h"
#include "bench/recorder.h"
#include "io/executor.h"

namespace varve::bench::ycsb {
namespace {

constexpr size_t kErrorTextsMax = 8;
// A slot whose operations never suspend lets others of its thread run after this many.
constexpr uint64_t kOperationsPerTurn = 32;
constexpr uint64_t kNoEnd = ~uint64_t{0};
// How long operations under way may take once the phase is over.
constexpr double kDrainSeconds = 5;
constexpr double kProgressSeconds = 0.5;

}  // namespace

// What the slots of a phase share.
struct Driver::Phase {
  std::string name;
  const DriverOptions* options = nullptr;
  const Workload* workload = nullptr;  // null: the load
  const ValuePool* pool = nullptr;
  std::optional<Zipfian> by_age;
  std::unique_ptr<InsertCounter> inserts;

  // Ticks; written before `begun`.
  uint64_t start = 0;         // of the phase
  uint64_t measure_from = 0;  // after the warm-up
  uint64_t end = kNoEnd;
  std::atomic<bool> begun{false};
  std::atomic<bool> stop{false};
  std::atomic<int64_t> operations_left{0};
  bool counted = false;  // the phase ends with its operations, not at a time
  std::atomic<uint64_t> slots{0};
  bool interrupted = false;  // by the watching thread

  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::unique_ptr<Worker>> workers;
};

// What the slots of one thread share; the thread's own but for `live`.
struct Driver::Worker {
  std::unique_ptr<io::Worker> thread;
  std::vector<Recorder> recorders;  // by kind
  std::vector<Histogram> service_ns;
  Recorder all;
  uint64_t not_found = 0;
  uint64_t errors = 0;
  uint64_t lost = 0;
  std::map<std::string, uint64_t> error_texts;

  // Open loop: when this thread's next operation is to begin.
  double ticks_between = 0;
  double next_arrival = 0;
  std::optional<Random> random;

  // For the progress line: what has been done since it was last written.
  absl::Mutex mutex;
  Histogram live_ns ABSL_GUARDED_BY(mutex);
  uint64_t live_errors ABSL_GUARDED_BY(mutex) = 0;

  uint64_t NextArrival() {
    const double arrival = next_arrival;
    next_arrival += random ? -std::log(1 - random->Uniform()) * ticks_between : ticks_between;
    return static_cast<uint64_t>(arrival);
  }

  void Record(const Phase& phase, OperationKind kind, const Outcome& outcome, uint64_t intended,
              uint64_t began, uint64_t now) {
    if (phase.options->progress) {
      absl::MutexLock lock(&mutex);
      live_ns.Add(Clock::ToNs(now - intended));
      live_errors += !outcome.status.ok();
    }
    if (!outcome.status.ok()) {
      ++errors;
      const std::string text(Message(outcome.status));
      if (error_texts.size() < kErrorTextsMax || error_texts.contains(text)) ++error_texts[text];
      return;
    }
    if (intended < phase.measure_from) return;
    Recorder& recorder = recorders[static_cast<size_t>(kind)];
    recorder.Latency(now - intended);
    if (phase.options->rate > 0)
      service_ns[static_cast<size_t>(kind)].Add(Clock::ToNs(now - began));
    all.Count(now, 1);
    not_found += !outcome.found;
  }
};

Driver::Driver(io::Io& io, const io::Socket& termination, Target* target,
               const std::string& target_name, const DriverOptions& options)
    : io_(io),
      termination_(termination),
      target_(target),
      target_name_(target_name),
      options_(options),
      pool_(options.shape) {}

Driver::~Driver() = default;

// Sleeps until then; false if the phase is over before.
io::Task<bool> Driver::WaitUntil(Phase* phase, uint64_t ticks) {
  constexpr uint64_t kLookNs = 100'000'000;
  for (uint64_t now = Clock::Now(); now < ticks; now = Clock::Now()) {
    if (phase->stop.load(std::memory_order_relaxed)) co_return false;
    co_await io::SleepFor(std::min(Clock::ToNs(ticks - now) + 1, kLookNs));
  }
  co_return !phase->stop.load(std::memory_order_relaxed);
}

io::Task<void> Driver::RunSlot(Phase* phase, Worker* worker, Session* session, uint64_t seed) {
  const bool load = phase->workload == nullptr;
  const bool open_loop = !load && phase->options->rate > 0;
  static const Workload none;
  Generator generator(load ? none : *phase->workload, phase->options->shape, *phase->pool,
                      *phase->by_age, phase->inserts.get(), seed);
  Operation operation;
  // Everybody begins together.
  while (!phase->begun.load(std::memory_order_acquire)) co_await io::SleepFor(100'000);
  for (uint64_t made = 1;; ++made) {
    if (phase->stop.load(std::memory_order_relaxed)) break;
    if (made % kOperationsPerTurn == 0) co_await io::Yield{};
    uint64_t intended = 0;
    if (open_loop) {
      intended = worker->NextArrival();
      if (intended >= phase->end) break;
      io::Task<bool> waiting = WaitUntil(phase, intended);
      const bool time_has_come = co_await waiting;
      // What could not begin in time is counted, not done late.
      if (!time_has_come || Clock::Now() >= phase->end) break;
    }
    if (phase->counted && phase->operations_left.fetch_sub(1, std::memory_order_relaxed) <= 0)
      break;
    if (load) {
      generator.Insert(phase->inserts->Take(), &operation);
    } else {
      generator.Next(&operation);
    }
    const OperationKind kind = operation.kind;
    const uint64_t began = Clock::Now();
    if (!open_loop) {
      if (began >= phase->end) break;
      intended = began;
    }
    if (kind == OperationKind::kReadModifyWrite) operation.kind = OperationKind::kRead;
    io::Task<Outcome> task = session->Run(operation);
    Outcome outcome = co_await task;
    if (kind == OperationKind::kReadModifyWrite && outcome.status.ok()) {
      operation.kind = OperationKind::kUpdate;
      generator.TurnIntoUpdate(&operation);
      const bool found = outcome.found;
      io::Task<Outcome> second = session->Run(operation);
      outcome = co_await second;
      outcome.found = found;
    }
    if (kind == OperationKind::kInsert) phase->inserts->Done(operation.record);
    // What Abort cut off when the phase was over is no error of the target's.
    if (outcome.lost && phase->stop.load(std::memory_order_relaxed)) break;
    worker->Record(*phase, kind, outcome, intended, began, Clock::Now());
    if (outcome.lost) {
      ++worker->lost;
      break;
    }
  }
  --phase->slots;
}

// Waits for the slots to finish, with the progress line, and for signals.
void Driver::Watch(Phase* phase) {
  const uint64_t start = phase->start;
  double drain_until = 0;
  uint64_t operations = 0;
  uint64_t errors = 0;
  double last_line_s = 0;
  bool watching = true;
  size_t line_width = 0;
  while (phase->slots.load() > 0) {
    pollfd signal{.fd = watching ? termination_.fd() : -1, .events = POLLIN, .revents = 0};
    if (poll(&signal, 1, 20) > 0) {
      signalfd_siginfo ignored;
      if (read(termination_.fd(), &ignored, sizeof ignored) < 0) watching = false;
      if (phase->interrupted) std::_Exit(130);  // asked twice
      phase->interrupted = true;
      phase->stop = true;
    }
    const double now_s = Clock::SecondsSince(start);
    if (phase->stop || Clock::Now() >= phase->end) {
      if (drain_until == 0) drain_until = now_s + kDrainSeconds;
      if (now_s >= drain_until) {
        phase->stop = true;
        for (const std::unique_ptr<Session>& session : phase->sessions) session->Abort();
        drain_until = now_s + kDrainSeconds;
      }
    }
    if (!options_.progress || now_s - last_line_s < kProgressSeconds) continue;
    Histogram ns;
    for (const std::unique_ptr<Worker>& worker : phase->workers) {
      absl::MutexLock lock(&worker->mutex);
      ns.Merge(worker->live_ns);
      errors += std::exchange(worker->live_errors, 0);
      worker->live_ns = Histogram();
    }
    operations += ns.count();
    std::string line = fmt::format(
        "{} {}: {:.0f} s, {:.0f}/s, p50 {:.0f} us, p99 {:.0f} us, {} operations, {} errors",
        target_name_, phase->name, now_s, static_cast<double>(ns.count()) / (now_s - last_line_s),
        static_cast<double>(ns.Percentile(50)) * 1e-3,
        static_cast<double>(ns.Percentile(99)) * 1e-3, operations, errors);
    last_line_s = now_s;
    const size_t width = line.size();
    line.resize(std::max(width, line_width), ' ');
    line_width = width;
    fmt::print(stderr, "\r{}", line);
    std::fflush(stderr);
  }
  if (line_width > 0) fmt::print(stderr, "\r{:{}}\r", "", line_width);
}

StatusOr<PhaseResult> Driver::RunPhase(Phase* phase) {
  const uint64_t connections = options_.connections;
  // Where calls block, a second slot would never run.
  const uint64_t depth = target_->blocks() ? 1 : options_.depth;
  const uint64_t threads =
      target_->blocks() ? connections : std::min(options_.threads, connections);
  phase->options = &options_;
  phase->pool = &pool_;

  for (uint64_t i = 0; i < threads; ++i) {
    auto worker = std::make_unique<Worker>();
    worker->thread = io_.StartWorker({.name = "ycsb"});
    phase->workers.push_back(std::move(worker));
  }
  Status status;
  for (uint64_t i = 0; i < connections && status.ok(); ++i) {
    StatusOr<std::unique_ptr<Session>> session =
        target_->NewSession(phase->workers[i % threads]->thread->executor());
    status = session.status();
    if (status.ok()) phase->sessions.push_back(*std::move(session));
  }
  const auto end_threads = [&] {
    // Sessions' own tasks end; the threads wait for them.
    for (const std::unique_ptr<Session>& session : phase->sessions) session->Abort();
    for (const std::unique_ptr<Worker>& worker : phase->workers) worker->thread.reset();
    phase->sessions.clear();
  };
  if (!status.ok()) {
    end_threads();
    return status;
  }

  phase->slots = connections * depth;
  Random seeds(options_.seed);
  for (uint64_t i = 0; i < connections; ++i) {
    Worker* const worker = phase->workers[i % threads].get();
    for (uint64_t slot = 0; slot < depth; ++slot) {
      worker->thread->executor().Spawn(
          RunSlot(phase, worker, phase->sessions[i].get(), seeds.Next()));
    }
  }
  Clock::ToNs(1);  // its scale is found now
  const ProcessCounters before = ProcessCounters::Now();
  const bool load = phase->workload == nullptr;
  phase->start = Clock::Now();
  phase->measure_from = phase->start + (load ? 0 : Clock::FromSeconds(options_.warmup_seconds));
  if (!phase->counted) phase->end = phase->measure_from + Clock::FromSeconds(options_.seconds);
  for (uint64_t i = 0; i < threads; ++i) {
    Worker& worker = *phase->workers[i];
    worker.recorders.assign(kOperationKinds, Recorder(phase->measure_from));
    worker.service_ns.resize(kOperationKinds);
    worker.all = Recorder(phase->measure_from);
    if (load || options_.rate == 0) continue;
    worker.ticks_between =
        static_cast<double>(Clock::FromSeconds(static_cast<double>(threads) / options_.rate));
    worker.next_arrival = static_cast<double>(phase->start) + worker.ticks_between *
                                                                  static_cast<double>(i) /
                                                                  static_cast<double>(threads);
    if (options_.poisson) worker.random.emplace(seeds.Next());
  }
  phase->begun.store(true, std::memory_order_release);
  Watch(phase);
  const uint64_t over = std::min(phase->end, Clock::Now());
  end_threads();

  PhaseResult result;
  result.process = ProcessCounters::Now() - before;
  result.interrupted = phase->interrupted;
  Recorder all(phase->measure_from);
  for (const std::unique_ptr<Worker>& worker : phase->workers) {
    all.Merge(worker->all);
    result.not_found += worker->not_found;
    result.errors += worker->errors;
    result.lost_connections += worker->lost;
    for (const auto& [text, count] : worker->error_texts) result.error_texts[text] += count;
    // Arrivals whose time had come, and which no slot took.
    if (worker->ticks_between > 0) {
      for (uint64_t next = worker->NextArrival(); next < over; next = worker->NextArrival()) {
        ++result.not_begun;
      }
    }
  }
  for (size_t kind = 0; kind < kOperationKinds; ++kind) {
    KindResult of_kind{.kind = static_cast<OperationKind>(kind)};
    for (const std::unique_ptr<Worker>& worker : phase->workers) {
      of_kind.latency_ns.Merge(worker->recorders[kind].latency_ns());
      of_kind.service_ns.Merge(worker->service_ns[kind]);
    }
    if (of_kind.latency_ns.count() > 0) result.kinds.push_back(std::move(of_kind));
  }
  result.operations = all.operations();
  result.elapsed_s = all.operations() == 0 ? 0 : all.elapsed_s();
  result.intervals = all.intervals();
  return result;
}

StatusOr<PhaseResult> Driver::Load() {
  Phase phase;
  phase.name = "load";
  phase.by_age.emplace(2);
  phase.inserts = std::make_unique<InsertCounter>(0);
  phase.counted = true;
  phase.operations_left = static_cast<int64_t>(options_.records);
  return RunPhase(&phase);
}

StatusOr<PhaseResult> Driver::Run(const Workload& workload) {
  Phase phase;
  phase.name = fmt::format("workload {}", workload.name);
  phase.workload = &workload;
  phase.by_age.emplace(workload.distribution == Distribution::kLatest ? options_.records : 2);
  phase.inserts = std::make_unique<InsertCounter>(options_.records);
  phase.counted = options_.operations > 0;
  phase.operations_left = static_cast<int64_t>(options_.operations);
  return RunPhase(&phase);
}

}  // namespace varve::bench::ycsb
