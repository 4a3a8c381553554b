// PartiQL statements as tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace varve::item::partiql {

// Where a token stands, as error messages say it: "2:27:11". Characters, not bytes; line and column
// count from 1.
struct Position {
  uint32_t line = 1;
  uint32_t column = 1;
  uint32_t length = 0;
};
std::string ToString(const Position& position);

enum class TokenKind : uint8_t {
  kEnd,
  kKeyword,           // SELECT, in any case of letters: `text` has it in lower case
  kIdentifier,        // abc_1
  kQuotedIdentifier,  // "abc": `text` is without quotes
  kString,            // 'abc': likewise
  kNumber,            // 12, 1.5e-3, .5: a valid decimal, its exponent of 32 bits
  kParameter,         // ?
  kOperator,          // + - * / % || = <> != < <= > >=; != is read as <>
  kSymbol,            // ( ) [ ] { } << >> , . : ;
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  std::string spelling;  // of a keyword, as it was written
  Position position;

  bool IsKeyword(std::string_view keyword) const {
    return kind == TokenKind::kKeyword && text == keyword;
  }
  bool IsSymbol(std::string_view symbol) const {
    return kind == TokenKind::kSymbol && text == symbol;
  }
  bool IsOperator(std::string_view symbol) const {
    return kind == TokenKind::kOperator && text == symbol;
  }
};

// The tokens of `statement`, and a kEnd. Comments ("-- ..." and "/* ... */") are white space.
StatusOr<std::vector<Token>> Tokenize(std::string_view statement);

// ValidationException "Statement wasn't well formed, can't be processed: <detail>".
Status NotWellFormed(std::string_view detail);

}  // namespace varve::item::partiql
