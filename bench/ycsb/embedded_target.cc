// item::Store in this process: what the servers do for a request, without the way to them.
#include <fmt/format.h>

#include <utility>

#include "bench/varve_options.h"
#include "bench/ycsb/item_session.h"
#include "bench/ycsb/target.h"
#include "engine/db.h"
#include "item/store.h"

namespace varve::bench::ycsb {
namespace {

class EmbeddedSession : public Session {
 public:
  EmbeddedSession(item::Store* store, const RecordShape& shape) : store_(store), requests_(shape) {}

  io::Task<Outcome> Run(const Operation& operation) override {
    return requests_.Run(store_, operation);
  }

 private:
  item::Store* const store_;
  ItemRequests<item::Store> requests_;
};

class EmbeddedTarget : public Target {
 public:
  explicit EmbeddedTarget(const TargetOptions& options) : options_(options) {}

  Status Open(io::Io& io) override {
    VARVE_RETURN_IF_ERROR(io.CreateDirectory(options_.engine.directory));
    VARVE_ASSIGN_OR_RETURN(
        db_, engine::Db::Open(io, options_.engine.directory, VarveOptions(options_.engine)));
    VARVE_ASSIGN_OR_RETURN(store_, io::BlockOn(io, item::Store::Open(io, *db_, {})));
    if (store_->HasTable(kTableName)) return absl::OkStatus();
    const item::CreateTableRequest request = TableOfRecords();
    return io::BlockOn(io, store_->CreateTable(request)).status();
  }

  Status Close() override {
    store_.reset();
    const Status status = db_ == nullptr ? absl::OkStatus() : db_->Close();
    db_.reset();
    return status;
  }

  StatusOr<std::unique_ptr<Session>> NewSession(io::Executor&) override {
    return std::make_unique<EmbeddedSession>(store_.get(), options_.shape);
  }

  std::string Describe() const override {
    return fmt::format("Varve's item layer (item/store.h) in this process, in {}, {} log: {}",
                       options_.engine.directory, options_.engine.durable ? "durable" : "relaxed",
                       DescribeItemOperations(options_.shape));
  }

 private:
  const TargetOptions options_;
  std::unique_ptr<engine::Db> db_;
  std::unique_ptr<item::Store> store_;
};

}  // namespace

std::unique_ptr<Target> NewEmbeddedTarget(const TargetOptions& options) {
  return std::make_unique<EmbeddedTarget>(options);
}

}  // namespace varve::bench::ycsb
