// varve_bounds: ten thousand partitions with one write each, then gigabytes into one of them; looks
// all the while whether log, memory, open files and number of files stay within what was
// configured. Exits with 1 if one of them did not.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/db.h"

namespace varve {
namespace {

uint64_t AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) << 10;
  }
  return 0;
}

uint64_t CountFiles(const std::string& directory) {
  uint64_t count = 0;
  std::error_code ignored;
  for (auto it = std::filesystem::recursive_directory_iterator(directory, ignored);
       it != std::filesystem::recursive_directory_iterator(); it.increment(ignored)) {
    ++count;
  }
  return count;
}

// The largest value seen of something that has a bound.
struct Gauge {
  std::string name;
  uint64_t bound;
  uint64_t max = 0;

  void See(uint64_t value) { max = std::max(max, value); }
};

class Bounds {
 public:
  Bounds(const engine::Options& options, uint64_t data_bytes)
      : memory{"anonymous memory, bytes",
               options.memtable_budget_bytes * 3 / 2 + options.block_cache_bytes + (200u << 20)},
        memtables{"memtables, bytes", options.memtable_budget_bytes * 5 / 4},
        log{"log, bytes", options.log_bytes_max * 2 + 2 * options.log_segment_bytes},
        open_files{"open files", options.open_tables_max + 100},
        files{"files", 1000 + 4 * data_bytes / options.table_bytes_target} {}

  void Look(const engine::Db& db, const std::string& directory) {
    const engine::DbStats stats = db.Stats();
    memory.See(AnonymousBytes());
    memtables.See(stats.memtable_bytes);
    log.See(stats.log_bytes);
    open_files.See(CountFiles("/proc/self/fd"));
    files.See(CountFiles(directory));
  }

  bool Report() const {
    bool within = true;
    for (const Gauge* gauge : {&memory, &memtables, &log, &open_files, &files}) {
      const bool good = gauge->max <= gauge->bound;
      within = within && good;
      fmt::print("{:<26} {:>14} of {:>14} {}\n", gauge->name, gauge->max, gauge->bound,
                 good ? "" : "EXCEEDED");
    }
    return within;
  }

 private:
  Gauge memory, memtables, log, open_files, files;
};

Status Run(const std::string& directory, uint64_t partitions, uint64_t data_bytes, bool* within) {
  engine::Options options;
  options.durability = engine::Durability::kRelaxed;
  const auto io = io::NewIo();
  VARVE_ASSIGN_OR_RETURN(const auto db, engine::Db::Open(*io, directory, options));
  Bounds bounds(options, data_bytes);
  std::atomic<bool> done{false};
  std::thread watcher([&]() {
    while (!done) {
      bounds.Look(*db, directory);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  const auto work = [&]() -> Status {
    std::vector<std::string> keys;
    for (uint64_t i = 0; i < partitions; ++i) keys.push_back(fmt::format("p{:08}", i));
    VARVE_RETURN_IF_ERROR(db->Split(keys));
    for (const std::string& key : keys) VARVE_RETURN_IF_ERROR(db->Put(key + "/x", "one write"));
    fmt::print("{} partitions with one write each\n", db->Partitions().size());
    Random random(1);
    std::string value(1000, 'x');
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t written = 0; written < data_bytes; written += value.size()) {
      for (size_t i = 0; i < value.size(); i += 8) {
        const uint64_t noise = random.Next();
        value.replace(i, 8, reinterpret_cast<const char*>(&noise), 8);
      }
      VARVE_RETURN_IF_ERROR(db->Put(fmt::format("p00000042/{:016x}", random.Next()), value));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("{} bytes into one of them in {:.1f} s\n", data_bytes, seconds.count());
    VARVE_RETURN_IF_ERROR(db->Settle());
    engine::PinnedValue found;
    for (const std::string& key : keys) {
      VARVE_ASSIGN_OR_RETURN(const bool there, db->Get(key + "/x", &found));
      if (!there) return Corruption("{} is lost", key);
    }
    return absl::OkStatus();
  };
  const Status status = work();
  done = true;
  watcher.join();
  const engine::DbStats stats = db->Stats();
  fmt::print("{} partitions, {} tables, write amplification {:.2f}\n", stats.partitions,
             stats.table_files, stats.WriteAmplification());
  *within = bounds.Report();
  return status;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  std::string directory = "varve-bounds";
  uint64_t partitions = 10'000;
  uint64_t megabytes = 5'000;
  CLI::App app("Shows that many partitions and much data stay within the configured bounds.");
  app.add_option("--directory", directory, "where to work; removed at the end")
      ->capture_default_str();
  app.add_option("--partitions", partitions, "how many")->capture_default_str();
  app.add_option("--megabytes", megabytes, "into one of them")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(directory)) {
    fmt::print(stderr, "{}: exists already\n", directory);
    return 2;
  }
  bool within = false;
  const varve::Status status = varve::Run(directory, partitions, megabytes * 1'000'000, &within);
  std::filesystem::remove_all(directory);
  if (!status.ok()) fmt::print(stderr, "{}\n", status.ToString());
  return status.ok() && within ? 0 : 1;
}
