#include "item/expression/expression.h"

#include <algorithm>

#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/check.h"
#include "item/expression/key_condition.h"
#include "item/expression/parser.h"

namespace varve::item::expression {
namespace {

// Names are of use in any expression, values in all but projections.
Status CheckPlaceholdersHaveExpressions(const Source& source) {
  const bool takes_values =
      source.update || source.condition || source.key_condition || source.filter;
  if (source.names != nullptr && !takes_values && !source.projection) {
    return ValidationError("ExpressionAttributeNames can only be specified when using expressions");
  }
  if (source.values == nullptr || takes_values) return absl::OkStatus();
  std::string_view absent;
  switch (source.operation) {
    case Operation::kGetItem:
      return absl::OkStatus();  // it has no such parameter
    case Operation::kPutItem:
    case Operation::kDeleteItem:
      absent = "ConditionExpression is";
      break;
    case Operation::kUpdateItem:
      absent = "UpdateExpression and ConditionExpression are";
      break;
    case Operation::kQuery:
      absent = "FilterExpression and KeyConditionExpression are";
      break;
    case Operation::kScan:
      absent = "FilterExpression is";
      break;
  }
  return ValidationError(
      "ExpressionAttributeValues can only be specified when using expressions: {} null", absent);
}

Status CheckSize(std::string_view parameter, std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return InvalidExpression(parameter, "The expression can not be empty;");
  }
  if (text.size() > kExpressionBytesMax) {
    return InvalidExpression(
        parameter,
        fmt::format("Expression size has exceeded the maximum allowed size; expression size: {}",
                    text.size()));
  }
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<Node>> MakeCondition(std::string_view parameter, std::string_view text,
                                              Substitutions& substitutions) {
  VARVE_RETURN_IF_ERROR(CheckSize(parameter, text));
  VARVE_ASSIGN_OR_RETURN(ParsedCondition parsed, ParseCondition(parameter, text));
  VARVE_RETURN_IF_ERROR(CheckCondition(parameter, parsed, substitutions));
  return std::move(parsed.root);
}

StatusOr<Update> MakeUpdate(std::string_view text, Substitutions& substitutions) {
  constexpr std::string_view kParameter = "UpdateExpression";
  VARVE_RETURN_IF_ERROR(CheckSize(kParameter, text));
  VARVE_ASSIGN_OR_RETURN(ParsedUpdate parsed, ParseUpdate(kParameter, text));
  VARVE_RETURN_IF_ERROR(CheckUpdate(kParameter, parsed, substitutions));
  return Update(std::move(parsed.actions));
}

StatusOr<Projection> MakeProjection(std::string_view text, Substitutions& substitutions) {
  constexpr std::string_view kParameter = "ProjectionExpression";
  VARVE_RETURN_IF_ERROR(CheckSize(kParameter, text));
  VARVE_ASSIGN_OR_RETURN(std::vector<Path> paths, ParseProjection(kParameter, text));
  VARVE_RETURN_IF_ERROR(CheckProjection(kParameter, paths, substitutions));
  return Projection(std::move(paths));
}

}  // namespace

StatusOr<Expressions> Parse(const Source& source) {
  VARVE_RETURN_IF_ERROR(CheckPlaceholdersHaveExpressions(source));
  Substitutions substitutions(source.names, source.values);
  VARVE_RETURN_IF_ERROR(substitutions.CheckKeys());
  VARVE_RETURN_IF_ERROR(source.invalid_value);

  Expressions expressions;
  if (source.update) {
    VARVE_ASSIGN_OR_RETURN(expressions.update, MakeUpdate(*source.update, substitutions));
  }
  if (source.condition) {
    VARVE_ASSIGN_OR_RETURN(std::unique_ptr<Node> root,
                           MakeCondition("ConditionExpression", *source.condition, substitutions));
    expressions.condition.emplace(std::move(root));
  }
  std::unique_ptr<Node> key_condition;
  if (source.key_condition) {
    VARVE_ASSIGN_OR_RETURN(key_condition, MakeCondition("KeyConditionExpression",
                                                        *source.key_condition, substitutions));
  }
  if (source.filter) {
    VARVE_ASSIGN_OR_RETURN(std::unique_ptr<Node> root,
                           MakeCondition("FilterExpression", *source.filter, substitutions));
    expressions.filter.emplace(std::move(root));
  }
  if (source.projection) {
    VARVE_ASSIGN_OR_RETURN(expressions.projection,
                           MakeProjection(*source.projection, substitutions));
  }
  VARVE_RETURN_IF_ERROR(substitutions.CheckUsed());
  if (key_condition != nullptr) {
    VARVE_ASSIGN_OR_RETURN(expressions.key_condition, MakeKeyCondition(*key_condition));
  }
  return expressions;
}

}  // namespace varve::item::expression
