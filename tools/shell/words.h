// A line of the shell, in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace varve::tools {

// As a POSIX shell cuts a command into words: blanks separate, '...' and "..." hold them together,
// a backslash takes the next character as it is (within "..." only before " and \). Besides, what
// begins with { or [ is one word up to the bracket that closes it, quotes and all, so that JSON
// needs no quotes around it. InvalidArgument if a quote or a bracket stays open.
StatusOr<std::vector<std::string>> SplitWords(std::string_view line);

// Whether the line is a PartiQL statement: SELECT, INSERT INTO, DELETE FROM, or UPDATE with SET or
// REMOVE behind the table's name.
bool IsStatement(std::string_view line);

}  // namespace varve::tools
