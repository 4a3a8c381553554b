// varved: the Varve server.

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "engine/db.h"
#include "io/io.h"
#include "item/store.h"
#include "server/config.h"
#include "server/dynamodb_api.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/version.h"

namespace varve::server {
namespace {

StatusOr<std::unique_ptr<io::Io>> MakeIo(const std::string& name) {
  if (name == "uring") return io::NewUringIo();
  if (name == "posix") return io::NewPosixIo();
  return io::NewIo();
}

// Signals that stop the server are taken by Run's sigwait alone, so every thread has them blocked.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

Status Run(const Config& config) {
  VARVE_RETURN_IF_ERROR(CheckConfig(config));
  const sigset_t stop_signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<io::Io> io, MakeIo(config.io));
  const uint64_t start_ns = io->MonotonicNs();
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<engine::Db> db,
                         engine::Db::Open(*io, config.data_dir, config.engine));
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<item::Store> store,
                         io::BlockOn(*io, item::Store::Open(*io, *db, config.store)));
  Metrics metrics(DynamoDbApi::OperationNames());
  DynamoDbApi api(*io, db.get(), store.get(), &metrics, config.http.threads);
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<HttpServer> http,
                         HttpServer::Start(*io, config.http, &api));
  metrics.Observe(db.get());
  metrics.Observe(http.get());
  spdlog::info("varved {} listens on http://{}, data in {}, {} log, {}, {} threads, ready in {} ms",
               kVersion, http->address(), config.data_dir,
               config.engine.durability == engine::Durability::kDurable ? "durable" : "relaxed",
               io->name(), config.http.threads, (io->MonotonicNs() - start_ns) / 1'000'000);

  int signal = 0;
  sigwait(&stop_signals, &signal);
  // A second one ends the process at once; the log has what was acknowledged.
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  const uint64_t stop_ns = io->MonotonicNs();
  http->Stop();
  const uint64_t requests = http->counters().requests.load();
  store.reset();
  const Status closed = db->Close();
  db.reset();
  spdlog::info("varved stopped by {} after {} requests, closed in {} ms",
               signal == SIGTERM ? "SIGTERM" : "SIGINT", requests,
               (io->MonotonicNs() - stop_ns) / 1'000'000);
  return closed;
}

}  // namespace
}  // namespace varve::server

int main(int argc, char** argv) {
  const varve::server::CommandLine command_line = varve::server::ParseCommandLine(argc, argv);
  if (command_line.exit) {
    std::fputs(command_line.text.c_str(), command_line.exit_code == 0 ? stdout : stderr);
    return command_line.exit_code;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("varved"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_level(spdlog::level::from_str(command_line.config.log_level));
  if (const varve::Status status = varve::server::Run(command_line.config); !status.ok()) {
    spdlog::error("{}", varve::Message(status));
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
