#include "tests/item/expression/table.h"

namespace varve::item::expression {
namespace {

TEST(Condition, HoldsAsTheTableSays) {
  Table table;
  table.Run("conditions.txt", [&](std::string_view word, const std::string& text) {
    const auto parsed = table.ParseOne(&Source::condition, text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_TRUE(word == "true" || word == "false");
    EXPECT_EQ(parsed->condition->Matches(table.item), word == "true");
  });
}

TEST(Condition, KeepsOutOfTheKeyInAFilterOfQuery) {
  const KeySchema key = {{{"p"}}, {{"s"}}};
  Table table;
  const auto message = [&](const std::string& filter) {
    const auto parsed = table.ParseOne(&Source::filter, filter);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return std::string(Message(parsed->filter->CheckAvoidsKey(key)));
  };
  EXPECT_EQ(message("attribute_exists(a) AND a < b.s"), "");
  EXPECT_EQ(
      message("a < b OR NOT (a IN (b, s))"),
      "Filter Expression can only contain non-primary key attributes: Primary key attribute: s");
  EXPECT_EQ(
      message("size(p.x) < b"),
      "Filter Expression can only contain non-primary key attributes: Primary key attribute: p");
}

TEST(Condition, DoesNotGoIntoKeyAttributes) {
  const KeySchema key = {{{"p"}}, {{"s"}}};
  Table table;
  const auto message = [&](const std::string& filter) {
    const auto parsed = table.ParseOne(&Source::filter, filter);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return std::string(Message(parsed->filter->CheckKeyPaths(key)));
  };
  EXPECT_EQ(message("p = s AND a.p = a[1]"), "");
  EXPECT_EQ(message("attribute_exists(s[0])"),
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
            "allowed: Key: s");
}

TEST(Condition, NestsAsDeepAsOperatorsAllow) {
  std::string text = "attribute_exists(a)";
  for (int i = 0; i < 299; ++i) text = "NOT (" + text + ")";
  Table table;
  const auto parsed = table.ParseOne(&Source::condition, text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_TRUE(parsed->condition->Matches(Item()));
}

TEST(Condition, OutlivesItsText) {
  AttributeValues values = {{":v", Value::String("x")}};
  auto text = std::make_unique<std::string>("a = :v");
  Source source;
  source.condition = *text;
  source.values = &values;
  const auto parsed = Parse(source);
  ASSERT_TRUE(parsed.ok());
  text.reset();
  const AttributeValues moved = std::move(values);
  EXPECT_TRUE(parsed->condition->Matches(ItemOf(R"({"a": {"S": "x"}})")));
}

}  // namespace
}  // namespace varve::item::expression
