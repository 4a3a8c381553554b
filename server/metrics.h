// What the server counts, in Prometheus' terms. docs/server.md lists the metrics.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/db.h"
#include "item/store.h"
#include "server/binary_server.h"
#include "server/http_server.h"

namespace varve::server {

// Thread-safe.
class Metrics {
 public:
  // `operations`: the names under which requests are counted, by index.
  explicit Metrics(const std::vector<std::string_view>& operations);

  // One request of operation `operation` was answered with `error_type` ("" if it succeeded) after
  // `seconds`.
  void Count(size_t operation, std::string_view error_type, double seconds);

  // Where the rest of the figures is read when they are asked for; nullptr: nowhere.
  void Observe(const engine::Db* db) { db_ = db; }
  void Observe(const HttpServer* http) { http_ = http; }
  void Observe(const BinaryServer* binary) { binary_ = binary; }
  void Observe(const item::Store* store) { store_ = store; }

  // Everything, in the text format.
  std::string Text() const;

 private:
  std::vector<prometheus::MetricFamily> CollectHttp() const;
  std::vector<prometheus::MetricFamily> CollectBinary() const;
  std::vector<prometheus::MetricFamily> CollectEngine() const;
  std::vector<prometheus::MetricFamily> CollectStore() const;

  prometheus::Registry registry_;
  const std::vector<std::string> operations_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Counter>& errors_;
  std::vector<prometheus::Counter*> request_counters_;
  std::vector<prometheus::Histogram*> seconds_;
  std::atomic<const engine::Db*> db_ = nullptr;
  std::atomic<const HttpServer*> http_ = nullptr;
  std::atomic<const BinaryServer*> binary_ = nullptr;
  std::atomic<const item::Store*> store_ = nullptr;
};

}  // namespace varve::server
