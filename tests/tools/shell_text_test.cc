// What the shell reads and prints: plain JSON, words, items.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "item/json.h"
#include "tools/shell/plain_json.h"
#include "tools/shell/print_items.h"
#include "tools/shell/words.h"

namespace varve::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string DynamoDbJson(const item::Value& value) {
  std::string text;
  item::AppendJson(value.view(), text);
  return text;
}

TEST(PlainJson, IsReadAsTheValueItLooksLike) {
  struct {
    std::string_view plain;
    std::string_view dynamodb;
  } const cases[] = {
      {R"(null)", R"({"NULL":true})"},
      {R"(true)", R"({"BOOL":true})"},
      {R"("text")", R"({"S":"text"})"},
      {R"("a \"quoted\" \\ \u00e9")", R"({"S":"a \"quoted\" \\ é"})"},
      {R"("12")", R"({"S":"12"})"},
      {R"(12)", R"({"N":"12"})"},
      {R"(-1.50e3)", R"({"N":"-1500"})"},
      {R"(12345678901234567890123456789012345678)",
       R"({"N":"12345678901234567890123456789012345678"})"},
      {R"(0.1000000000000000000000000000000000001)",
       R"({"N":"0.1000000000000000000000000000000000001"})"},
      {R"([1, "a", [], {}])", R"({"L":[{"N":"1"},{"S":"a"},{"L":[]},{"M":{}}]})"},
      {R"({"a": 1, "b": {"c": null}})", R"({"M":{"a":{"N":"1"},"b":{"M":{"c":{"NULL":true}}}}})"},
  };
  for (const auto& c : cases) {
    const StatusOr<item::Value> value = ParsePlainValue(c.plain);
    ASSERT_TRUE(value.ok()) << c.plain << ": " << value.status();
    EXPECT_EQ(DynamoDbJson(*value), c.dynamodb);
  }
}

TEST(PlainJson, TakesDynamoDbsFormOfEveryType) {
  for (const std::string_view json : {
           R"({"NULL":true})",
           R"({"BOOL":false})",
           R"({"N":"12.5"})",
           R"({"S":"text"})",
           R"({"B":"aGVsbG8="})",
           R"({"SS":["a","b"]})",
           R"({"NS":["1","2"]})",
           R"({"BS":["aGVsbG8="]})",
           R"({"L":[{"N":"1"},{"SS":["a"]}]})",
           R"({"M":{"S":{"S":"only looks like a string"}}})",
       }) {
    const StatusOr<item::Value> value = ParsePlainValue(json);
    ASSERT_TRUE(value.ok()) << json << ": " << value.status();
    EXPECT_EQ(DynamoDbJson(*value), json);
  }
}

TEST(PlainJson, TakesAMapThatFitsNoTypeAsAMap) {
  for (const auto& [plain, dynamodb] : std::vector<std::pair<std::string, std::string>>{
           {R"({"S": 1})", R"({"M":{"S":{"N":"1"}}})"},
           {R"({"SS": []})", R"({"M":{"SS":{"L":[]}}})"},
           {R"({"NULL": false})", R"({"M":{"NULL":{"BOOL":false}}})"},
           {R"({"S": "a", "N": "1"})", R"({"M":{"N":{"S":"1"},"S":{"S":"a"}}})"}}) {
    const StatusOr<item::Value> value = ParsePlainValue(plain);
    ASSERT_TRUE(value.ok()) << plain << ": " << value.status();
    EXPECT_EQ(DynamoDbJson(*value), dynamodb);
  }
}

TEST(PlainJson, OfAnItemIsNeverATypesForm) {
  const StatusOr<item::Item> item = ParsePlainItem(R"({"S": "x"})");
  ASSERT_TRUE(item.ok());
  std::string text;
  item::AppendJson(item->view(), text);
  EXPECT_EQ(text, R"({"S":{"S":"x"}})");
}

TEST(PlainJson, IsPrintedSoThatItReadsBackAsTheSame) {
  for (const std::string_view plain : {
           R"({"a": 1, "b": [true, null, "x"], "c": {"SS":["p","q"]}, "d": {"B":"aGVsbG8="}})",
           R"({"m": {"M": {"S": "x"}}, "n": {"k": 1, "l": 2}})",
           R"({})",
       }) {
    const StatusOr<item::Item> item = ParsePlainItem(plain);
    ASSERT_TRUE(item.ok()) << item.status();
    std::string text;
    AppendPlain(item->view(), text);
    EXPECT_EQ(text, plain);
  }
}

TEST(PlainJson, ThatIsWrongSaysWhy) {
  struct {
    std::string_view plain;
    std::string_view message;
  } const cases[] = {
      {"", "not JSON"},
      {"{\"a\": 1", "not JSON"},
      {"{\"a\": 1} more", "not JSON"},
      {"\"open", "not JSON"},
      {"1e200", "overflow"},
      {"1.2.3", "1.2.3"},
      {"{\"B\": \"!\"}", "not base64"},
      {"{\"SS\": [\"a\", \"a\"]}", "comes twice"},
  };
  for (const auto& c : cases) {
    const StatusOr<item::Value> value = ParsePlainValue(c.plain);
    ASSERT_FALSE(value.ok()) << c.plain;
    EXPECT_THAT(Message(value.status()), HasSubstr(c.message));
  }
  EXPECT_THAT(Message(ParsePlainItem("[1]").status()), HasSubstr("should be a JSON object"));
  EXPECT_THAT(Message(ParsePlainValue(std::string(100, '[') + std::string(100, ']')).status()),
              HasSubstr("nested deeper"));
}

TEST(Words, AreCutAsAShellCutsThem) {
  EXPECT_THAT(*SplitWords("  get  Table {\"id\": 1}  "),
              ElementsAre("get", "Table", "{\"id\": 1}"));
  EXPECT_THAT(
      *SplitWords(R"(query T 'id = :i' --values {":i": "a } b", ":l": [1, {"x": 2}]} --all)"),
      ElementsAre("query", "T", "id = :i", "--values", R"({":i": "a } b", ":l": [1, {"x": 2}]})",
                  "--all"));
  EXPECT_THAT(*SplitWords(R"(a\ b "c \"d\" e" 'f\g' h"i"j)"),
              ElementsAre("a b", "c \"d\" e", "f\\g", "hij"));
  EXPECT_THAT(*SplitWords(""), ElementsAre());
  EXPECT_THAT(*SplitWords("''"), ElementsAre(""));
  EXPECT_FALSE(SplitWords("'open").ok());
  EXPECT_FALSE(SplitWords("{\"a\": ").ok());
}

TEST(Words, OfAStatementAreKnown) {
  for (const std::string_view line :
       {"SELECT * FROM \"T\"", "select a from T", "insert into T value {'a': 1}",
        "delete from T where a = 1", "update \"T\" set a = 1 where b = 2", "UPDATE T REMOVE a"}) {
    EXPECT_TRUE(IsStatement(line)) << line;
  }
  for (const std::string_view line :
       {"delete T {\"id\": 1}", "update T {\"id\": 1} 'SET a = :a'", "get T {}", "", "insert"}) {
    EXPECT_FALSE(IsStatement(line)) << line;
  }
}

std::string Printed(const std::vector<std::string_view>& plain, ItemFormat format,
                    size_t cell_width_max = 12) {
  std::vector<item::Item> items;
  for (const std::string_view text : plain) items.push_back(*ParsePlainItem(text));
  std::ostringstream out;
  PrintItems(items, format, {"id"}, cell_width_max, out);
  return out.str();
}

TEST(PrintItems, MakesATableWithKeysFirst) {
  EXPECT_EQ(Printed({R"({"id": 7, "name": "éclair", "a": [1]})",
                     R"({"id": 12, "name": "a name that is long"})"},
                    ItemFormat::kTable),
            " id | a   | name         \n"
            "----+-----+--------------\n"
            "  7 | [1] | éclair       \n"
            " 12 |     | a name that… \n");
}

TEST(PrintItems, MakesLinesOfJson) {
  EXPECT_EQ(Printed({R"({"id": 7})", R"({"id": 8})"}, ItemFormat::kPlain),
            "{\"id\": 7}\n{\"id\": 8}\n");
  EXPECT_EQ(Printed({R"({"id": 7})"}, ItemFormat::kDynamoDb), "{\"id\":{\"N\":\"7\"}}\n");
  EXPECT_EQ(Printed({}, ItemFormat::kTable), "");
}

}  // namespace
}  // namespace varve::tools
