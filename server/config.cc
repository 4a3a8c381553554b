#include "server/config.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <thread>

#include "server/version.h"

namespace varve::server {
namespace {

void AddNetworkFlags(CLI::App& app, Config& config) {
  HttpServerOptions& http = config.http;
  app.add_option("--host", http.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", http.port, "Port to listen on; 0 lets the system choose")
      ->capture_default_str();
  app.add_flag("--allow-any", config.allow_any,
               "Listen on an address that other machines reach, and answer anybody there");
  app.add_option_function<int>(
         "--binary-port",
         [&config](int port) {
           config.binary_port_given = true;
           config.binary.port.reset();
           if (port != 0) config.binary.port = static_cast<uint16_t>(port);
         },
         "Port for the binary protocol; 0: none")
      ->check(CLI::Range(0, 65535))
      ->default_str(std::to_string(protocol::kDefaultPort));
  app.add_option("--binary-socket", config.binary.socket_path,
                 "Path of a Unix-domain socket for the binary protocol")
      ->capture_default_str();
  app.add_option("--binary-requests-max", config.binary.requests_max,
                 "Requests of one binary connection handled at once; more wait")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--binary-credit-max", config.binary.credit_bytes_max,
                 "Answers that the client of a binary connection may be sent without taking them")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--answer-memory", config.binary.answer_memory_bytes_max,
                 "Memory for answers that binary clients have not taken yet")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--threads", config.threads, "Threads that serve clients")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--connections-max", http.connections_max, "Open connections")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--requests-max", http.requests_max, "Requests handled at once; more wait")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--request-memory", http.body_memory_bytes_max,
                 "Memory for the bodies of requests, such as 256MiB")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--idle-timeout-ms", http.idle_timeout_ms, "After which an idle connection ends")
      ->capture_default_str();
  app.add_option("--request-timeout-ms", http.request_timeout_ms,
                 "In which a request must have arrived whole")
      ->capture_default_str();
  app.add_option("--send-timeout-ms", http.send_timeout_ms,
                 "In which a client must take some of its answer")
      ->capture_default_str();
  app.add_option("--cors-origin", http.cors_origins,
                 "Whose pages may call from a browser: an origin, loopback, * or none")
      ->capture_default_str();
  app.add_option("--stop-timeout-ms", http.stop_timeout_ms,
                 "Which clients get to finish when the server stops")
      ->capture_default_str();
}

void AddEngineFlags(CLI::App& app, Config& config) {
  engine::Options& engine = config.engine;
  app.add_option_function<std::string>(
         "--durability",
         [&engine](const std::string& name) {
           engine.durability =
               name == "relaxed" ? engine::Durability::kRelaxed : engine::Durability::kDurable;
         },
         "What an answered write survives: durable (a power cut) or relaxed (the end of the "
         "process)")
      ->check(CLI::IsMember({"durable", "relaxed"}))
      ->default_str("durable");
  app.add_option("--memtable-budget", engine.memtable_budget_bytes, "Memory of all memtables")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--block-cache", engine.block_cache_bytes, "Memory of cached blocks and indexes")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--log-bytes-max", engine.log_bytes_max,
                 "Size of the write-ahead log from which memtables are flushed")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--compression-level", engine.compression_level,
                 "Zstandard level of tables; 0 stores them raw")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  app.add_option("--open-tables-max", engine.open_tables_max, "Table files open at once")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--layout",
         [&engine](const std::string& name) {
           engine.layout = engine::LayoutNamed(name).value_or(engine.layout);
         },
         "How compaction lays out tables: leveled, lazy-leveled or tiered")
      ->check(CLI::IsMember({"leveled", "lazy-leveled", "tiered"}))
      ->default_str(std::string(engine::LayoutName(engine.layout)));
  app.add_option("--background-workers", engine.background_workers,
                 "Threads for flush and compaction; 0: one fewer than the cores")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
}

bool IsLoopbackV4(const in_addr& address) { return (ntohl(address.s_addr) >> 24) == 127; }

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CommandLine result;
  Config& config = result.config;
  config.threads = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 256);

  CLI::App app("Varve: a DynamoDB-compatible database server", "varved");
  app.set_version_flag("--version", fmt::format("varved {}", kVersion));
  app.option_defaults()->always_capture_default(false);
  app.add_option("--data-dir", config.data_dir, "Where the data lives; made if missing")
      ->capture_default_str();
  app.add_option("--io", config.io, "How to talk to the kernel: auto, uring or posix")
      ->check(CLI::IsMember({"auto", "uring", "posix"}))
      ->capture_default_str();
  app.add_option("--log-level", config.log_level,
                 "debug (a line for each request), info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--capacity",
         [&config](const std::string& mode) {
           config.store.capacity =
               mode == "enforce" ? item::CapacityMode::kEnforce : item::CapacityMode::kReport;
         },
         "enforce: refuse what goes beyond a table's capacity; report: only tell what was consumed")
      ->check(CLI::IsMember({"enforce", "report"}))
      ->default_str("report");
  app.add_option("--account-id", config.store.account_id, "Account in the ARNs of tables")
      ->check([](const std::string& id) {
        const bool good =
            id.size() == 12 && id.find_first_not_of("0123456789") == std::string::npos;
        return good ? std::string() : std::string("must be 12 digits");
      })
      ->capture_default_str();
  app.add_flag("--consistent-gsi-reads", config.store.consistent_gsi_reads,
               "Take ConsistentRead on global secondary indexes, which DynamoDB refuses");
  app.add_option("--transition-ms", config.store.transition_ms,
                 "How long tables, streams and time to live show the states they pass through "
                 "(CREATING, ENABLING and the like)")
      ->capture_default_str();
  app.add_option("--region", config.store.region, "Region in the ARNs of tables")
      ->capture_default_str();
  AddNetworkFlags(app, config);
  AddEngineFlags(app, config);

  // CLI11 reports by exceptions; they end here.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    result.exit = true;
    result.exit_code = app.exit(error, out, err);
    result.text = out.str() + err.str();
    return result;
  }
  if (config.http.host == "localhost") config.http.host = "127.0.0.1";
  config.binary.host = config.http.host;
  config.binary.connections_max = config.http.connections_max;
  config.binary.request_memory_bytes_max = config.http.body_memory_bytes_max;
  config.binary.idle_timeout_ms = config.http.idle_timeout_ms;
  config.binary.request_timeout_ms = config.http.request_timeout_ms;
  config.binary.send_timeout_ms = config.http.send_timeout_ms;
  config.binary.stop_timeout_ms = config.http.stop_timeout_ms;
  return result;
}

bool IsLoopback(const std::string& host) {
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return IsLoopbackV4(v4);
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_LOOPBACK(&v6)) return true;
  if (!IN6_IS_ADDR_V4MAPPED(&v6)) return false;
  std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
  return IsLoopbackV4(v4);
}

Status CheckConfig(const Config& config) {
  if (IsLoopback(config.http.host) || config.allow_any) return {};
  return InvalidArgument(
      "{} is not a loopback address: there is no authentication yet, so anybody who reaches it "
      "could "
      "read and change everything. Listen on 127.0.0.1, or say --allow-any to accept that",
      config.http.host);
}

}  // namespace varve::server
