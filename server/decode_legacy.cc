#include "server/decode_legacy.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "item/errors.h"
#include "server/json.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;
namespace expression = item::expression;

// The schema has let the words of enumerations through only.
expression::AttributeUpdate::Action ActionNamed(std::string_view name) {
  using Action = expression::AttributeUpdate::Action;
  return name == "ADD" ? Action::kAdd : name == "DELETE" ? Action::kDelete : Action::kPut;
}

class Decoder {
 public:
  explicit Decoder(item::ValueWording wording) : wording_(wording) {}

  // Hands the value to `use`; one that is invalid goes to *invalid unless another did before.
  template <typename Use>
  Status Decode(const dom::element& json, Status* invalid, Use use) const {
    StatusOr<item::Value> value = item::ValueFromJson(json, wording_);
    if (value.ok()) {
      use(*std::move(value));
      return {};
    }
    if (item::TypeOfError(value.status()) != item::ErrorType::kValidationException) {
      return value.status();
    }
    if (invalid->ok()) *invalid = value.status();
    return {};
  }

  Status DecodeCondition(const Members& json, expression::LegacyCondition* to) const {
    if (const auto name = FindMember(json, "ComparisonOperator")) {
      to->comparison_operator = expression::ComparisonOperatorNamed(TextOf(*name));
    }
    if (const auto list = FindMember(json, "AttributeValueList")) {
      std::vector<item::Value>& values = to->attribute_value_list.emplace();
      for (const dom::element& element : ArrayOf(*list)) {
        VARVE_RETURN_IF_ERROR(Decode(element, &to->invalid_value, [&](item::Value value) {
          values.push_back(std::move(value));
        }));
      }
    }
    return {};
  }

  // A condition of Expected, which may say what it expects in another way.
  Status DecodeExpected(const Members& json, expression::LegacyCondition* to) const {
    VARVE_RETURN_IF_ERROR(DecodeCondition(json, to));
    if (const auto value_json = FindMember(json, "Value")) {
      VARVE_RETURN_IF_ERROR(Decode(*value_json, &to->invalid_value,
                                   [&](item::Value value) { to->value = std::move(value); }));
    }
    if (const auto exists = FindMember(json, "Exists")) to->exists = BooleanOf(*exists);
    return {};
  }

  Status DecodeUpdate(const Members& json, expression::AttributeUpdate* to) const {
    if (const auto action = FindMember(json, "Action")) to->action = ActionNamed(TextOf(*action));
    const auto value_json = FindMember(json, "Value");
    if (!value_json) return {};
    return Decode(*value_json, &to->invalid_value,
                  [&](item::Value value) { to->value = std::move(value); });
  }

  // A map of such, by attribute.
  template <typename Entry, typename Entries>
  Status DecodeMap(const dom::element& json,
                   Status (Decoder::*decode)(const Members& json, Entry* to) const,
                   std::optional<Entries>* to) const {
    Entries& entries = to->emplace();
    return ForEachMember(ObjectOf(json), [&](std::string_view name, const dom::element& entry) {
      auto& added = entries.emplace_back();
      added.first = name;
      return (this->*decode)(ObjectOf(entry), &added.second);
    });
  }

 private:
  const item::ValueWording wording_;
};

}  // namespace

Status DecodeLegacy(const Members& json, const LegacyNames& names, item::ValueWording wording,
                    std::optional<expression::LegacyParameters>* to) {
  const Decoder decoder(wording);
  const auto parameters = [to]() -> expression::LegacyParameters& {
    return to->has_value() ? **to : to->emplace();
  };
  // Of members with the same name the last counts: the schema has looked at no other.
  if (!names.conditions.empty()) {
    if (const auto conditions = FindMember(json, names.conditions)) {
      VARVE_RETURN_IF_ERROR(decoder.DecodeMap(
          *conditions,
          names.conditions == "Expected" ? &Decoder::DecodeExpected : &Decoder::DecodeCondition,
          &parameters().conditions));
    }
    if (const auto connect = FindMember(json, "ConditionalOperator")) {
      parameters().conditional_operator = TextOf(*connect) == "OR"
                                              ? expression::ConditionalOperator::kOr
                                              : expression::ConditionalOperator::kAnd;
    }
  }
  if (names.key_conditions) {
    if (const auto conditions = FindMember(json, "KeyConditions")) {
      VARVE_RETURN_IF_ERROR(
          decoder.DecodeMap(*conditions, &Decoder::DecodeCondition, &parameters().key_conditions));
    }
  }
  if (names.attribute_updates) {
    if (const auto updates = FindMember(json, "AttributeUpdates")) {
      VARVE_RETURN_IF_ERROR(
          decoder.DecodeMap(*updates, &Decoder::DecodeUpdate, &parameters().attribute_updates));
    }
  }
  if (!names.attributes_to_get) return {};
  if (const auto wanted = FindMember(json, "AttributesToGet")) {
    std::vector<std::string>& attributes = parameters().attributes_to_get.emplace();
    for (const dom::element& attribute : ArrayOf(*wanted)) {
      if (!attribute.is_null()) attributes.emplace_back(TextOf(attribute));
    }
  }
  return {};
}

}  // namespace varve::server
