// What a change writes into a batch, and what it costs, as text.
#include "item/change.h"

#include <gtest/gtest.h>

#include "item/index_entry.h"
#include "item/keys.h"
#include "text.h"

namespace varve::item {
namespace {

constexpr uint32_t kTableSpace = 1, kByNameSpace = 2, kByAgeSpace = 3;

// Key p (S), s (N); global index ByName on name (S) with everything, local index ByAge on age (N)
// with what INCLUDE says.
Table MakeTable() {
  Table table;
  TableDescription& description = table.description;
  description.table_name = "People";
  description.attribute_definitions = {{"p", ValueType::kString},
                                       {"s", ValueType::kNumber},
                                       {"name", ValueType::kString},
                                       {"age", ValueType::kNumber}};
  description.key_schema = {{"p", KeyType::kHash}, {"s", KeyType::kRange}};
  IndexDescription by_age;
  by_age.index_name = "ByAge";
  by_age.key_schema = {{"p", KeyType::kHash}, {"age", KeyType::kRange}};
  by_age.projection = {ProjectionType::kInclude, {"city"}};
  IndexDescription by_name;
  by_name.index_name = "ByName";
  by_name.global = true;
  by_name.key_schema = {{"name", KeyType::kHash}};
  by_name.projection.type = ProjectionType::kAll;
  description.indexes = {by_age, by_name};
  table.key_space = kTableSpace;
  table.key = KeyOfDescription(description);
  table.indexes.push_back(IndexOfDescription(description, by_age, kByAgeSpace));
  table.indexes.push_back(IndexOfDescription(description, by_name, kByNameSpace));
  return table;
}

class ChangeTest : public testing::Test {
 protected:
  // "put People {...}; delete ByName": what the change from one item to another writes.
  std::string Write(std::string_view before, std::string_view after) {
    engine::WriteBatch batch;
    Change change = Make(before, after);
    AppendChange(change, batch);
    std::string text;
    engine::BatchReader reader(batch.payload());
    Entry entry;
    while (reader.Next(&entry)) {
      if (!text.empty()) text += "; ";
      const char space = entry.key[4];
      const std::string_view where = space == kTableSpace    ? "People"
                                     : space == kByNameSpace ? "ByName"
                                                             : "ByAge";
      text += fmt::format("{} {}", entry.kind == EntryKind::kPut ? "put" : "delete", where);
      if (entry.kind == EntryKind::kPut) text += " " + TextOf(ItemView(entry.value));
    }
    return text;
  }
  // "table, ByAge, ByName"
  std::string Cost(std::string_view before, std::string_view after) {
    const ChangeCost cost = CostOfChange(Make(before, after));
    return fmt::format("{}, {}, {}", cost.table_units, cost.index_units[0], cost.index_units[1]);
  }

 private:
  Change Make(std::string_view before, std::string_view after) {
    Change change;
    change.table = &table_;
    change.old_is_known = true;
    if (!before.empty()) change.old_item = (old_ = ItemOf(before)).view();
    if (!after.empty()) change.new_item = (new_ = ItemOf(after)).view();
    change.key = EngineKey(table_.key_space, table_.key, after.empty() ? old_ : new_);
    return change;
  }

  const Table table_ = MakeTable();
  Item old_, new_;
};

constexpr std::string_view kPlain = "{'p':{'S':'a'},'s':{'N':'1'},'x':{'N':'1'}}";
constexpr std::string_view kNamed = "{'name':{'S':'Ann'},'p':{'S':'a'},'s':{'N':'1'}}";
constexpr std::string_view kRenamed = "{'name':{'S':'Eve'},'p':{'S':'a'},'s':{'N':'1'}}";
constexpr std::string_view kAged = "{'age':{'N':'7'},'p':{'S':'a'},'s':{'N':'1'},'x':{'N':'1'}}";
constexpr std::string_view kAgedOther =
    "{'age':{'N':'7'},'p':{'S':'a'},'s':{'N':'1'},'x':{'N':'2'}}";
constexpr std::string_view kAgedCity =
    "{'age':{'N':'7'},'city':{'S':'Ulm'},'p':{'S':'a'},'s':{'N':'1'},'x':{'N':'1'}}";

TEST_F(ChangeTest, AnItemWithoutTheIndexesKeysIsInTheTableAlone) {
  EXPECT_EQ(Write("", kPlain), fmt::format("put People {}", kPlain));
  EXPECT_EQ(Write(kPlain, ""), "delete People");
  EXPECT_EQ(Cost("", kPlain), "1, 0, 0");
}

TEST_F(ChangeTest, AnIndexGetsItsViewOfAnItem) {
  EXPECT_EQ(Write("", kNamed), fmt::format("put People {0}; put ByName {0}", kNamed));
  EXPECT_EQ(
      Write("", kAgedCity),
      fmt::format("put People {}; put ByAge "
                  "{{'age':{{'N':'7'}},'city':{{'S':'Ulm'}},'p':{{'S':'a'}},'s':{{'N':'1'}}}}",
                  kAgedCity));
  EXPECT_EQ(Cost("", kNamed), "1, 0, 1");
}

TEST_F(ChangeTest, AnEntryMovesWithItsKeyAndIsChargedTwice) {
  EXPECT_EQ(Write(kNamed, kRenamed),
            fmt::format("put People {0}; delete ByName; put ByName {0}", kRenamed));
  EXPECT_EQ(Cost(kNamed, kRenamed), "1, 0, 2");
}

TEST_F(ChangeTest, AnEntryGoesWhenTheItemLosesTheKeyOrIsDeleted) {
  EXPECT_EQ(Write(kNamed, kPlain), fmt::format("put People {}; delete ByName", kPlain));
  EXPECT_EQ(Write(kNamed, ""), "delete People; delete ByName");
  EXPECT_EQ(Cost(kNamed, ""), "1, 0, 1");
}

TEST_F(ChangeTest, WhatTheIndexDoesNotSeeWritesNothingToIt) {
  EXPECT_EQ(Write(kAged, kAgedOther), fmt::format("put People {}", kAgedOther));
  EXPECT_EQ(Cost(kAged, kAgedOther), "1, 0, 0");
  EXPECT_EQ(Cost(kAged, kAgedCity), "1, 1, 0");
}

TEST_F(ChangeTest, NoChangeWritesNothing) {
  EXPECT_EQ(Write(kNamed, kNamed), "");
  EXPECT_EQ(Write("", ""), "");
  EXPECT_EQ(Cost(kNamed, kNamed), "1, 0, 0");
}

TEST_F(ChangeTest, KeysOfIndexesMustFit) {
  const Table table = MakeTable();
  const auto check = [&](std::string_view item) {
    return ErrorText(CheckIndexKeys(table, ItemOf(item)));
  };
  EXPECT_EQ(check(kNamed), "OK");
  EXPECT_EQ(check("{'name':{'N':'1'}}"),
            "ValidationException: One or more parameter values were invalid: Type mismatch for "
            "Index Key name Expected: S Actual: N IndexName: ByName");
  EXPECT_EQ(check("{'name':{'S':''}}"),
            "ValidationException: One or more parameter values are not valid. A value specified "
            "for a secondary index key is not supported. The AttributeValue for a key attribute "
            "cannot contain an empty string value. IndexName: ByName, IndexKey: name");
}

}  // namespace
}  // namespace varve::item
