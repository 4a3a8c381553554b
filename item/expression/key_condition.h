// From the syntax tree of a KeyConditionExpression to conditions on attributes.
#pragma once

#include "base/status.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"

namespace varve::item::expression {

// `root` is a checked condition; `values` as in ValueOf. Errors say why it is none of a key.
StatusOr<KeyCondition> MakeKeyCondition(const Node& root, const ValueView* values);

}  // namespace varve::item::expression
