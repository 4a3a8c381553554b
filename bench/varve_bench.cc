// varve_bench: Varve beside RocksDB, other servers and the device.
//
//   varve_bench compare --suite standard --json report.json --html report.html
//   varve_bench compare --rows fill-random,read-cached --engine varve
//   varve_bench compare --help
//   varve_bench fill --keys 10000000 --engine varve,rocksdb     # and read, scan, mixed
//   varve_bench ycsb --workload a --target http,redis --html report.html
//
// docs/performance.md says what the rows mean.
#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "bench/compare/compare.h"
#include "bench/workload/command.h"
#include "bench/ycsb/command.h"

int main(int argc, char** argv) {
  std::string command_line;
  for (int i = 0; i < argc; ++i) command_line += (i == 0 ? "" : " ") + std::string(argv[i]);
  CLI::App app("Varve beside RocksDB and the device.");
  app.require_subcommand(1);
  const std::function<int()> compare = varve::bench::AddCompare(app, command_line);
  const std::function<std::optional<int>()> workload = varve::bench::AddWorkloads(app);
  const std::function<std::optional<int>()> ycsb = varve::bench::AddYcsb(app, command_line);
  CLI11_PARSE(app, argc, argv);
  if (const std::optional<int> done = workload()) return *done;
  if (const std::optional<int> done = ycsb()) return *done;
  return compare();
}
