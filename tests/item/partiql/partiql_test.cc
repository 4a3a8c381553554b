// What statements mean, before any table is read: tables of text in testdata/, and random input.
//
//   key p:S s:N                  the key of the table that the following statements are about
//   parameters [{"S": "a"}]      what the question marks stand for
//   <statement>                  a line that begins with a letter of its own; \n is a line's end
//     = <a line of the outcome>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "item/errors.h"
#include "item/json.h"
#include "item/partiql/plan.h"
#include "item/partiql/statement.h"

namespace varve::item::partiql {
namespace {

using expression::Update;

std::string PathText(const expression::Path& path) {
  expression::Node node(expression::NodeKind::kPath);
  node.path = path;
  return ToString(node);
}

std::string ItemText(const ItemView& item) {
  std::string text;
  AppendJson(item, text);
  return text;
}

std::string ActionText(const Update::Action& action) {
  static constexpr std::string_view kWords[] = {"SET", "REMOVE", "ADD", "DELETE"};
  std::string text =
      fmt::format("{} {}", kWords[static_cast<int>(action.kind)], PathText(action.path));
  if (action.value) text += " = " + ToString(*action.value);
  return text;
}

std::string Describe(Statement& statement, const Key& key) {
  static constexpr std::string_view kReturning[] = {"", "all old", "modified old", "all new",
                                                    "modified new"};
  std::string text;
  switch (statement.kind) {
    case Statement::Kind::kSelect: {
      if (!statement.column_error.ok()) {
        return fmt::format("error {}", Message(statement.column_error));
      }
      text = "select ";
      for (const Column& column : statement.columns) {
        text += fmt::format("{}:{} ", column.name, PathText(column.path));
      }
      if (statement.all_columns) text += "* ";
      text += "from " + statement.table;
      if (statement.index) text += "." + *statement.index;
      const StatusOr<ReadPlan> plan = PlanReads(statement, key);
      if (!plan.ok()) return fmt::format("error {}", Message(plan.status()));
      return text + "\n" + ToString(*plan);
    }
    case Statement::Kind::kInsert:
      return fmt::format("insert {} {}", statement.table, ItemText(statement.item));
    case Statement::Kind::kExists: {
      const std::optional<ItemPlan> plan = PlanExists(statement, key);
      if (!plan) return "exists nothing";
      return fmt::format("exists {} if {}", ItemText(plan->key), ToString(*plan->condition));
    }
    case Statement::Kind::kUpdate:
    case Statement::Kind::kDelete: {
      text = statement.kind == Statement::Kind::kUpdate ? "update " : "delete ";
      text += statement.table;
      const StatusOr<ItemPlan> plan = PlanWrite(statement, key);
      if (!plan.ok()) return fmt::format("error {}", Message(plan.status()));
      text += " " + ItemText(plan->key);
      if (plan->condition) text += " if " + ToString(*plan->condition);
      if (statement.returning != Returning::kNothing) {
        text += fmt::format(" returning {}", kReturning[static_cast<int>(statement.returning)]);
      }
      for (const Update::Action& action : statement.actions) text += "\n" + ActionText(action);
      return text;
    }
  }
  return text;
}

class Script {
 public:
  void Run(const std::string& file) {
    std::ifstream stream(std::string(VARVE_TEST_DATA) + "/" + file);
    ASSERT_TRUE(stream.is_open()) << file;
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      if (line.empty() || line.starts_with("//")) continue;
      if (line.starts_with("  = ")) {
        expected_ += (expected_.empty() ? "" : "\n") + line.substr(4);
        continue;
      }
      Check(file);
      line_ = number;
      if (line.starts_with("key ")) {
        SetKey(line.substr(4));
      } else if (line.starts_with("parameters ")) {
        SetParameters(line.substr(11));
      } else {
        statement_ = line;
        for (size_t at; (at = statement_.find("\\n")) != std::string::npos;) {
          statement_.replace(at, 2, "\n");
        }
      }
    }
    Check(file);
    EXPECT_GT(checked_, 50);
  }

 private:
  void SetKey(std::string_view text) {
    const auto part = [](std::string_view word) {
      const ValueType type = word.ends_with('N')   ? ValueType::kNumber
                             : word.ends_with('B') ? ValueType::kBinary
                                                   : ValueType::kString;
      return expression::KeyAttribute{word.substr(0, word.find(':')), type};
    };
    key_text_ = text;
    text = key_text_;
    key_ = {};
    key_.partition = part(text.substr(0, text.find(' ')));
    if (text.find(' ') != std::string_view::npos) key_.sort = part(text.substr(text.find(' ') + 1));
  }

  void SetParameters(const std::string& json) {
    simdjson::dom::parser parser;
    parameters_.clear();
    simdjson::dom::array array;
    ASSERT_EQ(parser.parse(json).get(array), simdjson::SUCCESS) << json;
    for (const simdjson::dom::element element : array) {
      StatusOr<Value> value = ValueFromJson(element);
      ASSERT_TRUE(value.ok()) << value.status();
      parameters_.push_back(*std::move(value));
    }
  }

  void Check(const std::string& file) {
    if (statement_.empty()) return;
    StatusOr<Statement> statement = Compile(statement_, parameters_);
    const std::string outcome = statement.ok()
                                    ? Describe(*statement, key_)
                                    : fmt::format("error {}", Message(statement.status()));
    EXPECT_EQ(outcome, expected_) << file << ":" << line_ << ": " << statement_;
    statement_.clear();
    expected_.clear();
    ++checked_;
  }

  int line_ = 0;
  int checked_ = 0;
  std::string statement_;
  std::string expected_;
  std::string key_text_;
  Key key_;
  std::vector<Value> parameters_;
};

TEST(PartiQlTest, StatementsArePlanned) { Script().Run("plans.txt"); }

TEST(PartiQlTest, MistakesAreReportedInTheServicesWords) { Script().Run("errors.txt"); }

TEST(PartiQlTest, DeepStatementsAreRefused) {
  const auto repeat = [](std::string_view text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  const auto error = [](const std::string& text) {
    const StatusOr<Statement> statement = Compile(text, {});
    return statement.ok() ? std::string("OK") : std::string(Message(statement.status()));
  };
  const std::string update = "UPDATE T SET d = ";
  const std::string where = " WHERE p = 'a'";
  const std::string too_deep = "Nesting Levels have exceeded supported limits";
  EXPECT_EQ(error(update + repeat("{'a':", 32) + "1" + repeat("}", 32) + where),
            too_deep + " under root" + repeat(".a", 32));
  EXPECT_EQ(error(update + "{'a':" + repeat("[", 31) + "1" + repeat("]", 31) + "}" + where),
            too_deep + " under root.a" + repeat("[0]", 31));
  EXPECT_EQ(error(update + repeat("{'a':", 31) + "1" + repeat("}", 31) + where), "OK");
  for (const std::string_view open : {"(", "[", "<<", "{'a':", "NOT ", "- ", "f(", "a["}) {
    const std::string message = error("SELECT * FROM T WHERE " + repeat(open, 3000));
    EXPECT_EQ(message, too_deep) << open;
  }
  EXPECT_EQ(error("SELECT * FROM T WHERE p = 'a'" + repeat(" AND x = 1", 200)),
            "The expression contains too many operators; operator count: 301");
  EXPECT_EQ(error("UPDATE T SET n = 1" + repeat(" + 1", 1000) + where),
            "The expression contains too many operators; operator count: 301");
}

// Statements put together from pieces of statements: whatever comes of them, it is an answer.
TEST(PartiQlTest, RandomStatementsAreAnswered) {
  static constexpr std::string_view kPieces[] = {
      "SELECT",
      "*",
      "FROM",
      "T",
      "\"T\"",
      ".",
      "\"idx\"",
      "WHERE",
      "p",
      "s",
      "a.b[0]",
      "=",
      "<>",
      "<",
      ">=",
      "AND",
      "OR",
      "NOT",
      "IN",
      "BETWEEN",
      "IS",
      "MISSING",
      "NULL",
      "STRING",
      "(",
      ")",
      "[",
      "]",
      "<<",
      ">>",
      "{",
      "}",
      "'x'",
      "''",
      "1",
      "-1.5e3",
      "?",
      ",",
      ":",
      ";",
      "INSERT",
      "INTO",
      "VALUE",
      "UPDATE",
      "SET",
      "REMOVE",
      "DELETE",
      "RETURNING",
      "ALL",
      "OLD",
      "NEW",
      "MODIFIED",
      "ORDER",
      "BY",
      "DESC",
      "LIMIT",
      "EXISTS",
      "begins_with",
      "size",
      "set_add",
      "list_append",
      "true",
      "-",
      "+",
      "--",
      "/*",
      "'",
      "\"",
      "\n",
      "\xff",
      "#",
      "ä",
      "SELECT * FROM T WHERE p = 'x' AND",
      "UPDATE T SET a = 1 WHERE p = 'x' AND s =",
      "INSERT INTO T VALUE {'p':",
      "EXISTS(SELECT * FROM T WHERE",
      "p IN ['a', 'b'] AND (s < 1 OR",
  };
  const std::vector<Value> parameters = {Value::String("x"), Value::OfNumber(Number::FromInt(1))};
  Key key;
  key.partition = {"p", ValueType::kString};
  key.sort = expression::KeyAttribute{"s", ValueType::kNumber};
  Random random(20120810);
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    const uint64_t pieces = 1 + random.Below(20);
    for (uint64_t i = 0; i < pieces; ++i) {
      text += kPieces[random.Below(std::size(kPieces))];
      if (random.Below(8) != 0) text += ' ';
    }
    StatusOr<Statement> statement = Compile(text, parameters);
    if (statement.ok()) {
      EXPECT_FALSE(Describe(*statement, key).empty()) << text;
    } else {
      EXPECT_EQ(TypeOfError(statement.status()), ErrorType::kValidationException) << text;
    }
  }
}

// A condition on p and s, the keys, and x.
std::string RandomCondition(Random& random, int depth) {
  static constexpr std::string_view kComparisons[] = {"=", "<>", "<", "<=", ">", ">="};
  const auto value = [&] { return fmt::format("'{}'", random.Below(4)); };
  const auto list = [&] {
    std::string text = "[" + value();
    while (random.OneIn(2)) text += ", " + value();
    return text + "]";
  };
  if (depth > 0 && !random.OneIn(3)) {
    const std::string left = RandomCondition(random, depth - 1);
    const std::string right = RandomCondition(random, depth - 1);
    switch (random.Below(6)) {
      case 0:
      case 1:
        return fmt::format("({} OR {})", left, right);
      case 2:
        return fmt::format("NOT {}", left);
      default:
        return fmt::format("{} AND {}", left, right);
    }
  }
  const std::string_view name = random.OneIn(2) ? "p" : random.OneIn(3) ? "x" : "s";
  if (name == "p" && !random.OneIn(8)) {
    return random.OneIn(3) ? "p IN " + list() : "p = " + value();
  }
  switch (random.Below(8)) {
    case 0:
      return fmt::format("{} IN {}", name, list());
    case 1:
      return fmt::format("{} BETWEEN '1' AND {}", name, random.OneIn(2) ? "'2'" : "'3'");
    case 2:
      return fmt::format("begins_with({}, {})", name, value());
    case 3:
      return fmt::format("{} = {}", value(), name);
    default:
      return fmt::format("{} {} {}", name, kComparisons[random.Below(6)], value());
  }
}

// Every item that WHERE is true of is in exactly one of the reads, and no other item is in any.
TEST(PartiQlTest, ReadsFindWhatWhereAsksFor) {
  Key key;
  key.partition = {"p", ValueType::kString};
  key.sort = expression::KeyAttribute{"s", ValueType::kString};
  std::vector<Item> items;
  for (int i = 0; i < 64; ++i) {
    ValueBuilder builder;
    builder.BeginMap();
    builder.Name("p").String(fmt::format("{}", i % 4));
    builder.Name("s").String(fmt::format("{}", i / 4 % 4));
    builder.Name("x").String(fmt::format("{}", i / 16));
    builder.EndMap();
    items.emplace_back(builder.Finish());
  }
  Random random(1729);
  int keyed = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = "SELECT * FROM T WHERE " + RandomCondition(random, 3);
    StatusOr<Statement> statement = Compile(text, {});
    if (!statement.ok()) {  // BETWEEN with its bounds the wrong way round, perhaps
      EXPECT_NE(Message(statement.status()).find("BETWEEN"), std::string_view::npos)
          << text << ": " << statement.status();
      continue;
    }
    const expression::Condition where(Clone(*statement->where));
    StatusOr<ReadPlan> plan = PlanReads(*statement, key);
    if (!plan.ok()) {
      const std::string_view message = Message(plan.status());
      EXPECT_TRUE(message.starts_with("Overlapping") || message.starts_with("Too many")) << message;
      continue;
    }
    const std::string plan_text = ToString(*plan);
    const auto condition = [](std::unique_ptr<expression::Node> filter) {
      return filter == nullptr ? std::nullopt
                               : std::optional(expression::Condition(std::move(filter)));
    };
    if (plan->is_scan()) {
      const auto filter = condition(std::move(plan->filter));
      for (const Item& item : items) EXPECT_EQ(filter->Matches(item), where.Matches(item)) << text;
      continue;
    }
    ++keyed;
    std::vector<int> found(items.size());
    for (Read& read : plan->reads) {
      expression::KeyRange range;
      range.sort = read.range.sort;
      range.low = read.range.low;
      range.high = read.range.high;
      const auto filter = condition(std::move(read.filter));
      for (size_t i = 0; i < items.size(); ++i) {
        const ItemView item = items[i];
        found[i] += *item.Find("p") == read.range.partition && range.Contains(*item.Find("s")) &&
                    (!filter || filter->Matches(item));
      }
    }
    for (size_t i = 0; i < items.size(); ++i) {
      ASSERT_EQ(found[i], where.Matches(items[i]) ? 1 : 0) << text << "\n"
                                                           << plan_text << "\n"
                                                           << ItemText(items[i]);
    }
  }
  EXPECT_GT(keyed, 3000);
}

// Bytes that mean nothing.
TEST(PartiQlTest, RandomBytesAreAnswered) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = round % 2 == 0 ? "SELECT * FROM T WHERE p = 'x' AND s > 1" : "";
    const uint64_t changes = 1 + random.Below(12);
    for (uint64_t i = 0; i < changes; ++i) {
      const size_t at = random.Below(text.size() + 1);
      text.insert(at, 1, static_cast<char>(random.Below(256)));
    }
    static_cast<void>(Compile(text, {}).status());
  }
}

}  // namespace
}  // namespace varve::item::partiql
