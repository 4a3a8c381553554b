// LineReader: lines from a person, with editing, history and completion, or from a file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace varve::tools {

// What could stand for the last word of a line: given that line up to the cursor.
using Completer = std::function<std::vector<std::string>(std::string_view line)>;

// Not thread-safe.
class LineReader {
 public:
  // From standard input: edited if that is a terminal. History is read from `history_path` and kept
  // there ("": nowhere); lines that begin with a blank are not.
  LineReader(std::string history_path, Completer completer);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line, without its end; nothing at the end of input. The prompt is shown to people
  // only.
  std::optional<std::string> Next(std::string_view prompt);

  bool interactive() const { return editor_ != nullptr; }

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;
};

// The longest text that all of `words` begin with; empty if there are none.
std::string CommonPrefix(const std::vector<std::string>& words);

}  // namespace varve::tools
