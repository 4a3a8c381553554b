// Streams: all streams there are, of tables and of what was a table within the last day.
//
// The catalogue's key space has a record of each:
//
//   0x01 0x20 id (8, big-endian)    a stream's record (item/stream.h)
//
// written in the batch that creates or updates its table. A stream that was disabled stays for as
// long as its records do, 24 hours, under its own name; a stream that is enabled again is another.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "io/task.h"
#include "item/stream.h"
#include "item/table.h"

namespace varve::item {

// "2026-11-22T14:30:05.123": when the stream was enabled.
std::string StreamLabel(RecordNumber stream);
// Nothing if `label` is none.
std::optional<uint64_t> MsOfStreamLabel(std::string_view label);

// Thread-safe.
class Streams {
 public:
  // Reads the records. `db` must outlive the streams.
  static io::Task<StatusOr<std::unique_ptr<Streams>>> Open(engine::Db& db);

  StreamClock& clock() { return clock_; }

  // What a change of the catalogue does to a table's stream: begun before its commit, ended after.
  class Update {
   public:
    // Takes effect, or not.
    void Finish(bool committed);

   private:
    friend class Streams;
    Streams* streams_ = nullptr;
    std::shared_ptr<StreamSlot> slot_;
    StreamPointer enabled_;
    StreamPointer disabled_;
    RecordNumber disabled_at_ = 0;
    std::optional<io::Mutex::Guard> guard_;
  };
  // `old_table`: as it was, nullptr if it is created. `table`: as it will be, nullptr if it is
  // deleted; its description's stream_view_type says whether it is to have a stream, its
  // latest_stream_id is filled. Appends to `batch` what is to be committed with the table's record.
  io::Task<Update> Prepare(const Table* old_table, Table* table, engine::WriteBatch& batch);
  // When a table has been read: its slot gets its stream. Corruption if there is none.
  Status Attach(const Table& table) const;

  // Null if there is none.
  StreamPointer Find(RecordNumber id) const;
  StreamPointer Find(std::string_view table_name, uint64_t label_ms) const;
  // Up to `limit` streams, in the order of their tables' names and their labels: those of one
  // table, or of all; after one of them, given by these two.
  using Place = std::pair<std::string, uint64_t>;
  std::vector<StreamPointer> List(const std::optional<std::string>& table_name,
                                  const std::optional<Place>& after, size_t limit) const;

  // A step of what is to be done now and then: forgets streams, drops records whose time is over,
  // and gives each epoch's records partitions of their own.
  io::Task<Status> Maintain();
  // From soon on, `stream` has ranges that begin at these hashes, too.
  io::Task<Status> SplitRanges(StreamPointer stream, std::vector<uint32_t> hashes);

 private:
  explicit Streams(engine::Db& db) : db_(db), clock_(db) {}

  io::Task<Status> Load();
  void Add(StreamPointer stream);
  io::Task<Status> ForgetOldStreams(RecordNumber horizon);
  // The epoch of the oldest record there is from `epoch` on.
  io::Task<StatusOr<std::optional<uint32_t>>> OldestEpoch(uint32_t epoch);

  engine::Db& db_;
  StreamClock clock_;

  // Held by whoever changes a stream's record, until that is committed.
  io::Mutex record_mutex_;

  mutable absl::Mutex mutex_;
  std::map<RecordNumber, StreamPointer> by_id_ ABSL_GUARDED_BY(mutex_);
  std::map<Place, StreamPointer> by_place_ ABSL_GUARDED_BY(mutex_);  // table's name, label
};

}  // namespace varve::item
