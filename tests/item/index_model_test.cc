// Random writes, reopenings and power cuts; then every index must hold exactly what the table says,
// in the order that its key says, and answer queries accordingly.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "store_fixture.h"

namespace varve::item {
namespace {

using Sort = expression::KeyRange::Sort;

constexpr std::string_view kTable = "T";

struct Attribute {
  std::string_view name;
  ValueType type;
};
// The table's key is p, s; all but v are keys of some index.
constexpr Attribute kAttributes[] = {{"p", ValueType::kString}, {"s", ValueType::kNumber},
                                     {"t", ValueType::kString}, {"l", ValueType::kNumber},
                                     {"g", ValueType::kString}, {"b", ValueType::kBinary}};

SecondaryIndex IndexWith(std::string_view name, std::initializer_list<std::string_view> partition,
                         std::initializer_list<std::string_view> sort, Projection projection) {
  SecondaryIndex index;
  index.index_name = name;
  for (const auto attribute : partition) {
    index.key_schema.push_back({std::string(attribute), KeyType::kHash});
  }
  for (const auto attribute : sort) {
    index.key_schema.push_back({std::string(attribute), KeyType::kRange});
  }
  index.projection = std::move(projection);
  return index;
}

CreateTableRequest MakeCreate() {
  CreateTableRequest create;
  create.table_name = kTable;
  create.billing_mode = BillingMode::kPayPerRequest;
  for (const Attribute& attribute : kAttributes) {
    create.attribute_definitions.push_back({std::string(attribute.name), attribute.type});
  }
  create.key_schema = {{"p", KeyType::kHash}, {"s", KeyType::kRange}};
  create.local_secondary_indexes = {
      IndexWith("LocalText", {"p"}, {"t"}, {ProjectionType::kAll, {}}),
      IndexWith("LocalNumber", {"p"}, {"l"}, {ProjectionType::kKeysOnly, {}})};
  create.global_secondary_indexes = {
      IndexWith("One", {"g"}, {}, {ProjectionType::kInclude, {"v"}}),
      IndexWith("Binary", {"b"}, {"s"}, {ProjectionType::kKeysOnly, {}}),
      IndexWith("Many", {"g", "l"}, {"t", "b", "s"}, {ProjectionType::kAll, {}})};
  return create;
}

class IndexModel : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void TearDown() override {
    store_.reset();
    db_.reset();
    spdlog::set_level(spdlog::level::info);
  }

  Status TryOpen() {
    engine::Options options;
    options.memtable_bytes_max = 16 << 10;
    options.memtable_budget_bytes = 256 << 10;
    StoreOptions store_options;
    store_options.sync_writes = true;
    store_options.page_bytes_max = 1000;
    VARVE_ASSIGN_OR_RETURN(db_, engine::Db::Open(io_, "/db", options));
    VARVE_ASSIGN_OR_RETURN(store_, io::BlockOn(io_, Store::Open(io_, *db_, store_options)));
    return absl::OkStatus();
  }
  void Reopen() {
    for (;;) {
      store_.reset();
      db_.reset();
      if (io_.crashed()) io_.Restart();
      const Status opened = TryOpen();
      if (opened.ok()) return;
      ASSERT_TRUE(io_.crashed()) << opened;
    }
  }

  // Few values, so that they meet; those that an encoding might confuse.
  Value RandomValue(ValueType type) {
    using std::string_literals::operator""s;
    static const std::string kTexts[] = {"a",   "a\0"s,  "a\0b"s,   "a\1"s, "a\1\1"s, "ab",
                                         "\0"s, "\1\2"s, "\x7f\0"s, "b",    "\2"s};
    static const std::string kNumbers[] = {"0", "-1", "1", "-10.5", "1e100", "-1e-100", "12.34"};
    if (type == ValueType::kNumber) {
      return Value::OfNumber(*Number::Parse(kNumbers[random_.Below(std::size(kNumbers))]));
    }
    const std::string& text = kTexts[random_.Below(std::size(kTexts))];
    return type == ValueType::kString ? Value::String(text) : Value::Binary(text);
  }
  static ValueType TypeOf(std::string_view name) {
    for (const Attribute& attribute : kAttributes) {
      if (attribute.name == name) return attribute.type;
    }
    return ValueType::kString;
  }

  Item RandomKey() {
    ValueBuilder builder;
    builder.BeginMap();
    builder.Name("p").Copy(RandomValue(ValueType::kString));
    builder.Name("s").Copy(RandomValue(ValueType::kNumber));
    builder.EndMap();
    return Item(builder.Finish());
  }
  Item RandomItem() {
    const Item key = RandomKey();
    ValueBuilder builder;
    builder.BeginMap();
    for (const NamedValue attribute : key.view()) {
      builder.Name(attribute.name).Copy(attribute.value);
    }
    for (const std::string_view name : {"t", "l", "g", "b"}) {
      if (!random_.OneIn(5)) builder.Name(name).Copy(RandomValue(TypeOf(name)));
    }
    if (random_.OneIn(2)) builder.Name("v").String(std::string(random_.Below(300), 'v'));
    builder.Name("w").Number(Number::FromInt(static_cast<int64_t>(random_.Below(3))));
    builder.EndMap();
    return Item(builder.Finish());
  }

  // A write that isn't acknowledged may or may not have happened: the table tells.
  void Settle(const Status& status) {
    if (status.ok()) return;
    ASSERT_TRUE(io_.crashed()) << status;
    Reopen();
  }
  void WriteOne() {
    switch (random_.Below(6)) {
      case 0: {
        DeleteItemRequest request;
        request.table_name = kTable;
        request.key = RandomKey();
        return Settle(io::BlockOn(io_, store_->DeleteItem(request)).status());
      }
      case 1: {
        UpdateItemRequest request;
        request.table_name = kTable;
        request.key = RandomKey();
        static constexpr std::string_view kNames[] = {"t", "l", "g", "b"};
        const std::string name(kNames[random_.Below(4)]);
        if (random_.OneIn(3)) {
          request.update_expression = "REMOVE " + name;
        } else {
          request.update_expression = "SET " + name + " = :x";
          request.expression_parameters.values.emplace();
          request.expression_parameters.values->emplace_back(":x", RandomValue(TypeOf(name)));
        }
        return Settle(io::BlockOn(io_, store_->UpdateItem(request)).status());
      }
      case 2: {
        BatchWriteItemRequest request;
        auto& writes = request.request_items.emplace_back().second;
        request.request_items[0].first = kTable;
        std::map<std::string, WriteRequest> by_key;
        for (uint64_t i = random_.Between(2, 8); i > 0; --i) {
          WriteRequest write;
          const Item item = RandomItem();
          const Item key = KeyOf(item);
          if (random_.OneIn(3)) {
            write.delete_key = key;
          } else {
            write.put_item = item;
          }
          by_key[key.encoded()] = std::move(write);
        }
        for (auto& [key, write] : by_key) writes.push_back(std::move(write));
        return Settle(io::BlockOn(io_, store_->BatchWriteItem(request)).status());
      }
      default: {
        PutItemRequest request;
        request.table_name = kTable;
        request.item = RandomItem();
        return Settle(io::BlockOn(io_, store_->PutItem(request)).status());
      }
    }
  }
  static Item KeyOf(const ItemView& item) {
    ValueBuilder builder;
    builder.BeginMap();
    builder.Name("p").Copy(*item.Find("p"));
    builder.Name("s").Copy(*item.Find("s"));
    builder.EndMap();
    return Item(builder.Finish());
  }

  // All pages of a Query or Scan.
  template <typename Request>
  std::vector<Item> Pages(Request request) {
    std::vector<Item> items;
    do {
      const auto page = io::BlockOn(io_, Run(request));
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return items;
      for (const ItemView item : page->items) items.emplace_back(item);
      request.exclusive_start_key = page->last_evaluated_key;
    } while (request.exclusive_start_key);
    return items;
  }
  auto Run(const QueryRequest& request) { return store_->Query(request); }
  auto Run(const ScanRequest& request) { return store_->Scan(request); }

  // ---- What must be there, worked out from the table's items.

  static std::vector<std::string> Parts(const SecondaryIndex& index, KeyType type) {
    std::vector<std::string> names;
    for (const KeySchemaElement& element : index.key_schema) {
      if (element.key_type == type) names.push_back(element.attribute_name);
    }
    return names;
  }
  static Item Projected(const SecondaryIndex& index, const ItemView& item) {
    if (index.projection.type == ProjectionType::kAll) return Item(item);
    ValueBuilder builder;
    builder.BeginMap();
    for (const NamedValue attribute : item) {
      bool in = attribute.name == "p" || attribute.name == "s";
      for (const auto& element : index.key_schema) in |= element.attribute_name == attribute.name;
      for (const auto& name : index.projection.non_key_attributes) in |= name == attribute.name;
      if (in) builder.Name(attribute.name).Copy(attribute.value);
    }
    builder.EndMap();
    return Item(builder.Finish());
  }
  static int Compare(const ItemView& a, const ItemView& b, const std::vector<std::string>& by) {
    for (const std::string& name : by) {
      const int order = *CompareScalars(*a.Find(name), *b.Find(name));
      if (order != 0) return order;
    }
    return 0;
  }

  void CheckIndex(const SecondaryIndex& index, const std::vector<Item>& table, bool global) {
    SCOPED_TRACE(index.index_name);
    const std::vector<std::string> partition = Parts(index, KeyType::kHash),
                                   sort = Parts(index, KeyType::kRange);
    std::vector<Item> expected;
    for (const Item& item : table) {
      const bool has_all = std::all_of(
          index.key_schema.begin(), index.key_schema.end(),
          [&](const auto& element) { return item.view().Find(element.attribute_name); });
      if (has_all) expected.push_back(Projected(index, item));
    }

    ScanRequest scan;
    scan.table_name = kTable;
    scan.index_name = index.index_name;
    std::vector<Item> scanned;
    if (random_.OneIn(2)) scan.limit = static_cast<int64_t>(random_.Between(1, 20));
    const int64_t segments = static_cast<int64_t>(random_.Between(1, 3));
    for (int64_t segment = 0; segment < segments; ++segment) {
      scan.segment = segment;
      scan.total_segments = segments;
      for (Item& item : Pages(scan)) scanned.push_back(std::move(item));
    }
    ExpectSame(scanned, expected);

    // Each partition in order, and a random part of it.
    std::vector<std::string> order = sort;
    for (const std::string_view name : {"p", "s"}) order.emplace_back(name);
    std::map<std::string, std::vector<Item>> partitions;
    for (const Item& item : expected) {
      std::string key;
      for (const std::string& name : partition) key += item.view().Find(name)->encoded();
      partitions[key].push_back(item);
    }
    for (auto& [key, items] : partitions) {
      std::sort(items.begin(), items.end(),
                [&](const Item& a, const Item& b) { return Compare(a, b, order) < 0; });
      QueryPart(index, partition, sort, items, 0);
      if (!sort.empty()) QueryPart(index, partition, sort, items, random_.Between(1, sort.size()));
      // Everything, whatever the index has.
      if (!global) {
        QueryRequest query = QueryOf(index, partition, items[0]);
        query.select = Select::kAllAttributes;
        std::vector<Item> whole;
        for (const Item& item : items) {
          for (const Item& base : table) {
            if (KeyOf(base) == KeyOf(item)) whole.push_back(base);
          }
        }
        EXPECT_EQ(Pages(query), whole);
      }
    }
  }

  static void ExpectSame(std::vector<Item> a, std::vector<Item> b) {
    const auto less = [](const Item& x, const Item& y) { return x.encoded() < y.encoded(); };
    std::sort(a.begin(), a.end(), less);
    std::sort(b.begin(), b.end(), less);
    EXPECT_EQ(a, b);
  }

  static QueryRequest QueryOf(const SecondaryIndex& index,
                              const std::vector<std::string>& partition, const Item& example) {
    QueryRequest query;
    query.table_name = kTable;
    query.index_name = index.index_name;
    query.key_condition_expression = "";
    query.expression_parameters.values.emplace();
    query.expression_parameters.names.emplace();
    for (const std::string& name : partition) AddCondition(query, name, "#n = :v", example);
    return query;
  }
  static void AddCondition(QueryRequest& query, const std::string& name, std::string condition,
                           const Item& example) {
    // "#n" and ":v" are made this condition's own.
    for (size_t i = condition.size(); i-- > 0;) {
      if (condition.compare(i, 2, "#n") == 0 || condition.compare(i, 2, ":v") == 0) {
        condition.insert(i + 2, name);
      }
    }
    if (!query.key_condition_expression->empty()) *query.key_condition_expression += " AND ";
    *query.key_condition_expression += condition;
    query.expression_parameters.names->emplace_back("#n" + name, name);
    query.expression_parameters.values->emplace_back(":v" + name,
                                                     Value(*example.view().Find(name)));
  }

  // Queries a partition with conditions on its first `conditions` sort attributes, all but the last
  // of them equalities.
  void QueryPart(const SecondaryIndex& index, const std::vector<std::string>& partition,
                 const std::vector<std::string>& sort, const std::vector<Item>& items,
                 size_t conditions) {
    const Item& example = items[random_.Below(items.size())];
    QueryRequest query = QueryOf(index, partition, example);
    std::vector<Item> expected = items;
    for (size_t i = 0; i < conditions; ++i) {
      static constexpr std::string_view kConditions[] = {
          "#n = :v", "#n < :v", "#n <= :v", "#n > :v", "#n >= :v", "begins_with(#n, :v)"};
      size_t which = i + 1 < conditions ? 0 : random_.Below(std::size(kConditions));
      if (which == 5 && TypeOf(sort[i]) == ValueType::kNumber) which = 0;
      AddCondition(query, sort[i], std::string(kConditions[which]), example);
      std::erase_if(expected, [&](const Item& item) {
        const ValueView value = *item.view().Find(sort[i]), v = *example.view().Find(sort[i]);
        const int order = *CompareScalars(value, v);
        switch (which) {
          case 0:
            return order != 0;
          case 1:
            return order >= 0;
          case 2:
            return order > 0;
          case 3:
            return order <= 0;
          case 4:
            return order < 0;
          default:
            return !value.text().starts_with(v.text());
        }
      });
    }
    query.scan_index_forward = random_.OneIn(2);
    if (!query.scan_index_forward) std::reverse(expected.begin(), expected.end());
    if (random_.OneIn(2)) query.limit = static_cast<int64_t>(random_.Between(1, 5));
    SCOPED_TRACE(*query.key_condition_expression);
    EXPECT_EQ(Pages(query), expected);
  }

  void CheckAll() {
    if (io_.crashed()) Reopen();
    io_.DisarmCrash();
    ScanRequest scan;
    scan.table_name = kTable;
    const std::vector<Item> table = Pages(scan);
    for (const auto& index : *create_.local_secondary_indexes) CheckIndex(index, table, false);
    for (const auto& index : *create_.global_secondary_indexes) CheckIndex(index, table, true);
  }

  const CreateTableRequest create_ = MakeCreate();
  Random random_{GetParam()};
  io::SimIo io_{{.seed = GetParam()}};
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<Store> store_;
};

TEST_P(IndexModel, EveryIndexHoldsWhatTheTableSays) {
  Reopen();
  const auto created = io::BlockOn(io_, store_->CreateTable(create_));
  ASSERT_TRUE(created.ok()) << created.status();
  for (int i = 0; i < 400 && !HasFailure(); ++i) {
    if (random_.OneIn(60)) io_.ArmCrash(io::SimCrash::kPower, random_.Between(1, 20));
    if (random_.OneIn(80)) Reopen();
    WriteOne();
    if (random_.OneIn(40)) CheckAll();
  }
  CheckAll();
}

INSTANTIATE_TEST_SUITE_P(Seeds, IndexModel, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace varve::item
