#include "item/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "text.h"

namespace varve::item {
namespace {

constexpr uint32_t kSpace = 7;

TableKey KeyOf(ValueType partition, std::optional<ValueType> sort = std::nullopt) {
  TableKey key;
  key.partition = {"p", partition};
  if (sort) key.sort = TableKey::Part{"s", *sort};
  return key;
}

TEST(Keys, ReportsWrongKeysAsTheServiceDoes) {
  const TableKey simple = KeyOf(ValueType::kString);
  const TableKey composite = KeyOf(ValueType::kString, ValueType::kBinary);
  const std::string mismatch =
      "ValidationException: The provided key element does not match the schema";
  const auto check = [](const TableKey& key, std::string_view text) {
    return ErrorText(CheckKey(key, ItemOf(text)));
  };
  EXPECT_EQ(check(simple, "{'p':{'S':'x'}}"), "OK");
  EXPECT_EQ(check(composite, "{'p':{'S':'x'},'s':{'B':'AA=='}}"), "OK");
  EXPECT_EQ(check(simple, "{}"), mismatch);
  EXPECT_EQ(check(simple, "{'q':{'S':'x'}}"), mismatch);
  EXPECT_EQ(check(simple, "{'p':{'N':'1'}}"), mismatch);
  EXPECT_EQ(check(simple, "{'p':{'S':'x'},'s':{'S':'y'}}"), mismatch);
  EXPECT_EQ(check(composite, "{'p':{'S':'x'}}"), mismatch);
  EXPECT_EQ(
      check(simple, "{'p':{'S':''}}"),
      "ValidationException: One or more parameter values are not valid. The AttributeValue for a "
      "key attribute cannot contain an empty string value. Key: p");
  EXPECT_EQ(
      check(composite, "{'p':{'S':'x'},'s':{'B':''}}"),
      "ValidationException: One or more parameter values are not valid. The AttributeValue for a "
      "key attribute cannot contain an empty binary value. Key: s");
  EXPECT_EQ(check(simple, "{'p':{'S':'" + std::string(2048, 'x') + "'}}"), "OK");
  EXPECT_EQ(check(simple, "{'p':{'S':'" + std::string(2049, 'x') + "'}}"),
            "ValidationException: One or more parameter values were invalid: Size of hashkey has "
            "exceeded the maximum size limit of2048 bytes");
  const TableKey strings = KeyOf(ValueType::kString, ValueType::kString);
  EXPECT_EQ(check(strings, "{'p':{'S':'x'},'s':{'S':'" + std::string(1024, 'x') + "'}}"), "OK");
  EXPECT_EQ(
      check(strings, "{'p':{'S':'x'},'s':{'S':'" + std::string(1025, 'x') + "'}}"),
      "ValidationException: One or more parameter values were invalid: Aggregated size of all "
      "range keys has exceeded the size limit of 1024 bytes");
}

TEST(Keys, ReportsWrongKeysOfItemsAsPutItemDoes) {
  const TableKey key = KeyOf(ValueType::kString, ValueType::kNumber);
  const auto check = [&](std::string_view text) {
    return ErrorText(CheckItemKey(key, ItemOf(text)));
  };
  EXPECT_EQ(check("{'p':{'S':'x'},'s':{'N':'1'},'other':{'L':[]}}"), "OK");
  EXPECT_EQ(
      check("{'p':{'S':'x'}}"),
      "ValidationException: One or more parameter values were invalid: Missing the key s in the "
      "item");
  EXPECT_EQ(
      check("{'p':{'L':[]},'s':{'N':'1'}}"),
      "ValidationException: One or more parameter values were invalid: Type mismatch for key p "
      "expected: S actual: L");
}

TEST(Keys, OrderOnePartitionBySortKey) {
  const std::vector<std::pair<ValueType, std::vector<std::string>>> cases = {
      {ValueType::kNumber,
       {"{'N':'-1e10'}", "{'N':'-2'}", "{'N':'-1.5'}", "{'N':'0'}", "{'N':'0.1'}", "{'N':'9'}",
        "{'N':'10'}", "{'N':'1e100'}"}},
      {ValueType::kString, {"{'S':'A'}", "{'S':'a'}", "{'S':'aa'}", "{'S':'b'}", "{'S':'é'}"}},
      {ValueType::kBinary,
       {"{'B':'AA=='}", "{'B':'AAA='}", "{'B':'AQ=='}", "{'B':'fw=='}", "{'B':'gA=='}",
        "{'B':'/w=='}"}},
  };
  for (const auto& [type, ascending] : cases) {
    const TableKey key = KeyOf(ValueType::kString, type);
    std::string previous;
    for (const std::string& sort : ascending) {
      const std::string engine_key =
          EngineKey(kSpace, key, ItemOf("{'p':{'S':'x'},'s':" + sort + "}"));
      EXPECT_LT(previous, engine_key) << sort;
      previous = engine_key;
    }
  }
}

TEST(Keys, DoNotConfusePartitionsWithSortKeys) {
  // The same bytes, divided differently.
  const TableKey key = KeyOf(ValueType::kString, ValueType::kString);
  const std::string a = EngineKey(kSpace, key, ItemOf("{'p':{'S':'ab'},'s':{'S':'c'}}"));
  const std::string b = EngineKey(kSpace, key, ItemOf("{'p':{'S':'a'},'s':{'S':'bc'}}"));
  EXPECT_NE(a, b);
}

TEST(Keys, LieInTheirKeySpaceAndOneSegment) {
  const TableKey key = KeyOf(ValueType::kNumber);
  const KeyBounds space = KeySpaceBounds(kSpace);
  for (const uint64_t segments : {1, 2, 3, 7, 1000000}) {
    KeyBounds previous = SegmentBounds(kSpace, 0, segments);
    EXPECT_EQ(previous.begin, space.begin);
    EXPECT_EQ(SegmentBounds(kSpace, segments - 1, segments).end, space.end);
    for (uint64_t i = 1; i < std::min<uint64_t>(segments, 50); ++i) {
      const KeyBounds bounds = SegmentBounds(kSpace, i, segments);
      EXPECT_EQ(bounds.begin, previous.end);
      EXPECT_LT(bounds.begin, bounds.end);
      previous = bounds;
    }
  }
  for (int i = 0; i < 200; ++i) {
    const std::string engine_key =
        EngineKey(kSpace, key, ItemOf(fmt::format("{{'p':{{'N':'{}'}}}}", i)));
    EXPECT_LE(space.begin, engine_key);
    EXPECT_LT(engine_key, space.end);
    int homes = 0;
    for (uint64_t s = 0; s < 7; ++s) {
      const KeyBounds bounds = SegmentBounds(kSpace, s, 7);
      homes += bounds.begin <= engine_key && engine_key < bounds.end;
    }
    EXPECT_EQ(homes, 1);
  }
}

TEST(Keys, BoundWhatAKeyConditionSelects) {
  using Sort = expression::KeyRange::Sort;
  const TableKey key = KeyOf(ValueType::kString, ValueType::kString);
  const std::vector<std::string> sorts = {"a", "aa", "ab", "b", "ba", "c"};
  const auto selected = [&](Sort sort, std::string_view low, std::string_view high = "") {
    const Value partition = Value::String("x"), low_value = Value::String(low),
                high_value = Value::String(high);
    expression::KeyRange range;
    range.partition.push_back(partition);
    range.sort = sort;
    range.low = low_value;
    range.high = high_value;
    const KeyBounds bounds = BoundsOf(kSpace, range);
    std::string names;
    for (const std::string& s : sorts) {
      for (const std::string p : {"w", "x", "y", "xa"}) {
        const std::string engine_key =
            EngineKey(kSpace, key, ItemOf("{'p':{'S':'" + p + "'},'s':{'S':'" + s + "'}}"));
        if (bounds.begin <= engine_key && engine_key < bounds.end)
          names += (p == "x" ? "" : p + ":") + s + " ";
      }
    }
    return names;
  };
  EXPECT_EQ(selected(Sort::kAny, ""), "a aa ab b ba c ");
  EXPECT_EQ(selected(Sort::kEqual, "aa"), "aa ");
  EXPECT_EQ(selected(Sort::kLess, "b"), "a aa ab ");
  EXPECT_EQ(selected(Sort::kLessOrEqual, "b"), "a aa ab b ");
  EXPECT_EQ(selected(Sort::kGreater, "b"), "ba c ");
  EXPECT_EQ(selected(Sort::kGreaterOrEqual, "b"), "b ba c ");
  EXPECT_EQ(selected(Sort::kBetween, "aa", "ba"), "aa ab b ba ");
  EXPECT_EQ(selected(Sort::kBeginsWith, "a"), "a aa ab ");
  EXPECT_EQ(selected(Sort::kBeginsWith, "d"), "");
}

TEST(Keys, PrefixEndPassesOver0xff) {
  using std::string_literals::operator""s;
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("a\xff\xff"s), "b");
  EXPECT_EQ(PrefixEnd("a\xff\x01"s), "a\xff\x02"s);
}

}  // namespace
}  // namespace varve::item
