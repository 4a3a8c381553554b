// What the command line of varved says. docs/server.md lists the flags.
#pragma once

#include <string>

#include "base/status.h"
#include "engine/options.h"
#include "item/store.h"
#include "server/binary_server.h"
#include "server/http_server.h"

namespace varve::server {

struct Config {
  std::string data_dir = "varve-data";
  std::string io = "auto";  // "auto", "uring" or "posix"
  std::string log_level = "info";
  bool allow_any = false;
  size_t threads = 1;  // that serve clients
  HttpServerOptions http;
  BinaryServerOptions binary;
  // --binary-port was given: not to get it is an error.
  bool binary_port_given = false;
  engine::Options engine;
  item::StoreOptions store;
};

// What ParseCommandLine found.
struct CommandLine {
  Config config;
  // Set if the program should print `text` and exit with `exit_code` (--help, --version, a
  // mistake).
  bool exit = false;
  int exit_code = 0;
  std::string text;
};

CommandLine ParseCommandLine(int argc, const char* const* argv);

// Whether `host`, a numeric address, reaches this machine only.
bool IsLoopback(const std::string& host);

// InvalidArgument, in words for the user, if the server must not start like this: it would answer
// anybody on an address that others reach, since there is no authentication yet.
Status CheckConfig(const Config& config);

}  // namespace varve::server
