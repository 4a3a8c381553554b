// Catalogue: which tables there are. It is kept in the engine, in the key space 0x01:
//
//   0x01 0x00            the format's version, an encoded number; 1
//   0x01 0x01 name       a table's record (item/table.h)
//   0x01 0x02 n          key space n (4, big-endian) is being dropped; empty
//   0x01 0x03            the number after the highest key space ever given out, an encoded number
//   0x01 0x04 n          how far the index in key space n (4, big-endian) is filled
//   (item/backfill.cc)
//   0x01 0x05 n          the size of the table in key space n (4, big-endian), as counted last
//   (item/table_size.h)
//   0x01 0x20 id         a stream's record (item/streams.h)
//
// A table is created by cutting its key space, and one for each of its indexes, out as partitions
// of their own, then committing its record; it is deleted by one commit that removes the record and
// notes that its key spaces are being dropped, then dropping them, then removing the notes. Indexes
// come and go likewise when a table is updated. What a crash left undone is done when the catalogue
// is opened.
//
// Numbers of key spaces are used again, so that creating and deleting tables leaves nothing behind,
// but never while an operation that began on the former table is under way: such an operation holds
// a TablePointer. What it wrote after the drop is dropped again before the number is reused.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/db.h"
#include "io/sync.h"
#include "io/task.h"
#include "item/streams.h"
#include "item/table.h"
#include "item/table_size.h"

namespace varve::item {

// Where an index under construction notes its progress.
std::string BackfillKey(uint32_t key_space);

// Thread-safe.
class Catalogue {
 public:
  // `db` and `streams` must outlive the catalogue. Tables' ARNs are `arn_prefix` and their names.
  static io::Task<StatusOr<std::unique_ptr<Catalogue>>> Open(engine::Db& db, Streams& streams,
                                                             std::string arn_prefix = {});

  // `name` may be an ARN. Null if there is no such table.
  TablePointer Find(std::string_view name) const;

  // The name that an ARN of a table ends with; anything else as it is.
  std::string_view NameOf(std::string_view name_or_arn) const;

  // All of them, ascending by name.
  std::vector<TablePointer> Tables() const;

  // Up to `limit` names after `after`, ascending.
  std::vector<std::string> NamesAfter(std::string_view after, size_t limit) const;

  // Adds a table with this description; its key spaces are found, and its stream is made, here.
  // ResourceInUseException if the name is taken.
  io::Task<StatusOr<TablePointer>> Create(TableDescription description);

  // Replaces the description of table `name` by what `change` makes of it. Indexes that are new in
  // it get their key spaces, those that are gone lose them; indexes are known by their names. A
  // stream begins or ends.
  // ResourceNotFoundException, or the error of `change`.
  using Change = std::function<Status(TableDescription&)>;
  io::Task<StatusOr<TablePointer>> Update(std::string name, Change change);

  // Notes what was counted, unless the table is gone or has other indexes: `leases` are those of
  // what was counted. If it is to be kept, it outlives the process.
  io::Task<Status> SetSize(const std::string& name,
                           const std::vector<std::shared_ptr<const void>>& leases,
                           const TableSize& size, bool keep);

  // Removes the table and all its items, if `check` agrees. Returns what it was.
  using Check = std::function<Status(const TableDescription&)>;
  io::Task<StatusOr<TablePointer>> Delete(std::string name, Check check);

 private:
  Catalogue(engine::Db& db, Streams& streams, std::string arn_prefix)
      : db_(db), streams_(streams), arn_prefix_(std::move(arn_prefix)) {}

  // A key space that is no more, and who must be gone before its number is used again.
  struct Dropped {
    uint32_t key_space;
    std::shared_ptr<const void> lease;
  };

  io::Task<Status> Load();
  io::Task<Status> LoadSizes();
  io::Task<Status> FinishDrop(uint32_t key_space);
  // Under control_mutex_: drops what a commit has noted to be dropped. What fails here is made up
  // for at the next opening.
  io::Task<void> FinishDrops(std::vector<Dropped> dropped);
  // Under control_mutex_: key spaces with nothing in them, each cut out as a partition.
  io::Task<StatusOr<std::vector<uint32_t>>> TakeKeySpaces(size_t count);

  engine::Db& db_;
  Streams& streams_;
  const std::string arn_prefix_;

  // Held by whoever changes the catalogue, across the changes in the engine.
  io::Mutex control_mutex_;
  uint32_t next_key_space_ = 1;            // under control_mutex_
  std::vector<uint32_t> free_key_spaces_;  // under control_mutex_
  std::vector<Dropped> dropped_;           // under control_mutex_

  mutable absl::Mutex mutex_;
  std::map<std::string, TablePointer, std::less<>> tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::item
