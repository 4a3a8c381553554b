// PartiQL statements, compiled and planned for tables of several keys. The first byte chooses how
// many parameters there are; the rest is the statement.
#include <string>
#include <vector>

#include "item/number.h"
#include "item/partiql/plan.h"
#include "item/partiql/statement.h"
#include "item/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace varve::item::partiql {
namespace {

using fuzz::Require;

std::vector<Value> Parameters(size_t count) {
  const Value some[] = {Value::String("s"), Value::OfNumber(Number::FromInt(5)), Value::Null(),
                        Value::Binary("\1"), Value::Bool(true)};
  std::vector<Value> parameters;
  for (size_t i = 0; i < count; ++i) parameters.push_back(some[i % std::size(some)]);
  return parameters;
}

void Plan(std::string_view text, const std::vector<Value>& parameters, const Key& key) {
  // Planning takes a statement apart, so each begins with its own.
  StatusOr<Statement> statement = Compile(text, parameters);
  if (!statement.ok()) return;
  if (statement->where) (void)ToString(*statement->where);
  switch (statement->kind) {
    case Statement::Kind::kSelect: {
      StatusOr<Statement> other = Compile(text, parameters);
      Require(other.ok(), "a statement compiles each time");
      if (StatusOr<ReadPlan> plan = PlanReads(*statement, key); plan.ok()) {
        Require(plan->reads.size() <= kReadsMax, "a plan's reads are bounded");
        (void)ToString(*plan);
        if (plan->filter) (void)AttributesOf(*plan->filter);
      }
      if (StatusOr<std::optional<Item>> item = PlanLookup(*other, key); item.ok() && *item) {
        Require(ValidateItem((*item)->encoded()).ok(), "a key is an item");
      }
      (void)Project(other->columns, ItemView());
      break;
    }
    case Statement::Kind::kInsert:
      Require(ValidateItem(statement->item.encoded()).ok(), "what is inserted is an item");
      break;
    case Statement::Kind::kUpdate:
    case Statement::Kind::kDelete: {
      if (StatusOr<ItemPlan> plan = PlanWrite(*statement, key); plan.ok()) {
        Require(ValidateItem(plan->key.encoded()).ok(), "a key is an item");
        if (plan->condition) {
          (void)expression::Condition(std::move(plan->condition)).Matches(plan->key);
        }
        if (!statement->actions.empty()) {
          const expression::Update update(std::move(statement->actions));
          if (StatusOr<Item> updated = update.Apply(plan->key); updated.ok()) {
            Require(ValidateItem(updated->encoded()).ok(), "an updated item is an item");
          }
        }
      }
      break;
    }
    case Statement::Kind::kExists:
      if (std::optional<ItemPlan> plan = PlanExists(*statement, key)) {
        Require(ValidateItem(plan->key.encoded()).ok(), "a key is an item");
      }
      break;
  }
}

}  // namespace
}  // namespace varve::item::partiql

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve::item;
  if (size == 0) return 0;
  const std::vector<Value> parameters = partiql::Parameters(data[0] % 8);
  const std::string_view text = varve::fuzz::BytesOf(data + 1, size - 1);
  if (!IsUtf8(text)) return 0;  // whoever reads it off the wire sees to that
  const partiql::Key keys[] = {
      {{"p", ValueType::kString}, {}},
      {{"p", ValueType::kString}, expression::KeyAttribute{"s", ValueType::kNumber}},
      {{"p", ValueType::kNumber}, expression::KeyAttribute{"s", ValueType::kString}},
  };
  for (const partiql::Key& key : keys) partiql::Plan(text, parameters, key);
  return 0;
}
