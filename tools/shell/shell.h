// `varve shell` and the one-shot commands beside it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve::tools {

// "shell" and the names of the commands that talk to a server, with what they are for.
std::vector<std::pair<std::string_view, std::string_view>> ClientCommands();

// Runs `words`, the command line without the program's name, which begins with one of them.
// Returns the exit code: 0; 1 if the server refused; 2 if the command line is wrong or the server
// can't be reached.
int RunClientCommand(const std::vector<std::string>& words);

}  // namespace varve::tools
