// The syntax tree of condition, key condition and update expressions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "item/expression/path.h"
#include "item/value.h"

namespace varve::item::expression {

enum class NodeKind : uint8_t {
  // Operands.
  kPath,
  kValue,
  kFunction,
  kPlus,
  kMinus,
  // Conditions. (A function may stand as either.)
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kBetween,  // operands: value, low, high
  kIn,       // operands: value, list...
  kAnd,      // two or more conditions
  kOr,
  kNot,
};

enum class Function : uint8_t {
  kUnknown,
  kAttributeExists,
  kAttributeNotExists,
  kAttributeType,
  kBeginsWith,
  kContains,
  kSize,
  kIfNotExists,
  kListAppend,
};

struct Node {
  explicit Node(NodeKind kind) : kind(kind) {}

  NodeKind kind;
  Function function = Function::kUnknown;  // of kFunction
  bool parenthesized = false;              // it stands in parentheses of its own
  std::string name;                        // the function's name, or the value's ":v"
  Path path;                               // of kPath; names may be "#n" until they are resolved
  // Of kValue: which of the request's values it stands for, so that one tree serves all requests
  // with the same text; -1: `value` itself.
  int value_index = -1;
  ValueView value;
  std::vector<std::unique_ptr<Node>> operands;

  bool is_condition() const { return kind >= NodeKind::kEqual; }
};

// What a kValue stands for. `values` are the request's, and may be null if the tree has its own.
inline ValueView ValueOf(const Node& node, const ValueView* values) {
  return node.value_index < 0 ? node.value : values[node.value_index];
}

// "=", "BETWEEN" and so on, or the function's name: what error messages call the node.
std::string_view OperatorName(const Node& node);

}  // namespace varve::item::expression
