#include "server/metrics.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <map>
#include <utility>

#include "server/latency.h"

namespace varve::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric Sample(MetricType type, double value) {
  ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

void Add(std::vector<MetricFamily>& families, MetricType type, std::string name, std::string help,
         double value) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  family.metric.push_back(Sample(type, value));
  families.push_back(std::move(family));
}

double Get(const std::atomic<uint64_t>& counter) {
  return static_cast<double>(counter.load(std::memory_order_relaxed));
}

double Seconds(uint64_t us) { return static_cast<double>(us) / 1e6; }

const prometheus::Histogram::BucketBoundaries& SecondsBuckets() {
  static const auto& buckets = *new prometheus::Histogram::BucketBoundaries([] {
    prometheus::Histogram::BucketBoundaries bounds;
    for (const uint64_t us : kLatencyBoundsUs) bounds.push_back(Seconds(us));
    return bounds;
  }());
  return buckets;
}

void Fill(const LatencyFigures& figures, prometheus::ClientMetric::Histogram* histogram) {
  uint64_t count = 0;
  for (size_t i = 0; i < kLatencyBuckets; ++i) {
    count += figures.counts[i];
    const bool bounded = i < kLatencyBoundsUs.size();
    histogram->bucket.push_back(
        {count, bounded ? Seconds(kLatencyBoundsUs[i]) : std::numeric_limits<double>::infinity()});
  }
  histogram->sample_count = count;
  histogram->sample_sum = static_cast<double>(figures.sum_ns) / 1e9;
}

}  // namespace

Metrics::Metrics(const std::vector<std::string_view>& operations)
    : operations_(operations.begin(), operations.end()),
      requests_(prometheus::BuildCounter()
                    .Name("varve_requests_total")
                    .Help("Requests answered, by operation")
                    .Register(registry_)),
      errors_(prometheus::BuildCounter()
                  .Name("varve_request_errors_total")
                  .Help("Requests answered with an error, by operation and type of error")
                  .Register(registry_)) {
  auto& seconds = prometheus::BuildHistogram()
                      .Name("varve_request_seconds")
                      .Help("Time from a complete request to its answer, by operation")
                      .Register(registry_);
  for (const std::string& operation : operations_) {
    request_counters_.push_back(&requests_.Add({{"operation", operation}}));
    seconds_.push_back(&seconds.Add({{"operation", operation}}, SecondsBuckets()));
  }
}

void Metrics::Count(size_t operation, std::string_view error_type, double seconds) {
  request_counters_[operation]->Increment();
  seconds_[operation]->Observe(seconds);
  if (!error_type.empty()) {
    errors_.Add({{"operation", operations_[operation]}, {"type", std::string(error_type)}})
        .Increment();
  }
}

std::vector<MetricFamily> Metrics::CollectHttp() const {
  std::vector<MetricFamily> families;
  const HttpServer* const http = http_.load();
  if (http == nullptr) return families;
  const HttpCounters& counters = http->counters();
  Add(families, MetricType::Gauge, "varve_connections", "Open connections",
      Get(counters.connections_open));
  Add(families, MetricType::Counter, "varve_connections_accepted_total", "Connections accepted",
      Get(counters.connections_accepted));
  Add(families, MetricType::Counter, "varve_connections_refused_total",
      "Connections refused because too many were open", Get(counters.connections_refused));
  Add(families, MetricType::Gauge, "varve_requests_in_progress", "Requests being handled",
      Get(counters.requests_in_progress));
  Add(families, MetricType::Counter, "varve_requests_refused_total",
      "Requests that were not HTTP or exceeded a limit", Get(counters.requests_refused));
  Add(families, MetricType::Counter, "varve_client_timeouts_total",
      "Connections cut off in the middle of a request or an answer", Get(counters.timeouts));
  Add(families, MetricType::Counter, "varve_received_bytes_total", "Bytes received from clients",
      Get(counters.received_bytes));
  Add(families, MetricType::Counter, "varve_sent_bytes_total", "Bytes sent to clients",
      Get(counters.sent_bytes));
  Add(families, MetricType::Gauge, "varve_request_body_bytes",
      "Memory held by large request bodies", static_cast<double>(http->body_memory_bytes()));
  return families;
}

std::vector<MetricFamily> Metrics::CollectBinary() const {
  std::vector<MetricFamily> families;
  const BinaryServer* const binary = binary_.load();
  if (binary == nullptr) return families;
  const BinaryFigures figures = binary->Figures();
  const auto add = [&](MetricType type, std::string name, std::string help, uint64_t value) {
    Add(families, type, "varve_binary_" + name, std::move(help), static_cast<double>(value));
  };
  add(MetricType::Gauge, "connections", "Open binary connections", figures.connections_open);
  add(MetricType::Counter, "connections_accepted_total", "Binary connections accepted",
      figures.connections_accepted);
  add(MetricType::Counter, "connections_refused_total",
      "Binary connections refused because too many were open", figures.connections_refused);
  add(MetricType::Counter, "connections_broken_total",
      "Binary connections ended by a frame against the rules or over a limit",
      figures.connections_broken);
  add(MetricType::Counter, "timeouts_total",
      "Binary connections cut off in the middle of a frame or an answer", figures.timeouts);
  add(MetricType::Gauge, "requests_in_progress", "Binary requests being handled",
      figures.requests_in_progress);
  add(MetricType::Counter, "received_bytes_total", "Bytes received from binary clients",
      figures.received_bytes);
  add(MetricType::Counter, "sent_bytes_total", "Bytes sent to binary clients", figures.sent_bytes);
  add(MetricType::Gauge, "request_memory_bytes", "Memory held by requests that wait or are partial",
      figures.request_memory_bytes);
  add(MetricType::Gauge, "answer_memory_bytes", "Memory held by answers that were not taken yet",
      figures.answer_memory_bytes);
  // A stream of pages counts as what it consists of.
  const auto name_of = [](size_t type) {
    const auto name = protocol::OperationName(static_cast<protocol::FrameType>(type));
    return name.empty() ? "other" : name;
  };
  const auto by_operation = [&](std::string name, std::string help,
                                const std::array<uint64_t, 256>& counts) {
    MetricFamily family;
    family.name = "varve_binary_" + name;
    family.help = std::move(help);
    family.type = MetricType::Counter;
    std::map<std::string_view, uint64_t> sums;
    for (size_t type = 0; type < counts.size(); ++type) {
      if (counts[type] > 0) sums[name_of(type)] += counts[type];
    }
    for (const auto& [name, count] : sums) {
      ClientMetric metric = Sample(MetricType::Counter, static_cast<double>(count));
      metric.label.push_back({"operation", std::string(name)});
      family.metric.push_back(std::move(metric));
    }
    if (!family.metric.empty()) families.push_back(std::move(family));
  };
  by_operation("requests_total", "Binary requests answered, by operation", figures.answers);
  by_operation("request_errors_total", "Binary requests answered with an error, by operation",
               figures.errors);

  MetricFamily seconds;
  seconds.name = "varve_binary_request_seconds";
  seconds.help = "Time from a complete binary request that may begin to its answer, by operation";
  seconds.type = MetricType::Histogram;
  std::map<std::string_view, LatencyFigures> latencies;
  for (size_t type = 0; type < figures.latencies.size(); ++type) {
    if (figures.answers[type] > 0) latencies[name_of(type)].Add(figures.latencies[type]);
  }
  for (const auto& [name, figures_of_name] : latencies) {
    ClientMetric metric;
    metric.label.push_back({"operation", std::string(name)});
    Fill(figures_of_name, &metric.histogram);
    seconds.metric.push_back(std::move(metric));
  }
  if (!seconds.metric.empty()) families.push_back(std::move(seconds));
  return families;
}

std::vector<MetricFamily> Metrics::CollectEngine() const {
  std::vector<MetricFamily> families;
  const engine::Db* const db = db_.load();
  if (db == nullptr) return families;
  const engine::DbStats stats = db->Stats();
  const auto gauge = [&](std::string name, std::string help, uint64_t value) {
    Add(families, MetricType::Gauge, "varve_engine_" + name, std::move(help),
        static_cast<double>(value));
  };
  const auto counter = [&](std::string name, std::string help, uint64_t value) {
    Add(families, MetricType::Counter, "varve_engine_" + name + "_total", std::move(help),
        static_cast<double>(value));
  };
  gauge("partitions", "Partitions", stats.partitions);
  gauge("table_files", "Table files", stats.table_files);
  gauge("table_bytes", "Bytes of table files", stats.table_bytes);
  gauge("value_files", "Value files", stats.value_files);
  gauge("value_file_bytes", "Bytes of value files", stats.value_file_bytes);
  gauge("log_segments", "Log segments", stats.log_segments);
  gauge("log_bytes", "Bytes of the log that are still needed", stats.log_bytes);
  gauge("snapshots", "Open snapshots", stats.snapshots);
  gauge("memtable_bytes", "Memory of all memtables", stats.memtable_bytes);
  gauge("block_cache_bytes", "Memory of the block cache", stats.block_cache_bytes);
  gauge("block_cache_pinned_bytes", "Memory of the block cache that reads hold",
        stats.block_cache_pinned_bytes);
  gauge("open_tables", "Open tables", stats.open_tables);
  gauge("background_failing", "1 if background work fails", stats.background_error.empty() ? 0 : 1);
  counter("user_bytes_written", "Bytes of keys and values written", stats.user_bytes_written);
  counter("batches_written", "Batches committed", stats.batches_written);
  counter("log_bytes_written", "Bytes written to the log", stats.log_bytes_written);
  counter("flushes", "Flushes", stats.flushes);
  counter("flush_bytes_written", "Bytes written by flushes", stats.flush_bytes_written);
  counter("compactions", "Compactions", stats.compactions);
  counter("compaction_bytes_read", "Bytes read by compactions", stats.compaction_bytes_read);
  counter("compaction_bytes_written", "Bytes written by compactions",
          stats.compaction_bytes_written);
  counter("block_cache_misses", "Blocks read from files", stats.block_cache_misses);
  counter("slowed_writes", "Writes delayed by back-pressure", stats.slowed_writes);
  Add(families, MetricType::Counter, "varve_engine_slowed_write_seconds_total",
      "Time by which back-pressure delayed writes",
      static_cast<double>(stats.slowed_write_ns) * 1e-9);

  MetricFamily tables;
  tables.name = "varve_engine_level_bytes";
  tables.help = "Bytes of tables, by level";
  tables.type = MetricType::Gauge;
  for (size_t level = 0; level < stats.levels.size(); ++level) {
    ClientMetric metric = Sample(MetricType::Gauge, static_cast<double>(stats.levels[level].bytes));
    metric.label.push_back({"level", std::to_string(level)});
    tables.metric.push_back(std::move(metric));
  }
  if (!tables.metric.empty()) families.push_back(std::move(tables));
  return families;
}

std::vector<MetricFamily> Metrics::CollectStore() const {
  std::vector<MetricFamily> families;
  const item::Store* const store = store_.load();
  if (store == nullptr) return families;
  Add(families, MetricType::Gauge, "varve_time_to_live_lag_seconds",
      "How long the item that expired first has been waiting to be deleted",
      static_cast<double>(store->time_to_live_lag_s()));
  Add(families, MetricType::Counter, "varve_time_to_live_deleted_total",
      "Items deleted because they had expired", static_cast<double>(store->time_to_live_deleted()));
  return families;
}

std::string Metrics::Text() const {
  std::vector<MetricFamily> families = registry_.Collect();
  for (MetricFamily& family : CollectHttp()) families.push_back(std::move(family));
  for (MetricFamily& family : CollectBinary()) families.push_back(std::move(family));
  for (MetricFamily& family : CollectEngine()) families.push_back(std::move(family));
  for (MetricFamily& family : CollectStore()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace varve::server
