// What the tables of a store must contain, told as the history of its commits.
//
// Every commit of items is seen on its way to the engine, and gets a marker of its own
// (StoreOptions::before_commit). So the markers that are there say exactly which commits took
// effect, and their sequence numbers in which order. Each must be what one operation that was under
// way would do to the items as the commits before it had left them; from that follows what every
// item was at every moment, what every answer must have said, and what every read may have seen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/entry.h"
#include "item/keys.h"
#include "item/requests.h"
#include "item/stream_requests.h"
#include "item/value.h"

namespace varve::sim {

// An item: the encoded values of its attributes. Nothing: there is none.
using Attributes = std::map<std::string, std::string>;
using State = std::optional<Attributes>;

// Counts what begins and ends: the simulation's order of events.
using Tick = uint64_t;
inline constexpr Tick kNever = ~Tick{0};

item::Item ItemOf(const Attributes& attributes);
Attributes AttributesOf(const item::ItemView& item);
std::string Text(std::string_view text);  // encoded values
std::string Integer(int64_t integer);
std::string Show(const State& state);  // in short, for a complaint

// The attributes of every table: its key, p and perhaps s; which operation wrote it; a counter;
// three keys of indexes; when it expires; a payload. An item has some of them.
inline constexpr std::string_view kWriter = "w", kCounter = "n", kExpiry = "ttl", kPayload = "v";

// Of items that expire: seconds since 1970.
std::optional<uint64_t> ExpiryOf(const State& state);

struct Condition {
  enum class Kind { kNone, kAbsent, kPresent, kWriter, kCounterBelow };
  Kind kind = Kind::kNone;
  std::string operand;  // encoded
  bool Holds(const State& state) const;
};

struct TableModel;

// What an operation does to one item.
struct Part {
  enum class Kind { kPut, kDelete, kUpdate, kCheck };
  Kind kind = Kind::kPut;
  TableModel* table = nullptr;
  Attributes key;
  Attributes set;      // of a put: the item; of an update: what it sets
  bool add = false;    // of an update: adds one to the counter
  std::string remove;  // of an update: an attribute that it takes away; or none
  Condition condition;

  State Apply(const State& old) const;
};

struct Commit;

struct Operation {
  uint64_t id = 0;
  std::vector<Part> parts;
  std::string token;         // of a transaction; or none
  Commit* commit = nullptr;  // that did it, and is there
  bool under_way = true;
  bool has_failed = false;  // so it may have been done, and was not answered
  uint64_t begun_ms = 0;    // by the latest clock there was
};

// One time that an operation was sent.
struct Attempt {
  enum class Answer { kNone, kDone, kRefused };
  // What the answer says of a part's item, before the operation or when it was refused.
  struct Seen {
    size_t part = 0;
    bool held = true;            // its condition
    std::optional<State> state;  // nothing: the answer does not tell
  };
  Operation* operation = nullptr;
  bool again = false;
  Tick begun = 0;
  Tick ended = kNever;
  Answer answer = Answer::kNone;
  std::vector<Seen> seen;
};

// What a commit does to an item, or to an entry of an index.
struct ItemWrite {
  uint32_t key_space = 0;
  std::string place;                 // the engine's key behind the key space
  std::optional<std::string> value;  // nothing: it is deleted
};

struct Commit {
  uint64_t id = 0;       // its marker's
  uint64_t life = 0;     // in which it was made
  uint64_t seconds = 0;  // by the latest clock there was
  std::vector<ItemWrite> writes;
  std::string token;  // that is written with it; or none
  Tick begun = 0;     // nobody saw it before
  // By then it was known to be there.
  Tick visible = kNever;
  SequenceNumber sequence = 0;  // once it has been found
  const Operation* operation = nullptr;
};

// What an item was, from some commit on.
struct Version {
  State state;
  const Commit* commit = nullptr;  // null: it has never been
  SequenceNumber sequence = 0;
  bool expired = false;           // deleted by time to live
  bool may_have_expired = false;  // that, or by an operation that does the same
};

class History {
 public:
  explicit History(std::string engine_key) : engine_key_(std::move(engine_key)) {
    versions_.emplace_back();
  }

  // Of the key, in key space 0: tells the order of a scan.
  const std::string& engine_key() const { return engine_key_; }

  const std::vector<Version>& versions() const { return versions_; }
  const State& state() const { return versions_.back().state; }
  void Add(Version version) { versions_.push_back(std::move(version)); }
  // Forgets what was committed at `sequence` or later; whether that is anything.
  bool Truncate(SequenceNumber sequence);

 private:
  std::string engine_key_;
  std::vector<Version> versions_;
};

struct IndexModel {
  item::SecondaryIndex definition;
  bool local = false;
  bool may_be_missing = false;  // it is being made or dropped, or that failed
  bool readable = true;         // known to be filled
  Tick made = 0;
};

struct StreamModel {
  std::string arn;
  item::StreamViewType view_type = item::StreamViewType::kNewAndOldImages;
  // It was enabled, and disabled, between these.
  Tick enable_begun = 0, enable_ended = 0;
  Tick disable_begun = kNever, disable_ended = kNever;

  // What a reader that never looks back has read.
  struct Shard {
    std::string iterator;  // the next one; empty: to be asked for
    std::string last;      // the last sequence number read
    bool is_read = false;  // closed, and read to its end
    std::map<std::string, item::StreamRecordDescription> records;  // by sequence number
  };
  std::map<std::string, Shard> shards;
  bool being_read = false;
};

struct TableModel {
  uint64_t number = 0;  // in the order of their making
  std::string name;
  std::string id;
  bool has_sort_key = false;
  bool expires = false;
  std::map<std::string, IndexModel> indexes;
  Tick made = 0;  // nobody wrote to it before
  // Once it has been seen in the catalogue. Before the table was made another may have had it.
  uint32_t key_space = 0;
  std::map<Attributes, History> items;            // by key
  std::map<std::string, const Attributes*> keys;  // by the engine's key behind the key space
  std::map<Attributes, std::string> writers;      // who wrote an item last, by the answers
  std::deque<StreamModel> streams;                // the last may be enabled
  bool changing = false;                          // an operation on the table itself is under way
  bool may_be_gone = false;                       // it is being dropped, or that failed
  bool gone = false;
  // A change of the stream that failed: whether it was to be enabled, and when it began.
  std::optional<std::pair<bool, Tick>> stream_change_failed;
  item::StreamViewType view_type_wanted = item::StreamViewType::kNewAndOldImages;

  item::TableKey key() const;
  Attributes KeyOf(const Attributes& item) const;
  History& ItemAt(const Attributes& key);
};

// Not by address, which differs from run to run.
struct InOrder {
  bool operator()(const TableModel* a, const TableModel* b) const { return a->number < b->number; }
  bool operator()(const std::pair<TableModel*, Attributes>& a,
                  const std::pair<TableModel*, Attributes>& b) const {
    return a.first != b.first ? (*this)(a.first, b.first) : a.second < b.second;
  }
};
using Contents = std::map<TableModel*, std::map<Attributes, Attributes>, InOrder>;

// What the item shows in the index: nothing if it has no place there.
State EntryOf(const TableModel& table, const IndexModel& index, const State& state);
// The values of the index's key, then the rest of the table's: the order of entries.
std::vector<std::string> PlaceOf(const TableModel& table, const IndexModel& index,
                                 const Attributes& entry);
// The type that an attribute must have to be in a key.
item::ValueType TypeOfAttribute(std::string_view name);

}  // namespace varve::sim
