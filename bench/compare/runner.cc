#include "bench/compare/runner.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>

#include "bench/compare/measure.h"
#include "bench/watch.h"

namespace varve::bench {
namespace {

namespace fs = std::filesystem;

void Say(const std::string& what) {
  fmt::print(stderr, "{:%H:%M:%S} {}\n", fmt::localtime(std::time(nullptr)), what);
}

// What the page cache holds of the directory; of everything, if the system lets us.
void DropPageCache(const std::string& directory) {
  sync();
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const int fd = open(entry.path().c_str(), O_RDONLY);
    if (fd < 0) continue;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
  std::ofstream("/proc/sys/vm/drop_caches") << "1\n";
}

std::unique_ptr<Engine> NewEngine(const std::string& contestant) {
  return contestant == "varve" ? NewVarveEngine() : NewRocksDbEngine();
}

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

class Runner {
 public:
  Runner(const RunnerOptions& options, const std::vector<Row>& rows)
      : options_(options), rows_(rows) {
    for (const Row& row : rows) {
      RowResult result{.row = &row, .config = ConfigOf(row.setup, "")};
      for (const std::string& contestant : options.contestants) {
        if (TakesPart(row, contestant)) result.turns.emplace_back(contestant, std::vector<Turn>());
      }
      results_.push_back(std::move(result));
    }
  }

  StatusOr<std::vector<RowResult>> Run() {
    for (size_t begin = 0, end; begin < rows_.size(); begin = end) {
      for (end = begin + 1; end < rows_.size() && MayShare(rows_[begin], rows_[end]);) ++end;
      for (int turn = 0; turn < TurnsOf(rows_[begin]); ++turn) {
        for (const std::string& contestant : options_.contestants) {
          const Status status = RunSession(begin, end, contestant, turn);
          if (!status.ok()) {
            return Unavailable("{} by {}: {}", rows_[begin].name, contestant, Message(status));
          }
        }
      }
    }
    if (!options_.keep) RemoveData();
    return std::move(results_);
  }

 private:
  static bool TakesPart(const Row& row, const std::string& contestant) {
    return contestant != "rocksdb-blobs" || row.with_blobs;
  }
  static bool MayShare(const Row& a, const Row& b) {
    return a.setup == b.setup && a.turns_max == b.turns_max && !a.setup.changes_data &&
           (a.setup.temperature == Temperature::kCached ||
            a.setup.temperature == Temperature::kCold);
  }
  int TurnsOf(const Row& row) const {
    return options_.turns > 0 ? options_.turns : std::min(options_.suite_turns, row.turns_max);
  }

  EngineConfig ConfigOf(const Setup& setup, const std::string& contestant) const {
    EngineConfig config = options_.engine;
    config.durable = setup.durable;
    if (setup.cache_bytes > 0) config.cache_bytes = setup.cache_bytes;
    config.count_block_reads = setup.temperature == Temperature::kCold;
    if (contestant == "rocksdb-blobs") config.blob_bytes_min = kBlobBytesMin;
    config.directory = (fs::path(options_.directory) /
                        (setup.temperature == Temperature::kFresh
                             ? contestant + "-fresh"
                             : fmt::format("{}-{}x{}", contestant, setup.keys, setup.value_bytes)))
                           .string();
    return config;
  }

  // Opens the engine once and measures rows [begin, end) on it.
  Status RunSession(size_t begin, size_t end, const std::string& contestant, int turn) {
    const Setup& setup = rows_[begin].setup;
    if (!TakesPart(rows_[begin], contestant)) return absl::OkStatus();
    const EngineConfig config = ConfigOf(setup, contestant);
    const bool fresh = setup.temperature == Temperature::kFresh;
    if (fresh) {
      fs::remove_all(config.directory);
      fs::create_directories(config.directory);
    } else {
      VARVE_RETURN_IF_ERROR(ProvideData(config, setup, contestant));
      DropPageCache(config.directory);
    }
    const std::unique_ptr<Engine> engine = NewEngine(contestant);
    Watch watch(config.directory, engine->TableSuffixes());
    if (setup.temperature != Temperature::kClosed) VARVE_RETURN_IF_ERROR(engine->Open(config));
    if (setup.temperature == Temperature::kCached) {
      uint64_t bytes = 0;
      VARVE_RETURN_IF_ERROR(engine->ScanAll(true, &bytes).status());
    }
    for (size_t i = begin; i < end; ++i) {
      RowResult& result = results_[i];
      Say(fmt::format("{}: {}, turn {} of {}", rows_[i].name, contestant, turn + 1,
                      TurnsOf(rows_[i])));
      result.described.try_emplace(contestant, engine->Describe(config));
      watch.Restart();
      Context context{.engine = *engine,
                      .config = config,
                      .watch = watch,
                      .turn = static_cast<uint64_t>(turn),
                      .paced_rate = PacedRate()};
      StatusOr<Turn> turn_or = rows_[i].measure(context);
      if (absl::IsFailedPrecondition(turn_or.status())) {
        Say(fmt::format("{}: left out: {}", rows_[i].name, Message(turn_or.status())));
        continue;
      }
      VARVE_RETURN_IF_ERROR(turn_or.status());
      Turn& measured = *turn_or;
      measured.figures[kMemory] =
          static_cast<double>(watch.memory_bytes_max()) / static_cast<double>(MemoryBudget(config));
      for (auto& [name, turns] : result.turns) {
        if (name == contestant) turns.push_back(std::move(measured));
      }
    }
    if (setup.changes_data) VARVE_RETURN_IF_ERROR(engine->WaitUntilSettled());
    VARVE_RETURN_IF_ERROR(engine->Close());
    if (fresh) fs::remove_all(config.directory);
    return absl::OkStatus();
  }

  // Fills the directory, unless this run or an earlier one with --keep has.
  Status ProvideData(EngineConfig config, const Setup& setup, const std::string& contestant) {
    const fs::path marker = config.directory + ".filled";
    const std::string filled = fmt::format("compression {}, filter bits {}\n",
                                           config.compression_level, config.filter_bits_per_key);
    std::ifstream file(marker);
    if (std::string((std::istreambuf_iterator<char>(file)), {}) == filled) return absl::OkStatus();
    Say(fmt::format("filling {}", config.directory));
    fs::remove(marker);
    fs::remove_all(config.directory);
    fs::create_directories(config.directory);
    filled_.push_back(config.directory);
    config.durable = false;
    const std::unique_ptr<Engine> engine = NewEngine(contestant);
    VARVE_RETURN_IF_ERROR(engine->Open(config));
    Watch watch(config.directory, {});
    Context context{.engine = *engine, .config = config, .watch = watch};
    Turn unused;
    VARVE_RETURN_IF_ERROR(WriteAll(context, Keys::Hashed(0, setup.keys),
                                   Values(setup.value_bytes, kCompressible), 1000, "", "",
                                   &unused));
    VARVE_RETURN_IF_ERROR(engine->Close());
    std::ofstream(marker) << filled;
    return absl::OkStatus();
  }

  void RemoveData() {
    for (const std::string& directory : filled_) {
      fs::remove_all(directory);
      fs::remove(directory + ".filled");
    }
  }

  // 80 % of what RocksDB takes for as long as you like.
  double PacedRate() const {
    if (options_.paced_rate > 0) return options_.paced_rate;
    for (const RowResult& result : results_) {
      if (result.row->name != "overwrite") continue;
      const std::vector<Turn>* const turns = result.TurnsOf("rocksdb");
      if (turns == nullptr) continue;
      std::vector<double> rates;
      for (const Turn& turn : *turns) rates.push_back(turn.figures.at("keys until settled"));
      return 0.8 * MedianOf(rates);
    }
    return 0;
  }

  static constexpr uint64_t kBlobBytesMin = 1024;

  const RunnerOptions& options_;
  const std::vector<Row>& rows_;
  std::vector<RowResult> results_;
  std::vector<std::string> filled_;
};

}  // namespace

const std::vector<Turn>* RowResult::TurnsOf(const std::string& contestant) const {
  for (const auto& [name, of_it] : turns) {
    if (name == contestant) return &of_it;
  }
  return nullptr;
}

uint64_t MemoryBudget(const EngineConfig& config) {
  return config.cache_bytes + config.memtable_budget_bytes;
}

StatusOr<std::vector<RowResult>> RunRows(const RunnerOptions& options,
                                         const std::vector<Row>& rows) {
  return Runner(options, rows).Run();
}

}  // namespace varve::bench
