#include "server/dynamodb_api.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "item/errors.h"
#include "server/decode.h"
#include "server/encode.h"
#include "server/model_operations.h"
#include "server/operation_schemas.h"
#include "server/stream_codec.h"
#include "server/version.h"

namespace varve::server {
namespace {

namespace dom = simdjson::dom;
using item::Store;

// An operation belongs to one of two services, which share the port.
constexpr std::string_view kTables = "DynamoDB_20120810";
constexpr std::string_view kStreams = "DynamoDBStreams_20120810";
constexpr uint64_t kErrorLinesPerSecond = 10;
// A parser's memory grows with the largest document it has seen; beyond this it is given back.
constexpr size_t kParserBytesKept = size_t{256} << 10;
constexpr size_t kJsonBytesMax = size_t{64} << 20;

struct Call {
  Store* store;
  dom::object json;       // read before the first suspension only
  std::string_view host;  // by which the client reached the server
};

// Decodes, runs and answers one operation.
template <typename Request, typename Response,
          io::Task<StatusOr<Response>> (Store::*kMethod)(const Request&)>
io::Task<Status> Run(Call call, std::string* body) {
  Request request;
  Status decoded = Decode(call.json, &request);
  if (!decoded.ok()) co_return decoded;
  io::Task<StatusOr<Response>> task = (call.store->*kMethod)(request);
  StatusOr<Response> response = co_await task;
  if (!response.ok()) co_return response.status();
  Encode(*response, *body);
  co_return Status();
}

struct Operation {
  std::string_view name;
  std::string_view service;
  const Schema* schema;
  io::Task<Status> (*run)(Call, std::string*);
};

template <size_t kIndex>
io::Task<Status> RunModelOperation(Call call, std::string* body) {
  co_return AnswerModelOperation(kModelOperations[kIndex], *call.store, call.json, call.host, body);
}

template <size_t... kIndexes>
std::array<Operation, sizeof...(kIndexes)> ModelOperations(std::index_sequence<kIndexes...>) {
  return {Operation{kModelOperations[kIndexes].name, kTables,
                    &SchemaOfModelOperation(kModelOperations[kIndexes].parameter),
                    RunModelOperation<kIndexes>}...};
}

#define VARVE_OPERATION_OF(service, name)                                              \
  Operation {                                                                          \
#name, service, &k##name##Schema, Run < item::name##Request, item::name##Response, \
        &Store::name>                                                                  \
  }
#define VARVE_OPERATION(name) VARVE_OPERATION_OF(kTables, name)

constexpr Operation kItemOperations[] = {
    VARVE_OPERATION(BatchExecuteStatement),
    VARVE_OPERATION(BatchGetItem),
    VARVE_OPERATION(BatchWriteItem),
    VARVE_OPERATION(CreateTable),
    VARVE_OPERATION(DeleteItem),
    VARVE_OPERATION(DeleteTable),
    VARVE_OPERATION_OF(kStreams, DescribeStream),
    VARVE_OPERATION(DescribeTable),
    VARVE_OPERATION(DescribeTimeToLive),
    VARVE_OPERATION(ExecuteStatement),
    VARVE_OPERATION(ExecuteTransaction),
    VARVE_OPERATION(GetItem),
    VARVE_OPERATION_OF(kStreams, GetRecords),
    VARVE_OPERATION_OF(kStreams, GetShardIterator),
    VARVE_OPERATION_OF(kStreams, ListStreams),
    VARVE_OPERATION(ListTables),
    VARVE_OPERATION(ListTagsOfResource),
    VARVE_OPERATION(PutItem),
    VARVE_OPERATION(Query),
    VARVE_OPERATION(Scan),
    VARVE_OPERATION(TagResource),
    VARVE_OPERATION(TransactGetItems),
    VARVE_OPERATION(TransactWriteItems),
    VARVE_OPERATION(UntagResource),
    VARVE_OPERATION(UpdateItem),
    VARVE_OPERATION(UpdateTable),
    VARVE_OPERATION(UpdateTimeToLive),
};
#undef VARVE_OPERATION
#undef VARVE_OPERATION_OF

// All of them, by name.
const std::vector<Operation> kOperations = [] {
  const auto others = ModelOperations(std::make_index_sequence<std::size(kModelOperations)>());
  std::vector<Operation> operations(std::begin(kItemOperations), std::end(kItemOperations));
  operations.insert(operations.end(), others.begin(), others.end());
  std::sort(operations.begin(), operations.end(),
            [](const Operation& a, const Operation& b) { return a.name < b.name; });
  return operations;
}();

// The index of the operation that `target` names; kOperations.size() if there is none.
size_t FindOperation(std::string_view target) {
  const size_t dot = target.find('.');
  if (dot == std::string_view::npos) return kOperations.size();
  const std::string_view service = target.substr(0, dot);
  const auto found =
      std::lower_bound(kOperations.begin(), kOperations.end(), target.substr(dot + 1),
                       [](const Operation& a, std::string_view name) { return a.name < name; });
  if (found == kOperations.end() || found->name != target.substr(dot + 1) ||
      found->service != service) {
    return kOperations.size();
  }
  return static_cast<size_t>(found - kOperations.begin());
}

void AnswerError(const Status& status, HttpReply* reply) {
  reply->body.clear();
  reply->status = EncodeError(status, reply->body);
}

}  // namespace

DynamoDbApi::DynamoDbApi(io::Io& io, engine::Db* db, item::Store* store, Metrics* metrics,
                         size_t threads)
    : io_(io), db_(db), store_(store), metrics_(metrics) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) {
    parsers_.push_back(std::make_unique<dom::parser>(kJsonBytesMax));
  }
}

std::vector<std::string_view> DynamoDbApi::OperationNames() {
  std::vector<std::string_view> names;
  for (const Operation& operation : kOperations) names.push_back(operation.name);
  names.push_back("unknown");
  return names;
}

io::Task<void> DynamoDbApi::Handle(size_t worker, const HttpRequest& request, HttpReply* reply) {
  if (request.is_get) {
    reply->content_type = kPlainText;
    if (request.path == "/metrics") {
      reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
      reply->body = metrics_->Text();
    } else if (request.path == "/" || request.path == "/health") {
      const std::string error = db_->Stats().background_error;
      reply->body = fmt::format("healthy: varve {}\n", kVersion);
      if (!error.empty()) reply->body += fmt::format("background work fails: {}\n", error);
    } else {
      reply->status = 404;
      reply->body = "not found\n";
    }
    co_return;
  }
  const bool is_amz_json = request.content_type == kAmzJson;
  if (!request.is_post ||
      (!request.body.empty() && !is_amz_json && request.content_type != kJson)) {
    reply->status = 404;
    reply->content_type = kPlainText;
    reply->body = "<UnknownOperationException/>\n";
    co_return;
  }
  reply->content_type = is_amz_json ? kAmzJson : kJson;
  co_await Post(worker, request, reply);
}

io::Task<void> DynamoDbApi::Post(size_t worker, const HttpRequest& request, HttpReply* reply) {
  const uint64_t start_ns = io_.MonotonicNs();
  dom::parser& parser = *parsers_[worker];
  dom::element document;
  // The body has room for the parser's padding (kBodyPaddingBytes).
  const bool is_json =
      !request.body.empty() &&
      parser.parse(request.body.data(), request.body.size(), /*realloc_if_needed=*/false)
              .get(document) == simdjson::SUCCESS;
  const size_t index = FindOperation(request.target);
  Status status;
  bool known = true;
  if (!request.body.empty() && !is_json) {
    status = item::MakeError(item::ErrorType::kSerializationException, "");
  } else if (index == kOperations.size()) {
    known = false;
    reply->status = 400;
    reply->body = R"({"__type":"com.amazon.coral.service#UnknownOperationException"})";
  } else if (!is_json) {
    status = item::MakeError(item::ErrorType::kSerializationException, "");
  } else {
    const Operation& operation = kOperations[index];
    status = CheckRequest(document, *operation.schema);
    if (status.ok()) {
      const Call call{store_, document.get_object().value_unsafe(), request.host};
      io::Task<Status> task = operation.run(call, &reply->body);
      status = co_await task;
    }
  }
  if (!status.ok()) {
    AnswerError(status, reply);
    if (reply->status >= 500) LogError(request.target, status);
  }
  const std::string_view error_type = !status.ok() ? item::ErrorTypeName(item::TypeOfError(status))
                                      : known      ? std::string_view()
                                                   : "UnknownOperationException";
  const double seconds = static_cast<double>(io_.MonotonicNs() - start_ns) * 1e-9;
  metrics_->Count(index, error_type, seconds);
  if (spdlog::should_log(spdlog::level::debug)) {
    spdlog::debug("{} {} bytes: {} {} bytes {:.0f} us {}", request.target, request.body.size(),
                  reply->status, reply->body.size(), seconds * 1e6, error_type);
  }
  // Looked up again: another request may have replaced it while this one was suspended.
  if (parsers_[worker]->capacity() > kParserBytesKept) {
    parsers_[worker] = std::make_unique<dom::parser>(kJsonBytesMax);
  }
}

void DynamoDbApi::LogError(std::string_view operation, const Status& status) {
  const uint64_t second = io_.MonotonicNs() / 1'000'000'000;
  uint64_t unsaid = 0;
  {
    absl::MutexLock lock(&log_mutex_);
    if (second != log_second_) {
      unsaid = log_lines_ > kErrorLinesPerSecond ? log_lines_ - kErrorLinesPerSecond : 0;
      log_second_ = second;
      log_lines_ = 0;
    }
    if (++log_lines_ > kErrorLinesPerSecond) return;
  }
  if (unsaid > 0) spdlog::error("{} more requests failed", unsaid);
  spdlog::error("{}: {}", operation, Message(status));
}

}  // namespace varve::server
