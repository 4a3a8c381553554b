// From a request to the expressions in it (expression/expression.h).
#pragma once

#include "item/expression/expression.h"
#include "item/requests.h"

namespace varve::item {

// The placeholders and legacy parameters of `request`, which must outlive the result. The
// expressions themselves are the caller's to add.
template <typename Request>
expression::Source SourceOf(expression::Operation operation, const Request& request) {
  const ExpressionParameters& parameters = request.expression_parameters;
  expression::Source source;
  source.operation = operation;
  source.names = parameters.names ? &*parameters.names : nullptr;
  source.values = parameters.values ? &*parameters.values : nullptr;
  source.invalid_value = parameters.invalid_value;
  source.legacy = request.legacy ? &*request.legacy : nullptr;
  return source;
}

}  // namespace varve::item
