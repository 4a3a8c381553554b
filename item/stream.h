// Stream: the record of every change of a table's items, in order, from the moment the stream was
// enabled until it was disabled, readable for 24 hours.
//
// Record numbers. A record lies in the engine in the order of its number, and the number has to be
// in the batch, so it is drawn before the batch is committed: while the item's key is locked, from
// a clock that all streams share (StreamClock). One key's records therefore have ascending numbers.
// The commits of different keys may overtake each other, so a record with a smaller number may
// become visible after one with a larger. A stream knows which of its numbers are in flight, drawn
// and not yet committed (StreamTicket), and nobody reads at or beyond the smallest of them
// (Watermark): what lies before it is complete and stays as it is.
//
// Shards. A number is a time (item/record_number.h). Time is cut into epochs of four hours, and
// the hashes of partition keys into ranges: one range at first, more when the table's partitions
// have split. A shard is one range in one epoch; where a range is cut in the middle of an epoch,
// its shard ends there and one follows for each part. So shards are closed and followed by others
// as in the service, without anything being written for it, and one lies wholly in one epoch, whose
// records the engine drops together. A shard's parent is the one that held its hashes before.
//
// Thread-safe.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/db.h"
#include "io/io.h"
#include "item/keys.h"
#include "item/record_number.h"
#include "item/requests.h"
#include "item/shared_slot.h"
#include "item/value.h"

namespace varve::item {

// The most hash ranges of a stream.
inline constexpr size_t kStreamRangesMax = 64;

// Where the numbers come from: the engine's own clock, so that a record's number is below the
// sequence number of its commit, and no restart goes back behind either. Thread-safe.
class StreamClock {
 public:
  // `db` must outlive the clock.
  explicit StreamClock(engine::Db& db) : db_(db) {}
  RecordNumber Next() { return db_.DrawSequence().number; }
  // A number, unless it is open whether commits that failed will be there after a restart.
  std::optional<RecordNumber> NextIfSettled() {
    const engine::Db::DrawnSequence drawn = db_.DrawSequence();
    return drawn.settled ? std::optional<RecordNumber>(drawn.number) : std::nullopt;
  }
  // Records that are committed after a restart have larger numbers.
  RecordNumber ceiling() { return db_.DrawSequence().ceiling; }

 private:
  engine::Db& db_;
};

struct Shard {
  uint32_t range = 0;      // the first hash of its range
  RecordNumber begin = 0;  // numbers from `begin`
  RecordNumber end = 0;    // up to before `end`
  std::string id;
  std::string parent_id;  // empty: none

  bool closed(RecordNumber now) const { return end <= now; }
};

// What the catalogue keeps of a stream.
struct StreamInfo {
  RecordNumber id = 0;  // drawn when it was enabled: smaller than every record's
  std::string table_name;
  StreamViewType view_type = StreamViewType::kKeysOnly;
  std::vector<KeySchemaElement> key_schema;
  RecordNumber disabled_at = 0;  // 0: it is enabled

  // From number `from` on, a range of its own begins at hash `begin`.
  struct Cut {
    RecordNumber from = 0;
    uint32_t begin = 0;
    friend bool operator==(const Cut&, const Cut&) = default;
  };
  std::vector<Cut> cuts;  // ascending by `from`
};

Item RecordOfStream(const StreamInfo& info);
StatusOr<StreamInfo> StreamOfRecord(const ItemView& record);

class Stream;

// One number of a stream, in flight until the ticket is released or destroyed: not before the
// commit of its record is over, well or badly.
class [[nodiscard]] StreamTicket {
 public:
  StreamTicket() = default;
  StreamTicket(StreamTicket&& other) noexcept { *this = std::move(other); }
  StreamTicket& operator=(StreamTicket&& other) noexcept {
    Release();
    stream_ = std::exchange(other.stream_, nullptr);
    number_ = other.number_;
    range_ = other.range_;
    return *this;
  }
  ~StreamTicket() { Release(); }
  void Release();

  RecordNumber number() const { return number_; }
  uint32_t range() const { return range_; }

 private:
  friend class Stream;
  std::shared_ptr<Stream> stream_;
  RecordNumber number_ = 0;
  uint32_t range_ = 0;
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  // `clock` must outlive the stream.
  Stream(StreamInfo info, StreamClock& clock);

  RecordNumber id() const { return id_; }
  const std::string& table_name() const { return table_name_; }
  StreamViewType view_type() const { return view_type_; }
  const std::vector<KeySchemaElement>& key_schema() const { return key_schema_; }
  // The names of the table's key attributes; their types are not known here.
  const TableKey& key() const { return key_; }
  StreamInfo info() const;

  // Draws the number of a record of an item whose partition key has this hash. Under the lock of
  // the item's key. False: the stream is disabled, there is no record to be written.
  bool Take(uint32_t hash, StreamTicket* ticket);

  // Every record with a smaller number is visible to reads that begin from now on, or will never
  // be there; and no smaller number will be drawn. It stands still while that is open of commits
  // that failed.
  RecordNumber Watermark();
  // How far a reader who has seen everything before `mark` may say that it has got: numbers that
  // are drawn after a restart may be below the mark if nothing was committed since.
  RecordNumber PositionAt(RecordNumber mark) { return std::min(mark, clock_.ceiling()); }

  // Ends the stream at `end`, a number of the clock: no number is drawn any more, and records from
  // `end` on are not shown.
  void Close(RecordNumber end);
  bool enabled() const;
  RecordNumber disabled_at() const;  // 0: it is not

  // False, and nothing done, if a number from the first cut's `from` on has been drawn.
  bool AddCuts(const std::vector<StreamInfo::Cut>& cuts);

  // The shards that `now` knows and that hold numbers from `horizon` on; by their beginnings.
  std::vector<Shard> Shards(RecordNumber now, RecordNumber horizon) const;
  // Whatever its age.
  std::optional<Shard> FindShard(std::string_view shard_id, RecordNumber now) const;
  std::optional<Shard> FindShard(uint32_t range, RecordNumber begin, RecordNumber now) const;

 private:
  friend class StreamTicket;
  void Finish(RecordNumber number);
  // The first hash of the range that `hash` is in for `number`; a number of 0 is before all cuts.
  uint32_t RangeOf(uint32_t hash, RecordNumber number) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Where the shards of the range that begins at `range` begin, ascending, as far as before `now`;
  // those of the epochs before `from`'s are left out.
  std::vector<RecordNumber> ShardBeginnings(uint32_t range, RecordNumber from,
                                            RecordNumber now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The shard of `range` that begins at `begin`.
  Shard MakeShard(uint32_t range, RecordNumber begin) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // When the range began; 0 if there is none.
  RecordNumber BeginningOf(uint32_t range) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The beginning of the shard of `range` that `number` is in.
  RecordNumber ShardBeginningBefore(uint32_t range, RecordNumber number) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  StreamClock& clock_;
  const RecordNumber id_;
  const std::string table_name_;
  const StreamViewType view_type_;
  const std::vector<KeySchemaElement> key_schema_;
  const TableKey key_;

  mutable absl::Mutex mutex_;
  RecordNumber disabled_at_ ABSL_GUARDED_BY(mutex_);
  std::vector<StreamInfo::Cut> cuts_ ABSL_GUARDED_BY(mutex_);
  RecordNumber last_ ABSL_GUARDED_BY(mutex_) = 0;  // drawn for a record
  RecordNumber mark_ ABSL_GUARDED_BY(mutex_);      // the last watermark
  // Ascending. As many as there are writes under way.
  std::vector<RecordNumber> in_flight_ ABSL_GUARDED_BY(mutex_);
};
using StreamPointer = std::shared_ptr<Stream>;

// The stream that a table's changes go to now, if any.
using StreamSlot = SharedSlot<Stream>;

}  // namespace varve::item
