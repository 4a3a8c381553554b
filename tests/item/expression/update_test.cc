#include "item/errors.h"
#include "tests/item/expression/table.h"

namespace varve::item::expression {
namespace {

TEST(Update, DoesAsTheTableSays) {
  Table table;
  StatusOr<Expressions> parsed = Expressions();
  StatusOr<Item> updated = Item();
  table.Run("updates.txt", [&](std::string_view word, const std::string& text) {
    if (word == "update") {
      parsed = table.ParseOne(&Source::update, text);
      updated = parsed.ok() ? parsed->update->Apply(table.item) : StatusOr<Item>(parsed.status());
      if (updated.ok()) {
        EXPECT_TRUE(ValidateItem(updated->encoded()).ok());
      } else {
        EXPECT_EQ(TypeOfError(updated.status()), ErrorType::kValidationException);
      }
      return;
    }
    if (word == "error") {
      const std::string message(Message(updated.status()));
      EXPECT_TRUE(message == text || message == "Invalid UpdateExpression: " + text) << message;
      return;
    }
    ASSERT_TRUE(updated.ok()) << updated.status();
    if (word == "new") {
      EXPECT_EQ(JsonOf(*updated), JsonOf(ItemOf(text)));
    } else if (word == "updated_old") {
      EXPECT_EQ(JsonOf(parsed->update->Touched(table.item)), JsonOf(ItemOf(text)));
    } else {
      ASSERT_EQ(word, "updated_new");
      EXPECT_EQ(JsonOf(parsed->update->Touched(*updated)), JsonOf(ItemOf(text)));
    }
  });
}

TEST(Update, LeavesTheKeyAlone) {
  const KeySchema key = {{{"p"}}, {{"s"}}};
  Table table;
  const auto message = [&](const std::string& update) {
    const auto parsed = table.ParseOne(&Source::update, update);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return std::string(Message(parsed->update->CheckKeys(key)));
  };
  const std::string p =
      "One or more parameter values were invalid: Cannot update attribute p. This attribute is "
      "part "
      "of the key";
  EXPECT_EQ(message("SET a = p REMOVE b.s"), "");
  EXPECT_EQ(message("SET a = b, p = b"), p);
  EXPECT_EQ(message("REMOVE s, p.x"), p);
  EXPECT_EQ(
      message("REMOVE a, s[1]"),
      "One or more parameter values were invalid: Cannot update attribute s. This attribute is "
      "part of the key");
}

Value Nested(int depth) {
  ValueBuilder builder;
  for (int i = 0; i < depth; ++i) builder.BeginList();
  builder.Null();
  for (int i = 0; i < depth; ++i) builder.EndList();
  return Value(builder.Finish());
}

TEST(Update, NestsNoDeeperThanItemsMay) {
  ValueBuilder builder;
  builder.BeginMap();
  builder.Name("l").BeginList().EndList();
  builder.EndMap();
  const Item old(builder.Finish());
  const auto apply = [&](int depth) {
    const AttributeValues values = {{":v", Nested(depth)}};
    Source source;
    source.update = "SET l[0] = :v";
    source.values = &values;
    return Parse(source)->update->Apply(old).status();
  };
  EXPECT_TRUE(apply(kNestingDepthMax - 1).ok());
  EXPECT_EQ(
      Message(apply(kNestingDepthMax)),
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
      "beyond supported limit");
}

TEST(Update, DoesNotGrowWithoutBound) {
  ValueBuilder builder;
  builder.BeginList();
  builder.String(std::string(100000, 'x'));
  builder.EndList();
  const AttributeValues values = {{":l", Value(builder.Finish())}};
  std::string sum = ":l";
  for (int i = 0; i < 100; ++i) sum = "list_append(" + sum + ",:l)";
  const std::string text = "SET a = " + sum;
  Source source;
  source.update = text;
  source.values = &values;
  EXPECT_EQ(Message(Parse(source)->update->Apply(Item()).status()),
            "Item size to update has exceeded the maximum allowed size");
}

TEST(Projection, GivesWhatTheTableSays) {
  Table table;
  Item projected;
  table.Run("projections.txt", [&](std::string_view word, const std::string& text) {
    if (word == "project") {
      const auto parsed = table.ParseOne(&Source::projection, text);
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      projected = parsed->projection->Apply(table.item);
      EXPECT_TRUE(ValidateItem(projected.encoded()).ok());
    } else {
      ASSERT_EQ(word, "gives");
      EXPECT_EQ(JsonOf(projected), JsonOf(ItemOf(text)));
    }
  });
}

TEST(Projection, DoesNotGoIntoKeyAttributes) {
  const KeySchema key = {{{"p"}}, {{"s"}}};
  Table table;
  const auto message = [&](const std::string& projection) {
    const auto parsed = table.ParseOne(&Source::projection, projection);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return std::string(Message(parsed->projection->CheckKeyPaths(key)));
  };
  EXPECT_EQ(message("p, s, a.p[1]"), "");
  EXPECT_EQ(message("a, s.x"),
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
            "allowed: Key: s");
}

TEST(Update, IsChargedByTheClause) {
  const Item old =
      ItemOf(R"({"a":{"S":"x"},"m":{"M":{"z":{"S":"x"}}},"l":{"L":[{"S":"x"}]},"n":{"N":"1"},)"
             R"("ss":{"SS":["p","q"]}})");
  AttributeValues values;
  values.emplace_back(":s", Value::String("0123456789"));            // 10
  values.emplace_back(":one", Value::OfNumber(Number::FromInt(1)));  // 2
  const Item more = ItemOf(R"({"l":{"L":[{"S":"0123456789"}]},"ss":{"SS":["q","rrrr"]}})");
  values.emplace_back(":l", Value(*more.view().Find("l")));    // 3 + 1 + 10
  values.emplace_back(":e", Value(*more.view().Find("ss")));  // 5
  const std::pair<std::string_view, size_t> cases[] = {
      {"SET b = :s", 19 + 1 + 10},
      {"SET b = :s, cc = :s", 19 + 1 + 10 + 19 + 2 + 10},
      {"SET m.leaf = :s", 19 + 1 + 4 + 4 + 10},
      {"SET l[10] = :s", 19 + 1 + 4 + 2 + 10},
      {"SET b = a", 19 + 1 + 1 + 14 + 1},
      {"SET b = m.z", 19 + 1 + 1 + 14 + 1 + 14 + 1},
      {"SET b = l[0]", 19 + 1 + 1 + 14 + 1 + 14 + 1},
      {"SET n = n + :one", 19 + 1 + 34 + 16 + 2},
      {"SET n = n - :one", 19 + 1 + 37 + 16 + 2},
      {"SET b = if_not_exists(b, :s)", 19 + 1 + 39 + 16 + 10},
      {"SET l = list_append(l, :l)", 19 + 1 + 37 + 16 + 14},
      {"ADD n :one", 19 + 1 + 2},
      {"ADD ss :e", 19 + 2 + 4},
      {"REMOVE abcdefghij", 1 + 10},
      {"REMOVE m.z, l[0]", 1 + 1 + 4 + 1 + 1 + 1 + 4 + 1},
      {"DELETE ss :e", 1 + 2},
  };
  for (const auto& [text, bytes] : cases) {
    AttributeValues used;
    for (const auto& [placeholder, value] : values) {
      if (text.find(placeholder) != std::string_view::npos) used.emplace_back(placeholder, value);
    }
    Source source;
    source.operation = Operation::kUpdateItem;
    source.update = text;
    if (!used.empty()) source.values = &used;
    const auto expressions = Parse(source);
    ASSERT_TRUE(expressions.ok()) << text << ": " << expressions.status();
    EXPECT_EQ(expressions->update->ChargedBytes(old.view()), 3 + bytes) << text;
  }
}

}  // namespace
}  // namespace varve::item::expression
