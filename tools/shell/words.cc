#include "tools/shell/words.h"

#include <algorithm>
#include <cctype>

namespace varve::tools {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Where the JSON object or list that begins at `begin` ends; npos if it doesn't.
size_t EndOfJson(std::string_view line, size_t begin) {
  int open = 0;
  bool quoted = false;
  for (size_t i = begin; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++open;
    } else if ((c == '}' || c == ']') && --open == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// The next word, in capitals; *rest goes behind it.
std::string TakeWord(std::string_view* rest) {
  while (!rest->empty() && IsBlank(rest->front())) rest->remove_prefix(1);
  std::string word;
  while (!rest->empty() && !IsBlank(rest->front())) {
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(rest->front())));
    rest->remove_prefix(1);
  }
  return word;
}

}  // namespace

StatusOr<std::vector<std::string>> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  size_t i = 0;
  while (true) {
    while (i < line.size() && IsBlank(line[i])) ++i;
    if (i == line.size()) return words;
    if (line[i] == '{' || line[i] == '[') {
      const size_t end = EndOfJson(line, i);
      if (end == std::string_view::npos) {
        return InvalidArgument("a bracket or quote stays open: {}", line.substr(i));
      }
      words.emplace_back(line.substr(i, end - i));
      i = end;
      continue;
    }
    std::string& word = words.emplace_back();
    while (i < line.size() && !IsBlank(line[i])) {
      const char c = line[i++];
      if (c == '\\' && i < line.size()) {
        word += line[i++];
      } else if (c == '\'' || c == '"') {
        while (i < line.size() && line[i] != c) {
          if (c == '"' && line[i] == '\\' && i + 1 < line.size() &&
              (line[i + 1] == '"' || line[i + 1] == '\\')) {
            ++i;
          }
          word += line[i++];
        }
        if (i == line.size()) return InvalidArgument("a quote stays open: {}", line);
        ++i;
      } else {
        word += c;
      }
    }
  }
}

bool IsStatement(std::string_view line) {
  std::string_view rest = line;
  const std::string first = TakeWord(&rest);
  if (first == "SELECT") return true;
  const std::string second = TakeWord(&rest);
  if (first == "INSERT") return second == "INTO";
  if (first == "DELETE") return second == "FROM";
  if (first != "UPDATE") return false;
  const std::string third = TakeWord(&rest);
  return third == "SET" || third == "REMOVE";
}

}  // namespace varve::tools
