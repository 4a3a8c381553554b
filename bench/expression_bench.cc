// What parsing a request's expressions costs, each time and out of the cache.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "item/expression/cache.h"
#include "item/expression/expression.h"

namespace varve::item::expression {
namespace {

// A request, with the text that its source refers to.
struct Request {
  Operation operation = Operation::kPutItem;
  std::string update, condition, key_condition, filter, projection;
  AttributeNames names;
  AttributeValues values;

  Source source() const {
    Source source;
    source.operation = operation;
    if (!update.empty()) source.update = update;
    if (!condition.empty()) source.condition = condition;
    if (!key_condition.empty()) source.key_condition = key_condition;
    if (!filter.empty()) source.filter = filter;
    if (!projection.empty()) source.projection = projection;
    if (!names.empty()) source.names = &names;
    if (!values.empty()) source.values = &values;
    return source;
  }
};

Value N(int64_t number) { return Value::OfNumber(Number::FromInt(number)); }

Request PutIfAbsent() {
  Request request;
  request.condition = "attribute_not_exists(pk)";
  return request;
}

Request OptimisticUpdate() {
  Request request;
  request.operation = Operation::kUpdateItem;
  request.update = "SET #c = #c + :one, #u = :now";
  request.condition = "version = :v";
  request.names = {{"#c", "count"}, {"#u", "updated"}};
  request.values.emplace_back(":one", N(1));
  request.values.emplace_back(":now", Value::String("2026-01-01T00:00:00Z"));
  request.values.emplace_back(":v", N(7));
  return request;
}

Request FilteredQuery() {
  Request request;
  request.operation = Operation::kQuery;
  request.key_condition = "#pk = :p AND #sk BETWEEN :a AND :b";
  request.filter = "#s = :s AND attribute_exists(seller.id)";
  request.projection = "#pk, #sk, title, seller.id";
  request.names = {{"#pk", "pk"}, {"#sk", "sk"}, {"#s", "status"}};
  for (const char* placeholder : {":p", ":a", ":b", ":s"}) {
    request.values.emplace_back(placeholder, Value::String("x"));
  }
  return request;
}

// As mappers write it.
Request UpdateOfTwentyAttributes() {
  Request request;
  request.operation = Operation::kUpdateItem;
  request.update = "SET ";
  for (int i = 0; i < 20; ++i) {
    request.names.emplace_back(fmt::format("#n{}", i), fmt::format("name{}", i));
    request.values.emplace_back(fmt::format(":v{}", i), Value::String("x"));
    request.update += fmt::format("{}#n{} = :v{}", i > 0 ? ", " : "", i, i);
  }
  return request;
}

void Run(benchmark::State& state, const Request& request, bool cached) {
  Cache cache;
  const Source source = request.source();
  for (auto _ : state) {
    auto expressions = Parse(source, cached ? &cache : nullptr);
    if (!expressions.ok()) {
      state.SkipWithError(std::string(Message(expressions.status())).c_str());
      break;
    }
    benchmark::DoNotOptimize(expressions);
  }
}

#define VARVE_EXPRESSION_BENCH(name)                    \
  BENCHMARK_CAPTURE(Run, name##_Parsed, name(), false); \
  BENCHMARK_CAPTURE(Run, name##_Cached, name(), true)
VARVE_EXPRESSION_BENCH(PutIfAbsent);
VARVE_EXPRESSION_BENCH(OptimisticUpdate);
VARVE_EXPRESSION_BENCH(FilteredQuery);
VARVE_EXPRESSION_BENCH(UpdateOfTwentyAttributes);

}  // namespace
}  // namespace varve::item::expression

BENCHMARK_MAIN();
