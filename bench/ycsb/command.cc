#include "bench/ycsb/command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/machine.h"
#include "bench/ycsb/deaf_client.h"
#include "bench/ycsb/driver.h"
#include "bench/ycsb/report.h"
#include "bench/ycsb/target.h"
#include "bench/ycsb/workload.h"
#include "io/io.h"
#include "io/network.h"

namespace varve::bench {
namespace ycsb {
namespace {

struct Settings {
  std::string command;
  std::string workload = "a";
  std::string distribution;
  std::vector<std::string> targets{"embedded"};
  std::string phase = "both";
  uint64_t turns = 1;
  std::string durability = "durable";
  std::string arrivals = "even";
  std::string directory = "varve-bench-data/ycsb";
  uint64_t cache_mib = 256;
  uint64_t deaf_clients = 0;
  DriverOptions driver;
  TargetOptions target;
  std::string json;
  std::string html;

  bool loads() const { return phase != "run"; }
  bool runs() const { return phase != "load"; }
};

std::unique_ptr<Target> NewTarget(const std::string& name, TargetOptions options) {
  options.engine.directory = fmt::format("{}/{}.{}", options.engine.directory, name,
                                         options.engine.durable ? "durable" : "relaxed");
  if (name == "binary") return NewBinaryTarget(options);
  if (name == "http") return NewHttpTarget(options);
  if (name == "redis") return NewRedisTarget(options);
  if (name == "embedded") return NewEmbeddedTarget(options);
  return NewRocksDbTarget(options);
}

StatusOr<std::unique_ptr<io::Io>> MakeIo(const std::string& name) {
  if (name == "uring") return io::NewUringIo();
  if (name == "posix") return io::NewPosixIo();
  return io::NewIo();
}

// Loads and runs once on one target.
Status Measure(io::Io& io, const io::Socket& termination, const Settings& settings,
               const Workload& workload, TargetResult* result) {
  const std::unique_ptr<Target> target = NewTarget(result->target, settings.target);
  result->description = target->Describe();
  if (workload.shares[static_cast<size_t>(OperationKind::kScan)] > 0 && settings.runs() &&
      !target->why_no_scans().empty()) {
    return FailedPrecondition("workload {} scans: {}", workload.name, target->why_no_scans());
  }
  Status status = target->Open(io);
  if (status.ok()) {
    Driver driver(io, termination, target.get(), result->target, settings.driver);
    bool go_on = true;
    if (settings.loads()) {
      StatusOr<PhaseResult> load = driver.Load();
      status = load.status();
      if (status.ok()) {
        go_on = !load->interrupted && load->errors == 0;
        result->loads.push_back(*std::move(load));
      }
    }
    std::vector<std::unique_ptr<DeafClient>> deaf_clients;
    while (status.ok() && deaf_clients.size() < settings.deaf_clients) {
      StatusOr<std::unique_ptr<DeafClient>> client = DeafClient::Start(settings.target);
      status = client.status();
      if (status.ok()) deaf_clients.push_back(*std::move(client));
    }
    if (status.ok() && go_on && settings.runs()) {
      StatusOr<PhaseResult> run = driver.Run(workload);
      status = run.status();
      if (status.ok()) result->runs.push_back(*std::move(run));
    }
  }
  const Status closed = target->Close();
  return status.ok() ? closed : status;
}

// Whether nothing more should be begun.
bool Stopped(const TargetResult& result) {
  return (!result.loads.empty() && result.loads.back().interrupted) ||
         (!result.runs.empty() && result.runs.back().interrupted);
}

bool WriteFile(const std::string& path, const std::string& text) {
  if (path.empty()) return true;
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) fmt::print(stderr, "varve_bench: cannot write {}\n", path);
  return !file.fail();
}

int Run(Settings settings) {
  ReportHead head;
  head.command = settings.command;
  head.machine = DescribeMachine();
  head.started = fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr)));
  head.workload = WorkloadNamed(settings.workload[0]);
  if (settings.distribution == "uniform") head.workload.distribution = Distribution::kUniform;
  if (settings.distribution == "zipfian") head.workload.distribution = Distribution::kZipfian;
  if (settings.distribution == "latest") head.workload.distribution = Distribution::kLatest;
  settings.driver.poisson = settings.arrivals == "poisson";
  settings.driver.progress = isatty(STDERR_FILENO) != 0;
  settings.target.shape = settings.driver.shape;
  settings.target.engine.durable = settings.durability == "durable";
  settings.target.engine.cache_bytes = settings.cache_mib << 20;
  settings.target.engine.directory = settings.directory;
  head.options = settings.driver;

  // Before any thread starts.
  const StatusOr<io::Socket> termination = io::WatchForTermination();
  if (!termination.ok()) {
    fmt::print(stderr, "varve_bench: {}\n", Message(termination.status()));
    return 1;
  }
  StatusOr<std::unique_ptr<io::Io>> io = MakeIo(settings.target.engine.io);
  if (!io.ok()) {
    fmt::print(stderr, "varve_bench: {}\n", Message(io.status()));
    return 1;
  }

  std::vector<TargetResult> results;
  for (const std::string& target : settings.targets) results.push_back({.target = target});
  bool failed = false;
  bool stopped = false;
  for (uint64_t turn = 0; turn < settings.turns && !failed && !stopped; ++turn) {
    for (TargetResult& result : results) {
      const Status status = Measure(**io, *termination, settings, head.workload, &result);
      if (!status.ok()) {
        fmt::print(stderr, "varve_bench: {}: {}\n", result.target, Message(status));
        failed = true;
      }
      stopped = Stopped(result);
      if (failed || stopped) break;
    }
  }
  std::erase_if(results, [](const TargetResult& r) { return r.loads.empty() && r.runs.empty(); });
  if (results.empty()) return 1;
  fmt::print("{}{}", DescribeHead(head), Table(results));
  const std::string troubles = Troubles(results);
  fmt::print(stderr, "{}", troubles);
  failed |= !WriteFile(settings.json, Json(head, results));
  failed |= !WriteFile(settings.html, Html(head, results));
  for (const TargetResult& result : results) {
    for (const auto* phases : {&result.loads, &result.runs}) {
      for (const PhaseResult& phase : *phases) failed |= phase.errors > 0;
    }
  }
  return failed ? 1 : 0;
}

void AddOptions(CLI::App* command, Settings& settings) {
  DriverOptions& driver = settings.driver;
  TargetOptions& target = settings.target;
  command->option_defaults()->always_capture_default();
  command->add_option("--workload", settings.workload, "a to f, as YCSB has them")
      ->check(CLI::IsMember({"a", "b", "c", "d", "e", "f"}));
  command->add_option("--target", settings.targets, "what is measured, one after the other")
      ->delimiter(',')
      ->check(CLI::IsMember({"embedded", "binary", "http", "rocksdb", "redis"}));
  command->add_option("--phase", settings.phase, "load inserts the records; run measures")
      ->check(CLI::IsMember({"load", "run", "both"}));
  command->add_option("--turns", settings.turns, "measure everything so often, turn by turn")
      ->check(CLI::Range(1, 100));
  command->add_option("--json", settings.json, "write the results to this file");
  command->add_option("--html", settings.html, "write a page with plots to this file");

  command->add_option("--records", driver.records)
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40));
  command->add_option("--fields", driver.shape.fields, "a record; 1: a record is one value")
      ->check(CLI::Range(1, 1000));
  command->add_option("--field-bytes", driver.shape.field_bytes)->check(CLI::Range(1, 300 << 10));
  command
      ->add_option("--distribution", settings.distribution, "of records; else the workload's own")
      ->check(CLI::IsMember({"zipfian", "latest", "uniform"}));
  command->add_option("--seed", driver.seed);

  command->add_option("--connections", driver.connections)->check(CLI::Range(1, 100'000));
  command->add_option("--depth", driver.depth, "operations under way on a connection")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--threads", driver.threads, "of the driver")->check(CLI::Range(1, 1024));
  command->add_option("--seconds", driver.seconds)->check(CLI::PositiveNumber);
  command->add_option("--operations", driver.operations, "end after so many; 0: after --seconds");
  command->add_option("--warmup-seconds", driver.warmup_seconds, "not counted")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--rate", driver.rate,
                   "operations a second, whether or not earlier ones are answered; 0: as fast as "
                   "they are answered")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--arrivals", settings.arrivals, "how they are spread, with --rate")
      ->check(CLI::IsMember({"even", "poisson"}));

  command->add_option("--host", target.host, "of servers, numeric");
  command->add_option("--http-port", target.http_port);
  command->add_option("--binary-port", target.binary_port);
  command->add_option("--binary-socket", target.binary_socket,
                      "a Unix socket, instead of host and port");
  command->add_option("--redis-port", target.redis_port);
  command->add_option("--deaf-clients", settings.deaf_clients,
                      "so many others ask over the binary protocol, and never read an answer");

  command->add_option("--directory", settings.directory,
                      "where embedded and rocksdb put their data");
  command
      ->add_option(
          "--durability", settings.durability,
          "of these. durable: each write survives a power cut; relaxed: the end of the process")
      ->check(CLI::IsMember({"durable", "relaxed"}));
  command->add_option("--cache-mib", settings.cache_mib, "of these");
  command->add_option("--io", target.engine.io, "the driver's I/O, and Varve's in it")
      ->check(CLI::IsMember({"auto", "uring", "posix"}));
}

}  // namespace
}  // namespace ycsb

std::function<std::optional<int>()> AddYcsb(CLI::App& app, const std::string& command_line) {
  const auto settings = std::make_shared<ycsb::Settings>();
  settings->command = command_line;
  CLI::App* const command =
      app.add_subcommand("ycsb", "drive a server, a store or an engine with YCSB's workloads");
  ycsb::AddOptions(command, *settings);
  return [settings, command]() -> std::optional<int> {
    if (!command->parsed()) return std::nullopt;
    return ycsb::Run(*settings);
  };
}

}  // namespace varve::bench
