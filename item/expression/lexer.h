// Expressions as tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace varve::item::expression {

enum class TokenKind : uint8_t {
  kEnd,
  kIdentifier,  // abc_1
  kName,        // #abc
  kValue,       // :abc
  kInteger,     // 12
  kSymbol,      // ( ) [ ] , . = < > <= >= <> + -
  kUnknown,     // one character that begins nothing
};

struct Token {
  TokenKind kind;
  std::string_view text;

  bool Is(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
};

// The tokens of `text`, and a kEnd. Tokens are views into `text`.
std::vector<Token> Tokenize(std::string_view text);

// Whether `token` is the identifier `keyword` (upper case), in any case of letters.
bool IsKeyword(const Token& token, std::string_view keyword);

// DynamoDB's words for a syntax error at tokens[i]: the token, and the text from the one before it
// to the one after it.
std::string SyntaxError(const std::vector<Token>& tokens, size_t i);

}  // namespace varve::item::expression
