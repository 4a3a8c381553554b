#include "tools/shell/shell.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "client/client.h"
#include "item/errors.h"
#include "tools/shell/commands.h"
#include "tools/shell/line_reader.h"
#include "tools/shell/words.h"

namespace varve::tools {
namespace {

constexpr uint64_t kTimeoutMs = 60'000;
// Items that a person is shown unless they ask for more.
constexpr uint64_t kPersonLimit = 100;

constexpr std::string_view kHelp = R"(Commands, each with --help:
{}
PartiQL statements (SELECT, INSERT INTO, UPDATE ... SET, DELETE FROM) need no command.
In the shell alone:
  format table|json|dynamodb   how items are printed
  timing on|off                how long each command took
  help, exit
Items are JSON: {{"id": 7, "name": "x", "tags": {{"SS": ["a", "b"]}}}}.
)";

std::string HelpText() {
  std::string commands;
  for (const auto& [name, description] : ClientCommands()) {
    if (name != "shell") commands += fmt::format("  {:<10} {}\n", name, description);
  }
  return fmt::format(kHelp, commands);
}

// Whether the server answered, and refused.
bool IsRefusal(const Status& status) {
  const item::ErrorType type = item::TypeOfError(status);
  return type != item::ErrorType::kInternalServerError &&
         type != item::ErrorType::kServiceUnavailable;
}

// What went wrong, for people: with the server's name for it, if the server said it.
std::string TextOf(const Status& status) {
  std::string text;
  if (IsRefusal(status)) {
    text = fmt::format("{}: ", item::ErrorTypeName(item::TypeOfError(status)));
  }
  text += Message(status);
  for (const item::CancellationReason& reason : item::ReasonsOfError(status)) {
    text +=
        fmt::format("\n  {}{}{}", reason.code, reason.message.empty() ? "" : ": ", reason.message);
  }
  return text;
}

int ExitCode(const Status& status) {
  if (status.ok()) return 0;
  std::cerr << "varve: " << TextOf(status) << '\n';
  return IsRefusal(status) || absl::IsFailedPrecondition(status) ? 1 : 2;
}

std::string HistoryPath() {
  const char* const home = std::getenv("HOME");
  return home == nullptr ? std::string() : std::string(home) + "/.varve_history";
}

class Shell {
 public:
  Shell(Commands* commands, std::string server)
      : commands_(*commands), server_(std::move(server)) {}

  // Until the end of input. A script ends at its first error.
  int Run() {
    LineReader reader(HistoryPath(), [this](std::string_view line) { return Complete(line); });
    if (reader.interactive()) {
      std::cout << "varve at " << server_ << "; help shows what there is\n";
    }
    while (const std::optional<std::string> line = ReadCommand(&reader)) {
      if (IsExit(*line)) break;
      const auto start = std::chrono::steady_clock::now();
      const Status status = RunLine(*line);
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - start;
      std::cout << std::flush;
      if (!status.ok()) {
        if (!reader.interactive()) return ExitCode(status);
        std::cerr << TextOf(status) << '\n';
      } else if (timing_ && reader.interactive() && !own_) {
        std::cout << fmt::format("{} item{}, {:.2f} ms\n", commands_.items_printed(),
                                 commands_.items_printed() == 1 ? "" : "s", took.count());
      }
    }
    if (reader.interactive()) std::cout << '\n';
    return 0;
  }

 private:
  static bool IsExit(std::string_view line) {
    return line == "exit" || line == "quit" || line == "\\q";
  }

  // A line, and those after it while a bracket or a quote is open.
  std::optional<std::string> ReadCommand(LineReader* reader) {
    std::optional<std::string> text = reader->Next("varve> ");
    while (text && !SplitWords(*text).ok()) {
      const std::optional<std::string> more = reader->Next("   ... ");
      if (!more || more->empty()) break;
      *text += '\n' + *more;
    }
    return text;
  }

  Status RunLine(const std::string& line) {
    own_ = true;
    if (line.find_first_not_of(" \t\n") == std::string::npos || line[0] == '#') {
      return absl::OkStatus();
    }
    if (IsStatement(line)) {
      own_ = false;
      return commands_.RunStatement(line, {}, std::nullopt);
    }
    VARVE_ASSIGN_OR_RETURN(const std::vector<std::string> words, SplitWords(line));
    if (words[0] == "help" || words[0] == "\\?") {
      std::cout << HelpText();
      return absl::OkStatus();
    }
    if (words[0] == "format") {
      const auto format = words.size() == 2 ? ItemFormatNamed(words[1]) : std::nullopt;
      if (!format) return InvalidArgument("format table, format json or format dynamodb");
      commands_.options().format = *format;
      return absl::OkStatus();
    }
    if (words[0] == "timing") {
      if (words.size() != 2 || (words[1] != "on" && words[1] != "off")) {
        return InvalidArgument("timing on or timing off");
      }
      timing_ = words[1] == "on";
      return absl::OkStatus();
    }
    const std::vector<std::string_view> names = CommandNames();
    if (std::find(names.begin(), names.end(), words[0]) == names.end()) {
      return InvalidArgument("{}: no such command; help shows what there is", words[0]);
    }
    own_ = false;
    return commands_.Run(words);
  }

  std::vector<std::string> Complete(std::string_view line) {
    const size_t blank = line.find_last_of(" \t\"'");
    const std::string_view word = blank == std::string_view::npos ? line : line.substr(blank + 1);
    std::vector<std::string> found;
    if (blank == std::string_view::npos) {
      for (const std::string_view name : CommandNames()) {
        if (name.starts_with(word)) found.emplace_back(name);
      }
      for (const std::string_view name : {"exit", "format", "help", "timing"}) {
        if (name.starts_with(word)) found.emplace_back(name);
      }
      return found;
    }
    StatusOr<std::vector<std::string>> names = commands_.TableNames();
    if (!names.ok()) return found;
    for (std::string& name : *names) {
      if (name.starts_with(word)) found.push_back(std::move(name));
    }
    return found;
  }

  Commands& commands_;
  const std::string server_;
  bool timing_ = true;
  bool own_ = false;  // the last line was one of the shell's own commands
};

}  // namespace

std::vector<std::pair<std::string_view, std::string_view>> ClientCommands() {
  std::vector<std::pair<std::string_view, std::string_view>> commands = CommandDescriptions();
  commands.emplace(commands.begin(), "shell", "Talk to a server, line by line");
  return commands;
}

int RunClientCommand(const std::vector<std::string>& words) {
  CLI::App app("", "varve");
  app.allow_extras();
  app.set_help_flag();
  client::ClientOptions options;
  options.server.client_name = "varve";
  options.timeout_ms = kTimeoutMs;
  std::string format;
  bool help = false;
  app.add_option("--host", options.server.address);
  app.add_option("--port", options.server.port);
  app.add_option("--socket", options.server.socket_path);
  app.add_option("--format", format)->check(CLI::IsMember({"table", "json", "dynamodb"}));
  app.add_flag("--help,-h", help);
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    std::cerr << "varve: " << error.what() << '\n';
    return 2;
  }
  std::vector<std::string> rest = app.remaining();
  const bool is_shell = rest[0] == "shell";
  if (is_shell && help) {
    std::cout << "varve shell [--host ADDRESS] [--port PORT] [--socket PATH]\n"
                 "            [--format table|json|dynamodb]\n"
              << HelpText();
    return 0;
  }
  if (is_shell && rest.size() > 1) {
    std::cerr << "varve: shell takes no argument " << rest[1] << '\n';
    return 2;
  }
  if (help) rest.push_back("--help");

  const bool person = isatty(STDOUT_FILENO);
  Commands::Options printing;
  printing.format =
      ItemFormatNamed(format).value_or(person ? ItemFormat::kTable : ItemFormat::kPlain);
  printing.limit = person ? kPersonLimit : 0;

  const StatusOr<std::unique_ptr<client::Client>> client = client::Client::Open(options);
  if (!client.ok()) return ExitCode(client.status());
  Commands commands(client->get(), &std::cin, &std::cout, person ? &std::cout : &std::cerr,
                    printing);
  if (!is_shell) {
    const Status status = commands.Run(rest);
    std::cout << std::flush;
    return ExitCode(status);
  }
  const std::string server = options.server.socket_path.empty()
                                 ? fmt::format("{}:{}", options.server.address, options.server.port)
                                 : options.server.socket_path;
  return Shell(&commands, server).Run();
}

}  // namespace varve::tools
