#include "item/expression/expression.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "base/coding.h"
#include "item/errors.h"
#include "item/expression/ast.h"
#include "item/expression/cache.h"
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

// From now on the tree stands for every request with its text.
void ForgetValues(Node& node) {
  if (node.value_index >= 0) node.value = ValueView();
  for (auto& operand : node.operands) ForgetValues(*operand);
}

}  // namespace

// What the cache keeps: everything in a request's expressions but the values.
struct Compiled {
  struct ValueCheck {
    std::string_view parameter;
    const Node* node;
  };
  std::optional<Update> update;
  std::optional<Condition> condition;
  std::unique_ptr<Node> key_condition;
  std::optional<Condition> filter;
  std::optional<Projection> projection;
  std::vector<ValueCheck> value_checks;  // in the order of the service
};

namespace {

StatusOr<std::unique_ptr<Node>> CompileCondition(std::string_view parameter, std::string_view text,
                                                 Substitutions& substitutions, Compiled& compiled) {
  VARVE_RETURN_IF_ERROR(CheckSize(parameter, text));
  VARVE_ASSIGN_OR_RETURN(ParsedCondition parsed, ParseCondition(parameter, text));
  VARVE_RETURN_IF_ERROR(CheckCondition(parameter, parsed, substitutions));
  std::vector<const Node*> nodes;
  CollectValueChecks(*parsed.root, nodes);
  for (const Node* node : nodes) compiled.value_checks.push_back({parameter, node});
  ForgetValues(*parsed.root);
  return std::move(parsed.root);
}

StatusOr<Update> CompileUpdate(std::string_view text, Substitutions& substitutions) {
  constexpr std::string_view kParameter = "UpdateExpression";
  VARVE_RETURN_IF_ERROR(CheckSize(kParameter, text));
  VARVE_ASSIGN_OR_RETURN(ParsedUpdate parsed, ParseUpdate(kParameter, text));
  VARVE_RETURN_IF_ERROR(CheckUpdate(kParameter, parsed, substitutions));
  for (Update::Action& action : parsed.actions) {
    if (action.value != nullptr) ForgetValues(*action.value);
  }
  return Update(std::move(parsed.actions));
}

StatusOr<Projection> CompileProjection(std::string_view text, Substitutions& substitutions) {
  constexpr std::string_view kParameter = "ProjectionExpression";
  VARVE_RETURN_IF_ERROR(CheckSize(kParameter, text));
  VARVE_ASSIGN_OR_RETURN(std::vector<Path> paths, ParseProjection(kParameter, text));
  VARVE_RETURN_IF_ERROR(CheckProjection(kParameter, paths, substitutions));
  return Projection(std::move(paths));
}

StatusOr<std::shared_ptr<const Compiled>> Compile(const Source& source) {
  Substitutions substitutions(source.names, source.values);
  VARVE_RETURN_IF_ERROR(substitutions.CheckKeys());
  VARVE_RETURN_IF_ERROR(source.invalid_value);
  auto compiled = std::make_shared<Compiled>();
  if (source.update) {
    VARVE_ASSIGN_OR_RETURN(compiled->update, CompileUpdate(*source.update, substitutions));
  }
  if (source.condition) {
    VARVE_ASSIGN_OR_RETURN(
        std::unique_ptr<Node> root,
        CompileCondition("ConditionExpression", *source.condition, substitutions, *compiled));
    compiled->condition.emplace(std::move(root));
  }
  if (source.key_condition) {
    VARVE_ASSIGN_OR_RETURN(compiled->key_condition,
                           CompileCondition("KeyConditionExpression", *source.key_condition,
                                            substitutions, *compiled));
  }
  if (source.filter) {
    VARVE_ASSIGN_OR_RETURN(
        std::unique_ptr<Node> root,
        CompileCondition("FilterExpression", *source.filter, substitutions, *compiled));
    compiled->filter.emplace(std::move(root));
  }
  if (source.projection) {
    VARVE_ASSIGN_OR_RETURN(compiled->projection,
                           CompileProjection(*source.projection, substitutions));
  }
  VARVE_RETURN_IF_ERROR(substitutions.CheckUsed());
  return compiled;
}

// What the cache knows a request by (cache.h).
std::string CacheKey(const Source& source) {
  std::string key;
  key.reserve(512);
  const auto add = [&key](std::string_view text) {
    AppendFixed(key, static_cast<uint32_t>(text.size()));
    key.append(text);
  };
  for (const std::optional<std::string_view>* text :
       {&source.update, &source.condition, &source.key_condition, &source.filter,
        &source.projection}) {
    key.push_back(text->has_value() ? 1 : 0);
    if (text->has_value()) add(**text);
  }
  // A map that is there and empty is not the same as one that isn't.
  if (source.names != nullptr) {
    key.push_back('#');
    for (const auto& [placeholder, name] : *source.names) {
      add(placeholder);
      add(name);
    }
  }
  if (source.values != nullptr) {
    key.push_back(':');
    for (const auto& [placeholder, value] : *source.values) {
      add(placeholder);
      key.push_back(static_cast<char>(value.view().type()));
    }
  }
  return key;
}

// What must be checked of each request's values, whatever is known of its text.
Status CheckValuesOf(const Source& source, const Compiled& compiled, const ValueView* values) {
  if (source.values != nullptr) {
    // No value's size is more than thrice its encoding's, so this finds all that may be too large.
    size_t bytes = 0;
    for (const auto& [placeholder, value] : *source.values) bytes += value.encoded().size();
    if (bytes > kSubstitutionsBytesMax / 4) {
      VARVE_RETURN_IF_ERROR(Substitutions(source.names, source.values).CheckKeys());
    }
  }
  for (const Compiled::ValueCheck& check : compiled.value_checks) {
    VARVE_RETURN_IF_ERROR(CheckValues(check.parameter, *check.node, values));
  }
  return absl::OkStatus();
}

const ValueView* DataOf(const BoundValues& values) { return values ? values->data() : nullptr; }

StatusOr<Expressions> Bind(const Compiled& compiled, const BoundValues& values) {
  Expressions expressions;
  if (compiled.update) expressions.update = compiled.update->With(values);
  if (compiled.condition) expressions.condition = compiled.condition->With(values);
  if (compiled.filter) expressions.filter = compiled.filter->With(values);
  expressions.projection = compiled.projection;
  if (compiled.key_condition != nullptr) {
    VARVE_ASSIGN_OR_RETURN(expressions.key_condition,
                           MakeKeyCondition(*compiled.key_condition, DataOf(values)));
  }
  return expressions;
}

StatusOr<Expressions> ParseExpressions(const Source& source, Cache* cache) {
  BoundValues values;
  if (source.values != nullptr) {
    std::vector<ValueView> views;
    views.reserve(source.values->size());
    for (const auto& [placeholder, value] : *source.values) views.push_back(value.view());
    values = std::make_shared<const std::vector<ValueView>>(std::move(views));
  }
  if (cache == nullptr || !source.invalid_value.ok()) {
    VARVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Compiled> compiled, Compile(source));
    return Bind(*compiled, values);
  }
  std::string key = CacheKey(source);
  std::shared_ptr<const Compiled> compiled = cache->Find(key);
  if (compiled != nullptr) {
    VARVE_RETURN_IF_ERROR(CheckValuesOf(source, *compiled, DataOf(values)));
  } else {
    VARVE_ASSIGN_OR_RETURN(compiled, Compile(source));
    cache->Insert(std::move(key), compiled);
  }
  return Bind(*compiled, values);
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

StatusOr<Expressions> Parse(const Source& source, Cache* cache) {
  VARVE_RETURN_IF_ERROR(CheckParameters(source));
  VARVE_RETURN_IF_ERROR(CheckLegacy(source));
  VARVE_RETURN_IF_ERROR(source.invalid_start);
  if (source.operation == Operation::kQuery && !source.key_condition &&
      (source.legacy == nullptr || !source.legacy->key_conditions)) {
    return ValidationError(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
        "request.");
  }
  Expressions expressions;
  if (source.update || source.condition || source.key_condition || source.filter ||
      source.projection) {
    VARVE_ASSIGN_OR_RETURN(expressions, ParseExpressions(source, cache));
  }
  VARVE_RETURN_IF_ERROR(TranslateLegacy(source, expressions));
  return expressions;
}

}  // namespace varve::item::expression
