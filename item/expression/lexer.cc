#include "item/expression/lexer.h"

#include <fmt/format.h>

namespace varve::item::expression {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsWord(char c) { return IsLetter(c) || IsDigit(c); }

template <typename Predicate>
size_t EndOf(std::string_view text, size_t begin, Predicate predicate) {
  while (begin < text.size() && predicate(text[begin])) ++begin;
  return begin;
}

// A whole UTF-8 character, so that messages stay valid UTF-8.
size_t EndOfCharacter(std::string_view text, size_t begin) {
  return EndOf(text, begin + 1, [](char c) { return (c & 0xc0) == 0x80; });
}

}  // namespace

std::vector<Token> Tokenize(std::string_view text) {
  std::vector<Token> tokens;
  size_t begin = 0;
  while (true) {
    begin = EndOf(text, begin, IsSpace);
    if (begin == text.size()) break;
    const char c = text[begin];
    TokenKind kind = TokenKind::kUnknown;
    size_t end = begin;
    if (IsLetter(c)) {
      kind = TokenKind::kIdentifier;
      end = EndOf(text, begin, IsWord);
    } else if (IsDigit(c)) {
      kind = TokenKind::kInteger;
      end = EndOf(text, begin, IsDigit);
    } else if (c == '#' || c == ':') {
      end = EndOf(text, begin + 1, IsWord);
      if (end > begin + 1) kind = c == '#' ? TokenKind::kName : TokenKind::kValue;
    } else if (c == '<' || c == '>') {
      kind = TokenKind::kSymbol;
      end = begin + 1;
      if (end < text.size() && (text[end] == '=' || (c == '<' && text[end] == '>'))) ++end;
    } else if (std::string_view("()[],.=+-").find(c) != std::string_view::npos) {
      kind = TokenKind::kSymbol;
      end = begin + 1;
    } else {
      end = EndOfCharacter(text, begin);
    }
    tokens.push_back({kind, text.substr(begin, end - begin)});
    begin = end;
  }
  tokens.push_back({TokenKind::kEnd, text.substr(text.size())});
  return tokens;
}

bool IsKeyword(const Token& token, std::string_view keyword) {
  if (token.kind != TokenKind::kIdentifier || token.text.size() != keyword.size()) return false;
  for (size_t i = 0; i < keyword.size(); ++i) {
    if ((token.text[i] & ~0x20) != keyword[i]) return false;
  }
  return true;
}

std::string SyntaxError(const std::vector<Token>& tokens, size_t i) {
  if (tokens[i].kind == TokenKind::kEnd) {
    return fmt::format("Syntax error; token: \"<EOF>\", near: \"{}\"",
                       i == 0 ? std::string_view() : tokens[i - 1].text);
  }
  const Token& first = tokens[i == 0 ? 0 : i - 1];
  const Token& last = tokens[tokens[i + 1].kind == TokenKind::kEnd ? i : i + 1];
  const std::string_view near(
      first.text.data(),
      static_cast<size_t>(last.text.data() + last.text.size() - first.text.data()));
  return fmt::format("Syntax error; token: \"{}\", near: \"{}\"", tokens[i].text, near);
}

}  // namespace varve::item::expression
