// Client: asks a Varve server, from any thread.
//
//   StatusOr<std::unique_ptr<client::Client>> client = client::Client::Open({});
//   if (!client.ok()) ...
//
//   item::PutItemRequest put;
//   put.table_name = "Packages";
//   put.item = client::MakeItem({{"name", "varve"}, {"size", 7}});     // client/items.h
//   if (auto response = (*client)->PutItem(put).Get(); !response.ok())
//     Complain(item::TypeOfError(response.status()), Message(response.status()));
//
//   item::GetItemRequest get;
//   get.table_name = "Packages";
//   get.key = client::MakeItem({{"name", "varve"}});
//   auto response = (*client)->GetItem(get).Get();
//   if (response.ok() && response->item)
//     std::cout << client::IntegerOf(*response->item, "size").value_or(0);
//
// Requests and responses are the structs of item/requests.h and its neighbours, so a server is
// asked as an item::Store is. Every operation returns a Reply (client/reply.h), to be waited for by
// Get(), Future() or co_await. Requests are encoded before the operation returns and need not live
// any longer.
//
// Thread-safe. The client has threads of its own, each with connections of its own; requests of any
// number of threads are pipelined on them. Connections are opened when they are first needed and
// opened again when they break, at growing distances. Replies must not be waited for on the
// client's own threads, which is where nobody's code runs but the client's; every other place will
// do.
//
// Errors. A Status carries the service's type of error (item/errors.h: TypeOfError, ItemOfError,
// ReasonsOfError). Besides what the server says there are
//
//   Unavailable         the server cannot be reached, or the connection broke and the request was
//   of
//                       a kind that is not sent again
//   DeadlineExceeded    not answered in time; a write may have taken effect
//   Cancelled           by Reply::Cancel, or because the client was destroyed
//   ResourceExhausted   calls_max requests are under way
//
// Retries. A request is sent again, up to attempts_max times in all, if that is safe:
//   - a read (Query, DescribeTable, ...; ExecuteStatement of a SELECT): whatever broke;
//   - any request of which nothing was sent, or of which the server says that nothing was done and
//     that it may succeed later (throttling, a conflict with a transaction);
//   - a write with a request token, if the server heeds them, or a transaction with a client
//   request
//     token: it takes effect once, however often it is sent. ClientOptions::write_tokens gives
//     every write a token.
// Nothing else is: a write whose connection broke before the answer fails with Unavailable, and may
// or may not have taken effect.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/connection.h"
#include "client/items.h"
#include "client/operations.h"
#include "client/reply.h"
#include "io/io.h"

namespace varve::client {

class Lane;

struct ClientOptions {
  // Where the server is, and what each connection is like. The address may be a host's name, which
  // is looked up once, by Open. Its timeout_ms is not used.
  ConnectionOptions server;

  // Threads of the client, and connections of each. One connection takes any number of requests at
  // once; more of them spread over more of the server's threads.
  size_t threads = 1;
  size_t connections_per_thread = 2;

  // Of a request, with all its attempts. 0: as long as it takes.
  uint64_t timeout_ms = 10'000;
  // How often a request is sent, at most, and how often a connection is tried for it.
  uint32_t attempts_max = 4;
  // Between attempts: the first time about this long, then twice as long each time, up to the
  // second. Each is shortened at random by up to a half.
  uint64_t backoff_first_ms = 10;
  uint64_t backoff_max_ms = 1'000;

  // Gives PutItem, UpdateItem, DeleteItem, BatchWriteItem and transactions without a token a random
  // one, so that they are sent again when a connection breaks. The server keeps tokens for ten
  // minutes, which costs it a write each.
  bool write_tokens = false;

  // Requests under way at once; more are refused.
  size_t calls_max = 100'000;

  // Where the threads come from; null: the client's own. Must outlive the client.
  io::Io* io = nullptr;
};

// Expressions that connections prepare when they are first used there, and again whenever that is
// needed. Cheap to copy; thread-safe.
class Prepared {
 public:
  Prepared() = default;

 private:
  friend class Client;
  std::shared_ptr<const PreparedDefinition> definition_;
};

struct RequestOptions {
  // Instead of ClientOptions::timeout_ms.
  std::optional<uint64_t> timeout_ms = std::nullopt;
  // Instead of the request's expressions and the names they use, which are left out of it.
  Prepared prepared = {};
  // Of PutItem, UpdateItem, DeleteItem and BatchWriteItem: 1 to 36 random bytes. The same request
  // with the same token takes effect once within ten minutes.
  std::string_view request_token = {};
};

// Pages of a query or scan one after another; the next one is fetched while the last is looked at.
//
//   client::Pages pages = client->QueryPages(request);
//   for (;;) {
//     StatusOr<std::optional<item::ItemPage>> page = pages.Next();
//     if (!page.ok()) ...
//     if (!page->has_value()) break;
//     for (item::ItemView item : (*page)->items) ...
//   }
//
// Each page is a request, so a connection that breaks in between costs nothing but time. In
// coroutines use AwaitNext. Not thread-safe.
class Pages {
 public:
  // The next page; nothing after the last. After an error there is nothing more.
  StatusOr<std::optional<item::ItemPage>> Next();
  io::Task<StatusOr<std::optional<item::ItemPage>>> AwaitNext();

 private:
  friend class Client;
  // Asks for the page that begins at the given key.
  using Ask = std::function<Reply<item::ItemPage>(std::optional<item::Item> start)>;
  Pages(Ask ask, std::optional<item::Item> start);
  StatusOr<std::optional<item::ItemPage>> Use(StatusOr<item::ItemPage> page);

  Ask ask_;
  std::optional<Reply<item::ItemPage>> next_;
};

class Client {
 public:
  // Starts the threads; the first requests connect. InvalidArgument for options without sense,
  // Unavailable if the server's name is unknown.
  static StatusOr<std::unique_ptr<Client>> Open(ClientOptions options);

  // Requests that are under way end with Cancelled. Returns when all connections are closed, which
  // takes the server's connect_timeout_ms at most. Nobody may be calling the client.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // ---- Operations: Reply<item::GetItemResponse> GetItem(const item::GetItemRequest&, options),
  // and so on for every name in client/operations.h.
#define VARVE_CLIENT_OPERATION(Name, kind)                                                         \
  Reply<item::Name##Response> Name(const item::Name##Request& request,                             \
                                   const RequestOptions& options = {}) {                           \
    return Start<item::Name##Response>(protocol::FrameType::k##Name, OperationKind::kind, request, \
                                       options);                                                   \
  }
  VARVE_CLIENT_OPERATIONS(VARVE_CLIENT_OPERATION)
#undef VARVE_CLIENT_OPERATION

  // All pages. The request's exclusive_start_key is where they begin, its limit that of each page.
  Pages QueryPages(item::QueryRequest request, RequestOptions options = {});
  Pages ScanPages(item::ScanRequest request, RequestOptions options = {});

  // Any operation of the HTTP API by its name ("PutItem"), with the JSON that it would have there:
  // the answer has HTTP's status and body, of errors, too.
  Reply<protocol::JsonResponse> Json(std::string_view operation, std::string_view body,
                                     const RequestOptions& options = {});

  // Nothing is sent yet: what is wrong with the expressions is said by the first request that uses
  // them.
  //
  //   protocol::PrepareRequest definition;
  //   definition.table_name = "Packages";
  //   definition.operation = static_cast<uint64_t>(protocol::FrameType::kQuery);
  //   definition.key_condition_expression = "#n = :n";
  //   definition.names = {{"#n", "name"}};
  //   const client::Prepared by_name = client->Prepare(std::move(definition));
  //   auto page = client->Query(request, {.prepared = by_name}).Get();
  Prepared Prepare(protocol::PrepareRequest definition);

  const ClientOptions& options() const { return options_; }
  // Requests under way.
  size_t calls() const { return calls_.load(std::memory_order_relaxed); }

 private:
  friend class Lane;

  explicit Client(ClientOptions options);

  template <typename Response, typename RequestStruct>
  Reply<Response> Start(protocol::FrameType type, OperationKind kind, const RequestStruct& request,
                        const RequestOptions& options) {
    auto call = std::make_shared<RequestFor<Response>>(type, KindOf(kind, request));
    if constexpr (requires { request.client_request_token; }) {
      if (options_.write_tokens && !request.client_request_token.has_value()) {
        RequestStruct with_token = request;
        with_token.client_request_token = RandomToken();
        protocol::EncodeRequest(with_token, {}, call->fields_);
        Submit(call, options);
        return Reply<Response>(std::move(call));
      }
    }
    protocol::EncodeRequest(request, {}, call->fields_);
    Submit(call, options);
    return Reply<Response>(std::move(call));
  }

  // What sending `request` twice may do, looked at more closely.
  template <typename RequestStruct>
  OperationKind KindOf(OperationKind kind, const RequestStruct& request) const {
    if constexpr (requires { request.client_request_token; }) {
      // With a token it takes effect once.
      if (options_.write_tokens || request.client_request_token) return OperationKind::kRepeatable;
    } else if constexpr (std::is_same_v<RequestStruct, item::ExecuteStatementRequest>) {
      if (IsSelect(request.statement.statement)) return OperationKind::kRepeatable;
    }
    return kind;
  }
  static bool IsSelect(std::string_view statement);

  std::string RandomToken();
  void Submit(const std::shared_ptr<Request>& request, const RequestOptions& options);

  ClientOptions options_;
  std::unique_ptr<io::Io> own_io_;
  io::Io* io_ = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<size_t> next_lane_{0};
  std::atomic<size_t> calls_{0};
};

}  // namespace varve::client
