#include "client/items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "item/json.h"

namespace varve::client {
namespace {

TEST(ItemsTest, AnItemIsWhatItsValuesSay) {
  const std::string name = "varve";
  const item::Item item = MakeItem({
      {"id", 7},
      {"large", int64_t{1} << 60},
      {"name", name},
      {"price", *item::Number::Parse("9.99")},
      {"gone", nullptr},
      {"new", true},
      {"tags", StringSet({"lsm", "db", "lsm"})},
      {"numbers", NumberSet({3, 1, 2})},
      {"blobs", BinarySet({"b", "a"})},
      {"size", Map({{"width", 3}, {"height", 4}})},
      {"history", List({1, "two", nullptr, false, List({})})},
      {"picture", Binary(std::string_view("\0\xff", 2))},
  });
  ASSERT_TRUE(item::ValidateItem(item.encoded()).ok());
  std::string json;
  item::AppendJson(item.view(), json);
  EXPECT_EQ(json,
            R"({"blobs":{"BS":["YQ==","Yg=="]},"gone":{"NULL":true},)"
            R"("history":{"L":[{"N":"1"},{"S":"two"},{"NULL":true},{"BOOL":false},{"L":[]}]},)"
            R"("id":{"N":"7"},"large":{"N":"1152921504606846976"},"name":{"S":"varve"},)"
            R"("new":{"BOOL":true},"numbers":{"NS":["1","2","3"]},"picture":{"B":"AP8="},)"
            R"("price":{"N":"9.99"},"size":{"M":{"height":{"N":"4"},"width":{"N":"3"}}},)"
            R"("tags":{"SS":["db","lsm"]}})");
}

TEST(ItemsTest, AttributesAreReadAsWhatTheyAre) {
  const item::Item item = MakeItem({{"id", -7},
                                    {"name", "varve"},
                                    {"half", *item::Number::Parse("0.5")},
                                    {"bytes", Binary("x")},
                                    {"new", false}});
  EXPECT_EQ(IntegerOf(item, "id"), -7);
  EXPECT_EQ(TextOf(item, "name"), "varve");
  EXPECT_EQ(BytesOf(item, "bytes"), "x");
  EXPECT_EQ(BooleanOf(item, "new"), false);
  EXPECT_EQ(IntegerOf(item, "half"), std::nullopt);
  EXPECT_EQ(IntegerOf(item, "name"), std::nullopt);
  EXPECT_EQ(TextOf(item, "bytes"), std::nullopt);
  EXPECT_EQ(TextOf(item, "nothing"), std::nullopt);
}

TEST(ItemsTest, PlaceholdersAreNamedValues) {
  const item::expression::AttributeValues values = Placeholders({{":id", 7}, {":name", "x"}});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].first, ":id");
  EXPECT_EQ(values[0].second, item::Value::OfNumber(item::Number::FromInt(7)));
  EXPECT_EQ(values[1].second, item::Value::String("x"));
}

}  // namespace
}  // namespace varve::client
