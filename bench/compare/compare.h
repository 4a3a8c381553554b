// varve_bench compare: a suite of rows on Varve and RocksDB, turn by turn, beside the device.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace varve::bench {

// Adds the subcommand. Its result is the exit status: 0 if everything could be measured, whether
// or not the targets are met.
std::function<int()> AddCompare(CLI::App& app, const std::string& command_line);

}  // namespace varve::bench
