// World: what both kinds of runs have in common, the engine's and the store's: random options of
// the engine, faults of a life, and the words for what struck.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "engine/options.h"
#include "io/sim.h"
#include "tests/sim/simulation.h"

namespace varve::sim {

// Small enough that everything happens many times in a life.
engine::Options RandomOptions(Random& random);
// Often none.
io::SimFaults RandomFaults(Random& random);
bool CanFail(const io::SimFaults& faults);
// Of a wall clock.
int64_t RandomJumpMs(Random& random);

void IgnoreSyncs(const Sabotage* sabotage, io::SimIo* io);

// By the last access before it.
std::optional<std::string> PlaceOfCrash(io::SimAccess::Kind kind, std::string_view path);
void AddCounters(const io::SimCounters& counters, Tally* tally);

}  // namespace varve::sim
