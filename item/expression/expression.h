// DynamoDB's expressions: parsed and checked once for all requests that send the same text
// (cache.h), evaluated on encoded items in place.
//
//   Source source;
//   source.operation = Operation::kUpdateItem;
//   source.update = "SET Price = Price - :cut REMOVE Offer";
//   source.condition = "Price >= :cut";
//   source.values = &values;                                   // {":cut": 10}
//   VARVE_ASSIGN_OR_RETURN(Expressions expressions, Parse(source));
//   VARVE_RETURN_IF_ERROR(expressions.update->CheckKeys(key));
//   if (!expressions.condition->Matches(old_item)) return ConditionalCheckFailed(old_item);
//   VARVE_ASSIGN_OR_RETURN(Item new_item, expressions.update->Apply(old_item));
//
// Parse reports every mistake that can be known without an item, one at a time, in the order and
// the words of the service. All errors are ValidationExceptions (item/errors.h).
//
// Parsed expressions copy names but refer to the values in Source::values, whose bytes must stay
// where they are as long as the expressions are used (moving the vector is fine). They are
// immutable: thread-safe to evaluate. Evaluation of a condition allocates nothing.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/functional/function_ref.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "item/expression/legacy.h"
#include "item/expression/path.h"
#include "item/value.h"

namespace varve::item::expression {

// ExpressionAttributeNames and ExpressionAttributeValues, in the order of the request: "#n" with
// the name, ":v" with the value.
using AttributeNames = std::vector<std::pair<std::string, std::string>>;
using AttributeValues = std::vector<std::pair<std::string, Value>>;

inline constexpr size_t kExpressionBytesMax = 4096;
inline constexpr size_t kOperatorsMax = 300;         // operators and functions of one expression
inline constexpr size_t kInOperandsMax = 100;        // to the right of IN
inline constexpr size_t kPlaceholderBytesMax = 255;  // of "#n" or ":v"
inline constexpr size_t kSubstitutionsBytesMax = size_t{2} << 20;  // of all names and values

// The key of a table or an index, as the checks of expressions need it.
struct KeyAttribute {
  std::string_view name;
  ValueType type = ValueType::kString;
};
struct KeySchema {
  using Attributes = absl::InlinedVector<KeyAttribute, 1>;
  Attributes partition;  // 1; of a global index up to 4
  Attributes sort;       // 0 or 1; of a global index up to 4
};

// "Key attributes must be scalars; ...": what a path into `attribute` earns, a key of the table or
// of an index.
Status KeyIsScalar(std::string_view attribute);
Status IndexKeyIsScalar(std::string_view attribute);

struct Node;  // of the syntax tree (ast.h)
class Cache;  // cache.h

// A request's values, for trees that stand for all requests with the same text.
using BoundValues = std::shared_ptr<const std::vector<ValueView>>;

// A ConditionExpression or FilterExpression.
class Condition {
 public:
  // `parameter` is what an error of CheckAvoidsKey calls it; a literal.
  explicit Condition(std::unique_ptr<Node> root, std::string_view parameter = "Filter Expression");
  // The same condition on the values of another request.
  Condition With(BoundValues values) const;

  // An item that does not exist is an empty one.
  bool Matches(const ItemView& item) const;

  // As a FilterExpression of Query: the key belongs into the KeyConditionExpression.
  Status CheckAvoidsKey(const KeySchema& key) const;
  // As any condition: paths don't go into key attributes, which are scalars.
  Status CheckKeyPaths(const KeySchema& key) const;
  // Whether a path goes into `attribute`.
  bool GoesInto(std::string_view attribute) const;

 private:
  struct Tree;
  std::shared_ptr<const Tree> tree_;
  BoundValues values_;  // null if the tree has its own
};

// A ProjectionExpression.
class Projection {
 public:
  explicit Projection(std::vector<Path> paths);

  Item Apply(const ItemView& item) const { return tree_->Project(item); }

  Status CheckKeyPaths(const KeySchema& key) const;
  bool GoesInto(std::string_view attribute) const { return tree_->GoesInto(attribute); }

  // The attributes that the paths begin with.
  std::vector<std::string_view> Attributes() const;

 private:
  std::shared_ptr<const PathTree> tree_;
};

// What a KeyConditionExpression asks for, with the key's types.
struct KeyRange {
  enum class Sort : uint8_t {
    kAny,
    kEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kBetween,     // low <= sort key <= high
    kBeginsWith,  // strings and binaries
  };

  absl::InlinedVector<ValueView, 1> partition;   // as KeySchema::partition
  absl::InlinedVector<ValueView, 1> sort_equal;  // what the leading sort attributes must equal
  // The condition on the sort attribute that follows.
  Sort sort = Sort::kAny;
  ValueView low;   // the operand of every kind but kAny
  ValueView high;  // of kBetween

  // Whether a value of that attribute is in the range.
  bool Contains(ValueView sort_key) const;
};

// A KeyConditionExpression.
class KeyCondition {
 public:
  // Checks that the conditions are ones of the key, with values of its types: equality of all
  // partition attributes, then conditions on sort attributes from the left, of which only the last
  // may be something else than equality. The range refers to the values of Source::values.
  StatusOr<KeyRange> Resolve(const KeySchema& key) const;
  // `before` is called for each attribute before the conditions on it are looked at, as the service
  // does with where a page begins; its error is returned.
  using Before = absl::FunctionRef<Status(const KeyAttribute& attribute, bool is_partition)>;
  StatusOr<KeyRange> Resolve(const KeySchema& key, Before before) const;

  // One condition on one attribute.
  struct Clause {
    std::string attribute;
    KeyRange::Sort operation = KeyRange::Sort::kEqual;
    ValueView low;
    ValueView high;
    bool indexable = true;  // false: of KeyConditions, with an operator that no key has
  };
  // At least one, each on another attribute.
  explicit KeyCondition(std::vector<Clause> clauses) : clauses_(std::move(clauses)) {}

 private:
  std::vector<Clause> clauses_;
};

// An UpdateExpression.
class Update {
 public:
  // One change. `value` is of SET, ADD and DELETE.
  struct Action {
    enum class Kind : uint8_t { kSet, kRemove, kAdd, kDelete };
    Kind kind;
    Path path;
    std::unique_ptr<Node> value;
  };

  // AttributeUpdates have words of their own for operands that don't fit, and add to lists.
  enum class Dialect : uint8_t { kExpression, kAttributeUpdates };

  explicit Update(std::vector<Action> actions, Dialect dialect = Dialect::kExpression);
  // The same update with the values of another request.
  Update With(BoundValues values) const;

  // Key attributes can't be changed.
  Status CheckKeys(const KeySchema& key) const;
  // As of Condition; operands count too.
  Status CheckKeyPaths(const KeySchema& key) const;
  bool GoesInto(std::string_view attribute) const;

  // The new item. `old` is the item as it stands, or the key's attributes alone if there is none.
  // Operands are read from `old`, whatever other actions do. Checks nesting but not the item's
  // size.
  StatusOr<Item> Apply(const ItemView& old) const;

  // What UpdateItem measures of the expression, which like the new item may have kItemSizeBytesMax
  // at most: what it writes, with its names, and a charge for each clause, function and path,
  // by the service's own figures. (No other operation measures updates so.) 0 for AttributeUpdates.
  size_t ChargedBytes(const ItemView& old) const;

  // Whether `attribute`, or something in it, is changed.
  bool Changes(std::string_view attribute) const;
  // The value that `attribute` as a whole is set to, or that is added to or deleted from it, if the
  // request names it as it is.
  std::optional<ValueView> LiteralOf(std::string_view attribute) const;

  // What stands in `item` at the paths of the expression: Attributes for UPDATED_OLD, given the old
  // item, and for UPDATED_NEW, given the new one.
  Item Touched(const ItemView& item) const;

 private:
  struct Tree;
  std::shared_ptr<const Tree> tree_;
  BoundValues values_;  // null if the tree has its own
};

// The operation whose expressions are parsed: it decides which parameters an error names.
enum class Operation : uint8_t {
  kGetItem,  // also BatchGetItem: projection
  kPutItem,
  kDeleteItem,
  kUpdateItem,
  kQuery,
  kScan,
};

// A request's expressions, or the legacy parameters in their place, as they came. Null: the
// parameter is absent (which is not the same as empty).
struct Source {
  Operation operation = Operation::kGetItem;
  std::optional<std::string_view> update;
  std::optional<std::string_view> condition;
  std::optional<std::string_view> key_condition;
  std::optional<std::string_view> filter;
  std::optional<std::string_view> projection;
  const AttributeNames* names = nullptr;
  const AttributeValues* values = nullptr;
  // What is wrong with one of the values, if it could not be decoded: reported when its turn comes.
  Status invalid_value;
  const LegacyParameters* legacy = nullptr;
  // What is wrong with where a page begins (ExclusiveStartKey, Segment): its turn comes after the
  // legacy parameters and before the expressions.
  Status invalid_start;
};

struct Expressions {
  std::optional<Update> update;
  std::optional<Condition> condition;
  std::optional<KeyCondition> key_condition;
  std::optional<Condition> filter;
  std::optional<Projection> projection;
};

// Whether the parameters of `source` may stand beside each other: no legacy ones beside
// expressions, no placeholders without expressions, a ConditionalOperator only where it has
// something to connect. The service looks at that first of all; Parse does it too.
Status CheckParameters(const Source& source);

// Parses and checks everything in `source`, placeholders included: each must be well formed, used,
// and defined if used. With a `cache`, only what it doesn't have.
StatusOr<Expressions> Parse(const Source& source, Cache* cache = nullptr);

}  // namespace varve::item::expression
