// varved: the Varve server.

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "engine/db.h"
#include "io/io.h"
#include "io/network.h"
#include "item/store.h"
#include "server/binary_server.h"
#include "server/config.h"
#include "server/dynamodb_api.h"
#include "server/http_server.h"
#include "server/metrics.h"
#include "server/version.h"
#include "server/workers.h"

// jemalloc reads this: a thread of its own gives unused memory back to the system, also while every
// other thread is idle.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,max_background_threads:1";

namespace varve::server {
namespace {

StatusOr<std::unique_ptr<io::Io>> MakeIo(const std::string& name) {
  if (name == "uring") return io::NewUringIo();
  if (name == "posix") return io::NewPosixIo();
  return io::NewIo();
}

// Systems give a process 1,024 descriptors unless it asks for more.
void RaiseDescriptorLimit(const Config& config) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  constexpr size_t kOthers = 100;
  const size_t wanted = config.http.connections_max + config.binary.connections_max +
                        config.engine.open_tables_max + kOthers;
  if (limit.rlim_cur < wanted) {
    spdlog::warn(
        "the system allows {} open files; --connections-max and --open-tables-max take up "
        "to {}",
        limit.rlim_cur, wanted);
  }
}

// Null if there is nothing to listen on. The standard port is taken if it is free: another server
// on this machine may have it.
StatusOr<std::unique_ptr<BinaryServer>> StartBinary(io::Io& io, const Config& config,
                                                    Workers* workers, BinaryService service) {
  BinaryServerOptions options = config.binary;
  if (!config.binary_port_given) {
    io::ListenOptions listen;
    listen.address = options.host;
    listen.port = *options.port;
    if (const auto free = io::Listen(listen); !free.ok()) {
      spdlog::warn("no binary protocol over TCP: {}; --binary-port names another",
                   Message(free.status()));
      options.port.reset();
    }
  }
  std::unique_ptr<BinaryServer> server;
  if (!options.port && options.socket_path.empty()) return server;
  VARVE_ASSIGN_OR_RETURN(server, BinaryServer::Start(io, options, workers, service));
  return server;
}

Status Run(const Config& config) {
  VARVE_RETURN_IF_ERROR(CheckConfig(config));
  RaiseDescriptorLimit(config);
  // Before any thread starts.
  VARVE_ASSIGN_OR_RETURN(const io::Socket termination, io::WatchForTermination());
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<io::Io> io, MakeIo(config.io));
  const uint64_t start_ns = io->MonotonicNs();
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<engine::Db> db,
                         engine::Db::Open(*io, config.data_dir, config.engine));
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<item::Store> store,
                         io::BlockOn(*io, item::Store::Open(*io, *db, config.store)));
  Metrics metrics(DynamoDbApi::OperationNames());
  Workers workers(*io, config.threads);
  DynamoDbApi api(*io, db.get(), store.get(), &metrics, workers.size());
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<HttpServer> http,
                         HttpServer::Start(*io, config.http, &workers, &api));
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<BinaryServer> binary,
                         StartBinary(*io, config, &workers, {store.get(), &api}));
  metrics.Observe(db.get());
  metrics.Observe(http.get());
  metrics.Observe(binary.get());
  metrics.Observe(store.get());
  spdlog::info(
      "varved {} listens on http://{}{}{}, data in {}, {} log, {}, {} threads, ready in {} ms",
      kVersion, http->address(), binary == nullptr ? "" : ", binary on ",
      binary == nullptr ? "" : binary->address(), config.data_dir,
      config.engine.durability == engine::Durability::kDurable ? "durable" : "relaxed", io->name(),
      workers.size(), (io->MonotonicNs() - start_ns) / 1'000'000);

  io::BlockOn(*io, io::WaitReadable(termination));
  const uint64_t stop_ns = io->MonotonicNs();
  http->Stop();
  if (binary != nullptr) binary->Stop();
  const std::string address = http->address();
  const uint64_t requests = http->counters().requests.load();
  store.reset();
  const Status closed = db->Close();
  db.reset();
  spdlog::info(
      "varved {} stopped listening on http://{} after {} requests, data in {}, {}, closed in {} ms",
      kVersion, address, requests, config.data_dir, io->name(),
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
