// Redis, by its protocol RESP2 (https://redis.io/docs/reference/protocol-spec): also what speaks
// it.
#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <utility>

#include "bench/ycsb/pipeline.h"
#include "bench/ycsb/target.h"

namespace varve::bench::ycsb {
namespace {

// How many bytes of `received` are one whole reply; 0 if it has not all come. Nesting goes no
// deeper than what the commands here are answered with.
size_t FrameOfResp(std::string_view received) {
  const size_t end = received.find("\r\n");
  if (end == std::string_view::npos) return 0;
  const size_t head = end + 2;
  int64_t length = 0;
  switch (received[0]) {
    case '$':
      std::from_chars(received.data() + 1, received.data() + end, length);
      if (length < 0) return head;  // nothing there
      if (received.size() < head + static_cast<size_t>(length) + 2) return 0;
      return head + static_cast<size_t>(length) + 2;
    case '*': {
      std::from_chars(received.data() + 1, received.data() + end, length);
      size_t bytes = head;
      for (int64_t i = 0; i < length; ++i) {
        const size_t element = bytes < received.size() ? FrameOfResp(received.substr(bytes)) : 0;
        if (element == 0) return 0;
        bytes += element;
      }
      return bytes;
    }
    default:  // a line: + - :
      return head;
  }
}

void AppendCommand(size_t words, std::string& to) {
  fmt::format_to(std::back_inserter(to), "*{}\r\n", words);
}

void AppendWord(std::string_view word, std::string& to) {
  fmt::format_to(std::back_inserter(to), "${}\r\n{}\r\n", word.size(), word);
}

class RedisSession : public Session {
 public:
  RedisSession(io::Socket socket, io::Executor& executor, const RecordShape& shape)
      : pipeline_(std::move(socket), executor, FrameOfResp), one_field_(shape.fields == 1) {
    for (uint32_t i = 0; i < shape.fields; ++i) fields_.push_back(FieldName(i));
  }

  io::Task<Outcome> Run(const Operation& operation) override {
    Append(operation, pipeline_.out());
    const std::string_view answer = co_await pipeline_.Answer();
    Outcome outcome;
    if (answer.empty()) {
      outcome.status = pipeline_.status();
      outcome.lost = true;
    } else if (answer[0] == '-') {
      outcome.status = Unavailable("redis: {}", answer.substr(1, answer.find('\r') - 1));
    } else if (operation.kind == OperationKind::kRead) {
      outcome.found = !answer.starts_with("$-1") && !answer.starts_with("*0");
    }
    co_return outcome;
  }

  void Abort() override { pipeline_.Abort(); }

 private:
  void Append(const Operation& operation, std::string& to) const {
    if (operation.kind == OperationKind::kRead) {
      AppendCommand(2, to);
      AppendWord(one_field_ ? "GET" : "HGETALL", to);
      AppendWord(operation.key, to);
      return;
    }
    if (one_field_) {
      AppendCommand(3, to);
      AppendWord("SET", to);
      AppendWord(operation.key, to);
      AppendWord(operation.values[0], to);
      return;
    }
    AppendCommand(2 + 2 * operation.values.size(), to);
    AppendWord("HSET", to);
    AppendWord(operation.key, to);
    const bool update = operation.kind == OperationKind::kUpdate;
    for (size_t i = 0; i < operation.values.size(); ++i) {
      AppendWord(fields_[update ? operation.field : i], to);
      AppendWord(operation.values[i], to);
    }
  }

  Pipeline pipeline_;
  const bool one_field_;
  std::vector<std::string> fields_;
};

class RedisTarget : public Target {
 public:
  explicit RedisTarget(const TargetOptions& options) : options_(options) {}

  Status Open(io::Io&) override { return Connect().status(); }

  StatusOr<std::unique_ptr<Session>> NewSession(io::Executor& executor) override {
    VARVE_ASSIGN_OR_RETURN(io::Socket socket, Connect());
    return std::make_unique<RedisSession>(std::move(socket), executor, options_.shape);
  }

  std::string_view why_no_scans() const override {
    return "its keys have no order to scan them in";
  }

  std::string Describe() const override {
    return fmt::format("Redis at {}:{}: {}", options_.host, options_.redis_port,
                       options_.shape.fields == 1
                           ? "a record is a string, GET and SET"
                           : "a record is a hash, HGETALL, HSET of one field and of all");
  }

 private:
  StatusOr<io::Socket> Connect() const {
    StatusOr<io::Socket> socket = io::Connect(options_.host, options_.redis_port);
    if (!socket.ok()) {
      return Unavailable("{}; is Redis there? (redis-server --port {} --save '')",
                         Message(socket.status()), options_.redis_port);
    }
    return socket;
  }

  const TargetOptions options_;
};

}  // namespace

std::unique_ptr<Target> NewRedisTarget(const TargetOptions& options) {
  return std::make_unique<RedisTarget>(options);
}

}  // namespace varve::bench::ycsb
