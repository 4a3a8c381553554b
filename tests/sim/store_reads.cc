// Reads, and what they may see: of every item a version that was there at some moment between the
// read's beginning and its end, and of all items that are read at once, versions that were there
// together.
#include <algorithm>

#include "item/keys.h"
#include "tests/sim/store_run.h"

namespace varve::sim {

using item::ValueView;

// ---- Reading

io::Task<void> StoreRun::ReadPages() {
  TableModel* const table = RandomTable();
  const bool is_query = random_.OneIn(2);
  const bool forward = !is_query || random_.OneIn(2);
  const std::string partition = RandomKey(*table).at("p");
  const std::optional<int64_t> limit =
      random_.OneIn(2) ? std::optional<int64_t>(random_.Between(1, 10)) : std::nullopt;
  std::optional<item::Item> start;
  std::string after;  // engine key
  for (int pages = 0; pages < 50; ++pages) {
    if (table->gone || table->may_be_gone) co_return;
    Read read;
    read.what = is_query ? "query" : "scan";
    read.begun = ++tick_;
    StatusOr<item::ItemPage> page = absl::UnknownError("");
    if (is_query) {
      item::QueryRequest request;
      request.table_name = table->name;
      request.key_condition_expression = "p = :p";
      request.expression_parameters.values.emplace();
      request.expression_parameters.values->emplace_back(":p", item::Value(partition));
      request.limit = limit;
      request.scan_index_forward = forward;
      request.exclusive_start_key = start;
      page = co_await store_->Query(request);
    } else {
      item::ScanRequest request;
      request.table_name = table->name;
      request.limit = limit;
      request.exclusive_start_key = start;
      page = co_await store_->Scan(request);
    }
    read.ended = ++tick_;
    if (!page.ok()) {
      Expect(page.status(), table, read.what);
      co_return;
    }
    if (io_.crashed() || table->gone || table->may_be_gone) co_return;
    std::map<Attributes, Attributes> items;
    std::string last;
    for (size_t i = 0; i < page->items.size(); ++i) {
      const Attributes item = AttributesOf(page->items.at(i));
      const Attributes key = table->KeyOf(item);
      const std::string& place = table->ItemAt(key).engine_key();
      if (!last.empty() && (forward ? place <= last : place >= last)) {
        Complain(fmt::format("{} of {} out of order", read.what, table->name));
      }
      last = place;
      items[key] = item;
    }
    std::string until;
    if (page->last_evaluated_key) {
      until = table->ItemAt(AttributesOf(page->last_evaluated_key->view())).engine_key();
    }
    for (const auto& [key, history] : table->items) {
      if (is_query && key.at("p") != partition) continue;
      const std::string& place = history.engine_key();
      if (!after.empty() && (forward ? place <= after : place >= after)) continue;
      if (!until.empty() && (forward ? place > until : place < until)) continue;
      const auto found = items.find(key);
      State state;
      if (found != items.end()) {
        state = found->second;
        items.erase(found);
      }
      read.Add(table, key, std::move(state));
    }
    if (!items.empty()) {
      Complain(fmt::format("{} of {} answered {}, which it was not asked for", read.what,
                           table->name, Show(items.begin()->first)));
    }
    Note(fmt::format("page of {} {}: {} items", read.what, table->name, page->items.size()));
    Count("page of a " + read.what);
    reads_.push_back(std::move(read));
    if (!page->last_evaluated_key) co_return;
    start = page->last_evaluated_key;
    after = until;
  }
}

io::Task<void> StoreRun::ReadIndex() {
  TableModel* const table = RandomTable();
  if (table->indexes.empty()) co_return;
  const auto chosen =
      std::next(table->indexes.begin(), static_cast<long>(random_.Below(table->indexes.size())));
  IndexRead read;
  read.table = table;
  read.index = chosen->second;
  const item::SecondaryIndex& definition = read.index.definition;
  read.what = fmt::format("read of index {} of {}", definition.index_name, table->name);
  read.begun = ++tick_;
  const std::string& attribute = definition.key_schema[0].attribute_name;
  const bool has_one_partition_attribute =
      definition.key_schema.size() < 2 ||
      definition.key_schema[1].key_type == item::KeyType::kRange;
  if (random_.OneIn(2) && has_one_partition_attribute) {
    read.partition = attribute == "p"   ? RandomKey(*table).at("p")
                     : attribute == "g" ? Text(fmt::format("g{}", random_.Below(3)))
                                        : Text(fmt::format("t{}", random_.Below(4)));
  }
  const bool forward = !read.partition || random_.OneIn(2);
  const std::optional<int64_t> limit =
      random_.OneIn(2) ? std::optional<int64_t>(random_.Between(1, 10)) : std::nullopt;
  const auto may_fail = [&] {
    const auto now = table->indexes.find(definition.index_name);
    return table->gone || table->may_be_gone || now == table->indexes.end() ||
           now->second.may_be_missing || now->second.made != read.index.made;
  };
  std::optional<item::Item> start;
  std::vector<std::string> last;
  do {
    StatusOr<item::ItemPage> page = absl::UnknownError("");
    if (read.partition) {
      item::QueryRequest request;
      request.table_name = table->name;
      request.index_name = definition.index_name;
      request.key_condition_expression = attribute + " = :x";
      request.expression_parameters.values.emplace();
      request.expression_parameters.values->emplace_back(":x", item::Value(*read.partition));
      request.limit = limit;
      request.scan_index_forward = forward;
      request.exclusive_start_key = start;
      page = co_await store_->Query(request);
    } else {
      item::ScanRequest request;
      request.table_name = table->name;
      request.index_name = definition.index_name;
      request.limit = limit;
      request.exclusive_start_key = start;
      page = co_await store_->Scan(request);
    }
    if (io_.crashed() || may_fail()) co_return;
    if (!page.ok()) {
      const bool is_refused =
          item::TypeOfError(page.status()) == item::ErrorType::kValidationException ||
          item::TypeOfError(page.status()) == item::ErrorType::kResourceNotFoundException;
      if (!read.index.readable && is_refused) co_return;
      Expect(page.status(), table, read.what);
      co_return;
    }
    for (size_t i = 0; i < page->items.size(); ++i) {
      read.entries.push_back(AttributesOf(page->items.at(i)));
      // Of a scan the order is that of hashes.
      if (!read.partition) continue;
      std::vector<std::string> place = PlaceOf(*table, read.index, read.entries.back());
      if (!last.empty() && (forward ? place <= last : place >= last)) {
        Complain(read.what + " is out of order");
      }
      last = std::move(place);
    }
    start = page->last_evaluated_key;
  } while (start);
  read.ended = ++tick_;
  Note(fmt::format("{}: {} entries", read.what, read.entries.size()));
  Count("read of an index");
  index_reads_.push_back(std::move(read));
}

// ---- Judging

void StoreRun::JudgeReads() {
  for (const Read& read : reads_) {
    if (!complaint_) JudgeRead(read);
  }
  for (const IndexRead& read : index_reads_) {
    if (!complaint_) JudgeIndexRead(read);
  }
  reads_.clear();
  index_reads_.clear();
}

void StoreRun::JudgeRead(const Read& read) {
  std::vector<Fact> facts;
  for (const Read::Seen& seen : read.seen) {
    if (seen.table->gone) return;
    facts.push_back({seen.table, seen.key, Show(seen.state),
                     [&seen](const State& state) { return state == seen.state; }});
  }
  const auto why = NoMoment(facts, read.begun, read.ended);
  if (!why) return;
  Complain(fmt::format("{} ({}-{}) of {} items saw no moment of the order of commits: {}",
                       read.what, read.begun, read.ended, read.seen.size(), *why));
}

void StoreRun::JudgeIndexRead(const IndexRead& read) {
  if (read.table->gone) return;
  std::map<Attributes, std::vector<Attributes>> seen;
  for (const Attributes& entry : read.entries) seen[read.table->KeyOf(entry)].push_back(entry);
  const Moments moments = MomentsOf(read.begun, read.ended);
  for (const auto& [key, history] : read.table->items) {
    const std::vector<Version>& versions = history.versions();
    bool may_be_missing = false;
    std::vector<Attributes> entries;  // that were there
    for (size_t i = 0; i < versions.size(); ++i) {
      const bool is_later = versions[i].sequence > moments.last;
      if (is_later) break;
      if (i + 1 < versions.size() && versions[i + 1].sequence <= moments.first) continue;
      const State entry = EntryOf(*read.table, read.index, versions[i].state);
      const std::string& attribute = read.index.definition.key_schema[0].attribute_name;
      if (!entry || (read.partition && entry->at(attribute) != *read.partition)) {
        may_be_missing = true;
      } else {
        entries.push_back(*entry);
      }
    }
    std::vector<std::vector<std::string>> places;
    for (const Attributes& entry : entries) {
      places.push_back(PlaceOf(*read.table, read.index, entry));
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    // One that moves while pages are read may be met twice, or never.
    if (places.size() > 1) may_be_missing = true;
    const auto found = seen.find(key);
    if (found == seen.end()) {
      if (may_be_missing || entries.empty()) continue;
      Complain(fmt::format("{} ({}-{}) missed an entry; {}", read.what, read.begun, read.ended,
                           Describe(*read.table, key)));
      return;
    }
    for (const Attributes& entry : found->second) {
      if (std::find(entries.begin(), entries.end(), entry) != entries.end()) continue;
      Complain(fmt::format("{} ({}-{}) saw {}; {}", read.what, read.begun, read.ended, Show(entry),
                           Describe(*read.table, key)));
      return;
    }
    if (found->second.size() > std::max<size_t>(places.size(), 1)) {
      Complain(fmt::format("{} saw an item twice; {}", read.what, Describe(*read.table, key)));
      return;
    }
    seen.erase(found);
  }
  if (!seen.empty()) {
    Complain(
        fmt::format("{} saw an item that never was: {}", read.what, Show(seen.begin()->first)));
  }
}

}  // namespace varve::sim
