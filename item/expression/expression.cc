#include "item/expression/expression.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/check.h"
#include "item/expression/key_condition.h"
#include "item/expression/parser.h"

namespace varve::item::expression {
namespace {

// ---- Parameters beside each other

struct Parameter {
  std::string_view name;
  bool (*given)(const Source&);
};

template <auto kMember>
bool Has(const Source& source) {
  if constexpr (std::is_invocable_v<decltype(kMember), const Source&>) {
    return (source.*kMember).has_value();
  } else {
    return source.legacy != nullptr && (source.legacy->*kMember).has_value();
  }
}

constexpr Parameter kUpdate{"UpdateExpression", Has<&Source::update>};
constexpr Parameter kCondition{"ConditionExpression", Has<&Source::condition>};
constexpr Parameter kKeyCondition{"KeyConditionExpression", Has<&Source::key_condition>};
constexpr Parameter kFilter{"FilterExpression", Has<&Source::filter>};
constexpr Parameter kProjection{"ProjectionExpression", Has<&Source::projection>};

constexpr Parameter kExpected{"Expected", Has<&LegacyParameters::conditions>};
constexpr Parameter kQueryFilter{"QueryFilter", Has<&LegacyParameters::conditions>};
constexpr Parameter kScanFilter{"ScanFilter", Has<&LegacyParameters::conditions>};
constexpr Parameter kConditionalOperator{"ConditionalOperator",
                                         Has<&LegacyParameters::conditional_operator>};
constexpr Parameter kAttributeUpdates{"AttributeUpdates",
                                      Has<&LegacyParameters::attribute_updates>};
constexpr Parameter kAttributesToGet{"AttributesToGet", Has<&LegacyParameters::attributes_to_get>};
// Alone among the legacy parameters these may stand beside expressions, if only there is no
// KeyConditionExpression.
constexpr Parameter kKeyConditions{"KeyConditions", [](const Source& source) {
                                     return source.legacy != nullptr &&
                                            source.legacy->key_conditions.has_value() &&
                                            source.key_condition.has_value();
                                   }};

// What an operation takes, in the order in which errors list it.
struct OperationParameters {
  std::array<Parameter, 3> expressions;
  std::array<Parameter, 4> legacy;
  std::string_view values_absent;  // what is missing if there are values but no expression for them
};
constexpr Parameter kNone{"", nullptr};

const OperationParameters& ParametersOf(Operation operation) {
  static constexpr OperationParameters kGetItem{
      {kProjection, kNone, kNone}, {kAttributesToGet, kNone, kNone, kNone}, ""};
  // The newer form of the message, which these operations use, doesn't say what is missing.
  static constexpr OperationParameters kPutItem{
      {kCondition, kNone, kNone}, {kExpected, kConditionalOperator, kNone, kNone}, ""};
  static constexpr OperationParameters kUpdateItem{
      {kUpdate, kCondition, kNone},
      {kAttributeUpdates, kExpected, kConditionalOperator, kNone},
      ""};
  static constexpr OperationParameters kQuery{
      {kProjection, kFilter, kKeyCondition},
      {kAttributesToGet, kQueryFilter, kConditionalOperator, kKeyConditions},
      ": FilterExpression and KeyConditionExpression are null"};
  static constexpr OperationParameters kScan{
      {kProjection, kFilter, kNone},
      {kAttributesToGet, kScanFilter, kConditionalOperator, kNone},
      ": FilterExpression is null"};
  switch (operation) {
    case Operation::kGetItem:
      return kGetItem;
    case Operation::kPutItem:
    case Operation::kDeleteItem:
      return kPutItem;
    case Operation::kUpdateItem:
      return kUpdateItem;
    case Operation::kQuery:
      return kQuery;
    case Operation::kScan:
      break;
  }
  return kScan;
}

// "{a, b}", of the parameters that are there; empty if none is.
template <size_t kCount>
std::string Given(const std::array<Parameter, kCount>& parameters, const Source& source) {
  std::string names;
  for (const Parameter& parameter : parameters) {
    if (parameter.given == nullptr || !parameter.given(source)) continue;
    names += names.empty() ? "{" : ", ";
    names += parameter.name;
  }
  if (!names.empty()) names += "}";
  return names;
}

Status CheckConditionalOperator(const LegacyParameters& legacy) {
  if (!legacy.conditional_operator) return absl::OkStatus();
  if (!legacy.conditions || legacy.conditions->empty()) {
    return ValidationError("ConditionalOperator cannot be used without Filter or Expected");
  }
  if (legacy.conditions->size() > 1) return absl::OkStatus();
  return ValidationError(
      "ConditionalOperator can only be used when Filter or Expected has two or more elements");
}

// ---- Legacy parameters

Status CheckLegacy(const Source& source) {
  if (source.legacy == nullptr) return absl::OkStatus();
  const LegacyParameters& legacy = *source.legacy;
  if (legacy.attribute_updates) {
    VARVE_RETURN_IF_ERROR(CheckAttributeUpdates(*legacy.attribute_updates));
  }
  const bool names_first = source.operation == Operation::kScan;
  if (names_first && legacy.attributes_to_get) {
    VARVE_RETURN_IF_ERROR(CheckAttributesToGet(*legacy.attributes_to_get));
  }
  if (legacy.conditions) {
    const bool filter =
        source.operation == Operation::kQuery || source.operation == Operation::kScan;
    VARVE_RETURN_IF_ERROR(filter ? CheckConditions(*legacy.conditions)
                                 : CheckExpected(*legacy.conditions));
  }
  if (!names_first && legacy.attributes_to_get) {
    VARVE_RETURN_IF_ERROR(CheckAttributesToGet(*legacy.attributes_to_get));
  }
  return absl::OkStatus();
}

Status TranslateLegacy(const Source& source, Expressions& expressions) {
  if (source.legacy == nullptr) return absl::OkStatus();
  const LegacyParameters& legacy = *source.legacy;
  if (legacy.attribute_updates && !legacy.attribute_updates->empty()) {
    expressions.update = UpdateOf(*legacy.attribute_updates);
  }
  if (legacy.attributes_to_get) expressions.projection = ProjectionOf(*legacy.attributes_to_get);
  if (legacy.conditions && !legacy.conditions->empty()) {
    std::unique_ptr<Node> root = ConditionOf(
        *legacy.conditions, legacy.conditional_operator.value_or(ConditionalOperator::kAnd));
    switch (source.operation) {
      case Operation::kQuery:
        expressions.filter.emplace(std::move(root), "QueryFilter");
        break;
      case Operation::kScan:
        expressions.filter.emplace(std::move(root));
        break;
      default:
        expressions.condition.emplace(std::move(root));
    }
  }
  if (legacy.key_conditions) {
    VARVE_RETURN_IF_ERROR(CheckConditions(*legacy.key_conditions));
    VARVE_ASSIGN_OR_RETURN(expressions.key_condition, KeyConditionOf(*legacy.key_conditions));
  }
  return absl::OkStatus();
}

// ---- Expressions

Status CheckSize(std::string_view parameter, std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return InvalidExpression(parameter, "The expression can not be empty;");
  }
  if (text.size() > kExpressionBytesMax) {
    // Of an update the service doesn't say how large it is.
    const std::string size =
        parameter == "UpdateExpression" ? "" : fmt::format(" expression size: {}", text.size());
    return InvalidExpression(parameter,
                             "Expression size has exceeded the maximum allowed size;" + size);
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

Status CheckParameters(const Source& source) {
  // Names are of use in any expression, values in all but projections.
  const bool takes_values =
      source.update || source.condition || source.key_condition || source.filter;
  const bool takes_names = takes_values || source.projection;
  const OperationParameters& parameters = ParametersOf(source.operation);
  if (takes_names && source.legacy != nullptr) {
    const std::string legacy = Given(parameters.legacy, source);
    if (!legacy.empty()) {
      return ValidationError(
          "Can not use both expression and non-expression parameters in the same request: "
          "Non-expression parameters: {} Expression parameters: {}",
          legacy, Given(parameters.expressions, source));
    }
  }
  if (source.names != nullptr && !takes_names) {
    return ValidationError("ExpressionAttributeNames can only be specified when using expressions");
  }
  // (Of GetItem, which has no such parameter, they mean nothing.)
  if (source.values != nullptr && !takes_values && source.operation != Operation::kGetItem) {
    return ValidationError(
        "ExpressionAttributeValues can only be specified when using expressions{}",
        parameters.values_absent);
  }
  return source.legacy != nullptr ? CheckConditionalOperator(*source.legacy) : absl::OkStatus();
}

StatusOr<Expressions> Parse(const Source& source) {
  VARVE_RETURN_IF_ERROR(CheckParameters(source));
  VARVE_RETURN_IF_ERROR(CheckLegacy(source));
  VARVE_RETURN_IF_ERROR(source.invalid_start);
  if (source.operation == Operation::kQuery && !source.key_condition &&
      (source.legacy == nullptr || !source.legacy->key_conditions)) {
    return ValidationError(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
        "request.");
  }
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
  VARVE_RETURN_IF_ERROR(TranslateLegacy(source, expressions));
  return expressions;
}

}  // namespace varve::item::expression
