// Query and Scan.
#include <algorithm>

#include "item/capacity.h"
#include "item/store.h"

namespace varve::item {
namespace {

using expression::Expressions;
using expression::KeyRange;

// After this many items in a row the page lets other tasks run.
constexpr uint64_t kItemsBetweenYields = 256;

template <typename Request>
expression::Source SourceOf(expression::Operation operation, const Request& request) {
  const ExpressionParameters& parameters = request.expression_parameters;
  expression::Source source;
  source.operation = operation;
  source.filter = request.filter_expression;
  source.projection = request.projection_expression;
  source.names = parameters.names ? &*parameters.names : nullptr;
  source.values = parameters.values ? &*parameters.values : nullptr;
  source.invalid_value = parameters.invalid_value;
  return source;
}

template <typename Request>
Status CheckSelect(const Request& request) {
  if (!request.select) return absl::OkStatus();
  const bool has_projection = request.projection_expression.has_value();
  switch (*request.select) {
    case Select::kAllAttributes:
      if (!has_projection) return absl::OkStatus();
      return ValidationError(
          "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES");
    case Select::kCount:
      if (!has_projection) return absl::OkStatus();
      return ValidationError(
          "Cannot specify the ProjectionExpression when choosing to get only the Count");
    case Select::kAllProjectedAttributes:
      if (has_projection) {
        return ValidationError(
            "Cannot specify the ProjectionExpression when choosing to get "
            "ALL_PROJECTED_ATTRIBUTES");
      }
      if (request.index_name) return absl::OkStatus();
      return ValidationError(
          "One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only "
          "when Querying using an IndexName");
    case Select::kSpecificAttributes:
      if (has_projection) return absl::OkStatus();
      return ValidationError(
          "One or more parameter values were invalid: Must specify the AttributesToGet or "
          "ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES");
  }
  return absl::OkStatus();
}

Status NoSuchIndex(std::string_view name) {
  return ValidationError("The table does not have the specified index: {}", name);
}

constexpr std::string_view kInvalidStartKey = "The provided starting key is invalid";

Status InvalidStartKey(const Status& reason) {
  return ValidationError("{}: {}", kInvalidStartKey, Message(reason));
}

// Before the key condition is looked at.
Status CheckStartKeyOfQuery(const TableKey& table_key, const ItemView& start) {
  if (start.count() != (table_key.sort ? 2u : 1u)) return ValidationError("{}", kInvalidStartKey);
  if (!start.Find(table_key.partition.name) ||
      (table_key.sort && !start.Find(table_key.sort->name))) {
    return ValidationError("{}", kInvalidStartKey);
  }
  return CheckKey(table_key, start);
}

// After it.
Status CheckStartKeyInRange(const TableKey& table_key, const KeyRange& range,
                            const ItemView& start) {
  const bool same_partition = *start.Find(table_key.partition.name) == range.partition;
  if (range.sort == KeyRange::Sort::kAny) {
    if (same_partition) return absl::OkStatus();
    return ValidationError(
        "The provided starting key is outside query boundaries based on provided conditions");
  }
  if (!range.Contains(*start.Find(table_key.sort->name))) {
    return ValidationError("The provided starting key does not match the range key predicate");
  }
  if (same_partition) return absl::OkStatus();
  return ValidationError("The query can return at most one row and cannot be restarted");
}

Status CheckSegment(const ScanRequest& request) {
  if (request.segment && !request.total_segments) {
    return ValidationError(
        "The TotalSegments parameter is required but was not present in the request when Segment "
        "parameter is present");
  }
  if (request.total_segments && !request.segment) {
    return ValidationError(
        "The Segment parameter is required but was not present in the request when parameter "
        "TotalSegments is present");
  }
  if (request.segment && *request.segment >= *request.total_segments) {
    return ValidationError(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
        "Segment: {} is not less than TotalSegments: {}",
        *request.segment, *request.total_segments);
  }
  return absl::OkStatus();
}

// Begins a page behind `key`, in the direction of the scan.
void StartBehind(const std::string& key, bool forward, KeyBounds& bounds) {
  if (forward) {
    bounds.begin = std::max(bounds.begin, key + '\0');
  } else {
    bounds.end = std::min(bounds.end, key);
  }
}

}  // namespace

io::Task<StatusOr<QueryResponse>> Store::Query(const QueryRequest& request) {
  VARVE_CO_RETURN_IF_ERROR(CheckSelect(request));
  expression::Source source = SourceOf(expression::Operation::kQuery, request);
  source.key_condition = request.key_condition_expression;
  if (!request.key_condition_expression) {
    co_return ValidationError(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
        "request.");
  }
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions, expression::Parse(source));
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  if (request.index_name) co_return NoSuchIndex(*request.index_name);
  const TableKey& table_key = table->key;
  const expression::KeySchema schema = table_key.schema();

  if (request.exclusive_start_key) {
    VARVE_CO_RETURN_IF_ERROR(CheckStartKeyOfQuery(table_key, *request.exclusive_start_key));
  }
  VARVE_ASSIGN_OR_CO_RETURN(const KeyRange range, expressions.key_condition->Resolve(schema));
  if (request.exclusive_start_key) {
    VARVE_CO_RETURN_IF_ERROR(CheckStartKeyInRange(table_key, range, *request.exclusive_start_key));
  }
  if (expressions.projection) {
    VARVE_CO_RETURN_IF_ERROR(expressions.projection->CheckKeyPaths(schema));
  }
  if (expressions.filter) {
    VARVE_CO_RETURN_IF_ERROR(expressions.filter->CheckAvoidsKey(schema));
    VARVE_CO_RETURN_IF_ERROR(expressions.filter->CheckKeyPaths(schema));
  }

  PageScan scan;
  scan.table = table;
  scan.bounds = BoundsOf(table->key_space, range);
  scan.forward = request.scan_index_forward;
  if (request.exclusive_start_key) {
    StartBehind(EngineKey(table->key_space, table_key, *request.exclusive_start_key), scan.forward,
                scan.bounds);
  }
  scan.limit = request.limit;
  scan.filter = expressions.filter ? &*expressions.filter : nullptr;
  scan.projection = expressions.projection ? &*expressions.projection : nullptr;
  scan.count_only = request.select == Select::kCount;
  scan.consistent_read = request.consistent_read;
  scan.return_consumed_capacity = request.return_consumed_capacity;
  co_return co_await ReadPage(std::move(scan));
}

io::Task<StatusOr<ScanResponse>> Store::Scan(const ScanRequest& request) {
  VARVE_CO_RETURN_IF_ERROR(CheckSelect(request));
  VARVE_CO_RETURN_IF_ERROR(CheckSegment(request));
  const expression::Source source = SourceOf(expression::Operation::kScan, request);
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions, expression::Parse(source));
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  if (request.index_name) co_return NoSuchIndex(*request.index_name);
  const TableKey& table_key = table->key;
  const expression::KeySchema schema = table_key.schema();

  PageScan scan;
  scan.table = table;
  const uint64_t segment = static_cast<uint64_t>(request.segment.value_or(0));
  const uint64_t segments = static_cast<uint64_t>(request.total_segments.value_or(1));
  scan.bounds = SegmentBounds(table->key_space, segment, segments);
  if (request.exclusive_start_key) {
    const Status valid = CheckKey(table_key, *request.exclusive_start_key);
    if (!valid.ok()) co_return InvalidStartKey(valid);
    const std::string start = EngineKey(table->key_space, table_key, *request.exclusive_start_key);
    if (start < scan.bounds.begin || start >= scan.bounds.end) {
      co_return ValidationError(
          "{}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
          "TotalSegments: {} Segment: {}",
          kInvalidStartKey, segments, segment);
    }
    StartBehind(start, true, scan.bounds);
  }
  if (expressions.projection) {
    VARVE_CO_RETURN_IF_ERROR(expressions.projection->CheckKeyPaths(schema));
  }
  if (expressions.filter) {
    VARVE_CO_RETURN_IF_ERROR(expressions.filter->CheckKeyPaths(schema));
  }

  scan.fill_cache = false;
  scan.limit = request.limit;
  scan.filter = expressions.filter ? &*expressions.filter : nullptr;
  scan.projection = expressions.projection ? &*expressions.projection : nullptr;
  scan.count_only = request.select == Select::kCount;
  scan.consistent_read = request.consistent_read;
  scan.return_consumed_capacity = request.return_consumed_capacity;
  co_return co_await ReadPage(std::move(scan));
}

io::Task<StatusOr<ItemPage>> Store::ReadPage(PageScan scan) {
  ItemPage page;
  page.has_items = !scan.count_only;
  size_t page_bytes = 0;
  if (scan.bounds.begin < scan.bounds.end) {
    engine::IteratorOptions options;
    options.lower_bound = scan.bounds.begin;
    options.upper_bound = scan.bounds.end;
    options.fill_cache = scan.fill_cache;
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    if (scan.forward) {
      co_await iterator->SeekToFirstAsync();
    } else {
      co_await iterator->SeekToLastAsync();
    }
    while (iterator->Valid()) {
      const ItemView item(iterator->value());
      page_bytes += item.size_bytes();
      ++page.scanned_count;
      if (scan.filter == nullptr || scan.filter->Matches(item)) {
        ++page.count;
        if (scan.count_only) {
        } else if (scan.projection != nullptr) {
          page.items.Append(scan.projection->Apply(item));
        } else {
          page.items.Append(item);
        }
      }
      // A page that is full ends with its last item's key, whether or not anything follows.
      if ((scan.limit && page.scanned_count >= static_cast<uint64_t>(*scan.limit)) ||
          page_bytes >= options_.page_bytes_max) {
        page.last_evaluated_key = KeyOfItem(scan.table->key, item);
        break;
      }
      if (page.scanned_count % kItemsBetweenYields == 0) co_await io::Yield{};
      const bool ready = scan.forward ? iterator->StartNext() : iterator->StartPrev();
      if (!ready) co_await iterator->SettleAsync();
    }
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
  }
  page.consumed_capacity =
      Capacity(scan.return_consumed_capacity, scan.table->description.table_name,
               ReadUnits(page_bytes, scan.consistent_read));
  co_return page;
}

}  // namespace varve::item
