// How a statement's WHERE reaches the items: by keys where there are keys.
//
// A SELECT whose WHERE fixes the partition key, in every branch of its ORs, is a row of reads: one
// for each partition key and each range of sort keys that it names, none of which have an item in
// common. What a read's keys don't express is its filter. Any other SELECT is a scan with all of
// WHERE for a filter. A write, and a SELECT in a batch or transaction, names one item.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"
#include "item/partiql/statement.h"
#include "item/value.h"

namespace varve::item::partiql {

// Reads of one SELECT.
inline constexpr size_t kReadsMax = 50;

// The key of a table or an index, of one partition and at most one sort attribute.
struct Key {
  expression::KeyAttribute partition;
  std::optional<expression::KeyAttribute> sort;
};

// The items of one partition key, or those in a range of sort keys.
struct Range {
  ValueView partition;
  expression::KeyRange::Sort sort = expression::KeyRange::Sort::kAny;
  ValueView low;   // the operand of every kind but kAny
  ValueView high;  // of kBetween; it may be below `low`, and then there is nothing in the range
};

struct Read {
  Range range;
  std::unique_ptr<expression::Node> filter;  // null: everything in the range
};

struct ReadPlan {
  std::vector<Read> reads;                   // one after another; empty: a scan
  std::unique_ptr<expression::Node> filter;  // of a scan; may be null
  bool forward = true;                       // within each read

  bool is_scan() const { return reads.empty(); }
};

// Plans a SELECT on what has the key `key`. Takes statement.where apart.
StatusOr<ReadPlan> PlanReads(Statement& statement, const Key& key);

// One item, and what must hold of it besides.
struct ItemPlan {
  Item key;
  std::unique_ptr<expression::Node> condition;  // may be null
};

// What names an item: an UPDATE or DELETE wants each key attribute to equal one value, among other
// conditions. Errors are those of ExecuteStatement.
StatusOr<ItemPlan> PlanWrite(Statement& statement, const Key& key);

// The item of a SELECT that may ask for nothing but its key (attribute IN [value] counts, and so
// does the same condition twice); nothing if it asks for anything else.
StatusOr<std::optional<Item>> PlanLookup(Statement& statement, const Key& key);

// The item and condition of EXISTS(SELECT ...): the first equality of each key attribute counts.
// Nothing if a key attribute has none, or if nothing besides is asked.
std::optional<ItemPlan> PlanExists(Statement& statement, const Key& key);

// The attributes that `filter` reads, in the order in which the service lists them.
std::vector<std::string> AttributesOf(const expression::Node& filter);

// A plan as text, a line for each read, in tests.
std::string ToString(const ReadPlan& plan);

}  // namespace varve::item::partiql
