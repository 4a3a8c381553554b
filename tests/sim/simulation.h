// Simulation: one seed's life of a database under faults, checked against the model.
//
// A run is a chain of lives, of the engine (run.h) or of a store on it (store_run.h). In each, some
// client tasks write, read, scan, split, flush and compact side by side on the simulated Io, until
// they are done or a crash ends them. Reads are noted and judged when everything about the life is
// known: which writes took effect, and at which sequence number. The order of everything follows
// from the seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/db.h"
#include "io/sim.h"
#include "item/rule.h"
#include "tests/sim/model.h"

namespace varve::sim {

// What a run may take away, to show that its checks would notice.
struct Sabotage {
  std::string_view name;
  std::string_view what;  // for people
  engine::Rule rule = engine::Rule::kNone;
  // Syncs of this kind, of paths that contain this, are reported as done and not done.
  std::optional<io::SimAccess::Kind> sync = std::nullopt;
  std::string_view path_contains = "";
  // Of the item layer; the others are the engine's.
  item::Rule store_rule = item::Rule::kNone;
};

// Every rule, by name.
const std::vector<Sabotage>& AllSabotage();

// What a run is of: the engine alone, or the item layer on it.
enum class Layer { kEngine, kStore };

struct SimulationOptions {
  uint64_t seed = 1;
  Layer layer = Layer::kEngine;
  uint64_t operations = 2000;
  const Sabotage* sabotage = nullptr;
  bool trace = false;  // print each operation
};

// What happened, summed over the lives. Keys are names of faults and operations.
using Tally = std::map<std::string, uint64_t>;

struct Outcome {
  std::optional<std::string> complaint;  // what was wrong, if anything was
  uint64_t digest = 0;                   // equal for equal runs
  Tally tally;
};

// The things that a series of runs of a layer must have met, each at least once.
const std::vector<std::string>& RequiredTally(Layer layer);

Outcome Simulate(const SimulationOptions& options);

}  // namespace varve::sim
