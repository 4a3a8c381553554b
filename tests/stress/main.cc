// varve_stress: real threads on a real Db, and on a Store; see stress.h and store_stress.h.
//
//   varve_stress --seconds 60
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "io/io.h"
#include "tests/stress/store_stress.h"
#include "tests/stress/stress.h"

namespace {

void Print(const std::string& what, const varve::stress::Tally& tally) {
  fmt::print("{}: nothing wrong\n", what);
  for (const auto& [name, count] : tally) fmt::print("  {:<28} {:>10}\n", name, count);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 3;
  uint64_t seed = 1;
  std::string directory = std::filesystem::temp_directory_path();
  bool posix = false;
  CLI::App app("Threads that write, read and reorganise one database, and check what they see.");
  app.add_option("--seconds", seconds, "how long: a third on each kind of log, a third on items")
      ->capture_default_str();
  app.add_option("--seed", seed, "of the threads' choices")->capture_default_str();
  app.add_option("--directory", directory, "where the databases may be made")
      ->capture_default_str();
  app.add_flag("--posix", posix, "without io_uring");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(spdlog::level::warn);

  std::string base = directory + "/varve-stress-XXXXXX";
  if (mkdtemp(base.data()) == nullptr) {
    fmt::print(stderr, "varve_stress: cannot make a folder in {}\n", directory);
    return EXIT_FAILURE;
  }
  const std::unique_ptr<varve::io::Io> io = posix ? varve::io::NewPosixIo() : varve::io::NewIo();
  for (const auto durability :
       {varve::engine::Durability::kDurable, varve::engine::Durability::kRelaxed}) {
    const bool durable = durability == varve::engine::Durability::kDurable;
    const varve::stress::Tally tally =
        varve::stress::Stress(*io, base + (durable ? "/durable" : "/relaxed"),
                              {.durability = durability,
                               .milliseconds = static_cast<uint64_t>(seconds * 333),
                               .seed = seed});
    Print(fmt::format("{} log, {}", durable ? "durable" : "relaxed", io->name()), tally);
  }
  Print("items", varve::stress::StressStore(*io, base + "/items",
                                            {.durability = varve::engine::Durability::kRelaxed,
                                             .milliseconds = static_cast<uint64_t>(seconds * 333),
                                             .seed = seed}));
  std::filesystem::remove_all(base);
  return EXIT_SUCCESS;
}
