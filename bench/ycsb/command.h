// `varve_bench ycsb`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

namespace varve::bench {

// Adds the subcommand. The function returned runs it, if it is the one, and returns the exit code.
std::function<std::optional<int>()> AddYcsb(CLI::App& app, const std::string& command_line);

}  // namespace varve::bench
