// Query and Scan.
#include <algorithm>

#include "item/capacity.h"
#include "item/index_entry.h"
#include "item/source.h"
#include "item/store.h"

namespace varve::item {
namespace {

using expression::Expressions;
using expression::KeyRange;

// After this many items in a row the page lets other tasks run.
constexpr uint64_t kItemsBetweenYields = 256;

constexpr std::string_view kInvalidStartKey = "The provided starting key is invalid";

Status InvalidStartKey(const Status& reason) {
  return ValidationError("{}: {}", kInvalidStartKey, Message(reason));
}

// What is wrong with a start key that could not be decoded. What is wrong with a set or a number
// is said without the parameter's name.
Status InvalidStartKeyValue(const Status& invalid) {
  if (invalid.ok()) return invalid;
  const std::string_view message = Message(invalid);
  for (const std::string_view part : {"contains duplicates", "number set", "numeric value",
                                      "significant digits", "number with magnitude"}) {
    if (message.find(part) != std::string_view::npos) return invalid;
  }
  return InvalidStartKey(invalid);
}

template <typename Request>
expression::Source PageSourceOf(expression::Operation operation, const Request& request) {
  expression::Source source = SourceOf(operation, request);
  source.filter = request.filter_expression;
  source.projection = request.projection_expression;
  source.invalid_start = InvalidStartKeyValue(request.invalid_start_key);
  return source;
}

template <typename Request>
Status CheckSelect(const Request& request) {
  if (!request.select) return absl::OkStatus();
  const bool has_projection =
      request.projection_expression || (request.legacy && request.legacy->attributes_to_get);
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

// What a page is read from: a table or one of its indexes.
class Target {
 public:
  Target(TablePointer table, const Index* index)
      : table_(std::move(table)),
        index_(index),
        schema_(index == nullptr ? table_->key.schema() : SchemaOf(index->key)) {}

  const TablePointer& table() const { return table_; }
  const Index* index() const { return index_; }
  const expression::KeySchema& schema() const { return schema_; }
  uint32_t key_space() const { return index_ == nullptr ? table_->key_space : index_->key_space; }

  // How many attributes say where a page ends.
  size_t cursor_attributes() const {
    return schema_.partition.size() + schema_.sort.size() +
           (index_ == nullptr ? 0 : index_->table_key.size());
  }
  // The engine's key of what the (checked) start key stands for.
  std::string PositionOf(const ItemView& start) const {
    if (index_ == nullptr) return EngineKey(table_->key_space, table_->key, start);
    std::string position;
    // It can't fail: the attributes are there and of their types.
    static_cast<void>(AppendEntryKey(*index_, start, position));
    return position;
  }
  KeyBounds Bounds(const KeyRange& range) const {
    return index_ == nullptr ? BoundsOf(table_->key_space, range) : BoundsOf(*index_, range);
  }

 private:
  TablePointer table_;
  const Index* index_;
  expression::KeySchema schema_;
};

StatusOr<Target> FindTarget(TablePointer table, const std::optional<std::string>& index_name,
                            bool consistent_read, const StoreOptions& options) {
  if (!index_name) return Target(std::move(table), nullptr);
  for (const Index& index : table->indexes) {
    if (index.name != *index_name) continue;
    if (index.global && consistent_read && !options.consistent_gsi_reads) {
      return ValidationError("Consistent reads are not supported on global secondary indexes");
    }
    if (!index.readable) {
      return ValidationError("Cannot read from backfilling global secondary index: {}",
                             *index_name);
    }
    return Target(std::move(table), &index);
  }
  return ValidationError("The table does not have the specified index: {}", *index_name);
}

// One attribute of the key that is read by, as part of a start key.
Status CheckStartKeyPart(const expression::KeyAttribute& attribute, bool is_partition,
                         const ItemView& start) {
  if (!start.Find(attribute.name)) return ValidationError("{}", kInvalidStartKey);
  return CheckKeyPart({std::string(attribute.name), attribute.type}, is_partition, start);
}

// The table's key as part of a start key.
Status CheckTableKeyOfStart(const Target& target, const ItemView& start) {
  const Status valid = CheckKey(target.table()->key, KeyOfItem(target.table()->key, start));
  if (valid.ok()) return valid;
  return ValidationError("{}: {}", kInvalidStartKey, Message(valid));
}

Status CheckStartKeyInRange(const expression::KeySchema& schema, const KeyRange& range,
                            const ItemView& start) {
  bool same_partition = true;
  for (size_t i = 0; i < range.partition.size(); ++i) {
    same_partition &= *start.Find(schema.partition[i].name) == range.partition[i];
  }
  if (range.sort == KeyRange::Sort::kAny) {
    if (same_partition) return absl::OkStatus();
    return ValidationError(
        "The provided starting key is outside query boundaries based on provided conditions");
  }
  const size_t equal = range.sort_equal.size();
  bool in_range = range.Contains(*start.Find(schema.sort[equal].name));
  for (size_t i = 0; i < equal; ++i) {
    in_range &= *start.Find(schema.sort[i].name) == range.sort_equal[i];
  }
  if (!in_range) {
    return ValidationError("The provided starting key does not match the range key predicate");
  }
  if (same_partition) return absl::OkStatus();
  return ValidationError("The query can return at most one row and cannot be restarted");
}

// Whether an index that lacks attributes can answer the request. *fetch: the items themselves must
// be read.
Status CheckProjected(const Target& target, std::optional<Select> select,
                      const expression::Projection* projection, bool* fetch) {
  *fetch = false;
  const Index* const index = target.index();
  if (index == nullptr || index->projects_all()) return absl::OkStatus();
  if (select == Select::kAllAttributes) {
    *fetch = !index->global;
    if (*fetch) return absl::OkStatus();
    return ValidationError(
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported "
        "for global secondary index {} because its projection type is not ALL",
        index->name);
  }
  if (projection == nullptr) return absl::OkStatus();
  std::string missing;
  for (const std::string_view name : projection->Attributes()) {
    if (std::binary_search(index->projected.begin(), index->projected.end(), name)) continue;
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  if (missing.empty()) return absl::OkStatus();
  *fetch = !index->global;
  if (*fetch) return absl::OkStatus();
  return ValidationError(
      "One or more parameter values were invalid: Global secondary index {} does not project [{}]",
      index->name, missing);
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

// How many entries of an index have their items read together: what the page still takes, going by
// those that it has, so that little is read in vain.
uint64_t EntriesToFetch(uint64_t scanned, size_t bytes, size_t bytes_max,
                        std::optional<int64_t> limit) {
  constexpr uint64_t kAtFirst = 8;
  constexpr uint64_t kMost = 64;
  uint64_t count = kAtFirst;
  if (scanned > 0) {
    const uint64_t left = bytes < bytes_max ? bytes_max - bytes : 0;
    count = left * scanned / std::max<size_t>(bytes, 1) + 1;
  }
  count = std::min(count, std::min(kMost, kAtFirst + scanned));
  if (limit) count = std::min(count, static_cast<uint64_t>(*limit) - scanned);
  return count;
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
  return QueryPage(request, options_.page_bytes_max);
}

io::Task<StatusOr<ScanResponse>> Store::Scan(const ScanRequest& request) {
  return ScanPage(request, options_.page_bytes_max);
}

io::Task<StatusOr<QueryResponse>> Store::QueryPage(const QueryRequest& request,
                                                   size_t page_bytes_max) {
  VARVE_CO_RETURN_IF_ERROR(CheckSelect(request));
  expression::Source source = PageSourceOf(expression::Operation::kQuery, request);
  source.key_condition = request.key_condition_expression;
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions,
                            expression::Parse(source, &expression_cache_));
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  VARVE_ASSIGN_OR_CO_RETURN(const Target target, FindTarget(table, request.index_name,
                                                            request.consistent_read, options_));
  const std::optional<Item>& start = request.exclusive_start_key;
  if (start && start->view().count() != target.cursor_attributes()) {
    co_return ValidationError("{}", kInvalidStartKey);
  }
  const auto check_start = [&start](const expression::KeyAttribute& attribute, bool is_partition) {
    return start ? CheckStartKeyPart(attribute, is_partition, *start) : Status();
  };
  VARVE_ASSIGN_OR_CO_RETURN(const KeyRange range,
                            expressions.key_condition->Resolve(target.schema(), check_start));
  if (start) {
    VARVE_CO_RETURN_IF_ERROR(CheckTableKeyOfStart(target, *start));
    VARVE_CO_RETURN_IF_ERROR(CheckStartKeyInRange(target.schema(), range, *start));
  }
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.projection));
  if (expressions.filter) {
    VARVE_CO_RETURN_IF_ERROR(expressions.filter->CheckAvoidsKey(target.schema()));
  }
  PageScan scan;
  scan.projection = expressions.projection ? &*expressions.projection : nullptr;
  VARVE_CO_RETURN_IF_ERROR(CheckProjected(target, request.select, scan.projection, &scan.fetch));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.filter));

  scan.table = table;
  scan.index = target.index();
  scan.bounds = target.Bounds(range);
  scan.forward = request.scan_index_forward;
  if (start) StartBehind(target.PositionOf(*start), scan.forward, scan.bounds);
  scan.limit = request.limit;
  scan.bytes_max = page_bytes_max;
  scan.filter = expressions.filter ? &*expressions.filter : nullptr;
  scan.count_only = request.select == Select::kCount;
  scan.consistent_read = request.consistent_read;
  scan.return_consumed_capacity = request.return_consumed_capacity;
  co_return co_await ReadPage(std::move(scan));
}

io::Task<StatusOr<ScanResponse>> Store::ScanPage(const ScanRequest& request,
                                                 size_t page_bytes_max) {
  VARVE_CO_RETURN_IF_ERROR(CheckSelect(request));
  expression::Source source = PageSourceOf(expression::Operation::kScan, request);
  if (source.invalid_start.ok()) source.invalid_start = CheckSegment(request);
  VARVE_ASSIGN_OR_CO_RETURN(const Expressions expressions,
                            expression::Parse(source, &expression_cache_));
  VARVE_ASSIGN_OR_CO_RETURN(const TablePointer table, TableOf(request.table_name));
  VARVE_ASSIGN_OR_CO_RETURN(const Target target, FindTarget(table, request.index_name,
                                                            request.consistent_read, options_));
  const std::optional<Item>& start = request.exclusive_start_key;
  if (start && start->view().count() != target.cursor_attributes()) {
    if (target.index() != nullptr) co_return ValidationError("{}", kInvalidStartKey);
    co_return ValidationError("{}: The provided key element does not match the schema",
                              kInvalidStartKey);
  }
  if (start && target.index() != nullptr) {
    for (const auto& attribute : target.schema().partition) {
      VARVE_CO_RETURN_IF_ERROR(CheckStartKeyPart(attribute, true, *start));
    }
    for (const auto& attribute : target.schema().sort) {
      VARVE_CO_RETURN_IF_ERROR(CheckStartKeyPart(attribute, false, *start));
    }
  }
  PageScan scan;
  scan.projection = expressions.projection ? &*expressions.projection : nullptr;
  VARVE_CO_RETURN_IF_ERROR(CheckProjected(target, request.select, scan.projection, &scan.fetch));

  const uint64_t segment = static_cast<uint64_t>(request.segment.value_or(0));
  const uint64_t segments = static_cast<uint64_t>(request.total_segments.value_or(1));
  scan.bounds = SegmentBounds(target.key_space(), segment, segments);
  if (start) {
    VARVE_CO_RETURN_IF_ERROR(CheckTableKeyOfStart(target, *start));
    const std::string position = target.PositionOf(*start);
    if (position < scan.bounds.begin || position >= scan.bounds.end) {
      co_return ValidationError(
          "{}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
          "TotalSegments: {} Segment: {}",
          kInvalidStartKey, segments, segment);
    }
    StartBehind(position, true, scan.bounds);
  }
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.projection));
  VARVE_CO_RETURN_IF_ERROR(CheckKeyPaths(*table, expressions.filter));

  scan.table = table;
  scan.index = target.index();
  scan.fill_cache = false;
  scan.limit = request.limit;
  scan.bytes_max = page_bytes_max;
  scan.filter = expressions.filter ? &*expressions.filter : nullptr;
  scan.count_only = request.select == Select::kCount;
  scan.consistent_read = request.consistent_read;
  scan.return_consumed_capacity = request.return_consumed_capacity;
  co_return co_await ReadPage(std::move(scan));
}

io::Task<StatusOr<ItemPage>> Store::ReadPage(PageScan scan) {
  VARVE_CO_RETURN_IF_ERROR(AdmitRead(*scan.table, scan.index));
  ItemPage page;
  page.has_items = !scan.count_only;
  size_t page_bytes = 0;     // of what the page is read from
  size_t fetched_bytes = 0;  // of items read from the table for an index's sake
  double fetched_units = 0;
  const size_t page_bytes_max = scan.bytes_max.value_or(options_.page_bytes_max);
  if (scan.bounds.begin < scan.bounds.end) {
    engine::IteratorOptions options;
    options.lower_bound = scan.bounds.begin;
    options.upper_bound = scan.bounds.end;
    options.fill_cache = scan.fill_cache;
    // Index and table are read as of one moment.
    std::unique_ptr<engine::Snapshot> snapshot;
    if (scan.fetch) {
      snapshot = db_.GetSnapshot();
      options.snapshot = snapshot.get();
    }
    const std::unique_ptr<engine::Iterator> iterator = db_.NewIterator(options);
    if (scan.forward) {
      co_await iterator->SeekToFirstAsync();
    } else {
      co_await iterator->SeekToLastAsync();
    }
    // Counts what lies at `entry` and answers `item` for it; true if that fills the page, which
    // then ends with its last item's key, whether or not anything follows.
    const auto add = [&](const ItemView& entry, const ItemView& item) -> bool {
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
      const bool full = (scan.limit && page.scanned_count >= static_cast<uint64_t>(*scan.limit)) ||
                        page_bytes + fetched_bytes >= page_bytes_max;
      if (full) {
        page.last_evaluated_key = scan.index != nullptr ? CursorOf(*scan.index, entry)
                                                        : KeyOfItem(scan.table->key, entry);
      }
      return full;
    };
    bool full = false;
    while (!full && iterator->Valid()) {
      if (!scan.fetch) {
        const ItemView entry(iterator->value());
        page_bytes += entry.size_bytes();
        full = add(entry, entry);
        if (full) break;
        if (page.scanned_count % kItemsBetweenYields == 0) co_await io::Yield{};
        const bool ready = scan.forward ? iterator->StartNext() : iterator->StartPrev();
        if (!ready) co_await iterator->SettleAsync();
        continue;
      }
      // The items of some entries are read together, so that what is not in memory is waited for
      // once.
      ItemList entries;
      std::vector<std::string> keys;
      const uint64_t wanted = EntriesToFetch(page.scanned_count, page_bytes + fetched_bytes,
                                             page_bytes_max, scan.limit);
      while (entries.size() < wanted && iterator->Valid()) {
        const ItemView entry(iterator->value());
        entries.Append(entry);
        keys.push_back(EngineKey(scan.table->key_space, scan.table->key, entry));
        const bool ready = scan.forward ? iterator->StartNext() : iterator->StartPrev();
        if (!ready) co_await iterator->SettleAsync();
      }
      const std::vector<std::string_view> key_views(keys.begin(), keys.end());
      std::vector<std::optional<engine::PinnedValue>> items;
      VARVE_CO_RETURN_IF_ERROR(co_await db_.MultiGetAsync(key_views, &items, options));
      for (size_t i = 0; i < items.size() && !full; ++i) {
        if (!items[i]) {
          co_return Corruption("table {}: index {} has an entry without an item",
                               scan.table->description.table_name, scan.index->name);
        }
        const ItemView item(items[i]->view());
        const size_t item_bytes = item.size_bytes();
        page_bytes += entries.at(i).size_bytes();
        fetched_bytes += item_bytes;
        fetched_units += ReadUnits(item_bytes, scan.consistent_read);
        full = add(entries.at(i), item);
      }
      co_await io::Yield{};
    }
    VARVE_CO_RETURN_IF_ERROR(iterator->status());
  }
  page.scanned_bytes = page_bytes + fetched_bytes;
  const double units = ReadUnits(page_bytes, scan.consistent_read);
  ChargeRead(*scan.table, scan.index, units, fetched_units);
  page.consumed_capacity =
      Capacity(scan.return_consumed_capacity, *scan.table, scan.index, units, fetched_units);
  co_return page;
}

}  // namespace varve::item
