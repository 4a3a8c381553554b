#include "item/partiql/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "item/errors.h"
#include "item/partiql/keywords.h"

namespace varve::item::partiql {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool IsWord(char c) { return IsWordStart(c) || IsDigit(c); }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  StatusOr<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    do {
      VARVE_RETURN_IF_ERROR(SkipSpace());
      Token token;
      token.position = {line_, column_, 0};
      VARVE_RETURN_IF_ERROR(Read(token));
      if (token.kind != TokenKind::kEnd) {
        token.position.length = characters_ - token_begin_characters_;
      }
      tokens.push_back(std::move(token));
    } while (tokens.back().kind != TokenKind::kEnd);
    return tokens;
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  // 0 beyond the end.
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool StartsWith(std::string_view prefix) const {
    return text_.substr(at_, prefix.size()) == prefix;
  }

  void Advance(size_t bytes = 1) {
    for (; bytes > 0 && !AtEnd(); --bytes, ++at_) {
      if (text_[at_] == '\n') {
        ++line_;
        column_ = 1;
        ++characters_;
      } else if ((text_[at_] & 0xc0) != 0x80) {  // not within a character of UTF-8
        ++column_;
        ++characters_;
      }
    }
  }

  Status SkipSpace() {
    for (;;) {
      if (IsSpace(Peek()) && !AtEnd()) {
        Advance();
      } else if (StartsWith("--")) {
        while (!AtEnd() && Peek() != '\n' && Peek() != '\r') Advance();
      } else if (StartsWith("/*")) {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return NotWellFormed("");
        Advance(end + 2 - at_);
      } else {
        return absl::OkStatus();
      }
    }
  }

  Status Read(Token& token) {
    token_begin_characters_ = characters_;
    if (AtEnd()) return absl::OkStatus();
    const char c = Peek();
    if (IsWordStart(c)) return Word(token);
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number(token);
    if (c == '\'') return Quoted(TokenKind::kString, token);
    if (c == '"') return Quoted(TokenKind::kQuotedIdentifier, token);
    if (c == '?') return Take(TokenKind::kParameter, 1, token);
    for (const std::string_view symbol : {"<<", ">>"}) {
      if (StartsWith(symbol)) return Take(TokenKind::kSymbol, 2, token);
    }
    for (const std::string_view symbol : {"<>", "!=", "<=", ">=", "||"}) {
      if (!StartsWith(symbol)) continue;
      VARVE_RETURN_IF_ERROR(Take(TokenKind::kOperator, 2, token));
      if (token.text == "!=") token.text = "<>";
      return absl::OkStatus();
    }
    if (std::string_view("+-*/%=<>@").find(c) != std::string_view::npos) {
      return Take(TokenKind::kOperator, 1, token);
    }
    if (std::string_view("()[]{},.:;").find(c) != std::string_view::npos) {
      return Take(TokenKind::kSymbol, 1, token);
    }
    return NotWellFormed("");
  }

  Status Take(TokenKind kind, size_t bytes, Token& token) {
    token.kind = kind;
    token.text = text_.substr(at_, bytes);
    Advance(bytes);
    return absl::OkStatus();
  }

  Status Word(Token& token) {
    size_t bytes = 0;
    while (IsWord(Peek(bytes))) ++bytes;
    VARVE_RETURN_IF_ERROR(Take(TokenKind::kIdentifier, bytes, token));
    std::string lower = token.text;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if (partiql::IsKeyword(lower)) {
      token.kind = TokenKind::kKeyword;
      token.spelling = std::exchange(token.text, std::move(lower));
    }
    return absl::OkStatus();
  }

  // Digits, a point and digits, an exponent. What follows at once must not go on like a word.
  Status Number(Token& token) {
    size_t bytes = 0;
    const auto digits = [&] {
      const size_t begin = bytes;
      while (IsDigit(Peek(bytes))) ++bytes;
      return bytes - begin;
    };
    digits();
    size_t scale = 0;
    if (Peek(bytes) == '.') {
      ++bytes;
      scale = digits();
    }
    int64_t exponent = 0;
    if (Peek(bytes) == 'e' || Peek(bytes) == 'E') {
      ++bytes;
      const bool negative = Peek(bytes) == '-';
      if (negative || Peek(bytes) == '+') ++bytes;
      const size_t begin = bytes;
      if (digits() == 0) return NotWellFormed("");
      for (size_t i = begin; i < bytes && exponent <= INT32_MAX; ++i) {
        exponent = exponent * 10 + (Peek(i) - '0');
      }
      if (negative) exponent = -exponent;
    }
    // The exponent, and the digits after the point less the exponent, are numbers of 32 bits.
    const int64_t total = static_cast<int64_t>(scale) - exponent;
    if (exponent > INT32_MAX || exponent < INT32_MIN || total > INT32_MAX || total < INT32_MIN) {
      return NotWellFormed("");
    }
    if (IsWord(Peek(bytes))) return NotWellFormed("");
    return Take(TokenKind::kNumber, bytes, token);
  }

  // Text between quotes; a doubled quote stands for one.
  Status Quoted(TokenKind kind, Token& token) {
    token.kind = kind;
    const char quote = Peek();
    Advance();
    for (;;) {
      const size_t end = text_.find(quote, at_);
      if (end == std::string_view::npos) return NotWellFormed("");
      token.text += text_.substr(at_, end - at_);
      Advance(end + 1 - at_);
      if (Peek() != quote) return absl::OkStatus();
      token.text += quote;
      Advance();
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
  uint32_t characters_ = 0;
  uint32_t token_begin_characters_ = 0;
};

}  // namespace

std::string ToString(const Position& position) {
  return fmt::format("{}:{}:{}", position.line, position.column, position.length);
}

StatusOr<std::vector<Token>> Tokenize(std::string_view statement) { return Lexer(statement).Run(); }

Status NotWellFormed(std::string_view detail) {
  return ValidationError("Statement wasn't well formed, can't be processed: {}", detail);
}

}  // namespace varve::item::partiql
