// The parameters that expressions have replaced: Expected, QueryFilter, ScanFilter, KeyConditions,
// AttributeUpdates, AttributesToGet and ConditionalOperator.
//
// They are checked in words of their own and then become what expressions are parsed into, so that
// one evaluator serves both. Parse (expression.h) does that for Source::legacy.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "item/value.h"

namespace varve::item::expression {

struct Node;  // of the syntax tree (ast.h)
class KeyCondition;
class Projection;
class Update;

enum class ComparisonOperator : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kContains,
  kNotContains,
  kBeginsWith,
  kBetween,
  kIn,
  kNull,
  kNotNull,
};

// "EQ" and so on; nothing for another word.
std::optional<ComparisonOperator> ComparisonOperatorNamed(std::string_view name);
std::string_view ToString(ComparisonOperator comparison_operator);

// What one attribute must be like: of KeyConditions, QueryFilter and ScanFilter, and with the last
// two members of Expected.
struct LegacyCondition {
  std::optional<ComparisonOperator> comparison_operator;
  std::optional<std::vector<Value>> attribute_value_list;
  std::optional<Value> value;
  std::optional<bool> exists;
  // What is wrong with a value that could not be decoded, reported when its turn comes.
  Status invalid_value;
};
// By attribute, in the order of the request.
using LegacyConditions = std::vector<std::pair<std::string, LegacyCondition>>;

struct AttributeUpdate {
  enum class Action : uint8_t { kPut, kAdd, kDelete };
  Action action = Action::kPut;
  std::optional<Value> value;
  Status invalid_value;  // as above
};
using AttributeUpdates = std::vector<std::pair<std::string, AttributeUpdate>>;

enum class ConditionalOperator : uint8_t { kAnd, kOr };

struct LegacyParameters {
  std::optional<LegacyConditions> conditions;  // Expected, QueryFilter or ScanFilter
  std::optional<ConditionalOperator> conditional_operator;
  std::optional<LegacyConditions> key_conditions;
  std::optional<AttributeUpdates> attribute_updates;
  std::optional<std::vector<std::string>> attributes_to_get;
};

// Each reports the first thing that can be wrong without a table.
Status CheckExpected(const LegacyConditions& expected);
Status CheckConditions(const LegacyConditions& conditions);  // of the three others
Status CheckAttributeUpdates(const AttributeUpdates& updates);
Status CheckAttributesToGet(const std::vector<std::string>& names);

// Each translates what has been checked. Results refer to the parameter's values.
// `conditions` is not empty.
std::unique_ptr<Node> ConditionOf(const LegacyConditions& conditions, ConditionalOperator connect);
StatusOr<KeyCondition> KeyConditionOf(const LegacyConditions& key_conditions);
Update UpdateOf(const AttributeUpdates& updates);
Projection ProjectionOf(const std::vector<std::string>& names);

}  // namespace varve::item::expression
