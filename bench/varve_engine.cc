#include <fmt/format.h>

#include <optional>

#include "bench/engine.h"
#include "bench/varve_options.h"
#include "engine/db.h"
#include "io/io.h"

namespace varve::bench {
namespace {

class VarveEngine : public Engine {
 public:
  Status Open(const EngineConfig& config) override {
    if (config.io == "posix") {
      io_ = io::NewPosixIo();
    } else if (config.io == "uring") {
      VARVE_ASSIGN_OR_RETURN(io_, io::NewUringIo());
    } else {
      io_ = io::NewIo();
    }
    VARVE_ASSIGN_OR_RETURN(db_, engine::Db::Open(*io_, config.directory, VarveOptions(config)));
    return absl::OkStatus();
  }

  Status Close() override {
    const Status status = db_->Close();
    db_.reset();
    io_.reset();
    return status;
  }

  Status Put(std::string_view key, std::string_view value) override { return db_->Put(key, value); }

  Status Write(std::span<const KeyValue> entries) override {
    thread_local engine::WriteBatch batch;
    batch.Clear();
    for (const auto& [key, value] : entries) batch.Put(key, value);
    return db_->Write(batch).status();
  }

  StatusOr<bool> Get(std::string_view key, uint64_t* value_bytes) override {
    thread_local engine::PinnedValue value;
    VARVE_ASSIGN_OR_RETURN(const bool found, db_->Get(key, &value));
    *value_bytes = found ? value.view().size() : 0;
    value.Reset();  // Nothing stays pinned between two operations.
    return found;
  }

  StatusOr<uint64_t> MultiGet(std::span<const std::string_view> keys) override {
    thread_local std::vector<std::optional<engine::PinnedValue>> values;
    VARVE_RETURN_IF_ERROR(db_->MultiGet(keys, &values));
    uint64_t found = 0;
    for (const auto& value : values) found += value.has_value();
    values.clear();
    return found;
  }

  StatusOr<uint64_t> Scan(std::string_view start, uint64_t entries, uint64_t* bytes) override {
    const std::unique_ptr<engine::Iterator> iterator = db_->NewIterator();
    uint64_t count = 0;
    for (iterator->Seek(start); iterator->Valid(); iterator->Next()) {
      *bytes += iterator->key().size() + iterator->value().size();
      if (++count == entries) break;
    }
    VARVE_RETURN_IF_ERROR(iterator->status());
    return count;
  }

  StatusOr<uint64_t> ScanAll(bool forward, uint64_t* bytes) override {
    const std::unique_ptr<engine::Iterator> iterator = db_->NewIterator();
    uint64_t count = 0;
    if (forward) {
      for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++count) {
        *bytes += iterator->key().size() + iterator->value().size();
      }
    } else {
      for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev(), ++count) {
        *bytes += iterator->key().size() + iterator->value().size();
      }
    }
    VARVE_RETURN_IF_ERROR(iterator->status());
    return count;
  }

  Status WaitUntilSettled() override {
    VARVE_RETURN_IF_ERROR(db_->Flush());
    return db_->Settle();
  }

  EngineCounters Counters() override {
    const engine::DbStats stats = db_->Stats();
    return {.log_bytes = stats.log_bytes_written,
            .flush_bytes = stats.flush_bytes_written,
            .compaction_bytes = stats.compaction_bytes_written,
            .stalled_s = static_cast<double>(stats.slowed_write_ns) * 1e-9};
  }

  uint64_t BlockReads() override { return db_->Stats().reads_waited; }

  std::vector<std::string> TableSuffixes() const override { return {".sst", ".val"}; }
  std::string Describe(const EngineConfig& config) const override {
    const engine::Options options = VarveOptions(config);
    return fmt::format(
        "Varve, I/O {}; tables read and written directly, memtables of {} MiB, {} MiB in all, "
        "background "
        "workers {}, tables of {} MiB, levels from {} MiB by {}, level 0 from {} tables, values "
        "apart from {} KiB",
        config.io, options.memtable_bytes_max >> 20, options.memtable_budget_bytes >> 20,
        options.background_workers, options.table_bytes_target >> 20, options.level1_bytes >> 20,
        options.level_size_ratio, options.level0_tables_max, options.value_separation_bytes >> 10);
  }

 private:
  std::unique_ptr<io::Io> io_;
  std::unique_ptr<engine::Db> db_;
};

}  // namespace

std::unique_ptr<Engine> NewVarveEngine() { return std::make_unique<VarveEngine>(); }

}  // namespace varve::bench
