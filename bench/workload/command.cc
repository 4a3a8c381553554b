#include "bench/workload/command.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bench/engine.h"
#include "bench/workload/report.h"
#include "bench/workload/workload.h"

namespace varve::bench {
namespace {

struct Settings {
  EngineConfig engine;
  WorkloadConfig workload;
  std::string name;
  std::vector<std::string> engines{"varve", "rocksdb"};
  std::string directory = "varve-bench-data";
  std::string durability = "durable";
  std::string key_order = "hashed";
  uint64_t cache_mib = 256;
  uint64_t memtable_mib = 32;
  uint64_t memtable_budget_mib = 128;
  std::string json;
  bool keep = true;
};

// What a filled directory holds; a run on one filled otherwise would mislead.
std::string Signature(const Settings& settings) {
  const WorkloadConfig& w = settings.workload;
  return fmt::format(
      "keys {} of {} bytes {}, values {} bytes {} compressible, compression {}, {} "
      "filter bits\n",
      w.keys, w.key_bytes, settings.key_order, w.value_bytes, w.compressible,
      settings.engine.compression_level, settings.engine.filter_bits_per_key);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

StatusOr<Result> RunOne(Settings settings, const std::string& engine_name) {
  const std::filesystem::path directory =
      std::filesystem::path(settings.directory) / (engine_name + "." + settings.durability);
  const std::filesystem::path signature = directory.string() + ".filled";
  settings.engine.directory = directory.string();
  const bool fill = settings.workload.kind == Kind::kFill;
  const bool filled = ReadFile(signature) == Signature(settings);
  std::unique_ptr<Engine> engine = engine_name == "varve" ? NewVarveEngine() : NewRocksDbEngine();

  if (fill || !filled) {
    std::filesystem::remove_all(directory);
    std::filesystem::remove(signature);
    std::filesystem::create_directories(directory);
  }
  if (!fill && !filled) {
    fmt::print(stderr, "{}: filling {} first\n", engine_name, directory.string());
    WorkloadConfig first = settings.workload;
    first.kind = Kind::kFill;
    first.batch = 100;
    VARVE_RETURN_IF_ERROR(engine->Open(settings.engine));
    VARVE_RETURN_IF_ERROR(Run(*engine, settings.engine, first).status());
    VARVE_RETURN_IF_ERROR(engine->Close());
    std::ofstream(signature) << Signature(settings);
  }

  fmt::print(stderr, "{}: {}\n", engine_name, settings.name);
  VARVE_RETURN_IF_ERROR(engine->Open(settings.engine));
  VARVE_ASSIGN_OR_RETURN(Result result, Run(*engine, settings.engine, settings.workload));
  result.engine = engine_name;
  VARVE_RETURN_IF_ERROR(engine->Close());
  if (fill) std::ofstream(signature) << Signature(settings);
  if (!settings.keep) {
    std::filesystem::remove_all(directory);
    std::filesystem::remove(signature);
  }
  return result;
}

int RunAll(Settings settings) {
  settings.engine.durable = settings.durability == "durable";
  settings.engine.cache_bytes = settings.cache_mib << 20;
  settings.engine.memtable_bytes = settings.memtable_mib << 20;
  settings.engine.memtable_budget_bytes = settings.memtable_budget_mib << 20;
  settings.workload.ordered = settings.key_order == "ordered";

  std::vector<Result> results;
  for (const std::string& engine : settings.engines) {
    StatusOr<Result> result = RunOne(settings, engine);
    if (!result.ok()) {
      fmt::print(stderr, "varve_bench: {}: {}\n", engine, Message(result.status()));
      return 1;
    }
    results.push_back(*std::move(result));
  }
  fmt::print("{}{}", DescribeRun(settings.name, settings.engine, settings.workload),
             Table(results));
  if (!settings.json.empty()) {
    std::ofstream file(settings.json);
    file << Json(settings.name, settings.engine, settings.workload, results);
    file.close();
    if (!file) {
      fmt::print(stderr, "varve_bench: cannot write {}\n", settings.json);
      return 1;
    }
  }
  return 0;
}

void AddOptions(CLI::App* command, Settings& settings) {
  WorkloadConfig& workload = settings.workload;
  command->option_defaults()->always_capture_default();
  command->add_option("--engine", settings.engines, "which engines, in this order")
      ->delimiter(',')
      ->check(CLI::IsMember({"varve", "rocksdb"}));
  command->add_option("--directory", settings.directory, "where the data goes");
  command->add_flag("--keep,!--discard", settings.keep, "keep the data for the next run");
  command->add_option("--json", settings.json, "also write the results to this file");

  command->add_option("--keys", workload.keys)->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40));
  command->add_option("--key-bytes", workload.key_bytes)->check(CLI::Range(9, 1024));
  command->add_option("--value-bytes", workload.value_bytes)->check(CLI::Range(0, 1 << 20));
  command->add_option("--compressible", workload.compressible, "share of a value that repeats")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--key-order", settings.key_order)
      ->check(CLI::IsMember({"hashed", "ordered"}));
  command->add_option("--seed", workload.seed);

  command->add_option("--threads", workload.threads)->check(CLI::Range(1, 1024));
  command
      ->add_option("--durability", settings.durability,
                   "durable: each write survives a power cut; relaxed: the end of the process")
      ->check(CLI::IsMember({"durable", "relaxed"}));
  command->add_option("--cache-mib", settings.cache_mib);
  command->add_option("--memtable-mib", settings.memtable_mib, "one memtable")
      ->check(CLI::Range(1, 1024));
  command->add_option("--memtable-budget-mib", settings.memtable_budget_mib, "all memtables");
  command
      ->add_option("--compression-level", settings.engine.compression_level, "Zstandard; 0 is none")
      ->check(CLI::Range(0, 19));
  command->add_option("--filter-bits", settings.engine.filter_bits_per_key, "a key");
  command->add_option("--background-threads", settings.engine.background_threads)
      ->check(CLI::Range(1, 64));
  command->add_option("--layout", settings.engine.layout, "Varve's compaction")
      ->check(CLI::IsMember({"leveled", "lazy-leveled", "tiered"}));
  command->add_option("--io", settings.engine.io, "Varve's I/O")
      ->check(CLI::IsMember({"auto", "uring", "posix"}));
}

void AddTimedOptions(CLI::App* command, WorkloadConfig& workload) {
  command->add_option("--seconds", workload.seconds)->check(CLI::PositiveNumber);
  command->add_option("--warmup-seconds", workload.warmup_seconds)->check(CLI::NonNegativeNumber);
  command->add_option("--zipf", workload.zipf, "skew of the choice of keys; 0 is uniform")
      ->check(CLI::Range(0.0, 0.999));
}

}  // namespace

std::function<std::optional<int>()> AddWorkloads(CLI::App& app) {
  const auto settings = std::make_shared<Settings>();
  WorkloadConfig& workload = settings->workload;
  std::vector<std::pair<CLI::App*, Kind>> commands;
  for (const auto& [name, kind, what] :
       {std::tuple("fill", Kind::kFill, "write every key once, into nothing"),
        std::tuple("read", Kind::kRead, "get keys that are there"),
        std::tuple("scan", Kind::kScan, "read some entries from a random key on"),
        std::tuple("mixed", Kind::kMixed, "get and overwrite keys")}) {
    CLI::App* const command = app.add_subcommand(name, what);
    AddOptions(command, *settings);
    if (kind == Kind::kFill) {
      command->add_option("--batch", workload.batch, "keys a write")->check(CLI::Range(1, 10000));
    } else {
      AddTimedOptions(command, workload);
    }
    if (kind == Kind::kScan) {
      command->add_option("--scan-entries", workload.scan_entries)->check(CLI::Range(1, 1 << 20));
    }
    if (kind == Kind::kMixed) {
      command->add_option("--write-percent", workload.write_percent)->check(CLI::Range(0, 100));
    }
    commands.emplace_back(command, kind);
  }
  return [settings, commands]() -> std::optional<int> {
    for (const auto& [command, kind] : commands) {
      if (!command->parsed()) continue;
      settings->name = command->get_name();
      settings->workload.kind = kind;
      return RunAll(*settings);
    }
    return std::nullopt;
  };
}

}  // namespace varve::bench
