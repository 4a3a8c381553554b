#include "client/client.h"

#include <algorithm>
#include <cctype>

#include "client/lane.h"
#include "io/loop.h"
#include "io/network.h"

namespace varve::client {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr size_t kTokenBytesMax = 36;

Status CheckOptions(const ClientOptions& options) {
  if (options.threads < 1 || options.connections_per_thread < 1) {
    return InvalidArgument("a client needs a thread and a connection at least");
  }
  if (options.attempts_max < 1 || options.calls_max < 1) {
    return InvalidArgument("attempts_max and calls_max are at least 1");
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<Client>> Client::Open(ClientOptions options) {
  VARVE_RETURN_IF_ERROR(CheckOptions(options));
  if (options.server.socket_path.empty()) {
    VARVE_ASSIGN_OR_RETURN(options.server.address, io::ResolveHost(options.server.address));
  }
  // Of each call the client says it itself.
  options.server.timeout_ms = 0;
  return std::unique_ptr<Client>(new Client(std::move(options)));
}

Client::Client(ClientOptions options) : options_(std::move(options)) {
  if (options_.io == nullptr) own_io_ = io::NewIo();
  io_ = options_.io != nullptr ? options_.io : own_io_.get();
  for (size_t i = 0; i < options_.threads; ++i) {
    lanes_.push_back(std::make_unique<Lane>(*io_, *this, options_));
  }
}

Client::~Client() { lanes_.clear(); }

void Client::Submit(const std::shared_ptr<Request>& request, const RequestOptions& options) {
  const uint64_t timeout_ms = options.timeout_ms.value_or(options_.timeout_ms);
  if (timeout_ms != 0) request->deadline_ns_ = io::MonotonicNowNs() + timeout_ms * kNsPerMs;
  request->prepared_ = options.prepared.definition_;
  request->token_ = options.request_token;
  if (request->token_.empty() && options_.write_tokens &&
      request->kind_ == OperationKind::kTokenWrite) {
    request->token_ = RandomToken();
  }
  if (calls_.fetch_add(1, std::memory_order_relaxed) >= options_.calls_max) {
    calls_.fetch_sub(1, std::memory_order_relaxed);
    request->status_ =
        ResourceExhausted("{} requests are under way: wait for some", options_.calls_max);
    return request->Complete();
  }
  const size_t lane =
      lanes_.size() == 1 ? 0 : next_lane_.fetch_add(1, std::memory_order_relaxed) % lanes_.size();
  lanes_[lane]->Submit(request);
}

std::string Client::RandomToken() {
  std::string token = fmt::format("{:016x}{:016x}", io_->RandomU64(), io_->RandomU64());
  static_assert(2 * 16 <= kTokenBytesMax);
  return token;
}

bool Client::IsSelect(std::string_view statement) {
  constexpr std::string_view kSelect = "select";
  size_t begin = 0;
  while (begin < statement.size() && std::isspace(static_cast<unsigned char>(statement[begin]))) {
    ++begin;
  }
  statement.remove_prefix(begin);
  if (statement.size() < kSelect.size()) return false;
  return std::equal(kSelect.begin(), kSelect.end(), statement.begin(), [](char a, char b) {
    return a == std::tolower(static_cast<unsigned char>(b));
  });
}

Reply<protocol::JsonResponse> Client::Json(std::string_view operation, std::string_view body,
                                           const RequestOptions& options) {
  protocol::JsonRequest request;
  request.operation = operation;
  request.body = body;
  const std::string_view name = operation.substr(operation.rfind('.') + 1);
  constexpr std::string_view kReads[] = {"GetItem",          "Query",    "Scan", "BatchGetItem",
                                         "TransactGetItems", "Describe", "List", "GetRecords",
                                         "GetShardIterator"};
  const bool reads = std::any_of(std::begin(kReads), std::end(kReads),
                                 [name](std::string_view read) { return name.starts_with(read); });
  return Start<protocol::JsonResponse>(protocol::FrameType::kJson,
                                       reads ? OperationKind::kRepeatable : OperationKind::kWrite,
                                       request, options);
}

Prepared Client::Prepare(protocol::PrepareRequest definition) {
  static std::atomic<uint64_t> definitions{0};
  auto made = std::make_shared<PreparedDefinition>();
  made->id = definitions.fetch_add(1, std::memory_order_relaxed);
  made->request = std::move(definition);
  Prepared prepared;
  prepared.definition_ = std::move(made);
  return prepared;
}

// ---- Pages

Pages Client::QueryPages(item::QueryRequest request, RequestOptions options) {
  std::optional<item::Item> start = std::move(request.exclusive_start_key);
  return Pages(
      [this, request = std::move(request),
       options = std::move(options)](std::optional<item::Item> key) mutable {
        request.exclusive_start_key = std::move(key);
        return Query(request, options);
      },
      std::move(start));
}

Pages Client::ScanPages(item::ScanRequest request, RequestOptions options) {
  std::optional<item::Item> start = std::move(request.exclusive_start_key);
  return Pages(
      [this, request = std::move(request),
       options = std::move(options)](std::optional<item::Item> key) mutable {
        request.exclusive_start_key = std::move(key);
        return Scan(request, options);
      },
      std::move(start));
}

Pages::Pages(Ask ask, std::optional<item::Item> start) : ask_(std::move(ask)) {
  next_ = ask_(std::move(start));
}

StatusOr<std::optional<item::ItemPage>> Pages::Use(StatusOr<item::ItemPage> page) {
  next_.reset();
  if (!page.ok()) return page.status();
  if (page->last_evaluated_key.has_value()) next_ = ask_(page->last_evaluated_key);
  return std::optional<item::ItemPage>(std::move(*page));
}

StatusOr<std::optional<item::ItemPage>> Pages::Next() {
  if (!next_.has_value()) return std::optional<item::ItemPage>();
  return Use(next_->Get());
}

io::Task<StatusOr<std::optional<item::ItemPage>>> Pages::AwaitNext() {
  if (!next_.has_value()) co_return std::optional<item::ItemPage>();
  StatusOr<item::ItemPage> page = co_await *next_;
  co_return Use(std::move(page));
}

}  // namespace varve::client
