// JsonWriter: JSON to a stream, as it is made.
//
//   JsonWriter json(out);
//   json.BeginObject();
//   json.Field("entries", 17u);
//   json.BeginArray("blocks");
//   ...
//   json.EndArray();
//   json.EndObject();
#pragma once

#include <concepts>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "base/status.h"

namespace varve::tools {

// Puts commas where they belong; that names stand in objects and nowhere else is the caller's.
class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  void BeginObject(std::string_view name = {}) { Begin(name, '{'); }
  void EndObject() { End('}'); }
  void BeginArray(std::string_view name = {}) { Begin(name, '['); }
  void EndArray() { End(']'); }

  void Field(std::string_view name, std::string_view text) {
    Name(name);
    Quote(text);
  }
  void Field(std::string_view name, const char* text) { Field(name, std::string_view(text)); }
  void Field(std::string_view name, std::same_as<bool> auto value) {
    Name(name);
    out_ << (value ? "true" : "false");
  }
  void Field(std::string_view name,
             std::unsigned_integral auto value) requires(!std::same_as<decltype(value), bool>) {
    Name(name);
    out_ << static_cast<uint64_t>(value);
  }
  void Field(std::string_view name, double value) {
    Name(name);
    out_ << fmt::format("{:.3f}", value);
  }
  void Null(std::string_view name) {
    Name(name);
    out_ << "null";
  }

 private:
  void Begin(std::string_view name, char bracket) {
    Name(name);
    out_ << bracket;
    first_ = true;
  }
  void End(char bracket) {
    out_ << bracket;
    first_ = false;
  }
  void Name(std::string_view name) {
    if (!first_) out_ << ',';
    first_ = false;
    if (name.empty()) return;
    Quote(name);
    out_ << ':';
  }
  // `text` is ASCII: what is not was escaped (text.h) before.
  void Quote(std::string_view text) {
    out_ << '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out_ << '\\' << c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        out_ << fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out_ << c;
      }
    }
    out_ << '"';
  }

  std::ostream& out_;
  bool first_ = true;
};

}  // namespace varve::tools
