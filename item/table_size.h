// TableSizes: how many items tables and indexes have, and how many bytes those count as.
//
// A blind put doesn't read what it replaces, so nobody could count along with the writes without
// making them dearer. Instead items are counted when somebody asks, as of one moment, table and
// indexes together: a table of few items on the spot; a larger one by a background task, which the
// one who asks waits for a little. What was counted stands until it has become twenty times as old
// as the counting took, so that however often somebody asks, counting takes a twentieth of a core.
// What took long to count is kept in the catalogue and outlives the process.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "io/task.h"
#include "item/background.h"
#include "item/table.h"

namespace varve::item {

class Catalogue;

struct KeySpaceSize {
  uint32_t key_space = 0;
  uint64_t items = 0;
  uint64_t bytes = 0;  // as DynamoDB counts them
};

// Of a table and its indexes, as of one moment.
struct TableSize {
  uint64_t as_of_ms = 0;     // since 1970
  uint64_t duration_ns = 0;  // how long the counting took
  // When it was over (Io::MonotonicNs); 0: in an earlier life.
  uint64_t ended_ns = 0;
  std::vector<KeySpaceSize> key_spaces;  // the table's first

  // Null if that one was not counted.
  const KeySpaceSize* Find(uint32_t key_space) const;
};

// The catalogue's record of a size (docs/item.md).
std::string RecordOfSize(const TableSize& size);
// Corruption if `record` is not such a one.
StatusOr<TableSize> SizeOfRecord(std::string_view record);

// Thread-safe.
class TableSizes {
 public:
  // How long the figures of a table that nobody has counted since then are shown.
  static constexpr uint64_t kAgeMsMax = uint64_t{6} * 60 * 60 * 1000;

  // All must outlive this. Nobody waits longer than `wait_ms` for items to be counted.
  TableSizes(io::Io& io, engine::Db& db, Catalogue& catalogue, Background& background,
             uint64_t wait_ms)
      : io_(io), db_(db), catalogue_(catalogue), background_(background), wait_ms_(wait_ms) {}

  // Fills the counts of `table`, and of its indexes. They are exact as of a moment of this call, or
  // of the last count; an estimate, if there is none of the last six hours. Waits only if it may.
  io::Task<Status> Describe(const Table& table, bool may_wait, TableDescription* description);

 private:
  // What a background task counts, and what keeps the numbers of the key spaces from being used
  // again meanwhile.
  struct Job {
    std::string table_name;
    std::vector<uint32_t> key_spaces;  // the table's first
    std::vector<std::shared_ptr<const void>> leases;
  };
  // How far a count has come.
  struct Count {
    KeySpaceSize size;
    std::string position;  // the next key
    bool done = false;
  };

  bool Due(const TableSize& size) const;
  // Nothing if there are many.
  io::Task<StatusOr<std::optional<TableSize>>> CountFew(const Table& table);
  // As counted in `size`, unless that is null or has it not.
  io::Task<StatusOr<KeySpaceSize>> SizeOf(uint32_t key_space, const TableSize* size);
  io::Task<StatusOr<KeySpaceSize>> Estimate(uint32_t key_space);
  // Counts on for so many items or bytes, whichever comes first.
  io::Task<Status> CountSome(const engine::Snapshot& snapshot, uint64_t items_max,
                             uint64_t bytes_max, Count* count);

  // Unless it is under way already.
  void StartCounting(const Table& table);
  bool IsCounting(const Table& table) const;
  // Background task.
  io::Task<void> CountInBackground(Job job);
  // False if nobody wants to know any more.
  io::Task<StatusOr<bool>> CountAll(const Job& job, uint64_t begun_ns, TableSize* size);

  io::Io& io_;
  engine::Db& db_;
  Catalogue& catalogue_;
  Background& background_;
  const uint64_t wait_ms_;

  mutable absl::Mutex mutex_;
  // The tables that are being counted, by their leases.
  std::set<const void*> counting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::item
