// Catalogue: which tables there are. It is kept in the engine, in the key space 0x01:
//
//   0x01 0x00            the format's version, an encoded number; 1
//   0x01 0x01 name       a table's record (item/table.h)
//   0x01 0x02 n          key space n (4, big-endian) is being dropped; empty
//   0x01 0x03            the number after the highest key space ever given out, an encoded number
//
// A table is created by cutting its key space out as a partition of its own, then committing its
// record; it is deleted by one commit that removes the record and notes that its key space is being
// dropped, then dropping that, then removing the note. What a crash left undone is done when the
// catalogue is opened.
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
#include "item/table.h"

namespace varve::item {

// Thread-safe.
class Catalogue {
 public:
  // `db` must outlive the catalogue.
  static io::Task<StatusOr<std::unique_ptr<Catalogue>>> Open(engine::Db& db);

  // Null if there is no such table.
  TablePointer Find(std::string_view name) const;

  // Up to `limit` names after `after`, ascending.
  std::vector<std::string> NamesAfter(std::string_view after, size_t limit) const;

  // Adds a table with this description; its key space is found here. ResourceInUseException if the
  // name is taken.
  io::Task<StatusOr<TablePointer>> Create(TableDescription description);

  // Replaces the description of table `name` by what `change` makes of it.
  // ResourceNotFoundException, or the error of `change`.
  using Change = std::function<Status(TableDescription&)>;
  io::Task<StatusOr<TablePointer>> Update(std::string name, Change change);

  // Removes the table and all its items, if `check` agrees. Returns what it was.
  using Check = std::function<Status(const TableDescription&)>;
  io::Task<StatusOr<TablePointer>> Delete(std::string name, Check check);

 private:
  explicit Catalogue(engine::Db& db) : db_(db) {}

  io::Task<Status> Load();
  io::Task<Status> FinishDrop(uint32_t key_space);
  // Under control_mutex_: a key space with nothing in it, cut out as a partition.
  io::Task<StatusOr<uint32_t>> TakeKeySpace();

  engine::Db& db_;

  // Held by whoever changes the catalogue, across the changes in the engine.
  io::Mutex control_mutex_;
  uint32_t next_key_space_ = 1;            // under control_mutex_
  std::vector<uint32_t> free_key_spaces_;  // under control_mutex_
  // Under control_mutex_: free once nobody else holds the lease.
  struct Deleted {
    uint32_t key_space;
    std::shared_ptr<const void> lease;
  };
  std::vector<Deleted> deleted_;

  mutable absl::Mutex mutex_;
  std::map<std::string, TablePointer, std::less<>> tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve::item
