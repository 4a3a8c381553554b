// varve: looks into the files of a database, and talks to a server.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>

#include "io/io.h"
#include "tools/check.h"
#include "tools/database_stats.h"
#include "tools/print_segment.h"
#include "tools/print_table.h"
#include "tools/shell/shell.h"

namespace varve::tools {
namespace {

// 0: fine. 1: a fault was found in the files. 2: they could not be looked at, or the command line
// is wrong.
int ExitCode(const Status& status) {
  if (status.ok()) return 0;
  std::cerr << "varve: " << Message(status) << '\n';
  return status.code() == absl::StatusCode::kDataLoss ? 1 : 2;
}

int Check(io::Io& io, const std::string& directory, bool json) {
  CheckReport report;
  const Status status = io::BlockOn(io, CheckDatabase(io, directory, &report));
  if (json) {
    report.PrintJson(std::cout, directory, status);
  } else if (status.ok()) {
    report.PrintText(std::cout, directory, status);
  }
  return ExitCode(status);
}

int Stats(io::Io& io, const std::string& directory, bool json, bool each_partition) {
  const auto shape = io::BlockOn(io, ReadShape(io, directory));
  if (!shape.ok()) return ExitCode(shape.status());
  if (json) {
    shape->PrintJson(std::cout, each_partition);
  } else {
    shape->PrintText(std::cout, each_partition);
  }
  return 0;
}

int Main(int argc, char** argv) {
  const auto clients = ClientCommands();
  if (argc > 1 && std::any_of(clients.begin(), clients.end(),
                              [&](const auto& command) { return command.first == argv[1]; })) {
    return RunClientCommand({argv + 1, argv + argc});
  }

  CLI::App app(
      "Looks into the files of a Varve database, and talks to a server. Exits with 0 if all is "
      "well, 1 if a file is damaged or the server refuses, 2 if it could not look.",
      "varve");
  app.require_subcommand(1);
  std::string path;
  PrintOptions print;
  bool each_partition = false;

  const auto add = [&](const char* name, const char* description, const char* argument) {
    CLI::App* const command = app.add_subcommand(name, description);
    command->add_option("path", path, argument)->required()->type_name("");
    command->add_flag("--json", print.json,
                      "Print JSON; bytes that are no printable ASCII as \\xNN");
    return command;
  };
  const auto add_print_options = [&](CLI::App* command) {
    command->add_flag("--summary", print.summary, "Leave blocks, records and entries out");
    command->add_option("--value-bytes", print.value_bytes_max, "Cut values beyond this in text")
        ->capture_default_str();
  };
  CLI::App* const sst = add("sst", "Print what is in a table", "A table, <number>.sst");
  add_print_options(sst);
  CLI::App* const wal =
      add("wal", "Print what is in a segment of the log", "A segment in the directory log");
  add_print_options(wal);
  CLI::App* const check =
      add("check", "Verify every checksum and invariant of a data directory", "A data directory");
  CLI::App* const stats =
      add("stats", "Show levels, sizes and amplification of a data directory", "A data directory");
  stats->add_flag("--partitions", each_partition, "Show each partition");

  for (const auto& [name, description] : clients) {
    app.add_subcommand(std::string(name), std::string(description))->group("Talk to a server");
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  // Standard output is for what was asked.
  spdlog::set_default_logger(spdlog::stderr_color_mt("varve"));
  std::ios::sync_with_stdio(false);
  const std::unique_ptr<io::Io> io = io::NewIo();
  if (sst->parsed()) {
    return ExitCode(io::BlockOn(*io, PrintTable(*io, path, print, std::cout)));
  }
  if (wal->parsed()) {
    return ExitCode(io::BlockOn(*io, PrintSegment(*io, path, print, std::cout)));
  }
  if (check->parsed()) return Check(*io, path, print.json);
  return Stats(*io, path, print.json, each_partition);
}

}  // namespace
}  // namespace varve::tools

int main(int argc, char** argv) { return varve::tools::Main(argc, argv); }
