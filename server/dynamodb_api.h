// DynamoDB's JSON 1.0 protocol over item/: what an HTTP request asks for, done and answered.
//
//   POST /           X-Amz-Target: DynamoDB_20120810.PutItem, the parameters as JSON
//   GET /, /health   "healthy" and the version
//   GET /metrics     figures for Prometheus
//
// Order of checks, as the service does them: method and content type, JSON, operation, types,
// constraints, and then what the operation itself checks.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <simdjson.h>

#include <memory>
#include <string_view>
#include <vector>

#include "engine/db.h"
#include "item/store.h"
#include "server/http_server.h"
#include "server/metrics.h"

namespace varve::server {

class DynamoDbApi : public HttpHandler {
 public:
  // All must outlive the api. `threads`: how many workers call it.
  DynamoDbApi(io::Io& io, engine::Db* db, item::Store* store, Metrics* metrics, size_t threads);

  io::Task<void> Handle(size_t worker, const HttpRequest& request, HttpReply* reply) override;

  // Internal errors go to the log with their context, a few a second.
  void LogError(std::string_view operation, const Status& status);

  // The names that Metrics counts under: the operations', then "unknown".
  static std::vector<std::string_view> OperationNames();

 private:
  io::Task<void> Post(size_t worker, const HttpRequest& request, HttpReply* reply);

  io::Io& io_;
  engine::Db* const db_;
  item::Store* const store_;
  Metrics* const metrics_;
  // One a worker; its document is used only until the operation's first suspension.
  std::vector<std::unique_ptr<simdjson::dom::parser>> parsers_;

  absl::Mutex log_mutex_;
  uint64_t log_second_ ABSL_GUARDED_BY(log_mutex_) = 0;
  uint64_t log_lines_ ABSL_GUARDED_BY(log_mutex_) = 0;
};

}  // namespace varve::server
