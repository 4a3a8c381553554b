// What PartiQL statements do, on the engine over a simulated disk: a script in
// testdata/statements.txt.
//
//   table T p:S s:S              makes a table
//   table T p:S local L p:S x:S keys global G g:S all ...    ... with indexes
//   put T {...}                  an item in DynamoDB JSON
//   parameters [...]             of the statements that follow
//   limit 2                      likewise; "limit" alone ends it
//   consistent                   of the next statement
//   <statement>                  runs it
//   more                         runs the last statement again, with its NextToken
//   batch, transaction           runs the lines that follow, "- <statement>" each
//     = <a line of the outcome>  items, errors; "..." if there is a NextToken
#include <fstream>

#include "item/partiql/requests.h"
#include "tests/item/store_fixture.h"

namespace varve::item {
namespace {

class StoreStatements : public StoreTest {
 protected:
  void RunScript(const std::string& file) {
    std::ifstream stream(std::string(VARVE_TEST_DATA) + "/" + file);
    ASSERT_TRUE(stream.is_open()) << file;
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number) {
      if (line.empty() || line.starts_with("//")) continue;
      if (line.starts_with("  = ")) {
        expected_ += line.substr(4) + "\n";
      } else if (line.starts_with("  - ")) {
        statements_.push_back(Parameterized(line.substr(4)));
      } else {
        Finish();
        where_ = fmt::format("{}:{}: {}", file, number, line);
        Take(line);
      }
    }
    Finish();
    EXPECT_GT(checked_, 60);
  }

 private:
  void Take(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string word = line.substr(0, space);
    const std::string rest = line.substr(std::min(space + 1, line.size()));
    if (word == "table") {
      ASSERT_EQ(Create(rest), "OK") << where_;
    } else if (word == "put") {
      const size_t at = rest.find(' ');
      ASSERT_EQ(Put(rest.substr(0, at), rest.substr(at + 1)), "OK") << where_;
    } else if (word == "parameters") {
      parameters_ = ValuesOf(rest);
    } else if (word == "limit") {
      limit_ = rest.empty() ? std::nullopt : std::optional<int64_t>(std::stoll(rest));
    } else if (word == "consistent") {
      consistent_ = true;
    } else {
      pending_ = word == "batch" || word == "transaction" || word == "more" ? word : "statement";
      if (pending_ == "statement") {
        token_.reset();
        statement_ = Parameterized(line);
      }
    }
  }

  // The words after "table".
  std::string Create(const std::string& text) {
    std::istringstream words(text);
    CreateTableRequest request;
    request.billing_mode = BillingMode::kPayPerRequest;
    words >> request.table_name;
    std::vector<KeySchemaElement>* key = &request.key_schema;
    SecondaryIndex* index = nullptr;
    std::string word;
    while (words >> word) {
      if (word == "local" || word == "global") {
        auto& indexes =
            word == "local" ? request.local_secondary_indexes : request.global_secondary_indexes;
        if (!indexes) indexes.emplace();
        index = &indexes->emplace_back();
        words >> index->index_name;
        key = &index->key_schema;
      } else if (word == "all") {
        index->projection.type = ProjectionType::kAll;
      } else if (word == "keys") {
        index->projection.type = ProjectionType::kKeysOnly;
      } else if (word == "include") {
        index->projection.type = ProjectionType::kInclude;
        words >> index->projection.non_key_attributes.emplace_back();
      } else {
        const std::string name = word.substr(0, word.find(':'));
        // Partition attributes of keys with several are written with a star: "h*:S".
        const bool hash = key->empty() || name.ends_with('*');
        const std::string attribute = name.ends_with('*') ? name.substr(0, name.size() - 1) : name;
        key->push_back({attribute, hash ? KeyType::kHash : KeyType::kRange});
        const auto& definitions = request.attribute_definitions;
        if (std::none_of(definitions.begin(), definitions.end(), [&](const auto& definition) {
              return definition.attribute_name == attribute;
            })) {
          request.attribute_definitions.push_back(
              {attribute, word.ends_with('N') ? ValueType::kNumber : ValueType::kString});
        }
      }
    }
    return ErrorText(Run(store_->CreateTable(request)).status());
  }

  static std::vector<Value> ValuesOf(const std::string& json) {
    std::vector<Value> values;
    const Item item = ItemOf(fmt::format("{{'v':{{'L':{}}}}}", json));
    for (const ValueView value : item.view().Find("v")->list()) values.emplace_back(value);
    return values;
  }

  ParameterizedStatement Parameterized(const std::string& text) {
    ParameterizedStatement statement;
    statement.statement = text;
    statement.parameters = parameters_;
    statement.consistent_read = consistent_;
    return statement;
  }

  static std::string UnitsText(const ConsumedCapacity& capacity) {
    std::string text = fmt::format("{} {}", capacity.table_name, capacity.capacity_units);
    for (const auto& [name, units] : capacity.local_index_units) {
      text += fmt::format(" {} {}", name, units);
    }
    for (const auto& [name, units] : capacity.global_index_units) {
      text += fmt::format(" {} {}", name, units);
    }
    return text;
  }

  std::string Statement() {
    ExecuteStatementRequest request;
    request.statement = statement_;
    request.limit = limit_;
    request.next_token = std::exchange(token_, std::nullopt);
    request.return_consumed_capacity = ReturnConsumedCapacity::kIndexes;
    consistent_ = false;
    const auto response = Run(store_->ExecuteStatement(request));
    if (!response.ok()) return ErrorText(response.status()) + "\n";
    std::string text;
    for (const ItemView item : response->items) text += TextOf(item) + "\n";
    token_ = response->next_token;
    EXPECT_EQ(token_.has_value(), response->last_evaluated_key.has_value());
    if (token_) text += "...\n";
    if (text.empty()) text = "nothing\n";
    units_ = UnitsText(*response->consumed_capacity);
    return text;
  }

  std::string Batch() {
    BatchExecuteStatementRequest request;
    request.statements = std::exchange(statements_, {});
    request.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
    const auto response = Run(store_->BatchExecuteStatement(request));
    if (!response.ok()) return ErrorText(response.status()) + "\n";
    std::string text;
    for (const BatchStatementResponse& each : response->responses) {
      text += each.table_name.value_or("-");
      if (each.error) text += fmt::format(" {}: {}", each.error->code, each.error->message);
      if (each.item) text += " " + TextOf(*each.item);
      text += "\n";
    }
    units_.clear();
    for (const ConsumedCapacity& capacity : response->consumed_capacity) {
      units_ += (units_.empty() ? "" : ", ") + UnitsText(capacity);
    }
    return text;
  }

  std::string Transaction() {
    ExecuteTransactionRequest request;
    request.transact_statements = std::exchange(statements_, {});
    request.return_consumed_capacity = ReturnConsumedCapacity::kTotal;
    const auto response = Run(store_->ExecuteTransaction(request));
    if (!response.ok()) {
      std::string text = ErrorText(response.status()) + "\n";
      for (const CancellationReason& reason : ReasonsOfError(response.status())) {
        text += fmt::format("{} {}\n", reason.code, reason.message);
      }
      return text;
    }
    std::string text;
    for (const std::optional<Item>& item : response->responses) {
      text += item ? TextOf(*item) + "\n" : "none\n";
    }
    units_.clear();
    for (const ConsumedCapacity& capacity : response->consumed_capacity) {
      units_ += (units_.empty() ? "" : ", ") + UnitsText(capacity);
    }
    return text.empty() ? "nothing\n" : text;
  }

  // Runs what was asked for and compares.
  void Finish() {
    const std::string pending = std::exchange(pending_, "");
    if (pending.empty()) return;
    std::string outcome = pending == "batch"         ? Batch()
                          : pending == "transaction" ? Transaction()
                                                     : Statement();
    // Units are compared where the script has them.
    if (expected_.find("units ") != std::string::npos) outcome += "units " + units_ + "\n";
    EXPECT_EQ(outcome, expected_) << where_;
    expected_.clear();
    ++checked_;
  }

  std::string where_;
  std::string pending_;
  std::string expected_;
  std::string units_;
  int checked_ = 0;
  ParameterizedStatement statement_;
  std::vector<ParameterizedStatement> statements_;
  std::vector<Value> parameters_;
  std::optional<int64_t> limit_;
  std::optional<std::string> token_;
  bool consistent_ = false;
};

TEST_F(StoreStatements, DoWhatTheyAskFor) { RunScript("statements.txt"); }

class StoreTokens : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    ASSERT_EQ(MakeTable("T", ValueType::kNumber), "OK");
    for (int s = 0; s < 5; ++s) {
      ASSERT_EQ(Put("T", fmt::format("{{'p':{{'S':'a'}},'s':{{'N':'{}'}}}}", s)), "OK");
    }
  }

  ExecuteStatementRequest Request(std::string_view statement) {
    ExecuteStatementRequest request;
    request.statement.statement = statement;
    request.limit = 1;
    return request;
  }
  std::string Error(const ExecuteStatementRequest& request) {
    return ErrorText(Run(store_->ExecuteStatement(request)).status());
  }
};

TEST_F(StoreTokens, AreGoodForTheirStatementOnly) {
  ExecuteStatementRequest request = Request("SELECT * FROM T WHERE p = ?");
  request.statement.parameters = {Value::String("a")};
  const auto page = Run(store_->ExecuteStatement(request));
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_TRUE(page->next_token);
  request.next_token = page->next_token;
  request.limit = 3;  // may differ
  EXPECT_EQ(Error(request), "OK");
  const std::string mismatch = "ValidationException: NextToken does not match request";
  request.statement.parameters = {Value::String("b")};
  EXPECT_EQ(Error(request), mismatch);
  request = Request("SELECT s FROM T WHERE p = 'a'");
  request.next_token = page->next_token;
  EXPECT_EQ(Error(request), mismatch);
}

TEST_F(StoreTokens, AreCheckedByteByByte) {
  ExecuteStatementRequest request = Request("SELECT * FROM T");
  const auto page = Run(store_->ExecuteStatement(request));
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_TRUE(page->next_token);
  const std::string invalid = "ValidationException: Invalid NextToken";
  for (const std::string_view text : {"x", "AAAA", "....", "AQ=="}) {
    request.next_token = text;
    EXPECT_EQ(Error(request), invalid) << text;
  }
  for (size_t i = 0; i < page->next_token->size(); ++i) {
    request.next_token = page->next_token;
    char& c = (*request.next_token)[i];
    c = c == 'A' ? 'B' : 'A';
    EXPECT_EQ(Error(request), invalid) << i;
  }
}

TEST_F(StoreTokens, PagesHaveEveryItemOnce) {
  for (const std::string_view statement :
       {"SELECT * FROM T", "SELECT * FROM T WHERE p = 'a' ORDER BY s DESC",
        "SELECT * FROM T WHERE p = 'a' AND (s < 2 OR s > 2 OR s = 2)"}) {
    ExecuteStatementRequest request = Request(statement);
    std::vector<std::string> found;
    do {
      const auto page = Run(store_->ExecuteStatement(request));
      ASSERT_TRUE(page.ok()) << page.status();
      for (const ItemView item : page->items) found.push_back(TextOf(item));
      request.next_token = page->next_token;
    } while (request.next_token);
    EXPECT_EQ(found.size(), 5u) << statement;
    std::sort(found.begin(), found.end());
    EXPECT_EQ(std::unique(found.begin(), found.end()), found.end()) << statement;
  }
}

// A page's megabyte is one for all of a statement's reads.
TEST_F(StoreTokens, PagesEndAtTheirSizeAcrossReads) {
  ASSERT_EQ(MakeTable("Big"), "OK");
  const std::string filler(300'000, 'x');
  for (int p = 0; p < 8; ++p) {
    ASSERT_EQ(Put("Big", fmt::format("{{'p':{{'S':'{}'}},'x':{{'S':'{}'}}}}", p, filler)), "OK");
  }
  ExecuteStatementRequest request;
  request.statement.statement = "SELECT p FROM Big WHERE p IN ['0','1','2','3','4','5','6','7']";
  std::vector<size_t> pages;
  do {
    const auto page = Run(store_->ExecuteStatement(request));
    ASSERT_TRUE(page.ok()) << page.status();
    pages.push_back(page->items.size());
    request.next_token = page->next_token;
  } while (request.next_token);
  EXPECT_EQ(pages, (std::vector<size_t>{4, 4, 0}));
}

// Many writers of one number, each reading what the one before it wrote.
TEST_F(StoreTokens, WritesOfOneItemFollowEachOther) {
  ExecuteStatementRequest request;
  request.statement.statement = "UPDATE T SET n = n + 1 WHERE p = 'a' AND s = 0";
  ExecuteStatementRequest first;
  first.statement.statement = "UPDATE T SET n = 0 WHERE p = 'a' AND s = 0";
  ASSERT_EQ(Error(first), "OK");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Error(request), "OK");
  EXPECT_EQ(Get("T", "{'p':{'S':'a'},'s':{'N':'0'}}"),
            "{'n':{'N':'20'},'p':{'S':'a'},'s':{'N':'0'}}");
}

TEST_F(StoreTokens, TransactionsTakeEffectOncePerClientToken) {
  ExecuteTransactionRequest request;
  request.client_request_token = "token";
  request.transact_statements.emplace_back().statement = "INSERT INTO T VALUE {'p': 'new', 's': 1}";
  ASSERT_TRUE(Run(store_->ExecuteTransaction(request)).ok());
  EXPECT_TRUE(Run(store_->ExecuteTransaction(request)).ok());
  Reopen();
  EXPECT_TRUE(Run(store_->ExecuteTransaction(request)).ok());
  request.transact_statements[0].statement = "INSERT INTO T VALUE {'p': 'new', 's': 2}";
  EXPECT_EQ(TypeOfError(Run(store_->ExecuteTransaction(request)).status()),
            ErrorType::kIdempotentParameterMismatchException);
}

}  // namespace
}  // namespace varve::item
