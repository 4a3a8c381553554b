// varve_bench fill, read, scan and mixed: one workload on Varve and RocksDB, one after the other.
//
//   varve_bench fill --keys 10000000 --value-bytes 200 --json fill.json
//   varve_bench read --seconds 30                 # of what fill left behind
//
// Every engine gets the same keys, values, threads, cache, memtables, compression, filters and
// durability, and a directory of its own below --directory. fill starts from nothing; the others
// use what the last fill with the same --keys, --key-bytes and so on left, or fill first,
// unmeasured. An engine is opened anew for each run, so its cache is cold unless --warmup-seconds
// is given.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>

namespace varve::bench {

// Adds the four commands. The function runs the one that was given, if it was one of them, and
// returns the process's exit code.
std::function<std::optional<int>()> AddWorkloads(CLI::App& app);

}  // namespace varve::bench
