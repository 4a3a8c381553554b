// varve_sim: runs the engine, and tables and items on it, through seeded lives of writes, crashes
// and faults, and checks every read. See docs/reliability.md.
//
//   varve_sim --seed 42              one run, exactly as it was before
//   varve_sim --seeds 500            500 fresh seeds, and how often each fault struck
//   varve_sim --seeds 500 --layer store    of items alone; or engine
//   varve_sim --sabotage all         each rule taken away in turn: some seed must fail
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/sim/simulation.h"

namespace varve::sim {
namespace {

struct Arguments {
  uint64_t seed = 0;
  uint64_t seeds = 0;
  uint64_t operations = 2000;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  std::string layer = "both";
  std::string sabotage;
  bool trace = false;
};

// With both layers they take turns.
Layer LayerOf(uint64_t seed, const Arguments& arguments) {
  if (arguments.layer == "engine") return Layer::kEngine;
  if (arguments.layer == "store") return Layer::kStore;
  return seed % 2 == 0 ? Layer::kEngine : Layer::kStore;
}

SimulationOptions OptionsOf(uint64_t seed, const Arguments& arguments,
                            const Sabotage* sabotage = nullptr) {
  SimulationOptions options;
  options.seed = seed;
  options.layer = LayerOf(seed, arguments);
  options.operations = arguments.operations;
  options.trace = arguments.trace;
  options.sabotage = sabotage;
  if (sabotage != nullptr) {
    const bool is_of_store = sabotage->store_rule != item::Rule::kNone;
    options.layer = is_of_store ? Layer::kStore : Layer::kEngine;
  }
  return options;
}

// An outcome on one line, for the pipe from a child.
std::string ToLine(uint64_t seed, const Outcome& outcome) {
  std::string complaint = outcome.complaint.value_or("");
  std::replace_if(
      complaint.begin(), complaint.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
  std::string line = fmt::format("{}\t{}\t{}", seed, outcome.complaint ? 1 : 0, complaint);
  for (const auto& [name, count] : outcome.tally) line += fmt::format("\t{}={}", name, count);
  return line + "\n";
}

uint64_t FromLine(const std::string& line, Outcome* outcome) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) fields.push_back(field);
  if (fields.size() < 3) return 0;
  if (fields[1] == "1") outcome->complaint = fields[2];
  for (size_t i = 3; i < fields.size(); ++i) {
    const size_t equals = fields[i].find('=');
    outcome->tally[fields[i].substr(0, equals)] = std::stoull(fields[i].substr(equals + 1));
  }
  return std::stoull(fields[0]);
}

// The index of the `turn`-th seed of a child: each turn the children change places, so that each
// gets as many seeds of either layer.
uint64_t SeedIndex(uint64_t turn, unsigned child, unsigned jobs) {
  return turn * jobs + (child + turn) % jobs;
}

// One of arguments.jobs children: runs its seeds and reports each to `pipe`.
[[noreturn]] void RunChild(unsigned child, int pipe, uint64_t first, uint64_t count,
                           const Arguments& arguments, const Sabotage* sabotage) {
  for (uint64_t turn = 0; turn * arguments.jobs < count; ++turn) {
    const uint64_t n = SeedIndex(turn, child, arguments.jobs);
    if (n >= count) continue;
    const Outcome outcome = Simulate(OptionsOf(first + n, arguments, sabotage));
    const std::string line = ToLine(first + n, outcome);
    if (write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) break;
  }
  _exit(0);
}

// Runs `count` seeds from `first` in child processes, until `visit` says stop. A child that dies is
// an outcome, too: with the seed after the last that it reported.
void RunSeeds(uint64_t first, uint64_t count, const Arguments& arguments, const Sabotage* sabotage,
              const std::function<bool(uint64_t seed, const Outcome&)>& visit) {
  struct Child {
    unsigned number = 0;
    pid_t pid = 0;
    FILE* results = nullptr;
    uint64_t next_seed = 0;
  };
  std::vector<Child> children;
  std::fflush(stdout);
  for (unsigned i = 0; i < arguments.jobs; ++i) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      RunChild(i, ends[1], first, count, arguments, sabotage);
    }
    close(ends[1]);
    children.push_back({i, pid, fdopen(ends[0], "r"), first + i});
  }
  bool stop = false;
  while (!children.empty()) {
    std::vector<pollfd> polls;
    for (const Child& child : children) polls.push_back({fileno(child.results), POLLIN, 0});
    poll(polls.data(), polls.size(), -1);
    for (size_t i = 0; i < children.size(); ++i) {
      if (polls[i].revents == 0) continue;
      Child& child = children[i];
      char* line = nullptr;
      size_t capacity = 0;
      Outcome outcome;
      if (getline(&line, &capacity, child.results) > 0) {
        const uint64_t seed = FromLine(line, &outcome);
        const uint64_t turn = (seed - first) / arguments.jobs + 1;
        child.next_seed = first + SeedIndex(turn, child.number, arguments.jobs);
        if (!stop && !visit(seed, outcome)) stop = true;
        std::free(line);
        if (!stop) continue;
      } else {
        std::free(line);
        int status = 0;
        waitpid(child.pid, &status, 0);
        child.pid = 0;
        if (status != 0 && !stop) {
          outcome.complaint = fmt::format("the process died (status {:#x})", status);
          stop = !visit(child.next_seed, outcome);
        }
      }
      if (child.pid != 0) {
        kill(child.pid, SIGKILL);
        waitpid(child.pid, nullptr, 0);
      }
      fclose(child.results);
      children.erase(children.begin() + static_cast<long>(i));
      break;
    }
  }
}

void Print(const Tally& tally) {
  for (const auto& [name, count] : tally) fmt::print("  {:<36} {:>12}\n", name, count);
}

int RunOne(const Arguments& arguments) {
  const Outcome outcome = Simulate(OptionsOf(arguments.seed, arguments));
  Print(outcome.tally);
  fmt::print("seed {}: {} (digest {:016x})\n", arguments.seed,
             outcome.complaint ? *outcome.complaint : "nothing wrong", outcome.digest);
  return outcome.complaint ? 1 : 0;
}

// A seed must run the same twice.
bool Replays(uint64_t seed, const Arguments& arguments) {
  const SimulationOptions options = OptionsOf(seed, arguments);
  return Simulate(options).digest == Simulate(options).digest;
}

int RunMany(const Arguments& arguments) {
  const uint64_t first =
      arguments.seed != 0 ? arguments.seed : std::random_device()() * uint64_t{1000};
  fmt::print("simulating {} seeds from {}\n", arguments.seeds, first);
  Tally total;
  uint64_t passed = 0;
  uint64_t failed = 0;
  RunSeeds(first, arguments.seeds, arguments, nullptr, [&](uint64_t seed, const Outcome& outcome) {
    for (const auto& [name, count] : outcome.tally) total[name] += count;
    if (outcome.complaint) {
      fmt::print("seed {} FAILED: {}\n  again: varve_sim --seed {}{}\n", seed, *outcome.complaint,
                 seed, arguments.layer == "both" ? "" : " --layer " + arguments.layer);
      ++failed;
    } else {
      ++passed;
    }
    if ((passed + failed) % 100 == 0)
      fmt::print("{} of {} seeds\n", passed + failed, arguments.seeds);
    std::fflush(stdout);
    return failed < 5;
  });
  Print(total);
  for (const Layer layer : {Layer::kEngine, Layer::kStore}) {
    if (arguments.layer == (layer == Layer::kEngine ? "store" : "engine")) continue;
    for (const std::string& name : RequiredTally(layer)) {
      if (arguments.seeds >= 100 && total[name] == 0) {
        fmt::print("'{}' never happened: this run proves nothing about it\n", name);
        ++failed;
      }
    }
  }
  // One of each layer, if both take turns.
  for (const uint64_t seed : {first, first + 1}) {
    if (Replays(seed, arguments)) continue;
    fmt::print("seed {} does not replay\n", seed);
    ++failed;
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

int RunSabotage(const Arguments& arguments) {
  const uint64_t first = arguments.seed != 0 ? arguments.seed : 1;
  const uint64_t seeds = arguments.seeds != 0 ? arguments.seeds : 400;
  uint64_t noticed = 0;
  uint64_t missed = 0;
  for (const Sabotage& sabotage : AllSabotage()) {
    if (arguments.sabotage != "all" && arguments.sabotage != sabotage.name) continue;
    const bool is_of_store = sabotage.store_rule != item::Rule::kNone;
    const bool is_asked_for =
        arguments.layer == "both" || is_of_store == (arguments.layer == "store");
    if (arguments.sabotage == "all" && !is_asked_for) continue;
    uint64_t tried = 0;
    bool found = false;
    RunSeeds(first, seeds, arguments, &sabotage, [&](uint64_t seed, const Outcome& outcome) {
      ++tried;
      if (!outcome.complaint || found) return !found;
      found = true;
      fmt::print("{:<22} noticed at seed {:<5} {}\n", sabotage.name, seed, *outcome.complaint);
      return false;
    });
    if (!found)
      fmt::print("{:<22} NOT NOTICED in {} seeds: {}\n", sabotage.name, tried, sabotage.what);
    std::fflush(stdout);
    ++(found ? noticed : missed);
  }
  fmt::print("{} passed, {} failed\n", noticed, missed);
  return missed == 0 && noticed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace varve::sim

int main(int argc, char** argv) {
  varve::sim::Arguments arguments;
  CLI::App app("Simulates the engine, and items on it, under crashes and faults.");
  app.add_option("--seed", arguments.seed, "the seed, or the first of --seeds");
  app.add_option("--seeds", arguments.seeds, "how many seeds to run");
  app.add_option("--operations", arguments.operations, "operations a seed")->capture_default_str();
  app.add_option("--jobs", arguments.jobs, "seeds at a time")->capture_default_str();
  app.add_option("--layer", arguments.layer, "what is run: engine, store, or both in turn")
      ->capture_default_str()
      ->check(CLI::IsMember({"engine", "store", "both"}));
  app.add_option("--sabotage", arguments.sabotage, "a rule to take away, or 'all'");
  app.add_flag("--trace", arguments.trace, "print every operation");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(arguments.trace ? spdlog::level::info : spdlog::level::off);
  if (!arguments.sabotage.empty()) return varve::sim::RunSabotage(arguments);
  if (arguments.seeds > 0) return varve::sim::RunMany(arguments);
  if (arguments.seed == 0) arguments.seed = 1;
  return varve::sim::RunOne(arguments);
}
