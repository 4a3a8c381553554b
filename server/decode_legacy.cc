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

  Status Decode(const dom::object& json, expression::LegacyCondition* to) const {
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
    if (const auto value_json = FindMember(json, "Value")) {
      VARVE_RETURN_IF_ERROR(Decode(*value_json, &to->invalid_value,
                                   [&](item::Value value) { to->value = std::move(value); }));
    }
    if (const auto exists = FindMember(json, "Exists")) to->exists = BooleanOf(*exists);
    return {};
  }

  Status Decode(const dom::object& json, expression::AttributeUpdate* to) const {
    if (const auto action = FindMember(json, "Action")) to->action = ActionNamed(TextOf(*action));
    const auto value_json = FindMember(json, "Value");
    if (!value_json) return {};
    return Decode(*value_json, &to->invalid_value,
                  [&](item::Value value) { to->value = std::move(value); });
  }

  // A map of either, by attribute.
  template <typename Entries>
  Status DecodeMap(const dom::element& json, std::optional<Entries>* to) const {
    Entries& entries = to->emplace();
    return ForEachMember(ObjectOf(json), [&](std::string_view name, const dom::element& entry) {
      auto& added = entries.emplace_back();
      added.first = name;
      return Decode(ObjectOf(entry), &added.second);
    });
  }

 private:
  const item::ValueWording wording_;
};

}  // namespace

Status DecodeLegacy(const dom::object& json, const LegacyNames& names, item::ValueWording wording,
                    std::optional<expression::LegacyParameters>* to) {
  const Decoder decoder(wording);
  const auto parameters = [to]() -> expression::LegacyParameters& {
    return to->has_value() ? **to : to->emplace();
  };
  // One walk over the request, which nearly always finds nothing. Of members with the same name the
  // last counts: the schema has looked at no other.
  std::optional<dom::element> conditions, connect, key_conditions, updates, attributes_to_get;
  for (const dom::key_value_pair& field : json) {
    const std::string_view name = field.key;
    if (field.value.is_null()) continue;
    if (!names.conditions.empty() && name == names.conditions) {
      conditions = field.value;
    } else if (!names.conditions.empty() && name == "ConditionalOperator") {
      connect = field.value;
    } else if (names.key_conditions && name == "KeyConditions") {
      key_conditions = field.value;
    } else if (names.attribute_updates && name == "AttributeUpdates") {
      updates = field.value;
    } else if (names.attributes_to_get && name == "AttributesToGet") {
      attributes_to_get = field.value;
    }
  }
  if (conditions) {
    VARVE_RETURN_IF_ERROR(decoder.DecodeMap(*conditions, &parameters().conditions));
  }
  if (connect) {
    parameters().conditional_operator = TextOf(*connect) == "OR"
                                            ? expression::ConditionalOperator::kOr
                                            : expression::ConditionalOperator::kAnd;
  }
  if (key_conditions) {
    VARVE_RETURN_IF_ERROR(decoder.DecodeMap(*key_conditions, &parameters().key_conditions));
  }
  if (updates) {
    VARVE_RETURN_IF_ERROR(decoder.DecodeMap(*updates, &parameters().attribute_updates));
  }
  if (attributes_to_get) {
    std::vector<std::string>& attributes = parameters().attributes_to_get.emplace();
    for (const dom::element& attribute : ArrayOf(*attributes_to_get)) {
      if (!attribute.is_null()) attributes.emplace_back(TextOf(attribute));
    }
  }
  return {};
}

}  // namespace varve::server
