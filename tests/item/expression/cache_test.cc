#include "item/expression/cache.h"

#include <fmt/format.h>

#include <thread>
#include <vector>

#include "item/errors.h"
#include "tests/item/expression/table.h"

namespace varve::item::expression {
namespace {

// A request with a condition and what it needs.
struct Request {
  std::string condition;
  AttributeNames names;
  AttributeValues values;

  // "yes", "no", or what is wrong.
  std::string On(const Item& item, Cache* cache) const {
    Source source;
    source.operation = Operation::kPutItem;
    source.condition = condition;
    if (!names.empty()) source.names = &names;
    if (!values.empty()) source.values = &values;
    const auto expressions = Parse(source, cache);
    if (!expressions.ok()) return std::string(Message(expressions.status()));
    return expressions->condition->Matches(item.view()) ? "yes" : "no";
  }
};

AttributeValues Values(std::initializer_list<std::pair<std::string, Value>> values) {
  AttributeValues list;
  for (const auto& [placeholder, value] : values) list.emplace_back(placeholder, value);
  return list;
}

Value N(int64_t number) { return Value::OfNumber(Number::FromInt(number)); }
Value S(std::string_view text) { return Value::String(text); }

TEST(ExpressionCache, ATextMeansWhatItsPlaceholdersSay) {
  Cache cache;
  const Item item = ItemOf(R"({"a":{"N":"1"},"b":{"S":"x"},"c":{"N":"1"}})");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ((Request{"#x = :v", {{"#x", "a"}}, Values({{":v", N(1)}})}.On(item, &cache)), "yes");
    EXPECT_EQ((Request{"#x = :v", {{"#x", "a"}}, Values({{":v", N(2)}})}.On(item, &cache)), "no");
    EXPECT_EQ((Request{"#x = :v", {{"#x", "b"}}, Values({{":v", N(1)}})}.On(item, &cache)), "no");
    EXPECT_EQ((Request{"#x = :v", {{"#x", "b"}}, Values({{":v", S("x")}})}.On(item, &cache)),
              "yes");
    EXPECT_EQ((Request{"a = c", {}, {}}.On(item, &cache)), "yes");
    EXPECT_EQ((Request{"a = c", {{"#x", "a"}}, {}}.On(item, &cache)),
              "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}");
    EXPECT_EQ((Request{"a < :v", {}, Values({{":v", N(2)}})}.On(item, &cache)), "yes");
    EXPECT_EQ((Request{"a < :v", {}, Values({{":v", Value::Bool(true)}})}.On(item, &cache)),
              "Invalid ConditionExpression: Incorrect operand type for operator or function; "
              "operator or function: <, operand type: BOOL");
  }
}

TEST(ExpressionCache, ValuesAreCheckedThoughTheTextIsKnown) {
  Cache cache;
  const Item item = ItemOf(R"({"a":{"N":"5"}})");
  const auto between = [&](int64_t low, int64_t high) {
    return Request{"a BETWEEN :l AND :h", {}, Values({{":l", N(low)}, {":h", N(high)}})}.On(item,
                                                                                            &cache);
  };
  EXPECT_EQ(between(1, 9), "yes");
  EXPECT_EQ(between(6, 9), "no");
  EXPECT_EQ(between(9, 1),
            "Invalid ConditionExpression: The BETWEEN operator requires upper bound to be greater "
            "than or equal to lower bound; lower bound operand: AttributeValue: {N:9}, upper bound "
            "operand: AttributeValue: {N:1}");
  EXPECT_EQ(between(5, 5), "yes");
  const auto type = [&](std::string_view name) {
    return Request{"attribute_type(a, :t) OR a = :z", {}, Values({{":t", S(name)}, {":z", N(0)}})}
        .On(item, &cache);
  };
  EXPECT_EQ(type("N"), "yes");
  EXPECT_EQ(type("S"), "no");
  EXPECT_EQ(type("X"),
            "Invalid ConditionExpression: Invalid attribute type name found; type: X, valid types: "
            "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
  // Two megabytes of values are too many with any text.
  const Request large{"a = :l", {}, Values({{":l", S(std::string(kSubstitutionsBytesMax, 'x'))}})};
  EXPECT_EQ((Request{"a = :l", {}, Values({{":l", S("x")}})}.On(item, &cache)), "no");
  EXPECT_EQ(large.On(item, &cache),
            fmt::format("The length of all substitution variables has exceeded the maximum allowed "
                        "size; size: {}",
                        kSubstitutionsBytesMax + 2));
}

TEST(ExpressionCache, ForgetsRatherThanGrows) {
  Cache cache;
  const Item item = ItemOf(R"({"a":{"N":"7"}})");
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) {
      const std::string text = fmt::format("a = :v OR b{} = :v", i);
      ASSERT_EQ((Request{text, {}, Values({{":v", N(i % 8)}})}.On(item, &cache)),
                i % 8 == 7 ? "yes" : "no");
    }
  }
  // What is too long to be kept is parsed each time.
  std::string text = "a = :v";
  while (text.size() < kExpressionBytesMax - 20) text += " OR b = :v";
  for (int round = 0; round < 2; ++round) {
    EXPECT_NE((Request{text, {{"#unused", std::string(2000, 'x')}}, Values({{":v", N(7)}})}.On(
                  item, &cache)),
              "yes");
  }
}

TEST(ExpressionCache, ServesManyThreads) {
  Cache cache;
  const Item item = ItemOf(R"({"a":{"N":"3"}})");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string text = fmt::format("a = :v OR b{} = :v", (i * (t + 1)) % 1500);
        ASSERT_EQ((Request{text, {}, Values({{":v", N(i % 4)}})}.On(item, &cache)),
                  i % 4 == 3 ? "yes" : "no");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace varve::item::expression
