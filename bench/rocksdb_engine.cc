#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <thread>

#include "bench/engine.h"

namespace varve::bench {
namespace {

// As Varve's defaults: larger values live outside the tables.
constexpr uint64_t kBlobBytesMin = uint64_t{16} << 10;

rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Status FromRocksDb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return Unavailable("rocksdb: {}", status.ToString());
}

class RocksDbEngine : public Engine {
 public:
  Status Open(const EngineConfig& config) override {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(config.cache_bytes);
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.block_size = 4096;
    if (config.filter_bits_per_key > 0) {
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(config.filter_bits_per_key));
    }

    rocksdb::Options options;
    options.create_if_missing = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_size = config.memtable_bytes;
    options.db_write_buffer_size = config.memtable_budget_bytes;
    options.max_write_buffer_number =
        static_cast<int>(config.memtable_budget_bytes / config.memtable_bytes);
    options.compression = config.compression_level > 0 ? rocksdb::kZSTD : rocksdb::kNoCompression;
    options.compression_opts.level = config.compression_level;
    options.target_file_size_base = uint64_t{32} << 20;
    options.max_bytes_for_level_base = uint64_t{128} << 20;
    options.level0_file_num_compaction_trigger = 4;
    options.level_compaction_dynamic_level_bytes = true;
    options.enable_blob_files = true;
    options.min_blob_size = kBlobBytesMin;
    options.blob_compression_type = options.compression;
    options.use_direct_reads = true;
    options.use_direct_io_for_flush_and_compaction = true;
    // One thread for flushes and one for compactions is the least it runs with.
    options.max_background_jobs = std::max(2, config.background_threads);
    options.statistics = rocksdb::CreateDBStatistics();
    statistics_ = options.statistics;
    write_.sync = config.durable;

    rocksdb::DB* db = nullptr;
    VARVE_RETURN_IF_ERROR(FromRocksDb(rocksdb::DB::Open(options, config.directory, &db)));
    db_.reset(db);
    return absl::OkStatus();
  }

  Status Close() override {
    const Status status = FromRocksDb(db_->Close());
    db_.reset();
    return status;
  }

  Status Write(const std::vector<KeyValue>& entries) override {
    if (entries.size() == 1) {
      return FromRocksDb(db_->Put(write_, Slice(entries[0].first), Slice(entries[0].second)));
    }
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : entries) batch.Put(Slice(key), Slice(value));
    return FromRocksDb(db_->Write(write_, &batch));
  }

  StatusOr<bool> Get(std::string_view key, uint64_t* value_bytes) override {
    thread_local rocksdb::PinnableSlice value;
    const rocksdb::Status status =
        db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), Slice(key), &value);
    *value_bytes = value.size();
    value.Reset();
    if (status.IsNotFound()) return false;
    VARVE_RETURN_IF_ERROR(FromRocksDb(status));
    return true;
  }

  StatusOr<uint64_t> Scan(std::string_view start, uint64_t entries, uint64_t* bytes) override {
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions()));
    uint64_t count = 0;
    for (iterator->Seek(Slice(start)); iterator->Valid(); iterator->Next()) {
      *bytes += iterator->key().size() + iterator->value().size();
      if (++count == entries) break;
    }
    VARVE_RETURN_IF_ERROR(FromRocksDb(iterator->status()));
    return count;
  }

  Status WaitUntilSettled() override {
    VARVE_RETURN_IF_ERROR(FromRocksDb(db_->Flush(rocksdb::FlushOptions())));
    for (;;) {
      uint64_t busy = 0;
      for (const char* property :
           {"rocksdb.mem-table-flush-pending", "rocksdb.num-running-flushes",
            "rocksdb.compaction-pending", "rocksdb.num-running-compactions"}) {
        uint64_t value = 0;
        db_->GetIntProperty(property, &value);
        busy += value;
      }
      if (busy == 0) return absl::OkStatus();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  EngineCounters Counters() override {
    using namespace rocksdb;  // NOLINT: a screenful of tickers.
    return {.log_bytes = statistics_->getTickerCount(WAL_FILE_BYTES),
            .flush_bytes = statistics_->getTickerCount(FLUSH_WRITE_BYTES),
            .compaction_bytes = statistics_->getTickerCount(COMPACT_WRITE_BYTES),
            .stalled_s = static_cast<double>(statistics_->getTickerCount(STALL_MICROS)) * 1e-6};
  }

  std::vector<std::string> TableSuffixes() const override { return {".sst", ".blob"}; }
  std::string Name() const override { return "rocksdb"; }
  std::string Describe(const EngineConfig& config) const override {
    return fmt::format(
        "RocksDB {}.{}.{} ({}), tables read and written directly, dynamic level sizes, blobs from "
        "{} "
        "KiB, {} background jobs",
        ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH, VARVE_BENCH_ROCKSDB_BUILD, kBlobBytesMin >> 10,
        std::max(2, config.background_threads));
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::shared_ptr<rocksdb::Statistics> statistics_;
  rocksdb::WriteOptions write_;
};

}  // namespace

std::unique_ptr<Engine> NewRocksDbEngine() { return std::make_unique<RocksDbEngine>(); }

}  // namespace varve::bench
