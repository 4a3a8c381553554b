#include <fmt/format.h>

#include "item/errors.h"
#include "item/expression/reserved_words.h"
#include "tests/item/expression/table.h"

namespace varve::item::expression {
namespace {

TEST(ExpressionErrors, AreWordedAsTheTableSays) {
  Table table;
  std::string parameter;
  std::string message;
  table.Run("errors.txt", [&](std::string_view word, const std::string& text) {
    if (word == "ok") {
      EXPECT_EQ(message, "");
    } else if (word == "error") {
      EXPECT_EQ(message, fmt::format("Invalid {}: {}", parameter, text));
    } else {
      std::optional<std::string_view> Source::*member = &Source::filter;
      parameter = "FilterExpression";
      if (word == "condition") {
        member = &Source::condition;
        parameter = "ConditionExpression";
      } else if (word == "update") {
        member = &Source::update;
        parameter = "UpdateExpression";
      } else if (word == "projection") {
        member = &Source::projection;
        parameter = "ProjectionExpression";
      } else {
        ASSERT_EQ(word, "filter");
      }
      const auto parsed = table.ParseOne(member, text);
      message = std::string(Message(parsed.status()));
      if (!parsed.ok()) {
        EXPECT_EQ(TypeOfError(parsed.status()), ErrorType::kValidationException);
      }
    }
  });
}

std::string MessageOf(const Source& source) { return std::string(Message(Parse(source).status())); }

TEST(ExpressionErrors, PlaceholdersNeedExpressions) {
  const AttributeNames names = {{"#a", "a"}};
  const AttributeValues values = {{":a", Value::String("a")}};
  Source source;
  source.names = &names;
  EXPECT_EQ(MessageOf(source),
            "ExpressionAttributeNames can only be specified when using expressions");
  source.names = nullptr;
  source.values = &values;
  const auto message = [&](Operation operation) {
    source.operation = operation;
    return MessageOf(source);
  };
  const std::string message_of_all =
      "ExpressionAttributeValues can only be specified when using expressions";
  EXPECT_EQ(message(Operation::kPutItem), message_of_all);
  EXPECT_EQ(message(Operation::kUpdateItem), message_of_all);
  EXPECT_EQ(message(Operation::kQuery),
            message_of_all + ": FilterExpression and KeyConditionExpression are null");
  source.projection = "a";
  EXPECT_EQ(message(Operation::kScan), message_of_all + ": FilterExpression is null");
}

TEST(ExpressionErrors, PlaceholdersAreWellFormed) {
  AttributeNames names;
  AttributeValues values;
  Source source;
  source.condition = "";
  source.names = &names;
  source.values = &values;
  EXPECT_EQ(MessageOf(source), "ExpressionAttributeNames must not be empty");
  names = {{"#a", "a"}, {"a", "a"}};
  EXPECT_EQ(MessageOf(source),
            "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\"");
  names = {{"#", "a"}};
  EXPECT_EQ(MessageOf(source),
            "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#\"");
  names = {{"#a", "a"}};
  EXPECT_EQ(MessageOf(source), "ExpressionAttributeValues must not be empty");
  values = {{":a-b", Value()}};
  EXPECT_EQ(MessageOf(source),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \":a-b\"");
  values = {{":a", Value()}};
  source.invalid_value = ValidationError("ExpressionAttributeValues contains invalid value: ...");
  EXPECT_EQ(MessageOf(source), "ExpressionAttributeValues contains invalid value: ...");
  source.invalid_value = absl::OkStatus();
  EXPECT_EQ(MessageOf(source), "Invalid ConditionExpression: The expression can not be empty;");
}

TEST(ExpressionErrors, PlaceholdersAreUsed) {
  const AttributeNames names = {{"#b", "b"}, {"#a", "a"}, {"#c", "c"}};
  const AttributeValues values = {{":b", Value()}, {":a", Value()}};
  Source source;
  source.update = "REMOVE #a SET x = :a";
  source.condition = "y = :a";
  source.names = &names;
  source.values = &values;
  EXPECT_EQ(MessageOf(source),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}");
  source.condition = "#b = #c";
  EXPECT_EQ(MessageOf(source),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}");
  source.condition = "#b = #c OR #b = :b";
  EXPECT_EQ(MessageOf(source), "");
}

TEST(ExpressionErrors, UpdateIsCheckedBeforeConditionBeforeFilterBeforeProjection) {
  Source source;
  source.update = "";
  source.condition = "";
  source.filter = " ";
  source.projection = "";
  EXPECT_EQ(MessageOf(source), "Invalid UpdateExpression: The expression can not be empty;");
  source.update = "REMOVE a";
  EXPECT_EQ(MessageOf(source), "Invalid ConditionExpression: The expression can not be empty;");
  source.condition = "a < b";
  EXPECT_EQ(MessageOf(source), "Invalid FilterExpression: The expression can not be empty;");
  source.filter = "a < b";
  EXPECT_EQ(MessageOf(source), "Invalid ProjectionExpression: The expression can not be empty;");
}

TEST(ExpressionErrors, FourKilobytesAreEnough) {
  std::string text = "attribute_exists(" + std::string(kExpressionBytesMax - 18, 'a') + ")";
  Source source;
  source.condition = text;
  EXPECT_EQ(MessageOf(source), "");
  text.insert(20, "a");
  source.condition = text;
  EXPECT_EQ(MessageOf(source),
            "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; "
            "expression size: 4097");
}

TEST(ExpressionErrors, ThreeHundredOperatorsAreEnough) {
  std::string text = "a<b";
  for (int i = 0; i < 149; ++i) text += " OR a<b";  // 299
  Source source;
  source.filter = text;
  EXPECT_EQ(MessageOf(source), "");
  text += " OR a<b";
  source.filter = text;
  EXPECT_EQ(MessageOf(source),
            "Invalid FilterExpression: The expression contains too many operators; operator count: "
            "301");
}

TEST(ExpressionErrors, AHundredOperandsOfInAreEnough) {
  std::string text = "a IN (b";
  for (int i = 0; i < 99; ++i) text += ",b";
  const std::string enough = text + ")";
  const std::string too_many = text + ",b)";
  Source source;
  source.filter = enough;
  EXPECT_EQ(MessageOf(source), "");
  source.filter = too_many;
  EXPECT_EQ(
      MessageOf(source),
      "Invalid FilterExpression: The IN operator is provided with too many operands; number of "
      "operands: 101");
}

TEST(ExpressionErrors, ThirtyTwoStepsAreEnough) {
  std::string path = "a";
  for (int i = 0; i < 31; ++i) path += ".a";
  Source source;
  source.projection = path;
  EXPECT_EQ(MessageOf(source), "");
  path += "[0]";
  source.projection = path;
  EXPECT_EQ(
      MessageOf(source),
      "Invalid ProjectionExpression: The document path has too many nesting elements; nesting "
      "levels: 33");
}

// Whatever is nested, the parser's recursion ends.
TEST(ExpressionErrors, NestingIsBounded) {
  for (const std::string open : {"(", "NOT (", "size(", "a = (", "a AND (", "NOT "}) {
    std::string text;
    while (text.size() + open.size() < kExpressionBytesMax) text += open;
    Source source;
    source.filter = text;
    EXPECT_NE(MessageOf(source), "") << open;
    source.filter.reset();
    text = "SET a = " + text.substr(8);
    source.update = text;
    EXPECT_NE(MessageOf(source), "") << open;
  }
}

TEST(ExpressionErrors, AnyBytesAreAnswered) {
  const std::string_view pieces[] = {"a",      ":v",  "#n",      "(",        ")",
                                     "[",      "]",   "0",       ".",        ",",
                                     "=",      "<>",  "AND",     "OR",       "NOT",
                                     "IN",     " ",   "+",       "-",        "SET",
                                     "REMOVE", "ADD", "size",    "DELETE",   "\xff",
                                     "\0x",    "::",  "BETWEEN", "contains", "if_not_exists"};
  const AttributeNames names = {{"#n", "n"}};
  const AttributeValues values = {{":v", Value::String("v")}};
  uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 == 0 ? "SET " : "";
    const int length = i % 17;
    for (int j = 0; j < length; ++j) {
      state = state * 6364136223846793005 + 1442695040888963407;
      text += pieces[(state >> 33) % std::size(pieces)];
    }
    Source source;
    (i % 3 == 0 ? source.filter : i % 3 == 1 ? source.update : source.projection) = text;
    source.names = &names;
    source.values = &values;
    if (source.projection) source.values = nullptr;
    const auto parsed = Parse(source);
    if (parsed.ok() && parsed->filter) parsed->filter->Matches(Item());
    if (parsed.ok() && parsed->update) parsed->update->Apply(Item()).IgnoreError();
    if (parsed.ok() && parsed->projection) parsed->projection->Apply(Item());
  }
}

TEST(ReservedWords, AreKnownInAnyCase) {
  for (const std::string_view word : {"ABORT", "abort", "Zone", "name", "STATUS", "size", "ttl",
                                      "localtimestamp", "DETERMINISTIC", "Key"}) {
    EXPECT_TRUE(IsReservedWord(word)) << word;
  }
  for (const std::string_view word :
       {"", "a", "ABORTED", "nam", "Section", "Package", "#name", "averyveryverylongname"}) {
    EXPECT_EQ(IsReservedWord(word), word == "Section") << word;
  }
}

}  // namespace
}  // namespace varve::item::expression
