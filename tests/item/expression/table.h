// Tables of text that say what expressions do: lines of a word and what it is about.
//
//   // a comment
//   item {"a": {"N": "1"}}           the item that the following lines are evaluated on
//   values {":one": {"N": "1"}}      ExpressionAttributeValues, of which each line gets those it
//   mentions names {"#a": "a"}                likewise
//
// The other words are each test's own.
#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>

#include "item/expression/cache.h"
#include "item/expression/expression.h"
#include "item/json.h"

namespace varve::item::expression {

inline Item ItemOf(std::string_view json) {
  simdjson::dom::parser parser;
  auto item = ItemFromJson(parser.parse(std::string(json)));
  EXPECT_TRUE(item.ok()) << json << ": " << item.status();
  return item.ok() ? *std::move(item) : Item();
}

inline std::string JsonOf(const ItemView& item) {
  std::string json;
  AppendJson(item, json);
  return json;
}

class Table {
 public:
  // `line` is called for each line that has a word of the test's own.
  using Line = std::function<void(std::string_view word, const std::string& rest)>;

  void Run(const std::string& file, const Line& line) {
    std::ifstream stream(std::string(VARVE_TEST_DATA) + "/" + file);
    ASSERT_TRUE(stream.is_open()) << file;
    std::string text;
    for (int number = 1; std::getline(stream, text); ++number) {
      const size_t begin = text.find_first_not_of(' ');
      if (begin == std::string::npos || text.compare(begin, 2, "//") == 0) continue;
      const size_t space = std::min(text.find(' ', begin), text.size());
      const std::string word = text.substr(begin, space - begin);
      const size_t rest_begin = std::min(text.find_first_not_of(' ', space), text.size());
      const std::string rest = text.substr(rest_begin);
      SCOPED_TRACE(file + ":" + std::to_string(number) + ": " + text);
      if (word == "item") {
        item = ItemOf(rest);
      } else if (word == "values") {
        values_ = ItemOf(rest);
      } else if (word == "names") {
        names_ = rest;
      } else {
        line(word, rest);
      }
    }
  }

  // A request with one expression, given as `member` of Source, and the placeholders it mentions.
  StatusOr<Expressions> ParseOne(std::optional<std::string_view> Source::*member,
                                 const std::string& text) {
    parsed_text_ = text;
    used_values_.clear();
    for (const auto [name, value] : values_.view()) {
      if (Mentions(name)) used_values_.emplace_back(name, Value(value));
    }
    used_names_.clear();
    simdjson::dom::parser parser;
    simdjson::dom::object names;
    EXPECT_FALSE(parser.parse(names_).get(names));
    for (const auto [name, attribute] : names) {
      if (Mentions(name)) used_names_.emplace_back(name, std::string_view(attribute));
    }
    Source source;
    source.*member = parsed_text_;
    if (!used_values_.empty()) source.values = &used_values_;
    if (!used_names_.empty()) source.names = &used_names_;
    // Once without a cache, once into it, once out of it: that makes no difference.
    const std::string fresh(Message(Parse(source).status()));
    const std::string cached(Message(Parse(source, &cache_).status()));
    EXPECT_EQ(cached, fresh);
    StatusOr<Expressions> expressions = Parse(source, &cache_);
    EXPECT_EQ(Message(expressions.status()), fresh);
    return expressions;
  }

  Item item;

 private:
  bool Mentions(std::string_view placeholder) const {
    for (size_t at = parsed_text_.find(placeholder); at != std::string::npos;
         at = parsed_text_.find(placeholder, at + 1)) {
      const size_t end = at + placeholder.size();
      if (end == parsed_text_.size() ||
          (!isalnum(static_cast<unsigned char>(parsed_text_[end])) && parsed_text_[end] != '_')) {
        return true;
      }
    }
    return false;
  }

  Item values_;
  std::string names_ = "{}";
  std::string parsed_text_;
  AttributeValues used_values_;
  AttributeNames used_names_;
  Cache cache_;
};

}  // namespace varve::item::expression
