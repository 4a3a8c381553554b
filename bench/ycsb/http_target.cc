// DynamoDB's HTTP API, unsigned: any server that speaks it, Varve's among them.
#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "bench/ycsb/pipeline.h"
#include "bench/ycsb/target.h"

namespace varve::bench::ycsb {
namespace {

// Case doesn't matter in names of headers.
size_t FindHeader(std::string_view head, std::string_view lower_case_name) {
  for (size_t line = head.find("\r\n"); line != std::string_view::npos;
       line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    if (rest.size() < lower_case_name.size()) break;
    size_t i = 0;
    while (i < lower_case_name.size() && (rest[i] | 0x20) == (lower_case_name[i] | 0x20)) ++i;
    if (i == lower_case_name.size()) return line + 2 + i;
  }
  return std::string_view::npos;
}

struct Response {
  int status = 0;
  size_t body_at = 0;
  size_t bytes = 0;  // head and body
};

// Nothing if the head, or the body, has not all come.
std::optional<Response> Parse(std::string_view received) {
  const size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos || received.size() < 12) return std::nullopt;
  const std::string_view head = received.substr(0, end);
  Response response{.body_at = end + 4, .bytes = end + 4};
  std::from_chars(head.data() + 9, head.data() + 12, response.status);
  if (const size_t at = FindHeader(head, "content-length:"); at != std::string_view::npos) {
    size_t digits = at;
    while (digits < head.size() && head[digits] == ' ') ++digits;
    size_t length = 0;
    std::from_chars(head.data() + digits, head.data() + head.size(), length);
    response.bytes += length;
  }
  if (received.size() < response.bytes) return std::nullopt;
  return response;
}

size_t FrameOfHttp(std::string_view received) {
  const std::optional<Response> response = Parse(received);
  return response ? response->bytes : 0;
}

std::string_view NameOfApi(OperationKind kind, bool one_field) {
  switch (kind) {
    case OperationKind::kRead:
      return "GetItem";
    case OperationKind::kInsert:
      return "PutItem";
    case OperationKind::kScan:
      return "Scan";
    default:
      return one_field ? "PutItem" : "UpdateItem";
  }
}

void AppendRequest(const std::string& host, std::string_view operation, std::string_view body,
                   std::string& to) {
  fmt::format_to(std::back_inserter(to),
                 "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: DynamoDB_20120810.{}\r\n"
                 "Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{}",
                 host, operation, body.size(), body);
}

// Keys and values are letters and digits: nothing to escape.
void AppendBody(const Operation& operation, bool one_field, std::string& to) {
  const auto out = std::back_inserter(to);
  switch (operation.kind) {
    case OperationKind::kRead:
      fmt::format_to(out, R"({{"TableName":"{}","Key":{{"{}":{{"S":"{}"}}}}}})", kTableName,
                     kKeyName, operation.key);
      return;
    case OperationKind::kScan:
      fmt::format_to(out,
                     R"({{"TableName":"{}","ExclusiveStartKey":{{"{}":{{"S":"{}"}}}},"Limit":{}}})",
                     kTableName, kKeyName, operation.key, operation.scan_records);
      return;
    default:
      break;
  }
  if (operation.kind == OperationKind::kUpdate && !one_field) {
    fmt::format_to(
        out,
        R"({{"TableName":"{}","Key":{{"{}":{{"S":"{}"}}}},"UpdateExpression":"SET field{} = :v",)"
        R"("ExpressionAttributeValues":{{":v":{{"S":"{}"}}}}}})",
        kTableName, kKeyName, operation.key, operation.field, operation.values[0]);
    return;
  }
  fmt::format_to(out, R"({{"TableName":"{}","Item":{{"{}":{{"S":"{}"}})", kTableName, kKeyName,
                 operation.key);
  for (size_t i = 0; i < operation.values.size(); ++i) {
    fmt::format_to(out, R"(,"field{}":{{"S":"{}"}})", i, operation.values[i]);
  }
  fmt::format_to(out, "}}}}");
}

// The body of an error, as people read it.
Status ErrorOf(int status, std::string_view body) {
  constexpr size_t kShown = 200;
  return Unavailable("HTTP {}: {}", status, body.substr(0, kShown));
}

class HttpSession : public Session {
 public:
  HttpSession(io::Socket socket, io::Executor& executor, std::string host, bool one_field)
      : pipeline_(std::move(socket), executor, FrameOfHttp),
        host_(std::move(host)),
        one_field_(one_field) {}

  io::Task<Outcome> Run(const Operation& operation) override {
    body_.clear();
    AppendBody(operation, one_field_, body_);
    AppendRequest(host_, NameOfApi(operation.kind, one_field_), body_, pipeline_.out());
    const std::string_view answer = co_await pipeline_.Answer();
    Outcome outcome;
    if (answer.empty()) {
      outcome.status = pipeline_.status();
      outcome.lost = true;
      co_return outcome;
    }
    const Response response = *Parse(answer);
    const std::string_view body = answer.substr(response.body_at);
    if (response.status != 200) {
      outcome.status = ErrorOf(response.status, body);
    } else if (operation.kind == OperationKind::kRead) {
      outcome.found = body.starts_with(R"({"Item")");
    }
    co_return outcome;
  }

  void Abort() override { pipeline_.Abort(); }

 private:
  Pipeline pipeline_;
  const std::string host_;
  const bool one_field_;
  std::string body_;
};

class HttpTarget : public Target {
 public:
  explicit HttpTarget(const TargetOptions& options) : options_(options) {}

  Status Open(io::Io& io) override {
    const std::string create =
        fmt::format(R"({{"TableName":"{0}","BillingMode":"PAY_PER_REQUEST",)"
                    R"("AttributeDefinitions":[{{"AttributeName":"{1}","AttributeType":"S"}}],)"
                    R"("KeySchema":[{{"AttributeName":"{1}","KeyType":"HASH"}}]}})",
                    kTableName, kKeyName);
    const std::string describe = fmt::format(R"({{"TableName":"{}"}})", kTableName);
    VARVE_ASSIGN_OR_RETURN(std::string answer, Call(io, "DescribeTable", describe));
    if (answer.find("ResourceNotFoundException") != std::string::npos) {
      VARVE_ASSIGN_OR_RETURN(answer, Call(io, "CreateTable", create));
    }
    const Response response = *Parse(answer);
    if (response.status != 200) {
      return ErrorOf(response.status, std::string_view(answer).substr(response.body_at));
    }
    return absl::OkStatus();
  }

  StatusOr<std::unique_ptr<Session>> NewSession(io::Executor& executor) override {
    VARVE_ASSIGN_OR_RETURN(io::Socket socket, Connect());
    return std::make_unique<HttpSession>(std::move(socket), executor, Authority(),
                                         options_.shape.fields == 1);
  }

  std::string Describe() const override {
    return fmt::format(
        "DynamoDB's HTTP API at {}, unsigned: GetItem; {}; PutItem; Scan from a key on, in the "
        "order "
        "of the keys' hashes",
        Authority(),
        options_.shape.fields == 1 ? "PutItem as update" : "UpdateItem of one attribute");
  }

 private:
  std::string Authority() const { return fmt::format("{}:{}", options_.host, options_.http_port); }

  StatusOr<io::Socket> Connect() const {
    StatusOr<io::Socket> socket = io::Connect(options_.host, options_.http_port);
    if (!socket.ok()) {
      return Unavailable("{}; is a server there? (varved --port {})", Message(socket.status()),
                         options_.http_port);
    }
    return socket;
  }

  // One request on a connection of its own.
  StatusOr<std::string> Call(io::Io& io, std::string_view operation, std::string_view body) const {
    VARVE_ASSIGN_OR_RETURN(io::Socket socket, Connect());
    std::string request;
    AppendRequest(Authority(), operation, body, request);
    return io::BlockOn(io, Exchange(&socket, &request));
  }

  static io::Task<StatusOr<std::string>> Exchange(const io::Socket* socket,
                                                  const std::string* request) {
    io::Task<Status> sending = io::Send(*socket, *request);
    const Status sent = co_await sending;
    if (!sent.ok()) co_return sent;
    std::string answer;
    while (!Parse(answer)) {
      char piece[4096];
      io::Task<StatusOr<size_t>> receiving = io::Receive(*socket, piece);
      const StatusOr<size_t> received = co_await receiving;
      if (!received.ok()) co_return received.status();
      if (*received == 0) co_return Unavailable("the server answers no HTTP");
      answer.append(piece, *received);
    }
    co_return answer;
  }

  const TargetOptions options_;
};

}  // namespace

std::unique_ptr<Target> NewHttpTarget(const TargetOptions& options) {
  return std::make_unique<HttpTarget>(options);
}

}  // namespace varve::bench::ycsb
