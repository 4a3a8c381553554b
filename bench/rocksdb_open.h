// RocksDB's DB::Open, which gives a unique_ptr from version 11 on and a bare pointer before.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/version.h>

#include <memory>
#include <string>

namespace varve::bench {

inline rocksdb::Status OpenRocksDb(const rocksdb::Options& options, const std::string& directory,
                                   std::unique_ptr<rocksdb::DB>* db) {
#if ROCKSDB_MAJOR >= 11
  return rocksdb::DB::Open(options, directory, db);
#else
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, directory, &opened);
  db->reset(opened);
  return status;
#endif
}

}  // namespace varve::bench
