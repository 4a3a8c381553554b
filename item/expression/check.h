// What must hold of parsed expressions before they meet an item: placeholders are defined,
// functions exist and stand where they may, operands fit. Every check reports the first problem in
// the order in which DynamoDB looks, in its words.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "item/expression/ast.h"
#include "item/expression/expression.h"
#include "item/expression/parser.h"

namespace varve::item::expression {

// The placeholders of a request, and which of them its expressions used.
class Substitutions {
 public:
  // Either may be null. Both must outlive this.
  Substitutions(const AttributeNames* names, const AttributeValues* values);

  // That there are some if the maps are there at all, and that each key is well formed.
  Status CheckKeys() const;
  // That each was used.
  Status CheckUsed() const;

  // Null if there is none.
  const std::string* Name(std::string_view placeholder);
  // Which of the values it is.
  std::optional<size_t> ValueIndex(std::string_view placeholder);
  ValueView value(size_t index) const { return (*values_)[index].second.view(); }

 private:
  struct Entry {
    size_t i;
    bool used = false;
  };

  const AttributeNames* names_;
  const AttributeValues* values_;
  std::unordered_map<std::string_view, Entry> name_index_;
  std::unordered_map<std::string_view, Entry> value_index_;
};

// The nodes of a checked condition that must be checked again with other values of the same types:
// bounds must be in order, the names of types known.
void CollectValueChecks(const Node& root, std::vector<const Node*>& nodes);
Status CheckValues(std::string_view parameter, const Node& node, const ValueView* values);

// Each resolves placeholders in place.
Status CheckCondition(std::string_view parameter, ParsedCondition& condition,
                      Substitutions& substitutions);
Status CheckUpdate(std::string_view parameter, ParsedUpdate& update, Substitutions& substitutions);
Status CheckProjection(std::string_view parameter, std::vector<Path>& paths,
                       Substitutions& substitutions);

// What is checked of expressions whose placeholders are resolved, whatever language they came in:
// counts and types of operands, and paths that don't go together. Messages stand for themselves,
// without "Invalid <parameter>: ".
Status CheckConditionOperands(Node& root);
Status CheckUpdateActions(std::vector<Update::Action>& actions);

}  // namespace varve::item::expression
