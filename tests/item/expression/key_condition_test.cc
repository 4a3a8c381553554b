#include "tests/item/expression/table.h"

namespace varve::item::expression {
namespace {

std::string ToString(const KeyRange& range) {
  static constexpr std::string_view kSorts[] = {
      "any", "=", "<", "<=", ">", ">=", "between", "begins_with"};
  std::string text;
  for (const ValueView value : range.partition) {
    AppendJson(value, text);
    text += ' ';
  }
  for (const ValueView value : range.sort_equal) {
    text += "= ";
    AppendJson(value, text);
    text += ' ';
  }
  text += kSorts[static_cast<size_t>(range.sort)];
  if (range.sort != KeyRange::Sort::kAny) {
    text += ' ';
    AppendJson(range.low, text);
  }
  if (range.sort == KeyRange::Sort::kBetween) {
    text += ' ';
    AppendJson(range.high, text);
  }
  return text;
}

TEST(KeyCondition, AsksForWhatTheTableSays) {
  Table table;
  std::string answer;
  table.Run("key_conditions.txt", [&](std::string_view word, const std::string& text) {
    if (word == "range") {
      EXPECT_EQ(answer, text);
    } else if (word == "error") {
      EXPECT_EQ(answer, text);
    } else {
      KeySchema key = {{{"p"}}, {{"s"}}};
      if (word == "query_n") key.sort[0].type = ValueType::kNumber;
      if (word == "query_p") key.sort.clear();
      if (word == "query_many") key = {{{"p"}, {"q"}}, {{"s"}, {"t"}, {"u"}}};
      const auto parsed = table.ParseOne(&Source::key_condition, text);
      if (!parsed.ok()) {
        answer = Message(parsed.status());
        return;
      }
      const auto range = parsed->key_condition->Resolve(key);
      answer = range.ok() ? ToString(*range) : std::string(Message(range.status()));
    }
  });
}

TEST(KeyRange, ContainsWhatItAsksFor) {
  const Value a = Value::String("a"), ab = Value::String("ab"), b = Value::String("b"),
              c = Value::String("c");
  using Sort = KeyRange::Sort;
  const auto keys = [&](Sort sort, ValueView low, ValueView high = {}) {
    KeyRange range;
    range.sort = sort;
    range.low = low;
    range.high = high;
    std::string inside;
    for (const Value* key : {&a, &ab, &b, &c}) {
      if (range.Contains(*key)) inside += std::string(key->view().text()) + " ";
    }
    return inside;
  };
  EXPECT_EQ(keys(Sort::kAny, {}), "a ab b c ");
  EXPECT_EQ(keys(Sort::kEqual, b), "b ");
  EXPECT_EQ(keys(Sort::kLess, b), "a ab ");
  EXPECT_EQ(keys(Sort::kLessOrEqual, b), "a ab b ");
  EXPECT_EQ(keys(Sort::kGreater, b), "c ");
  EXPECT_EQ(keys(Sort::kGreaterOrEqual, b), "b c ");
  EXPECT_EQ(keys(Sort::kBetween, ab, b), "ab b ");
  EXPECT_EQ(keys(Sort::kBeginsWith, a), "a ab ");
  EXPECT_EQ(keys(Sort::kEqual, Value::OfNumber(Number::FromInt(1))), "");
}

}  // namespace
}  // namespace varve::item::expression
