// From a request to the expressions in it (expression/expression.h), and from them to its table.
#pragma once

#include "item/expression/expression.h"
#include "item/requests.h"
#include "item/table.h"

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

// That no path of `part` (a condition, an update, a projection; there may be none) goes into a key
// attribute of the table or of one of its indexes.
template <typename Part>
Status CheckKeyPaths(const Table& table, const std::optional<Part>& part) {
  if (!part) return absl::OkStatus();
  VARVE_RETURN_IF_ERROR(part->CheckKeyPaths(table.key.schema()));
  for (const Index& index : table.indexes) {
    for (const auto* attributes : {&index.key.partition, &index.key.sort}) {
      for (const TableKey::Part& attribute : *attributes) {
        if (part->GoesInto(attribute.name)) return expression::IndexKeyIsScalar(attribute.name);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace varve::item
