// Varve's binary protocol, through the client's connection.
#include <absl/synchronization/notification.h>
#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "bench/ycsb/item_session.h"
#include "bench/ycsb/target.h"
#include "client/connection.h"
#include "io/sync.h"

namespace varve::bench::ycsb {
namespace {

class BinarySession : public Session {
 public:
  BinarySession(io::Executor& executor, const RecordShape& shape)
      : executor_(executor), requests_(shape) {}

  // Blocks; not on an executor. A session that is not connected needs no Abort.
  Status Connect(const client::ConnectionOptions& options) {
    absl::Notification done;
    Status status;
    executor_.Spawn(ConnectThere(options, &status, &done));
    done.WaitForNotification();
    return status;
  }

  io::Task<Outcome> Run(const Operation& operation) override {
    io::Task<Outcome> task = requests_.Run(connection_.get(), operation);
    Outcome outcome = co_await task;
    outcome.lost = !connection_->usable();
    co_return outcome;
  }

  void Abort() override {
    if (connection_ != nullptr && !aborted_.exchange(true)) executor_.Spawn(CloseThere());
  }

 private:
  io::Task<void> ConnectThere(client::ConnectionOptions options, Status* status,
                              absl::Notification* done) {
    io::Task<StatusOr<std::unique_ptr<client::Connection>>> task =
        client::Connection::Connect(std::move(options));
    StatusOr<std::unique_ptr<client::Connection>> connection = co_await task;
    *status = connection.status();
    if (connection.ok()) connection_ = *std::move(connection);
    done->Notify();
  }

  io::Task<void> CloseThere() { co_await connection_->Close(); }

  io::Executor& executor_;
  ItemRequests<client::Connection> requests_;
  std::unique_ptr<client::Connection> connection_;
  std::atomic<bool> aborted_{false};
};

class BinaryTarget : public Target {
 public:
  explicit BinaryTarget(const TargetOptions& options) : options_(options) {}

  Status Open(io::Io& io) override { return io::BlockOn(io, MakeTable(this)); }

  StatusOr<std::unique_ptr<Session>> NewSession(io::Executor& executor) override {
    auto session = std::make_unique<BinarySession>(executor, options_.shape);
    VARVE_RETURN_IF_ERROR(Explained(session->Connect(Options())));
    return session;
  }

  std::string Describe() const override {
    return fmt::format("Varve's binary protocol at {}: {}", Place(),
                       DescribeItemOperations(options_.shape));
  }

 private:
  std::string Place() const {
    return options_.binary_socket.empty()
               ? fmt::format("{}:{}", options_.host, options_.binary_port)
               : options_.binary_socket;
  }

  client::ConnectionOptions Options() const {
    return {.address = options_.host,
            .port = options_.binary_port,
            .socket_path = options_.binary_socket,
            .client_name = "varve_bench"};
  }

  Status Explained(const Status& status) const {
    if (status.ok()) return status;
    return Unavailable("{}; is a server there? (varved --binary-port {})", Message(status),
                       options_.binary_port);
  }

  static io::Task<Status> MakeTable(const BinaryTarget* target) {
    io::Task<StatusOr<std::unique_ptr<client::Connection>>> connecting =
        client::Connection::Connect(target->Options());
    StatusOr<std::unique_ptr<client::Connection>> connection = co_await connecting;
    if (!connection.ok()) co_return target->Explained(connection.status());
    item::DescribeTableRequest describe;
    describe.table_name = kTableName;
    auto describing = (*connection)->DescribeTable(describe);
    const StatusOr<item::DescribeTableResponse> described = co_await describing;
    Status status = described.status();
    if (!described.ok() && (*connection)->usable()) {
      const item::CreateTableRequest create = TableOfRecords();
      auto creating = (*connection)->CreateTable(create);
      const StatusOr<item::CreateTableResponse> created = co_await creating;
      status = created.status();
    }
    co_await (*connection)->Close();
    co_return status;
  }

  const TargetOptions options_;
};

}  // namespace

std::unique_ptr<Target> NewBinaryTarget(const TargetOptions& options) {
  return std::make_unique<BinaryTarget>(options);
}

}  // namespace varve::bench::ycsb
