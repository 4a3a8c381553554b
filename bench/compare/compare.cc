#include "bench/compare/compare.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/compare/report.h"
#include "bench/compare/runner.h"
#include "bench/compare/suites.h"
#include "bench/compare/text.h"
#include "bench/machine.h"

namespace varve::bench {
namespace {

struct Options {
  SuiteOptions suite{.name = "quick"};
  RunnerOptions runner;
  std::vector<std::string> rows;
  uint64_t memory_mib = 1024;
  uint64_t memtable_mib = 64;
  uint64_t memtable_budget_mib = 256;
  bool list = false;
  std::string json;
  std::string html;
};

// The wanted rows, and those that they need.
StatusOr<std::vector<Row>> Select(std::vector<Row> all, std::vector<std::string> wanted) {
  if (wanted.empty()) return all;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto row =
        std::find_if(all.begin(), all.end(), [&](const Row& r) { return r.name == wanted[i]; });
    if (row == all.end()) return InvalidArgument("there is no row {}; see --list", wanted[i]);
    if (!row->needs.empty()) wanted.push_back(row->needs);
  }
  std::erase_if(all, [&](const Row& row) {
    return std::find(wanted.begin(), wanted.end(), row.name) == wanted.end();
  });
  return all;
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) fmt::print(stderr, "varve_bench: cannot write {}\n", path);
  return !file.fail();
}

int Compare(Options options, const std::string& command_line) {
  options.suite.memory_bytes = options.memory_mib << 20;
  options.runner.engine.memtable_bytes = options.memtable_mib << 20;
  options.runner.engine.memtable_budget_bytes = options.memtable_budget_mib << 20;
  const Sizes sizes = SizesOf(options.suite);
  options.runner.suite_turns = sizes.turns;
  const StatusOr<std::vector<Row>> rows = Select(RowsOf(sizes), options.rows);
  if (!rows.ok()) {
    fmt::print(stderr, "varve_bench: {}\n", Message(rows.status()));
    return 2;
  }
  if (options.list) {
    for (const Row& row : *rows) {
      fmt::print("{:<22} {}  [{}]\n", row.name, row.title, DescribeSetup(row));
    }
    return 0;
  }
  const ReportHead head = {
      .suite = options.suite.name,
      .command = command_line,
      .machine = DescribeMachine(),
      .started = fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))};
  const StatusOr<std::vector<RowResult>> results = RunRows(options.runner, *rows);
  if (!results.ok()) {
    fmt::print(stderr, "varve_bench: {}\n", Message(results.status()));
    return 1;
  }
  fmt::print("{}", DescribeHead(head, *results));
  for (const RowResult& result : *results) fmt::print("{}", DescribeRow(result));
  fmt::print("{}", TargetTable(*results));
  bool written = true;
  if (!options.json.empty()) written = WriteFile(options.json, ReportJson(head, *results));
  if (!options.html.empty()) {
    written = WriteFile(options.html, ReportHtml(head, *results)) && written;
  }
  return written ? 0 : 1;
}

}  // namespace

std::function<int()> AddCompare(CLI::App& app, const std::string& command_line) {
  const auto options = std::make_shared<Options>();
  EngineConfig& engine = options->runner.engine;
  engine.compression_level = 0;
  CLI::App* const compare =
      app.add_subcommand("compare", "a suite of rows on all engines, turn by turn");
  compare->fallthrough(false);
  compare->option_defaults()->always_capture_default();
  compare->add_option("--suite", options->suite.name)
      ->check(CLI::IsMember({"quick", "standard", "big"}));
  compare->add_option("--rows", options->rows, "only these")->delimiter(',');
  compare->add_flag("--list", options->list, "print the suite's rows, and end");
  compare->add_option("--turns", options->runner.turns, "of every row; 0: as the suite says")
      ->check(CLI::Range(0, 1000));
  compare->add_option("--engine", options->runner.contestants, "which engines, in this order")
      ->delimiter(',')
      ->check(CLI::IsMember({"varve", "rocksdb", "rocksdb-blobs"}));
  compare->add_option("--memory-mib", options->memory_mib, "suite big: a quarter of the data")
      ->check(CLI::Range(64, 1 << 20));
  compare->add_option("--scale", options->suite.scale, "of all sizes and times")
      ->check(CLI::Range(1e-6, 100.0));
  compare->add_option("--keys", options->suite.keys,
                      "of the fills and of what reads find; 0: as the suite says");
  compare->add_option("--seconds", options->suite.paced_seconds,
                      "of the paced overwrite; 0: as the suite says");
  compare->add_option("--paced-rate", options->runner.paced_rate,
                      "writes a second of the paced overwrite; 0: 80 % of RocksDB's own");
  compare->add_option("--directory", options->runner.directory, "where the data goes");
  compare->add_flag("--keep", options->runner.keep,
                    "leave the data that reads find for the next run");
  compare->add_option("--json", options->json, "also write the report to this file");
  compare->add_option("--html", options->html, "also write a page with plots");
  compare->add_option("--memtable-mib", options->memtable_mib, "one memtable")
      ->check(CLI::Range(1, 1024));
  compare->add_option("--memtable-budget-mib", options->memtable_budget_mib, "all memtables");
  compare->add_option("--compression-level", engine.compression_level, "Zstandard; 0 is none")
      ->check(CLI::Range(0, 19));
  compare->add_option("--filter-bits", engine.filter_bits_per_key, "a key");
  compare->add_option("--background-threads", engine.background_threads)->check(CLI::Range(1, 64));
  compare->add_option("--layout", engine.layout, "Varve's compaction")
      ->check(CLI::IsMember({"leveled", "lazy-leveled", "tiered"}));
  compare->add_option("--io", engine.io, "Varve's I/O")
      ->check(CLI::IsMember({"auto", "uring", "posix"}));
  return [options, command_line] { return Compare(*options, command_line); };
}

}  // namespace varve::bench
