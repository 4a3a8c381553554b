#include "item/partiql/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "item/errors.h"
#include "item/json.h"

namespace varve::item::partiql {
namespace {

using expression::Function;
using expression::KeyAttribute;
using expression::Node;
using expression::NodeKind;
using NodePtr = std::unique_ptr<Node>;
using Sort = expression::KeyRange::Sort;

// Conditions that must hold together, in the order of the text. They belong to the statement's
// tree.
using Branch = std::vector<const Node*>;

Status Overlapping() {
  return ValidationError(
      "Overlapping conditions with range keys are not supported in where clause");
}

Status TooManyReads() {
  return ValidationError("Too many decomposed read operations for a given query.");
}

bool IsAttribute(const Node& node, std::string_view name) {
  return node.kind == NodeKind::kPath && node.path.size() == 1 && node.path[0].name == name;
}

bool IsValue(const Node& node) { return node.kind == NodeKind::kValue; }

// A condition on a key attribute that a range can express: `attribute sort low [high]`.
struct KeyClause {
  Sort sort = Sort::kEqual;
  ValueView low;
  ValueView high;
};

std::optional<Sort> SortOf(NodeKind kind, bool mirrored) {
  switch (kind) {
    case NodeKind::kEqual:
      return Sort::kEqual;
    case NodeKind::kLess:
      return mirrored ? Sort::kGreater : Sort::kLess;
    case NodeKind::kLessOrEqual:
      return mirrored ? Sort::kGreaterOrEqual : Sort::kLessOrEqual;
    case NodeKind::kGreater:
      return mirrored ? Sort::kLess : Sort::kGreater;
    case NodeKind::kGreaterOrEqual:
      return mirrored ? Sort::kLessOrEqual : Sort::kGreaterOrEqual;
    default:
      return std::nullopt;
  }
}

// What `node` says of the attribute; nothing if it says something else. Of IN a clause for each
// value.
std::vector<KeyClause> ClausesOf(const Node& node, std::string_view attribute) {
  const auto& operands = node.operands;
  if (operands.empty()) return {};
  const bool first = IsAttribute(*operands[0], attribute);
  const auto values_follow = [&] {
    return std::all_of(operands.begin() + 1, operands.end(),
                       [](const NodePtr& operand) { return IsValue(*operand); });
  };
  if (node.kind == NodeKind::kIn) {
    std::vector<KeyClause> clauses;
    if (!first || !values_follow()) return clauses;
    for (size_t i = 1; i < operands.size(); ++i) {
      clauses.push_back({Sort::kEqual, operands[i]->value, {}});
    }
    return clauses;
  }
  if (node.kind == NodeKind::kBetween) {
    if (!first || !values_follow()) return {};
    return {{Sort::kBetween, operands[1]->value, operands[2]->value}};
  }
  if (node.kind == NodeKind::kFunction) {
    if (node.function != Function::kBeginsWith || !first || !values_follow()) return {};
    return {{Sort::kBeginsWith, operands[1]->value, {}}};
  }
  if (operands.size() != 2) return {};
  const bool mirrored = !first && IsAttribute(*operands[1], attribute);
  if (!first && !mirrored) return {};
  const Node& other = *operands[mirrored ? 0 : 1];
  const std::optional<Sort> sort = SortOf(node.kind, mirrored);
  if (!sort || !IsValue(other)) return {};
  return {{*sort, other.value, {}}};
}

// A partition key is fixed by equality or IN.
bool FixesPartition(const Node& node, const Key& key) {
  const std::vector<KeyClause> clauses = ClausesOf(node, key.partition.name);
  return !clauses.empty() && clauses[0].sort == Sort::kEqual;
}

bool IsKeyClause(const Node& node, const Key& key) {
  return FixesPartition(node, key) || (key.sort && !ClausesOf(node, key.sort->name).empty());
}

// Whether WHERE fixes the partition key in every branch of its ORs.
bool IsKeyed(const Node& node, const Key& key) {
  const auto keyed = [&](const NodePtr& operand) { return IsKeyed(*operand, key); };
  if (node.kind == NodeKind::kAnd) {
    return std::any_of(node.operands.begin(), node.operands.end(), keyed);
  }
  if (node.kind == NodeKind::kOr) {
    return std::all_of(node.operands.begin(), node.operands.end(), keyed);
  }
  return FixesPartition(node, key);
}

// Whether a condition on a key stands somewhere below ANDs and ORs.
bool MentionsKeyClause(const Node& node, const Key& key) {
  if (node.kind != NodeKind::kAnd && node.kind != NodeKind::kOr) return IsKeyClause(node, key);
  return std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const NodePtr& operand) { return MentionsKeyClause(*operand, key); });
}

bool MentionsPartition(const Node& node, const Key& key) {
  if (node.kind != NodeKind::kAnd && node.kind != NodeKind::kOr) return FixesPartition(node, key);
  return std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const NodePtr& operand) { return MentionsPartition(*operand, key); });
}

bool Mentions(const Node& node, std::string_view attribute) {
  if (node.kind == NodeKind::kPath) return node.path[0].name == attribute;
  return std::any_of(node.operands.begin(), node.operands.end(),
                     [&](const NodePtr& operand) { return Mentions(*operand, attribute); });
}

// The conditions that ANDs in ANDs connect.
void Flatten(const Node& node, Branch& conditions) {
  if (node.kind != NodeKind::kAnd) {
    conditions.push_back(&node);
    return;
  }
  for (const NodePtr& operand : node.operands) Flatten(*operand, conditions);
}

// WHERE as a row of alternatives: ORs that have to do with the key are taken apart, others are
// conditions like any other.
class Decomposer {
 public:
  explicit Decomposer(const Key& key) : key_(key) {}

  StatusOr<std::vector<Branch>> Run(const Node& node) {
    if (node.kind == NodeKind::kOr && MentionsKeyClause(node, key_)) {
      std::vector<Branch> all;
      for (const NodePtr& operand : node.operands) {
        VARVE_ASSIGN_OR_RETURN(std::vector<Branch> some, Run(*operand));
        std::move(some.begin(), some.end(), std::back_inserter(all));
        if (all.size() > kReadsMax) return TooManyReads();
      }
      return all;
    }
    if (node.kind != NodeKind::kAnd) return std::vector<Branch>{{&node}};
    std::vector<const Node*> conditions;
    Flatten(node, conditions);
    const bool fixed = std::any_of(conditions.begin(), conditions.end(), [this](const Node* each) {
      return FixesPartition(*each, key_);
    });
    std::vector<Branch> product = {{}};
    for (const Node* condition : conditions) {
      // Where the partition key is fixed already, an OR of further ones only filters.
      const bool whole =
          condition->kind != NodeKind::kOr || (fixed && MentionsPartition(*condition, key_));
      std::vector<Branch> choices = {{condition}};
      if (!whole) {
        VARVE_ASSIGN_OR_RETURN(choices, Run(*condition));
      }
      if (product.size() * choices.size() > kReadsMax) return TooManyReads();
      std::vector<Branch> next;
      for (const Branch& left : product) {
        for (const Branch& right : choices) {
          next.push_back(left);
          next.back().insert(next.back().end(), right.begin(), right.end());
        }
      }
      product = std::move(next);
    }
    return product;
  }

 private:
  const Key& key_;
};

Status CheckKeyValue(const KeyAttribute& attribute, ValueView value) {
  if (!value.Is(attribute.type)) {
    return ValidationError(
        "Key attribute's data type should match its data type in table's schema: Key {}",
        attribute.name);
  }
  if (!value.Is(ValueType::kNumber) && value.text().empty()) {
    return ValidationError(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty {} value. Key: {}",
        value.Is(ValueType::kString) ? "string" : "binary", attribute.name);
  }
  return absl::OkStatus();
}

Status CheckKeyClause(const KeyAttribute& attribute, const KeyClause& clause) {
  VARVE_RETURN_IF_ERROR(CheckKeyValue(attribute, clause.low));
  return clause.sort == Sort::kBetween ? CheckKeyValue(attribute, clause.high) : absl::OkStatus();
}

// All of the conditions, or null if there are none.
NodePtr Conjunction(const std::vector<const Node*>& conditions) {
  if (conditions.empty()) return nullptr;
  if (conditions.size() == 1) return Clone(*conditions[0]);
  auto node = std::make_unique<Node>(NodeKind::kAnd);
  for (const Node* condition : conditions) node->operands.push_back(Clone(*condition));
  return node;
}

// One read before it is known not to overlap others.
struct Candidate {
  Range range;
  std::vector<const Node*> filter;
  Branch branch;         // all conditions, those of the key included
  bool negated = false;  // it has a condition on the sort key that no range can express
};

// A sort key that the service looks for with <> or NOT.
bool NegatesSort(const Branch& branch, const Key& key) {
  if (!key.sort) return false;
  return std::any_of(branch.begin(), branch.end(), [&](const Node* condition) {
    return (condition->kind == NodeKind::kNot || condition->kind == NodeKind::kNotEqual) &&
           Mentions(*condition, key.sort->name);
  });
}

// Which of the conditions on the sort key bounds the read best, and by how much.
int Rank(Sort sort) {
  switch (sort) {
    case Sort::kEqual:
      return 3;
    case Sort::kBetween:
    case Sort::kBeginsWith:
      return 2;
    default:
      return 1;
  }
}

bool IsLowerBound(Sort sort) { return sort == Sort::kGreater || sort == Sort::kGreaterOrEqual; }
bool IsUpperBound(Sort sort) { return sort == Sort::kLess || sort == Sort::kLessOrEqual; }

// The ranges of sort keys that a branch asks for. `used` becomes the condition that they express
// wholly.
StatusOr<std::vector<KeyClause>> SortClauses(const Branch& branch, const Key& key,
                                             const Node** used) {
  std::vector<KeyClause> best;
  const KeyClause* lower = nullptr;
  const KeyClause* upper = nullptr;
  std::vector<std::vector<KeyClause>> found;  // referred to by lower and upper
  found.reserve(branch.size());
  if (key.sort) {
    for (const Node* condition : branch) {
      found.push_back(ClausesOf(*condition, key.sort->name));
      const std::vector<KeyClause>& clauses = found.back();
      if (clauses.empty()) continue;
      for (const KeyClause& clause : clauses) {
        VARVE_RETURN_IF_ERROR(CheckKeyClause(*key.sort, clause));
      }
      if (IsLowerBound(clauses[0].sort)) lower = &clauses[0];
      if (IsUpperBound(clauses[0].sort)) upper = &clauses[0];
      if (best.empty() || Rank(clauses[0].sort) > Rank(best[0].sort)) {
        best = clauses;
        *used = condition;
      }
    }
  }
  if (!best.empty() && Rank(best[0].sort) == 1 && lower != nullptr && upper != nullptr) {
    // Both stay in the filter, which knows whether the bounds belong to it.
    *used = nullptr;
    best = {{Sort::kBetween, lower->low, upper->low}};
  }
  return best;
}

Status AddCandidates(const Branch& branch, const Key& key, std::vector<Candidate>& all) {
  std::vector<KeyClause> partitions;
  const Node* partition_used = nullptr;
  for (const Node* condition : branch) {
    if (!FixesPartition(*condition, key)) continue;
    const std::vector<KeyClause> clauses = ClausesOf(*condition, key.partition.name);
    for (const KeyClause& clause : clauses) {
      VARVE_RETURN_IF_ERROR(CheckKeyClause(key.partition, clause));
    }
    if (partition_used == nullptr || clauses.size() < partitions.size()) {
      partitions = clauses;
      partition_used = condition;
    }
  }
  const Node* sort_used = nullptr;
  VARVE_ASSIGN_OR_RETURN(std::vector<KeyClause> sorts, SortClauses(branch, key, &sort_used));
  if (sorts.empty()) sorts.push_back({Sort::kAny, {}, {}});
  if (all.size() + partitions.size() * sorts.size() > kReadsMax) return TooManyReads();

  Candidate candidate;
  candidate.branch = branch;
  candidate.negated = NegatesSort(branch, key);
  for (const Node* condition : branch) {
    if (condition != partition_used && condition != sort_used)
      candidate.filter.push_back(condition);
  }
  for (const KeyClause& partition : partitions) {
    for (const KeyClause& sort : sorts) {
      candidate.range = {partition.low, sort.sort, sort.low, sort.high};
      all.push_back(candidate);
    }
  }
  return absl::OkStatus();
}

// An end of a range of sort keys.
struct Bound {
  bool infinite = true;
  ValueView value;
  bool inclusive = false;
};

Bound LowerBound(const Range& range) {
  switch (range.sort) {
    case Sort::kEqual:
    case Sort::kGreaterOrEqual:
    case Sort::kBetween:
    case Sort::kBeginsWith:
      return {false, range.low, true};
    case Sort::kGreater:
      return {false, range.low, false};
    default:
      return {};
  }
}

// Of begins_with, the bound is in `*prefix_end`.
Bound UpperBound(const Range& range, Value* prefix_end) {
  switch (range.sort) {
    case Sort::kEqual:
    case Sort::kLessOrEqual:
      return {false, range.low, true};
    case Sort::kBetween:
      return {false, range.high, true};
    case Sort::kLess:
      return {false, range.low, false};
    case Sort::kBeginsWith: {
      std::string end(range.low.text());
      while (!end.empty() && end.back() == '\xff') end.pop_back();
      if (end.empty()) return {};
      end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
      *prefix_end = range.low.Is(ValueType::kString) ? Value::String(end) : Value::Binary(end);
      return {false, prefix_end->view(), false};
    }
    default:
      return {};
  }
}

// Whether everything up to `upper` comes before `lower`.
bool Below(const Bound& upper, const Bound& lower) {
  if (upper.infinite || lower.infinite) return false;
  const int order = CompareScalars(upper.value, lower.value).value_or(0);
  return order < 0 || (order == 0 && !(upper.inclusive && lower.inclusive));
}

bool IsEmpty(const Range& range) {
  return range.sort == Sort::kBetween && CompareScalars(range.low, range.high).value_or(0) > 0;
}

bool Overlap(const Range& a, const Range& b) {
  if (!(a.partition == b.partition) || IsEmpty(a) || IsEmpty(b)) return false;
  Value a_end;
  Value b_end;
  return !Below(UpperBound(a, &a_end), LowerBound(b)) &&
         !Below(UpperBound(b, &b_end), LowerBound(a));
}

// Branches that the service reads although they overlap: one read of the whole partition, filtered
// by one or the other.
Read Unite(const std::vector<Candidate>& candidates, ValueView partition) {
  Read read;
  read.range.partition = partition;
  read.filter = std::make_unique<Node>(NodeKind::kOr);
  const Branch* last = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!(candidate.range.partition == partition)) continue;
    if (last != nullptr && *last == candidate.branch) continue;  // of one IN
    last = &candidate.branch;
    read.filter->operands.push_back(Conjunction(candidate.branch));
  }
  if (read.filter->operands.size() == 1) read.filter = std::move(read.filter->operands[0]);
  return read;
}

StatusOr<std::vector<Read>> MakeReads(const std::vector<Candidate>& candidates) {
  std::vector<ValueView> united;
  for (size_t i = 0; i < candidates.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (!Overlap(candidates[i].range, candidates[j].range)) continue;
      if (!candidates[i].negated && !candidates[j].negated) return Overlapping();
      united.push_back(candidates[i].range.partition);
    }
  }
  std::vector<Read> reads;
  std::vector<ValueView> done;
  const auto has = [](const std::vector<ValueView>& values, ValueView value) {
    return std::find(values.begin(), values.end(), value) != values.end();
  };
  for (const Candidate& candidate : candidates) {
    const ValueView partition = candidate.range.partition;
    if (!has(united, partition)) {
      reads.push_back({candidate.range, Conjunction(candidate.filter)});
    } else if (!has(done, partition)) {
      done.push_back(partition);
      reads.push_back(Unite(candidates, partition));
    }
  }
  return reads;
}

Status CheckOrder(const Statement& statement, const Key& key) {
  if (statement.order_by.empty()) return absl::OkStatus();
  if (statement.where == nullptr) {
    return ValidationError("Must have WHERE clause in the statement when using ORDER BY clause.");
  }
  for (const OrderTerm& term : statement.order_by) {
    if (term.attribute == key.partition.name) continue;
    if (key.sort && term.attribute == key.sort->name) continue;
    return ValidationError("Attribute {} in ORDER BY clause must be part of the primary key",
                           term.attribute);
  }
  if (!IsKeyed(*statement.where, key)) {
    return ValidationError(
        "Must have at least one non-optional hash key condition in WHERE clause when using ORDER "
        "BY clause.");
  }
  return absl::OkStatus();
}

// Puts the reads into the order that ORDER BY asks for.
Status Order(const Statement& statement, const Key& key, ReadPlan& plan) {
  if (statement.order_by.empty()) return absl::OkStatus();
  const OrderTerm* by_partition = nullptr;
  const OrderTerm* by_sort = nullptr;
  for (const OrderTerm& term : statement.order_by) {
    if (term.attribute == key.partition.name) {
      by_partition = &term;
    } else {
      by_sort = &term;
    }
  }
  const bool one_partition = std::all_of(
      plan.reads.begin(), plan.reads.end(),
      [&](const Read& read) { return read.range.partition == plan.reads[0].range.partition; });
  if (!one_partition && by_partition == nullptr) {
    return ValidationError(
        "Must have hash key in ORDER BY clause when more than one hash key condition specified in "
        "WHERE clause.");
  }
  // Without a word on the sort key, the service answers backward.
  plan.forward = by_sort != nullptr && by_sort->ascending;
  const bool partitions_ascend = by_partition == nullptr || by_partition->ascending;
  std::stable_sort(plan.reads.begin(), plan.reads.end(), [&](const Read& a, const Read& b) {
    const int partition = CompareScalars(a.range.partition, b.range.partition).value_or(0);
    if (partition != 0) return partitions_ascend ? partition < 0 : partition > 0;
    Value a_end;
    Value b_end;
    const bool before = Below(UpperBound(a.range, &a_end), LowerBound(b.range));
    const bool after = Below(UpperBound(b.range, &b_end), LowerBound(a.range));
    return plan.forward ? before && !after : after && !before;
  });
  return absl::OkStatus();
}

// What the ANDs of a WHERE say of one key attribute: the value it equals first, whether other
// values are named as well, and the conditions that say so.
struct Equality {
  std::optional<ValueView> value;
  bool conflicts = false;
  std::vector<const Node*> conditions;
};

Equality EqualityOf(const Branch& branch, std::string_view attribute, bool with_in) {
  Equality equality;
  for (const Node* condition : branch) {
    if (condition->kind == NodeKind::kIn && !with_in) continue;
    const std::vector<KeyClause> clauses = ClausesOf(*condition, attribute);
    if (clauses.size() != 1 || clauses[0].sort != Sort::kEqual) continue;
    if (!equality.value) {
      equality.value = clauses[0].low;
    } else if (!(*equality.value == clauses[0].low)) {
      equality.conflicts = true;
      continue;
    }
    equality.conditions.push_back(condition);
  }
  return equality;
}

std::vector<const KeyAttribute*> AttributesOf(const Key& key) {
  std::vector<const KeyAttribute*> attributes = {&key.partition};
  if (key.sort) attributes.push_back(&*key.sort);
  return attributes;
}

// The item that a branch names, and the conditions besides those that name it. Nothing if a key
// attribute is not fixed.
struct Named {
  Item key;
  std::vector<const Node*> rest;
  const KeyAttribute* conflict = nullptr;  // an attribute that two values are named for
};
std::optional<Named> NameItem(const Branch& branch, const Key& key, bool with_in) {
  Named named;
  std::vector<const Node*> used;
  ValueBuilder builder;
  builder.BeginMap();
  for (const KeyAttribute* attribute : AttributesOf(key)) {
    const Equality equality = EqualityOf(branch, attribute->name, with_in);
    if (!equality.value) return std::nullopt;
    if (equality.conflicts && named.conflict == nullptr) named.conflict = attribute;
    used.insert(used.end(), equality.conditions.begin(), equality.conditions.end());
    builder.Name(attribute->name);
    builder.Copy(*equality.value);
  }
  builder.EndMap();
  named.key = Item(builder.Finish());
  for (const Node* condition : branch) {
    if (std::find(used.begin(), used.end(), condition) == used.end()) {
      named.rest.push_back(condition);
    }
  }
  return named;
}

Branch ConditionsOf(const Statement& statement) {
  Branch branch;
  if (statement.where != nullptr) Flatten(*statement.where, branch);
  return branch;
}

}  // namespace

StatusOr<ReadPlan> PlanReads(Statement& statement, const Key& key) {
  VARVE_RETURN_IF_ERROR(CheckOrder(statement, key));
  ReadPlan plan;
  if (statement.where == nullptr || !IsKeyed(*statement.where, key)) {
    plan.filter = std::move(statement.where);
    return plan;
  }
  VARVE_ASSIGN_OR_RETURN(const std::vector<Branch> branches, Decomposer(key).Run(*statement.where));
  std::vector<Candidate> candidates;
  for (const Branch& branch : branches) {
    // Every branch fixes the partition key, or WHERE would not be keyed.
    assert(std::any_of(branch.begin(), branch.end(),
                       [&](const Node* each) { return FixesPartition(*each, key); }));
    VARVE_RETURN_IF_ERROR(AddCandidates(branch, key, candidates));
  }
  VARVE_ASSIGN_OR_RETURN(plan.reads, MakeReads(candidates));
  VARVE_RETURN_IF_ERROR(Order(statement, key, plan));
  return plan;
}

StatusOr<ItemPlan> PlanWrite(Statement& statement, const Key& key) {
  std::optional<Named> named = NameItem(ConditionsOf(statement), key, /*with_in=*/false);
  if (!named) {
    return ValidationError(
        "Where clause does not contain a mandatory equality on all key attributes");
  }
  if (named->conflict != nullptr) {
    return ValidationError(
        "Multiple conditions on same key {}. Only single item Update/Insert/Delete are supported",
        named->conflict->name);
  }
  return ItemPlan{std::move(named->key), Conjunction(named->rest)};
}

StatusOr<std::optional<Item>> PlanLookup(Statement& statement, const Key& key) {
  const Branch branch = ConditionsOf(statement);
  if (statement.where != nullptr && IsKeyed(*statement.where, key)) {
    // A WHERE that could not be read at all says so first.
    for (const Node* condition : branch) {
      for (const KeyAttribute* attribute : AttributesOf(key)) {
        const std::vector<KeyClause> clauses = ClausesOf(*condition, attribute->name);
        if (clauses.size() > kReadsMax) return TooManyReads();
        for (size_t i = 0; i < clauses.size(); ++i) {
          for (size_t j = 0; j < i; ++j) {
            if (clauses[i].low == clauses[j].low) return Overlapping();
          }
        }
      }
    }
  }
  std::optional<Named> named = NameItem(branch, key, /*with_in=*/true);
  if (!named || named->conflict != nullptr || !named->rest.empty()) {
    return std::optional<Item>();
  }
  return std::optional<Item>(std::move(named->key));
}

std::optional<ItemPlan> PlanExists(Statement& statement, const Key& key) {
  std::optional<Named> named = NameItem(ConditionsOf(statement), key, /*with_in=*/false);
  if (!named || named->rest.empty()) return std::nullopt;
  return ItemPlan{std::move(named->key), Conjunction(named->rest)};
}

namespace {

void CollectAttributes(const Node& node, std::vector<std::string>& names) {
  if (node.kind == NodeKind::kPath) {
    const std::string& name = node.path[0].name;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return;
  }
  const bool conjunction = node.kind == NodeKind::kAnd;
  for (const bool groups : {true, false}) {
    for (const NodePtr& operand : node.operands) {
      // Of an AND, its ORs come first.
      const bool group = conjunction && operand->kind == NodeKind::kOr;
      if (group == groups) CollectAttributes(*operand, names);
    }
  }
}

std::string ValueText(ValueView value) {
  std::string text;
  AppendJson(value, text);
  return text;
}

std::string RangeText(const Range& range) {
  const std::string low = range.sort == Sort::kAny ? "" : ValueText(range.low);
  switch (range.sort) {
    case Sort::kAny:
      return "";
    case Sort::kEqual:
      return " = " + low;
    case Sort::kLess:
      return " < " + low;
    case Sort::kLessOrEqual:
      return " <= " + low;
    case Sort::kGreater:
      return " > " + low;
    case Sort::kGreaterOrEqual:
      return " >= " + low;
    case Sort::kBetween:
      return fmt::format(" between {} and {}", low, ValueText(range.high));
    case Sort::kBeginsWith:
      return " begins_with " + low;
  }
  return "";
}

}  // namespace

std::vector<std::string> AttributesOf(const Node& filter) {
  std::vector<std::string> names;
  CollectAttributes(filter, names);
  return names;
}

std::string ToString(const ReadPlan& plan) {
  const auto filter_text = [](const NodePtr& filter) {
    return filter == nullptr ? std::string() : fmt::format(" filter {}", ToString(*filter));
  };
  if (plan.is_scan()) return "scan" + filter_text(plan.filter);
  std::string text;
  for (const Read& read : plan.reads) {
    if (!text.empty()) text += "\n";
    text += fmt::format("{} {}{}{}", plan.forward ? "query" : "query backward",
                        ValueText(read.range.partition), RangeText(read.range),
                        filter_text(read.filter));
  }
  return text;
}

}  // namespace varve::item::partiql
