// Tests as tables of text, in the manner of Pebble: a file of commands, each with its input and the
// output that is expected, so that a reviewer reads behaviour and not harness.
//
//   # A comment.
//   command
//   input, any number of lines
//   ----
//   expected output, up to the next blank line
//
// Run with VARVE_REWRITE_TESTDATA=1 to write what came out into the files instead of comparing;
// then read the diff.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace varve::testing {

struct TextCase {
  std::string command;
  std::vector<std::string> input;
};

// Calls `run` for each case of `path`; it returns the output, lines ending in '\n'.
inline void RunTextCases(const std::string& path,
                         const std::function<std::string(const TextCase&)>& run) {
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  const bool rewrite = std::getenv("VARVE_REWRITE_TESTDATA") != nullptr;
  std::string rewritten;
  std::string line;
  int number = 0;
  const auto next = [&] {
    if (!std::getline(file, line)) return false;
    ++number;
    return true;
  };
  while (next()) {
    if (line.empty() || line[0] == '#') {
      rewritten += line + "\n";
      continue;
    }
    const int at = number;
    TextCase text_case;
    text_case.command = line;
    rewritten += line + "\n";
    while (next() && line != "----") {
      rewritten += line + "\n";
      const size_t comment = line.find(" #");
      text_case.input.push_back(comment == std::string::npos ? line : line.substr(0, comment));
    }
    std::string expected;
    while (next() && !line.empty()) expected += line + "\n";
    const std::string actual = run(text_case);
    rewritten += "----\n" + actual + (file ? "\n" : "");
    if (!rewrite) {
      EXPECT_EQ(actual, expected) << path << ":" << at << ": " << text_case.command;
    }
  }
  if (rewrite) std::ofstream(path) << rewritten;
}

// The words of a line.
inline std::vector<std::string> Words(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace varve::testing
