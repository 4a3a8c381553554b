// RocksDB in this process: a record is one value under its key.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "bench/engine.h"
#include "bench/ycsb/target.h"

namespace varve::bench::ycsb {
namespace {

class RocksDbSession : public Session {
 public:
  RocksDbSession(Engine* engine, const RecordShape& shape)
      : engine_(engine), shape_(shape), record_(size_t{shape.fields} * shape.field_bytes, 'x') {}

  // Blocks: it never suspends.
  io::Task<Outcome> Run(const Operation& operation) override {
    Outcome outcome;
    outcome.status = RunNow(operation, &outcome.found);
    co_return outcome;
  }

 private:
  Status RunNow(const Operation& operation, bool* found) {
    uint64_t bytes = 0;
    if (operation.kind == OperationKind::kScan) {
      return engine_->Scan(operation.key, operation.scan_records, &bytes).status();
    }
    const bool update = operation.kind == OperationKind::kUpdate;
    // A field is changed by writing the record that it is in.
    if (operation.kind == OperationKind::kRead || (update && shape_.fields > 1)) {
      VARVE_ASSIGN_OR_RETURN(*found, engine_->Get(operation.key, &bytes));
    }
    if (operation.kind == OperationKind::kRead) return absl::OkStatus();
    for (size_t i = 0; i < operation.values.size(); ++i) {
      const size_t field = update ? operation.field : i;
      std::memcpy(record_.data() + field * shape_.field_bytes, operation.values[i].data(),
                  operation.values[i].size());
    }
    return engine_->Put(operation.key, record_);
  }

  Engine* const engine_;
  const RecordShape shape_;
  std::string record_;
};

class RocksDbTarget : public Target {
 public:
  explicit RocksDbTarget(const TargetOptions& options)
      : engine_(NewRocksDbEngine()), options_(options) {}

  Status Open(io::Io&) override {
    std::error_code error;
    std::filesystem::create_directories(options_.engine.directory, error);
    if (error) return Unavailable("{}: {}", options_.engine.directory, error.message());
    VARVE_RETURN_IF_ERROR(engine_->Open(options_.engine));
    open_ = true;
    return absl::OkStatus();
  }

  Status Close() override {
    if (!std::exchange(open_, false)) return absl::OkStatus();
    return engine_->Close();
  }

  StatusOr<std::unique_ptr<Session>> NewSession(io::Executor&) override {
    return std::make_unique<RocksDbSession>(engine_.get(), options_.shape);
  }

  bool blocks() const override { return true; }

  std::string Describe() const override {
    return fmt::format(
        "{}; in this process, {}, {}: a record is one value, get, put, {}scan in the order of the "
        "keys; "
        "a thread a connection, one call at a time",
        engine_->Describe(options_.engine), options_.engine.directory,
        options_.engine.durable ? "each write synced" : "no write synced",
        options_.shape.fields == 1 ? "" : "get and put as update, ");
  }

 private:
  const std::unique_ptr<Engine> engine_;
  const TargetOptions options_;
  bool open_ = false;
};

}  // namespace

std::unique_ptr<Target> NewRocksDbTarget(const TargetOptions& options) {
  return std::make_unique<RocksDbTarget>(options);
}

}  // namespace varve::bench::ycsb
