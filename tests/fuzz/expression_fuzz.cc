// Expressions of every kind, parsed, checked and evaluated on a few items. An input is lines: the
// first has the operation's letter, each other one an expression behind the letter of its kind.
//
//   U
//   uSET Price = Price - :n REMOVE Offer
//   cPrice >= :n
//
// What a placeholder stands for follows from its name: #a is "a", :n a number, :s a string.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "item/expression/cache.h"
#include "item/expression/expression.h"
#include "item/json.h"
#include "tests/fuzz/fuzz.h"

namespace varve::item::expression {
namespace {

using fuzz::Require;

Item ItemOf(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  Require(parser.parse(simdjson::padded_string(json)).get(document) == simdjson::SUCCESS, json);
  StatusOr<Item> item = ItemFromJson(document);
  Require(item.ok(), json);
  return *std::move(item);
}

const std::vector<Item>& Items() {
  static const std::vector<Item> items = {
      Item(),
      ItemOf(
          R"({"p":{"S":"k"},"a":{"N":"1"},"b":{"S":"x"},"l":{"L":[{"N":"1"},{"S":"s"},{"L":[]}]}})"),
      ItemOf(
          R"({"p":{"S":"k"},"a":{"M":{"b":{"L":[{"M":{"c":{"N":"-1.5"}}}]},"a":{"SS":["s","t"]}}},)"
          R"("n":{"NS":["1","2"]},"t":{"BS":["AQ=="]},"z":{"NULL":true},"y":{"BOOL":false},)"
          R"("b":{"B":"AAEC"}})"),
  };
  return items;
}

// By the first letter of a placeholder's name.
const Value& ValueNamed(char letter) {
  static const Item values = ItemOf(
      R"({"n":{"N":"5"},"m":{"N":"-99999999999999999999999999999999999999"},"s":{"S":"s"},)"
      R"("e":{"S":""},"t":{"S":"SS"},"b":{"B":"AAEC"},"l":{"L":[{"N":"1"},{"S":"s"}]},)"
      R"("o":{"M":{"a":{"N":"1"}}},"x":{"SS":["s","u"]},"y":{"NS":["1","7"]},"z":{"BS":["AQ=="]},)"
      R"("u":{"NULL":true},"v":{"BOOL":true}})");
  static const std::map<char, Value> by_letter = [] {
    std::map<char, Value> map;
    for (const NamedValue named : values.view()) map[named.name[0]] = Value(named.value);
    return map;
  }();
  const auto found = by_letter.find(letter);
  return found == by_letter.end() ? by_letter.at('n') : found->second;
}

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Adds what the placeholders in `text` stand for, each once.
void AddPlaceholders(std::string_view text, AttributeNames* names, AttributeValues* values) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '#' && text[i] != ':') continue;
    size_t end = i + 1;
    while (end < text.size() && IsWordByte(text[end])) ++end;
    if (end == i + 1) continue;
    const std::string placeholder(text.substr(i, end - i));
    const auto is_it = [&](const auto& pair) { return pair.first == placeholder; };
    if (text[i] == '#') {
      if (std::none_of(names->begin(), names->end(), is_it)) {
        names->emplace_back(placeholder, placeholder.substr(1));
      }
    } else if (std::none_of(values->begin(), values->end(), is_it)) {
      values->emplace_back(placeholder, ValueNamed(placeholder[1]));
    }
    i = end - 1;
  }
}

Operation OperationOf(char letter) {
  switch (letter) {
    case 'U':
      return Operation::kUpdateItem;
    case 'P':
      return Operation::kPutItem;
    case 'D':
      return Operation::kDeleteItem;
    case 'Q':
      return Operation::kQuery;
    case 'S':
      return Operation::kScan;
    default:
      return Operation::kGetItem;
  }
}

// What `expressions` do to the items, as one text.
std::string ResultOf(const Expressions& expressions) {
  const KeySchema key{{{"p", ValueType::kString}}, {{"a", ValueType::kNumber}}};
  std::string result;
  for (const Item& item : Items()) {
    if (expressions.condition) {
      result += expressions.condition->CheckKeyPaths(key).ok();
      result += expressions.condition->Matches(item) ? 'm' : '-';
    }
    if (expressions.filter) {
      result += expressions.filter->CheckAvoidsKey(key).ok();
      result += expressions.filter->Matches(item) ? 'm' : '-';
    }
    if (expressions.projection) {
      const Item projected = expressions.projection->Apply(item);
      Require(ValidateItem(projected.encoded()).ok(), "a projection is an item");
      Require(projected.view().size_bytes() <= item.view().size_bytes(), "it is no larger");
      result += projected.encoded();
    }
    if (expressions.update) {
      result += expressions.update->CheckKeys(key).ok();
      result += expressions.update->CheckKeyPaths(key).ok();
      result += std::to_string(expressions.update->ChargedBytes(item));
      result += expressions.update->Touched(item).encoded();
      if (StatusOr<Item> updated = expressions.update->Apply(item); updated.ok()) {
        Require(ValidateItem(updated->encoded()).ok(), "an updated item is an item");
        Require(ValidateItem(expressions.update->Touched(*updated).encoded()).ok(),
                "what an update touched is an item");
        result += updated->encoded();
      } else {
        result += Message(updated.status());
      }
    }
  }
  if (expressions.key_condition) {
    if (StatusOr<KeyRange> range = expressions.key_condition->Resolve(key); range.ok()) {
      for (const Item& item : Items()) {
        const std::optional<ValueView> sort_key = item.view().Find("a");
        if (sort_key) result += range->Contains(*sort_key) ? 'm' : '-';
      }
    } else {
      result += Message(range.status());
    }
  }
  return result;
}

void Run(std::string_view bytes) {
  static Cache cache;
  Source source;
  AttributeNames names;
  AttributeValues values;
  const std::string_view first = fuzz::TakeUntil(bytes, '\n');
  source.operation = OperationOf(first.empty() ? 'G' : first[0]);
  while (!bytes.empty()) {
    std::string_view line = fuzz::TakeUntil(bytes, '\n');
    if (line.empty()) continue;
    const char kind = line[0];
    line.remove_prefix(1);
    std::optional<std::string_view>* const place = kind == 'u'   ? &source.update
                                                   : kind == 'c' ? &source.condition
                                                   : kind == 'k' ? &source.key_condition
                                                   : kind == 'f' ? &source.filter
                                                   : kind == 'p' ? &source.projection
                                                                 : nullptr;
    if (place == nullptr) continue;
    *place = line;
    AddPlaceholders(line, &names, &values);
  }
  if (!names.empty()) source.names = &names;
  if (!values.empty()) source.values = &values;

  const StatusOr<Expressions> fresh = Parse(source);
  // The first puts them into the cache unless they are there, the second finds them.
  const StatusOr<Expressions> filled = Parse(source, &cache);
  const StatusOr<Expressions> cached = Parse(source, &cache);
  Require(fresh.status() == filled.status(), "a cache changes no answer");
  Require(fresh.status() == cached.status(), "a cache changes no answer");
  if (!fresh.ok()) return;
  const std::string result = ResultOf(*fresh);
  Require(ResultOf(*filled) == result, "cached expressions do what they say");
  Require(ResultOf(*cached) == result, "cached expressions do what they say");
}

}  // namespace
}  // namespace varve::item::expression

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::item::expression::Run(varve::fuzz::BytesOf(data, size));
  return 0;
}
