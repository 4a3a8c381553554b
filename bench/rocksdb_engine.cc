#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "bench/engine.h"
#include "bench/rocksdb_open.h"

namespace varve::bench {
namespace {

rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Status FromRocksDb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return Unavailable("rocksdb: {}", status.ToString());
}

// The cache that its guide recommends, sized by itself where the version can do that.
std::shared_ptr<rocksdb::Cache> NewCache(uint64_t bytes, size_t block_bytes) {
#if ROCKSDB_MAJOR >= 9
  constexpr size_t kChooseByYourself = 0;
  return rocksdb::HyperClockCacheOptions(bytes, kChooseByYourself).MakeSharedCache();
#else
  return rocksdb::HyperClockCacheOptions(bytes, block_bytes).MakeSharedCache();
#endif
}

class RocksDbEngine : public Engine {
 public:
  Status Open(const EngineConfig& config) override {
    // As https://github.com/facebook/rocksdb/wiki/Setup-Options-and-Basic-Tuning says, with sizes
    // for this machine.
    rocksdb::BlockBasedTableOptions table;
    table.block_size = kBlockBytes;
    table.block_cache = NewCache(config.cache_bytes, table.block_size);
    table.cache_index_and_filter_blocks = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    if (config.filter_bits_per_key > 0) {
      table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(config.filter_bits_per_key));
    }

    rocksdb::Options options;
    options.create_if_missing = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_size = config.memtable_bytes;
    options.max_write_buffer_number =
        std::max(2, static_cast<int>(config.memtable_budget_bytes / config.memtable_bytes));
    options.compression = config.compression_level > 0 ? rocksdb::kZSTD : rocksdb::kNoCompression;
    options.compression_opts.level = config.compression_level;
    options.level_compaction_dynamic_level_bytes = true;
    options.compaction_pri = rocksdb::kMinOverlappingRatio;
    options.bytes_per_sync = uint64_t{1} << 20;
    options.use_direct_reads = true;
    options.use_direct_io_for_flush_and_compaction = true;
    // One thread for flushes and one for compactions is the least it runs with.
    options.max_background_jobs = JobsOf(config);
    if (config.blob_bytes_min > 0) {
      options.enable_blob_files = true;
      options.min_blob_size = config.blob_bytes_min;
      options.blob_compression_type = options.compression;
      options.enable_blob_garbage_collection = true;
    }
    write_.sync = config.durable;
    multi_get_.async_io = true;
    multi_get_.optimize_multiget_for_io = true;
    count_block_reads_ = config.count_block_reads;
    // Of this thread; an earlier engine may have left it on.
    rocksdb::SetPerfLevel(count_block_reads_ ? rocksdb::PerfLevel::kEnableCount
                                             : rocksdb::PerfLevel::kDisable);

    return FromRocksDb(OpenRocksDb(options, config.directory, &db_));
  }

  Status Close() override {
    const Status status = FromRocksDb(db_->Close());
    db_.reset();
    return status;
  }

  Status Put(std::string_view key, std::string_view value) override {
    return FromRocksDb(db_->Put(write_, Slice(key), Slice(value)));
  }

  Status Write(std::span<const KeyValue> entries) override {
    thread_local rocksdb::WriteBatch batch;
    batch.Clear();
    for (const auto& [key, value] : entries) batch.Put(Slice(key), Slice(value));
    return FromRocksDb(db_->Write(write_, &batch));
  }

  StatusOr<bool> Get(std::string_view key, uint64_t* value_bytes) override {
    thread_local rocksdb::PinnableSlice value;
    const rocksdb::Status status = db_->Get(read_, db_->DefaultColumnFamily(), Slice(key), &value);
    *value_bytes = value.size();
    value.Reset();
    if (status.IsNotFound()) return false;
    VARVE_RETURN_IF_ERROR(FromRocksDb(status));
    return true;
  }

  StatusOr<uint64_t> MultiGet(std::span<const std::string_view> keys) override {
    thread_local std::array<rocksdb::Slice, kMultiGetMax> slices;
    thread_local std::array<rocksdb::PinnableSlice, kMultiGetMax> values;
    thread_local std::array<rocksdb::Status, kMultiGetMax> statuses;
    for (size_t i = 0; i < keys.size(); ++i) slices[i] = Slice(keys[i]);
    db_->MultiGet(multi_get_, db_->DefaultColumnFamily(), keys.size(), slices.data(), values.data(),
                  statuses.data());
    uint64_t found = 0;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        ++found;
      } else if (!statuses[i].IsNotFound()) {
        return FromRocksDb(statuses[i]);
      }
      values[i].Reset();
    }
    return found;
  }

  StatusOr<uint64_t> Scan(std::string_view start, uint64_t entries, uint64_t* bytes) override {
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_));
    uint64_t count = 0;
    for (iterator->Seek(Slice(start)); iterator->Valid(); iterator->Next()) {
      *bytes += iterator->key().size() + iterator->value().size();
      if (++count == entries) break;
    }
    VARVE_RETURN_IF_ERROR(FromRocksDb(iterator->status()));
    return count;
  }

  StatusOr<uint64_t> ScanAll(bool forward, uint64_t* bytes) override {
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_));
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

  // From what it counts anyway; Statistics would cost every read and write something.
  EngineCounters Counters() override {
    std::map<std::string, std::string> db;
    std::map<std::string, std::string> family;
    db_->GetMapProperty(rocksdb::DB::Properties::kDBStats, &db);
    db_->GetMapProperty(rocksdb::DB::Properties::kCFStatsNoFileHistogram, &family);
    if (family.empty()) db_->GetMapProperty(rocksdb::DB::Properties::kCFStats, &family);
    const auto gigabytes = [&](const std::string& name) {
      return static_cast<uint64_t>(Number(family, "compaction." + name) * (1 << 30));
    };
    const uint64_t all = gigabytes("Sum.WriteGB") + gigabytes("Sum.WblobGB");
    // Flushes are what writes level 0.
    const uint64_t flushes = gigabytes("L0.WriteGB") + gigabytes("L0.WblobGB");
    return {.log_bytes = static_cast<uint64_t>(Number(db, "db.wal_bytes_written")),
            .flush_bytes = flushes,
            .compaction_bytes = all - std::min(all, flushes),
            .stalled_s = Number(db, "db.user_write_stall_micros") * 1e-6};
  }

  uint64_t BlockReads() override {
    return count_block_reads_ ? rocksdb::get_perf_context()->block_read_count : 0;
  }

  std::vector<std::string> TableSuffixes() const override { return {".sst", ".blob"}; }
  std::string Describe(const EngineConfig& config) const override {
    return fmt::format(
        "RocksDB {}.{}.{} ({}); HyperClockCache with indexes and filters, blocks of {} KiB, direct "
        "reads, flushes and compactions, memtables of {} MiB, {} of them at most, {} background "
        "jobs, dynamic level sizes, Bloom filters, MultiGet with async_io and "
        "optimize_multiget_for_io, {}, everything else at its default",
        ROCKSDB_MAJOR, ROCKSDB_MINOR, ROCKSDB_PATCH, VARVE_BENCH_ROCKSDB_BUILD, kBlockBytes >> 10,
        config.memtable_bytes >> 20,
        std::max<uint64_t>(2, config.memtable_budget_bytes / config.memtable_bytes), JobsOf(config),
        config.blob_bytes_min == 0
            ? "no blob files"
            : fmt::format("blob files from {} KiB, collected", config.blob_bytes_min >> 10));
  }

 private:
  static constexpr size_t kBlockBytes = 4096;

  static int JobsOf(const EngineConfig& config) { return std::max(2, config.background_threads); }

  static double Number(const std::map<std::string, std::string>& from, const std::string& name) {
    const auto found = from.find(name);
    return found == from.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
  }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  rocksdb::ReadOptions read_;
  rocksdb::ReadOptions multi_get_;
  bool count_block_reads_ = false;
};

}  // namespace

std::unique_ptr<Engine> NewRocksDbEngine() { return std::make_unique<RocksDbEngine>(); }

}  // namespace varve::bench
